"""The API for programs: services and incidents as they are, acting on one, a month's figures.

Reading how things are is open to whoever reaches the port. The figures of a month, acknowledging
and resolving need the token. Acknowledging and resolving name a person; the engine does it, and
answers once it is committed.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.figures import month_named
from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.model import Estate, Incident, IncidentState
from monitor.net.secret import Secret
from monitor.store import Store
from monitor.web.answers import Refusal, answers
from monitor.web.authority import authorised
from monitor.web.figure_shapes import FiguresShape
from monitor.web.figures import stored_figures
from monitor.web.schemas import (
    Acknowledgement,
    IncidentDetail,
    IncidentPage,
    IncidentSummary,
    Resolution,
    ServiceList,
)

_LARGEST = 2**63 - 1

Number = Annotated[int, Path(ge=1, le=_LARGEST, description="The number people say")]


def router(
    engine: Engine,
    store: Store,
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
    _moving(routes, engine, store, public_url, api_token)
    _figures(routes, store, clock, estate, zone, token=api_token)
    return routes


def _reading(routes: APIRouter, engine: Engine, store: Store, public_url: str) -> None:
    @routes.get("/services", summary="Every service as it looks now")
    async def read_services() -> ServiceList:
        """In the order of the configuration."""
        return ServiceList.model_validate({"services": engine.services()})

    @routes.get("/incidents", summary="Incidents, newest first", responses=answers(422, 503))
    async def read_incidents(
        state: Annotated[IncidentState | None, Query(description="Only these")] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many")] = 50,
        before: Annotated[
            int | None, Query(ge=1, le=_LARGEST, description="Only numbers below this")
        ] = None,
    ) -> IncidentPage:
        """Follow `next_before` for older ones; null says that there are no more."""
        found = await store.incidents(state=state, limit=limit + 1, before=before)
        shown = found[:limit]
        return IncidentPage(
            incidents=[IncidentSummary.of(incident, public_url) for incident in shown],
            next_before=shown[-1].number if len(found) > limit else None,
        )

    @routes.get(
        "/incidents/{number}", summary="One incident whole", responses=answers(404, 422, 503)
    )
    async def read_incident(number: Number) -> IncidentDetail:
        """With its timeline, the results it rests on and the notices owed for it."""
        record = await store.incident(number)
        if record is None:
            raise _unknown(number)
        return IncidentDetail.of_record(record, public_url)


def _moving(
    routes: APIRouter, engine: Engine, store: Store, public_url: str, api_token: Secret | None
) -> None:
    @routes.post(
        "/incidents/{number}/acknowledge",
        summary="Take an incident on",
        responses=answers(401, 403, 404, 409, 422, 503),
        dependencies=[Depends(authorised(api_token))],
    )
    async def acknowledge(number: Number, body: Acknowledgement) -> IncidentSummary:
        """Answers once it is committed. A person may be the first only once.

        Reports that joined since are answered by another acknowledgement.
        """
        try:
            incident = await engine.acknowledge(number, body.by)
        except (KeyError, IllegalTransition):
            record = await store.incident(number)
            raise _unknown(number) if record is None else _taken(record.incident) from None
        return IncidentSummary.of(incident, public_url)

    @routes.post(
        "/incidents/{number}/resolve",
        summary="Say that an incident is over",
        responses=answers(401, 403, 404, 409, 422, 503),
        dependencies=[Depends(authorised(api_token))],
    )
    async def resolve(number: Number, body: Resolution) -> IncidentSummary:
        """Answers once it is committed. Refused while the probes still see it fail."""
        try:
            incident = await engine.resolve(number, body.by, false_alarm=body.false_alarm)
        except StillFailing as failing:
            raise Refusal(409, "still_failing", f"{failing}.") from None
        except KeyError:
            record = await store.incident(number)
            raise _unknown(number) if record is None else _taken(record.incident) from None
        return IncidentSummary.of(incident, public_url)


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


def _unknown(number: int) -> Refusal:
    return Refusal(404, "unknown_incident", f"There is no incident #{number}.")


def _taken(incident: Incident) -> Refusal:
    """Why an incident cannot be acknowledged any more."""
    if incident.state is IncidentState.RESOLVED:
        message = f"Incident #{incident.number} is resolved already."
        return Refusal(409, "already_resolved", message)
    if incident.state is IncidentState.ACKNOWLEDGED:
        message = f"Incident #{incident.number} was acknowledged by {incident.acknowledged_by}."
        return Refusal(409, "already_acknowledged", message)
    message = f"Incident #{incident.number} changed meanwhile; look at it and try again."
    return Refusal(409, "changed", message)
