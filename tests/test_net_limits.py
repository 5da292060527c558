"""Every limit and every deadline, over real sockets: nothing is taken in, or waited for, longer."""

from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import closing, contextmanager

import pytest

from monitor.model import FailureKind, Vantage
from monitor.net.trace import Trace
from tests.net_fixtures import failed, got, made_net, ok, raw_server

SOON = 0.2


@pytest.fixture
async def net():
    async with made_net() as made:
        yield made


async def broken(net, raw, **wishes):
    async with raw_server(raw, hang=True) as server:
        return await failed(net, server.url(), **wishes)


# ------------------------------------------------------------------------ size


async def test_a_body_longer_than_the_limit_fails_before_it_is_sent_whole():
    async with made_net(body_bytes=1000) as net:
        announced = await broken(net, b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
        endless = await broken(net, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001)
    for failure in (announced, endless):
        assert failure.kind is FailureKind.BODY
        assert "1000 bytes" in str(failure)


async def test_a_body_of_exactly_the_limit_passes():
    async with made_net(body_bytes=1000) as net, raw_server(ok(b"x" * 1000)) as server:
        assert len((await got(net, server.url())).content) == 1000


async def test_a_gzip_bomb_is_stopped_at_the_limit(net):
    bomb = gzip.compress(bytes(100_000_000))
    failure = await broken(net, ok(bomb, b"Content-Encoding: gzip"))
    assert failure.kind is FailureKind.BODY


async def test_a_head_longer_than_the_limit_fails_although_it_does_not_end(net):
    raw = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * net.limits.header_bytes
    failure = await broken(net, raw)
    assert failure.kind is FailureKind.PROTOCOL
    assert "65536 bytes" in str(failure)


async def test_informational_heads_count_toward_the_same_limit(net):
    hints = b"HTTP/1.1 103 Hints\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n"
    assert "65536 bytes" in str(await broken(net, hints * 4 + ok()))


async def test_a_hundred_header_lines_pass_and_one_more_fails(net):
    def head(lines):
        return ok(b"", *(b"X-%d: y" % n for n in range(lines - 1)))

    async with raw_server(head(100)) as server:
        assert (await got(net, server.url())).status_code == 200
    assert "100 lines" in str(await broken(net, head(101)))


async def test_trailers_are_limited_like_headers(net):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    assert "trailers" in str(await broken(net, chunked + b"X: y\r\n" * 102 + b"\r\n"))


async def test_framing_that_outgrows_the_wire_limit_fails(net):
    extension = b"1;" + b"x" * 2_000_000
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + extension
    assert "on the wire" in str(await broken(net, raw))


# ------------------------------------------------------------------------ time


async def test_silence_ends_at_the_deadline_and_says_what_was_waited_for(net):
    trace = Trace()
    began = net.clock.monotonic()
    failure = await broken(net, b"", trace=trace, deadline=SOON)
    assert SOON <= net.clock.monotonic() - began < SOON + 1
    assert failure.kind is FailureKind.TIMEOUT
    assert str(failure) == "no answer within 0.2 s while waiting for the first byte"
    assert SOON / 2 < trace.processing < SOON + 1
    assert trace.connect > 0
    assert (trace.tls, trace.transfer) == (None, None)
    assert trace.address.startswith("127.0.0.1:")


def dripping(opening, drop):
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(opening)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0)

    return drip


@pytest.mark.parametrize(
    ("opening", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["head", "length", "chunks"],
)
async def test_a_dripping_answer_ends_at_the_deadline_or_a_limit(net, opening, drop):
    trace = Trace()
    began = net.clock.monotonic()
    async with raw_server(dripping(opening, drop)) as server:
        failure = await failed(net, server.url(), trace, deadline=SOON)
    assert net.clock.monotonic() - began < SOON + 1
    if failure.kind is FailureKind.TIMEOUT:
        assert "while receiving the answer" in str(failure)
        assert trace.transfer > 0
    else:
        assert failure.kind in (FailureKind.PROTOCOL, FailureKind.BODY)


@pytest.mark.parametrize(
    "half", [b"HTTP/1.1 200 OK\r\nX-Ha", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]
)
async def test_an_answer_that_stops_half_way_ends_at_the_deadline(net, half):
    failure = await broken(net, half, deadline=SOON)
    assert str(failure) == "no answer within 0.2 s while receiving the answer"


@contextmanager
def black_hole():
    """Listen with a full backlog, so that one more connection gets no answer at all."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - the way of sockets
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


async def test_a_black_hole_ends_at_the_limit_of_connecting():
    trace = Trace()
    async with made_net(connect=SOON) as net:
        with black_hole() as port:
            failure = await failed(net, f"http://127.0.0.1:{port}/", trace, deadline=5)
    assert failure.kind is FailureKind.TIMEOUT
    assert str(failure) == "no answer within 0.2 s while connecting"
    assert SOON / 2 < trace.connect < SOON + 1
    assert trace.processing is None


async def test_a_deadline_nearer_than_the_limit_is_the_one_that_is_named(net):
    with black_hole() as port:
        failure = await failed(net, f"http://127.0.0.1:{port}/", deadline=SOON)
    assert str(failure) == "no answer within 0.2 s while connecting"


async def test_a_server_that_never_shakes_hands_ends_at_the_limit_of_tls():
    async def mute(reader, writer):
        await reader.read(1)
        await asyncio.Event().wait()

    async with made_net(tls=SOON) as net, raw_server(mute) as server:
        url = server.url().replace("http:", "https:")
        failure = await failed(net, url)
    assert str(failure) == "no answer within 0.2 s during the TLS handshake"


async def test_a_server_that_listens_but_never_accepts_is_waited_for_no_longer(net):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        failure = await failed(net, url, deadline=SOON)
    assert "while waiting for the first byte" in str(failure)


async def test_the_deadline_is_over_all_redirects_together(net):
    async def silent_at_last(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if len(server.peers) > 2:
            await asyncio.Event().wait()
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n")

    async with raw_server(silent_at_last) as server:
        failure = await failed(net, server.url(), deadline=SOON)
    assert failure.kind is FailureKind.TIMEOUT
    assert len(server.peers) == 3


# ------------------------------------------------------------------------ being cancelled


async def test_a_cancelled_exchange_is_cancelled_and_closes_its_connection(net):
    asked, gone = asyncio.Event(), asyncio.Event()

    async def waits(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()

    async with raw_server(waits) as server:
        task = asyncio.create_task(got(net, server.url()))
        await asyncio.wait_for(asked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 5)


# ------------------------------------------------------------------------ connecting


async def test_a_closed_port_fails_in_the_systems_words(net):
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        failure = await failed(net, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert failure.kind is FailureKind.CONNECT
    assert "connection refused" in str(failure)
    assert isinstance(failure.__cause__, OSError)


async def test_the_server_sees_the_source_address_of_the_vantage(net):
    async with raw_server(ok()) as server:
        for source in ("127.0.0.1", "127.0.0.7"):
            await got(net, server.url(), vantage=Vantage("v", "n", source_address=source))
    assert server.peers == ["127.0.0.1", "127.0.0.7"]


async def test_a_source_address_that_is_not_ours_is_named(net):
    async with raw_server(ok()) as server:
        vantage = Vantage("v", "n", source_address="192.0.2.1")
        failure = await failed(net, server.url(), vantage=vantage)
    assert failure.kind is FailureKind.CONNECT
    assert "source address 192.0.2.1" in str(failure)


async def test_all_phases_that_were_reached_are_timed(net):
    trace = Trace()
    async with raw_server(ok()) as server:
        await got(net, server.url(), trace)
    reached = (trace.resolve, trace.connect, trace.processing, trace.transfer)
    assert all(seconds >= 0 for seconds in reached)
    assert trace.tls is None
    assert trace.name_fresh is None
    assert trace.address == f"127.0.0.1:{server.port}"


async def test_every_exchange_is_a_connection_of_its_own(net):
    async with raw_server(ok()) as server:
        for _ in range(3):
            await got(net, server.url())
    assert len(server.peers) == 3
