"""Alertmanager: the real program, told what stands; and peers that fail."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.channels import CHANNELS, Means
from monitor.channels.alertmanager import ENDS_AFTER, AlertmanagerOptions
from monitor.channels.kind import REFRESH_EVERY
from monitor.model import Accepted, Action, Channel, DeliveryError, Interval, Message, Role
from monitor.net.secret import Secret
from monitor.refreshing import SETTLING, Refreshing
from monitor.store import open_store
from tests.http_server import Reply, http_server
from tests.outbox_fixtures import INSTANCE, Watch, incident, network, notice, opening
from tests.receivers.alertmanager import alertmanager

KIND = CHANNELS["alertmanager"]
PEERS = {"/api/v2/alerts": Reply(200)}


def just_now():
    return datetime.now(UTC)  # noqa: TID251 - the real program goes by the real clock


def down(number=1, *, minutes=3, at=None):
    """An incident that began so many minutes ago."""
    began = (at or just_now()) - timedelta(minutes=minutes)
    return incident(number, began=Interval(began - timedelta(seconds=9), began))


def said(about, action=Action.TRIGGER, seq=1, *, at=None, **changes):
    return notice(about, "am", action, seq, created_at=at or just_now(), **changes)


@asynccontextmanager
async def sender(*urls, watch=None, **options):
    """A function that sends, and one that refreshes, through these peers."""
    watch = watch or Watch(at=just_now())
    net = network(watch)
    made, means = AlertmanagerOptions(urls, **options), Means(net)
    yield (
        lambda notice: KIND.send(notice, made, means),
        lambda *notices: KIND.refresh(notices, made, means),
    )
    await net.aclose()


async def test_the_real_one_is_told_of_an_alert_and_of_its_end(tmp_path):
    about = down()
    async with alertmanager(tmp_path) as receiver, sender(receiver.url) as (send, _):
        assert await send(said(about)) == Accepted()
        held = (await receiver.alerts())[about.id]
        assert held["labels"] == {
            "alertname": "UptimeIncident",
            "monitor": INSTANCE,
            "alert": about.id,
            "service": "crm",
        }
        assert held["annotations"]["summary"] == "CRITICAL: CRM is down for all users"
        assert datetime.fromisoformat(held["startsAt"]) == about.began.before.replace(
            microsecond=about.began.before.microsecond // 1000 * 1000
        )
        await receiver.tells(status="firing")
        await send(said(about, Action.RESOLVE, 2))
        ((_, alert, _),) = await receiver.tells(status="resolved")
        assert alert == about.id
        assert await receiver.alerts() == {}


async def test_the_real_one_shows_the_newest_words_of_one_alert(tmp_path):
    about = down()
    taken = replace(about, acknowledged_by="Sam")
    async with alertmanager(tmp_path) as receiver, sender(receiver.url) as (send, _):
        await send(said(about))
        words = Message("CRM is down: Acknowledged by Sam.", (), taken)
        await send(said(about, Action.ACKNOWLEDGE, 2, message=words))
        (held,) = (await receiver.alerts()).values()
    assert held["annotations"]["summary"] == "CRM is down: Acknowledged by Sam."
    assert held["annotations"]["acknowledged_by"] == "Sam"


async def test_at_the_real_one_a_late_resolve_of_the_first_leaves_the_second_open(tmp_path):
    first, second = down(1), down(2)
    async with alertmanager(tmp_path) as receiver, sender(receiver.url) as (send, _):
        await send(said(first))
        await send(said(second))
        await send(said(first, Action.RESOLVE, 2))
        assert list(await receiver.alerts()) == [second.id]


async def test_at_the_real_one_what_is_not_told_again_ends_by_itself(tmp_path):
    long_ago = just_now() - ENDS_AFTER + timedelta(seconds=3)
    about = down(at=long_ago)
    async with alertmanager(tmp_path) as receiver:
        async with sender(receiver.url, watch=Watch(at=long_ago)) as (send, _):
            await send(said(about, at=long_ago))
        ((_, alert, _),) = await receiver.tells(status="resolved")
        assert alert == about.id
        async with sender(receiver.url) as (_, refresh):
            await refresh(said(about, at=long_ago))
        assert list(await receiver.alerts()) == [about.id]


async def test_a_digest_is_an_alert_that_ends_by_itself():
    watch = Watch()
    async with http_server(PEERS) as peer, sender(peer.url().rstrip("/"), watch=watch) as (send, _):
        words = Message("Since support closed", ("#1 CRM",), None)
        await send(said(incident(), Action.TELL, at=watch.at, message=words))
    (alert,) = json.loads(peer.requests[0].body)
    assert alert["labels"]["alertname"] == "UptimeNotice"
    assert alert["endsAt"] == "2030-06-03T01:29:00.000Z"


async def test_nothing_that_changes_is_in_the_labels():
    watch = Watch()
    async with http_server(PEERS) as peer, sender(peer.url().rstrip("/"), watch=watch) as (send, _):
        await send(said(incident(), at=watch.at))
        watch.passes(60)
        raised = incident(title="worse", scope="everyone", version=7, acknowledged_by="Sam")
        await send(said(raised, Action.UPDATE, 2, at=watch.at))
    labels = [json.loads(request.body)[0]["labels"] for request in peer.requests]
    assert labels[0] == labels[1]


async def test_every_peer_is_told_and_one_that_takes_it_in_is_enough():
    async with http_server(PEERS) as good, http_server({"/api/v2/alerts": Reply(500)}) as bad:
        urls = [peer.url().rstrip("/") for peer in (bad, good)]
        async with sender(*urls) as (send, _):
            assert await send(said(incident())) == Accepted()
    assert (len(good.requests), len(bad.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("statuses", "permanent"), [((400, 400), True), ((400, 503), False), ((503, 503), False)]
)
async def test_it_is_refused_for_good_only_by_all(statuses, permanent):
    one, two = ({"/api/v2/alerts": Reply(status, b"no")} for status in statuses)
    async with (
        http_server(one) as first,
        http_server(two) as second,
        sender(first.url(), second.url()) as (send, _),
    ):
        with pytest.raises(DeliveryError) as caught:
            await send(said(incident()))
    assert caught.value.permanent is permanent
    assert str(caught.value).count("the receiver answered") == 2


async def test_credentials_and_more_labels_are_sent():
    options = {"username": "monitor", "password": Secret("pw"), "labels": {"team": "ops"}}
    async with http_server(PEERS) as peer, sender(peer.url(), **options) as (send, _):
        await send(said(incident()))
    (request,) = peer.requests
    assert request.header("authorization") == "Basic bW9uaXRvcjpwdw=="
    assert json.loads(request.body)[0]["labels"]["team"] == "ops"


# --------------------------------------------------------------------------- refreshing


@asynccontextmanager
async def refreshed(database_url, reply=None):
    """A store, its clock, a peer, and what keeps the peer told."""
    watch = Watch()
    net = network(watch)
    store = await open_store(database_url, clock=watch.clock, holder="test")
    async with http_server({"/api/v2/alerts": reply or Reply(200)}) as peer:
        channel = Channel("am", "alertmanager", (Role.ON_CALL,), AlertmanagerOptions((peer.url(),)))
        made = Refreshing(store, {"am": channel}, net, watch.clock)
        yield store, watch, peer, made, channel
    await store.close()
    await net.aclose()


def owed(watch, *actions):
    """Notices of one alert, in this order."""
    return [
        said(incident(), action, seq, at=watch.at, due_at=watch.at)
        for seq, action in enumerate(actions, start=1)
    ]


async def sent(store, watch, *notices):
    for each in notices:
        (mine,) = await store.claim(watch.at, lease=timedelta(seconds=60), limit=1)
        assert mine.id == each.id
        assert await store.mark_sent(mine, Accepted(), watch.at)


def told(peer):
    return [
        [(alert["labels"]["alert"], alert["endsAt"]) for alert in json.loads(request.body)]
        for request in peer.requests
    ]


async def test_what_is_open_is_told_again_with_its_last_words(database_url):
    async with refreshed(database_url) as (store, watch, peer, refreshing, channel):
        trigger, update = owed(watch, Action.TRIGGER, Action.UPDATE)
        await store.commit(opening(incident(), trigger, update))
        await refreshing.refresh(channel)
        assert told(peer) == []
        await sent(store, watch, trigger, update)
        watch.passes(REFRESH_EVERY)
        await refreshing.refresh(channel)
        assert told(peer) == [[(incident().id, "2030-06-03T01:16:30.000Z")]]


async def test_what_has_ended_is_told_for_a_while(database_url):
    async with refreshed(database_url) as (store, watch, peer, refreshing, channel):
        both = owed(watch, Action.TRIGGER, Action.RESOLVE)
        await store.commit(opening(incident(), *both))
        await sent(store, watch, *both)
        watch.passes(SETTLING.total_seconds())
        await refreshing.refresh(channel)
        watch.passes(1)
        await refreshing.refresh(channel)
    assert told(peer) == [[(incident().id, "2030-06-03T01:14:00.000Z")]]


async def test_of_a_conversation_with_two_alerts_each_is_told_as_it_stands(database_url):
    async with refreshed(database_url) as (store, watch, peer, refreshing, channel):
        key = f"{INSTANCE}:{incident().id}"
        anew = {"dedup_key": f"{key}.2", "key": f"{key}.2:am:trigger:2"}
        rows = [
            said(incident(), at=watch.at, due_at=watch.at),
            said(incident(), Action.TRIGGER, 2, at=watch.at, due_at=watch.at, **anew),
            said(incident(), Action.RESOLVE, 3, at=watch.at, due_at=watch.at),
        ]
        await store.commit(opening(incident(), *rows))
        await sent(store, watch, *rows)
        watch.passes(SETTLING.total_seconds() + 1)
        await refreshing.refresh(channel)
    assert [[name for name, _ in each] for each in told(peer)] == [[f"{incident().id}.2"]]


async def test_an_end_that_was_refused_for_good_is_still_the_end(database_url):
    async with refreshed(database_url) as (store, watch, peer, refreshing, channel):
        both = owed(watch, Action.TRIGGER, Action.RESOLVE)
        await store.commit(opening(incident(), *both))
        await sent(store, watch, both[0])
        (mine,) = await store.claim(watch.at, lease=timedelta(seconds=60), limit=1)
        assert await store.mark_failed(mine, error="400", retry_at=None)
        await refreshing.refresh(channel)
        watch.passes(SETTLING.total_seconds() + 1)
        await refreshing.refresh(channel)
    assert told(peer) == [[(incident().id, "2030-06-03T01:14:00.000Z")]]


async def test_of_what_was_never_taken_nothing_is_told(database_url):
    async with refreshed(database_url) as (store, watch, peer, refreshing, channel):
        await store.commit(opening(incident(), *owed(watch, Action.TRIGGER)))
        (mine,) = await store.claim(watch.at, lease=timedelta(seconds=60), limit=1)
        assert await store.mark_failed(mine, error="400", retry_at=None)
        await refreshing.refresh(channel)
    assert told(peer) == []


async def test_one_peer_that_fails_is_told_of_while_another_works(database_url):
    async with (
        refreshed(database_url) as (store, watch, peer, refreshing, channel),
        http_server({"/api/v2/alerts": Reply(503)}) as other,
    ):
        both = replace(channel, options=AlertmanagerOptions((peer.url(), other.url())))
        (trigger,) = owed(watch, Action.TRIGGER)
        await store.commit(opening(incident(), trigger))
        await sent(store, watch, trigger)
        await refreshing.refresh(both)
    assert refreshing.failures == {"am": "the receiver answered 503"}
    assert len(peer.requests) == 1


async def test_a_fault_of_ours_or_a_hanging_peer_ends_nothing(database_url):
    async with refreshed(database_url, Reply(hang=True)) as (store, watch, _, refreshing, channel):
        (trigger,) = owed(watch, Action.TRIGGER)
        await store.commit(opening(incident(), trigger))
        await sent(store, watch, trigger)
        refreshing._every = 0.2
        await refreshing.refresh(channel)
        assert refreshing.failures == {"am": "no answer within 0.2 s"}
        await refreshing.refresh(replace(channel, options=None))
        assert refreshing.failures["am"].startswith("AttributeError")


@pytest.mark.parametrize("status", [204, 302])
async def test_what_alertmanager_would_not_say_is_no_acceptance(status):
    async with (
        http_server({"/api/v2/alerts": Reply(status)}) as peer,
        sender(peer.url()) as (send, _),
    ):
        with pytest.raises(DeliveryError) as caught:
            await send(said(incident()))
    assert not caught.value.permanent


async def test_a_peer_that_fails_is_told_of_and_forgotten_when_it_works(database_url):
    async with refreshed(database_url, Reply(503)) as (store, watch, peer, refreshing, channel):
        trigger = said(incident(), at=watch.at, due_at=watch.at)
        await store.commit(opening(incident(), trigger))
        await sent(store, watch, trigger)
        await refreshing.refresh(channel)
        assert refreshing.failures == {"am": "the receiver answered 503"}
        peer.replies["/api/v2/alerts"] = Reply(200)
        await refreshing.refresh(channel)
        assert refreshing.failures == {}
