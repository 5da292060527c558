"""Sums of results, and a number of its own for every result, in the order they were recorded.

A table cannot be given a new primary key: results are copied into a table that has one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SHARDS = 256
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAMES = ("service", "check", "target", "vantage")
_COLUMNS = ("id", *_NAMES, "outcome", "observed_at", "body")


def upgrade() -> None:
    """Number the results, and make the tables of sums, which are empty: nothing is summed yet."""
    _number_results()
    op.create_table(
        "remembered",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in _NAMES),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.UniqueConstraint(*_NAMES, name="remembered_name"),
    )
    op.create_table(
        "sums",
        sa.Column("key", _NUMBER, nullable=False, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    summed = op.create_table(
        "summed",
        sa.Column("shard", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(summed, [{"shard": shard, "seq": 0} for shard in range(SHARDS)])
    history = op.create_table(
        "history",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("minutes_from", sa.BigInteger(), nullable=False),
        sa.Column("sized_until", sa.BigInteger(), nullable=False),
        sa.Column("result_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sum_bytes", sa.BigInteger(), nullable=False),
        sa.Column("pass_cut_at", sa.BigInteger(), nullable=True),
        sa.Column("other_cut_at", sa.BigInteger(), nullable=True),
        sa.Column("lost", sa.BigInteger(), nullable=False),
    )
    zero = dict.fromkeys(("minutes_from", "sized_until", "result_bytes", "sum_bytes", "lost"), 0)
    op.bulk_insert(history, [{"id": 1, **zero}])


def _number_results() -> None:
    op.drop_index("result_cell", "result")
    op.drop_index("result_age", "result")
    op.rename_table("result", "result_unnumbered")
    op.create_table(
        "result",
        sa.Column("seq", _NUMBER, nullable=False, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in _NAMES),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.UniqueConstraint("id", name="result_id"),
        sqlite_autoincrement=True,
    )
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    op.execute(
        f"INSERT INTO result ({names}) SELECT {names} FROM result_unnumbered "  # noqa: S608 - names of columns
        "ORDER BY observed_at, id"
    )
    op.drop_table("result_unnumbered")
    op.create_index("result_cell", "result", [*_NAMES, "observed_at"])
    op.create_index("result_age", "result", ["outcome", "observed_at"])
