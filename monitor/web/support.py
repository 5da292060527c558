"""Whether support is there, in a sentence for a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor import hours
from monitor.hours import Calendar
from monitor.web.drawing.lasting import lasting


@dataclass(frozen=True, slots=True)
class Support:
    """`is_open` is None where the calendar does not know."""

    is_open: bool | None
    words: str


def support_at(calendar: Calendar, now: datetime, told: Callable[[datetime], str]) -> Support:
    """Whether support is open, and until when it stays so; `told` writes an instant."""
    try:
        opened = hours.is_open(calendar, now)
        words = _open(calendar, now, told) if opened else _closed(calendar, now, told)
        return Support(opened, words)
    except hours.OutsideCoverage as error:
        return Support(None, f"Support hours are not known: {error}.")


def _open(calendar: Calendar, now: datetime, told: Callable[[datetime], str]) -> str:
    closes = hours.next_closing(calendar, now)
    return f"Support is open for {lasting(closes - now)}, until {told(closes)}."


def _closed(calendar: Calendar, now: datetime, told: Callable[[datetime], str]) -> str:
    opens, why = hours.next_opening(calendar, now), hours.occasion(calendar, now)
    because = f" ({why})" if why else ""
    return f"Support is closed{because}; it opens in {lasting(opens - now)}, {told(opens)}."
