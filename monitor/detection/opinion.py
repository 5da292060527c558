"""Stage A: a second opinion on a suspicion, before everybody is asked.

The suspicious cell and the one that shares least with it are asked at once:

    both PASS                   it was a blip
    all that answered FAIL      it is worth asking everybody
    one FAIL, one PASS          the same cell is asked again, with another far one; now any FAIL is
                                worth asking everybody, so that noise is not, and one cell that
                                really fails is

Silence counts for FAIL; answers that do not vote count for nothing.
"""

from __future__ import annotations

from enum import StrEnum

from monitor.model import CellKey


class Opinion(StrEnum):
    """What stage A says so far."""

    OPEN = "open"
    BLIP = "blip"
    MIXED = "mixed"
    TROUBLE = "trouble"


class SecondOpinion:
    """One stage A. `cell` is the suspicious one, `asked_at` and `until` are monotonic seconds."""

    __slots__ = ("_failed", "_passed", "asked", "asked_at", "awaiting", "before", "cell", "until")

    def __init__(
        self,
        cell: CellKey,
        asked: tuple[CellKey, ...],
        now: float,
        until: float,
        *,
        before: tuple[CellKey, ...],
    ) -> None:
        """`before` are those that were asked before and disagreed."""
        self.cell = cell
        self.asked = asked
        self.awaiting = set(asked)
        self.asked_at = now
        self.until = until
        self.before = before
        self._failed = self._passed = 0

    def waits_for(self, cell: CellKey, sent: float) -> bool:
        """Whether a probe sent then is one of those asked, and still open."""
        return cell in self.awaiting and sent >= self.asked_at

    def answer(self, cell: CellKey, vote: bool | None) -> Opinion:
        """One of them answered, or fell silent: False."""
        self.awaiting.discard(cell)
        self._passed += vote is True
        self._failed += vote is False
        if self.before and self._failed:
            return Opinion.TROUBLE
        if self.awaiting:
            return Opinion.OPEN
        if not self._failed:
            return Opinion.BLIP
        return Opinion.MIXED if self._passed else Opinion.TROUBLE
