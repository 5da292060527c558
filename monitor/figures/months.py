"""Calendar months, between the local midnights of a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from monitor.figures.spans import Span

_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_WRITTEN = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar; `str` of it is as 2026-11."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"

    def next(self) -> Month:
        """The month after it."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def bounds(self, zone: str) -> Span:
        """From its first local midnight until the next month's, in UTC.

        Where the clocks skip a midnight, it is the moment of the change; of two, the first.
        """
        return _begins(self, zone), _begins(self.next(), zone)


def month_named(text: str) -> Month:
    """The month written as 2026-11; a ValueError that says how to write it."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no month: write the year and the month, as 2026-11")
    month = Month(int(found[1]), int(found[2]))
    if not _FIRST_YEAR <= month.year <= _LAST_YEAR:
        raise ValueError(f"{text} is out of reach: ask for a year {_FIRST_YEAR} to {_LAST_YEAR}")
    return month


def _begins(month: Month, zone: str) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
