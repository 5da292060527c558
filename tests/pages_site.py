"""The whole application on its real listener, with a night to look at, for a browser.

The CRM is down for everyone with an incident that nobody has; the Sites were, and an incident of
theirs is over; for a while nobody watched.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from monitor.daemon.listener import Listener, bind
from monitor.detection import Track
from monitor.model import (
    Change,
    Dimension,
    ErrorSeen,
    Extent,
    FailureKind,
    Impact,
    IncidentState,
    Interval,
    Outage,
    Outcome,
    Unobserved,
    UnobservedReason,
    VerdictReason,
)
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.web import create_app
from tests import web_fixtures
from tests.acting_fixtures import NIGHT, TOKEN
from tests.estates import estate, service
from tests.hours_fixtures import SUPPORT
from tests.outbox_fixtures import Watch, until
from tests.store_fixtures import incident, opening
from tests.test_engine import at_once, made_on, running

BEGAN = NIGHT - timedelta(minutes=20)
EARLIER = NIGHT - timedelta(hours=7)
LONG = "a-name-without-a-place-to-break-it-" * 3


@dataclass
class Served:
    """Where the application listens, and what it is made of."""

    url: str
    store: object
    engine: object
    mind: object


@asynccontextmanager
async def served_on(url):
    """The application on a free port of loopback for as long as the block lasts."""
    of = estate(service("crm"), service("sites"))
    watch = Watch(NIGHT)
    async with made_on(url, watch, of=of, calendar=SUPPORT) as made, running(made.engine):
        await _remember(made)
        made.world.answers["crm"] = at_once
        await made.ask_all("sites")
        await made.ask_all("crm")
        listening = bind("127.0.0.1", 0)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        listener = Listener(_app(made, address), listening)
        serving = asyncio.create_task(listener.run_until_exit())
        await until(lambda: listener.started)
        try:
            yield Served(address, made.store, made.engine, made.mind)
        finally:
            listener.should_exit = True
            await serving


def _app(made, address):
    return create_app(
        made.engine,
        made.store,
        made.metrics,
        made.world.watch.clock,
        api_token=Secret(TOKEN),
        public_url=address,
        estate=made.mind.estate,
        calendar=SUPPORT,
        policy=PolicySettings(),
        channels=(),
        cautions=lambda: ("Mon 30 Nov 2026: the official list calls it a holiday.",),
    )


async def _remember(made):
    store, names = made.store, [service.name for service in made.mind.estate.services]
    await store.watch(names, NIGHT - timedelta(days=100))
    gap = (NIGHT - timedelta(hours=3), NIGHT - timedelta(hours=2, minutes=20))
    unseen = Unobserved("gap", *gap, UnobservedReason.PAUSED)
    over = outage("sites", EARLIER, Impact.SOME, ends=EARLIER + timedelta(minutes=12))
    going_on = outage("crm", BEGAN, Impact.ALL)
    await store.commit(Change(outages=(over, going_on), unobserved=(unseen,)))
    made.mind.outages["crm/sign-in", Track.ALL] = going_on
    for one in (critical(1), critical(2), _resolved(3)):
        await store.commit(_with_evidence(made, one))
        if one.resolved_at is None:
            made.mind.open[one.subject] = one
    await store.record(list(_history(made)))


def outage(service, began, impact, *, ends=None):
    recovered = None if ends is None else Interval(ends - timedelta(seconds=30), ends)
    return Outage(
        f"outage-{service}",
        f"{service}/sign-in",
        service,
        "sign-in",
        impact,
        VerdictReason.EVERYONE_TWICE,
        Extent(Dimension.EVERYONE),
        Interval(began - timedelta(seconds=90), began),
        began + timedelta(seconds=9),
        recovered=recovered,
        closed_at=ends and ends + timedelta(minutes=10),
    )


def critical(number, **changes):
    error = ErrorSeen("sign-in", LONG, "london", FailureKind.STATUS, f"status 503 {LONG}", BEGAN, 3)
    return incident(
        number,
        **{
            "service": "crm",
            "subject": f"v1:crm:all:{number}",
            "title": "CRM is down for all users",
            "checks": ("sign-in",),
            "began": Interval(BEGAN - timedelta(seconds=90), BEGAN),
            "detected_at": BEGAN + timedelta(seconds=9),
            "reported_at": BEGAN + timedelta(seconds=10),
            "respond_by": BEGAN + timedelta(hours=2),
            "errors": (error,),
        }
        | changes,
    )


def _resolved(number):
    times = {
        "acknowledged_by": "Robin",
        "acknowledged_at": EARLIER + timedelta(minutes=2),
        "recovered": Interval(EARLIER + timedelta(minutes=11), EARLIER + timedelta(minutes=12)),
        "resolved_at": EARLIER + timedelta(minutes=22),
        "respond_by": EARLIER + timedelta(minutes=1),
    }
    began = {
        "began": Interval(EARLIER - timedelta(minutes=4), EARLIER),
        "detected_at": EARLIER + timedelta(seconds=9),
        "reported_at": EARLIER + timedelta(seconds=10),
    }
    state = {"state": IncidentState.RESOLVED, "service": "sites", "title": "Sites fail for some"}
    return critical(number, **times, **began, **state)


def _with_evidence(made, one):
    cells = [cell for key, cell in made.engine.cells.items() if key.service == one.service]
    seen = [
        web_fixtures.result(
            cell,
            Outcome.FAIL,
            id=f"evidence-{one.number}-{cell.key}",
            at=one.began.before + timedelta(seconds=place),
        )
        for place, cell in enumerate(cells[:6])
    ]
    change = opening(one)
    return Change(change.incident, None, change.events, tuple(seen), change.notices)


def _history(made):
    """A PASS a minute of every cell for the hour before it went down."""
    for key, cell in made.engine.cells.items():
        if key.service in ("crm", "sites"):
            for minute in range(60):
                at = BEGAN - timedelta(minutes=61 - minute)
                yield web_fixtures.result(cell, id=f"{cell.key}-{minute}", at=at)
