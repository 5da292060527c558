"""What people read: the state of everything on one page, a page a service and a page an incident.

Drawn on the server, without a script, in a thread. A page asks for itself again after some seconds
(`rendering.REFRESH`) unless it is called with `?refresh=off`, for those whom that disturbs.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from monitor.web.incident_page import IncidentPage
from monitor.web.overview import Overview
from monitor.web.service_page import ServicePage, SpanName

Refresh = Annotated[Literal["on", "off"], Query(description="Whether the page reloads itself")]


def router(overview: Overview, service: ServicePage, incident: IncidentPage) -> APIRouter:
    """`/`, `/services/{name}`, `/incidents/{number}` and their style sheet."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    style = files("monitor.web").joinpath("static/monitor.css").read_text(encoding="utf-8")

    @routes.get("/static/monitor.css")
    async def read_style() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    @routes.get("/")
    async def read_overview(refresh: Refresh = "on") -> str:
        return await overview.answer(refresh=refresh == "on")

    @routes.get("/services/{name}")
    async def read_service(
        name: Annotated[str, Path(max_length=200)],
        span: SpanName = "24h",
        refresh: Refresh = "on",
    ) -> str:
        return await service.answer(name, span, refresh=refresh == "on")

    @routes.get("/incidents/{number}")
    async def read_incident(
        request: Request,
        number: Annotated[int, Path(ge=1, le=2**63 - 1)],
        refresh: Annotated[Literal["on", "off"] | None, Query()] = None,
    ) -> Response:
        session = None if incident.sessions is None else incident.sessions.of(request)
        return await incident.answer(number, session, refresh=refresh)

    return routes
