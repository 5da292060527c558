"""What was not seen, of anything or of a service: for the figures of a month.

Gaps before this revision are not known. Services of which a cell has passed are taken to have been
watched since the database was made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and fill in what is known."""
    op.create_table(
        "unobserved",
        sa.Column("id", sa.String(), nullable=False, primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
    )
    op.create_table(
        "watched",
        sa.Column("service", sa.String(), nullable=False, primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False, primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
    )
    op.execute(
        "INSERT INTO watched (service, since) "
        "SELECT DISTINCT proven.service, instance.created_at FROM proven, instance "
        "WHERE proven.service <> 'control'"
    )
