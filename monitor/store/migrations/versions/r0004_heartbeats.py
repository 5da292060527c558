"""The last call of each heartbeat."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(), nullable=False, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Text(), nullable=True),
    )
