"""Customers' reports: an API, a form, and a status page for whoever has the reference.

These pages are for customers. They show what their reader reported and what he was told, and
nothing else: no incident, no other customer, no way to the monitor's own pages.

No cookie and no other credential that a browser adds by itself is used here: a token is typed into
the form each time. A page of somebody else can make a browser send the form, but nothing that its
author could not send himself; so there is no token against forgery.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from monitor.clock import Clock
from monitor.engine.reference import as_written
from monitor.judge.accounts import NONE_SHOWN, Typed
from monitor.model import Report
from monitor.store import Store
from monitor.web.answers import Refusal, answers
from monitor.web.forms import FORM_HEADERS, form_fields
from monitor.web.intake import Intake, Sent
from monitor.web.rendering import templates
from monitor.web.schemas import ReportBody, ReportShape

Reference = Annotated[str, Path(min_length=1, max_length=40, description="As it was given out")]

_PARTS = {
    "services": ("services", list),
    "start_time": ("start time", str),
    "error_messages": ("error messages", str),
    "what_happened_instead": ("what happened instead", str),
    "all_users": ("all users", bool),
    "contact": ("contact", str),
}
"""What a report is made of: how people call it, and how JSON gives it."""

_KINDS = {list: "a list of names", str: "a text", bool: "true or false"}
_YES_OR_NO = {"yes": True, "no": False}


def api(intake: Intake, store: Store, *, public_url: str) -> APIRouter:
    """`/api/v1/reports`."""
    routes = APIRouter(prefix="/api/v1/reports", tags=["reports"])

    @routes.post(
        "",
        status_code=201,
        summary="Report an incident",
        responses=answers(401, 422, 429, 503),
        openapi_extra={"requestBody": _body_schema()},
    )
    async def send_report(
        request: Request, idempotency_key: Annotated[str | None, Header()] = None
    ) -> ReportShape:
        """With a tenant's token as bearer token, or without one.

        Answers once it is stored. A repetition with the same Idempotency-Key by the same tenant is
        answered with the first report. A refusal names each thing that is missing, and repeats
        what was sent under `typed`.
        """
        body = await _json_body(request)
        typed, mistakes = _typed_of(body)
        sent = Sent(typed, _bearer(request), _address(request), idempotency_key, mistakes)
        try:
            report = await intake.take(sent)
        except Refusal as refusal:
            refusal.typed = {key: body[key] for key in _PARTS if key in body}
            raise
        return ReportShape.of(report, public_url)

    @routes.get("/{reference}", summary="How a report stands", responses=answers(404, 422, 503))
    async def read_report(reference: Reference) -> ReportShape:
        """To whoever has the reference."""
        report = await store.report(as_written(reference))
        if report is None:
            raise Refusal(404, "unknown_report", "There is no report of this reference.")
        return ReportShape.of(report, public_url)

    return routes


def pages(intake: Intake, store: Store, clock: Clock) -> APIRouter:
    """`/report` and `/reports/{reference}`."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)
    drawn = templates()

    def form(typed: Typed, refusal: Refusal | None = None) -> Response:
        page = drawn.get_template("report.html").render(
            typed=typed,
            services=intake.services,
            anonymous=intake.anonymous,
            none_shown=NONE_SHOWN,
            mistakes=() if refusal is None else refusal.details or (refusal.message,),
        )
        status, more = (200, {}) if refusal is None else (refusal.status, dict(refusal.headers))
        return HTMLResponse(page, status, {**FORM_HEADERS, **more})

    @routes.get("/report")
    async def read_form() -> Response:
        return form(Typed())

    @routes.post("/report")
    async def send_form(request: Request) -> Response:
        fields = await form_fields(request)
        typed = _typed_in(fields)
        token = fields.get("token", [""])[0].strip().encode() or None
        try:
            report = await intake.take(Sent(typed, token, _address(request)))
        except Refusal as refusal:
            return form(typed, refusal)
        return RedirectResponse(f"/reports/{report.reference}", 303, dict(FORM_HEADERS))

    @routes.get("/reports/{reference}")
    async def read_status(reference: Reference) -> Response:
        report = await store.report(as_written(reference))
        page = drawn.get_template("report_status.html").render(
            report=report, services=_titles(report, intake.services), at=clock.wall()
        )
        return HTMLResponse(page, 404 if report is None else 200)

    return routes


def _titles(report: Report | None, services: Mapping[str, str]) -> list[str]:
    return [] if report is None else [services.get(name, name) for name in report.services]


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


# --------------------------------------------------------------------------- JSON


def _body_schema() -> dict[str, Any]:
    schema = ReportBody.model_json_schema()
    return {"required": True, "content": {"application/json": {"schema": schema}}}


async def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
        # What could not be stored is half of a character; it is refused before it is read.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(422, "invalid_request", "The body must be JSON, in UTF-8.") from None
    if not isinstance(body, dict):
        raise Refusal(422, "invalid_request", "The body must be a JSON object.")
    return body


def _typed_of(body: Mapping[str, Any]) -> tuple[Typed, tuple[str, ...]]:
    """What JSON gives, and what in it is of the wrong kind or not known."""
    mistakes = [
        f"`{key[:60]}` is not known: a report has {', '.join(_PARTS)}"
        for key in body
        if key not in _PARTS
    ]
    given: dict[str, Any] = {}
    for key, (part, kind) in _PARTS.items():
        value = body.get(key)
        if value is None:
            continue
        if _is_of(value, kind):
            given[key] = value
        else:
            mistakes.append(f"`{part}` must be {_KINDS[kind]}")
    typed = Typed(
        services=tuple(given.get("services", ())),
        started=given.get("start_time", ""),
        errors=given.get("error_messages", ""),
        instead=given.get("what_happened_instead", ""),
        all_users=given.get("all_users"),
        contact=given.get("contact", ""),
    )
    return typed, tuple(mistakes)


def _is_of(value: object, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, kind)


def _bearer(request: Request) -> bytes | None:
    """The token that was sent; an empty or malformed one is a wrong one, not none."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip().encode("latin-1") if scheme.lower() == "bearer" else b""


# --------------------------------------------------------------------------- the form


def _typed_in(fields: Mapping[str, list[str]]) -> Typed:
    def text(key: str) -> str:
        return fields.get(key, [""])[0]

    return Typed(
        services=tuple(fields.get("services", ())),
        started=text("start_time"),
        errors=text("error_messages"),
        instead=text("what_happened_instead"),
        all_users=_YES_OR_NO.get(text("all_users")),
        contact=text("contact"),
    )
