"""A TCP proxy between the prober and an honest server, which does one thing wrong at one point.

The points are those of an exchange, in its order. The honest server sends its answer in pieces
that end where a point is, and over TLS (1.2, where nothing else looks like content) each piece is
a record of its own: so the proxy finds its point without reading what it passes on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from tests.hostile import certificates
from tests.hostile.case import Opening, Site
from tests.hostile.servers import ENOUGH, reset
from tests.net_fixtures import raw_server

BODY = b"All is well here. " * 120
PIECES = (
    b"HTTP/1.1 ",
    b"200 OK\r\nServer: hon",
    b"est\r\nTransfer-Encoding: chunked\r\n",
    b"\r\n800\r\n" + BODY[:1000],
    BODY[1000:2048] + b"\r\n",
    b"7",
    b"0\r\n" + BODY[2048:] + b"\r\n0\r\n\r",
    b"\n",
)
"""The honest answer, cut where the points are."""

_CONTENT = 23  # the type of a TLS record


class Point(NamedTuple):
    """Where a fault happens: before anything, or after so much was passed on.

    `up` counts bytes from the prober, `records` TLS records from the server whatever they hold,
    `pieces` pieces of the answer. `secure` where the point is one of TLS alone.
    """

    up: int | None = None
    records: int | None = None
    pieces: int | None = None
    secure: bool = False


POINTS = {
    "before accepting": Point(),
    "after accepting": Point(up=0),
    "in the ClientHello": Point(up=100, secure=True),
    "after the ServerHello": Point(records=1, secure=True),
    "in the request": Point(up=20),
    "before the first byte": Point(pieces=0),
    "in the status line": Point(pieces=1),
    "in the headers": Point(pieces=2),
    "at the end of the headers": Point(pieces=3),
    "in the body": Point(pieces=4),
    "in a chunk header": Point(pieces=6),
    "before the last byte": Point(pieces=7),
}


@dataclass
class Passage:
    """One direction of a connection through the proxy: where it leads, and what is left behind."""

    near: asyncio.StreamWriter
    to: asyncio.StreamWriter
    site: Site

    async def on(self, raw: bytes) -> None:
        self.to.write(raw)
        await self.to.drain()
        if self.to is self.near:
            self.site.sent += len(raw)


Fault = Callable[[Passage, bytes], Awaitable[None]]
"""Does something wrong with each unit that is to be passed on, from the point on."""


async def latency(passage: Passage, raw: bytes) -> None:
    await asyncio.sleep(0.35)
    await passage.on(raw)


async def bandwidth(passage: Passage, raw: bytes) -> None:
    for at in range(0, len(raw), 2):
        await passage.on(raw[at : at + 2])
        await asyncio.sleep(0.05)


async def resets(passage: Passage, raw: bytes) -> None:
    reset(passage.near)
    raise ConnectionResetError


async def blackhole(passage: Passage, raw: bytes) -> None:
    await asyncio.Event().wait()


async def slices(passage: Passage, raw: bytes) -> None:
    for at in range(len(raw)):
        await passage.on(raw[at : at + 1])
        await asyncio.sleep(0)


async def truncate(passage: Passage, raw: bytes) -> None:
    passage.near.close()
    raise ConnectionResetError


FAULTS: dict[str, Fault] = {
    "latency": latency,
    "bandwidth": bandwidth,
    "reset": resets,
    "blackhole": blackhole,
    "slice": slices,
    "truncate": truncate,
}


def proxied(fault: str, point: str, *, secure: bool = False) -> Opening:
    """An honest site asked through the proxy, over https where the point is one of TLS."""
    secure = secure or POINTS[point].secure

    @asynccontextmanager
    async def opening(world, name):
        site = Site()
        tls = certificates.good_1_2() if secure else None
        async with raw_server(_honest, tls=tls) as server:

            async def script(reader, writer):
                await _between(
                    reader,
                    writer,
                    port=server.port,
                    site=site,
                    fault=FAULTS[fault],
                    point=POINTS[point],
                )

            async with raw_server(script) as proxy:
                site.url = proxy.url().replace("http:", "https:" if secure else "http:")
                yield site

    return opening


async def _honest(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    for piece in PIECES:
        writer.write(piece)
        await writer.drain()
    await reader.read()


async def _between(reader, writer, *, port, site, fault, point):
    up, down = Passage(writer, writer, site), Passage(writer, writer, site)
    if point == Point():
        await fault(down, b"")
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    up.to = far_writer
    for each in (writer, far_writer):
        each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ways = [
        asyncio.create_task(_upwards(reader, up, fault, point.up)),
        asyncio.create_task(_downwards(far_reader, down, fault, point)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far_writer.transport.abort()


async def _upwards(reader, passage, fault, bound):
    passed = 0
    while raw := await reader.read(65536):
        honest = len(raw) if bound is None else max(0, min(len(raw), bound - passed))
        if honest:
            await passage.on(raw[:honest])
        if honest < len(raw):
            await fault(passage, raw[honest:])
        passed += len(raw)


async def _downwards(reader, passage, fault, point):
    cut = _records if passage.site.url.startswith("https:") else _pieces
    records = pieces = 0
    async for unit, is_content in cut(reader):
        reached = point.records is not None and records >= point.records
        reached |= point.pieces is not None and is_content and pieces >= point.pieces
        records, pieces = records + 1, pieces + is_content
        if reached:
            await fault(passage, unit)
        else:
            await passage.on(unit)


async def _pieces(reader):
    for piece in PIECES:
        yield await reader.readexactly(len(piece)), True
    await reader.read(ENOUGH)


async def _records(reader):
    while True:
        head = await reader.readexactly(5)
        yield head + await reader.readexactly(int.from_bytes(head[3:])), head[0] == _CONTENT
