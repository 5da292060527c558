"""History is kept: results are summed up, grow old and go. The one background job of the store.

Theory of operation
- Everything is done in slices: a read of `READ` results in a thread that reads, a transaction of
  about `SLICE` seconds in the thread that writes. Between two of them others get their turn, and
  after each that was full a pause as long as it took; so at worst half of one core, and half of
  the writer's time, are history's.
- `sum_up` counts what has come since and notes what is due (`summing.py`). `retain` is for once in
  a while: it measures, makes days of old hours, and deletes what is older than it is kept; then
  what there is no room for.
- A result goes only once it is in all its sums. Only want of room may take it before, and puts that
  on record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

from sqlalchemy import Connection

from monitor.clock import Clock
from monitor.model import Outcome
from monitor.store import keeping, recall
from monitor.store.recall import Standing
from monitor.store.summing import READ, Summing
from monitor.store.sums import DAYS, MINUTES, TENS

SLICE = 0.05
"""Seconds that a transaction of this job may take."""

_FEWEST, _MOST = 50, 5000
"""Rows of a slice."""

_LEARNT = 1000
_MEASURED = 50_000
_NOTE = "note"
_ANY = 1 << 62
"""A `seq` that none is beyond."""

_OTHERS = tuple(outcome for outcome in Outcome if outcome is not Outcome.PASS)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Work(Protocol):
    """Runs a function on a connection in a thread of the store, and returns what it returns."""

    async def __call__(self, work: Callable[[Connection, *Ts], T], /, *args: *Ts) -> T:
        """What `work` returns."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long results are kept, PASSes and all others, and how many bytes they may take."""

    passes: timedelta
    others: timedelta
    max_bytes: int


class Remembering:
    """Sums up and retains. Its methods raise as those of `Store`; they are not run side by side."""

    def __init__(self, read: Work, write: Work, clock: Clock) -> None:
        self._read, self._write, self._clock = read, write, clock
        self._summing: Summing | None = None
        self._read_at: datetime | None = None
        self._summed_at: datetime | None = None
        self._limits: dict[str, int] = {}

    @property
    def summed_until(self) -> datetime | None:
        """Until when every result recorded is in the sums of its check; None before the first."""
        return self._summed_at

    async def sum_up(self, *, everything: bool = False) -> int:
        """Sum up what was recorded since, and note what is due, or `everything`; how many results.

        After an error the next call goes on from what is on disk.
        """
        summing, self._summing = self._summing, None
        if summing is None:
            summing = Summing()
            await self._read(summing.begin, self._clock.monotonic())
        count = await self._read_all(summing)
        await self._note(summing, everything=everything)
        self._summing = summing
        return count

    async def _read_all(self, summing: Summing) -> int:
        count, more = 0, True
        while more:
            began, at = self._clock.monotonic(), self._clock.wall()
            came, unknown = await self._read(summing.read)
            for start in range(0, len(unknown), _LEARNT):
                await self._write(keeping.learn, unknown[start : start + _LEARNT])
            if unknown:
                await self._read(summing.know)
            count += came
            more = came == READ or bool(unknown)
            if more:
                await self._note(summing, everything=False)
                await self._rest(began)
        self._read_at = at
        return count

    async def _note(self, summing: Summing, *, everything: bool) -> None:
        while shards := summing.behind() if everything else summing.due(self._clock.monotonic()):
            part = await asyncio.to_thread(summing.part, shards, self._limit(_NOTE))
            await self._slice(_NOTE, len(part.sums), keeping.note, part)
            summing.noted(part, self._clock.monotonic())
        if not summing.checks_wait():
            self._summed_at = self._read_at

    # ----------------------------------------------------------------- growing old

    async def retain(self, now: datetime, keep: Keep) -> Standing:
        """Delete what is older than it is kept, and what there is no room for; how it stands then.

        Hours that are old become days first. Incidents and their evidence are never touched.
        """
        await self.measure()
        summed = min(await self._read(recall.summed))
        for outcome in Outcome:
            before = now - (keep.passes if outcome is Outcome.PASS else keep.others)
            await self._each_slice(
                "forget", partial(keeping.forget, outcome=outcome, before=before, until=summed)
            )
        await self._make_room(keep.max_bytes, summed)
        await self._write(keeping.minutes_end, now)
        await self._each_slice("age", partial(keeping.age, now=now))
        for level in (MINUTES, TENS, DAYS):
            await self._each_slice("drop", partial(keeping.drop, level=level, now=now))
        if await self._write(keeping.forget_subjects, now, _MOST):
            self._summing = None
        return await self._read(recall.standing)

    async def measure(self) -> None:
        """Put on record what the results take that were recorded since."""
        while True:
            after, until, size = await self._read(keeping.measure, _MEASURED)
            if until == after:
                return
            await self._write(keeping.measured, after, until, size)

    async def _make_room(self, max_bytes: int, summed: int) -> None:
        """Delete the oldest PASSes, then the oldest others, then what is in no sum yet."""
        over = (await self._read(recall.standing)).result_bytes - max_bytes
        for until in (summed, _ANY):
            for outcomes in ((Outcome.PASS,), _OTHERS):
                more = True
                while more and over > 0:
                    limit = self._limit("cut")
                    cutting = partial(keeping.cut, over=over, summed=summed)
                    gone = await self._slice("cut", limit, cutting, outcomes, until, limit)
                    over -= gone.size
                    more = gone.rows > 0

    # ----------------------------------------------------------------- slices

    async def _each_slice(self, name: str, work: Callable[[Connection, int], int]) -> None:
        """Do `work` in slices until one finds less to do than it may."""
        more = True
        while more:
            began = self._clock.monotonic()
            limit = self._limit(name)
            more = await self._slice(name, limit, work, limit) == limit
            if more:
                await self._rest(began)

    async def _slice(
        self, name: str, rows: int, work: Callable[[Connection, *Ts], T], *args: *Ts
    ) -> T:
        """Do `work` of about so many rows; how many the next may have follows from how long."""
        done, took = await self._write(self._timed, work, *args)
        limit = self._limit(name)
        if took > SLICE:
            self._limits[name] = max(_FEWEST, limit // 2)
        elif took < SLICE / 2 and rows >= limit:
            self._limits[name] = min(_MOST, limit * 2)
        return done

    def _timed(
        self, connection: Connection, work: Callable[[Connection, *Ts], T], *args: *Ts
    ) -> tuple[T, float]:
        began = self._clock.monotonic()
        done = work(connection, *args)
        return done, self._clock.monotonic() - began

    def _limit(self, name: str) -> int:
        return self._limits.get(name, _FEWEST)

    async def _rest(self, began: float) -> None:
        """Leave the machine to others for as long as the slice took."""
        await asyncio.sleep(min(1.0, max(0.0, self._clock.monotonic() - began)))
