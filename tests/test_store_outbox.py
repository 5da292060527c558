"""The outbox: in order, leased to one, and never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from monitor.model import Accepted, IncidentState, NoticeState
from monitor.store import StoreHeld
from tests.store_fixtures import LEASE, T0, after, incident, moved, notice, opened, opening
from tests.store_outside import execute


async def claim(store, at=T0, limit=10):
    return await store.claim(at, lease=LEASE, limit=limit)


def ids(notices):
    return [one.id for one in notices]


async def states(store, number=1):
    return [one.state for one in (await store.incident(number)).notices]


async def test_a_claim_leases_the_notice_and_counts_an_attempt(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one)))
        (mine,) = await claim(store)
        assert (mine.state, mine.attempts) == (NoticeState.SENDING, 1)
        assert mine.lease_until == T0 + LEASE
        assert mine.message.incident == one
        assert await claim(store) == []


async def test_what_is_not_due_is_not_claimed(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one, due=after(10), held=True)))
        assert await claim(store, after(9.999999)) == []
        (mine,) = await claim(store, after(10))
        assert mine.held


async def test_notices_of_one_incident_on_one_channel_go_in_order(database_url):
    one = incident()
    first, second = notice(one, due=after(5)), notice(one, seq=2)
    elsewhere = notice(one, "desk", seq=2)
    async with opened(database_url) as store:
        await store.commit(opening(one, second, first, elsewhere))
        assert ids(await claim(store)) == [elsewhere.id]
        (sending,) = await claim(store, after(5))
        assert sending.id == first.id
        assert await claim(store, after(6)) == []
        await store.mark_sent(sending, Accepted(), after(6))
        assert ids(await claim(store, after(6))) == [second.id]


async def test_another_incident_is_not_held_up(database_url):
    one, two = incident(), incident(2, "v1:sites:all")
    late, prompt = notice(one, due=after(60)), notice(two, seq=2)
    async with opened(database_url) as store:
        await store.commit(opening(one, late))
        await store.commit(opening(two, prompt))
        assert ids(await claim(store)) == [prompt.id]


async def test_a_dead_notice_does_not_stand_in_the_way(database_url):
    one = incident()
    first, second = notice(one), notice(one, seq=2)
    async with opened(database_url) as store:
        await store.commit(opening(one, first, second))
        (mine,) = await claim(store)
        assert await store.mark_failed(mine, error="404", retry_at=None)
        assert ids(await claim(store)) == [second.id]
        assert await states(store) == [NoticeState.DEAD, NoticeState.SENDING]


async def test_the_one_due_longest_comes_first_and_the_limit_holds(database_url):
    one = incident()
    async with opened(database_url) as store:
        owed = [notice(one, f"channel-{n}", due=after(-n)) for n in range(5)]
        await store.commit(opening(one, *owed))
        assert ids(await claim(store, limit=2)) == [owed[4].id, owed[3].id]
        assert ids(await claim(store)) == [owed[2].id, owed[1].id, owed[0].id]


async def test_an_expired_lease_is_claimed_again_and_the_first_mark_is_lost(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one)))
        (slow,) = await claim(store)
        assert await claim(store, T0 + LEASE - timedelta(microseconds=1)) == []
        (quick,) = await claim(store, T0 + LEASE)
        assert (quick.id, quick.key, quick.attempts) == (slow.id, slow.key, 2)
        assert not await store.mark_sent(slow, Accepted("late"), after(31))
        assert not await store.mark_failed(slow, error="late", retry_at=None)
        assert await store.mark_sent(quick, Accepted("r-1"), after(32))
        (sent,) = (await store.incident(1)).notices
        assert (sent.state, sent.remote_id, sent.sent_at) == (NoticeState.SENT, "r-1", after(32))


async def test_workers_racing_on_claim_never_both_get_one(database_url):
    one = incident()
    async with opened(database_url) as store:
        owed = [notice(one, f"channel-{n}") for n in range(40)]
        await store.commit(opening(one, *owed))
        claims = await asyncio.gather(*(claim(store, limit=7) for _ in range(10)))
        claimed = [one for some in claims for one in ids(some)]
        assert sorted(claimed) == sorted(ids(owed))


async def test_a_sent_notice_keeps_what_its_receiver_calls_it(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one), notice(one, "desk")))
        pager = next(n for n in await claim(store) if n.channel == "pager")
        assert await store.mark_sent(pager, Accepted("id \x00", "http://127.0.0.1/7"), after(1))
        assert not await store.mark_sent(pager, Accepted(), after(2))
        record = await store.incident(1)
        assert next(n for n in record.notices if n.channel == "pager").remote_id == "id \x00"
        assert record.urls == {"pager": "http://127.0.0.1/7"}


async def test_an_alert_is_called_what_its_first_named_notice_was(database_url):
    one = incident()
    first, second = notice(one), notice(one, seq=2)
    anew = notice(one, seq=3, dedup_key=f"{first.dedup_key}.2")
    async with opened(database_url) as store:
        await store.commit(opening(one, first, second, anew))
        assert await store.reference(second) is None
        (mine,) = await claim(store)
        assert await store.mark_sent(mine, Accepted("r-1", "https://desk.example/r-1"), T0)
        (mine,) = await claim(store)
        assert await store.mark_sent(mine, Accepted("r-2"), T0)
        assert await store.reference(second) == Accepted("r-1", "https://desk.example/r-1")
        assert await store.reference(anew) is None


async def test_a_failed_notice_is_due_again_when_it_was_said(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one)))
        (mine,) = await claim(store)
        assert await store.mark_failed(mine, error="503 \x00 \ud800", retry_at=after(5))
        assert await claim(store, after(4)) == []
        (again,) = await claim(store, after(5))
        assert (again.last_error, again.attempts, again.key) == ("503 \x00 \ud800", 2, mine.key)


async def test_after_a_start_leases_are_released(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one)))
        (before,) = await claim(store)
    async with opened(database_url) as store:
        assert await store.release_leases() == 1
        assert not await store.mark_sent(before, Accepted(), T0)
        (mine,) = await claim(store)
        assert (mine.id, mine.key) == (before.id, before.key)


async def test_hurry_makes_retries_due_and_lets_the_held_wait(database_url):
    one = incident()
    async with opened(database_url) as store:
        retried, held = notice(one), notice(one, "desk", due=after(3600), held=True)
        tried = notice(one, "mail", held=True)
        await store.commit(opening(one, retried, held, tried))
        for mine in await claim(store):
            await store.mark_failed(mine, error="503", retry_at=after(900))
        assert await store.hurry(after(1)) == 2
        assert sorted(ids(await claim(store, after(1)))) == sorted([retried.id, tried.id])


async def test_the_figures_of_the_outbox_add_up(database_url):
    one = incident()
    async with opened(database_url) as store:
        empty = await store.outbox()
        assert (empty.pending, empty.held, empty.sent, empty.oldest_due) == ({}, 0, 0, None)
        await store.commit(
            opening(
                one,
                notice(one, "sent", due=after(-9)),
                notice(one, "dead", due=after(-9)),
                notice(one, "sending", due=after(-5)),
                notice(one, "later", due=after(5)),
                notice(one, "held", due=after(60), held=True),
            )
        )
        for mine in await claim(store):
            if mine.channel == "sent":
                await store.mark_sent(mine, Accepted(), T0)
            if mine.channel == "dead":
                await store.mark_failed(mine, error="404", retry_at=None)
        figures = await store.outbox()
        assert figures.pending == {"sending": 1, "later": 1}
        assert (figures.held, figures.dead, figures.sent) == (1, {"dead": 1}, 1)
        assert figures.oldest_due == after(-5)


async def test_the_last_seq_is_over_all_channels(database_url):
    one = incident()
    async with opened(database_url) as store:
        assert await store.last_seq(one.id) == 0
        await store.commit(opening(one, notice(one, seq=1), notice(one, "desk", seq=4)))
        assert await store.last_seq(one.id) == 4


async def test_a_superseded_store_claims_nothing_and_writes_nothing(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one), notice(one, "desk")))
        (mine,) = await claim(store, limit=1)
        execute(database_url, "UPDATE instance SET fence = fence + 1, holder = 'the next'")
        assert await claim(store) == []
        with pytest.raises(StoreHeld) as refused:
            await store.commit(moved(one, state=IncidentState.ACKNOWLEDGED))
        assert refused.value.holder == "the next"
        assert "the next" in await store.writable()
        assert (await store.incident(1)).incident == one
        assert await store.mark_sent(mine, Accepted(), T0), "what was sent was sent"


async def test_a_take_over_waits_for_the_commit_that_checked_its_fence(postgresql_url):
    one = incident()
    async with opened(postgresql_url) as store:
        await store.commit(opening(one))
        with psycopg.connect(postgresql_url) as other:
            other.execute("UPDATE instance SET fence = fence + 1, holder = 'the next'")
            late = asyncio.create_task(store.commit(moved(one, title="late")))
            await blocked_or_done(postgresql_url, late)
            other.commit()
        with pytest.raises(StoreHeld):
            await late
        assert await store.open_incidents() == [one]


async def blocked_or_done(url, task):
    """Return once somebody waits for a lock, or `task` has ended without."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while not task.done() and execute(url, waiting) == [(0,)]:
        await asyncio.wait({task}, timeout=0.01)


async def test_the_head_of_a_channels_queue_stands_behind_no_other(database_url):
    """What waits for its turn is not late, however long ago it was due."""
    one = incident()
    first, second = notice(one, due=after(900)), notice(one, seq=2)
    elsewhere = notice(one, "desk", due=after(5))
    async with opened(database_url) as store:
        assert (await store.outbox()).next_due == {}
        await store.commit(opening(one, first, second, elsewhere))
        figures = await store.outbox()
        assert figures.next_due == {"pager": after(900), "desk": after(5)}
        assert figures.oldest_due == T0
        (sending,) = await claim(store, after(5))
        assert (await store.outbox()).next_due["desk"] == after(5)
        await store.mark_failed(sending, error="no", retry_at=after(65))
        assert (await store.outbox()).next_due["desk"] == after(65)
