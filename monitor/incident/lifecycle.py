"""The life of an incident, as a table.

    open          acknowledge -> acknowledged
    open          update, recover, relapse, link, part -> open
    acknowledged  update, recover, relapse, link, part -> acknowledged
    either        resolve -> resolved, and that is the end: what fails later is another incident

Recovery is announced while the incident stays open and is watched; it resolves when the watch is
over, so resolved never reopens. An acknowledgement names a person and is given once. To link is
to learn of a related incident; to part is to be told of in a conversation of its own from now on.
`version` grows by one with every move, and the store accepts a move only from the version before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from monitor.model import (
    Decision,
    ErrorSeen,
    FailureKind,
    Incident,
    IncidentState,
    Interval,
    Outcome,
    Priority,
    Result,
    Verdict,
)

ERRORS_KEPT = 30
"""At most this many different errors are listed on an incident."""


class Happening(StrEnum):
    """What can happen to an incident."""

    ACKNOWLEDGE = "acknowledge"
    UPDATE = "update"
    RECOVER = "recover"
    RELAPSE = "relapse"
    LINK = "link"
    PART = "part"
    RESOLVE = "resolve"


_OPEN, _ACKNOWLEDGED, _RESOLVED = IncidentState

LIFECYCLE: dict[tuple[IncidentState, Happening], IncidentState] = {
    (_OPEN, Happening.ACKNOWLEDGE): _ACKNOWLEDGED,
    (_OPEN, Happening.UPDATE): _OPEN,
    (_OPEN, Happening.RECOVER): _OPEN,
    (_OPEN, Happening.RELAPSE): _OPEN,
    (_OPEN, Happening.LINK): _OPEN,
    (_OPEN, Happening.PART): _OPEN,
    (_OPEN, Happening.RESOLVE): _RESOLVED,
    (_ACKNOWLEDGED, Happening.UPDATE): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.RECOVER): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.RELAPSE): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.LINK): _ACKNOWLEDGED,
    (_ACKNOWLEDGED, Happening.PART): _ACKNOWLEDGED,
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
    )


def acknowledge(incident: Incident, by: str, at: datetime) -> Incident:
    """A person takes it. Raises `IllegalTransition` when someone has, or it is resolved."""
    return _moved(incident, Happening.ACKNOWLEDGE, acknowledged_by=by, acknowledged_at=at)


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


def part(incident: Incident) -> Incident:
    """It is told of in a conversation of its own from now on."""
    return _moved(incident, Happening.PART, paged_with=None)


def resolve(incident: Incident, at: datetime) -> Incident:
    """It is over."""
    return _moved(incident, Happening.RESOLVE, resolved_at=at)


def _learned(
    incident: Incident, verdict: Verdict, decision: Decision, results: Iterable[Result]
) -> dict[str, object]:
    """What a verdict adds to what an incident says already."""
    raised = decision.priority is Priority.CRITICAL and incident.priority is Priority.STANDARD
    route = tuple(dict.fromkeys((*incident.route, *decision.route)))
    known = {(e.check, e.vantage, e.kind, e.message): e for e in incident.errors}
    for error in errors_seen(results):
        known.setdefault((error.check, error.vantage, error.kind, error.message), error)
    return {
        "priority": decision.priority if raised else incident.priority,
        "reason": decision.reason if raised or route != incident.route else incident.reason,
        "route": route,
        "notify_at": min(incident.notify_at, decision.notify_at),
        "respond_by": incident.respond_by or decision.respond_by,
        "began": earliest((incident.began, verdict.began)),
        "known_by": verdict.known_by or incident.known_by,
        "checks": tuple(sorted({*incident.checks, *verdict.checks})),
        "extent": verdict.extent,
        "errors": tuple(known.values())[:ERRORS_KEPT],
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
