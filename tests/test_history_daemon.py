"""The job that keeps history: what it shows in the metrics, and what it says in the log."""

from __future__ import annotations

import re
from datetime import timedelta

import structlog

from monitor.config import History
from monitor.daemon.history import HistoryKeeping, keep_of
from monitor.metrics import Metrics
from monitor.model import Outcome
from monitor.store import Keep
from tests.history_fixtures import DAY, Watch, passed
from tests.store_fixtures import T0, after, result
from tests.store_outside import execute
from tests.test_store_history import opened
from tests.web_fixtures import ESTATE

ROOM = Keep(2 * DAY, 30 * DAY, 1 << 30)
MINUTE = timedelta(minutes=1)


def shown(metrics, name):
    text, _ = metrics.render()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text.decode(), re.MULTILINE)
    return float(found[1])


def test_what_is_configured_is_what_is_kept():
    assert keep_of(History(max_bytes=5 << 20)) == Keep(2 * DAY, 30 * DAY, 5 << 20)


async def test_the_metrics_show_until_when_it_is_summed_up_and_what_it_takes(sqlite_url):
    watch, metrics = Watch(), Metrics(ESTATE, [])
    async with opened(sqlite_url) as store:
        job = HistoryKeeping(store, watch.clock, metrics, ROOM)
        await store.record([passed(at=after(n)) for n in range(5)])
        await job.turn()
        assert shown(metrics, "monitor_history_summed_until_timestamp_seconds") == 0
        watch.passes(6 * MINUTE)
        await job.turn()
        await job.turn()
        until = shown(metrics, "monitor_history_summed_until_timestamp_seconds")
        assert until == watch.at.timestamp()
        standing = await store.history()
        assert shown(metrics, 'monitor_history_bytes{what="results"}') == standing.result_bytes > 0
        assert shown(metrics, 'monitor_history_bytes{what="sums"}') == standing.sum_bytes > 0
        assert shown(metrics, "monitor_history_cut_timestamp_seconds") == 0


async def test_what_is_cut_is_shown_and_what_is_lost_is_said_once(sqlite_url):
    watch, metrics = Watch(), Metrics(ESTATE, [])
    async with opened(sqlite_url) as store:
        job = HistoryKeeping(store, watch.clock, metrics, Keep(2 * DAY, 30 * DAY, 1))
        await store.record([passed(at=T0), result(outcome=Outcome.FAIL)])
        with structlog.testing.capture_logs() as logs:
            await job.turn()
            watch.passes(6 * MINUTE)
            await job.turn()
    cut = shown(metrics, "monitor_history_cut_timestamp_seconds")
    assert cut == (T0 + timedelta(microseconds=1)).timestamp()
    assert [each["lost"] for each in logs] == [2]


async def test_what_history_is_thought_to_take_is_about_what_it_does(database_url):
    async with opened(database_url) as store:
        cells = [passed().cell._replace(target=f"tenant-{n:03}") for n in range(40)]
        many = [passed(cell, at=after(n), processing=0.1) for cell in cells for n in range(40)]
        await store.record(many)
        job = store.remembering(Watch().clock)
        await job.sum_up(everything=True)
        standing = await job.retain(T0, ROOM)
    sizes = (
        "SELECT sum(CASE WHEN name = 'result' OR name LIKE '%result%' THEN pgsize END), "
        "sum(CASE WHEN name = 'sums' THEN pgsize END) FROM dbstat"
        if database_url.startswith("sqlite")
        else "SELECT pg_total_relation_size('result'), pg_total_relation_size('sums')"
    )
    ((results, sums),) = execute(database_url, sizes)
    assert 0.7 * results < standing.result_bytes < 1.3 * results
    assert standing.sum_bytes < sums
