"""The parts of the monitor, made in the order in which they need each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from monitor.clock import Clock, Now
from monitor.config import Config
from monitor.daemon import official
from monitor.daemon.history import HistoryKeeping, keep_of
from monitor.daemon.mind import mind_of, new_ulid
from monitor.daemon.official import CalendarWatch
from monitor.daemon.schedule import Schedule, together
from monitor.delivery import Delivery
from monitor.engine import Engine, ProbeCell
from monitor.engine.emergency import Emergency, replay
from monitor.engine.hearing import Hearing, expected
from monitor.engine.recalled import load_mind
from monitor.engine.recorder import Recorder
from monitor.engine.writing import SIGN_EVERY
from monitor.metrics import Metrics
from monitor.model import (
    Cell,
    CellKey,
    Change,
    Notice,
    Result,
    Unobserved,
    UnobservedReason,
)
from monitor.net.network import Net
from monitor.probes import PROBES, Ask, Means
from monitor.refreshing import Refreshing
from monitor.selfwatch.alarm import Author
from monitor.selfwatch.watching import SelfWatch
from monitor.store import Spool, Store
from monitor.timetable import slots

LOG = structlog.get_logger("monitor")

_GAP_KEPT = timedelta(seconds=SIGN_EVERY)
"""What lies between two signatures anyway is no gap."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that runs, and the changes that taking up the store made."""

    engine: Engine
    delivery: Delivery
    schedule: Schedule
    scheduler: AsyncIOScheduler
    resumed: list[Change]
    calendar: CalendarWatch | None
    hearing: Hearing
    refreshing: Refreshing
    emergency: Emergency
    selfwatch: SelfWatch
    history: HistoryKeeping


async def wired(config: Config, clock: Clock, store: Store, metrics: Metrics, net: Net) -> Parts:
    """All parts over an open store, which is first given what was spooled. Raises StoreError."""
    await store.release_leases()
    spool = Spool(config.spool)
    if spooled := await replay(spool, store):
        LOG.warning("what was spooled is in the store", changes=spooled)
    now = clock.now()
    await _keep_gap(store, now.at)
    await store.watch([service.name for service in config.estate.services], now.at)
    delivery = Delivery(
        store,
        {channel.name: channel for channel in config.channels},
        net,
        clock,
        random=random.random,
        on_sent=_notice_sent(metrics),
        on_late=lambda channel, since: engine.arrived_late(channel, since),  # noqa: PLW0108 - made below
        public_url=config.public_url,
        links=config.links,
    )
    mind, resumed = await load_mind(
        lambda worked: mind_of(config, store, worked), store, now, _unobserved(store.seen_at, now)
    )
    hearing = Hearing(expected(config.estate), await store.heartbeats(), store, clock)
    history = config.history
    recorder = Recorder(Path(history.record), history.record_max_bytes) if history.record else None
    emergency = Emergency(
        spool,
        store,
        delivery.channels,
        net,
        clock,
        random=random.random,
        public_url=config.public_url,
        links=config.links,
    )
    engine = Engine(
        mind,
        store,
        _probes(Means(net, hearing)),
        clock,
        metrics,
        committed=delivery.wake,
        recorder=recorder,
        watched_until=min(store.seen_at, now.at),
        emergency=emergency,
        paused_since=await _pause(store),
    )
    scheduler = AsyncIOScheduler(timezone="UTC")
    schedule = _schedule(
        config, clock, metrics, scheduler, engine=engine, delivery=delivery, hearing=hearing
    )
    watch = None
    if config.official is not None:
        watch = CalendarWatch(config.calendar, config.official, net, clock, metrics)
        _compare_daily(scheduler, watch, clock)
    refreshing = Refreshing(store, delivery.channels, net, clock, public_url=config.public_url)
    selfwatch = SelfWatch(
        engine,
        delivery,
        net,
        metrics,
        settings=config.selfwatch,
        estate=config.estate,
        channels=config.channels,
        author=Author(store.instance, config.public_url, new_ulid),
        random=random.random,
    )
    return Parts(
        engine,
        delivery,
        schedule,
        scheduler,
        resumed,
        watch,
        hearing,
        refreshing,
        emergency,
        selfwatch,
        HistoryKeeping(store, clock, metrics, keep_of(history)),
    )


def _schedule(
    config: Config,
    clock: Clock,
    metrics: Metrics,
    scheduler: AsyncIOScheduler,
    *,
    engine: Engine,
    delivery: Delivery,
    hearing: Hearing,
) -> Schedule:
    """What fires cells when they fall due, and tells everybody when the wall clock stepped."""
    loop = asyncio.get_running_loop()

    def fire(key: CellKey, planned: float, wait: float) -> None:
        loop.call_at(together(loop.time() + wait), engine.fire, key, planned)

    def stepped(seconds: float) -> None:
        LOG.warning("the wall clock stepped", seconds=round(seconds, 3))
        metrics.clock_step(seconds)
        engine.forget_in_flight()
        delivery.hurry()
        hearing.stepped()

    return Schedule(
        scheduler,
        slots(config.estate.cells()),
        clock,
        fire=fire,
        missed=metrics.missed,
        stepped=stepped,
    )


async def _pause(store: Store) -> datetime | None:
    """Since when the outbox is paused, which is said loudly: nobody is told of anything."""
    since = await store.paused_since()
    if since is not None:
        remedy = "monitor restore --confirm"
        LOG.error("the outbox is paused: nothing is sent", since=str(since), remedy=remedy)
    return since


def _compare_daily(scheduler: AsyncIOScheduler, watch: CalendarWatch, clock: Clock) -> None:
    scheduler.add_job(
        watch.compare,
        IntervalTrigger(seconds=official.EVERY),
        next_run_time=clock.wall() + timedelta(seconds=official.SOON),
        coalesce=True,
        misfire_grace_time=official.EVERY,
    )


async def _keep_gap(store: Store, at: datetime) -> None:
    """Store that no monitor ran since the last one signed: before this one signs, or it is lost.

    A new store was signed when it was made, a moment ago.
    """
    if at - store.seen_at > _GAP_KEPT:
        gap = Unobserved(new_ulid(at), store.seen_at, at, UnobservedReason.NOT_RUNNING)
        await store.commit(Change(unobserved=(gap,)))


def _unobserved(seen_at: datetime, now: Now) -> str:
    """What to say of the time that no monitor saw, which began when the last one signed last."""
    if seen_at > now.at:
        return f"Not observed until {now.at:%Y-%m-%d %H:%M:%SZ}: the monitor was started then."
    return (
        f"Not observed from {seen_at:%Y-%m-%d %H:%M:%SZ} to {now.at:%Y-%m-%d %H:%M:%SZ}: "
        "the monitor was not running."
    )


def _probes(means: Means) -> dict[str, ProbeCell]:
    """The kinds of probe, each bound to what it asks by."""

    def bound(kind: str) -> ProbeCell:
        probe = PROBES[kind].probe

        async def ask_cell(cell: Cell, ask: Ask) -> Result:
            return await probe(cell, ask, means)

        return ask_cell

    return {kind: bound(kind) for kind in PROBES}


def _notice_sent(metrics: Metrics) -> Callable[[Notice, float], None]:
    def sent(notice: Notice, seconds: float) -> None:
        metrics.notice_delay(seconds)
        told = notice.message.about or notice.message.incident
        LOG.info(
            "notice sent",
            incident=None if told is None else told.number,
            channel=notice.channel,
            action=notice.action,
            seconds=round(seconds, 3),
        )

    return sent
