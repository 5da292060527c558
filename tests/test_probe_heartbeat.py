"""The heartbeat probe, and how calls come in: over the API of a real running web application."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from monitor.clock import Clock
from monitor.daemon.listener import Listener, bind
from monitor.demo.places import Ports
from monitor.engine.hearing import Hearing, expected
from monitor.metrics import Metrics
from monitor.model import (
    Beat,
    Cell,
    CellKey,
    Check,
    EvidenceKind,
    FailureKind,
    Need,
    Outcome,
    Target,
)
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.probes import PROBES, Ask, Means
from monitor.probes.heartbeat import HeartbeatOptions
from monitor.store import StoreUnavailable
from monitor.web import create_app, heartbeats
from tests.hours_fixtures import SUPPORT
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.running import TOKEN, monitor, write_config
from tests.store_fixtures import opened
from tests.web_fixtures import ESTATE

START = datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC)
QUARTER = HeartbeatOptions("{tenant}-import", 900.0)
NAME = "acme-import"


def after(minutes):
    return START + timedelta(minutes=minutes)


class Moved:
    """A clock that a test moves, in minutes since the start."""

    def __init__(self):
        self.minutes = 0.0

    @property
    def clock(self):
        return Clock(lambda: after(self.minutes), lambda: self.minutes * 60)


class Heard:
    """What a test says was heard."""

    def __init__(self, beat=None, since=0.0):
        self.beat, self.began = beat, after(since)

    def since(self):
        return self.began

    def last(self, name):
        assert name == NAME
        return self.beat


def check_of(options=QUARTER, targets=("acme",)):
    return Check(
        "orders",
        "imports",
        "heartbeat",
        options,
        interval=60.0,
        timeout=10.0,
        need=Need.BLOCKING,
        evidence=EvidenceKind.PASSIVE,
        targets=tuple(Target(t, t, f"{t}-import", fingerprint="f1") for t in targets),
    )


async def asked(heard, minutes, options=QUARTER, **net):
    moved = Moved()
    moved.minutes = minutes
    check = check_of(options)
    cell = Cell(CellKey("orders", "imports", "acme", "london"), check, check.targets[0], None)
    async with made_net(clock=moved.clock, **net) as made:
        means = Means(made, heard) if heard is not None else Means(made)
        return await PROBES["heartbeat"].probe(cell, Ask("r1", 5.0), means)


def summary(result):
    return result.outcome, result.failure, result.evidence.message


# ------------------------------------------------------------------------ what was heard


async def test_a_call_in_time_is_a_pass_up_to_the_last_second():
    heard = Heard(Beat(START), since=-600)
    for minutes in (0, 15, 20):
        result = await asked(heard, minutes)
        assert summary(result) == (Outcome.PASS, None, "")
    assert result.evidence.asked == f"heartbeat {NAME}"
    assert result.evidence.status_line == "last heard at 2026-11-23 02:31:07Z"
    assert (await asked(heard, 20.02)).outcome is Outcome.FAIL


async def test_a_late_one_is_a_failure_that_says_how_late():
    result = await asked(Heard(Beat(START), since=-600), 26)
    message = (
        "no heartbeat from acme-import for 26 min (every 15 min expected, 5 min grace); "
        "last at 2026-11-23 02:31:07Z"
    )
    assert summary(result) == (Outcome.FAIL, FailureKind.TIMEOUT, message)


async def test_a_reported_failure_is_a_failure_and_its_words_are_made_safe():
    beat = Beat(START, "40 orders\nrefused by opensesame")
    result = await asked(Heard(beat, since=-600), 5, secrets=("opensesame",))
    message = (
        "heartbeat acme-import came; at 2026-11-23 02:31:07Z it reported a failure: "
        "40 orders refused by ***"
    )
    assert summary(result) == (Outcome.FAIL, FailureKind.BODY, message)


async def test_a_late_one_that_had_failed_is_late():
    result = await asked(Heard(Beat(START, "no disk"), since=-600), 26)
    assert result.failure is FailureKind.TIMEOUT
    assert result.evidence.message.endswith("it reported a failure: no disk")


async def test_after_a_start_whatever_would_be_late_has_as_long_again():
    heard = Heard(Beat(after(-60)), since=0)
    for minutes in (0, 20):
        result = await asked(heard, minutes)
        assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    assert result.evidence.message == (
        "no heartbeat from acme-import since the monitor was started at 2026-11-23 02:31:07Z; "
        "last at 2026-11-23 01:31:07Z; it has time until 2026-11-23 02:51:07Z"
    )
    late = await asked(heard, 21)
    assert (late.outcome, late.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert "for 81 min" in late.evidence.message


async def test_after_a_start_a_call_that_is_still_in_time_is_a_pass():
    assert (await asked(Heard(Beat(after(-10)), since=0), 5)).outcome is Outcome.PASS


async def test_of_whom_nothing_was_ever_heard_is_a_failure_in_the_end_only():
    waiting = await asked(Heard(since=0), 20)
    assert waiting.outcome is Outcome.INVALID
    assert "it was never heard; it has time until 2026-11-23 02:51:07Z" in waiting.evidence.message
    silent = await asked(Heard(since=0), 180)
    assert summary(silent)[:2] == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert silent.evidence.message == (
        "no heartbeat from acme-import for 3 h (every 15 min expected, 5 min grace); "
        "it was never heard"
    )


async def test_only_the_running_monitor_hears():
    result = await asked(None, 0)
    assert result.outcome is Outcome.INVALID
    assert "is heard by the running monitor only" in result.evidence.message


@pytest.mark.parametrize("name", ["", "no spaces", "-x", "a/b", "{tenant} x", "x" * 129])
def test_a_name_that_no_address_can_hold_is_refused(name):
    with pytest.raises(ValueError, match="beat: a name holds letters"):
        HeartbeatOptions(name, 900.0)


# ------------------------------------------------------------------------ memory and store


class Broken:
    """A store that takes nothing until it is mended."""

    def __init__(self, store):
        self.store, self.broken = store, True

    async def hear(self, beats):
        if self.broken:
            raise StoreUnavailable("here", "disk full", "make room")
        await self.store.hear(beats)


async def test_what_was_heard_outlives_a_restart(database_url):
    moved = Moved()
    async with opened(database_url) as store:
        hearing = Hearing([NAME, "b"], await store.heartbeats(), store, moved.clock)
        hearing.hear(NAME, "no\x00disk")
        hearing.hear("b", None)
        moved.minutes = 3
        hearing.hear("b", None)
        assert await hearing.flush()
    async with opened(database_url) as store:
        kept = await store.heartbeats()
        assert kept == {NAME: Beat(START, "no\x00disk"), "b": Beat(after(3))}
        moved.minutes = 9
        again = Hearing([NAME, "new"], kept, store, moved.clock)
        assert (again.since(), again.last(NAME)) == (after(9), Beat(START, "no\x00disk"))
        assert (again.last("new"), again.last("b")) == (None, None)
        again.hear(NAME, None)
        await again.flush()
        assert (await store.heartbeats())[NAME] == Beat(after(9))


async def test_a_store_that_cannot_be_written_loses_no_call(sqlite_url):
    moved = Moved()
    async with opened(sqlite_url) as store:
        broken = Broken(store)
        hearing = Hearing([NAME, "b"], {}, broken, moved.clock)
        hearing.hear(NAME, "old")
        hearing.hear("b", None)
        assert not await hearing.flush()
        assert hearing.last(NAME) == Beat(START, "old")
        moved.minutes = 2
        hearing.hear(NAME, None)
        broken.broken = False
        writing = asyncio.create_task(hearing.write())
        async with asyncio.timeout(5):
            while len(await store.heartbeats()) < 2:  # noqa: ASYNC110 - it is in a database
                await asyncio.sleep(0.01)
        writing.cancel()
        assert await store.heartbeats() == {NAME: Beat(after(2)), "b": Beat(START)}


async def test_when_the_clock_is_set_nobody_is_late_and_nobody_is_early(sqlite_url):
    moved = Moved()
    async with opened(sqlite_url) as store:
        hearing = Hearing([NAME, "b"], {"b": Beat(after(-90))}, store, moved.clock)
        hearing.hear(NAME, None)
        moved.minutes = -60
        hearing.stepped()
        assert hearing.since() == hearing.last(NAME).at == after(-60)
        assert hearing.last("b") == Beat(after(-90))


# ------------------------------------------------------------------------ over the API


API_TOKEN, OWN_TOKEN = "the-token-of-the-api", "the-token-of-the-check"
OWN = replace(QUARTER, token=Secret(OWN_TOKEN))


class NoEngine:
    """Calls need no engine."""


@contextlib.asynccontextmanager
async def listening(url, *checks, api_token=API_TOKEN, moved=None):
    """A running application with these checks: a client, and what it heard."""
    clock = (moved or Moved()).clock
    service = replace(ESTATE.services[0], checks=checks)
    estate = replace(ESTATE, services=(service,), vantages=ESTATE.vantages[:1])
    async with opened(url) as store:
        hearing = Hearing(expected(estate), {}, store, clock)
        app = create_app(
            NoEngine(),
            store,
            Metrics(ESTATE, ["pager"]),
            clock,
            api_token=Secret(api_token) if api_token else None,
            public_url="http://monitor.example",
            estate=estate,
            calendar=SUPPORT,
            policy=PolicySettings(),
            channels=(),
            hearing=hearing,
        )
        with bind("127.0.0.1", 0) as socket:
            server = Listener(app, socket)
            serving = asyncio.create_task(server.run_until_exit())
            base = f"http://127.0.0.1:{socket.getsockname()[1]}"
            try:
                async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                    yield client, hearing
            finally:
                server.should_exit = True
                await serving


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def call(client, name=NAME, token=API_TOKEN, **more):
    headers = bearer(token) if token else {}
    return await client.post(f"/api/v1/heartbeats/{name}", headers=headers, **more)


def code_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_call_is_heard_and_may_be_repeated(sqlite_url):
    moved = Moved()
    async with listening(sqlite_url, check_of(), moved=moved) as (client, hearing):
        for minutes in (1, 2):
            moved.minutes = minutes
            answer = await call(client)
            assert answer.status_code == 200, answer.text
        told = {"name": NAME, "heard_at": "2026-11-23T02:33:07Z", "failed": None}
        assert answer.json() == told
        assert hearing.last(NAME) == Beat(after(2))


SAID = [
    ({}, None),
    ({"content": b""}, None),
    ({"data": {}}, None),
    ({"json": {}}, None),
    ({"json": {"failed": None}, "params": {"status": "ok"}}, None),
    ({"json": {"failed": "3 orders"}}, "3 orders"),
    ({"json": {"failed": "3 orders"}, "params": {"status": "fail"}}, "3 orders"),
    ({"params": {"status": "fail"}}, "no reason given"),
]


async def test_a_call_says_whether_something_failed(sqlite_url):
    async with listening(sqlite_url, check_of()) as (client, hearing):
        for sent, failed in SAID:
            assert (await call(client, **sent)).status_code == 200
            assert hearing.last(NAME) == Beat(START, failed), sent


async def test_what_is_refused_is_not_heard(sqlite_url):
    other = check_of(OWN, targets=("bolt",))
    async with listening(sqlite_url, check_of(), other) as (client, hearing):
        refused = [
            await call(client, "unknown"),
            await call(client, token=None),
            await call(client, token="wrong"),
            await call(client, token=OWN_TOKEN),
            await call(client, "bolt-import"),
            await call(client, json={"failed": "x" * 1001}),
            await call(client, json={"failed": 5}),
            await call(client, params={"status": "maybe"}),
            await client.get(f"/api/v1/heartbeats/{NAME}"),
        ]
        assert [code_of(each) for each in refused] == [
            (404, "unknown_heartbeat"),
            *[(401, "unauthorised")] * 4,
            *[(422, "invalid_request")] * 3,
            (405, "method_not_allowed"),
        ]
        assert (hearing.last(NAME), hearing.last("bolt-import")) == (None, None)
        assert not [each for each in refused if OWN_TOKEN in each.text or API_TOKEN in each.text]
        assert (await call(client, "bolt-import", OWN_TOKEN)).status_code == 200


async def test_without_any_token_a_heartbeat_cannot_be_called(sqlite_url):
    own = check_of(OWN, targets=("bolt",))
    async with listening(sqlite_url, check_of(), own, api_token=None) as (client, _):
        assert code_of(await call(client)) == (403, "no_token_configured")
        assert (await call(client, "bolt-import", OWN_TOKEN)).status_code == 200


async def test_calls_are_limited_by_name_and_wrong_tokens_by_address(sqlite_url, monkeypatch):
    monkeypatch.setattr(heartbeats, "CALLS_PER_HOUR", 6)
    monkeypatch.setattr(heartbeats, "WRONG_PER_HOUR", 2)
    moved = Moved()
    made = check_of(targets=("acme", "bolt"))
    async with listening(sqlite_url, made, moved=moved) as (client, _):
        wrong = [await call(client, token="wrong") for _ in range(3)]
        assert [each.status_code for each in wrong] == [401, 401, 429]
        assert [(await call(client)).status_code for _ in range(6)] == [200] * 6
        refused = await call(client)
        assert code_of(refused) == (429, "too_many_calls")
        assert refused.headers["retry-after"] == "600"
        assert (await call(client, "bolt-import")).status_code == 200
        moved.minutes += 10
        assert (await call(client)).status_code == 200


# ------------------------------------------------------------------------ the whole monitor

ORDERS = """\
services:
  orders:
    interval: 2s
    timeout: 1s
    checks:
      - {{name: front, url: "{front}"}}
      - {{name: imports, kind: heartbeat, beat: "{{tenant}}-import", period: 1h, evidence: passive}}
"""


async def test_the_running_monitor_hears_and_remembers(tmp_path):
    async with http_server({"/ok": Reply()}) as server:
        places = replace(Ports(), controls=(server.port,) * 3, crm=server.port)
        path, url = write_config(tmp_path, places, server.url("/hook"))
        text = path.read_text()
        path.write_text(text.replace("services:\n", ORDERS.format(front=server.url("/ok"))))

        def passes(running):
            async def passing():
                metrics = (await running.client.get("/metrics")).text
                return re.search(r'probe_success{[^}]*check="imports"[^}]*"acme"[^}]*} 1', metrics)

            return running.until("the heartbeat is seen", passing)

        async with monitor(path, url) as running:

            async def heard():
                headers = bearer(TOKEN)
                answer = await running.client.post(f"/api/v1/heartbeats/{NAME}", headers=headers)
                return answer.status_code == 200

            await running.until("the call is heard", heard)
            await passes(running)
            await running.ends(signal.SIGTERM)
        async with monitor(path, url) as running:
            await passes(running)
