"""Draw the pictures of the pages: the real monitor on the simulated estate, through an outage.

    python docs/draw_pages.py [FOLDER]

The estate, the monitor and the browser are real. What lies before the minute in which it is
started is not: a day of results and two outages are put into the empty database, so that the
pictures have a past. Needs Chromium. Takes about a minute.
"""  # noqa: INP001 - a script beside the pages

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import uvloop
from playwright.async_api import async_playwright

from monitor.clock import real_clock
from monitor.config import Config, load
from monitor.daemon import Started, run
from monitor.demo.client import EstateProcess
from monitor.demo.places import SERVICES, Ports
from monitor.demo.receiver import Receiver
from monitor.demo.services import PASSWORD
from monitor.model import (
    Cell,
    Change,
    Dimension,
    Extent,
    Impact,
    Interval,
    Outage,
    Outcome,
    Phases,
    Result,
    VerdictReason,
)
from monitor.net.secret import Secret
from monitor.store import open_store

FOLDER = Path(__file__).parent / "pictures"
SIZE = {"width": 1280, "height": 720}
PATIENCE = 90.0
LASTS = 25.0
"""Seconds for which the outage is left on before it is looked at."""
PAST = timedelta(hours=24)
EVERY, LATELY = timedelta(minutes=10), timedelta(minutes=1)
TOKEN, PAGER = "shown in no picture", "a secret of the pictures"


def main() -> None:
    """Draw every picture into the folder that is named, or into docs/pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="monitor-pictures-") as place,
        EstateProcess(Ports.free()) as estate,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_drawn(folder, Path(place), estate))


async def _drawn(folder: Path, place: Path, estate: EstateProcess) -> None:
    async with Receiver(Secret(PAGER), real_clock()) as receiver:
        config = _config(place, estate.ports, receiver.url)
        await _fill(config)
        async with _monitor(config) as monitor:
            cells = len(monitor.engine.cells)
            await _until(lambda: _seen(monitor, cells))
            await estate.async_client.switch_on("status_503", service="sites", group="blue")
            await estate.async_client.switch_on("refuse", service="crm")
            await _until(lambda: _opened(monitor, 2))
            await asyncio.sleep(LASTS)
            number = next(n for s in monitor.engine.services() for n in s.incidents)
            pages = {
                "overview": "/",
                "service": "/services/crm",
                "incident": f"/incidents/{number}",
            }
            await _photographed(monitor.url, pages, folder)


async def _photographed(url: str, pages: dict[str, str], folder: Path) -> None:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        page = await browser.new_page(viewport=SIZE, color_scheme="dark")
        for name, path in pages.items():
            await page.goto(url + path)
            await page.screenshot(path=folder / f"{name}.png")
            sys.stdout.write(f"{folder / name}.png\n")
        await browser.close()


@asynccontextmanager
async def _monitor(config: Config) -> Any:
    stop = asyncio.Event()
    started: asyncio.Future[Started] = asyncio.get_running_loop().create_future()

    async def tell(told: Started) -> None:
        started.set_result(told)

    running = asyncio.create_task(run(config, real_clock(), stop=stop, started=tell))
    await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield started.result()
    finally:
        stop.set()
        await running


async def _seen(monitor: Started, cells: int) -> bool:
    return monitor.engine.cells_seen() == cells


async def _opened(monitor: Started, many: int) -> bool:
    return len(await monitor.store.open_incidents()) >= many


async def _until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await so():  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.1)


# ------------------------------------------------------------------------------ the past


async def _fill(config: Config) -> None:
    """Put a day before now into the empty database."""
    clock = real_clock()
    now = clock.wall()
    store = await open_store(config.database_url, clock=clock, holder="the pictures")
    services = config.estate.services
    await store.watch([service.name for service in services], now - 2 * PAST)
    outages = (
        _outage("crm", "sign-in", Impact.SOME, now - timedelta(hours=15), timedelta(minutes=35)),
        _outage("website", "shopping", Impact.ALL, now - timedelta(hours=6), timedelta(minutes=18)),
    )
    await store.commit(Change(outages=outages))
    cells = [cell for cell in config.estate.cells() if cell.key.service == "crm"]
    await store.record(list(_past(cells, now)))
    await store.close()


def _past(cells: list[Cell], now: datetime) -> Iterator[Result]:
    seen = {now - turn * EVERY for turn in range(1, int(PAST / EVERY))}
    seen |= {now - turn * LATELY for turn in range(1, 40)}
    for turn, at in enumerate(sorted(seen)):
        for place, cell in enumerate(cells):
            wave = 1 + 0.25 * ((turn * 7 + place * 3) % 11) / 11 + (0.6 if 60 < turn < 66 else 0)
            phases = Phases(0.002, 0.011, None, 0.06 * wave, 0.012 * wave)
            took = sum(filter(None, (phases.resolve, phases.connect, phases.processing)))
            result = Result(
                f"{cell.key}-{turn}", cell.key, cell.target.fingerprint, 0.0, took, at, Outcome.PASS
            )
            yield replace(result, phases=phases)


def _outage(service: str, check: str, impact: Impact, began: datetime, lasts: timedelta) -> Outage:
    over = began + lasts
    return Outage(
        f"{service}-{began}",
        f"{service}/{check}",
        service,
        check,
        impact,
        VerdictReason.EVERYONE_TWICE if impact is Impact.ALL else VerdictReason.SET_FAILING,
        Extent(Dimension.EVERYONE),
        Interval(began - timedelta(minutes=4), began),
        began + timedelta(seconds=9),
        recovered=Interval(over - timedelta(seconds=8), over),
        closed_at=over + timedelta(minutes=10),
    )


def _config(place: Path, ports: Ports, pager: str) -> Config:
    environ = {
        "DEMO_DIR": str(place),
        "DEMO_API_TOKEN": TOKEN,
        "PAGER_SECRET": PAGER,
        "CRM_PASSWORD": PASSWORD,
        "PAGER_URL": pager,
        **{f"CONTROL_{n + 1}": url for n, url in enumerate(ports.control_urls())},
        **{f"{service.upper()}_URL": ports.origin(service) for service in SERVICES},
    }
    path = place / "checks.yaml"
    path.write_text((resources.files("monitor.demo") / "demo.yaml").read_text())
    return load(path, environ)


if __name__ == "__main__":
    main()
