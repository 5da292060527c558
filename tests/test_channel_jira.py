"""Jira Cloud: one issue for an alert, whatever is lost on the way; and nothing in it but text."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from monitor.channels.jira import SETTLE_SECONDS, JiraOptions, JiraPriorities
from monitor.channels.ticket import alert_mark, notice_mark
from monitor.delivery import Delivery
from monitor.metrics import NoticeOutcome
from monitor.model import Accepted, Action, Channel, Priority, Role
from monitor.store import open_store
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET, incident, opening, until
from tests.receivers.jira import LIMIT, Site, jira_site
from tests.receivers.tracker import HANG, LOST, reply, units
from tests.ticket_fixtures import (
    ACCENTED,
    FAMILY,
    HOSTILE,
    desk_of,
    documented,
    life,
    refusal,
    saying,
    survives_lost_answers,
    telling,
    written,
)

TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = life()
ACCOUNT = f"bot@example.com:{SECRET.reveal()}"


@asynccontextmanager
async def site(lag=0.0, options=None, **state):
    """A site, and a channel of `options` to it."""

    def made(url):
        return JiraOptions(url, "bot@example.com", SECRET, "OPS", **(options or {}))

    states = partial(Site, ACCOUNT, lag=lag, **state)
    async with desk_of("jira", states, jira_site, made) as desk:
        yield desk


def outcome(desk):
    """Every issue by its alert: the marks of the notices on it in order, and its status."""
    return [
        (issue.fields["labels"], marks(issue), issue.status) for issue in desk.state.issues.values()
    ]


def marks(issue):
    texts = [issue.fields["description"], *(each["body"] for each in issue.comments)]
    return [text["content"][-1]["content"][0]["text"] for text in texts]


# --------------------------------------------------------------------------- the life of an issue


async def test_an_incident_is_one_issue_from_its_trigger_to_its_end():
    async with site() as desk:
        accepted = await desk.told(*life())
        assert accepted == Accepted("OPS-1", f"{desk.tracker.url}/browse/OPS-1")
        assert outcome(desk) == [
            ([alert_mark(TRIGGER)], [notice_mark(each) for each in life()], "Done")
        ]
        assert desk.tracker.refusals == []


async def test_a_trigger_is_one_request_and_an_update_another():
    async with site() as desk:
        await desk.told(TRIGGER, UPDATE)
        assert desk.tracker.asked() == [
            "POST /rest/api/3/issue",
            "POST /rest/api/3/issue/OPS-1/comment",
        ]


async def test_an_issue_says_what_the_notice_says_and_links():
    async with site() as desk:
        await desk.told(TRIGGER)
        fields = desk.state.issues["OPS-1"].fields
    assert fields["summary"] == "CRITICAL: CRM is down for all users"
    said = written(fields["description"])
    assert "Began 02:13 London time." in said
    assert '"href": "http://127.0.0.1:8365/incidents/1"' in said


async def test_priorities_are_set_where_they_are_named():
    named = {"priority_names": JiraPriorities(critical="Highest")}
    async with site(options=named) as desk:
        await desk.told(TRIGGER)
        await desk.told(life(2, priority=Priority.STANDARD)[0])
        first, second = desk.state.issues.values()
    assert first.fields["priority"] == {"name": "Highest"}
    assert "priority" not in second.fields


async def test_an_acknowledgement_moves_the_issue_where_a_transition_is_named():
    async with site(options={"acknowledge_transition": "start work"}) as desk:
        await desk.told(TRIGGER, ACKNOWLEDGE)
        assert desk.state.issues["OPS-1"].status == "In Progress"


async def test_an_acknowledgement_of_an_issue_that_is_further_is_a_comment():
    async with site(options={"acknowledge_transition": "Start work"}) as desk:
        known = await desk.told(TRIGGER)
        desk.state.issues["OPS-1"].status = "Done"
        await desk.delivered(ACKNOWLEDGE, known)
        assert outcome(desk)[0][1:] == ([notice_mark(TRIGGER), notice_mark(ACKNOWLEDGE)], "Done")


async def test_a_resolve_of_an_issue_that_is_done_is_a_success():
    async with site() as desk:
        known = await desk.told(TRIGGER)
        desk.state.issues["OPS-1"].status = "Done"
        assert await desk.delivered(RESOLVE, known) == known
        assert desk.tracker.refusals == []


async def test_a_resolve_uses_the_transition_that_is_named():
    workflow = {"5": ("Reject", "Done"), "6": ("Fixed", "Done")}
    async with site(options={"resolve_transition": "fixed"}, workflow=workflow) as desk:
        await desk.told(TRIGGER, RESOLVE)
        assert b'{"transition":{"id":"6"}}' in [each.body for each in desk.tracker.requests]


async def test_a_resolve_that_no_transition_serves_says_which_there_are():
    async with site(options={"resolve_transition": "Fixed"}) as desk:
        known = await desk.told(TRIGGER)
        error = await refusal(desk, RESOLVE, known)
    assert error.permanent
    assert str(error) == (
        "OPS-1 offers no transition named 'Fixed', only: 'Start work', 'Close it'"
    )


async def test_two_transitions_at_once_may_pass():
    async with site(conflicts=1) as desk:
        known = await desk.told(TRIGGER)
        error = await refusal(desk, RESOLVE, known)
        assert not error.permanent
        await desk.send(replace(RESOLVE, attempts=2), known)
        assert outcome(desk)[0][1:] == ([notice_mark(TRIGGER), notice_mark(RESOLVE)], "Done")


async def test_a_transition_somebody_else_made_meanwhile_is_a_success():
    async with site() as desk:
        known = await desk.told(TRIGGER)
        invalid = reply(400, {"errorMessages": ["not valid for the current state"]})
        asked = len(desk.tracker.requests)

        def closed_by_another(request, answer=desk.tracker.answer):
            if request.method == "POST" and request.path.endswith("/transitions"):
                desk.state.issues["OPS-1"].status = "Done"
                return invalid
            return answer(request)

        desk.tracker.answer = closed_by_another
        assert await desk.send(RESOLVE, known) == known
        assert len(desk.tracker.requests) > asked


# --------------------------------------------------------------------------- where nothing is known


@pytest.mark.parametrize("said", [UPDATE, ACKNOWLEDGE, RESOLVE], ids=lambda each: each.action)
async def test_a_later_notice_finds_the_issue_by_its_alert(said):
    async with site() as desk:
        await desk.told(TRIGGER)
        accepted = await desk.send(said)
        assert accepted.remote_id == "OPS-1"
        assert marks(desk.state.issues["OPS-1"]) == [notice_mark(TRIGGER), notice_mark(said)]


@pytest.mark.parametrize(
    ("said", "status"), [(UPDATE, "To Do"), (ACKNOWLEDGE, "To Do"), (RESOLVE, "Done")]
)
async def test_a_later_notice_makes_the_issue_where_its_trigger_died(said, status):
    async with site() as desk:
        await desk.delivered(said)
        assert outcome(desk) == [([alert_mark(TRIGGER)], [notice_mark(said)], status)]


# --------------------------------------------------------------------------- what is lost


@pytest.mark.parametrize("lag", [0.0, SETTLE_SECONDS - 1])
async def test_whatever_answer_is_lost_every_notice_is_there_once(lag):
    opened = partial(site, lag, {"acknowledge_transition": "Start work"})
    await survives_lost_answers(opened, outcome, life(), at_once=1)


async def test_whichever_two_answers_are_lost_an_issue_is_made_and_done_once():
    await survives_lost_answers(partial(site, SETTLE_SECONDS - 1), outcome, [TRIGGER, RESOLVE])


async def test_a_digest_whose_answer_was_lost_is_there_once():
    await survives_lost_answers(partial(site, 30.0), outcome, [telling()])


async def test_an_issue_that_the_search_may_not_show_yet_is_waited_for():
    async with site(lag=45.0) as desk:
        desk.tracker.faults = {1: LOST}
        await refusal(desk, TRIGGER)
        desk.watch.passes(5)
        error = await refusal(desk, replace(TRIGGER, attempts=2, last_error="lost"))
        assert (error.permanent, error.retry_after) == (False, SETTLE_SECONDS)
        desk.watch.passes(error.retry_after)
        third = replace(TRIGGER, attempts=3, last_error=str(error))
        assert (await desk.send(third)).remote_id == "OPS-1"
        assert len(desk.state.issues) == 1


async def test_the_wait_is_over_only_for_the_attempt_after_it():
    async with site() as desk:
        error = await refusal(desk, replace(TRIGGER, attempts=2))
        for later in (4, 5):
            again = replace(TRIGGER, attempts=later, last_error=str(error))
            assert (await refusal(desk, again)).retry_after == SETTLE_SECONDS
        await desk.send(replace(TRIGGER, attempts=3, last_error=str(error)))
        assert len(desk.state.issues) == 1


async def test_a_comment_is_found_among_hundreds():
    async with site() as desk:
        known = await desk.told(TRIGGER, UPDATE)
        issue = desk.state.issues["OPS-1"]
        issue.comments += [{"id": "x", "body": {}} for _ in range(250)]
        await desk.send(replace(UPDATE, attempts=2), known)
        assert len(issue.comments) == 251


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize("unit", ["x", FAMILY, ACCENTED, "\U0001f525"])
@pytest.mark.parametrize("over", [-1, 0, 1, 40])
async def test_a_summary_is_cut_by_whole_characters_as_java_counts(unit, over):
    size = units(unit)
    headline = unit * ((255 + over) // size) + "." * ((255 + over) % size)
    async with site() as desk:
        await desk.told(saying(headline))
        summary = desk.state.issues["OPS-1"].fields["summary"]
    if over <= 0:
        assert summary == headline
    else:
        assert 255 - size < units(summary) <= 255
        assert summary == unit * ((len(summary) - 1) // len(unit)) + "\u2026"


@pytest.mark.parametrize("line", ["x" * 40_000, FAMILY * 8_000, '"\\' * 20_000, "word\n" * 9_000])
async def test_a_text_fits_however_its_document_is_counted(line):
    async with site() as desk:
        await desk.told(saying("Down", *[line] * 3))
        await desk.told(saying("Down", line, action=Action.UPDATE))
        issue = desk.state.issues["OPS-1"]
        assert desk.tracker.refusals == []
    for said in (issue.fields["description"], issue.comments[0]["body"]):
        assert units(written(said)) <= LIMIT
        assert said["content"][-1]["content"][0]["text"].startswith("notice-")


async def test_remote_text_is_text_and_nothing_else():
    async with site() as desk:
        await desk.told(saying(HOSTILE, HOSTILE), saying(HOSTILE, HOSTILE, action=Action.UPDATE))
        issue = desk.state.issues["OPS-1"]
        assert desk.tracker.refusals == []
    assert "\n" not in issue.fields["summary"]
    for said in (issue.fields["description"], issue.comments[0]["body"]):
        marked = [each for each in said["content"] if "marks" in written(each)]
        assert len(marked) == 1
        assert "@team #12 [x](https://bad.example)" in written(said)


async def test_a_link_that_is_none_is_left_out():
    said = replace(TRIGGER, message=replace(TRIGGER.message, links={"Bad": "javascript:alert(1)"}))
    async with site() as desk:
        await desk.told(said)
        assert "javascript" not in written(desk.state.issues["OPS-1"].fields)


async def test_a_late_notice_says_so():
    async with site() as desk:
        desk.watch.passes(3 * 3600)
        await desk.told(TRIGGER, UPDATE)
        issue = desk.state.issues["OPS-1"]
    assert issue.fields["summary"].startswith("[LATE by 3 h 0 min] CRITICAL")
    assert "[LATE by 3 h 0 min] " in written(issue.comments[0])


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_what_cannot_pass_is_permanent(status):
    async with site() as desk:
        desk.tracker.faults = {1: Reply(status, b"no")}
        error = await refusal(desk, TRIGGER)
    assert error.permanent
    assert str(error) == f"the receiver answered {status}: no"


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(status):
    async with site() as desk:
        desk.tracker.faults = {1: Reply(status)}
        assert not (await refusal(desk, TRIGGER)).permanent


async def test_a_rate_limit_names_its_pause():
    async with site() as desk:
        desk.tracker.faults = {1: Reply(429, headers=(("retry-after", "37"),))}
        assert (await refusal(desk, TRIGGER)).retry_after == 37.0


@pytest.mark.parametrize(
    "wrong",
    [{"project": "XYZ"}, {"issue_type": "Story"}, {"priority_names": JiraPriorities("Blocker")}],
)
async def test_a_setting_that_the_site_does_not_know_is_told(wrong):
    async with site() as desk:
        desk.options = replace(desk.options, **wrong)
        error = await refusal(desk, TRIGGER)
    assert error.permanent
    assert next(iter(wrong)).replace("_", "").removesuffix("names") in str(error)


async def test_an_answer_without_a_key_is_no_acceptance():
    async with site() as desk:
        desk.tracker.faults = {1: Reply(201, b"{}")}
        error = await refusal(desk, TRIGGER)
    assert not error.permanent
    assert str(error) == "Jira answered without the key of the issue"


async def test_a_site_that_hangs_is_left_after_the_timeout():
    async with site(options={"timeout": 0.1}) as desk, asyncio.timeout(5):
        desk.tracker.faults = {1: HANG}
        assert not (await refusal(desk, TRIGGER)).permanent


async def test_no_error_shows_the_token():
    async with site() as desk:
        await desk.told(TRIGGER)
        sent = desk.tracker.requests[0].header("authorization")
        desk.tracker.faults = {2: Reply(400, f"{sent} {SECRET.reveal()}".encode())}
        error = await refusal(desk, UPDATE, Accepted("OPS-1"))
    assert "400" in str(error)
    assert SECRET.reveal() not in str(error)
    assert sent.split()[1] not in str(error)
    assert SECRET.reveal() not in repr(desk.options)


def test_the_documented_example_is_read(tmp_path):
    channel = documented("jira", tmp_path)
    assert channel.kind == "jira"
    assert channel.options == JiraOptions(
        "https://acme.example.com",
        "monitor@acme.example.com",
        SECRET,
        "OPS",
        "Incident",
        JiraPriorities("Highest", "Medium"),
        "Start work",
    )


async def test_delivery_waits_and_makes_one_issue_where_the_answer_was_lost(sqlite_url):
    async with site(lag=45.0) as desk:
        desk.tracker.faults = {1: LOST}
        store = await open_store(sqlite_url, clock=desk.watch.clock, holder="test")
        channel = Channel("desk", "jira", (Role.SERVICE_DESK,), desk.options)
        delivery = Delivery(
            store,
            {"desk": channel},
            desk.net,
            desk.watch.clock,
            random=lambda: 0.0,
            poll_seconds=0.01,
        )
        running = asyncio.create_task(delivery.run())
        await store.commit(opening(incident(), TRIGGER, UPDATE))
        for retried, pause in ((1, 6.0), (2, SETTLE_SECONDS + 1)):
            await until(partial(counted, delivery, NoticeOutcome.RETRIED, retried))
            desk.watch.passes(pause)
        await until(partial(counted, delivery, NoticeOutcome.SENT, 2))
        delivery.end()
        await running
        await store.close()
        assert outcome(desk)[0][1:] == ([notice_mark(TRIGGER), notice_mark(UPDATE)], "To Do")
        assert len(desk.state.issues) == 1


def counted(delivery, became, times):
    return delivery.figures().attempts.get(("desk", became), 0) == times
