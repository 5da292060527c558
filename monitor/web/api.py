"""The API for programs: services and incidents as they are, acknowledging and resolving one.

Reading is open to whoever reaches the port. Acknowledging and resolving need the token, compared in
constant time, and name a person; the engine does it, and answers once it is committed.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from monitor.engine import Engine
from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.model import Incident, IncidentState
from monitor.net.secret import Secret
from monitor.store import Store
from monitor.web.answers import Refusal, answers
from monitor.web.schemas import (
    Acknowledgement,
    IncidentDetail,
    IncidentPage,
    IncidentSummary,
    Resolution,
    ServiceList,
)

_LARGEST = 2**63 - 1
_bearer = HTTPBearer(auto_error=False, description="The token set as `api_token`")

Number = Annotated[int, Path(ge=1, le=_LARGEST, description="The number people say")]


def router(engine: Engine, store: Store, *, api_token: Secret | None, public_url: str) -> APIRouter:
    """Everything below `/api/v1`, but for customers' reports."""
    routes = APIRouter(prefix="/api/v1", tags=["api"])
    _reading(routes, engine, store, public_url)
    _moving(routes, engine, store, public_url, api_token)
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
    async def authorised(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> None:
        _authorise(given, api_token)

    @routes.post(
        "/incidents/{number}/acknowledge",
        summary="Take an incident on",
        responses=answers(401, 403, 404, 409, 422, 503),
        dependencies=[Depends(authorised)],
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
        dependencies=[Depends(authorised)],
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


def _authorise(given: HTTPAuthorizationCredentials | None, token: Secret | None) -> None:
    if token is None:
        raise Refusal(
            403,
            "no_token_configured",
            "Acknowledging and resolving through the API are off: set api_token (or "
            "api_token_file) in the configuration, restart, and send it as "
            "'Authorization: Bearer <token>'.",
        )
    sent = given.credentials if given is not None else ""
    if not hmac.compare_digest(sent.encode("latin-1"), token.reveal().encode()):
        raise Refusal(
            401,
            "unauthorised",
            "Send the configured api_token as 'Authorization: Bearer <token>'.",
            headers={"WWW-Authenticate": "Bearer"},
        )


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
