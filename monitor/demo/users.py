"""What users do in the simulated estate, as a Prometheus would have counted it.

One user of each tenant signs in to the CRM every `SIGN_IN_EVERY` seconds for as long as a fault
keeps nobody of that tenant out; a fault for one vantage keeps out probes, not users. Nothing is
counted while it happens: the log of faults says afterwards who could sign in when.

There is one endpoint, `/api/v1/query`, and it understands one kind of query, whatever stands around
it: `crm_sign_ins_total{tenant="acme"}[5m]`, or without the braces for all tenants.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.demo.faults import Board, FaultKind, Switched
from monitor.demo.http1 import Request, Response, as_json
from monitor.demo.places import GROUPS

SIGN_IN_EVERY = 15.0

_QUERY = re.compile(r'crm_sign_ins_total(?:\{tenant="(\w*)"\})?\[(\d{1,4})([smh])\]')
_SECONDS = {"s": 1, "m": 60, "h": 3600}

Spans = list[tuple[datetime, datetime]]


def answer(request: Request, board: Board, clock: Clock) -> Response:
    """Answer as Prometheus answers an instant query."""
    if request.parts != ("api", "v1", "query"):
        return as_json(404, _error("not_found", "there is /api/v1/query only"))
    asked = _QUERY.search(request.form.get("query", request.query.get("query", "")))
    if asked is None:
        known = 'only crm_sign_ins_total{tenant="..."}[5m] is known here'
        return as_json(400, _error("bad_data", known))
    now = clock.wall()
    since = now - timedelta(seconds=int(asked[2]) * _SECONDS[asked[3]])
    tenants = [each for each in GROUPS if asked[1] in (None, each)]
    result = [
        {
            "metric": {"tenant": tenant},
            "value": [now.timestamp(), f"{sign_ins(board.log, tenant, since, now):g}"],
        }
        for tenant in tenants
    ]
    found = {"resultType": "vector", "result": result}
    return as_json(200, {"status": "success", "data": found})


def sign_ins(log: Iterable[Switched], tenant: str, since: datetime, until: datetime) -> float:
    """How many users of a tenant signed in within a span of time, by the log of faults."""
    out = sum((end - start for start, end in _kept_out(log, tenant, since, until)), timedelta())
    return (until - since - out).total_seconds() / SIGN_IN_EVERY


def _kept_out(log: Iterable[Switched], tenant: str, since: datetime, until: datetime) -> Spans:
    """When nobody of a tenant could sign in, as spans that do not overlap."""
    entries = list(log)
    ended = {entry.id: entry.at for entry in entries if entry.action == "off"}
    spans: Spans = []
    for entry in entries:
        fault = entry.fault
        whole = fault.vantage is None and fault.kind is not FaultKind.SLOW
        if entry.action != "on" or not whole or not fault.hits("crm", "", tenant):
            continue
        begun = max(entry.at, since if not spans else max(since, spans[-1][1]))
        over = min(ended.get(entry.id, until), until)
        if begun < over:
            spans.append((begun, over))
    return spans


def _error(kind: str, message: str) -> dict[str, str]:
    return {"status": "error", "errorType": kind, "error": message}
