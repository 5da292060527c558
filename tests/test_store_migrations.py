"""Migrations: whole or not at all, after a copy, and the tables they make are those we use."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Date, DateTime, Time, insert, inspect

import monitor
from monitor.model import Beat, Change, Unobserved, UnobservedReason
from monitor.store import StoreTooNew, StoreUnavailable, open_reader, open_store, writes
from monitor.store.migrate import SCRIPTS, copy_path, migrate
from monitor.store.place import make_room, place_of, reading, writing
from monitor.store.rows import result_row
from monitor.store.tables import RESULT, Row
from tests.store_fixtures import CELL, CLOCK, after, incident, notice, opened, opening, result
from tests.store_outside import execute, file_of

HEAD = ScriptDirectory(str(SCRIPTS)).get_current_head()
LATER = "9999"
NEXT = '''"""A revision made for a test."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    with op.batch_alter_table("incident") as table:
        table.add_column(sa.Column("colour", sa.String(), nullable=False, server_default="red"))
    {more}
'''


@pytest.fixture
def next_release(tmp_path):
    """The migrations of a release after this one; `more` is what they do besides."""

    def scripts(more="pass"):
        folder = tmp_path / "migrations"
        shutil.copytree(SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        text = NEXT.format(revision=LATER, before=HEAD, more=more)
        (folder / "versions" / f"r{LATER}_next.py").write_text(text)
        return folder

    return scripts


OLDER = sorted(
    script.revision
    for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()
    if script.revision != HEAD
)


def release(folder, head):
    """The migrations of the release whose latest revision was `head`."""
    scripts = folder / f"release-{head}"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (scripts / "versions").glob("r*.py"):
        if file.name[1:5] > head:
            file.unlink()
    return scripts


def written_by_hand(place, change):
    """A lease and a change written into tables that this release would not open."""
    engine = writing(place)
    with engine.begin() as connection:
        writes.take_lease(connection, "an older release", after(-90))
        writes.commit(connection, change)
        writes.prove(connection, [(CELL, "f1"), (CELL._replace(service="control"), "f1")])
        if inspect(connection).has_table("watched"):
            writes.watch(connection, ["crm"], after(-90), after(-90))
    engine.dispose()


async def populated(url):
    """A store of this release that has been used; the incident in it."""
    one = incident()
    async with opened(url) as store:
        await store.commit(opening(one, notice(one), evidence=(result(),)))
        await store.record([result()])
    return one


def revision(url):
    return execute(url, "SELECT version_num FROM alembic_version")[0][0]


async def test_the_migrations_make_the_tables_that_are_used(database_url):
    async with opened(database_url):
        pass
    engine = reading(place_of(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
    engine.dispose()


def test_no_column_holds_a_plain_date_or_time():
    columns = [column for table in Row.metadata.tables.values() for column in table.columns]
    assert columns
    assert [c for c in columns if isinstance(c.type, DateTime | Date | Time)] == []


def test_the_migrations_are_inside_the_package():
    assert SCRIPTS.is_relative_to(Path(monitor.__file__).parent)
    assert (SCRIPTS / "env.py").is_file()


async def test_a_new_database_needs_no_copy(sqlite_url):
    async with opened(sqlite_url):
        names = {path.name for path in file_of(sqlite_url).parent.iterdir()}
    assert names == {"monitor.db", "monitor.db-wal", "monitor.db-shm", "monitor.db.lock"}


async def test_a_newer_database_is_refused_and_left_alone(database_url, next_release):
    await populated(database_url)
    migrate(place_of(database_url), next_release())
    for opening_it in (
        open_store(database_url, clock=CLOCK, holder="test"),
        open_reader(database_url),
    ):
        with pytest.raises(StoreTooNew, match=rf"revision {LATER}.*run the release that wrote it"):
            await opening_it
    assert revision(database_url) == LATER


async def test_an_older_database_is_migrated_with_all_it_holds(database_url, next_release):
    one = await populated(database_url)
    migrate(place_of(database_url), next_release())
    assert revision(database_url) == LATER
    assert execute(database_url, "SELECT id, colour FROM incident") == [(one.id, "red")]
    for table in ("timeline_event", "notice", "evidence", "result"):
        assert execute(database_url, f"SELECT count(*) FROM {table}") == [(1,)]


async def test_the_rules_of_the_tables_survive_a_migration(database_url, next_release):
    await populated(database_url)
    migrate(place_of(database_url), next_release())
    columns = "number, subject, service, state, priority, version, detected_at, reported_at, body"
    twin = f"INSERT INTO incident (id, {columns}) SELECT 'x', 9, {columns[8:]} FROM incident"
    with pytest.raises(Exception, match=r"(?i)unique.*subject"):
        execute(database_url, twin)
    keys = "PRAGMA foreign_key_list(notice)"
    if database_url.startswith("sqlite"):
        assert execute(database_url, keys)[0][2:7] == (
            "incident",
            "incident_id",
            "id",
            "NO ACTION",
            "RESTRICT",
        )


@pytest.mark.parametrize("revision_of_old", OLDER)
async def test_every_older_release_is_brought_up_with_its_open_incident(
    database_url, tmp_path, revision_of_old
):
    one, place = incident(), place_of(database_url)
    make_room(place)
    migrate(place, release(tmp_path, revision_of_old))
    assert revision(database_url) == revision_of_old
    written_by_hand(place, opening(one, notice(one), evidence=(result(),)))
    gap = Unobserved("g1", after(-60), after(0), UnobservedReason.NOT_RUNNING)
    async with opened(database_url) as store:
        assert revision(database_url) == HEAD
        assert await store.open_incidents() == [one]
        record = await store.incident(1)
        assert (len(record.events), len(record.evidence), len(record.notices)) == (1, 1, 1)
        await store.commit(Change(unobserved=(gap,)))
        period = await store.period(after(-90), after(90))
        assert period.unobserved == (gap,)
        assert period.watched == {"crm": ((after(-90), None),)}
        assert await store.heartbeats() == {}
        await store.hear({"acme-import": Beat(after(1), "late")})
        assert await store.heartbeats() == {"acme-import": Beat(after(1), "late")}


async def test_results_of_an_older_release_are_kept_and_summed_up(database_url, tmp_path):
    place, seen = place_of(database_url), [result(at=after(n)) for n in (9, 3, 6)]
    make_room(place)
    migrate(place, release(tmp_path, "0005"))
    written_by_hand(place, Change())
    engine = writing(place)
    with engine.begin() as connection:
        connection.execute(insert(RESULT), [result_row(one) for one in seen])
    engine.dispose()
    async with opened(database_url) as store:
        assert await store.recent_results(CELL, 9) == [seen[0], seen[2], seen[1]]
        await store.record([result(at=after(12))])
        assert await store.remembering(CLOCK).sum_up(everything=True) == 4
        (hour,) = await store.cell_history(CELL, after(0), after(60), 3600)
        assert hour.failed == 4
    assert [
        seq for (seq,) in execute(database_url, "SELECT seq FROM result ORDER BY observed_at")
    ] == [1, 2, 3, 4]


async def test_a_copy_is_made_before_an_older_file_is_migrated(sqlite_url, next_release):
    one = await populated(sqlite_url)
    migrate(place_of(sqlite_url), next_release())
    copy = copy_path(file_of(sqlite_url), HEAD)
    assert copy.name == f"monitor.db.revision-{HEAD}"
    assert revision(f"sqlite:///{copy}") == HEAD
    async with opened(f"sqlite:///{copy}") as old:
        assert await old.open_incidents() == [one]


async def test_a_current_database_is_not_copied_again(sqlite_url, next_release):
    await populated(sqlite_url)
    scripts = next_release()
    migrate(place_of(sqlite_url), scripts)
    copy_path(file_of(sqlite_url), HEAD).unlink()
    migrate(place_of(sqlite_url), scripts)
    assert not copy_path(file_of(sqlite_url), HEAD).exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("raise RuntimeError('half way')", "half way"),
        ("op.execute('DELETE FROM timeline_event')", r"moved rows of \['timeline_event'\]"),
    ],
)
async def test_a_migration_that_goes_wrong_changes_nothing(database_url, next_release, more, said):
    one = await populated(database_url)
    with pytest.raises((StoreUnavailable, RuntimeError), match=said):
        migrate(place_of(database_url), next_release(more))
    assert revision(database_url) == HEAD
    async with opened(database_url) as store:
        record = await store.incident(1)
        assert (record.incident, len(record.events), len(record.evidence)) == (one, 1, 1)


async def test_a_migration_that_leaves_dangling_rows_is_undone(sqlite_url, next_release):
    await populated(sqlite_url)
    more = """op.execute("UPDATE notice SET incident_id = 'nobody'")"""
    with pytest.raises(StoreUnavailable, match="left 1 rows dangling"):
        migrate(place_of(sqlite_url), next_release(more))
    assert revision(sqlite_url) == HEAD


async def test_a_damaged_file_is_not_migrated(sqlite_url, next_release):
    await populated(sqlite_url)
    path = file_of(sqlite_url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root, size = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
            "WHERE name = 'notice'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    damaged = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="restore a backup"):
        migrate(place_of(sqlite_url), next_release())
    assert path.read_bytes() == damaged
