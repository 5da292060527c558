"""What people do with our incidents in PagerDuty, told to us by its V3 webhooks.

The body is signed: `X-PagerDuty-Signature` holds one or more `v1=` and the HMAC-SHA256 of the raw
body, several while a secret is changed over there. Only what is signed is read.

An event names the alert that we began, by its `incident_key`: our `dedup_key`. What is done to it
is done to every incident that is told of in that alert.

    incident.acknowledged     the person acknowledges each that waits for one
    incident.resolved         the person resolves each; where the probes still see it fail it stays
                              open, and its timeline says so
    incident.annotated        a note on each. It does not name the alert but PagerDuty's incident,
                              which any event before it, such as incident.triggered, did
    incident.unacknowledged   a note on each
    anything else             nothing, as is what was done by no person: we did that ourselves, or
                              PagerDuty's timers or merging did

Whatever is signed is answered with 2xx, for PagerDuty would send it again and in the end give us
up; but for a store that cannot be used, where to send it again helps. An event that comes again is
known by its id. One of long ago, to an incident that asked for a person anew since, is ignored.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from monitor.incident import to_accept, to_acknowledge
from monitor.model import Incident
from monitor.net.secret import Secret
from monitor.store import Store, StoreError
from monitor.web.answers import Refusal, answers
from monitor.web.moves import Moves
from monitor.web.orders import NOTE_MOST

_KEPT = 2000
_NAME_MOST = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_NOTE_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_SIGNATURES_MOST = 10

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as far as it matters: `key` is "" where it names no alert of ours itself.

    `theirs` is what PagerDuty calls the incident. `by` is the person who did it, "" for no person.
    `merged` says that it was resolved for being part of another.
    """

    id: str
    kind: str
    at: datetime | None
    by: str
    key: str
    theirs: str
    text: str
    merged: bool


class _Remembered(OrderedDict[str, str]):
    """The last few thousand; the oldest is forgotten first."""

    def keep(self, key: str, value: str) -> None:
        self[key] = value
        self.move_to_end(key)
        while len(self) > _KEPT:
            self.popitem(last=False)


class Hook:
    """Does to our incidents what is done in PagerDuty."""

    def __init__(self, moves: Moves, store: Store) -> None:
        self._moves = moves
        self._store = store
        self._seen = _Remembered()
        self._keys = _Remembered()

    async def take(self, event: Event) -> str:
        """Do what an event asks for; what came of it, in a word."""
        if event.key and event.theirs:
            self._keys.keep(event.theirs, event.key)
        act = _ACTS.get(event.kind)
        if act is None or not event.by or event.merged:
            return "ignored"
        if event.id in self._seen:
            return "repeated"
        self._seen.keep(event.id, event.kind)
        try:
            incidents = await self._told_of(event.key or self._keys.get(event.theirs, ""))
            for incident in incidents:
                await act(self._moves, incident, event)
        except StoreError:
            del self._seen[event.id]
            raise
        return "taken" if incidents else "unknown"

    async def _told_of(self, key: str) -> Sequence[Incident]:
        """The incidents that are told of in an alert of ours, its own last.

        A guest that is resolved before its host needs no alert of its own.
        """
        instance, _, alert = key.rpartition(":")
        id_ = alert.partition(".")[0]
        if instance != self._store.instance:
            return ()
        own = await self._store.named_incidents([id_])
        guests = [i for i in await self._store.open_incidents() if i.paged_with == id_]
        return (*guests, *own)


async def _acknowledge(moves: Moves, incident: Incident, event: Event) -> None:
    if to_acknowledge(incident) and not _before_asked(incident, event.at):
        await _tried(moves.acknowledge(incident.number, event.by))


async def _resolve(moves: Moves, incident: Incident, event: Event) -> None:
    if incident.resolved_at is not None:
        return
    refusal = await _tried(moves.resolve(incident.number, event.by))
    if refusal is not None and refusal.code == "still_failing":
        text = "Resolved in PagerDuty, but the probes still see it fail: it stays open here."
        await _tried(moves.note(incident.number, event.by, text))


async def _annotate(moves: Moves, incident: Incident, event: Event) -> None:
    if event.text:
        await _tried(moves.note(incident.number, event.by, event.text))


async def _unacknowledge(moves: Moves, incident: Incident, event: Event) -> None:
    text = "Given back in PagerDuty, which asks the next person there."
    await _tried(moves.note(incident.number, event.by, text))


ActFn = Callable[[Moves, Incident, Event], Awaitable[None]]

_ACTS: Mapping[str, ActFn] = {
    "incident.acknowledged": _acknowledge,
    "incident.resolved": _resolve,
    "incident.annotated": _annotate,
    "incident.unacknowledged": _unacknowledge,
}


async def _tried(move: Awaitable[Incident]) -> Refusal | None:
    """Why a move was refused, as when a person was quicker here; None when it was made."""
    try:
        await move
    except Refusal as refusal:
        return refusal
    return None


def _before_asked(incident: Incident, at: datetime | None) -> bool:
    """Whether an acknowledgement is older than what an incident still asks a person for."""
    asked = [each.reported_at for each in incident.reports if each.answered_at is None]
    if incident.handover is not None and to_accept(incident):
        asked.append(incident.handover.closed_at)
    taken = incident.acknowledged_at is not None
    return taken and at is not None and any(at < each for each in asked)


# --------------------------------------------------------------------------- the wire


def router(moves: Moves, store: Store, secrets: Mapping[str, Secret]) -> APIRouter:
    """`/hooks/pagerduty/{channel}`; `secrets` by channel."""
    routes = APIRouter(prefix="/hooks/pagerduty", tags=["hooks"])
    hooks = {channel: Hook(moves, store) for channel in secrets}

    @routes.post(
        "/{channel}",
        status_code=202,
        summary="Tell what was done in PagerDuty",
        responses=answers(401, 404, 422, 503),
    )
    async def receive(request: Request, channel: str) -> Response:
        """Signed by the secret of the channel's webhook subscription."""
        if channel not in hooks:
            message = "No webhook is expected here: configure hooks for this channel."
            raise Refusal(404, "unknown_hook", message)
        body = await request.body()
        if not is_signed(body, request.headers.get("x-pagerduty-signature", ""), secrets[channel]):
            message = "The signature is missing or wrong: set the webhook's secret for the channel."
            raise Refusal(401, "wrong_signature", message)
        event = event_of(body)
        came = await hooks[channel].take(event)
        _log.info("told by pagerduty", channel=channel, kind=event.kind, id=event.id, came=came)
        return Response(status_code=202)

    return routes


def is_signed(body: bytes, header: str, secret: Secret) -> bool:
    """Whether one of the signatures of a header is ours, each compared in constant time."""
    ours = "v1=" + hmac.digest(secret.reveal().encode(), body, hashlib.sha256).hex()
    given = [each.strip() for each in header.split(",", _SIGNATURES_MOST)[:_SIGNATURES_MOST]]
    matches = [hmac.compare_digest(each.encode(), ours.encode()) for each in given]
    return any(matches)


def event_of(body: bytes) -> Event:
    """The event that a webhook carries. Raises `Refusal` for what is none."""
    try:
        event = _mapping(json.loads(body)["event"])
        return _event(event, _mapping(event.get("data")))
    except (ValueError, KeyError, TypeError, RecursionError):
        message = "The body must be one event of a V3 webhook, as JSON."
        raise Refusal(422, "invalid_request", message) from None


def _event(event: Mapping[str, Any], data: Mapping[str, Any]) -> Event:
    agent, incident = _mapping(event.get("agent")), _mapping(data.get("incident"))
    is_note = data.get("type") == "incident_note"
    reason = _mapping(data.get("resolve_reason"))
    return Event(
        id=str(event["id"])[:200],
        kind=str(event["event_type"])[:100],
        at=_instant(event.get("occurred_at")),
        by=_person(agent),
        key=_text(data.get("incident_key"))[:255],
        theirs=_text(incident.get("id") if is_note else data.get("id"))[:100],
        text=_NOTE_CONTROL.sub(" ", _text(data.get("content"))).strip()[:NOTE_MOST],
        merged=reason.get("type") == "merge_resolve_reason",
    )


def _person(agent: Mapping[str, Any]) -> str:
    """The person who did it, as our timelines name him; "" when it was none."""
    if agent.get("type") not in {"user_reference", "user"}:
        return ""
    via = " via PagerDuty"
    name = _CONTROL.sub(" ", _text(agent.get("summary"))).strip()[: _NAME_MOST - len(via)]
    return f"{name or 'Somebody'}{via}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A text of JSON, without halves of characters, which cannot be stored."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
