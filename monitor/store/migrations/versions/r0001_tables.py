"""The first tables.

Instants are integer microseconds. Foreign keys are RESTRICT: an incident cannot be deleted from
under its timeline, evidence and notices.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _instance()
    _incident()
    _incident_parts()
    _notice()
    _outage()
    _result()


def _word(name: str, *, primary_key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False, primary_key=primary_key, unique=unique)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _count(name: str, *, primary_key: bool = False, unique: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, primary_key=primary_key, unique=unique)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _incident_id(*, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("incident.id", ondelete="RESTRICT")
    return sa.Column("incident_id", sa.String(), key, nullable=False, primary_key=primary_key)


def _instance() -> None:
    op.create_table(
        "instance",
        _count("id", primary_key=True),
        _word("instance"),
        _instant("created_at"),
        _count("fence"),
        _word("holder"),
        _instant("held_since"),
        _instant("seen_at"),
    )


def _incident() -> None:
    op.create_table(
        "incident",
        _word("id", primary_key=True),
        _count("number", unique=True),
        _word("subject"),
        _word("service"),
        _word("state"),
        _word("priority"),
        _count("version"),
        _instant("detected_at"),
        _instant("reported_at"),
        _instant("resolved_at", nullable=True),
        _text("body"),
    )
    not_resolved = sa.text("state <> 'resolved'")
    op.create_index(
        "incident_open_subject",
        "incident",
        ["subject"],
        unique=True,
        sqlite_where=not_resolved,
        postgresql_where=not_resolved,
    )


def _incident_parts() -> None:
    op.create_table(
        "timeline_event",
        _count("id", primary_key=True),
        _incident_id(),
        _instant("at"),
        _text("actor"),
        _word("kind"),
        _text("text"),
    )
    op.create_index("timeline_event_incident", "timeline_event", ["incident_id", "id"])
    op.create_table(
        "evidence",
        _incident_id(primary_key=True),
        _word("id", primary_key=True),
        _instant("observed_at"),
        _text("body"),
    )


def _notice() -> None:
    op.create_table(
        "notice",
        _word("id", primary_key=True),
        _incident_id(),
        _word("channel"),
        _word("action"),
        _count("seq"),
        _word("key", unique=True),
        _instant("created_at"),
        _instant("due_at"),
        sa.Column("held", sa.Boolean(), nullable=False),
        _word("state"),
        _count("attempts"),
        _instant("lease_until", nullable=True),
        _instant("sent_at", nullable=True),
        _text("remote_id", nullable=True),
        _text("remote_url", nullable=True),
        _text("last_error", nullable=True),
        _text("body"),
        sa.UniqueConstraint("incident_id", "channel", "seq", name="notice_order"),
    )
    unsent = sa.text("state in ('pending', 'sending')")
    op.create_index(
        "notice_unsent", "notice", ["due_at"], sqlite_where=unsent, postgresql_where=unsent
    )


def _outage() -> None:
    op.create_table(
        "outage",
        _word("id", primary_key=True),
        _word("unit"),
        _word("service"),
        _instant("detected_at"),
        _instant("closed_at", nullable=True),
        _text("body"),
    )
    op.create_index("outage_service", "outage", ["service", "closed_at"])


def _result() -> None:
    cell = ["service", "check", "target", "vantage"]
    op.create_table(
        "result",
        _word("id", primary_key=True),
        *(_word(name) for name in cell),
        _word("outcome"),
        _instant("observed_at"),
        _text("body"),
    )
    op.create_index("result_cell", "result", [*cell, "observed_at"])
    op.create_index("result_age", "result", ["outcome", "observed_at"])
    op.create_table(
        "proven",
        *(_word(name, primary_key=True) for name in cell),
        _word("fingerprint", primary_key=True),
    )
