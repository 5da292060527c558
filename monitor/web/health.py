"""What watches the monitor reads: figures, whether it lives, whether it can be relied on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.engine import Engine
from monitor.metrics import Metrics
from monitor.web.answers import Refusal
from monitor.web.schemas import ErrorAnswer, Health
from monitor.web.scraping import Scrapes, form_of

_UNWELL: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "Not so; the message says why"}
}


def router(engine: Engine, metrics: Metrics, not_ready: Callable[[], Sequence[str]]) -> APIRouter:
    """`/metrics`, `/healthz` and `/readyz`; `not_ready` are the reasons that the last one gives."""
    routes = APIRouter(tags=["health"])
    scrapes = Scrapes(metrics)

    @routes.get("/metrics", response_class=Response, summary="Every series, for Prometheus")
    async def read_metrics(request: Request) -> Response:
        """The text format, or OpenMetrics when Accept asks for it; gzip by Accept-Encoding."""
        asked = [request.headers.getlist(name) for name in ("accept", "accept-encoding")]
        return await scrapes.answer(form_of(*asked))

    @routes.get("/healthz", responses=_UNWELL, summary="Whether the process is alive")
    async def read_health() -> Health:
        """503 when the process should be restarted."""
        stalled = engine.stalled()
        if stalled is not None:
            raise Refusal(503, "stalled", stalled)
        return Health(status="alive")

    @routes.get("/readyz", responses=_UNWELL, summary="Whether the monitor can be relied on")
    async def read_readiness() -> Health:
        """503 with every reason why it cannot be relied on now."""
        reasons = tuple(not_ready())
        if reasons:
            raise Refusal(503, "not_ready", "; ".join(reasons), details=reasons)
        return Health(status="ready")

    return routes
