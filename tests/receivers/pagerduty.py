"""PagerDuty's Events API v2 on loopback: strict about every field, and it keeps its alerts.

What an event may hold, its limits and the answers are the published contract's; that an unknown
field is refused is stricter than the contract, so that a misspelt one is found.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.http_server import Reply, Request, http_server

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
ACTIONS = {"trigger", "acknowledge", "resolve"}
SEVERITIES = {"critical", "error", "warning", "info"}
EVENT_FIELDS = {
    "routing_key": str,
    "event_action": str,
    "dedup_key": str,
    "client": str,
    "client_url": str,
    "payload": dict,
    "links": list,
    "images": list,
}
PAYLOAD_FIELDS = {
    "summary": str,
    "source": str,
    "severity": str,
    "timestamp": str,
    "component": str,
    "group": str,
    "class": str,
    "custom_details": dict,
}
CHANGE_FIELDS = {"routing_key": str, "payload": dict, "links": list}
CHANGE_PAYLOAD = {"summary": str, "source": str, "timestamp": str, "custom_details": dict}


@dataclass
class Alert:
    """One alert: its state, the last summary, and every event that went into it."""

    state: str
    summary: str
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class PagerDuty:
    """Gives `answers` first, as they are; then it behaves like the real one. `url` is where."""

    answers: list[Reply] = field(default_factory=list)
    alerts: dict[str, list[Alert]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def enqueue(self, request: Request) -> Reply:
        return self._take(request, EVENT_FIELDS, self._event_errors, self._process)

    def change(self, request: Request) -> Reply:
        return self._take(request, CHANGE_FIELDS, self._change_errors, self.changes.append)

    def _take(self, request, fields, errors_of, process) -> Reply:
        if self.answers:
            return self.answers.pop(0)
        if request.method != "POST" or request.header("content-type") != "application/json":
            return Reply(404)
        if len(request.body) > 512_000:
            return Reply(413)
        event = json.loads(request.body)
        errors = [*field_errors(event, fields), *errors_of(event)]
        if errors:
            said = {"status": "invalid event", "message": "Event object is invalid"}
            return Reply(400, json.dumps(said | {"errors": errors}).encode())
        process(event)
        said = {"status": "success", "message": "Event processed"}
        if "dedup_key" in event:
            said["dedup_key"] = event["dedup_key"]
        return Reply(202, json.dumps(said).encode())

    def _event_errors(self, event: dict[str, Any]) -> list[str]:
        errors = key_errors(event)
        if event.get("event_action") not in ACTIONS:
            errors.append("'event_action' is invalid")
        if not 0 < len(event.get("dedup_key", "")) <= 255:
            errors.append("'dedup_key' is missing or longer than 255 characters")
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            errors += [*field_errors(payload, PAYLOAD_FIELDS), *payload_errors(payload)]
            if payload.get("severity") not in SEVERITIES:
                errors.append("'payload.severity' is invalid (must be one of the following ...)")
            errors += [f"link {link}" for link in event.get("links", []) if "href" not in link]
        elif "payload" in event:
            errors.append("'payload' is for triggers")
        return errors

    def _change_errors(self, event: dict[str, Any]) -> list[str]:
        payload = event.get("payload", {})
        named = [*field_errors(payload, CHANGE_PAYLOAD), *payload_errors(payload)]
        return [*key_errors(event), *named]

    def _process(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        of_key = self.alerts.setdefault(event["dedup_key"], [])
        open_one = next((alert for alert in of_key if alert.state != "resolved"), None)
        if event["event_action"] == "trigger":
            if open_one is None:
                open_one = Alert("triggered", event["payload"]["summary"])
                of_key.append(open_one)
        elif open_one is not None:
            open_one.state = event["event_action"] + "d"
        if open_one is not None:
            open_one.events.append(event)

    def states(self) -> dict[str, list[str]]:
        """The state of every alert, by the number that ends its key."""
        return {key: [alert.state for alert in alerts] for key, alerts in self.alerts.items()}


def field_errors(event: dict[str, Any], known: dict[str, type]) -> list[str]:
    """What of an object is unknown, or of another type than it must be."""
    unknown = [f"'{name}' is not a field" for name in event if name not in known]
    typed = [
        f"'{name}' is ill-typed"
        for name, kind in known.items()
        if name in event and not isinstance(event[name], kind)
    ]
    return unknown + typed


def key_errors(event: dict[str, Any]) -> list[str]:
    key = event.get("routing_key", "")
    if len(key) != 32:
        return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    return [] if key == ROUTING_KEY else ["'routing_key' is unknown"]


def payload_errors(payload: dict[str, Any]) -> list[str]:
    """What of a payload is missing or too long."""
    errors = [
        f"'payload.{n}' is missing or blank" for n in ("summary", "source") if not payload.get(n)
    ]
    if len(payload.get("summary", "")) > 1024:
        errors.append("'payload.summary' is longer than 1024 characters")
    if "timestamp" in payload:
        datetime.fromisoformat(payload["timestamp"])
    return errors


@asynccontextmanager
async def pagerduty_receiver(*answers: Reply) -> AsyncIterator[PagerDuty]:
    """Receive at `url` until the block ends."""
    receiver = PagerDuty(list(answers))
    paths = {"/v2/enqueue": receiver.enqueue, "/v2/change/enqueue": receiver.change}
    async with http_server(paths) as server:
        receiver.url = server.url("/v2/enqueue")
        yield receiver
