"""Three years of a small estate, in virtual time: what is kept is what an oracle says, all along.

Results come a few times a day, with gaps in which the monitor was off, across every change of the
clocks; the store is opened anew after each gap. After each month what is kept is compared with an
oracle that was told the same (on a server, which is slower to ask, after every second month).
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.model import Outcome
from monitor.store import Keep
from tests import databases
from tests.history_fixtures import DAY, HOUR, Oracle, Watch, floor, kept_open, passed, same
from tests.store_fixtures import CELL, result
from tests.store_outside import execute

BEGIN = datetime(2029, 1, 1, tzinfo=UTC)
END = BEGIN + 3 * 365 * DAY
LONDON = ZoneInfo("Europe/London")
STEP = 6
CELLS = (CELL, CELL._replace(vantage="leeds"), CELL._replace(check="orders"))
KEEP = Keep(passes=2 * DAY, others=30 * DAY, max_bytes=60_000)


class Life:
    """The store of a monitor over the years, and the oracle beside it."""

    def __init__(self, url):
        self.url, self.dice, self.oracle = url, random.Random(11), Oracle()
        self.watch, self.store, self.job = Watch(BEGIN), None, None
        self.pace = 1 if url.startswith("sqlite") else 2

    async def days(self):
        """A few days of results, three of a cell a day by the local clock; some come late."""
        seen = [
            self.seen(cell, self.watch.at + n * DAY, hour)
            for n in range(STEP * self.pace)
            for cell in CELLS
            for hour in range(0, 24, 8)
        ]
        late = [one for one in seen if self.dice.random() < 0.1]
        self.watch.passes(STEP * self.pace * DAY)
        await self.store.record([one for one in seen if one not in late])
        await self.job.sum_up()
        await self.store.record(late)
        self.oracle.tell(seen)
        if self.dice.random() < 0.15:
            await self.job.sum_up(everything=True)
            await self.job.retain(self.watch.at, KEEP)

    def seen(self, cell, day, hour):
        morning = day.astimezone(LONDON).replace(hour=0, minute=0)
        at = (morning + timedelta(hours=hour, minutes=self.dice.randrange(480))).astimezone(UTC)
        if self.dice.random() < 0.2:
            return result(cell, self.dice.choice(list(Outcome)[1:]), at)
        return passed(cell, at, took=self.dice.random(), processing=self.dice.random())

    async def restarts(self):
        """The monitor is off for a while, or only begun anew."""
        if self.store is not None:
            await self.store.close()
        self.watch.passes(self.dice.choice((0, 0, 1, 3)) * DAY)
        self.store = await kept_open(self.url, self.watch.clock)
        self.job = self.store.remembering(self.watch.clock)

    async def agrees(self):
        """Whether all that must be kept by now is, and is right."""
        await self.job.sum_up(everything=True)
        await self.job.retain(self.watch.at, KEEP)
        self.oracle.told = [
            one for one in self.oracle.told if one.observed_at >= self.watch.at - 430 * DAY
        ]
        until = floor(self.watch.at, DAY) + DAY
        for span, width in ((400, DAY), (90, HOUR)):
            since = max(BEGIN, until - span * DAY)
            cell = self.dice.choice(CELLS)
            found = await self.store.cell_history(cell, since, until, width.total_seconds())
            assert same(found, self.oracle.points([cell], since, until, width))
        for span, width in ((400, DAY), (90, 6 * HOUR), (7, HOUR / 6), (7, HOUR / 12)):
            since = max(BEGIN, until - span * DAY)
            found = await self.store.check_history("crm", since, until, width.total_seconds())
            expected = self.oracle.points(CELLS[:2], since, until, width)
            assert same(found["sign-in"], expected)
        return True

    def bounds(self):
        """Whether nothing is kept for longer than it is said to be, or takes more room."""
        now = int(self.watch.at.timestamp())
        oldest = {}
        for (key,) in execute(self.url, "SELECT key FROM sums"):
            oldest[key >> 56] = min(key >> 32 & 0xFFFFFF, oldest.get(key >> 56, 1 << 30))
        assert oldest[1] * 3600 >= now - 7 * 86400 - 3600
        assert oldest[2] * 86400 >= now - 91 * 86400
        assert oldest.get(3, 1 << 20) * 864_000 >= now - 411 * 86400
        assert oldest[4] * 43200 >= now - 7 * 86400 - 43200
        ((aged,),) = execute(
            self.url,
            f"SELECT count(*) FROM result WHERE observed_at < {(now - 30 * 86400) * 1_000_000} "
            f"OR outcome = 'pass' AND observed_at < {(now - 2 * 86400) * 1_000_000}",
        )
        ((size,),) = execute(self.url, "SELECT result_bytes FROM history")
        ((real,),) = execute(self.url, "SELECT coalesce(sum(length(body)), 0) FROM result")
        assert aged == 0
        assert real <= size <= KEEP.max_bytes
        return execute(self.url, "SELECT count(*), sum(length(body)) FROM sums")[0]


@pytest.fixture(params=databases.available())
def quick_url(request, memory):
    """The URL of an empty database that waits for no disk: nothing is killed here."""
    if request.param == "sqlite":
        return f"sqlite:///{memory}/years/monitor.db"
    return request.getfixturevalue("postgresql_url")


async def test_over_three_years_what_is_kept_is_what_was_seen(quick_url):
    life, sizes, month = Life(quick_url), [], 0
    await life.restarts()
    while life.watch.at < END:
        await life.days()
        if life.dice.random() < 0.15:
            await life.restarts()
        if (passed_by := (life.watch.at - BEGIN) // (30 * DAY * life.pace)) > month:
            month = passed_by
            assert await life.agrees()
            sizes.append(life.bounds())
    standing = await life.store.history()
    await life.store.close()
    assert len(sizes) > 30 / life.pace
    assert standing.lost == 0
    blocks, room = zip(*sizes[14 // life.pace :], strict=True)
    assert max(blocks) < 1.3 * min(blocks)
    assert max(room) < 1.3 * min(room)
