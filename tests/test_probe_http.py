"""The http probe over real sockets: what it sends, what it makes of answers, what it keeps."""

from __future__ import annotations

import asyncio
import base64
import errno
import resource
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import httpx
import pytest
import trustme

from monitor.clock import Clock, real_clock
from monitor.model import (
    Cell,
    CellKey,
    FailureKind,
    Outcome,
    Vantage,
)
from monitor.net.failure import Failure
from monitor.net.hop import Wishes
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.net.tls import TlsSettings
from monitor.probes import PROBES, Ask, Means, http
from monitor.probes.assertions import Expect
from monitor.probes.http import BasicAuth, HttpOptions
from tests.http_server import Reply, http_server
from tests.probe_fixtures import cell_for

LOOPBACK = (ip_network("127.0.0.0/8"),)
LONDON = Vantage("london", "net-a", source_address="127.0.0.1")


@pytest.fixture
async def net():
    made = Net(real_clock(), Limits(), LOOPBACK, Redactor([Secret("hunter2")]))
    yield made
    await made.aclose()


@pytest.fixture
async def server():
    async with http_server() as running:
        yield running


def cell_of(url, options=None, **fields):
    options = options or HttpOptions(url, **fields)
    return cell_for("http", options, url, vantage=LONDON)


async def probed(net, url, deadline=5.0, **fields):
    return await PROBES["http"].probe(cell_of(url, **fields), Ask("r1", deadline), Means(net))


async def answered(net, server, reply, **fields):
    server.replies["/"] = reply
    return await probed(net, server.url(), **fields)


# ------------------------------------------------------------------------ passing


async def test_a_probe_leaves_nothing_in_what_the_next_one_of_its_target_sends(net, server):
    cookie = (("Set-Cookie", "session=1"), ("Location", "/in"))
    server.replies["/"] = Reply(302, headers=cookie)
    server.replies["/in"] = Reply(body=b"Sign in")
    options = HttpOptions(server.url(), method="POST", body="a=1")
    cell = cell_of(server.url(), options)
    for _ in range(2):
        result = await PROBES["http"].probe(cell, Ask("r1", 5.0), Means(net))
        assert result.outcome is Outcome.PASS
    first, followed, again, _ = server.requests
    assert (first.method, first.body, first.header("cookie")) == ("POST", b"a=1", None)
    assert (followed.method, followed.header("cookie")) == ("GET", "session=1")
    assert again == first


async def test_targets_of_one_check_are_asked_at_their_own_addresses(net, server):
    server.replies["/a"] = server.replies["/b"] = Reply(body=b"Sign in")
    options = HttpOptions(server.url("/{tenant}"))
    for path in ("/a", "/b", "/a"):
        await PROBES["http"].probe(cell_of(server.url(path), options), Ask("r1", 5.0), Means(net))
    assert [request.path for request in server.requests] == ["/a", "/b", "/a"]


async def test_a_pass_tells_who_when_and_how_long(net, server):
    before = net.clock.now()
    result = await answered(net, server, Reply(body=b"Sign in"))
    after = net.clock.now()
    assert (result.outcome, result.failure) == (Outcome.PASS, None)
    assert (result.id, result.fingerprint) == ("r1", "f1")
    assert result.cell == CellKey("crm", "sign-in", "acme", "london")
    assert before.mono <= result.sent_mono <= result.observed_mono <= after.mono
    assert before.at <= result.observed_at <= after.at
    phases = result.phases
    assert phases.tls is None
    for seconds in (phases.resolve, phases.connect, phases.processing, phases.transfer):
        assert 0 <= seconds <= result.observed_mono - result.sent_mono


async def test_a_pass_keeps_everything_but_message_and_body(net, server):
    headers = (
        ("Server", "nginx"),
        ("X-Request-Id", "77"),
        ("Set-Cookie", "session=1"),
        ("X-Whatever", "1"),
        ("Date", "Mon, 01 Jan 2029 00:00:00 GMT"),
    )
    result = await answered(net, server, Reply(200, b"Sign in", headers))
    evidence = result.evidence
    assert (evidence.message, evidence.body) == ("", "")
    assert evidence.address == f"127.0.0.1:{server.port}"
    assert (evidence.status, evidence.status_line) == (200, "HTTP/1.1 200 OK")
    kept = dict(evidence.headers)
    assert kept["server"] == "nginx"
    assert kept["x-request-id"] == "77"
    assert kept["date"] == "Mon, 01 Jan 2029 00:00:00 GMT"
    assert kept["content-length"] == "7"
    assert not {"set-cookie", "x-whatever"} & set(kept)


async def test_the_request_is_made_of_the_options(net, server):
    await answered(
        net,
        server,
        Reply(202),
        method="POST",
        headers={"X-Tenant": "acme", "Host": "crm.example.test"},
        body='{"größe": 1}',
        bearer=Secret("token-1"),
    )
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/")
    assert request.body == '{"größe": 1}'.encode()
    assert request.header("x-tenant") == "acme"
    assert request.header("host") == "crm.example.test"
    assert request.header("authorization") == "Bearer token-1"
    assert request.header("accept-encoding") == "identity"


async def test_basic_credentials_are_sent(net, server):
    await answered(net, server, Reply(), basic=BasicAuth("user", Secret("pässword")))
    sent = server.requests[0].header("authorization")
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == "user:pässword"


async def test_a_default_header_can_be_replaced(net, server):
    await answered(net, server, Reply(), headers={"User-Agent": "mine"})
    assert [v for k, v in server.requests[0].headers if k.lower() == "user-agent"] == ["mine"]


async def test_a_probe_leaves_from_its_vantage(net, server):
    cell = cell_of(server.url())
    leeds = Cell(cell.key, cell.check, cell.target, Vantage("leeds", "b", "127.0.0.2"))
    await http.probe(leeds, Ask("r1", 5.0), Means(net))
    assert server.requests[0].peer == "127.0.0.2"


async def test_head_is_answered_without_a_body(net, server):
    result = await answered(net, server, Reply(body=b"long"), method="HEAD")
    assert result.outcome is Outcome.PASS


async def test_a_redirect_is_followed_and_told(net, server):
    server.replies["/new"] = Reply(500, b"oops")
    result = await answered(net, server, Reply(302, headers=(("Location", "/new"),)))
    assert [request.path for request in server.requests] == ["/", "/new"]
    assert (result.failure, result.evidence.status) == (FailureKind.STATUS, 500)
    assert any("/new" in warning for warning in result.evidence.warnings)


async def test_a_redirect_that_is_not_followed_passes_when_it_is_listed(net, server):
    moved = Reply(302, headers=(("Location", "/new"),))
    listed = Expect(status=(302,), headers={"location": "^/new$"})
    result = await answered(net, server, moved, follow_redirects=False, expect=listed)
    assert result.outcome is Outcome.PASS
    assert len(server.requests) == 1


async def test_many_probes_of_one_check_run_side_by_side(net, server):
    server.replies["/"] = Reply(body=b"ok")
    cell = cell_of(server.url(), expect=Expect(body_contains=("ok",)))
    asks = [Ask(f"r{n}", 10.0) for n in range(50)]
    results = await asyncio.gather(*(http.probe(cell, ask, Means(net)) for ask in asks))
    assert [result.id for result in results] == [ask.id for ask in asks]
    assert {result.outcome for result in results} == {Outcome.PASS}


# ------------------------------------------------------------------------ failing answers


@pytest.mark.parametrize("status", [300, 404, 500, 503])
async def test_a_status_that_is_not_expected_fails(net, server, status):
    result = await answered(net, server, Reply(status, b"sorry"), follow_redirects=False)
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.STATUS)
    assert result.evidence.message.startswith(f"status {status} ")
    assert result.evidence.message.endswith("(expected 200-299)")
    assert result.evidence.body == "sorry"


async def test_all_that_is_broken_is_told_in_one_message(net, server):
    expect = Expect(
        body_contains=("Sign in",),
        json=('$.status == "ok"',),
        headers={"content-type": "json"},
        within=1e-6,
    )
    reply = Reply(body=b'{"status": "down"}', headers=(("content-type", "text/plain"),))
    result = await answered(net, server, reply, expect=expect)
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.BODY)
    header, body, json, slow = result.evidence.message.split("; ")
    assert header == 'header content-type (text/plain) does not match "json"'
    assert body == 'body lacks "Sign in"'
    assert json == '$.status (down) == "ok"'
    assert slow.endswith("(expected within 1e-06 s)")


async def test_an_answer_that_is_only_late_is_slow(net, server):
    result = await answered(net, server, Reply(), expect=Expect(within=1e-6))
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.SLOW)


# ------------------------------------------------------------------------ blocked and maintenance


@pytest.mark.parametrize("status", [401, 403, 407, 429])
async def test_being_turned_away_is_blocked_not_down(net, server, status):
    reply = Reply(status, b"go away", headers=(("Retry-After", "30"),))
    result = await answered(net, server, reply)
    assert (result.outcome, result.failure) == (Outcome.BLOCKED, None)
    assert result.evidence.message.startswith(f"monitor turned away with status {status} ")
    assert ("retry-after", "30") in result.evidence.headers
    assert result.evidence.body == "go away"


async def test_a_401_that_is_expected_passes(net, server):
    result = await answered(net, server, Reply(401), expect=Expect(status=(401,)))
    assert result.outcome is Outcome.PASS


async def test_a_403_that_is_an_outage_page_fails(net, server):
    reply = Reply(403, b"<h1>Error 1020: origin is unreachable</h1>")
    result = await answered(net, server, reply, outage_bodies=("origin is (down|unreachable)",))
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.STATUS)
    assert "status 403 Forbidden tells of an outage" in result.evidence.message


@pytest.mark.parametrize("status", [200, 500])
async def test_a_page_that_locks_us_out_is_blocked_whatever_its_status(net, server, status):
    reply = Reply(status, b"Please solve this captcha")
    result = await answered(net, server, reply, locked_out=("(?i)CAPTCHA",))
    assert (result.outcome, result.failure) == (Outcome.BLOCKED, None)
    assert "monitor locked out" in result.evidence.message


@pytest.mark.parametrize("status", [200, 403, 503])
async def test_a_maintenance_page_fails_as_such_whatever_its_status(net, server, status):
    reply = Reply(status, b"We'll be back soon")
    result = await answered(
        net,
        server,
        reply,
        maintenance_pages=("be back soon",),
        outage_bodies=("back",),
        locked_out=("soon",),
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.MAINTENANCE_PAGE)


# ------------------------------------------------------------------------ no answer


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def test_a_closed_port_is_a_connect_failure(net):
    port = closed_port()
    result = await probed(net, f"http://127.0.0.1:{port}/")
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.CONNECT)
    assert result.evidence.message
    assert result.evidence.address == f"127.0.0.1:{port}"
    assert result.phases.processing is None


async def test_silence_is_a_timeout_at_the_deadline(net, server):
    result = await answered(net, server, Reply(hang=True), deadline=0.2)
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert "0.2 s" in result.evidence.message
    assert 0.15 <= result.observed_mono - result.sent_mono < 1.2


async def test_a_body_that_stops_half_way_is_a_timeout(net, server):
    half = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", hang=True)
    result = await answered(net, server, half, deadline=0.2)
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)


async def test_a_connection_that_ends_without_an_answer_is_a_reset(net, server):
    result = await answered(net, server, Reply(raw=b""))
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.RESET)


async def test_what_is_not_http_is_a_protocol_failure(net, server):
    result = await answered(net, server, Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"))
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.PROTOCOL)


async def test_an_address_that_is_not_allowed_is_refused_with_the_remedy(server):
    strict = Net(real_clock(), Limits(), (), Redactor([]))
    result = await probed(strict, server.url())
    await strict.aclose()
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.CONNECT)
    assert "network.allow_private" in result.evidence.message
    assert server.requests == []


# ------------------------------------------------------------------------ TLS


def tls_context(ca, *names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


async def test_an_untrusted_certificate_fails_and_is_kept(net):
    async with http_server({"/": Reply()}, tls=tls_context(trustme.CA(), "127.0.0.1")) as server:
        result = await probed(net, server.url())
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TLS)
    assert result.evidence.certificate.names == ("127.0.0.1",)
    assert server.requests == []


async def test_an_untrusted_certificate_passes_where_that_is_asked_for(net):
    async with http_server({"/": Reply()}, tls=tls_context(trustme.CA(), "127.0.0.1")) as server:
        result = await probed(net, server.url(), tls=TlsSettings(verify=False))
    assert result.outcome is Outcome.PASS
    assert result.phases.tls > 0
    assert result.evidence.certificate.not_after > result.observed_at


# ------------------------------------------------------------------------ evidence


async def test_no_secret_reaches_the_evidence(net, server):
    reply = Reply(
        500,
        b"your password is hunter2",
        headers=(("X-Request-Id", "hunter2"), ("Location", "/?key=hunter2")),
        reason="hunter2 was wrong",
    )
    result = await answered(
        net, server, reply, bearer=Secret("hunter2"), expect=Expect(headers={"location": "^/ok"})
    )
    assert result.failure is FailureKind.STATUS
    assert "hunter2" not in repr(result)


async def test_evidence_keeps_the_first_four_kib_of_the_body(net, server):
    result = await answered(net, server, Reply(500, b"x" * 100_000))
    assert result.evidence.body == "x" * net.limits.evidence_bytes


async def test_evidence_holds_no_character_that_harms_its_reader(net, server):
    reply = Reply(500, b"a\x00b\x1b[31mc\xe2\x80\xaed\xff", reason="odd\x1breason")
    result = await answered(net, server, reply)
    kept = result.evidence.message + result.evidence.body + result.evidence.status_line
    assert kept.isprintable()


async def test_the_message_is_bounded_however_much_is_broken(net, server):
    expect = Expect(body_contains=tuple(f"text number {n}" for n in range(1000)))
    result = await answered(net, server, Reply(), expect=expect)
    assert len(result.evidence.message) <= 2000


# ------------------------------------------------------------------------ nothing of the target


class FakeNet:
    """Stands where a Net would and does what a test says."""

    def __init__(self, does):
        self.clock = Clock(lambda: datetime(2029, 1, 1, tzinfo=UTC), lambda: 7.0)
        self.limits = Limits()
        self.redactor = Redactor([Secret("hunter2")])
        self.does = does
        self.asked = []

    async def exchange(self, vantage, request, _trace, **wishes):
        self.asked.append((vantage, request, wishes))
        return self.does()


def raising(error, cause=None):
    def does():
        raise error from cause

    return FakeNet(does)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
@pytest.mark.parametrize("wrapped", [True, False])
async def test_what_the_prober_lacks_is_invalid(code, wrapped):
    lack = OSError(code, "none left")
    net = raising(Failure(FailureKind.CONNECT, "no socket"), lack) if wrapped else raising(lack)
    result = await probed(net, "http://127.0.0.1/")
    assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    assert result.evidence.message.startswith("the prober is out of descriptors or memory: ")


async def test_having_no_descriptor_left_is_invalid_for_real(net, server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        result = await answered(net, server, Reply())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.outcome is Outcome.INVALID
    assert server.requests == []


async def test_memory_running_out_is_invalid():
    result = await probed(raising(MemoryError()), "http://127.0.0.1/")
    assert result.outcome is Outcome.INVALID


async def test_an_error_of_the_network_that_is_no_shortage_is_a_failure():
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    net = raising(Failure(FailureKind.CONNECT, "connection refused"), refused)
    result = await probed(net, "http://127.0.0.1/")
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.CONNECT)
    assert result.evidence.message == "connection refused"


async def test_an_unforeseen_error_is_invalid_and_tells_its_type_without_secrets():
    net = raising(ZeroDivisionError("by hunter2\n\ud800"))
    result = await probed(net, "http://127.0.0.1/")
    assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    message = result.evidence.message
    assert message.startswith("the probe broke: ZeroDivisionError: by ")
    assert "hunter2" not in message
    assert message.isprintable()


@pytest.mark.parametrize("url", ["http://[::1/", "http://h\x00/", "http://h:99999999/", ""])
async def test_a_url_that_is_none_is_invalid(net, url):
    cell = cell_of(url, HttpOptions("{site}/"))
    result = await http.probe(cell, Ask("r1", 1.0), Means(net))
    assert result.outcome in {Outcome.INVALID, Outcome.FAIL}
    assert result.evidence.message


async def test_options_of_another_kind_are_invalid():
    result = await http.probe(
        cell_of("http://h/", object()), Ask("r1", 1.0), Means(raising(OSError()))
    )
    assert result.outcome is Outcome.INVALID
    assert "HttpOptions" in result.evidence.message


async def test_only_cancellation_leaves_a_probe(net, server):
    arrived = asyncio.Event()

    def hang(request):
        arrived.set()
        return Reply(hang=True)

    server.replies["/"] = hang
    task = asyncio.create_task(probed(net, server.url()))
    async with asyncio.timeout(5):
        await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_clock_and_the_wishes_reach_the_safety_layer():
    net = FakeNet(lambda: httpx.Response(200))
    cell = cell_of(
        "http://127.0.0.1/", tls=TlsSettings(verify=False), strict_http=True, follow_redirects=False
    )
    result = await http.probe(cell, Ask("r1", 2.5, fresh=True), Means(net))
    ((vantage, request, wishes),) = net.asked
    assert vantage is LONDON
    assert str(request.url) == "http://127.0.0.1/"
    assert wishes == {
        "deadline": 2.5,
        "wishes": Wishes(
            fresh=True,
            follow_redirects=False,
            tls=TlsSettings(verify=False),
            strict_http=True,
        ),
    }
    assert (result.sent_mono, result.observed_mono) == (7.0, 7.0)
    assert result.observed_at - datetime(2029, 1, 1, tzinfo=UTC) == timedelta()
