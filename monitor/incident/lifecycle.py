"""The life of an incident, as a table.

    open          acknowledge -> acknowledged
    acknowledged  accept -> acknowledged
    acknowledged  hand over -> acknowledged
    acknowledged  answer -> acknowledged
    acknowledged  ask -> acknowledged
    acknowledged  renew -> acknowledged
    either        update, report, recover, relapse, link, part, warn, escalate, call in, fail over,
                  silence, unsilence: it stays as it is
    either        resolve -> resolved, and that is the end: what fails later is another incident

Recovery is announced while the incident stays open and is watched; it resolves when the watch is
over, so resolved never reopens. An acknowledgement names a person and is given once; when support
closes over an acknowledged incident it is handed over, and another person accepts it. To link is
to learn of a related incident; to part is to be told of in a conversation of its own from now on;
to escalate is to be told of by a new alert, to call in is to tell a further channel, to fail over
is to tell others in place of one that cannot be reached. To ask is to ask who has it whether he
still does, to renew is to say so. To warn is to say that no person has responded yet.
To report is to be joined by a customer's report; an acknowledgement answers all that joined before
it, and one that joins later is answered by another. To silence is to send nothing of it for a
while, but that a person has it or that it is over; whatever happens meanwhile still does.
`version` grows by one with every move, and the store accepts a move only from the version before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from monitor.incident import standing
from monitor.model import (
    Asking,
    Decision,
    ErrorSeen,
    FailureKind,
    Handover,
    Incident,
    IncidentState,
    Interval,
    Outcome,
    Priority,
    ReportedBy,
    Result,
    Silence,
    Verdict,
)

ERRORS_KEPT = 30
"""At most this many different errors are listed on an incident."""


class Happening(StrEnum):
    """What can happen to an incident."""

    ACKNOWLEDGE = "acknowledge"
    ANSWER = "answer"
    UPDATE = "update"
    REPORT = "report"
    RECOVER = "recover"
    RELAPSE = "relapse"
    LINK = "link"
    PART = "part"
    WARN = "warn"
    ESCALATE = "escalate"
    CALL_IN = "call_in"
    FAIL_OVER = "fail_over"
    ASK = "ask"
    RENEW = "renew"
    SILENCE = "silence"
    UNSILENCE = "unsilence"
    HAND_OVER = "hand_over"
    ACCEPT = "accept"
    RESOLVE = "resolve"


_OPEN, _ACKNOWLEDGED, _RESOLVED = IncidentState

_EITHER = (
    Happening.UPDATE,
    Happening.REPORT,
    Happening.RECOVER,
    Happening.RELAPSE,
    Happening.LINK,
    Happening.PART,
    Happening.WARN,
    Happening.ESCALATE,
    Happening.CALL_IN,
    Happening.FAIL_OVER,
    Happening.SILENCE,
    Happening.UNSILENCE,
)

LIFECYCLE: dict[tuple[IncidentState, Happening], IncidentState] = {
    (_OPEN, Happening.ACKNOWLEDGE): _ACKNOWLEDGED,
    **{(state, happening): state for state in (_OPEN, _ACKNOWLEDGED) for happening in _EITHER},
    (_ACKNOWLEDGED, Happening.HAND_OVER): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.ACCEPT): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.ANSWER): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.ASK): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.RENEW): _ACKNOWLEDGED,
    (_OPEN, Happening.RESOLVE): _RESOLVED,
    (_ACKNOWLEDGED, Happening.RESOLVE): _RESOLVED,
}


class IllegalTransition(Exception):  # noqa: N818 - named for what happened, as callers speak of it
    """This cannot happen to the incident as it is; nothing was changed."""

    def __init__(self, incident: Incident, happening: Happening) -> None:
        by = f" by {incident.acknowledged_by}" if incident.acknowledged_by else ""
        super().__init__(
            f"incident {incident.number} is {incident.state}{by}: cannot {happening} it"
        )
        self.incident = incident
        self.happening = happening


def opened(
    verdict: Verdict,
    decision: Decision,
    *,
    id_: str,
    number: int,
    subject: str,
    title: str,
    scope: str,
    results: Iterable[Result],
) -> Incident:
    """A new incident, reported at the verdict's instant."""
    return Incident(
        id=id_,
        number=number,
        subject=subject,
        service=verdict.service,
        impact=verdict.impact,
        priority=decision.priority,
        state=IncidentState.OPEN,
        title=title,
        scope=scope,
        route=decision.route,
        reason=decision.reason,
        began=verdict.began,
        detected_at=verdict.at,
        reported_at=decision.at,
        notify_at=decision.notify_at,
        respond_by=decision.respond_by,
        out_of_hours=not decision.support_open,
        known_by=verdict.known_by,
        checks=verdict.checks,
        extent=verdict.extent,
        errors=errors_seen(results),
        episodes=verdict.episode,
        warn_at=decision.warn_at,
        closings_after=decision.at if decision.priority is Priority.CRITICAL else None,
    )


def acknowledge(incident: Incident, by: str, at: datetime) -> Incident:
    """A person takes it, accepts it where it was handed over, keeps it, or answers later reports.

    Whichever it is, all reports that have joined by now are answered, and so is who asked whether
    somebody still has it. Raises `IllegalTransition` when someone has it and nobody waits, or it
    is resolved.
    """
    fields: dict[str, object] = {
        "reports": tuple(_answered(each, by, at) for each in incident.reports),
        "asking": _renewed(incident.asking, by, at),
    }
    handover = incident.handover
    if handover is not None and handover.accepted_at is None:
        accepted = replace(handover, accepted_by=by, accepted_at=at)
        return _moved(incident, Happening.ACCEPT, handover=accepted, **fields)
    if incident.acknowledged_at is not None and standing.to_answer(incident):
        return _moved(incident, Happening.ANSWER, **fields)
    if standing.to_renew(incident):
        return _moved(incident, Happening.RENEW, **fields)
    fields |= {"acknowledged_by": by, "acknowledged_at": at, "warn_at": ()}
    return _moved(incident, Happening.ACKNOWLEDGE, **fields)


def _renewed(asking: Asking | None, by: str, at: datetime) -> Asking | None:
    if asking is None or asking.answered_at is not None:
        return asking
    return replace(asking, answered_by=by, answered_at=at)


def _answered(reported: ReportedBy, by: str, at: datetime) -> ReportedBy:
    if reported.answered_at is not None:
        return reported
    return replace(reported, answered_by=by, answered_at=at, warn_at=())


def warn(incident: Incident) -> Incident:
    """The first of its warnings is given."""
    return _moved(incident, Happening.WARN, warn_at=incident.warn_at[1:])


def warn_of(incident: Incident, reported: ReportedBy) -> Incident:
    """The first of the warnings of one of its reports is given."""
    warned = replace(reported, warn_at=reported.warn_at[1:])
    reports = tuple(warned if each == reported else each for each in incident.reports)
    return _moved(incident, Happening.WARN, reports=reports)


def escalate(incident: Incident, channels: Iterable[str], at: datetime) -> Incident:
    """It is told of by a new alert on these channels; closings until `at` are seen to."""
    handover = incident.handover and replace(incident.handover, paged_at=at)
    return _moved(
        incident,
        Happening.ESCALATE,
        escalated=(*incident.escalated, *channels),
        closings_after=at,
        handover=handover,
    )


def call_in(incident: Incident, channel: str) -> Incident:
    """A further channel is told, from now on."""
    paged = tuple(dict.fromkeys((*incident.paged, channel)))
    return _moved(incident, Happening.CALL_IN, paged=paged)


def fail_over(incident: Incident, trigger: str) -> Incident:
    """A trigger, by its id, is not waited for any longer: others are told in its place."""
    return _moved(incident, Happening.FAIL_OVER, given_up=(*incident.given_up, trigger))


def ask(incident: Incident, channels: Iterable[str], at: datetime) -> Incident:
    """Whoever has it is asked whether he still does, by a new alert on these channels."""
    escalated = (*incident.escalated, *channels)
    return _moved(incident, Happening.ASK, escalated=escalated, asking=Asking(at))


def silence(incident: Incident, silence: Silence) -> Incident:
    """Nothing is sent of it for a while; a silence that it has gives way to this one."""
    return _moved(incident, Happening.SILENCE, silenced=silence)


def put_off(incident: Incident, at: datetime) -> Incident:
    """It would be told of by a new alert, but for its silence; closings until `at` are seen to."""
    silenced = incident.silenced
    if silenced is not None and silenced.put_off is None:
        silenced = replace(silenced, put_off=incident.closings_after)
    return replace(escalate(incident, (), at), silenced=silenced)


def end_silence(incident: Incident, escalated: Iterable[str] = (), *, paged: bool) -> Incident:
    """It is told of again; by a new alert on the channels `escalated`.

    Where that is not `paged`, what was put off falls due again.
    """
    owed = None if paged or incident.silenced is None else incident.silenced.put_off
    fields: dict[str, object] = {}
    if owed is not None:
        handover = incident.handover
        unaccepted = handover is not None and handover.accepted_at is None
        fields["closings_after"] = owed
        fields["handover"] = (
            replace(handover, paged_at=None) if handover and unaccepted else handover
        )
    channels = (*incident.escalated, *escalated)
    return _moved(incident, Happening.UNSILENCE, silenced=None, escalated=channels, **fields)


def hand_over(incident: Incident, handover: Handover) -> Incident:
    """Support closed over it: on-call is to accept it from the person who has it."""
    fields = {"handover": handover, "closings_after": handover.closed_at}
    return _moved(incident, Happening.HAND_OVER, **fields)


def update(
    incident: Incident,
    verdict: Verdict,
    decision: Decision,
    *,
    title: str,
    scope: str,
    results: Iterable[Result] = (),
) -> Incident:
    """What is known has changed.

    Priority and route only ever rise, a promise made is kept, every check that failed stays named,
    and the start is no later than the earliest known of any of them.
    """
    learned = _learned(incident, verdict, decision, results)
    return _moved(incident, Happening.UPDATE, title=title, scope=scope, **learned)


def report(incident: Incident, reported: ReportedBy, decision: Decision | None) -> Incident:
    """A customer's report joins it, and raises it to what policy decides of it (None: nothing).

    What is known of the failure stays as it was: a report is evidence beside that of the probes.
    """
    risen = {} if decision is None else _risen(incident, decision)
    return _moved(incident, Happening.REPORT, reports=(*incident.reports, reported), **risen)


def recover(incident: Incident, recovered: Interval | None, watch_until: datetime) -> Incident:
    """It works again, and is watched until `watch_until`."""
    return _moved(incident, Happening.RECOVER, recovered=recovered, watch_until=watch_until)


def relapse(
    incident: Incident,
    verdict: Verdict,
    decision: Decision,
    *,
    title: str,
    scope: str,
    results: Iterable[Result] = (),
) -> Incident:
    """It fails again while being watched: its next episode, which may be wider than the last."""
    return _moved(
        incident,
        Happening.RELAPSE,
        recovered=None,
        watch_until=None,
        episodes=incident.episodes + 1,
        title=title,
        scope=scope,
        **_learned(incident, verdict, decision, results),
    )


def link(incident: Incident, other: Incident) -> Incident:
    """It is related to `other`."""
    return _moved(incident, Happening.LINK, linked=(*incident.linked, other.id))


def part(incident: Incident, at: datetime) -> Incident:
    """It is told of in a conversation of its own from now on; closings until `at` are seen to."""
    closings_after = incident.closings_after and max(incident.closings_after, at)
    return _moved(incident, Happening.PART, paged_with=None, closings_after=closings_after)


def resolve(
    incident: Incident, at: datetime, by: str | None = None, *, false_alarm: bool = False
) -> Incident:
    """It is over: `by` a person says so (None: the probes do), or that it never was."""
    fields = {"resolved_at": at, "resolved_by": by, "false_alarm": false_alarm, "warn_at": ()}
    return _moved(incident, Happening.RESOLVE, silenced=None, **fields)


def _learned(
    incident: Incident, verdict: Verdict, decision: Decision, results: Iterable[Result]
) -> dict[str, object]:
    """What a verdict adds to what an incident says already."""
    known = {(e.check, e.vantage, e.kind, e.message): e for e in incident.errors}
    for error in errors_seen(results):
        known.setdefault((error.check, error.vantage, error.kind, error.message), error)
    return {
        **_risen(incident, decision),
        "began": earliest((incident.began, verdict.began)),
        "known_by": verdict.known_by or incident.known_by,
        "checks": tuple(sorted({*incident.checks, *verdict.checks})),
        "extent": verdict.extent,
        "errors": tuple(known.values())[:ERRORS_KEPT],
    }


def _risen(incident: Incident, decision: Decision) -> dict[str, object]:
    """Priority, route and promise after a decision: they only rise, and a promise is kept.

    Raised, it carries the promise that is due first.
    """
    raised = decision.priority is Priority.CRITICAL and incident.priority is Priority.STANDARD
    due = [at for at in (incident.respond_by, decision.respond_by) if at is not None]
    respond_by = min(due, default=None) if raised else incident.respond_by or decision.respond_by
    promised = respond_by != incident.respond_by and incident.acknowledged_at is None
    route = tuple(dict.fromkeys((*incident.route, *decision.route)))
    return {
        "priority": decision.priority if raised else incident.priority,
        "reason": decision.reason if raised or route != incident.route else incident.reason,
        "route": route,
        "notify_at": min(incident.notify_at, decision.notify_at),
        "respond_by": respond_by,
        "warn_at": decision.warn_at if promised else incident.warn_at,
        "closings_after": decision.at if raised else incident.closings_after,
    }


def earliest(intervals: Sequence[Interval]) -> Interval:
    """When the first of several things happened; `intervals` is not empty."""
    known = [interval.after for interval in intervals if interval.after is not None]
    after = min(known) if len(known) == len(intervals) else None
    return Interval(after, min(interval.before for interval in intervals))


def errors_seen(results: Iterable[Result]) -> tuple[ErrorSeen, ...]:
    """The different errors among failures, verbatim, per check and vantage, first seen first."""
    found: dict[tuple[str, str, str, str], ErrorSeen] = {}
    for result in sorted(results, key=lambda r: r.observed_mono):
        kind = FailureKind.STATUS if result.outcome is Outcome.BLOCKED else result.failure
        if kind is None:
            continue
        cell, message = result.cell, result.evidence.message
        key = (cell.check, cell.vantage, kind, message)
        seen = found.get(key)
        found[key] = (
            replace(seen, count=seen.count + 1)
            if seen
            else ErrorSeen(cell.check, cell.target, cell.vantage, kind, message, result.observed_at)
        )
    return tuple(found.values())[:ERRORS_KEPT]


def _moved(incident: Incident, happening: Happening, **fields: object) -> Incident:
    state = LIFECYCLE.get((incident.state, happening))
    if state is None:
        raise IllegalTransition(incident, happening)
    return replace(incident, state=state, version=incident.version + 1, **fields)  # type: ignore[arg-type]  # fields are named by the callers above
