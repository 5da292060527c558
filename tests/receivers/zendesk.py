"""A Zendesk account on loopback: keeps tickets, refuses what the real one refuses.

A ticket made under an `Idempotency-Key` is given again for the same key and body, for two hours;
the same key with another body is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.http_server import Reply, Request
from tests.receivers.tracker import RefusedError, Tracker, document, reply, route, tracking, unknown

KEPT_SECONDS = 7200
STATUSES = ["new", "open", "pending", "hold", "solved", "closed"]
PRIORITIES = ["urgent", "high", "normal", "low"]
FIELDS = "subject comment status priority tags external_id requester via_followup_source_id"
FIELDS += " assignee_email"


def refused(code: int, error: str, description: str, **details: str) -> RefusedError:
    said: dict[str, Any] = {"error": error, "description": description}
    more = {name: [{"description": text}] for name, text in details.items()}
    return RefusedError(reply(code, said | ({"details": more} if more else {})))


def invalid(**details: str) -> RefusedError:
    return refused(422, "RecordInvalid", "Record validation errors", **details)


@dataclass
class Ticket:
    id: int
    fields: dict[str, Any]
    made_at: datetime
    status: str = "new"
    assignee: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "assignee_id": None if self.assignee is None else 7,
            "created_at": self.made_at.astimezone(UTC).isoformat(timespec="seconds"),
            **self.fields,
        }


@dataclass(frozen=True)
class Kept:
    body: bytes
    ticket: Ticket
    at: datetime


@dataclass
class Account:
    """`lists_after` is how many lookups by `external_id` a new ticket stays out of.

    A `deaf` one lists every ticket, whatever it is asked for.
    """

    login: str
    now: Callable[[], datetime]
    lists_after: int = 0
    conflicts: int = 0
    deaf: bool = False
    tickets: dict[int, Ticket] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)
    unseen: dict[int, int] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """Raises `RefusedError`."""
        expected = "Basic " + base64.b64encode(self.login.encode()).decode()
        if request.header("authorization") != expected:
            raise RefusedError(reply(401, {"error": "Couldn't authenticate you"}))
        if request.header("accept") != "application/json":
            raise refused(406, "NotAcceptable", "Accept must be application/json")
        method, parts, query = route(request)
        match method, parts:
            case "GET", ["api", "v2", "tickets.json"]:
                return self._listed(query)
            case "POST", ["api", "v2", "tickets.json"]:
                return self._made(request)
            case "GET", ["api", "v2", "tickets", number, "comments.json"]:
                return self._comments(self._ticket(number), query)
            case "GET", ["api", "v2", "tickets", number]:
                return reply(200, {"ticket": self._ticket(number).document()})
            case "PUT", ["api", "v2", "tickets", number]:
                return self._changed(self._ticket(number), request)
        raise refused(404, "InvalidEndpoint", "Not found")

    def _ticket(self, number: str) -> Ticket:
        plain = number.removesuffix(".json")
        if not plain.isdecimal() or int(plain) not in self.tickets:
            raise refused(404, "RecordNotFound", "Not found")
        return self.tickets[int(plain)]

    def _listed(self, query: dict[str, str]) -> Reply:
        assert unknown(query, "external_id") == []
        found = []
        for ticket in self.tickets.values():
            left = self.unseen.get(ticket.id, 0)
            self.unseen[ticket.id] = max(0, left - 1)
            asked_for = ticket.fields.get("external_id") == query["external_id"]
            if left == 0 and (self.deaf or asked_for):
                found.append(ticket.document())
        return reply(200, {"tickets": found, "next_page": None, "count": len(found)})

    def _made(self, request: Request) -> Reply:
        said, key = _said(request), request.header("idempotency-key") or ""
        if len(key) > 255:
            raise refused(400, "IdempotentRequestError", "The idempotency key is too long")
        kept = self.kept.get(key)
        if kept is not None and (self.now() - kept.at).total_seconds() < KEPT_SECONDS:
            if kept.body != request.body:
                raise refused(
                    400,
                    "IdempotentRequestError",
                    "Request parameters don't match the given idempotency key",
                )
            self.lookups.append("hit")
            return self._answered(kept.ticket, "hit")
        ticket = self._new(said)
        if key:
            self.kept[key] = Kept(request.body, ticket, self.now())
        self.lookups.append("miss")
        return self._answered(ticket, "miss")

    def _answered(self, ticket: Ticket, lookup: str) -> Reply:
        said = {"ticket": ticket.document()}
        return reply(201, said, (("x-idempotency-lookup", lookup),))

    def _new(self, said: dict[str, Any]) -> Ticket:
        fields = _checked(said)
        if "comment" not in fields:
            raise invalid(base="Description: cannot be blank")
        source = fields.get("via_followup_source_id")
        if source is not None and self._ticket(str(source)).status != "closed":
            raise invalid(via_followup_source_id="Source ticket must be closed")
        number = len(self.tickets) + 1
        ticket = Ticket(number, {}, self.now())
        _apply(ticket, fields)
        self.tickets[number], self.unseen[number] = ticket, self.lists_after
        return ticket

    def _changed(self, ticket: Ticket, request: Request) -> Reply:
        if self.conflicts:
            self.conflicts -= 1
            raise refused(409, "UpdateConflict", "Safe Update prevented the update")
        if ticket.status == "closed":
            raise invalid(status="Status: closed prevents ticket update")
        _apply(ticket, _checked(_said(request)))
        return reply(200, {"ticket": ticket.document()})

    def _comments(self, ticket: Ticket, query: dict[str, str]) -> Reply:
        assert unknown(query, "sort_order per_page page") == []
        most, page = min(int(query["per_page"]), 100), int(query["page"])
        ordered = ticket.comments[:: -1 if query["sort_order"] == "desc" else 1]
        more = len(ordered) > page * most
        shown = ordered[(page - 1) * most : page * most]
        return reply(200, {"comments": shown, "next_page": "next" if more else None})


def _said(request: Request) -> dict[str, Any]:
    return document(request, lambda why: refused(400, "BadRequest", why))


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    """The fields of a ticket. The real one ignores unknown ones, which would hide a mistake."""
    fields = said.get("ticket")
    if set(said) != {"ticket"} or not isinstance(fields, dict) or unknown(fields, FIELDS):
        raise refused(400, "BadRequest", f"unknown fields: {sorted(fields or said)}")
    comment, requester = fields.get("comment", {"body": "-"}), fields.get("requester")
    if unknown(comment, "body public"):
        raise refused(400, "BadRequest", "unknown fields of a comment")
    if not comment["body"].strip() or len(comment["body"].encode()) > 65_535:
        raise invalid(comment="Comment: is blank or too long (maximum is 65535 bytes)")
    if "{{" in comment["body"] + fields.get("subject", ""):
        raise invalid(comment="Comment: holds a placeholder")
    if not 0 < len(fields.get("subject", "-")) <= 150 or "\n" in fields.get("subject", ""):
        raise invalid(subject="Subject: is blank or too long (maximum is 150 characters)")
    if fields.get("status", "new") not in STATUSES:
        raise invalid(status="Status: is invalid")
    if fields.get("priority", "low") not in PRIORITIES:
        raise invalid(priority="Priority: is invalid")
    if any(re.search(r"[\s,]", tag) for tag in fields.get("tags", [])):
        raise invalid(tags="Tags: contain special characters")
    if requester is not None and set(requester) != {"name", "email"}:
        raise invalid(requester="Requester: Name: is too short (minimum is 1 characters)")
    return fields


def _apply(ticket: Ticket, fields: dict[str, Any]) -> None:
    changes = dict(fields)
    assignee = changes.pop("assignee_email", ticket.assignee)
    if changes.get("status") == "solved" and assignee is None:
        raise invalid(base="Assignee: is required when solving a ticket")
    ticket.assignee = assignee
    if "comment" in changes:
        ticket.comments.append({"public": True, **changes.pop("comment")})
    ticket.status = changes.pop("status", ticket.status)
    ticket.fields |= changes


@asynccontextmanager
async def zendesk_account(account: Account) -> AsyncIterator[Tracker]:
    """Serve an account at the tracker's `url` until the block ends."""
    async with tracking(Tracker(account.answer)) as tracker:
        yield tracker
