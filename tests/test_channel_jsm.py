"""Jira Service Management Operations: an alert by its alias, and nobody is woken twice for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations

import pytest

from monitor.channels.jsm import JsmOptions, JsmPriorities
from monitor.channels.ticket import alert_mark
from monitor.model import Accepted, Action, Priority
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET
from tests.receivers.jsm import Operations, jsm_operations
from tests.receivers.tracker import HANG, LOST, units
from tests.ticket_fixtures import (
    ACCENTED,
    FAMILY,
    HOSTILE,
    alarm,
    desk_of,
    documented,
    life,
    refusal,
    saying,
    telling,
)

TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = life()


@asynccontextmanager
async def operations(options=None):
    """The alerts, and a channel of `options` to them."""

    def made(url):
        return JsmOptions(SECRET, url=url, **(options or {}))

    states = partial(Operations, SECRET.reveal())
    async with desk_of("jsm", states, jsm_operations, made) as desk:
        yield desk


async def test_an_incident_is_one_alert_from_its_trigger_to_its_end():
    async with operations() as desk:
        assert await desk.told(*life()) == Accepted(alert_mark(TRIGGER))
        (alert,) = desk.state.settle()
        assert (alert.alias, alert.priority) == (alert_mark(TRIGGER), "P1")
        assert (alert.acknowledged, alert.open, len(alert.notes)) == (True, False, 3)
        assert (alert.count, desk.state.woken) == (1, 1)
        assert desk.tracker.refusals == []


async def test_every_notice_is_one_request():
    async with operations() as desk:
        await desk.told(*life())
        alert = f"/jsm/ops/integration/v2/alerts/{alert_mark(TRIGGER)}"
        assert desk.tracker.asked() == [
            "POST /jsm/ops/integration/v2/alerts",
            f"POST {alert}/notes",
            f"POST {alert}/acknowledge",
            f"POST {alert}/close",
        ]


async def test_an_alert_says_what_the_notice_says():
    chosen = {"tags": ("crm",), "priority_names": JsmPriorities("P2", "P4")}
    async with operations(chosen) as desk:
        await desk.told(TRIGGER)
        await desk.told(life(2, priority=Priority.STANDARD)[0])
        first, second = desk.state.settle()
    assert first.message == "CRITICAL: CRM is down for all users"
    assert first.description.endswith("\nBegan 02:13 London time.")
    assert first.details == {"Incident": "http://127.0.0.1:8365/incidents/1"}
    assert (first.tags, first.priority, second.priority) == (["crm"], "P2", "P4")


@pytest.mark.parametrize("several", [1, 2])
async def test_whatever_answers_are_lost_people_are_woken_once(several):
    for lost in combinations(range(1, 5 + several), several):
        async with operations() as desk:
            desk.tracker.faults = dict.fromkeys(lost, LOST)
            await desk.told(*life())
            (alert,) = desk.state.settle()
            assert (desk.state.woken, alert.acknowledged, alert.open) == (1, True, False)
            assert len(alert.notes) >= 3


async def test_an_update_whose_trigger_died_wakes():
    async with operations() as desk:
        assert await desk.delivered(UPDATE) == Accepted(alert_mark(TRIGGER))
        assert (len(desk.state.settle()), desk.state.woken) == (1, 1)


@pytest.mark.parametrize("said", [ACKNOWLEDGE, RESOLVE], ids=lambda each: each.action)
async def test_an_end_whose_trigger_died_wakes_nobody(said):
    async with operations() as desk:
        assert await desk.delivered(said) == Accepted()
        assert desk.state.settle() == []


async def test_a_late_resolve_of_one_incident_leaves_the_next_open():
    async with operations() as desk:
        await desk.told(*life()[:3])
        await desk.told(*life(2)[:1])
        desk.watch.passes(7200)
        await desk.delivered(RESOLVE)
        assert [alert.open for alert in desk.state.settle()] == [False, True]


async def test_what_tells_is_an_alert_of_its_own_of_the_least_priority():
    async with operations() as desk:
        for name in ("digest-1", "digest-2"):
            await desk.delivered(telling(name))
        assert [alert.priority for alert in desk.state.settle()] == ["P5", "P5"]


async def test_the_monitor_s_own_alarm_is_critical():
    async with operations() as desk:
        await desk.told(alarm(), alarm(Action.RESOLVE, 2))
        (alert,) = desk.state.settle()
        assert (alert.priority, alert.open) == ("P1", False)


@pytest.mark.parametrize("unit", ["x", FAMILY, ACCENTED, "\U0001f525"])
@pytest.mark.parametrize("over", [-1, 0, 1, 40])
async def test_a_message_is_cut_by_whole_characters(unit, over):
    size = units(unit)
    headline = unit * ((130 + over) // size) + "." * ((130 + over) % size)
    async with operations() as desk:
        await desk.told(saying(headline))
        (alert,) = desk.state.settle()
    if over <= 0:
        assert alert.message == headline
    else:
        assert 130 - size < units(alert.message) <= 130
        kept = alert.message.removesuffix("\u2026").rstrip(".")
        assert kept == unit * (len(kept) // len(unit))


@pytest.mark.parametrize("line", ["x" * 40_000, FAMILY * 9_000, HOSTILE * 200])
async def test_a_text_fits(line):
    async with operations() as desk:
        await desk.told(saying(line, line), saying(line, line, action=Action.UPDATE))
        (alert,) = desk.state.settle()
        assert desk.tracker.refusals == []
        assert "\x1b" not in alert.description + alert.notes[0]
        assert "\n" not in alert.message


async def test_a_late_notice_says_so():
    async with operations() as desk:
        desk.watch.passes(3 * 3600)
        await desk.told(TRIGGER, UPDATE)
        (alert,) = desk.state.settle()
    assert all(
        said.startswith("[LATE by 3 h 0 min] ")
        for said in (alert.message, alert.description, *alert.notes)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_cannot_pass_is_permanent(status):
    async with operations() as desk:
        desk.tracker.faults = {1: Reply(status, b"no")}
        assert (await refusal(desk, TRIGGER)).permanent


@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(status):
    async with operations() as desk:
        desk.tracker.faults = {1: Reply(status, headers=(("retry-after", "37"),))}
        error = await refusal(desk, TRIGGER)
    assert (error.permanent, error.retry_after) == (False, 37.0)


async def test_an_api_that_hangs_is_left_after_the_timeout():
    async with operations({"timeout": 0.1}) as desk, asyncio.timeout(5):
        desk.tracker.faults = {1: HANG}
        assert not (await refusal(desk, TRIGGER)).permanent


async def test_no_error_shows_the_key():
    async with operations() as desk:
        desk.tracker.faults = {1: Reply(400, f"GenieKey {SECRET.reveal()}".encode())}
        error = await refusal(desk, TRIGGER)
    assert SECRET.reveal() not in str(error) + repr(desk.options)


async def test_a_wrong_key_is_told():
    async with operations() as desk:
        desk.state.key = "another"
        assert "Could not authenticate" in str(await refusal(desk, replace(TRIGGER, attempts=3)))


@pytest.mark.parametrize("tags", [("x" * 51,), ("",), ("x",) * 21])
def test_tags_that_jsm_would_leave_out_are_mistakes(tags):
    with pytest.raises(ValueError, match="tags: are at most 20"):
        JsmOptions(SECRET, tags=tags)


def test_a_priority_is_one_of_five():
    with pytest.raises(ValueError, match="standard: is not one of: P1, P2, P3, P4, P5"):
        JsmPriorities(standard="high")


def test_the_documented_example_is_read(tmp_path):
    channel = documented("jsm", tmp_path)
    assert channel.kind == "jsm"
    assert channel.options == JsmOptions(SECRET, JsmPriorities("P1", "P4"), ("monitor",))
