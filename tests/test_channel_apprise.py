"""Apprise: what its services get, and what is made of whether they took it."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import re
import subprocess
import sys
import threading
import warnings
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from monitor.channels import CHANNELS, Means
from monitor.channels import apprise as channel
from monitor.channels.apprise import REMEDY, AppriseOptions
from monitor.config import load
from monitor.config.mistakes import ConfigError
from monitor.model import Accepted, Action, DeliveryError, Message
from monitor.net.secret import Secret
from tests.http_server import Reply, http_server
from tests.outbox_fixtures import Watch, incident, network, notice


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Apprise imports all its services at the first use, some in ways that Python warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        AppriseOptions((Secret("json://127.0.0.1"),))


@asynccontextmanager
async def services(*answers, watch=None, within=30.0):
    """As many services as there are answers, and a function that sends a notice to all of them."""
    net = network(watch or Watch())
    paths = {f"/{n}": answer for n, answer in enumerate(answers)}
    async with http_server(paths) as server:
        urls = tuple(Secret(f"json://127.0.0.1:{server.port}{path}") for path in paths)
        options = AppriseOptions(urls, within)
        yield server, lambda said: CHANNELS["apprise"].send(said, options, Means(net))
    await net.aclose()


def heard(server):
    return [json.loads(request.body) for request in server.requests]


async def refusal(*answers, within=30.0):
    async with services(*answers, within=within) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    return caught.value


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Action.TRIGGER, "failure"),
        (Action.UPDATE, "warning"),
        (Action.ACKNOWLEDGE, "info"),
        (Action.RESOLVE, "success"),
        (Action.TELL, "info"),
    ],
)
async def test_every_action_is_a_message_of_its_kind(action, kind):
    async with services(Reply()) as (server, send):
        assert await send(notice(incident(), action=action)) == Accepted()
    (said,) = heard(server)
    assert (said["title"], said["type"]) == ("CRITICAL: CRM is down for all users", kind)
    assert said["message"].splitlines() == [
        "Began 02:13 London time.",
        "Incident: http://127.0.0.1:8365/incidents/1",
    ]


async def test_a_notice_about_no_incident_and_of_one_line_is_a_message_too():
    own = Message("The monitor is blind", (), None)
    async with services(Reply()) as (server, send):
        await send(replace(notice(incident()), message=own))
    assert heard(server)[0]["message"] == "The monitor is blind"


async def test_a_late_message_says_so_first():
    watch = Watch()
    watch.passes(3600)
    async with services(Reply(), watch=watch) as (server, send):
        await send(notice(incident()))
    assert heard(server)[0]["title"].startswith("[LATE by 1 h 0 min] CRITICAL: ")


async def test_text_arrives_in_its_letters_and_within_its_line():
    said = notice(incident())
    evil = "caf\u00e9 \U0001f469\u200d\U0001f680 <b>x</b>\r\n\\n @everyone"
    async with services(Reply()) as (server, send):
        await send(replace(said, message=replace(said.message, headline=evil, lines=(evil,))))
    (told,) = heard(server)
    shown = evil.replace("\r\n", "??")
    assert told["title"] == shown
    assert told["message"].splitlines()[0] == shown


async def test_one_service_that_takes_it_is_enough_and_the_others_are_counted_in_the_log():
    with structlog.testing.capture_logs() as lines:
        async with services(Reply(500), Reply(), Reply(404)) as (server, send):
            assert await send(notice(incident())) == Accepted()
    assert len(server.requests) == 3
    assert [(line["missing"], line["log_level"]) for line in lines] == [(2, "warning")]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_where_none_takes_it_another_try_may_help(status):
    error = await refusal(Reply(status), Reply(status))
    assert not error.permanent
    assert str(error) == "no service of Apprise took it"


async def test_a_fault_of_one_service_does_not_keep_the_others_from_it(monkeypatch):
    library = importlib.import_module("apprise")
    notify = library.Apprise.notify

    def faulty(self, **said):
        if self.urls()[0].partition("?")[0].endswith("/0"):
            raise RuntimeError("a fault")
        return notify(self, **said)

    monkeypatch.setattr(library.Apprise, "notify", faulty)
    async with services(Reply(), Reply()) as (server, send):
        assert await send(notice(incident())) == Accepted()
    assert [request.path for request in server.requests] == ["/1"]


async def test_a_service_that_hangs_is_left_after_the_timeout_and_may_pass():
    async with asyncio.timeout(30):
        error = await refusal(Reply(hang=True), within=0.2)
    assert not error.permanent
    assert str(error) == "no answer within 0.2 s"


async def test_what_was_left_behind_keeps_no_process_from_ending():
    async with services(Reply(hang=True), within=0.2) as (_, send):
        with pytest.raises(DeliveryError):
            await send(notice(incident()))
        left = [each for each in threading.enumerate() if each.name == "apprise"]
    assert all(each.daemon for each in left)


async def test_no_url_is_in_an_error_or_a_log(caplog):
    caplog.set_level(logging.DEBUG)
    async with services(Reply(500)) as (server, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    assert f"127.0.0.1:{server.port}" not in str(caught.value)
    assert "json://" not in caplog.text
    assert "s3cret" not in repr(AppriseOptions((Secret("json://u:s3cret@127.0.0.1"),)))


# --------------------------------------------------------------------------- options


def test_what_apprise_does_not_know_is_a_mistake_that_shows_no_url():
    urls = (Secret("json://127.0.0.1"), Secret("nonsense://s3cret"))
    with pytest.raises(ValueError, match=r"^urls: Apprise knows no service by number 2 of them$"):
        AppriseOptions(urls)


def test_no_service_at_all_is_a_mistake():
    with pytest.raises(ValueError, match=r"^urls: is empty: name at least one service$"):
        AppriseOptions(())


@pytest.fixture
def away(monkeypatch):
    """Apprise is not installed."""
    imported = importlib.import_module

    def missing(name, *rest):
        if name == "apprise":
            raise ImportError("No module named 'apprise'")
        return imported(name, *rest)

    monkeypatch.setattr(channel.importlib, "import_module", missing)


def test_where_it_is_not_installed_the_remedy_is_named(away):
    with pytest.raises(ValueError, match=f"^{re.escape(f'urls: {REMEDY}')}$"):
        AppriseOptions((Secret("json://127.0.0.1"),))


async def test_where_it_went_away_since_the_remedy_is_named_too(monkeypatch, request):
    async with services(Reply()) as (_, send):
        request.getfixturevalue("away")
        with pytest.raises(DeliveryError, match="pip install") as caught:
            await send(notice(incident()))
    assert not caught.value.permanent


def test_nothing_of_apprise_is_imported_where_it_is_not_configured():
    asked = "import sys, monitor.channels; print('apprise' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert ran.stdout == "False\n"


CONFIG = """
channels:
  any:
    kind: apprise
    roles: [on_call, service_desk]
    urls: ["${FIRST}", "${SECOND}"]
services: {crm: {checks: [{name: home, url: "https://crm.example.com/"}]}}
"""


def mistakes(tmp_path, text, **environ):
    file = tmp_path / "checks.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environ)
    return [f"{each.path}: {each.message}" for each in caught.value.mistakes]


def test_apprise_alone_does_not_reach_on_call(tmp_path):
    (found,) = mistakes(tmp_path, CONFIG, FIRST="json://127.0.0.1", SECOND="xml://127.0.0.1")
    assert found.startswith("channels: on_call is told by apprise alone, which accepts what it may")


def test_beside_another_channel_it_may_reach_on_call_and_its_urls_are_secrets(tmp_path):
    file = tmp_path / "checks.yaml"
    file.write_text(CONFIG.replace("channels:", "channels:\n  log: {kind: log, roles: on_call}"))
    config = load(file, {"FIRST": "json://127.0.0.1", "SECOND": "xml://127.0.0.1"})
    assert {each.reveal() for each in config.secrets} == {"json://127.0.0.1", "xml://127.0.0.1"}


def test_the_configuration_names_what_apprise_does_not_know(tmp_path):
    found = mistakes(tmp_path, CONFIG, FIRST="json://127.0.0.1", SECOND="nonsense://s3cret")
    assert found == ["channels.any.urls: Apprise knows no service by number 2 of them"]


def test_the_configuration_names_the_remedy_where_it_is_not_installed(tmp_path, away):
    found = mistakes(tmp_path, CONFIG, FIRST="json://127.0.0.1", SECOND="xml://127.0.0.1")
    assert found == [f"channels.any.urls: {REMEDY}"]
