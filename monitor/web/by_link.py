"""The page behind the link that a notice carries: it acknowledges one incident.

Mail scanners fetch every link of a message. So to open it shows the incident and a form, and
changes nothing; only what the form sends acknowledges, in the name that was typed. The link is all
that is needed, so nothing that a browser adds by itself counts here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from monitor.clock import Clock
from monitor.incident import to_acknowledge
from monitor.model import Incident, Priority
from monitor.net.links import Fault, Links
from monitor.store import Store
from monitor.web.answers import Refusal
from monitor.web.forms import FORM_HEADERS, field, form_fields, from_our_page
from monitor.web.moves import Moves, taken
from monitor.web.orders import Acknowledgement
from monitor.web.rendering import templates

Token = Annotated[str, Path(min_length=1, max_length=300)]


def router(
    moves: Moves, store: Store, clock: Clock, links: Links | None, *, public_url: str
) -> APIRouter:
    """`/acknowledge/{token}`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/acknowledge/{token}")
    async def read_link(token: Token) -> Response:
        try:
            return _form(token, await _meant(store, links, token, clock.wall()))
        except Refusal as refusal:
            return _refused(refusal)

    @routes.post("/acknowledge/{token}")
    async def acknowledge(request: Request, token: Token) -> Response:
        from_our_page(request, public_url)
        try:
            incident = await _meant(store, links, token, clock.wall())
            by = _name(field(await form_fields(request), "by"))
            if isinstance(by, Refusal):
                return _form(token, incident, by)
            await moves.acknowledge(incident.number, by)
        except Refusal as refusal:
            return _refused(refusal)
        return _page(_heading(incident), 200, done=by)

    return routes


async def _meant(store: Store, links: Links | None, token: str, at: datetime) -> Incident:
    """The incident of a link, if it can be acknowledged. Raises `Refusal`."""
    if links is None:
        raise Refusal(404, "no_links", "There are no such links here: no link_key is configured.")
    id_ = links.incident_id(token, at)
    if id_ is Fault.EXPIRED:
        message = "This link has expired. Use that of a newer message."
        raise Refusal(410, "expired_link", message)
    found = [] if id_ is Fault.WRONG else await store.named_incidents([id_])
    if not found:
        message = "This link is not valid. Copy it whole, or use that of a newer message."
        raise Refusal(404, "wrong_link", message)
    (incident,) = found
    if not to_acknowledge(incident):
        raise taken(incident)
    return incident


def _form(token: str, incident: Incident, refusal: Refusal | None = None) -> Response:
    status, why = (200, "") if refusal is None else (refusal.status, refusal.message)
    return _page(_heading(incident), status, token=token, incident=incident, refusal=why)


def _refused(refusal: Refusal) -> Response:
    return _page("This link acknowledges nothing", refusal.status, refusal=refusal.message)


def _page(
    heading: str,
    status: int,
    *,
    token: str = "",
    incident: Incident | None = None,
    done: str | None = None,
    refusal: str = "",
) -> Response:
    drawn = templates().get_template("acknowledge.html")
    page = drawn.render(heading=heading, token=token, incident=incident, done=done, refusal=refusal)
    return HTMLResponse(page, status, dict(FORM_HEADERS))


def _heading(incident: Incident) -> str:
    critical = "CRITICAL " if incident.priority is Priority.CRITICAL else ""
    return f"#{incident.number} {critical}{incident.title}"


def _name(typed: str) -> str | Refusal:
    try:
        return Acknowledgement(by=typed).by
    except ValidationError:
        message = "Type your name, on one line of at most 100 characters."
        return Refusal(422, "no_name", message)
