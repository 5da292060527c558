"""PagerDuty by its Events API v2: an alert is triggered, acknowledged and resolved under one key.

    trigger      `trigger`: opens an alert under the notice's `dedup_key`
    update       `trigger` under the same key: shown in the alert, wakes nobody; of what has
                 recovered a change event, for a person may have closed the alert there
    acknowledge  `acknowledge`
    resolve      `resolve`; of a key that has no open alert it does nothing
    tell         a change event, which is shown beside the service's alerts and wakes nobody

The receiver knows a repetition by the key, so that a notice may be sent again. It answers 202 once
it has taken an event in, before it has processed it; 400 says that it never will.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.model import Accepted, Action, Impact, Incident, Notice, Priority
from monitor.net.secret import Secret
from monitor.net.texts import Url

EVENTS = Url("https://events.pagerduty.com/v2/enqueue")
SUMMARY_LIMIT = 1024
DEDUP_LIMIT = 255
EVENT_LIMIT = 512_000
"""Bytes of one event."""

_FIELD_LIMIT = 255
_CLIENT = "Uptime monitor"
_EVENT_ACTION = {
    Action.TRIGGER: "trigger",
    Action.UPDATE: "trigger",
    Action.ACKNOWLEDGE: "acknowledge",
    Action.RESOLVE: "resolve",
}


@dataclass(frozen=True, slots=True)
class PagerDutyOptions:
    """The integration's routing key, where events go, and the seconds the receiver has."""

    routing_key: Secret
    url: Url = EVENTS
    timeout: float = 10.0


async def send(notice: Notice, options: PagerDutyOptions, means: Means) -> Accepted:
    """Send one event. Raises `DeliveryError`."""
    at = means.net.clock.wall()
    tell = _wakes_nobody(notice)
    event = _change(notice, means, at) if tell else _alert(notice, means, at)
    event["routing_key"] = options.routing_key.reveal()
    answer = await http.ask_json(
        means.net,
        "POST",
        _changes_url(options.url) if tell else options.url,
        timeout=options.timeout,
        said=_fitting(event),
        only={HTTPStatus.ACCEPTED},
    )
    return Accepted(http.name_in(http.json_object(answer).get("dedup_key")))


def _wakes_nobody(notice: Notice) -> bool:
    """Whether it must not open an alert where there is none."""
    incident = notice.tells_of
    recovered = incident is not None and incident.watch_until is not None
    return notice.action is Action.TELL or (notice.action is Action.UPDATE and recovered)


def _changes_url(url: str) -> str:
    return url.removesuffix("/enqueue") + "/change/enqueue"


def _alert(notice: Notice, means: Means, at: datetime) -> dict[str, Any]:
    event: dict[str, Any] = {
        "event_action": _EVENT_ACTION[notice.action],
        "dedup_key": notice.dedup_key[:DEDUP_LIMIT],
        "client": _CLIENT,
        "client_url": means.public_url,
    }
    if event["event_action"] == "trigger":
        event["payload"] = _payload(notice, at)
        event["links"] = _links(notice)
    return event


def _payload(notice: Notice, at: datetime) -> dict[str, Any]:
    incident = notice.tells_of
    payload: dict[str, Any] = {
        "summary": telling.cut(telling.headline(notice, at), SUMMARY_LIMIT),
        "source": "monitor" if incident is None else incident.service,
        "severity": _severity(incident),
        "custom_details": _details(notice, incident),
    }
    if incident is not None:
        payload["timestamp"] = telling.instant(incident.began.before)
        payload["component"] = telling.cut(", ".join(incident.checks) or "none", _FIELD_LIMIT)
        payload["group"] = incident.service
        payload["class"] = incident.reason.value
    return payload


def _severity(incident: Incident | None) -> str:
    if incident is None or incident.priority is Priority.CRITICAL:
        return "critical"
    return "warning" if incident.impact is Impact.UNKNOWN else "error"


def _details(notice: Notice, incident: Incident | None) -> dict[str, Any]:
    details: dict[str, Any] = {"message": list(telling.lines(notice))}
    if incident is None:
        return details
    due = incident.respond_by
    return details | {
        "incident": incident.number,
        "affected": incident.scope,
        "respond_by": None if due is None else telling.instant(due),
        "errors": [
            f"{error.check} from {error.vantage}: {error.message}" for error in incident.errors
        ],
    }


def _change(notice: Notice, means: Means, at: datetime) -> dict[str, Any]:
    return {
        "payload": {
            "summary": telling.cut(telling.headline(notice, at), SUMMARY_LIMIT),
            "source": means.public_url or "monitor",
            "timestamp": telling.instant(notice.created_at),
            "custom_details": {"message": list(telling.lines(notice))},
        },
        "links": _links(notice),
    }


def _links(notice: Notice) -> list[dict[str, str]]:
    return [{"href": link, "text": name} for name, link in notice.message.links.items()]


def _fitting(event: dict[str, Any]) -> dict[str, Any]:
    """The event, with its details cut down until it is within EVENT_LIMIT."""
    details: Mapping[str, Any] = event.get("payload", {}).get("custom_details", {})
    kept = dict(details)
    for name in ("errors", "message"):
        while len(_encoded(event)) > EVENT_LIMIT and len(kept.get(name, ())) > 1:
            kept[name] = kept[name][: len(kept[name]) // 2]
            event = event | {"payload": event["payload"] | {"custom_details": kept}}
    if len(_encoded(event)) > EVENT_LIMIT:
        event = event | {"payload": event["payload"] | {"custom_details": {}}}
    return event


def _encoded(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()
