"""What history costs: bytes on disk, time to read it back, and what summing up takes; run by name.

Bytes are those of a real SQLite file, of stores filled with 90 days of sums. Reads are of the
biggest service, the median of nine. Summing up is timed on raw results that are in no sum yet, in
the process's own CPU seconds, and while it goes on the lateness of the event loop and the time a
commit takes are watched. BENCH_CELLS sets the cells of the larger store, usually 10,000.
"""

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import uvloop
from sqlalchemy import update

from bench.cost.usage import load
from bench.filled import Past, fill
from monitor.clock import Clock, real_clock
from monitor.store import Keep, Store, open_store
from monitor.store.place import place_of, writing
from monitor.store.tables import SUMMED

CELLS = int(os.environ.get("BENCH_CELLS", "10000"))
DAYS = int(os.environ.get("BENCH_DAYS", "90"))
TIMES = 9
_BEAT = 0.005
_READS = (
    ("a service's checks, 24 h at 300 s", 1, 300),
    ("a service's checks, 7 days at 1,800 s", 7, 1800),
    ("a service's checks, 7 days at 2,040 s", 7, 2040),
    ("a service's checks, 90 days at 7 h 12 min", 90, 25_920),
)


def rows() -> Iterator[str]:
    for cells in (100, CELLS):
        with tempfile.TemporaryDirectory(prefix="bench-history-") as folder:
            path = Path(folder) / "monitor.db"
            past = Past(cells=cells, days=DAYS, raw_hours=0.25)
            made = fill(f"sqlite:///{path}", past)
            yield f"{cells} cells, {DAYS} days, filled in {made.seconds:.0f} s: {_sizes(path)}"
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                yield from runner.run(_timed(f"sqlite:///{path}", past, made.cells[0]))


def _sizes(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        taken = dict(
            connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
        )
        (blocks,) = connection.execute("SELECT count(*) FROM sums").fetchone()
        (results,) = connection.execute("SELECT count(*) FROM result").fetchone()
        thought = connection.execute("SELECT result_bytes, sum_bytes FROM history").fetchone()
    raw = sum(
        size
        for name, size in taken.items()
        if name.startswith(("result", "sqlite_autoindex_result"))
    )
    sums, thought_raw, thought_sums = taken["sums"], *thought
    return (
        f"sums {sums / 1e6:.1f} MB in {blocks} blocks ({sums / blocks:.0f} B each, thought "
        f"{thought_sums / 1e6:.1f} MB); {results} results {raw / 1e6:.1f} MB "
        f"({raw / max(1, results):.0f} B each, thought {thought_raw / 1e6:.1f} MB); "
        f"file {path.stat().st_size / 1e6:.1f} MB"
    )


async def _timed(url, past, cell):
    clock = Clock(lambda: past.until, real_clock().monotonic)
    store = await open_store(url, clock=clock, holder="bench")
    try:
        lines = [await _read(store, past, *one) for one in _READS]
        lines.append(await _read_cell(store, past, cell))
        lines.append(await _summed(url, store, past, clock))
    finally:
        await store.close()
    return lines


async def _median(work):
    took, cpu = [], []
    for _ in range(TIMES):
        began, spent = time.perf_counter(), time.process_time()
        found = await work()
        took.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - spent))
    median = statistics.median
    return f"median {median(took):.1f} ms ({median(cpu):.1f} ms of CPU)", found


async def _read(store: Store, past: Past, name: str, days: int, width: int) -> str:
    since = past.until - timedelta(days=days)
    took, found = await _median(lambda: store.check_history("crm", since, past.until, width))
    return f"   {name}: {took}, {len(found)} checks, {sum(map(len, found.values()))} points"


async def _read_cell(store: Store, past: Past, cell) -> str:
    since = past.until - timedelta(days=90)
    took, found = await _median(lambda: store.cell_history(cell, since, past.until, 3600))
    return f"   a cell, 90 days by the hour: {took}, {len(found)} points"


async def _summed(url: str, store: Store, past: Past, clock: Clock) -> str:
    """Sum all raw results up once more, and let old ones go, watching the loop and commits."""
    engine = writing(place_of(url))
    with engine.begin() as connection:
        connection.execute(update(SUMMED).values(seq=0))
    engine.dispose()
    job = store.remembering(clock)
    stalls: list[float] = []
    commits: list[float] = []
    watching = [asyncio.create_task(_beats(stalls)), asyncio.create_task(_signs(store, commits))]
    await asyncio.sleep(0.5)
    quiet = (max(stalls), max(commits))
    stalls.clear()
    commits.clear()
    began, cpu = time.monotonic(), time.process_time()
    results = await job.sum_up(everything=True)
    took, spent = time.monotonic() - began, time.process_time() - cpu
    summed = _worst(stalls, commits)
    cpu = time.process_time()
    await job.retain(past.until, Keep(timedelta(0), timedelta(0), 1 << 40))
    gone = time.process_time() - cpu
    for task in watching:
        task.cancel()
    each = f"{1e6 * spent / max(1, results):.1f} us of CPU a result, watching included"
    return (
        f"   {results} results summed up in {took:.1f} s, {each}; {summed}; deleted at "
        f"{1e6 * gone / max(1, results):.1f} us each; {_worst(stalls, commits)}; at rest the loop "
        f"late {1000 * quiet[0]:.1f} ms at most, a commit {1000 * quiet[1]:.1f} ms; {load()}"
    )


def _worst(stalls: list[float], commits: list[float]) -> str:
    late, slow = ([1000 * each for each in sorted(taken)] for taken in (stalls, commits))
    said = (
        f"loop late p99 {late[int(0.99 * len(late))]:.1f} ms, at most {late[-1]:.1f} ms; "
        f"commit p50 {slow[len(slow) // 2]:.1f} ms, at most {slow[-1]:.1f} ms"
    )
    stalls.clear()
    commits.clear()
    return said


async def _beats(stalls: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _BEAT
        await asyncio.sleep(_BEAT)
        stalls.append(max(0.0, loop.time() - due))


async def _signs(store: Store, commits: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await store.sign()
        commits.append(time.perf_counter() - began)
        await asyncio.sleep(0.02)
