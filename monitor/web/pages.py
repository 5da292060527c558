"""What people read: the state of everything on one page, and a page for each incident.

Drawn on the server, without a script; everything that came from elsewhere is escaped by the
template engine. A page asks for itself again after `REFRESH` seconds unless it is called with
`?refresh=off`, for those whom that disturbs. Instants stand in UTC and in London's time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.incident import to_acknowledge
from monitor.model import Estate, Impact, Incident, Interval, Stage, TimelineEvent
from monitor.store import Store, StoreError
from monitor.web.answers import Refusal
from monitor.web.forms import FORM_HEADERS
from monitor.web.moves import unknown
from monitor.web.orders import NOTE_MOST, REASON_MOST, SILENCE_MOST
from monitor.web.sessions import Session, Sessions

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


class IncidentPage:
    """Draws the page of an incident, for whoever looks and for whoever may act.

    Without `sessions` nobody may act on it.
    """

    def __init__(
        self, store: Store, clock: Clock, estate: Estate, sessions: Sessions | None
    ) -> None:
        self.sessions = sessions
        self._store = store
        self._clock = clock
        self._runbooks = _runbooks(estate)
        self._template = templates().get_template("incident.html")

    async def answer(
        self,
        number: int,
        session: Session | None,
        *,
        refresh: str | None = None,
        refusal: Refusal | None = None,
    ) -> Response:
        """The page of an incident, with the refusal of what was just tried, if it was.

        By itself it renews only while nobody is about to type into it.
        """
        record = await self._store.incident(number)
        if record is None:
            raise unknown(number)
        incident = record.incident
        related = {*incident.linked, *filter(None, (incident.paged_with,))}
        linked = await self._store.named_incidents(related)
        wanted = refresh or ("on" if session is None and refusal is None else "off")
        page = self._template.render(
            refresh=REFRESH if wanted == "on" else None,
            at=self._clock.wall(),
            incident=incident,
            record=record,
            stories=record.stories(),
            linked=linked,
            host=next((each for each in linked if each.id == incident.paged_with), None),
            runbooks={
                check: self._runbooks[incident.service, check]
                for check in incident.checks
                if (incident.service, check) in self._runbooks
            },
            may_act=self.sessions is not None,
            session=session,
            refusal=refusal,
            longest=SILENCE_MOST,
            note_most=NOTE_MOST,
            reason_most=REASON_MOST,
            waits=to_acknowledge(incident),
        )
        status, more = (200, {}) if refusal is None else (refusal.status, refusal.headers)
        headers = {} if self.sessions is None else FORM_HEADERS
        return HTMLResponse(page, status, {**headers, **more})


def router(
    engine: Engine,
    store: Store,
    clock: Clock,
    page: IncidentPage,
    *,
    cautions: Callable[[], Sequence[str]],
    not_ready: Callable[[], Sequence[str]],
) -> APIRouter:
    """`/`, `/incidents/{number}` and their style sheet."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    drawn = templates()
    style = files("monitor.web").joinpath("static/monitor.css").read_text(encoding="utf-8")

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
        request: Request,
        number: Annotated[int, Path(ge=1, le=2**63 - 1)],
        refresh: Annotated[Literal["on", "off"] | None, Query()] = None,
    ) -> Response:
        session = None if page.sessions is None else page.sessions.of(request)
        return await page.answer(number, session, refresh=refresh)

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


@functools.cache
def templates() -> Environment:
    """The pages to be drawn, with the filters that they use; made once."""
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
