"""GitHub issues: one issue for an alert, whatever is lost on the way; and no text that acts."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.channels import Means
from monitor.channels.github import SETTLE_SECONDS, GithubOptions, _body, _Github
from monitor.channels.ticket import alert_mark, notice_mark
from monitor.model import Accepted, Action
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET, START, Watch
from tests.receivers.github import Repository, github_repository
from tests.receivers.tracker import HANG
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
)

TRIGGER, UPDATE, ACKNOWLEDGE, RESOLVE = life()
PAGE = "https://code.example.com/acme/ops/issues/1"
BLOCK = re.compile(r"^(`{3,})text\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)


@asynccontextmanager
async def repository(options=None, **state):
    """A repository, and a channel of `options` to it."""

    def made(url):
        return GithubOptions("acme/ops", SECRET, url=url, **(options or {}))

    states = partial(Repository, SECRET.reveal(), **state)
    async with desk_of("github", states, github_repository, made) as desk:
        yield desk


def texts(issue):
    return [issue.body, *(each["body"] for each in issue.comments)]


def marks(issue):
    return re.findall(r"^<!-- (notice-\w+) -->$", "\n".join(texts(issue)), re.MULTILINE)


def outcome(desk):
    """Every issue by its alert: the marks of the notices on it in order, its state and labels."""
    return [
        (issue.body.splitlines()[0], marks(issue), issue.state, issue.state_reason, issue.labels)
        for issue in desk.state.issues.values()
    ]


def outside(text):
    """What of a text is not in its block of code."""
    (block,) = BLOCK.finditer(text)
    return text[: block.start()] + text[block.end() :]


# --------------------------------------------------------------------------- the life of an issue


async def test_an_incident_is_one_issue_from_its_trigger_to_its_end():
    async with repository() as desk:
        assert await desk.told(*life()) == Accepted("1", PAGE)
        mark = f"<!-- {alert_mark(TRIGGER)} -->"
        assert outcome(desk) == [
            (mark, [notice_mark(each) for each in life()], "closed", "completed", [])
        ]
        assert desk.tracker.refusals == []


async def test_a_trigger_is_one_request_and_an_update_another():
    async with repository() as desk:
        await desk.told(TRIGGER, UPDATE)
        assert desk.tracker.asked() == [
            "POST /repos/acme/ops/issues",
            "POST /repos/acme/ops/issues/1/comments",
        ]


async def test_an_issue_says_what_the_notice_says_and_links():
    async with repository() as desk:
        await desk.told(TRIGGER)
        issue = desk.state.issues[1]
    assert issue.title == "CRITICAL: CRM is down for all users"
    assert BLOCK.search(issue.body)[2] == (
        "CRITICAL: CRM is down for all users\nBegan 02:13 London time."
    )
    assert outside(issue.body).endswith("\n[Incident](<http://127.0.0.1:8365/incidents/1>)")


async def test_labels_are_set_on_making_and_on_acknowledging():
    async with repository({"labels": ("outage", "crm"), "acknowledge_label": "taken"}) as desk:
        await desk.told(*life()[:3])
        assert desk.state.issues[1].labels == ["outage", "crm", "taken"]


async def test_labels_that_are_dropped_do_not_keep_an_issue_from_being_found():
    async with repository({"labels": ("outage",)}, pushes=False) as desk:
        await desk.told(TRIGGER)
        await desk.send(UPDATE)
        assert outcome(desk)[0][1:3] == ([notice_mark(TRIGGER), notice_mark(UPDATE)], "open")


async def test_a_resolve_of_an_issue_that_is_closed_is_a_success():
    async with repository() as desk:
        known = await desk.told(TRIGGER)
        desk.state.issues[1].state = "closed"
        assert await desk.delivered(RESOLVE, known) == known


# --------------------------------------------------------------------------- where nothing is known


@pytest.mark.parametrize("said", [UPDATE, ACKNOWLEDGE, RESOLVE], ids=lambda each: each.action)
async def test_a_later_notice_finds_the_issue_by_its_alert(said):
    async with repository() as desk:
        await desk.told(TRIGGER)
        assert await desk.send(said) == Accepted("1", PAGE)
        assert marks(desk.state.issues[1]) == [notice_mark(TRIGGER), notice_mark(said)]


async def test_an_issue_is_found_days_later_among_hundreds_of_others():
    async with repository() as desk:
        for number in range(150):
            desk.state.add(f"before {number}", made_at=START - timedelta(hours=30))
        await desk.told(TRIGGER)
        for number in range(250):
            desk.state.add(f"after {number}", made_at=START + timedelta(seconds=number))
        desk.watch.passes(3 * 86_400)
        late = replace(RESOLVE, created_at=desk.watch.at)
        assert (await desk.send(late)).remote_id == "151"
        assert len(desk.state.issues) == 401


async def test_a_search_ends_where_the_alert_cannot_have_begun():
    async with repository() as desk:
        for number in range(500):
            old = START - timedelta(days=2)
            desk.state.add(f"old {number}", made_at=old, updated_at=START)
        await desk.send(UPDATE)
        assert desk.tracker.asked()[:2] == [
            "GET /repos/acme/ops/issues",
            "POST /repos/acme/ops/issues",
        ]


async def test_a_pull_request_with_a_copied_body_is_no_issue():
    async with repository() as desk:
        await desk.told(TRIGGER)
        desk.state.add("Copied", desk.state.issues[1].body, pull_request=True)
        assert (await desk.send(UPDATE)).remote_id == "1"


async def test_the_first_of_two_issues_with_the_same_mark_is_the_alert_s():
    async with repository() as desk:
        await desk.told(TRIGGER)
        desk.state.add("Copied", desk.state.issues[1].body, made_at=START + timedelta(hours=1))
        assert (await desk.send(UPDATE)).remote_id == "1"


async def test_a_mark_inside_a_line_is_none():
    async with repository() as desk:
        desk.state.add("Quoted", f"> <!-- {alert_mark(TRIGGER)} -->")
        assert (await desk.send(UPDATE)).remote_id == "2"


@pytest.mark.parametrize(
    ("said", "state"), [(UPDATE, "open"), (ACKNOWLEDGE, "open"), (RESOLVE, "closed")]
)
async def test_a_later_notice_makes_the_issue_where_its_trigger_died(said, state):
    async with repository() as desk:
        await desk.delivered(said)
        assert [each[1:3] for each in outcome(desk)] == [([notice_mark(said)], state)]


# --------------------------------------------------------------------------- what is lost


@pytest.mark.parametrize(("lag", "at_once"), [(0.0, 2), (SETTLE_SECONDS - 1, 1)])
async def test_whatever_answers_are_lost_every_notice_is_there_once(lag, at_once):
    opened = partial(repository, {"acknowledge_label": "taken"}, lag=lag)
    await survives_lost_answers(opened, outcome, life(), at_once=at_once)


async def test_a_digest_whose_answer_was_lost_is_there_once():
    await survives_lost_answers(repository, outcome, [telling()])


async def test_a_comment_is_found_among_hundreds():
    async with repository() as desk:
        known = await desk.told(TRIGGER)
        issue = desk.state.issues[1]
        issue.comments += [{"body": "busy", "updated_at": "2030-06-03T01:14:00Z"}] * 250
        await desk.send(UPDATE, known)
        await desk.send(replace(UPDATE, attempts=2), known)
        assert len(issue.comments) == 251


# --------------------------------------------------------------------------- limits


@pytest.mark.parametrize("unit", ["x", FAMILY, ACCENTED, "\U0001f525"])
@pytest.mark.parametrize("over", [-1, 0, 1, 40])
async def test_a_title_is_cut_by_whole_characters(unit, over):
    size = len(unit)
    headline = unit * ((256 + over) // size) + "." * ((256 + over) % size)
    async with repository() as desk:
        await desk.told(saying(headline))
        title = desk.state.issues[1].title
    if over <= 0:
        assert title == headline
    else:
        assert 256 - size < len(title) <= 256
        assert title == unit * ((len(title) - 1) // size) + "\u2026"


@pytest.mark.parametrize(
    "line",
    ["x" * 70_000, FAMILY * 20_000, "`" * 70_000, "``` " * 20_000, "@" * 65_536, "\n" * 9000],
)
async def test_a_text_fits(line):
    async with repository() as desk:
        await desk.told(saying("Down", line), saying("Down", line, action=Action.UPDATE))
        issue = desk.state.issues[1]
        assert desk.tracker.refusals == []
    for text in texts(issue):
        assert len(text.encode()) <= 65_536
        assert notice_mark(TRIGGER) in text or issue.comments
        assert outside(text).strip().endswith("(<http://127.0.0.1:8365/incidents/1>)")


async def test_a_body_just_within_the_room_is_whole():
    async with repository() as desk:
        await desk.told(saying("Down", "x" * (60_000 - len("Down\n"))))
        await desk.told(saying("Down", "x" * (60_001 - len("Down\n")), action=Action.UPDATE))
        whole, cut = texts(desk.state.issues[1])
    assert "\u2026" not in whole
    assert "\u2026" in cut


async def test_remote_text_stays_in_its_block_of_code():
    said = saying(HOSTILE, HOSTILE), saying(HOSTILE, HOSTILE, action=Action.UPDATE)
    async with repository() as desk:
        await desk.told(*said)
        issue = desk.state.issues[1]
        assert desk.tracker.refusals == []
    assert "\n" not in issue.title
    assert "@team" not in issue.title
    for text in texts(issue):
        rest = outside(text)
        assert not re.search(r"@|#|bad\.example|img|heading", rest)
        inside = BLOCK.search(text)[2]
        assert "@team #12 [x](https://bad.example) <!-- --> <img src=x>" in inside
        assert "\x1b" not in inside


@pytest.mark.parametrize("run", [1, 2, 3, 4, 999])
async def test_no_run_of_backticks_ends_the_block(run):
    ticks = "`" * run
    async with repository() as desk:
        await desk.told(saying("Down", f"{ticks}\n@team\n{ticks}text\n {ticks}"))
        text = desk.state.issues[1].body
    fence = BLOCK.search(text)[1]
    assert len(fence) > run
    assert "@team" not in outside(text)


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("`~\n\r\t @#<>-![]x\u2028\u202e\ud800")), st.text())
def test_whatever_is_said_is_in_one_block_and_nothing_else_is_outside(drawn, more):
    said = saying("Down", drawn, more)
    means = Means(SimpleNamespace(clock=Watch().clock))
    body = _body(_Github(said, GithubOptions("acme/ops", SECRET), means))
    link = "[Incident](<http://127.0.0.1:8365/incidents/1>)"
    mark, opening, *lines, closing, blank, last = body.split("\n")
    assert (mark, blank, last) == (f"<!-- {notice_mark(said)} -->", "", link)
    assert opening == f"{closing}text"
    assert not any(line.lstrip().startswith(closing) for line in lines)
    assert "\r" not in body


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.example/>) @team", "/x"])
async def test_a_link_that_is_none_is_left_out(url):
    said = replace(TRIGGER, message=replace(TRIGGER.message, links={"Bad": url}))
    async with repository() as desk:
        await desk.told(said)
        assert "Bad" not in desk.state.issues[1].body


async def test_a_late_notice_says_so():
    async with repository() as desk:
        desk.watch.passes(3 * 3600)
        await desk.told(TRIGGER, UPDATE)
        issue = desk.state.issues[1]
    assert issue.title.startswith("[LATE by 3 h 0 min] CRITICAL")
    assert "[LATE by 3 h 0 min] " in issue.comments[0]["body"]


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_cannot_pass_is_permanent(status):
    async with repository() as desk:
        desk.tracker.faults = {1: Reply(status, b"no")}
        error = await refusal(desk, TRIGGER)
    assert error.permanent
    assert str(error) == f"the receiver answered {status}: no"


@pytest.mark.parametrize("status", [301, 307, 408, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(status):
    async with repository() as desk:
        desk.tracker.faults = {1: Reply(status)}
        assert not (await refusal(desk, TRIGGER)).permanent


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "37"}, b"", 37.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1906679760"}, b"", 120.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, b"", 0.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, b"", 60.0),
        ({"x-ratelimit-remaining": "9"}, b"You have exceeded a secondary rate limit", 60.0),
        ({"retry-after": "5", "x-ratelimit-remaining": "0"}, b"", 5.0),
    ],
)
async def test_a_rate_limit_may_pass_after_its_pause(status, headers, body, seconds):
    assert START.timestamp() == 1906679640
    async with repository() as desk:
        desk.tracker.faults = {1: Reply(status, body, tuple(headers.items()))}
        error = await refusal(desk, TRIGGER)
    assert (error.permanent, error.retry_after) == (False, seconds)


async def test_issues_that_are_disabled_are_permanent():
    async with repository(has_issues=False) as desk:
        error = await refusal(desk, TRIGGER)
    assert error.permanent
    assert "410" in str(error)
    assert "Issues are disabled" in str(error)


async def test_a_label_that_may_not_be_set_is_told_after_the_comment():
    async with repository({"acknowledge_label": "taken"}, pushes=False) as desk:
        known = await desk.told(TRIGGER)
        assert (await refusal(desk, ACKNOWLEDGE, known)).permanent
        assert marks(desk.state.issues[1])[1:] == [notice_mark(ACKNOWLEDGE)]


async def test_an_answer_without_a_number_is_no_acceptance():
    async with repository() as desk:
        desk.tracker.faults = {1: Reply(201, b"[]")}
        error = await refusal(desk, TRIGGER)
    assert not error.permanent
    assert str(error) == "GitHub answered without the number of the issue"


async def test_a_repository_that_hangs_is_left_after_the_timeout():
    async with repository({"timeout": 0.1}) as desk, asyncio.timeout(5):
        desk.tracker.faults = {1: HANG}
        assert not (await refusal(desk, TRIGGER)).permanent


@pytest.mark.parametrize("status", [400, 429])
async def test_no_error_shows_the_token(status):
    async with repository() as desk:
        await desk.told(TRIGGER)
        sent = desk.tracker.requests[0].header("authorization")
        desk.tracker.faults = {2: Reply(status, f"{sent} {SECRET.reveal()}".encode())}
        error = await refusal(desk, UPDATE, Accepted("1"))
    assert str(status) in str(error)
    assert SECRET.reveal() not in str(error)
    assert SECRET.reveal() not in repr(desk.options)


@pytest.mark.parametrize("name", ["", "acme", "acme/", "acme/ops/x", "acme/ops?x", "../ops x"])
def test_a_repository_is_an_owner_and_a_name(name):
    with pytest.raises(ValueError, match="write owner/name"):
        GithubOptions(name, SECRET)


def test_the_documented_example_is_read(tmp_path):
    channel = documented("github", tmp_path)
    assert channel.kind == "github"
    assert channel.options == GithubOptions("acme/operations", SECRET, ("outage",), "acknowledged")
