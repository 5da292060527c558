"""Access tokens by client credentials: when they are asked for, kept, replaced, and never shown."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs

import pytest

from monitor.clock import Now
from monitor.config import ConfigError
from monitor.model import FailureKind, Outcome
from monitor.net.oauth2 import OAuth2, Tokens
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.net.trace import Trace
from tests.conformance.asking import Asked
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net

ENVIRON = {"CLIENT_SECRET": "client hunter2"}


class Provider:
    """A token endpoint that numbers its tokens, and an API that takes the latest one."""

    def __init__(self):
        self.given, self.taken, self.lifetime = 0, None, 3600
        self.refuses: Reply | None = None

    def token(self, _request):
        if self.refuses is not None:
            return self.refuses
        self.given += 1
        self.taken = f"token-number-{self.given}"
        told = {"access_token": self.taken, "token_type": "bearer", "expires_in": self.lifetime}
        return Reply(200, json.dumps(told).encode())

    def api(self, request):
        sent = request.header("authorization")
        return Reply(200, b"in") if sent == f"Bearer {self.taken}" else Reply(401, sent.encode())


@pytest.fixture
async def provider():
    made = Provider()
    async with http_server({"/token": made.token, "/api": made.api}) as server:
        made.server = server
        yield made


def asked(provider, **oauth2):
    settings = {
        "token_url": provider.server.url("/token"),
        "client_id": "monitor",
        "client_secret": "${CLIENT_SECRET}",
        **oauth2,
    }
    return Asked(provider.server.url("/api"), oauth2=settings, environ=ENVIRON)


def requests_for_tokens(provider):
    return [each for each in provider.server.requests if each.path == "/token"]


async def test_the_first_probe_asks_for_a_token_and_tells_so(provider):
    async with asked(provider) as check:
        result = await check.probe()
    assert result.outcome is Outcome.PASS
    (step,) = result.evidence.steps
    assert (step.name, step.outcome, step.status_line) == ("token", Outcome.PASS, "HTTP/1.1 200")
    assert step.asked == f"POST {provider.server.url('/token')}"


async def test_a_token_is_kept_and_shared(provider):
    async with asked(provider) as check:
        for _ in range(3):
            assert (await check.probe()).outcome is Outcome.PASS
        again = await check.probe()
    assert provider.given == 1
    assert again.evidence.steps == ()


async def test_many_probes_at_once_ask_for_one_token(provider):
    async with asked(provider) as check:
        results = await asyncio.gather(*(check.probe() for _ in range(20)))
    assert {each.outcome for each in results} == {Outcome.PASS}
    assert provider.given == 1


async def test_a_token_that_is_no_longer_accepted_is_replaced_once(provider):
    async with asked(provider) as check:
        await check.probe()
        provider.taken = "revoked"
        result = await check.probe()
    assert result.outcome is Outcome.PASS
    assert provider.given == 2
    assert [each.name for each in result.evidence.steps] == ["token"]


async def test_a_fresh_token_that_is_not_accepted_is_not_replaced_again(provider):
    provider.server.replies["/api"] = Reply(401)
    async with asked(provider) as check:
        await check.probe()
        assert provider.given == 1
        result = await check.probe()
    assert result.outcome is Outcome.BLOCKED
    assert provider.given == 2


async def test_the_request_is_as_the_standard_has_it(provider):
    async with asked(provider, scopes=["read", "write"], audience="crm") as check:
        await check.probe()
    (request,) = requests_for_tokens(provider)
    assert request.method == "POST"
    assert request.header("content-type") == "application/x-www-form-urlencoded"
    assert request.header("authorization") == "Basic bW9uaXRvcjpjbGllbnQraHVudGVyMg=="
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
        "audience": ["crm"],
    }


async def test_credentials_go_into_the_body_where_that_is_wanted(provider):
    async with asked(provider, client_auth="post") as check:
        await check.probe()
    (request,) = requests_for_tokens(provider)
    assert request.header("authorization") is None
    assert parse_qs(request.body.decode())["client_secret"] == ["client hunter2"]


@pytest.mark.parametrize("status", [400, 401, 403, 429])
async def test_an_endpoint_that_refuses_us_says_nothing_of_the_target(provider, status):
    provider.refuses = Reply(status, b'{"error": "invalid_client"}')
    async with asked(provider) as check:
        result = await check.probe()
    assert (result.outcome, result.failure) == (Outcome.BLOCKED, None)
    assert "turned the monitor away" in result.evidence.message
    assert f"status {status} invalid_client" in result.evidence.message


async def test_a_refusal_is_not_asked_for_again_at_once(provider):
    provider.refuses = Reply(401)
    async with asked(provider) as check:
        for _ in range(5):
            assert (await check.probe()).outcome is Outcome.BLOCKED
    assert len(requests_for_tokens(provider)) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(503), FailureKind.STATUS, "status 503 from the token endpoint"),
        (Reply(302, headers=(("Location", "/x"),)), FailureKind.STATUS, "status 302"),
        (Reply(200, b"<html>"), FailureKind.BODY, "holds no access_token"),
        (Reply(200, b'{"access_token": 5}'), FailureKind.BODY, "holds no access_token"),
        (Reply(200, b'{"access_token": "a\\nb"}'), FailureKind.BODY, "holds no access_token"),
        (Reply(200, b'{"access_token": ""}'), FailureKind.BODY, "holds no access_token"),
        (
            Reply(200, b'{"access_token": "a", "token_type": "mac"}'),
            FailureKind.BODY,
            "no bearer token",
        ),
        (Reply(raw=b"\x00\x01\x02"), FailureKind.PROTOCOL, "token: "),
    ],
)
async def test_an_endpoint_that_gives_no_token_fails_the_probe(provider, reply, kind, words):
    provider.refuses = reply
    async with asked(provider) as check:
        result = await check.probe()
    assert (result.outcome, result.failure) == (Outcome.FAIL, kind)
    assert result.evidence.message.startswith("token: ")
    assert words in result.evidence.message
    assert [each.outcome for each in result.evidence.steps] == [Outcome.FAIL]


async def test_an_endpoint_that_hangs_ends_with_the_probes_deadline(provider):
    provider.server.replies["/token"] = Reply(hang=True)
    async with asked(provider) as check:
        results = await asyncio.gather(*(check.probe(deadline=0.3) for _ in range(3)))
    assert {(each.outcome, each.failure) for each in results} == {
        (Outcome.FAIL, FailureKind.TIMEOUT)
    }
    assert all("token: no answer within" in each.evidence.message for each in results)
    assert all(each.observed_mono - each.sent_mono < 1.0 for each in results)


async def test_no_token_and_no_secret_is_ever_shown(provider):
    def echoes(request):
        return Reply(500, b"you sent " + request.header("authorization").encode())

    provider.server.replies["/api"] = echoes
    async with asked(provider) as check:
        result = await check.probe()
    assert "you sent" in result.evidence.body
    assert "token-number" not in repr(result)
    assert "hunter2" not in repr(result)


def test_only_so_many_tokens_are_remembered_as_secrets():
    redactor = Redactor([Secret("given-secret")])
    for number in range(100):
        redactor.learn(Secret(f"learnt-{number:03}-secret"))
    assert redactor.text("given-secret learnt-000-secret learnt-099-secret") == (
        "*** learnt-000-secret ***"
    )


# ------------------------------------------------------------------------ how long it is kept


class SettableClock:
    def __init__(self, clock):
        self._clock, self.ahead = clock, 0.0

    def monotonic(self):
        return self._clock.monotonic() + self.ahead

    def wall(self):
        return self._clock.wall()

    def now(self):
        now = self._clock.now()
        return Now(at=now.at, mono=now.mono + self.ahead)


@pytest.mark.parametrize(
    ("told", "kept", "over"),
    [(3600, 3569, 3571), (40, 19, 21), ("3600", 3569, 3571), (None, 269, 271), ("soon", 269, 271)],
)
async def test_a_token_is_kept_until_shortly_before_it_ends(provider, told, kept, over):
    from monitor.clock import real_clock

    provider.lifetime = told
    clock = SettableClock(real_clock())
    credentials = OAuth2(provider.server.url("/token"), "monitor", Secret("hunter2"))
    async with made_net(clock=clock) as net:
        tokens = Tokens(net)
        await tokens.token(credentials, None, Trace(), 5.0)
        clock.ahead = kept
        await tokens.token(credentials, None, Trace(), 5.0)
        assert provider.given == 1
        clock.ahead = over
        await tokens.token(credentials, None, Trace(), 5.0)
    assert provider.given == 2


async def test_who_was_late_to_notice_does_not_forget_the_newer_token(provider):
    credentials = OAuth2(provider.server.url("/token"), "monitor", Secret("hunter2"))
    async with made_net() as net:
        tokens = Tokens(net)
        old = await tokens.token(credentials, None, Trace(), 5.0)
        tokens.forget(credentials, old)
        new = await tokens.token(credentials, None, Trace(), 5.0)
        tokens.forget(credentials, old)
        assert await tokens.token(credentials, None, Trace(), 5.0) == new


# ------------------------------------------------------------------------ configuration


async def test_credentials_are_given_in_one_way_only(provider):
    oauth2 = {
        "token_url": "https://id.example.org/token",
        "client_id": "x",
        "client_secret": "${CLIENT_SECRET}",
    }
    with pytest.raises(ConfigError, match="bearer and oauth2: give credentials in one way only"):
        async with Asked(
            "https://a.example.org/", oauth2=oauth2, bearer="${CLIENT_SECRET}", environ=ENVIRON
        ):
            pass


async def test_the_token_url_is_vetted_as_every_url(provider):
    oauth2 = {
        "token_url": "http://169.254.169.254/token",
        "client_id": "x",
        "client_secret": "${CLIENT_SECRET}",
    }
    with pytest.raises(ConfigError, match=r"oauth2\.token_url.*169\.254\.169\.254"):
        async with Asked("https://a.example.org/", oauth2=oauth2, environ=ENVIRON):
            pass


async def test_a_secret_in_the_file_is_a_mistake(provider):
    oauth2 = {"token_url": "https://id.example.org/", "client_id": "x", "client_secret": "plain"}
    with pytest.raises(ConfigError, match="a secret does not belong in this file"):
        async with Asked("https://a.example.org/", oauth2=oauth2):
            pass
