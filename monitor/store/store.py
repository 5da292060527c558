"""The store as the rest of the monitor sees it; see the package for how it works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from monitor.clock import Clock
from monitor.model import (
    Accepted,
    Beat,
    CellKey,
    Change,
    Incident,
    IncidentState,
    Notice,
    NoticeState,
    Outage,
    Recalled,
    Report,
    Result,
    TimelineEvent,
)
from monitor.store import outbox, owing, reads, recall, writes
from monitor.store.errors import StoreError, StoreHeld, StoreUnavailable
from monitor.store.owing import OwedNotice, Redriven
from monitor.store.place import (
    READERS,
    Place,
    speaking,
    unavailable,
)
from monitor.store.reads import IncidentRecord, OutboxFigures, Period
from monitor.store.recall import Standing
from monitor.store.remembering import Remembering
from monitor.store.spool import Sent

BATCH = 500
"""Results per transaction: what a commit may have to wait for, about 10 ms."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Writer:
    """The one thread that writes, and the engine with the one connection that it uses."""

    thread: Executor
    engine: Engine
    clock: Clock


class Store:
    """One database, with one writer. Made by `open_store` and `open_reader`.

    `instance` is the ULID this database was given when it was made; `fence` is the number of this
    holder; `seen_at` is when whoever held it before last signed that it was watching (when the
    database was made, if nobody has).

    Any method raises StoreUnavailable when the database cannot be used, and one that writes raises
    StoreHeld when another holder has taken over, unless it says otherwise. What has returned from a
    method that writes is on disk.
    """

    def __init__(
        self,
        place: Place,
        lease: reads.Lease,
        readers: Engine,
        opened: ExitStack,
        writer: Writer | None,
    ) -> None:
        self.instance, self.fence, self.seen_at = lease
        self._place, self._readers, self._opened, self._writer = place, readers, opened, writer
        self._read_threads = ThreadPoolExecutor(READERS, "store-reader")
        self._identity = _identity(place.path)
        self._recording = asyncio.Lock()
        self._closed = False

    # ----------------------------------------------------------------- incidents and outages

    async def commit(self, change: Change, *, wanted: Callable[[], bool] = lambda: True) -> None:
        """Write all of `change` in one transaction, or none of it.

        StaleChange when its incident is not at `was_version`, or part of it is there already;
        DuplicateIncident when its subject has another open incident. Repeating the last change of
        an incident does nothing: a retry after an unclear end is safe. A commit that hung until it
        is no longer `wanted` is undone, with StoreUnavailable.
        """
        await self._in_writer(self._commit, change, wanted)

    def _commit(self, writer: Writer, change: Change, wanted: Callable[[], bool]) -> None:
        def unless_called_off(connection: Connection) -> None:
            writes.commit(connection, change)
            if not wanted():
                raise unavailable(self._place, "it took too long, and the change was called off")

        try:
            self._fenced(writer, unless_called_off)
        except IntegrityError as refused:
            self._fenced(writer, writes.explain, change, refused)

    async def commit_spooled(
        self,
        change: Change,
        *,
        sent: Sequence[Sent] = (),
        in_hand: Collection[str] = (),
        lease_until: datetime | None = None,
    ) -> None:
        """Commit a change that was spooled, with what became of its notices meanwhile.

        `sent` were taken, `in_hand` are being sent until `lease_until`. Raises as `commit`; what a
        later version of its incident has overtaken is there already.
        """
        direct = (tuple(sent), tuple(in_hand), lease_until or datetime.max.replace(tzinfo=UTC))
        await self._in_writer(self._commit_spooled, change, direct)

    def _commit_spooled(
        self,
        writer: Writer,
        change: Change,
        direct: tuple[Sequence[Sent], Collection[str], datetime],
    ) -> None:
        def both(connection: Connection) -> None:
            writes.commit_spooled(connection, change)
            outbox.mark_direct(connection, *direct)

        try:
            self._fenced(writer, both)
        except IntegrityError as refused:
            self._fenced(writer, writes.explain, change, refused)

    async def next_number(self) -> int:
        """One more than the highest number of any incident; 1 when there is none."""
        return await self._read(reads.next_number)

    async def open_incidents(self) -> list[Incident]:
        """Those not resolved, oldest first."""
        return await self._read(reads.open_incidents)

    async def named_incidents(self, ids: Collection[str]) -> list[Incident]:
        """Those of these ids, in whatever state, oldest first; unknown ids are left out."""
        return await self._read(reads.named_incidents, ids)

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

    async def names(self, incident_ids: Collection[str]) -> dict[str, str]:
        """By incident, the instance under whose name its first alert was made, where one was."""
        return await self._read(owing.names, incident_ids)

    async def triggers(self, incident_ids: Collection[str]) -> list[Notice]:
        """The triggers of the conversations of these incidents, in the order they were owed."""
        return await self._read(reads.triggers, incident_ids)

    async def recent_events(self, limit: int) -> list[tuple[Incident, TimelineEvent]]:
        """The last `limit` lines of all timelines, newest first, each with its incident."""
        return await self._read(reads.recent_events, limit)

    async def incidents_since(self, since: datetime) -> list[Incident]:
        """Those reported or resolved since, and those not resolved, oldest first."""
        return await self._read(reads.incidents_since, since)

    async def timelines(self, incident_ids: Collection[str]) -> list[TimelineEvent]:
        """The lines of these incidents' timelines, in the order they came."""
        return await self._read(reads.timelines, incident_ids)

    async def report(self, reference: str) -> Report | None:
        """The customer's report of this reference, None when there is none."""
        return await self._read(reads.report, reference)

    async def report_with_key(self, tenant: str, key: str) -> Report | None:
        """The report that a tenant marked with this key, None when there is none."""
        return await self._read(reads.report_with_key, tenant, key)

    async def unsettled_reports(self) -> list[Report]:
        """Those of which an incident is not resolved, oldest first."""
        return await self._read(reads.unsettled_reports)

    async def last_digest(self) -> datetime | None:
        """The opening of support that the last digest was made for, None when none was."""
        return await self._read(reads.last_digest)

    async def open_outages(self) -> list[Outage]:
        """Those not closed, oldest first."""
        return await self._read(reads.open_outages)

    async def outages(self, *, service: str | None, since: datetime, limit: int) -> list[Outage]:
        """Up to `limit` that were open at or after `since`, newest first."""
        return await self._read(reads.outages, service, since, limit)

    async def period(self, since: datetime, until: datetime) -> Period:
        """What is kept of a span of time, on one snapshot."""
        return await self._read(reads.period, since, until)

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

    async def last_pass(self, key: CellKey, before: datetime) -> Result | None:
        """The newest PASS of a cell observed before an instant; None when none is kept."""
        return await self._read(reads.last_pass, key, before)

    async def latest_results(self, until: datetime, *, limit: int) -> list[Result]:
        """The last `limit` results of all cells observed until then, oldest first.

        INVALID is left out, and so are the phases and the evidence of a PASS. Results of one
        instant stay together, so there may be a few more.
        """
        return await self._read(reads.latest_results, until, limit)

    async def silent_since(self, before: datetime) -> list[Result]:
        """The newest result of each proven cell that has none since `before`, oldest first.

        A PASS comes without its phases and evidence.
        """
        return await self._read(reads.silent_since, before)

    async def prove(self, cells: Sequence[tuple[CellKey, str]]) -> None:
        """Remember that each cell has passed once under its fingerprint."""
        await self._write(writes.prove, cells)

    async def proven(self) -> frozenset[tuple[CellKey, str]]:
        """Every cell that has passed, with each fingerprint it passed under."""
        return await self._read(reads.proven)

    async def hear(self, beats: Mapping[str, Beat]) -> None:
        """Keep the last call of each heartbeat, by name."""
        await self._write(writes.hear, beats)

    async def heartbeats(self) -> dict[str, Beat]:
        """The last call of every heartbeat that is kept, by name."""
        return await self._read(reads.heartbeats)

    # ----------------------------------------------------------------- history

    async def check_history(
        self, service: str, since: datetime, until: datetime, width: float
    ) -> dict[str, list[Recalled]]:
        """What each check of a service saw, by its name, in points of `width` seconds.

        `width` is a multiple of 60; points begin at `since`, cut to the minute, or to the hour for
        a width of an hour and more. Points without results are left out, and so are checks without
        points. Where only wider sums are kept than is asked for, each is a point of its own, of
        its own width; a sum counts in the point it begins in. ValueError for another width, and
        for a stretch of more than 1,500 days.
        """
        return await self._read(recall.check_history, service, since, until, width)

    async def cell_history(
        self, key: CellKey, since: datetime, until: datetime, width: float
    ) -> list[Recalled]:
        """What a cell saw, as `check_history` says it; `width` is a multiple of 3600."""
        return await self._read(recall.cell_history, key, since, until, width)

    async def history(self) -> Standing:
        """How history stands."""
        return await self._read(recall.standing)

    def remembering(self, clock: Clock) -> Remembering:
        """What keeps history, for the one that holds the store."""
        return Remembering(self._read, self._write, clock)

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
        return await self._in_writer(self._transact, outbox.mark_sent, notice, accepted, at)

    async def mark_failed(self, notice: Notice, *, error: str, retry_at: datetime | None) -> bool:
        """Write that a claimed notice was not accepted: due again at `retry_at`, or dead (None).

        False when its lease was lost. Not fenced, as `mark_sent`.
        """
        return await self._in_writer(self._transact, outbox.mark_failed, notice, error, retry_at)

    async def release_leases(self) -> int:
        """After a start: whatever the holder before us was sending is pending again; how many."""
        return await self._write(outbox.release)

    async def hurry(self, now: datetime) -> int:
        """After the wall clock was stepped: what waits for a retry is due now; how many.

        What waits for support to open goes on waiting.
        """
        return await self._write(outbox.hurry, now)

    async def reference(self, notice: Notice) -> Accepted | None:
        """What the receiver called the alert of a notice before, None while it has not."""
        return await self._read(outbox.reference, notice)

    async def standing(self, channel: str, since: datetime) -> list[Notice]:
        """The last notice sent of each of a channel's alerts that is open, or has ended since."""
        return await self._read(outbox.standing, channel, since)

    async def outbox(self) -> OutboxFigures:
        """How the outbox stands."""
        return await self._read(reads.outbox)

    async def notices(self, states: Collection[NoticeState], limit: int) -> list[OwedNotice]:
        """Up to `limit` notices in these states, those due longest first."""
        return await self._read(owing.owed, states, limit)

    async def redrive(
        self, now: datetime, by: str, *, channel: str | None, number: int | None
    ) -> Redriven:
        """Make dead notices pending in a person's name, and say so on their incidents' timelines.

        Those of a channel and of an incident's conversation; None: of all. StaleChange when one
        of them moved meanwhile.
        """
        return await self._write(owing.redrive, now, by, channel, number)

    async def paused_since(self) -> datetime | None:
        """Since when the outbox is paused; None while it is not."""
        return await self._read(owing.paused_since)

    async def resume_outbox(self) -> None:
        """Let a paused outbox go on."""
        await self._write(owing.resume)

    # ----------------------------------------------------------------- the store itself

    async def sign(self) -> None:
        """Write that this holder is watching now: what a later one tells of the time between."""
        await self._in_writer(self._sign)

    async def watch(self, services: Collection[str], now: datetime) -> None:
        """Write that these services are watched from now on.

        One that was and is not named has not been since the holder before last signed.
        """
        await self._write(writes.watch, services, now, self.seen_at)

    async def writable(self) -> str | None:
        """Write something small and see: why writing fails now, None when it works."""
        try:
            await self.sign()
        except StoreError as error:
            return str(error)
        return None

    def _sign(self, writer: Writer) -> None:
        self._fenced(writer, writes.sign, writer.clock.wall())

    async def close(self) -> None:
        """End what is queued, close every connection and let the lock go. May be repeated."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._read_threads.shutdown()
        if self._writer is not None:
            self._writer.thread.shutdown()
        self._opened.close()

    # ----------------------------------------------------------------- threads

    async def _read(self, query: Callable[[Connection, *Ts], T], /, *args: *Ts) -> T:
        """Run `query` in a thread that reads, on one snapshot."""
        self._require_open()
        reading_it = partial(self._query, query, *args)
        return await asyncio.get_running_loop().run_in_executor(self._read_threads, reading_it)

    def _query(self, query: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        with speaking(self._place), self._readers.connect() as connection:
            return query(connection, *args)

    async def _write(self, work: Callable[[Connection, *Ts], T], /, *args: *Ts) -> T:
        """Run `work` in the thread that writes, in a fenced transaction of its own."""
        return await self._in_writer(self._fenced, work, *args)

    async def _in_writer(self, work: Callable[[Writer, *Ts], T], *args: *Ts) -> T:
        """Run `work` in the thread that writes, after what is queued there."""
        self._require_open()
        writer = self._writer
        if writer is None:
            raise StoreUnavailable(str(self._place), "it is open for reading", "ask its holder")
        writing_it = partial(work, writer, *args)
        return await asyncio.get_running_loop().run_in_executor(writer.thread, writing_it)

    def _fenced(self, writer: Writer, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        def fenced(connection: Connection) -> T:
            writes.require_fence(connection, self.fence)
            return work(connection, *args)

        return self._transact(writer, fenced)

    def _transact(self, writer: Writer, work: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
        if _identity(self._place.path) != self._identity:
            # An open file outlives its name: what is written into it now is lost at the end.
            raise unavailable(self._place, "unable to open it: the file was removed or replaced")
        with speaking(self._place), writer.engine.begin() as connection:
            return work(connection, *args)

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(str(self._place), "it has been closed", "open it again")


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file `path` names now, None when there is none (or on PostgreSQL)."""
    if path is None or not path.exists():
        return None
    status = path.stat()
    return status.st_dev, status.st_ino
