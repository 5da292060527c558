"""The servers of one world on loopback: each connection is answered as the world says.

Who asks is known by the peer's address, what is asked by the port (service, or controls) and the
path (check and target). A probe is taken as sent when its connection is accepted.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import trustme

from bench.detection.sockets.names import name_server
from bench.detection.sockets.reading import kinds_of, refusals
from bench.detection.sockets.wire import Ending, spoken
from bench.detection.world import Answer, Spot, World
from monitor.clock import Clock
from monitor.daemon.listener import bind
from monitor.model import CONTROL, CellKey, FailureKind

HOST = "127.0.0.1"
NAME = "estate.example"
EXPIRED = datetime(2020, 1, 2, tzinfo=UTC)
HEAD_WITHIN = 5.0


def source_of(vantage: str) -> str:
    """The address that a vantage asks from: v0 from 127.0.0.1, v1 from 127.0.0.2, ..."""
    return f"127.0.0.{int(vantage.removeprefix('v')) + 1}"


@dataclass(slots=True)
class Time:
    """The time of one world: 0 until it has begun, then seconds since that."""

    clock: Clock
    _zero: float = 0.0
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, zero: float) -> None:
        """Let the world begin; its second 0 was at that reading of the monotonic clock."""
        self._zero = zero
        self._begun.set()

    def __call__(self) -> float:
        return max(0.0, self.clock.monotonic() - self._zero) if self._begun.is_set() else 0.0

    async def until(self, at: float) -> None:
        """Wait until that second of the world."""
        await self._begun.wait()
        await asyncio.sleep(max(0.0, at - self()))


class Given(NamedTuple):
    """An answer to a cell whose connection was accepted `at` that second of the world."""

    at: float
    cell: CellKey
    answer: Answer


@dataclass(frozen=True, slots=True)
class Estate:
    """Where a world's servers are: an origin for each service and the controls.

    `given` are all answers since the world began, in the order of their requests.
    """

    origins: Mapping[str, str]
    nameserver: str | None = None
    given: list[Given] = field(default_factory=list)


class Certificates:
    """An authority, and servers' contexts whose certificates it made: a good and an expired one."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.good = self._context()
        self.expired = self._context(not_after=EXPIRED)

    def served(self, expired: Callable[[], bool]) -> ssl.SSLContext:
        """A context that shows the expired certificate while `expired()`."""
        made = self._context()

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            if expired():
                connection.context = self.expired

        made.sni_callback = choose
        return made

    def _context(self, **wishes) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(HOST, NAME, **wishes).configure_cert(made)
        return made


@contextlib.asynccontextmanager
async def estate(world: World, time: Time, certificates: Certificates) -> AsyncIterator[Estate]:
    """Serve a world until the block ends. Before it has begun it answers as at its second 0."""
    kinds = kinds_of(world)
    async with contextlib.AsyncExitStack() as stack:
        nameserver, host = None, HOST
        if FailureKind.DNS in kinds:
            nameserver, host = await stack.enter_async_context(name_server(world, time)), NAME
        origins: dict[str, str] = {}
        made = Estate(origins, nameserver)
        for service in sorted({key.service for key in world.spots}):
            shown = service != CONTROL
            tls = _tls(world, service, time, certificates) if FailureKind.TLS in kinds else None
            door = Door(world, service, time, made.given, tls if shown else None)
            await stack.enter_async_context(door.serving())
            scheme = "https" if shown and tls else "http"
            origins[service] = f"{scheme}://{host if shown else HOST}:{door.port}"
        yield made


def _tls(world: World, service: str, time: Time, certificates: Certificates) -> ssl.SSLContext:
    spot = next(spot for spot in world.spots.values() if spot.service == service)
    return certificates.served(lambda: world.answer(spot, time()).kind is FailureKind.TLS)


@dataclass(slots=True)
class Door:
    """The port of one service. While nobody may connect it is bound, but nobody listens."""

    world: World
    service: str
    time: Time
    given: list[Given]
    tls: ssl.SSLContext | None = None
    _socket: socket.socket = field(default_factory=lambda: bind(HOST, 0))
    _server: asyncio.Server | None = None
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def port(self) -> int:
        """The port; it stays the same."""
        return self._socket.getsockname()[1]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve, opening and closing as the world says, until the block ends."""
        spans = refusals(self.world, self.service)
        if not any(began <= 0.0 < ended for began, ended in spans):
            await self._open()
        turning = asyncio.create_task(self._turn(spans))
        try:
            yield
        finally:
            turning.cancel()
            if self._server is not None:
                self._server.close()
            self._socket.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(turning, *self._connections, return_exceptions=True)

    async def _turn(self, spans: list[tuple[float, float]]) -> None:
        for began, ended in spans:
            await self.time.until(began)
            self._close()
            await self.time.until(ended)
            await self._open()

    async def _open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, sock=self._socket, ssl=self.tls, backlog=512
            )

    def _close(self) -> None:
        if self._server is not None:
            port = self.port
            self._server.close()
            self._server = None
            self._socket = bind(HOST, port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        at = self.time()
        try:
            with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
                await self._answer(reader, writer, at)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: float
    ) -> None:
        async with asyncio.timeout(HEAD_WITHIN):
            head = await reader.readuntil(b"\r\n\r\n")
        spot = self._spot(head, writer.get_extra_info("peername")[0])
        answer = self.world.answer(spot, at)
        self.given.append(Given(at, spot.key, answer))
        said = spoken(answer, self.world.draw.family)
        if said is Ending.SILENCE:
            await reader.read()
            return
        await self.time.until(at + answer.seconds)
        if said is Ending.RESET:
            _reset(writer)
            return
        writer.write(said.encoded)
        await writer.drain()

    def _spot(self, head: bytes, peer: str) -> Spot:
        check, target = head.split(b" ", 2)[1].decode().strip("/").split("/")
        vantage = f"v{int(peer.rpartition('.')[2]) - 1}"
        return self.world.spots[CellKey(self.service, check, target, vantage)]


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
