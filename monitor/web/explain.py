"""The API's answer to "why was that?": the decision on a supposed outage, explained.

It names channels, tenants and settings, so it needs the token. What is asked is read by the same
words as on the command line, and refused with every mistake at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import QueryParams

from monitor.clock import Clock
from monitor.explaining import PARTS, Mistake, Mistaken, asked, explain
from monitor.hours import Calendar
from monitor.model import Channel, Estate
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.web.answers import Refusal, answers
from monitor.web.authority import authorised
from monitor.web.explanation_shapes import ExplanationShape


def router(
    clock: Clock,
    *,
    api_token: Secret | None,
    estate: Estate,
    calendar: Calendar,
    policy: PolicySettings,
    channels: Sequence[Channel],
) -> APIRouter:
    """`GET /api/v1/explain`."""
    routes = APIRouter(prefix="/api/v1", tags=["api"])

    @routes.get(
        "/explain",
        summary="What policy would decide of a supposed outage, and what decides it",
        responses=answers(401, 403, 422),
        dependencies=[Depends(authorised(api_token))],
    )
    async def read_explanation(  # noqa: PLR0917 - each is a parameter of the query
        request: Request,
        service: Annotated[str | None, Query(description="Required: its name")] = None,
        at: Annotated[
            str | None, Query(description="ISO 8601, local without an offset; else now")
        ] = None,
        impact: Annotated[
            str | None, Query(description="all, some, degraded or unknown; else what fits")
        ] = None,
        check: Annotated[str | None, Query(description="Only this check")] = None,
        tenant: Annotated[str | None, Query(description="Only this tenant")] = None,
        group: Annotated[str | None, Query(description="Only this backend group")] = None,
        failing: Annotated[str | None, Query(description="So many of the targets")] = None,
    ) -> ExplanationShape:
        """At most one of `tenant`, `group` and `failing`."""
        del service, at, impact, check, tenant, group, failing  # declared for the schema
        words = request.query_params
        try:
            _refuse_repeated(words)
            question = asked(words, estate, calendar, clock.wall())
            found = explain(question, estate, calendar, policy, channels)
        except Mistaken as error:
            raise _refused(error) from None
        return ExplanationShape.of(found)

    return routes


def _refuse_repeated(words: QueryParams) -> None:
    repeated = [part for part in PARTS if len(words.getlist(part)) > 1]
    if repeated:
        message = "is given twice: leave one of them out"
        raise Mistaken([Mistake(part, message) for part in repeated])


def _refused(error: Mistaken) -> Refusal:
    details = tuple(f"{mistake.part}: {mistake.message}" for mistake in error.mistakes)
    return Refusal(422, "invalid_request", "; ".join(details), details=details)
