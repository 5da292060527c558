"""The engine over a real store, its clocks turned by hand; probes answer as a test says."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from ulid import ULID

from monitor import detection, judge
from monitor.detection import Sent, Tick, WindowClosed
from monitor.engine import Engine, recalled
from monitor.engine import writing as writing_module
from monitor.engine.recalled import load_mind
from monitor.engine.writing import Writing
from monitor.hours import Calendar
from monitor.judge import Mind
from monitor.metrics import Metrics
from monitor.model import (
    CONTROL,
    MONITOR,
    Action,
    CellKey,
    Change,
    EventKind,
    Evidence,
    FailureKind,
    Impact,
    IncidentState,
    Interval,
    Once,
    Outcome,
    Result,
    TimelineEvent,
    Unobserved,
    UnobservedReason,
    Window,
    WindowState,
)
from monitor.policy import PolicySettings
from monitor.store import StoreUnavailable, open_store
from tests.day import PAGER
from tests.estates import estate
from tests.hours_fixtures import SUPPORT
from tests.outbox_fixtures import START, Watch, until
from tests.store_fixtures import (
    after,
    incident,
    line,
    moved,
    notice,
    opened,
    opening,
    outage,
    result,
)
from tests.store_outside import execute, file_of

ALWAYS_CLOSED = Calendar("Europe/London", (None,) * 7, {}, {}, {}, 2020, 2040)


@dataclass
class World:
    """What every cell answers: PASS, or what is put into `answers` by service."""

    watch: Watch
    answers: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    async def probe(self, cell, ask):
        self.asked.append(cell.key)
        sent = self.watch.mono
        answer = self.answers.get(cell.key.service)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            await answer(cell)
        failed = answer is not None
        return Result(
            ask.id,
            cell.key,
            cell.target.fingerprint,
            sent,
            self.watch.mono,
            self.watch.at,
            Outcome.FAIL if failed else Outcome.PASS,
            FailureKind.CONNECT if failed else None,
            evidence=Evidence(message="refused" if failed else ""),
        )


async def at_once(_cell):
    """Fail without waiting."""


@dataclass
class Made:
    """An engine that is not yet running, its world and its store."""

    engine: Engine
    world: World
    store: object
    metrics: Metrics
    mind: Mind

    def metric(self, name, **labels):
        return self.metrics._registry.get_sample_value(name, labels)

    async def ask_all(self, service="crm"):
        """Every cell of a service once; returns when all have answered."""
        keys = [key for key in self.engine.cells if key.service == service]
        done = self.engine.probes_done + len(keys)
        for key in keys:
            self.engine.fire(key, self.world.watch.mono)
        await until(lambda: self.engine.probes_done >= done)


@asynccontextmanager
async def made_on(url, watch=None, *, of=None, windows=(), calendar=ALWAYS_CLOSED, **more):
    watch = watch or Watch()
    watched = replace(of or estate(), windows=windows)
    store = await open_store(url, clock=watch.clock, holder="test")
    await store.prove([(cell.key, cell.target.fingerprint) for cell in watched.cells()])

    def make(worked):
        return Mind(
            watched,
            calendar,
            PolicySettings(),
            (),
            store.instance,
            "http://127.0.0.1",
            lambda at: str(ULID.from_datetime(at)),
            detection.new_state(watched, worked=worked),
        )

    mind, _ = await load_mind(make, store, watch.clock.now(), "")
    world = World(watch)
    metrics = Metrics(mind.estate, [])
    engine = Engine(
        mind, store, {"http": world.probe}, watch.clock, metrics, committed=lambda: None, **more
    )
    yield Made(engine, world, store, metrics, mind)
    await store.close()


@pytest.fixture
async def made(sqlite_url):
    async with made_on(sqlite_url) as one:
        yield one


async def test_the_page_of_a_resolved_incident_is_closed_by_the_one_that_shares_it(made):
    """Nothing watches either any more, so taking up the second resolves it."""
    host = incident(paged=("pager",))
    guest = incident(2, "v1:sites:all", paged_with=host.id)
    await made.store.commit(opening(host, notice(host, seq=7)))
    await made.store.commit(opening(guest))
    await made.store.commit(moved(host, state=IncidentState.RESOLVED, resolved_at=host.reported_at))
    mind = replace(made.mind, channels=(PAGER,), open={}, ended={}, sequences={})
    _, changes = await load_mind(lambda _: mind, made.store, made.world.watch.clock.now(), "")
    (last,) = [said for change in changes for said in change.notices]
    assert (last.incident_id, last.action, last.seq) == (host.id, Action.RESOLVE, 8)
    assert (last.message.incident.number, last.message.about.number) == (1, 2)


@asynccontextmanager
async def running(engine):
    task = asyncio.create_task(engine.run([]))
    await until(lambda: engine._group is not None)
    yield task
    task.cancel()
    await asyncio.wait({task})


async def ended(task):
    """What a task ended with, taken out of its groups."""
    async with asyncio.timeout(10):
        with pytest.raises(ExceptionGroup) as raised:
            await task
    failure = raised.value
    while isinstance(failure, ExceptionGroup):
        (failure,) = failure.exceptions
    return failure


class TestCells:
    async def test_each_says_what_its_last_probe_said(self, made):
        async with running(made.engine):
            assert {s.outcome for s in made.engine.cell_states("crm")} == {None}
            await made.ask_all()
            seen = made.engine.cell_states("crm")
            assert [s.key for s in seen] == [k for k in made.engine.cells if k.service == "crm"]
            assert {(s.outcome, s.failure) for s in seen} == {(Outcome.PASS, None)}
            assert made.engine.cell_states("nothing") == ()

    async def test_one_that_fails_says_how(self, made):
        made.world.answers["crm"] = at_once
        async with running(made.engine):
            await made.ask_all()
            seen = made.engine.cell_states("crm")
            assert {(s.outcome, s.failure) for s in seen} == {(Outcome.FAIL, FailureKind.CONNECT)}


class TestEnding:
    async def test_whatever_leaves_a_probe_ends_the_engine(self, made):
        made.world.answers["crm"] = ValueError("a fault of ours")
        async with running(made.engine) as task:
            made.engine.fire(next(iter(made.engine.cells)), 0.0)
            assert str(await ended(task)) == "a fault of ours"

    async def test_a_failure_in_thinking_ends_the_engine(self, made, monkeypatch):
        async with running(made.engine) as task:
            monkeypatch.setattr("monitor.judge.think", lambda *_: 1 / 0)
            made.engine.fire(next(iter(made.engine.cells)), 0.0)
            assert isinstance(await ended(task), ZeroDivisionError)

    async def test_another_holder_of_the_store_ends_the_engine(self, made, sqlite_url, monkeypatch):
        monkeypatch.setattr(writing_module, "SIGN_EVERY", 0.01)
        async with running(made.engine) as task:
            execute(sqlite_url, "UPDATE instance SET fence = fence + 1, holder = 'another'")
            assert "the store is held by another" in str(await ended(task))

    async def test_no_probe_is_left_behind_and_none_begins(self, made):
        hang = asyncio.Event()
        made.world.answers["crm"] = lambda _cell: hang.wait()
        before = asyncio.all_tasks()
        async with running(made.engine):
            for key in made.engine.cells:
                made.engine.fire(key, 0.0)
            await until(lambda: len(made.world.asked) == len(made.engine.cells))
        assert asyncio.all_tasks() == before
        made.engine.fire(next(iter(made.engine.cells)), 0.0)
        assert asyncio.all_tasks() == before


class TestDisturbed:
    async def test_a_step_of_the_clock_makes_failures_under_way_invalid(self, made):
        hang = asyncio.Event()
        made.world.answers["crm"] = lambda _cell: hang.wait()
        key = next(key for key in made.engine.cells if key.service == "crm")
        async with running(made.engine):
            made.engine.fire(key, 0.0)
            await until(lambda: made.world.asked)
            made.engine.forget_in_flight()
            hang.set()
            await until(lambda: made.engine.probes_done)
        labels = {"service": "crm", "outcome": "invalid", "kind": "none"}
        assert made.metric("monitor_probes_total", **labels) == 1

    async def test_a_stall_of_the_loop_makes_failures_under_way_invalid(self, made):
        hang = asyncio.Event()
        made.world.answers["crm"] = lambda _cell: hang.wait()
        key = next(key for key in made.engine.cells if key.service == "crm")
        async with running(made.engine):
            made.engine.fire(key, 0.0)
            await until(lambda: made.world.asked)
            made.world.watch.passes(0.5)
            hang.set()
            await until(lambda: made.engine.probes_done)
        labels = {"service": "crm", "outcome": "invalid", "kind": "none"}
        assert made.metric("monitor_probes_total", **labels) == 1


def window(begins, ends, **scope):
    """A window of the CRM, from and until so many seconds after the start."""
    when = Once(START + timedelta(seconds=begins), START + timedelta(seconds=ends))
    return Window("upgrade", when, ("crm",), **scope)


class TestMaintenance:
    @pytest.fixture
    def thought(self, monkeypatch):
        """What the judge was given to think about."""
        events = []
        think = judge.think

        def noted(mind, event, now):
            events.append(event)
            return think(mind, event, now)

        monkeypatch.setattr("monitor.judge.think", noted)
        return events

    def count(self, made, outcome, kind="none"):
        labels = {"service": "crm", "outcome": outcome, "kind": kind}
        return made.metric("monitor_probes_total", **labels)

    async def test_what_fails_inside_is_maintenance_whoever_reads_it(self, sqlite_url, thought):
        async with made_on(sqlite_url, windows=(window(0, 60),)) as made:
            made.world.answers["crm"] = at_once
            async with running(made.engine):
                await made.ask_all()
                assert self.count(made, "maintenance", "connect") == 15
                assert self.count(made, "fail", "connect") == 0
        seen = [event for event in thought if isinstance(event, Result)]
        assert {(r.outcome, r.failure) for r in seen} == {
            (Outcome.MAINTENANCE, FailureKind.CONNECT)
        }
        assert seen[0].evidence.message == "refused"
        assert seen[0].evidence.warnings == ("sent in the maintenance window upgrade",)
        assert not [event for event in thought if isinstance(event, Sent)]

    async def test_what_passes_inside_passes(self, sqlite_url):
        async with made_on(sqlite_url, windows=(window(0, 60),)) as made, running(made.engine):
            await made.ask_all()
            assert self.count(made, "pass") == 15

    @pytest.mark.parametrize(
        ("begins", "later", "outcome"),
        [(0, 61, "maintenance"), (1, 2, "fail")],
        ids=["sent inside and answered after it", "sent before it and answered inside"],
    )
    async def test_when_it_was_sent_decides(self, sqlite_url, begins, later, outcome):
        async with made_on(sqlite_url, windows=(window(begins, 60),)) as made:
            hang = asyncio.Event()
            made.world.answers["crm"] = lambda _cell: hang.wait()
            async with running(made.engine):
                made.engine.fire(next(iter(made.engine.cells)), 0.0)
                await until(lambda: made.world.asked)
                made.world.watch.steps(later)
                hang.set()
                await until(lambda: made.engine.probes_done)
                assert self.count(made, outcome, "connect") == 1

    async def test_controls_are_never_in_a_window(self, sqlite_url):
        everything = replace(window(0, 60), services=("crm", CONTROL))
        async with made_on(sqlite_url, windows=(everything,)) as made:
            made.world.answers[CONTROL] = at_once
            async with running(made.engine):
                await made.ask_all(CONTROL)
        labels = {"service": CONTROL, "outcome": "fail", "kind": "connect"}
        assert made.metric("monitor_probes_total", **labels) == 9

    async def test_its_end_is_told_once(self, sqlite_url, thought):
        def closings():
            return [event for event in thought if isinstance(event, WindowClosed)]

        async with made_on(sqlite_url, windows=(window(-10, 60),)) as made:
            async with running(made.engine):
                await until(lambda: thought)
                made.world.watch.passes(59)
                made.engine._nudge.set()
                ticks = len(thought)
                await until(lambda: len(thought) > ticks)
                assert closings() == []
                made.world.watch.steps(1)
                made.engine._nudge.set()
                await until(closings)
                ticks = len(thought)
                made.engine._nudge.set()
                await until(lambda: len(thought) > ticks)
            crm = {key for key in made.engine.cells if key.service == "crm"}
            assert closings() == [WindowClosed(frozenset(crm))]

    @pytest.mark.parametrize(("watched_until", "told"), [(-70, 0), (-40, 1), (-5, 0)])
    async def test_one_that_an_earlier_process_saw_open_closes_at_the_start(
        self, sqlite_url, thought, watched_until, told
    ):
        since = START + timedelta(seconds=watched_until)
        windows = (window(-60, -10),)
        async with (
            made_on(sqlite_url, windows=windows, watched_until=since) as made,
            running(made.engine),
        ):
            await until(lambda: any(isinstance(event, Tick) for event in thought))
        assert sum(isinstance(event, WindowClosed) for event in thought) == told

    async def test_what_still_fails_at_the_end_is_opened(self, sqlite_url, thought, monkeypatch):
        async with made_on(sqlite_url, windows=(window(-10, 3),), calendar=SUPPORT) as made:
            made.world.answers["crm"] = at_once
            monkeypatch.setattr(made.engine._stall, "held_up_since", lambda _sent: False)
            async with running(made.engine):
                await made.ask_all(CONTROL)
                await made.ask_all()
                began = made.world.watch.at
                everything = len(made.world.asked)
                for steps, rounds in ((6, 1), (16, 2)):
                    for _ in range(steps):
                        made.world.watch.passes(0.5)
                        made.engine._nudge.set()
                        ticks = len(thought)
                        await until(lambda before=ticks: len(thought) > before)
                    answers = everything * (1 + rounds)
                    await until(lambda all_of=answers: made.engine.probes_done >= all_of)
                await until(lambda: made.mind.open)
            (opened,) = made.mind.open.values()
            assert opened.impact is Impact.ALL
            assert 3 < (opened.detected_at - START).total_seconds() < 14
            assert opened.began.before == began

    async def test_it_is_shown_while_it_is_open(self, sqlite_url):
        planned = replace(window(-10, 60), reason="a move", tenants=("acme", "b", "c", "d"))
        async with made_on(sqlite_url, windows=(planned,)) as made:
            (state,) = made.engine.services()
            until_ = START + timedelta(seconds=60)
            scope = "tenants acme, b, c and 1 more"
            assert state.maintenance == WindowState("upgrade", until_, "a move", scope)
            made.world.watch.passes(60)
            assert made.engine.services()[0].maintenance is None


MONDAY = datetime(2030, 6, 3, 7, 30, tzinfo=UTC)
"""When support opens."""


class TestDigest:
    """Support has just opened, and a digest is due with the first tick."""

    @pytest.fixture
    async def made(self, sqlite_url):
        async with made_on(sqlite_url, calendar=SUPPORT) as made:
            made.mind.digested = MONDAY - timedelta(days=3)
            made.world.watch.at = MONDAY + timedelta(minutes=1)
            yield made

    async def test_it_is_made_once(self, made):
        async with running(made.engine):
            await until(made.store.last_digest)
        assert await made.store.last_digest() == made.mind.digested == MONDAY
        assert judge.digest_due(made.mind, made.world.watch.at) is None

    async def test_it_waits_for_what_waits_to_be_written(self, made, sqlite_url):
        one = incident()
        rude = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
        rude.execute("BEGIN IMMEDIATE")
        async with running(made.engine):
            made.engine._writing.change(opening(one))
            await until(lambda: made.metric("monitor_store_failures_total"))
            assert made.mind.digested < MONDAY
            rude.execute("ROLLBACK")
            rude.close()
            await until(made.store.last_digest)
        assert await made.store.open_incidents() == [one]


class TestAnAwayStore:
    async def test_the_incident_waits_and_people_are_told_until_it_is_back(
        self, made, sqlite_url, monkeypatch
    ):
        monkeypatch.setattr(writing_module, "SIGN_EVERY", 0.01)
        one = incident()
        async with running(made.engine):
            rude = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
            rude.execute("BEGIN IMMEDIATE")
            made.engine._writing.change(opening(one, notice(one)))
            await until(lambda: made.metric("monitor_store_failures_total"))
            assert made.engine.store_trouble() is None
            made.world.watch.passes(11)
            assert "database is locked" in made.engine.store_trouble()
            told = [r for r in made.engine.not_ready() if r.startswith("the store cannot be")]
            assert "end the other program" in told[0]
            rude.execute("ROLLBACK")
            rude.close()
            await until(lambda: made.engine.store_trouble() is None)
            await until(lambda: not made.engine._writing._changes)
        assert await made.store.open_incidents() == [one]

    async def test_a_removed_file_is_told_and_nothing_is_written_into_it(
        self, made, sqlite_url, monkeypatch
    ):
        monkeypatch.setattr(writing_module, "SIGN_EVERY", 0.01)
        path = file_of(sqlite_url)
        async with running(made.engine):
            path.rename(f"{path}.away")
            made.engine._writing.change(opening(incident()))
            await until(lambda: made.metric("monitor_store_failures_total"))
            made.world.watch.passes(11)
            assert "the file was removed or replaced" in made.engine.store_trouble()
            path.with_name(f"{path.name}.away").rename(path)
            await until(lambda: not made.engine._writing._changes)
        assert len(await made.store.open_incidents()) == 1

    async def test_a_write_that_never_ends_is_told_too(self, made):
        made.world.watch.passes(11)
        assert made.engine.store_trouble() == "no write has ended, for 11 s"


class Unclear:
    """A store whose commits take, and whose answers get lost as often as is said."""

    def __init__(self, store, lost):
        self.store, self.lost = store, lost

    async def commit(self, change):
        await self.store.commit(change)
        if self.lost:
            self.lost -= 1
            raise StoreUnavailable("here", "the connection was lost", "look")

    def __getattr__(self, name):
        return getattr(self.store, name)


def written_to(store, watch):
    return Writing(store, watch.clock, committed=lambda _: None, failed=lambda: None)


class TestUnclearCommits:
    async def test_whatever_was_written_is_not_written_twice(self, database_url):
        watch = Watch()
        store = await open_store(database_url, clock=watch.clock, holder="test")
        one = incident()
        unseen = TimelineEvent(one.id, one.detected_at, "monitor", EventKind.UNOBSERVED, "a gap")
        taken = moved(one, state=IncidentState.ACKNOWLEDGED, acknowledged_by="Robin")
        taken = replace(taken, events=(line(one, EventKind.ACKNOWLEDGED, "taken"),))
        pause = Unobserved("g1", START, START + timedelta(minutes=1), UnobservedReason.PAUSED)
        gaps = Change(events=(unseen,)), Change(unobserved=(pause,))
        for change in (opening(one, notice(one)), *gaps, taken):
            writing = written_to(Unclear(store, lost=1), watch)
            writing.change(change)
            await writing.finish()
        record = await store.incident(1)
        assert [event.text for event in record.events] == ["opened", "a gap", "taken"]
        assert record.incident.version == 2
        assert len(record.notices) == 1
        assert (await store.period(START, START)).unobserved == (pause,)
        await store.close()

    async def test_who_is_stopped_in_the_middle_of_a_commit_finishes_it(self, sqlite_url):
        watch = Watch()
        store = await open_store(sqlite_url, clock=watch.clock, holder="test")
        begun = asyncio.Event()

        class Slow(Unclear):
            async def commit(self, change):
                await super().commit(change)
                if not begun.is_set():
                    begun.set()
                    await asyncio.Event().wait()

        writing = written_to(Slow(store, lost=0), watch)
        writer = asyncio.create_task(writing.write_changes())
        writing.change(opening(incident(1)))
        writing.change(opening(incident(2, subject="v1:sites:all")))
        await begun.wait()
        writer.cancel()
        async with asyncio.timeout(5):
            await writing.finish()
        assert [one.number for one in await store.open_incidents()] == [1, 2]
        await store.close()


async def test_the_newest_results_wait_for_the_store_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(writing_module, "RESULTS_KEPT", 4)

    class Away:
        async def record(self, _batch):
            for each in late:
                writing.result(each)
            raise StoreUnavailable("here", "it is away", "wait")

    writing = written_to(Away(), Watch())
    first, late = [result() for _ in range(3)], [result() for _ in range(2)]
    for each in first:
        writing.result(each)
    await writing.flush()
    assert list(writing._results) == [*first[1:], *late]
    assert writing.dropped == 1


class TestUnobserved:
    """The engine starts at START, so that is when its first gap begins."""

    async def gaps_after(self, made, pass_or_step, seconds):
        """What is stored of a running engine whose clock moves on at once, and then by a tick."""
        async with running(made.engine):
            await until(lambda: made.engine._shown_at > float("-inf"))
            pass_or_step(seconds)
            made.engine._nudge.set()
            await until(lambda: made.engine._watched_at == made.world.watch.at)
            await until(lambda: not made.engine._writing._changes)
        period = await made.store.period(START - timedelta(days=1), START + timedelta(days=1))
        return [(gap.since, gap.until, gap.why) for gap in period.unobserved]

    async def test_a_pause_of_ten_seconds_is_stored(self, made):
        gaps = await self.gaps_after(made, made.world.watch.passes, 10)
        assert gaps == [(START, START + timedelta(seconds=10), UnobservedReason.PAUSED)]

    async def test_a_shorter_pause_is_not(self, made):
        assert await self.gaps_after(made, made.world.watch.passes, 9.9) == []

    async def test_time_that_only_the_wall_clock_knows_of_was_not_watched(self, made):
        gaps = await self.gaps_after(made, made.world.watch.steps, 3600)
        assert gaps == [(START, START + timedelta(hours=1), UnobservedReason.PAUSED)]

    async def test_time_that_comes_twice_was_watched(self, made):
        assert await self.gaps_after(made, made.world.watch.steps, -3600) == []

    async def test_a_pause_is_stored_once_the_store_is_back(self, made, sqlite_url):
        path = file_of(sqlite_url)
        async with running(made.engine):
            await until(lambda: made.engine._shown_at > float("-inf"))
            path.rename(f"{path}.away")
            made.world.watch.passes(60)
            made.engine._nudge.set()
            await until(lambda: made.engine._writing._changes)
            await until(lambda: made.metric("monitor_store_failures_total"))
            path.with_name(f"{path.name}.away").rename(path)
            await until(lambda: not made.engine._writing._changes)
        (gap,) = (await made.store.period(START, START + timedelta(days=1))).unobserved
        assert (gap.since, gap.until) == (START, START + timedelta(seconds=60))


class TestWhatIsShown:
    async def test_a_response_that_is_late_is_counted_once(self, made):
        open_one = incident(respond_by=made.world.watch.at + timedelta(seconds=5))
        taken = incident(
            2,
            subject="v1:crm:part",
            respond_by=open_one.respond_by,
            acknowledged_at=open_one.detected_at,
        )
        ours = incident(3, subject="v1:monitor:blind", service=MONITOR, respond_by=None)
        made.mind.open = {one.subject: one for one in (open_one, taken, ours)}
        counts = []
        for passes in (4, 2, 1):
            made.world.watch.passes(passes)
            made.engine._show(made.world.watch.clock.now())
            counts.append(made.metric("monitor_response_breached_total", service="crm"))
        assert counts == [0, 1, 1]
        labels = {"service": MONITOR, "priority": ours.priority.value}
        assert made.metric("monitor_incidents_open", **labels) == 1

    async def test_a_response_that_was_late_before_this_process_is_not_counted_again(self, made):
        at = made.world.watch.at
        then, since = [
            incident(n, f"v1:{n}:all", respond_by=at + timedelta(seconds=5 * n)) for n in (1, 2)
        ]
        made.mind.open = {one.subject: one for one in (then, since)}
        seen_until = at + timedelta(seconds=7)
        made.world.watch.passes(60)
        late = Engine(
            made.mind,
            made.store,
            {},
            made.world.watch.clock,
            made.metrics,
            committed=lambda: None,
            watched_until=seen_until,
        )
        late._show(made.world.watch.clock.now())
        assert made.metric("monitor_response_breached_total", service="crm") == 1

    async def test_what_is_resolved_took_as_long_as_its_outage_and_the_watch(self, made):
        one = incident(began=Interval(after(-90), after(-60)))
        made.engine._count(one, [line(one, EventKind.RESOLVED)])
        labels = {"priority": "critical", "support": "open"}
        assert made.metric("monitor_resolve_seconds_sum", **labels) == 60

    async def test_an_outage_is_counted_when_it_is_on_disk_and_once(self, made):
        declared = {"service": "crm", "impact": "all", "reason": "everyone_twice"}
        again = replace(outage(), episodes=2)
        over = replace(outage(), closed_at=after(9))
        unknown = replace(outage("o2"), closed_at=after(9))
        async with running(made.engine):
            counts = []
            for one in (outage(), again, over, unknown, outage("o3")):
                await made.engine._writing.change(Change(outages=(one,)))
                counts.append(made.metric("monitor_outages_total", **declared))
        assert counts == [1, 1, 1, 1, 2]

    async def test_what_the_store_had_open_is_shown_and_not_counted(self, made):
        await made.store.commit(Change(outages=(outage(),)))
        made.mind.outages["crm/sign-in", "all"] = outage()
        engine = Engine(
            made.mind, made.store, {}, made.world.watch.clock, made.metrics, committed=lambda: None
        )
        engine._show(made.world.watch.clock.now())
        async with running(engine):
            await engine._writing.change(Change(outages=(replace(outage(), episodes=2),)))
        labels = {"service": "crm", "impact": "all", "reason": "everyone_twice"}
        assert made.metric("monitor_outages_open", service="crm") == 1
        assert made.metric("monitor_outages_total", **labels) == 0

    async def test_a_round_is_over_once_every_cell_was_probed_since_the_last(self, made):
        name = "monitor_last_round_timestamp_seconds"
        async with running(made.engine):
            await made.ask_all("crm")
            await made.ask_all("crm")
            assert made.metric(name) == 0
            await made.ask_all(CONTROL)
            assert made.metric(name) == made.world.watch.at.timestamp()
            made.world.watch.passes(30)
            first = made.metric(name)
            await made.ask_all(CONTROL)
            assert made.metric(name) == first
            await made.ask_all("crm")
            assert made.metric(name) == first + 30

    async def test_it_is_ready_once_everything_due_soon_was_probed(self, made):
        async with running(made.engine):
            assert "have not been probed yet" in " ".join(made.engine.not_ready())
            await made.ask_all("crm")
            await made.ask_all(CONTROL)
            assert made.engine.not_ready() == ()
            assert made.engine.cells_seen() == len(made.engine.cells)

    async def test_a_cell_that_was_not_probed_for_over_two_intervals_is_overdue(self, made):
        async with running(made.engine):
            assert made.engine.overdue() == 0
            await made.ask_all("crm")
            check = next(c.check for k, c in made.engine.cells.items() if k.service == "crm")
            made.world.watch.passes(2 * check.interval + check.timeout + 5)
            assert made.engine.overdue() == 0
            made.world.watch.passes(1)
            assert made.engine.overdue() == sum(k.service == "crm" for k in made.engine.cells)
            await made.ask_all("crm")
            assert made.engine.overdue() == 0


class TestRecalled:
    """What the process before had seen, on this one's clocks."""

    async def seen_by_the_first(self, url, **answers):
        async with made_on(url) as first:
            first.world.answers = answers
            async with running(first.engine):
                await first.ask_all()
            await first.engine.finish()

    async def test_the_last_pass_of_every_cell_is_as_long_ago_as_it_was(self, sqlite_url):
        await self.seen_by_the_first(sqlite_url)
        later = Watch()
        later.steps(70)
        async with made_on(sqlite_url, later) as second:
            memories = second.mind.detection.memories.values()
            of_crm = [memory.passed_sent for memory in memories if memory.key.service == "crm"]
            assert of_crm == [later.mono - 70] * 15

    async def test_what_failed_is_under_suspicion(self, sqlite_url):
        await self.seen_by_the_first(sqlite_url, crm=at_once)
        async with made_on(sqlite_url) as second:
            assert second.mind.detection.machines["crm/sign-in"].phase is detection.Phase.ROUNDS

    async def test_the_last_results_of_slow_cells_are_found_behind_those_of_quick_ones(
        self, sqlite_url, monkeypatch
    ):
        quick, slow_one = CellKey("crm", "api", "acme", "london"), CellKey("crm", "x", "y", "z")
        seen = [result(slow_one), *(result(quick, at=after(n)) for n in range(1, 9))]
        monkeypatch.setattr(recalled, "results_recalled", lambda _estate: 5)
        async with opened(sqlite_url) as store:
            await store.record(seen)
            await store.prove([(quick, "f1"), (slow_one, "f1")])
            assert await recalled.last_seen(store, estate(), after(99)) == [seen[0], *seen[-5:]]
