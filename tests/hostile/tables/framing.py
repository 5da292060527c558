"""Answers of which it is not clear where they begin or end, and what is no HTTP/1 at all."""

from __future__ import annotations

from monitor.model import FailureKind
from tests.hostile.case import Case, Peer
from tests.hostile.servers import Talk, at_once, says, served

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PROTOCOL = FailureKind.PROTOCOL
NOT_VALID = "the answer is not valid HTTP"
STATUS = "the status line is not valid"
NOT_HTTP = "the answer is not HTTP/1"
EXACTLY = "the transfer encoding is not chunked, exactly so"


def raw(name, answer, says_, peer, kind=PROTOCOL, *, then=Talk.stay, deadline=0.8, **fields):
    play = says(answer, then=then)
    return Case(name, served(play), kind, says_, peer, "framing", deadline, **fields)


def header(name, line, says_, peer, kind=PROTOCOL, body=b"hello"):
    return raw(name, OK + line + b"\r\n\r\n" + body, says_, peer, kind, then=Talk.leave)


def chunks(name, answer, says_, peer, kind=PROTOCOL):
    return raw(name, CHUNKED + answer, says_, peer, kind, then=Talk.leave)


def line(name, answer, says_, peer):
    return raw(name, answer + b"\r\nContent-Length: 5\r\n\r\nhello", says_, peer)


CASES = (
    line("status 000", b"HTTP/1.1 000 Zero", STATUS, Peer.RAISES),
    line("status 099", b"HTTP/1.1 099 Low", STATUS, Peer.RAISES),
    line("status 600", b"HTTP/1.1 600 High", STATUS, Peer.ACCEPTS),
    line("status 999", b"HTTP/1.1 999 High", STATUS, Peer.ACCEPTS),
    line("status of four digits", b"HTTP/1.1 2000 OK", STATUS, Peer.RAISES),
    line("status of two digits", b"HTTP/1.1 20 OK", STATUS, Peer.RAISES),
    line("status with a sign", b"HTTP/1.1 +200 OK", STATUS, Peer.RAISES),
    line("status in other digits", "HTTP/1.1 \u0662\u0660\u0660 OK".encode(), STATUS, Peer.RAISES),
    line("status after two spaces", b"HTTP/1.1  200 OK", STATUS, Peer.RAISES),
    line(
        "status 101 unasked",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x",
        "switched protocols",
        Peer.RAISES,
    ),
    line("a version of two digits", b"HTTP/1.10 200 OK", STATUS, Peer.RAISES),
    line("version 1.2", b"HTTP/1.2 200 OK", STATUS, Peer.ACCEPTS),
    line("version 0.9", b"HTTP/0.9 200 OK", NOT_HTTP, Peer.ACCEPTS),
    line("version 2.0", b"HTTP/2.0 200 OK", NOT_HTTP, Peer.ACCEPTS),
    line("version 2", b"HTTP/2 200", NOT_HTTP, Peer.RAISES),
    line("RTSP", b"RTSP/1.0 200 OK", NOT_HTTP, Peer.RAISES),
    line("ICY", b"ICY 200 OK", NOT_HTTP, Peer.RAISES),
    line("small letters", b"http/1.1 200 OK", NOT_HTTP, Peer.RAISES),
    line("an empty line first", b"\r\nHTTP/1.1 200 OK", NOT_HTTP, Peer.RAISES),
    line("a byte order mark first", b"\xef\xbb\xbfHTTP/1.1 200 OK", NOT_HTTP, Peer.RAISES),
    line(
        "a folded status line",
        b"HTTP/1.1 200 OK\r\n folded",
        "the status line is folded",
        Peer.RAISES,
    ),
    raw("HTTP/0.9, a page without a head", b"<html>hello</html>", NOT_HTTP, Peer.CONFUSES),
    raw("a preface of HTTP/2", b"\0\0\x12\x04\0\0\0\0\0" + bytes(18), NOT_HTTP, Peer.RAISES),
    raw("an SSH banner", b"SSH-2.0-OpenSSH_9.2\r\n", NOT_HTTP, Peer.CONFUSES),
    raw("a TLS alert in the clear", b"\x15\x03\x01\x00\x02\x02\x46", NOT_HTTP, Peer.RAISES),
    Case(
        "an answer before the question",
        served(at_once(OK + b"Content-Length: 0\r\n\r\n", then=Talk.stay)),
        None,
        "",
        Peer.READS,
        "framing",
    ),
    header(
        "lengths that differ",
        b"Content-Length: 5\r\nContent-Length: 6",
        "two content lengths that differ",
        Peer.RAISES,
    ),
    header("lengths that differ in one line", b"Content-Length: 5, 6", NOT_VALID, Peer.RAISES),
    header(
        "a length given twice",
        b"Content-Length: 5\r\nContent-Length: 5",
        "given twice",
        Peer.READS,
        None,
    ),
    header("a negative length", b"Content-Length: -5", NOT_VALID, Peer.RAISES),
    header("a length with a plus", b"Content-Length: +5", NOT_VALID, Peer.RAISES),
    header("a length in hexadecimal", b"Content-Length: 0x5", NOT_VALID, Peer.RAISES),
    header("a length with a fraction", b"Content-Length: 5.0", NOT_VALID, Peer.RAISES),
    header("a length with an underscore", b"Content-Length: 1_0", NOT_VALID, Peer.RAISES),
    header("a length in other digits", "Content-Length: \u0665".encode(), NOT_VALID, Peer.RAISES),
    header("an empty length", b"Content-Length:", NOT_VALID, Peer.RAISES),
    header("a length of 20 nines", b"Content-Length: " + b"9" * 20, NOT_VALID, Peer.RAISES),
    header("a length of 5000 nines", b"Content-Length: " + b"9" * 5000, NOT_VALID, Peer.RAISES),
    header("a space before the colon of a length", b"Content-Length : 5", NOT_VALID, Peer.RAISES),
    header(
        "a length beyond what comes",
        b"Content-Length: 6",
        "closed within the body",
        Peer.CONFUSES,
        FailureKind.RESET,
    ),
    header(
        "length with chunked",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        NOT_VALID,
        Peer.ACCEPTS,
        body=b"5\r\nhello\r\n0\r\n\r\n",
    ),
    header(
        "chunked with length",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        NOT_VALID,
        Peer.ACCEPTS,
        body=b"5\r\nhello\r\n0\r\n\r\n",
    ),
    header("chunked, gzip", b"Transfer-Encoding: chunked, gzip", EXACTLY, Peer.RAISES),
    header(
        "gzip, chunked",
        b"Transfer-Encoding: gzip, chunked",
        EXACTLY,
        Peer.RAISES,
        body=b"0\r\n\r\n",
    ),
    header("xchunked", b"Transfer-Encoding: xchunked", EXACTLY, Peer.RAISES),
    header("chunked with a quote", b'Transfer-Encoding: "chunked"', EXACTLY, Peer.RAISES),
    header("chunked with a parameter", b"Transfer-Encoding: chunked;q=1", EXACTLY, Peer.RAISES),
    header(
        "chunked twice",
        b"Transfer-Encoding: chunked, chunked",
        EXACTLY,
        Peer.RAISES,
        body=b"0\r\n\r\n",
    ),
    header(
        "chunked in two headers",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        EXACTLY,
        Peer.RAISES,
        body=b"0\r\n\r\n",
    ),
    header("a transfer encoding of identity", b"Transfer-Encoding: identity", EXACTLY, Peer.RAISES),
    header("an empty transfer encoding", b"Transfer-Encoding:", NOT_VALID, Peer.RAISES),
    header(
        "chunked after a vertical tab", b"Transfer-Encoding:\x0bchunked", NOT_VALID, Peer.RAISES
    ),
    raw(
        "chunked in HTTP/1.0",
        CHUNKED.replace(b"1.1", b"1.0") + b"5\r\nhello\r\n0\r\n\r\n",
        "a transfer encoding in HTTP/1.0",
        Peer.ACCEPTS,
    ),
    header("a header name with a space", b"Na me: x", NOT_VALID, Peer.RAISES),
    header("a header without a colon", b"No colon", NOT_VALID, Peer.RAISES),
    header("a header without a name", b": x", NOT_VALID, Peer.RAISES),
    header("a lone return in a header", b"X: a\rb", NOT_VALID, Peer.RAISES),
    header("a NUL in a header name", b"X\0Y: a", NOT_VALID, Peer.RAISES),
    chunks("a chunk size that is none", b"zz\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("a negative chunk size", b"-5\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("a chunk size with a plus", b"+5\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("a chunk size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks(
        "a chunk size of 17 digits", b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES
    ),
    chunks("an empty chunk size", b"\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("a space after a chunk size", b"5 \r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.ACCEPTS),
    chunks("a chunk longer than said", b"3\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("a chunk shorter than said", b"7\r\nhello\r\n0\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks("chunks with bare line feeds", b"5\nhello\n0\n\n", NOT_VALID, Peer.RAISES),
    chunks(
        "a lone return in a chunk extension",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        NOT_VALID,
        Peer.ACCEPTS,
    ),
    chunks(
        "chunks without an end",
        b"5\r\nhello\r\n",
        "closed within the body",
        Peer.CONFUSES,
        FailureKind.RESET,
    ),
    chunks("a trailer that is no header", b"0\r\nno colon\r\n\r\n", NOT_VALID, Peer.RAISES),
    chunks(
        "a trailer that gives a length",
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        NOT_VALID,
        Peer.ACCEPTS,
    ),
    raw(
        "a second answer",
        OK + b"Content-Length: 5\r\n\r\nhelloHTTP/1.1 500 No\r\n\r\n",
        "",
        Peer.READS,
        None,
    ),
    raw(
        "garbage behind an answer that closes",
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello\0\0",
        "bytes after the end",
        Peer.READS,
        None,
    ),
    raw(
        "bare line feeds in the head",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "bare line feeds",
        Peer.READS,
        None,
    ),
    raw(
        "bare line feeds where it is strict",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "strict_http",
        Peer.ACCEPTS,
        options={"strict_http": True},
    ),
)
