"""Whether we are turned away: refused entry, which says nothing of whether customers are let in.

BLOCKED has no vote. When a unit has been turned away and nothing of it has passed for
`locked_out_after`, and most of its cells were turned away last, that is declared: we cannot tell.
The first PASS ends it. What fails instead is an outage, not a closed door.
"""

from __future__ import annotations

from monitor.detection.population import Population
from monitor.detection.signals import Span
from monitor.model import CellKey, Dimension, Extent, Outcome, Result

_NEVER = float("inf")
_CELLS_KEPT = 100


class Lockout:
    """Since when one unit is turned away without a PASS, and when to speak of it next."""

    __slots__ = ("_after", "_away", "_last_pass", "_population", "_since", "due", "results")

    def __init__(self, population: Population) -> None:
        self.due = _NEVER
        self.results: dict[CellKey, Result] = {}
        self._population = population
        self._after = population.rules.locked_out_after
        self._since: float | None = None
        self._away: set[CellKey] = set()
        self._last_pass: float | None = None

    def note(self, result: Result) -> None:
        """Take in a result."""
        if result.outcome is Outcome.PASS:
            self._last_pass = result.sent_mono
            if self._since is not None:
                self._since, self.due = None, result.observed_mono
                self.results.clear()
                self._away.clear()
        elif result.outcome is Outcome.FAIL:
            self._away.discard(result.cell)
            self.results.pop(result.cell, None)
        elif result.outcome is Outcome.BLOCKED:
            if self._since is None:
                self._since = result.observed_mono
            self._away.add(result.cell)
            if self.stands():
                self.due = max(result.observed_mono, self._since + self._after)
            if len(self.results) < _CELLS_KEPT or result.cell in self.results:
                self.results[result.cell] = result

    def stands(self) -> bool:
        """Whether most cells were turned away when they were last heard of."""
        return 2 * len(self._away) >= len(self._population.cells)

    def restore(self, now: float) -> None:
        """An earlier process had declared it: the first PASS ends it."""
        self._since = now

    def began(self) -> Span | None:
        """When we began to be turned away; None when we are not."""
        return None if self._since is None else Span(self._last_pass, self._since)

    def extent(self, vantages: tuple[str, ...]) -> Extent:
        """Everything of the unit, as far as we can say."""
        total = len(self._population.targets)
        return Extent(Dimension.EVERYONE, (), 0, total, total, vantages)
