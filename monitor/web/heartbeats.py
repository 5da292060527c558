"""Heartbeats: calls from those who should call, such as a connector after each of its imports.

A call needs the token of a check that waits for it, or the API's where that check has none. It may
be repeated at will: only the last one counts. Calls are limited by heartbeat; wrong tokens by
address, so that they cannot be tried at will and hinder nobody else.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from monitor.clock import Clock
from monitor.engine.hearing import Hearing, expected
from monitor.model import Estate
from monitor.net.secret import Secret
from monitor.web.answers import Refusal, answers
from monitor.web.authority import Given, is_sent, switched_off, unauthorised
from monitor.web.limits import Buckets, network_of
from monitor.web.schemas import Shape

CALLS_PER_HOUR = 1200
WRONG_PER_HOUR = 60

Name = Annotated[str, Path(min_length=1, max_length=128, description="As a check names it")]
Status = Annotated[
    Literal["ok", "fail"] | None, Query(description="fail: something went wrong at the caller's")
]


class HeartbeatCall(BaseModel):
    """What a call may say; nothing at all says that all is well."""

    failed: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="What went wrong; null says that nothing did"
    )


class HeartbeatHeard(Shape):
    """A heartbeat as it was heard."""

    name: str
    heard_at: datetime
    failed: str | None = Field(description="What the caller said went wrong, null for nothing")


def router(
    hearing: Hearing | None, estate: Estate, clock: Clock, *, api_token: Secret | None
) -> APIRouter:
    """`/api/v1/heartbeats`; without a hearing there is no heartbeat that is known."""
    routes = APIRouter(prefix="/api/v1/heartbeats", tags=["heartbeats"])
    known = {} if hearing is None else _tokens(estate, api_token)
    buckets = Buckets(clock)

    def admit(name: str, given: Given, address: str) -> None:
        if name not in known:
            raise Refusal(404, "unknown_heartbeat", f"No check waits for a heartbeat {name}.")
        if not known[name]:
            raise switched_off()
        if not any(is_sent(given, token) for token in known[name]):
            _limit(buckets, f"from {network_of(address)}", WRONG_PER_HOUR)
            raise unauthorised(
                "Send the token of this heartbeat's check, or the configured api_token where it "
                "has none, as 'Authorization: Bearer <token>'."
            )
        _limit(buckets, name, CALLS_PER_HOUR)

    @routes.post(
        "/{name}", summary="Say that one is alive", responses=answers(401, 403, 404, 422, 429)
    )
    async def send_heartbeat(
        request: Request,
        name: Name,
        given: Given,
        status: Status = None,
        body: HeartbeatCall | None = None,
    ) -> HeartbeatHeard:
        """Without a body, or with what went wrong. Only the last call of a name counts."""
        admit(name, given, request.client.host if request.client is not None else "unknown")
        said = body.failed if body is not None else None
        failed = (said or "no reason given") if status == "fail" else said
        if hearing is None:
            raise Refusal(404, "unknown_heartbeat", f"No check waits for a heartbeat {name}.")
        beat = hearing.hear(name, failed)
        return HeartbeatHeard(name=name, heard_at=beat.at, failed=beat.failed)

    return routes


def _tokens(estate: Estate, api_token: Secret | None) -> dict[str, list[Secret]]:
    """By heartbeat the tokens that are believed; none where it cannot be called."""
    return {
        name: [token for each in waiting if (token := each.token or api_token) is not None]
        for name, waiting in expected(estate).items()
    }


def _limit(buckets: Buckets, key: str, per_hour: int) -> None:
    seconds = math.ceil(buckets.take((key, per_hour)))
    if seconds:
        message = f"Too many calls: try again in {seconds} s."
        raise Refusal(429, "too_many_calls", message, headers={"Retry-After": str(seconds)})
