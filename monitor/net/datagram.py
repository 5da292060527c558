"""One datagram out, and the one that answers it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from monitor.model import FailureKind
from monitor.net.failure import Failure, Unable
from monitor.net.wire import settle

_LARGEST = 65535


async def asked_by_datagram(
    address: str, port: int, source: str | None, payload: bytes, belongs: Callable[[bytes], bool]
) -> bytes:
    """Send to a literal address, and return the first datagram from there that `belongs`.

    The socket is connected, so that only that address can answer. Raises Failure(CONNECT), and
    Unable where the source is of another family than the address.
    """
    if source is not None and (":" in source) != (":" in address):
        raise Unable(f"{source} cannot reach {address}: one is IPv4, the other IPv6")
    loop = asyncio.get_running_loop()
    try:
        with _socket(address, source) as sock:
            sock.connect((address, port))
            sock.send(payload)
            while True:
                raw = await _received(sock, loop)
                if raw is not None and belongs(raw):
                    return raw
    except OSError as error:
        raise _unreached(f"{address} port {port}", error) from error


async def _received(sock: socket.socket, loop: asyncio.AbstractEventLoop) -> bytes | None:
    """Wait until something is there and take it; the loop's own way costs three times as much."""
    there = loop.create_future()
    loop.add_reader(sock, settle, there)
    try:
        await there
    finally:
        loop.remove_reader(sock)
    try:
        return sock.recv(_LARGEST)
    except BlockingIOError:
        return None  # a datagram that was damaged on the way is only seen when it is taken


def _socket(address: str, source: str | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if source is not None:
            sock.bind((source, 0))
    except OSError as error:
        sock.close()
        raise _unreached(f"source address {source}", error) from error
    return sock


def _unreached(what: str, error: OSError) -> Failure:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return Failure(FailureKind.CONNECT, f"{what}: {reason}")
