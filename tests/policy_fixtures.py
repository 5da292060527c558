"""Services, and verdicts on them, in as few words as a test of the policy needs."""

from __future__ import annotations

from datetime import timedelta

from monitor.model import (
    MONITOR,
    Audience,
    Check,
    Dimension,
    EvidenceKind,
    Extent,
    Impact,
    Interval,
    Need,
    Service,
    Stage,
    Verdict,
    VerdictReason,
)
from monitor.policy import PolicySettings, decide
from tests.hours_fixtures import SUPPORT, london

OPEN, CLOSED = london("Mon 2026-11-23 10:00"), london("Tue 2026-11-24 02:00")


def check(name, need=Need.BLOCKING):
    return Check("crm", name, "http", None, 30.0, 10.0, need, EvidenceKind.ACTIVE, ())


CRM = Service(
    "crm",
    "Prospect 365 CRM",
    Audience.USERS,
    (check("sign-in"), check("search", Need.DEGRADING)),
)
SITES = Service("sites", "Prospect 365 Sites", Audience.END_USERS, ())
WEBSITE = Service("website", "Website", Audience.END_USERS, ())
ORDERS = Service("orders", "Order taking", Audience.END_USERS, ())
INTRANET = Service("intranet", "Intranet", Audience.USERS, (), core=False)
ITSELF = Service(MONITOR, "The monitor", Audience.USERS, (), core=False)


def verdict(service, at, impact, reason, extent, **more):
    began = Interval(at - timedelta(seconds=9), at - timedelta(seconds=8))
    return Verdict(
        service.name, impact, Stage.FAILING, reason, at, ("sign-in",), extent, began, **more
    )


def down_for_all(service, at, **more):
    extent = Extent(Dimension.EVERYONE, (), 40, 40, 40)
    return verdict(service, at, Impact.ALL, VerdictReason.EVERYONE_TWICE, extent, **more)


def down_for(service, at, failing, of, **more):
    members = tuple(f"tenant-{n}" for n in range(1, failing + 1))
    extent = Extent(Dimension.TARGET, members, failing, of, of)
    return verdict(service, at, Impact.SOME, VerdictReason.SET_FAILING, extent, **more)


def failing_in(service, at, dimension, members=(), failing=0, *, of=40):
    extent = Extent(dimension, members, failing, of, of)
    return verdict(service, at, Impact.SOME, VerdictReason.SET_FAILING, extent)


def because(service, at, reason, impact=Impact.SOME, **more):
    extent = Extent(Dimension.EVERYONE, (), 3, 3, 3)
    return verdict(service, at, impact, reason, extent, **more)


def decided(found, service, calendar=SUPPORT, **settings):
    return decide(found, service, calendar, PolicySettings(**settings))
