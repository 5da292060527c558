"""Detection and judgement under whatever may come: random faults, pauses and restarts.

Virtual time; the schedules are drawn by Hypothesis, the same ones every run. What must hold in
every one of them is checked with each event, and again when everything has been well for long.
"""

from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Phase_
from hypothesis import strategies as st

from monitor import detection
from monitor.detection import Phase, Sent
from monitor.model import Impact, Result, Stage
from tests.day import Day
from tests.estates import check, estate, service, tenants
from tests.simulation import (
    Simulation,
    black_hole,
    invalid,
    of,
    passes,
    refused,
    slow,
    sometimes,
    status_503,
)
from tests.watched import Watched

ENDLESS = 5400.0
NETWORKS = ("net-a", "net-b", "net-c", "net-a", "net-b")
EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase_.explicit, Phase_.generate),
    suppress_health_check=list(HealthCheck),
)
WAYS = st.sampled_from([refused, status_503, black_hole, invalid, slow(6), slow(2), passes])
GREY = st.builds(sometimes, st.sampled_from([0.02, 0.12, 0.3, 0.5, 0.7, 0.9, 0.97]))
AT = st.floats(0, 1500)
LASTS = st.sampled_from([1.0, 7.0, 20.0, 45.0, 90.0, 300.0, 1200.0])
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sets(st.sampled_from(["acme", "bolt", "t0", "t1", "shared"]), min_size=1),
        "group": st.sets(st.sampled_from(["blue", "green"]), min_size=1),
        "vantage": st.sets(st.sampled_from(["v0", "v1", "v2"]), min_size=1),
        "controls": st.booleans(),
    },
)
WHERE = st.one_of(st.just({}), PARTS)
FAULTS = st.lists(st.tuples(AT, LASTS, st.one_of(WAYS, GREY), WHERE), max_size=6)
PAUSES = st.lists(st.tuples(AT, st.floats(0.5, 120)), max_size=2)
SHAPES = st.tuples(
    st.sampled_from([1, 2, 3]),
    st.sampled_from([0, 1, 3, 5]),
    st.sampled_from([15.0, 30.0, 60.0]),
)


def world(shape):
    """An estate of V vantages and K tenants (0: one shared target) probed every T seconds."""
    vantages, number, interval = shape
    places = {f"v{i}": NETWORKS[i] for i in range(vantages)}
    owners = tenants(number) if number else None
    made = check(of=owners, interval=interval, timeout=min(10.0, interval / 2))
    api = check(name="api", of=owners, interval=interval, timeout=min(10.0, interval / 2))
    return estate(service("crm", made, api), places=places)


def afflict(sim, faults, pauses):
    """Let those faults and pauses happen."""
    for at, lasts, how, where in faults:
        sim.breaks(at, at + lasts, how, of("crm", **where))
    for at, seconds in pauses:
        sim.pauses(at, seconds)


def at_rest(sim):
    """Every machine is UP and nothing is open."""
    for machine in sim.state.machines.values():
        assert machine.phase is Phase.UP, machine.phase
        assert machine.outages.open == {}
    assert sim.state.blind.open == {}


@EXAMPLES
@given(SHAPES, FAULTS, PAUSES)
def test_when_all_is_well_again_everything_closes(shape, faults, pauses):
    sim = Watched(world(shape))
    afflict(sim, faults, pauses)
    for until in range(300, 3000, 300):
        sim.run(until)
        sim.bounded()
    sim.run(ENDLESS)
    at_rest(sim)
    stages = defaultdict(list)
    for declared in sim.declared:
        stages[declared.unit, detection.track_of(declared.impact, declared.reason)].append(declared)
    assert all(told[-1].stage is Stage.CLOSED for told in stages.values())


@EXAMPLES
@given(SHAPES, FAULTS, PAUSES)
def test_from_anywhere_total_failure_becomes_everyone(shape, faults, pauses):
    estate_ = world(shape)
    sim = Watched(estate_)
    afflict(sim, faults, pauses)
    sim.run(900)
    sim._faults = [f for f in sim._faults if f[2] is not invalid and f[1] < 900]
    sim.breaks(900, ENDLESS, refused, of("crm"))
    sim.run(900 + 130 + 4 * shape[2] + sum(seconds for _, seconds in pauses))
    broad = all(m.population.broad() for m in sim.state.machines.values())
    for machine in sim.state.machines.values():
        assert machine.phase is (Phase.ALL if broad else Phase.PARTIAL), machine.phase


@EXAMPLES
@given(SHAPES, FAULTS, PAUSES)
def test_events_that_come_twice_change_nothing(shape, faults, pauses):
    class Twice(Simulation):
        sent = 0

        def handle(self, event):
            actions = super().handle(event)
            if isinstance(event, Sent | Result):
                again = super().handle(event)
                assert again == [], (event, again)
            return actions

    once, twice = Simulation(world(shape)), Twice(world(shape))
    for sim in (once, twice):
        fresh = [(at, lasts, how, where) for at, lasts, how, where in faults]
        afflict(sim, [f for f in fresh if f[2].__name__ != "answer"], pauses)
        sim.run(2000)
    assert once.declared == twice.declared


class Judged(Day):
    """A day that checks with every change what must always hold of incidents."""

    def _write(self, change):
        known = change.incident and self.written.get(change.incident.number)
        super()._write(change)
        for notice in change.notices:
            last = self.seqs[notice.incident_id]
            assert notice.seq > last
            self.seqs[notice.incident_id] = notice.seq
        if change.incident is not None:
            self.check(known, change.incident)

    @property
    def seqs(self):
        """The last notice number of each incident."""
        return self.__dict__.setdefault("_seqs", defaultdict(int))

    def check(self, known, incident):
        """A promise is kept, a start is not narrowed, one incident is open a subject."""
        if known is not None:
            assert known.respond_by in (None, incident.respond_by)
            assert incident.began.before <= known.began.before
            afters = known.began.after, incident.began.after
            assert None in afters or afters[1] <= afters[0]
            assert set(known.route) <= set(incident.route)
        unresolved = [i.subject for i in self.written.values() if i.resolved_at is None]
        assert len(unresolved) == len(set(unresolved))
        assert incident.errors or incident.impact is Impact.UNKNOWN
        assert incident.known_by


@EXAMPLES
@given(SHAPES, FAULTS, PAUSES, st.floats(60, 2400), st.booleans())
def test_no_incident_outlives_its_outages_even_through_a_restart(
    shape, faults, pauses, killed_at, smaller
):
    before = Judged("Mon 2026-11-23 09:00", world(shape))
    afflict(before, faults, pauses)
    before.run(killed_at)
    after_world = world((shape[0], 5 if smaller else shape[1], shape[2]))
    after = Judged("Mon 2026-11-23 09:45", after_world, like=before)
    for at, lasts, how, where in faults:
        after.breaks(at - killed_at, at - killed_at + lasts, how, of("crm", **where))
    after.run(ENDLESS)
    assert after.mind.outages == {}
    assert after.mind.open == {}
    assert all(i.resolved_at is not None for i in after.incidents)
