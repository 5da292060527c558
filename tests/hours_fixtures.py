"""The support calendar of the policy, and instants written as people in London say them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import holidays

from monitor.hours import Calendar

LONDON = ZoneInfo("Europe/London")
FIRST_YEAR, LAST_YEAR = 2012, 2030

_LONG = (time(8, 30), time(17, 0))
_SHORT = (time(8, 30), time(16, 30))

SUPPORT = Calendar(
    zone="Europe/London",
    weekly=(_LONG, _LONG, _LONG, _LONG, _SHORT, None, None),
    holidays=dict(
        holidays.country_holidays("GB", subdiv="ENG", years=range(FIRST_YEAR, LAST_YEAR + 1))
    ),
    extra_closed={},
    extra_open={},
    first_year=FIRST_YEAR,
    last_year=LAST_YEAR,
)


def support(**changed):
    """The policy's calendar with some fields changed."""
    return replace(SUPPORT, **changed)


def london(text, fold=0):
    """The instant of "Mon 2026-11-23 10:00" in London; a wrong weekday is refused."""
    weekday, rest = text.split(" ", 1)
    local = datetime.fromisoformat(rest).replace(tzinfo=LONDON, fold=fold)
    if f"{local:%a}" != weekday:
        raise ValueError(f"{rest} is a {local:%a}")
    return local.astimezone(UTC)


def utc(text):
    """The instant of "2026-11-23 10:00" in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
