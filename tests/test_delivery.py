"""The outbox loop: a real store, real receivers, and a clock turned by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from monitor.channels import CHANNELS, ChannelKind
from monitor.channels.webhook import WebhookOptions
from monitor.delivery import CLAIM_LIMIT, LEASE_SECONDS, Delivery, pause_after
from monitor.metrics import NoticeOutcome
from monitor.model import (
    Accepted,
    Action,
    Channel,
    DeliveryError,
    IncidentState,
    NoticeState,
    Role,
)
from monitor.store import StoreUnavailable, open_store
from tests.http_server import Reply
from tests.outbox_fixtures import (
    SECRET,
    START,
    Watch,
    incident,
    network,
    notice,
    opening,
    until,
)
from tests.receivers.webhook import HANG, webhook_receiver

PAGER = Channel("pager", "fake", (Role.ON_CALL,), None)
DESK = Channel("desk", "fake", (Role.SERVICE_DESK,), None)
DAY = 24 * 3600.0


class Troubled:
    """The store, but methods named in `trouble` find it unavailable; `calls` counts what ended.

    What a method named in `gates` did is done, but known only when its event is set.
    """

    def __init__(self, store):
        self.store, self.trouble, self.calls = store, set(), Counter()
        self.gates, self.waiting = {}, set()

    def __getattr__(self, name):
        async def call(*args, **kwargs):
            try:
                if name in self.trouble:
                    raise StoreUnavailable("m.db", "disk full", "free some")
                done = await getattr(self.store, name)(*args, **kwargs)
                if name in self.gates:
                    self.waiting.add(name)
                    await self.gates[name].wait()
                return done
            finally:
                self.calls[name] += 1

        return call


@dataclass
class FakeReceivers:
    """The channels of kind `fake`: what they were sent, and what they answer by channel.

    An answer is raised when it is an error and awaited when it is an event; none is left: taken.
    """

    answers: dict[str, list] = field(default_factory=dict)
    sent: list = field(default_factory=list)
    known: list = field(default_factory=list)

    async def send(self, said, _options, means):
        self.sent.append(said)
        self.known.append(means.known)
        answers = self.answers.get(said.channel, [])
        answer = answers.pop(0) if answers else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        return Accepted("taken")

    def actions(self, channel="pager"):
        return [said.action.value for said in self.sent if said.channel == channel]


@dataclass
class Outbox:
    """One store, its receivers, and any number of deliveries over them."""

    store: Troubled
    watch: Watch
    net: object
    receivers: FakeReceivers
    delays: list = field(default_factory=list)

    def delivery(self, *channels, **options):
        kinds = CHANNELS | {"fake": ChannelKind(object, self.receivers.send, idempotent=True)}
        return Delivery(
            self.store,
            {channel.name: channel for channel in channels or (PAGER, DESK)},
            self.net,
            self.watch.clock,
            random=lambda: 0.0,
            on_sent=lambda said, seconds: self.delays.append((said.key, seconds)),
            kinds=kinds,
            poll_seconds=0.01,
            **options,
        )

    async def notices(self, number=1):
        return (await self.store.store.incident(number)).notices

    async def reached(self, *states, number=1):
        """Wait until the notices of an incident, in order of seq, stand so."""

        async def stand():
            found = sorted(await self.notices(number), key=lambda each: each.seq)
            return [each.state.value for each in found] == list(states)

        await until(stand)

    async def looked(self, times=2):
        """Wait until whatever is due was claimed: that many claims have ended from now on."""
        enough = self.store.calls["claim"] + times
        await until(lambda: self.store.calls["claim"] >= enough)


@asynccontextmanager
async def outbox_on(url):
    watch = Watch()
    store = await open_store(url, clock=watch.clock, holder="test")
    net = network(watch)
    yield Outbox(Troubled(store), watch, net, FakeReceivers())
    await net.aclose()
    await store.close()


@pytest.fixture
async def outbox(sqlite_url):
    async with outbox_on(sqlite_url) as made:
        yield made


@pytest.fixture
async def outbox_of_each(database_url):
    """Once on each kind of database: for what rests on how it locks."""
    async with outbox_on(database_url) as made:
        yield made


@asynccontextmanager
async def running(*deliveries):
    tasks = [asyncio.create_task(delivery.run()) for delivery in deliveries]
    yield
    ended = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    assert not ended


async def test_a_committed_notice_is_sent_and_marked_with_the_receivers_name_for_it(outbox):
    said = notice(incident())
    delivery = outbox.delivery()
    async with running(delivery):
        await outbox.store.commit(opening(incident(), said))
        delivery.wake()
        await outbox.reached("sent")
        await until(lambda: not delivery.figures().in_hand)
    (kept,) = await outbox.notices()
    assert (kept.key, kept.remote_id, kept.sent_at) == (said.key, "taken", START)
    assert len(outbox.receivers.sent) == 1
    assert outbox.delays == [(said.key, 10.0)]
    assert delivery.figures().attempts == {("pager", NoticeOutcome.SENT): 1}
    assert delivery.figures().in_hand == {}


async def test_a_later_notice_is_sent_with_what_the_receiver_calls_the_alert(outbox):
    first, second = notice(incident()), notice(incident(), action=Action.UPDATE, seq=2)
    async with running(outbox.delivery()):
        await outbox.store.commit(opening(incident(), first, second))
        await outbox.reached("sent", "sent")
    assert outbox.receivers.known == [None, Accepted("taken")]


async def test_a_wake_is_enough_to_send_at_once(outbox):
    delivery = outbox.delivery()
    delivery._poll_seconds = 3600.0
    async with running(delivery):
        await outbox.looked(1)
        await outbox.store.commit(opening(incident(), notice(incident())))
        delivery.wake()
        await outbox.reached("sent")


async def test_a_resolve_never_overtakes_its_trigger(outbox_of_each):
    outbox = outbox_of_each
    outbox.receivers.answers["pager"] = [DeliveryError("busy"), DeliveryError("busy")]
    resolve = notice(incident(), action=Action.RESOLVE, seq=2)
    await outbox.store.commit(opening(incident(), notice(incident()), resolve))
    async with running(outbox.delivery()):
        for tries in (1, 2):
            await until(lambda tries=tries: len(outbox.receivers.sent) == tries)
            await outbox.reached("pending", "pending")
            await outbox.looked()
            outbox.watch.passes(20)
        await outbox.reached("sent", "sent")
    assert outbox.receivers.actions() == ["trigger", "trigger", "trigger", "resolve"]


async def test_the_next_notice_follows_the_one_before_at_once(outbox):
    delivery = outbox.delivery()
    delivery._poll_seconds = 3600.0
    resolve = notice(incident(), action=Action.RESOLVE, seq=2)
    await outbox.store.commit(opening(incident(), notice(incident()), resolve))
    async with running(delivery):
        await outbox.reached("sent", "sent")


async def test_a_failure_is_tried_again_after_five_seconds_with_the_same_key(outbox):
    outbox.receivers.answers["pager"] = [DeliveryError("the receiver answered 503")]
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        await outbox.reached("pending")
        (kept,) = await outbox.notices()
        assert kept.due_at == START + timedelta(seconds=5)
        assert kept.last_error == "the receiver answered 503"
        assert delivery.figures().last_error == {"pager": "the receiver answered 503"}
        outbox.watch.passes(4.9)
        await outbox.looked()
        assert len(outbox.receivers.sent) == 1
        outbox.watch.passes(0.1)
        await outbox.reached("sent")
        await until(lambda: not delivery.figures().in_hand)
    first, second = outbox.receivers.sent
    assert first.key == second.key
    assert delivery.figures().attempts == {
        ("pager", NoticeOutcome.RETRIED): 1,
        ("pager", NoticeOutcome.SENT): 1,
    }
    assert delivery.figures().last_error == {}


def test_pauses_double_from_five_seconds_to_fifteen_minutes():
    assert [pause_after(tries, None, 0.0) for tries in range(1, 11)] == [
        5, 10, 20, 40, 80, 160, 320, 640, 720, 720,
    ]  # fmt: skip
    assert pause_after(1, None, 0.999) == pytest.approx(6.25, abs=0.01)
    assert pause_after(10**9, None, 1.0) == 900


def test_a_receivers_wish_is_heeded_within_bounds():
    assert [pause_after(9, wish, 0.5) for wish in (0.0, 30.0, 1e9)] == [5, 30, 900]


async def test_the_first_word_on_an_incident_is_timed_in_whosever_conversation(outbox):
    said = notice(incident())
    later = replace(incident(), number=2, reported_at=START - timedelta(seconds=4))
    shared = notice(incident(), action=Action.UPDATE, seq=2)
    shared = replace(shared, message=replace(shared.message, about=later))
    moved_on = notice(incident(), action=Action.UPDATE, seq=3)
    moved_on = replace(moved_on, message=replace(moved_on.message, about=replace(later, version=2)))
    delivery = outbox.delivery()
    async with running(delivery):
        await outbox.store.commit(opening(incident(), said, shared, moved_on))
        await outbox.reached("sent", "sent", "sent")
        await until(lambda: not delivery.figures().in_hand)
    assert outbox.delays == [(said.key, 10.0), (shared.key, 4.0)]


async def test_a_refused_notice_is_dead_and_its_channel_goes_on(outbox):
    outbox.receivers.answers["pager"] = [DeliveryError("no such key", permanent=True)]
    later = notice(incident(), action=Action.RESOLVE, seq=2)
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident()), later))
    async with running(delivery):
        await outbox.reached("dead", "sent")
        await until(lambda: not delivery.figures().in_hand)
    assert outbox.receivers.actions() == ["trigger", "resolve"]
    assert delivery.figures().attempts["pager", NoticeOutcome.DEAD] == 1
    assert not outbox.delays


async def test_a_channel_that_is_gone_keeps_its_notices_until_it_is_back(outbox):
    delivery = outbox.delivery(DESK)
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        outbox.watch.passes(3 * DAY)
        await until(lambda: delivery.figures().attempts["pager", NoticeOutcome.RETRIED] == 2)
        await outbox.reached("pending")
        (kept,) = await outbox.notices()
        assert kept.due_at == outbox.watch.at + timedelta(minutes=15)
        assert kept.last_error == "the channel pager is not configured; the notice waits for it"
        delivery.channels = {"pager": PAGER}
        outbox.watch.passes(900)
        await outbox.reached("sent")


async def test_what_a_channel_raises_unforeseen_is_a_failure_that_may_pass(outbox):
    outbox.receivers.answers["pager"] = [KeyError("colour"), ZeroDivisionError()]
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        assert delivery.figures().last_error == {"pager": "KeyError: 'colour'"}
        for _ in range(2):
            await outbox.reached("pending")
            outbox.watch.passes(20)
            await outbox.looked()
        await outbox.reached("sent")


async def test_no_secret_reaches_the_error_that_is_kept(outbox):
    outbox.receivers.answers["pager"] = [RuntimeError(f"bad {SECRET.reveal()}")]
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        await outbox.reached("pending")
    (kept,) = await outbox.notices()
    assert SECRET.reveal() not in kept.last_error + str(delivery.figures())


async def test_a_receiver_that_hangs_delays_no_other_channel(outbox):
    stuck = asyncio.Event()
    outbox.receivers.answers["pager"] = [stuck] * 3
    abouts = [incident(number) for number in (1, 2, 3)]
    for about in abouts:
        pager, desk = notice(about), notice(about, "desk", seq=2)
        await outbox.store.commit(opening(about, pager, desk))
    delivery = outbox.delivery(workers=2)
    async with running(delivery):
        for about in abouts:
            await outbox.reached("sending", "sent", number=about.number)
        await until(lambda: delivery.figures().in_hand == {"pager": 3})
        assert outbox.receivers.actions("pager") == ["trigger"] * 2
        assert delivery.figures().oldest_due == START
        stuck.set()
        for about in abouts:
            await outbox.reached("sent", "sent", number=about.number)


async def test_a_send_that_does_not_end_is_cut(outbox):
    outbox.receivers.answers["pager"] = [asyncio.Event()]
    delivery = outbox.delivery(send_seconds=0.05)
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        assert delivery.figures().last_error == {"pager": "no answer within 0.05 s"}
        outbox.watch.passes(5)
        await outbox.reached("sent")


async def test_a_held_notice_goes_out_at_its_due_time_and_not_before(outbox):
    opens = START + timedelta(hours=6)
    about = incident(notify_at=opens)
    held = notice(about, "desk", due_at=opens, held=True)
    await outbox.store.commit(opening(about, held))
    async with running(outbox.delivery()):
        await outbox.looked()
        outbox.watch.passes(6 * 3600 - 0.001)
        await outbox.looked()
        assert not outbox.receivers.sent
        outbox.watch.passes(0.001)
        await outbox.reached("sent")


async def fails_for(outbox, delivery, seconds, channel):
    """Let every attempt fail for so long, each time the next one is due."""
    outbox.receivers.answers[channel] = [DeliveryError("busy") for _ in range(1000)]
    until_then = outbox.watch.at + timedelta(seconds=seconds)
    while outbox.watch.at < until_then:
        tries = len(outbox.receivers.sent)
        outbox.watch.passes(900)
        await until(lambda tries=tries: len(outbox.receivers.sent) > tries)
        await until(lambda: not delivery.figures().in_hand)
    outbox.receivers.answers[channel] = []


async def test_what_is_no_page_dies_after_a_day(outbox):
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident(), "desk")))
    async with running(delivery):
        await fails_for(outbox, delivery, DAY - 900, "desk")
        await outbox.reached("pending")
        await fails_for(outbox, delivery, 900, "desk")
        await outbox.reached("dead")


async def test_the_day_of_a_held_notice_begins_when_support_opens(outbox):
    opens = START + timedelta(days=4)
    about = incident(notify_at=opens)
    held = notice(about, "desk", due_at=opens, held=True)
    delivery = outbox.delivery()
    await outbox.store.commit(opening(about, held))
    async with running(delivery):
        outbox.watch.passes(4 * DAY - 900)
        await fails_for(outbox, delivery, DAY, "desk")
        await outbox.reached("pending")
        await fails_for(outbox, delivery, 900, "desk")
        await outbox.reached("dead")


async def test_after_days_without_the_monitor_one_failure_does_not_kill(outbox):
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident(), "desk")))
    outbox.watch.passes(3 * DAY)
    async with running(delivery):
        await fails_for(outbox, delivery, 3600, "desk")
        await outbox.reached("pending")
        outbox.watch.passes(900)
        await outbox.reached("sent")


async def test_a_page_is_tried_until_its_incident_is_resolved(outbox):
    about = incident()
    delivery = outbox.delivery()
    await outbox.store.commit(opening(about, notice(about)))
    async with running(delivery):
        await fails_for(outbox, delivery, DAY + 900, "pager")
        await outbox.reached("pending")
        over = replace(about, state=IncidentState.RESOLVED, resolved_at=outbox.watch.at, version=2)
        await outbox.store.commit(replace(opening(over), was_version=1))
        await fails_for(outbox, delivery, 900, "pager")
        await outbox.reached("dead")


async def test_two_deliveries_that_race_never_send_twice(outbox_of_each):
    outbox = outbox_of_each
    abouts = [incident(number) for number in range(1, 41)]
    for about in abouts:
        resolve = notice(about, action=Action.RESOLVE, seq=2)
        await outbox.store.commit(opening(about, notice(about), resolve))
    deliveries = [outbox.delivery(workers=40) for _ in range(2)]
    async with running(*deliveries):
        for about in abouts:
            await outbox.reached("sent", "sent", number=about.number)
        await until(lambda: not any(each.figures().in_hand for each in deliveries))
    assert Counter(said.key for said in outbox.receivers.sent).most_common(1)[0][1] == 1
    counted = sum((Counter(each.figures().attempts) for each in deliveries), Counter())
    assert counted == {("pager", NoticeOutcome.SENT): 80}


async def test_a_claim_full_of_what_hangs_holds_up_nothing_behind_it(outbox):
    about = incident()
    stuck = [notice(about, f"desk-{seq}", seq=seq) for seq in range(1, CLAIM_LIMIT + 1)]
    outbox.receivers.answers = {each.channel: [asyncio.Event()] for each in stuck}
    last = notice(about, "pager", seq=CLAIM_LIMIT + 1, due_at=START + timedelta(seconds=1))
    await outbox.store.commit(opening(about, *stuck, last))
    outbox.watch.passes(1)
    delivery = outbox.delivery(PAGER, *(replace(DESK, name=each.channel) for each in stuck))
    delivery._poll_seconds = 3600.0
    async with running(delivery):
        await outbox.reached(*["sending"] * CLAIM_LIMIT, "sent")


async def test_an_accepted_notice_whose_mark_fails_is_marked_later_and_not_sent_again(
    outbox_of_each,
):
    outbox = outbox_of_each
    outbox.store.trouble = {"mark_sent", "claim"}
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    outbox.store.trouble = {"mark_sent"}
    async with running(delivery):
        await until(lambda: outbox.store.calls["mark_sent"] >= 2)
        outbox.watch.passes(2 * LEASE_SECONDS)
        await outbox.looked()
        outbox.store.trouble = set()
        await outbox.reached("sent")
        await outbox.looked()
    assert len(outbox.receivers.sent) == 1


async def test_a_crash_between_send_and_mark_sends_the_same_key_again(outbox_of_each):
    outbox = outbox_of_each
    outbox.store.trouble = {"mark_sent"}
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(outbox.delivery()):
        await until(lambda: outbox.store.calls["mark_sent"])
    outbox.store.trouble = set()
    await outbox.reached("sending")
    assert await outbox.store.release_leases() == 1
    async with running(outbox.delivery()):
        await outbox.reached("sent")
    first, second = outbox.receivers.sent
    assert first.key == second.key


async def test_a_send_that_was_cancelled_keeps_its_lease_and_is_made_again_after_it(outbox_of_each):
    outbox = outbox_of_each
    outbox.receivers.answers["pager"] = [asyncio.Event()]
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(outbox.delivery()):
        await until(lambda: outbox.receivers.sent)
    (kept,) = await outbox.notices()
    assert kept.state is NoticeState.SENDING
    async with running(outbox.delivery()):
        await outbox.looked()
        outbox.watch.passes(LEASE_SECONDS - 1)
        await outbox.looked()
        assert len(outbox.receivers.sent) == 1
        outbox.watch.passes(1)
        await outbox.reached("sent")
    first, second = outbox.receivers.sent
    assert first.key == second.key


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_step_of_the_clock_during_a_send_sends_nothing_twice(outbox, step):
    answer = asyncio.Event()
    outbox.receivers.answers["pager"] = [answer]
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(outbox.delivery()):
        await until(lambda: outbox.receivers.sent)
        outbox.watch.steps(step)
        await outbox.looked()
        answer.set()
        await outbox.reached("sent")
        await outbox.looked()
    assert len(outbox.receivers.sent) == 1


async def test_an_answer_that_comes_while_its_lease_is_renewed_is_marked_once(outbox):
    answer, claimed = asyncio.Event(), asyncio.Event()
    outbox.receivers.answers["pager"] = [answer]
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(outbox.delivery()):
        await until(lambda: outbox.receivers.sent)
        outbox.watch.steps(3600)
        outbox.store.gates = {"claim": claimed}
        await until(lambda: outbox.store.waiting)
        answer.set()
        await outbox.looked(0)
        claimed.set()
        await outbox.reached("sent")
        await outbox.looked()
    assert len(outbox.receivers.sent) == 1


async def test_a_notice_whose_lease_ran_out_in_the_queue_is_not_sent_on_it(outbox):
    stuck = asyncio.Event()
    outbox.receivers.answers["pager"] = [stuck]
    for number in (1, 2):
        await outbox.store.commit(opening(incident(number), notice(incident(number))))
    delivery = outbox.delivery(workers=1)
    async with running(delivery):
        await until(lambda: outbox.receivers.sent and delivery.figures().in_hand == {"pager": 2})
        outbox.store.trouble = {"claim"}
        outbox.watch.passes(LEASE_SECONDS)
        stuck.set()
        await until(lambda: not delivery.figures().in_hand)
        assert len(outbox.receivers.sent) == 1
        outbox.store.trouble = set()
        await outbox.reached("sent", number=1)
        await outbox.reached("sent", number=2)
    assert len(outbox.receivers.sent) == 2


async def test_an_unavailable_store_is_told_and_outlived(outbox):
    outbox.store.trouble = {"claim"}
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await outbox.looked()
        assert delivery.figures().store_error == "m.db: disk full: free some"
        outbox.store.trouble = set()
        await outbox.reached("sent")
        await outbox.looked()
        assert delivery.figures().store_error is None


@asynccontextmanager
async def hook(outbox, *answers, name="pager", role=Role.ON_CALL):
    """A real webhook receiver, and the channel to it."""
    async with webhook_receiver(SECRET, lambda: outbox.watch.at, *answers) as receiver:
        yield receiver, Channel(name, "webhook", (role,), WebhookOptions(receiver.url, SECRET))


async def test_a_webhook_that_fails_then_answers_gets_one_key_and_a_new_signature(outbox):
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with hook(outbox, Reply(500)) as (receiver, pager), running(outbox.delivery(pager)):
        await receiver.received(1)
        await outbox.reached("pending")
        outbox.watch.passes(400)
        await outbox.reached("sent")
    first, second = receiver.arrivals
    assert first.key == second.key
    assert first.refusal is second.refusal is None
    assert (await outbox.notices())[0].remote_id == "remote-1"


async def test_a_webhooks_retry_after_is_honoured_to_the_second(outbox):
    await outbox.store.commit(opening(incident(), notice(incident())))
    busy = Reply(429, headers=(("retry-after", "120"),))
    async with hook(outbox, busy) as (receiver, pager), running(outbox.delivery(pager)):
        await receiver.received(1)
        await outbox.reached("pending")
        outbox.watch.passes(119)
        await outbox.looked()
        assert len(receiver.arrivals) == 1
        outbox.watch.passes(1)
        await outbox.reached("sent")


async def test_a_webhook_that_says_400_gets_no_second_attempt(outbox):
    await outbox.store.commit(opening(incident(), notice(incident())))
    no = Reply(400, b"unknown field")
    async with hook(outbox, no) as (receiver, pager), running(outbox.delivery(pager)):
        await outbox.reached("dead")
        outbox.watch.passes(DAY)
        await outbox.looked()
    assert len(receiver.arrivals) == 1
    assert (await outbox.notices())[0].last_error == "the receiver answered 400: unknown field"


async def test_a_webhook_that_hangs_does_not_delay_the_desk(outbox):
    about = incident()
    await outbox.store.commit(opening(about, notice(about), notice(about, "desk", seq=2)))
    async with (
        hook(outbox, HANG) as (stuck, pager),
        hook(outbox, name="desk", role=Role.SERVICE_DESK) as (_, desk),
        running(outbox.delivery(pager, desk)),
    ):
        await outbox.reached("sending", "sent")
        assert len(stuck.arrivals) == 1


async def test_trigger_then_resolve_arrive_in_order_under_one_dedup_key(outbox):
    about = incident()
    resolve = notice(about, action=Action.RESOLVE, seq=2)
    await outbox.store.commit(opening(about, notice(about), resolve))
    async with hook(outbox, Reply(503)) as (receiver, pager), running(outbox.delivery(pager)):
        await receiver.received(1)
        await outbox.reached("pending", "pending")
        outbox.watch.passes(10)
        await outbox.reached("sent", "sent")
    assert [each.action for each in receiver.arrivals] == ["trigger", "trigger", "resolve"]
    assert len({each.document["dedup_key"] for each in receiver.arrivals}) == 1


async def test_after_a_step_of_the_clock_retries_wait_no_longer_even_if_the_store_was_away(outbox):
    outbox.receivers.answers["pager"] = [DeliveryError("busy")]
    delivery = outbox.delivery()
    await outbox.store.commit(opening(incident(), notice(incident())))
    async with running(delivery):
        await until(lambda: delivery.figures().last_error)
        outbox.store.trouble.add("hurry")
        outbox.watch.steps(-3600)
        delivery.hurry()
        await until(lambda: outbox.store.calls["hurry"])
        outbox.store.trouble.clear()
        await outbox.reached("sent")


async def test_at_the_end_what_is_being_sent_is_marked_and_nothing_else_is_begun(outbox):
    answered = asyncio.Event()
    outbox.receivers.answers["pager"] = [answered]
    resolve = notice(incident(), action=Action.RESOLVE, seq=2)
    await outbox.store.commit(opening(incident(), notice(incident()), resolve))
    delivery = outbox.delivery()
    ending = asyncio.create_task(delivery.run())
    await until(lambda: outbox.receivers.sent)
    delivery.end()
    answered.set()
    async with asyncio.timeout(5):
        await ending
    await outbox.reached("sent", "pending")
