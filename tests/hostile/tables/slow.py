"""Servers that take their time: the deadline is over everything, not over each read."""

from __future__ import annotations

import asyncio

from monitor.model import FailureKind
from tests.hostile import certificates
from tests.hostile.case import SOON, Case, Peer
from tests.hostile.servers import (
    after_first,
    as_https,
    closed,
    deaf,
    drips,
    listening,
    says,
    served,
    shakes,
)

RECEIVING = "no answer within 0.4 s while receiving the answer"
WAITING = "no answer within 0.4 s while waiting for the first byte"
SHAKING = "no answer within 0.4 s during the TLS handshake"


def slow(name, opening, says, peer, kind=FailureKind.TIMEOUT, **fields):
    return Case(name, opening, kind, says, peer, "deadline", SOON, **fields)


def dripping(name, opening, drop, peer=Peer.HANGS):
    return slow(f"a drip of {name}", served(drips(opening, drop)), RECEIVING, peer)


async def _redirects_slowly(talk):
    await talk.asked()
    await asyncio.sleep(0.15)
    await talk.say(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n")


async def _never_reads(talk):
    await asyncio.Event().wait()


async def _redirects_with_a_slow_body(talk):
    await talk.asked()
    if talk.path != "/":
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        return
    await talk.say(b"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 99\r\n\r\n")
    while True:
        await talk.say(b"x")
        await asyncio.sleep(0.05)


async def _shakes_slowly(talk):
    """A true beginning of a handshake, a byte at a time."""
    await talk.reader.read(1)
    for byte in b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03" + bytes(100):
        await talk.say(bytes([byte]))
        await asyncio.sleep(0.04)


CASES = (
    slow("nothing is ever said", served(says(b"")), WAITING, Peer.RAISES),
    slow("nobody ever accepts", listening(), WAITING, Peer.RAISES),
    slow("a full queue", deaf(), "within 0.4 s while connecting", Peer.RAISES),
    slow("a closed port", closed(), "connection refused", Peer.RAISES, FailureKind.CONNECT),
    dripping("the status line", b"HTTP/1.1 200 ", b"O"),
    dripping("one header", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    dripping("header lines", b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n"),
    dripping("a folded header", b"HTTP/1.1 200 OK\r\nX-Slow: x\r\n", b" x\r\n"),
    dripping("a body with its length", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
    dripping("a body until the end", b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    dripping("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    dripping(
        "a chunk extension", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x", b"x"
    ),
    dripping(
        "zeros of a chunk size", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0", b"0"
    ),
    dripping(
        "trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"
    ),
    dripping(
        "gzip",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0",
        b"x",
    ),
    slow(
        "a drip of informational answers",
        served(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1)),
        RECEIVING,
        Peer.HANGS,
    ),
    slow(
        "a drip over TLS",
        served(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), certificates.good),
        RECEIVING,
        Peer.HANGS,
    ),
    slow("a drip of redirects", served(_redirects_slowly), "no answer within 0.4 s", Peer.HANGS),
    slow(
        "a body that stops half way",
        served(says(b"HTTP/1.1 200 OK\r\n\r\nx")),
        RECEIVING,
        Peer.RAISES,
    ),
    slow(
        "a head that stops half way", served(says(b"HTTP/1.1 200 OK\r\nX")), RECEIVING, Peer.RAISES
    ),
    slow(
        "a request that is never read",
        served(_never_reads),
        WAITING,
        Peer.RAISES,
        options={"method": "POST", "body": "x" * 8_000_000},
    ),
    slow(
        "a handshake that never begins",
        as_https(served(after_first(then=_never_reads))),
        SHAKING,
        Peer.RAISES,
    ),
    slow("a drip of the handshake", as_https(served(_shakes_slowly)), SHAKING, Peer.RAISES),
    slow(
        "a handshake that stops half way",
        as_https(served(shakes(certificates.good, lambda raw: raw[:100]))),
        SHAKING,
        Peer.RAISES,
    ),
    slow("a drip of a redirect body", served(_redirects_with_a_slow_body), "", Peer.HANGS, None),
)
