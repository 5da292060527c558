"""Targets that have failed from the first: never seen to pass under their present fingerprint.

They do not vote, so they never make an outage; more likely an address or an assertion is wrong.
After a few failures each they are declared together, once an interval at most, and recover when
the last of them has passed.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitor.detection.population import Memory, Population
from monitor.model import Dimension, Extent, Outcome, Result

_FAILURES_NEEDED = 3
_NEVER = float("inf")


class Unproven:
    """The never-worked targets of one population, and when to speak of them next."""

    __slots__ = ("_population", "due", "targets")

    def __init__(self, population: Population) -> None:
        self.targets: dict[str, None] = {}
        self.due = _NEVER
        self._population = population

    def restore(self, targets: Iterable[str], now: float) -> None:
        """Take up what an earlier process knew; targets no longer configured are forgotten."""
        known = self._population.cells_of
        self.targets |= {target: None for target in targets if target in known}
        self._soon(now, wait=True)

    def note(self, memory: Memory, result: Result, *, seen: bool) -> None:
        """Take in a result, after `memory` has. `seen`: from a vantage that can be believed."""
        target = memory.key.target
        if result.outcome is Outcome.PASS and target in self.targets:
            del self.targets[target]
            self._soon(result.observed_mono, wait=bool(self.targets))
        failing = seen and result.outcome is Outcome.FAIL and not memory.worked
        if failing and memory.failures >= _FAILURES_NEEDED and target not in self.targets:
            self.targets[target] = None
            self._soon(result.observed_mono, wait=True)

    def extent(self, vantages: tuple[str, ...]) -> Extent:
        """Which targets, as seen from `vantages`."""
        members, total = tuple(sorted(self.targets)), len(self._population.targets)
        return Extent(Dimension.TARGET, members, len(members), total, total, vantages)

    def _soon(self, now: float, *, wait: bool) -> None:
        self.due = min(self.due, now + (self._population.interval if wait else 0.0))
