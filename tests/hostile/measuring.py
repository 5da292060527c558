"""What a case cost: CPU time of each callback of the event loop, bytes taken in, bytes held.

A case runs in a context of its own, and whatever the loop calls on its behalf carries that
context: so callbacks are told apart however many cases run at once. CPU time of the thread is
measured, not time on the wall, and the collector has nothing old to look through meanwhile:
neither other work on the machine nor other tests are counted.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from errno import ECONNREFUSED
from ipaddress import ip_address

import dns.asyncresolver
import dns.nameserver
from anyio._backends._asyncio import StreamProtocol

from monitor.net import wire
from monitor.net.answer import Answer
from monitor.net.wire import Wire
from tests.hostile.case import Site


@dataclass
class Cost:
    """What it came to, in seconds and bytes.

    `received` is by connection, `theirs` what httpx took in. `strayed` are addresses beyond this
    machine, which are not contacted whoever tries.
    """

    site: Site | None = None
    slowest: float = 0.0
    received: dict[int, int] = field(default_factory=dict)
    theirs: int = 0
    full: asyncio.Event = field(default_factory=asyncio.Event)
    head: int = 0
    body: int = 0
    strayed: list[str] = field(default_factory=list)


RUNNING: ContextVar[Cost] = ContextVar("hostile_cost")
_NONE = Cost()


class Loop(asyncio.SelectorEventLoop):
    """A loop that stays on this machine, and asks a site's own name server for its name."""

    async def sock_connect(self, sock, address):
        _refuse_to_stray(address[0])
        return await super().sock_connect(sock, address)

    async def getaddrinfo(self, host, port, **wishes):
        """Resolve as the system would if its name server were the site's."""
        site = RUNNING.get(_NONE).site
        name = host.decode() if isinstance(host, bytes) else host
        if site is None or site.nameserver is None or not name.endswith(".example"):
            return await super().getaddrinfo(host, port, **wishes)
        resolver = dns.asyncresolver.Resolver(configure=False)
        address, _, name_port = site.nameserver.rpartition(":")
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, int(name_port))]
        try:
            found = await resolver.resolve(name + ".", "A", lifetime=2)
        except Exception as error:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*stream, (each.address, port)) for each in found]


def _refuse_to_stray(address: str) -> None:
    if not ip_address(address).is_loopback:
        RUNNING.get().strayed.append(address)
        raise ConnectionRefusedError(ECONNREFUSED, "not on this machine")


@contextmanager
def weighed(bound: int) -> Iterator[None]:
    """Count what httpx takes in, until the block ends; more than the bound is `full`."""
    received = StreamProtocol.data_received

    def counted(self, data):
        received(self, data)
        cost = RUNNING.get(_NONE)
        cost.theirs += len(data)
        if cost.theirs > bound:
            cost.full.set()

    StreamProtocol.data_received = counted
    try:
        yield
    finally:
        StreamProtocol.data_received = received


@contextmanager
def measured() -> Iterator[None]:
    """Measure what runs in this thread, until the block ends."""
    here = threading.get_ident()
    run, received, reach = asyncio.Handle._run, Wire.data_received, wire._reach

    def timed(self):
        cost = self._context.get(RUNNING) if threading.get_ident() == here else None
        if cost is None:
            return run(self)
        began = time.thread_time()
        try:
            return run(self)
        finally:
            cost.slowest = max(cost.slowest, time.thread_time() - began)

    async def kept_here(sock, address, port):
        _refuse_to_stray(address)
        await reach(sock, address, port)

    def counted(self, data):
        received(self, data)
        cost = RUNNING.get(_NONE)
        cost.received[id(self)] = cost.received.get(id(self), 0) + len(data)
        if isinstance(self._stage, Answer):
            _weigh(self._stage, len(self._pending), cost)

    gc.collect()
    gc.freeze()
    asyncio.Handle._run, Wire.data_received, wire._reach = timed, counted, kept_here
    try:
        yield
    finally:
        asyncio.Handle._run, Wire.data_received, wire._reach = run, received, reach
        gc.unfreeze()


def _weigh(answer: Answer, pending: int, cost: Cost) -> None:
    body = answer._body
    held = getattr(body, "_out", None)
    if held is None:
        held = b"".join(getattr(body, "_parts", ()))
    cost.head = max(cost.head, len(answer._buffer) + pending)
    cost.body = max(cost.body, len(held) + sum(map(len, answer._pieces)))
