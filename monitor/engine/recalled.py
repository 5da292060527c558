"""What the monitor had seen before it ended, read back at the start.

Three intervals of the slowest check hold the last PASS of every cell that works and the first FAIL
of everything that was only suspected, so detection goes on as if it had never stopped: a start
lies between the two, also when nobody watched in between. They count back from when the last
process signed last, however long ago that was.

However many results there are, only `RESULTS_A_CELL` for each cell are read, the newest of all:
where a few slow checks stand among many quick ones, the slow cells' last results lie before those,
and are fetched one by one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.model import Estate, Result
from monitor.store import Store

INTERVALS = 3
RESULTS_A_CELL = 4
_AT_LEAST = 2000


def recalled_span(estate: Estate) -> timedelta:
    """How far back results are read."""
    slowest = max((c.interval for s in estate.services for c in s.checks), default=0.0)
    return timedelta(seconds=INTERVALS * slowest)


async def last_seen(store: Store, estate: Estate, until: datetime) -> list[Result]:
    """What the last process had seen when it ended, oldest first, nothing later than `until`."""
    since = store.seen_at - recalled_span(estate)
    limit = max(_AT_LEAST, RESULTS_A_CELL * len(estate.cells()))
    results = await store.results_between(since, until, limit=limit)
    if len(results) < limit:
        return results
    return [*await store.silent_since(results[0].observed_at), *results]
