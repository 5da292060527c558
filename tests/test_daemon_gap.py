"""What no monitor watched is stored at the start, before the new one signs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.clock import Clock
from monitor.daemon.wiring import _keep_gap
from monitor.model import UnobservedReason
from monitor.store import open_store
from tests.store_fixtures import CLOCK, T0


async def started_after(url, away):
    """The gaps in the store once a monitor has started that long after the last signature."""
    later = T0 + away
    store = await open_store(url, clock=replace(CLOCK, wall=lambda: later), holder="second")
    await _keep_gap(store, later)
    gaps = (await store.period(T0 - timedelta(days=9), T0 + timedelta(days=9))).unobserved
    await store.close()
    return [(gap.since, gap.until, gap.why) for gap in gaps]


@pytest.fixture
async def used(database_url):
    """A store that was last signed at T0, a day after it was made."""
    made = Clock(lambda: T0 - timedelta(days=1), lambda: 0.0)
    for clock in (made, CLOCK):
        store = await open_store(database_url, clock=clock, holder="first")
        await store.sign()
        await store.close()
    return database_url


async def test_the_time_since_the_last_signature_is_stored(used):
    away = timedelta(hours=3)
    assert await started_after(used, away) == [(T0, T0 + away, UnobservedReason.NOT_RUNNING)]


async def test_what_lies_between_two_signatures_anyway_is_not(used):
    assert await started_after(used, timedelta(seconds=5)) == []


async def test_a_clock_that_was_set_back_leaves_no_gap(used):
    assert await started_after(used, timedelta(hours=-3)) == []


async def test_a_new_store_has_none(database_url):
    assert await started_after(database_url, timedelta()) == []


async def test_a_gap_goes_back_to_the_last_signature_whoever_started_since(used):
    first, second = timedelta(hours=1), timedelta(hours=2)
    await started_after(used, first)
    assert [gap[:2] for gap in await started_after(used, second)] == [
        (T0, T0 + first),
        (T0, T0 + second),
    ]
