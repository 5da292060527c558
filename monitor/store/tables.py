"""The tables. What is searched or moved is a column; the rest of a noun is JSON text in `body`.

These classes say only what stands in the database. Nouns are turned into rows and back in
`rows.py`; nothing outside this package sees a row. What the tables are today is written here,
how they came to be so is in `migrations/`; a test holds the two together.

Two column types exist for what databases would quietly spoil: `UtcInstant` for instants, and
`Verbatim` for text that a remote side chose.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant as microseconds since 1970 in UTC; a naive one is a ValueError."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The integer that stands for `value`."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The instant in UTC that `value` stands for."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Verbatim(TypeDecorator[str]):
    """Any text at all, as a JSON string: PostgreSQL refuses NUL, both refuse lone surrogates."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """The JSON string of `value`."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """What was stored, character by character."""
        return None if value is None else str(json.loads(value))


_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A number that may be a primary key: SQLite keeps rows in the order of an INTEGER one."""


class Row(SQLModel):
    """What all tables share: metadata of their own, apart from any other program's."""

    metadata: ClassVar[MetaData] = MetaData()


class InstanceRow(Row, table=True):
    """The one row that says whose database this is: its identity, its holder, the last number.

    `fence` grows with every holder; who writes under an older one has been superseded. While
    `paused_since` is set the outbox gives out nothing.
    """

    __tablename__ = "instance"
    id: int = Field(primary_key=True)
    instance: str
    created_at: datetime = Field(sa_type=UtcInstant)
    fence: int
    holder: str
    held_since: datetime = Field(sa_type=UtcInstant)
    seen_at: datetime = Field(sa_type=UtcInstant)
    paused_since: datetime | None = Field(default=None, sa_type=UtcInstant)


class IncidentRow(Row, table=True):
    """An incident. At most one of a subject is not resolved."""

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_open_subject",
            "subject",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
    )
    id: str = Field(primary_key=True)
    number: int = Field(unique=True)
    subject: str
    service: str
    state: str
    priority: str
    version: int
    detected_at: datetime = Field(sa_type=UtcInstant)
    reported_at: datetime = Field(sa_type=UtcInstant)
    resolved_at: datetime | None = Field(sa_type=UtcInstant)
    body: str = Field(sa_type=Text)


class EventRow(Row, table=True):
    """One line of a timeline, in the order of `id`."""

    __tablename__ = "timeline_event"
    __table_args__ = (Index("timeline_event_incident", "incident_id", "id"),)
    id: int | None = Field(default=None, primary_key=True)
    incident_id: str = Field(sa_column_args=(ForeignKey("incident.id", ondelete="RESTRICT"),))
    at: datetime = Field(sa_type=UtcInstant)
    actor: str = Field(sa_type=Verbatim)
    kind: str
    text: str = Field(sa_type=Verbatim)


class EvidenceRow(Row, table=True):
    """A result that an incident rests on, kept as long as the incident."""

    __tablename__ = "evidence"
    incident_id: str = Field(
        primary_key=True, sa_column_args=(ForeignKey("incident.id", ondelete="RESTRICT"),)
    )
    id: str = Field(primary_key=True)
    observed_at: datetime = Field(sa_type=UtcInstant)
    body: str = Field(sa_type=Text)


class NoticeRow(Row, table=True):
    """A notice owed or delivered. `attempts` counts claims, and so names the lease."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("incident_id", "channel", "seq", name="notice_order"),
        Index(
            "notice_unsent",
            "due_at",
            sqlite_where=text("state in ('pending', 'sending')"),
            postgresql_where=text("state in ('pending', 'sending')"),
        ),
    )
    id: str = Field(primary_key=True)
    incident_id: str | None = Field(
        sa_column_args=(ForeignKey("incident.id", ondelete="RESTRICT"),)
    )
    channel: str
    action: str
    seq: int
    key: str = Field(unique=True)
    created_at: datetime = Field(sa_type=UtcInstant)
    due_at: datetime = Field(sa_type=UtcInstant)
    held: bool
    state: str
    attempts: int
    lease_until: datetime | None = Field(sa_type=UtcInstant)
    sent_at: datetime | None = Field(sa_type=UtcInstant)
    remote_id: str | None = Field(sa_type=Verbatim)
    remote_url: str | None = Field(default=None, sa_type=Verbatim)
    last_error: str | None = Field(sa_type=Verbatim)
    body: str = Field(sa_type=Text)


class DigestRow(Row, table=True):
    """That the service desk was told at an opening of support: once."""

    __tablename__ = "digest"
    opening: datetime = Field(sa_type=UtcInstant, primary_key=True)
    body: str = Field(sa_type=Text)


class ReportRow(Row, table=True):
    """A customer's report, still to be told of while `settled_at` is null.

    `key` is the tenant's own mark of it, by which a repetition is known.
    """

    __tablename__ = "report"
    __table_args__ = (
        Index("report_age", "reported_at"),
        UniqueConstraint("tenant", "key", name="report_key"),
    )
    reference: str = Field(primary_key=True)
    tenant: str | None
    key: str | None = Field(sa_type=Verbatim)
    reported_at: datetime = Field(sa_type=UtcInstant)
    settled_at: datetime | None = Field(sa_type=UtcInstant)
    body: str = Field(sa_type=Text)


class OutageRow(Row, table=True):
    """An outage, open while `closed_at` is null."""

    __tablename__ = "outage"
    __table_args__ = (Index("outage_service", "service", "closed_at"),)
    id: str = Field(primary_key=True)
    unit: str
    service: str
    detected_at: datetime = Field(sa_type=UtcInstant)
    closed_at: datetime | None = Field(sa_type=UtcInstant)
    body: str = Field(sa_type=Text)


class UnobservedRow(Row, table=True):
    """A span in which nothing was seen of anything."""

    __tablename__ = "unobserved"
    id: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcInstant)
    until: datetime = Field(sa_type=UtcInstant)
    why: str


class WatchedRow(Row, table=True):
    """Since when, and until when, a service is or was among those that are watched."""

    __tablename__ = "watched"
    service: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcInstant, primary_key=True)
    until: datetime | None = Field(sa_type=UtcInstant)


class ResultRow(Row, table=True):
    """A recent result, until it is pruned. `seq` grows in the order they were recorded."""

    __tablename__ = "result"
    __table_args__ = (
        Index("result_cell", "service", "check", "target", "vantage", "observed_at"),
        Index("result_age", "outcome", "observed_at"),
        UniqueConstraint("id", name="result_id"),
        {"sqlite_autoincrement": True},
    )
    seq: int | None = Field(default=None, sa_column=Column(_NUMBER, primary_key=True))
    id: str
    service: str
    check: str
    target: str
    vantage: str
    outcome: str
    observed_at: datetime = Field(sa_type=UtcInstant)
    body: str = Field(sa_type=Text)


class RememberedRow(Row, table=True):
    """A subject of sums: a cell, or a check, whose `target` and `vantage` are "".

    `day` is the last day, counted from 1970, of which it has a block of hours.
    """

    __tablename__ = "remembered"
    __table_args__ = (
        UniqueConstraint("service", "check", "target", "vantage", name="remembered_name"),
    )
    id: int = Field(primary_key=True)
    service: str
    check: str
    target: str
    vantage: str
    day: int


class SumsRow(Row, table=True):
    """A block of sums, packed, under the key of its level, number and subject: `sums.py`."""

    __tablename__ = "sums"
    key: int = Field(sa_column=Column(_NUMBER, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_type=LargeBinary)


class SummedRow(Row, table=True):
    """Up to which result, by its `seq`, those of a shard's subjects are in the sums."""

    __tablename__ = "summed"
    shard: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(sa_type=BigInteger)


class HistoryRow(Row, table=True):
    """The one row that says how history stands.

    Sums of minutes are kept from `minutes_from` on. `result_bytes` is about what the results up to
    `sized_until`, by `seq`, take on disk, and `sum_bytes` what all sums do. The `..._cut_at` are
    the instants before which results were deleted for want of room, `lost` how many of them were
    in no sum yet.
    """

    __tablename__ = "history"
    id: int = Field(primary_key=True)
    minutes_from: datetime = Field(sa_type=UtcInstant)
    sized_until: int = Field(sa_type=BigInteger)
    result_bytes: int = Field(sa_type=BigInteger)
    sum_bytes: int = Field(sa_type=BigInteger)
    pass_cut_at: datetime | None = Field(sa_type=UtcInstant)
    other_cut_at: datetime | None = Field(sa_type=UtcInstant)
    lost: int = Field(sa_type=BigInteger)


class HeartbeatRow(Row, table=True):
    """The last call of a heartbeat."""

    __tablename__ = "heartbeat"
    name: str = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcInstant)
    failed: str | None = Field(sa_type=Verbatim)


class ProvenRow(Row, table=True):
    """A cell that has passed once under a fingerprint."""

    __tablename__ = "proven"
    service: str = Field(primary_key=True)
    check: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    vantage: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)


def _table(row: type[Row]) -> Table:
    return Row.metadata.tables[str(row.__tablename__)]


INSTANCE = _table(InstanceRow)
INCIDENT = _table(IncidentRow)
EVENT = _table(EventRow)
EVIDENCE = _table(EvidenceRow)
NOTICE = _table(NoticeRow)
DIGEST = _table(DigestRow)
REPORT = _table(ReportRow)
OUTAGE = _table(OutageRow)
UNOBSERVED = _table(UnobservedRow)
WATCHED = _table(WatchedRow)
RESULT = _table(ResultRow)
REMEMBERED = _table(RememberedRow)
SUMS = _table(SumsRow)
SUMMED = _table(SummedRow)
HISTORY = _table(HistoryRow)
HEARTBEAT = _table(HeartbeatRow)
PROVEN = _table(ProvenRow)
