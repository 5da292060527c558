"""The daemon: everything wired together, started in order and ended in order.

    start   limit of descriptors, listening socket, store (lock, migrations, lease), what the
            store holds open is taken up, then delivery, the engine, the schedule, the pages
    run     each part is a task of one group: if one fails, the whole process ends with exit 1,
            never half a monitor
    stop    SIGTERM or SIGINT: the schedule ends, what is being sent has a moment to be answered
            (else it keeps its lease for the next start), what is queued is committed, the store
            is closed. Whatever hangs then is left behind: the process ends within five seconds

`run` is given its clock and its stop, so that tests and the demo run the very same daemon.
"""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
import uvloop

from monitor.clock import Clock
from monitor.config import Config
from monitor.daemon import garbage
from monitor.daemon.descriptors import raise_limit
from monitor.daemon.ending import end_at_once, end_by_force
from monitor.daemon.listener import Listener, bind
from monitor.daemon.logs import Logs
from monitor.daemon.mind import holder_name
from monitor.daemon.showing import show
from monitor.daemon.wiring import Parts, wired
from monitor.engine import Engine
from monitor.engine.emergency import Emergency
from monitor.metrics import Metrics
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.selfwatch.watchdog import PATIENT, Patience, Watchdog
from monitor.store import Spool, Store, StoreError, StoreUnavailable, open_store
from monitor.web import create_app

LOG = structlog.get_logger("monitor")

_END_WITHIN = 1.5
_FINISH_WITHIN = 2.0
_GONE_WITHIN = 4.5
_TELL_WITHIN = 35.0
"""Seconds from the signal to stop: answers to be given, writes to be done, the process to end."""


class CannotStart(Exception):  # noqa: N818 - named for what it says
    """The daemon cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Started:
    """What the daemon tells once it runs: where its pages are, and its parts."""

    url: str
    engine: Engine
    store: Store
    metrics: Metrics


def serve(config: Config, clock: Clock, patience: Patience = PATIENT) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0, 1 after a failure, 2 cannot start.

    `patience` is that of the watchdog, which ends the process with 1 by itself.
    """
    logs = Logs()
    logs.start()
    garbage.begin()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(config, clock, logs, patience))
    finally:
        logs.stop()


async def _serve(config: Config, clock: Clock, logs: Logs, patience: Patience) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    forced = threading.Timer(_GONE_WITHIN, end_by_force, (logs,))
    forced.daemon = True
    beside: list[asyncio.Task[None]] = []
    watchdogs: list[Watchdog] = []

    async def say_started(started: Started) -> None:
        LOG.info("monitoring", url=started.url, instance=started.store.instance)
        engine = started.engine
        all_seen = garbage.freeze_once(lambda: engine.cells_seen() >= len(engine.cells))
        beside.append(loop.create_task(all_seen))
        watchdog = Watchdog(
            told=started.metrics.watchdog_stall, end=lambda: end_at_once(logs), patience=patience
        )
        watchdogs.append(watchdog)
        beside.append(loop.create_task(watchdog.beat()))
        watchdog.start()

    def told_to_stop() -> None:
        if not stop.is_set():
            stop.set()
            forced.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)
    try:
        await run(config, clock, stop=stop, started=say_started)
    except CannotStart as error:
        LOG.error("cannot start", reason=str(error))
        return 2
    except ExceptionGroup as failures:
        for failure in failures.exceptions:
            LOG.error("a part of the monitor failed", exc_info=failure)
        return 1
    finally:
        forced.cancel()
        for watchdog in watchdogs:
            watchdog.stop()
        for task in beside:
            task.cancel()
    LOG.info("stopped")
    return 0


async def run(
    config: Config,
    clock: Clock,
    *,
    stop: asyncio.Event,
    started: Callable[[Started], Awaitable[None]],
) -> None:
    """Run the whole monitor until `stop` is set.

    Raises `CannotStart`; an `ExceptionGroup` when a part failed.
    """
    too_few = raise_limit(len(config.estate.cells()))
    if too_few is not None:
        raise CannotStart(too_few)
    with _bound(config) as listening:
        store = await _opened(config, clock)
        try:
            await _run(config, clock, store, listening=listening, stop=stop, started=started)
        finally:
            await store.close()


@contextmanager
def _bound(config: Config) -> Iterator[socket.socket]:
    try:
        listening = bind(config.listen_host, config.listen_port)
    except OSError as error:
        raise CannotStart(error.strerror or str(error)) from None
    with listening:
        yield listening


async def _opened(config: Config, clock: Clock) -> Store:
    try:
        return await open_store(config.database_url, clock=clock, holder=holder_name())
    except StoreUnavailable as error:
        await _tell_spooled(config, clock)
        raise CannotStart(str(error)) from None
    except StoreError as error:
        raise CannotStart(str(error)) from None


async def _tell_spooled(config: Config, clock: Clock) -> None:
    """Tell what an earlier process spooled and could not: this one cannot start either."""
    net = _net(config, clock)
    try:
        async with asyncio.timeout(_TELL_WITHIN):
            await Emergency(
                Spool(config.spool),
                None,
                {channel.name: channel for channel in config.channels},
                net,
                clock,
                random=random.random,
                public_url=config.public_url,
                links=config.links,
            ).tell_once()
    except (OSError, TimeoutError) as error:
        LOG.error("what is spooled could not be told", reason=str(error))
    finally:
        await net.aclose()


def _net(config: Config, clock: Clock) -> Net:
    redactor = Redactor(config.secrets)
    return Net(clock, config.limits, config.allow_private, redactor, config.nameservers)


async def _run(
    config: Config,
    clock: Clock,
    store: Store,
    *,
    listening: socket.socket,
    stop: asyncio.Event,
    started: Callable[[Started], Awaitable[None]],
) -> None:
    metrics = Metrics(config.estate, [channel.name for channel in config.channels])
    net = _net(config, clock)
    try:
        parts = await wired(config, clock, store, metrics, net)
    except StoreError as error:
        raise CannotStart(str(error)) from None
    app = create_app(
        parts.engine,
        store,
        metrics,
        clock,
        api_token=config.api_token,
        public_url=config.public_url,
        estate=config.estate,
        calendar=config.calendar,
        policy=config.policy,
        channels=config.channels,
        reports=config.reports,
        report_tokens=config.report_tokens,
        links=config.links,
        hooks=config.hooks,
        hearing=parts.hearing,
        cautions=parts.calendar.cautions if parts.calendar else tuple,
        not_ready=parts.selfwatch.unwell,
    )
    listener = Listener(app, listening)
    host, port = listening.getsockname()[:2]
    parts.scheduler.start()
    parts.schedule.start()
    try:
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(parts.delivery.run())
            serving = group.create_task(listener.run_until_exit())
            others = [
                group.create_task(parts.engine.run(parts.resumed)),
                group.create_task(parts.schedule.run()),
                group.create_task(parts.hearing.write()),
                group.create_task(parts.refreshing.run()),
                group.create_task(parts.emergency.run()),
                group.create_task(parts.history.run()),
                group.create_task(parts.selfwatch.run()),
                group.create_task(
                    show(
                        config,
                        clock,
                        store,
                        metrics,
                        engine=parts.engine,
                        delivery=parts.delivery,
                        selfwatch=parts.selfwatch,
                    )
                ),
            ]
            await started(Started(f"http://{host}:{port}", parts.engine, store, metrics))
            await stop.wait()
            parts.scheduler.shutdown(wait=False)
            listener.should_exit = True
            parts.delivery.end()
            await asyncio.wait({delivering, serving}, timeout=_END_WITHIN)
            for task in (delivering, serving, *others):
                task.cancel()
    finally:
        if parts.scheduler.running:
            parts.scheduler.shutdown(wait=False)
        await _finished(parts)
        await net.aclose()


async def _finished(parts: Parts) -> None:
    try:
        async with asyncio.timeout(_FINISH_WITHIN):
            await parts.engine.finish()
            await parts.hearing.flush()
    except TimeoutError:
        LOG.error("stopped before everything was written: the store could not be used")
    except StoreError as error:
        LOG.error("stopped before everything was written", reason=str(error))
