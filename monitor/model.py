"""The nouns of the monitor, as frozen values.

What flows: a `Cell` is due, a probe of it yields a `Result`; detection turns results into a
`Verdict` on a service; policy turns a verdict into a `Decision`; an `Incident` is opened or moved
by it, and every move is one `Change`, committed whole; each `Notice` in it is one message owed to
one channel.

Conventions: an instant is an aware UTC `datetime`; a duration is `float` seconds; a field named
`*_mono` is a reading of the monotonic clock in seconds. Everything here can be written as JSON
and read back equal. Nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

# --------------------------------------------------------------------------- what is watched


class Audience(StrEnum):
    """Whom a service serves, and so how "everyone" reads in a sentence."""

    USERS = "users"
    END_USERS = "end_users"


class Need(StrEnum):
    """Whether users are stopped without what a check observes."""

    BLOCKING = "blocking"
    DEGRADING = "degrading"


class EvidenceKind(StrEnum):
    """How a check learns: by asking, by being told, or by doing something that must be undone."""

    ACTIVE = "active"
    PASSIVE = "passive"
    MUTATING = "mutating"


class Deployment(StrEnum):
    """Where a target runs; all but HOSTED are excluded from the critical promise."""

    HOSTED = "hosted"
    ON_PREMISE = "on_premise"
    DESKTOP = "desktop"
    VERSION_6 = "version_6"


class AllUsersScope(StrEnum):
    """Whose users "all users" means: everyone on the platform, or everyone of one tenant."""

    PLATFORM = "platform"
    TENANT = "tenant"


SHARED = "*"
"""The tenant of a target that everyone shares."""

CONTROL = "control"
"""The reserved service name under which a vantage's control targets are probed."""

MONITOR = "monitor"
"""The reserved service name of what concerns the monitor itself, such as being blind."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a check probes. `group` is the backend group, "" where unknown.

    `fingerprint` changes when the address or what is asserted of it changes: a target counts
    toward "all" only after one PASS under its present fingerprint.
    """

    name: str
    tenant: str
    address: str
    group: str = ""
    deployment: Deployment = Deployment.HOSTED
    canary: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One ability of one service. `options` is the kind's own frozen dataclass."""

    service: str
    name: str
    kind: str
    options: object
    interval: float
    timeout: float
    need: Need
    evidence: EvidenceKind
    targets: tuple[Target, ...]
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place probes leave from: by a source address of this host, or through a proxy URL."""

    name: str
    network: str
    source_address: str | None = None
    proxy: str | None = None


class CellKey(NamedTuple):
    """The identity of a cell, by names."""

    service: str
    check: str
    target: str
    vantage: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit that is scheduled: one check, one of its targets, one vantage."""

    key: CellKey
    check: Check
    target: Target
    vantage: Vantage


@dataclass(frozen=True, slots=True)
class Rules:
    """The constants of detection, per service. Each says what it trades.

    silence_min, silence_p99: an unanswered probe is suspicious after
        `min(max(silence_p99 * p99, silence_min), timeout / 2)`; lower finds black holes sooner
        and probes more under slow answers.
    round_gap: seconds between the starts of two rounds (D); shorter pages sooner and takes a
        deploy's blip for an outage.
    late_silence: from the second round on, silence this long counts as FAIL.
    votes_min, repeat_gap: with fewer cells than votes_min, cells are probed again repeat_gap
        apart until there are that many votes a round.
    sample_limit, sample_size: up to sample_limit targets all are probed; beyond it a stratified
        sample of sample_size.
    vantage_fail_share, pass_share, coverage: what a round needs of every healthy vantage and
        group, of all votes together, and of the cells heard from.
    score_fail, score_pass, score_needed: Wald's sequential test of 95 % failing against 80 %.
    rounds_needed, rounds_one_location: consecutive passing rounds that make ALL.
    sweep_gaps: after a round that did not pass, the gaps to the next ones; the last repeats.
    share_rounds, partial_share: PARTIAL(share) when more than partial_share of the votes of that
        many rounds fail and no set explains them.
    path_span: a set of vantages is declared only when it has failed this long; shorter is a
        transit's burst.
    partial_sweep, quiet_rounds: how often PARTIAL is swept and how many quiet rounds end it.
    recovery_rounds, recovery_span, recovery_share: what ends ALL.
    merge_window: a failure within it after recovery is the same outage.
    flap_episodes, flap_window: that many episodes within it: FLAPPING until it has been quiet.
    tenants_needed: ALL needs a shared target or this many tenants.
    control_fresh: a control's PASS older than this no longer vouches for its vantage.
    """

    silence_min: float = 1.0
    silence_p99: float = 4.0
    round_gap: float = 8.0
    late_silence: float = 5.0
    votes_min: int = 15
    repeat_gap: float = 0.5
    sample_limit: int = 100
    sample_size: int = 30
    vantage_fail_share: float = 0.5
    pass_share: float = 0.2
    coverage: float = 0.5
    score_fail: float = 0.172
    score_pass: float = 1.386
    score_needed: float = 5.0
    rounds_needed: int = 2
    rounds_one_location: int = 4
    sweep_gaps: tuple[float, ...] = (8.0, 10.0, 20.0, 30.0)
    share_rounds: int = 4
    partial_share: float = 0.15
    path_span: float = 60.0
    partial_sweep: float = 120.0
    quiet_rounds: int = 2
    recovery_rounds: int = 3
    recovery_span: float = 60.0
    recovery_share: float = 0.9
    merge_window: float = 600.0
    flap_episodes: int = 3
    flap_window: float = 1800.0
    tenants_needed: int = 5
    control_fresh: float = 30.0


@dataclass(frozen=True, slots=True)
class Service:
    """What customers know, with the checks that observe it.

    `core` says that the critical promise covers it; `title` is its name in sentences.
    """

    name: str
    title: str
    audience: Audience
    checks: tuple[Check, ...]
    core: bool = True
    rules: Rules = field(default_factory=Rules)
    all_users_scope: AllUsersScope = AllUsersScope.PLATFORM
    wide_share: float | None = 0.5


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that is watched, and from where.

    `controls` are checks of the reserved service CONTROL, probed from every vantage.
    """

    services: tuple[Service, ...]
    vantages: tuple[Vantage, ...]
    controls: tuple[Check, ...]

    def cells(self) -> tuple[Cell, ...]:
        """Every cell of every service and control, in the order of the configuration."""
        checks = [c for s in self.services for c in s.checks] + list(self.controls)
        return tuple(
            Cell(
                CellKey(check.service, check.name, target.name, vantage.name),
                check,
                target,
                vantage,
            )
            for check in checks
            for target in check.targets
            for vantage in self.vantages
        )


# --------------------------------------------------------------------------- what probes see


class Outcome(StrEnum):
    """What a probe saw. Only PASS and FAIL vote."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    BLOCKED = "blocked"
    MAINTENANCE = "maintenance"
    INVALID = "invalid"


class FailureKind(StrEnum):
    """Why a probe failed: how far it got, and what was wrong there."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    STATUS = "status"
    BODY = "body"
    SLOW = "slow"
    MAINTENANCE_PAGE = "maintenance_page"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds spent in each phase of a probe; None where it did not get that far."""

    resolve: float | None = None
    connect: float | None = None
    tls: float | None = None
    processing: float | None = None
    transfer: float | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The peer's leaf certificate, and the earliest expiry in its chain."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    chain_expiry: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a probe captured, redacted. `message` is the error in one line, "" for a PASS."""

    message: str = ""
    address: str = ""
    status: int | None = None
    status_line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    certificate: Certificate | None = None
    name_fresh: bool | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What one probe saw, with both clocks; may arrive late, twice or out of order.

    `observed_at` is the wall clock when the outcome was known; `sent_mono` and `observed_mono`
    are the monotonic clock when the probe began and ended.
    """

    id: str
    cell: CellKey
    fingerprint: str
    sent_mono: float
    observed_mono: float
    observed_at: datetime
    outcome: Outcome
    failure: FailureKind | None = None
    phases: Phases = Phases()
    evidence: Evidence = Evidence()


# --------------------------------------------------------------------------- what is concluded


class Impact(StrEnum):
    """How much of a service's population is stopped."""

    NONE = "none"
    SOME = "some"
    ALL = "all"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """Where an outage stands: going on, recovered and watched, or over."""

    FAILING = "failing"
    WATCHING = "watching"
    CLOSED = "closed"


class Dimension(StrEnum):
    """What the failing part of a service has in common."""

    EVERYONE = "everyone"
    TARGET = "target"
    GROUP = "group"
    VANTAGE = "vantage"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Extent:
    """Which part of a population fails.

    `members` are the failing targets, groups or vantages (none for EVERYONE and SHARE); `failing`
    of `sampled` targets failed in the last round, of `population` in all; `from_vantages` is where
    it was seen from.
    """

    dimension: Dimension
    members: tuple[str, ...] = ()
    failing: int = 0
    sampled: int = 0
    population: int = 0
    from_vantages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """When something happened: later than `after`, not later than `before`.

    `after` is None when nothing was known before it.
    """

    after: datetime | None
    before: datetime


class VerdictReason(StrEnum):
    """Why detection concluded what it did."""

    EVERYONE_TWICE = "everyone_twice"
    ONE_LOCATION = "one_location"
    FLAPPING = "flapping"
    SET_FAILING = "set_failing"
    SHARE_FAILING = "share_failing"
    CANARY_FAILING = "canary_failing"
    DEGRADED = "degraded"
    NEVER_WORKED = "never_worked"
    BLIND = "blind"
    LOCKED_OUT = "locked_out"
    RECOVERED = "recovered"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What detection concludes of a service at `at`.

    `checks` are the failing checks; `began` is when it started; `recovered` when service came
    back (WATCHING and CLOSED); `known_by` is the sentence that says how this is known.
    """

    service: str
    impact: Impact
    stage: Stage
    reason: VerdictReason
    at: datetime
    checks: tuple[str, ...]
    extent: Extent
    began: Interval
    recovered: Interval | None = None
    watch_until: datetime | None = None
    episode: int = 1
    known_by: str = ""
    tenant: str | None = None
    deployment: Deployment = Deployment.HOSTED


@dataclass(frozen=True, slots=True)
class Outage:
    """A fact: a span during which one check's verdict was SOME or ALL, whatever policy says.

    `unit` names the state machine: service/check, or service/check/tenant. Open while
    `closed_at` is None; restarts resume from the open ones.
    """

    id: str
    unit: str
    service: str
    check: str
    impact: Impact
    reason: VerdictReason
    extent: Extent
    began: Interval
    detected_at: datetime
    episodes: int = 1
    recovered: Interval | None = None
    watch_until: datetime | None = None
    closed_at: datetime | None = None


# --------------------------------------------------------------------------- what is decided


class Priority(StrEnum):
    """Business critical, or everything else."""

    CRITICAL = "critical"
    STANDARD = "standard"


class Role(StrEnum):
    """Who is told."""

    ON_CALL = "on_call"
    SERVICE_DESK = "service_desk"


class ClosedReason(StrEnum):
    """Why support is closed at an instant."""

    OUTSIDE_HOURS = "outside_hours"
    WEEKEND = "weekend"
    BANK_HOLIDAY = "bank_holiday"
    EXTRA_CLOSED = "extra_closed"


class DecisionReason(StrEnum):
    """Why policy decided so; the same word feeds timeline, metric and log."""

    ALL_USERS = "all_users"
    ALL_END_USERS = "all_end_users"
    ALL_USERS_OF_TENANT = "all_users_of_tenant"
    WIDE_PARTIAL = "wide_partial"
    UNCONFIRMED = "unconfirmed"
    PARTIAL = "partial"
    DEGRADED = "degraded"
    NOT_CORE = "not_core"
    NEVER_WORKED = "never_worked"
    ON_PREMISE = "on_premise"
    DESKTOP = "desktop"
    VERSION_6 = "version_6"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of a verdict at `at`.

    `route` is who is told, all at `notify_at` (later than `at` when held); `respond_by` is None
    where nothing is promised; `scope_read` is the reading of "all users" that was used.
    """

    at: datetime
    priority: Priority
    reason: DecisionReason
    route: tuple[Role, ...]
    notify_at: datetime
    respond_by: datetime | None
    support_open: bool
    closed_reason: ClosedReason | None
    next_opening: datetime
    scope_read: AllUsersScope
    sentence: str


# --------------------------------------------------------------------------- what is promised


class IncidentState(StrEnum):
    """The life of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """A promise to people. One is open per `subject` at a time; `version` counts its changes.

    `id` is a ULID, `number` is what people say. `respond_by` is computed once and kept.
    `recovered` and `watch_until` are set while recovery is watched.
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
    extent: Extent = Extent(Dimension.EVERYONE)
    errors: tuple[ErrorSeen, ...] = ()
    episodes: int = 1
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    recovered: Interval | None = None
    watch_until: datetime | None = None
    resolved_at: datetime | None = None
    linked: tuple[str, ...] = ()
    version: int = 1


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

    `headline` stands alone; `lines` follow it. `incident` is the incident as it was then.
    """

    headline: str
    lines: tuple[str, ...]
    incident: Incident
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message owed to one channel about one incident: a row of the outbox.

    `key` is unique and the same on every attempt; `dedup_key` names the incident to receivers.
    `seq` orders the notices of one incident on one channel. `held` notices wait for `due_at` by
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
    when it is new). `evidence` are results kept as long as the incident. Outages are written
    whether or not an incident goes with them.
    """

    incident: Incident | None = None
    was_version: int | None = None
    events: tuple[TimelineEvent, ...] = ()
    evidence: tuple[Result, ...] = ()
    notices: tuple[Notice, ...] = ()
    outages: tuple[Outage, ...] = ()


# --------------------------------------------------------------------------- ways out


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out. `options` is the kind's own frozen dataclass; `roles` are whom it reaches."""

    name: str
    kind: str
    roles: tuple[Role, ...]
    options: object


@dataclass(frozen=True, slots=True)
class Accepted:
    """A receiver's answer: what it calls the message, and where it can be seen."""

    remote_id: str | None = None
    url: str | None = None


class DeliveryError(Exception):
    """A receiver did not accept. `permanent` says that trying again cannot help.

    `retry_after` is the receiver's own wish in seconds, None where it named none.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


# --------------------------------------------------------------------------- what is shown


@dataclass(frozen=True, slots=True)
class CheckState:
    """What one check of a service looks like now. `phase` is detection's own word for it."""

    name: str
    need: Need
    phase: str
    impact: Impact
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What a service looks like now; `since` is when its present trouble began, if any."""

    name: str
    title: str
    audience: Audience
    impact: Impact
    stage: Stage | None
    since: Interval | None
    known_by: str
    checks: tuple[CheckState, ...]
    incidents: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VantageState:
    """Whether a vantage can be believed now, and in words why."""

    name: str
    network: str
    healthy: bool
    reason: str
