"""A small HTTP server on loopback for tests: it answers by script and records what it was asked.

`replies` maps a path (without its query) to a `Reply`, or to a function that makes one of the
`Request`; it may be changed while the server runs. An unknown path is a 404. Every connection is
closed after one answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True)
class Reply:
    """`raw` is sent as it is, instead of everything else; `hang` sends nothing more, ever."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    raw: bytes | None = None
    hang: bool = False

    def encoded(self, method: str) -> bytes:
        if self.raw is not None:
            return self.raw
        reason = HTTPStatus(self.status).phrase if self.reason is None else self.reason
        pairs = (*self.headers, ("content-length", str(len(self.body))), ("connection", "close"))
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in pairs)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if method == "HEAD" else head + self.body


@dataclass
class HttpServer:
    replies: dict[str, Reply | Callable[[Request], Reply]]
    scheme: str
    host: str
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"{self.scheme}://{host or self.host}:{self.port}{path}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self.connections.discard(task)
            writer.close()

    async def _answer(self, reader, writer) -> None:
        request = await read_request(reader, writer.get_extra_info("peername")[0])
        self.requests.append(request)
        reply = self.replies.get(request.path.partition("?")[0], Reply(404, b"nothing here"))
        reply = reply(request) if callable(reply) else reply
        if not reply.hang or reply.raw is not None:
            writer.write(reply.encoded(request.method))
            await writer.drain()
        if reply.hang:
            await asyncio.Event().wait()


async def read_request(reader: asyncio.StreamReader, peer: str) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _version = first.split(" ")
    pairs = tuple((name, value.strip()) for name, _, value in (x.partition(":") for x in lines))
    length = next((int(value) for name, value in pairs if name.lower() == "content-length"), 0)
    return Request(method, path, pairs, await reader.readexactly(length), peer)


@asynccontextmanager
async def http_server(
    replies: Mapping[str, Reply | Callable[[Request], Reply]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[HttpServer]:
    """Serve on a free port until the block ends; connections still open then are aborted."""
    server = HttpServer(dict(replies or {}), "https" if tls else "http", host)
    listener = await asyncio.start_server(server.connected, host, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(server.connections):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*server.connections, return_exceptions=True)
        await listener.wait_closed()
