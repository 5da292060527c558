"""Where redirects may lead, and what goes along, over real sockets."""

from __future__ import annotations

import ssl
from ipaddress import ip_network

import httpx
import pytest
import trustme

from monitor.model import FailureKind
from monitor.net.redirects import next_request
from monitor.net.tls import TlsSettings
from monitor.net.trace import Trace
from tests.http_server import Reply, http_server
from tests.net_fixtures import failed, got, made_net, raw_server


@pytest.fixture
async def net():
    async with made_net(secrets=["hunter2"]) as made:
        yield made


@pytest.fixture
async def server():
    async with http_server({"/end": Reply(200, b"the end")}) as running:
        yield running


def to(location, status=302, **headers):
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, b"", (("Location", location), *pairs))


# ------------------------------------------------------------------------ following


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_and_noted(net, server, status):
    server.replies["/"] = to("/end", status)
    trace = Trace()
    response = await got(net, server.url(), trace)
    assert response.content == b"the end"
    assert str(response.url) == server.url("/end")
    assert trace.hops == [server.url("/end")]


async def test_a_redirect_is_the_answer_where_it_is_not_to_be_followed(net, server):
    server.replies["/"] = to("/end")
    response = await got(net, server.url(), follow_redirects=False)
    assert response.status_code == 302
    assert [each.path for each in server.requests] == ["/"]


async def test_a_redirect_without_location_is_the_answer(net, server):
    server.replies["/"] = Reply(302, b"where to?")
    assert (await got(net, server.url())).content == b"where to?"


async def test_five_redirects_are_followed_and_no_more(net, server):
    for n in range(6):
        server.replies[f"/{n}"] = to(f"/{n + 1}")
    server.replies["/6"] = Reply(200, b"six")
    assert (await got(net, server.url("/1"))).content == b"six"
    failure = await failed(net, server.url("/0"))
    assert failure.kind is FailureKind.PROTOCOL
    assert str(failure) == "more than 5 redirects"


async def test_a_redirects_body_is_not_waited_for(net):
    async def script(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET / "):
            writer.write(b"HTTP/1.1 302 F\r\nLocation: /end\r\nContent-Length: 900000\r\n\r\nx")
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with raw_server(script) as server:
        assert (await got(net, server.url())).status_code == 204


async def test_phases_add_up_over_redirects(net, server):
    server.replies["/"] = to("/end")
    one, two = Trace(), Trace()
    await got(net, server.url("/end"), one)
    await got(net, server.url(), two)
    assert two.connect > 0
    assert two.transfer >= 0
    assert two.address == one.address


# ------------------------------------------------------------------------ refused


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "neither http nor https"),
        ("ftp://127.0.0.1/", "neither http nor https"),
        ("javascript:alert(1)", "neither http nor https"),
        ("http://[bad]/", "leads to no URL"),
        ("http://127.0.0.1:99999/", "no port"),
    ],
)
async def test_a_redirect_elsewhere_than_http_is_refused(net, server, location, said):
    server.replies["/"] = to(location)
    failure = await failed(net, server.url())
    assert failure.kind is FailureKind.PROTOCOL
    assert said in str(failure)


async def test_a_redirect_from_https_to_http_is_refused(net, server):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with http_server({"/": to(server.url("/end"))}, tls=tls) as secure:
        failure = await failed(net, secure.url(), tls=TlsSettings(verify=False))
    assert "http from https" in str(failure)
    assert server.requests == []


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"])
async def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(net, server, host):
    server.replies["/"] = to(f"http://{host}/latest/meta-data")
    failure = await failed(net, server.url())
    assert failure.kind is FailureKind.CONNECT
    assert host.strip("[]").removeprefix("::ffff:") in str(failure)


async def test_every_hop_is_vetted_not_only_the_first(server):
    server.replies["/"] = to(server.url("/end", host="127.0.0.2"))
    async with made_net(allow=(ip_network("127.0.0.1/32"),)) as net:
        failure = await failed(net, server.url())
    assert "127.0.0.2 is a loopback address" in str(failure)


async def test_an_address_that_is_not_allowed_is_never_contacted(server):
    async with made_net(allow=()) as net:
        for host in ("127.0.0.1", "localhost"):
            failure = await failed(net, server.url(host=host))
            assert failure.kind is FailureKind.CONNECT
            assert "network.allow_private" in str(failure)
    assert server.requests == []


async def test_a_redirect_to_two_places_fails_and_names_them(net, server):
    server.replies["/"] = Reply(302, headers=(("Location", "/end"), ("Location", "/other")))
    message = str(await failed(net, server.url()))
    assert message == 'the redirect leads to two places: "/end", "/other"'
    assert len(server.requests) == 1


async def test_a_redirect_given_twice_is_one(net, server):
    server.replies["/"] = Reply(302, headers=(("Location", "/end"), ("Location", "/end")))
    await got(net, server.url())
    assert server.requests[1].path == "/end"


@pytest.mark.parametrize("location", ["http:///end", "http:end", "HTTP:/end", "https:?end"])
async def test_a_redirect_without_a_host_is_not_guessed_at(net, server, location):
    server.replies["/"] = to(location)
    assert "no host" in str(await failed(net, server.url()))


async def test_a_redirect_of_exactly_the_limit_is_followed_and_one_character_more_is_not(
    net, server
):
    server.replies["/"] = to("/end?" + "x" * 8187)
    await got(net, server.url())
    server.replies["/"] = to("/end?" + "x" * 8188)
    assert "more than 8192 characters" in str(await failed(net, server.url()))


async def test_secrets_of_a_url_are_not_noted(net, server):
    server.replies["/"] = to("/end?key=hunter2")
    trace = Trace()
    await got(net, server.url(), trace)
    assert trace.hops == [server.url("/end?key=***")]


@pytest.mark.parametrize("before", range(230, 300, 7))
async def test_no_part_of_a_secret_is_left_where_a_message_is_cut(net, server, before):
    server.replies["/"] = to("file:///" + "x" * before + "hunter2")
    message = str(await failed(net, server.url()))
    assert len(message) <= 300
    assert "hunt" not in message


# ------------------------------------------------------------------------ what goes along

SENT = {
    "Authorization": "Bearer abc",
    "Cookie": "mine=1",
    "X-Api-Key": "abc",
    "Accept": "text/html",
    "User-Agent": "monitor",
}


async def test_headers_go_along_within_an_origin(net, server):
    server.replies["/"] = to("/end")
    await got(net, server.url(), headers=SENT)
    for name, value in SENT.items():
        assert server.requests[1].header(name.lower()) == value


async def test_credentials_stay_behind_at_another_origin(net, server):
    async with http_server({"/": to(server.url("/end"))}) as first:
        await got(net, first.url(), headers=SENT)
    sent = server.requests[0]
    assert (sent.header("accept"), sent.header("user-agent")) == ("text/html", "monitor")
    assert [sent.header(each) for each in ("authorization", "cookie", "x-api-key")] == [None] * 3
    assert sent.header("host") == f"127.0.0.1:{server.port}"


async def test_credentials_in_a_location_are_dropped(net, server):
    server.replies["/"] = to(f"http://user:pw@127.0.0.1:{server.port}/end")
    trace = Trace()
    await got(net, server.url(), trace)
    assert trace.hops == [server.url("/end")]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (307, "POST", "POST"),
        (308, "PUT", "PUT"),
        (302, "PUT", "PUT"),
    ],
)
async def test_method_and_body_go_along_as_the_status_says(net, server, status, method, then):
    server.replies["/"] = to("/end", status)
    await got(net, server.url(), method=method, content=b"order")
    second = server.requests[1]
    assert (second.method, second.body) == (then, b"" if then == "GET" else b"order")


def test_a_head_request_stays_one():
    request = httpx.Request("HEAD", "http://a.example/")
    response = httpx.Response(303, headers={"location": "/b"}, request=request)
    assert next_request(response, httpx.Cookies()).method == "HEAD"


async def test_a_body_never_goes_to_another_origin(net, server):
    async with http_server({"/": to(server.url("/end"), 307)}) as first:
        failure = await failed(net, first.url(), method="POST", content=b"password")
    assert "another origin" in str(failure)
    assert server.requests == []


async def test_cookies_set_on_the_way_are_sent_on(net, server):
    server.replies["/"] = to("/end", Set_Cookie="session=42; Path=/; HttpOnly")
    await got(net, server.url(), headers={"Cookie": "mine=1"})
    assert server.requests[1].header("cookie") == "mine=1; session=42"


async def test_cookies_of_one_host_are_not_sent_to_another(net, server):
    server.replies["/"] = to(server.url("/end", host="127.0.0.2"), Set_Cookie="session=42")
    async with http_server({"/end": Reply()}, host="127.0.0.2") as other:
        server.replies["/"] = to(other.url("/end"), Set_Cookie="session=42; Path=/")
        await got(net, server.url())
    assert other.requests[0].header("cookie") is None


async def test_nothing_is_remembered_from_one_exchange_to_the_next(net, server):
    server.replies["/"] = to("/end", Set_Cookie="session=42; Path=/")
    await got(net, server.url())
    await got(net, server.url("/end"))
    assert server.requests[2].header("cookie") is None
