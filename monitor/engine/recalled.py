"""What was last seen before the monitor ended, read back at the start.

The last PASS of every cell that works and the first FAIL of everything that was only suspected
must be among it: a start lies between the two, also when nobody watched in between. The results
are counted, not timed: however long the monitor was away, and if it came and went in between, the
newest are what it knew.

Of each cell three are enough on the average. Where a few slow checks stand among many quick ones,
the slow cells' last results lie further back, and are fetched one by one.
"""

from __future__ import annotations

from datetime import datetime

from monitor.model import Estate, Result
from monitor.store import Store

_A_CELL = 3
_AT_LEAST = 2000


def results_recalled(estate: Estate) -> int:
    """How many results are read back at the most, but for the slow cells."""
    return max(_AT_LEAST, _A_CELL * len(estate.cells()))


async def last_seen(store: Store, estate: Estate, until: datetime) -> list[Result]:
    """What earlier processes saw last, oldest first, nothing later than `until`."""
    limit = results_recalled(estate)
    results = await store.latest_results(until, limit=limit)
    if len(results) < limit:
        return results
    return [*await store.silent_since(results[0].observed_at), *results]
