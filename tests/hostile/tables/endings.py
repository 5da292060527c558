"""Connections that end too early: in order or by a reset, in every phase."""

from __future__ import annotations

from monitor.model import FailureKind
from tests.hostile import certificates
from tests.hostile.case import Case, Peer
from tests.hostile.servers import Talk, after_first, as_https, says, served

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 99\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
RESET = FailureKind.RESET
LOST = "the connection was lost: connection reset by peer"
SAID = {
    "before the first byte": b"",
    "in the version": b"HTT",
    "in the status line": b"HTTP/1.1 200",
    "in the head": OK + b"Serv",
    "after an informational answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "after the head": LENGTH,
    "in the body": LENGTH + b"hello",
    "in a chunk size": CHUNKED + b"5",
    "in a chunk": CHUNKED + b"5\r\nhel",
    "before the last chunk": CHUNKED + b"5\r\nhello\r\n",
    "in the trailers": CHUNKED + b"0\r\nX: ",
    "before the last byte": CHUNKED + b"0\r\n\r",
}
PROXIED = {
    "before the first byte",
    "in the status line",
    "in the head",
    "after the head",
    "in the body",
    "in a chunk size",
    "before the last chunk",
    "before the last byte",
}
"""Where the proxy resets connections too, in the list of faults."""


def ending(name, opening, says_, peer, kind=RESET):
    return Case(name, opening, kind, says_, peer, "framing", 2.0)


CASES = (
    *(
        ending(
            f"an end {where}",
            served(says(said, then=Talk.leave)),
            "the connection was closed",
            Peer.CONFUSES,
        )
        for where, said in SAID.items()
    ),
    *(
        ending(f"a reset {where}", served(says(said, then=Talk.reset)), LOST, Peer.RAISES)
        for where, said in SAID.items()
        if where not in PROXIED
    ),
    ending(
        "a reset of a body without a length",
        served(says(OK + b"\r\nhello", then=Talk.reset)),
        LOST,
        Peer.RAISES,
    ),
    ending(
        "an end in the handshake",
        as_https(served(after_first())),
        "closed during the TLS handshake",
        Peer.RAISES,
    ),
    ending(
        "a reset in the handshake",
        as_https(served(after_first(then=Talk.reset))),
        LOST,
        Peer.RAISES,
    ),
    ending(
        "an end over TLS in the body",
        served(says(LENGTH + b"hello", then=Talk.leave), certificates.good),
        "closed within the body",
        Peer.CONFUSES,
    ),
    ending(
        "a reset over TLS in the body",
        served(says(LENGTH + b"hello", then=Talk.reset), certificates.good),
        LOST,
        Peer.RAISES,
    ),
)
