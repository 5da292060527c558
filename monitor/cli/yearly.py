"""The support calendar of a year, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from monitor.almanac import ClockChange, Comparison, Special, Year, told, year
from monitor.cli.showing import iso
from monitor.config import Config
from monitor.daemon.official import Unreadable, comparison, content_of_file
from monitor.hours import DayRule, OutsideCoverage

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR = 3600.0

_FETCHED = "The running monitor compares it once a day; its overview says what differs"

Official = Comparison | Unreadable | None
"""How the calendar differs from a configured file, why that cannot be told, None without one."""


def laid_out(config: Config, number: int) -> Year:
    """A year of the calendar. Raises ValueError for one outside of what it covers."""
    try:
        return year(config.calendar, number)
    except OutsideCoverage as error:
        raise ValueError(f"--year: {error}") from None


def held_against(config: Config) -> Official:
    """The calendar against the official list, where that is a file."""
    if config.official is None or config.official.file is None:
        return None
    try:
        content = content_of_file(config.official.file)
        return comparison(config.calendar, content, config.official.division)
    except Unreadable as error:
        return error


# --------------------------------------------------------------------------- for people


def text(found: Year, official: Official, *, fetched: bool) -> str:
    """A year for people, a line each; `fetched`: the running monitor asks for an official list."""
    weekly = found.calendar.weekly
    return "\n".join(
        [
            f"Support in {found.number}, {found.calendar.zone}",
            *(f"  {name:<9}  {_hours(span)}" for name, span in zip(_DAYS, weekly, strict=True)),
            "",
            *(_special(each) for each in found.specials),
            "",
            *(_change(each) for each in found.changes),
            f"Open for {found.open_seconds / _HOUR:g} hours in all",
            *_official(official),
            *([_FETCHED] if fetched else []),
        ]
    )


def _special(special: Special) -> str:
    names = ", ".join(_names(special)) or "extra hours"
    return f"  {special.day.date:%a} {special.day.date}  {_effect(special)}: {names}"


def _effect(special: Special) -> str:
    """What the date does to the hours of its weekday."""
    hours, usual = special.day.hours, special.usual
    if hours is not None:
        otherwise = None if special.bank_holiday else usual
        return f"open {_hours(hours)} instead of {_hours(otherwise)}"
    if usual is None:
        return "closed as every " + _DAYS[special.day.date.weekday()]
    return f"closed instead of {_hours(usual)}"


def _names(special: Special) -> list[str]:
    closes = special.day.name if special.day.rule is DayRule.EXTRA_CLOSED else ""
    return list(dict.fromkeys(name for name in (closes, special.bank_holiday) if name))


def _change(change: ClockChange) -> str:
    way = "forward" if _offset(change.after) > _offset(change.before) else "back"
    return (
        f"Clocks go {way} on {change.before:%a} {change.before.date()}: "
        f"{change.before:%H:%M %Z} is {change.after:%H:%M %Z}"
    )


def _offset(at: datetime) -> timedelta:
    return at.utcoffset() or timedelta()


def _official(official: Official) -> Iterator[str]:
    if isinstance(official, Unreadable):
        yield f"warning: the official list cannot be read: {official}"
    elif official is not None:
        years = f"{official.first_year} to {official.last_year}"
        if not official.differences:
            yield f"As the official list has it from {years}"
        for each in official.differences:
            yield f"warning: {told(each)}"


def _hours(span: tuple[time, time] | None) -> str:
    return "closed" if span is None else f"{span[0]:%H:%M}-{span[1]:%H:%M}"


# --------------------------------------------------------------------------- for programs


def as_json(found: Year, official: Official) -> dict[str, Any]:
    """A year as plain values."""
    calendar = found.calendar
    return {
        "year": found.number,
        "time_zone": calendar.zone,
        "weekly": {
            name[:3].lower(): _span(span) for name, span in zip(_DAYS, calendar.weekly, strict=True)
        },
        "dates": [
            {
                "date": str(each.day.date),
                "weekday": f"{each.day.date:%a}",
                "rule": each.day.rule,
                "names": _names(each),
                "hours": _span(each.day.hours),
                "usual": _span(each.usual),
            }
            for each in found.specials
        ],
        "clock_changes": [
            {"at": iso(each.at), "before": str(each.before), "after": str(each.after)}
            for each in found.changes
        ],
        "open_hours": found.open_seconds / _HOUR,
        "official": _official_json(official),
    }


def _official_json(official: Official) -> dict[str, Any] | None:
    if official is None:
        return None
    if isinstance(official, Unreadable):
        return {"unreadable": str(official), "years": None, "differences": None}
    return {
        "unreadable": None,
        "years": [official.first_year, official.last_year],
        "differences": [
            {"date": str(each.date), "calendar": each.ours, "official": each.official}
            for each in official.differences
        ],
    }


def _span(span: tuple[time, time] | None) -> list[str] | None:
    return None if span is None else [f"{each:%H:%M}" for each in span]
