"""The API's answer to "how has it been?": what the checks of a service, or one cell, saw over time.

Open to whoever reaches the port, as the present state is: names, counts and times, no evidence.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, Field

from monitor.clock import Clock
from monitor.model import CellKey, Estate
from monitor.store import Store
from monitor.web.answers import Refusal, answers
from monitor.web.beside import in_thread
from monitor.web.schemas import PhasesShape, Shape

POINTS = 500
"""Of each check, at most."""

_DAY = timedelta(days=1)
_HOUR = 3600

Since = Annotated[
    AwareDatetime | None, Query(description="ISO 8601 with an offset; else a day before `until`")
]
Until = Annotated[AwareDatetime | None, Query(description="ISO 8601 with an offset; else now")]
Name = Annotated[str, Path(description="Its name in the configuration")]


class PointShape(Shape):
    """The results observed in the `width` seconds from `since`, by outcome."""

    since: datetime
    width: float = Field(description="Seconds; more than was asked for where less is kept")
    passed: int
    failed: int
    blocked: int
    maintenance: int
    invalid: int
    phases: PhasesShape = Field(description="Mean of the PASSes that reached each phase")
    slowest: float | None = Field(description="Seconds of the longest PASS; null without any")


class CellHistoryShape(Shape):
    """A cell over time; spans without results are left out."""

    service: str
    check: str
    target: str
    vantage: str
    since: datetime
    until: datetime
    points: list[PointShape]


class ServiceHistoryShape(Shape):
    """The checks of a service over time, each over all its cells; spans without results left out.

    PASSes before `cut_before` were deleted for want of room; their sums are kept.
    """

    service: str
    since: datetime
    until: datetime
    cut_before: datetime | None
    checks: dict[str, list[PointShape]]


def router(store: Store, clock: Clock, estate: Estate) -> APIRouter:
    """`GET /api/v1/services/{name}/history`, and of a cell below it."""
    routes = APIRouter(prefix="/api/v1/services", tags=["api"])
    services = frozenset(service.name for service in estate.services)

    @routes.get(
        "/{name}/history",
        summary="What the checks of a service saw over time",
        response_model=ServiceHistoryShape,
        responses=answers(404, 422, 503),
    )
    async def read_history(
        name: Name,
        since: Since = None,
        until: Until = None,
        width: Annotated[float, Query(description="Seconds of a point: a multiple of 60")] = 300,
    ) -> Response:
        """At most 500 points of each check. Minutes go back 7 days, hours 90, days 400."""
        begin, end = _stretch(name, services, clock, since, until, width)
        try:
            found = await store.check_history(name, begin, end, width)
        except ValueError as error:
            raise _refused(error) from None
        told = {
            "service": name,
            "since": begin,
            "until": end,
            "cut_before": (await store.history()).pass_cut_at,
            "checks": found,
        }
        return await in_thread(ServiceHistoryShape.model_validate, told)

    @routes.get(
        "/{name}/cells/{check}/{target}/{vantage}/history",
        summary="What one cell saw over time",
        responses=answers(404, 422, 503),
    )
    async def read_cell_history(  # noqa: PLR0917 - each is a parameter of the request
        name: Name,
        check: Name,
        target: Name,
        vantage: Name,
        since: Since = None,
        until: Until = None,
        width: Annotated[
            float, Query(description="Seconds of a point: a multiple of 3600")
        ] = _HOUR,
    ) -> CellHistoryShape:
        """At most 500 points. Hours go back 90 days, days 400."""
        begin, end = _stretch(name, services, clock, since, until, width)
        key = CellKey(name, check, target, vantage)
        try:
            found = await store.cell_history(key, begin, end, width)
        except ValueError as error:
            raise _refused(error) from None
        named = key._asdict() | {"since": begin, "until": end}
        return CellHistoryShape.model_validate(named | {"points": found})

    return routes


def _stretch(  # noqa: PLR0917 - what was asked, and what of it is known
    name: str,
    services: frozenset[str],
    clock: Clock,
    since: datetime | None,
    until: datetime | None,
    width: float,
) -> tuple[datetime, datetime]:
    """From and until when it is asked. Raises Refusal for what is none, or is too much."""
    if name not in services:
        message = "There is no such service: GET /api/v1/services names them."
        raise Refusal(404, "unknown_service", message)
    end = until or clock.wall()
    begin = since or end - _DAY
    if begin >= end:
        raise Refusal(422, "invalid_request", "since is not before until: give an earlier one.")
    seconds = (end - begin).total_seconds()
    if not width > 0 or seconds / width > POINTS:
        least = math.ceil(seconds / POINTS / 60) * 60
        message = f"That is more than {POINTS} points: give a width of at least {least}."
        raise Refusal(422, "too_many_points", message)
    return begin, end


def _refused(error: ValueError) -> Refusal:
    return Refusal(422, "invalid_request", f"{error}.")
