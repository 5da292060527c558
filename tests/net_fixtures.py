"""What the tests of the network layer share: a raw scripted server, and short ways to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network

import httpx
import pytest

from monitor.clock import real_clock
from monitor.net.failure import Failure
from monitor.net.hop import Wishes
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.net.trace import Trace

LOOPBACK = (ip_network("127.0.0.0/8"),)
NOBODY = ("127.0.0.1:1",)
"""Name servers where nobody listens: no test asks the machine's own."""

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def made_net(
    allow=LOOPBACK, secrets=(), nameservers=NOBODY, clock=None, **limits
) -> AsyncIterator[Net]:
    redactor = Redactor(map(Secret, secrets))
    net = Net(clock or real_clock(), Limits(**limits), allow, redactor, nameservers)
    try:
        yield net
    finally:
        await net.aclose()


@dataclass
class RawServer:
    """Runs a script for every connection; keeps what each of them sent, and from where."""

    script: Script
    port: int = 0
    scheme: str = "http"
    heads: list[bytes] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def connected(self, reader, writer):
        task = asyncio.current_task()
        self.running.add(task)
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            await self.script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self.running.discard(task)
            writer.close()


@asynccontextmanager
async def raw_server(script: Script | bytes, *, tls=None, host="127.0.0.1", hang=False):
    """Serve a script, or the same bytes to everyone who asks (then hang, or close)."""
    server = RawServer(_nothing, scheme="https" if tls else "http")

    async def answers(reader, writer):
        server.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(script)
        await writer.drain()
        if hang:
            await asyncio.Event().wait()

    server.script = answers if isinstance(script, bytes) else script
    listener = await asyncio.start_server(server.connected, host, 0, ssl=tls, backlog=200)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        running = tuple(server.running)
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running, return_exceptions=True)
        await listener.wait_closed()


async def _nothing(reader, writer):
    del reader, writer


async def got(net, url, trace=None, *, vantage=None, method="GET", deadline=5.0, **wishes):
    """Ask once; headers and content go into the request, the rest are wishes of the exchange."""
    parts = {name: wishes.pop(name) for name in ("headers", "content") if name in wishes}
    request = httpx.Request(method, url, **parts)
    trace = Trace() if trace is None else trace
    return await net.exchange(vantage, request, trace, deadline=deadline, wishes=Wishes(**wishes))


async def failed(net, url, trace=None, **wishes) -> Failure:
    """Ask once, and return the failure there must be."""
    with pytest.raises(Failure) as caught:
        await got(net, url, trace, **wishes)
    assert "\n" not in str(caught.value)
    assert str(caught.value)
    return caught.value


def ok(body: bytes = b"hello", *headers: bytes) -> bytes:
    """An answer of 200 with its length."""
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([b"HTTP/1.1 200 OK", length, *headers, b"", body])
