"""The job that keeps history: sums up every few seconds, and makes old things go now and then."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from monitor.clock import Clock
from monitor.config import History
from monitor.metrics import Metrics
from monitor.store import Keep, Standing, Store, StoreUnavailable

LOG = structlog.get_logger("monitor")

_SUM_EVERY = 5.0
_RETAIN_EVERY = 300.0


def keep_of(history: History) -> Keep:
    """How long results are kept, as it is configured."""
    return Keep(
        passes=timedelta(hours=history.pass_hours),
        others=timedelta(days=history.other_days),
        max_bytes=history.max_bytes,
    )


class HistoryKeeping:
    """Keeps the history of a store, and shows how it stands in the metrics."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics, keep: Keep) -> None:
        self._remembering = store.remembering(clock)
        self._clock, self._metrics, self._keep = clock, metrics, keep
        self._lost = 0
        self._retain_at = clock.monotonic()

    async def run(self) -> None:
        """Keep history until cancelled; while the store cannot be used, later."""
        while True:
            await asyncio.sleep(_SUM_EVERY)
            try:
                await self.turn()
            except StoreUnavailable:
                self._metrics.store_failure()

    async def turn(self) -> None:
        """Sum up what came; and when it is time, let old results and sums go."""
        await self._remembering.sum_up()
        self._metrics.history_summed(self._remembering.summed_until)
        if self._clock.monotonic() >= self._retain_at:
            standing = await self._remembering.retain(self._clock.wall(), self._keep)
            self._retain_at = self._clock.monotonic() + _RETAIN_EVERY
            self._show(standing)

    def _show(self, standing: Standing) -> None:
        self._metrics.history(standing.result_bytes, standing.sum_bytes, standing.pass_cut_at)
        if standing.lost > self._lost:
            LOG.warning(
                "results were deleted for want of room before they were summed up",
                lost=standing.lost - self._lost,
                remedy="raise history.max_bytes",
            )
        self._lost = standing.lost
