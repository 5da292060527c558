"""All that is in mind between two events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor import detection
from monitor.detection import Track
from monitor.hours import Calendar
from monitor.model import Action, Channel, Estate, Incident, Notice, Outage
from monitor.policy import PolicySettings

ACTOR = "monitor"
"""Who acts in a timeline when no person does."""


@dataclass(slots=True)
class Mind:
    """All that is in mind. Made once from configuration and store, moved by `think`.

    `mint(at)` returns a new ULID. `open` are the open incidents by subject, `outages` the open
    outages by unit and track, `sequences` the last notice number used per conversation, by the id
    of its incident. `ended` are the resolved incidents, by id, in whose conversations another that
    is open is still told of.
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


def _forget(mind: Mind) -> None:
    if mind.ended:
        wanted = {incident.paged_with for incident in mind.open.values()}
        for id_ in [each for each in mind.ended if each not in wanted]:
            del mind.ended[id_]
            mind.sequences.pop(id_, None)
