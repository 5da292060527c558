"""What keeps history, statement by statement: sums are noted, grow old and go, and so do results.

Each is a slice of work in a transaction of the caller's, which has checked the fence. `HISTORY` is
moved along in the same transaction, so that what it says is so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    select,
    update,
)

from monitor.model import CellKey, Outcome
from monitor.store import recall
from monitor.store.errors import StaleChange
from monitor.store.summing import Noted
from monitor.store.sums import (
    DAYS,
    HOURS,
    MINUTES,
    TENS,
    Level,
    Sum,
    empty,
    merge,
    nothing,
    pack,
    placed,
    put,
    sums_of,
    unpack,
)
from monitor.store.tables import HISTORY, REMEMBERED, RESULT, SUMMED, SUMS
from monitor.store.writes import insert_all, put_all

KEPT = {
    MINUTES: timedelta(days=7),
    TENS: timedelta(days=7),
    HOURS: timedelta(days=90),
    DAYS: timedelta(days=400),
}
"""How long sums of a level are kept; a block goes when all of it is older."""

_FORGOTTEN_AFTER = timedelta(days=420)
"""When a subject that has seen nothing has no sums any more."""

BLOCK_OVERHEAD = 24
_RESULT_OVERHEAD = 150
"""Bytes that a block, and a result with its indexes, take beside what is written in them."""

_NAMES = (RESULT.c.service, RESULT.c.check, RESULT.c.target, RESULT.c.vantage)


def _lengths(*columns: ColumnElement[Any]) -> ColumnElement[int]:
    first, *others = (func.length(column) for column in columns)
    return sum(others, first)


# In the table and in an index each: all but the body.
SIZE = (
    2 * _lengths(RESULT.c.id, RESULT.c.outcome, *_NAMES)
    + func.length(RESULT.c.body)
    + _RESULT_OVERHEAD
)


class Gone(NamedTuple):
    """What a slice deleted: rows, their bytes, and the newest of them (None: none)."""

    rows: int
    size: int
    newest: datetime | None


def learn(connection: Connection, subjects: Sequence[CellKey]) -> None:
    """Number these subjects, those that have no number."""
    rows = [subject._asdict() | {"day": 0} for subject in subjects]
    insert_all(connection, REMEMBERED, rows, ignore_known=True)


def note(connection: Connection, noted: Noted) -> None:
    """Merge sums into their blocks and say how far their shards are summed with them.

    StaleChange when a shard is not where it was thought to be.
    """
    there = select(SUMMED.c.shard, SUMMED.c.seq).where(SUMMED.c.shard.in_(noted.shards))
    if {row.shard: row.seq for row in connection.execute(there)} != dict(noted.shards):
        raise StaleChange("the sums have been moved by another")
    _merge(connection, noted.sums)
    moved = update(SUMMED).where(SUMMED.c.shard == bindparam("which"))
    at = [{"which": shard, "until": noted.until} for shard in noted.shards]
    connection.execute(moved.values(seq=bindparam("until")), at)


def _merge(connection: Connection, sums: Mapping[int, Sequence[tuple[int, Sum]]]) -> None:
    """Merge sums into their blocks, the bytes that they grow by counted."""
    known = dict(recall.blocks(connection, sums))
    grown, rows, begun = 0, [], []
    for key, spans in sums.items():
        level, block, subject = placed(key)
        before = known.get(key)
        columns = empty(level) if before is None else unpack(level, before)
        for span, total in spans:
            put(columns, span, total)
        body = pack(columns)
        rows.append({"key": key, "body": body})
        grown += len(body) - len(before) if before is not None else len(body) + BLOCK_OVERHEAD
        if before is None and level is HOURS:
            begun.append({"subject": subject, "last": block})
    put_all(connection, SUMS, rows, key="key")
    _grow(connection, sum_bytes=grown)
    if begun:
        older = (REMEMBERED.c.id == bindparam("subject"), REMEMBERED.c.day < bindparam("last"))
        connection.execute(update(REMEMBERED).where(*older).values(day=bindparam("last")), begun)


def _grow(connection: Connection, **by: int) -> None:
    moved = {name: HISTORY.c[name] + size for name, size in by.items()}
    connection.execute(update(HISTORY).values(**moved))


# --------------------------------------------------------------------------- results


def measure(connection: Connection, limit: int) -> tuple[int, int, int]:
    """Of up to `limit` results not measured yet: after and until which `seq`, and their bytes."""
    after = connection.execute(select(HISTORY.c.sized_until)).scalar_one()
    next_ones = select(RESULT.c.seq).where(RESULT.c.seq > after).order_by(RESULT.c.seq)
    until = connection.execute(select(func.max(next_ones.limit(limit).subquery().c.seq))).scalar()
    if until is None:
        return after, after, 0
    among = RESULT.c.seq.between(after + 1, until)
    return after, until, int(connection.execute(select(func.sum(SIZE)).where(among)).scalar_one())


def measured(connection: Connection, after: int, until: int, size: int) -> None:
    """Say that the results of these `seq` take `size` bytes."""
    there = update(HISTORY).where(HISTORY.c.sized_until == after)
    grown = there.values(sized_until=until, result_bytes=HISTORY.c.result_bytes + size)
    if connection.execute(grown).rowcount != 1:
        raise StaleChange("results have been measured by another")


def forget(
    connection: Connection, limit: int, *, outcome: Outcome, before: datetime, until: int
) -> int:
    """Delete up to `limit` of the oldest results of an outcome that were observed before.

    Only those up to a `seq`, and only what has been measured. How many.
    """
    return _delete(connection, _oldest(connection, (outcome,), before, until, limit)).rows


def cut(
    connection: Connection,
    outcomes: Sequence[Outcome],
    until: int,
    limit: int,
    *,
    over: int,
    summed: int,
) -> Gone:
    """Delete up to `limit` of the oldest results of these outcomes, to free `over` bytes.

    Until when is put on record, and how many were of a `seq` beyond `summed`: they are lost.
    """
    oldest = _oldest(connection, outcomes, None, until, limit)
    freed_before = accumulate((row.size for row in oldest), initial=0)
    rows = [row for row, freed in zip(oldest, freed_before, strict=False) if freed < over]
    gone = _delete(connection, rows)
    if gone.newest is not None:
        cut_at = HISTORY.c.pass_cut_at if Outcome.PASS in outcomes else HISTORY.c.other_cut_at
        was = connection.execute(select(cut_at)).scalar_one()
        at = max(filter(None, (was, gone.newest + timedelta(microseconds=1))))
        _grow(connection, lost=sum(row.seq > summed for row in rows))
        connection.execute(update(HISTORY).values({cut_at: at}))
    return gone


def _oldest(
    connection: Connection,
    outcomes: Sequence[Outcome],
    before: datetime | None,
    until: int,
    limit: int,
) -> list[Row[Any]]:
    """The first `limit` measured results of these outcomes: they are among the first of each."""
    sized = connection.execute(select(HISTORY.c.sized_until)).scalar_one()
    chosen = select(RESULT.c.seq, RESULT.c.observed_at, SIZE.label("size"))
    # Not by the order of `seq`: the index knows the oldest of an outcome.
    chosen = chosen.where(RESULT.c.seq + 0 <= min(sized, until))
    if before is not None:
        chosen = chosen.where(RESULT.c.observed_at < before)
    chosen = chosen.order_by(RESULT.c.observed_at).limit(limit)
    of_each = (chosen.where(RESULT.c.outcome == outcome.value) for outcome in outcomes)
    rows = [row for one in of_each for row in connection.execute(one)]
    return sorted(rows, key=lambda row: row.observed_at)[:limit]


def _delete(connection: Connection, rows: Sequence[Row[Any]]) -> Gone:
    if not rows:
        return Gone(0, 0, None)
    numbered = RESULT.c.seq.in_(bindparam("seqs", expanding=True, literal_execute=True))
    connection.execute(delete(RESULT).where(numbered), {"seqs": [row.seq for row in rows]})
    size = sum(row.size for row in rows)
    _grow(connection, result_bytes=-size)
    return Gone(len(rows), size, rows[-1].observed_at)


# --------------------------------------------------------------------------- sums that grow old


def minutes_end(connection: Connection, now: datetime) -> None:
    """Say that minutes are kept from a new line on, before any is deleted."""
    line = _first_kept(MINUTES, now) * MINUTES.seconds
    begin = datetime.fromtimestamp(line, UTC)
    older = update(HISTORY).where(HISTORY.c.minutes_from < begin)
    connection.execute(older.values(minutes_from=begin))


def drop(connection: Connection, limit: int, *, level: Level, now: datetime) -> int:
    """Delete up to `limit` blocks of a level that are older than it is kept; how many."""
    rows = _old(connection, level, now, limit)
    _delete_blocks(connection, rows)
    return len(rows)


def age(connection: Connection, limit: int, *, now: datetime) -> int:
    """Make days of up to `limit` blocks of hours that are older than those are kept; how many."""
    rows = _old(connection, HOURS, now, limit)
    days: dict[int, list[tuple[int, Sum]]] = defaultdict(list)
    for row in rows:
        _, day, subject = placed(row.key)
        total = nothing()
        for _, hour in sums_of(HOURS, row.body):
            merge(total, hour)
        block, span = divmod(day, DAYS.spans)
        days[DAYS.key(block, subject)].append((span, total))
    _merge(connection, days)
    _delete_blocks(connection, rows)
    return len(rows)


def forget_subjects(connection: Connection, now: datetime, limit: int) -> int:
    """Delete up to `limit` subjects that have had no sums for long; how many."""
    last = int((now - _FORGOTTEN_AFTER).timestamp()) // DAYS.width
    unseen = select(REMEMBERED.c.id).where(REMEMBERED.c.day < last, REMEMBERED.c.day > 0)
    gone = delete(REMEMBERED).where(REMEMBERED.c.id.in_(unseen.limit(limit)))
    return connection.execute(gone).rowcount


def _first_kept(level: Level, now: datetime) -> int:
    """The number of the first block of a level that is not older than it is kept."""
    return int((now - KEPT[level]).timestamp()) // level.seconds


def _old(connection: Connection, level: Level, now: datetime, limit: int) -> list[Row[Any]]:
    line = level.key(max(0, _first_kept(level, now)), 0)
    among = (SUMS.c.key >= level.key(0, 0), SUMS.c.key < line)
    oldest = select(SUMS.c.key, SUMS.c.body).where(*among).order_by(SUMS.c.key).limit(limit)
    return list(connection.execute(oldest))


def _delete_blocks(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    if not rows:
        return
    keyed = SUMS.c.key.in_(bindparam("keys", expanding=True, literal_execute=True))
    connection.execute(delete(SUMS).where(keyed), {"keys": [row.key for row in rows]})
    _grow(connection, sum_bytes=-sum(len(row.body) + BLOCK_OVERHEAD for row in rows))
