"""Incidents of ServiceNow, by its Table API.

An incident's `correlation_id` is the mark of the alert, and its description and every work note end
in the mark of their notice. `ticket.py` says how the two keep a notice from being written twice.

A work note and a change of state are one request. An incident that is resolved, closed or cancelled
has reached its end, so a resolve of it is done; whether it still takes notes is the site's matter.

Which further fields an incident must have differs between sites: `fields` gives them by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.channels.ticket import Tracker, alert_mark, clean, filed, notice_mark, one_line
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret, basic

SUMMARY_UNITS = 160
TEXT_UNITS = 3_900
"""Leaves room for the mark in the 4,000 characters of a text."""

_TABLE = "/api/now/table/incident"
_DISPLAY = "monitor"
_RESOLVED = "6"
_ENDED = frozenset({_RESOLVED, "7", "8"})
_LOWEST = 3
_BREAK = "\u2060"
_OURS = frozenset(
    {
        "short_description",
        "description",
        "impact",
        "urgency",
        "correlation_id",
        "correlation_display",
        "work_notes",
        "state",
        "close_code",
        "close_notes",
    }
)


@dataclass(frozen=True, slots=True)
class ServicenowLevels:
    """Impact or urgency of our priorities: 1 is high, 3 is low."""

    critical: int = 1
    standard: int = 2

    def __post_init__(self) -> None:
        for name in ("critical", "standard"):
            if not 1 <= getattr(self, name) <= _LOWEST:
                raise ValueError(f"{name}: is not from 1 to {_LOWEST}")


@dataclass(frozen=True, slots=True)
class ServicenowOptions:
    """The instance, the user who writes, and what incidents are given.

    `fields` are set on new incidents, such as `caller_id` and `assignment_group`; `close_code` on
    those that are resolved. `timeout` is the seconds that each request may take.
    """

    url: str
    user: str
    password: Secret
    fields: Mapping[str, str] = field(default_factory=dict)
    impacts: ServicenowLevels = field(default_factory=ServicenowLevels)
    urgencies: ServicenowLevels = field(default_factory=ServicenowLevels)
    close_code: str = "Solution provided"
    timeout: float = 10.0

    def __post_init__(self) -> None:
        taken = sorted(_OURS & set(self.fields))
        if taken:
            raise ValueError(f"fields: `{taken[0]}` is set by the monitor: remove it")


@dataclass(frozen=True, slots=True)
class _Servicenow:
    """One notice on its way into an instance."""

    notice: Notice
    options: ServicenowOptions
    means: Means


async def send(notice: Notice, options: ServicenowOptions, means: Means) -> Accepted:
    """Bring a notice onto its incident. Raises `DeliveryError`."""
    now = _Servicenow(notice, options, means)
    known = means.known if means.known is not None and means.known.remote_id else None
    tracker = Tracker(
        find=lambda: _find(now),
        make=lambda: _make(now),
        has=lambda record: _has(now, record),
        say=lambda record: _say(now, record),
        move=lambda record: _move(now, record),
    )
    return await filed(notice, known, tracker)


async def _find(now: _Servicenow) -> Accepted | None:
    """The oldest incident of the alert."""
    mark = alert_mark(now.notice)
    params = {
        "sysparm_query": f"correlation_id={mark}^ORDERBYsys_created_on",
        "sysparm_fields": "sys_id,correlation_id",
        "sysparm_limit": "1",
    }
    found = http.objects(http.json_object(await _ask(now, "GET", params=params)).get("result"))
    # A condition that an instance cannot read is left out without a word: then it is any incident.
    return _record(now, found[0]) if found and found[0].get("correlation_id") == mark else None


async def _make(now: _Servicenow) -> Accepted:
    options, notice = now.options, now.notice
    summary = one_line(telling.headline(notice, now.means.net.clock.wall()))
    said: dict[str, Any] = {
        **options.fields,
        "short_description": telling.cut_units(_plain(summary), SUMMARY_UNITS),
        "description": _text(now),
        "correlation_id": alert_mark(notice),
        "correlation_display": _DISPLAY,
    }
    incident = notice.tells_of
    if incident is not None:
        said["impact"] = str(getattr(options.impacts, incident.priority.value))
        said["urgency"] = str(getattr(options.urgencies, incident.priority.value))
    answer = await _ask(now, "POST", said=said)
    return _record(now, http.json_object(answer).get("result"))


async def _has(now: _Servicenow, record: Accepted) -> bool:
    """Whether the notice stands in the description of an incident or in a work note."""
    # As display values, the notes of an incident come as one text.
    params = {"sysparm_fields": "description,work_notes", "sysparm_display_value": "true"}
    answer = await _ask(now, "GET", _path(record), params=params)
    return notice_mark(now.notice) in answer.text


async def _say(now: _Servicenow, record: Accepted) -> Accepted:
    if now.notice.action is not Action.RESOLVE:
        await _ask(now, "PATCH", _path(record), said={"work_notes": _text(now)})
    elif not await _has_ended(now, record):
        await _resolve(now, record, {"work_notes": _text(now)})
    return record


async def _move(now: _Servicenow, record: Accepted) -> None:
    """Resolve what the notice itself has just made."""
    if now.notice.action is Action.RESOLVE and not await _has_ended(now, record):
        await _resolve(now, record, {})


async def _resolve(now: _Servicenow, record: Accepted, note: dict[str, str]) -> None:
    said = {
        **note,
        "state": _RESOLVED,
        "close_code": now.options.close_code,
        "close_notes": _text(now),
    }
    await _ask(now, "PATCH", _path(record), said=said)


async def _has_ended(now: _Servicenow, record: Accepted) -> bool:
    answer = await _ask(now, "GET", _path(record), params={"sysparm_fields": "state"})
    result = http.json_object(answer).get("result")
    return isinstance(result, dict) and str(result.get("state")) in _ENDED


def _text(now: _Servicenow) -> str:
    said = clean(telling.text(now.notice, now.means.net.clock.wall()))
    return f"{telling.cut_units(_plain(said), TEXT_UNITS)}\n\n{notice_mark(now.notice)}"


def _plain(said: str) -> str:
    """Text of which ServiceNow shows nothing as HTML, as it does within [code]."""
    return re.sub(r"\[(?=/?code\])", f"[{_BREAK}", said, flags=re.IGNORECASE)


def _record(now: _Servicenow, said: object) -> Accepted:
    """What an answer calls an incident. An answer that names none is no acceptance."""
    number = http.name_in(said.get("sys_id")) if isinstance(said, dict) else None
    if number is None:
        raise DeliveryError("ServiceNow answered without the sys_id of the incident")
    site = now.options.url.rstrip("/")
    return Accepted(number, http.link_in(f"{site}/incident.do?sys_id={quote(number, safe='')}"))


def _path(record: Accepted) -> str:
    return f"/{quote(record.remote_id or '', safe='')}"


async def _ask(
    now: _Servicenow,
    method: str,
    path: str = "",
    *,
    said: object = None,
    params: dict[str, str] | None = None,
) -> httpx.Response:
    options = now.options
    return await http.ask_json(
        now.means.net,
        method,
        f"{options.url.rstrip('/')}{_TABLE}{path}",
        timeout=options.timeout,
        headers={"Authorization": basic(options.user, options.password.reveal())},
        params=params,
        said=said,
    )
