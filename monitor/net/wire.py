"""One connection: a socket, what goes over it, and who is listening.

Stages take turns listening: a proxy's answer, the TLS handshake, the answer itself. A stage is
fed until it is done, or told that the connection ended; it raises Failure to give up. There is no
task and no timer here: `attend` waits on one future, and whoever calls it brings the deadline.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Protocol, cast

from monitor.model import FailureKind
from monitor.net.failure import Failure
from monitor.net.tls import Tls

_EMPTY = 262144
"""How many bytes of TLS may carry nothing: a handshake is shorter, tickets may be sent for ever."""
_FRAME = 32  # bytes around a byte of content that is sent alone, about

_BIND_ADDRESS_NO_PORT = 24  # Linux; Python has no name for it before 3.12


class Stage(Protocol):
    """Something that listens until it is done."""

    done: bool

    def feed(self, raw: bytes) -> None:
        """Take in what arrived. Raises Failure."""

    def end(self) -> None:
        """Take in that the connection ended. Raises Failure unless that is the proper end."""


async def connected(address: str, port: int, source: str | None) -> Wire:
    """Connect to a literal address, from a source address if one is given.

    Raises Failure(CONNECT) with the operating system's own words.
    """
    sock = await reached(address, port, source)
    try:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(Wire, sock=sock)
    except OSError as error:
        sock.close()
        raise _unconnected(f"{address} port {port}", error) from error
    except BaseException:
        sock.close()
        raise
    return wire


async def reached(address: str, port: int, source: str | None) -> socket.socket:
    """As `connected`, but return the bare socket, which does not block."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise _unconnected(f"no socket for {address}", error) from error
    try:
        if source is not None:
            _bind(sock, source)
        await _reach(sock, address, port)
    except OSError as error:
        sock.close()
        raise _unconnected(f"{address} port {port}", error) from error
    except BaseException:
        sock.close()
        raise
    return sock


async def _reach(sock: socket.socket, address: str, port: int) -> None:
    """Connect a socket that does not block; the loop's own way costs twice as much. OSError."""
    number = sock.connect_ex((address, port))
    if number == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        settled = loop.create_future()
        loop.add_writer(sock, settle, settled)
        try:
            await settled
        finally:
            loop.remove_writer(sock)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def settle(waiter: asyncio.Future[None]) -> None:
    """End a wait, unless whoever waited gave it up."""
    if not waiter.done():
        waiter.set_result(None)


def _bind(sock: socket.socket, source: str) -> None:
    """Bind without choosing a port yet, which is costly and runs out of ports early."""
    sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise _unconnected(f"source address {source}", error) from error


def _unconnected(what: str, error: OSError) -> Failure:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return Failure(FailureKind.CONNECT, f"{what}: {reason}")


class Wire(asyncio.Protocol):
    """A connection that is open. `first_byte` is called once a stage after TLS is first fed."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._tls: Tls | None = None
        self._stage: Stage | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pending = b""
        self._empty = 0
        self._ended = False
        self._error: Exception | None = None
        self._first_byte: Callable[[], None] | None = None

    async def attend(
        self, stage: Stage, opening: bytes, first_byte: Callable[[], None] | None = None
    ) -> None:
        """Send the opening, then feed the stage until it is done. Raises Failure.

        `first_byte` is called when the first byte for this stage has arrived.
        """
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        self._stage, self._first_byte = stage, first_byte
        self.send(opening)
        early, self._pending = self._pending, b""
        if early or self._tls is not None:
            self._take(early)
        if self._ended:
            self._end()
        await waiter

    async def secure(self, tls: Tls) -> None:
        """Shake hands, then send and receive through TLS. Raises Failure(TLS) or Failure(RESET)."""
        tls.feed(b"")
        await self.attend(tls, tls.outgoing())
        self._tls = tls

    def send(self, plain: bytes) -> None:
        """Send bytes while nobody listens; on a connection that has ended they are dropped."""
        if plain and self._tls is not None:
            self._tls.encrypt(plain)
            plain = self._tls.outgoing()
        self._write(plain)

    def give_back(self, raw: bytes) -> None:
        """Keep what a stage did not need for the next one."""
        self._pending = raw + self._pending

    def close(self) -> None:
        """End the connection; at once, unless all was sent and answered."""
        self._waiter = self._stage = None
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def cut_short(self) -> bool:
        """Tell whether the connection ended without the end of its TLS session."""
        return self._ended and self._tls is not None and not self._tls.closed

    # ------------------------------------------------------------------ for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Feed whoever listens, or keep it for the one who will."""
        if self._stage is None or self._waiting() is None:
            self._pending += data
        else:
            self._take(data)

    def eof_received(self) -> None:
        """Tell whoever listens; the transport then closes itself."""
        self._ended = True
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever listens."""
        self._ended, self._error = True, exc
        self._end()

    # ------------------------------------------------------------------ parts

    def _waiting(self) -> asyncio.Future[None] | None:
        return None if self._waiter is None or self._waiter.done() else self._waiter

    def _take(self, raw: bytes) -> None:
        waiter, stage = self._waiting(), self._stage
        if waiter is None or stage is None:
            return
        try:
            self._feed(stage, raw)
        except Failure as failure:
            waiter.set_exception(failure)
            return
        if stage.done:
            waiter.set_result(None)

    def _feed(self, stage: Stage, raw: bytes) -> None:
        if self._tls is not None:
            sealed, raw = len(raw), self._tls.decrypt(raw)
            self._bound(sealed, len(raw))
        elif isinstance(stage, Tls):
            self._bound(len(raw), 0)
        if raw and self._first_byte is not None:
            self._first_byte()
            self._first_byte = None
        try:
            if raw:
                stage.feed(raw)
        finally:
            if isinstance(stage, Tls):
                self._write(stage.outgoing())
        if self._tls is not None and self._tls.closed and not stage.done:
            stage.end()

    def _bound(self, sealed: int, content: int) -> None:
        """Count what came over TLS and carried nothing, which no stage sees. Raises Failure."""
        self._empty = max(0, self._empty + sealed - _FRAME * content)
        if self._empty > _EMPTY:
            raise Failure(FailureKind.TLS, f"more than {_EMPTY} bytes of TLS that carry nothing")

    def _end(self) -> None:
        waiter, stage = self._waiting(), self._stage
        if waiter is None or stage is None:
            return
        if self._error is not None:
            waiter.set_exception(_lost(self._error))
            return
        try:
            stage.end()
        except Failure as failure:
            waiter.set_exception(failure)
        else:
            waiter.set_result(None)

    def _write(self, raw: bytes) -> None:
        if raw and self._transport is not None and not self._transport.is_closing():
            self._transport.write(raw)


def _lost(error: Exception) -> Failure:
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number).lower() if number else str(error)
    failure = Failure(FailureKind.RESET, f"the connection was lost: {reason}")
    failure.__cause__ = error
    return failure
