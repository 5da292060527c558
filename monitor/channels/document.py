"""A notice as a JSON document: what a webhook's body and a line of a log channel hold.

The shape is public: keys are added, never renamed or removed, without a new `version`. Every key
is always present. Instants are ISO 8601 in UTC with a "Z"; what is not known is null.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from monitor.channels import telling
from monitor.model import ErrorSeen, Incident, Notice, Reporter

VERSION = 1


class ErrorDocument(TypedDict):
    """One error as it was observed, verbatim; `count` is how often, `at` when last."""

    check: str
    target: str
    vantage: str
    kind: str
    message: str
    at: str
    count: int


class IncidentDocument(TypedDict):
    """The incident as it was when the notice was written, not as it is when it arrives.

    The outage began after `began_after` (null: nothing was known before) and not later than
    `began_before`; `recovered_after` and `recovered_before` read likewise and are both null until
    service is back. `respond_by` is null where nothing is promised.
    """

    number: int
    id: str
    subject: str
    service: str
    title: str
    impact: str
    priority: str
    state: str
    scope: str
    route: list[str]
    reason: str
    checks: list[str]
    out_of_hours: bool
    began_after: str | None
    began_before: str
    detected_at: str
    reported_at: str
    respond_by: str | None
    acknowledged_by: str | None
    acknowledged_at: str | None
    recovered_after: str | None
    recovered_before: str | None
    watch_until: str | None
    resolved_at: str | None
    episodes: int
    errors: list[ErrorDocument]
    known_by: str
    linked: list[str]


class ReportDocument(TypedDict):
    """The customer whom a notice is for: his reference, how to reach him, his tenant if known."""

    reference: str
    contact: str
    tenant: str | None


class NoticeDocument(TypedDict):
    """One notice.

    `key` is the same however often the notice is sent: act once per key. `dedup_key` names the
    alert: pair a `resolve` with its `trigger` by it. The conversation is `incident`'s, which may
    go on in a new alert. `about` is the incident that is told of, where that is another (null: it
    is `incident`): it went down together with it and shares its page. A `tell` is about no alert,
    and its `incident` is null where it is about no single one, as the digest of a night is not. It
    is null as well in the monitor's alarm about itself, which is a `trigger` and a `resolve`.
    `report` is null, but for channels that pass messages on to customers who reported something:
    then it says to whom. `instance` is the monitor that speaks. `late_seconds` is how long a notice
    leaves after it was first due, null where that is in time.
    """

    version: int
    instance: str
    action: str
    key: str
    dedup_key: str
    seq: int
    sent_at: str
    late_seconds: int | None
    headline: str
    lines: list[str]
    incident: IncidentDocument | None
    about: IncidentDocument | None
    report: ReportDocument | None
    links: dict[str, str]


def notice_document(notice: Notice, sent_at: datetime) -> NoticeDocument:
    """What a receiver is told of a notice that leaves at `sent_at`."""
    incident, about = notice.message.incident, notice.message.about
    report = notice.message.report
    late = telling.late_by(notice, sent_at)
    return {
        "version": VERSION,
        "instance": notice.dedup_key.partition(":")[0],
        "action": notice.action.value,
        "key": notice.key,
        "dedup_key": notice.dedup_key,
        "seq": notice.seq,
        "sent_at": telling.instant(sent_at),
        "late_seconds": None if late is None else round(late),
        "headline": notice.message.headline,
        "lines": list(notice.message.lines),
        "incident": None if incident is None else _incident(incident),
        "about": None if about is None else _incident(about),
        "report": None if report is None else _report(report),
        "links": dict(notice.message.links),
    }


def _report(report: Reporter) -> ReportDocument:
    return {
        "reference": report.reference,
        "contact": report.contact,
        "tenant": report.tenant,
    }


def _incident(incident: Incident) -> IncidentDocument:
    back = incident.recovered
    return {
        "number": incident.number,
        "id": incident.id,
        "subject": incident.subject,
        "service": incident.service,
        "title": incident.title,
        "impact": incident.impact.value,
        "priority": incident.priority.value,
        "state": incident.state.value,
        "scope": incident.scope,
        "route": [role.value for role in incident.route],
        "reason": incident.reason.value,
        "checks": list(incident.checks),
        "out_of_hours": incident.out_of_hours,
        "began_after": _maybe(incident.began.after),
        "began_before": telling.instant(incident.began.before),
        "detected_at": telling.instant(incident.detected_at),
        "reported_at": telling.instant(incident.reported_at),
        "respond_by": _maybe(incident.respond_by),
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": _maybe(incident.acknowledged_at),
        "recovered_after": _maybe(back.after if back else None),
        "recovered_before": _maybe(back.before if back else None),
        "watch_until": _maybe(incident.watch_until),
        "resolved_at": _maybe(incident.resolved_at),
        "episodes": incident.episodes,
        "errors": [_error(error) for error in incident.errors],
        "known_by": incident.known_by,
        "linked": list(incident.linked),
    }


def _error(error: ErrorSeen) -> ErrorDocument:
    return {
        "check": error.check,
        "target": error.target,
        "vantage": error.vantage,
        "kind": error.kind.value,
        "message": error.message,
        "at": telling.instant(error.at),
        "count": error.count,
    }


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else telling.instant(at)
