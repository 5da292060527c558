"""All that is in mind between two events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor import detection
from monitor.clock import Now
from monitor.detection import Track
from monitor.hours import Calendar
from monitor.model import (
    Action,
    Change,
    Channel,
    Estate,
    EventKind,
    Incident,
    Notice,
    Outage,
    Report,
    TimelineEvent,
)
from monitor.policy import PolicySettings

ACTOR = "monitor"
"""Who acts in a timeline when no person does."""

_LINES_KEPT = 30


@dataclass(slots=True)
class Mind:
    """All that is in mind. Made once from configuration and store, moved by `think`.

    `mint(at)` returns a new ULID. `open` are the open incidents by subject, `outages` the open
    outages by unit and track, `sequences` the last notice number used per conversation, by the id
    of its incident. `ended` are the resolved incidents, by id, in whose conversations another that
    is open is still told of. `timelines` hold the last lines of each open incident, by its id.
    `digested` is the opening of support that the last digest was made for. `reports` are the
    customers' reports that are not settled, by reference; `desk` says how the normal service desk
    is reached, for those who made them. `named` are the instances, by the id of an incident, under
    whose name its alerts were made, where that is not `instance`: a restored store has a new one.
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
    ended: dict[str, Incident] = field(default_factory=dict)
    timelines: dict[str, tuple[TimelineEvent, ...]] = field(default_factory=dict)
    digested: datetime | None = None
    reports: dict[str, Report] = field(default_factory=dict)
    desk: str = ""
    named: dict[str, str] = field(default_factory=dict)


def kept(mind: Mind, incident: Incident, notices: Sequence[Notice] = ()) -> Incident:
    """The incident, with the channels that `notices` trigger, remembered or forgotten.

    A resolved one is forgotten once no open one is told of in its conversation.
    """
    triggered = [n.channel for n in notices if n.action is Action.TRIGGER]
    if triggered:
        incident = replace(incident, paged=tuple(dict.fromkeys((*incident.paged, *triggered))))
    if incident.resolved_at is None:
        mind.open[incident.subject] = incident
    else:
        mind.open.pop(incident.subject, None)
        mind.ended[incident.id] = incident
    _forget(mind)
    return incident


def move_of(
    mind: Mind,
    now: Now,
    before: Incident,
    moved: Incident,
    kind: EventKind,
    *,
    text: str,
    notices: tuple[Notice, ...] = (),
    by: str = ACTOR,
) -> Change:
    """One move of an incident as a change: what it became, its line, and whom that is told."""
    return Change(
        incident=kept(mind, moved, notices),
        was_version=before.version,
        events=(TimelineEvent(moved.id, now.at, by, kind, text),),
        notices=notices,
    )


def numbered(mind: Mind, number: int) -> Incident:
    """The open incident of this number. Raises `KeyError` when there is none."""
    incident = next((i for i in mind.open.values() if i.number == number), None)
    if incident is None:
        raise KeyError(number)
    return incident


def remembered(mind: Mind, changes: Iterable[Change]) -> list[Change]:
    """The changes; the timelines of what is still open have their lines."""
    made = list(changes)
    open_ids = {incident.id for incident in mind.open.values()}
    for event in (event for change in made for event in change.events):
        note(mind, event)
    for id_ in mind.timelines.keys() - open_ids:
        del mind.timelines[id_]
    return made


def note(mind: Mind, event: TimelineEvent) -> None:
    """Keep a line of a timeline in mind."""
    known = mind.timelines.get(event.incident_id, ())
    mind.timelines[event.incident_id] = (*known, event)[-_LINES_KEPT:]


def _forget(mind: Mind) -> None:
    if mind.ended:
        wanted = {incident.paged_with for incident in mind.open.values()}
        for id_ in [each for each in mind.ended if each not in wanted]:
            del mind.ended[id_]
            mind.sequences.pop(id_, None)
