"""All that is in mind between two events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from monitor import detection
from monitor.detection import Track
from monitor.hours import Calendar
from monitor.model import (
    Channel,
    Estate,
    Incident,
    Outage,
)
from monitor.policy import PolicySettings

ACTOR = "monitor"
"""Who acts in a timeline when no person does."""


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


def kept(mind: Mind, incident: Incident) -> Incident:
    """The incident, remembered as open or forgotten as resolved."""
    if incident.resolved_at is None:
        mind.open[incident.subject] = incident
    else:
        mind.open.pop(incident.subject, None)
    return incident
