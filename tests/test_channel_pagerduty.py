"""PagerDuty: what every action becomes there, and what is made of its answers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.channels import CHANNELS, Means
from monitor.channels.pagerduty import EVENT_LIMIT, PagerDutyOptions
from monitor.model import Accepted, Action, DeliveryError, Impact, Message, Priority
from monitor.net.secret import Secret
from tests.http_server import Reply
from tests.outbox_fixtures import START, Watch, incident, network, notice
from tests.receivers.pagerduty import ROUTING_KEY, pagerduty_receiver

PUBLIC = "https://monitor.example.com"


@asynccontextmanager
async def pagerduty(*answers, key=ROUTING_KEY, at=START):
    """A receiver, and a function that sends it a notice."""
    net = network(Watch(at=at))
    net.redactor.learn(Secret(key))
    async with pagerduty_receiver(*answers) as receiver:
        options = PagerDutyOptions(Secret(key), receiver.url, 5.0)
        means = Means(net, public_url=PUBLIC)
        yield receiver, lambda said: CHANNELS["pagerduty"].send(said, options, means)
    await net.aclose()


def saying(headline, *lines, of=None):
    return Message(headline, lines, of, {"Incident": f"{PUBLIC}/incidents/1"})


async def test_a_trigger_opens_an_alert_under_our_key():
    said = notice(incident())
    async with pagerduty() as (receiver, send):
        accepted = await send(said)
    assert accepted == Accepted(said.dedup_key)
    assert receiver.states() == {said.dedup_key: ["triggered"]}
    (event,) = receiver.events
    assert event["payload"] == {
        "summary": "CRITICAL: CRM is down for all users",
        "source": "crm",
        "severity": "critical",
        "timestamp": "2030-06-03T01:13:29.000Z",
        "component": "sign-in",
        "group": "crm",
        "class": "all_users",
        "custom_details": {
            "message": ["Began 02:13 London time."],
            "incident": 1,
            "affected": "all users",
            "respond_by": "2030-06-03T03:14:00.000Z",
            "errors": ["sign-in from leeds: status 503 \u2014 no"],
        },
    }
    assert event["links"] == [{"href": "http://127.0.0.1:8365/incidents/1", "text": "Incident"}]
    assert event["client_url"] == PUBLIC


async def test_an_update_goes_into_the_alert_and_opens_no_other():
    async with pagerduty() as (receiver, send):
        await send(notice(incident()))
        await send(notice(incident(), action=Action.UPDATE, seq=2))
    ((alert,),) = receiver.alerts.values()
    assert (alert.state, len(alert.events)) == ("triggered", 2)


@pytest.mark.parametrize(
    ("action", "state"), [(Action.ACKNOWLEDGE, "acknowledged"), (Action.RESOLVE, "resolved")]
)
async def test_it_is_acknowledged_and_resolved_under_the_same_key(action, state):
    async with pagerduty() as (receiver, send):
        await send(notice(incident()))
        await send(notice(incident(), action=action, seq=2))
    assert list(receiver.states().values()) == [[state]]


async def test_what_is_sent_twice_is_one_alert():
    async with pagerduty() as (receiver, send):
        await send(notice(incident()))
        await send(replace(notice(incident()), attempts=2))
    assert list(receiver.states().values()) == [["triggered"]]


async def test_a_late_resolve_of_the_first_leaves_the_second_open():
    first, second = notice(incident(1)), notice(incident(2))
    async with pagerduty() as (receiver, send):
        await send(first)
        await send(second)
        await send(replace(first, action=Action.RESOLVE, seq=2))
    assert receiver.states() == {
        first.dedup_key: ["resolved"],
        second.dedup_key: ["triggered"],
    }


async def test_a_digest_is_a_change_event_and_wakes_nobody():
    digest = replace(
        notice(incident()), action=Action.TELL, message=saying("Since support closed", "#1 CRM")
    )
    async with pagerduty() as (receiver, send):
        await send(digest)
    assert (receiver.events, len(receiver.changes)) == ([], 1)
    assert receiver.changes[0]["payload"]["summary"] == "Since support closed"


async def test_the_monitor_s_own_alarm_is_critical():
    alarm = replace(notice(incident()), message=saying("The store cannot be written"))
    async with pagerduty() as (receiver, send):
        await send(alarm)
    payload = receiver.events[0]["payload"]
    assert (payload["source"], payload["severity"]) == ("monitor", "critical")


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"priority": Priority.STANDARD}, "error"),
        ({"priority": Priority.STANDARD, "impact": Impact.UNKNOWN}, "warning"),
    ],
)
async def test_the_severity_follows_the_priority(changes, severity):
    async with pagerduty() as (receiver, send):
        await send(notice(incident(**changes)))
    assert receiver.events[0]["payload"]["severity"] == severity


async def test_a_late_one_says_so():
    async with pagerduty(at=START + timedelta(hours=6)) as (receiver, send):
        await send(notice(incident()))
    assert receiver.events[0]["payload"]["summary"].startswith("[LATE by 6 h 0 min] CRITICAL")


@pytest.mark.parametrize(
    "headline", ["x" * 5000, "\U0001f469\u200d\U0001f680" * 500, "e\u0301" * 600]
)
async def test_a_long_summary_is_cut_by_whole_characters(headline):
    async with pagerduty() as (receiver, send):
        await send(replace(notice(incident()), message=saying(headline)))
    summary = receiver.events[0]["payload"]["summary"]
    assert len(summary) <= 1024
    assert headline.startswith(summary[:-1])
    assert summary[-2] not in "e\u200d"


async def test_an_event_stays_within_its_bytes_and_keeps_its_first_errors():
    (error,) = incident().errors
    many = tuple(replace(error, message=f"{n} " + "\u00e9" * 60_000) for n in range(30))
    said = replace(
        notice(incident(errors=many)),
        message=saying("down", *["l" * 9000] * 60, of=incident(errors=many)),
    )
    async with pagerduty() as (receiver, send):
        await send(said)
    (event,) = receiver.events
    assert len(json.dumps(event, separators=(",", ":")).encode()) <= EVENT_LIMIT
    assert event["payload"]["custom_details"]["message"]


async def test_an_event_that_is_refused_is_refused_for_good_and_says_why():
    async with pagerduty(key="too short") as (_, send):
        with pytest.raises(DeliveryError, match="'routing_key' is incorrect") as caught:
            await send(notice(incident()))
    assert caught.value.permanent


async def test_a_rate_limit_may_pass_when_the_receiver_says():
    async with pagerduty(Reply(429, headers=(("retry-after", "30"),))) as (receiver, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
        assert (caught.value.permanent, caught.value.retry_after) == (False, 30.0)
        await send(replace(notice(incident()), attempts=2))
    assert list(receiver.states().values()) == [["triggered"]]


async def test_what_has_recovered_opens_no_alert_that_a_person_closed_there():
    back = incident(watch_until=START + timedelta(minutes=10))
    async with pagerduty() as (receiver, send):
        await send(notice(incident()))
        await send(notice(incident(), action=Action.RESOLVE, seq=2))
        await send(notice(back, action=Action.UPDATE, seq=3))
    assert list(receiver.states().values()) == [["resolved"]]
    assert len(receiver.changes) == 1


async def test_another_s_page_is_no_acceptance():
    async with pagerduty(Reply(200, b"<title>Sign in</title>")) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    assert not caught.value.permanent


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_trouble_of_theirs_may_pass(status):
    async with pagerduty(Reply(status)) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    assert not caught.value.permanent


async def test_the_routing_key_stays_out_of_errors():
    async with pagerduty(Reply(400, ROUTING_KEY.encode())) as (_, send):
        with pytest.raises(DeliveryError) as caught:
            await send(notice(incident()))
    assert ROUTING_KEY not in str(caught.value)
