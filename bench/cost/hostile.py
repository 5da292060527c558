"""Servers that mean harm, by the first part of the path: `python -m bench.cost.hostile PORT`.

/bomb     gzip that is a thousand times as large once decoded
/heads    header lines without end
/slow     a head, and then a byte of the body every 0.2 s
/large    256 KiB of text, as much as a body may be
/endless  a body without end
"""

import asyncio
import contextlib
import sys
import zlib
from collections.abc import AsyncIterator

WAYS = ("bomb", "heads", "slow", "large", "endless")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_LARGE = 262_144


def bomb(decoded: int = 256 << 20) -> bytes:
    """So many bytes of nothing, as gzip."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(1 << 20)
    return b"".join(packing.compress(piece) for _ in range(decoded >> 20)) + packing.flush()


async def _said(way: str, packed: bytes) -> AsyncIterator[bytes]:
    if way == "bomb":
        yield _HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        yield packed
    elif way == "heads":
        yield _HEAD
        for number in range(10_000_000):
            yield b"X-Line-%d: %s\r\n" % (number, b"x" * 200)
    elif way == "slow":
        yield _HEAD + b"\r\n"
        while True:
            yield b"."
            await asyncio.sleep(0.2)
    elif way == "large":
        yield _HEAD + b"Content-Length: %d\r\n\r\n" % _LARGE
        yield b"Sign in " * (_LARGE // 8)
    else:
        yield _HEAD + b"\r\n"
        while True:
            yield bytes(65536)


async def _serve(port: int) -> None:
    packed = bomb()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            way = head.split(b" ", 2)[1].decode("latin-1").split("/")[1]
            async for piece in _said(way, packed):
                writer.write(piece)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(met, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
