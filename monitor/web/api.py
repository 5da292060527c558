"""The API for programs: services and incidents as they are, acting on one, a month's figures.

Reading how things are is open to whoever reaches the port. The figures of a month and whatever
acts need the token, and what acts names a person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.figures import month_named
from monitor.model import Estate, Incident, IncidentState
from monitor.net.secret import Secret
from monitor.store import Store
from monitor.web.answers import Refusal, answers
from monitor.web.authority import authorised
from monitor.web.beside import in_thread
from monitor.web.figure_shapes import FiguresShape
from monitor.web.figures import stored_figures
from monitor.web.moves import Moves, unknown
from monitor.web.orders import Acknowledgement, Act, Note, Resolution, SilenceOrder
from monitor.web.schemas import IncidentDetail, IncidentPage, IncidentSummary, ServiceList

_LARGEST = 2**63 - 1
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])

Number = Annotated[int, Path(ge=1, le=_LARGEST, description="The number people say")]


def router(
    engine: Engine,
    store: Store,
    moves: Moves,
    clock: Clock,
    *,
    api_token: Secret | None,
    public_url: str,
    estate: Estate,
    zone: str,
) -> APIRouter:
    """Everything below `/api/v1`, but for customers' reports; months are those of `zone`."""
    routes = APIRouter(prefix="/api/v1", tags=["api"])
    _reading(routes, engine, store, public_url)
    _moving(routes, moves, public_url, api_token)
    _figures(routes, store, clock, estate, zone, token=api_token)
    return routes


def _reading(routes: APIRouter, engine: Engine, store: Store, public_url: str) -> None:
    @routes.get("/services", summary="Every service as it looks now")
    async def read_services() -> ServiceList:
        """In the order of the configuration."""
        return ServiceList.model_validate({"services": engine.services()})

    @routes.get(
        "/incidents",
        summary="Incidents, newest first",
        response_model=IncidentPage,
        responses=answers(422, 503),
    )
    async def read_incidents(
        state: Annotated[IncidentState | None, Query(description="Only these")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many")] = 50,
        before: Annotated[
            int | None, Query(ge=1, le=_LARGEST, description="Only numbers below this")
        ] = None,
    ) -> Response:
        """Follow `next_before` for older ones; null says that there are no more."""
        found = await store.incidents(state=state, limit=limit + 1, before=before)
        return await in_thread(_listed, found, limit, public_url)

    @routes.get(
        "/incidents/{number}",
        summary="One incident whole",
        response_model=IncidentDetail,
        responses=answers(404, 422, 503),
    )
    async def read_incident(number: Number) -> Response:
        """With its timeline, the results it rests on and the notices owed for it."""
        record = await store.incident(number)
        if record is None:
            raise unknown(number)
        return await in_thread(IncidentDetail.of_record, record, public_url)


def _listed(found: list[Incident], limit: int, public_url: str) -> IncidentPage:
    """Of one incident more than are asked for, so many, and where the rest begins."""
    shown = found[:limit]
    return IncidentPage(
        incidents=[IncidentSummary.of(incident, public_url) for incident in shown],
        next_before=shown[-1].number if len(found) > limit else None,
    )


def _moving(routes: APIRouter, moves: Moves, public_url: str, api_token: Secret | None) -> None:
    """What a person does with an incident; each answers once it is committed."""

    def answered(incident: Incident) -> IncidentSummary:
        return IncidentSummary.of(incident, public_url)

    def move(path: str, summary: str, *refusals: int) -> Callable[[_Endpoint], _Endpoint]:
        return routes.post(
            f"/incidents/{{number}}/{path}",
            summary=summary,
            responses=answers(401, 403, 404, *refusals, 422, 503),
            dependencies=[Depends(authorised(api_token))],
        )

    @move("acknowledge", "Take an incident on", 409)
    async def acknowledge(number: Number, body: Acknowledgement) -> IncidentSummary:
        """A person may be the first only once.

        Reports that joined since are answered by another acknowledgement.
        """
        return answered(await moves.acknowledge(number, body.by))

    @move("resolve", "Say that an incident is over", 409)
    async def resolve(number: Number, body: Resolution) -> IncidentSummary:
        """Refused while the probes still see it fail."""
        return answered(await moves.resolve(number, body.by, false_alarm=body.false_alarm))

    @move("false-alarm", "Say that an incident never was", 409)
    async def call_false_alarm(number: Number, body: Act) -> IncidentSummary:
        """Resolves it, and is counted. Refused while the probes still see it fail."""
        return answered(await moves.resolve(number, body.by, false_alarm=True))

    @move("note", "Add a line to the timeline of an incident")
    async def note(number: Number, body: Note) -> IncidentSummary:
        """Nobody is sent it. A resolved incident takes notes too."""
        return answered(await moves.note(number, body.by, body.text))

    @move("silence", "Have nothing sent of an incident for a while", 409)
    async def silence(number: Number, body: SilenceOrder) -> IncidentSummary:
        """That a person has it or that it is over is sent; getting wider ends it, and pages."""
        return answered(await moves.silence(number, body.by, body.reason, body.minutes))

    @move("unsilence", "Have an incident told of again", 409)
    async def unsilence(number: Number, body: Act) -> IncidentSummary:
        """What was not sent meanwhile is."""
        return answered(await moves.end_silence(number, body.by))


def _figures(
    routes: APIRouter,
    store: Store,
    clock: Clock,
    estate: Estate,
    zone: str,
    *,
    token: Secret | None,
) -> None:
    @routes.get(
        "/figures",
        summary="The figures of a month",
        responses=answers(401, 403, 422, 503),
        dependencies=[Depends(authorised(token))],
    )
    async def read_figures(
        month: Annotated[str, Query(description="As 2026-11, in the calendar's time zone")],
    ) -> FiguresShape:
        """Availability of every service and how incidents were answered; so far, while it runs."""
        try:
            found = await stored_figures(store, estate, zone, month_named(month), clock.wall())
        except ValueError as error:
            raise Refusal(422, "invalid_month", f"month: {error}.") from None
        return FiguresShape.model_validate(found)
