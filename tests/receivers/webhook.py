"""A webhook receiver on loopback: answers by script, verifies what it gets, keeps it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.channels.webhook import verify
from monitor.net.secret import Secret
from tests.http_server import Reply, Request, http_server

ACCEPT = Reply(200, b'{"id": "remote-1", "url": "https://desk.example/remote-1"}')
HANG = Reply(hang=True)


@dataclass(frozen=True)
class Arrival:
    """One request: `refusal` is why its signature is not to be trusted, None when it is."""

    request: Request
    document: dict[str, Any]
    refusal: str | None

    @property
    def key(self) -> str | None:
        return self.request.header("idempotency-key")

    @property
    def action(self) -> str:
        return self.document["action"]


@dataclass
class Receiver:
    """Gives `answers` in turn, then ACCEPT for ever. `now` is its clock, `url` where it is."""

    secret: Secret
    now: Callable[[], datetime]
    answers: list[Reply] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    url: str = ""
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, request: Request) -> Reply:
        timestamp = request.header("monitor-timestamp") or ""
        signature = request.header("monitor-signature") or ""
        refusal = verify(self.secret, timestamp, request.body, signature, self.now())
        self.arrivals.append(Arrival(request, json.loads(request.body), refusal))
        self._more.set()
        return self.answers.pop(0) if self.answers else ACCEPT

    async def received(self, count: int, within: float = 10) -> list[Arrival]:
        """Wait until `count` requests arrived in all; fails after so many seconds."""
        async with asyncio.timeout(within):
            while len(self.arrivals) < count:
                self._more.clear()
                await self._more.wait()
        return self.arrivals

    async def told(self, action: str, within: float = 10) -> Arrival:
        """Wait until the last request that arrived is of this action, and return it."""
        async with asyncio.timeout(within):
            while not (self.arrivals and self.arrivals[-1].action == action):
                self._more.clear()
                await self._more.wait()
        return self.arrivals[-1]


@asynccontextmanager
async def webhook_receiver(
    secret: Secret, now: Callable[[], datetime], *answers: Reply
) -> AsyncIterator[Receiver]:
    """Receive at `url` until the block ends."""
    receiver = Receiver(secret, now, list(answers))
    async with http_server({"/hook": receiver.receive}) as server:
        receiver.url = server.url("/hook")
        yield receiver
