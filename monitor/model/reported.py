"""What a customer said of an incident by hand, and what the customer was told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What an operator may set of customers' reports.

    `anonymous` says whether a report without a tenant's token is taken. `desk` is how the normal
    service desk is reached, in words. The limits are reports an hour: of one client address
    without a token, of all of these together, and of one tenant.
    """

    anonymous: bool = True
    desk: str = ""
    anonymous_per_hour: int = 6
    anonymous_in_all_per_hour: int = 60
    tenant_per_hour: int = 120


@dataclass(frozen=True, slots=True)
class Account:
    """What a customer said, understood and complete.

    `tenant` is whose token it came with, None where it came with none. `started` is the start as
    it was typed and `started_at` what it means; `errors` are the error messages verbatim, "" where
    none was shown, and `instead` then says what happened. `key` is the sender's own mark of this
    report, by which a repetition is known.
    """

    tenant: str | None
    services: tuple[str, ...]
    started: str
    started_at: datetime
    errors: str
    instead: str
    all_users: bool
    contact: str = ""
    key: str | None = None


class ReportMessageKind(StrEnum):
    """At which of its three turns the reporter is told."""

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """One message to the reporter."""

    at: datetime
    kind: ReportMessageKind
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """A customer's own account. `reference` is what the reporter keeps, and cannot be guessed.

    All but what follows is as in `Account`. `incidents` are the ids of those it opened or joined.
    `respond_by` is the first response that is owed to it, None where none is promised.
    `answered_at` is when a person had acknowledged the last of its incidents, `settled_at` when
    the last of them was resolved.
    """

    reference: str
    tenant: str | None
    services: tuple[str, ...]
    started: str
    started_at: datetime
    errors: str
    all_users: bool
    contact: str
    reported_at: datetime
    respond_by: datetime | None
    instead: str = ""
    key: str | None = None
    incidents: tuple[str, ...] = ()
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    messages: tuple[ReportMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedBy:
    """What an incident remembers of a report that opened or joined it.

    `respond_by` is what this incident owes to this report. `warn_at` are the warnings of that
    still to come: none where those of the incident itself say the same.
    """

    reference: str
    tenant: str | None
    reported_at: datetime
    respond_by: datetime | None
    answered_at: datetime | None = None
    answered_by: str | None = None
    warn_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whom a message to a reporter is for."""

    reference: str
    contact: str
    tenant: str | None
