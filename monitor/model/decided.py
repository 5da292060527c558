"""What policy says of a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model.watched import AllUsersScope


class Priority(StrEnum):
    """Business critical, or everything else."""

    CRITICAL = "critical"
    STANDARD = "standard"


class Role(StrEnum):
    """Who is told; a reporter only of his own report, and of nothing else.

    A status page is told of what is down for everyone, a tenant's owner also of what is down for
    all users of that tenant.
    """

    ON_CALL = "on_call"
    SERVICE_DESK = "service_desk"
    STATUS_PAGE = "status_page"
    TENANT_OWNER = "tenant_owner"
    REPORTER = "reporter"


STAFF = (Role.ON_CALL, Role.SERVICE_DESK)
"""Who works here: each must be reached by at least one channel."""

OUTSIDERS = (Role.STATUS_PAGE, Role.TENANT_OWNER, Role.REPORTER)
"""Who does not: told in words of their own, through channels that nobody else reads."""


class ClosedReason(StrEnum):
    """Why support is closed at an instant."""

    OUTSIDE_HOURS = "outside_hours"
    WEEKEND = "weekend"
    BANK_HOLIDAY = "bank_holiday"
    EXTRA_CLOSED = "extra_closed"
    NOT_KNOWN = "not_known"


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
    REPORTED_BY_CUSTOMER = "reported_by_customer"
    REPORTED_IN_PART = "reported_in_part"
    REPORTED_ANONYMOUSLY = "reported_anonymously"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy says of a verdict at `at`.

    `route` is who is told, all at `notify_at` (later than `at` when held); `respond_by` is None
    where nothing is promised, and `warn_at` is when people are warned of it, its breach last;
    `scope_read` is the reading of "all users" that was used.
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
    warn_at: tuple[datetime, ...] = ()
