"""The way back from ALL: how many good sweeps, over how long, seen from how many places.

The ledger learns of it here: while sweeps are good a FAIL does not take the end back, and a row of
them that breaks was no end.
"""

from __future__ import annotations

from monitor.detection.ledger import Ledger
from monitor.detection.rounds import Counted, Finding
from monitor.detection.signals import Declared


class Recovery:
    """The good sweeps so far of one unit."""

    __slots__ = ("_interval", "_ledger", "_rules", "_sight", "_sweeps")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rules = ledger.population.rules
        self._interval = ledger.population.interval
        self._sight = ledger.sight
        self._sweeps: list[float] = []

    def under_way(self) -> bool:
        """Whether the last sweep was good."""
        return bool(self._sweeps)

    def forget(self) -> None:
        """Begin anew."""
        self._sweeps.clear()
        self._ledger.recovering = False

    def take(self, counted: Counted, declared: Declared | None, now: float) -> bool:
        """Take in a sweep of what stands as `declared`; whether there have been enough good ones.

        A sweep in which nothing was heard says nothing.
        """
        if counted.finding is Finding.NOTHING:
            return False
        needed = self._needed(counted, declared, now)
        if self._is_good(counted) and needed is not None:
            self._sweeps.append(counted.started)
            self._ledger.recovering = True
        else:
            if self.under_way() and not self._is_good(counted):
                self._ledger.turning.forget_end()
            self.forget()
        enough = needed is not None and len(self._sweeps) >= needed
        return enough and now - self._sweeps[0] >= self._rules.recovery_span

    def _is_good(self, counted: Counted) -> bool:
        total = counted.total
        quiet = counted.finding is Finding.QUIET
        return quiet or total.passed >= self._rules.recovery_share * total.votes

    def _needed(self, counted: Counted, declared: Declared | None, now: float) -> int | None:
        """How many good sweeps it takes; None from fewer networks than declaring needed.

        With one place left to see from for long, as many as declaring from there takes.
        """
        if self._sight.networks(counted.vantages) >= 2 or declared is None:
            return self._rules.recovery_rounds
        if self._sight.networks(declared.extent.from_vantages) < 2:
            return self._rules.recovery_rounds
        few = self._sight.few_since
        if few is None or now - few <= 2 * self._interval:
            return None
        return max(self._rules.recovery_rounds, self._rules.rounds_one_location)
