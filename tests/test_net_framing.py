"""Where an answer begins and ends, over real sockets: one test per rule of parsing."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from itertools import pairwise

import brotli
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import FailureKind
from monitor.net.answer import Answer
from monitor.net.failure import Failure
from monitor.net.limits import Limits
from monitor.net.trace import Trace
from tests.net_fixtures import failed, got, made_net, ok, raw_server

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def net():
    async with made_net() as made:
        yield made


async def answered(net, raw, trace=None, *, hang=True, **wishes):
    async with raw_server(raw, hang=hang) as server:
        return await got(net, server.url(), trace, **wishes)


async def broken(net, raw, kind=FailureKind.PROTOCOL, *, hang=True, **wishes):
    async with raw_server(raw, hang=hang) as server:
        failure = await failed(net, server.url(), deadline=2.0, **wishes)
    assert failure.kind is kind
    return str(failure)


# ------------------------------------------------------------------------ where it ends


async def test_a_length_ends_the_answer_while_the_connection_stays_open(net):
    response = await answered(net, ok(b"hello", b"Server: x", b"Server: y"))
    assert (response.status_code, response.reason_phrase) == (200, "OK")
    assert response.http_version == "HTTP/1.1"
    assert response.content == b"hello"
    assert response.headers.get_list("server") == ["x", "y"]


async def test_chunks_end_the_answer_and_trailers_are_dropped(net):
    raw = CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Late: 1\r\n\r\n"
    response = await answered(net, raw)
    assert response.content == b"hello world"
    assert "x-late" not in response.headers


async def test_without_length_or_chunks_the_end_of_the_connection_ends_it(net):
    response = await answered(net, b"HTTP/1.1 200 OK\r\n\r\nall of it", hang=False)
    assert response.content == b"all of it"
    assert "content-length" not in response.headers


async def test_http_1_0_is_understood(net):
    response = await answered(net, b"HTTP/1.0 200 Fine\r\n\r\nold", hang=False)
    assert (response.http_version, response.text) == ("HTTP/1.0", "old")


async def test_a_reason_may_be_missing(net):
    for line in (b"HTTP/1.1 200\r\n", b"HTTP/1.1 200 \r\n"):
        response = await answered(net, line + b"Content-Length: 0\r\n\r\n")
        assert response.reason_phrase == ""


async def test_a_head_request_has_no_body_whatever_the_length_says(net):
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Encoding: gzip\r\n\r\n"
    response = await answered(net, raw, method="HEAD")
    assert (response.content, response.headers["content-length"]) == (b"", "500")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_statuses_have_no_body_whatever_the_length_says(net, status):
    raw = b"HTTP/1.1 " + status + b"\r\nContent-Length: 10\r\n\r\n"
    assert (await answered(net, raw)).content == b""


async def test_informational_heads_and_their_headers_are_dropped(net):
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\nContent-Length: 9\r\n\r\n" * 8 + ok()
    response = await answered(net, raw)
    assert response.content == b"hello"
    assert "link" not in response.headers


async def test_what_follows_the_answer_is_not_looked_at(net):
    second = b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\nX-Second: 1\r\n\r\nbad"
    for after in (second, b"\0garbage"):
        response = await answered(net, ok() + after)
        assert (response.status_code, response.content) == (200, b"hello")
        assert "x-second" not in response.headers


async def test_bytes_after_a_connection_said_to_close_are_a_warning(net):
    trace = Trace()
    await answered(net, ok(b"hello", b"Connection: close") + b"more", trace)
    assert trace.warnings == ["there are bytes after the end of the answer"]


async def test_an_answer_in_single_bytes_is_read_as_one(net):
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in raw:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with raw_server(drip) as server:
        assert (await got(net, server.url())).content == b"abc"


# ------------------------------------------------------------------------ what ends too early


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "before the first byte"),
        (b"HTTP/1.1 200 OK\r\nServ", "within the head"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "within the head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "within the body"),
        (CHUNKED + b"5\r\nhel", "within the body"),
        (CHUNKED + b"5\r\nhello\r\n", "within the body"),
    ],
)
async def test_a_connection_closed_too_early_is_a_reset_that_says_where(net, raw, where):
    assert where in await broken(net, raw, FailureKind.RESET, hang=False)


async def test_a_reset_says_so_in_the_systems_words(net):
    async def reset(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER of 0: close sends a reset
        writer.transport.abort()

    async with raw_server(reset) as server:
        failure = await failed(net, server.url())
    assert failure.kind is FailureKind.RESET
    assert "connection reset by peer" in str(failure)


# ------------------------------------------------------------------------ what is not HTTP/1


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>hello</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 000 Zero\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 600 High\r\n\r\n",
        b"HTTP/1.1 999 High\r\n\r\n",
        b"HTTP/1.1 2000 Long\r\n\r\n",
        b"HTTP/1.1 20 Short\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ],
)
async def test_what_does_not_begin_as_http_1_fails_at_once(net, raw):
    assert (await broken(net, raw)).isprintable()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: -5",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Content-Length: 5 5",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length : 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, gzip",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Na me: value",
        b"No colon",
        b": no name",
        b"Null: a\0b",
        b"Return: a\rb",
    ],
)
async def test_ambiguous_framing_and_broken_headers_fail(net, head):
    await broken(net, b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nhello")


async def test_chunks_in_http_1_0_fail(net):
    raw = CHUNKED.replace(b"1.1", b"1.0") + b"5\r\nhello\r\n0\r\n\r\n"
    assert "HTTP/1.0" in await broken(net, raw)


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"3\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"\r\n0\r\n\r\n",
    ],
)
async def test_bad_chunks_fail(net, chunks):
    await broken(net, CHUNKED + chunks)


async def test_switching_protocols_unasked_fails(net):
    raw = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert "switched protocols" in await broken(net, raw)


async def test_endless_informational_answers_fail(net):
    assert "informational" in await broken(net, b"HTTP/1.1 100 Continue\r\n\r\n" * 9)


# ------------------------------------------------------------------------ what working sites send


TOLERATED = [
    (b"HTTP/1.1 200 OK\nServer: x\nContent-Length: 5\n\nhello", "bare line feeds"),
    (b"HTTP/1.1 200 OK\r\nServer: x\nContent-Length: 5\r\n\r\nhello", "bare line feeds"),
    (b"HTTP/1.1 200 OK\r\nServer: x\r\n  folded\r\nContent-Length: 5\r\n\r\nhello", "folded"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length:  5\r\n\r\nhello", "given twice"),
]


@pytest.mark.parametrize(("raw", "warning"), TOLERATED)
async def test_what_working_sites_get_wrong_passes_with_a_warning(net, raw, warning):
    trace = Trace()
    response = await answered(net, raw, trace)
    assert response.content == b"hello"
    assert [warning in each for each in trace.warnings] == [True]


@pytest.mark.parametrize(("raw", "warning"), TOLERATED)
async def test_it_fails_where_strictness_is_asked_for(net, raw, warning):
    message = await broken(net, raw, strict_http=True)
    assert warning in message
    assert "strict_http" in message


async def test_a_folded_header_is_one_value(net):
    raw = b"HTTP/1.1 200 OK\r\nX-Long: one\r\n\t two\r\nContent-Length: 0\r\n\r\n"
    assert (await answered(net, raw)).headers["x-long"] == "one two"


async def test_odd_bytes_in_a_reason_and_in_values_do_no_harm(net):
    raw = b"HTTP/1.1 200 O\x1bK \xe2\x80\xae\r\nX-Odd: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    response = await answered(net, raw)
    assert response.reason_phrase.isprintable()
    assert response.headers["x-odd"] == "ÿþ"


# ------------------------------------------------------------------------ coded bodies


@pytest.mark.parametrize(
    ("coding", "pack"),
    [(b"gzip", gzip.compress), (b"deflate", zlib.compress), (b"br", brotli.compress)],
)
async def test_a_coded_body_is_decoded_with_a_warning(net, coding, pack):
    trace = Trace()
    response = await answered(net, ok(pack(b"hello"), b"Content-Encoding: " + coding), trace)
    assert response.content == b"hello"
    assert "content-encoding" not in response.headers
    assert "content-length" not in response.headers
    assert coding.decode() in trace.warnings[0]


async def test_an_unsupported_coding_is_named(net):
    message = await broken(net, ok(b"hello", b"Content-Encoding: zstd"))
    assert message == "the body's coding is not supported: zstd"


async def test_a_coded_body_that_ends_early_fails(net):
    half = gzip.compress(b"hello" * 100)[:-9]
    assert "ends early" in await broken(net, ok(half, b"Content-Encoding: gzip"))


# ------------------------------------------------------------------------ whatever comes

ANSWERS = [
    ok(),
    CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not\r\nX: y\r\n z\r\n\r\nto the end",
    ok(gzip.compress(b"hello"), b"Content-Encoding: gzip"),
    b"HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\nhello",
]
PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n\r\n", b" ", b":", b"\0", b"0", b"9", b"\xff", b",", b"chunked", b""]
)
MARKS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 3), PIECES), max_size=3)


def judged(raw, cuts):
    """What an answer comes to when it arrives cut in pieces: a failure's kind, or its content."""
    warnings = []
    answer = Answer("GET", Limits(), warnings.append)
    edges = [0, *sorted(min(each, len(raw)) for each in cuts), len(raw)]
    try:
        for start, stop in pairwise(edges):
            if not answer.done:
                answer.feed(raw[start:stop])
        answer.end()
        response = answer.response(httpx.Request("GET", "http://a.example/"))
    except Failure as failure:
        return failure.kind
    return response.status_code, response.headers.raw, response.content


@given(st.sampled_from(ANSWERS), MARKS, st.lists(st.integers(0, 150), max_size=6))
def test_a_damaged_answer_comes_to_the_same_however_it_is_cut(raw, marks, cuts):
    for at, gone, put in marks:
        raw = raw[:at] + put + raw[at + gone :]
    assert judged(raw, cuts) == judged(raw, []) == judged(raw, range(len(raw)))


# ------------------------------------------------------------------------ what is sent


async def test_the_request_asks_for_one_uncoded_answer(net):
    async with raw_server(ok()) as server:
        await got(net, server.url("/a?b=c"), headers={"X-Mine": "1"})
    head = server.heads[0]
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in head
    for line in (b"x-mine: 1", b"connection: close", b"accept-encoding: identity"):
        assert line in head.lower()


async def test_a_body_is_sent_with_its_length(net):
    bodies = []

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(100_000))
        writer.write(ok())

    async with raw_server(script) as server:
        await got(net, server.url(), method="POST", content=b"x" * 100_000)
    assert bodies == [b"x" * 100_000]


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b"])
async def test_a_line_break_never_gets_into_the_request(net, value):
    async with raw_server(ok()) as server:
        failure = await failed(net, server.url(), headers={"X-Mine": value})
    assert failure.kind is FailureKind.PROTOCOL
    assert server.heads == []
