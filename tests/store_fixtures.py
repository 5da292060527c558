"""Small incidents, notices and results for tests of the store, and a clock that is a variable."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ulid import ULID

from monitor.clock import Clock
from monitor.model import (
    Action,
    CellKey,
    Change,
    DecisionReason,
    Dimension,
    EventKind,
    Evidence,
    Extent,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Interval,
    Message,
    Notice,
    Outage,
    Outcome,
    Priority,
    Result,
    Role,
    TimelineEvent,
    VerdictReason,
)
from monitor.store import open_store

T0 = datetime(2030, 1, 7, 9, 0, 0, 123456, UTC)
LEASE = timedelta(seconds=30)
CELL = CellKey("crm", "sign-in", "shared", "london")
CLOCK = Clock(lambda: T0, lambda: 0.0)
_count = itertools.count(1)


def after(seconds):
    return T0 + timedelta(seconds=seconds)


@asynccontextmanager
async def opened(url, holder="test"):
    store = await open_store(url, clock=CLOCK, holder=holder)
    try:
        yield store
    finally:
        await store.close()


def incident(number=1, subject="v1:crm:all", **others):
    values = {
        "service": "crm",
        "impact": Impact.ALL,
        "priority": Priority.CRITICAL,
        "state": IncidentState.OPEN,
        "title": "CRM is down for all users",
        "scope": "all users",
        "route": (Role.ON_CALL, Role.SERVICE_DESK),
        "reason": DecisionReason.ALL_USERS,
        "began": Interval(after(-30), after(-20)),
        "detected_at": T0,
        "reported_at": T0,
        "notify_at": T0,
        "respond_by": after(7200),
        "out_of_hours": False,
    }
    return Incident(str(ULID()), number, subject, **values | others)


def result(cell=CELL, outcome=Outcome.FAIL, at=T0, **others):
    failed = outcome is Outcome.FAIL
    values = {
        "fingerprint": "f1",
        "sent_mono": 1.0,
        "observed_mono": 1.25,
        "observed_at": at,
        "outcome": outcome,
        "failure": FailureKind.STATUS if failed else None,
        "evidence": Evidence(message="503 \x00 <b>down</b>" if failed else ""),
    }
    return Result(str(ULID()), cell, **values | others)


def notice(of, channel="pager", seq=1, due=T0, **others):
    values = {
        "action": Action.TRIGGER,
        "key": f"key-{next(_count)}",
        "dedup_key": f"instance:{of.id}",
        "message": Message(of.title, ("a line",), of, {"incident": "http://127.0.0.1/1"}),
        "created_at": T0,
        "due_at": due,
    }
    return Notice(str(ULID()), of.id, channel, seq=seq, **values | others)


def line(of, kind=EventKind.OPENED, text="opened"):
    return TimelineEvent(of.id, T0, "monitor", kind, text)


def opening(of, *notices, **others):
    return Change(incident=of, events=(line(of),), notices=notices, **others)


def moved(of, **others):
    """The change that makes of an incident as it was what `others` say."""
    return Change(incident=replace(of, version=of.version + 1, **others), was_version=of.version)


def outage(name="o1", service="crm", detected=0.0, **others):
    return Outage(
        name,
        f"{service}/sign-in",
        service,
        "sign-in",
        Impact.ALL,
        VerdictReason.EVERYONE_TWICE,
        Extent(Dimension.EVERYONE, failing=3, sampled=3, population=3),
        Interval(None, after(detected)),
        after(detected),
        **others,
    )
