"""When the cells of the timetable are asked, by two clocks.

APScheduler fires one job a slot, by the wall clock. The plan itself is kept on the monotonic
clock: each slot is due every interval from a fixed start, whatever people's watches do. Once a
second `tick` compares the two:

    the wall clock stepped by over a second    every job is set anew to its slot's due time, the
                                               step is told, and probes in flight are void
    it drifted a little                        the jobs are set anew, nothing else
    a slot is over two seconds late            the tick fires it, and its job is set anew

so a step of an hour either way loses no probe. A slot that comes so late that its next turn is
due too fires once, and the turns it missed are counted.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.clock import Clock, Now
from monitor.model import CellKey
from monitor.timetable import Slot

STEP = 1.0
DRIFT = 0.2
OVERDUE = 2.0
TICK = 1.0

TOGETHER = 0.01
"""Cells due within so many seconds begin together: one wake of the process then serves several,
and a probe among others costs a tenth less than one alone. With more, the TLS handshakes of some
would be seen in the timings of others."""

Fire = Callable[[CellKey, float, float], None]
"""Called for each cell of a slot: the cell, when it was planned (monotonic s), and how many
seconds from now it is to start."""


class Schedule:
    """The slots of a timetable on an APScheduler."""

    def __init__(
        self,
        scheduler: AsyncIOScheduler,
        slots: Sequence[Slot],
        clock: Clock,
        *,
        fire: Fire,
        missed: Callable[[int], None],
        stepped: Callable[[float], None],
    ) -> None:
        self._scheduler = scheduler
        self._slots = slots
        self._clock = clock
        self._fire = fire
        self._missed = missed
        self._stepped = stepped
        self._due: list[float] = []
        self._jobs: list[Job] = []
        self._anchor = clock.now()

    def start(self) -> None:
        """Make every slot due within one interval from now."""
        self._anchor = now = self._clock.now()
        self._due = [now.mono + slot.offset for slot in self._slots]
        for number, slot in enumerate(self._slots):
            job = self._scheduler.add_job(
                self._turn,
                _every(slot.interval, now.wall_of(self._due[number])),
                args=(number,),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, int(slot.interval)),
            )
            self._jobs.append(job)

    async def run(self) -> None:
        """Tick on the monotonic clock, once a second, until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            self.tick()

    async def _turn(self, number: int) -> None:
        """A slot's job fired; a turn that the tick has already taken is not taken twice."""
        now = self._clock.monotonic()
        if now >= self._due[number] - min(DRIFT, self._slots[number].interval / 2):
            self._take(number, now)

    def tick(self) -> None:
        """Compare the clocks, and fire what APScheduler has not."""
        now = self._clock.now()
        apart = (now.at - self._anchor.wall_of(now.mono)).total_seconds()
        if abs(apart) > STEP:
            self._stepped(apart)
        overdue = [n for n, due in enumerate(self._due) if now.mono - due > OVERDUE]
        for number in overdue:
            self._take(number, now.mono)
        if abs(apart) > DRIFT or overdue:
            self._set_anew(now)

    def _take(self, number: int, now: float) -> None:
        slot = self._slots[number]
        skipped = max(0, int((now - self._due[number]) // slot.interval))
        if skipped:
            self._missed(skipped * len(slot.starts))
        planned = self._due[number] + skipped * slot.interval
        self._due[number] = planned + slot.interval
        for delay, key in slot.starts:
            self._fire(key, planned + delay, max(0.0, planned + delay - now))

    def _set_anew(self, now: Now) -> None:
        self._anchor = now
        for number, job in enumerate(self._jobs):
            at = now.wall_of(self._due[number])
            trigger = _every(self._slots[number].interval, at)
            job.modify(trigger=trigger, next_run_time=max(at, now.at))


def together(due: float) -> float:
    """When a cell due at a monotonic second begins: then or up to `TOGETHER` later, with others."""
    return math.ceil(due / TOGETHER) * TOGETHER


def _every(seconds: float, first: datetime) -> IntervalTrigger:
    return IntervalTrigger(seconds=seconds, start_date=first, timezone=UTC)
