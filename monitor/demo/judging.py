"""Whether the demo's story came out exactly so, judged against what others wrote down.

The monitor's own store says what it opened; the estate's fault log says what was really broken
and when; the receiver's log says what arrived. What does not agree is listed in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.demo.faults import Switched
from monitor.demo.receiver import Page
from monitor.model import Impact, Incident, Interval, NoticeState, Priority
from monitor.store import IncidentRecord


def complaints(
    records: Sequence[IncidentRecord], log: Sequence[Switched], pages: Sequence[Page]
) -> list[str]:
    """Everything that did not come out as the story has it; empty when all did."""
    found = [f"the receiver refused a message: {p.refused}" for p in pages if p.refused]
    if [r.incident.impact for r in records] != [Impact.SOME, Impact.ALL]:
        told = ", ".join(f"{r.incident.service} {r.incident.impact}" for r in records) or "none"
        return [*found, f"expected one partial and one total incident, found: {told}"]
    partial, total = records
    found += [f"{what}: not so" for what, so in _partial(partial, pages) if not so]
    found += [f"{what}: not so" for what, so in _total(total, pages) if not so]
    for record, (on, off) in zip(records, _spans(log), strict=False):
        found += _dated(record.incident, on, off)
    return found


def _partial(record: IncidentRecord, pages: Sequence[Page]) -> Iterable[tuple[str, bool]]:
    incident = record.incident
    yield "one tenant failing is a standard incident", incident.priority is Priority.STANDARD
    yield "it names the tenant", "acme" in incident.scope
    yield "it pages nobody", not [p for p in pages if p.number == incident.number]
    yield "it is resolved", incident.resolved_at is not None


def _total(record: IncidentRecord, pages: Sequence[Page]) -> Iterable[tuple[str, bool]]:
    incident = record.incident
    mine = [p for p in pages if p.number == incident.number]
    actions = [p.action for p in mine]
    yield "everyone failing is business critical", incident.priority is Priority.CRITICAL
    yield "it carries the errors", bool(incident.errors)
    yield "it has a time to respond by", incident.respond_by is not None
    yield (
        "it pages once, then says what becomes of it",
        actions
        == [
            "trigger",
            "acknowledge",
            "update",
            "resolve",
        ],
    )
    yield "no message came twice", len({p.key for p in mine}) == len(mine)
    yield "a person has acknowledged it", incident.acknowledged_by is not None
    yield "it is resolved", incident.resolved_at is not None
    pending = [n for n in record.notices if n.state is not NoticeState.SENT and not n.held]
    yield "every notice that was due is sent", not pending


def _spans(log: Sequence[Switched]) -> list[tuple[datetime, datetime]]:
    """When each fault was on, in the order they were switched on."""
    off = {entry.id: entry.at for entry in log if entry.action == "off"}
    return [(e.at, off[e.id]) for e in log if e.action == "on" and e.id in off]


def _dated(incident: Incident, on: datetime, off: datetime) -> list[str]:
    """The incident's own start and end must hold the true ones."""
    found = []
    if not _holds(incident.began, on):
        found.append(f"incident {incident.number} has a start that the estate's log contradicts")
    if incident.recovered is None or not _holds(incident.recovered, off):
        found.append(f"incident {incident.number} has an end that the estate's log contradicts")
    return found


def _holds(interval: Interval, truth: datetime) -> bool:
    return (interval.after is None or interval.after <= truth) and truth <= interval.before


def false_incidents(records: Sequence[IncidentRecord], log: Sequence[Switched]) -> int:
    """How many incidents began when nothing was broken."""
    spans = _spans(log)
    return sum(
        not any(
            on <= r.incident.began.before and _began_before(r.incident, off) for on, off in spans
        )
        for r in records
    )


def _began_before(incident: Incident, off: datetime) -> bool:
    return incident.began.after is None or incident.began.after <= off


def summary(record: IncidentRecord, log: Sequence[Switched]) -> dict[str, Any]:
    """One incident as the demo's last line shows it."""
    incident = record.incident
    true_starts = [on for on, off in _spans(log) if _holds(incident.began, on)]
    delay = (incident.detected_at - true_starts[0]).total_seconds() if true_starts else None
    return {
        "number": incident.number,
        "service": incident.service,
        "priority": incident.priority,
        "scope": incident.scope,
        "route": list(incident.route),
        "began_after": iso(incident.began.after),
        "began_before": iso(incident.began.before),
        "detected_at": iso(incident.detected_at),
        "detection_delay_s": None if delay is None else round(delay, 3),
        "respond_by": iso(incident.respond_by),
        "errors": [f"{e.check} from {e.vantage}: {e.kind}: {e.message}" for e in incident.errors],
        "notices_sent": sum(n.state is NoticeState.SENT for n in record.notices),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": iso(incident.resolved_at),
    }


def iso(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC, to the millisecond."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
