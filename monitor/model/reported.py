"""What a customer said of an incident by hand, and what the customer was told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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

    `tenant` is whose token it came with, None where it came with none. `started` and `errors` are
    as they were typed, `errors` being the error messages or what happened instead. `incidents` are
    the ids of those it opened or joined. `answered_at` is when a person acknowledged the last of
    these that was not yet at the time, `settled_at` when the last of them was resolved.
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
    incidents: tuple[str, ...] = ()
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    messages: tuple[ReportMessage, ...] = ()
