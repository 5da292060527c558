"""Worlds drawn by Hypothesis: estates of every shape, and what befalls them.

A world is a `Plan` (what is watched, from where) and its `Fate` (faults, maintenance windows,
pauses). Both are plain data, so one world can be lived through twice; a `Way` of failing is made
afresh for each life, since some roll dice.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Phase_
from hypothesis import strategies as st

from monitor.model import CONTROL, EvidenceKind, Need, Outcome
from tests.estates import check, controls, estate, service, tenants
from tests.simulation import (
    black_hole,
    invalid,
    passes,
    refused,
    sometimes,
    status_503,
    turned_away,
)

NETWORKS = ("net-a", "net-b", "net-c")
ACTIVE, DEGRADING = "sign-in", "search"
PASSIVE = ("queue", "confirm")
MUTATING = "order"
WITNESS = "signed-in"
VANTAGES = tuple(f"v{i}" for i in range(5))
TARGETS = ("acme", "bolt", "cedar", "t0", "t1", "shared")


def examples(number):
    """So many worlds a property, the same ones every run."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase_.explicit, Phase_.generate),
        suppress_health_check=list(HealthCheck),
    )


class Plan(NamedTuple):
    """What is watched: `tenants` 0 is one shared target; `checks` besides the witness, by name."""

    networks: tuple[str, ...]
    tenants: int
    interval: float
    checks: tuple[str, ...]
    edge: bool

    def estate(self):
        places = dict(zip(VANTAGES, self.networks, strict=False))
        made = [self._check(name) for name in self.checks]
        first, *others = controls()
        if self.edge:
            witness = check("crm", WITNESS, interval=self.interval, timeout=self.timeout)
            made.append(replace(witness, evidence=EvidenceKind.PASSIVE, real_users=True))
            first = replace(first, edge="waf")
        whole = estate(service("crm", *made, edge="waf" if self.edge else ""), places=places)
        return replace(whole, controls=(first, *others))

    @property
    def timeout(self):
        return min(10.0, self.interval / 2)

    def _check(self, name):
        owners = tenants(self.tenants) if self.tenants else None
        made = check("crm", name, of=owners, interval=self.interval, timeout=self.timeout)
        if name == DEGRADING:
            return replace(made, need=Need.DEGRADING)
        if name in PASSIVE:
            return replace(made, evidence=EvidenceKind.PASSIVE)
        return replace(made, evidence=EvidenceKind.MUTATING) if name == MUTATING else made


class Fault(NamedTuple):
    """From `at` on for `lasts` seconds, the cells at `place` answer as `way()` does."""

    at: float
    lasts: float
    way: object
    place: dict


class Fate(NamedTuple):
    """What befalls a world: faults, maintenance windows (from, for, checks), pauses (at, for)."""

    faults: Sequence[Fault] = ()
    windows: Sequence[tuple[float, float, tuple[str, ...] | None]] = ()
    pauses: Sequence[tuple[float, float]] = ()

    def befall(self, sim):
        """Let it happen in a simulation."""
        for fault in self.faults:
            sim.breaks(fault.at, fault.at + fault.lasts, fault.way(), at(**fault.place))
        for begins, lasts, checks in self.windows:
            sim.maintenance(begins, begins + lasts, checks=checks)
        for when, seconds in self.pauses:
            sim.pauses(when, seconds)
        return sim

    def over_by(self, moment):
        """The same, but that all is over at a moment."""
        return Fate(
            [f._replace(lasts=min(f.lasts, moment - f.at)) for f in self.faults if f.at < moment],
            [(b, min(lasts, moment - b), c) for b, lasts, c in self.windows if b < moment],
            [(when, min(s, moment - when)) for when, s in self.pauses if when < moment],
        )


def at(*, check=None, target=None, group=None, vantage=None, controls="never"):
    """Cells by part; `controls`: "never" those, "too", or "only" those."""

    def where(cell):
        if vantage is not None and cell.key.vantage not in vantage:
            return False
        if cell.key.service == CONTROL:
            return controls != "never"
        return controls != "only" and (
            (check is None or cell.key.check in check)
            and (target is None or cell.key.target in target)
            and (group is None or cell.target.group in group)
        )

    return where


def unhurried(share):
    """Answer well, when that share of the deadline has passed."""
    return lambda deadline: (share * deadline, Outcome.PASS, None, "")


def way(how, *made_with):
    """A way to fail: made afresh each time when it needs something, otherwise itself."""
    return partial(how, *made_with) if made_with else lambda: how


CHECKS = st.lists(
    st.sampled_from([ACTIVE, DEGRADING, *PASSIVE, MUTATING]), min_size=1, max_size=3, unique=True
)
PLANS = st.builds(
    Plan,
    networks=st.one_of(
        st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=5).map(tuple),
        st.integers(2, 5).map(lambda places: (*NETWORKS, *NETWORKS)[:places]),
    ),
    tenants=st.sampled_from([0, 1, 3, 5, 5, 6]),
    interval=st.sampled_from([10.0, 15.0, 30.0, 60.0]),
    checks=CHECKS.map(tuple),
    edge=st.booleans(),
)
FAILING = st.sampled_from([way(refused), way(status_503), way(black_hole)])
GREY = st.builds(
    partial, st.just(sometimes), st.sampled_from([0.03, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98])
)
SLOW = st.sampled_from([way(unhurried, share) for share in (0.15, 0.3, 0.6, 0.9)])
UNKNOWN = st.sampled_from([way(turned_away), way(invalid)])
WAYS = st.one_of(FAILING, FAILING, GREY, SLOW, UNKNOWN, st.just(way(passes)))
AT = st.floats(0, 1200)
LASTS = st.sampled_from([1.0, 7.0, 20.0, 45.0, 90.0, 300.0, 1200.0])


def parts(*, controls=("never", "never", "never", "too", "only"), vantages=VANTAGES):
    """Parts of a world, the whole of its service rather often."""
    places = st.sets(st.sampled_from(vantages), min_size=1)
    named = st.fixed_dictionaries(
        {"controls": st.sampled_from(controls)},
        optional={
            "check": st.sets(st.sampled_from([ACTIVE, *PASSIVE, MUTATING, WITNESS]), min_size=1),
            "target": st.sets(st.sampled_from(TARGETS), min_size=1),
            "group": st.sets(st.sampled_from(["blue", "green"]), min_size=1),
            "vantage": places,
        },
    )
    mostly, *_, seldom = (*controls, controls[-1])
    whole = st.just({"controls": mostly})
    seen = st.fixed_dictionaries({"vantage": places, "controls": st.just(mostly)})
    few = st.sets(st.sampled_from(TARGETS[:4]), min_size=1, max_size=2)
    some = st.fixed_dictionaries({"target": few, "controls": st.just(mostly)})
    group = st.just({"group": {"blue"}, "controls": mostly})
    blinded = st.fixed_dictionaries({"vantage": places, "controls": st.just(seldom)})
    return st.one_of(whole, named, some, group, seen, blinded)


TENANTS = tenants(5).keys() | tenants(6).keys()
ALL_BUT_ONE = st.fixed_dictionaries(
    {"target": st.sampled_from(sorted(TENANTS)).map(lambda spared: TENANTS - {spared})}
)


def faults(ways=WAYS, where=None, most=6, starts=AT):
    """Up to so many faults."""
    one = st.builds(Fault, starts, LASTS, ways, parts() if where is None else where)
    return st.lists(one, max_size=most)


WINDOWS = st.lists(
    st.tuples(AT, LASTS, st.sampled_from([None, (ACTIVE,), (PASSIVE[0], MUTATING)])), max_size=2
)
PAUSES = st.lists(st.tuples(AT, st.floats(0.5, 120)), max_size=2)
FATES = st.builds(Fate, faults(), WINDOWS, PAUSES)
