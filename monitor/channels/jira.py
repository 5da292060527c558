"""Issues of Jira Cloud, by version 3 of its REST API.

An alert is an issue that carries the mark of the alert as a label; every description and comment
ends in the mark of its notice. `ticket.py` says how the two keep a notice from being written twice.

Jira's search lags behind what was written, by seconds and sometimes by minutes. Its
`reconcileIssues` does not help here: it wants the ids that only the lost answer named. So an
attempt that finds nothing waits SETTLE_SECONDS, as `ticket.py` says. What stands on an issue that
is known is read from the issue itself, which does not lag.

Texts are plain nodes of the Atlassian Document Format. A mention or a link is a node or a mark of
its own there, so no text can become one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.channels.ticket import Tracker, alert_mark, clean, filed, notice_mark, one_line
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret, basic

SETTLE_SECONDS = 60.0
"""How long Jira's search is given to find an issue that may just have been made."""

SUMMARY_UNITS = 255
TEXT_UNITS = 9_000
TEXT_LINES = 100
"""Texts are cut so that a document, written as JSON, is within the 32,767 characters of a field."""

_API = "/rest/api/3"
_PAGE = 100
_PAGES = 50
_DONE = "done"


@dataclass(frozen=True, slots=True)
class JiraPriorities:
    """The names of Jira's priorities for ours; None leaves the project's own default."""

    critical: str | None = None
    standard: str | None = None


@dataclass(frozen=True, slots=True)
class JiraOptions:
    """The site, the account that writes with its API token, and where issues go.

    `acknowledge_transition` is the name of the transition that an acknowledgement makes, None for
    none; `resolve_transition` that of a resolve, None for whichever leads to a status that is done.
    `timeout` is the seconds that each request may take.
    """

    url: str
    email: str
    api_token: Secret
    project: str
    issue_type: str = "Task"
    priority_names: JiraPriorities = field(default_factory=JiraPriorities)
    acknowledge_transition: str | None = None
    resolve_transition: str | None = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class _Jira:
    """One notice on its way into a site."""

    notice: Notice
    options: JiraOptions
    means: Means


async def send(notice: Notice, options: JiraOptions, means: Means) -> Accepted:
    """Bring a notice onto its issue. Raises `DeliveryError`."""
    jira = _Jira(notice, options, means)
    known = means.known if means.known is not None and means.known.remote_id else None
    tracker = Tracker(
        find=lambda: _find(jira),
        make=lambda: _make(jira),
        has=lambda issue: _has(jira, issue),
        say=lambda issue: _say(jira, issue),
        move=lambda issue: _move(jira, issue),
        lag=SETTLE_SECONDS,
    )
    return await filed(notice, known, tracker)


async def _find(jira: _Jira) -> Accepted | None:
    """The oldest issue of the alert, as far as the search has caught up."""
    mark = alert_mark(jira.notice)
    jql = f'labels = "{mark}" ORDER BY created ASC'
    said = {"jql": jql, "fields": ["labels"], "maxResults": 1}
    answer = await _ask(jira, "POST", "/search/jql", said=said)
    found = _objects(answer, "issues")
    return _issue(jira, found[0]) if found and mark in _labels(found[0]) else None


def _labels(issue: dict[str, Any]) -> list[Any]:
    fields = issue.get("fields")
    labels = fields.get("labels") if isinstance(fields, dict) else None
    return labels if isinstance(labels, list) else []


async def _make(jira: _Jira) -> Accepted:
    options, notice = jira.options, jira.notice
    now = jira.means.net.clock.wall()
    fields: dict[str, Any] = {
        "project": {"key": options.project},
        "issuetype": {"name": options.issue_type},
        "summary": telling.cut_units(one_line(telling.headline(notice, now)), SUMMARY_UNITS),
        "description": _document(jira),
        "labels": [alert_mark(notice)],
    }
    incident = notice.tells_of
    named = getattr(options.priority_names, incident.priority.value) if incident else None
    if named is not None:
        fields["priority"] = {"name": named}
    answer = await _ask(jira, "POST", "/issue", said={"fields": fields})
    return _issue(jira, http.json_object(answer))


async def _has(jira: _Jira, issue: Accepted) -> bool:
    """Whether the notice stands in the description of an issue or in a comment on it."""
    mark = notice_mark(jira.notice)
    answer = await _ask(jira, "GET", _path(issue), params={"fields": "description"})
    if mark in answer.text:
        return True
    for page in range(_PAGES):
        params = {
            "orderBy": "-created",
            "maxResults": str(_PAGE),
            "startAt": str(page * _PAGE),
        }
        answer = await _ask(jira, "GET", f"{_path(issue)}/comment", params=params)
        if mark in answer.text:
            return True
        if len(_objects(answer, "comments")) < _PAGE:
            return False
    return False


async def _say(jira: _Jira, issue: Accepted) -> Accepted:
    await _ask(jira, "POST", f"{_path(issue)}/comment", said={"body": _document(jira)})
    return issue


async def _move(jira: _Jira, issue: Accepted) -> None:
    match jira.notice.action:
        case Action.RESOLVE:
            await _transit(jira, issue, jira.options.resolve_transition)
        case Action.ACKNOWLEDGE if jira.options.acknowledge_transition is not None:
            await _transit(jira, issue, jira.options.acknowledge_transition)
        case _:
            pass


async def _transit(jira: _Jira, issue: Accepted, wanted: str | None) -> None:
    """Make the transition named `wanted`, None for one that ends the issue.

    An issue that is done stays as it is; so does one whose acknowledging transition is not to be
    had: somebody has taken it further.
    """
    if await _is_done(jira, issue):
        return
    answer = await _ask(jira, "GET", f"{_path(issue)}/transitions")
    offered = _objects(answer, "transitions")
    chosen = next((each for each in offered if _suits(each, wanted)), None)
    if chosen is None:
        if jira.notice.action is Action.ACKNOWLEDGE:
            return
        raise DeliveryError(_no_transition(jira, issue, wanted, offered), permanent=True)
    said = {"transition": {"id": chosen.get("id")}}
    answer = await _ask(jira, "POST", f"{_path(issue)}/transitions", said=said, answers={400, 409})
    # Two moves at once: one of them is refused, with 409 and before that with 400.
    if not answer.is_success and not await _is_done(jira, issue):
        raise http.refusal(answer, jira.means.net, permanent=answer.status_code == 400)


async def _is_done(jira: _Jira, issue: Accepted) -> bool:
    answer = await _ask(jira, "GET", _path(issue), params={"fields": "status"})
    fields = http.json_object(answer).get("fields")
    return isinstance(fields, dict) and _category(fields.get("status")) == _DONE


def _suits(transition: dict[str, Any], wanted: str | None) -> bool:
    if wanted is None:
        return _category(transition.get("to")) == _DONE
    return str(transition.get("name")).casefold() == wanted.casefold()


def _category(status: object) -> object:
    """The key of a status's category: new, indeterminate or done."""
    category = status.get("statusCategory") if isinstance(status, dict) else None
    return category.get("key") if isinstance(category, dict) else None


def _no_transition(
    jira: _Jira, issue: Accepted, wanted: str | None, offered: list[dict[str, Any]]
) -> str:
    names = ", ".join(repr(str(each.get("name"))) for each in offered) or "none"
    which = "that ends it" if wanted is None else f"named {wanted!r}"
    said = f"{issue.remote_id} offers no transition {which}, only: {names}"
    return telling.cut(jira.means.net.redactor.text(one_line(said)), 300)


def _document(jira: _Jira) -> dict[str, Any]:
    """The text of the notice as a document: a paragraph for each line, the links, the mark."""
    said = telling.cut_units(
        clean(telling.text(jira.notice, jira.means.net.clock.wall())), TEXT_UNITS
    )
    lines = [line for line in said.split("\n") if line.strip()]
    if len(lines) > TEXT_LINES:
        lines = [*lines[: TEXT_LINES - 1], "\u2026"]
    paragraphs = [[_text(line)] for line in lines]
    links = [_link(name, url) for name, url in jira.notice.message.links.items()]
    mark = [_text(notice_mark(jira.notice))]
    content = [
        {"type": "paragraph", "content": each} for each in (*paragraphs, *filter(None, links), mark)
    ]
    return {"type": "doc", "version": 1, "content": content}


def _text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def _link(name: str, url: str) -> list[dict[str, Any]]:
    """A paragraph's content that leads to `url`; empty when nobody may be sent there."""
    href = http.link_in(url)
    if href is None:
        return []
    return [_text(one_line(name)) | {"marks": [{"type": "link", "attrs": {"href": href}}]}]


def _issue(jira: _Jira, said: dict[str, Any]) -> Accepted:
    """What an answer calls an issue. An answer that names none is no acceptance."""
    key = http.name_in(said.get("key"))
    if key is None:
        raise DeliveryError("Jira answered without the key of the issue")
    site = jira.options.url.rstrip("/")
    return Accepted(key, http.link_in(f"{site}/browse/{quote(key, safe='')}"))


def _path(issue: Accepted) -> str:
    return f"/issue/{quote(issue.remote_id or '', safe='')}"


def _objects(answer: httpx.Response, key: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer."""
    return http.objects(http.json_object(answer).get(key))


async def _ask(
    jira: _Jira,
    method: str,
    path: str,
    *,
    said: object = None,
    params: dict[str, str] | None = None,
    answers: set[int] | None = None,
) -> httpx.Response:
    options = jira.options
    return await http.ask_json(
        jira.means.net,
        method,
        f"{options.url.rstrip('/')}{_API}{path}",
        timeout=options.timeout,
        headers={"Authorization": basic(options.email, options.api_token.reveal())},
        params=params,
        said=said,
        answers=answers or (),
    )
