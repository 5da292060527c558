"""Think: from one event to what is to be probed and what is to be written.

Pure, and shared by the engine, replay and the benchmarks. `Mind` is everything that is in mind;
`think` moves it by one event:

    event -> detection -> Declared by unit -> Verdict by subject -> Decision -> Incident
          -> Change: outage, incident, timeline, evidence and notices together

A *subject* is what an incident is about; one incident is open per subject. Several units (checks)
of a service share a subject: an ALL of any of them is the service's, and the incident ends when
the last of them has. While a service is down for everyone, what fails in part is quiet: it opens
no incident and sends nothing until that is over.

Detection speaks in monotonic seconds; here they become instants, by the clock reading that came
with the event. Identifiers are asked of `Mind.mint`, so that nothing here is random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor import detection
from monitor.clock import Now
from monitor.detection import Declared, Probe, Span, Track, track_of
from monitor.hours import Calendar
from monitor.incident import lifecycle, wording
from monitor.model import (
    MONITOR,
    Action,
    Audience,
    Change,
    Channel,
    Deployment,
    Estate,
    EventKind,
    Impact,
    Incident,
    Interval,
    Need,
    Notice,
    Outage,
    Result,
    Service,
    Stage,
    TimelineEvent,
    Verdict,
    VerdictReason,
)
from monitor.policy import PolicySettings, decide

ACTOR = "monitor"
"""Who acts in a timeline when no person does."""

_EVIDENCE_KEPT = 100
_ITSELF = Service(MONITOR, "The monitor", Audience.USERS, (), core=False)


@dataclass(frozen=True, slots=True)
class Thought:
    """What one event leads to: cells to probe, and changes to write in this order."""

    probes: tuple[Probe, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Mind:
    """All that is in mind. Made once from configuration and store, moved by `think`.

    `mint(at)` returns a new ULID. `open` are the open incidents by subject, `outages` the open
    outages by unit and track, `sequences` the last notice number used per incident.
    """

    estate: Estate
    calendar: Calendar
    policy: PolicySettings
    channels: tuple[Channel, ...]
    instance: str
    public_url: str
    mint: Callable[[datetime], str]
    detection: detection.State
    next_number: int = 1
    open: dict[str, Incident] = field(default_factory=dict)
    outages: dict[tuple[str, Track], Outage] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)


def think(mind: Mind, event: detection.Event, now: Now) -> Thought:
    """Take in one event at `now`."""
    actions = detection.step(mind.detection, event, now.mono)
    probes = tuple(action for action in actions if isinstance(action, Probe))
    changes: list[Change] = []
    for action in actions:
        if isinstance(action, Declared):
            changes += _declared(mind, action, now)
    return Thought(probes, tuple(changes))


def resume(
    mind: Mind, incidents: Sequence[Incident], outages: Sequence[Outage], now: Now, unobserved: str
) -> list[Change]:
    """Take up what an earlier process left open; `unobserved` says what it did not see.

    An outage of what is no longer configured is closed, and an incident that rests on no other is
    resolved: nothing could ever end it. What that process had not come to tell is told now.
    """
    changes = []
    for outage in outages:
        if detection.resume(mind.detection, _declared_of(outage, now), now.mono):
            mind.outages[outage.unit, track_of(outage.impact, outage.reason)] = outage
        else:
            changes.append(Change(outages=(replace(outage, closed_at=now.at),)))
    for incident in incidents:
        mind.open[incident.subject] = incident
        event = TimelineEvent(incident.id, now.at, ACTOR, EventKind.UNOBSERVED, unobserved)
        changes.append(Change(events=(event,)))
    touched = {outage.service for outage in outages} | {i.service for i in incidents}
    for service in sorted(touched):
        changes += _no_longer_quiet(mind, service, now)
    return changes


def acknowledge(mind: Mind, number: int, by: str, now: Now) -> tuple[Incident, Change]:
    """A person takes an incident.

    Raises `KeyError` when no open incident has the number, `incident.IllegalTransition` when it
    was acknowledged before.
    """
    incident = next((i for i in mind.open.values() if i.number == number), None)
    if incident is None:
        raise KeyError(number)
    moved = lifecycle.acknowledge(incident, by, now.at)
    text = f"Acknowledged by {by}."
    change = Change(
        incident=_kept(mind, moved),
        was_version=incident.version,
        events=(TimelineEvent(moved.id, now.at, by, EventKind.ACKNOWLEDGED, text),),
        notices=_notices(mind, now, moved, Action.ACKNOWLEDGE, text),
    )
    return moved, change


# --------------------------------------------------------------------------- one declaration


@dataclass(frozen=True, slots=True)
class _Case:
    """A subject with the verdict on it, on the way to a change that already holds something."""

    mind: Mind
    now: Now
    subject: str
    service: Service
    verdict: Verdict
    results: tuple[Result, ...] = ()
    change: Change = field(default_factory=Change)


def _declared(mind: Mind, declared: Declared, now: Now) -> list[Change]:
    outage = _outage(mind, declared, now)
    subject, service = subject_of(mind, outage)
    verdict = _merged(mind, subject, outage, declared.known_by, now)
    change = Change(outages=(outage,))
    case = _Case(mind, now, subject, service, verdict, declared.results, change)
    if not _quiet(mind, outage):
        change = _incident_change(case)
    if outage.closed_at is not None:
        del mind.outages[outage.unit, track_of(outage.impact, outage.reason)]
    changes = [change]
    if verdict.impact is Impact.ALL and verdict.stage is Stage.WATCHING:
        changes += _no_longer_quiet(mind, verdict.service, now)
    return changes


def _outage(mind: Mind, declared: Declared, now: Now) -> Outage:
    """The outage as it now stands, kept in mind."""
    key = (declared.unit, track_of(declared.impact, declared.reason))
    known = mind.outages.get(key)
    closed = declared.stage is Stage.CLOSED
    service, _, rest = declared.unit.partition("/")
    outage = Outage(
        id=known.id if known else mind.mint(now.at),
        unit=declared.unit,
        service=service,
        check=rest.partition("/")[0],
        impact=declared.impact,
        reason=declared.reason,
        extent=declared.extent,
        began=known.began if known else _interval(declared.began, now),
        detected_at=known.detected_at if known else now.at,
        episodes=declared.episode,
        recovered=_interval(declared.recovered, now) if declared.recovered else None,
        watch_until=None if declared.watch_until is None else now.wall_of(declared.watch_until),
        closed_at=now.at if closed else None,
    )
    mind.outages[key] = outage
    return outage


def _interval(span: Span, now: Now) -> Interval:
    after = None if span.after is None else now.wall_of(span.after)
    return Interval(after, now.wall_of(span.before))


def _declared_of(outage: Outage, now: Now) -> Declared:
    """An outage in detection's own terms, to resume from."""
    return Declared(
        unit=outage.unit,
        impact=outage.impact,
        stage=Stage.FAILING if outage.watch_until is None else Stage.WATCHING,
        reason=outage.reason,
        at=now.mono,
        extent=outage.extent,
        began=_span(outage.began, now),
        recovered=_span(outage.recovered, now) if outage.recovered else None,
        watch_until=None if outage.watch_until is None else now.mono_of(outage.watch_until),
        episode=outage.episodes,
    )


def _span(interval: Interval, now: Now) -> Span:
    after = None if interval.after is None else now.mono_of(interval.after)
    return Span(after, now.mono_of(interval.before))


# --------------------------------------------------------------------------- subjects and verdicts


def subject_of(mind: Mind, outage: Outage) -> tuple[str, Service]:
    """What an incident about this outage is about, and its service."""
    machine = mind.detection.machines.get(outage.unit)
    named = {service.name: service for service in mind.estate.services}
    service = named.get(outage.service, _ITSELF)
    parts = ["v1", outage.service]
    if machine is not None and machine.population.tenant:
        parts += ["tenant", machine.population.tenant]
    if machine is not None and machine.population.deployment is not Deployment.HOSTED:
        parts.append(machine.population.deployment.value)
    parts.append(track_of(outage.impact, outage.reason).value)
    return ":".join(parts), service


def _merged(mind: Mind, subject: str, newest: Outage, known_by: str, now: Now) -> Verdict:
    """One verdict over all units of a subject: failing while any is, begun when the first did."""
    outages = [o for o in mind.outages.values() if subject_of(mind, o)[0] == subject]
    failing = [o for o in outages if o.watch_until is None and o.closed_at is None]
    watched = [o for o in outages if o.watch_until is not None and o.closed_at is None]
    machine = mind.detection.machines.get(newest.unit)

    def gravity(outage: Outage) -> tuple[bool, int, bool]:
        of_unit = mind.detection.machines.get(outage.unit)
        blocking = of_unit is not None and of_unit.population.need is Need.BLOCKING
        return blocking, outage.extent.failing, outage is newest

    widest = max(failing or outages, key=gravity)
    return Verdict(
        service=newest.service,
        impact=newest.impact,
        stage=Stage.FAILING if failing else Stage.WATCHING if watched else Stage.CLOSED,
        reason=widest.reason,
        at=now.at,
        checks=tuple(sorted({o.check for o in failing or outages})),
        extent=widest.extent,
        began=lifecycle.earliest([o.began for o in outages]),
        recovered=max((o.recovered for o in outages if o.recovered), key=_before, default=None),
        watch_until=max((o.watch_until for o in watched if o.watch_until), default=None),
        episode=max(o.episodes for o in outages),
        known_by=known_by,
        tenant=machine.population.tenant if machine else None,
        deployment=machine.population.deployment if machine else Deployment.HOSTED,
    )


def _before(interval: Interval) -> datetime:
    return interval.before


def _quiet(mind: Mind, outage: Outage) -> bool:
    """Whether it is a part of what is down for everyone anyway.

    One tenant's outage hides nothing of another's, and an excluded deployment's nothing of the
    hosted service.
    """
    tenant, deployment = _whose(mind, outage)
    return outage.impact is Impact.SOME and any(
        other.service == outage.service
        and other.impact is Impact.ALL
        and other.watch_until is None
        and _whose(mind, other) in ((None, deployment), (tenant, deployment))
        for other in mind.outages.values()
    )


def _whose(mind: Mind, outage: Outage) -> tuple[str | None, Deployment]:
    """The tenant (None: everyone) and the deployment that an outage is about."""
    machine = mind.detection.machines.get(outage.unit)
    if machine is None:
        return None, Deployment.HOSTED
    return machine.population.tenant, machine.population.deployment


def _no_longer_quiet(mind: Mind, service: str, now: Now) -> list[Change]:
    """Everyone is back: what still fails in part, or recovered meanwhile, is told now."""
    subjects = {
        subject_of(mind, outage)[0]: outage
        for outage in mind.outages.values()
        if outage.service == service
    }
    changes = []
    for subject, outage in subjects.items():
        if outage.impact is Impact.SOME and not _quiet(mind, outage):
            changes.append(_incident_change(_still(mind, subject, outage, now)))
    of_service = [incident for incident in mind.open.values() if incident.service == service]
    orphans = [incident for incident in of_service if incident.subject not in subjects]
    changes += [_resolved(mind, now, incident, Change()) for incident in orphans]
    return [change for change in changes if change != Change()]


def _still(mind: Mind, subject: str, outage: Outage, now: Now) -> _Case:
    """What is known of a subject, without anything having been declared just now."""
    track = track_of(outage.impact, outage.reason)
    machine = mind.detection.machines.get(outage.unit)
    told = machine.outages.open.get(track) if machine else None
    verdict = _merged(mind, subject, outage, told.known_by if told else "", now)
    results = machine.failures() if machine and subject not in mind.open else ()
    return _Case(mind, now, subject, subject_of(mind, outage)[1], verdict, results)


# --------------------------------------------------------------------------- incidents


def _incident_change(case: _Case) -> Change:
    """Open, update, recover, relapse or resolve the subject's incident, as the verdict says."""
    incident = case.mind.open.get(case.subject)
    stage = case.verdict.stage
    if incident is None:
        return _open(case) if stage is Stage.FAILING else case.change
    if stage is Stage.CLOSED:
        return _resolved(case.mind, case.now, incident, case.change)
    if stage is Stage.WATCHING:
        return _recovered(case, incident) if incident.watch_until is None else case.change
    return (
        _relapsed(case, incident) if incident.watch_until is not None else _update(case, incident)
    )


def _open(case: _Case) -> Change:
    mind, verdict = case.mind, case.verdict
    decision = decide(verdict, case.service, mind.calendar, mind.policy)
    linked = tuple(i.id for i in mind.open.values() if i.service == verdict.service)
    incident = lifecycle.opened(
        verdict,
        decision,
        id_=mind.mint(case.now.at),
        number=mind.next_number,
        subject=case.subject,
        title=wording.title_of(verdict, case.service),
        scope=wording.scope_of(verdict, case.service),
        linked=linked,
        results=case.results,
    )
    mind.next_number += 1
    event = _event(case, incident, EventKind.OPENED, wording.opening_text(incident, decision))
    return replace(
        case.change,
        incident=_kept(mind, incident),
        events=(event,),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=_notices(mind, case.now, incident, Action.TRIGGER, decision.sentence),
    )


def _update(case: _Case, incident: Incident) -> Change:
    """What is known has changed: on the timeline always, to people when their route widens."""
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
    text = f"Now: {moved.title}. {moved.known_by}"
    notices: tuple[Notice, ...] = ()
    if _raised(incident, moved):
        said = f"{text} {decision.sentence}"
        notices = _notices(mind, case.now, moved, Action.UPDATE, said, before=incident)
    return replace(
        case.change,
        incident=_kept(mind, moved),
        was_version=incident.version,
        events=(_event(case, moved, EventKind.UPDATED, text),),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=notices,
    )


def _recovered(case: _Case, incident: Incident) -> Change:
    verdict = case.verdict
    watch_until = verdict.watch_until or case.now.at
    moved = lifecycle.recover(incident, verdict.recovered, watch_until)
    return _turned(case, incident, moved, EventKind.RECOVERED, wording.recovered_text(moved))


def _relapsed(case: _Case, incident: Incident) -> Change:
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
    if _raised(incident, moved):
        text = f"{text} {decision.sentence}"
    return _turned(case, incident, moved, EventKind.RELAPSED, text)


def _raised(before: Incident, moved: Incident) -> bool:
    """Whether more people are to be told, or with more urgency."""
    return moved.route != before.route or moved.priority is not before.priority


def _turned(case: _Case, incident: Incident, moved: Incident, kind: EventKind, text: str) -> Change:
    """It recovered or relapsed; once it is known to be flapping, only the timeline says so."""
    notices: tuple[Notice, ...] = ()
    flapping = case.verdict.reason is VerdictReason.FLAPPING
    raised = _raised(incident, moved)
    if raised or not flapping or moved.episodes <= case.service.rules.flap_episodes:
        before = incident if raised else None
        notices = _notices(case.mind, case.now, moved, Action.UPDATE, text, before=before)
    return replace(
        case.change,
        incident=_kept(case.mind, moved),
        was_version=incident.version,
        events=(_event(case, moved, kind, text),),
        evidence=case.results[:_EVIDENCE_KEPT],
        notices=notices,
    )


def _resolved(mind: Mind, now: Now, incident: Incident, change: Change) -> Change:
    moved = lifecycle.resolve(incident, now.at)
    text = wording.resolved_text(moved)
    notices = _notices(mind, now, moved, Action.RESOLVE, text)
    mind.sequences.pop(incident.id, None)
    return replace(
        change,
        incident=_kept(mind, moved),
        was_version=incident.version,
        events=(TimelineEvent(moved.id, now.at, ACTOR, EventKind.RESOLVED, text),),
        notices=notices,
    )


def _event(case: _Case, incident: Incident, kind: EventKind, text: str) -> TimelineEvent:
    return TimelineEvent(incident.id, case.now.at, ACTOR, kind, text)


def _kept(mind: Mind, incident: Incident) -> Incident:
    """The incident, remembered as open or forgotten as resolved."""
    if incident.resolved_at is None:
        mind.open[incident.subject] = incident
    else:
        mind.open.pop(incident.subject, None)
    return incident


# --------------------------------------------------------------------------- notices


def _notices(
    mind: Mind,
    now: Now,
    incident: Incident,
    action: Action,
    text: str,
    *,
    before: Incident | None = None,
) -> tuple[Notice, ...]:
    """One notice for every channel that reaches one of the incident's roles.

    `before` is the incident whose route was narrower: channels it did not reach are triggered.
    A channel whose trigger is held gets everything after it, in order.
    """
    links = {"Incident": f"{mind.public_url}/incidents/{incident.number}"}
    runbooks = _runbooks(mind, incident)
    notices = []
    for channel in mind.channels:
        reached = set(channel.roles)
        if not reached & set(incident.route):
            continue
        new = before is not None and not reached & set(before.route)
        does = Action.TRIGGER if new else action
        due = incident.notify_at if before is None or new else before.notify_at
        sequence = mind.sequences[incident.id] = mind.sequences.get(incident.id, 0) + 1
        dedup_key = f"{mind.instance}:{incident.id}"
        notices.append(
            Notice(
                id=mind.mint(now.at),
                incident_id=incident.id,
                channel=channel.name,
                action=does,
                seq=sequence,
                key=f"{dedup_key}:{channel.name}:{does}:{sequence}",
                dedup_key=dedup_key,
                message=wording.message(incident, does, text, links, runbooks),
                created_at=now.at,
                due_at=max(now.at, due),
                held=due > now.at,
            )
        )
    return tuple(notices)


def _runbooks(mind: Mind, incident: Incident) -> tuple[str, ...]:
    known = {
        (check.service, check.name): check.runbook
        for service in mind.estate.services
        for check in service.checks
    }
    found = (known.get((incident.service, check), "") for check in incident.checks)
    return tuple(dict.fromkeys(runbook for runbook in found if runbook))
