"""Teams: the card that leaves, and what is made of the workflow's answer."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.channels import CHANNELS, Means
from monitor.channels.teams import LIMIT, TeamsOptions, measured, message_of
from monitor.model import Accepted, Action, DeliveryError, IncidentState, Interval, Message
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from tests.http_server import Reply
from tests.outbox_fixtures import START, Watch, incident, notice
from tests.receivers.teams import HANG, MOST_BYTES, QUERY, flaw, teams_workflow, texts

ASTRONAUT = "\U0001f469\u200d\U0001f680"


@asynccontextmanager
async def working(*answers, within=30.0, watch=None):
    """A workflow that gives these answers, and a function that sends it a notice."""
    async with teams_workflow(*answers) as workflow:
        url = Secret(workflow.url)
        redactor = Redactor([url, Secret(QUERY)])
        clock = (watch or Watch()).clock
        net = Net(clock, Limits(), (ip_network("127.0.0.0/8"),), redactor)
        options = TeamsOptions(url, within)
        yield workflow, lambda said: CHANNELS["teams"].send(said, options, Means(net))
        await net.aclose()


async def carded(said, **how):
    """The card that a notice becomes."""
    async with working(**how) as (workflow, send):
        await send(said)
    (card,) = workflow.cards
    return card


async def refusal(*answers, within=30.0):
    """The error with which a notice fails when the workflow answers so."""
    async with working(*answers, within=within) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    return caught.value


def saying(*lines, headline="It is down", **links):
    said = notice(incident())
    return replace(said, message=replace(said.message, headline=headline, lines=lines, links=links))


# --------------------------------------------------------------------------- the card


async def test_a_notice_is_a_card_with_a_button_for_every_link():
    card = await carded(notice(incident()))
    assert texts(card) == ["CRITICAL: CRM is down for all users", "Began 02:13 London time."]
    assert card["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Incident",
            "url": "http://127.0.0.1:8365/incidents/1",
        }
    ]


async def test_what_the_workflow_calls_its_run_is_kept():
    async with working() as (_, send):
        assert await send(notice(incident())) == Accepted("run-1")


async def test_an_acceptance_without_a_name_is_one_too():
    async with working(Reply(202), Reply(200, b"ok")) as (_, send):
        assert await send(notice(incident())) == Accepted()
        assert await send(notice(incident())) == Accepted()


@pytest.mark.parametrize(
    ("action", "changes", "color"),
    [
        (Action.TRIGGER, {}, "Attention"),
        (Action.UPDATE, {}, "Attention"),
        (Action.UPDATE, {"recovered": Interval(None, START)}, "Warning"),
        (Action.ACKNOWLEDGE, {"acknowledged_by": "ann"}, "Warning"),
        (Action.RESOLVE, {"state": IncidentState.RESOLVED}, "Good"),
        (Action.TELL, {}, "Default"),
    ],
)
async def test_every_action_is_a_card_of_its_own_in_its_color(action, changes, color):
    card = await carded(notice(incident(**changes), action=action))
    assert card["body"][0]["inlines"][0]["color"] == color


async def test_a_notice_about_no_incident_is_a_card_too():
    own = Message("The monitor is blind", ("", "No control answers."), None)
    card = await carded(replace(notice(incident()), message=own))
    assert texts(card) == ["The monitor is blind", " ", "No control answers."]
    assert card["actions"] == []


async def test_a_late_card_says_so_first():
    watch = Watch()
    watch.passes(3600)
    card = await carded(notice(incident()), watch=watch)
    assert texts(card)[0] == "[LATE by 1 h 0 min] CRITICAL: CRM is down for all users"


async def test_links_beyond_the_buttons_and_what_is_no_web_address_are_text():
    links = {f"Incident {n}": f"http://x.example/{n}" for n in range(8)}
    card = await carded(saying("Seen.", Odd="javascript:alert(1)", **links))
    assert [each["title"] for each in card["actions"]] == [f"Incident {n}" for n in range(6)]
    assert texts(card)[2:] == [
        "Odd: javascript:alert(1)",
        "Incident 6: http://x.example/6",
        "Incident 7: http://x.example/7",
    ]


@pytest.mark.parametrize(
    "evil",
    [
        "[Acknowledge](http://evil.example)",
        "<at>everyone</at>",
        "**bold** _it_ - list",
        '"}],"actions":[{"type":"Action.OpenUrl","url":"http://evil.example"}]',
        "<script>alert(1)</script>",
        "@{variables('x')}",
    ],
)
async def test_remote_text_is_only_text(evil):
    card = await carded(saying(f"Error: {evil}", headline=evil))
    assert texts(card) == [evil, f"Error: {evil}"]
    assert card["actions"] == []


async def test_breaks_and_halves_of_pairs_do_not_get_far():
    card = await carded(saying("a\r\nb\x00", headline="x\ud800\u202ey"))
    assert texts(card) == ["x??y", "a??b?"]


# --------------------------------------------------------------------------- its size


async def test_a_card_is_sent_as_it_is_while_it_fits():
    lines = tuple(f"line {n:03} " + "x" * 80 for n in range(120))
    async with working() as (workflow, send):
        await send(saying(*lines))
    assert texts(workflow.cards[0])[1:] == list(lines)
    assert 15_000 < len(workflow.bodies[0]) <= LIMIT


@pytest.mark.parametrize("piece", ["x", '"', "\\", "\u00e9", "e\u0301", "\u4e16", ASTRONAUT])
def test_a_card_fits_whatever_it_is_made_of_and_what_is_needed_is_on_it(piece):
    much = piece * 600
    lines = ("It is down.", *(f"Error: {n} {much}" for n in range(40)), "Affected: all users.")
    message = message_of(saying(*lines, headline=piece * 1000), START)
    assert flaw(message) is None
    headline, first, error, *_, affected, last = texts(message["attachments"][0]["content"])
    assert headline.startswith(piece)
    assert (first, error[:9], affected) == ("It is down.", "Error: 0 ", "Affected: all users.")
    assert re.fullmatch(r"\u2026 and \d+ more lines", last)
    whole = error.removesuffix("\u2026").removeprefix("Error: 0 ")
    assert whole == piece * (len(whole) // len(piece))


def test_one_line_more_than_fits_is_left_out():
    def lines_of(count):
        said = message_of(saying(*["x" * 100] * count), START)
        return texts(said["attachments"][0]["content"])[1:], measured(said)

    count = next(
        n for n in range(120, 400) if len(lines_of(n)[0]) < n or "more" in lines_of(n)[0][-1]
    )
    kept, size = lines_of(count - 1)
    assert len(kept) == count - 1
    assert LIMIT - 200 < size <= LIMIT
    assert lines_of(count)[0][-1].startswith("\u2026 and ")


def test_the_limit_leaves_room_below_what_teams_counts_to():
    assert LIMIT < MOST_BYTES


@given(st.text(max_size=3000), st.lists(st.text(max_size=2000), max_size=20))
def test_any_notice_is_a_card_that_is_shown(headline, lines):
    message = message_of(saying(*lines, headline=headline or "x"), START)
    assert flaw(message) is None
    assert len(json.dumps(message, ensure_ascii=False).encode()) <= LIMIT


# --------------------------------------------------------------------------- answers


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_worth_another_try(status):
    error = await refusal(Reply(status, headers=(("retry-after", "12"),)))
    assert (error.permanent, error.retry_after) == (False, 12.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
async def test_any_other_4xx_is_permanent(status):
    error = await refusal(Reply(status, b'{"error": {"code": "WorkflowNotFound"}}'))
    assert error.permanent
    assert str(error).startswith(f"the receiver answered {status}: ")


async def test_the_signature_in_the_url_is_in_no_error():
    error = await refusal(Reply(404, f"no {QUERY} here".encode()))
    assert str(error) == "the receiver answered 404: no *** here"
    assert QUERY not in repr(TeamsOptions(Secret(f"http://x/{QUERY}")))


async def test_a_workflow_that_hangs_is_left_after_the_timeout_and_may_pass():
    async with asyncio.timeout(30):
        error = await refusal(HANG, within=0.1)
    assert not error.permanent
