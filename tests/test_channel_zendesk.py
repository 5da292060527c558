"""Zendesk: one ticket for an alert, whatever is lost on the way; a follow-up where it closed."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from monitor.channels.ticket import alert_mark, notice_mark
from monitor.channels.zendesk import ZendeskOptions, ZendeskPriorities
from monitor.model import Accepted, Action, Priority, Reporter
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET
from tests.receivers.tracker import HANG, LOST
from tests.receivers.zendesk import Account, zendesk_account
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
LOGIN = f"bot@example.com/token:{SECRET.reveal()}"


@asynccontextmanager
async def account(options=None, closes=0, **state):
    """An account, and a channel of `options` to it; `closes` closes tickets on that request."""

    def made(url):
        return ZendeskOptions(url, "bot@example.com", SECRET, **(options or {}))

    states = partial(Account, LOGIN, **state)
    async with desk_of("zendesk", states, zendesk_account, made) as desk:
        answer = desk.tracker.answer

        def closing(request):
            for ticket in desk.state.tickets.values():
                if ticket.id == 1 and len(ticket.comments) == closes:
                    ticket.status = "closed"
            return answer(request)

        desk.tracker.answer = closing if closes else answer
        yield desk


def bodies(ticket):
    return [comment["body"] for comment in ticket.comments]


def marks(ticket):
    return [body.splitlines()[-1] for body in bodies(ticket)]


def outcome(desk):
    """Every ticket by its alert: the marks of the notices on it in order, and its status."""
    return [
        (ticket.fields["external_id"], marks(ticket), ticket.status)
        for ticket in desk.state.tickets.values()
    ]


def fields(desk, number=1):
    return desk.state.tickets[number].fields


# --------------------------------------------------------------------------- the life of a ticket


async def test_an_incident_is_one_ticket_from_its_trigger_to_its_end():
    async with account() as desk:
        accepted = await desk.told(*life())
        assert accepted == Accepted("1", f"{desk.tracker.url}/agent/tickets/1")
        assert outcome(desk) == [
            (alert_mark(TRIGGER), [notice_mark(each) for each in life()], "solved")
        ]


async def test_every_notice_of_a_known_ticket_is_one_request():
    async with account() as desk:
        known = await desk.told(TRIGGER)
        desk.state.tickets[1].assignee = "pat@example.com"
        for said in (UPDATE, ACKNOWLEDGE, RESOLVE):
            await desk.delivered(said, known)
        asked = desk.tracker.asked()
        assert asked == ["POST /api/v2/tickets.json"] + ["PUT /api/v2/tickets/1.json"] * 3
        assert desk.state.tickets[1].assignee == "pat@example.com"


async def test_a_ticket_that_nobody_has_is_solved_by_the_monitor_s_own_agent():
    async with account() as desk:
        await desk.told(TRIGGER, RESOLVE)
        assert desk.state.tickets[1].assignee == "bot@example.com"
        assert marks(desk.state.tickets[1]) == [notice_mark(TRIGGER), notice_mark(RESOLVE)]


async def test_a_ticket_says_what_the_notice_says():
    async with account() as desk:
        await desk.told(TRIGGER)
        assert fields(desk)["subject"] == "CRITICAL: CRM is down for all users"
        (body,) = bodies(desk.state.tickets[1])
    assert body.splitlines() == [
        "CRITICAL: CRM is down for all users",
        "Began 02:13 London time.",
        "Incident: http://127.0.0.1:8365/incidents/1",
        "",
        notice_mark(TRIGGER),
    ]


async def test_a_ticket_has_the_priority_the_tags_and_the_requester_that_are_set():
    chosen = {
        "priority_names": ZendeskPriorities(standard="high"),
        "tags": ("monitor", "crm"),
        "requester": "desk@example.com",
    }
    async with account(chosen) as desk:
        await desk.told(TRIGGER)
        await desk.told(life(2, priority=Priority.STANDARD)[0])
        assert [fields(desk, number)["priority"] for number in (1, 2)] == ["urgent", "high"]
        assert fields(desk)["tags"] == ["monitor", "crm"]
        assert fields(desk)["requester"]["email"] == "desk@example.com"


@pytest.mark.parametrize("public", [False, True])
async def test_a_comment_is_as_public_as_is_set(public):
    async with account({"public": public}) as desk:
        await desk.told(TRIGGER, UPDATE)
        assert [each["public"] for each in desk.state.tickets[1].comments] == [public] * 2


async def test_a_resolve_of_a_ticket_that_is_solved_is_a_success():
    async with account() as desk:
        known = await desk.told(TRIGGER)
        desk.state.tickets[1].status = "solved"
        assert await desk.delivered(RESOLVE, known) == known


# --------------------------------------------------------------------------- a closed ticket


async def closed(desk):
    """A known ticket that is closed."""
    known = await desk.told(TRIGGER)
    desk.state.tickets[1].status = "closed"
    return known


async def test_a_resolve_of_a_closed_ticket_is_done():
    async with account() as desk:
        known = await closed(desk)
        assert await desk.send(RESOLVE, known) == known
        assert outcome(desk) == [(alert_mark(TRIGGER), [notice_mark(TRIGGER)], "closed")]


async def test_an_update_of_a_closed_ticket_is_a_follow_up_and_the_rest_goes_there():
    async with account() as desk:
        known = await closed(desk)
        for said in (UPDATE, ACKNOWLEDGE, RESOLVE):
            assert (await desk.delivered(said, known)).remote_id == "2"
        assert fields(desk, 2)["via_followup_source_id"] == 1
        assert outcome(desk)[1] == (
            alert_mark(TRIGGER),
            [notice_mark(each) for each in (UPDATE, ACKNOWLEDGE, RESOLVE)],
            "solved",
        )


async def test_a_follow_up_that_is_closed_too_is_followed():
    async with account() as desk:
        known = await closed(desk)
        await desk.delivered(UPDATE, known)
        desk.state.tickets[2].status = "closed"
        assert (await desk.delivered(ACKNOWLEDGE, known)).remote_id == "3"
        assert fields(desk, 3)["via_followup_source_id"] == 2


async def test_a_notice_that_finds_its_ticket_closed_follows_it():
    async with account() as desk:
        await closed(desk)
        assert (await desk.delivered(UPDATE)).remote_id == "2"


# --------------------------------------------------------------------------- where nothing is known


@pytest.mark.parametrize("said", [UPDATE, ACKNOWLEDGE, RESOLVE], ids=lambda each: each.action)
async def test_a_later_notice_finds_the_ticket_by_its_alert(said):
    async with account() as desk:
        await desk.told(TRIGGER)
        assert (await desk.send(said)).remote_id == "1"
        assert marks(desk.state.tickets[1]) == [notice_mark(TRIGGER), notice_mark(said)]


@pytest.mark.parametrize(
    ("said", "status"), [(UPDATE, "new"), (ACKNOWLEDGE, "new"), (RESOLVE, "solved")]
)
async def test_a_later_notice_makes_the_ticket_where_its_trigger_died(said, status):
    async with account() as desk:
        await desk.delivered(said)
        assert outcome(desk) == [(alert_mark(TRIGGER), [notice_mark(said)], status)]


@pytest.mark.parametrize(
    ("contact", "requester"),
    [
        ("pat@customer.example.com", "pat@customer.example.com"),
        ("call 0113 496 0000", None),
        ("pat@customer.example.com, and more", None),
        ("", None),
    ],
)
async def test_a_customer_s_report_is_a_ticket_of_that_customer_where_mail_reaches(
    contact, requester
):
    async with account() as desk:
        await desk.delivered(telling("report-7", Reporter("R-7", contact, "acme")))
        asked = fields(desk).get("requester", {}).get("email")
        assert (asked, desk.state.tickets[1].comments[0]["public"]) == (
            requester,
            requester is not None,
        )


async def test_the_monitor_s_own_alarm_is_a_ticket_without_a_priority():
    async with account() as desk:
        await desk.told(alarm(), alarm(Action.RESOLVE, 2))
        assert outcome(desk)[0][2] == "solved"
        assert "priority" not in fields(desk)


# --------------------------------------------------------------------------- what is lost


@pytest.mark.parametrize("lists_after", [0, 1, 3])
async def test_whatever_answers_are_lost_every_notice_is_there_once(lists_after):
    opened = partial(account, lists_after=lists_after)
    await survives_lost_answers(opened, outcome, life(), refused=["Assignee: is required"])


@pytest.mark.parametrize("closes", [1, 2, 3])
async def test_whatever_is_lost_while_a_ticket_closes_no_notice_is_there_twice(closes):
    async with account(closes=closes) as desk:
        await desk.told(*life())
        count = len(desk.tracker.requests)
    for lost in range(1, count + 1):
        async with account(closes=closes) as desk:
            desk.tracker.faults = {lost: LOST}
            await desk.told(*life())
            said = [mark for _, each, _ in outcome(desk) for mark in each]
            assert len(said) == len(set(said))
            assert set(said) >= {notice_mark(each) for each in life()[:3]}
            assert [status for _, _, status in outcome(desk)[1:]] in ([], ["solved"])


async def test_a_digest_whose_answer_was_lost_is_there_once():
    await survives_lost_answers(account, outcome, [telling()])


async def test_the_same_request_again_is_the_same_ticket():
    async with account(lists_after=9) as desk:
        desk.tracker.faults = {1: LOST}
        assert (await desk.delivered(TRIGGER)).remote_id == "1"
        assert desk.state.lookups == ["miss", "hit"]


async def test_a_request_that_has_become_late_finds_the_ticket_it_made():
    async with account(lists_after=1) as desk:
        desk.tracker.faults = {1: LOST}
        await refusal(desk, TRIGGER)
        desk.watch.passes(600)
        assert (await desk.send(replace(TRIGGER, attempts=2))).remote_id == "1"
        assert len(desk.state.tickets) == 1
        assert "IdempotentRequestError" in desk.tracker.refusals[0]


async def test_a_ticket_that_is_made_and_not_yet_listed_is_waited_for():
    async with account(lists_after=4) as desk:
        desk.tracker.faults = {1: LOST}
        await refusal(desk, TRIGGER)
        desk.watch.passes(600)
        error = await refusal(desk, replace(TRIGGER, attempts=2))
        assert not error.permanent
        desk.watch.passes(600)
        await refusal(desk, replace(TRIGGER, attempts=3))
        assert (await desk.send(replace(TRIGGER, attempts=4))).remote_id == "1"


async def test_after_the_keys_are_forgotten_the_external_id_still_finds_it():
    async with account() as desk:
        desk.tracker.faults = {1: LOST}
        await refusal(desk, TRIGGER)
        desk.watch.passes(3 * 3600)
        assert (await desk.send(replace(TRIGGER, attempts=2))).remote_id == "1"
        assert len(desk.state.tickets) == 1


async def test_a_comment_is_found_among_hundreds():
    async with account() as desk:
        known = await desk.told(TRIGGER, UPDATE)
        ticket = desk.state.tickets[1]
        ticket.comments += [{"body": "busy", "public": False}] * 250
        await desk.send(replace(UPDATE, attempts=2), known)
        assert len(ticket.comments) == 252


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize("unit", ["x", FAMILY, ACCENTED, "\U0001f525"])
@pytest.mark.parametrize("over", [-1, 0, 1, 40])
async def test_a_subject_is_cut_by_whole_characters(unit, over):
    size = len(unit)
    headline = unit * ((150 + over) // size) + "." * ((150 + over) % size)
    async with account() as desk:
        await desk.told(saying(headline))
        subject = fields(desk)["subject"]
    if over <= 0:
        assert subject == headline
    else:
        assert 150 - size < len(subject) <= 150
        assert subject == unit * ((len(subject) - 1) // size) + "\u2026"


@pytest.mark.parametrize("line", ["x" * 70_000, FAMILY * 20_000, "{{" * 40_000, "\n" * 70_000])
async def test_a_comment_fits(line):
    async with account() as desk:
        await desk.told(saying("Down", line), saying("Down", line, action=Action.UPDATE))
        assert desk.tracker.refusals == []
        assert all(body.splitlines()[-1].startswith("notice-") for body in bodies_of(desk))


def bodies_of(desk):
    return [body for ticket in desk.state.tickets.values() for body in bodies(ticket)]


async def test_remote_text_fills_in_no_placeholder():
    async with account() as desk:
        await desk.told(saying(HOSTILE, HOSTILE), saying(HOSTILE, HOSTILE, action=Action.UPDATE))
        assert desk.tracker.refusals == []
        for said in (*bodies_of(desk), fields(desk)["subject"]):
            assert "{{" not in said
            assert "{%" not in said
            assert "\x1b" not in said
        assert "\n" not in fields(desk)["subject"]


async def test_a_late_notice_says_so():
    async with account() as desk:
        desk.watch.passes(3 * 3600)
        await desk.told(TRIGGER, UPDATE)
        assert fields(desk)["subject"].startswith("[LATE by 3 h 0 min] CRITICAL")
        assert all(body.startswith("[LATE by 3 h 0 min] ") for body in bodies_of(desk))


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_what_cannot_pass_is_permanent(status):
    async with account() as desk:
        desk.tracker.faults = {1: Reply(status, b"no")}
        error = await refusal(desk, TRIGGER)
    assert error.permanent
    assert str(error) == f"the receiver answered {status}: no"


@pytest.mark.parametrize("status", [302, 408, 409, 429, 500, 503])
async def test_what_may_pass_is_tried_again(status):
    async with account() as desk:
        desk.tracker.faults = {1: Reply(status), 2: Reply(status)}
        assert not (await refusal(desk, TRIGGER)).permanent
        assert not (await refusal(desk, UPDATE, Accepted("1"))).permanent


async def test_a_change_that_a_ticket_refuses_is_permanent():
    async with account() as desk:
        known = await desk.told(TRIGGER)
        desk.state.tickets[1].assignee = "pat@example.com"
        desk.tracker.faults = {2: Reply(422, b"Product: is required when solving a ticket")}
        error = await refusal(desk, RESOLVE, known)
    assert error.permanent
    assert "Product" in str(error)


async def test_a_rate_limit_names_its_pause():
    async with account() as desk:
        desk.tracker.faults = {1: Reply(429, headers=(("retry-after", "37"),))}
        assert (await refusal(desk, TRIGGER)).retry_after == 37.0


async def test_two_changes_at_once_may_pass():
    async with account(conflicts=1) as desk:
        await desk.told(TRIGGER, UPDATE)
        assert marks(desk.state.tickets[1]) == [notice_mark(TRIGGER), notice_mark(UPDATE)]


@pytest.mark.parametrize("body", [b"{}", b'{"ticket": []}', b'{"ticket": {"id": null}}', b"[" * 9])
async def test_an_answer_without_an_id_is_no_acceptance(body):
    async with account() as desk:
        desk.tracker.faults = {1: Reply(201, body)}
        error = await refusal(desk, TRIGGER)
    assert not error.permanent
    assert str(error) == "Zendesk answered without the id of the ticket"


async def test_an_account_that_hangs_is_left_after_the_timeout():
    async with account({"timeout": 0.1}) as desk, asyncio.timeout(5):
        desk.tracker.faults = {1: HANG}
        assert not (await refusal(desk, TRIGGER)).permanent


async def test_no_error_shows_the_token():
    async with account() as desk:
        await desk.told(TRIGGER)
        sent = desk.tracker.requests[0].header("authorization")
        said = json.dumps({"error": f"{sent} {SECRET.reveal()}"}).encode()
        desk.tracker.faults = {2: Reply(400, said)}
        error = await refusal(desk, UPDATE, Accepted("1"))
    assert "400" in str(error)
    assert SECRET.reveal() not in str(error)
    assert sent.split()[1] not in str(error)
    assert SECRET.reveal() not in repr(desk.options)


@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        ({"requester": "the desk"}, "requester: is no mail address"),
        ({"tags": ("two words",)}, "tags: holds one with a space"),
    ],
)
def test_settings_that_zendesk_would_refuse_are_mistakes(wrong, mistake):
    with pytest.raises(ValueError, match=mistake):
        ZendeskOptions("https://acme.example.com", "bot@example.com", SECRET, **wrong)


def test_a_priority_is_one_of_zendesk_s():
    with pytest.raises(ValueError, match="critical: is not one of: urgent, high, normal, low"):
        ZendeskPriorities(critical="blocker")


def test_the_documented_example_is_read(tmp_path):
    channel = documented("zendesk", tmp_path)
    assert channel.kind == "zendesk"
    assert channel.options == ZendeskOptions(
        "https://acme.example.com",
        "monitor@acme.example.com",
        SECRET,
        requester="desk@acme.example.com",
        tags=("monitor",),
    )
