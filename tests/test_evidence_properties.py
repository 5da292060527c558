"""No sequence of events declares that everyone is affected without the evidence for it.

Virtual time; worlds drawn by Hypothesis. The evidence is counted a second time, from the raw
results alone (`recount.py`).
"""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Impact
from tests.simulation import sometimes
from tests.watched import Watched
from tests.worlds import (
    ACTIVE,
    ALL_BUT_ONE,
    AT,
    DEGRADING,
    FAILING,
    FATES,
    GREY,
    LASTS,
    MUTATING,
    PASSIVE,
    PLANS,
    UNKNOWN,
    Fate,
    Fault,
    examples,
    parts,
)

LIVED = 1800.0
LONG = st.sampled_from([45.0, 90.0, 300.0, 600.0])
TOTAL = st.builds(Fault, AT, LONG, FAILING, parts())
NEARLY = st.builds(Fault, AT, LONG, GREY, parts(controls=("never", "only")))
MOST = st.builds(
    Fault,
    AT,
    st.just(300.0),
    st.builds(partial, st.just(sometimes), st.sampled_from([0.6, 0.8, 0.85, 0.9, 0.95])),
    st.just({}),
)
SPARING = st.builds(Fault, AT, st.just(300.0), FAILING, ALL_BUT_ONE)
UNSURE = st.builds(Fault, AT, LASTS, UNKNOWN, parts())
BLINDED = st.builds(Fault, AT, LONG, FAILING, parts(controls=("only",)))


def watching(*checks):
    """Plans that watch these checks, of a shared target or of tenants enough for everyone."""
    return st.builds(
        lambda plan, number: plan._replace(checks=checks, tenants=number),
        PLANS,
        st.sampled_from([0, 1, 5, 5, 6]),
    )


def trouble(*kinds):
    """Faults of each of these kinds at once."""
    drawn = [st.lists(kind, min_size=1, max_size=3) for kind in kinds]
    return st.tuples(*drawn).map(lambda lists: [fault for few in lists for fault in few])


def lived(plan, fate, others=(), *, worked=True):
    """A world with these faults and then this fate, lived through to its end."""
    sim = Watched(plan.estate(), worked=worked)
    Fate(others).befall(sim)
    return fate.befall(sim).run(LIVED)


@examples(20)
@given(PLANS, FATES, trouble(TOTAL), st.booleans())
def test_everyone_is_declared_on_evidence_only(plan, fate, faults, worked):
    assert lived(plan, fate, faults, worked=worked).unfounded == []


@examples(20)
@given(watching(ACTIVE), trouble(TOTAL, NEARLY), st.booleans())
def test_of_what_is_asked_two_rounds_of_failures(plan, faults, worked):
    assert lived(plan, Fate(), faults, worked=worked).unfounded == []


@examples(20)
@given(watching(ACTIVE), MOST | SPARING)
def test_and_of_next_to_nothing_but_failures(plan, fault):
    assert lived(plan, Fate([fault])).unfounded == []


@examples(20)
@given(watching(ACTIVE), trouble(TOTAL, BLINDED, UNSURE), FATES)
def test_and_from_places_that_can_be_believed(plan, faults, fate):
    assert lived(plan, fate._replace(faults=()), faults).unfounded == []


@examples(20)
@given(watching(*PASSIVE), trouble(TOTAL, UNSURE), FATES)
def test_of_what_is_told_two_bad_periods(plan, faults, fate):
    assert lived(plan, fate, faults).unfounded == []


@examples(20)
@given(watching(MUTATING), trouble(TOTAL, NEARLY), FATES)
def test_of_what_is_tried_rounds_of_trials(plan, faults, fate):
    assert lived(plan, fate, faults).unfounded == []


@examples(20)
@given(watching(MUTATING), MOST | SPARING)
def test_and_no_trial_that_passed(plan, fault):
    assert lived(plan, Fate([fault])).unfounded == []


@examples(10)
@given(watching(DEGRADING), trouble(TOTAL))
def test_of_what_only_degrades_never(plan, faults):
    sim = lived(plan, Fate(), faults)
    assert sim.unfounded == []
    assert all(declared.impact is not Impact.ALL for declared in sim.declared)
