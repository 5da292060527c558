"""The monitor on the web: figures for Prometheus, an API for programs, pages for people.

`api.py` answers programs, in the shapes of `schemas.py`; `pages.py` draws what people read;
`reports.py` is what customers see, `intake.py` decides whose report is taken, within `limits.py`;
`answers.py` says how every answer is protected and how a refusal looks. Present states come from
the engine, incidents from the store; nothing here changes anything but through the engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from monitor import __version__
from monitor.clock import Clock
from monitor.engine import Engine
from monitor.metrics import Metrics
from monitor.model import Estate, ReportSettings
from monitor.net.secret import Secret
from monitor.store import Store
from monitor.web import answers, api, health, pages
from monitor.web import reports as customers
from monitor.web.intake import Intake

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
    reports: ReportSettings | None = None,
    report_tokens: Mapping[str, Secret] | None = None,
    zone: str = "Europe/London",
) -> FastAPI:
    """The application; what changes state needs `api_token`, and is refused without one.

    A customer's report needs none: `report_tokens` tell by tenant whose it is, and times in it are
    of `zone`.

    `public_url` is how people reach it, without a slash at the end. There are no interactive
    documentation pages, for they load scripts from elsewhere; the schema is at
    `/api/v1/openapi.json`.
    """
    app = FastAPI(
        title="Uptime monitor",
        version=__version__,
        description="The present state of every service, and the incidents opened for them.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(answers.Protected)
    answers.refuse_in_json(app)
    app.include_router(health.router(engine, metrics))
    app.include_router(api.router(engine, store, api_token=api_token, public_url=public_url))
    app.include_router(pages.router(engine, store, clock, estate=estate))
    intake = Intake(
        engine,
        clock,
        settings=reports or ReportSettings(),
        tokens=report_tokens or {},
        services={service.name: service.title for service in estate.services},
        zone=zone,
    )
    app.include_router(customers.api(intake, store, public_url=public_url))
    app.include_router(customers.pages(intake, store, clock))
    return app
