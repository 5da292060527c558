"""Digests, customers' reports, and notices that are about no single incident."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables, and let a notice be without an incident."""
    op.create_table(
        "digest",
        sa.Column("opening", sa.BigInteger(), nullable=False, primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.create_table(
        "report",
        sa.Column("reference", sa.String(), nullable=False, primary_key=True),
        sa.Column("tenant", sa.String(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.UniqueConstraint("tenant", "key", name="report_key"),
    )
    op.create_index("report_age", "report", ["reported_at"])
    with op.batch_alter_table("notice") as notice:
        notice.alter_column("incident_id", existing_type=sa.String(), nullable=True)
