"""One monitor beside one estate: the daemon as a process, its pages received in this one."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.live.rendering import ENDS_SOONER, SECRET_VARIABLE, USUAL, Pace, monitor_config
from monitor.clock import Clock, real_clock
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.demo.receiver import Page, Receiver
from monitor.net.secret import Secret

ROOT = Path(__file__).parents[2]
CELLS = 15
PATIENCE = 180.0


class GaveUpError(Exception):
    """What should have happened did not; the monitor's log says more."""


@dataclass(slots=True)
class Pair:
    """A running monitor, the estate it watches, and the pages it has sent."""

    number: int
    estate: EstateProcess
    receiver: Receiver
    http: httpx.AsyncClient
    process: asyncio.subprocess.Process
    log: Path
    clock: Clock = field(default_factory=real_clock)

    @property
    def pages(self) -> list[Page]:
        """Every page so far, oldest first."""
        return self.receiver.pages

    async def incidents(self) -> list[dict[str, Any]]:
        """Every incident so far, newest first, as the API tells them."""
        answer = await self.http.get("/api/v1/incidents", params={"limit": 200})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["incidents"]
        return found

    async def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that carry these labels."""
        page = (await self.http.get("/metrics")).raise_for_status().text
        return sum(
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def until(self, what: str, so: Callable[[], Awaitable[bool]]) -> None:
        """Look four times a second until `so()`. Raises GaveUpError after PATIENCE."""
        ends = self.clock.monotonic() + PATIENCE
        while not await self._looks(so):
            if self.process.returncode is not None or self.clock.monotonic() > ends:
                raise GaveUpError(f"pair {self.number}, {what}: {self.log.read_text()[-2000:]}")
            await asyncio.sleep(0.25)

    async def until_working(self) -> None:
        """Wait until every cell has passed."""

        async def passed() -> bool:
            return await self.total("probe_success", service="crm") == CELLS

        await self.until("every cell passes", passed)

    async def until_quiet(self) -> None:
        """Wait until every incident is resolved and every cell passes."""

        async def resolved() -> bool:
            return all(one["state"] == "resolved" for one in await self.incidents())

        await self.until("all is resolved", resolved)
        await self.until_working()

    async def until_page(self, after: int, action: str, impact: str) -> Page:
        """The first page of this action and impact beyond the first `after` pages."""

        def fits(page: Page) -> bool:
            return page.action == action and page.document["incident"]["impact"] == impact

        async def arrived() -> bool:
            return any(map(fits, self.pages[after:]))

        await self.until(f"a page says {action}", arrived)
        return next(filter(fits, self.pages[after:]))

    def cpu_seconds(self) -> float:
        """User and system time of the monitor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def _looks(self, so: Callable[[], Awaitable[bool]]) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return await so()
        return False


@contextlib.asynccontextmanager
async def pair(
    number: int = 1, pace: Pace = USUAL, rules: Mapping[str, Any] = ENDS_SOONER
) -> AsyncIterator[Pair]:
    """A pair that has just been started, until the block ends."""
    secret = secrets.token_urlsafe(16)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-live-")))
        estate = stack.enter_context(EstateProcess(Ports.free()))
        receiver = await stack.enter_async_context(Receiver(Secret(secret), real_clock()))
        port = free_port()
        config = folder / "checks.yaml"
        text = monitor_config(
            estate.ports, pace, rules, hook=receiver.url, listen=port, folder=str(folder)
        )
        config.write_text(text)
        log = folder / "monitor.log"
        process = await stack.enter_async_context(_daemon(config, log, secret))
        origin = f"http://127.0.0.1:{port}"
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=origin, trust_env=False, timeout=5)
        )
        yield Pair(number, estate, receiver, http, process, log)


@contextlib.asynccontextmanager
async def _daemon(
    config: Path, log: Path, secret: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "monitor", "run", "--config", str(config))
    environment = {**os.environ, SECRET_VARIABLE: secret, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        await ended(process)


async def ended(process: asyncio.subprocess.Process) -> None:
    """Ask a process of ours to end; after 10 s, make it."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        process.kill()
        await process.wait()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
