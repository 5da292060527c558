"""Support hours: when people are there to be told.

The calendar is local, arithmetic is in UTC. A local day is open for at most one span, from its
opening to its closing time; each end is turned into an instant on its own, so on the days the
clocks change a span has its true length. Spans are half-open: at the closing instant support is
closed.

What a local day is, first match:

    extra_open    open for the hours given there
    extra_closed  closed
    weekly        closed when the weekday has no hours
    holidays      closed
    otherwise     open for the weekday's hours

The dates are handed in, together with the years they are known for. A day of any other year is
an error, because a holiday nobody listed would read as an ordinary working day.

Instants go in aware and come out in UTC; a naive one is a `ValueError`. A local time that occurs
twice is its first occurrence; one that the clocks skip is read by the clock before the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.model import ClosedReason

_DAY = timedelta(days=1)


class OutsideCoverage(ValueError):  # noqa: N818 - it names where the question lies
    """A question reaches a local day of a year whose holidays are not known."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When support is open, in the local time of `zone`.

    `weekly` has seven entries, Monday first: opening and closing time, None for a closed day.
    `holidays` and `extra_closed` name the dates they close. The dates are known for the years
    `first_year` to `last_year`, both included. Raises `ValueError` when it contradicts itself.
    """

    zone: str
    weekly: tuple[tuple[time, time] | None, ...]
    holidays: Mapping[date, str]
    extra_closed: Mapping[date, str]
    extra_open: Mapping[date, tuple[time, time]]
    first_year: int
    last_year: int

    def __post_init__(self) -> None:
        if len(self.weekly) != 7:
            raise ValueError(f"a week has 7 days, not {len(self.weekly)}")
        for opens, closes in filter(None, (*self.weekly, *self.extra_open.values())):
            if opens >= closes:
                raise ValueError(f"support opens at {opens} but closes at {closes}")
        for day in sorted(self.extra_open.keys() & self.extra_closed.keys()):
            raise ValueError(f"{day} is both extra_open and extra_closed")


class DayRule(StrEnum):
    """Which part of a calendar makes a local day what it is."""

    EXTRA_OPEN = "extra_open"
    EXTRA_CLOSED = "extra_closed"
    WEEKLY = "weekly"
    BANK_HOLIDAY = "bank_holiday"


@dataclass(frozen=True, slots=True)
class Day:
    """A local day: what makes it so, its name, and its local hours, None when it does not open.

    `span` are the UTC instants of its hours, None also where the clocks skip all of them. `name`
    is that of what closes it, "" when nothing with a name does.
    """

    date: date
    rule: DayRule
    name: str
    hours: tuple[time, time] | None
    span: tuple[datetime, datetime] | None


def day_of(calendar: Calendar, at: datetime) -> Day:
    """The local day of an instant."""
    return day(calendar, _local_day(calendar, at))


def day(calendar: Calendar, on: date) -> Day:
    """A local day. Raises `OutsideCoverage`."""
    closed = _closed_all_day(calendar, on)
    rule = DayRule.EXTRA_OPEN if on in calendar.extra_open else _DAY_RULES[closed]
    hours = calendar.extra_open.get(on) or calendar.weekly[on.weekday()]
    named = {DayRule.EXTRA_CLOSED: calendar.extra_closed, DayRule.BANK_HOLIDAY: calendar.holidays}
    name = named[rule][on] if rule in named else ""
    return Day(on, rule, name, None if closed else hours, _span(calendar, on))


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether support is open at an instant."""
    return closed_reason(calendar, at) is None


def closed_reason(calendar: Calendar, at: datetime) -> ClosedReason | None:
    """Why support is closed at an instant; None when it is open."""
    day = _local_day(calendar, at)
    span = _span(calendar, day)
    if span is not None:
        return None if span[0] <= at < span[1] else ClosedReason.OUTSIDE_HOURS
    return _closed_all_day(calendar, day) or ClosedReason.OUTSIDE_HOURS


def occasion(calendar: Calendar, at: datetime) -> str:
    """The name of what closes the local day of an instant, "" when nothing with a name does."""
    return day_of(calendar, at).name


def next_opening(calendar: Calendar, at: datetime) -> datetime:
    """The first instant after `at` at which support goes from closed to open.

    While support is open that is a later day's opening, also at the very instant it opens.
    """
    spans = _spans(calendar, _local_day(calendar, at))
    return next(opens for opens, _ in spans if opens > at)


def opened_at(calendar: Calendar, at: datetime) -> datetime | None:
    """When support opened that is open at an instant; None while it is closed."""
    span = _span(calendar, _local_day(calendar, at))
    return span[0] if span is not None and span[0] <= at < span[1] else None


def last_closing(calendar: Calendar, at: datetime) -> datetime:
    """The last instant not after `at` at which support went from open to closed."""
    day = _local_day(calendar, at)
    while True:
        span = _span(calendar, day)
        if span is not None and span[1] <= at:
            return span[1]
        day -= _DAY


def next_closing(calendar: Calendar, at: datetime) -> datetime:
    """The first instant after `at` at which support goes from open to closed."""
    spans = _spans(calendar, _local_day(calendar, at))
    return next(closes for _, closes in spans if closes > at)


def add(calendar: Calendar, at: datetime, seconds: float) -> datetime:
    """The earliest instant by which support has been open for `seconds` since `at`.

    `at` itself for 0 seconds, even while closed; a closing instant when the time is just used up
    then. Raises `ValueError` for negative seconds.
    """
    if seconds < 0:
        raise ValueError(f"cannot add {seconds} seconds of support")
    left = timedelta(seconds=seconds)
    if not left:
        return at.astimezone(UTC)
    spans = _spans(calendar, _local_day(calendar, at))
    while True:
        opens, closes = next(spans)
        begin = max(opens, at)
        if closes - begin >= left:
            return (begin + left).astimezone(UTC)
        left -= max(closes - begin, timedelta())


def between(calendar: Calendar, a: datetime, b: datetime) -> float:
    """Seconds for which support is open from `a` to `b`; negative when `b` is before `a`."""
    if b < a:
        return -between(calendar, b, a)
    total = timedelta()
    last = _local_day(calendar, b)
    day = _local_day(calendar, a)
    while day <= last:
        span = _span(calendar, day)
        if span is not None:
            total += max(min(span[1], b) - max(span[0], a), timedelta())
        day += _DAY
    return total.total_seconds()


_DAY_RULES = {
    None: DayRule.WEEKLY,
    ClosedReason.WEEKEND: DayRule.WEEKLY,
    ClosedReason.EXTRA_CLOSED: DayRule.EXTRA_CLOSED,
    ClosedReason.BANK_HOLIDAY: DayRule.BANK_HOLIDAY,
}


def _local_day(calendar: Calendar, at: datetime) -> date:
    if at.tzinfo is None:
        raise ValueError(f"{at} is naive; an instant is aware")
    return at.astimezone(ZoneInfo(calendar.zone)).date()


def _spans(calendar: Calendar, day: date) -> Iterator[tuple[datetime, datetime]]:
    """Opening and closing instants from a local day on; ends only by `OutsideCoverage`."""
    while True:
        span = _span(calendar, day)
        if span is not None:
            yield span
        day += _DAY


def _span(calendar: Calendar, day: date) -> tuple[datetime, datetime] | None:
    """The UTC instants at which a local day opens and closes; None when it does not open."""
    closed = _closed_all_day(calendar, day)
    hours = calendar.extra_open.get(day) or calendar.weekly[day.weekday()]
    if closed is not None or hours is None:
        return None
    zone = ZoneInfo(calendar.zone)
    opens, closes = (datetime.combine(day, t, zone).astimezone(UTC) for t in hours)
    return (opens, closes) if opens < closes else None


def _closed_all_day(calendar: Calendar, day: date) -> ClosedReason | None:
    """Why a local day does not open at all; None when it does."""
    if not calendar.first_year <= day.year <= calendar.last_year:
        known = f"{calendar.first_year} to {calendar.last_year}"
        raise OutsideCoverage(f"holidays are known for {known}, not for {day.year}")
    if day in calendar.extra_open:
        return None
    if day in calendar.extra_closed:
        return ClosedReason.EXTRA_CLOSED
    if calendar.weekly[day.weekday()] is None:
        return ClosedReason.WEEKEND
    return ClosedReason.BANK_HOLIDAY if day in calendar.holidays else None
