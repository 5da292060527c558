"""The schedule on both clocks: what a step of the wall clock does to it, and what it must not."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import apscheduler.schedulers.base
import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.clock import Clock
from monitor.daemon import schedule as module
from monitor.daemon.schedule import TOGETHER, Schedule, together
from monitor.model import CellKey
from monitor.timetable import Slot

INTERVAL = 0.5
SLOTS = tuple(
    Slot(INTERVAL, offset, ((0.0, CellKey("crm", "sign-in", f"t{n}", "london")),))
    for n, offset in enumerate((0.0, 0.125, 0.25, 0.375))
)


class Wall:
    """A wall clock that steps, while the monotonic one runs on."""

    def __init__(self):
        self.step = timedelta()

    def now(self):
        return datetime.now(UTC) + self.step  # noqa: TID251 - this is the clock


@pytest.fixture
def wall(monkeypatch):
    """The wall clock of the schedule and of APScheduler itself."""
    made = Wall()

    class Stepping(datetime):
        @classmethod
        def now(cls, tz=None):
            return made.now().astimezone(tz)

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Stepping)
    return made


class Scheduled:
    """A schedule at work, and what it fired."""

    def __init__(self, wall):
        loop = asyncio.get_running_loop()
        self.fired = []
        self.steps = []
        self.missed = 0
        self.more = asyncio.Event()
        self.scheduler = AsyncIOScheduler(timezone="UTC")
        self.schedule = Schedule(
            self.scheduler,
            SLOTS,
            Clock(wall.now, loop.time),
            fire=self.fire,
            missed=self.count_missed,
            stepped=self.steps.append,
        )

    def fire(self, key, planned, _wait):
        self.fired.append((key, planned))
        self.more.set()

    def count_missed(self, count):
        self.missed += count

    async def until_fired(self, times):
        """Wait until every cell has been fired so often in all."""
        async with asyncio.timeout(20):
            while min(len(self.plans(slot.starts[0][1])) for slot in SLOTS) < times:
                self.more.clear()
                await self.more.wait()

    def plans(self, key):
        return [planned for k, planned in self.fired if k == key]


async def run(wall, monkeypatch, act):
    """A schedule that ticks faster than in production, so that a test need not wait."""
    monkeypatch.setattr(module, "OVERDUE", 0.25)
    monkeypatch.setattr(module, "TICK", 0.05)
    scheduled = Scheduled(wall)
    scheduled.scheduler.start()
    scheduled.schedule.start()
    ticking = asyncio.create_task(scheduled.schedule.run())
    try:
        await act(scheduled)
    finally:
        ticking.cancel()
        scheduled.scheduler.shutdown(wait=False)
    return scheduled


def no_cell_missed(scheduled):
    for slot in SLOTS:
        plans = scheduled.plans(slot.starts[0][1])
        gaps = {round((b - a) / INTERVAL, 3) for a, b in itertools.pairwise(plans)}
        assert gaps == {1.0}, plans
    assert scheduled.missed == 0


async def test_every_slot_fires_every_interval(wall, monkeypatch):
    scheduled = await run(wall, monkeypatch, lambda s: s.until_fired(4))
    no_cell_missed(scheduled)
    assert scheduled.steps == []


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_step_of_an_hour_either_way_loses_no_probe(wall, monkeypatch, hours):
    async def act(scheduled):
        await scheduled.until_fired(2)
        wall.step = timedelta(hours=hours)
        await scheduled.until_fired(6)

    scheduled = await run(wall, monkeypatch, act)
    no_cell_missed(scheduled)
    assert len(scheduled.steps) == 1
    assert scheduled.steps[0] == pytest.approx(hours * 3600, abs=1)


async def test_a_small_drift_is_followed_and_is_no_step(wall, monkeypatch):
    async def act(scheduled):
        await scheduled.until_fired(2)
        wall.step = timedelta(seconds=-0.4)
        await scheduled.until_fired(4)

    scheduled = await run(wall, monkeypatch, act)
    no_cell_missed(scheduled)
    assert scheduled.steps == []


async def test_turns_that_came_too_late_to_be_taken_are_counted(wall):
    scheduled = Scheduled(wall)
    scheduled.schedule._due = [slot.offset - 3 * INTERVAL for slot in SLOTS]
    scheduled.schedule._take(0, SLOTS[0].offset - 0.75 * INTERVAL)
    assert scheduled.missed == 2
    assert len(scheduled.fired) == 1


def test_cells_due_within_a_moment_begin_together_and_none_early():
    due = [1000 + step * 0.003 for step in range(333)]
    begun = [together(each) for each in due]
    assert all(
        -1e-9 <= late - each <= TOGETHER + 1e-9 for each, late in zip(due, begun, strict=True)
    )
    assert begun == sorted(begun)
    assert len(set(begun)) <= 101
