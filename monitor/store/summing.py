"""Results are summed up: read once, in the order they were recorded, and noted shard by shard.

Theory of operation
- `Summing` reads results in the order of `seq` and counts each in memory, in the minute of its
  check and the hour of its cell. Reading needs no transaction that writes.
- What was counted is noted in the store by shard. One transaction merges a shard's sums into its
  blocks and moves the `seq` that the shard is summed until; so each result is in the sums on disk
  exactly once, whenever the process is killed. What was only in memory is read again.
- Where a transaction ends in doubt, everything in memory is dropped and the store asked how far it
  is. Nothing is ever corrected.
- Checks are noted once a minute, and sooner where many results have come of each, because what is
  not noted is read result by result when somebody looks. Cells take turns, each every
  `CELLS_EVERY` seconds.
- A result that comes late is merged into its own hour, however late it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from monitor.model import CellKey
from monitor.store import recall
from monitor.store.recall import FRESH, SHARDS, check_of, shard_of, times_of
from monitor.store.sums import (
    HOURS,
    MINUTES,
    TENS,
    Level,
    Sum,
    Times,
    count,
    count_pass,
    merge,
    nothing,
)
from monitor.store.tables import REMEMBERED, RESULT

CHECKS_EVERY = 60.0
CELLS_EVERY = 1200.0
"""Seconds after which the sums of checks, and those of a cell, are noted."""

READ = 2000
"""Results read at a time: about 20 ms."""

_MANY = 48
"""Results for each sum of a check after which those are noted sooner."""

_MOST = 60_000
"""Sums held in memory; then all are noted."""

Pending = dict[tuple[int, int], Sum]
"""Sums in memory, by subject and by the number of their hour (cells) or minute (checks)."""


class _Route(NamedTuple):
    """Where the results of a cell are counted: by subject and shard, as a cell and of a check."""

    cell: int
    cells: int
    check: int
    checks: int


class Noted(NamedTuple):
    """What one transaction is to note: shards, each with the `seq` it was summed until before.

    `sums` are by key of the block, each list by span of the block.
    """

    shards: Mapping[int, int]
    until: int
    sums: Mapping[int, Sequence[tuple[int, Sum]]]


class Summing:
    """What has been read of the store and is not on disk yet.

    Its methods run in the store's threads, one at a time.
    """

    def __init__(self) -> None:
        self._routes: dict[tuple[str, ...], _Route] = {}
        self._subjects: dict[CellKey, int] = {}
        self._pending: dict[int, Pending] = defaultdict(dict)
        self._summed: list[int] = []
        self._noted_at: list[float] = []
        self._came = 0
        self.read_until = 0

    def begin(self, connection: Connection, mono: float) -> None:
        """Forget what is in memory, and go on from what is on disk."""
        self.know(connection)
        self._routes.clear()
        self._pending.clear()
        self._came = 0
        turns = [mono - CELLS_EVERY * (1 - (shard + 1) / SHARDS) for shard in range(SHARDS)]
        self._noted_at = [*turns, *[mono] * SHARDS]
        self._summed = recall.summed(connection)
        self.read_until = min(self._summed)

    def read(self, connection: Connection, limit: int = READ) -> tuple[int, list[CellKey]]:
        """Count up to `limit` results more: how many, and which subjects must be known to go on."""
        later = select(*FRESH).where(RESULT.c.seq > self.read_until).order_by(RESULT.c.seq)
        rows = [tuple(row) for row in connection.execute(later.limit(limit))]
        for place, row in enumerate(rows):
            route = self._routes.get(row[1:5])
            if route is None:
                if unknown := self._unknown(rows[place:]):
                    return place, unknown
                route = self._routes[row[1:5]]
            self._count(route, row)
        return len(rows), []

    def _unknown(self, rows: Sequence[tuple[Any, ...]]) -> list[CellKey]:
        """The subjects of results that have no number; the others have their routes then."""
        unknown: dict[CellKey, None] = {}
        for name in dict.fromkeys(row[1:5] for row in rows if row[1:5] not in self._routes):
            cell = CellKey(*name)
            wanted = (cell, check_of(cell))
            if missing := [one for one in wanted if one not in self._subjects]:
                unknown |= dict.fromkeys(missing)
                continue
            cell_id, check_id = (self._subjects[one] for one in wanted)
            self._routes[name] = _Route(
                cell_id,
                shard_of(cell_id, is_check=False),
                check_id,
                shard_of(check_id, is_check=True),
            )
        return list(unknown)

    def know(self, connection: Connection) -> None:
        """Know all subjects that the store has."""
        rows = connection.execute(select(REMEMBERED))
        self._subjects = {CellKey(r.service, r.check, r.target, r.vantage): r.id for r in rows}

    def _count(self, route: _Route, row: tuple[Any, ...]) -> None:
        seq, outcome, second, body = row[0], row[5], row[6] // 1_000_000, row[7]
        tell = None if body is None else times_of(body)
        if seq > self._summed[route.cells]:
            _add(self._pending[route.cells], (route.cell, second // HOURS.width), outcome, tell)
        if seq > self._summed[route.checks]:
            _add(self._pending[route.checks], (route.check, second // MINUTES.width), outcome, tell)
        self._came += 1
        self.read_until = seq

    @property
    def summed_until(self) -> int:
        """The `seq` up to which every result is in all its sums on disk."""
        return min(self._summed)

    def due(self, mono: float) -> list[int]:
        """The shards to note now, those whose turn it was first before others."""
        checks = [self._pending[shard] for shard in range(SHARDS, 2 * SHARDS)]
        soon = self._came >= _MANY * sum(map(len, checks)) > 0
        full = sum(map(len, self._pending.values())) > _MOST
        return [
            shard
            for shard in self.behind()
            if full
            or (soon and shard >= SHARDS)
            or mono - self._noted_at[shard] >= (CHECKS_EVERY if shard >= SHARDS else CELLS_EVERY)
        ]

    def behind(self) -> list[int]:
        """All shards that are not noted up to what was read."""
        return [shard for shard, seq in enumerate(self._summed) if seq < self.read_until]

    def checks_wait(self) -> bool:
        """Whether what was read is not noted of all checks yet."""
        return min(self._summed[SHARDS:]) < self.read_until

    def part(self, shards: Sequence[int], limit: int) -> Noted:
        """As many of these shards as have about `limit` blocks, at least one, to be noted."""
        chosen: dict[int, int] = {}
        sums: dict[int, list[tuple[int, Sum]]] = defaultdict(list)
        for shard in shards:
            if chosen and len(sums) + len(self._pending[shard]) > limit:
                break
            chosen[shard] = self._summed[shard]
            for key, span, total in _blocks(self._pending[shard], is_check=shard >= SHARDS):
                sums[key].append((span, total))
        return Noted(chosen, self.read_until, sums)

    def noted(self, done: Noted, mono: float) -> None:
        """These are on disk."""
        for shard in done.shards:
            self._pending.pop(shard, None)
            self._summed[shard] = done.until
            self._noted_at[shard] = mono
        if not any(self._pending[shard] for shard in range(SHARDS, 2 * SHARDS)):
            self._came = 0


def _add(pending: Pending, place: tuple[int, int], outcome: str, tell: Times | None) -> None:
    total = pending.get(place)
    if total is None:
        total = pending[place] = nothing()
    if tell is None:
        count(total, outcome)
    else:
        count_pass(total, *tell)


def _blocks(pending: Pending, *, is_check: bool) -> Iterator[tuple[int, int, Sum]]:
    """The sums of a shard by block and span; those of a check at each of its levels."""
    if not is_check:
        yield from _at(HOURS, pending)
        return
    for level in (MINUTES, TENS, HOURS):
        wider: Pending = {}
        for (subject, minute), total in pending.items():
            place = (subject, minute * MINUTES.width // level.width)
            merge(wider.setdefault(place, nothing()), total)
        yield from _at(level, wider)


def _at(level: Level, pending: Pending) -> Iterator[tuple[int, int, Sum]]:
    for (subject, number), total in pending.items():
        block, span = divmod(number, level.spans)
        yield level.key(block, subject), span, total
