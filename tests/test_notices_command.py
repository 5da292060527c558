"""What is owed and what was given up: to look at, and to have sent again in a person's name."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.model import Accepted, Action, IncidentState, NoticeState
from monitor.store import NOT_SENT
from tests.store_fixtures import LEASE, T0, after, incident, moved, notice, opened, opening
from tests.store_outside import execute

LATER = after(100)
CHECKS = """\
listen: 127.0.0.1:1
database_url: sqlite:///{folder}/store/monitor.db
services:
  web: {{checks: [{{name: home, url: "https://one.example.com/"}}]}}
"""


async def given_up(store, error="404: no such hook"):
    """Whatever may be sent has been tried, and was refused for good."""
    for claimed in await store.claim(LATER, lease=LEASE, limit=99):
        assert await store.mark_failed(claimed, error=error, retry_at=None)


async def taken(store):
    """Whatever may be sent has been accepted."""
    claimed = await store.claim(LATER, lease=LEASE, limit=99)
    for each in claimed:
        assert await store.mark_sent(each, Accepted("r"), LATER)
    return [each.key for each in claimed]


async def redriven(store, **which):
    which = {"channel": None, "number": None} | which
    done = await store.redrive(LATER, "Robin", **which)
    keys = {part: [each.notice.key for each in getattr(done, part)] for part in ("again", "left")}
    return keys["again"], keys["left"], done.events


class TestInTheStore:
    async def test_what_is_not_sent_is_listed_with_its_incident_longest_due_first(
        self, database_url
    ):
        one = incident(7)
        async with opened(database_url) as store:
            first = notice(one, "pager", due=after(5))
            second = notice(one, "desk", due=after(3))
            await store.commit(opening(one, first, second, notice(one, "log", due=T0)))
            (sent,) = await store.claim(T0, lease=LEASE, limit=1)
            await store.mark_sent(sent, Accepted(), T0)
            found = await store.notices(NOT_SENT, 9)
            assert [(each.number, each.notice) for each in found] == [(7, second), (7, first)]
            assert len(await store.notices(NOT_SENT, 1)) == 1
            assert await store.notices((NoticeState.DEAD,), 9) == []

    async def test_a_dead_notice_is_sent_again_under_its_key_and_the_timeline_says_who(
        self, database_url
    ):
        one = incident()
        owed = notice(one)
        async with opened(database_url) as store:
            await store.commit(opening(one, owed))
            await given_up(store)
            again, left, (event,) = await redriven(store)
            assert (again, left) == ([owed.key], [])
            assert (event.actor, event.text) == ("Robin", "To be sent again: trigger to pager.")
            assert (await store.incident(1)).events[-1] == event
            (claimed,) = await store.claim(LATER, lease=LEASE, limit=9)
            assert claimed.key == owed.key
            assert claimed.attempts == 2  # A receiver may have it already, and is asked first.

    async def test_only_those_of_a_channel_or_of_an_incident(self, database_url):
        one, two = incident(1), incident(2, subject="v1:sites:all")
        async with opened(database_url) as store:
            owed = {
                (about.number, channel): notice(about, channel)
                for about in (one, two)
                for channel in ("pager", "desk")
            }
            for about in (one, two):
                mine = [each for each in owed.values() if each.incident_id == about.id]
                await store.commit(opening(about, *mine))
            await given_up(store)
            again, _, _ = await redriven(store, channel="desk", number=2)
            assert again == [owed[2, "desk"].key]
            again, _, _ = await redriven(store, number=1)
            assert set(again) == {owed[1, "pager"].key, owed[1, "desk"].key}
            again, _, _ = await redriven(store)
            assert again == [owed[2, "pager"].key]

    async def test_what_is_not_dead_is_left_alone(self, database_url):
        one = incident()
        async with opened(database_url) as store:
            await store.commit(opening(one, notice(one)))
            assert await redriven(store) == ([], [], ())
            assert [e.text for e in (await store.incident(1)).events] == ["opened"]

    async def test_a_trigger_whose_end_was_sent_since_opens_nothing_again(self, database_url):
        one = incident()
        trigger, end = notice(one), notice(one, action=Action.RESOLVE, seq=2)
        async with opened(database_url) as store:
            await store.commit(opening(one, trigger))
            await given_up(store)
            over = moved(one, state=IncidentState.RESOLVED, resolved_at=T0)
            await store.commit(replace(over, notices=(end,)))
            assert await taken(store) == [end.key]
            assert await redriven(store) == ([], [trigger.key], ())

    async def test_the_end_of_an_earlier_alert_does_not_stand_in_the_way(self, database_url):
        one = incident()
        new = notice(one, dedup_key="escalated")
        ended = notice(one, action=Action.RESOLVE, seq=2)
        async with opened(database_url) as store:
            await store.commit(opening(one, new))
            await given_up(store)
            await store.commit(replace(moved(one), notices=(ended,)))
            assert await taken(store) == [ended.key]
            again, left, _ = await redriven(store)
            assert (again, left) == ([new.key], [])

    async def test_a_trigger_and_its_end_that_both_died_go_out_in_their_order(self, database_url):
        one = incident()
        trigger, end = notice(one), notice(one, action=Action.RESOLVE, seq=2)
        async with opened(database_url) as store:
            await store.commit(opening(one, trigger, end))
            await given_up(store)
            await given_up(store)
            await redriven(store)
            assert await taken(store) == [trigger.key]
            assert await taken(store) == [end.key]

    async def test_a_paused_outbox_gives_out_nothing_until_it_is_resumed(self, database_url):
        one = incident()
        async with opened(database_url) as store:
            await store.commit(opening(one, notice(one)))
            assert await store.paused_since() is None
            execute(database_url, "UPDATE instance SET paused_since = 1893456000000000")
            assert (await store.paused_since()).year == 2030
            assert await store.claim(LATER, lease=LEASE, limit=9) == []
            await store.resume_outbox()
            assert len(await store.claim(LATER, lease=LEASE, limit=9)) == 1

    async def test_a_paused_outbox_tells_no_receiver_again_what_stands(self, database_url):
        one = incident()
        async with opened(database_url) as store:
            await store.commit(opening(one, notice(one)))
            await taken(store)
            assert len(await store.standing("pager", T0)) == 1
            execute(database_url, "UPDATE instance SET paused_since = 1893456000000000")
            assert await store.standing("pager", T0) == []


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
async def config(tmp_path, sqlite_url, wide):
    """A store with an incident whose page was given up, and one for the desk that is held."""
    one = incident(4)
    async with opened(sqlite_url) as store:
        held = notice(one, "desk", due=after(3600), held=True)
        await store.commit(opening(one, notice(one), held))
        await given_up(store)
    path = tmp_path / "checks.yaml"
    path.write_text(CHECKS.format(folder=tmp_path))
    return str(path)


def monitor(*arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


class TestTheCommand:
    """No monitor is running: it asks the store."""

    def test_it_lists_what_is_owed(self, config):
        code, out, _ = monitor("notices", "-c", config)
        assert code == 0
        dead, held = out.splitlines()[1:]
        for word in ("#4", "pager", "trigger", "dead", "1", "404: no such hook", "CRM is down"):
            assert word in dead
        for word in ("#4", "desk", "trigger", "held", "until 07 Jan 10:00:00Z"):
            assert word in held

    def test_it_lists_only_the_dead(self, config):
        code, out, _ = monitor("notices", "--dead", "--json", "-c", config)
        found = json.loads(out)
        assert code == 0
        assert [each["state"] for each in found["notices"]] == ["dead"]
        assert found["notices"][0]["last_error"] == "404: no such hook"
        assert found["paused_since"] is None

    def test_it_says_that_nothing_is_owed(self, config, sqlite_url):
        execute(sqlite_url, "DELETE FROM notice")
        assert monitor("notices", "-c", config)[:2] == (0, "Nothing is owed.\n")

    def test_it_says_that_the_outbox_is_paused(self, config, sqlite_url):
        execute(sqlite_url, "UPDATE instance SET paused_since = 1893456000000000")
        out = monitor("notices", "-c", config)[1]
        assert out.startswith("The outbox is paused since 01 Jan 00:00:00Z: `monitor restore")

    def test_it_has_the_dead_sent_again_once(self, config):
        redrive = ("notices", "--redrive", "--by", "Robin", "-c", config)
        code, out, _ = monitor(*redrive)
        assert code == 0
        assert out.startswith("To be sent again:")
        states = json.loads(monitor("notices", "--json", "-c", config)[1])["notices"]
        assert [each["state"] for each in states] == ["pending", "pending"]
        assert monitor(*redrive)[:2] == (1, "There is nothing to send again.\n")

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (["--redrive"], "--by: name the person"),
            (["--by", "Robin"], "go with --redrive"),
            (["--channel", "pager"], "go with --redrive"),
        ],
    )
    def test_what_is_not_meant_so_exits_2(self, config, more, said):
        code, _, err = monitor("notices", *more, "-c", config)
        assert code == 2
        assert said in err

    async def test_while_another_process_has_the_store_it_says_so(self, config, sqlite_url):
        async with opened(sqlite_url, holder="process 7"):
            code, _, err = await asyncio.to_thread(
                monitor, "notices", "--redrive", "--by", "Robin", "-c", config
            )
        assert code == 1
        assert "held by process 7" in err
