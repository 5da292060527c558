"""A scripted server over raw sockets: a play says what is sent, byte by byte, and when."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

from tests.hostile.case import Opening, Site, World
from tests.net_fixtures import raw_server

ENOUGH = 48 * 1024 * 1024
"""More than the kernel takes for one connection while nobody reads (tcp_rmem and tcp_wmem)."""
"""What is called endless ends here, so that a peer without limits does not eat the machine."""


class Talk:
    """One connection of a site."""

    def __init__(self, world: World, name: str, site: Site, reader, writer):
        self.world, self.name, self.site = world, name, site
        self.reader, self.writer = reader, writer
        self.path = ""
        # The kernel takes in little for the other side, so that `sent` is about what it read.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)

    async def asked(self) -> None:
        """Read a request whole: what is left unread would make a reset of the end."""
        head, _, body = (await self._read_until(lambda raw: b"\r\n\r\n" in raw)).partition(
            b"\r\n\r\n"
        )
        self.path = head.split()[1].decode()
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        await self._read_until(lambda raw: len(body) + len(raw) >= length)

    async def _read_until(self, enough: Callable[[bytes], bool]) -> bytes:
        read = b""
        while not enough(read):
            raw = await self.reader.read(65536)
            if not raw:
                raise ConnectionResetError
            read += raw
        return read

    async def say(self, raw: bytes) -> None:
        """Send; a reset once the other side has gone, for TLS drops what is then written."""
        self.writer.write(raw)
        await self.writer.drain()
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.site.sent += len(raw)

    async def stay(self) -> None:
        """Say nothing more until the other side goes."""
        while await self.reader.read(65536):
            pass

    async def leave(self) -> None:
        """Close in order; with TLS this ends its session too."""
        self.writer.close()

    async def reset(self) -> None:
        reset(self.writer)


Play = Callable[[Talk], Awaitable[None]]


def reset(writer) -> None:
    """Close with a reset instead of an end."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def served(play: Play, tls: Callable[[], ssl.SSLContext] | None = None) -> Opening:
    """A site that acts the play on every connection, over TLS if a context is made for it."""

    @asynccontextmanager
    async def opening(world, name):
        site = Site()

        async def script(reader, writer):
            await play(Talk(world, name, site, reader, writer))

        async with raw_server(script, tls=tls() if tls else None) as server:
            site.url = server.url()
            yield site

    return opening


def as_https(opening: Opening) -> Opening:
    """The same site asked over https: it does its TLS by itself, or none."""

    @asynccontextmanager
    async def secured(world, name):
        async with opening(world, name) as site:
            site.url = site.url.replace("http:", "https:")
            yield site

    return secured


def listening() -> Opening:
    """A site that listens and never accepts: the kernel does so in its stead."""

    @asynccontextmanager
    async def opening(world, name):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}/")

    return opening


def deaf() -> Opening:
    """A site whose queue is full: connecting to it never ends."""

    @asynccontextmanager
    async def opening(world, name):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:
                each.setblocking(False)  # noqa: FBT003 - the way of sockets
                each.connect_ex(listener.getsockname())
            yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            for each in waiting:
                each.close()

    return opening


def closed() -> Opening:
    """A site where nobody listens."""

    @asynccontextmanager
    async def opening(world, name):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            yield Site(f"http://127.0.0.1:{unused.getsockname()[1]}/")

    return opening


# ------------------------------------------------------------------------ plays


def says(*parts: bytes, then: Callable[[Talk], Awaitable[None]] = Talk.stay) -> Play:
    """Say these parts, each in a write of its own, once asked; then stay, leave or reset."""

    async def play(talk):
        await talk.asked()
        for part in parts:
            await talk.say(part)
        await then(talk)

    return play


def drips(opening: bytes, drop: bytes, every: float = 0.04) -> Play:
    """Say the opening, then a drop at a time, for ever."""

    async def play(talk):
        await talk.asked()
        await talk.say(opening)
        while True:
            await talk.say(drop)
            await asyncio.sleep(every)

    return play


def pours(opening: bytes, drop: bytes) -> Play:
    """Say the opening, then the drop as fast as it is taken; leave when it is ENOUGH."""

    async def play(talk):
        await talk.asked()
        await talk.say(opening)
        piece = drop * max(1, 65536 // len(drop))
        while talk.site.sent < ENOUGH:
            await talk.say(piece)
        await talk.leave()

    return play


def at_once(*parts: bytes, then: Callable[[Talk], Awaitable[None]] = Talk.leave) -> Play:
    """Say these parts without waiting for what is asked."""

    async def play(talk):
        for part in parts:
            await talk.say(part)
        await then(talk)

    return play


def after_first(*parts: bytes, then: Callable[[Talk], Awaitable[None]] = Talk.leave) -> Play:
    """Say these parts once the first bytes came, whatever they are: into a TLS handshake."""

    async def play(talk):
        await talk.reader.read(1)
        for part in parts:
            await talk.say(part)
        await then(talk)

    return play


def shakes(context: Callable[[], ssl.SSLContext], cut: Callable[[bytes], bytes] = bytes) -> Play:
    """Shake hands by hand, which sends the alert of a refusal; `cut` may spoil what is sent."""

    async def play(talk):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context().wrap_bio(incoming, outgoing, server_side=True)
        while raw := await talk.reader.read(65536):
            incoming.write(raw)
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                await talk.say(cut(outgoing.read()))
                await talk.stay()
                return
            await talk.say(cut(outgoing.read()))

    return play
