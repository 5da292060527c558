"""The state machine of a unit that is told, not asked: a passive check.

A queue's age, a heartbeat or a count of what users do is known once a period, and asking again
gives the same answer. So nothing is asked: a cell is bad once two periods in a row were, and good
at its first PASS. While anything is bad all cells are looked at together, every half interval; a
look is counted like a round (`rounds.py`), and what is older than two periods says nothing.

    UP        nothing is bad
    PARTIAL   a part is bad, twice looked at; or everyone is, and that alone is not enough for ALL
    ALL       everyone is bad: of a shared target, of enough tenants, or with another passive check
              of the service that finds the same
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from monitor.detection.declarations import EVERYONE, Declarations
from monitor.detection.ledger import Ledger
from monitor.detection.outages import Track
from monitor.detection.phase import Phase
from monitor.detection.population import Memory, Population
from monitor.detection.recovery import Recovery
from monitor.detection.rounds import Counted, FailingSet, Finding, Round, count, heard
from monitor.detection.series import Series
from monitor.detection.sight import Sight
from monitor.detection.signals import Action, Declared
from monitor.detection.words import periods_sentence
from monitor.model import CellKey, Impact, Need, Outcome, Result, Rules, VerdictReason

_NEVER = float("inf")
_BAD_PERIODS = 2


class Listener:
    """One passive unit. `others` are the passive units of the same service and tenants."""

    def __init__(
        self, population: Population, memories: Mapping[CellKey, Memory], sight: Sight
    ) -> None:
        self.population = population
        self.rules: Rules = population.rules
        self.phase = Phase.UP
        self.others: Sequence[Listener] = ()
        self._sight = sight
        self._ledger = Ledger(population, memories, sight)
        self._series = Series(population, sight, self._ledger)
        self._says = Declarations(self._ledger)
        self._recovery = Recovery(self._ledger)
        self.outages = self._says.outages
        self._look_at = _NEVER

    @property
    def part(self) -> FailingSet | None:
        """The part that is known to be bad; None where none is, or everyone."""
        return self._ledger.part

    def failures(self) -> tuple[Result, ...]:
        """The latest failures of the cells that are bad now."""
        return self._says.failures()

    def everyone_is_bad(self) -> bool:
        """Whether all of its population is known to be bad now."""
        return self.phase is Phase.ALL or self.part == EVERYONE

    # ----------------------------------------------------------------- events

    def result(self, memory: Memory, result: Result, now: float, *, counted: bool) -> list[Action]:
        """A period was heard of."""
        del counted
        seen = memory.key.vantage in self._sight.healthy(now)
        vote = self._ledger.note(memory, result, seen=seen)
        if vote is False and memory.failures >= _BAD_PERIODS and self._look_at == _NEVER:
            self._ledger.suspect(now)
            self._look_at = now
        return self.tick(now)

    def recall(self, memory: Memory, result: Result) -> None:
        """An earlier process had seen this."""
        self._ledger.note(memory, result, seen=True)

    def suspect_recalled(self, now: float) -> None:
        """What was bad when an earlier process ended is looked at."""
        if self._ledger.failing:
            self._ledger.suspect(now)
            self._look_at = now

    def window_closed(self, cells: frozenset[CellKey], now: float) -> list[Action]:
        """A maintenance window has ended: the next periods tell."""
        del cells, now
        return []

    def silent(self, cell: CellKey, sent: float, now: float) -> list[Action]:
        """A slow answer says nothing of a period."""
        del cell, sent, now
        return []

    def late(self, cell: CellKey, sent: float, now: float) -> bool:
        """Silence is never taken for FAIL."""
        del cell, sent, now
        return False

    def lost(self, cell: CellKey, sent: float) -> None:
        """What was not heard does not vote."""

    def control_answered(self, cell: CellKey) -> None:
        """Looks wait for no control."""

    def tick(self, now: float) -> list[Action]:
        """Look when it is due, and close watched outages."""
        actions: list[Action] = []
        if now >= self._look_at:
            self._look_at = now + self.population.interval / 2
            counted = self._look(now)
            self._series.take(counted, now)
            actions += self._conclude(counted, now)
        return [*actions, *self._says.due(now)]

    def idle(self) -> bool:
        """Whether only a bad period can move it."""
        return self.wake_at() == _NEVER and not self.outages.open

    def wake_at(self) -> float:
        """When `tick` next has something to do."""
        return min(self._look_at, self._says.due_at())

    def paused(self, gap: float, now: float) -> None:
        """We were not looking: what is watched is watched longer, and periods go on."""
        del now
        self.outages.shift(gap)
        self._recovery.forget()

    def resume(self, declared: Declared, now: float) -> None:
        """Take up an outage from an earlier process; the next looks confirm or end it."""
        if not self._says.take_up(declared, now):
            return
        self._look_at = now + self.population.interval
        if declared.impact is Impact.ALL:
            self.phase, self._ledger.part = Phase.ALL, None
        elif self.phase is not Phase.ALL:
            self.phase = Phase.PARTIAL
            members = frozenset(declared.extent.members)
            self._ledger.part = FailingSet(declared.extent.dimension, members)

    # ----------------------------------------------------------------- looks

    def _look(self, now: float) -> Counted:
        """Every cell's latest period, as one round."""
        cells = self.population.cells
        look = Round(now, patient=True, planned=dict.fromkeys(cells, 1), expires=now)
        for cell in cells:
            look.answer(cell, vote=self._vote(self._ledger.memories[cell], now))
        healthy = self._sight.healthy(now)
        return count(look, healthy, self.population.group_of, self.rules, self._ledger.silent())

    def _vote(self, memory: Memory, now: float) -> bool | None:
        """PASS at once, FAIL after two bad periods, nothing when it was not heard of lately."""
        if now - memory.newest_sent > 2 * self.population.interval + self.population.timeout:
            return None
        if memory.outcome is Outcome.PASS:
            return True
        bad = memory.outcome is Outcome.FAIL and memory.failures >= _BAD_PERIODS
        return False if bad and memory.worked else None

    def _conclude(self, counted: Counted, now: float) -> list[Declared]:
        if self.phase is Phase.ALL:
            return self._sweep_all(counted, now)
        if counted.finding is Finding.EVERYONE:
            return self._everyone(counted, now)
        if self._series.quiet >= self.rules.quiet_rounds:
            return self._settle(now)
        part = self._series.agreed_part(now, after_everyone=True)
        if part is None:
            return []
        told = self._says.part(part, counted, now)
        self.phase, self._ledger.part = Phase.PARTIAL, part
        return told

    def _everyone(self, counted: Counted, now: float) -> list[Declared]:
        reason = VerdictReason.EVERYONE_TWICE
        if self._sight.networks(counted.vantages) < 2:
            reason = VerdictReason.ONE_LOCATION
        track = Track.ALL
        if self.population.need is Need.DEGRADING:
            track, reason = Track.SOME, VerdictReason.DEGRADED
        elif not self.population.broad(heard(counted)) and not any(
            o.everyone_is_bad() for o in self.others
        ):
            track, reason = Track.SOME, VerdictReason.CANARY_FAILING
        known_by = partial(periods_sentence, interval=self.population.interval)
        told = self._says.everyone(track, reason, counted, known_by, now)
        if track is Track.ALL:
            self.phase, self._ledger.part = Phase.ALL, None
            self._ledger.turning.forget_end()
        else:
            self.phase, self._ledger.part = Phase.PARTIAL, EVERYONE
        self._recovery.forget()
        return told

    def _sweep_all(self, counted: Counted, now: float) -> list[Declared]:
        recovered = self._recovery.take(counted, self.outages.open.get(Track.ALL), now)
        part = self._series.agreed_part(now, after_everyone=True)
        if part is not None:
            told = self._says.rest_recovered(part, now) + self._says.part(part, counted, now)
            self.phase, self._ledger.part = Phase.PARTIAL, part
            self._recovery.forget()
            return told
        if not recovered:
            return []
        self._rest_up()
        return self._says.all_recovered(now)

    def _settle(self, now: float) -> list[Declared]:
        span = self._series.quiet_span(now)
        self._rest_up()
        return self._says.part_recovered(span, now)

    def _rest_up(self) -> None:
        self.phase, self._ledger.part = Phase.UP, None
        self._look_at = _NEVER
        self._series.begin()
        self._recovery.forget()
