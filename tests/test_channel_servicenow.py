"""ServiceNow: one incident for an alert, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from monitor.channels.servicenow import ServicenowLevels, ServicenowOptions
from monitor.channels.ticket import alert_mark, notice_mark
from monitor.model import Accepted, Action, Priority
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET
from tests.receivers.servicenow import Instance, servicenow_instance
from tests.receivers.tracker import HANG, units
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
    survives_lost_answers,
    telling,
)

TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = life()
FIRST = f"{1:032x}"


@asynccontextmanager
async def instance(options=None, **state):
    """An instance, and a channel of `options` to it."""

    def made(url):
        return ServicenowOptions(url, "monitor", SECRET, **(options or {}))

    states = partial(Instance, f"monitor:{SECRET.reveal()}", **state)
    async with desk_of("servicenow", states, servicenow_instance, made) as desk:
        yield desk


def marks(record):
    return [text.splitlines()[-1] for text in (record.fields["description"], *record.notes)]


def outcome(desk):
    """Every incident by its alert: the marks of the notices on it in order, and its state."""
    return [
        (record.fields["correlation_id"], marks(record), record.state)
        for record in desk.state.records.values()
    ]


def fields(desk):
    return desk.state.records[FIRST].fields


async def test_an_incident_is_one_record_from_its_trigger_to_its_end():
    async with instance() as desk:
        accepted = await desk.told(*life())
        assert accepted == Accepted(FIRST, f"{desk.tracker.url}/incident.do?sys_id={FIRST}")
        assert outcome(desk) == [(alert_mark(TRIGGER), [notice_mark(each) for each in life()], "6")]
        assert fields(desk)["close_code"] == "Solution provided"
        assert fields(desk)["close_notes"].startswith("CRITICAL: CRM")
        assert desk.tracker.refusals == []


async def test_a_record_says_what_the_notice_says_and_has_what_is_set():
    chosen = {
        "fields": {"caller_id": "monitor", "assignment_group": "Operations"},
        "urgencies": ServicenowLevels(2, 3),
    }
    async with instance(chosen) as desk:
        await desk.told(TRIGGER)
        assert fields(desk)["short_description"] == "CRITICAL: CRM is down for all users"
        assert "Began 02:13 London time." in fields(desk)["description"]
        assert fields(desk)["assignment_group"] == "Operations"
        assert (fields(desk)["impact"], fields(desk)["urgency"]) == ("1", "2")
        await desk.told(life(2, priority=Priority.STANDARD)[0])
        second = desk.state.records[f"{2:032x}"].fields
        assert (second["impact"], second["urgency"]) == ("2", "3")


@pytest.mark.parametrize("state", ["6", "7", "8"])
async def test_a_resolve_of_what_has_ended_is_a_success(state):
    async with instance() as desk:
        known = await desk.told(TRIGGER)
        fields(desk)["state"] = state
        assert await desk.delivered(RESOLVE, known) == known
        assert outcome(desk)[0][1:] == ([notice_mark(TRIGGER)], state)


async def test_a_note_on_what_is_closed_is_told_as_refused():
    async with instance() as desk:
        known = await desk.told(TRIGGER)
        fields(desk)["state"] = "7"
        error = await refusal(desk, UPDATE, known)
    assert error.permanent
    assert "the incident is closed" in str(error)


@pytest.mark.parametrize("said", [UPDATE, ACKNOWLEDGE, RESOLVE], ids=lambda each: each.action)
async def test_a_later_notice_finds_the_record_by_its_alert(said):
    async with instance() as desk:
        await desk.told(TRIGGER)
        assert (await desk.send(said)).remote_id == FIRST
        assert marks(desk.state.records[FIRST]) == [notice_mark(TRIGGER), notice_mark(said)]


@pytest.mark.parametrize(("said", "state"), [(UPDATE, "1"), (ACKNOWLEDGE, "1"), (RESOLVE, "6")])
async def test_a_later_notice_makes_the_record_where_its_trigger_died(said, state):
    async with instance() as desk:
        await desk.delivered(said)
        assert outcome(desk) == [(alert_mark(TRIGGER), [notice_mark(said)], state)]


async def test_the_monitor_s_own_alarm_is_a_record():
    async with instance() as desk:
        await desk.told(alarm(), alarm(Action.RESOLVE, 2))
        assert outcome(desk)[0][2] == "6"
        assert "impact" not in fields(desk)


async def test_whatever_answers_are_lost_every_notice_is_there_once():
    await survives_lost_answers(instance, outcome, life())


@pytest.mark.parametrize("said", [UPDATE, RESOLVE, telling()], ids=lambda each: each.action)
async def test_a_record_whose_answer_was_lost_is_there_once(said):
    await survives_lost_answers(instance, outcome, [said])


@pytest.mark.parametrize("unit", ["x", FAMILY, ACCENTED, "\U0001f525"])
@pytest.mark.parametrize("over", [-1, 0, 1, 40])
async def test_a_summary_is_cut_by_whole_characters(unit, over):
    size = units(unit)
    headline = unit * ((160 + over) // size) + "." * ((160 + over) % size)
    async with instance() as desk:
        await desk.told(saying(headline))
        summary = fields(desk)["short_description"]
    if over <= 0:
        assert summary == headline
    else:
        assert 160 - size < units(summary) <= 160
        kept = summary.removesuffix("\u2026").rstrip(".")
        assert kept == unit * (len(kept) // len(unit))


@pytest.mark.parametrize("line", ["x" * 9_000, FAMILY * 2_000, "[code]" * 900, HOSTILE * 50])
async def test_a_text_fits_and_is_shown_as_text(line):
    async with instance() as desk:
        await desk.told(saying("[CODE]", line), saying("Down", line, action=Action.UPDATE))
        await desk.delivered(RESOLVE, Accepted(FIRST))
        assert desk.tracker.refusals == []
        assert len(marks(desk.state.records[FIRST])) == 3


async def test_a_late_notice_says_so():
    async with instance() as desk:
        desk.watch.passes(3 * 3600)
        await desk.told(TRIGGER, UPDATE)
        record = desk.state.records[FIRST]
    for said in (record.fields["short_description"], record.fields["description"], *record.notes):
        assert said.startswith("[LATE by 3 h 0 min] ")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_cannot_pass_is_permanent(status):
    async with instance() as desk:
        desk.tracker.faults = {1: Reply(status, b"no")}
        assert (await refusal(desk, TRIGGER)).permanent


@pytest.mark.parametrize("status", [302, 408, 429, 500, 503])
async def test_what_may_pass_is_tried_again(status):
    async with instance() as desk:
        desk.tracker.faults = {1: Reply(status, headers=(("retry-after", "37"),))}
        error = await refusal(desk, TRIGGER)
    assert (error.permanent, error.retry_after) == (False, 37.0)


async def test_a_close_code_that_the_site_does_not_know_is_told():
    async with instance({"close_code": "Fixed"}) as desk:
        known = await desk.told(TRIGGER)
        error = await refusal(desk, RESOLVE, known)
    assert error.permanent
    assert "close_code" in str(error)


async def test_an_answer_without_a_sys_id_is_no_acceptance():
    async with instance() as desk:
        desk.tracker.faults = {1: Reply(201, b'{"result": []}')}
        error = await refusal(desk, TRIGGER)
    assert not error.permanent
    assert str(error) == "ServiceNow answered without the sys_id of the incident"


async def test_an_instance_that_hangs_is_left_after_the_timeout():
    async with instance({"timeout": 0.1}) as desk, asyncio.timeout(5):
        desk.tracker.faults = {1: HANG}
        assert not (await refusal(desk, TRIGGER)).permanent


async def test_no_error_shows_the_password():
    async with instance() as desk:
        await desk.told(TRIGGER)
        sent = desk.tracker.requests[0].header("authorization")
        desk.tracker.faults = {2: Reply(400, f"{sent} {SECRET.reveal()}".encode())}
        error = await refusal(desk, replace(UPDATE, attempts=1), Accepted(FIRST))
    assert SECRET.reveal() not in str(error) + repr(desk.options)
    assert sent.split()[1] not in str(error)


def test_a_field_that_the_monitor_sets_is_a_mistake():
    with pytest.raises(ValueError, match="fields: `state` is set by the monitor"):
        ServicenowOptions("https://x.example.com", "m", SECRET, fields={"state": "2"})


def test_a_level_is_from_one_to_three():
    with pytest.raises(ValueError, match="standard: is not from 1 to 3"):
        ServicenowLevels(standard=4)


def test_the_documented_example_is_read(tmp_path):
    channel = documented("servicenow", tmp_path)
    assert channel.kind == "servicenow"
    assert channel.options == ServicenowOptions(
        "https://acme.example.com",
        "monitor",
        SECRET,
        {"caller_id": "monitor", "assignment_group": "Operations"},
        ServicenowLevels(1, 2),
        ServicenowLevels(1, 3),
    )
