"""What people read: the state of everything on one page, and a page for each incident.

Drawn on the server, without a script; everything that came from elsewhere is escaped by the
template engine. A page asks for itself again after `REFRESH` seconds unless it is called with
`?refresh=off`, for those whom that disturbs. Instants stand in UTC and in London's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.model import Estate, Impact, Incident, Interval, Stage, TimelineEvent
from monitor.store import Store, StoreError
from monitor.web.answers import Refusal

REFRESH = 15
EVENTS_SHOWN = 20
_LONDON = ZoneInfo("Europe/London")
_IMPACT_WORDS = {
    Impact.NONE: "Working",
    Impact.SOME: "Failing for some",
    Impact.ALL: "Down for everyone",
    Impact.UNKNOWN: "Cannot tell",
}

Refresh = Annotated[Literal["on", "off"], Query(description="Whether the page reloads itself")]


def router(
    engine: Engine,
    store: Store,
    clock: Clock,
    *,
    estate: Estate,
    cautions: Callable[[], Sequence[str]],
    not_ready: Callable[[], Sequence[str]],
) -> APIRouter:
    """`/`, `/incidents/{number}` and their style sheet."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    drawn = templates()
    style = files("monitor.web").joinpath("static/monitor.css").read_text(encoding="utf-8")
    runbooks = _runbooks(estate)

    @routes.get("/static/monitor.css")
    async def read_style() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    @routes.get("/")
    async def read_overview(refresh: Refresh = "on") -> str:
        services = engine.services()
        incidents, events, trouble = await _from_store(store)
        return drawn.get_template("overview.html").render(
            refresh=REFRESH if refresh == "on" else None,
            at=clock.wall(),
            headline=_headline([service.impact for service in services]),
            services=services,
            vantages=engine.vantages(),
            incidents=incidents,
            events=events,
            warnings=(*not_ready(), *trouble),
            cautions=cautions(),
        )

    @routes.get("/incidents/{number}")
    async def read_incident(
        number: Annotated[int, Path(ge=1, le=2**63 - 1)], refresh: Refresh = "on"
    ) -> str:
        record = await store.incident(number)
        if record is None:
            raise Refusal(404, "unknown_incident", f"There is no incident #{number}.")
        incident = record.incident
        related = {*incident.linked, *filter(None, (incident.paged_with,))}
        linked = await store.named_incidents(related)
        return drawn.get_template("incident.html").render(
            refresh=REFRESH if refresh == "on" else None,
            at=clock.wall(),
            incident=incident,
            record=record,
            stories=record.stories(),
            linked=linked,
            host=next((each for each in linked if each.id == incident.paged_with), None),
            runbooks={
                check: runbooks[incident.service, check]
                for check in incident.checks
                if (incident.service, check) in runbooks
            },
        )

    return routes


async def _from_store(
    store: Store,
) -> tuple[list[Incident], list[tuple[Incident, TimelineEvent]], tuple[str, ...]]:
    """Open incidents, recent events, and why there are none when the store cannot be read."""
    try:
        incidents = await store.open_incidents()
        events = await store.recent_events(EVENTS_SHOWN)
    except StoreError:
        return [], [], ("The store cannot be read: incidents are not shown.",)
    return sorted(incidents, key=lambda i: i.number, reverse=True), list(events), ()


def templates() -> Environment:
    """The pages to be drawn, with the filters that they use."""
    environment = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["both"] = both_times
    environment.filters["interval"] = interval_words
    environment.filters["impact"] = _IMPACT_WORDS.__getitem__
    environment.globals["watching"] = Stage.WATCHING
    return environment


def both_times(at: datetime) -> str:
    """An instant in UTC and in London's time, to the second."""
    utc, london = f"{at:%Y-%m-%d %H:%M:%S} UTC", at.astimezone(_LONDON)
    date = "" if london.date() == at.date() else f"{london:%Y-%m-%d} "
    return f"{utc} ({date}{london:%H:%M:%S} {london.tzname()} in London)"


def interval_words(interval: Interval) -> str:
    """When something happened, as far as it is known."""
    if interval.after is None:
        return f"at or before {both_times(interval.before)}"
    return f"after {both_times(interval.after)}, by {both_times(interval.before)}"


def _headline(impacts: list[Impact]) -> str:
    counts = {impact: impacts.count(impact) for impact in Impact}
    said = [
        f"{counts[impact]} {_IMPACT_WORDS[impact].lower()}"
        for impact in (Impact.ALL, Impact.SOME, Impact.UNKNOWN)
        if counts[impact]
    ]
    return ", ".join(said) or "All services are working"


def _runbooks(estate: Estate) -> dict[tuple[str, str], str]:
    """The web addresses of runbooks by service and check; what is not one is left out."""
    return {
        (service.name, check.name): check.runbook
        for service in estate.services
        for check in service.checks
        if check.runbook.startswith(("https://", "http://"))
    }
