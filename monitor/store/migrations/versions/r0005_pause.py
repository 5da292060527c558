"""Since when the outbox is paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; no outbox is paused."""
    op.add_column("instance", sa.Column("paused_since", sa.BigInteger(), nullable=True))
