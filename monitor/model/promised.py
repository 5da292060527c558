"""Incidents, their timeline, and the notices owed about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from monitor.model.concluded import Dimension, Extent, Impact, Interval, Outage, Unobserved
from monitor.model.decided import DecisionReason, Priority, Role
from monitor.model.reported import Report, ReportedBy, Reporter
from monitor.model.seen import FailureKind, Result


class IncidentState(StrEnum):
    """The life of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """A promise to people. One is open per `subject` at a time; `version` counts its changes.

    `id` is a ULID, `number` is what people say. `respond_by` is computed once and kept; `warn_at`
    are the warnings of it that are still to come. `closings_after` is since when closings of
    support are still to be handed over at, None where none is; `handover` is the last one that
    asked for a person. `escalated` names a channel once for every alert that followed its first.
    `recovered` and `watch_until` are set while recovery is watched. `linked` are the ids of related
    incidents, each of which names this one too. `paged` are the channels that were owed a trigger
    of its own; `paged_with` is the id of the incident in whose conversation the other channels
    that it reaches are told of it, None when there are none. `by_customer` says that a customer's
    report opened it, so that only a person resolves it; `reports` are all that opened or joined it.
    `false_alarm`: a person said so. `asking` is the last time that whoever has it was asked whether
    he still does. `given_up` are the triggers, by id, in whose place others were told. `silenced`
    is why nothing is sent of it now, None otherwise.
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
    warn_at: tuple[datetime, ...] = ()
    closings_after: datetime | None = None
    handover: Handover | None = None
    escalated: tuple[str, ...] = ()
    resolved_by: str | None = None
    false_alarm: bool = False
    by_customer: bool = False
    reports: tuple[ReportedBy, ...] = ()
    asking: Asking | None = None
    given_up: tuple[str, ...] = ()
    silenced: Silence | None = None

    @property
    def tenant(self) -> str | None:
        """The tenant that it is about, None when it is about a service as a whole."""
        _, _, *rest = self.subject.split(":")
        return rest[1] if rest[0] == "tenant" else None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who has an incident that goes on failing was asked at `asked_at` whether he still does."""

    asked_at: datetime
    answered_by: str | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """A person wants nothing sent of an incident from `since` until `until`, for a reason.

    `put_off` is since when closings of support were still to be handed over at, before one alerted
    nobody because of it; None where none did.
    """

    by: str
    reason: str
    since: datetime
    until: datetime
    put_off: datetime | None = None


@dataclass(frozen=True, slots=True)
class Handover:
    """Support closed at `closed_at` while a person had an incident, which on-call is to accept.

    Nobody having accepted it by `accept_by` pages, once: at `paged_at`.
    """

    closed_at: datetime
    accept_by: datetime
    accepted_by: str | None = None
    accepted_at: datetime | None = None
    paged_at: datetime | None = None


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
    WARNED = "warned"
    ESCALATED = "escalated"
    CALLED_IN = "called_in"
    FAILED_OVER = "failed_over"
    ASKED = "asked"
    RENEWED = "renewed"
    HANDED_OVER = "handed_over"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    LINKED = "linked"
    NOTED = "noted"
    UNOBSERVED = "unobserved"
    REPORTED = "reported"
    ANSWERED = "answered"
    SILENCED = "silenced"
    SILENCE_OVER = "silence_over"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of an incident's timeline; only ever appended."""

    incident_id: str
    at: datetime
    actor: str
    kind: EventKind
    text: str


class Action(StrEnum):
    """What a notice asks of its receiver; one that tells asks nothing and is about no alert."""

    TRIGGER = "trigger"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    TELL = "tell"


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
    is, as it was then (None: it is about no single one); `about` the one that is told of, where
    that is another. `report` is the reporter whom it is for, None for everybody else.
    """

    headline: str
    lines: tuple[str, ...]
    incident: Incident | None
    links: Mapping[str, str] = field(default_factory=dict)
    about: Incident | None = None
    report: Reporter | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One message owed to one channel about one incident: a row of the outbox.

    `key` is unique and the same on every attempt; `dedup_key` names the alert to receivers.
    `incident_id` is the incident whose conversation it belongs to, which may tell of another; None
    where it is about no single one.
    `seq` orders the notices of one conversation on one channel. `held` notices wait for `due_at` by
    the calendar; others are due at once and `due_at` moves on with each retry.
    """

    id: str
    incident_id: str | None
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

    @property
    def tells_of(self) -> Incident | None:
        """The incident it tells of, in whosever conversation; None of a digest."""
        return self.message.about or self.message.incident

    @property
    def first_due(self) -> datetime:
        """When it was first due; `due_at` has moved on with the retries."""
        if self.held and self.tells_of is not None:
            return max(self.created_at, self.tells_of.notify_at)
        return self.created_at


@dataclass(frozen=True, slots=True)
class Digest:
    """That the service desk was told, at the opening of support `opening`, of what was `since`.

    There is one for every opening that found somebody watching, also where nothing was to tell.
    """

    opening: datetime
    since: datetime
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """All that one move writes, in one transaction, before anything is sent.

    `incident` is the incident as it is to be, `was_version` the version it must have now (None
    when it is new). `evidence` are results kept as long as the incident. Outages, reports and what
    was unobserved are written whether or not an incident goes with them. A `digest` that is written
    already makes the whole change one that is. What the same move writes of further incidents
    stands in `also`, in order, each of which has an incident and no `also` of its own.
    """

    incident: Incident | None = None
    was_version: int | None = None
    events: tuple[TimelineEvent, ...] = ()
    evidence: tuple[Result, ...] = ()
    notices: tuple[Notice, ...] = ()
    outages: tuple[Outage, ...] = ()
    digest: Digest | None = None
    reports: tuple[Report, ...] = ()
    unobserved: tuple[Unobserved, ...] = ()
    also: tuple[Change, ...] = ()

    def parts(self) -> tuple[Change, ...]:
        """It and what stands in `also`, in the order in which they are written."""
        return (self, *self.also)
