"""How long hostile servers hold the event loop, and how much memory they cost; run by name.

1,000 healthy cells every 10 s beside none, and then beside 150 cells of servers that mean harm,
every 5 s. The daemon runs in this process, so that the loop's own lateness can be taken: a beat
every 5 ms, and how late it came. BENCH_SECONDS sets how long either is watched, usually 60.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import uvloop

from bench.cost.hostile import WAYS
from bench.cost.ours import configuration
from bench.cost.processes import running, until_listening
from bench.cost.site import Site, site
from bench.cost.usage import load, resident_bytes
from bench.live.pair import free_port
from bench.live.rendering import Pace
from monitor import daemon
from monitor.clock import real_clock
from monitor.config import load as read
from monitor.daemon import garbage

CELLS, PACE = 1000, Pace(interval=10.0, timeout=4.0)
EACH = 10
SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
_BEAT = 0.005


def rows() -> Iterator[str]:
    for hostile in (False, True):
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            yield apart.submit(_watched, hostile=hostile).result()


def _watched(*, hostile: bool) -> str:
    """One row, in a process of its own: memory is not given back."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_row(hostile=hostile))


async def _row(*, hostile: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="bench-stall-") as made:
        folder, port = Path(made), free_port()
        log = folder / "hostile.log"
        command = [sys.executable, "-m", "bench.cost.hostile", str(port)]
        async with site(folder) as healthy, running(command, log) as process:
            await until_listening(port, process, log)
            said = configured(healthy, port if hostile else None, folder)
            config = folder / "checks.yaml"
            config.write_text(json.dumps(said))
            return await _measured(config, hostile=hostile)


def configured(healthy: Site, port: int | None, folder: Path) -> Mapping[str, Any]:
    """The healthy cells, and with a port those of the servers that mean harm."""
    said: dict[str, Any] = dict(
        configuration(healthy, CELLS, PACE, listen=free_port(), folder=folder, tls=False)
    )
    if port is None:
        return said
    (check,) = said["services"]["crm"]["checks"]
    check["tenants"] = list(said["tenants"])
    names = [f"h{number}" for number in range(EACH)]
    said["tenants"] |= {name: {} for name in names}
    said["services"]["hostile"] = {
        "interval": 5,
        "timeout": 4,
        "checks": [
            {"name": way, "url": f"http://127.0.0.1:{port}/{way}/{{tenant}}", "tenants": names}
            for way in WAYS
        ],
    }
    return said


async def _measured(config: Path, *, hostile: bool) -> str:
    stop = asyncio.Event()
    seen: Counter[str] = Counter()
    late: list[float] = []
    resident: list[int] = []

    async def started(running: daemon.Started) -> None:
        watching.append(asyncio.create_task(watch(running)))

    async def watch(running: daemon.Started) -> None:
        engine = running.engine
        await garbage.freeze_once(lambda: engine.cells_seen() >= len(engine.cells))
        before = engine.probes_done
        ends = time.monotonic() + SECONDS
        while (began := time.monotonic()) < ends:
            await asyncio.sleep(_BEAT)
            late.append(time.monotonic() - began - _BEAT)
            if len(late) % 200 == 0:
                resident.append(resident_bytes(os.getpid()))
        seen["probes"] = engine.probes_done - before
        stop.set()

    watching: list[asyncio.Task[None]] = []
    loaded = read(config, {})
    garbage.begin()
    await daemon.run(loaded, real_clock(), stop=stop, started=started)
    late.sort()
    name = "beside hostile servers" if hostile else "healthy cells alone"
    return (
        f"{name}: {seen['probes']} probes in {SECONDS:.0f} s; the loop late by p50 "
        f"{1000 * late[len(late) // 2]:.1f} ms, p99 {1000 * late[len(late) * 99 // 100]:.1f} ms, "
        f"at most {1000 * late[-1]:.0f} ms; {max(resident) / 1e6:.0f} MB at most; {load()}"
    )
