"""Slack: what is posted and changed, and what is made of its answers."""

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
from monitor.channels.slack import PERMANENT, SlackOptions
from monitor.channels.slack_message import HEADER, SECTION, TEXT, escaped, message_of, size
from monitor.model import (
    Accepted,
    Action,
    DeliveryError,
    IncidentState,
    Interval,
    Message,
    Reporter,
)
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from tests.http_server import Reply
from tests.outbox_fixtures import START, Watch, incident, notice
from tests.receivers.slack import (
    CHANNEL,
    HANG,
    HOOK,
    LOST,
    TOKEN,
    called_out,
    check,
    links_of,
    slack_receiver,
)

RED, ORANGE, YELLOW, GREEN = "\U0001f534", "\U0001f7e0", "\U0001f7e1", "\U0001f7e2"
ASTRONAUT = "\U0001f469\u200d\U0001f680"


def error_said(code, *headers):
    return Reply(200, json.dumps({"ok": False, "error": code}).encode(), headers)


@asynccontextmanager
async def slacking(*, hook=False, within=30.0, watch=None, **answers):
    """Slack, and a function that sends it a notice, knowing what it called the alert before."""
    watch = watch or Watch()
    async with slack_receiver(**answers) as slack:
        url, token = Secret(slack.hook), Secret(TOKEN)
        redactor = Redactor([url, token, Secret(HOOK)])
        net = Net(replace(watch.clock), Limits(), (ip_network("127.0.0.0/8"),), redactor)
        options = (
            SlackOptions(webhook_url=url, timeout=within)
            if hook
            else SlackOptions(token=token, channel=CHANNEL, api_url=slack.api, timeout=within)
        )
        yield (
            slack,
            lambda said, known=None: CHANNELS["slack"].send(said, options, Means(net, known)),
        )
        await net.aclose()


async def refusal(**how):
    """The error with which a trigger fails when Slack answers so."""
    async with slacking(**how) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    return caught.value


# --------------------------------------------------------------------------- a bot


async def test_a_trigger_is_a_message_of_the_channel():
    async with slacking() as (slack, send):
        accepted = await send(notice(incident()))
    (message,) = slack.messages
    assert slack.calls == ["chat.postMessage"]
    assert accepted == Accepted(message.ts)
    assert message.header == f"{RED} CRITICAL: CRM is down for all users"
    assert message.sections == (
        "Began 02:13 London time.\n<http://127.0.0.1:8365/incidents/1|Incident>"
    )
    assert message.text == f"{RED} CRITICAL: CRM is down for all users\nBegan 02:13 London time."
    assert message.metadata["event_payload"] == {"key": notice(incident()).key}


@pytest.mark.parametrize(
    ("action", "changes", "signal"),
    [
        (Action.UPDATE, {}, RED),
        (Action.UPDATE, {"state": IncidentState.ACKNOWLEDGED}, ORANGE),
        (Action.ACKNOWLEDGE, {"state": IncidentState.ACKNOWLEDGED}, ORANGE),
        (Action.UPDATE, {"recovered": Interval(None, START)}, YELLOW),
        (Action.RESOLVE, {"state": IncidentState.RESOLVED}, GREEN),
    ],
)
async def test_what_follows_goes_into_the_thread_and_changes_the_first_message(
    action, changes, signal
):
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        await send(notice(incident(title="now", **changes), action=action, seq=2), known)
    (message,) = slack.messages
    (reply,) = message.replies
    assert slack.calls[1:] == ["chat.update", "chat.postMessage"]
    assert message.header == reply.header == f"{signal} CRITICAL: now"
    assert not reply.broadcast


async def test_a_further_trigger_of_an_alert_is_shown_in_the_channel_too():
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        await send(notice(incident(), seq=2), known)
    assert [reply.broadcast for reply in slack.messages[0].replies] == [True]


async def test_an_alert_whose_first_message_never_came_begins_with_the_next():
    async with slacking() as (slack, send):
        accepted = await send(notice(incident(), action=Action.RESOLVE, seq=2))
    assert accepted == Accepted(slack.messages[0].ts)


async def test_what_is_about_no_alert_is_a_message_of_its_own():
    said = notice(incident(), action=Action.TELL)
    about = Message("Since Friday: nothing", (), None, report=Reporter("R1", "ann", None))
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        await send(replace(said, message=about, incident_id=None), known)
    assert [message.header for message in slack.messages][1:] == ["Since Friday: nothing"]


async def test_the_monitor_s_alarm_about_itself_is_an_alert_without_an_incident():
    own = Message("The monitor is blind", ("No control answers.",), None)
    async with slacking() as (slack, send):
        known = await send(replace(notice(incident()), message=own))
        await send(replace(notice(incident(), action=Action.RESOLVE, seq=2), message=own), known)
    assert slack.messages[0].header == f"{GREEN} The monitor is blind"


async def test_a_late_notice_says_so_first():
    watch = Watch()
    watch.passes(3600)
    async with slacking(watch=watch) as (slack, send):
        await send(notice(incident()))
    assert slack.messages[0].header.startswith(f"{RED} [LATE by 1 h 0 min] CRITICAL: ")


async def test_where_the_first_message_is_gone_the_notice_is_told_all_the_same():
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        slack.messages.clear()
        await send(notice(incident(), action=Action.RESOLVE, seq=2), known)
    assert slack.messages[0].header.startswith(GREEN)


@pytest.mark.parametrize(
    "code", ["restricted_action_thread_locked", "cannot_reply_to_message", "thread_not_found"]
)
async def test_where_the_thread_takes_nothing_the_channel_does(code):
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        slack.answers["chat.postMessage"] = [error_said(code)]
        await send(notice(incident(), action=Action.RESOLVE, seq=2), known)
    assert len(slack.messages) == 2
    assert slack.messages[0].replies == []


async def test_a_first_message_that_may_not_be_changed_holds_nothing_up():
    async with slacking(chat_update=[error_said("edit_window_closed")]) as (slack, send):
        known = await send(notice(incident()))
        await send(notice(incident(), action=Action.RESOLVE, seq=2), known)
    assert len(slack.messages[0].replies) == 1


async def test_a_change_that_may_work_later_is_tried_again_before_anything_is_posted():
    later = Reply(429, headers=(("retry-after", "30"),))
    async with slacking(chat_update=[later]) as (slack, send):
        known = await send(notice(incident()))
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident(), action=Action.RESOLVE, seq=2), known)
    assert (caught.value.permanent, caught.value.retry_after) == (False, 30.0)
    assert slack.messages[0].replies == []


@pytest.mark.parametrize("name", ["INC0012345", "a.b@example.com", "1906679640", ""])
async def test_a_name_that_another_receiver_gave_is_no_message_of_ours(name):
    async with slacking() as (slack, send):
        await send(notice(incident(), action=Action.RESOLVE, seq=2), Accepted(name))
    assert slack.calls == ["chat.postMessage"]
    assert len(slack.messages) == 1


async def test_where_slack_does_not_take_the_blocks_the_text_is_posted_and_changed():
    async with slacking() as (slack, send):
        slack.takes_blocks = False
        known = await send(notice(incident()))
        await send(notice(incident(), action=Action.RESOLVE, seq=2), known)
    (message,) = slack.messages
    (reply,) = message.replies
    assert message.text == reply.text
    assert message.text.startswith(f"{GREEN} CRITICAL: CRM is down")
    assert message.blocks == reply.blocks == []


async def test_where_a_webhook_does_not_take_the_blocks_the_text_is_posted():
    async with slacking(hook=True) as (slack, send):
        slack.takes_blocks = False
        await send(notice(incident()))
    assert [message.blocks for message in slack.messages] == [[]]


# --------------------------------------------------------------------------- repetitions


async def once_more(send, said, known=None):
    """Send a notice whose answer is lost, and again."""
    with pytest.raises(DeliveryError) as caught:
        await send(said, known)
    assert not caught.value.permanent
    return await send(replace(said, attempts=2), known)


async def test_a_trigger_whose_answer_was_lost_is_there_once():
    async with slacking(chat_postMessage=[LOST]) as (slack, send):
        accepted = await once_more(send, replace(notice(incident()), attempts=1))
    (message,) = slack.messages
    assert accepted == Accepted(message.ts)


async def test_a_reply_whose_answer_was_lost_is_there_once():
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        slack.answers["chat.postMessage"] = [LOST]
        accepted = await once_more(send, notice(incident(), action=Action.RESOLVE, seq=2), known)
    (message,) = slack.messages
    assert [reply.ts for reply in message.replies] == [accepted.remote_id]
    assert message.header.startswith(GREEN)


async def test_what_never_arrived_is_sent():
    async with slacking(chat_postMessage=[Reply(503)]) as (slack, send):
        await once_more(send, notice(incident()))
    assert len(slack.messages) == 1


async def test_it_is_found_on_a_later_page():
    async with slacking() as (slack, send):
        for seq in range(7):
            await send(notice(incident(), seq=seq))
        slack.pages_of = 2
        await send(notice(incident(), seq=0, attempts=2))
        assert len(slack.messages) == 7
        assert slack.calls[7:] == ["conversations.history"] * 4


async def test_a_message_of_others_with_the_same_key_is_not_ours():
    async with slacking() as (slack, send):
        await send(notice(incident()))
        slack.messages[0].metadata["event_type"] = "another_app"
        await send(replace(notice(incident()), attempts=2))
    assert len(slack.messages) == 2


async def test_where_we_may_not_look_a_repetition_is_better_than_a_loss():
    async with slacking() as (slack, send):
        known = await send(notice(incident()))
        slack.may_look = False
        resolve = notice(incident(), action=Action.RESOLVE, seq=2)
        await send(resolve, known)
        await send(replace(resolve, attempts=2), known)
    assert len(slack.messages[0].replies) == 2


async def test_where_looking_may_work_later_nothing_is_sent_yet():
    async with slacking(conversations_history=[error_said("internal_error")]) as (slack, send):
        with pytest.raises(DeliveryError) as caught:
            await send(replace(notice(incident()), attempts=2))
    assert not caught.value.permanent
    assert slack.messages == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"ok": true}',
        b'{"ok": true, "messages": null, "response_metadata": 5}',
        b'{"ok": true, "messages": [1, {"metadata": []}, {"metadata": {"event_payload": 1}}]}',
    ],
)
async def test_a_strange_list_of_messages_holds_nothing(body):
    async with slacking(conversations_history=[Reply(200, body)]) as (slack, send):
        await send(replace(notice(incident()), attempts=2))
    assert len(slack.messages) == 1


# --------------------------------------------------------------------------- a bot's errors


@pytest.mark.parametrize("code", sorted(PERMANENT - {"cannot_reply_to_message"}))
async def test_what_only_a_person_can_mend_is_permanent(code):
    error = await refusal(chat_postMessage=[error_said(code)] * 2)
    assert error.permanent
    assert str(error) == f"Slack answered {code}"


@pytest.mark.parametrize(
    "code",
    [
        "ratelimited",
        "rate_limited",
        "message_limit_exceeded",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "org_login_required",
        "accesslimited",
        "something_new",
    ],
)
async def test_anything_else_may_pass(code):
    error = await refusal(chat_postMessage=[error_said(code, ("retry-after", "7"))])
    assert not error.permanent
    assert str(error) == f"Slack answered {code}"
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    "body", [b"", b"ok", b"[]", b'{"error": "x"}', b'{"ok": 1, "error": "<b>"}', b'{"ok": "true"}']
)
async def test_no_success_is_taken_on_trust(body):
    error = await refusal(chat_postMessage=[Reply(200, body)])
    assert not error.permanent
    assert re.fullmatch(r"Slack answered (x|what is no answer of its API)", str(error))


async def test_a_rate_limit_is_heeded():
    error = await refusal(chat_postMessage=[Reply(429, headers=(("retry-after", "30"),))])
    assert (error.permanent, error.retry_after) == (False, 30.0)


async def test_a_wrong_token_is_permanent_and_shown_to_nobody():
    wrong = Secret("xoxb-wrong")
    async with slack_receiver() as slack:
        net = Net(Watch().clock, Limits(), (ip_network("127.0.0.0/8"),), Redactor([wrong]))
        options = SlackOptions(token=wrong, channel=CHANNEL, api_url=slack.api)
        with pytest.raises(DeliveryError) as caught:
            await CHANNELS["slack"].send(notice(incident()), options, Means(net))
        await net.aclose()
    assert caught.value.permanent
    assert str(caught.value) == "Slack answered invalid_auth"
    assert wrong.reveal() not in repr(options)


@pytest.mark.parametrize("hook", [False, True])
async def test_a_slack_that_hangs_is_left_after_the_timeout_and_may_pass(hook):
    async with asyncio.timeout(30):
        error = await refusal(hook=hook, within=0.1, chat_postMessage=[HANG], webhook=[HANG])
    assert not error.permanent


# --------------------------------------------------------------------------- a webhook


@pytest.mark.parametrize("action", Action)
async def test_a_webhook_posts_every_action_as_a_message_of_its_own(action):
    async with slacking(hook=True) as (slack, send):
        accepted = await send(notice(incident(), action=action))
    assert accepted == Accepted()
    assert slack.messages[0].header.endswith("CRITICAL: CRM is down for all users")
    assert slack.messages[0].metadata is None


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "invalid_payload"),
        (403, "action_prohibited"),
        (403, "invalid_token"),
        (404, "channel_not_found"),
        (404, "no_service"),
        (410, "channel_is_archived"),
    ],
)
async def test_what_a_webhook_refuses_is_permanent(status, said):
    error = await refusal(hook=True, webhook=[Reply(status, said.encode())])
    assert error.permanent
    assert str(error) == f"the receiver answered {status}: {said}"


@pytest.mark.parametrize("status", [429, 500, 503, 302])
async def test_what_may_pass_at_a_webhook_is_worth_another_try(status):
    error = await refusal(hook=True, webhook=[Reply(status, headers=(("retry-after", "9"),))])
    assert (error.permanent, error.retry_after) == (False, 9.0)


async def test_the_address_of_a_webhook_is_in_no_error():
    error = await refusal(hook=True, webhook=[Reply(404, f"no {HOOK} here".encode())])
    assert str(error) == "the receiver answered 404: no *** here"


# --------------------------------------------------------------------------- limits and escapes

EVIL = [
    "<!channel> down",
    "<!here|here>",
    "<@U0123456789>",
    "<#C0123456789>",
    "<http://evil.example|Acknowledge>",
    "&lt;!channel&gt;",
    "a & b < c > d",
    "@channel @here @everyone",
]


@pytest.mark.parametrize("hook", [False, True])
@pytest.mark.parametrize("evil", EVIL)
async def test_remote_text_calls_nobody_out_and_links_nowhere(hook, evil):
    said = notice(incident())
    lines = (evil, f"Error: {evil}", f"Error: `{evil}`")
    message = replace(said.message, headline=evil, lines=lines, links={evil: "http://x/|y"})
    async with slacking(hook=hook) as (slack, send):
        await send(replace(said, message=message))
    (posted,) = slack.messages
    assert called_out(posted) == []
    assert {link.partition("%7C")[0] for link in links_of(posted)} == {"http://x/"}


async def test_an_error_is_shown_in_its_very_letters():
    said = notice(incident())
    message = replace(said.message, lines=("Error: in *__init__* & more", "Error: `x`"))
    async with slacking() as (slack, send):
        await send(replace(said, message=message))
    assert slack.messages[0].sections.startswith("`Error: in *__init__* &amp; more`\nError: `x`")


async def test_a_runbook_is_a_link():
    said = notice(incident())
    message = replace(said.message, lines=("Runbook: https://wiki.example/crm?a=1&b=2",))
    async with slacking() as (slack, send):
        await send(replace(said, message=message))
    link = "Runbook: <https://wiki.example/crm?a=1&amp;b=2>"
    assert slack.messages[0].sections.startswith(link)


@pytest.mark.parametrize("piece", ["x", "&", "<", "\U0001f600", ASTRONAUT, "e\u0301", "\u4e16"])
@pytest.mark.parametrize("limit", [HEADER, SECTION])
def test_a_text_fits_once_it_is_escaped_and_no_character_is_cut(piece, limit):
    for count in range(limit // 10, limit + 2, 97):
        text = escaped(piece * count, limit)
        assert size(text) <= limit
        whole = text.removesuffix("\u2026").replace("&amp;", "&").replace("&lt;", "<")
        assert whole == piece * (len(whole) // len(piece))


def test_a_text_at_the_edge_is_whole_and_one_beyond_it_is_cut():
    assert escaped("x" * 150, 150) == "x" * 150
    assert escaped("x" * 151, 150) == "x" * 149 + "\u2026"
    assert escaped("&" * 30, 150) == "&amp;" * 30
    assert escaped("&" * 31, 150) == "&amp;" * 29 + "\u2026"


async def test_a_headline_too_long_for_the_header_is_whole_below_it():
    async with slacking() as (slack, send):
        await send(notice(incident(title="x" * 200)))
    (message,) = slack.messages
    assert message.header.endswith("x\u2026")
    assert message.sections.startswith(f"*{RED} CRITICAL: {'x' * 200}*\n")


async def test_a_notice_of_many_lines_is_cut_where_slack_would_refuse_it():
    said = notice(incident())
    lines = ("It is down.", *(f"Error: {n} {ASTRONAUT * 30}" for n in range(300)), "Affected: all.")
    async with slacking() as (slack, send):
        await send(replace(said, message=replace(said.message, lines=lines)))
    sections = slack.messages[0].sections
    assert "It is down." in sections
    assert "Affected: all." in sections
    assert re.search(r"\u2026 and \d+ more lines", sections)
    assert size(slack.messages[0].text) <= TEXT


@given(st.text(max_size=400), st.lists(st.text(max_size=4000), max_size=8), st.text(max_size=200))
def test_slack_takes_whatever_a_notice_says(headline, lines, name):
    said = notice(incident())
    links = {name or "x": "http://127.0.0.1:8365/incidents/1"}
    message = replace(said.message, headline=headline, lines=tuple(lines), links=links)
    check(message_of(replace(said, message=message), START))


# --------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("given_options", "said"),
    [
        ({}, "give one of webhook_url, and token with channel"),
        (
            {"webhook_url": Secret("http://x/"), "token": Secret("t")},
            "give one of webhook_url, and token with channel",
        ),
        (
            {"webhook_url": Secret("http://x/"), "channel": CHANNEL},
            "channel: belongs to a token: a webhook has its own channel, remove it",
        ),
        (
            {"token": Secret("t")},
            "channel: is no id of a channel: write the one its details in Slack show",
        ),
        (
            {"token": Secret("t"), "channel": "#alerts"},
            "channel: is no id of a channel: write the one its details in Slack show",
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused(given_options, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        SlackOptions(**given_options)
