"""What is remembered of results: points of checks and cells, of results and of sums alike."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.model import Outcome, Phases
from tests.store_fixtures import CELL, T0, after, opened, result

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BEGIN = T0.replace(second=0, microsecond=0)
LEEDS = CELL._replace(vantage="leeds")


def passed(cell=CELL, at=T0, took=0.25, **phases):
    more = {"sent_mono": 1.0, "observed_mono": 1.0 + took}
    return result(cell, Outcome.PASS, at, phases=Phases(**phases), **more)


async def test_a_check_is_remembered_over_all_its_cells_minute_by_minute(database_url):
    seen = [
        passed(took=0.25, connect=0.1, processing=0.05),
        passed(LEEDS, after(1), took=0.5, connect=0.3),
        result(LEEDS, Outcome.FAIL, after(61)),
        result(LEEDS, Outcome.BLOCKED, after(62)),
        result(LEEDS, Outcome.MAINTENANCE, after(63)),
        result(LEEDS, Outcome.INVALID, after(64)),
        result(CELL._replace(check="orders"), at=after(1)),
        result(CELL._replace(service="sites"), at=after(1)),
    ]
    async with opened(database_url) as store:
        await store.record(seen)
        found = await store.check_history("crm", T0, T0 + HOUR, 60)
    assert sorted(found) == ["orders", "sign-in"]
    first, second = found["sign-in"]
    assert (first.since, first.width, first.passed, first.failed) == (BEGIN, 60, 2, 0)
    assert first.phases == Phases(connect=0.2, processing=0.05)
    assert first.slowest == 0.5
    assert (second.since, second.passed, second.failed) == (BEGIN + MINUTE, 0, 1)
    assert (second.blocked, second.maintenance, second.invalid) == (1, 1, 1)
    assert (second.phases, second.slowest) == (Phases(), None)


async def test_a_cell_is_remembered_hour_by_hour(database_url):
    seen = [passed(at=after(n * 1800)) for n in range(4)]
    async with opened(database_url) as store:
        await store.record([*seen, passed(LEEDS)])
        found = await store.cell_history(CELL, T0, after(7200), 3600)
        assert [(each.since, each.passed) for each in found] == [
            (BEGIN, 2),
            (BEGIN + HOUR, 2),
        ]
        assert await store.cell_history(CELL, T0 - 9 * HOUR, T0 - HOUR, 3600) == []
        unknown = CELL._replace(target="nobody")
        assert await store.cell_history(unknown, T0, after(7200), 3600) == []


@pytest.mark.parametrize(
    ("width", "days", "said"),
    [(90, 1, "multiple of 60"), (0, 1, "multiple of 60"), (60, 9999, "1500 days")],
)
async def test_what_cannot_be_asked_for_is_refused(sqlite_url, width, days, said):
    async with opened(sqlite_url) as store:
        with pytest.raises(ValueError, match=said):
            await store.check_history("crm", T0, T0 + timedelta(days=days), width)
        with pytest.raises(ValueError, match="multiple of 3600"):
            await store.cell_history(CELL, T0, T0 + HOUR, 60)
