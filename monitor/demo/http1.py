"""A small HTTP/1.1 server over which the estate has full control.

A `Listener` owns one port. It asks `greet` at every accepted connection and `answer` for every
request, and does what they say: send a `Response`, `Reset` the connection, or `Hold` it, which is
neither reading nor writing until the fault is healed, and then resetting it. Requests on one
connection are answered one after the other, HEAD as GET without the body.

A listener can `refuse`: its listening socket closes, every open connection is reset, and the port
stays bound without listening, so that connecting is refused and nobody else takes the port.

Everything is bounded: the size of a request, the idle time of a connection, and the connections
held (the oldest is reset to make room; it cannot be seen whether its client is still there).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httptools

from monitor.clock import Clock
from monitor.demo.places import HOST

REQUEST_BYTES = 131_072
IDLE_SECONDS = 60.0
MOST_HELD = 256


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole. Header names are lower case; `source` is the client's address.

    HEAD arrives as method GET with `head` set.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    source: str
    head: bool = False
    keep_alive: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """The segments of the path; that of `/` has none."""
        return tuple(part for part in self.path.split("/") if part)

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form that was posted; none of what is no form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent, less the framing headers."""

    status: int
    body: bytes = b""
    media: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with RST, unanswered."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Neither read nor answer until `until` is set, then reset."""

    until: asyncio.Event


Headers = tuple[tuple[str, str], ...]
Greet = Callable[[str], Reset | Hold | None]
Answer = Callable[[Request], Awaitable[Response | Reset | Hold]]


def as_json(status: int, value: Any, headers: Headers = ()) -> Response:
    """Answer with a JSON value."""
    return Response(status, json.dumps(value).encode(), "application/json", headers)


def as_html(status: int, title: str, body: str, headers: Headers = ()) -> Response:
    """Answer with a page; `title` and `body` are HTML already."""
    page = (
        f'<!doctype html>\n<html lang="en"><head><title>{title}</title></head>'
        f"<body><h1>{title}</h1>{body}</body></html>\n"
    )
    return Response(status, page.encode(), "text/html; charset=utf-8", headers)


class Listener:
    """One port of the estate. `port` is the real one once it has been opened."""

    def __init__(
        self, port: int, greet: Greet, answer: Answer, clock: Clock, host: str = HOST
    ) -> None:
        self._host = host
        self.port = port
        self._greet = greet
        self._answer = answer
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._connections: dict[asyncio.Task[Any], asyncio.WriteTransport] = {}
        self._held: deque[asyncio.Task[Any]] = deque()

    async def open(self) -> None:
        """Listen; nothing happens when it listens already. Raises OSError naming the port."""
        if self._server is None:
            listening, self._reserved = self._reserved or _bound(self._host, self.port), None
            self.port = listening.getsockname()[1]
            self._server = await asyncio.start_server(self._accept, sock=listening, backlog=512)

    def refuse(self) -> None:
        """Stop listening and keep the port; nothing happens when it refuses already."""
        if self._server is not None:
            self._stop()
            self._reserved = _bound(self._host, self.port)

    async def close(self) -> None:
        """End every connection and give the port back."""
        if self._server is not None:
            self._stop()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, transport in self._connections.items():
            _reset(transport)
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections[task] = writer.transport
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox = _Inbox(source=writer.get_extra_info("peername")[0])
        ending = self._greet(inbox.source)
        while ending is None:
            request = await inbox.next(reader)
            if request is None:
                return
            answer = request if isinstance(request, Response) else await self._answer(request)
            if not isinstance(answer, Response):
                ending = answer
                continue
            last = isinstance(request, Response) or not request.keep_alive
            head = isinstance(request, Request) and request.head
            writer.write(self._rendered(answer, head=head, last=last))
            await writer.drain()
            if last:
                return
        if isinstance(ending, Hold):
            await self._hold(ending, writer.transport)
        _reset(writer.transport)

    async def _hold(self, hold: Hold, transport: asyncio.WriteTransport) -> None:
        if isinstance(transport, asyncio.ReadTransport):
            transport.pause_reading()
        if len(self._held) >= MOST_HELD:
            self._held.popleft().cancel()
        healed = asyncio.create_task(hold.until.wait())
        self._held.append(healed)
        try:
            await asyncio.wait({healed})
        finally:
            healed.cancel()
            with contextlib.suppress(ValueError):
                self._held.remove(healed)

    def _rendered(self, response: Response, *, head: bool, last: bool) -> bytes:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Date: {format_datetime(self._clock.wall(), usegmt=True)}",
            f"Connection: {'close' if last else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in response.headers),
        ]
        if response.status == HTTPStatus.NO_CONTENT:
            return "\r\n".join([*lines, "", ""]).encode()
        lines += [f"Content-Type: {response.media}", f"Content-Length: {len(response.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + (b"" if head else response.body)


@dataclass(slots=True)
class _Inbox:
    """What one client sends, as whole requests. The `on_*` methods are the parser's callbacks."""

    source: str
    ready: deque[Request] = field(default_factory=deque)
    seen: int = 0
    target: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parser: httptools.HttpRequestParser = field(init=False)

    def __post_init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)

    async def next(self, reader: asyncio.StreamReader) -> Request | Response | None:
        """The next request; None at the end; a Response says what is wrong with the request.

        Raises TimeoutError when nothing comes for IDLE_SECONDS.
        """
        while not self.ready:
            async with asyncio.timeout(IDLE_SECONDS):
                chunk = await reader.read(65_536)
            if not chunk:
                return None
            self.seen += len(chunk)
            if self.seen > REQUEST_BYTES:
                return Response(413, b"the request is too large\n")
            try:
                self.parser.feed_data(chunk)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
                return Response(400, b"this is not a request I understand\n")
        return self.ready.popleft()

    def on_message_begin(self) -> None:
        self.target, self.headers, self.body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.seen = 0
        target = urlsplit(self.target.decode("latin-1"))
        method = self.parser.get_method().decode("latin-1")
        self.ready.append(
            Request(
                method="GET" if method == "HEAD" else method,
                path=unquote(target.path),
                query=dict(parse_qsl(target.query)),
                headers=self.headers,
                body=self.body,
                source=self.source,
                head=method == "HEAD",
                keep_alive=self.parser.should_keep_alive(),
            )
        )


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)  # noqa: FBT003 - the signature of the standard library
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot bind {host}:{port}: {error.strerror}") from error
    return bound


def _reset(transport: asyncio.WriteTransport) -> None:
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
