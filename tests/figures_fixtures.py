"""A service, its outages and its month, for tests of the figures."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from monitor.figures import figures_of, month_named
from monitor.model import (
    MONITOR,
    Dimension,
    Extent,
    Impact,
    Interval,
    Need,
    Once,
    Outage,
    Unobserved,
    UnobservedReason,
    VerdictReason,
    Window,
)
from tests.estates import check, estate, service
from tests.hours_fixtures import utc

ZONE = "Europe/London"
ESTATE = estate(
    service("crm", check("crm"), check("crm", "speed", need=Need.DEGRADING)),
    service("web", check("web")),
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_count = itertools.count(1)
_REASONS = {
    Impact.ALL: VerdictReason.EVERYONE_TWICE,
    Impact.SOME: VerdictReason.SET_FAILING,
    Impact.UNKNOWN: VerdictReason.LOCKED_OUT,
}


def outage(since, until=None, impact=Impact.ALL, **others):
    """An outage of `crm/sign-in` from the first FAIL until the first PASS, watched ten minutes."""
    name, check_name = others.pop("service", "crm"), others.pop("check", "sign-in")
    values = {
        "reason": _REASONS[impact],
        "extent": Extent(Dimension.EVERYONE),
        "began": Interval(None, since),
        "detected_at": since,
        "recovered": None if until is None else Interval(None, until),
        "closed_at": None if until is None else until + timedelta(minutes=10),
    }
    unit = others.pop("unit", f"{name}/{check_name}")
    return Outage(f"o{next(_count)}", unit, name, check_name, impact, **values | others)


def blind(since, until=None):
    """A time in which the monitor could not see."""
    return outage(
        since, until, Impact.UNKNOWN, service=MONITOR, check="sight", reason=VerdictReason.BLIND
    )


def gap(since, until, why=UnobservedReason.NOT_RUNNING):
    return Unobserved(f"u{next(_count)}", since, until, why)


def window(begins, ends, name="upgrade", **scope):
    return Window(name, Once(begins, ends), **({"services": ("crm",)} | scope))


def figured(month="2026-11", now="2027-01-15 00:00", **known):
    """The figures of a month; a store that was always watched, and nothing else, unless `known`."""
    now = utc(now) if isinstance(now, str) else now
    values = {
        "estate": ESTATE,
        "outages": (),
        "incidents": (),
        "gaps": (),
        "watched": {service.name: [(LONG_AGO, None)] for service in ESTATE.services},
        "seen_at": now,
    }
    return figures_of(month_named(month), ZONE, now, **values | known)


def of_crm(*outages, month="2026-11", **known):
    """The availability of CRM with these outages."""
    return figured(month, outages=outages, **known).services[0]
