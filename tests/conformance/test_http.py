"""The http kind does what users of blackbox_exporter's http prober expect: status to body."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest

from monitor.model import FailureKind, Outcome
from tests.conformance.asking import Asked, fails, passes, probed
from tests.http_server import Reply, http_server
from tests.net_fixtures import raw_server

TEXT = b"a body that is long enough to be worth packing " * 20


def raw_deflate(body):
    packed = zlib.compressobj(wbits=-15)
    return packed.compress(body) + packed.flush()


# ------------------------------------------------------------------------ status codes


@pytest.mark.parametrize(
    ("status", "listed", "passing"),
    [
        (200, None, True),
        (201, None, True),
        (299, None, True),
        (300, None, False),
        (404, None, False),
        (404, [200, 404], True),
        (200, [404, 200], True),
        (201, [200, 404], False),
        (404, [404], True),
        (200, [404], False),
        (503, ["500-599"], True),
        (200, ["500-599"], False),
    ],
)
async def test_http_status_codes(status, listed, passing):
    expect = {} if listed is None else {"status": listed}
    async with http_server({"/": Reply(status, reason="As Told")}) as server:
        result = await probed(server.url(), expect=expect)
    assert (result.outcome is Outcome.PASS) is passing
    assert result.evidence.status == status
    if not passing:
        assert f"status {status}" in result.evidence.message


@pytest.mark.parametrize(
    ("spoken", "allowed", "passing"),
    [
        ("HTTP/1.0", ["HTTP/1.0"], True),
        ("HTTP/1.1", ["HTTP/1.1"], True),
        ("HTTP/1.0", ["HTTP/1.0", "HTTP/1.1"], True),
        ("HTTP/1.1", ["HTTP/1.0", "HTTP/1.1"], True),
        ("HTTP/1.1", ["HTTP/1.0"], False),
        ("HTTP/1.0", ["HTTP/1.1"], False),
        ("HTTP/1.0", [], True),
    ],
)
async def test_valid_http_version(spoken, allowed, passing):
    async with raw_server(f"{spoken} 200 OK\r\nContent-Length: 0\r\n\r\n".encode()) as server:
        result = await probed(server.url(), expect={"http_version": allowed})
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert result.failure is FailureKind.PROTOCOL
        assert f"version {spoken}" in result.evidence.message


# ------------------------------------------------------------------------ length and coding


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        (None, TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
    ids=["none", "identity", "gzip", "deflate", "raw-deflate"],
)
async def test_content_length(coding, packed):
    headers = (("Content-Encoding", coding),) if coding else ()
    async with http_server({"/": Reply(200, packed, headers)}) as server:
        await passes(server.url(), expect={"body_contains": TEXT.decode(), "body_max": len(TEXT)})


async def test_content_length_of_an_unknown_coding():
    reply = Reply(200, TEXT, (("Content-Encoding", "unknown"),))
    async with http_server({"/": reply}) as server:
        await fails(server.url(), FailureKind.PROTOCOL, "unknown")


@pytest.mark.parametrize(
    ("wanted", "sent", "body", "passing"),
    [
        ("gzip", "gzip", gzip.compress(TEXT, mtime=0), True),
        ("identity", None, TEXT, True),
        ("identity", "identity", TEXT, True),
        ("deflate", "deflate", zlib.compress(TEXT), True),
        ("gzip", None, TEXT, False),
        ("identity", "gzip", gzip.compress(TEXT, mtime=0), False),
        ("gzip", "deflate", zlib.compress(TEXT), False),
        ("gzip", "gzip", TEXT, False),
        ("deflate", "deflate", gzip.compress(TEXT, mtime=0), False),
        ("gzip", "gzip", gzip.compress(TEXT, mtime=0)[:-9], False),
    ],
)
async def test_handling_of_compression_setting(wanted, sent, body, passing):
    headers = (("Content-Encoding", sent),) if sent else ()
    async with http_server({"/": Reply(200, body, headers)}) as server:
        result = await probed(server.url(), expect={"coding": wanted})
        assert server.requests[0].header("accept-encoding") == wanted
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert result.failure in {FailureKind.BODY, FailureKind.PROTOCOL}


async def test_accept_encoding_of_ones_own_is_sent_and_the_answer_undone():
    reply = Reply(200, gzip.compress(TEXT, mtime=0), (("Content-Encoding", "gzip"),))
    async with http_server({"/": reply}) as server:
        await passes(
            server.url(),
            headers={"Accept-Encoding": "gzip;q=1, *;q=0.1"},
            expect={"body_contains": "worth packing"},
        )
        assert server.requests[0].header("accept-encoding") == "gzip;q=1, *;q=0.1"


@pytest.mark.parametrize("size", [1024, 1025])
async def test_max_response_length(size):
    async with http_server({"/": Reply(200, b"x" * size)}) as server:
        result = await probed(server.url(), limits={"body_bytes": 1024})
    assert (result.outcome is Outcome.PASS) is (size == 1024)
    if size > 1024:
        assert "1024 bytes (limits.body_bytes)" in result.evidence.message


async def test_max_response_length_holds_after_decompression():
    reply = Reply(200, gzip.compress(b"x" * 100_000), (("Content-Encoding", "gzip"),))
    async with http_server({"/": reply}) as server:
        await fails(
            server.url(), FailureKind.BODY, "longer than 1024 bytes", limits={"body_bytes": 1024}
        )


@pytest.mark.parametrize(("allowed", "passing"), [(5, True), (4, False)])
async def test_body_size_limit_of_a_check(allowed, passing):
    async with http_server({"/": Reply(200, b"hello")}) as server:
        result = await probed(server.url(), expect={"body_max": allowed})
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert "body of 5 bytes (expected at most 4)" in result.evidence.message


# ------------------------------------------------------------------------ redirects


async def test_redirect_followed():
    replies = {"/": Reply(302, headers=(("Location", "/new"),)), "/new": Reply(200, b"there")}
    async with http_server(replies) as server:
        result = await passes(server.url(), expect={"body_contains": "there"})
    assert any("/new" in each for each in result.evidence.warnings)


async def test_redirect_not_followed_passes_when_its_status_is_listed():
    reply = Reply(302, headers=(("Location", "/new"),))
    async with http_server({"/": reply}) as server:
        await passes(server.url(), follow_redirects=False, expect={"status": 302})
        assert len(server.requests) == 1


async def test_redirect_not_followed_fails_by_default():
    async with http_server({"/": Reply(302, headers=(("Location", "/new"),))}) as server:
        await fails(server.url(), FailureKind.STATUS, "status 302", follow_redirects=False)


@pytest.mark.parametrize(("hops", "passing"), [(5, True), (6, False)])
async def test_redirection_limit(hops, passing):
    replies = {f"/{n}": Reply(302, headers=(("Location", f"/{n + 1}"),)) for n in range(hops)}
    async with http_server({**replies, f"/{hops}": Reply(200)}) as server:
        result = await probed(server.url("/0"))
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert "more than 5 redirects" in result.evidence.message


async def test_redirect_to_an_absolute_url_of_another_server():
    async with http_server({"/": Reply(200, b"there")}) as other:
        reply = Reply(301, headers=(("Location", other.url()),))
        async with http_server({"/": reply}) as server:
            await passes(server.url(), expect={"body_contains": "there"})


async def test_cookie_jar():
    def home(request):
        return Reply(200 if request.header("cookie") == "seen=1" else 403)

    replies = {
        "/": Reply(302, headers=(("Location", "/home"), ("Set-Cookie", "seen=1; Path=/"))),
        "/home": home,
    }
    async with http_server(replies) as server:
        await passes(server.url())


# ------------------------------------------------------------------------ what is sent


async def test_post():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), method="POST")
        assert server.requests[0].method == "POST"


async def test_head_has_no_body():
    async with http_server({"/": Reply(200, b"not sent")}) as server:
        await passes(server.url(), method="HEAD")


async def test_inline_body():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), method="POST", body='{"größe": 1}')
        assert server.requests[0].body == '{"größe": 1}'.encode()


async def test_body_from_a_file():
    async with http_server({"/": Reply(200)}) as server:
        files = {"body.json": b'{"a": "{b}"}'}
        await passes(server.url(), method="POST", body_file="body.json", files=files)
        assert server.requests[0].body == b'{"a": "{b}"}'


async def test_basic_auth():
    async with http_server({"/": Reply(200)}) as server:
        await passes(
            server.url(),
            basic={"user": "username", "password": "${PASSWORD}"},
            environ={"PASSWORD": "password"},
        )
        assert server.requests[0].header("authorization") == "Basic dXNlcm5hbWU6cGFzc3dvcmQ="


async def test_basic_auth_with_a_password_from_a_file():
    async with http_server({"/": Reply(200)}) as server:
        await passes(
            server.url(),
            basic={"user": "username", "password_file": "secret"},
            files={"secret": b"password\n"},
        )
        assert server.requests[0].header("authorization") == "Basic dXNlcm5hbWU6cGFzc3dvcmQ="


async def test_bearer_token():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), bearer="${TOKEN}", environ={"TOKEN": "mysecret"})
        assert server.requests[0].header("authorization") == "Bearer mysecret"


async def test_http_headers():
    headers = {"Host": "my-secret-vhost.com", "User-Agent": "unsuspicious user", "Accept": "a/b"}
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), headers=headers)
        sent = server.requests[0]
    assert {name: sent.header(name.lower()) for name in headers} == headers


async def test_a_header_is_sent_once_however_it_is_spelled():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url(), headers={"uSer-aGent": "mine"})
        names = [name.lower() for name, _ in server.requests[0].headers]
    assert names.count("user-agent") == 1


@pytest.mark.parametrize("scheme", ["http", "HTTP", "Http"])
async def test_scheme_in_any_case(scheme):
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url().replace("http", scheme, 1))


async def test_probe_address_without_a_path():
    async with http_server({"/": Reply(200)}) as server:
        await passes(server.url("").rstrip("/"))


async def test_internationalised_path_and_query():
    async with http_server({"/caf%C3%A9": Reply(200)}) as server:
        await passes(server.url("/café?q=größe"))
        assert server.requests[0].path == "/caf%C3%A9?q=gr%C3%B6%C3%9Fe"


# ------------------------------------------------------------------------ the body


@pytest.mark.parametrize(
    ("body", "rules", "passing"),
    [
        (b"Bad news: could not connect to database", {"body_differs": "could not connect"}, False),
        (b"Download the latest version here", {"body_differs": "could not connect"}, True),
        (b"internal error", {"body_differs": ["could not connect", "internal error"]}, False),
        (b"hello world", {"body_differs": ["could not connect", "internal error"]}, True),
        (b"Bad news", {"body_matches": "Download the latest version"}, False),
        (b"Download the latest version here", {"body_matches": "Download the latest"}, True),
        (b"hello", {"body_matches": ["hello", "latest version"]}, False),
        (b"hello, latest version", {"body_matches": ["hello", "latest version"]}, True),
        (b"ONE\nTWO", {"body_matches": "(?s)ONE.TWO"}, True),
        (b"ONE", {"body_matches": "(?i)one"}, True),
    ],
)
async def test_fail_if_body_matches_regexp(body, rules, passing):
    async with http_server({"/": Reply(200, body)}) as server:
        result = await probed(server.url(), expect=rules)
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert result.failure is FailureKind.BODY


@pytest.mark.parametrize(
    ("document", "condition", "passing"),
    [
        ({"foo": {"bar": "baz"}}, '$.foo.bar == "baz"', True),
        ({"foo": {"bar": "baz"}}, '$.foo.bar == "qux"', False),
        ({"foo": {"bar": "baz"}}, '$.foo.bar =~ "^b"', True),
        ({"foo": {"bar": "baz"}}, '$.foo.bar !~ "^b"', False),
        ({"foo": {"bar": "baz"}}, "$.foo.qux exists", False),
    ],
)
async def test_fail_if_body_json_matches(document, condition, passing):
    async with http_server({"/": Reply(200, json.dumps(document).encode())}) as server:
        result = await probed(server.url(), expect={"json": condition})
    assert (result.outcome is Outcome.PASS) is passing


async def test_fail_if_body_is_not_json():
    async with http_server({"/": Reply(200, b"<html>")}) as server:
        await fails(server.url(), FailureKind.BODY, "not JSON", expect={"json": "$.status exists"})


# ------------------------------------------------------------------------ the headers


@pytest.mark.parametrize(
    ("sent", "rules", "passing"),
    [
        (
            [("Content-Type", "text/javascript")],
            {"headers_differ": {"Content-Type": "text"}},
            False,
        ),
        ([("Content-Type", "text/html")], {"headers_differ": {"content-type": "javascript"}}, True),
        ([], {"headers_differ": {"X-Missing": ".*"}}, True),
        (
            [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
            {"headers_differ": {"Set-Cookie": "b=2"}},
            False,
        ),
        ([("Content-Type", "text/html")], {"headers": {"CONTENT-TYPE": "text/html"}}, True),
        ([("Content-Type", "text/plain")], {"headers": {"Content-Type": "text/html"}}, False),
        ([], {"headers": {"X-Missing": ".*"}}, False),
        ([], {"headers_if_present": {"X-Missing": "^x"}}, True),
        ([("X-There", "y")], {"headers_if_present": {"X-There": "^x"}}, False),
        ([("X-There", "x")], {"headers_if_present": {"X-There": "^x"}}, True),
        ([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], {"headers": {"Set-Cookie": "b=2"}}, True),
    ],
)
async def test_fail_if_header_matches_regexp(sent, rules, passing):
    async with http_server({"/": Reply(200, headers=tuple(sent))}) as server:
        result = await probed(server.url(), expect=rules)
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert "header" in result.evidence.message


# ------------------------------------------------------------------------ time


async def test_http_phases():
    async with http_server({"/": Reply(200, b"hello")}) as server:
        result = await passes(server.url())
    phases = result.phases
    assert phases.tls is None
    for name in ("resolve", "connect", "processing", "transfer"):
        assert getattr(phases, name) >= 0


@pytest.mark.parametrize(("allowed", "passing"), [("30s", True), ("1ms", False)])
async def test_response_time_of_a_phase(allowed, passing):
    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(slow) as server:
        result = await probed(server.url(), expect={"phases": {"processing": allowed}})
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert result.failure is FailureKind.SLOW
        assert "processing took" in result.evidence.message


async def test_timeout_is_respected():
    async with raw_server(b"", hang=True) as server, Asked(server.url()) as asked:
        result = await asked.probe(deadline=0.2)
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert "no answer within 0.2 s while waiting for the first byte" in result.evidence.message


async def test_a_truncated_body_fails():
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello") as server:
        result = await probed(server.url())
    assert result.outcome is Outcome.FAIL
