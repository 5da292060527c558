"""Receivers are away for six hours: everything is delivered after, in order, and says it is late.

Real receivers, strict as the real ones, behind a gate that resets connections; a real store and the
real loop; only the clock is turned by hand.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from monitor.channels.alertmanager import AlertmanagerOptions
from monitor.channels.apprise import AppriseOptions
from monitor.channels.github import GithubOptions
from monitor.channels.jira import JiraOptions
from monitor.channels.jsm import JsmOptions
from monitor.channels.mail import MailOptions, Security
from monitor.channels.pagerduty import PagerDutyOptions
from monitor.channels.servicenow import ServicenowOptions
from monitor.channels.slack import SlackOptions
from monitor.channels.teams import TeamsOptions
from monitor.channels.webhook import WebhookOptions
from monitor.channels.zendesk import ZendeskOptions
from monitor.delivery import Delivery
from monitor.model import Action, Channel, NoticeState, Role
from monitor.net.secret import Secret
from monitor.store import open_store
from tests.gate import Gate, gate
from tests.http_server import Reply, http_server
from tests.outbox_fixtures import SECRET, START, Watch, incident, network, notice, opening, until
from tests.receivers.github import Repository, github_repository
from tests.receivers.jira import Site, jira_site
from tests.receivers.jsm import Operations, jsm_operations
from tests.receivers.pagerduty import ROUTING_KEY, pagerduty_receiver
from tests.receivers.servicenow import Instance, servicenow_instance
from tests.receivers.slack import CHANNEL, TOKEN, slack_receiver
from tests.receivers.smtp import mail_server
from tests.receivers.teams import teams_workflow
from tests.receivers.webhook import webhook_receiver
from tests.receivers.zendesk import Account, zendesk_account

ACTIONS = (Action.TRIGGER, Action.UPDATE, Action.ACKNOWLEDGE, Action.RESOLVE)
HOURS = 6
LATE = b"LATE by 6 h"
USER = f"bot@example.com:{SECRET.reveal()}"
AGENT = f"bot@example.com/token:{SECRET.reveal()}"


@dataclass
class Way:
    """A channel whose receiver is behind a gate; so many of its notices carry words."""

    kind: str
    options: Any
    gate: Gate
    worded: int = len(ACTIONS)


async def behind(stack, url):
    return await stack.enter_async_context(gate(urlsplit(url).port))


async def by_webhook(stack, watch):
    receiver = await stack.enter_async_context(webhook_receiver(SECRET, lambda: watch.at))
    way = await behind(stack, receiver.url)
    # Its document says so in a number.
    return Way("webhook", WebhookOptions(way.url(receiver.url), SECRET), way, worded=0)


async def by_pagerduty(stack, _watch):
    receiver = await stack.enter_async_context(pagerduty_receiver())
    way = await behind(stack, receiver.url)
    options = PagerDutyOptions(Secret(ROUTING_KEY), way.url(receiver.url))
    return Way("pagerduty", options, way, worded=2)


async def by_alertmanager(stack, _watch):
    server = await stack.enter_async_context(http_server({"/api/v2/alerts": Reply(200)}))
    way = await behind(stack, server.url())
    return Way("alertmanager", AlertmanagerOptions((way.url(server.url()),)), way)


async def by_mail(stack, _watch):
    server = await stack.enter_async_context(mail_server())
    way = await stack.enter_async_context(gate(server.port))
    sender, to = "monitor@example.com", ("ann@example.com",)
    return Way("mail", MailOptions("127.0.0.1", sender, to, way.port, Security.NONE), way)


async def by_slack(stack, _watch):
    receiver = await stack.enter_async_context(slack_receiver())
    way = await behind(stack, receiver.api)
    options = SlackOptions(token=Secret(TOKEN), channel=CHANNEL, api_url=way.url(receiver.api))
    return Way("slack", options, way)


async def by_teams(stack, _watch):
    receiver = await stack.enter_async_context(teams_workflow())
    way = await behind(stack, receiver.url)
    return Way("teams", TeamsOptions(Secret(way.url(receiver.url))), way)


async def by_apprise(stack, _watch):
    server = await stack.enter_async_context(http_server({"/": Reply(200)}))
    way = await behind(stack, server.url())
    return Way("apprise", AppriseOptions((Secret(f"json://127.0.0.1:{way.port}/"),)), way)


async def by_tracker(stack, watch, *, kind, state, serve, options):
    tracker = await stack.enter_async_context(serve(state(lambda: watch.at)))
    way = await behind(stack, tracker.url)
    return Way(kind, options(way.url(tracker.url)), way)


def tracker(kind, state, serve, options):
    return partial(by_tracker, kind=kind, state=state, serve=serve, options=options)


WAYS = {
    "webhook": by_webhook,
    "pagerduty": by_pagerduty,
    "alertmanager": by_alertmanager,
    "mail": by_mail,
    "slack": by_slack,
    "teams": by_teams,
    "apprise": by_apprise,
    "jira": tracker(
        "jira",
        partial(Site, USER, lag=0.0),
        jira_site,
        lambda url: JiraOptions(url, "bot@example.com", SECRET, "OPS"),
    ),
    "zendesk": tracker(
        "zendesk",
        partial(Account, AGENT),
        zendesk_account,
        lambda url: ZendeskOptions(url, "bot@example.com", SECRET),
    ),
    "github": tracker(
        "github",
        partial(Repository, SECRET.reveal()),
        github_repository,
        lambda url: GithubOptions("acme/ops", SECRET, url=url),
    ),
    "jsm": tracker(
        "jsm",
        partial(Operations, SECRET.reveal()),
        jsm_operations,
        lambda url: JsmOptions(SECRET, url=url),
    ),
    "servicenow": tracker(
        "servicenow",
        partial(Instance, f"monitor:{SECRET.reveal()}"),
        servicenow_instance,
        lambda url: ServicenowOptions(url, "monitor", SECRET),
    ),
}


@asynccontextmanager
async def outbox(url, name):
    """A store with what one channel is owed, the loop, the clock, and the way to the receiver."""
    watch = Watch()
    async with AsyncExitStack() as stack:
        way = await WAYS[name](stack, watch)
        way.gate.is_open = False
        net = network(watch)
        stack.push_async_callback(net.aclose)
        store = await open_store(url, clock=watch.clock, holder="test")
        stack.push_async_callback(store.close)
        channel = Channel(name, way.kind, (Role.ON_CALL,), way.options)
        delivery = Delivery(
            store, {name: channel}, net, watch.clock, random=lambda: 0.0, poll_seconds=0.01
        )
        owed = [notice(incident(), name, action, seq) for seq, action in enumerate(ACTIONS, 1)]
        await store.commit(opening(incident(), *owed))
        task = asyncio.create_task(delivery.run())
        try:
            yield store, watch, way, delivery
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def all_sent(store):
    return all(each.state is NoticeState.SENT for each in (await store.incident(1)).notices)


def tries(delivery):
    return sum(delivery.figures().attempts.values())


async def tried_again(delivery, watch):
    """A quarter of an hour passes, and somebody has been turned away once more."""
    before = tries(delivery)
    watch.passes(900)
    delivery.wake()
    await until(lambda: tries(delivery) > before and not delivery.figures().in_hand)


@pytest.mark.filterwarnings("ignore:'(imghdr|cgi)' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", WAYS)
async def test_all_is_delivered_after_six_hours_in_order_and_says_it_is_late(sqlite_url, name):
    async with outbox(sqlite_url, name) as (store, watch, way, delivery):
        await until(lambda: tries(delivery) == 1 and not delivery.figures().in_hand)
        for _ in range(HOURS * 4):
            await tried_again(delivery, watch)
        assert tries(delivery) == 1 + HOURS * 4
        assert way.gate.turned_away >= 1 + HOURS * 4
        assert bytes(way.gate.passed) == b""

        way.gate.is_open = True
        watch.passes(600)
        async with asyncio.timeout(30):
            while not await all_sent(store):
                watch.passes(0 if delivery.figures().in_hand else 5)
                await asyncio.sleep(0.02)
        notices = sorted((await store.incident(1)).notices, key=lambda each: each.seq)
    assert [each.state for each in notices] == [NoticeState.SENT] * len(ACTIONS)
    assert all(a.sent_at <= b.sent_at for a, b in pairwise(notices))
    assert all((each.sent_at - START).total_seconds() >= HOURS * 3600 for each in notices)
    said = bytes(way.gate.passed).replace(b"=20", b" ")
    assert said.count(LATE) >= way.worded
    if name == "webhook":
        assert said.count(b'"late_seconds":22') == len(ACTIONS)
