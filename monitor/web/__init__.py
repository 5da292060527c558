"""The monitor on the web: figures for Prometheus, an API for programs, pages for people.

`api.py` answers programs, in the shapes of `schemas.py`; `figures.py` gets a month's figures out of
the store, `explain.py` says why a decision is what it is; what may be long is made in a thread
(`beside.py`). `pages.py` is what people read: `overview.py`, `service_page.py`, `incident_page.py`,
made of `sources.py`, with the pictures of `drawing/`, made text by `rendering.py`. `moves.py` is
what people do with an incident: over the API, on its page (`acting.py`, signed in by
`sessions.py`), by the link of a notice (`by_link.py`) or in PagerDuty (`pagerduty.py`);
`reports.py` is what customers see, `intake.py` decides whose report is taken, within `limits.py`;
`heartbeats.py` takes the calls of those who should call; `scraping.py` hands out the page of
figures; `answers.py` says how every answer is protected and how a refusal looks, `authority.py` who
may act. Present states come from the engine, incidents and what the outbox owes (`notices.py`) from
the store; nothing here changes anything but through the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from monitor import __version__
from monitor.clock import Clock
from monitor.engine import Engine
from monitor.engine.hearing import Hearing
from monitor.hours import Calendar
from monitor.metrics import Metrics
from monitor.model import Channel, Estate, ReportSettings
from monitor.net.links import Links
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.store import Store
from monitor.web import (
    acting,
    answers,
    api,
    by_link,
    explain,
    health,
    heartbeats,
    history,
    notices,
    pagerduty,
    pages,
)
from monitor.web import reports as customers
from monitor.web.incident_page import IncidentPage
from monitor.web.intake import Intake
from monitor.web.moves import Moves
from monitor.web.overview import Overview
from monitor.web.rendering import Press
from monitor.web.service_page import ServicePage
from monitor.web.sessions import Sessions
from monitor.web.sources import Sources

__all__ = ["create_app"]


def create_app(
    engine: Engine,
    store: Store,
    metrics: Metrics,
    clock: Clock,
    *,
    api_token: Secret | None,
    public_url: str,
    estate: Estate,
    calendar: Calendar,
    policy: PolicySettings,
    channels: Sequence[Channel],
    reports: ReportSettings | None = None,
    report_tokens: Mapping[str, Secret] | None = None,
    links: Links | None = None,
    hooks: Mapping[str, Secret] | None = None,
    hearing: Hearing | None = None,
    cautions: Callable[[], Sequence[str]] = tuple,
    not_ready: Callable[[], Sequence[str]] | None = None,
) -> FastAPI:
    """The application; what changes state needs `api_token`, and is refused without one.

    A customer's report needs none: `report_tokens` tell by tenant whose it is.

    `links` signed those that notices carry, None where they carry none. `hooks` are the secrets by
    which other systems prove what they tell of an incident, by channel.

    `public_url` is how people reach it, without a slash at the end. `cautions` are sentences about
    what people should look at, though the monitor can be relied on; `not_ready` are those why it
    cannot, the engine's own where None is given. There are no interactive documentation pages, for
    they load scripts from elsewhere; the schema is at `/api/v1/openapi.json`.
    """

    def reasons() -> Sequence[str]:
        return engine.not_ready() if not_ready is None else not_ready()

    app = FastAPI(
        title="Uptime monitor",
        version=__version__,
        description="The present state of every service, and the incidents opened for them.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(answers.Protected)
    answers.refuse_in_json(app)
    _describe(app)
    moves = Moves(engine, store)
    sessions = None if api_token is None else Sessions(api_token, clock, public_url=public_url)
    app.include_router(health.router(engine, metrics, reasons))
    app.include_router(
        api.router(
            engine,
            store,
            moves,
            clock,
            api_token=api_token,
            public_url=public_url,
            estate=estate,
            zone=calendar.zone,
        )
    )
    app.include_router(
        explain.router(
            clock,
            api_token=api_token,
            estate=estate,
            calendar=calendar,
            policy=policy,
            channels=channels,
        )
    )
    app.include_router(history.router(store, clock, estate))
    app.include_router(heartbeats.router(hearing, estate, clock, api_token=api_token))
    app.include_router(notices.router(engine, store, api_token=api_token))
    of = Sources(engine, store, clock, estate, calendar, Press())
    page = IncidentPage(of, sessions)
    overview = Overview(of, cautions=cautions, not_ready=reasons)
    app.include_router(pages.router(overview, ServicePage(of), page))
    app.include_router(acting.router(moves, page, clock, public_url=public_url))
    app.include_router(by_link.router(moves, store, clock, links, public_url=public_url))
    app.include_router(pagerduty.router(moves, store, hooks or {}))
    intake = Intake(
        engine,
        clock,
        settings=reports or ReportSettings(),
        tokens=report_tokens or {},
        services={service.name: service.title for service in estate.services},
        zone=calendar.zone,
    )
    app.include_router(customers.api(intake, store, public_url=public_url))
    app.include_router(customers.pages(intake, store, clock))
    return app


def _describe(app: FastAPI) -> None:
    """The schema of the API at its address, made once in a thread: that takes a while."""

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def read_schema() -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(app.openapi))
