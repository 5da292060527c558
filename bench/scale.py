"""10,000 cells every 30 s in one process, plain and over HTTPS; run by name.

`monitor run` as people run it, all rules at their defaults, with a scrape of its metrics every
30 s. BENCH_MINUTES sets how long each transport is watched; the usual two take 6 min in all.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bench.cost.ours import Ours, at_share, ours
from bench.cost.site import Site, site
from bench.cost.usage import load
from bench.live.rendering import USUAL
from bench.telling import told

CELLS = 10_000
MINUTES = float(os.environ.get("BENCH_MINUTES", "2"))
BUDGETS = {False: 20, True: 45}
LATENESS, RESIDENT = 0.05, 300
SCRAPED_EVERY = 30.0


def rows() -> Iterator[str]:
    yield from told(_told())


async def _told() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-site-") as folder:
        async with site(Path(folder)) as made:
            for tls in (False, True):
                yield await _row(made, tls=tls)


async def _row(made: Site, *, tls: bool) -> str:
    name = "HTTPS, full handshakes" if tls else "plain HTTP"
    async with ours(made, CELLS, USUAL, tls=tls) as program:
        listening = await program.until_monitoring()
        first_pass = await program.until_ready() - listening
        before = await program.figures()
        began, cpu = time.monotonic(), program.cpu_seconds()
        scrapes, resident = await _watched(program)
        took, spent = time.monotonic() - began, program.cpu_seconds() - cpu
        after = await program.figures()
    probes = after.probes - before.probes
    late = [at_share(before, after, share) for share in (0.5, 0.99)]
    return (
        f"{name}: {program.cells} cells, {took / 60:.0f} min, {probes:.0f} probes, "
        f"{after.failed - before.failed:.0f} of them not PASS: "
        f"{100 * spent / took:.1f} % of a core (budget {BUDGETS[tls]}), "
        f"{1e6 * spent / probes:.0f} us a check; began late by p50 <= {1000 * late[0]:g} ms, "
        f"p99 <= {1000 * late[1]:g} ms (budget {1000 * LATENESS:g}); at most {resident / 1e6:.0f} "
        f"MB (budget {RESIDENT}); {after.missed:.0f} missed runs; first pass over all cells after "
        f"{first_pass:.1f} s; scrapes of at most {1000 * max(scrapes):.0f} ms; {load()}"
    )


async def _watched(program: Ours) -> tuple[list[float], int]:
    """Scrape and look at the memory for as long as is asked; seconds of each scrape, most bytes."""
    ends = time.monotonic() + 60 * MINUTES
    scrapes, resident = [], 0
    while True:
        began = time.monotonic()
        await program.page("/metrics")
        scrapes.append(time.monotonic() - began)
        resident = max(resident, program.resident_bytes())
        left = ends - time.monotonic()
        if left <= 0:
            return scrapes, resident
        await asyncio.sleep(min(SCRAPED_EVERY, left))
