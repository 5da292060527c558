"""While the database cannot be written: nothing is lost, pages go out, and once."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from monitor.channels.webhook import WebhookOptions
from monitor.delivery import Delivery
from monitor.engine import writing as writing_module
from monitor.engine.emergency import SPOOL_AFTER, Emergency, replay
from monitor.engine.writing import Writing
from monitor.model import (
    Accepted,
    Action,
    Change,
    Channel,
    EventKind,
    IncidentState,
    NoticeState,
    Role,
    TimelineEvent,
)
from monitor.net.links import Links
from monitor.net.secret import Secret
from monitor.store import Sent, Spool, open_store, writes
from monitor.store.spool import _line
from tests.http_server import Reply
from tests.outbox_fixtures import SECRET, START, Watch, incident, network, notice, until
from tests.receivers.webhook import HANG, webhook_receiver
from tests.test_store_roundtrip import changes


def opened(number=1, **more):
    """A new incident that owes a page."""
    about = incident(number)
    line = TimelineEvent(about.id, START, "monitor", EventKind.OPENED, "opened \udcff")
    return Change(incident=about, events=(line,), notices=(notice(about, **more),))


def resolved(change, seq=2):
    """That the incident of a change is over."""
    about = replace(change.incident, version=2, state=IncidentState.RESOLVED, resolved_at=START)
    told = notice(about, action=Action.RESOLVE, seq=seq)
    return Change(incident=about, was_version=1, notices=(told,))


LINKS = Links(Secret("a key for links, of some length"))


# --------------------------------------------------------------------------- the file


@given(change=changes())
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_change_comes_back_equal(tmp_path, change):
    spool = Spool(tmp_path / "m.spool")
    spool.clear()
    spool.add_changes(change)
    assert spool.read().changes == (change,)


def test_what_was_sent_comes_back(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    sent = Sent("n1", Accepted("r", "https://desk.example/r"), START)
    spool.add_changes(opened())
    spool.add_sent(sent)
    assert spool.read().sent == {"n1": sent}


def test_a_spool_that_is_not_there_holds_nothing(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    assert spool.read().changes == ()
    spool.clear()
    assert not spool.path.exists()


def test_cut_at_any_byte_it_holds_every_line_that_was_whole(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    for number in (1, 2, 3):
        spool.add_changes(opened(number))
    whole = spool.path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(0, len(whole) + 1, 31):
        spool.path.write_bytes(whole[:length])
        held = spool.read()
        complete = sum(end - 1 <= length for end in ends)
        assert [c.incident.number for c in held.changes] == list(range(1, complete + 1))
        spool.add_changes(opened(9))
        assert spool.read().changes[-1].incident.number == 9


def test_any_byte_changed_loses_no_other_line(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    for number in (1, 2):
        spool.add_changes(opened(number))
    whole = bytearray(spool.path.read_bytes())
    first = whole.index(b"\n")
    for place in range(0, first, 11):
        spool.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert [c.incident.number for c in spool.read().changes][-1] == 2


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    spool.add_changes(opened(1))
    size = spool.path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large"):
            spool.add_changes(opened(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert spool.path.stat().st_size == size
    spool.add_changes(opened(3))
    assert [c.incident.number for c in spool.read().changes] == [1, 3]


# --------------------------------------------------------------------------- with a store


class World:
    """A store, what writes into it, its outbox, and one receiver of pages."""

    def __init__(self, folder, store, receiver, net, watch):
        self.folder, self.store, self.receiver, self.watch = folder, store, receiver, watch
        options = WebhookOptions(receiver.url, SECRET, 2.0)
        channels = {"pager": Channel("pager", "webhook", (Role.ON_CALL,), options)}
        self.spool = Spool(folder / "m.db.spool")
        dice = {"random": lambda: 0.0, "links": LINKS, "public_url": "https://monitor.example"}
        self.emergency = Emergency(self.spool, store, channels, net, watch.clock, **dice)
        self.delivery = Delivery(store, channels, net, watch.clock, poll_seconds=0.02, **dice)
        self.writing = Writing(
            store,
            watch.clock,
            committed=lambda _: self.delivery.wake(),
            failed=lambda: None,
            emergency=self.emergency,
        )

    @asynccontextmanager
    async def running(self):
        parts = (self.emergency.run(), self.delivery.run(), self.writing.write_changes())
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    async def is_spooled(self, number=1):
        """Wait until so many changes are in the spool; time passes as it must."""
        await until(lambda: self.writing._changes)
        self.watch.mono += SPOOL_AFTER
        await until(lambda: len(self.spool.read().changes) >= number)

    async def states(self, number=1):
        record = await self.store.incident(number)
        return [] if record is None else [each.state for each in record.notices]

    async def stands(self, *states):
        """Wait until the notices of the first incident stand so."""

        async def stand():
            return await self.states() == list(states)

        await until(stand)

    def keys(self):
        return Counter(arrival.key for arrival in self.receiver.arrivals)


@asynccontextmanager
async def world(folder, *answers, url=None):
    watch = Watch()
    net = network(watch)
    url = url or f"sqlite:///{folder}/m.db"
    store = await open_store(url, clock=watch.clock, holder="test")
    async with webhook_receiver(SECRET, lambda: watch.at, *answers) as receiver:
        made = World(folder, store, receiver, net, watch)
        async with made.running():
            yield made
    await store.close()
    await net.aclose()


@asynccontextmanager
async def locked(folder):
    """Another program keeps the database from being written."""
    other = sqlite3.connect(folder / "m.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@asynccontextmanager
async def removed(folder):
    """The file of the database is gone."""
    path = folder / "m.db"
    path.rename(folder / "elsewhere")
    try:
        yield
    finally:
        (folder / "elsewhere").rename(path)


@asynccontextmanager
async def refusing(url):
    """The server ends every connection to a database, and lets nobody in."""
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def one_page_while(trouble, made):
    """A page goes out while there is trouble, and is not sent again once it is over."""
    async with trouble:
        made.writing.change(opened())
        await made.is_spooled()
        await made.receiver.received(1)
    await until(lambda: made.writing.idle)
    await made.stands(NoticeState.SENT)
    await until(lambda: made.spool.read().changes == ())
    return list(made.keys().values())


async def test_a_page_goes_out_while_the_file_is_gone_and_once(tmp_path):
    async with world(tmp_path) as made:
        assert await one_page_while(removed(tmp_path), made) == [1]


async def test_a_page_goes_out_while_the_server_refuses_and_once(tmp_path, postgresql_url):
    async with world(tmp_path, url=postgresql_url) as made:
        assert await one_page_while(refusing(postgresql_url), made) == [1]


async def test_a_page_goes_out_while_the_database_is_locked_and_once(tmp_path):
    async with world(tmp_path) as made:
        async with locked(tmp_path):
            made.writing.change(opened())
            await made.is_spooled()
            (page,) = await made.receiver.received(1)
            assert "https://monitor.example/acknowledge/" in page.document["links"]["Acknowledge"]
            assert await made.states() == []
        await until(lambda: made.writing.idle)
        assert await made.states() == [NoticeState.SENT]
        (kept,) = (await made.store.incident(1)).notices
        assert (kept.remote_id, kept.sent_at) == ("remote-1", made.watch.at)
        await until(lambda: made.spool.read().changes == ())
    assert made.keys() == {kept.key: 1}


async def test_a_lock_that_passes_spools_nothing(tmp_path):
    async with world(tmp_path) as made:
        async with locked(tmp_path):
            made.writing.change(opened())
            await until(lambda: made.writing._refusal != "no write has ended")
        await until(lambda: made.writing.idle)
        assert not made.spool.path.exists()
        await made.receiver.received(1)


async def test_a_page_goes_out_while_a_commit_hangs_and_once(tmp_path, monkeypatch):
    monkeypatch.setattr(writing_module, "SPOOL_AFTER", 0.05)
    goes_on = threading.Event()

    def hangs(connection, change):
        assert goes_on.wait(20)
        return commit(connection, change)

    commit = writes.commit
    async with world(tmp_path) as made:
        monkeypatch.setattr(writes, "commit", hangs)
        written = made.writing.change(opened())
        (page,) = await made.receiver.received(1)
        await written
        goes_on.set()
        await until(lambda: made.writing.idle)
        await made.stands(NoticeState.SENT)
        await until(lambda: made.spool.read().changes == ())
    assert made.keys() == {page.key: 1}


async def test_who_waits_for_a_change_waits_no_longer_once_it_is_spooled(tmp_path):
    async with world(tmp_path) as made, locked(tmp_path):
        written = made.writing.change(opened())
        await made.is_spooled()
        async with asyncio.timeout(10):
            await written


async def test_an_alert_is_told_in_order_and_its_end_too(tmp_path):
    async with world(tmp_path, Reply(503)) as made:
        async with locked(tmp_path):
            made.writing.change(opened())
            made.writing.change(resolved(opened()))
            await made.is_spooled(2)
            await made.receiver.received(1)
        await until(lambda: made.writing.idle)
        made.watch.passes(60)
        await made.receiver.received(3)
        actions = [arrival.action for arrival in made.receiver.arrivals]
    assert actions == ["trigger", "trigger", "resolve"]


async def test_what_follows_an_alert_of_the_outbox_waits_for_it(tmp_path):
    async with world(tmp_path, *[Reply(503)] * 3) as made:
        made.writing.change(opened())
        await made.receiver.received(1)
        async with locked(tmp_path):
            made.writing.change(resolved(opened()))
            made.writing.change(opened(2))
            await made.is_spooled(2)
            await made.receiver.received(2)
            assert [a.action for a in made.receiver.arrivals] == ["trigger", "trigger"]
        await until(lambda: made.writing.idle)


async def test_a_held_notice_is_not_told_before_its_time(tmp_path):
    later = START.replace(hour=8)
    async with world(tmp_path) as made:
        async with locked(tmp_path):
            made.writing.change(opened(held=True, due_at=later))
            made.writing.change(opened(2))
            await made.is_spooled(2)
            await made.receiver.received(1)
        await until(lambda: made.writing.idle)
        assert await made.states(1) == [NoticeState.PENDING]
    assert [a.document["incident"]["number"] for a in made.receiver.arrivals] == [2]


async def test_what_is_being_sent_when_the_database_is_back_is_not_sent_twice(tmp_path):
    async with world(tmp_path, HANG) as made:
        async with locked(tmp_path):
            made.writing.change(opened())
            await made.is_spooled()
            await made.receiver.received(1)
        await until(lambda: made.writing.idle)
        assert await made.states() == [NoticeState.SENDING]
        # It is not answered in time; the outbox goes on from there.
        await made.stands(NoticeState.PENDING)
        made.watch.passes(6)
        await made.stands(NoticeState.SENT)
    assert list(made.keys().values()) == [2]


async def test_when_the_spool_cannot_be_written_either_people_are_told_all_the_same(tmp_path):
    async with world(tmp_path) as made:
        made.spool.path = tmp_path / "gone" / "m.spool"
        async with locked(tmp_path):
            made.writing.change(opened())
            await until(lambda: made.writing._changes)
            made.watch.mono += SPOOL_AFTER
            await made.receiver.received(1)
            assert "No such file or directory" in made.emergency.trouble
        await until(lambda: made.writing.idle)
        assert await made.states() == [NoticeState.SENT]


async def test_a_process_that_ends_while_the_database_is_away_leaves_everything(tmp_path):
    async with world(tmp_path) as made, locked(tmp_path):
        made.writing.change(opened())
        await until(lambda: made.writing._changes)
        await made.writing.finish()
        assert [c.incident.number for c in made.spool.read().changes] == [1]


# --------------------------------------------------------------------------- after a crash


async def replayed(folder, *entries):
    """A store after a spool with these entries was replayed into it; what it holds then."""
    watch = Watch()
    spool = Spool(folder / "m.db.spool")
    for entry in entries:
        (spool.add_sent if isinstance(entry, Sent) else spool.add_changes)(entry)
    store = await open_store(f"sqlite:///{folder}/m.db", clock=watch.clock, holder="test")
    try:
        await replay(spool, store)
        assert spool.read().changes == ()
        return await store.incident(1)
    finally:
        await store.close()


async def test_a_restart_takes_up_what_was_spooled(tmp_path):
    record = await replayed(tmp_path, opened())
    assert record.incident == opened().incident
    assert [each.state for each in record.notices] == [NoticeState.PENDING]
    assert [each.text for each in record.events] == ["opened \udcff"]


async def test_what_was_told_before_a_crash_is_not_told_again(tmp_path):
    sent = Sent(opened().notices[0].id, Accepted("remote-1"), START)
    record = await replayed(tmp_path, opened(), sent)
    (kept,) = record.notices
    assert (kept.state, kept.remote_id) == (NoticeState.SENT, "remote-1")


async def test_a_crash_before_the_spool_was_emptied_repeats_nothing(tmp_path):
    story = [opened(), resolved(opened())]
    await replayed(tmp_path, *story)
    record = await replayed(tmp_path, *story)
    assert record.incident.state is IncidentState.RESOLVED
    assert len(record.notices) == 2


@pytest.mark.parametrize("whole", [0, 1, 2])
async def test_a_crash_in_the_middle_of_a_replay_loses_nothing(tmp_path, whole):
    story = [opened(), resolved(opened())]
    await replayed(tmp_path, *story[:whole])
    record = await replayed(tmp_path, *story)
    assert (record.incident.version, len(record.notices)) == (2, 2)


async def test_a_change_that_does_not_fit_is_kept_aside_and_holds_up_nobody(tmp_path):
    lost = replace(resolved(opened()), was_version=7, incident=incident(3, version=8))
    record = await replayed(tmp_path, lost, opened())
    assert record.incident.number == 1
    aside = Spool(tmp_path / "m.db.spool.refused").read()
    assert aside.changes == (lost,)


async def test_where_no_store_opens_what_is_spooled_is_told_once(tmp_path):
    watch = Watch()
    net = network(watch)
    spool = Spool(tmp_path / "m.db.spool")
    spool.add_changes(opened())
    async with webhook_receiver(SECRET, lambda: watch.at) as receiver:
        options = WebhookOptions(receiver.url, SECRET, 2.0)
        channels = {"pager": Channel("pager", "webhook", (Role.ON_CALL,), options)}
        for _ in range(2):
            alone = Emergency(spool, None, channels, net, watch.clock, random=lambda: 0.0)
            await alone.tell_once()
        assert len(receiver.arrivals) == 1
    await net.aclose()
    (sent,) = spool.read().sent.values()
    assert sent.accepted.remote_id == "remote-1"


async def test_a_line_of_another_release_is_kept_aside_and_holds_up_nobody(tmp_path):
    strange = _line({"change": {"incident": {"colour": "red"}}})
    (tmp_path / "m.db.spool").write_bytes(strange + b"0badc0de {")
    record = await replayed(tmp_path, opened())
    assert record.incident.number == 1
    assert (tmp_path / "m.db.spool.refused").read_bytes() == strange + b"0badc0de {\n"


def test_the_spool_is_readable_by_its_owner_only(tmp_path):
    spool = Spool(tmp_path / "m.spool")
    spool.add_changes(opened())
    assert spool.path.stat().st_mode & 0o777 == 0o600
