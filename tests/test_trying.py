"""`monitor test-channel`: a marked test, and what its receiver answered."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from tests.http_server import Reply
from tests.receivers.pagerduty import ROUTING_KEY, pagerduty_receiver

CONFIG = """\
network: {{allow_private: [127.0.0.0/8]}}
services:
  crm: {{checks: [{{name: home, url: "http://127.0.0.1:1/"}}]}}
channels:
  pager: {{kind: pagerduty, roles: on_call, routing_key: "${{KEY}}", url: "{url}"}}
  desk: {{kind: log, roles: service_desk, path: {folder}/notices.jsonl}}
"""


@pytest.fixture
def asked(tmp_path, serving, monkeypatch):
    """Runs the command against a PagerDuty that gives these answers first; with its receiver."""

    def ask(name, *options, answers=()):
        receiver = serving(*answers)
        path = tmp_path / "checks.yaml"
        path.write_text(CONFIG.format(url=receiver.url, folder=tmp_path))
        monkeypatch.setenv("KEY", ROUTING_KEY)
        command = ["test-channel", name, "--config", str(path), *options]
        return CliRunner().invoke(app, command), receiver

    return ask


def test_a_test_is_opened_and_closed_and_both_answers_are_shown(asked):
    ran, receiver = asked("pager")
    assert ran.exit_code == 0
    first, test, end = ran.stdout.splitlines()
    assert first == "pager (pagerduty)"
    assert test.startswith("  the test: accepted as test:")
    assert end.startswith("  its end: accepted as test:")
    assert list(receiver.states().values()) == [["resolved"]]
    (event, _) = receiver.events
    assert event["payload"]["summary"] == (
        "A test of the monitor: TEST, nothing is down: a trial of channel pager"
    )


def test_each_test_is_an_alert_of_its_own(asked):
    _, first = asked("pager")
    _, second = asked("pager")
    assert set(first.alerts).isdisjoint(second.alerts)


def test_a_refusal_is_shown_and_the_exit_code_says_so(asked):
    ran, _ = asked("pager", answers=[Reply(400, ROUTING_KEY.encode())])
    assert ran.exit_code == 1
    assert "the test: refused for good: the receiver answered 400: ***" in ran.stdout


def test_what_may_pass_is_told_apart(asked):
    ran, _ = asked("pager", answers=[Reply(503)])
    assert ran.exit_code == 1
    assert "not accepted, which may pass: the receiver answered 503" in ran.stdout


def test_as_json(asked):
    ran, _ = asked("pager", "--json")
    told = json.loads(ran.stdout)
    assert (told["channel"], told["kind"]) == ("pager", "pagerduty")
    assert [(t["action"], t["accepted"], t["error"]) for t in told["tries"]] == [
        ("trigger", True, None),
        ("resolve", True, None),
    ]


def test_a_log_channel_is_tried_as_any_other(asked, tmp_path):
    ran, _ = asked("desk")
    assert ran.exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "notices.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["trigger", "resolve"]


def test_an_unknown_channel_is_a_mistake_that_names_those_there_are(asked):
    ran, _ = asked("bleeper")
    assert ran.exit_code == 2
    assert "no channel is named bleeper; there are: pager, desk" in ran.stderr


@pytest.fixture
def serving():
    """Starts PagerDuty's receiver beside the command, which has a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    open_ones = []

    def start(*answers):
        context = pagerduty_receiver(*answers)
        receiver = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
        open_ones.append(context)
        return receiver

    yield start
    for context in open_ones:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
