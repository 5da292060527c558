"""Pages and API of a monitor with 10,000 cells and 90 days of history, on both databases; by name.

The application on its real listener, asked over HTTP by another process. A critical incident is
open, every cell of one service fails, and the results of a minute are to be summed at the start.
The engine runs and asks only what it wants to know of the outage; what it costs to probe every cell
is in `bench.scale`. There is no peer that draws such pages: `/healthz` is the floor.

The event loop is watched by a timer every 2 ms: how much later than that it ran, which includes
what the machine's other work cost, and what the loop's own thread computed meanwhile; both also for
a while in which nothing is asked. The CPU of an answer is that of the process, without what it uses
then. BENCH_CELLS, BENCH_DAYS and BENCH_TIMES are 10,000, 90 and 100.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import uvloop
from ulid import ULID

from bench.cost.usage import load
from bench.filled import CHECKS, SERVICES, VANTAGES, Past, filled
from bench.telling import told
from monitor import detection
from monitor.clock import Clock, real_clock
from monitor.daemon import garbage
from monitor.daemon.listener import Listener, bind
from monitor.engine import Engine, ProbeCell
from monitor.engine.recalled import load_mind
from monitor.judge import Mind
from monitor.metrics import Metrics
from monitor.model import (
    Audience,
    Cell,
    Change,
    Check,
    Dimension,
    Estate,
    Evidence,
    EvidenceKind,
    Extent,
    FailureKind,
    Impact,
    IncidentState,
    Interval,
    Need,
    Outage,
    Outcome,
    Phases,
    Result,
    Service,
    Target,
    Vantage,
    VerdictReason,
)
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.probes import Ask
from monitor.store import Store, open_store
from monitor.web import create_app
from tests import databases
from tests.hours_fixtures import SUPPORT

CELLS = int(os.environ.get("BENCH_CELLS", "10000"))
DAYS = int(os.environ.get("BENCH_DAYS", "90"))
TIMES = int(os.environ.get("BENCH_TIMES", "100"))
BUDGET, HELD = 0.1, 0.02
OUTAGES = 120
FRESH, IDLE = 60.0, 10.0
"""Seconds of results that are in no sum yet at first, and for which nothing is asked."""
EVIDENCE = 60
TOKEN = "bench"
_BEAT = 0.002


def rows() -> Iterator[str]:
    yield from told(_on_both())


async def _on_both() -> AsyncIterator[str]:
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-pages-"))
        async for row in _on("SQLite", f"sqlite:///{folder}/monitor.db"):
            yield row
        programs = databases.postgresql_programs()
        if programs is None:
            yield "PostgreSQL: no server is installed here"
            return
        server = opened.enter_context(databases.postgresql_server(programs))
        url = opened.enter_context(server.database())
        async for row in _on("PostgreSQL", url):
            yield row


async def _on(name: str, url: str) -> AsyncIterator[str]:
    past = Past(cells=CELLS, days=DAYS, outages=OUTAGES, raw_hours=0.25)
    made = await filled(url, past)
    yield f"{name}: {CELLS} cells, {DAYS} days, filled in {made.seconds:.0f} s; {load()}"
    async with _served(url, past) as (port, number):
        async with _watched() as idle:
            spent = time.process_time()
            await asyncio.sleep(IDLE)
            spent = (time.process_time() - spent) / IDLE
        yield f"  {_held('with nothing asked', idle)}, {100 * spent:.0f} % of a core"
        async with _watched() as late:
            for path in ["/healthz", *_paths(past, number)]:
                yield await _row(port, path, spent)
    yield f"  {_held('while pages were asked for', late)}; {load()}"


async def _row(port: int, path: str, idle: float) -> str:
    """One page asked for `TIMES` times; its CPU is without what the process uses when `idle`."""
    # What is made once, such as a compiled template, or read once a minute.
    first = (await _asked(port, path, 1))["took"][0]
    began, computed = time.monotonic(), time.process_time()
    found = await _asked(port, path, TIMES)
    computed = time.process_time() - computed - idle * (time.monotonic() - began)
    took = found["took"]
    p95 = statistics.quantiles(took, n=20)[-1]
    cpu = 1000 * max(0.0, computed) / TIMES
    return (
        f"  {path}: p50 {1000 * statistics.median(took):.0f} ms, p95 {1000 * p95:.0f} ms "
        f"(budget {1000 * BUDGET:.0f}; the first {1000 * first:.0f}), {cpu:.0f} ms of CPU, "
        f"{found['bytes'] / 1000:.0f} kB{'' if p95 <= BUDGET else '  OVER'}"
    )


def _held(when: str, late: list[tuple[float, float]]) -> str:
    said = []
    for what, place in (("late by", 0), ("computing for", 1)):
        seen = sorted(each[place] for each in late)
        p999 = seen[int(len(seen) * 0.999)]
        said.append(f"{what} p99.9 {1000 * p999:.0f} ms, at most {1000 * seen[-1]:.0f} ms")
    return f"the event loop {when}: {'; '.join(said)} (budget {1000 * HELD:.0f})"


def _paths(past: Past, number: int) -> list[str]:
    return [
        "/",
        *(f"/services/crm?span={span}" for span in ("24h", "7d", "90d")),
        f"/incidents/{number}",
        f"/incidents/{number - 1}",
        "/api/v1/services",
        "/api/v1/services/crm/history",
        "/api/v1/services/crm/cells/sign-in/tenant-000/london/history?width=3600",
        "/api/v1/incidents?limit=200",
        f"/api/v1/incidents/{number}",
        f"/api/v1/figures?month={past.until:%Y-%m}",
        f"/api/v1/figures?month={past.until - timedelta(days=35):%Y-%m}",
        "/api/v1/explain?service=crm",
        "/api/v1/notices",
        "/api/v1/openapi.json",
    ]


async def _asked(port: int, path: str, times: int) -> dict[str, Any]:
    said = [sys.executable, "-m", "bench.asking", "127.0.0.1", str(port), TOKEN, str(times), path]
    process = await asyncio.create_subprocess_exec(*said, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"bench.asking ended with {process.returncode}")
    return json.loads(out)


@asynccontextmanager
async def _watched() -> AsyncIterator[list[tuple[float, float]]]:
    """By turn, how much later than it should the loop came back, and its thread's CPU seconds."""
    late: list[tuple[float, float]] = []

    async def watch() -> None:
        while True:
            began, computed = time.monotonic(), time.thread_time()
            await asyncio.sleep(_BEAT)
            took = max(0.0, time.monotonic() - began - _BEAT)
            late.append((took, time.thread_time() - computed))

    watching = asyncio.create_task(watch())
    yield late
    watching.cancel()


# ------------------------------------------------------------------------------ what is served


@asynccontextmanager
async def _served(url: str, past: Past) -> AsyncIterator[tuple[int, int]]:
    """The application; gives its port and the number of the incident that is open."""
    clock = _from(past.until)
    of = _estate(past)
    store = await open_store(url, clock=clock, holder="bench")
    await store.watch(SERVICES, past.since)
    number = await _broken(store, of, past)
    mind, _ = await load_mind(lambda worked: _mind(of, store, worked), store, clock.now(), "")
    _see(mind, past)
    metrics = Metrics(of, [])
    probes = {"http": _answers(clock)}
    engine = Engine(mind, store, probes, clock, metrics, committed=lambda: None)
    app = create_app(
        engine,
        store,
        metrics,
        clock,
        api_token=Secret(TOKEN),
        public_url="http://127.0.0.1",
        estate=of,
        calendar=SUPPORT,
        policy=PolicySettings(),
        channels=(),
    )
    garbage.begin()  # as the daemon does: a collection that looks at all cells holds everybody
    listening = bind("127.0.0.1", 0)
    listener = Listener(app, listening)
    serving = asyncio.create_task(listener.run_until_exit())
    beside = [asyncio.create_task(engine.run([])), asyncio.create_task(_summing(store, clock))]
    yield listening.getsockname()[1], number
    listener.should_exit = True
    for task in beside:
        task.cancel()
    await asyncio.wait({serving, *beside})
    await engine.finish()
    await store.close()


async def _summing(store: Store, clock: Clock) -> None:
    """As often as the daemon does."""
    job = store.remembering(clock)
    while True:
        await asyncio.sleep(5.0)
        await job.sum_up()


def _from(at: datetime) -> Clock:
    """The clock that reads `at` now."""
    real = real_clock()
    began = real.monotonic()
    return Clock(lambda: at + timedelta(seconds=real.monotonic() - began), real.monotonic)


def _answers(clock: Clock) -> ProbeCell:
    """What is asked for again answers as it did: the CRM fails."""

    async def probe(cell: Cell, ask: Ask) -> Result:
        sent = clock.monotonic()
        await asyncio.sleep(0.05)
        outcome = Outcome.FAIL if cell.key.service == "crm" else Outcome.PASS
        seen = _result(cell, clock.wall(), 0, outcome)
        return replace(seen, id=ask.id, sent_mono=sent, observed_mono=clock.monotonic())

    return probe


def _estate(past: Past) -> Estate:
    """The cells that the past is of: tenants in three groups."""
    many = -(-past.cells // (len(SERVICES) * len(CHECKS) * len(VANTAGES)))
    targets = tuple(
        Target(
            name,
            name,
            f"https://example/{name}",
            ("blue", "green", "amber")[n % 3],
            fingerprint="f1",
        )
        for n, name in enumerate(f"tenant-{n:03}" for n in range(many))
    )
    usual = ("http", None, 30.0, 10.0, Need.BLOCKING, EvidenceKind.ACTIVE, targets)
    services = tuple(
        Service(name, name.upper(), Audience.USERS, tuple(Check(name, c, *usual) for c in CHECKS))
        for name in SERVICES
    )
    vantages = tuple(Vantage(name, f"net-{name}") for name in VANTAGES)
    return Estate(services, vantages, ())


def _mind(of: Estate, store: Store, worked: object) -> Mind:
    return Mind(
        of,
        SUPPORT,
        PolicySettings(),
        (),
        store.instance,
        "http://127.0.0.1",
        lambda at: str(ULID.from_datetime(at)),
        detection.new_state(of, worked=worked),
    )


async def _broken(store: Store, of: Estate, past: Past) -> int:
    """The last service to fail fails still; the results of the last minute are added."""
    await store.prove([(cell.key, cell.target.fingerprint) for cell in of.cells()])
    began = past.until - timedelta(minutes=20)
    number = await store.next_number()
    (last,) = await store.incidents(state=None, limit=1)
    outage = Outage(
        "open",
        "crm/sign-in",
        "crm",
        "sign-in",
        Impact.ALL,
        VerdictReason.EVERYONE_TWICE,
        Extent(Dimension.EVERYONE),
        Interval(began - timedelta(seconds=9), began),
        began,
    )
    incident = replace(
        last,
        id=str(ULID.from_datetime(began)),
        number=number,
        subject="v1:crm:all:open",
        service="crm",
        state=IncidentState.OPEN,
        checks=CHECKS,
        began=outage.began,
        detected_at=began,
        reported_at=began,
        notify_at=began,
        respond_by=began + timedelta(hours=2),
        resolved_at=None,
        version=1,
    )
    cells = [cell for cell in of.cells() if cell.key.service == "crm"]
    seen = tuple(_result(cell, began, n, Outcome.FAIL) for n, cell in enumerate(cells[:EVIDENCE]))
    await store.commit(Change(incident, evidence=seen, outages=(outage,)))
    step = timedelta(seconds=30.0 / past.cells)
    fresh = []
    for turn in range(int(FRESH / 30)):
        begin = past.until - timedelta(seconds=30 * (turn + 1))
        for n, cell in enumerate(of.cells()):
            outcome = Outcome.FAIL if cell.key.service == "crm" else Outcome.PASS
            fresh.append(_result(cell, begin + n * step, turn, outcome))
    await store.record(fresh)
    return number


def _see(mind: Mind, past: Past) -> None:
    """Every cell has been probed a moment ago; those of the CRM failed."""
    for cell in mind.estate.cells():
        outcome = Outcome.FAIL if cell.key.service == "crm" else Outcome.PASS
        mind.detection.memories[cell.key].note(_result(cell, past.until, 0, outcome))


def _result(cell: Cell, at: datetime, turn: int, outcome: Outcome) -> Result:
    failed = outcome is Outcome.FAIL
    return Result(
        f"{cell.key}-{turn}-{at.astimezone(UTC):%s}",
        cell.key,
        cell.target.fingerprint,
        1.0,
        1.2,
        at,
        outcome,
        FailureKind.STATUS if failed else None,
        Phases() if failed else Phases(0.001, 0.002, 0.01, 0.15, 0.03),
        Evidence(message="status 503", status=503, body="Oops " * 400) if failed else Evidence(),
    )


def main() -> None:
    uvloop.install()
    for row in rows():
        sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    main()
