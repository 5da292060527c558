"""Channels over the outbox: a real store, the real loop, and receivers that are strict."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from monitor.channels.mail import AGAIN_SECONDS, MailOptions, Security
from monitor.channels.slack import SlackOptions
from monitor.delivery import Delivery
from monitor.model import Action, Channel, Role
from monitor.net.secret import Secret
from monitor.store import open_store
from tests.outbox_fixtures import START, Watch, incident, network, notice, opening, until
from tests.receivers.slack import CHANNEL, LOST, TOKEN, slack_receiver
from tests.receivers.smtp import mail_server

ANN, BEN = "ann@example.com", "ben@example.com"
GREEN = "\U0001f7e2"


@asynccontextmanager
async def delivering(url, kind, options):
    """A store, its clock, and a loop that delivers what is committed to one channel."""
    watch = Watch()
    store = await open_store(url, clock=watch.clock, holder="test")
    net = network(watch)
    channel = Channel("pager", kind, (Role.ON_CALL,), options)
    delivery = Delivery(
        store, {"pager": channel}, net, watch.clock, random=lambda: 0.0, poll_seconds=0.01
    )
    task = asyncio.create_task(delivery.run())
    try:
        yield store, watch
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await net.aclose()
        await store.close()


async def standing(store):
    """The notices of the incident by seq."""
    return sorted((await store.incident(1)).notices, key=lambda each: each.seq)


async def reached(store, *states):
    async def stand():
        return [each.state.value for each in await standing(store)] == list(states)

    await until(stand)


async def test_a_recipient_who_was_put_off_gets_the_mail_and_nobody_gets_it_twice(sqlite_url):
    async with mail_server(answers={f"RCPT {BEN}": "450 try later"}) as server:
        options = MailOptions(
            "127.0.0.1", "monitor@example.com", (ANN, BEN), server.port, Security.NONE
        )
        async with delivering(sqlite_url, "mail", options) as (store, watch):
            await store.commit(opening(incident(), notice(incident())))
            await until(lambda: server.mails)
            await reached(store, "pending")
            (kept,) = await standing(store)
            assert kept.due_at == START + timedelta(seconds=AGAIN_SECONDS)
            server.answers.clear()
            watch.passes(AGAIN_SECONDS)
            await reached(store, "sent")
    assert [mail.recipients for mail in server.mails] == [(ANN,), (BEN,)]


async def test_an_alert_is_one_thread_though_answers_are_lost(sqlite_url):
    async with slack_receiver(chat_postMessage=[LOST]) as slack:
        options = SlackOptions(token=Secret(TOKEN), channel=CHANNEL, api_url=slack.api)
        async with delivering(sqlite_url, "slack", options) as (store, watch):
            resolve = notice(incident(), action=Action.RESOLVE, seq=2)
            await store.commit(opening(incident(), notice(incident()), resolve))
            await until(lambda: slack.messages)
            await reached(store, "pending", "pending")
            slack.answers["chat.postMessage"] = [LOST]
            watch.passes(10)
            await until(lambda: slack.messages[0].replies)
            await reached(store, "sent", "pending")
            watch.passes(10)
            await reached(store, "sent", "sent")
            first, second = await standing(store)
    (message,) = slack.messages
    (reply,) = message.replies
    assert (first.remote_id, second.remote_id) == (message.ts, reply.ts)
    assert message.header.startswith(GREEN)
