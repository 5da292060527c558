"""What the metrics show of delivery, the outbox and the calendar, once a second."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import structlog

from monitor import hours
from monitor.clock import Clock
from monitor.config import Config
from monitor.delivery import Delivery
from monitor.engine import Engine
from monitor.metrics import Metrics, NoticeOutcome
from monitor.selfwatch.watching import SelfWatch
from monitor.store import Store, StoreError

LOG = structlog.get_logger("monitor")


async def show(
    config: Config,
    clock: Clock,
    store: Store,
    metrics: Metrics,
    *,
    engine: Engine,
    delivery: Delivery,
    selfwatch: SelfWatch,
) -> None:
    """Show until cancelled; how the outbox stands is handed to `selfwatch` too."""
    counted: Counter[tuple[str, NoticeOutcome]] = Counter()
    was_troubled = False
    while True:
        await asyncio.sleep(1.0)
        now = clock.wall()
        was_troubled = _told_trouble(engine, was_troubled=was_troubled)
        attempts = Counter(delivery.figures().attempts)
        for (channel, outcome), count in (attempts - counted).items():
            metrics.notice(channel, outcome, count)
        counted = attempts
        with suppress(hours.OutsideCoverage):
            opening = (hours.next_opening(config.calendar, now) - now).total_seconds()
            is_open = hours.is_open(config.calendar, now)
            metrics.support(is_open=is_open, seconds_to_opening=opening)
        try:
            figures = await store.outbox()
        except StoreError:
            metrics.store_failure()
            continue
        selfwatch.outbox(figures)
        oldest = 0.0 if figures.oldest_due is None else (now - figures.oldest_due).total_seconds()
        metrics.outbox(figures.pending, figures.dead, max(0.0, oldest))
        metrics.outbox_paused(paused=engine.paused_since is not None)


def _told_trouble(engine: Engine, *, was_troubled: bool) -> bool:
    """Log that the store cannot be written, or can be again; whether it cannot be now."""
    trouble = engine.store_trouble()
    if trouble is not None and not was_troubled:
        LOG.error("the store cannot be written; what is to be written waits", reason=trouble)
    if trouble is None and was_troubled:
        LOG.info("the store can be written again", results_dropped=engine.results_dropped)
    return trouble is not None
