"""A ServiceNow instance on loopback: keeps incidents, refuses what the real one would lose.

The real one leaves out unknown fields and cuts long ones without a word; here both are refused.
"""

from __future__ import annotations

import base64
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

LIMITS = {
    "short_description": 160,
    "description": 4000,
    "work_notes": 4000,
    "close_notes": 4000,
    "correlation_id": 100,
    "correlation_display": 100,
}
FIELDS = " ".join(LIMITS) + " impact urgency state close_code caller_id assignment_group"
TABLE = ["api", "now", "table", "incident"]
CLOSE_CODES = ("Solution provided", "No resolution provided")


def refused(status: int, message: str, detail: str) -> RefusedError:
    error = {"message": message, "detail": detail}
    return RefusedError(reply(status, {"error": error, "status": "failure"}))


@dataclass
class Record:
    sys_id: str
    fields: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.fields["state"]


@dataclass
class Instance:
    """A `deaf` one leaves out conditions that it cannot read."""

    login: str
    now: Callable[[], datetime]
    deaf: bool = False
    records: dict[str, Record] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """Raises `RefusedError`."""
        expected = "Basic " + base64.b64encode(self.login.encode()).decode()
        if request.header("authorization") != expected:
            raise refused(401, "User Not Authenticated", "Required to provide Auth information")
        method, parts, query = route(request)
        if parts[:4] != TABLE:
            raise refused(400, "Invalid table", "unknown")
        match method, parts[4:]:
            case "GET", []:
                return self._listed(query)
            case "POST", []:
                return self._made(_said(request))
            case "GET", [number]:
                return self._shown(self._record(number), query)
            case "PATCH", [number]:
                return self._changed(self._record(number), _said(request))
        raise refused(405, "Method not supported", method)

    def _record(self, number: str) -> Record:
        if number not in self.records:
            raise refused(404, "No Record found", "Record doesn't exist or ACL restricts it")
        return self.records[number]

    def _listed(self, query: dict[str, str]) -> Reply:
        assert unknown(query, "sysparm_query sysparm_fields sysparm_limit") == []
        condition, order = query["sysparm_query"].split("^")
        name, wanted = condition.split("=")
        assert order == "ORDERBYsys_created_on"
        listed = self.records.values()
        found = [each for each in listed if self.deaf or each.fields.get(name) == wanted]
        fields = query["sysparm_fields"].split(",")
        shown = [
            {name: {"sys_id": each.sys_id, **each.fields}[name] for name in fields}
            for each in found[: int(query["sysparm_limit"])]
        ]
        return reply(200, {"result": shown})

    def _made(self, said: dict[str, Any]) -> Reply:
        _check(said)
        if not said.get("short_description", "").strip():
            raise refused(403, "Operation Failed", "short_description is mandatory")
        record = Record(f"{len(self.records) + 1:032x}", {"state": "1", **said})
        self.records[record.sys_id] = record
        return reply(201, {"result": {"sys_id": record.sys_id, **record.fields}})

    def _shown(self, record: Record, query: dict[str, str]) -> Reply:
        # Journals are empty but for display values, which hold every entry, the newest first.
        told = "\n\n".join(reversed(record.notes)) if "sysparm_display_value" in query else ""
        whole = {**record.fields, "work_notes": told}
        shown = {name: whole.get(name, "") for name in query["sysparm_fields"].split(",")}
        return reply(200, {"result": shown})

    def _changed(self, record: Record, said: dict[str, Any]) -> Reply:
        _check(said)
        if record.state == "7":
            raise refused(403, "Operation Failed", "ACL exception: the incident is closed")
        if said.get("state") == "6" and said.get("close_code") not in CLOSE_CODES:
            raise refused(403, "Operation Failed", "close_code is mandatory to resolve")
        fields = dict(said)
        if note := fields.pop("work_notes", ""):
            record.notes.append(note)
        record.fields |= fields
        return reply(200, {"result": {"sys_id": record.sys_id, **record.fields}})


def _said(request: Request) -> dict[str, Any]:
    return document(request, lambda why: refused(400, "Exception while reading request", why))


def _check(said: dict[str, Any]) -> None:
    if bad := unknown(said, FIELDS):
        raise refused(400, "Invalid field", bad[0])
    for name, value in said.items():
        if not isinstance(value, str) or units(value) > LIMITS.get(name, 40):
            raise refused(400, "Invalid value", name)
    if "\n" in said.get("short_description", ""):
        raise refused(400, "Invalid value", "short_description")
    if any(said.get(name, "1") not in {"1", "2", "3"} for name in ("impact", "urgency")):
        raise refused(400, "Invalid value", "impact or urgency")
    if "[code]" in str(said).lower():
        raise refused(400, "Invalid value", "text that is shown as HTML")


@asynccontextmanager
async def servicenow_instance(instance: Instance) -> AsyncIterator[Tracker]:
    """Serve an instance at the tracker's `url` until the block ends."""
    async with tracking(Tracker(instance.answer)) as tracker:
        yield tracker
