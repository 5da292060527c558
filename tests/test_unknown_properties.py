"""What is no evidence of an outage makes none: passes, and answers that say nothing.

Virtual time; worlds drawn by Hypothesis.
"""

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Impact, Stage
from tests.simulation import Simulation
from tests.watched import RULES, Watched
from tests.worlds import (
    FAILING,
    FATES,
    GREY,
    PLANS,
    SLOW,
    UNKNOWN,
    VANTAGES,
    Fate,
    at,
    examples,
    faults,
    parts,
)

LIVED = 1500.0
CALM = 1200.0
GRACE = 1.0
TOLD_OF_SERVICES = (Impact.SOME, Impact.ALL)

SERVICE = parts(controls=("never",))
ANYTHING = st.one_of(FAILING, GREY, SLOW, UNKNOWN)
NO_EVIDENCE = faults(st.one_of(UNKNOWN, UNKNOWN, SLOW), SERVICE)
OF_CONTROLS = faults(ANYTHING, parts(controls=("only",)), most=2)
BLIND = st.tuples(st.sets(st.sampled_from(VANTAGES), min_size=1), st.one_of(FAILING, UNKNOWN))
EXCUSED = faults(st.one_of(FAILING, GREY), SERVICE, most=3)
QUIET_FATES = st.builds(lambda fate, few: fate._replace(faults=few), FATES, NO_EVIDENCE)


def of_services(sim):
    """What was declared of services, not of the monitor itself."""
    return [declared for declared in sim.declared if declared.unit.startswith("crm/")]


def last_news(plan):
    """How long after a fault what it did may still be told for the first time.

    A cell is asked once an interval, and a round takes what it was asked, and the last answer.
    """
    asked = (RULES.votes_min - 1) * RULES.repeat_gap
    return plan.interval + asked + plan.timeout + GRACE


@examples(20)
@given(PLANS, FATES, faults(SLOW, SERVICE), OF_CONTROLS)
def test_where_everything_passes_nothing_is_declared(plan, fate, slow, controls):
    sim = Simulation(plan.estate())
    fate._replace(faults=[*slow, *controls]).befall(sim).run(LIVED)
    assert of_services(sim) == []


@examples(20)
@given(PLANS, FATES, faults(SLOW, SERVICE), st.floats(100, 700))
def test_once_everything_passes_only_recoveries_are_declared(plan, fate, slow, calm):
    sim = Watched(plan.estate())
    Fate(slow).befall(sim)
    fate.over_by(calm).befall(sim).run(calm + last_news(plan))
    before = len(sim.declared)
    sim.run(calm + CALM)
    assert {declared.stage for declared in sim.declared[before:]} <= {Stage.WATCHING, Stage.CLOSED}


@examples(20)
@given(PLANS, QUIET_FATES, st.booleans())
def test_answers_that_say_nothing_open_no_outage_of_a_service(plan, fate, worked):
    sim = Watched(plan.estate(), worked=worked)
    fate.befall(sim).run(LIVED)
    assert all(declared.impact not in TOLD_OF_SERVICES for declared in sim.declared)


@examples(20)
@given(PLANS, QUIET_FATES, EXCUSED)
def test_nor_does_what_fails_in_maintenance_windows_only(plan, fate, excused):
    sim = Watched(plan.estate())
    fate.befall(sim)
    Fate(excused, [(fault.at, fault.lasts, None) for fault in excused]).befall(sim).run(LIVED)
    assert all(declared.impact not in TOLD_OF_SERVICES for declared in sim.declared)


@examples(20)
@given(PLANS, QUIET_FATES, BLIND, faults(st.one_of(FAILING, GREY), SERVICE), st.booleans())
def test_nor_do_failures_seen_from_where_controls_fail(plan, fate, blind, failing, worked):
    blinded, how = blind
    sim = Watched(plan.estate(), worked=worked)
    fate.befall(sim)
    sim.breaks(0, LIVED, how(), at(vantage=blinded, controls="only"))
    for fault in failing:
        seen = blinded & fault.place.get("vantage", blinded)
        Fate([fault._replace(place={**fault.place, "vantage": seen})]).befall(sim)
    sim.run(LIVED)
    assert all(declared.impact not in TOLD_OF_SERVICES for declared in sim.declared)
