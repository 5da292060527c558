"""Cells that cry wolf: their FAIL no longer votes, their PASS does.

A cell is judged by what it did while all else was well: its PASSes at rest, and its isolated
FAILs, those that stage A refuted or that came while nothing else failed. Two figures tell, as
Icinga's flap detection does: how often it changed over the last 20 such outcomes, newer changes
weighing more, and the posterior of its failure rate. Over `demote_flapping` or
`demote_failing` it is demoted, and restored once both are clearly lower.

Three things keep demotion from hiding an outage: at most `demoted_share` of a unit's cells are
demoted; nothing is learned while trouble is suspected; and a cell that fails without a break
stops being a flapping one: after `_DOWN_AFTER` FAILs in a row it votes again.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.detection.population import Memory, Population
from monitor.model import CellKey

_KEPT = 21
_DOWN_AFTER = 5
_FORGETTING = 0.98
_PRIOR_FAILS, _PRIOR_SEEN = 1.0, 20.0
_RESTORED_AT = 0.8
"""Both figures must fall to this share of their limits."""


@dataclass(slots=True)
class _Habit:
    """What one cell did at rest. `bits`: the last outcomes, the newest lowest, 1 for FAIL."""

    bits: int = 0
    known: int = 0
    failed: float = 0.0
    seen: float = 0.0

    def learn(self, *, failed: bool) -> None:
        self.bits = (self.bits << 1 | failed) & ((1 << _KEPT) - 1)
        self.known = min(self.known + 1, _KEPT)
        self.failed = _FORGETTING * self.failed + failed
        self.seen = _FORGETTING * self.seen + 1.0

    def flapping(self) -> float:
        """The weighted share of changes, from 0.8 for the oldest to 1.2 for the newest."""
        changes = self.bits ^ (self.bits >> 1)
        most = _KEPT - 1
        weights = (1.2 - 0.4 * age / (most - 1) for age in range(self.known - 1))
        return sum(w for age, w in enumerate(weights) if changes >> age & 1) / most

    def failing(self) -> float:
        """The posterior mean of its failure rate."""
        return (self.failed + _PRIOR_FAILS) / (self.seen + _PRIOR_SEEN)


class Demotion:
    """The habits of one unit's cells, and which of them are demoted."""

    __slots__ = ("_habits", "_most", "_rules", "demoted")

    def __init__(self, population: Population) -> None:
        self.demoted: set[CellKey] = set()
        self._rules = population.rules
        self._most = int(population.rules.demoted_share * len(population.cells))
        self._habits: dict[CellKey, _Habit] = {}

    def silences(self, memory: Memory) -> bool:
        """Whether a cell's FAIL does not vote now."""
        return memory.key in self.demoted and memory.failures < _DOWN_AFTER

    def passed(self, cell: CellKey) -> None:
        """A PASS while the unit is at rest."""
        if self._habits and (habit := self._habits.get(cell)) is not None:
            habit.learn(failed=False)
            self._judge(cell, habit)

    def refuted(self, cell: CellKey) -> None:
        """An isolated FAIL that meant nothing."""
        habit = self._habits.setdefault(cell, _Habit())
        habit.learn(failed=True)
        self._judge(cell, habit)

    def _judge(self, cell: CellKey, habit: _Habit) -> None:
        flaps, fails = habit.flapping(), habit.failing()
        rules = self._rules
        if cell in self.demoted:
            calm = flaps < _RESTORED_AT * rules.demote_flapping
            if calm and fails < _RESTORED_AT * rules.demote_failing:
                self.demoted.discard(cell)
        elif flaps > rules.demote_flapping or fails > rules.demote_failing:
            if len(self.demoted) < self._most:
                self.demoted.add(cell)
        elif not habit.bits and fails < _PRIOR_FAILS / _PRIOR_SEEN:
            del self._habits[cell]
