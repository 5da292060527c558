"""The alerts of Jira Service Management Operations on loopback: every request is done after it.

What is accepted waits in `queued` until `settle`, as the real one answers 202 and acts later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.http_server import Reply, Request
from tests.receivers.tracker import (
    RefusedError,
    Tracker,
    document,
    reply,
    route,
    tracking,
    units,
    unknown,
)

LIMITS = {"message": 130, "alias": 512, "description": 15_000, "note": 25_000, "source": 100}
ALERT = "message alias description priority tags details source note user entity actions responders"


def refused(status: int, message: str, **errors: str) -> RefusedError:
    said = {"message": message, "took": 0.0, "requestId": "r-0"}
    return RefusedError(reply(status, said | ({"errors": errors} if errors else {})))


@dataclass
class Alert:
    alias: str
    message: str
    priority: str
    tags: list[str]
    description: str
    details: dict[str, str]
    count: int = 1
    acknowledged: bool = False
    open: bool = True
    notes: list[str] = field(default_factory=list)


@dataclass
class Operations:
    key: str
    now: Callable[[], datetime]
    alerts: list[Alert] = field(default_factory=list)
    queued: list[Callable[[], None]] = field(default_factory=list)
    woken: int = 0

    def answer(self, request: Request) -> Reply:
        """Raises `RefusedError`."""
        if request.header("authorization") != f"GenieKey {self.key}":
            raise refused(401, "Could not authenticate")
        method, parts, query = route(request)
        if method != "POST" or parts[:5] != ["jsm", "ops", "integration", "v2", "alerts"]:
            raise refused(404, "No handler found")
        said = document(
            request, lambda why: refused(422, f"Request body is not processable: {why}")
        )
        match parts[5:]:
            case []:
                self._take(said, ALERT, "message")
                self.queued.append(lambda: self._create(said))
            case [alias, "notes" | "acknowledge" | "close" as what]:
                if query != {"identifierType": "alias"}:
                    raise refused(422, "Identifier is no alert id")
                self._take(said, "note user source", "note")
                self.queued.append(lambda: self._act(alias, what, said))
            case _:
                raise refused(404, "No handler found")
        accepted = {"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}
        return reply(202, accepted)

    def settle(self) -> list[Alert]:
        """Do what was accepted, and return every alert."""
        while self.queued:
            self.queued.pop(0)()
        return self.alerts

    def _take(self, said: dict[str, Any], known: str, required: str) -> None:
        if bad := unknown(said, known):
            raise refused(422, "Request body is not processable.", **{bad[0]: "is unknown"})
        if not said.get(required, "").strip():
            raise refused(422, "Request body is not processable.", **{required: "can not be empty"})
        for name, most in LIMITS.items():
            if units(said.get(name, "")) > most:
                raise refused(422, "Request body is not processable.", **{name: "is too long"})
        if said.get("priority", "P1") not in {"P1", "P2", "P3", "P4", "P5"}:
            raise refused(422, "Request body is not processable.", priority="is invalid")

    def _open(self, alias: str) -> Alert | None:
        return next((each for each in self.alerts if each.open and each.alias == alias), None)

    def _create(self, said: dict[str, Any]) -> None:
        found = self._open(said["alias"])
        if found is not None:
            found.count += 1
            return
        alert = Alert(
            said["alias"],
            said["message"],
            said.get("priority", "P3"),
            said.get("tags", []),
            said.get("description", ""),
            said.get("details", {}),
        )
        self.alerts.append(alert)
        self.woken += 1

    def _act(self, alias: str, what: str, said: dict[str, Any]) -> None:
        alert = self._open(alias)
        if alert is None:
            return
        alert.notes.append(said["note"])
        alert.acknowledged |= what == "acknowledge"
        alert.open &= what != "close"


@asynccontextmanager
async def jsm_operations(operations: Operations) -> AsyncIterator[Tracker]:
    """Serve alerts at the tracker's `url` until the block ends."""
    async with tracking(Tracker(operations.answer)) as tracker:
        yield tracker
