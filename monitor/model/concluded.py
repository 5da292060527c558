"""What detection concludes of a service, and the facts that follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model.watched import Deployment


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
    """Why detection concluded what it did, or who reported it by hand."""

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
    TURNED_ON_US = "turned_on_us"
    RECOVERED = "recovered"
    QUIET = "quiet"
    REPORTED_ALL = "reported_all"
    REPORTED_PART = "reported_part"
    REPORTED_ANONYMOUSLY = "reported_anonymously"


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
    `closed_at` is None; restarts resume from the open ones. `starts` are when its last episodes
    were declared: empty where a release wrote it that did not keep them.
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
    starts: tuple[datetime, ...] = ()


class UnobservedReason(StrEnum):
    """Why nobody watched for a while."""

    NOT_RUNNING = "not_running"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A fact: from `since` until `until` nothing was seen of anything, for whatever is in `why`."""

    id: str
    since: datetime
    until: datetime
    why: UnobservedReason
