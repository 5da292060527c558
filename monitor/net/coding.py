"""A body's content coding undone under a limit, as the body arrives.

Identity is what is asked for; gzip, deflate and br (brotli) are undone for servers that send them
all the same, and nothing else: any other coding (zstd, compress), or several on top of each other,
is a Failure that names them. No call makes more than the limit of bytes, or one block of 32 KiB
more with br, however small its input.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli

from monitor.model import FailureKind
from monitor.net.failure import Failure, shown

_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 16
_BLOCK = 16384  # brotli gives whole blocks, the first of which is 32 KiB: this asks for one


class Body(Protocol):
    """Takes a body in as it came, and gives it out decoded."""

    def feed(self, raw: bytes) -> None:
        """Take in what arrived. Raises Failure when it is damaged, or too long decoded."""

    def finish(self) -> bytes:
        """Return the whole body. Raises Failure when it ends too early."""


def body_of(coding: str, limit: int) -> Body:
    """Make the body for a Content-Encoding header, "" where there is none. Raises Failure."""
    names = [each for each in coding.lower().replace(" ", "").split(",") if each]
    names = [each for each in names if each != "identity"]
    if not names:
        return _Identity(limit)
    if len(names) > 1:
        message = f"the body is coded several times over, which is not supported: {shown(coding)}"
        raise Failure(FailureKind.PROTOCOL, message)
    if names[0] not in _CODINGS:
        raise Failure(FailureKind.PROTOCOL, f"the body's coding is not supported: {shown(coding)}")
    return _CODINGS[names[0]](names[0], limit)


def too_long(limit: int) -> Failure:
    """Say that a body is longer than the limit."""
    return Failure(FailureKind.BODY, f"the body is longer than {limit} bytes (limits.body_bytes)")


class _Identity:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, raw: bytes) -> None:
        self._size += len(raw)
        if self._size > self._limit:
            raise too_long(self._limit)
        self._parts.append(raw)

    def finish(self) -> bytes:
        return b"".join(self._parts)


class _Zlib:
    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._inflate = None if name == "deflate" else zlib.decompressobj(_GZIP)
        self._members = 1
        self._started = False
        self._out = bytearray()

    def feed(self, raw: bytes) -> None:
        self._started = True
        try:
            while raw:
                raw = self._next(raw)
        except zlib.error as error:
            raise self._damaged("is damaged") from error

    def finish(self) -> bytes:
        if self._started and (self._inflate is None or not self._inflate.eof):
            raise self._damaged("ends early")
        return bytes(self._out)

    def _next(self, raw: bytes) -> bytes:
        """Decode up to the end of this member or of the input; return what is behind it."""
        if self._inflate is None:
            # What is called deflate is zlib or, from some servers, raw: the first byte tells.
            self._inflate = zlib.decompressobj(15 if raw[0] & 15 == 8 else -15)
        elif self._inflate.eof:
            raw = raw.lstrip(b"\0")
            if not raw:
                return b""
            self._another()
        self._out += self._inflate.decompress(raw, self._limit + 1 - len(self._out))
        if len(self._out) > self._limit:
            raise too_long(self._limit)
        return self._inflate.unused_data if self._inflate.eof else b""

    def _another(self) -> None:
        self._members += 1
        if self._members > _MEMBERS or self._name == "deflate":
            raise self._damaged("has too many parts")
        self._inflate = zlib.decompressobj(_GZIP)

    def _damaged(self, how: str) -> Failure:
        return _damaged(self._name, how)


class _Brotli:
    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._decoder = brotli.Decompressor()
        self._started = False
        self._out = bytearray()

    def feed(self, raw: bytes) -> None:
        self._started = True
        try:
            while self._next(raw):
                raw = b""
        except brotli.error as error:
            raise _damaged(self._name, "is damaged") from error

    def finish(self) -> bytes:
        if self._started and not self._decoder.is_finished():
            raise _damaged(self._name, "ends early")
        return bytes(self._out)

    def _next(self, raw: bytes) -> bool:
        """Decode one block more; tell whether there may be another without more input."""
        made = self._decoder.process(raw, output_buffer_limit=_BLOCK)
        self._out += made
        if len(self._out) > self._limit:
            raise too_long(self._limit)
        return bool(made) or not self._decoder.can_accept_more_data()


_CODINGS: dict[str, Callable[[str, int], Body]] = {
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Zlib,
    "br": _Brotli,
}


def _damaged(name: str, how: str) -> Failure:
    return Failure(FailureKind.PROTOCOL, f"the {name} coded body {how}")
