"""Maintenance windows: which cells they cover, from when until when, and what that changes.

Probing goes on in a window. What fails in it has no vote, so nothing is opened; what still fails
when it closes is told at once, with its true start. For that a harness around the judge (engine,
replay, simulation) does three things, all by the wall clock:

1. A probe sent while a window covers its cell is not announced to detection: silence says nothing.
2. If it fails, its result is `excused`, also when it was answered after the window's end.
3. As time passes, `WindowWatch.closed` names the cells that have come out of their last window;
   detection is told of them.

A window is open from its beginning on, and closed from its end on. Of a weekly one the local clock
decides: a time that comes twice when clocks change is its first occurrence where a window begins,
and its second where one ends; a time that is skipped is the moment of the change. So a window that
lies wholly in skipped time does not open that week. Instants are aware UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import (
    CONTROL,
    Cell,
    CellKey,
    Estate,
    Once,
    Outcome,
    Result,
    Weekly,
    Window,
)

Span = tuple[datetime, datetime]

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_SECOND = timedelta(seconds=1)


def covers(window: Window, cell: Cell) -> bool:
    """Whether a cell is in a window's scope, whenever that is open. Controls never are."""
    key = cell.key
    return (
        key.service != CONTROL
        and key.service in window.services
        and (window.checks is None or key.check in window.checks)
        and (window.tenants is None or cell.target.tenant in window.tenants)
    )


def occurrence(window: Window, at: datetime) -> Span | None:
    """When a window is open around `at`, else when next after it; None when never again."""
    when = window.when
    if isinstance(when, Weekly):
        return _weekly(when, at)
    return _once(when, at)


def open_until(window: Window, at: datetime) -> datetime | None:
    """When a window that is open at an instant closes; None when it is not open."""
    span = occurrence(window, at)
    return span[1] if span is not None and span[0] <= at else None


def covering(windows: Iterable[Window], cell: Cell, at: datetime) -> Window | None:
    """The open window that covers a cell, of several the one that closes last; None without."""
    return last_to_close((window for window in windows if covers(window, cell)), at)


def last_to_close(windows: Iterable[Window], at: datetime) -> Window | None:
    """Of these windows the open one that closes last; None when none is open."""
    found = [(until, window) for window in windows if (until := open_until(window, at))]
    return max(found, key=lambda each: each[0], default=(at, None))[1]


def next_change(windows: Iterable[Window], at: datetime) -> datetime | None:
    """The first instant after `at` at which a window opens or closes; None when none ever does."""
    spans = filter(None, (occurrence(window, at) for window in windows))
    return min((ends if begins <= at else begins for begins, ends in spans), default=None)


def excused(result: Result, window: Window | None) -> Result:
    """A FAIL of a probe sent in a window as MAINTENANCE, with all that it saw.

    So is being turned away: both are what maintenance looks like. Any other result, and any without
    a window, is returned as it is.
    """
    if window is None or result.outcome not in (Outcome.FAIL, Outcome.BLOCKED):
        return result
    reason = f": {window.reason}" if window.reason else ""
    said = (*result.evidence.warnings, f"sent in the maintenance window {window.name}{reason}")
    evidence = replace(result.evidence, warnings=said)
    return replace(result, outcome=Outcome.MAINTENANCE, evidence=evidence)


class WindowWatch:
    """The windows of an estate as time passes. The wall clock may step either way.

    `next_change` is when a window opens or closes next after `closed` was last asked; None: never.
    """

    __slots__ = ("_asked", "_cells", "_of", "_open", "next_change")

    def __init__(self, estate: Estate, at: datetime) -> None:
        """Begin at `at`: what closed before is not told."""
        cells = estate.cells() if estate.windows else ()
        self._cells = {
            window: frozenset(cell.key for cell in cells if covers(window, cell))
            for window in estate.windows
        }
        self._of: defaultdict[CellKey, list[Window]] = defaultdict(list)
        for window, keys in self._cells.items():
            for key in keys:
                self._of[key].append(window)
        self._open: frozenset[Window] = frozenset()
        self._asked = at
        self.next_change: datetime | None = None
        self._look(at)

    def covering(self, key: CellKey, at: datetime) -> Window | None:
        """The open window that covers a cell, of several the one that closes last."""
        return last_to_close(self._of[key], at) if key in self._of else None

    def closed(self, at: datetime) -> frozenset[CellKey]:
        """The cells that were in a window when last asked and are in none now."""
        if self._asked <= at and (self.next_change is None or at < self.next_change):
            self._asked = at
            return frozenset()
        was = self._open
        self._look(at)
        return self._covered(was - self._open) - self._covered(self._open)

    def _look(self, at: datetime) -> None:
        self._asked = at
        self._open = frozenset(window for window in self._cells if open_until(window, at))
        self.next_change = next_change(self._cells, at)

    def _covered(self, windows: Iterable[Window]) -> frozenset[CellKey]:
        return frozenset().union(*(self._cells[window] for window in windows))


def _once(when: Once, at: datetime) -> Span | None:
    return (when.begins, when.ends) if at < when.ends else None


def _weekly(when: Weekly, at: datetime) -> Span:
    zone = ZoneInfo(when.zone)
    overnight = _DAY if when.ends <= when.begins else timedelta()
    day = at.astimezone(zone).date() - _DAY
    day += _DAY * ((when.weekday - day.weekday()) % 7)
    while True:
        begins = _instant(zone, day, when.begins, fold=0)
        ends = _instant(zone, day + overnight, when.ends, fold=1)
        if begins < ends and at < ends:
            return begins, ends
        day += _WEEK


def _instant(zone: ZoneInfo, day: date, clock: time, *, fold: int) -> datetime:
    """When a local clock reads so; `fold` says at which of two; if never, when it is set."""
    local = datetime.combine(day, clock, zone).replace(fold=fold)
    at = local.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return at
    return _change(zone, *(local.replace(fold=each).astimezone(UTC) for each in (1, 0)))


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The whole second after `low`, at `high` at the latest, at which a zone's offset changes."""
    before = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
