"""An estate in the test's own loop, on a clock the test moves, and ways to ask it things."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from monitor.clock import Clock
from monitor.demo.estate import Estate, Ports, Settings

START = datetime(2030, 5, 7, 9, 0, tzinfo=UTC)
AUTH = {"Authorization": "Bearer demo-token"}


class MovedClock:
    """Both clocks as variables."""

    def __init__(self):
        self.at = START
        self.mono = 1000.0

    def advance(self, seconds):
        self.at += timedelta(seconds=seconds)
        self.mono += seconds

    @property
    def clock(self):
        return Clock(lambda: self.at, lambda: self.mono)


@dataclass
class Town:
    """A running estate with a client per source address; `get("crm", "/acme/sign-in")`."""

    estate: Estate
    time: MovedClock
    clients: dict[str, httpx.AsyncClient]

    def client(self, source="127.0.0.1"):
        if source not in self.clients:
            transport = httpx.AsyncHTTPTransport(local_address=source, verify=False)
            self.clients[source] = httpx.AsyncClient(transport=transport, timeout=5)
        return self.clients[source]

    def url(self, service, path):
        if service == "controls":
            return self.estate.ports.control_urls()[0]
        return self.estate.ports.origin(service) + path

    async def ask(self, method, service, path, source="127.0.0.1", **more):
        return await self.client(source).request(method, self.url(service, path), **more)

    async def get(self, service, path, source="127.0.0.1", **more):
        return await self.ask("GET", service, path, source, **more)

    async def switch_on(self, kind, **scope):
        return await self.ask("POST", "switchboard", "/faults", json={"kind": kind, **scope})

    def held(self):
        """How many connections the estate holds in a black hole."""
        everyone = self.estate._everyone()
        return sum(len(listener._held) for listener in everyone)

    async def seen(self, service, path, source="127.0.0.1"):
        """What a client sees: the status, the name of the error, or "held" in a black hole."""
        [what] = await self.all_seen([(service, path, source)])
        return what

    async def all_seen(self, asked):
        """What clients that ask all at once see, in order."""
        before = self.held()
        tasks = [
            asyncio.create_task(self.get(service, path, source, headers=AUTH))
            for service, path, source in asked
        ]
        await until(lambda: sum(task.done() for task in tasks) + self.held() - before == len(tasks))
        seen = [_outcome(task) if task.done() else "held" for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seen


def _outcome(task):
    error = task.exception()
    return task.result().status_code if error is None else type(error).__name__


async def until(condition):
    """Let others run until a condition holds, at most 5 s."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited is seen from outside, no event
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(settings=None) -> AsyncIterator[Town]:
    time = MovedClock()
    async with Estate(Ports.free(), time.clock, settings or Settings()) as estate:
        town = Town(estate, time, {})
        try:
            yield town
        finally:
            for client in town.clients.values():
                await client.aclose()
