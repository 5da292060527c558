"""The way back from ALL: how many good sweeps, over how long, seen from how many places."""

from __future__ import annotations

from monitor.detection.rounds import Counted, Finding
from monitor.detection.sight import Sight
from monitor.detection.signals import Declared
from monitor.model import Rules


class Recovery:
    """The good sweeps so far. `broken`: the last sweep ended a row of them by failing."""

    __slots__ = ("_rules", "_sight", "_sweeps", "broken")

    def __init__(self, rules: Rules, sight: Sight) -> None:
        self.broken = False
        self._rules = rules
        self._sight = sight
        self._sweeps: list[float] = []

    def under_way(self) -> bool:
        """Whether the last sweep was good."""
        return bool(self._sweeps)

    def forget(self) -> None:
        """Begin anew."""
        self._sweeps.clear()

    def take(self, counted: Counted, declared: Declared | None, now: float) -> bool:
        """Take in a sweep of what stands as `declared`; whether there have been enough good ones.

        A sweep in which nothing was heard says nothing.
        """
        self.broken = False
        if counted.finding is Finding.NOTHING:
            return False
        if self._is_good(counted) and self._from_enough_places(counted, declared):
            self._sweeps.append(counted.started)
        else:
            self.broken = self.under_way() and not self._is_good(counted)
            self.forget()
        enough = len(self._sweeps) >= self._rules.recovery_rounds
        return enough and now - self._sweeps[0] >= self._rules.recovery_span

    def _is_good(self, counted: Counted) -> bool:
        total = counted.total
        quiet = counted.finding is Finding.QUIET
        return quiet or total.passed >= self._rules.recovery_share * total.votes

    def _from_enough_places(self, counted: Counted, declared: Declared | None) -> bool:
        """As many networks as declaring needed."""
        if self._sight.networks(counted.vantages) >= 2 or declared is None:
            return True
        return self._sight.networks(declared.extent.from_vantages) < 2
