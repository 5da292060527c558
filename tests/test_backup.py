"""A backup is whole, whoever writes meanwhile; a restored store waits for a person to be heard."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor import detection
from monitor.cli import app, copying
from monitor.clock import real_clock
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.engine.recalled import load_mind
from monitor.judge import Mind
from monitor.model import Accepted, Channel, Role
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.store import (
    Spool,
    StoreHeld,
    StoreTooNew,
    StoreUnavailable,
    back_up,
    copies,
    look_into,
    put_in_place,
    snapshot,
)
from monitor.store.copies import before_path
from monitor.store.migrate import migrate
from monitor.store.place import make_room, place_of
from tests.hours_fixtures import SUPPORT
from tests.http_server import Reply
from tests.receivers.webhook import webhook_receiver
from tests.running import SECRET, command, write_config
from tests.running import monitor as running_monitor
from tests.store_fixtures import (
    CLOCK,
    LEASE,
    T0,
    after,
    incident,
    line,
    notice,
    opened,
    opening,
    result,
)
from tests.store_outside import execute, file_of
from tests.test_store_migrations import HEAD, next_release, release, written_by_hand  # noqa: F401 - a fixture
from tests.web_fixtures import ESTATE

LATER = T0 + timedelta(days=1)


async def used(url, *numbers):
    """A store in which these incidents were opened, each owing one page."""
    ones = [incident(number, subject=f"v1:crm{number}:all") for number in numbers]
    async with opened(url) as store:
        for one in ones:
            await store.commit(opening(one, notice(one), evidence=(result(),)))
        await store.record([result() for _ in range(50)])
    return ones


def incidents_in(path):
    return [number for (number,) in execute(f"sqlite:///{path}", "SELECT number FROM incident")]


def files(folder):
    """The files in a folder with what they hold, but for what SQLite makes to read."""
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))
    }


def restored(url, backup, at=LATER):
    spool = file_of(url).with_name("monitor.db.spool")
    return put_in_place(url, backup, spool=spool, at=at, holder="a test")


@pytest.fixture
def backup(tmp_path):
    return tmp_path / "backup.db"


class TestBackingUp:
    async def test_it_holds_everything_and_is_one_file(self, sqlite_url, backup):
        await used(sqlite_url, 1, 2)
        copied = back_up(sqlite_url, backup)
        assert (copied.rows["incident"], copied.rows["notice"]) == (2, 2)
        assert copied.size == backup.stat().st_size
        assert {path.name for path in backup.parent.iterdir()} == {"backup.db", "store"}
        assert incidents_in(backup) == [1, 2]

    async def test_it_is_one_snapshot_while_the_monitor_writes_and_stops_nobody(
        self, sqlite_url, backup, monkeypatch
    ):
        """The copy is made page by page; between any two pages a transaction is committed."""
        monkeypatch.setattr(snapshot, "PAGES", 1)
        async with opened(sqlite_url) as store:
            await store.record([result() for _ in range(300)])
            copying_it = asyncio.create_task(asyncio.to_thread(back_up, sqlite_url, backup))
            written = 0
            while not copying_it.done():
                one = incident(written + 1, subject=f"v1:crm{written}:all")
                await store.commit(opening(one, notice(one)))
                written += 1
            copied = await copying_it
            assert written > 0
            found = incidents_in(backup)
            assert found == list(range(1, len(found) + 1))
            assert copied.rows["notice"] == copied.rows["timeline_event"] == len(found)
            assert len(await store.open_incidents()) == written

    async def test_it_is_never_made_over_a_file_that_is_there(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        backup.write_text("precious")
        with pytest.raises(StoreUnavailable, match="it is there already: name another file"):
            back_up(sqlite_url, backup)
        assert files(backup.parent)["backup.db"] == b"precious"

    async def test_a_file_that_came_meanwhile_is_left_alone(self, sqlite_url, backup, monkeypatch):
        await used(sqlite_url, 1)
        copy = copies.copy_snapshot

        def copied(path, draft):
            backup.write_text("precious")
            return copy(path, draft)

        monkeypatch.setattr(copies, "copy_snapshot", copied)
        with pytest.raises(StoreUnavailable, match="it is there already"):
            back_up(sqlite_url, backup)
        assert files(backup.parent) == {"backup.db": b"precious"}

    def test_without_a_store_there_is_nothing_to_copy(self, sqlite_url, backup):
        with pytest.raises(StoreUnavailable, match="unable to open"):
            back_up(sqlite_url, backup)
        assert not backup.exists()

    async def test_a_damaged_store_makes_no_backup(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        damage(file_of(sqlite_url))
        with pytest.raises(StoreUnavailable, match=r"damaged|malformed"):
            back_up(sqlite_url, backup)
        assert {path.name for path in backup.parent.iterdir()} == {"store"}


def damage(path):
    """Overwrite a page of a table."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root, size = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
            "WHERE name = 'notice'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


class TestLooking:
    async def test_it_lists_what_would_be_sent_and_changes_nothing(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        await used(sqlite_url, 2)
        folder = file_of(sqlite_url).parent
        was = files(folder), files(backup.parent)
        held = look_into(sqlite_url, backup)
        assert [each.number for each in held.notices] == [1]
        assert [one.number for one in held.incidents] == [1]
        assert held.seen_at == T0
        assert (files(folder), files(backup.parent)) == was

    async def test_what_was_sent_or_given_up_is_not_listed(self, sqlite_url, backup):
        await used(sqlite_url, 1, 2, 3)
        async with opened(sqlite_url) as store:
            first, second, _ = await store.claim(LATER, lease=LEASE, limit=9)
            await store.mark_sent(first, Accepted(), LATER)
            await store.mark_failed(second, error="no", retry_at=None)
        back_up(sqlite_url, backup)
        assert len(look_into(sqlite_url, backup).notices) == 1

    async def test_one_of_a_later_release_is_refused(self, sqlite_url, backup, next_release):  # noqa: F811
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        migrate(place_of(f"sqlite:///{backup}"), next_release())
        for work in (look_into, restored):
            with pytest.raises(StoreTooNew, match="does not know"):
                work(sqlite_url, backup)
        assert incidents_in(file_of(sqlite_url)) == [1]

    async def test_one_of_an_earlier_release_is_migrated_and_itself_left_as_it_is(
        self, sqlite_url, backup, tmp_path
    ):
        one, old = incident(), place_of(f"sqlite:///{backup}")
        make_room(old)
        migrate(old, release(tmp_path, "0004"))
        written_by_hand(old, opening(one, notice(one)))
        assert restored(sqlite_url, backup).held.incidents == (one,)
        revisions = [
            execute(f"sqlite:///{path}", "SELECT version_num FROM alembic_version")
            for path in (backup, file_of(sqlite_url))
        ]
        assert revisions == [[("0004",)], [(HEAD,)]]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "there is no such file: name a backup"),
            (b"not a database at all, but long enough to be read as one" * 99, "not a database"),
            (b"", "it is no store of a monitor"),
        ],
    )
    async def test_what_is_no_backup_is_refused(self, sqlite_url, backup, content, said):
        await used(sqlite_url, 1)
        if content is not None:
            backup.write_bytes(content)
        was = files(file_of(sqlite_url).parent)
        for work in (look_into, restored):
            with pytest.raises(StoreUnavailable, match=said):
                work(sqlite_url, backup)
        assert files(file_of(sqlite_url).parent) == was

    async def test_a_damaged_one_is_refused(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        damage(backup)
        with pytest.raises(StoreUnavailable, match=r"damaged|malformed"):
            restored(sqlite_url, backup)
        assert incidents_in(file_of(sqlite_url)) == [1]


class TestPuttingInPlace:
    async def test_it_is_renamed_and_sends_nothing_until_it_is_let(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        async with opened(sqlite_url) as store:
            was, fence = store.instance, store.fence
        restored(sqlite_url, backup)
        async with opened(sqlite_url) as store:
            assert store.instance != was
            assert store.fence >= fence
            assert await store.paused_since() == LATER
            assert await store.claim(after(9), lease=LEASE, limit=9) == []
            await store.resume_outbox()
            assert len(await store.claim(after(9), lease=LEASE, limit=9)) == 1

    async def test_the_store_before_it_is_kept_whole_with_its_spool(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        await used(sqlite_url, 2)
        spool = file_of(sqlite_url).with_name("monitor.db.spool")
        Spool(spool).add_changes(opening(incident(3)))
        before = restored(sqlite_url, backup).before
        assert before == before_path(file_of(sqlite_url), LATER)
        assert incidents_in(before) == [1, 2]
        assert incidents_in(file_of(sqlite_url)) == [1]
        assert not spool.exists()
        (spooled,) = Spool(before_path(spool, LATER)).read().changes
        assert spooled.incident.number == 3

    async def test_commits_that_are_still_in_the_wal_are_kept_too(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        path = file_of(sqlite_url)
        with closing(sqlite3.connect(path)) as reader:
            # A reader holds the WAL back, as a process that was killed leaves it.
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM incident").fetchall()
            await used(sqlite_url, 2)
            assert path.with_name("monitor.db-wal").stat().st_size
        before = restored(sqlite_url, backup).before
        assert incidents_in(before) == [1, 2]
        assert incidents_in(path) == [1]

    async def test_a_damaged_store_is_replaced_and_kept_as_it_is(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        damage(file_of(sqlite_url))
        damaged = file_of(sqlite_url).read_bytes()
        assert restored(sqlite_url, backup).before.read_bytes() == damaged
        assert incidents_in(file_of(sqlite_url)) == [1]

    async def test_where_no_store_is_left_it_is_simply_put_there(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        for path in file_of(sqlite_url).parent.iterdir():
            path.unlink()
        assert restored(sqlite_url, backup).before is None
        assert incidents_in(file_of(sqlite_url)) == [1]

    async def test_while_a_monitor_has_the_store_it_is_refused(self, sqlite_url, backup):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        async with opened(sqlite_url, holder="process 7"):
            with pytest.raises(StoreHeld, match="process 7"):
                restored(sqlite_url, backup)

    @pytest.mark.parametrize("step", ["link", "replace", "fsync"])
    async def test_where_a_step_fails_a_whole_store_is_in_place(
        self, sqlite_url, backup, monkeypatch, step
    ):
        await used(sqlite_url, 1)
        back_up(sqlite_url, backup)
        await used(sqlite_url, 2)

        def fails(*_):
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as broken:
            if step == "replace":
                broken.setattr(Path, "replace", fails)
            elif step == "link":
                broken.setattr(copies.os, "link", fails)
            else:
                broken.setattr(copies, "sync", fails)
            with pytest.raises(StoreUnavailable, match=r"Input/output"):
                restored(sqlite_url, backup)
        assert incidents_in(file_of(sqlite_url)) == [1, 2]
        assert restored(sqlite_url, backup, LATER + timedelta(seconds=1)).before is not None

    async def test_what_goes_on_after_it_has_new_keys_and_the_names_receivers_know(
        self, sqlite_url, backup
    ):
        one = incident(paged=("pager",))
        async with opened(sqlite_url) as store:
            old = store.instance
            page = notice(one, seq=1, dedup_key=f"{old}:{one.id}")
            await store.commit(replace(opening(one, page), events=(line(one),)))
        back_up(sqlite_url, backup)
        restored(sqlite_url, backup)
        async with opened(sqlite_url) as store:
            # Nothing watches it any more, so that taking it up resolves it.
            _, changes = await load_mind(mind_of(store), store, CLOCK.now(), "")
            (told,) = (notice for change in changes for notice in change.notices)
            assert told.key == f"{store.instance}:{one.id}:pager:resolve:2"
            assert told.dedup_key == f"{old}:{one.id}"


def mind_of(store):
    channels = (Channel("pager", "log", (Role.ON_CALL,), None),)
    return lambda worked: Mind(
        estate=ESTATE,
        calendar=SUPPORT,
        policy=PolicySettings(),
        channels=channels,
        instance=store.instance,
        public_url="http://127.0.0.1",
        mint=lambda _at: "01J",
        detection=detection.new_state(ESTATE, worked=worked),
    )


CHECKS = """\
listen: 127.0.0.1:1
database_url: {url}
services:
  web: {{checks: [{{name: home, url: "https://one.example.com/"}}]}}
"""


@pytest.fixture
def config(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "checks.yaml"
    path.write_text(CHECKS.format(url=sqlite_url))
    return str(path)


def monitor(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
async def in_use(sqlite_url):
    await used(sqlite_url, 1)


@pytest.mark.usefixtures("in_use")
class TestTheCommands:
    """No monitor is running."""

    def test_a_backup_is_put_in_place_in_four_steps(self, config, backup):
        code, out, err = monitor("backup", backup, "-c", config)
        assert code == 0, err
        assert "whole and checked: 1 alembic_version, 1 evidence, 1 history, 1 incident" in out

        code, out, _ = monitor("restore", backup, "-c", config)
        assert code == 0
        assert "#1 open: CRM is down for all users, since 2030-01-07 08:59:40Z" in out
        assert "It owes 1 notices:" in out
        assert out.endswith("Nothing was changed: --confirm does it.\n")
        assert not list(backup.parent.glob("store/*.before-*"))

        code, out, _ = monitor("restore", backup, "--confirm", "-c", config)
        assert code == 0
        (before,) = backup.parent.glob("store/*.before-*")
        assert f"The store before it is {before}." in out
        assert "Nothing is sent until `monitor restore --confirm`" in out

        code, out, _ = monitor("restore", "-c", config)
        assert code == 0
        assert out.startswith("The outbox is paused since")
        assert out.endswith("Nothing was changed: --confirm does it.\n")

        code, out, _ = monitor("restore", "--confirm", "-c", config)
        assert code == 0
        assert "CRM is down for all users" in out
        assert "The outbox goes on" in out
        assert monitor("restore", "-c", config)[1].endswith("The outbox is not paused.\n")

    def test_programs_get_json(self, config, backup):
        made = json.loads(monitor("backup", backup, "--json", "-c", config)[1])
        assert (made["rows"]["incident"], made["spooled"]) == (1, 0)
        found = json.loads(monitor("restore", backup, "--json", "-c", config)[1])
        assert [each["number"] for each in found["incidents"]] == [1]
        assert [each["state"] for each in found["notices"]] == ["pending"]
        assert found["restored"] is False
        done = json.loads(monitor("restore", backup, "--confirm", "--json", "-c", config)[1])
        assert done["restored"] is True
        going = json.loads(monitor("restore", "--confirm", "--json", "-c", config)[1])
        assert going["resumed"] is True

    def test_a_backup_says_what_waits_in_the_spool_and_is_not_in_it(self, config, backup):
        Spool(backup.parent / "store" / "monitor.db.spool").add_changes(opening(incident(2)))
        out = monitor("backup", backup, "-c", config)[1]
        assert "1 changes wait in" in out
        assert "they are not in it" in out

    def test_what_cannot_be_done_is_said_and_exits_1(self, config, backup):
        backup.write_text("precious")
        code, _, err = monitor("backup", backup, "-c", config)
        assert code == 1
        assert "it is there already: name another file" in err
        code, _, err = monitor("restore", backup, "-c", config)
        assert code == 1
        assert "not a database" in err

    def test_of_postgresql_it_names_the_very_commands_and_exits_2(self, tmp_path, monkeypatch):
        path = tmp_path / "checks.yaml"
        monkeypatch.setenv("PASSWORD", "a-password")
        url = "postgresql://monitor:${PASSWORD}@db.example.com/monitor"
        path.write_text(CHECKS.format(url=url))
        code, _, err = monitor("backup", "my backup", "-c", path)
        assert code == 2
        server = "postgresql://monitor@db.example.com/monitor"
        assert f"pg_dump --format=custom --file='my backup' {server}" in err
        code, _, err = monitor("restore", "my backup", "-c", path)
        assert code == 2
        assert f"pg_restore --clean --if-exists --single-transaction --dbname={server}" in err
        assert "a-password" not in err

    async def test_what_is_to_be_run_on_postgresql_pauses_and_renames(self, postgresql_url):
        async with opened(postgresql_url) as store:
            was = store.instance
        told = copying.load_commands(postgresql_url, Path("x"), T0)
        (update,) = [line for line in told.splitlines() if "UPDATE" in line]
        execute(postgresql_url, update.split('"')[1])
        async with opened(postgresql_url) as store:
            assert store.instance != was
            assert await store.paused_since() == T0


@pytest.fixture(scope="module")
def estate():
    with EstateProcess(Ports.free()) as process:
        yield process


async def test_a_restored_monitor_watches_and_is_silent_until_a_person_says_so(estate, tmp_path):
    """The page of the backup was never taken; its outage is over by the time it is restored."""
    secret = Secret(SECRET)
    away = [Reply(503)] * 50
    async with webhook_receiver(secret, real_clock().wall, *away) as pager:
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with running_monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            opened_one = await running.until_incident(priority="critical", state="open")
            await pager.received(1)
            code, out, err = await command("backup", str(tmp_path / "b.db"), "-c", str(path))
            assert code == 0, err
            assert "1 incident" in out
            code, _, err = await command("restore", str(tmp_path / "b.db"), "--confirm", "-c", path)
            assert code == 1
            assert f"process {running.process.pid}" in err
            await running.ends(signal.SIGKILL)
        estate.client.heal()
        keys = {arrival.key for arrival in pager.arrivals}
        pager.answers.clear()
        pager.arrivals.clear()
        code, _, err = await command("restore", str(tmp_path / "b.db"), "--confirm", "-c", path)
        assert code == 0, err
        async with running_monitor(path, url) as running:
            swept = await running.until_incident(state="resolved")
            assert swept["id"] == opened_one["id"]
            reasons = (await running.client.get("/readyz")).json()["error"]["details"]
            assert any("nothing is sent: the outbox is paused" in each for each in reasons)
            assert "monitor_outbox_paused 1" in (await running.client.get("/metrics")).text
            assert pager.arrivals == []
            code, out, err = await command("restore", "--confirm", "-c", path)
            assert code == 0, err
            assert "The outbox goes on" in out
            actions = [arrival.action for arrival in await pager.received(3)]
            assert actions == ["trigger", "update", "resolve"]
            first, *others = [arrival.key for arrival in pager.arrivals]
            assert first in keys  # As it was stored: the receiver may have it.
            assert {key.partition(":")[0] for key in others} != {first.partition(":")[0]}
            names = {arrival.document["dedup_key"] for arrival in pager.arrivals}
            assert len(names) == 1
        log = running.log.read_text()
        assert "the outbox is paused: nothing is sent" in log
        gap = execute(f"sqlite:///{tmp_path}/monitor.db", "SELECT why FROM unobserved")
        assert ("not_running",) in gap
