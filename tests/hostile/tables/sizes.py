"""Servers that say too much: every limit is met before the memory is."""

from __future__ import annotations

from monitor.model import FailureKind
from tests.hostile import certificates
from tests.hostile.case import Case, Peer
from tests.hostile.servers import at_once, drips, pours, says, served

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = "longer than 262144 bytes"
WIRE = "longer than 1048576 bytes on the wire"
HEAD = "the head is longer than 65536 bytes"
PROTOCOL = FailureKind.PROTOCOL


def large(name, play, limit, says, peer, kind=PROTOCOL, tls=None, deadline=6.0, **fields):
    return Case(name, served(play, tls), kind, says, peer, limit, deadline, **fields)


def too_long(name, play, peer=Peer.SWELLS, tls=None):
    return large(name, play, "body_bytes", BODY, peer, FailureKind.BODY, tls)


CASES = (
    too_long("an endless body", pours(OK + b"\r\n", b"x")),
    too_long("an endless body over TLS", pours(OK + b"\r\n", b"x"), tls=certificates.good),
    too_long(
        "an endless body with a length", pours(OK + b"Content-Length: 99999999999\r\n\r\n", b"x")
    ),
    too_long("endless chunks", pours(CHUNKED, b"5\r\nhello\r\n")),
    large(
        "endless chunks of one byte",
        pours(CHUNKED, b"%016x\r\nx\r\n" % 1),
        "wire_bytes",
        WIRE,
        Peer.SWELLS,
    ),
    too_long("one endless chunk", pours(CHUNKED + b"fffffffff\r\n", b"x")),
    large(
        "a length beyond the limit and nothing more",
        says(OK + b"Content-Length: 262145\r\n\r\n"),
        "body_bytes",
        BODY,
        Peer.CONFUSES,
        FailureKind.BODY,
        deadline=0.8,
    ),
    too_long(
        "one byte beyond the limit", says(OK + b"Content-Length: 262145\r\n\r\n" + b"x" * 262145)
    ),
    too_long("an endless answer of 404", pours(b"HTTP/1.1 404 No\r\n\r\n", b"x")),
    large(
        "an endless status line", pours(b"HTTP/1.1 200 ", b"O"), "header_bytes", HEAD, Peer.RAISES
    ),
    large("an endless header", pours(OK + b"X-Long: ", b"x"), "header_bytes", HEAD, Peer.RAISES),
    large("an endless header name", pours(OK, b"x"), "header_bytes", HEAD, Peer.RAISES),
    large("endless header lines", pours(OK, b"X-Many: x\r\n"), "header_bytes", HEAD, Peer.RAISES),
    large("endless folds", pours(OK + b"X: y\r\n", b" z\r\n"), "header_bytes", HEAD, Peer.RAISES),
    large(
        "a header of 90 kB",
        says(OK + b"Content-Length: 0\r\nX-Long: " + b"x" * 90_000 + b"\r\n\r\n"),
        "header_bytes",
        HEAD,
        Peer.ACCEPTS,
    ),
    large(
        "101 header lines",
        says(OK + b"Content-Length: 0\r\n" + b"X: y\r\n" * 100 + b"\r\n"),
        "header_lines",
        "more than 100 lines",
        Peer.ACCEPTS,
    ),
    large(
        "9000 header lines",
        says(OK + b"Content-Length: 0\r\n" + b"X:y\r\n" * 9000 + b"\r\n"),
        "header_lines",
        "more than 100 lines",
        Peer.ACCEPTS,
    ),
    large(
        "15000 folds of one header",
        says(OK + b"Content-Length: 0\r\nX: y\r\n" + b" z\r\n" * 15000 + b"\r\n"),
        "header_bytes",
        "folded",
        Peer.READS,
        None,
    ),
    large(
        "9 informational answers",
        says(b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK + b"Content-Length: 0\r\n\r\n"),
        "8 informational answers",
        "more than 8 informational",
        Peer.ACCEPTS,
    ),
    large(
        "endless informational answers",
        pours(b"", b"HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\n"),
        "8 informational answers",
        "more than 8 informational",
        Peer.SWELLS,
    ),
    large(
        "informational answers with large heads",
        says(
            (b"HTTP/1.1 103 Hints\r\nX: " + b"x" * 30_000 + b"\r\n\r\n") * 3
            + OK
            + b"Content-Length: 0\r\n\r\n"
        ),
        "header_bytes",
        HEAD,
        Peer.ACCEPTS,
    ),
    large(
        "a chunk extension of 100 kB",
        says(CHUNKED + b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"),
        "wire_bytes",
        "",
        Peer.READS,
        None,
    ),
    large(
        "an endless chunk extension", pours(CHUNKED + b"5;", b"x"), "wire_bytes", WIRE, Peer.RAISES
    ),
    large(
        "chunks with an extension each",
        pours(CHUNKED, b"1;" + b"x" * 1000 + b"\r\ny\r\n"),
        "wire_bytes",
        WIRE,
        Peer.SWELLS,
    ),
    large("endless zeros of a chunk size", pours(CHUNKED, b"0"), "wire_bytes", WIRE, Peer.RAISES),
    large(
        "101 trailers",
        says(CHUNKED + b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
        "header_lines",
        "more than 100 trailers",
        Peer.ACCEPTS,
    ),
    large(
        "endless trailers",
        pours(CHUNKED + b"0\r\n", b"X: y\r\n"),
        "header_lines",
        "more than 100 trailers",
        Peer.RAISES,
    ),
    large(
        "an endless trailer", pours(CHUNKED + b"0\r\nX: ", b"y"), "wire_bytes", WIRE, Peer.RAISES
    ),
    large(
        "an endless banner",
        at_once(b"220 " + b"x" * 200_000, then=lambda talk: talk.stay()),
        "version",
        "not HTTP/1",
        Peer.RAISES,
    ),
    large(
        "5000 tickets for later sessions",
        says(OK + b"Content-Length: 5\r\n\r\nhello"),
        "wire_bytes",
        "bytes of TLS that carry nothing",
        Peer.SWELLS,
        FailureKind.TLS,
        tls=certificates.many_tickets,
    ),
    large(
        "a body to a HEAD request",
        pours(OK + b"\r\n", b"x"),
        "wire_bytes",
        "",
        Peer.READS,
        None,
        options={"method": "HEAD"},
    ),
    large(
        "a body with 204",
        pours(b"HTTP/1.1 204 No\r\n\r\n", b"x"),
        "wire_bytes",
        "",
        Peer.READS,
        None,
    ),
    large(
        "a body with 304",
        drips(b"HTTP/1.1 304 No\r\n\r\n", b"x"),
        "wire_bytes",
        "304",
        Peer.READS,
        FailureKind.STATUS,
    ),
    large(
        "a flood after the answer",
        pours(OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello", b"x"),
        "wire_bytes",
        "",
        Peer.READS,
        None,
    ),
)
