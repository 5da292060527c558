"""What the memories of cells say together: since when they fail, since when they pass, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.detection.population import Memory
from monitor.detection.signals import Span
from monitor.model import CellKey, Result

FAILURES_KEPT = 100

Memories = Mapping[CellKey, Memory]


def earliest_failure(memories: Memories, cells: Iterable[CellKey]) -> Span | None:
    """When the first of these cells began to fail; None when none does."""
    failing = [m for m in map(memories.__getitem__, cells) if m.first_failed is not None]
    if not failing:
        return None
    first = min(failing, key=lambda m: m.first_failed or 0.0)
    return Span(first.passed_sent, first.first_failed or 0.0)


def earliest_return(memories: Memories, cells: Iterable[CellKey], after: float) -> Span | None:
    """When the first of these cells passed again, later than `after`; None when none did.

    A cell that has passed since before `after` says nothing of what began then.
    """
    known = [(m.first_passed, m) for m in map(memories.__getitem__, cells)]
    back = [(passed, m) for passed, m in known if passed is not None and passed > after]
    if not back:
        return None
    passed, first = min(back, key=lambda pair: pair[0])
    return Span(first.failed_sent, passed)


def latest_failures(
    memories: Memories, cells: Iterable[CellKey], since: float = float("-inf")
) -> tuple[Result, ...]:
    """The last failure of each of these cells seen since then, at most `FAILURES_KEPT`."""
    found = (memories[cell].last_failure for cell in cells)
    return tuple([r for r in found if r is not None and r.observed_mono >= since][:FAILURES_KEPT])
