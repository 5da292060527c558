"""The store as the rest of the monitor sees it; see the package for how it works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from monitor.clock import Clock
from monitor.model import (
    Accepted,
    CellKey,
    Change,
    Incident,
    IncidentState,
    Notice,
    Outage,
    Outcome,
    Result,
    TimelineEvent,
)
from monitor.store import lock, outbox, reads, writes
from monitor.store.errors import StoreError, StoreHeld, StoreUnavailable
from monitor.store.migrate import migrate, require_current
from monitor.store.place import (
    READERS,
    Place,
    make_room,
    place_of,
    reading,
    speaking,
    unavailable,
    writing,
)
from monitor.store.reads import IncidentRecord, OutboxFigures

BATCH = 500
"""Results per transaction: what a commit may have to wait for, about 10 ms."""

_FEWEST, _MOST = 50, 5000
"""Rows deleted per slice of pruning."""

P = ParamSpec("P")
T = TypeVar("T")


async def open_store(url: str, *, clock: Clock, holder: str) -> Store:
    """Take the store at `url` as `holder`, migrate it, and open its writer.

    `url` is `sqlite:///path` or `postgresql://...`. StoreHeld when another process has it,
    StoreTooNew when a later release wrote it, StoreUnavailable when it cannot be used.
    """
    place = place_of(url)
    writer = ThreadPoolExecutor(1, "store-writer")
    try:
        opening = partial(_open, place, clock, holder, writer)
        return await asyncio.get_running_loop().run_in_executor(writer, opening)
    except BaseException:
        writer.shutdown(wait=False)
        raise


async def open_reader(url: str, *, clock: Clock) -> Store:
    """Open the store at `url` for reading only, beside whoever holds it: no lock, no migration.

    StoreUnavailable when there is none, or when it is not of this release.
    """
    return await asyncio.to_thread(_open_reader, place_of(url), clock)


def _open(place: Place, clock: Clock, holder: str, writer: Executor) -> Store:
    with speaking(place), ExitStack() as opened:
        make_room(place)
        opened.callback(lock.take(place, holder))
        migrate(place)
        write_engine = writing(place)
        opened.callback(write_engine.dispose)
        with write_engine.begin() as connection:
            instance, fence = writes.take_lease(connection, holder, clock.wall())
        read_engine = reading(place)
        opened.callback(read_engine.dispose)
        return Store(
            place, clock, instance, fence, read_engine, opened.pop_all(), (writer, write_engine)
        )


def _open_reader(place: Place, clock: Clock) -> Store:
    with speaking(place), ExitStack() as opened:
        engine = reading(place)
        opened.callback(engine.dispose)
        with engine.connect() as connection:
            require_current(place, connection)
            instance, fence = reads.lease(connection)
        return Store(place, clock, instance, fence, engine, opened.pop_all(), None)


class Store:
    """One database, with one writer. Made by `open_store` and `open_reader`.

    `instance` is the ULID this database was given when it was made; `fence` is the number of this
    holder. Any method raises StoreUnavailable when the database cannot be used, and one that
    writes raises StoreHeld when another holder has taken over, unless it says otherwise. What has
    returned from a method that writes is on disk.
    """

    def __init__(
        self,
        place: Place,
        clock: Clock,
        instance: str,
        fence: int,
        read_engine: Engine,
        opened: ExitStack,
        writer: tuple[Executor, Engine] | None,
    ) -> None:
        self.instance, self.fence = instance, fence
        self._place, self._clock, self._writer = place, clock, writer
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._read_engine, self._opened = read_engine, opened
        self._identity = _identity(place.path)
        self._recording = asyncio.Lock()
        self._closed = False

    # ----------------------------------------------------------------- incidents and outages

    async def commit(self, change: Change) -> None:
        """Write all of `change` in one transaction, or none of it.

        StaleChange when its incident is not at `was_version`, or part of it is there already;
        DuplicateIncident when its subject has another open incident. Repeating a change whose
        new incident is there, exactly so, does nothing: a retry after an unclear end is safe.
        """
        await self._in_writer(partial(self._commit, change))

    def _commit(self, change: Change) -> None:
        try:
            self._transact(writes.commit, change)
        except IntegrityError as refused:
            self._transact(writes.explain, change, refused)

    async def next_number(self) -> int:
        """A number for a new incident, given out once; unused ones leave gaps."""
        return await self._write(writes.next_number)

    async def open_incidents(self) -> list[Incident]:
        """Those not resolved, oldest first."""
        return await self._read(reads.open_incidents)

    async def incidents(
        self, *, state: IncidentState | None, limit: int, before: int | None = None
    ) -> list[Incident]:
        """Up to `limit` in `state` (None: any) with a number under `before`, newest first."""
        return await self._read(reads.incidents, state, limit, before)

    async def incident(self, number: int) -> IncidentRecord | None:
        """Everything kept of incident `number`, None when there is none."""
        return await self._read(reads.incident, number)

    async def last_seq(self, incident_id: str) -> int:
        """The highest seq of the incident's notices over all channels, 0 when it has none."""
        return await self._read(reads.last_seq, incident_id)

    async def recent_events(self, limit: int) -> list[tuple[Incident, TimelineEvent]]:
        """The last `limit` lines of all timelines, newest first, each with its incident."""
        return await self._read(reads.recent_events, limit)

    async def open_outages(self) -> list[Outage]:
        """Those not closed, oldest first."""
        return await self._read(reads.open_outages)

    async def outages(self, *, service: str | None, since: datetime, limit: int) -> list[Outage]:
        """Up to `limit` that were open at or after `since`, newest first."""
        return await self._read(reads.outages, service, since, limit)

    # ----------------------------------------------------------------- results

    async def record(self, results: Sequence[Result]) -> None:
        """Keep `results`; those whose id is known are ignored.

        One batch at a time stands in the writer's queue, so a commit overtakes all others.
        """
        async with self._recording:
            for start in range(0, len(results), BATCH):
                await self._write(writes.record, results[start : start + BATCH])

    async def recent_results(self, key: CellKey, limit: int) -> list[Result]:
        """The last `limit` results of a cell, newest first."""
        return await self._read(reads.recent_results, key, limit)

    async def prove(self, cells: Sequence[tuple[CellKey, str]]) -> None:
        """Remember that each cell has passed once under its fingerprint."""
        await self._write(writes.prove, cells)

    async def proven(self) -> frozenset[tuple[CellKey, str]]:
        """Every cell that has passed, with each fingerprint it passed under."""
        return await self._read(reads.proven)

    async def prune(
        self,
        now: datetime,
        *,
        pass_for: timedelta,
        other_for: timedelta,
        slice_seconds: float = 0.05,
    ) -> int:
        """Delete results older than they are kept; how many. Evidence stays.

        Deletes in transactions of about `slice_seconds`, between which others get their turn.
        """
        deleted = 0
        for outcome in Outcome:
            before = now - (pass_for if outcome is Outcome.PASS else other_for)
            limit = _FEWEST
            gone = limit
            while gone >= limit:
                gone, took = await self._in_writer(partial(self._forget, outcome, before, limit))
                deleted += gone
                if gone >= limit:
                    limit = _next_limit(limit, took, slice_seconds)
                    gone = limit
        return deleted

    def _forget(self, outcome: Outcome, before: datetime, limit: int) -> tuple[int, float]:
        began = self._clock.monotonic()
        gone = self._transact(writes.forget, outcome, before, limit)
        return gone, self._clock.monotonic() - began

    # ----------------------------------------------------------------- the outbox

    async def claim(self, now: datetime, *, lease: timedelta, limit: int) -> list[Notice]:
        """Lease up to `limit` notices that may be sent at `now`, those due longest first.

        Those pending and due, and those whose lease has run out, but none behind an unsent one
        of the same incident on the same channel. A claim counts as an attempt. Nothing when
        another holder has taken over.
        """
        try:
            return await self._write(outbox.claim, now, lease, limit)
        except StoreHeld:
            return []

    async def mark_sent(self, notice: Notice, accepted: Accepted, at: datetime) -> bool:
        """Write that the receiver has a claimed notice. False when its lease was lost.

        Not fenced: what was sent was sent, and a new holder's first act is to end our leases.
        """
        return await self._write(outbox.mark_sent, notice, accepted, at, fenced=False)
