"""What the tests of channels and delivery are made of: a clock to turn, incidents, notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from monitor.clock import Clock
from monitor.model import (
    Action,
    Change,
    DecisionReason,
    ErrorSeen,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Interval,
    Message,
    Notice,
    Priority,
    Role,
)
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret

START = datetime(2030, 6, 3, 1, 14, tzinfo=UTC)
SECRET = Secret("a shared secret")
INSTANCE = "01J00000000000000000000000"


@dataclass
class Watch:
    """Both clocks, turned by hand."""

    at: datetime = START
    mono: float = 1000.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, lambda: self.mono)

    def passes(self, seconds: float) -> None:
        self.steps(seconds)
        self.mono += seconds

    def steps(self, seconds: float) -> None:
        """The wall clock is set; no time passes."""
        self.at += timedelta(seconds=seconds)


def network(watch: Watch) -> Net:
    """The wall clock is turned by hand, timers are real."""
    clock = Clock(lambda: watch.at, time.monotonic)
    return Net(clock, Limits(), (ip_network("127.0.0.0/8"),), Redactor([SECRET]))


def incident(number: int = 1, **changes: Any) -> Incident:
    made = Incident(
        id=f"01J0000000000000000000{number:04}",
        number=number,
        subject=f"v1:crm{number}:all",
        service="crm",
        impact=Impact.ALL,
        priority=Priority.CRITICAL,
        state=IncidentState.OPEN,
        title="CRM is down for all users",
        scope="all users",
        route=(Role.ON_CALL, Role.SERVICE_DESK),
        reason=DecisionReason.ALL_USERS,
        began=Interval(START - timedelta(seconds=40), START - timedelta(seconds=31)),
        detected_at=START - timedelta(seconds=10),
        reported_at=START - timedelta(seconds=10),
        notify_at=START,
        respond_by=START + timedelta(hours=2),
        out_of_hours=True,
        known_by="15 of 15 targets failed in two rounds",
        checks=("sign-in",),
        errors=(
            ErrorSeen(
                "sign-in", "acme", "leeds", FailureKind.STATUS, "status 503 \u2014 no", START, 4
            ),
        ),
    )
    return replace(made, **changes)


def notice(
    about: Incident,
    channel: str = "pager",
    action: Action = Action.TRIGGER,
    seq: int = 1,
    **changes: Any,
) -> Notice:
    dedup_key = f"{INSTANCE}:{about.id}"
    made = Notice(
        id=f"01JN{about.number:04}{seq:018}",
        incident_id=about.id,
        channel=channel,
        action=action,
        seq=seq,
        key=f"{dedup_key}:{channel}:{action}:{seq}",
        dedup_key=dedup_key,
        message=Message(
            f"CRITICAL: {about.title}",
            ("Began 02:13 London time.",),
            about,
            {"Incident": f"http://127.0.0.1:8365/incidents/{about.number}"},
        ),
        created_at=START,
        due_at=START,
    )
    return replace(made, **changes)


def opening(about: Incident, *notices: Notice) -> Change:
    return Change(incident=about, notices=notices)


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait for a condition; fails after 30 s."""
    async with asyncio.timeout(30):
        while True:
            met = condition()
            if await met if isinstance(met, Awaitable) else met:
                return
            await asyncio.sleep(0)
