"""When cells are probed: every cell once, evenly, and next to cells unlike it."""

from __future__ import annotations

import gc
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import (
    CONTROL,
    Audience,
    Check,
    Estate,
    EvidenceKind,
    Need,
    Service,
    Target,
    Vantage,
)
from monitor.timetable import slots

TINY = 1e-9


def target(name, group=""):
    return Target(name, name, f"http://127.0.0.1:1/{name}", group)


def check(service, name, targets, interval=30.0):
    timeout = interval / 2
    return Check(
        service,
        name,
        "http",
        None,
        interval,
        timeout,
        Need.BLOCKING,
        EvidenceKind.ACTIVE,
        tuple(targets),
    )


def estate(*checks, vantages=3, controls=()):
    names = dict.fromkeys(c.service for c in checks)
    return Estate(
        tuple(
            Service(n, n, Audience.USERS, tuple(c for c in checks if c.service == n)) for n in names
        ),
        tuple(Vantage(f"v{n}", f"net-{n}") for n in range(vantages)),
        tuple(controls),
    )


def tenants(groups):
    """Targets t0, t1, ... of the groups given as letters; "-" is a group nobody knows."""
    return [target(f"t{n}", "" if g == "-" else g) for n, g in enumerate(groups)]


def phases(planned):
    """(phase, cell) of every cell, by phase."""
    return sorted((slot.offset + delay, key) for slot in planned for delay, key in slot.starts)


def order(cells, service="crm", interval=30.0):
    """The cells of one train in the order they are due."""
    by_key = {cell.key: cell for cell in cells}
    train = [s for s in slots(cells) if s.interval == interval]
    return [by_key[key] for _, key in phases(train) if key.service == service]


def groups_of(cells):
    return [cell.target.group for cell in cells]


def ring_pairs(sequence):
    """Neighbours, the last and the first included."""
    return pairwise([*sequence, sequence[0]])


# --------------------------------------------------------------------------- examples


def test_one_shared_target_is_seen_from_each_vantage_in_turn():
    cells = estate(check("crm", "sign-in", [target("shared")])).cells()
    assert [(phase, key.vantage) for phase, key in phases(slots(cells))] == [
        (0.0, "v0"),
        (10.0, "v1"),
        (20.0, "v2"),
    ]


def test_three_vantages_and_five_tenants_never_repeat_a_vantage_group_or_target_too_soon():
    cells = order(estate(check("crm", "sign-in", tenants("ABABC"))).cells())
    around = [*cells, *cells[:4]]
    assert len(cells) == 15
    for n in range(15):
        assert len({cell.key.vantage for cell in around[n : n + 3]}) == 3
        assert len({cell.key.target for cell in around[n : n + 5]}) == 5
    assert all(a != b for a, b in ring_pairs(groups_of(cells)))


def test_a_target_comes_round_evenly_from_vantage_to_vantage():
    cells = estate(check("crm", "sign-in", tenants("ABABC"))).cells()
    due = [phase for phase, key in phases(slots(cells)) if key.target == "t3"]
    assert [b - a for a, b in pairwise(due)] == pytest.approx([10.0, 10.0])


def test_as_many_vantages_as_divide_the_tenants_still_meet_every_tenant_and_no_group_twice():
    cells = order(estate(check("crm", "sign-in", tenants("ABABAB"))).cells())
    assert len({cell.key for cell in cells}) == 18
    assert all(a != b for a, b in ring_pairs(groups_of(cells)))


def test_checks_take_turns_within_one_group():
    shared = [target("shared", "A")]
    checks = [check("crm", name, shared) for name in ("sign-in", "api", "files")]
    cells = order(estate(*checks, vantages=1).cells())
    assert all(a.key.check != b.key.check for a, b in ring_pairs(cells))


def test_checks_take_turns_across_groups():
    checks = [check("crm", name, tenants("AB")) for name in ("sign-in", "api")]
    cells = order(estate(*checks, vantages=1).cells())
    assert sum(a.key.check == b.key.check for a, b in pairwise(cells)) <= 1
    assert all(a != b for a, b in ring_pairs(groups_of(cells)))


def test_services_with_the_same_interval_interleave():
    checks = [check(name, "up", tenants("ABC")) for name in ("crm", "sites", "orders")]
    due = phases(slots(estate(*checks).cells()))
    assert [key.service for _, key in due] == ["crm", "sites", "orders"] * 9
    assert {round(b - a, 6) for (a, _), (b, _) in pairwise(due)} == {round(30 / 27, 6)}


def test_services_with_other_intervals_do_not_begin_together():
    checks = [check(n, "up", tenants("ABC"), 10.0 * k) for k, n in enumerate("abc", start=1)]
    due = phases(slots(estate(*checks).cells()))
    firsts = [next(phase for phase, key in due if key.service == name) for name in "abc"]
    assert len(set(firsts)) == 3


def test_controls_are_a_train_of_their_own():
    controls = [check(CONTROL, f"control-{n}", [target(f"c{n}")], 10.0) for n in range(3)]
    cells = estate(check("crm", "up", tenants("AB"), 10.0), controls=controls).cells()
    due = [p for p, key in phases(slots(cells)) if key.service == CONTROL]
    assert [b - a for a, b in pairwise(due)] == pytest.approx([10 / 9] * 8)


def test_checks_of_one_service_with_different_intervals_are_evenly_spread_each():
    checks = [check("crm", "up", tenants("AB"), 10.0), check("crm", "deep", tenants("AB"), 60.0)]
    planned = slots(estate(*checks).cells())
    for interval in (10.0, 60.0):
        due = [p for p, _ in phases([s for s in planned if s.interval == interval])]
        assert [b - a for a, b in pairwise(due)] == pytest.approx([interval / 6] * 5)


def test_a_cell_that_some_vantage_cannot_see_is_passed_over():
    cells = estate(check("crm", "up", tenants("ABAB"))).cells()
    partial = [cell for cell in cells if (cell.key.vantage, cell.key.target) != ("v1", "t2")]
    due = phases(slots(partial))
    assert {key for _, key in due} == {cell.key for cell in partial}
    assert [b - a for (a, _), (b, _) in pairwise(due)] == pytest.approx([30 / 11] * 10)


def test_cells_close_together_share_a_slot_and_no_slot_is_wider_than_asked():
    cells = estate(check("crm", "up", tenants("ABCD" * 25)), vantages=3).cells()
    planned = slots(cells, slot_width=1.0)
    assert len(planned) == 30
    assert all(0.0 <= delay < 1.0 for slot in planned for delay, _ in slot.starts)
    assert all(slot.starts[0][0] == 0.0 for slot in planned)


def test_no_cells_make_no_slots():
    assert slots([]) == ()


def test_the_same_cells_make_the_same_timetable():
    cells = estate(
        check("crm", "up", tenants("ABAC-")), check("sites", "up", tenants("AB"))
    ).cells()
    assert slots(cells) == slots(list(cells))


def test_ten_thousand_cells_take_less_than_half_a_second():
    checks = [check(f"s{n}", "up", tenants("ABCDEFGH-" * 93), 30.0) for n in range(4)]
    cells = estate(*checks).cells()
    assert len(cells) > 10_000
    gc.collect()
    begin = perf_counter()
    planned = slots(cells)
    assert perf_counter() - begin < 0.5
    assert len(planned) <= 300


# --------------------------------------------------------------------------- what always holds

targets = st.text("ABCD-", min_size=1, max_size=12).map(tenants)
trains = st.lists(
    st.tuples(
        st.sampled_from(["crm", "sites", CONTROL]),
        st.sampled_from(["up", "api", "deep"]),
        st.sampled_from([5.0, 10.0, 30.0, 60.0]),
        targets,
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda train: train[:2],
)
cell_lists = st.builds(
    lambda found, vantages: estate(
        *(check(service, name, t, interval) for service, name, interval, t in found),
        vantages=vantages,
    ).cells(),
    trains,
    st.integers(1, 5),
)


@given(cell_lists, st.sampled_from([0.01, 0.1, 1.0]))
def test_every_cell_is_due_exactly_once_within_its_own_interval(cells, width):
    planned = slots(cells, width)
    due = phases(planned)
    assert sorted(key for _, key in due) == sorted(cell.key for cell in cells)
    intervals = {cell.key: cell.check.interval for cell in cells}
    for slot in planned:
        for delay, key in slot.starts:
            assert intervals[key] == slot.interval
            assert 0.0 <= slot.offset <= slot.offset + delay < slot.interval
            assert 0.0 <= delay < width


@given(cell_lists)
def test_a_train_is_evenly_spread_over_its_interval(cells):
    trains_of = {}
    intervals = {cell.key: cell.check.interval for cell in cells}
    for phase, key in phases(slots(cells)):
        trains_of.setdefault((key.service, intervals[key]), []).append(phase)
    for (_, interval), due in trains_of.items():
        gap = interval / len(due)
        around = [*due, due[0] + interval]
        assert all(abs(b - a - gap) < TINY * interval for a, b in pairwise(around))


@given(st.text("ABCD-", min_size=1, max_size=15), st.integers(1, 5))
def test_any_as_many_neighbours_as_vantages_have_different_vantages(groups, vantages):
    cells = order(estate(check("crm", "up", tenants(groups)), vantages=vantages).cells())
    around = [cell.key.vantage for cell in (*cells, *cells[: vantages - 1])]
    for n in range(len(cells)):
        assert len(set(around[n : n + vantages])) == vantages


def no_group_has_more_than_half(groups):
    return max(map(groups.count, groups)) * 2 <= len(groups)


@given(st.text("ABCDE", min_size=2, max_size=15).filter(no_group_has_more_than_half))
def test_neighbours_differ_in_group_wherever_groups_allow(groups):
    cells = order(estate(check("crm", "up", tenants(groups)), vantages=1).cells())
    assert all(a != b for a, b in ring_pairs(groups_of(cells)))


@given(st.permutations("AABBC") | st.permutations("ABCDE") | st.permutations("AABCD"))
def test_three_vantages_by_five_tenants_differ_from_neighbour_to_neighbour(groups):
    cells = order(estate(check("crm", "up", tenants(groups))).cells())
    around = [*cells, *cells[:2]]
    for n in range(len(cells)):
        assert len({cell.key.vantage for cell in around[n : n + 3]}) == 3
    assert all(a != b for a, b in ring_pairs(groups_of(cells)))
