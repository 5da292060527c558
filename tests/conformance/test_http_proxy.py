"""The http kind through an HTTP proxy, as users of blackbox_exporter's proxy settings expect it."""

from __future__ import annotations

import ssl

import pytest
import trustme

from monitor.model import FailureKind
from tests.conformance.asking import fails, passes
from tests.http_server import Reply, http_server
from tests.net_fixtures import raw_server
from tests.test_net_proxy import remembering, tunnels


@pytest.fixture
async def proxy():
    heads = []
    async with raw_server(remembering(heads, tunnels)) as running:
        running.connects = heads
        yield running


def through(proxy, userinfo=""):
    return {"vantage": {"proxy": f"http://{userinfo}127.0.0.1:{proxy.port}"}}


async def test_proxy_is_asked_to_connect_for_http(proxy):
    async with http_server({"/": Reply(200, b"hello")}) as server:
        await passes(server.url(), expect={"body_contains": "hello"}, **through(proxy))
        assert proxy.connects[0].startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())
        assert len(server.requests) == 1


async def test_proxy_is_asked_to_connect_for_https(proxy):
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with http_server({"/": Reply(200)}, tls=tls) as server:
        result = await passes(
            server.url(),
            tls={"ca_file": "ca.pem"},
            files={"ca.pem": authority.cert_pem.bytes()},
            **through(proxy),
        )
    assert result.evidence.certificate is not None


async def test_proxy_headers_are_for_the_proxy_only(proxy):
    async with http_server({"/": Reply(200)}) as server:
        await passes(
            server.url(),
            environ={"PROXY": f"http://user:word@127.0.0.1:{proxy.port}"},
            vantage={"proxy": "${PROXY}"},
        )
        assert server.requests[0].header("proxy-authorization") is None
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in proxy.connects[0]


async def test_proxy_that_refuses_is_told():
    refusing = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(refusing) as proxy:
        await fails("http://127.0.0.1:9/", FailureKind.CONNECT, "407", **through(proxy))


async def test_proxy_that_is_down_is_told(unused_tcp_port):
    vantage = {"proxy": f"http://127.0.0.1:{unused_tcp_port}"}
    await fails("http://127.0.0.1:9/", FailureKind.CONNECT, "proxy", vantage=vantage)


async def test_redirects_go_through_the_proxy_too(proxy):
    async with http_server({"/": Reply(200)}) as other:
        reply = Reply(302, headers=(("Location", other.url()),))
        async with http_server({"/": reply}) as server:
            await passes(server.url(), **through(proxy))
    assert len(proxy.connects) == 2
