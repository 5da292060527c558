"""Texts that do harm where they are shown: nothing of it may get into evidence."""

from __future__ import annotations

from monitor.model import FailureKind
from monitor.probes.assertions import Expect
from tests.hostile.case import Case, Peer
from tests.hostile.servers import says, served
from tests.net_fixtures import ok

STATUS, BODY, PROTOCOL = FailureKind.STATUS, FailureKind.BODY, FailureKind.PROTOCOL
RED, BIDI, NUL, ISOLATE = (
    b"\x1b[31mred",
    "\u202etxt.exe".encode(),
    b"a\0b",
    "\u2066x\u2069".encode(),
)
TITLE, SPACES = b"\x1b]0;title\x07", "\u2028\u2029\x85\u00a0".encode()


def text(name, answer, kind, says_, peer, **options):
    return Case(name, served(says(answer)), kind, says_, peer, "text", options=options)


def reason(name, words, peer, kind=STATUS, says_="500"):
    answer = b"HTTP/1.1 500 " + words + b"\r\nContent-Length: 5\r\n\r\nhello"
    return text(f"{name} in the reason", answer, kind, says_, peer)


def header(name, words, peer, kind=STATUS, says_="500"):
    answer = b"HTTP/1.1 500 No\r\nContent-Length: 5\r\nServer: " + words + b"\r\n\r\nhello"
    return text(f"{name} in a header", answer, kind, says_, peer)


def body(name, words, peer=Peer.LEAKS, kind=b"text/plain"):
    answer = ok(words, b"Content-Type: " + kind).replace(b"200 OK", b"500 No")
    return text(f"{name} in the body", answer, STATUS, "500", peer)


def value(name, json, peer=Peer.READS):
    answer = ok(b'{"state": "%b"}' % json, b"Content-Type: application/json")
    expect = Expect(json=('$.state == "up"',))
    return text(f"{name} in JSON", answer, BODY, "", peer, expect=expect)


CASES = (
    reason("ANSI colours", RED, Peer.LEAKS),
    reason("a title of the terminal", TITLE, Peer.LEAKS),
    reason("a change of direction", BIDI, Peer.READS),
    reason("invalid UTF-8", b"\xff\xfe\xc3", Peer.READS),
    reason("NUL", NUL, Peer.REFUSES),
    header("ANSI colours", RED, Peer.LEAKS, PROTOCOL, "not valid HTTP"),
    header("a change of direction", BIDI, Peer.LEAKS),
    header("an isolate", ISOLATE, Peer.LEAKS),
    header("invalid UTF-8", b"\xff\xfe\xc3", Peer.READS),
    header("NUL", NUL, Peer.REFUSES, PROTOCOL, "not valid HTTP"),
    header("odd line breaks", SPACES, Peer.LEAKS),
    header("mark-up", b"<script>alert(1)</script>", Peer.READS),
    body("ANSI colours", RED),
    body("a title of the terminal", TITLE),
    body("a change of direction", BIDI),
    body("an isolate", ISOLATE),
    body("NUL", NUL),
    body("odd line breaks", SPACES),
    body("invalid UTF-8", b"\xff\xfe\xc3\x28 \xed\xa0\x80", Peer.READS),
    body("UTF-7", b"+ADw-script+AD4-", Peer.READS, b"text/html; charset=utf-7"),
    body("a charset that is no charset", b"hello", Peer.CRASHES, b"text/plain; charset=zlib"),
    body("a charset of nonsense", b"hello", Peer.READS, b"text/plain; charset=\xff\xfe"),
    body(
        "a charset that runs code of Python",
        b"\\ud800\\u202e",
        Peer.LEAKS,
        b"text/plain; charset=unicode_escape",
    ),
    body("half of a UTF-16 pair", b"\x00\xd8a\x00", Peer.READS, b"text/plain; charset=utf-16-le"),
    value("a lone surrogate", rb"\ud800"),
    value("ANSI colours", rb"\u001b[31m"),
    value("a change of direction", rb"\u202e"),
    value("NUL", rb"\u0000"),
    value("a long word", b"x" * 100_000),
    text(
        "100000 brackets of JSON",
        ok(b"[" * 100_000),
        BODY,
        "",
        Peer.READS,
        expect=Expect(json=('$.state == "up"',)),
    ),
    text(
        "a number of 9000 digits in JSON",
        ok(b'{"state": ' + b"9" * 9000 + b"}"),
        BODY,
        "",
        Peer.READS,
        expect=Expect(json=("$.state == 1",)),
    ),
)
