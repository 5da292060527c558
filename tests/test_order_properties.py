"""What is told does not depend on events that come twice, or on the order of what comes together.

Virtual time; worlds drawn by Hypothesis, each of them lived through twice.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from monitor.detection import Sent
from monitor.model import Result
from tests.simulation import Simulation
from tests.watched import RULES
from tests.worlds import FAILING, FATES, PLANS, Fate, Fault, examples, parts

LIVED = 1500.0
CLOSED = 2400.0
"""By then what is over at 600 s has recovered, trials as well, and is watched no more."""

LATEST = RULES.round_gap + 22.0
BUCKET = 0.5
"""Results due within so many seconds of each other come together."""


class Twice(Simulation):
    """Some events come again: at once, or up to `LATEST` seconds later, out of order."""

    def __init__(self, estate, seed):
        super().__init__(estate)
        self.dice = random.Random(seed)

    def _step(self, event):
        super()._step(event)
        if isinstance(event, Sent | Result) and self.dice.random() < 0.5:
            again = super()._step
            late = self.dice.choice([0.0, 0.3, 1.0, RULES.round_gap, LATEST])
            self._at(self.now + self.dice.random() * late, lambda: again(event))


class Together(Simulation):
    """Results come in handfuls, those of half a second each, in the order that `order` makes."""

    def __init__(self, estate, order):
        super().__init__(estate)
        self.order = order
        self.handful = []

    def _step(self, event):
        if not isinstance(event, Result):
            super()._step(event)
            return
        if not self.handful:
            self._at((self.now // BUCKET + 1) * BUCKET, self._come)
        self.handful.append(event)

    def _come(self):
        came, self.handful = self.handful, []
        self.order(came)
        for result in came:
            super()._step(result)


def told(sim):
    """What was declared, but for its wording and its times."""
    return [
        (d.unit, d.impact, d.reason, d.extent.dimension, d.extent.members, d.stage)
        for d in sim.declared
    ]


@examples(15)
@given(PLANS, FATES, st.integers(0, 99))
def test_events_that_come_twice_change_nothing_however_late(plan, fate, seed):
    once = fate.befall(Simulation(plan.estate())).run(LIVED)
    twice = fate.befall(Twice(plan.estate(), seed)).run(LIVED)
    assert once.declared == twice.declared


ONE = st.builds(Fault, st.floats(100, 300), st.just(300.0), FAILING, parts())


@examples(10)
@given(PLANS, ONE, st.integers(0, 99))
def test_results_that_come_together_may_come_in_any_order(plan, fault, seed):
    as_sent = Together(plan.estate(), len)
    mixed = Together(plan.estate(), random.Random(seed).shuffle)
    for sim in (as_sent, mixed):
        Fate([fault]).befall(sim).run(CLOSED)
    assert sorted(told(as_sent)) == sorted(told(mixed))
    apart = RULES.round_gap + plan.timeout + plan.interval
    for one, other in zip(as_sent.declared, mixed.declared, strict=True):
        assert abs(one.at - other.at) <= apart
