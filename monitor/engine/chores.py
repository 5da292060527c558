"""What has to be asked of the store before it can be thought: digests, and pages that are missing.

Only what is on disk can be told or compared, so each of these waits until nothing is left to be
written, reads, and then judges what it read by the clock of that moment.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from monitor import judge
from monitor.clock import Clock, Now
from monitor.engine.writing import Writing
from monitor.judge import Mind
from monitor.metrics import Metrics
from monitor.store import Store, StoreUnavailable

RECONCILE_EVERY = 10.0
"""Seconds between two looks at whether every page that is owed has been made and can arrive."""

_AGAIN_AFTER = 1.0


class Chores:
    """Those of one mind over its store."""

    def __init__(
        self, mind: Mind, store: Store, writing: Writing, clock: Clock, metrics: Metrics
    ) -> None:
        self._mind, self._store, self._writing = mind, store, writing
        self._clock, self._metrics = clock, metrics
        self._digesting = False

    def begin(self, group: asyncio.TaskGroup, now: Now) -> None:
        """Start what has fallen due: asked with every tick."""
        since = judge.digest_due(self._mind, now.at)
        if since is not None and not self._digesting and self._writing.idle:
            self._digesting = True
            group.create_task(self._digest(since))

    async def _digest(self, since: datetime) -> None:
        """Tell the service desk what happened since; tried again with every tick until it is.

        Should support close meanwhile, the digest is the next opening's.
        """
        try:
            incidents = await self._store.incidents_since(since)
        except StoreUnavailable:
            self._metrics.store_failure()
            await asyncio.sleep(_AGAIN_AFTER)
        else:
            now = self._clock.now()
            if judge.digest_due(self._mind, now.at) == since:
                self._writing.change(judge.digest(self._mind, since, incidents, now))
        finally:
            self._digesting = False

    async def reconcile(self) -> None:
        """Make up for pages that were never made or cannot arrive, until cancelled."""
        while True:
            await asyncio.sleep(RECONCILE_EVERY)
            if self._mind.open and self._writing.idle:
                await self._reconcile_now()

    async def _reconcile_now(self) -> None:
        known = (*self._mind.open.values(), *self._mind.ended.values())
        versions = {incident.id: incident.version for incident in known}
        try:
            triggers = await self._store.triggers(versions)
        except StoreUnavailable:
            self._metrics.store_failure()
            return
        for change in judge.reconciled(self._mind, versions, triggers, self._clock.now()):
            self._writing.change(change)

    async def catch_up(self, channel: str, since: datetime) -> None:
        """Sum up for a channel what happened since it could be told last."""
        try:
            incidents = await self._store.incidents_since(since)
        except StoreUnavailable:
            self._metrics.store_failure()
            return
        change = judge.caught_up(self._mind, channel, since, incidents, self._clock.now())
        if change is not None:
            self._writing.change(change)
