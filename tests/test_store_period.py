"""What is kept of a span of time, as the figures of a month ask for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.clock import Clock
from monitor.model import Change, IncidentState, Interval, Unobserved, UnobservedReason
from monitor.store import open_reader, open_store
from tests.store_fixtures import T0, after, incident, opened, opening, outage

SINCE, UNTIL = after(1000), after(2000)


def span(name, since, until, why=UnobservedReason.PAUSED):
    return Unobserved(name, after(since), after(until), why)


async def period_of(url, *changes, since=SINCE, until=UNTIL):
    async with opened(url) as store:
        for change in changes:
            await store.commit(change)
        return await store.period(since, until)


@pytest.mark.parametrize(
    ("began", "closed", "there"),
    [
        (500, 900, False),
        (500, 1500, True),
        (500, None, True),
        (1500, 1600, True),
        (1500, 3000, True),
        (2500, 3000, False),
    ],
)
async def test_an_outage_is_of_a_period_that_it_touches(database_url, began, closed, there):
    one = outage(detected=began + 60, closed_at=None if closed is None else after(closed))
    one = replace(one, began=Interval(None, after(began)))
    assert (await period_of(database_url, Change(outages=(one,)))).outages == (one,) * there


async def test_an_outage_that_was_only_found_after_the_period_is_of_it(database_url):
    one = replace(outage(detected=99_000), began=Interval(after(1900), after(2100)))
    assert (await period_of(database_url, Change(outages=(one,)))).outages == (one,)


@pytest.mark.parametrize(
    ("reported", "there"), [(999.9, False), (1000, True), (1999.9, True), (2000, False)]
)
async def test_an_incident_is_of_the_period_in_which_it_was_reported(database_url, reported, there):
    one = incident(
        state=IncidentState.RESOLVED, reported_at=after(reported), resolved_at=after(5000)
    )
    found = (await period_of(database_url, opening(one))).incidents
    assert found == (one,) * there


async def test_gaps_that_touch_a_period_are_of_it_in_their_order(database_url):
    before, over, within, later = (
        span("a", 0, 900),
        span("d", 900, 1100, UnobservedReason.NOT_RUNNING),
        span("b", 1200, 1300),
        span("c", 2100, 2200),
    )
    change = Change(unobserved=(later, within, over, before))
    assert (await period_of(database_url, change)).unobserved == (over, within)


async def test_a_gap_that_is_written_again_stands_once(database_url):
    change = Change(unobserved=(span("a", 1200, 1300),))
    assert len((await period_of(database_url, change, change)).unobserved) == 1


async def test_a_period_says_when_the_store_was_last_signed(database_url):
    async with opened(database_url) as store:
        await store.sign()
        reader = await open_reader(database_url)
        found = await reader.period(SINCE, UNTIL)
        await reader.close()
    assert found.seen_at == T0


async def watched(url, *starts):
    """Of each service when it was watched, after a start at each of those seconds."""
    for second, *services in starts:
        store = await open_store(url, clock=clock_at(second), holder="test")
        await store.watch(services, after(second))
        await store.close()
        store = await open_store(url, clock=clock_at(second + 50), holder="test")
        await store.sign()
        await store.close()
    async with opened(url) as store:
        return (await store.period(SINCE, UNTIL)).watched


def clock_at(second):
    return Clock(lambda: after(second), lambda: 0.0)


async def test_a_service_is_watched_since_the_first_start_that_knew_it(database_url):
    found = await watched(database_url, (0, "crm"), (100, "crm", "web"), (200, "web", "crm"))
    assert found == {"crm": ((after(0), None),), "web": ((after(100), None),)}


async def test_a_service_that_is_taken_out_was_watched_until_the_last_signature(database_url):
    found = await watched(database_url, (0, "crm", "web"), (100, "web"), (200, "web", "crm"))
    assert found["crm"] == ((after(0), after(50)), (after(200), None))
    assert found["web"] == ((after(0), None),)


async def test_no_service_at_all_is_watched_by_nobody(database_url):
    assert await watched(database_url, (0, "crm"), (100,)) == {"crm": ((after(0), after(50)),)}
