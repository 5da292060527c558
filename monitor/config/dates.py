"""Support hours and bank holidays, handed to the core as plain dates.

The years are fixed and not counted from today: the same file means the same calendar on every
day it is read. A date outside of them is an error when it is asked for, never "no holiday".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import holidays

from monitor.almanac import ENGLAND_AND_WALES, OfficialList
from monitor.config.shape import DAYS, CalendarShape
from monitor.hours import Calendar

FIRST_YEAR = 2012
LAST_YEAR = 2036

_DIVISIONS = {"GB": "ENG", "UK": "ENG"}
"""The division meant where none is named: of the United Kingdom, the one the policy speaks of."""


def calendar(shape: CalendarShape) -> Calendar:
    """The calendar of a valid section."""
    return Calendar(
        zone=shape.time_zone,
        weekly=tuple(getattr(shape.hours, day) for day in DAYS),
        holidays=dict(_holidays(shape.country, _division(shape))),
        extra_closed=dict(shape.extra_closed),
        extra_open=dict(shape.extra_open),
        first_year=FIRST_YEAR,
        last_year=LAST_YEAR,
    )


def official(shape: CalendarShape, folder: Path) -> OfficialList | None:
    """Where the official list of a valid section is, a file relative to `folder`; None for none."""
    if shape.official is None or shape.official.file is None:
        return shape.official
    return replace(shape.official, file=str(folder / shape.official.file))


def mistakes(shape: CalendarShape) -> Iterator[tuple[tuple[str, ...], str]]:
    """What of a section cannot be: the path within it, and the message."""
    divisions = holidays.list_supported_countries()
    if shape.country not in divisions:
        yield ("country",), f"`{shape.country}` is no known country: write a code such as GB"
    elif (division := _division(shape)) is not None and division not in divisions[shape.country]:
        known = ", ".join(divisions[shape.country]) or "none"
        yield (
            ("subdivision",),
            f"`{division}` is unknown in {shape.country}; known are: {known}",
        )
    if not any(getattr(shape.hours, day) for day in DAYS):
        yield ("hours",), "support never opens: name the hours of at least one day"
    for key, dates in (("extra_closed", shape.extra_closed), ("extra_open", shape.extra_open)):
        for day in dates:
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                covered = f"{FIRST_YEAR} to {LAST_YEAR}"
                yield (key, str(day)), f"is outside the years the calendar covers: {covered}"
    yield from _official_mistakes(shape.official)
    for day in shape.extra_closed.keys() & shape.extra_open.keys():
        yield ("extra_open", str(day)), "is in extra_closed too: remove one of them"


def _official_mistakes(found: OfficialList | None) -> Iterator[tuple[tuple[str, ...], str]]:
    if found is not None and bool(found.file) == bool(found.url):
        given = "names both a file and a url" if found.file else "names neither a file nor a url"
        yield ("official",), f"{given}: write one of them"
    if found is not None and not found.division:
        yield ("official", "division"), f"is empty: write {ENGLAND_AND_WALES}, or leave it out"


@functools.lru_cache(maxsize=16)
def _holidays(country: str, division: str | None) -> tuple[tuple[date, str], ...]:
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    return tuple(sorted(holidays.country_holidays(country, subdiv=division, years=years).items()))


def _division(shape: CalendarShape) -> str | None:
    return shape.subdivision or _DIVISIONS.get(shape.country)
