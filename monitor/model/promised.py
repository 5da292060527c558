"""Incidents, their timeline, and the notices owed about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.model.concluded import Dimension, Extent, Impact, Interval, Outage, Unobserved
from monitor.model.decided import DecisionReason, Priority, Role
from monitor.model.seen import FailureKind, Result


class IncidentState(StrEnum):
    """The life of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """A promise to people. One is open per `subject` at a time; `version` counts its changes.

    `id` is a ULID, `number` is what people say. `respond_by` is computed once and kept.
    `recovered` and `watch_until` are set while recovery is watched. `linked` are the ids of related
    incidents, each of which names this one too. `paged` are the channels that were owed a trigger
    of its own; `paged_with` is the id of the incident in whose conversation the other channels
    that it reaches are told of it, None when there are none. `false_alarm`: a person said so.
    """

    id: str
    number: int
    subject: str
    service: str
    impact: Impact
    priority: Priority
    state: IncidentState
    title: str
    scope: str
    route: tuple[Role, ...]
    reason: DecisionReason
    began: Interval
    detected_at: datetime
    reported_at: datetime
    notify_at: datetime
    respond_by: datetime | None
    out_of_hours: bool
    known_by: str = ""
    checks: tuple[str, ...] = ()
    extent: Extent = field(default_factory=lambda: Extent(Dimension.EVERYONE))
    errors: tuple[ErrorSeen, ...] = ()
    episodes: int = 1
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    recovered: Interval | None = None
    watch_until: datetime | None = None
    resolved_at: datetime | None = None
    linked: tuple[str, ...] = ()
    version: int = 1
    paged: tuple[str, ...] = ()
    paged_with: str | None = None
    false_alarm: bool = False


@dataclass(frozen=True, slots=True)
class ErrorSeen:
    """One error as observed, verbatim: where, when, which kind, what it said, how often."""

    check: str
    target: str
    vantage: str
    kind: FailureKind
    message: str
    at: datetime
    count: int = 1


class EventKind(StrEnum):
    """What a line of an incident's timeline tells."""

    OPENED = "opened"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    RECOVERED = "recovered"
    RELAPSED = "relapsed"
    RESOLVED = "resolved"
    LINKED = "linked"
    NOTED = "noted"
    UNOBSERVED = "unobserved"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of an incident's timeline; only ever appended."""

    incident_id: str
    at: datetime
    actor: str
    kind: EventKind
    text: str


class Action(StrEnum):
    """What a notice asks of its receiver."""

    TRIGGER = "trigger"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class NoticeState(StrEnum):
    """The life of a notice."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Message:
    """What a notice says, for any channel: written for a reader at 3 a.m.

    `headline` stands alone; `lines` follow it. `incident` is the incident whose conversation this
    is, as it was then; `about` the one that is told of, where that is another.
    """

    headline: str
    lines: tuple[str, ...]
    incident: Incident
    links: Mapping[str, str] = field(default_factory=dict)
    about: Incident | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One message owed to one channel about one incident: a row of the outbox.

    `key` is unique and the same on every attempt; `dedup_key` names the incident to receivers.
    `incident_id` is the incident whose conversation it belongs to, which may tell of another.
    `seq` orders the notices of one conversation on one channel. `held` notices wait for `due_at` by
    the calendar; others are due at once and `due_at` moves on with each retry.
    """

    id: str
    incident_id: str
    channel: str
    action: Action
    seq: int
    key: str
    dedup_key: str
    message: Message
    created_at: datetime
    due_at: datetime
    held: bool = False
    state: NoticeState = NoticeState.PENDING
    attempts: int = 0
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    remote_id: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """All that one move writes, in one transaction, before anything is sent.

    `incident` is the incident as it is to be, `was_version` the version it must have now (None
    when it is new). `evidence` are results kept as long as the incident. Outages and
    what was unobserved are written whether or not an incident goes with them.
    """

    incident: Incident | None = None
    was_version: int | None = None
    events: tuple[TimelineEvent, ...] = ()
    evidence: tuple[Result, ...] = ()
    notices: tuple[Notice, ...] = ()
    outages: tuple[Outage, ...] = ()
    unobserved: tuple[Unobserved, ...] = ()
