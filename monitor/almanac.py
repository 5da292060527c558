"""The support calendar of a whole year, and how it compares with an official list of holidays.

`hours` answers for an instant; this module lays a year out for people to look over: every date
that is not as its weekday is, what that does to the hours, when the clocks change, and how long
support is open in all.

The second half compares. Bank holidays reach a calendar with a release of what computes them, and
some are proclaimed nine days ahead; an official list tells at once. Compared is what a date does
to support, not what it is called:

- A date counts in the years that both sides know, and only where it would change the hours: a
  holiday on a weekday without hours closes nothing, and official lists name the substitute day.
- A date of `extra_closed` or `extra_open` is the operator's own word, and never a difference: the
  one closes it as well as a bank holiday does, the other says that support is there all the same.

The text of a list comes from elsewhere: it is bounded, and every name is made one printable line.
Nothing here reads a file or asks a server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from monitor import hours
from monitor.hours import Calendar, Day, OutsideCoverage

ENGLAND_AND_WALES = "england-and-wales"
MOST_EVENTS = 5000
NAME_CHARS = 100

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIVISIONS_NAMED = 5


# --------------------------------------------------------------------------- a year


@dataclass(frozen=True, slots=True)
class Special:
    """A date that the calendar names: what the day is, and the hours its weekday has."""

    day: Day
    bank_holiday: str
    usual: tuple[time, time] | None


@dataclass(frozen=True, slots=True)
class ClockChange:
    """When clocks change, in UTC; what they show then, without and with the change."""

    at: datetime
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Year:
    """A year of support: its special dates and clock changes in order, and seconds open in all."""

    number: int
    calendar: Calendar
    specials: tuple[Special, ...]
    changes: tuple[ClockChange, ...]
    open_seconds: float


def year(calendar: Calendar, number: int) -> Year:
    """A year as the calendar has it. Raises `OutsideCoverage`."""
    if not calendar.first_year <= number <= calendar.last_year:
        known = f"{calendar.first_year} to {calendar.last_year}"
        raise OutsideCoverage(f"holidays are known for {known}, not for {number}")
    days = [hours.day(calendar, on) for on in _dates(number)]
    named = calendar.holidays.keys() | calendar.extra_closed.keys() | calendar.extra_open.keys()
    spans = [each.span for each in days if each.span is not None]
    return Year(
        number=number,
        calendar=calendar,
        specials=tuple(_special(calendar, each) for each in days if each.date in named),
        changes=tuple(clock_changes(calendar.zone, number)),
        open_seconds=sum((closes - opens).total_seconds() for opens, closes in spans),
    )


def clock_changes(zone: str, number: int) -> Iterator[ClockChange]:
    """Every change of a zone's clocks in a local year."""
    here = ZoneInfo(zone)
    for on in _dates(number):
        begins, ends = (datetime.combine(each, time(), here) for each in (on, on + _DAY))
        if begins.utcoffset() != ends.utcoffset():
            yield _change(here, begins.astimezone(UTC))


def _change(zone: ZoneInfo, at: datetime) -> ClockChange:
    """The next change of a zone's offset, to the minute."""
    before = at.astimezone(zone)
    while at.astimezone(zone).utcoffset() == before.utcoffset():
        at += _MINUTE
    offset, name = before.utcoffset() or timedelta(), before.tzname() or ""
    return ClockChange(at, at.astimezone(timezone(offset, name)), at.astimezone(zone))


def _special(calendar: Calendar, day: Day) -> Special:
    on = day.date
    return Special(day, calendar.holidays.get(on, ""), calendar.weekly[on.weekday()])


def _dates(number: int) -> Iterator[date]:
    on = date(number, 1, 1)
    while on.year == number:
        yield on
        on += _DAY


# --------------------------------------------------------------------------- an official list


@dataclass(frozen=True, slots=True)
class OfficialList:
    """Where an official list of bank holidays is, and which part of it is meant.

    Exactly one of `file` and `url` is given. Its shape is that of the United Kingdom's public list:
    `{division: {"events": [{"date": "2027-12-27", "title": "Christmas Day"}, ...]}, ...}`.
    """

    file: str | None = None
    url: str | None = None
    division: str = ENGLAND_AND_WALES


@dataclass(frozen=True, slots=True)
class Difference:
    """A date on which both sides differ: the name each has for the holiday, "" for none."""

    date: date
    ours: str
    official: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing came to, over the years that both sides know (both included)."""

    first_year: int
    last_year: int
    differences: tuple[Difference, ...]


def parsed(content: bytes, division: str) -> dict[date, str]:
    """The dates of a division in an official list, with their names.

    Raises ValueError that says what is wrong with the list.
    """
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(whole, dict):
        raise ValueError("it is no JSON object of divisions")  # noqa: TRY004 - one error for all
    if division not in whole:
        known = ", ".join(_shown(each) for each in list(whole)[:_DIVISIONS_NAMED]) or "none"
        raise ValueError(f"it has no division {division}; there are: {known}")
    part = whole[division]
    events = part.get("events") if isinstance(part, dict) else None
    if not isinstance(events, list) or not 0 < len(events) <= MOST_EVENTS:
        raise ValueError(f"{division} has no `events` of 1 to {MOST_EVENTS} dates")
    return dict(_event(number, each) for number, each in enumerate(events, 1))


def compared(calendar: Calendar, official: Mapping[date, str]) -> Comparison:
    """How a calendar differs from the dates of an official list.

    Raises ValueError when there is no year that both know.
    """
    first = max(calendar.first_year, min(official).year)
    last = min(calendar.last_year, max(official).year)
    if first > last:
        raise ValueError(
            f"it knows {min(official).year} to {max(official).year}, "
            f"the calendar {calendar.first_year} to {calendar.last_year}"
        )
    dates = sorted(calendar.holidays.keys() | official.keys())
    found = [_difference(calendar, official, on) for on in dates if first <= on.year <= last]
    return Comparison(first, last, tuple(each for each in found if each is not None))


def told(difference: Difference) -> str:
    """A difference in a sentence: the date, and what each side says."""
    on = difference.date
    when = f"{on:%a} {on.day} {on:%b %Y}"
    if difference.official:
        return f"{when}: official is {difference.official}, the calendar has no holiday"
    return f"{when}: the calendar has {difference.ours}, officially it is no holiday"


def _difference(calendar: Calendar, official: Mapping[date, str], on: date) -> Difference | None:
    own = on in calendar.extra_open or on in calendar.extra_closed
    if own or calendar.weekly[on.weekday()] is None:
        return None
    if (on in official) == (on in calendar.holidays):
        return None
    return Difference(on, calendar.holidays.get(on, ""), official.get(on, ""))


def _event(number: int, event: Any) -> tuple[date, str]:
    if not isinstance(event, dict):
        raise ValueError(f"event {number} is no JSON object")  # noqa: TRY004 - one error for all
    on, title = event.get("date"), event.get("title")
    if not isinstance(title, str) or not _shown(title):
        raise ValueError(f"event {number} has no title")
    with suppress(ValueError):
        if isinstance(on, str) and _DATE.fullmatch(on):
            return date.fromisoformat(on), _shown(title)
    raise ValueError(f"event {number} ({_shown(title)}) has no date such as 2027-12-27")


def _shown(text: str) -> str:
    """Remote text as one printable line of bounded length."""
    return "".join(c if c.isprintable() else " " for c in text[:NAME_CHARS]).strip()
