"""The filler of benchmarks makes a past that the monitor itself can read, and go on with."""

from __future__ import annotations

from datetime import timedelta

from bench.filled import Past, filled
from monitor.clock import Clock
from tests.history_fixtures import DAY, GENEROUS
from tests.store_fixtures import opened

PAST = Past(cells=25, days=4, outages=3, raw_hours=0.02, hour_days=2, minute_days=1)


async def test_a_filled_store_reads_as_one_that_has_lived(database_url):
    made = await filled(database_url, PAST)
    async with opened(database_url) as store:
        ask = store.check_history
        minutes = await ask("crm", PAST.until - DAY, PAST.until, 60)
        days = await ask("crm", PAST.until - 4 * DAY, PAST.until, DAY.total_seconds())
        assert set(minutes) == set(days) == {cell.check for cell in made.cells[:25]}
        assert {len(points) for points in minutes.values()} == {1440}
        assert {len(points) for points in days.values()} == {4}
        hours = await store.cell_history(made.cells[0], PAST.until - 2 * DAY, PAST.until, 3600)
        assert len(hours) == 48
        assert all(point.passed + point.failed == 120 for point in hours)

        assert len(await store.incidents(state=None, limit=9)) == 3
        failing = await store.check_history("sites", PAST.since, PAST.until, DAY.total_seconds())
        assert len(made.outages) == 3
        assert failing == {}, "25 cells are of the first service alone"
        assert await store.recent_results(made.cells[0], 9) != []

        job = store.remembering(Clock(lambda: PAST.until, lambda: 0.0))
        assert await job.sum_up(everything=True) == 0
        standing = await job.retain(PAST.until + timedelta(hours=1), GENEROUS)
        assert standing.result_bytes > 0
        assert await ask("crm", PAST.until - DAY, PAST.until, 60) == minutes
