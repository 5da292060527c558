"""The labelled benchmark itself: worlds, peers by their definitions, and the score."""

from dataclasses import replace
from random import Random

import pytest

from bench.detection import rows
from bench.detection.calls import Call
from bench.detection.families import FAMILIES, named
from bench.detection.peers import Seen, in_a_row, peer_calls, recorded
from bench.detection.run import ABLATIONS, Run
from bench.detection.score import needed, remarks, scored, target_delay, wilson
from bench.detection.table import EVERYONE, NOBODY, PARTS
from bench.detection.ways import at_once, black_hole, of_places, of_service
from bench.detection.world import (
    INTERVALS,
    SERVICE,
    TARGETS,
    VANTAGES,
    Draw,
    Fault,
    HostEvent,
    Scope,
    Truth,
    world,
)
from monitor.model import FailureKind, Impact, Outcome

REFUSED = at_once(FailureKind.CONNECT)
TRUTH = Truth(Scope.ALL, 100.0, 100.0, 400.0)


def draw(*, vantages=2, targets=1, interval=10.0):
    return Draw("1", 0, interval, vantages, targets, Random(1))


def outage(how=REFUSED, where=None, truths=(TRUTH,), **size):
    fault = Fault(100.0, 400.0, how, where or of_service())
    return world(draw(**size), fault, truths=truths, end=520.0)


# ------------------------------------------------------------------ families


@pytest.mark.parametrize("family", EVERYONE)
def test_a_family_of_everyone_says_that_everyone_is_down(family):
    for seed in range(5):
        assert {truth.scope for truth in FAMILIES[family](seed).truths} == {Scope.ALL}


@pytest.mark.parametrize("family", PARTS)
def test_a_family_of_parts_says_that_a_part_is_down(family):
    scopes = {truth.scope for seed in range(5) for truth in FAMILIES[family](seed).truths}
    assert scopes & {Scope.PARTIAL, Scope.GREY}


@pytest.mark.parametrize("family", NOBODY)
def test_a_family_of_nobody_never_says_that_anyone_is_down(family):
    scopes = {truth.scope for seed in range(5) for truth in FAMILIES[family](seed).truths}
    assert not scopes & {Scope.ALL, Scope.PARTIAL}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_makes_the_same_world_twice_and_of_a_drawn_size(family):
    for seed in range(5):
        one, other = FAMILIES[family](seed), FAMILIES[family](seed)
        assert one.truths == other.truths
        assert one.end == other.end
        assert one.draw.interval in INTERVALS
        assert one.draw.vantages in VANTAGES
        assert one.draw.targets in TARGETS


def test_every_numbered_family_has_a_generator():
    assert all(named(str(number)) for number in range(1, 27))
    assert named("16") == ["16a", "16b", "16c"]
    assert named("1") == ["1"]


def test_while_everyone_is_down_every_cell_of_the_service_fails_and_no_control():
    made = FAMILIES["1"](0)
    middle = (made.truths[0].began + made.truths[0].ended) / 2
    for spot in made.spots.values():
        failed = made.answer(spot, middle).outcome is Outcome.FAIL
        assert failed is (not spot.control)


def test_before_and_after_an_outage_everything_passes():
    made = FAMILIES["1"](0)
    for at in (made.truths[0].began - 0.1, made.truths[0].ended + 0.1):
        assert {made.answer(s, at).outcome for s in made.spots.values()} == {Outcome.PASS}


def test_a_probe_that_resolves_afresh_sees_at_once_that_a_name_is_gone():
    made = FAMILIES["5"](0)
    spot = next(s for s in made.spots.values() if not s.control)
    at = made.truths[0].since
    assert made.answer(spot, at, fresh=True).kind is FailureKind.DNS
    assert made.answer(spot, at).outcome is Outcome.PASS


def test_an_answer_after_the_deadline_is_a_timeout_at_the_deadline():
    made = outage(how=at_once(FailureKind.BODY, 60.0))
    spot = next(s for s in made.spots.values() if not s.control)
    assert made.answer(spot, 200.0) == (10.0, Outcome.FAIL, FailureKind.TIMEOUT)


# ------------------------------------------------------------------ peers


def answers(pattern):
    return [Seen(10.0 * i, 10.0 * i, mark == ".") for i, mark in enumerate(pattern)]


def test_three_in_a_row_means_without_a_pass_between():
    assert list(in_a_row(answers(".xx.xxx..x..."), 3, 2)) == [(60.0, True), (80.0, False)]


def test_one_pass_is_up_where_one_is_enough():
    assert list(in_a_row(answers("x.x"), 1, 1)) == [(0.0, True), (10.0, False), (20.0, True)]


@pytest.mark.parametrize(
    ("peer", "delay"),
    [
        ("Uptime Kuma, 0 retries", 0.03),
        ("Pingdom", 0.06),
        ("Azure 3 of 5", 5.03),
        ("plain SPRT", 5.03),
        ("Nagios 3/3", 10.03),
        ("updown", 10.03),
        ("Gatus 3/2", 20.03),
        ("Uptime Kuma, 2 retries", 20.03),
        ("Route 53", 25.03),
        ("blackbox, for: 1m", 65.0),
    ],
)
def test_a_peer_calls_a_plain_outage_when_its_rule_says(peer, delay):
    (call,) = peer_calls(recorded(outage()), peer)
    assert call.scope is Scope.ALL
    assert call.at - 100.0 == pytest.approx(delay)
    assert call.recovered > 400.0


def test_a_peer_without_controls_takes_its_own_dead_network_for_an_outage():
    made = outage(where=of_places({0}, controls=True), truths=())
    history = recorded(made)
    assert peer_calls(history, "Gatus 3/2")
    assert not peer_calls(replace(history, with_controls=True), "Gatus 3/2")


def test_a_second_place_that_passes_refutes_the_first():
    made = outage(where=of_places({0}, controls=False), truths=())
    assert not peer_calls(recorded(made), "Pingdom")
    assert not peer_calls(recorded(made), "updown")
    assert not peer_calls(recorded(made), "Route 53")


def test_some_targets_down_is_a_part_and_nine_tenths_is_everyone():
    made = outage(where=lambda s: not s.control and s.target < 3, targets=5)
    assert {c.scope for c in peer_calls(recorded(made), "Gatus 3/2")} == {Scope.PARTIAL}
    made = outage(where=lambda s: not s.control and s.target < 28, targets=30)
    assert Scope.ALL in {c.scope for c in peer_calls(recorded(made), "Gatus 3/2")}


def test_a_stopped_host_sends_nothing_meanwhile():
    made = world(draw(), host=(HostEvent(100.0, 50.0),), end=300.0)
    sent = [seen.sent for seen in next(iter(recorded(made).answers.values()))]
    assert not [at for at in sent if 100.0 <= at < 150.0]
    assert [at for at in sent if at >= 150.0]


# ------------------------------------------------------------------ the score


def all_of(*calls, **size):
    return scored(outage(**size), calls).by[Scope.ALL]


def test_a_call_within_the_outage_is_right_and_its_delay_counts():
    tally = all_of(Call(Scope.ALL, SERVICE, 110.0, began=(95.0, 100.5), recovered=460.0))
    assert (tally.due, tally.found, tally.called, tally.right) == (1, 1, 1, 1)
    assert tally.waited == [10.0]
    assert (tally.covered, tally.dated, tally.widths) == (1, 1, [5.5])
    assert (tally.doubled, tally.early) == (0, 0)


def test_a_call_of_nothing_is_wrong():
    tally = all_of(Call(Scope.ALL, SERVICE, 50.0), Call(Scope.ALL, "other", 110.0))
    assert (tally.found, tally.called, tally.right) == (0, 2, 0)


def test_a_second_call_of_one_outage_is_a_duplicate_and_the_first_ended_early():
    tally = all_of(
        Call(Scope.ALL, SERVICE, 110.0, recovered=150.0), Call(Scope.ALL, SERVICE, 200.0)
    )
    assert (tally.found, tally.doubled, tally.early) == (1, 1, 1)


def test_a_start_that_leaves_the_truth_out_is_not_covered():
    assert all_of(Call(Scope.ALL, SERVICE, 110.0, began=(101.0, 103.0))).covered == 0
    assert all_of(Call(Scope.ALL, SERVICE, 110.0, began=(None, 103.0))).covered == 1


def test_a_part_called_while_everyone_is_down_is_neither_right_nor_wrong():
    score = scored(outage(), [Call(Scope.PARTIAL, SERVICE, 110.0)])
    assert score.by[Scope.PARTIAL].called == 0
    assert remarks(score) == ["ALL not found"]


def test_an_outage_too_short_to_be_seen_twice_is_not_asked_for():
    short = replace(outage(), truths=(replace(TRUTH, ended=112.0),))
    tally = scored(short, []).by[Scope.ALL]
    assert (tally.due, tally.short) == (0, 1)
    assert needed(short, short.truths[0]) > 12.0


def test_the_delay_that_is_allowed_follows_the_size():
    made = outage(vantages=3, targets=5)
    assert target_delay(made, TRUTH) == pytest.approx(10 / 30 + 8 + 0.5 + 3)


def test_two_hundred_of_two_hundred_bounds_only_so_much():
    assert wilson(200, 200)[0] == pytest.approx(0.981, abs=0.001)


# ------------------------------------------------------------------ our detector in a world


def test_ours_calls_an_outage_once_and_says_when_it_began():
    made = outage(vantages=3, targets=5)
    run = Run(made).go()
    first = run.declared[0]
    assert first.impact is Impact.ALL
    assert first.began.after <= 100.0 <= first.began.before
    assert run.scheduled > run.asked > 0


def test_ours_is_restarted_without_a_second_call():
    made = replace(outage(vantages=3, targets=5), host=(HostEvent(150.0, 10.0, restarts=True),))
    told = [one for one in Run(made).go().declared if one.stage == "failing"]
    assert len(told) == 1


def test_ours_says_nothing_of_a_stopped_host():
    made = world(draw(vantages=3, targets=5), host=(HostEvent(100.0, 40.0),), end=300.0)
    assert not Run(made).go().declared


def test_without_controls_ours_would_take_its_own_dead_network_for_an_outage():
    made = outage(how=black_hole, where=lambda _spot: True, truths=(), vantages=3, targets=5)
    bare = next(variant for variant in ABLATIONS if not variant.controls)
    assert Impact.ALL in {one.impact for one in Run(made, bare).go().declared}
    assert Impact.ALL not in {one.impact for one in Run(made).go().declared}


def test_the_tables_are_written_between_their_marks_and_again(tmp_path):
    out = tmp_path / "benchmarks.md"
    out.write_text("Before.\n<!-- labelled benchmark -->old<!-- labelled benchmark -->\nAfter.\n")
    asked = ["--family", "25", "--seeds", "1", "--jobs", "1", "--out", str(out)]
    lines = list(rows(asked))
    text = out.read_text()
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text
    assert any("First start" in line for line in lines)
    list(rows(asked))
    assert out.read_text() == text
