"""How every answer is protected, and how a refusal looks.

Each answer carries headers under which a browser runs no script, loads nothing from elsewhere and
shows the page in no frame. Each refusal is JSON: `{"error": {"code", "message", "details"}}`, with
a message that says what to do about it; a browser that asks for a page gets that as one. What was
sent is never repeated, but for what a customer typed into a report: `typed` of a refusal gives that
back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as AnyHTTPException

from monitor.store import StoreError
from monitor.web.rendering import page
from monitor.web.schemas import ErrorAnswer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTECTION: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

BODY_LIMIT = 16 * 1024
REPORT_LIMIT = 128 * 1024
"""Bytes of a body; a report's texts take up to twelve bytes a character in a form, and what other
systems tell of an incident is theirs to size."""

_REPORTS = frozenset({"/report", "/api/v1/reports"})
_HOOKS = "/hooks/"

_log = structlog.get_logger(__name__)


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """An answer that says no: a status, a code for programs, a message for people.

    `typed` is what a customer had typed, where that is given back with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.typed: Mapping[str, object] | None = None


class Protected:
    """Adds the protecting headers to every answer, and bounds what a request may send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body, and complete the headers of its answer."""
        received = 0
        path = scope.get("path", "")
        long = path in _REPORTS or path.startswith(_HOOKS)
        limit = REPORT_LIMIT if long else BODY_LIMIT

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"A body may have at most {limit} bytes.")
            return message

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in PROTECTION.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, bounded, protected)


def refuse_in_json(app: FastAPI) -> None:
    """Answer every error of an application in the one shape."""
    app.exception_handler(Refusal)(_refused)
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(AnyHTTPException)(_no_such_thing)
    app.exception_handler(StoreError)(_store_failed)
    app.exception_handler(Exception)(_failed)


def answer(refusal: Refusal) -> JSONResponse:
    """A refusal as a response for programs."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.details:
        error["details"] = list(refusal.details)
    if refusal.typed is not None:
        error["typed"] = dict(refusal.typed)
    return JSONResponse({"error": error}, refusal.status, dict(refusal.headers))


def _answer(request: Request, refusal: Refusal) -> Response:
    """A refusal as a page for a browser that wants to read one, for programs otherwise."""
    if not _wants_page(request):
        return answer(refusal)
    heading = _HEADINGS.get(refusal.status, "This cannot be shown")
    text = page("refused.html", heading=heading, message=refusal.message)
    return HTMLResponse(text, refusal.status, dict(refusal.headers))


def _wants_page(request: Request) -> bool:
    """Whether a person follows a link; what is asked of the API is never answered by a page."""
    asked = request.url.path.startswith(_FOR_PROGRAMS)
    return (
        request.method == "GET" and not asked and "text/html" in request.headers.get("accept", "")
    )


async def _refused(request: Request, refusal: Refusal) -> Response:
    return _answer(request, refusal)


async def _not_understood(request: Request, error: RequestValidationError) -> Response:
    details = tuple(
        f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}"
        for mistake in error.errors()
    )
    message = "The request is incomplete or malformed: " + "; ".join(details)
    return _answer(request, Refusal(422, "invalid_request", message, details=details))


async def _no_such_thing(request: Request, error: AnyHTTPException) -> Response:
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    code = codes.get(error.status_code, "refused")
    return _answer(
        request, Refusal(error.status_code, code, str(error.detail), headers=error.headers)
    )


async def _store_failed(request: Request, error: StoreError) -> Response:
    _log.warning("store refused a request of the web", error=str(error))
    message = "The store cannot be read or written now. Probing goes on; try again shortly."
    return _answer(
        request, Refusal(503, "store_unavailable", message, headers={"Retry-After": "5"})
    )


async def _failed(request: Request, error: Exception) -> Response:
    _log.error("a request failed", exc_info=error)
    message = "The monitor failed to answer. Its log says why."
    return _answer(request, Refusal(500, "failed", message, headers=PROTECTION))


_HEADINGS = {
    404: "There is no such page",
    422: "This address is not understood",
    503: "The store cannot be read now",
}
_FOR_PROGRAMS = ("/api/", "/hooks/", "/metrics", "/healthz", "/readyz")

_MEANINGS = {
    401: "The token is missing or wrong",
    403: "No token is configured; the message says how to set one",
    404: "It is not there",
    409: "The incident does not allow it any more, or not yet; the message says why",
    422: "The request is incomplete or malformed; the message says where",
    429: "Too many; the header Retry-After says when to try again",
    503: "The store cannot be read or written now",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that an operation may give, for the schema of the API."""
    return {s: {"model": ErrorAnswer, "description": _MEANINGS[s]} for s in statuses}
