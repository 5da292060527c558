"""Recent results and proven cells, kept in batches."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from monitor.model import Evidence, Outcome, Phases, Step
from monitor.store import Keep
from monitor.store.store import BATCH
from tests.store_fixtures import (
    CELL,
    CLOCK,
    T0,
    after,
    incident,
    opened,
    opening,
    result,
)

HOUR = timedelta(hours=1)


async def test_recent_results_are_newest_first_and_of_that_cell(database_url):
    mine = [result(at=after(n)) for n in range(5)]
    other = result(CELL._replace(vantage="leeds"), at=after(9))
    async with opened(database_url) as store:
        await store.record([*mine, other])
        assert await store.recent_results(CELL, 3) == mine[:1:-1]
        assert await store.recent_results(other.cell, 3) == [other]


async def test_the_latest_results_are_read_oldest_first_without_what_says_nothing(database_url):
    leeds = CELL._replace(vantage="leeds")
    failed, passed = result(at=after(2)), result(leeds, Outcome.PASS, after(3))
    turned_away = result(outcome=Outcome.BLOCKED, at=after(4))
    others = [result(outcome=Outcome.INVALID, at=after(3)), result(at=after(9))]
    async with opened(database_url) as store:
        assert await store.latest_results(after(8), limit=9) == []
        await store.record([passed, turned_away, failed, *others])
        seen = await store.latest_results(after(8), limit=9)
        assert seen == [failed, passed, turned_away]
        assert await store.latest_results(after(8), limit=2) == seen[1:]


async def test_a_pass_is_read_back_in_bulk_without_what_it_captured(database_url):
    captured = {"phases": Phases(connect=0.1), "evidence": Evidence(address="127.0.0.1:443")}
    one = result(outcome=Outcome.PASS, **captured)
    async with opened(database_url) as store:
        await store.record([one])
        bare = replace(one, phases=Phases(), evidence=Evidence())
        assert await store.latest_results(T0, limit=1) == [bare]


async def test_the_newest_result_is_found_of_each_proven_cell_silent_since(database_url):
    cells = [CELL._replace(vantage=name) for name in ("london", "leeds", "dublin", "paris")]
    old, newer = [result(cell, at=after(n)) for n, cell in enumerate(cells)], result(at=after(60))
    newest_of_leeds = result(cells[1], at=after(9))
    async with opened(database_url) as store:
        await store.record([*old, newer, newest_of_leeds])
        await store.prove([(cell, "f1") for cell in cells[:3]])
        assert await store.silent_since(after(10)) == [old[2], newest_of_leeds]
        assert await store.silent_since(after(99)) == [old[2], newest_of_leeds, newer]


async def test_a_result_recorded_twice_is_kept_once(database_url):
    one, two = result(), result(at=after(1))
    async with opened(database_url) as store:
        await store.record([one])
        await store.record([one, two, two])
        await store.record([])
        assert await store.recent_results(CELL, 9) == [two, one]


async def test_a_commit_overtakes_the_batches_that_wait(database_url):
    ended = []

    async def noting(name, work):
        await work
        ended.append(name)

    async with opened(database_url) as store:
        batches = [[result(outcome=Outcome.PASS) for _ in range(BATCH)] for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            for number, batch in enumerate(batches):
                group.create_task(noting(number, store.record(batch)))
            group.create_task(noting("incident", store.commit(opening(incident()))))
    assert ended.index("incident") <= 1


async def test_a_cell_stays_proven_under_each_fingerprint(database_url):
    cells = [(CELL, "f1"), (CELL._replace(target="other"), "f1")]
    async with opened(database_url) as store:
        await store.prove(cells)
        await store.prove([*cells, (CELL, "f2")])
        await store.prove([])
    async with opened(database_url) as store:
        assert await store.proven() == frozenset([*cells, (CELL, "f2")])


async def test_the_last_pass_before_an_instant_is_found_whole(database_url):
    captured = {"phases": Phases(connect=0.1), "evidence": Evidence(address="127.0.0.1:443")}
    early, late = (result(outcome=Outcome.PASS, at=after(n), **captured) for n in (1, 3))
    leeds = result(CELL._replace(vantage="leeds"), Outcome.PASS, after(2))
    async with opened(database_url) as store:
        assert await store.last_pass(CELL, after(9)) is None
        await store.record([early, late, leeds, result(at=after(4))])
        assert await store.last_pass(CELL, after(9)) == late
        assert await store.last_pass(CELL, after(3)) == early
        assert await store.last_pass(CELL, after(1)) is None


async def test_an_incident_keeps_the_last_pass_of_what_failed(database_url):
    good, failed = result(outcome=Outcome.PASS, at=after(-30)), result()
    other = result(CELL._replace(vantage="leeds"))
    one = incident()
    async with opened(database_url) as store:
        await store.record([good])
        await store.commit(opening(one, evidence=(failed, other)))
        job = store.remembering(CLOCK)
        await job.sum_up(everything=True)
        await job.retain(after(1e7), Keep(HOUR, HOUR, 1 << 30))
        assert await store.recent_results(CELL, 9) == []
        record = await store.incident(1)
    assert set(record.evidence) == {failed, other}
    assert record.good == (good,)
    told = dict(record.stories())
    assert told[failed].differences is not None
    assert told[other].differences is None


async def test_evidence_of_several_steps_is_read_back_as_it_was(database_url):
    steps = (Step("front", "GET /", Outcome.PASS, 0.25, "HTTP/1.1 200 OK"),)
    one = result(evidence=Evidence("late", "GET /", tls_version="TLSv1.3", steps=steps))
    async with opened(database_url) as store:
        await store.record([one])
        assert await store.recent_results(CELL, 1) == [one]
