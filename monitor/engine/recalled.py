"""What was last seen, open and owed before the monitor ended, read back at the start.

The last PASS of every cell that works and the first FAIL of everything that was only suspected
must be among it: a start lies between the two, also when nobody watched in between. The results
are counted, not timed: however long the monitor was away, and if it came and went in between, the
newest are what it knew.

Of each cell three are enough on the average. Where a few slow checks stand among many quick ones,
the slow cells' last results lie further back, and are fetched one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor import judge
from monitor.clock import Now
from monitor.judge import Mind
from monitor.model import CellKey, Change, Estate, Result
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


async def load_mind(
    make: Callable[[frozenset[tuple[CellKey, str]]], Mind], store: Store, now: Now, unobserved: str
) -> tuple[Mind, list[Change]]:
    """A mind that takes up what the store holds seen and open, and the changes that made.

    `make` is given the cells that have worked, with their fingerprints.
    """
    mind = make(await store.proven())
    judge.recall(mind, await last_seen(store, mind.estate, now.at), now)
    mind.next_number = await store.next_number()
    incidents = await store.open_incidents()
    open_ids = {incident.id for incident in incidents}
    hosts = {i.paged_with for i in incidents if i.paged_with is not None} - open_ids
    mind.ended = {incident.id: incident for incident in await store.named_incidents(hosts)}
    for id_ in (*open_ids, *mind.ended):
        mind.sequences[id_] = await store.last_seq(id_)
    mind.named = await store.names([*open_ids, *mind.ended])
    mind.digested = await store.last_digest()
    mind.reports = {report.reference: report for report in await store.unsettled_reports()}
    for event in await store.timelines(open_ids):
        judge.note(mind, event)
    outages = await store.open_outages()
    return mind, judge.resume(mind, incidents, outages, now, unobserved)
