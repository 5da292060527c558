"""What is remembered of results, read back: sums that are on disk, and results not in them yet.

Every result is in the sums of its cell and of its check up to the `seq` that its shard is summed
until, and is read itself from there on. Both are read on one snapshot, so that nothing is missed
and nothing counted twice. Hours that are old become days, each in one transaction: a result is in
the one or in the other, and whatever is found of both is added up. Minutes of a check are kept
beside its hours; from `minutes_from` on they are complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json
from sqlalchemy import BigInteger, Connection, Row, bindparam, case, func, select, type_coerce

from monitor.model import CellKey, Outcome, Recalled
from monitor.store.sums import (
    DAYS,
    HOURS,
    PHASES,
    Level,
    Points,
    Times,
    Window,
    count,
    count_pass,
    gather,
    listed,
    nothing,
    times,
    window,
)
from monitor.store.tables import HISTORY, REMEMBERED, RESULT, SUMMED, SUMS

SHARDS = 128
"""Of cells, and as many of checks after them: what is summed up, and noted, together."""

_AT_ONCE = 1000
_KEYED = select(SUMS.c.key, SUMS.c.body).where(
    SUMS.c.key.in_(bindparam("keys", expanding=True, literal_execute=True))
)
_MICROSECONDS = 1_000_000
_INSTANT = type_coerce(RESULT.c.observed_at, BigInteger)
FRESH = (
    RESULT.c.seq,
    RESULT.c.service,
    RESULT.c.check,
    RESULT.c.target,
    RESULT.c.vantage,
    RESULT.c.outcome,
    _INSTANT.label("observed_at"),
    case((RESULT.c.outcome == Outcome.PASS.value, RESULT.c.body)).label("body"),
)
"""What is summed of a result: its instant as microseconds, its body only where it passed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How history stands.

    `result_bytes` and `sum_bytes` are about what they take on disk. PASSes before `pass_cut_at`,
    and others before `other_cut_at`, were deleted for want of room; `lost` of them were in no sum
    yet. Minutes are kept from `minutes_from` on.
    """

    result_bytes: int
    sum_bytes: int
    pass_cut_at: datetime | None
    other_cut_at: datetime | None
    lost: int
    minutes_from: datetime


def check_of(cell: CellKey) -> CellKey:
    """The subject that the check of a cell is among the subjects of sums."""
    return CellKey(cell.service, cell.check, "", "")


def shard_of(subject: int, *, is_check: bool) -> int:
    """The shard that a subject is summed with."""
    return subject % SHARDS + SHARDS * is_check


def standing(connection: Connection) -> Standing:
    """How history stands."""
    row = connection.execute(select(HISTORY)).one()
    return Standing(
        row.result_bytes,
        row.sum_bytes,
        row.pass_cut_at,
        row.other_cut_at,
        row.lost,
        row.minutes_from,
    )


def summed(connection: Connection) -> list[int]:
    """Up to which `seq` each shard is summed."""
    rows = connection.execute(select(SUMMED.c.seq).order_by(SUMMED.c.shard))
    return list(rows.scalars())


def times_of(body: str) -> Times:
    """How long a PASS took, of the body of its row."""
    told = from_json(body)
    phases = told["phases"]
    return times(told["sent_mono"], told["observed_mono"], [phases.get(name) for name in PHASES])


def blocks(connection: Connection, keys: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """The blocks of these keys, of those that there are."""
    wanted = list(keys)
    for start in range(0, len(wanted), _AT_ONCE):
        for row in connection.execute(_KEYED, {"keys": wanted[start : start + _AT_ONCE]}):
            yield row[0], row[1]


def check_history(
    connection: Connection, service: str, since: datetime, until: datetime, width: float
) -> dict[str, list[Recalled]]:
    """The points of each check of a service that has any; see `Store.check_history`."""
    asked = window(since, until, width)
    named = (REMEMBERED.c.service == service, REMEMBERED.c.target == "")
    rows = connection.execute(select(REMEMBERED.c.id, REMEMBERED.c.check).where(*named))
    names = {row.id: str(row.check) for row in rows}
    points: dict[str, Points] = {name: {} for name in names.values()}
    minutes_from = int(standing(connection).minutes_from.timestamp())
    for level, part in _parts(asked, minutes_from):
        keys = _keys(level, part, names)
        for key, body in blocks(connection, keys):
            gather(points[names[key & 0xFFFFFFFF]], part, key, body)
    _add_fresh_of_service(connection, service, names, asked, points)
    return {name: listed(found) for name, found in sorted(points.items()) if found}


def cell_history(
    connection: Connection, cell: CellKey, since: datetime, until: datetime, width: float
) -> list[Recalled]:
    """The points of a cell; see `Store.cell_history`."""
    if width % HOURS.width:
        raise ValueError(f"the width is {width:g} s: give a multiple of 3600")
    asked = window(since, until, width)
    of_cell = [REMEMBERED.c[name] == value for name, value in cell._asdict().items()]
    subject = connection.execute(select(REMEMBERED.c.id).where(*of_cell)).scalar()
    if subject is None:
        return listed(_fresh_of_cell(connection, cell, asked, 0))
    done = summed(connection)[shard_of(subject, is_check=False)]
    points = _fresh_of_cell(connection, cell, asked, done)
    for level in (HOURS, DAYS):
        for key, body in blocks(connection, _keys(level, asked, (subject,))):
            gather(points, asked, key, body)
    return listed(points)


def _parts(asked: Window, minutes_from: int) -> list[tuple[Level, Window]]:
    """Which level is read of which part of a window of checks."""
    if asked.level is HOURS:
        return [(HOURS, asked), (DAYS, asked)]
    older = asked.part(asked.since, minutes_from)
    return [(asked.level, asked.part(minutes_from, asked.until)), (HOURS, older), (DAYS, older)]


def _keys(level: Level, part: Window, subjects: Iterable[int]) -> list[int]:
    if part.since >= part.until:
        return []
    numbers = level.blocks(part.since, part.until)
    return [level.key(block, subject) for subject in subjects for block in numbers]


def _add_fresh_of_service(
    connection: Connection,
    service: str,
    names: Mapping[int, str],
    asked: Window,
    points: dict[str, Points],
) -> None:
    """Add the results of a service that are not in the sums of its checks yet."""
    done = summed(connection)
    until = {name: done[shard_of(subject, is_check=True)] for subject, name in names.items()}
    # Only by the order of `seq`: other indexes lead to every result of a service, or every PASS.
    fresh = [RESULT.c.seq > min(done[SHARDS:]), RESULT.c.service.concat("") == service]
    # A check without a subject has no sums at all: its results are all read.
    fresh += [(RESULT.c.check != name) | (RESULT.c.seq > seq) for name, seq in until.items()]
    passed = RESULT.c.outcome.concat("") == Outcome.PASS.value
    for row in connection.execute(select(*FRESH).where(*fresh, passed)):
        _add(points.setdefault(row.check, {}), asked, row.observed_at // _MICROSECONDS, row)
    # Of all others only how many there were is told, and the database counts faster.
    begin = _INSTANT // (asked.level.width * _MICROSECONDS) * asked.level.width
    counted = select(
        RESULT.c.check, RESULT.c.outcome, begin.label("begin"), func.count().label("n")
    )
    grouped = counted.where(*fresh, ~passed).group_by(RESULT.c.check, RESULT.c.outcome, begin)
    for row in connection.execute(grouped):
        if asked.since <= row.begin < asked.until:
            total = points.setdefault(row.check, {}).setdefault(asked.point(row.begin), nothing())
            count(total, row.outcome, row.n)


def _fresh_of_cell(connection: Connection, cell: CellKey, asked: Window, done: int) -> Points:
    """The results of a cell that are not in its sums yet."""
    of_cell = [RESULT.c[name] == value for name, value in cell._asdict().items()]
    # Not by the order of `seq`, in which all cells are: the index knows those of this one.
    fresh = select(*FRESH).where(*of_cell, RESULT.c.seq + 0 > done)
    points: Points = {}
    for row in connection.execute(fresh):
        _add(points, asked, row.observed_at // _MICROSECONDS, row)
    return points


def _add(points: Points, asked: Window, second: int, row: Row[Any]) -> None:
    begin = second // asked.level.width * asked.level.width
    if not asked.since <= begin < asked.until:
        return
    total = points.setdefault(asked.point(begin), nothing())
    if row.body is None:
        count(total, row.outcome)
    else:
        count_pass(total, *times_of(row.body))
