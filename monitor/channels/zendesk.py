"""Tickets of Zendesk, by version 2 of its API.

A ticket's `external_id` is the mark of the alert, and every text ends in the mark of its notice.
`ticket.py` says how the two keep a notice from being written twice. Besides, a ticket is made under
an `Idempotency-Key`, which Zendesk keeps for two hours: the same request again gets the same
ticket. A request that has changed since, because it now says that it is late, is refused under that
key; that refusal proves that the ticket is there, and it is looked for again.

A ticket that is closed takes no more: not a comment, not a status. It is over for Zendesk, so a
resolve of it is done. Anything else goes on in a follow-up ticket with the same `external_id`. A
ticket that nobody has cannot be solved, so it is given to the agent that we write as.

A notice that is for somebody who reported something is a ticket of his, which he sees, where he is
reached by mail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.channels.ticket import Tracker, alert_mark, clean, filed, notice_mark, one_line
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret, basic

SUBJECT_CHARS = 150
TEXT_BYTES = 64_000

_CLOSED = "closed"
_SOLVED = "solved"
_PRIORITIES = ("urgent", "high", "normal", "low")
_PAGE = 100
_PAGES = 50
_BREAK = "\u2060"
_MAIL = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}")
_TAG = re.compile(r"[^\s,]{1,255}")


@dataclass(frozen=True, slots=True)
class ZendeskPriorities:
    """Zendesk's priorities for ours: urgent, high, normal or low."""

    critical: str = "urgent"
    standard: str = "normal"

    def __post_init__(self) -> None:
        for name in ("critical", "standard"):
            if getattr(self, name) not in _PRIORITIES:
                raise ValueError(f"{name}: is not one of: {', '.join(_PRIORITIES)}")


@dataclass(frozen=True, slots=True)
class ZendeskOptions:
    """The account, the agent who writes with its API token, and what tickets are given.

    `requester` is the mail address tickets are opened for, None for the agent's own. `public` says
    whether the requester sees what is written. `timeout` is the seconds that each request may take.
    """

    url: str
    email: str
    api_token: Secret
    requester: str | None = None
    public: bool = False
    tags: tuple[str, ...] = ()
    priority_names: ZendeskPriorities = field(default_factory=ZendeskPriorities)
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.requester is not None and not _MAIL.fullmatch(self.requester):
            raise ValueError("requester: is no mail address: write name@host")
        if not all(_TAG.fullmatch(tag) for tag in self.tags):
            raise ValueError("tags: holds one with a space or a comma: join its words with _")


@dataclass(frozen=True, slots=True)
class _Zendesk:
    """One notice on its way into an account."""

    notice: Notice
    options: ZendeskOptions
    means: Means


async def send(notice: Notice, options: ZendeskOptions, means: Means) -> Accepted:
    """Bring a notice onto its ticket. Raises `DeliveryError`."""
    zendesk = _Zendesk(notice, options, means)
    known = means.known if means.known is not None and means.known.remote_id else None
    tracker = Tracker(
        find=lambda: _find(zendesk),
        make=lambda: _make(zendesk),
        has=lambda ticket: _has(zendesk, ticket),
        say=lambda ticket: _say(zendesk, ticket),
        move=_stay,
    )
    return await filed(notice, known, tracker)


async def _stay(_ticket: Accepted) -> None:
    """A ticket gets its status with the text, in one request."""


async def _find(zendesk: _Zendesk) -> Accepted | None:
    """The ticket of the alert that takes more, else the newest that does not."""
    found = await _tickets(zendesk)
    takes_more = [each for each in found if each.get("status") != _CLOSED]
    chosen = (takes_more or found)[-1:]
    return _ticket(zendesk, chosen[0]) if chosen else None


async def _tickets(zendesk: _Zendesk) -> list[dict[str, Any]]:
    """Every ticket of the alert, the oldest first."""
    mark = alert_mark(zendesk.notice)
    answer = await _ask(zendesk, "GET", "/tickets.json", params={"external_id": mark})
    listed = http.objects(http.json_object(answer).get("tickets"))
    found = [each for each in listed if each.get("external_id") == mark]
    return sorted(found, key=lambda each: str(each.get("created_at")))


async def _make(zendesk: _Zendesk, follows: Accepted | None = None) -> Accepted:
    """Make the ticket, as a follow-up of a closed one where `follows` names it."""
    said = {"ticket": _wanted(zendesk, follows)}
    headers = {"Idempotency-Key": notice_mark(zendesk.notice)}
    answer = await _ask(
        zendesk, "POST", "/tickets.json", said=said, headers=headers, answers={400, 409}
    )
    if answer.is_success:
        return _ticket(zendesk, http.json_object(answer).get("ticket"))
    made_before = http.json_object(answer).get("error") == "IdempotentRequestError"
    ticket = await _find(zendesk) if made_before else None
    if ticket is not None and (follows is None or ticket.remote_id != follows.remote_id):
        return ticket
    lasting = answer.status_code == 400 and not made_before
    raise http.refusal(answer, zendesk.means.net, permanent=lasting)


def _wanted(zendesk: _Zendesk, follows: Accepted | None) -> dict[str, Any]:
    notice, options = zendesk.notice, zendesk.options
    subject = one_line(telling.headline(notice, zendesk.means.net.clock.wall()))
    wanted: dict[str, Any] = {
        "subject": telling.cut(_plain(subject), SUBJECT_CHARS),
        "external_id": alert_mark(notice),
        **_written(zendesk),
    }
    incident = notice.tells_of
    if incident is not None:
        wanted["priority"] = getattr(options.priority_names, incident.priority.value)
    if options.tags:
        wanted["tags"] = list(options.tags)
    if notice.action is Action.RESOLVE:
        wanted["assignee_email"] = options.email
    requester = _reporter(notice) or options.requester
    if requester is not None:
        wanted["requester"] = {"name": requester, "email": requester}
    if follows is not None and follows.remote_id is not None and follows.remote_id.isdecimal():
        wanted["via_followup_source_id"] = int(follows.remote_id)
    return wanted


def _written(zendesk: _Zendesk) -> dict[str, Any]:
    """The comment that the notice is, and the status that goes with it."""
    notice = zendesk.notice
    said = clean(telling.text(notice, zendesk.means.net.clock.wall()))
    links = [f"{name}: {url}" for name, url in notice.message.links.items()]
    told = "\n".join([said, *(link for link in links if link not in said)])
    comment = {
        "body": f"{telling.cut_bytes(_plain(told), TEXT_BYTES)}\n\n{notice_mark(notice)}",
        "public": zendesk.options.public or _reporter(notice) is not None,
    }
    resolved = notice.action is Action.RESOLVE
    return {"comment": comment, "status": _SOLVED} if resolved else {"comment": comment}


def _plain(said: str) -> str:
    """Text in which Zendesk finds no placeholder to fill in."""
    return re.sub(r"\{(?=[{%])", f"{{{_BREAK}", said)


def _reporter(notice: Notice) -> str | None:
    """The mail address of whoever the notice is for, None where it is for nobody by mail."""
    report = notice.message.report
    reached = report is not None and _MAIL.fullmatch(report.contact)
    return report.contact if report is not None and reached else None


async def _has(zendesk: _Zendesk, ticket: Accepted) -> bool:
    """Whether the notice stands on a ticket; the first comment is its description."""
    mark = notice_mark(zendesk.notice)
    for page in range(1, _PAGES + 1):
        params = {"sort_order": "desc", "per_page": str(_PAGE), "page": str(page)}
        answer = await _ask(zendesk, "GET", f"{_path(ticket)}/comments.json", params=params)
        if mark in answer.text:
            return True
        if http.json_object(answer).get("next_page") is None:
            return False
    return False


async def _say(zendesk: _Zendesk, ticket: Accepted) -> Accepted:
    """Write the notice on a ticket, or on what follows it where it is closed; return that one."""
    wanted = _written(zendesk)
    answer = await _change(zendesk, ticket, wanted)
    if answer.status_code == 422:
        stands = await _stands(zendesk, ticket)
        if stands.get("status") == _CLOSED:
            return await _go_on(zendesk, ticket)
        if zendesk.notice.action is Action.RESOLVE and stands.get("assignee_id") is None:
            assigned = {**wanted, "assignee_email": zendesk.options.email}
            answer = await _change(zendesk, ticket, assigned)
    if answer.is_success:
        return ticket
    # Two changes at once: one of them is refused with 409, and may be made again.
    raise http.refusal(answer, zendesk.means.net, permanent=answer.status_code == 422)


async def _change(zendesk: _Zendesk, ticket: Accepted, wanted: dict[str, Any]) -> httpx.Response:
    said, path = {"ticket": wanted}, f"{_path(ticket)}.json"
    return await _ask(zendesk, "PUT", path, said=said, answers={409, 422})


async def _stands(zendesk: _Zendesk, ticket: Accepted) -> dict[str, Any]:
    """A ticket as it stands; empty when the answer names none."""
    answer = await _ask(zendesk, "GET", f"{_path(ticket)}.json")
    said = http.json_object(answer).get("ticket")
    return said if isinstance(said, dict) else {}


async def _go_on(zendesk: _Zendesk, closed: Accepted) -> Accepted:
    """Write the notice on the follow-up of a closed ticket, made where there is none."""
    follows = await _find(zendesk) or closed
    is_open = (await _stands(zendesk, follows)).get("status") != _CLOSED
    if is_open and follows.remote_id != closed.remote_id:
        if zendesk.notice.attempts <= 1 or not await _has(zendesk, follows):
            return await _say(zendesk, follows)
        return follows
    return follows if zendesk.notice.action is Action.RESOLVE else await _make(zendesk, follows)


def _ticket(zendesk: _Zendesk, said: object) -> Accepted:
    """What an answer calls a ticket. An answer that names none is no acceptance."""
    number = http.name_in(said.get("id")) if isinstance(said, dict) else None
    if number is None:
        raise DeliveryError("Zendesk answered without the id of the ticket")
    site = zendesk.options.url.rstrip("/")
    return Accepted(number, http.link_in(f"{site}/agent/tickets/{quote(number, safe='')}"))


def _path(ticket: Accepted) -> str:
    return f"/tickets/{quote(ticket.remote_id or '', safe='')}"


async def _ask(
    zendesk: _Zendesk,
    method: str,
    path: str,
    *,
    said: object = None,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    answers: set[int] | None = None,
) -> httpx.Response:
    options = zendesk.options
    credentials = basic(f"{options.email}/token", options.api_token.reveal())
    return await http.ask_json(
        zendesk.means.net,
        method,
        f"{options.url.rstrip('/')}/api/v2{path}",
        timeout=options.timeout,
        headers={"Authorization": credentials, **(headers or {})},
        params=params,
        said=said,
        answers=answers or (),
    )
