"""What a person does on the page of an incident: signs in, acts, signs out.

An action needs the session that was begun with the API's token, and the mark of that session on
the form: a page of somebody else can make a browser send a form, but does not know the mark, and
the browser says whose page it was. What is refused is said on the page, and nothing was changed.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ValidationError

from monitor.clock import Clock
from monitor.model import Incident
from monitor.web.answers import Refusal
from monitor.web.authority import switched_off
from monitor.web.forms import field, form_fields, from_our_page
from monitor.web.incident_page import IncidentPage
from monitor.web.limits import Buckets, network_of
from monitor.web.moves import Moves
from monitor.web.orders import Act, Note, SilenceOrder
from monitor.web.sessions import Session, Sessions, is_marked

SIGN_INS_PER_HOUR = 60

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
Fields = Mapping[str, str]
Order = TypeVar("Order", bound=BaseModel)
MoveFn = Callable[[Moves, int, Fields], Awaitable[Incident]]


async def _acknowledge(moves: Moves, number: int, said: Fields) -> Incident:
    return await moves.acknowledge(number, _order(Act, said).by)


async def _note(moves: Moves, number: int, said: Fields) -> Incident:
    order = _order(Note, said, "text")
    return await moves.note(number, order.by, order.text)


async def _silence(moves: Moves, number: int, said: Fields) -> Incident:
    order = _order(SilenceOrder, said, "reason", "minutes")
    return await moves.silence(number, order.by, order.reason, order.minutes)


async def _end_silence(moves: Moves, number: int, said: Fields) -> Incident:
    return await moves.end_silence(number, _order(Act, said).by)


async def _resolve(moves: Moves, number: int, said: Fields) -> Incident:
    return await moves.resolve(number, _order(Act, said).by)


async def _false_alarm(moves: Moves, number: int, said: Fields) -> Incident:
    return await moves.resolve(number, _order(Act, said).by, false_alarm=True)


MOVES: Mapping[str, MoveFn] = {
    "acknowledge": _acknowledge,
    "note": _note,
    "silence": _silence,
    "unsilence": _end_silence,
    "resolve": _resolve,
    "false-alarm": _false_alarm,
}
"""What the forms of a page do, by the last part of where they are sent."""


def router(moves: Moves, page: IncidentPage, clock: Clock, *, public_url: str) -> APIRouter:
    """`/session` and what is sent to `/incidents/{number}/...`."""
    routes = APIRouter(include_in_schema=False)
    tries = Buckets(clock)

    @routes.post("/session")
    async def sign_in(request: Request) -> Response:
        from_our_page(request, public_url)
        sessions = _needed(page.sessions)
        fields = await form_fields(request)
        number = _number(fields)
        try:
            _limit(tries, request)
            _admit(sessions, field(fields, "token"))
            by = _order(Act, {"by": field(fields, "by")}).by
        except Refusal as refusal:
            return await page.answer(number, None, refusal=refusal)
        answer = _to_page(number)
        sessions.begin(by, answer)
        return answer

    @routes.post("/session/end")
    async def sign_out(request: Request) -> Response:
        from_our_page(request, public_url)
        sessions = _needed(page.sessions)
        answer = _to_page(_number(await form_fields(request)))
        sessions.end(answer)
        return answer

    @routes.post("/incidents/{number}/{move}")
    async def act(request: Request, number: Number, move: str) -> Response:
        if move not in MOVES:
            raise Refusal(404, "not_found", "There is no such form.")
        from_our_page(request, public_url)
        session = _needed(page.sessions).of(request)
        fields = await form_fields(request)
        try:
            said = {name: field(fields, name) for name in fields}
            await MOVES[move](moves, number, said | {"by": _signed_in(session, said).name})
        except Refusal as refusal:
            return await page.answer(number, session, refusal=refusal)
        return _to_page(number)

    return routes


def _signed_in(session: Session | None, said: Fields) -> Session:
    if session is None:
        raise Refusal(401, "not_signed_in", "You are not signed in, or no longer: sign in first.")
    if not is_marked(session, said.get("mark", "")):
        message = "This form is not of your session: send it again from this page."
        raise Refusal(403, "foreign_form", message)
    return session


def _admit(sessions: Sessions, token: str) -> None:
    if not sessions.opens(token):
        raise Refusal(401, "unauthorised", "This is not the API token.")


def _needed(sessions: Sessions | None) -> Sessions:
    if sessions is None:
        raise switched_off()
    return sessions


def _order(kind: type[Order], said: Fields, *names: str) -> Order:
    """What was typed into a form. Raises `Refusal` that names what is mistaken."""
    try:
        return kind.model_validate({name: said.get(name, "") for name in ("by", *names)})
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise Refusal(422, "invalid_request", f"{wrong}.") from None


def _number(fields: Mapping[str, list[str]]) -> int:
    text = field(fields, "incident")
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        raise Refusal(422, "invalid_request", "incident: send the number of an incident.")
    return int(text)


def _limit(tries: Buckets, request: Request) -> None:
    address = request.client.host if request.client is not None else "unknown"
    seconds = math.ceil(tries.take((f"from {network_of(address)}", SIGN_INS_PER_HOUR)))
    if seconds:
        message = f"Too many tries: sign in again in {seconds} s."
        raise Refusal(429, "too_many_tries", message, headers={"Retry-After": str(seconds)})


def _to_page(number: int) -> RedirectResponse:
    return RedirectResponse(f"/incidents/{number}", 303)
