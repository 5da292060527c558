"""What one probe saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.model.watched import CellKey


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
class Step:
    """One exchange of a probe that makes several, redacted.

    `seconds` is its own time; `message` is the error in one line, "" for a PASS.
    """

    name: str
    asked: str
    outcome: Outcome
    seconds: float
    status_line: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a probe captured, redacted.

    `message` is the error in one line, "" for a PASS; `asked` what was asked, such as
    "GET https://example.org/". `tls_version` is "" without TLS. `steps` are those of a probe that
    makes several exchanges; all else is then of the one that decided: the one that did not pass, or
    the last.
    """

    message: str = ""
    asked: str = ""
    address: str = ""
    status: int | None = None
    status_line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    tls_version: str = ""
    certificate: Certificate | None = None
    name_fresh: bool | None = None
    warnings: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """The last call that came in for a heartbeat.

    `failed` is what the caller said went wrong, None when all was well.
    """

    at: datetime
    failed: str | None = None


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
