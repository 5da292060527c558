"""From any state there is a way out: back to rest when all is well, to everyone when all fails.

Virtual time; worlds drawn by Hypothesis: anything may happen up to a moment, and from then on one
thing does. How long the way may be is added up from the rules, for each kind of evidence. And
nothing grows with the time that has passed.
"""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from monitor.detection import Phase
from monitor.model import EvidenceKind, Need
from tests.watched import RULES, Watched
from tests.worlds import FAILING, FATES, GREY, PLANS, Fault, at, examples, parts

HOUR = 3600.0
GRACE = 1.0
MOMENT = st.floats(60, 1000)
LAST = st.tuples(
    st.sampled_from([5.0, 30.0, 100.0, 300.0, 300.0, 600.0, 600.0]),
    st.one_of(FAILING, GREY),
    parts(),
    st.lists(st.floats(0, 60), max_size=1),
)
LONGEST_GAP = RULES.sweep_gaps[-1]
WATCHED_FOR = max(RULES.merge_window, RULES.flap_window)


def a_round(plan):
    """How long a round takes at most."""
    return (RULES.votes_min - 1) * RULES.repeat_gap + plan.timeout + GRACE


def first_news(plan):
    """When every cell has been heard of anew, and every control and its vantage with it."""
    return max(plan.interval + plan.timeout, RULES.control_fresh)


def back_within(plan, evidence):
    """How long after all is well until a machine rests.

    What rests on a part waits for its next sweep. Then as many quiet rounds as a share asks for,
    or as many good sweeps as everyone does, one gap apart. Trials wait until the hour allows
    another; told ones are looked at every half interval.
    """
    rounds = max(RULES.quiet_rounds, RULES.share_rounds, RULES.recovery_rounds) + 1
    if evidence is EvidenceKind.PASSIVE:
        looks = max(rounds * plan.interval / 2, RULES.recovery_span)
        return first_news(plan) + looks + plan.interval / 2
    gap = LONGEST_GAP + a_round(plan)
    way = first_news(plan) + RULES.partial_sweep + RULES.recovery_span + rounds * gap
    if evidence is EvidenceKind.MUTATING:
        return way + HOUR + rounds * HOUR / RULES.trials_per_hour
    return way


def everyone_within(plan, evidence):
    """How long after all has failed until a broad blocking machine is ALL.

    It hears of it, asks twice for a second opinion, gives up a round under way or a part's sweep,
    and then needs the rounds that one location does. Told ones need two bad periods and a look.
    """
    if evidence is EvidenceKind.PASSIVE:
        return first_news(plan) + 2 * plan.interval + plan.timeout
    opinions = 2 * (plan.timeout + GRACE)
    rounds = RULES.rounds_one_location + 1
    way = first_news(plan) + opinions + RULES.partial_sweep + rounds * (LONGEST_GAP + a_round(plan))
    alone = 2 * plan.interval
    return way + alone + (HOUR if evidence is EvidenceKind.MUTATING else 0.0)


def until(sim, moment, reached):
    """Let time pass until that is so, at most until a moment; whether it was."""
    while not (done := reached()) and sim.now < moment:
        sim.run(min(moment, sim.now + 60.0))
        sim.bounded()
    return done


def lived(plan, fate, moment, last):
    """A world in which anything has happened up to a moment, and nothing does any more.

    The last fault goes on until then; shortly after it has begun this host may have been stopped.
    """
    before, way, place, stopped = last
    begins = max(0.0, moment - before)
    faults = (*fate.faults, Fault(begins, before, way, place))
    pauses = (*fate.pauses, *((begins + after, 20.0) for after in stopped))
    fate = fate._replace(faults=faults, pauses=pauses).over_by(moment)
    sim = fate.befall(Watched(plan.estate()))
    while sim.now < moment:
        sim.run(min(moment, sim.now + 200.0))
        sim.bounded()
    return sim


def all_are(phase, machines):
    return all(machine.phase is phase for machine in machines)


def of_kind(sim, evidence):
    return [m for m in sim.state.machines.values() if m.population.evidence is evidence]


@examples(70)
@given(PLANS, FATES, MOMENT, LAST)
def test_when_all_is_well_every_machine_rests_with_nothing_open(plan, fate, moment, last):
    sim = lived(plan, fate, moment, last)
    longest = 0.0
    for evidence in (EvidenceKind.PASSIVE, EvidenceKind.ACTIVE, EvidenceKind.MUTATING):
        machines = of_kind(sim, evidence)
        within = back_within(plan, evidence)
        longest = max(longest, within if machines else 0.0)
        up = until(sim, moment + within, partial(all_are, Phase.UP, machines))
        assert up, [(m.population.unit, m.phase, m.part) for m in machines]
    closed = moment + longest + WATCHED_FOR
    units = [*sim.state.machines.values()]
    opened = [sim.state.blind, *(m.outages for m in units)]
    assert until(sim, closed, lambda: not any(outages.open for outages in opened))
    assert all(m.phase is Phase.UP for m in units)


@examples(70)
@given(PLANS, FATES, MOMENT, LAST, FAILING)
def test_when_all_fails_each_broad_blocking_machine_tells_of_everyone(
    plan, fate, moment, last, how
):
    sim = lived(plan, fate, moment, last)
    sim.breaks(moment, 10 * HOUR, how(), at())
    for evidence in (EvidenceKind.PASSIVE, EvidenceKind.ACTIVE, EvidenceKind.MUTATING):
        broad = [
            m
            for m in of_kind(sim, evidence)
            if m.population.need is Need.BLOCKING and m.population.broad()
        ]
        within = everyone_within(plan, evidence)
        failing = until(sim, moment + within, partial(all_are, Phase.ALL, broad))
        assert failing, [(m.population.unit, m.phase, m.part) for m in broad]
