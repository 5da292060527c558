"""Who holds a store, what a death leaves, and how trouble reads."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from monitor.clock import Clock
from monitor.model import NoticeState
from monitor.store import (
    StoreHeld,
    StoreUnavailable,
    open_reader,
    open_store,
)
from tests.store_fixtures import (
    CLOCK,
    LEASE,
    T0,
    after,
    incident,
    notice,
    opened,
    opening,
    result,
)
from tests.store_outside import execute, file_of

ROOT = Path(__file__).parent.parent
CHILD = """
import asyncio, sys
from tests.store_fixtures import *

async def main():
    store = await open_store(sys.argv[1], clock=CLOCK, holder="the child")
    one = incident()
    change = opening(one, notice(one), notice(one, "desk"), evidence=(result(),))
    await store.commit(change)
    await store.claim(T0, lease=LEASE, limit=1)
    print("committed", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def started(script, *args):
    """A process of its own that runs `script`."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *args],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_second_holder_is_refused_and_told_who_has_it(database_url):
    async with opened(database_url, "host-1:4711"):
        with pytest.raises(StoreHeld, match="held by host-1:4711") as refused:
            await open_store(database_url, clock=CLOCK, holder="host-1:4712")
        assert refused.value.holder == "host-1:4711"


async def test_a_closed_store_is_free_and_each_holder_has_a_higher_fence(database_url):
    async with opened(database_url) as first:
        pass
    async with opened(database_url) as second:
        assert second.fence == first.fence + 1
        assert second.instance == first.instance
        assert len(second.instance) == 26


async def test_the_name_of_an_earlier_holder_does_not_show(database_url):
    async with opened(database_url, "a holder with a long name"):
        pass
    async with opened(database_url, "short"):
        with pytest.raises(StoreHeld) as refused:
            await open_store(database_url, clock=CLOCK, holder="test")
        assert refused.value.holder == "short"


async def test_a_closed_store_says_so_and_may_be_closed_again(database_url):
    async with opened(database_url) as store:
        await store.close()
        with pytest.raises(StoreUnavailable, match="has been closed"):
            await store.open_incidents()
        with pytest.raises(StoreUnavailable, match="has been closed"):
            await store.commit(opening(incident()))


async def test_a_killed_process_leaves_all_it_committed_and_no_lock(database_url):
    with started(CHILD, database_url) as child:
        assert child.stdout.readline() == "committed\n"
        with pytest.raises(StoreHeld, match="the child"):
            await open_store(database_url, clock=CLOCK, holder="test")
        child.send_signal(signal.SIGKILL)
    async with opened(database_url) as store:
        record = await store.incident(1)
        assert [one.state for one in record.notices].count(NoticeState.SENDING) == 1
        assert len(record.notices) == 2
        assert len(record.evidence) == 1
        assert await store.open_incidents() == [record.incident]
        assert await store.release_leases() == 1
        assert len(await store.claim(T0, lease=LEASE, limit=9)) == 2


async def test_a_reader_sees_what_the_holder_commits_and_cannot_write(database_url):
    one = incident()
    async with opened(database_url) as store:
        reader = await open_reader(database_url)
        await store.commit(opening(one))
        assert await reader.open_incidents() == [one]
        assert (reader.instance, reader.fence) == (store.instance, store.fence)
        with pytest.raises(StoreUnavailable, match="open for reading"):
            await reader.commit(opening(one))
        assert "open for reading" in await reader.writable()
        await reader.close()


async def test_a_reader_needs_no_holder(database_url):
    async with opened(database_url) as store:
        await store.commit(opening(incident()))
    reader = await open_reader(database_url)
    assert len(await reader.open_incidents()) == 1
    await reader.close()
    async with opened(database_url) as store:
        assert await store.writable() is None


async def test_the_readers_own_connection_refuses_to_write(database_url):
    async with opened(database_url) as store:
        with pytest.raises(StoreUnavailable, match=r"readonly|read-only"):
            await store._read(lambda c: c.exec_driver_sql("DELETE FROM instance"))


async def test_a_reader_of_an_empty_place_says_what_to_do(database_url):
    if database_url.startswith("sqlite"):
        file_of(database_url).parent.mkdir()
        sqlite3.connect(file_of(database_url)).close()
    with pytest.raises(StoreUnavailable, match=r"no tables yet: start the monitor once"):
        await open_reader(database_url)


async def test_a_reader_of_no_file_names_it_and_makes_none(sqlite_url):
    with pytest.raises(StoreUnavailable, match=r"monitor\.db: unable to open.*check that"):
        await open_reader(sqlite_url)
    assert not file_of(sqlite_url).exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "sqlite without a file is no place to keep"),
        ("sqlite:///:memory:", "sqlite without a file is no place to keep"),
        ("mysql://root@localhost/x", "mysql without a file is no place to keep"),
        ("nonsense", "cannot be read as a URL"),
    ],
)
async def test_a_url_that_names_no_store_is_refused_with_an_example(url, said):
    with pytest.raises(StoreUnavailable, match=said) as refused:
        await open_store(url, clock=CLOCK, holder="test")
    assert "sqlite:///path/to/file" in str(refused.value)


async def test_a_server_that_is_not_there_is_named_without_its_password():
    with pytest.raises(StoreUnavailable) as refused:
        await open_store("postgresql://u:hush@127.0.0.1:1/x", clock=CLOCK, holder="test")
    assert "127.0.0.1:1/x" in str(refused.value)
    assert "check that the server runs" in str(refused.value)
    assert "hush" not in str(refused.value)


async def test_a_file_that_is_no_database_is_refused_and_left_alone(sqlite_url):
    path = file_of(sqlite_url)
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at " * 30)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="restore a backup, or name another file"):
        await open_store(sqlite_url, clock=CLOCK, holder="test")
    assert path.read_bytes() == before


async def test_a_failed_opening_lets_the_lock_go(sqlite_url):
    path = file_of(sqlite_url)
    path.parent.mkdir()
    path.mkdir()
    with pytest.raises(StoreUnavailable):
        await open_store(sqlite_url, clock=CLOCK, holder="test")
    path.rmdir()
    async with opened(sqlite_url) as store:
        assert await store.writable() is None


async def test_writable_tells_when_the_file_was_removed(sqlite_url):
    async with opened(sqlite_url) as store:
        assert await store.writable() is None
        file_of(sqlite_url).unlink()
        assert "the file was removed or replaced" in await store.writable()


async def test_writable_tells_when_another_program_locks_the_file(sqlite_url, monkeypatch):
    monkeypatch.setattr("monitor.store.place._WAIT", 0.05)
    async with opened(sqlite_url) as store:
        rude = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
        rude.execute("BEGIN IMMEDIATE")
        assert "end the other program" in await store.writable()
        with pytest.raises(StoreUnavailable, match="database is locked"):
            await store.commit(opening(incident()))
        rude.execute("ROLLBACK")
        rude.close()
        assert await store.writable() is None
        await store.commit(opening(incident()))


async def test_a_full_disk_is_told_and_got_over(sqlite_url):
    async with opened(sqlite_url) as store:
        await store.commit(opening(incident()))
        pages = execute(sqlite_url, "PRAGMA page_count")[0][0]
        await store._write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
        with pytest.raises(StoreUnavailable, match="full: free space"):
            await store.record([result() for _ in range(500)])
        await store._write(lambda c: c.exec_driver_sql("PRAGMA max_page_count=100000"))
        await store.record([result()])
        assert len(await store.open_incidents()) == 1


async def test_the_writer_is_durable_and_in_wal(sqlite_url):
    def pragma(name):
        return lambda c: c.exec_driver_sql(f"PRAGMA {name}").scalar()

    async with opened(sqlite_url) as store:
        assert await store._write(pragma("journal_mode")) == "wal"
        assert await store._write(pragma("synchronous")) == 2
        assert await store._write(pragma("foreign_keys")) == 1


async def test_an_incident_cannot_be_deleted_from_under_its_rows(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one, notice(one)))
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            await store._write(lambda c: c.exec_driver_sql("DELETE FROM incident"))
        assert len((await store.incident(1)).events) == 1


async def test_a_server_restart_does_not_end_the_store(postgresql_url):
    async with opened(postgresql_url) as store:
        await store.commit(opening(incident()))
        execute(
            postgresql_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert await store.writable() is None
        assert len(await store.open_incidents()) == 1


async def test_who_takes_the_store_is_told_when_it_was_last_watched(database_url):
    later = Clock(lambda: after(60), lambda: 0.0)
    store = await open_store(database_url, clock=later, holder="the first")
    await store.sign()
    await store.close()
    for clock in (CLOCK, Clock(lambda: after(90), lambda: 0.0)):
        # Holding it is not watching: a command that ran between two monitors saw nothing.
        store = await open_store(database_url, clock=clock, holder="the next")
        assert store.seen_at == after(60)
        await store.close()


async def test_a_session_that_keeps_the_server_locked_is_told_within_seconds(
    postgresql_url, monkeypatch
):
    monkeypatch.setattr("monitor.store.place._WAIT", 0.1)
    async with opened(postgresql_url) as store:
        with psycopg.connect(postgresql_url) as rude:
            rude.execute("SELECT * FROM instance FOR UPDATE")
            assert "lock timeout" in await store.writable()
        assert await store.writable() is None
