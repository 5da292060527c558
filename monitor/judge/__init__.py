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

`mind.py` holds what is in mind, `verdicts.py` turns declarations into outages and verdicts,
`cases.py` moves incidents, `linking.py` says which are related, `paging.py` which share a page,
`notices.py` who is owed what, `duties.py` what falls due by itself, `owed.py` who is told in place
of whom, `silencing.py` what a person wants untold for a while, and `digest.py` what the service
desk reads when support opens. `reports.py` takes in what customers report by hand, of which
`reporters.py` tells them; `accounts.py` says what such a report lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor import detection
from monitor.clock import Now
from monitor.detection import Declared, Probe, track_of
from monitor.incident import lifecycle, replying, standing
from monitor.judge.cases import Case, departed, incident_changes, resolved
from monitor.judge.digest import caught_up, digest, digest_due
from monitor.judge.duties import fallen_due
from monitor.judge.linking import linked_back
from monitor.judge.mind import ACTOR, Mind, kept, note, numbered, remembered
from monitor.judge.notices import notices_of
from monitor.judge.owed import reconciled
from monitor.judge.reporters import reporters_told
from monitor.judge.reports import report
from monitor.judge.silencing import LONGEST, end_silence, run_out, silence
from monitor.judge.verdicts import (
    declared_of,
    merged,
    outage_of,
    placed_result,
    quiet,
    subject_of,
)
from monitor.model import (
    Action,
    Change,
    EventKind,
    Impact,
    Incident,
    Outage,
    Result,
    Stage,
    TimelineEvent,
)

__all__ = [
    "ACTOR",
    "LONGEST",
    "Mind",
    "StillFailing",
    "Thought",
    "acknowledge",
    "annotate",
    "caught_up",
    "digest",
    "digest_due",
    "end_silence",
    "note",
    "recall",
    "reconciled",
    "report",
    "resolve",
    "resume",
    "silence",
    "subject_of",
    "think",
]


@dataclass(frozen=True, slots=True)
class Thought:
    """What one event leads to: cells to probe, and changes to write in this order."""

    probes: tuple[Probe, ...] = ()
    changes: tuple[Change, ...] = ()


_NOTHING = Thought()
"""What nearly every event leads to."""


def think(mind: Mind, event: detection.Event, now: Now) -> Thought:
    """Take in one event at `now`."""
    actions = detection.step(mind.detection, event, now.mono)
    if not actions and not isinstance(event, detection.Tick):
        return _NOTHING
    probes = tuple(action for action in actions if isinstance(action, Probe))
    changes: list[Change] = []
    for action in actions:
        if isinstance(action, Declared):
            changes += _declared(mind, action, now)
    if isinstance(event, detection.Tick):
        changes += run_out(mind, now)
        changes += fallen_due(mind, now)
    return Thought(probes, tuple(remembered(mind, changes)))


def recall(mind: Mind, results: Iterable[Result], now: Now) -> None:
    """Take in what an earlier process had seen, oldest first; before `resume`.

    Its monotonic clock is not ours: an instant is placed by the wall clock. What was seen later
    than `now`, by a clock that has been set back since, cannot be placed and is left out.
    """
    placed = (placed_result(result, now) for result in results if result.observed_at <= now.at)
    detection.recall(mind.detection, placed, now.mono)


def resume(
    mind: Mind, incidents: Sequence[Incident], outages: Sequence[Outage], now: Now, unobserved: str
) -> list[Change]:
    """Take up what an earlier process left open; `unobserved` says what it did not see.

    An outage of what is no longer configured is closed, and an incident that rests on no other is
    resolved: nothing could ever end it. One that a customer opened is left to a person. What that
    process had not come to tell is told now, and links and pages that it left half made are made
    whole. `mind.ended` holds the resolved incidents that an open one is `paged_with`.
    """
    changes = []
    for outage in outages:
        if detection.resume(mind.detection, declared_of(outage, now), now.mono):
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
    return remembered(mind, [*changes, *linked_back(mind, now), *departed(mind, now)])


def acknowledge(mind: Mind, number: int, by: str, now: Now) -> tuple[Incident, Change]:
    """A person takes an incident, accepts or keeps one, or answers later reports.

    All that reported it by now are answered. Raises `KeyError` when no open incident has the
    number, `incident.IllegalTransition` when somebody has it already and nobody waits.
    """
    incident = numbered(mind, number)
    kind = _answering(incident)
    text = f"{kind.value.capitalize()} by {by}."
    if kind is EventKind.ANSWERED:
        text = replying.answered_text(by)
    moved = lifecycle.acknowledge(incident, by, now.at)
    notices = notices_of(mind, now, moved, Action.ACKNOWLEDGE, text)
    moved = kept(mind, moved, notices)
    reports, told = reporters_told(mind, now, moved)
    change = Change(
        incident=moved,
        was_version=incident.version,
        events=(TimelineEvent(moved.id, now.at, by, kind, text),),
        notices=(*notices, *told),
        reports=reports,
    )
    remembered(mind, [change])
    return moved, change


def _answering(incident: Incident) -> EventKind:
    """What an acknowledgement of an incident is, as it stands."""
    if standing.to_accept(incident):
        return EventKind.ACCEPTED
    if incident.acknowledged_at is None:
        return EventKind.ACKNOWLEDGED
    if standing.to_answer(incident):
        return EventKind.ANSWERED
    return EventKind.RENEWED if standing.to_renew(incident) else EventKind.ACKNOWLEDGED


class StillFailing(Exception):  # noqa: N818 - named for what it says
    """The probes still see what an incident is about fail; nothing was changed."""

    def __init__(self, incident: Incident) -> None:
        super().__init__(
            f"incident {incident.number} still fails, as the probes see it: it resolves by itself "
            "once they pass; acknowledge it, or declare a maintenance window if it is meant to be"
        )
        self.incident = incident


def resolve(
    mind: Mind, number: int, by: str, now: Now, *, false_alarm: bool = False
) -> tuple[Incident, list[Change]]:
    """A person says that an incident is over, or never was.

    Raises `KeyError` when no open incident has the number, `StillFailing` while the probes see it.
    """
    incident = numbered(mind, number)
    if any(_fails(mind, outage, incident) for outage in mind.outages.values()):
        raise StillFailing(incident)
    changes = resolved(mind, now, incident, Change(), by=by, false_alarm=false_alarm)
    (moved,) = [c.incident for c in changes if c.incident and c.incident.id == incident.id]
    return moved, remembered(mind, changes)


def _fails(mind: Mind, outage: Outage, incident: Incident) -> bool:
    failing = outage.watch_until is None and outage.closed_at is None
    return failing and subject_of(mind, outage)[0] == incident.subject


def annotate(mind: Mind, incident: Incident, by: str, text: str, now: Now) -> Change:
    """A person adds a line to an incident's timeline, also to that of a resolved one.

    It moves nothing and nobody is sent it.
    """
    change = Change(events=(TimelineEvent(incident.id, now.at, by, EventKind.NOTED, text),))
    remembered(mind, [change])
    return change


def _declared(mind: Mind, declared: Declared, now: Now) -> list[Change]:
    outage = outage_of(mind, declared, now)
    subject, service = subject_of(mind, outage)
    verdict = merged(mind, subject, outage, declared.known_by, now)
    change = Change(outages=(outage,))
    case = Case(mind, now, subject, service, verdict, declared.results, change)
    changes = [change] if quiet(mind, outage) else incident_changes(case)
    if outage.closed_at is not None:
        del mind.outages[outage.unit, track_of(outage.impact, outage.reason)]
    if verdict.impact is Impact.ALL and verdict.stage is Stage.WATCHING:
        changes += _no_longer_quiet(mind, verdict.service, now)
    return changes


def _no_longer_quiet(mind: Mind, service: str, now: Now) -> list[Change]:
    """Everyone is back: what still fails in part, or recovered meanwhile, is told now."""
    subjects = {
        subject_of(mind, outage)[0]: outage
        for outage in mind.outages.values()
        if outage.service == service
    }
    changes: list[Change] = []
    for subject, outage in subjects.items():
        if outage.impact is Impact.SOME and not quiet(mind, outage):
            changes += incident_changes(_still(mind, subject, outage, now))
    of_service = [incident for incident in mind.open.values() if incident.service == service]
    orphans = [i for i in of_service if i.subject not in subjects and not i.by_customer]
    for incident in orphans:
        changes += resolved(mind, now, mind.open[incident.subject], Change())
    return [change for change in changes if change != Change()]


def _still(mind: Mind, subject: str, outage: Outage, now: Now) -> Case:
    """What is known of a subject, without anything having been declared just now."""
    track = track_of(outage.impact, outage.reason)
    machine = mind.detection.machines.get(outage.unit)
    told = machine.outages.open.get(track) if machine else None
    verdict = merged(mind, subject, outage, told.known_by if told else "", now)
    results = machine.failures() if machine and subject not in mind.open else ()
    return Case(mind, now, subject, subject_of(mind, outage)[1], verdict, results)
