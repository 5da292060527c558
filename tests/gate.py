"""A way to a receiver that can be shut: connections are reset, as where nobody listens.

While it is open everything passes, and what goes to the receiver is kept in `passed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit


@dataclass
class Gate:
    """At `port` before the receiver at `to`; `turned_away` counts who came while it was shut."""

    to: int
    port: int = 0
    is_open: bool = True
    turned_away: int = 0
    passed: bytearray = field(default_factory=bytearray)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, url: str) -> str:
        """A receiver's URL, by way of the gate."""
        return urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{self.port}"))

    async def let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            if self.is_open:
                await self._join(reader, writer)
            else:
                self.turned_away += 1
        finally:
            writer.transport.abort()
            self.tasks.discard(task)

    async def _join(self, reader, writer) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to)
        pumps = [
            asyncio.create_task(_pump(reader, back, self.passed)),
            asyncio.create_task(_pump(there, writer, bytearray())),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.ALL_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            back.transport.abort()


async def _pump(source, sink, kept: bytearray) -> None:
    with suppress(ConnectionError):
        while piece := await source.read(65536):
            kept += piece
            sink.write(piece)
            await sink.drain()
        sink.write_eof()


@asynccontextmanager
async def gate(to: int) -> AsyncIterator[Gate]:
    """A gate before the receiver on that port, until the block ends."""
    made = Gate(to)
    listener = await asyncio.start_server(made.let_in, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listener.close()
        for task in tuple(made.tasks):
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
        await listener.wait_closed()
