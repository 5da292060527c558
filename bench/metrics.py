"""What a scrape of 10,000 cells costs: its time, its bytes, its memory, and what it holds up.

The page comes from the listener and the figures that the program has, on uvloop, in a process of
its own for each row; a reader in another process asks for it over HTTP, one page after the other.
Meanwhile results come in as they do when every cell is probed every 30 s. Beside it, in the same
run: the same series kept and rendered by prometheus-client, on the loop and in a thread.

A beat every 2 ms sees how long the loop was held. By the wall clock that includes what the machine
did for others; what we did ourselves is at most the CPU time of this process since the last beat.
BENCH_SCRAPES sets how many pages are read of ours, usually 30.
"""

import asyncio
import gc
import http.client
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle

import uvloop
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench.cost.usage import load, resident_bytes
from monitor.daemon import garbage
from monitor.daemon.listener import Listener, bind
from monitor.metrics import FAMILIES, TEXT_TYPE, Metrics
from monitor.model import (
    Audience,
    Cell,
    Certificate,
    Check,
    Estate,
    Evidence,
    EvidenceKind,
    FailureKind,
    Need,
    Outcome,
    Phases,
    Result,
    Service,
    Target,
    Vantage,
)
from monitor.web import health
from monitor.web.answers import Protected

TARGETS, VANTAGES = 2_000, 5
EVERY = 30.0
SCRAPES = int(os.environ.get("BENCH_SCRAPES", "30"))
SCRAPES_OF_PEERS = 5
PAUSE, BEAT = 0.2, 0.002
HELD_BUDGET, SCRAPE_BUDGET = 20, 300
_AT = datetime(2026, 11, 23, 9, tzinfo=UTC)

Show = Callable[[Cell, Result], None]
Made = tuple[Show, FastAPI]


@dataclass(frozen=True, slots=True)
class Side:
    """A way to keep and hand out the series, and what its reader asks for."""

    name: str
    made: Callable[[Estate], Made]
    headers: Mapping[str, str]
    scrapes: int


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a reader saw: seconds of each scrape, bytes of the last page as they came."""

    seconds: tuple[float, ...]
    size: int


def rows() -> Iterator[str]:
    for number in range(len(SIDES)):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            yield apart.submit(measured, number).result()


def measured(number: int) -> str:
    """One row, in a process of its own: memory is not given back."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_row(SIDES[number]))


# --------------------------------------------------------------------------- the sides


def ours(estate: Estate) -> Made:
    metrics = Metrics(estate, ["pager", "desk"])
    app = FastAPI()
    app.add_middleware(Protected)
    app.include_router(health.router(None, metrics, tuple))  # type: ignore[arg-type]  # not asked
    return lambda cell, result: metrics.result(cell, result, 0.001), app


def library(*, in_thread: bool) -> Callable[[Estate], Made]:
    """The same series by prometheus-client, rendered as it would render them."""

    def made(_: Estate) -> Made:
        registry, app = CollectorRegistry(), FastAPI()
        gauges = {
            family.name: Gauge(family.name, family.help, family.labels, registry=registry)
            for family in FAMILIES
            if family.name.startswith("probe_")
        }

        @app.get("/metrics")
        async def page() -> Response:
            if in_thread:
                text = await asyncio.to_thread(generate_latest, registry)
            else:
                text = generate_latest(registry)
            return Response(text, media_type=TEXT_TYPE)

        return lambda cell, result: by_library(gauges, cell, result), app

    return made


def by_library(gauges: Mapping[str, Gauge], cell: Cell, result: Result) -> None:
    """What our own side shows of a result that failed or passed, through the library."""
    key, evidence = cell.key, result.evidence
    values = {
        "probe_success": float(result.outcome is Outcome.PASS),
        "probe_duration_seconds": result.observed_mono - result.sent_mono,
        "probe_http_status_code": float(evidence.status or 0),
        "probe_dns_lookup_time_seconds": result.phases.resolve or 0.0,
        "probe_http_quota_used_ratio": 0.25,
    }
    if evidence.certificate is not None:
        expiry = evidence.certificate.chain_expiry.timestamp()
        values["probe_ssl_earliest_cert_expiry"] = expiry
    for name, value in values.items():
        gauges[name].labels(*key).set(value)
    for phase in Phases.__slots__:
        seconds = getattr(result.phases, phase)
        gauges["probe_http_duration_seconds"].labels(*key, phase).set(seconds)
    if result.failure is not None:
        gauges["probe_failure_info"].labels(*key, result.failure).set(1)


OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}
GZIP = {"Accept-Encoding": "gzip"}
SIDES = (
    Side("ours, not scraped at all", ours, {}, 0),
    Side("ours, text", ours, {}, SCRAPES),
    Side("ours, OpenMetrics", ours, OPENMETRICS, SCRAPES),
    Side("ours, text, gzip", ours, GZIP, SCRAPES),
    Side("ours, OpenMetrics, gzip (as Prometheus asks)", ours, OPENMETRICS | GZIP, SCRAPES),
    Side("prometheus-client on the loop", library(in_thread=False), {}, SCRAPES_OF_PEERS),
    Side("prometheus-client in a thread", library(in_thread=True), {}, SCRAPES_OF_PEERS),
)


# --------------------------------------------------------------------------- what is measured


async def _row(side: Side) -> str:
    estate = wide(TARGETS, VANTAGES)
    cells = estate.cells()
    results = [result_of(cell, number) for number, cell in enumerate(cells)]
    gc.collect()
    before = resident_bytes(os.getpid())
    show, app = side.made(estate)
    for cell, result in zip(cells, results, strict=True):
        show(cell, result)
    garbage.begin()
    kept = resident_bytes(os.getpid()) - before
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as reader:
        held, scraped = await _watched(app, show, [*zip(cells, results, strict=True)], side, reader)
    wall, own = (1000 * max(each) for each in zip(*held, strict=True))
    return (
        f"{side.name}: {len(cells)} cells, {took(scraped)}; loop held by at most "
        f"{own:.1f} ms of our own (budget {HELD_BUDGET}), {wall:.1f} ms by the wall clock; "
        f"{kept / 1e6:.0f} MB kept, "
        f"{(resident_bytes(os.getpid()) - before - kept) / 1e6:.0f} MB more after; {load()}"
    )


def took(scraped: Scraped) -> str:
    """How many scrapes there were, how large and how long."""
    seconds = sorted(scraped.seconds)
    if not seconds:
        return "no scrapes"
    p50, p95 = (1000 * seconds[int(share * (len(seconds) - 1))] for share in (0.5, 0.95))
    return (
        f"{len(seconds)} scrapes of {scraped.size / 1e6:.1f} MB: "
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms (budget {SCRAPE_BUDGET})"
    )


async def _watched(
    app: FastAPI,
    show: Show,
    shown: list[tuple[Cell, Result]],
    side: Side,
    reader: ProcessPoolExecutor,
) -> tuple[list[tuple[float, float]], Scraped]:
    """How long the loop was held between beats, by the wall clock and of our own, while scraped."""
    loop = asyncio.get_running_loop()
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    listener = Listener(app, bound)
    serving = asyncio.create_task(listener.run_until_exit())
    while not listener.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(BEAT)
    await loop.run_in_executor(reader, scraped_by, port, dict(side.headers), 1)
    reading = loop.run_in_executor(reader, scraped_by, port, dict(side.headers), side.scrapes)
    held = await _beats(reading, show, shown)
    scraped = await reading
    listener.should_exit = True
    await serving
    return held, scraped


async def _beats(
    reading: asyncio.Future[Scraped], show: Show, shown: list[tuple[Cell, Result]]
) -> list[tuple[float, float]]:
    coming = cycle(shown)
    due, held = 0.0, []
    while not reading.done():
        began, spent = time.monotonic(), time.process_time()
        await asyncio.sleep(BEAT)
        late = max(0.0, time.monotonic() - began - BEAT)
        held.append((late, min(late, time.process_time() - spent)))
        due += (late + BEAT) * len(shown) / EVERY
        while due >= 1.0:
            show(*next(coming))
            due -= 1.0
    return held


def scraped_by(port: int, headers: dict[str, str], times: int) -> Scraped:
    """Read the page so often over one connection, as it comes; for no times, wait as long."""
    if not times:
        time.sleep(SCRAPES * PAUSE)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken, size = [], 0
    for _ in range(times):
        time.sleep(PAUSE)
        began = time.monotonic()
        connection.request("GET", "/metrics", headers=headers)
        size = len(connection.getresponse().read())
        taken.append(time.monotonic() - began)
    connection.close()
    return Scraped(tuple(taken), size)


# --------------------------------------------------------------------------- what is shown


def wide(targets: int, vantages: int) -> Estate:
    """One service of so many targets, seen from so many vantages."""
    names = [f"tenant-{number:05}" for number in range(targets)]
    check = Check(
        "crm",
        "sign-in",
        "http",
        None,
        EVERY,
        10.0,
        Need.BLOCKING,
        EvidenceKind.ACTIVE,
        tuple(Target(name, name, f"https://crm.example/{name}") for name in names),
    )
    seen_from = tuple(Vantage(f"place-{number}", "net-a") for number in range(vantages))
    return Estate((Service("crm", "CRM", Audience.USERS, (check,)),), seen_from, ())


def result_of(cell: Cell, number: int) -> Result:
    """What an HTTPS probe saw; every hundredth failed. No two say the same seconds."""
    failed = number % 100 == 0
    certificate = Certificate("CN=a", "CN=b", ("a",), _AT, _AT, _AT + timedelta(days=60))
    headers = (("content-type", "text/html"), ("server", "nginx"), ("date", "today"))
    quota = (("ratelimit-limit", "1200"), ("ratelimit-remaining", "900"))
    taken = Phases(*(0.001 * place + number / 7e6 for place in range(1, 6)))
    return Result(
        f"result-{number}",
        cell.key,
        "f1",
        100.0,
        100.25 + number / 7e6,
        _AT,
        Outcome.FAIL if failed else Outcome.PASS,
        FailureKind.STATUS if failed else None,
        taken,
        Evidence(
            status=503 if failed else 200, certificate=certificate, headers=(*headers, *quota)
        ),
    )
