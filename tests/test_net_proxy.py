"""Vantages behind a proxy, and the client that channels get, over real sockets."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
import trustme

from monitor.model import FailureKind, Vantage
from monitor.net.failure import Failure
from monitor.net.tls import TlsSettings
from monitor.net.trace import Trace
from tests.http_server import Reply, http_server
from tests.net_fixtures import failed, got, made_net, ok, raw_server


@pytest.fixture
async def net():
    async with made_net(secrets=["hunter2"]) as made:
        yield made


@pytest.fixture
async def server():
    async with http_server({"/": Reply(200, b"hello")}) as running:
        yield running


async def pumped(reader, writer):
    while raw := await reader.read(65536):
        writer.write(raw)
        await writer.drain()


async def tunnels(reader, writer):
    """A real proxy of the smallest kind: it connects where it is asked to, and pumps."""
    head = await reader.readuntil(b"\r\n\r\n")
    host, _, port = head.split()[1].decode().rpartition(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
    pumps = {asyncio.create_task(pumped(reader, back)), asyncio.create_task(pumped(there, writer))}
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        back.close()


def remembering(heads, script):
    """Keep the head of every request, and leave it for the script to read again."""

    async def remembers(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        reader._buffer[:0] = head
        await script(reader, writer)

    return remembers


def behind(proxy, user=""):
    return Vantage("v", "n", proxy=f"http://{user}127.0.0.1:{proxy.port}")


# ------------------------------------------------------------------------ proxies


async def test_the_proxy_is_asked_to_connect_to_the_vetted_address(net, server):
    heads = []
    async with raw_server(remembering(heads, tunnels)) as proxy:
        trace = Trace()
        vantage = behind(proxy)
        response = await got(net, server.url(host="app.localhost"), trace, vantage=vantage)
    assert response.content == b"hello"
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization" not in heads[0]
    assert server.requests[0].header("host") == f"app.localhost:{server.port}"
    assert trace.address == f"127.0.0.1:{server.port}"


async def test_tls_goes_through_the_tunnel(net):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with raw_server(ok(), tls=tls) as secure, raw_server(tunnels) as proxy:
        trace = Trace()
        await got(net, secure.url(), trace, vantage=behind(proxy), tls=TlsSettings(verify=False))
    assert trace.certificate.names == ("127.0.0.1",)
    assert trace.tls > 0


async def test_the_proxys_credentials_go_to_the_proxy_only(net, server):
    heads = []
    async with raw_server(remembering(heads, tunnels)) as proxy:
        await got(net, server.url(), vantage=behind(proxy, "user:p%40ss@"))
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in heads[0]
    assert server.requests[0].header("proxy-authorization") is None


async def test_an_address_that_is_not_allowed_is_not_asked_of_the_proxy(server):
    heads = []
    async with made_net(allow=()) as net, raw_server(remembering(heads, tunnels)) as proxy:
        failure = await failed(net, server.url(), vantage=behind(proxy))
    assert "network.allow_private" in str(failure)
    assert heads == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "proxy answered 403 Forbidden"),
        (b"HTTP/1.1 407 Who?\r\n\r\n", "proxy answered 407 Who?"),
        (b"SSH-2.0-x\r\n", "proxy: the answer is not HTTP/1"),
        (b"", "proxy: the connection was closed"),
    ],
)
async def test_a_proxy_that_will_not_is_a_connect_failure(net, server, raw, said):
    async with raw_server(raw) as proxy:
        failure = await failed(net, server.url(), vantage=behind(proxy))
    assert failure.kind is FailureKind.CONNECT
    assert said in str(failure)
    assert server.requests == []


async def test_a_proxy_that_is_gone_is_named_as_such(net, server):
    vantage = Vantage("v", "n", proxy="http://127.0.0.1:1")
    failure = await failed(net, server.url(), vantage=vantage)
    assert failure.kind is FailureKind.CONNECT
    assert str(failure).startswith("proxy 127.0.0.1 port 1: connection refused")


async def test_a_silent_proxy_ends_at_the_limit_of_connecting(server):
    async with made_net(connect=0.2) as net, raw_server(b"", hang=True) as proxy:
        failure = await failed(net, server.url(), vantage=behind(proxy))
    assert str(failure) == "no answer within 0.2 s while connecting"


async def test_a_proxy_of_another_scheme_is_refused(net, server):
    vantage = Vantage("v", "n", proxy="socks5://127.0.0.1:1080")
    failure = await failed(net, server.url(), vantage=vantage)
    assert failure.kind is FailureKind.CONNECT


async def test_what_the_proxy_sends_along_belongs_to_the_answer(net):
    async def hasty(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Yes\r\n\r\n" + ok(b"early"))
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(hasty) as proxy:
        response = await got(net, "http://127.0.0.1:1/", vantage=behind(proxy))
    assert response.content == b"early"


# ------------------------------------------------------------------------ channels


async def test_a_channels_client_posts_and_reads_the_answer(net, server):
    async with net.client(5.0) as client:
        response = await client.post(server.url(), json={"a": 1})
    assert (response.status_code, response.text) == (200, "hello")
    assert server.requests[0].body == b'{"a":1}'
    assert server.requests[0].header("accept-encoding") == "identity"


async def test_a_channels_client_follows_no_redirect(net, server):
    server.replies["/"] = Reply(302, headers=(("Location", "http://10.0.0.1/"),))
    async with net.client(5.0) as client:
        assert (await client.get(server.url())).status_code == 302


async def test_a_channels_client_is_vetted_and_limited_alike(net, server):
    server.replies["/"] = Reply(200, b"x" * 300_000)
    async with net.client(5.0) as client:
        with pytest.raises(Failure) as long:
            await client.get(server.url())
        with pytest.raises(Failure) as private:
            await client.get("http://10.0.0.1/")
    assert (long.value.kind, private.value.kind) == (FailureKind.BODY, FailureKind.CONNECT)


async def test_a_channels_timeout_is_over_everything(net, server):
    server.replies["/"] = Reply(hang=True)
    async with net.client(0.2) as client:
        with pytest.raises(httpx.TransportError, match=r"within 0\.2 s"):
            await client.get(server.url())


async def test_a_stream_of_unknown_length_is_sent_with_its_length(net, server):
    async def pieces():
        yield b"one "
        yield b"two"

    async with net.client(5.0) as client:
        await client.post(server.url(), content=pieces())
    assert server.requests[0].body == b"one two"


async def test_a_vantages_transport_leaves_from_there(net, server):
    transport = net.transport(Vantage("v", "n", source_address="127.0.0.5"))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get(server.url())
    assert server.requests[0].peer == "127.0.0.5"
