"""What the monitor finds wrong with itself, whom it tells, and when that is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from monitor.channels import ChannelKind
from monitor.channels.document import notice_document
from monitor.delivery import DeliveryFigures
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.metrics import Metrics, NoticeOutcome
from monitor.model import Accepted, Action, Channel, DeliveryError, Problem, Role
from monitor.net.secret import Secret
from monitor.selfwatch import SelfWatchSettings, watching
from monitor.selfwatch.alarm import AGAIN, CALM, JUST_OVER, Author, SelfAlarm
from monitor.selfwatch.signs import (
    LASTING,
    STUCK_AFTER,
    UNREAD_AFTER,
    Queues,
    Signs,
    unwell,
    wrong,
)
from monitor.selfwatch.watching import SelfWatch
from monitor.store import OutboxFigures
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.outbox_fixtures import INSTANCE, START, Watch, until
from tests.receivers.webhook import webhook_receiver
from tests.running import ROOT, SECRET, monitor, write_config
from tests.web_fixtures import ESTATE

PAGER = Channel("pager", "webhook", (Role.ON_CALL,), None)
PHONE = Channel("phone", "webhook", (Role.ON_CALL, Role.SERVICE_DESK), None)
DESK = Channel("desk", "webhook", (Role.SERVICE_DESK,), None)

TROUBLE = "monitor.db: database is locked: end the other program, for 11 s"

# --------------------------------------------------------------------------- why it is unwell

SAID = {
    "overdue": (3, "3 cells have not been probed for too long"),
    "outbox_unread": (UNREAD_AFTER + 1, "the outbox could not be read for 31 s"),
    "stuck": ({"pager": STUCK_AFTER}, "the notices of pager have not moved for 300 s"),
}


@pytest.mark.parametrize("there", list(product((False, True), repeat=len(SAID))))
@pytest.mark.parametrize("engine", [(), ("blind: no vantage's control targets answer",)])
def test_it_is_unwell_for_exactly_the_reasons_there_are(there, engine):
    found = [name for name, is_there in zip(SAID, there, strict=True) if is_there]
    signs = Signs(**{name: SAID[name][0] for name in found})
    assert unwell(signs, engine) == (*engine, *(SAID[name][1] for name in found))


@pytest.mark.parametrize(
    "signs",
    [
        Signs(),
        Signs(outbox_unread=UNREAD_AFTER),
        Signs(stuck={"pager": STUCK_AFTER - 1}),
        Signs(clock_off=60.0),
    ],
)
def test_what_is_still_in_bounds_or_says_nothing_of_its_work_is_well(signs):
    assert unwell(signs) == ()


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        (Signs(), {}),
        (Signs(store_trouble=TROUBLE), {Problem.STORE: TROUBLE}),
        (
            Signs(stuck={"pager": 301.0, "desk": 299.0}),
            {Problem.OUTBOX: "the notices of pager have not moved for 301 s"},
        ),
        (Signs(store_trouble=TROUBLE, stuck={"pager": 301.0}), {Problem.STORE: TROUBLE}),
        (Signs(blind=True), {Problem.BLIND: "no vantage's control targets answer"}),
        (Signs(clock_off=5.0), {}),
        (Signs(clock_off=6.0), {Problem.CLOCK: "it is 6 s ahead of the controls' clocks"}),
        (Signs(clock_off=-61.2), {Problem.CLOCK: "it is 61 s behind the controls' clocks"}),
        (Signs(overdue=9, outbox_unread=900.0), {}),
    ],
)
def test_what_an_alarm_is_to_be_raised_about(signs, found):
    assert wrong(signs) == found


# --------------------------------------------------------------------------- a stuck outbox


def looks(queues, times, *, due, refused=lambda _: {}, seconds=1.0):
    """What the last of several looks, a second apart, said."""
    found = {}
    for n in range(times):
        now = START + timedelta(seconds=n * seconds)
        found = queues.look(due(n), refused(n), now, seconds)
    return found


def test_a_head_that_stays_due_has_not_moved():
    assert looks(Queues(), 302, due=lambda _: {"pager": START}) == {"pager": 301.0}


def test_a_head_that_was_due_long_before_the_start_has_its_time_too():
    assert looks(Queues(), 2, due=lambda _: {"pager": START - timedelta(days=2)}) == {"pager": 1.0}


def test_a_queue_that_drains_moves_however_old_it_is():
    def due(n):
        return {"pager": START - timedelta(days=2) + timedelta(seconds=n // 60)}

    assert looks(Queues(), 601, due=due)["pager"] < 60


def test_what_is_not_due_yet_is_not_waited_for():
    later = START + timedelta(hours=9)
    assert looks(Queues(), 400, due=lambda _: {"pager": later}) == {}


def test_a_receiver_that_refuses_is_not_our_failure():
    found = looks(
        Queues(), 900, due=lambda _: {"pager": START}, refused=lambda n: {"pager": n // 100}
    )
    assert found["pager"] < 100


def test_a_dead_receiver_hides_no_other_channel():
    found = looks(
        Queues(),
        400,
        due=lambda _: {"pager": START, "desk": START},
        refused=lambda n: {"desk": n // 60},
    )
    assert found["pager"] >= STUCK_AFTER > found["desk"]


# --------------------------------------------------------------------------- alarms


@dataclass
class Way:
    """A self-alarm whose time is turned by hand, and everything that was sent."""

    channels: tuple = (PAGER,)
    watch: Watch = field(default_factory=Watch)
    answer: object = Accepted("remote-1")
    wrong: dict = field(default_factory=dict)
    sent: list = field(default_factory=list)

    def __post_init__(self):
        author = Author(INSTANCE, "https://monitor.example.com", lambda at: f"id-{at:%H%M%S%f}")
        self.alarm = SelfAlarm(self.channels, author)

    def passes(self, seconds, step=1.0):
        """Looks every `step` seconds, and sends what is owed at once."""
        for _ in range(int(seconds / step)):
            self.watch.passes(step)
            self.alarm.look(self.wrong, self.watch.clock.now(), step)
            for owed in self.alarm.owed(self.watch.clock.now()):
                self.sent.append((self.elapsed, owed))
                answer = self.answer
                self.alarm.answered(owed, answer, self.watch.clock.now(), 0.0)

    @property
    def elapsed(self):
        return (self.watch.at - START).total_seconds()

    def actions(self):
        return [(at, owed.channel.name, owed.notice.action) for at, owed in self.sent]


@pytest.fixture
def way():
    return Way()


@pytest.mark.parametrize("problem", Problem)
def test_an_alarm_is_raised_once_its_problem_has_lasted(way, problem):
    way.wrong = {problem: "it is so"}
    way.passes(1 + LASTING[problem] + 600)
    assert way.actions() == [(1 + LASTING[problem], "pager", Action.TRIGGER)]
    assert way.alarm.open == {problem}


def test_a_problem_that_is_gone_in_time_is_no_alarm(way):
    for _ in range(20):
        way.wrong = {Problem.STORE: TROUBLE}
        way.passes(LASTING[Problem.STORE])
        way.wrong = {}
        way.passes(1)
    assert way.sent == []


def test_every_channel_that_reaches_on_call_is_told_and_no_other():
    way = Way(channels=(PAGER, DESK, PHONE))
    way.wrong = {Problem.CLOCK: "it is 9 s ahead of the controls' clocks"}
    way.passes(1)
    assert [name for _, name, _ in way.actions()] == ["pager", "phone"]


def test_a_notice_says_what_is_wrong_and_is_about_no_incident(way):
    way.wrong = {Problem.STORE: TROUBLE}
    way.passes(20)
    notice = way.sent[0][1].notice
    told = int(notice.created_at.timestamp())
    assert notice.dedup_key == f"{INSTANCE}:self:store"
    assert notice.key == f"{INSTANCE}:self:store:pager:trigger:{told}"
    document = notice_document(notice, notice.created_at)
    assert document["instance"] == INSTANCE
    assert document["incident"] is document["about"] is document["late_seconds"] is None
    assert document["headline"] == "MONITOR: its store cannot be written"
    assert TROUBLE in document["lines"][0]
    assert document["links"] == {"Monitor": "https://monitor.example.com"}
    assert json.loads(json.dumps(document)) == document


def test_it_is_over_once_the_problem_has_stayed_away(way):
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(5)
    way.wrong = {}
    way.passes(CALM - 1)
    assert way.alarm.open == {Problem.CLOCK}
    way.passes(600)
    assert [(action, at) for at, _, action in way.actions()] == [
        (Action.TRIGGER, 1.0),
        (Action.RESOLVE, 5 + CALM),
    ]
    trigger, resolve = (owed.notice for _, owed in way.sent)
    assert resolve.dedup_key == trigger.dedup_key
    assert resolve.seq > trigger.seq
    assert resolve.message.headline == "MONITOR, over: its clock is wrong"
    assert way.alarm.open == frozenset()


def test_a_receiver_is_told_again_what_it_calls_the_alarm(way):
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(5)
    way.wrong = {}
    way.passes(60)
    assert [owed.known for _, owed in way.sent] == [None, Accepted("remote-1")]


def test_while_it_lasts_it_is_told_again_once_an_hour(way):
    way.wrong = {Problem.STORE: TROUBLE}
    way.passes(3 * AGAIN, step=5.0)
    assert [at for at, _, _ in way.actions()] == [15.0, 15 + AGAIN, 15 + 2 * AGAIN]
    assert len({owed.notice.key for _, owed in way.sent}) == 3


def test_what_is_refused_is_tried_again_with_the_same_key_until_it_is_accepted(way):
    way.answer = DeliveryError("the receiver answered 503")
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(100)
    way.answer = Accepted()
    way.passes(600)
    assert [at for at, _, _ in way.actions()] == [1, 6, 16, 36, 76, 156]
    assert len({owed.notice.key for _, owed in way.sent}) == 1
    assert [owed.notice.attempts for _, owed in way.sent] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("permanent", [False, True])
def test_even_what_is_refused_for_good_is_tried_again_but_not_often(way, permanent):
    way.answer = DeliveryError("no", permanent=permanent)
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(AGAIN)
    assert 8 <= len(way.sent) <= 12


def test_a_trigger_whose_answer_was_lost_is_resolved_too(way):
    way.answer = DeliveryError("no answer within 60 s")
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(3)
    way.wrong = {}
    way.passes(CALM - 1)
    way.answer = Accepted()
    way.passes(60)
    assert [(at, action) for at, _, action in way.actions()] == [
        (1, Action.TRIGGER),
        (6, Action.TRIGGER),
        (3 + CALM, Action.RESOLVE),
    ]


def test_a_resolve_that_nobody_takes_is_given_up_after_a_day(way):
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(5)
    way.wrong, way.answer = {}, DeliveryError("gone")
    way.passes(90000, step=30)
    tried = len(way.sent)
    way.passes(9000, step=30)
    assert len(way.sent) == tried


def test_a_problem_that_comes_back_while_its_resolve_is_tried_is_told_anew(way):
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(5)
    way.wrong, way.answer = {}, DeliveryError("no answer within 60 s")
    way.passes(60)
    way.wrong, way.answer = {Problem.CLOCK: "off"}, Accepted()
    way.passes(1)
    assert way.actions()[-1] == (66.0, "pager", Action.TRIGGER)


def test_a_problem_that_comes_and_goes_pages_twice_in_an_hour(way):
    for _ in range(30):
        way.wrong = {Problem.STORE: TROUBLE}
        way.passes(60)
        way.wrong = {}
        way.passes(60)
    triggers = [at for at, _, action in way.actions() if action is Action.TRIGGER]
    assert len(triggers) == 2
    assert way.actions()[-1][2] is Action.TRIGGER
    way.passes(AGAIN)
    assert way.actions()[-1][2] is Action.RESOLVE


def test_after_a_restart_it_is_told_again_under_the_same_dedup_key(way):
    way.wrong = {Problem.STORE: TROUBLE}
    way.passes(30)
    again = Way(watch=way.watch, wrong=way.wrong)
    again.passes(30)
    ((_, first),), ((_, second),) = way.sent, again.sent
    assert first.notice.dedup_key == second.notice.dedup_key
    assert first.notice.key != second.notice.key


def test_problems_have_alarms_of_their_own(way):
    way.wrong = {Problem.CLOCK: "off", Problem.STORE: TROUBLE}
    way.passes(20)
    del way.wrong[Problem.CLOCK]
    way.passes(60)
    assert [(owed.problem, owed.notice.action) for _, owed in way.sent] == [
        (Problem.CLOCK, Action.TRIGGER),
        (Problem.STORE, Action.TRIGGER),
        (Problem.CLOCK, Action.RESOLVE),
    ]
    assert len({owed.notice.seq for _, owed in way.sent}) == 3


def test_what_stands_is_known_for_receivers_that_forget(way):
    way.wrong = {Problem.CLOCK: "off"}
    way.passes(5)
    ((channel, standing),) = way.alarm.standing(way.watch.mono)
    assert (channel, standing.action) == (PAGER, Action.TRIGGER)
    way.wrong = {}
    way.passes(60)
    ((_, standing),) = way.alarm.standing(way.watch.mono)
    assert standing.action is Action.RESOLVE
    way.passes(JUST_OVER)
    assert way.alarm.standing(way.watch.mono) == []


# --------------------------------------------------------------------------- what it looks at


class FakeEngine:
    """An engine as a test sets it."""

    def __init__(self):
        self.trouble, self.is_blind, self.late, self.reasons = None, False, 0, ()
        self.results_dropped = self.changes_waiting = 0

    def store_trouble(self):
        return self.trouble

    def blind(self):
        return self.is_blind

    def overdue(self):
        return self.late

    def not_ready(self):
        return self.reasons


@dataclass
class FakeDelivery:
    """Delivery that has made no attempt but those a test names."""

    attempts: dict = field(default_factory=dict)

    def figures(self):
        return DeliveryFigures(self.attempts, {}, {}, None, None)


@dataclass
class Looking:
    """A self-watch on fakes and virtual time, and what its channel was sent."""

    watch: Watch
    engine: FakeEngine
    delivery: FakeDelivery
    metrics: Metrics
    own: SelfWatch
    sent: list

    def looks(self, seconds, due=None, step=1.0):
        """Look once each step of so many seconds, the outbox read just before."""
        for _ in range(int(seconds / step)):
            self.watch.passes(step)
            if due is not None:
                self.own.outbox(OutboxFigures({}, 0, {}, 0, due, {"pager": due}))
            self.own.look()

    def alarms(self):
        return self.own._alarm.open

    def value(self, series):
        page = self.metrics.render()[0].decode().splitlines()
        return next(float(x.rsplit(" ", 1)[1]) for x in page if x.startswith(series))


@pytest.fixture
async def looking():
    watch, engine, delivery, sent = Watch(), FakeEngine(), FakeDelivery(), []
    metrics = Metrics(ESTATE, ["pager"])

    async def send(notice, options, means):
        sent.append((notice, means))
        return Accepted("remote-1")

    async def refresh(notices, options, means):
        sent.append(tuple(notices))

    async with made_net(clock=watch.clock, secrets=["s3cret"]) as net:
        own = SelfWatch(
            engine,
            delivery,
            net,
            metrics,
            settings=SelfWatchSettings(),
            estate=ESTATE,
            channels=(PAGER, DESK),
            author=Author(INSTANCE, "", lambda _: "an-id"),
            random=lambda: 0.0,
            kinds={"webhook": ChannelKind(object, send, idempotent=True, refresh=refresh)},
        )
        yield Looking(watch, engine, delivery, metrics, own, sent)


async def test_an_engine_that_works_and_an_outbox_that_moves_are_well(looking):
    looking.looks(600, due=looking.watch.at + timedelta(hours=1))
    assert (looking.own.unwell(), looking.alarms()) == ((), frozenset())


async def test_reasons_are_the_engines_and_its_own(looking):
    looking.engine.reasons, looking.engine.late = ("blind",), 4
    looking.looks(40)
    assert looking.own.unwell() == (
        "blind",
        "4 cells have not been probed for too long",
        "the outbox could not be read for 40 s",
    )


async def test_notices_that_nobody_tries_to_send_are_an_alarm_after_five_minutes(looking):
    due = looking.watch.at
    looking.looks(300, due)
    assert looking.alarms() == frozenset()
    looking.looks(2, due)
    assert looking.alarms() == {Problem.OUTBOX}
    assert looking.own.unwell() == ("the notices of pager have not moved for 301 s",)


async def test_notices_that_a_receiver_refuses_are_none(looking):
    due = looking.watch.at
    for tried in range(10):
        looking.delivery.attempts = {("pager", NoticeOutcome.RETRIED): tried}
        looking.looks(60, due)
    assert (looking.alarms(), looking.own.unwell()) == (frozenset(), ())


async def test_a_head_that_stays_while_the_receiver_accepts_others_is(looking):
    due = looking.watch.at
    for tried in range(10):
        looking.delivery.attempts = {("pager", NoticeOutcome.SENT): tried}
        looking.looks(60, due)
    assert looking.alarms() == {Problem.OUTBOX}


async def test_an_outbox_that_cannot_be_read_says_nothing_of_what_is_in_it(looking):
    looking.looks(1, looking.watch.at)
    looking.looks(900)
    assert looking.alarms() == frozenset()
    assert looking.own.unwell() == ("the outbox could not be read for 900 s",)


async def test_waking_up_after_hours_is_no_alarm(looking):
    due = looking.watch.at
    looking.looks(10, due)
    looking.engine.trouble, looking.engine.is_blind = "no write has ended, for 28800 s", True
    looking.looks(4 * 28800, due, step=28800)
    looking.engine.trouble, looking.engine.is_blind = None, False
    looking.looks(60, due)
    assert looking.alarms() == frozenset()


async def test_being_blind_for_five_minutes_is_an_alarm(looking):
    looking.engine.is_blind = True
    looking.looks(300)
    assert looking.alarms() == frozenset()
    looking.looks(1)
    assert looking.alarms() == {Problem.BLIND}
    assert looking.value('monitor_self_alarm{problem="blind"}') == 1


async def test_what_waits_and_what_was_dropped_is_shown(looking):
    looking.engine.results_dropped, looking.engine.changes_waiting = 7, 2
    looking.looks(3)
    looking.engine.results_dropped = 9
    looking.looks(1)
    assert looking.value("monitor_results_dropped_total") == 9
    assert looking.value("monitor_changes_waiting") == 2


async def test_it_is_sent_past_the_outbox_without_a_secret_and_kept_standing(looking, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.001)
    looking.engine.trouble = "the user s3cret is refused, for 11 s"
    looking.looks(30)
    running = asyncio.create_task(looking.own.run())
    await until(lambda: looking.sent)
    ((notice, means),) = looking.sent
    assert (notice.channel, notice.action) == ("pager", Action.TRIGGER)
    assert "the user *** is refused" in notice.message.lines[0]
    assert means.known is None
    looking.watch.passes(watching.REFRESH_EVERY)
    await until(lambda: len(looking.sent) == 2)
    assert looking.sent[1] == (notice,)
    assert looking.value('monitor_notices_total{channel="pager",outcome="sent"}') == 1
    running.cancel()


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_is_explained_in_the_documentation(problem):
    page = (ROOT / "docs" / "selfwatch.md").read_text()
    assert f"self-alarm `{problem}` |" in page
    assert f"\n| `{problem}` | " in page


# --------------------------------------------------------------------------- in the program


@contextlib.asynccontextmanager
async def watched(tmp_path):
    """The program over an estate that is well; its pager, and whoever it pings every second."""
    now = lambda: datetime.now(UTC)  # noqa: E731, TID251 - the receiver's own clock
    with EstateProcess(Ports.free()) as estate:
        async with (
            webhook_receiver(Secret(SECRET), now) as pager,
            http_server({"/ping": Reply(200)}) as pinged,
        ):
            (tmp_path / "ping").write_text(pinged.url("/ping"))
            ping = "selfwatch: {ping: {url_file: ping, every: 1s, timeout: 500ms}}"
            path, url = write_config(tmp_path, estate.ports, pager.url, more=ping)
            async with monitor(path, url) as running:
                await running.until_ready()
                yield running, pager, pinged


async def arrived(running, pager, action):
    """Wait for the first notice of this action."""

    async def there():
        return next((a for a in pager.arrivals if a.action == action), None)

    return await running.until(f"a {action} arrives", there)


async def pings(running, pinged):
    """Wait for another ping."""
    before = len(pinged.requests)

    async def another():
        return len(pinged.requests) > before

    await running.until("it pings", another)


async def test_a_stuck_store_is_told_within_thirty_seconds_and_when_it_is_over(tmp_path):
    file, away = tmp_path / "monitor.db", tmp_path / "away.db"
    async with watched(tmp_path) as (running, pager, pinged):
        await pings(running, pinged)
        began = asyncio.get_running_loop().time()
        file.rename(away)
        trigger = await arrived(running, pager, "trigger")
        assert asyncio.get_running_loop().time() - began < 30
        assert trigger.refusal is None
        assert trigger.document["dedup_key"].endswith(":self:store")
        assert "the file was removed" in trigger.document["lines"][0]
        seen = len(pinged.requests)
        metrics = (await running.client.get("/metrics")).text
        assert 'monitor_self_alarm{problem="store"} 1.0' in metrics
        assert 'monitor_pings_total{outcome="withheld"} 0.0' not in metrics
        assert "monitor_watchdog_stalls_total 0.0" in metrics
        assert "the store cannot be written" in (await running.client.get("/readyz")).text
        assert len(pinged.requests) == seen
        away.rename(file)
        resolve = await arrived(running, pager, "resolve")
        assert resolve.document["dedup_key"] == trigger.document["dedup_key"]
        await pings(running, pinged)
        assert [a.action for a in pager.arrivals] == ["trigger", "resolve"]
        code, _ = await running.ends(signal.SIGTERM)
        assert code == 0
        assert pinged.url("/ping") not in running.log.read_text()
