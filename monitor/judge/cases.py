"""From a verdict on a subject to its incident's next move, with everything that goes with it.

A move may touch other incidents too: those it is linked with, and those that are told of in its
conversation. Each of them moves in a change of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from monitor.clock import Now
from monitor.incident import lifecycle, wording
from monitor.judge import linking, paging, silencing
from monitor.judge.mind import ACTOR, Mind, kept
from monitor.judge.notices import departures, guests_left, notices_of
from monitor.judge.reporters import reporters_told
from monitor.model import (
    Action,
    Change,
    EventKind,
    Incident,
    Notice,
    ReportedBy,
    Result,
    Service,
    Stage,
    TimelineEvent,
    Verdict,
    VerdictReason,
)
from monitor.policy import decide

_EVIDENCE_KEPT = 100


@dataclass(frozen=True, slots=True)
class Told:
    """A customer's report: what the incident remembers, a line of its timeline, what was seen."""

    reported: ReportedBy
    line: str
    seen: str


@dataclass(frozen=True, slots=True)
class Case:
    """A subject with the verdict on it, on the way to a change that already holds something.

    `told` is the customer's report that the verdict is made of, None where the probes found it.
    """

    mind: Mind
    now: Now
    subject: str
    service: Service
    verdict: Verdict
    results: tuple[Result, ...] = ()
    change: Change = field(default_factory=Change)
    told: Told | None = None


def incident_changes(case: Case) -> list[Change]:
    """Open, update, recover, relapse or resolve the subject's incident, as the verdict says.

    One of the changes, at least, is made of `case.change`.
    """
    incident = case.mind.open.get(case.subject)
    stage = case.verdict.stage
    if incident is None:
        return _opened(case) if stage is Stage.FAILING else [case.change]
    if stage is Stage.CLOSED:
        return resolved(case.mind, case.now, incident, case.change)
    if stage is Stage.WATCHING:
        return [_recovered(case, incident) if incident.watch_until is None else case.change]
    if incident.watch_until is None:
        return [_update(case, incident)]
    relapsed = _relapsed(case, incident)
    return [relapsed, *departed(case.mind, case.now)]


def departed(mind: Mind, now: Now) -> list[Change]:
    """Whose host is over and who fails again gets a conversation of its own."""
    return departures(mind, now, guests_left(mind), "Down again")


def _opened(case: Case) -> list[Change]:
    """The new incident, and what those that it is linked with learn of it."""
    change = _open(case)
    newer = case.mind.open[case.subject]
    return [change, *linking.link_back(case.mind, case.now, newer)]


def _open(case: Case) -> Change:
    mind, verdict = case.mind, case.verdict
    decision = decide(verdict, case.service, mind.calendar, mind.policy)
    incident = lifecycle.opened(
        verdict,
        decision,
        id_=mind.mint(case.now.at),
        number=mind.next_number,
        subject=case.subject,
        title=wording.title_of(verdict, case.service),
        scope=wording.scope_of(verdict, case.service),
        results=case.results,
    )
    mind.next_number += 1
    others = linking.related(mind, incident)
    incident = replace(
        incident,
        linked=tuple(other.id for other in others),
        paged_with=paging.host_id(mind, incident),
        by_customer=case.told is not None,
        reports=() if case.told is None else (case.told.reported,),
    )
    event = _event(case, incident, EventKind.OPENED, wording.opening_text(incident, decision))
    told = case.told and _event(case, incident, EventKind.REPORTED, case.told.line)
    lines = (linking.linked_line(mind, case.now, incident, other) for other in others)
    story = () if case.told is None else (case.told.seen,)
    notices = notices_of(
        mind,
        case.now,
        incident,
        Action.TRIGGER,
        decision.sentence,
        story=story,
        outsiders=True,
    )
    return replace(
        case.change,
        incident=kept(mind, incident, notices),
        events=(event, *((told,) if told else ()), *lines),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=notices,
    )


def _update(case: Case, incident: Incident) -> Change:
    """What is known has changed: on the timeline always, to people when that is a real change.

    That is when more people are to be told, or with more urgency. How many targets fail goes up and
    down, and what is down for everyone takes its other checks along: that is only on the timeline.
    """
    mind, verdict = case.mind, case.verdict
    decision = decide(verdict, case.service, mind.calendar, mind.policy)
    title = wording.title_of(verdict, case.service)
    scope = wording.scope_of(verdict, case.service)
    known = set(verdict.checks) <= set(incident.checks)
    if known and (title, scope) == (incident.title, incident.scope):
        return case.change
    moved = lifecycle.update(
        incident, verdict, decision, title=title, scope=scope, results=case.results
    )
    text = wording.update_text(incident, moved)
    notices: tuple[Notice, ...] = ()
    over: tuple[TimelineEvent, ...] = ()
    higher = raised(incident, moved)
    said = f"{text} {decision.sentence}"
    broken = silencing.broken(mind, case.now, incident, moved, text=said, higher=higher)
    if broken is not None:
        moved, notices, over = broken
    elif higher:
        notices = notices_of(mind, case.now, moved, Action.UPDATE, said, before=incident)
    return replace(
        case.change,
        incident=kept(mind, moved, notices),
        was_version=incident.version,
        events=(_event(case, moved, EventKind.UPDATED, text), *over),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=notices,
    )


def _recovered(case: Case, incident: Incident) -> Change:
    verdict = case.verdict
    watch_until = verdict.watch_until or case.now.at
    moved = lifecycle.recover(incident, verdict.recovered, watch_until)
    return _turned(case, incident, moved, EventKind.RECOVERED, wording.recovered_text(moved))


def _relapsed(case: Case, incident: Incident) -> Change:
    verdict = case.verdict
    decision = decide(verdict, case.service, case.mind.calendar, case.mind.policy)
    moved = lifecycle.relapse(
        incident,
        verdict,
        decision,
        title=wording.title_of(verdict, case.service),
        scope=wording.scope_of(verdict, case.service),
        results=case.results,
    )
    text = wording.relapsed_text(moved)
    if raised(incident, moved):
        text = f"{text} {decision.sentence}"
    return _turned(case, incident, moved, EventKind.RELAPSED, text)


def raised(before: Incident, moved: Incident) -> bool:
    """Whether more people are to be told, or with more urgency."""
    return moved.route != before.route or moved.priority is not before.priority


def _turned(case: Case, incident: Incident, moved: Incident, kind: EventKind, text: str) -> Change:
    """It recovered or relapsed; once it is known to be flapping, only the timeline says so."""
    notices: tuple[Notice, ...] = ()
    flapping = case.verdict.reason is VerdictReason.FLAPPING
    over: tuple[TimelineEvent, ...] = ()
    higher = raised(incident, moved)
    broken = silencing.broken(case.mind, case.now, incident, moved, text=text, higher=higher)
    if broken is not None:
        moved, notices, over = broken
    elif higher or not flapping or moved.episodes <= case.service.rules.flap_episodes:
        before = incident if higher else None
        notices = notices_of(
            case.mind, case.now, moved, Action.UPDATE, text, before=before, outsiders=True
        )
    return replace(
        case.change,
        incident=kept(case.mind, moved, notices),
        was_version=incident.version,
        events=(_event(case, moved, kind, text), *over),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=notices,
    )


def resolved(
    mind: Mind,
    now: Now,
    incident: Incident,
    change: Change,
    *,
    by: str | None = None,
    false_alarm: bool = False,
) -> list[Change]:
    """The incident is over: add that to a change, after what its guests need first.

    `by` a person says so (None: the probes do), or that it was a false alarm. Who reported it is
    told in the same change.
    """
    guests = [each for each in mind.open.values() if each.paged_with == incident.id]
    first = departures(mind, now, guests, "Still down")
    moved = lifecycle.resolve(incident, now.at, by, false_alarm=false_alarm)
    text = wording.resolved_text(moved)
    notices = notices_of(mind, now, moved, Action.RESOLVE, text, outsiders=True)
    moved = kept(mind, moved)
    reports, told = reporters_told(mind, now, moved)
    last = replace(
        change,
        incident=moved,
        was_version=incident.version,
        events=(TimelineEvent(moved.id, now.at, by or ACTOR, EventKind.RESOLVED, text),),
        notices=(*notices, *told),
        reports=reports,
    )
    return [*first, last]


def _event(case: Case, incident: Incident, kind: EventKind, text: str) -> TimelineEvent:
    return TimelineEvent(incident.id, case.now.at, ACTOR, kind, text)
