"""What is remembered of results: points of checks and cells, of results and of sums alike."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from monitor.model import Outcome, Phases
from monitor.store import Keep, StoreUnavailable, keeping
from monitor.store.recall import SHARDS
from monitor.store.remembering import Remembering
from monitor.store.summing import CELLS_EVERY, CHECKS_EVERY
from tests.history_fixtures import DAY, GENEROUS, HOUR, MINUTE, Oracle, Watch, floor, passed, same
from tests.store_fixtures import CELL, CLOCK, T0, after, incident, opened, opening, result
from tests.store_outside import execute

BEGIN = floor(T0, MINUTE)
LEEDS = CELL._replace(vantage="leeds")
ORDERS = CELL._replace(check="orders")
CELLS = (CELL, LEEDS, ORDERS)


def some(dice, many, cells=CELLS, begin=T0, within=6 * HOUR):
    """Results of all outcomes at random moments, in a random order."""
    return [_any(dice, dice.choice(cells), begin + dice.random() * within) for _ in range(many)]


def _any(dice, cell, at):
    outcome = dice.choices(list(Outcome), (20, 4, 1, 1, 1))[0]
    if outcome is not Outcome.PASS:
        return result(cell, outcome, at)
    reached = {
        name: dice.random() for name in ("connect", "tls", "processing")[: dice.randint(0, 3)]
    }
    return passed(cell, at, took=dice.random(), **reached)


async def agrees(store, oracle):
    """Whether every view of the store is what the oracle says."""
    since = floor(T0, HOUR)
    until = since + 8 * HOUR
    for width in (MINUTE, 7 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR):
        found = await store.check_history("crm", since, until, width.total_seconds())
        for check in {cell.check for cell in CELLS}:
            of_check = [cell for cell in CELLS if cell.check == check]
            assert same(found.get(check, []), oracle.points(of_check, since, until, width))
    for cell in CELLS:
        found = await store.cell_history(cell, since, until, 3600)
        assert same(found, oracle.points([cell], since, until, HOUR))
    return True


async def test_a_check_is_remembered_over_all_its_cells_minute_by_minute(database_url):
    seen = [
        passed(took=0.25, connect=0.1, processing=0.05),
        passed(LEEDS, after(1), took=0.5, connect=0.3),
        result(LEEDS, Outcome.FAIL, after(61)),
        result(LEEDS, Outcome.BLOCKED, after(62)),
        result(LEEDS, Outcome.MAINTENANCE, after(63)),
        result(LEEDS, Outcome.INVALID, after(64)),
        result(ORDERS, at=after(1)),
        result(CELL._replace(service="sites"), at=after(1)),
    ]
    async with opened(database_url) as store:
        await store.record(seen)
        found = await store.check_history("crm", T0, T0 + HOUR, 60)
    assert sorted(found) == ["orders", "sign-in"]
    first, second = found["sign-in"]
    assert (first.since, first.width, first.passed, first.failed) == (BEGIN, 60, 2, 0)
    assert first.phases == Phases(connect=0.2, processing=0.05)
    assert first.slowest == 0.5
    assert (second.since, second.passed, second.failed) == (BEGIN + MINUTE, 0, 1)
    assert (second.blocked, second.maintenance, second.invalid) == (1, 1, 1)
    assert (second.phases, second.slowest) == (Phases(), None)


async def test_a_cell_is_remembered_hour_by_hour(database_url):
    seen = [passed(at=after(n * 1800)) for n in range(4)]
    async with opened(database_url) as store:
        await store.record([*seen, passed(LEEDS)])
        found = await store.cell_history(CELL, T0, after(7200), 3600)
        assert [(each.since, each.passed) for each in found] == [(BEGIN, 2), (BEGIN + HOUR, 2)]
        assert await store.cell_history(CELL, T0 - 9 * HOUR, T0 - HOUR, 3600) == []
        unknown = CELL._replace(target="nobody")
        assert await store.cell_history(unknown, T0, after(7200), 3600) == []


@pytest.mark.parametrize(
    ("width", "days", "said"),
    [(90, 1, "multiple of 60"), (0, 1, "multiple of 60"), (60, 9999, "1500 days")],
)
async def test_what_cannot_be_asked_for_is_refused(sqlite_url, width, days, said):
    async with opened(sqlite_url) as store:
        with pytest.raises(ValueError, match=said):
            await store.check_history("crm", T0, T0 + timedelta(days=days), width)
        with pytest.raises(ValueError, match="multiple of 3600"):
            await store.cell_history(CELL, T0, T0 + HOUR, 60)


# --------------------------------------------------------------------------- summing up


async def test_what_is_read_back_is_the_same_before_and_after_it_is_summed_up(database_url):
    dice, oracle = random.Random(1), Oracle()
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        for everything in (False, True, False, True):
            await store.record(oracle.tell(some(dice, 60)))
            assert await agrees(store, oracle)
            assert await job.sum_up(everything=everything) == 60
            assert await agrees(store, oracle)


async def test_results_that_come_late_are_counted_in_their_own_hour(database_url):
    oracle = Oracle()
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        for hours in (5, 1, 3, 0):
            await store.record(oracle.tell([passed(at=T0 + hours * HOUR), result(LEEDS)]))
            await job.sum_up(everything=True)
        assert await agrees(store, oracle)


async def test_a_result_recorded_twice_is_counted_once(database_url):
    oracle = Oracle()
    mine = oracle.tell(some(random.Random(2), 30))
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        await store.record(mine)
        await job.sum_up(everything=True)
        await store.record([*mine, *oracle.tell(some(random.Random(3), 5))])
        await job.sum_up(everything=True)
        assert await agrees(store, oracle)


async def test_more_results_than_are_read_at_a_time_are_summed_up(sqlite_url):
    oracle = Oracle()
    async with opened(sqlite_url) as store:
        await store.record(oracle.tell(some(random.Random(4), 4500)))
        assert await store.remembering(CLOCK).sum_up(everything=True) == 4500
        assert await agrees(store, oracle)


async def test_checks_are_noted_every_minute_and_each_cell_in_its_turn(sqlite_url):
    watch = Watch()

    def noted():
        rows = execute(sqlite_url, "SELECT shard, seq FROM summed")
        return {shard >= SHARDS for shard, seq in rows if seq}, sum(seq > 0 for _, seq in rows)

    async with opened(sqlite_url) as store:
        job = store.remembering(watch.clock)
        await store.record([passed()])
        await job.sum_up()
        assert noted() == (set(), 0)
        watch.passes(timedelta(seconds=CHECKS_EVERY))
        await job.sum_up()
        kinds, many = noted()
        assert kinds == {False, True}
        assert SHARDS < many < SHARDS * 1.1
        watch.passes(timedelta(seconds=CELLS_EVERY))
        await job.sum_up()
        assert noted() == ({False, True}, 2 * SHARDS)


async def test_checks_of_which_much_has_come_are_noted_at_once(sqlite_url):
    async with opened(sqlite_url) as store:
        job = store.remembering(CLOCK)
        assert job.summed_until is None
        await store.record([passed(at=T0) for _ in range(48)])
        await job.sum_up()
        assert job.summed_until == T0
        (first,) = execute(sqlite_url, "SELECT min(seq) FROM summed WHERE shard >= 128")
        assert first == (48,)


# --------------------------------------------------------------------------- being interrupted


class MidwayError(Exception):
    """What a test throws into the middle of the work."""


@asynccontextmanager
async def interrupting(monkeypatch, name, *, at):
    """The `at`-th call of a statement in `keeping` does its work and then fails."""
    calls, work = [], getattr(keeping, name)

    def failing(*args, **more):
        done = work(*args, **more)
        calls.append(name)
        if len(calls) == at:
            raise MidwayError
        return done

    with monkeypatch.context() as patched:
        patched.setattr(keeping, name, failing)
        yield calls


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("name", ["learn", "note"])
async def test_what_is_interrupted_in_a_transaction_is_summed_up_once(
    database_url, monkeypatch, name, at
):
    oracle = Oracle()
    monkeypatch.setattr("monitor.store.remembering._LEARNT", 2)
    monkeypatch.setattr("monitor.store.remembering._FEWEST", 1)
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        await store.record(oracle.tell(some(random.Random(5), 80)))
        async with interrupting(monkeypatch, name, at=at) as calls:
            with pytest.raises(MidwayError):
                await job.sum_up(everything=True)
        assert len(calls) == at
        assert await agrees(store, oracle)
        for again in (job, store.remembering(CLOCK)):
            await again.sum_up(everything=True)
            assert await agrees(store, oracle)


async def test_a_commit_that_took_though_it_failed_is_not_noted_again(database_url, monkeypatch):
    oracle, failed = Oracle(), 0
    monkeypatch.setattr("monitor.store.remembering._FEWEST", 1)
    async with opened(database_url) as store:
        await store.record(oracle.tell(some(random.Random(6), 80)))

        async def write(work, /, *args):
            done = await store._write(work, *args)
            if keeping.note in args:
                raise StoreUnavailable("the database", "it went away after the commit", "wait")
            return done

        job = Remembering(store._read, write, CLOCK)
        for _ in range(3):
            with suppress(StoreUnavailable):
                await job.sum_up(everything=True)
                continue
            failed += 1
            assert await agrees(store, oracle)
        assert failed > 1
        await store.remembering(CLOCK).sum_up(everything=True)
        assert await agrees(store, oracle)


@pytest.mark.parametrize("name", ["age", "drop", "forget", "measured"])
async def test_growing_old_that_is_interrupted_is_gone_on_with(database_url, monkeypatch, name):
    oracle, now = Oracle(), T0 + 92 * DAY
    monkeypatch.setattr("monitor.store.remembering._FEWEST", 1)
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        await store.record(oracle.tell(some(random.Random(7), 80)))
        await job.sum_up(everything=True)
        async with interrupting(monkeypatch, name, at=1):
            with pytest.raises(MidwayError):
                await job.retain(now, GENEROUS)
        await days_agree(store, oracle)
        standing = await job.retain(now, GENEROUS)
        await days_agree(store, oracle)
    assert standing.result_bytes == 0
    assert execute(database_url, "SELECT count(*) FROM result") == [(0,)]


async def days_agree(store, oracle):
    day = floor(T0, DAY)
    found = await store.check_history("crm", day, day + DAY, DAY.total_seconds())
    assert same(found["orders"], oracle.points([ORDERS], day, day + DAY, DAY))
    found = await store.cell_history(LEEDS, day, day + DAY, DAY.total_seconds())
    assert same(found, oracle.points([LEEDS], day, day + DAY, DAY))


# --------------------------------------------------------------------------- retention


async def test_failures_are_kept_longer_than_passes_and_only_what_is_summed_up_goes(database_url):
    keep = Keep(passes=2 * HOUR, others=24 * HOUR, max_bytes=1 << 30)
    ages = [timedelta(hours=h) for h in (1, 3, 30)]
    async with opened(database_url) as store:
        await store.record([result(outcome=o, at=T0 - age) for o in Outcome for age in ages])
        job = store.remembering(CLOCK)
        await job.retain(T0, keep)
        assert len(await store.recent_results(CELL, 99)) == 15
        await job.sum_up(everything=True)
        await job.retain(T0, keep)
        left = await store.recent_results(CELL, 99)
        assert sum(one.outcome is Outcome.PASS for one in left) == 1
        assert len(left) == 1 + 4 * 2


async def test_what_an_incident_rests_on_outlives_the_results_it_came_from(database_url):
    seen = result()
    none = Keep(0 * HOUR, 0 * HOUR, 1)
    async with opened(database_url) as store:
        await store.record([seen])
        await store.commit(opening(incident(), evidence=(seen,)))
        job = store.remembering(CLOCK)
        await job.sum_up(everything=True)
        standing = await job.retain(after(99), none)
        assert (standing.result_bytes, standing.lost) == (0, 0)
        assert await store.recent_results(CELL, 9) == []
        assert (await store.incident(1)).evidence == (seen,)


async def test_for_want_of_room_the_oldest_passes_go_first_then_the_oldest_others(database_url):
    async with opened(database_url) as store:
        passes = [passed(at=after(n)) for n in range(60)]
        others = [
            result(outcome=Outcome.BLOCKED if n % 2 else Outcome.FAIL, at=after(n - 99))
            for n in range(60)
        ]
        await store.record([*passes, *others])
        job = store.remembering(CLOCK)
        await job.sum_up(everything=True)
        full = (await job.retain(T0, GENEROUS)).result_bytes

        some_room = await job.retain(T0, Keep(2 * DAY, 30 * DAY, full * 3 // 4))
        left = await store.recent_results(CELL, 999)
        assert sum(one.outcome is not Outcome.PASS for one in left) == 60
        kept = sorted(one.observed_at for one in left if one.outcome is Outcome.PASS)
        assert kept == [one.observed_at for one in passes[-len(kept) :]]
        assert 0 < len(kept) < 60
        assert passes[-len(kept) - 1].observed_at < some_room.pass_cut_at <= kept[0]
        assert full // 2 < some_room.result_bytes <= full * 3 // 4
        assert (some_room.other_cut_at, some_room.lost) == (None, 0)

        little = await job.retain(T0, Keep(2 * DAY, 30 * DAY, full // 8))
        left = await store.recent_results(CELL, 999)
        assert {one.id for one in left} == {one.id for one in others[-len(left) :]}
        assert little.other_cut_at > after(-99)
        assert little.lost == 0
        assert await agrees_in_counts(store, passes, others)


async def agrees_in_counts(store, passes, others):
    (hour, *more) = await store.cell_history(CELL, T0 - HOUR, T0 + HOUR, 2 * 3600)
    tally = (hour.passed, hour.failed + hour.blocked)
    return not more and tally == (len(passes), len(others))


async def test_what_room_takes_before_it_is_summed_up_is_on_record(database_url):
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        await store.record([passed(at=after(n)) for n in range(9)])
        await job.sum_up(everything=True)
        await store.record([passed(at=after(9)), result()])
        standing = await job.retain(T0, Keep(2 * DAY, 30 * DAY, 1))
        assert standing.lost == 2
        await job.sum_up(everything=True)
        (hour,) = await store.cell_history(CELL, T0, T0 + HOUR, 3600)
        assert (hour.passed, hour.failed) == (9, 0)


async def test_slices_shrink_when_they_take_long(sqlite_url):
    readings = iter(range(1_000_000))
    slow = type(CLOCK)(lambda: T0, lambda: next(readings) / 10)
    async with opened(sqlite_url) as store:
        await store.record([passed() for _ in range(120)])
        job = store.remembering(CLOCK)
        await job.sum_up(everything=True)
        crawling = store.remembering(slow)
        crawling._limits["forget"] = 400
        await crawling.retain(after(1), Keep(0 * HOUR, HOUR, 1 << 30))
        assert crawling._limits["forget"] == 50
    assert execute(sqlite_url, "SELECT count(*) FROM result") == [(0,)]


async def test_a_cell_that_is_gone_for_years_is_forgotten(database_url):
    async with opened(database_url) as store:
        job = store.remembering(CLOCK)
        await store.record([passed(), passed(LEEDS, at=T0 + 300 * DAY)])
        await job.sum_up(everything=True)
        await job.retain(T0 + 430 * DAY, GENEROUS)
        names = execute(database_url, "SELECT vantage FROM remembered ORDER BY vantage")
        assert names == [("",), ("leeds",)]
        await store.record([passed(at=T0 + 431 * DAY)])
        await job.sum_up(everything=True)
        assert len(await store.cell_history(CELL, T0, T0 + 500 * DAY, 86400)) == 1
