"""Bring a database to the tables of this release, whole or not at all.

Runs under the instance lock, before the writer opens, on one connection:

1. A revision that this release does not know is refused: a newer release wrote it.
2. The file of an older one is copied beside itself, and the copy is read through.
3. One transaction runs every migration, checks that no foreign key dangles and no table lost or
   gained rows, and commits. A crash in it leaves the older revision as it was.

On PostgreSQL the copy is the operator's own backup; the rest is the same.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from monitor.store.errors import StoreTooNew, StoreUnavailable
from monitor.store.place import Place, migrating, speaking, sync
from monitor.store.snapshot import copy_snapshot

SCRIPTS = Path(__file__).parent / "migrations"

# Alembic keeps what it is doing in a module: one migration at a time in a process.
_ALEMBIC = threading.Lock()


def migrate(place: Place, scripts: Path = SCRIPTS) -> None:
    """Run what is missing of the migrations in `scripts`.

    StoreTooNew when the database is ahead of them; StoreUnavailable when the copy or the outcome
    does not hold up, and then nothing has changed.
    """
    with speaking(place), ExitStack() as opened:
        engine = migrating(place)
        opened.callback(engine.dispose)
        with engine.connect() as connection:
            have = _revision(connection)
        if have == _head(place, have, scripts):
            return
        if place.path and have:
            _copy(place.path, have)
        with engine.begin() as connection:
            before = _counts(connection)
            _upgrade(connection, scripts)
            _verify(place, connection, before)


def require_current(place: Place, connection: Connection) -> None:
    """StoreTooNew or StoreUnavailable unless the tables are those of this release."""
    have = _revision(connection)
    if have != _head(place, have, SCRIPTS):
        cause = f"it is at revision {have}, before this release" if have else "it has no tables yet"
        raise StoreUnavailable(str(place), cause, "start the monitor once, which migrates it")


def copy_path(path: Path, revision: str) -> Path:
    """Where the copy of `path` goes that is made before it leaves `revision`."""
    return path.with_name(f"{path.name}.revision-{revision}")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head(place: Place, have: str | None, scripts: Path) -> str | None:
    directory = ScriptDirectory(str(scripts))
    known = {script.revision for script in directory.walk_revisions()}
    if have is not None and have not in known:
        raise StoreTooNew(str(place), have)
    return directory.get_current_head()


def _upgrade(connection: Connection, scripts: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, "head")


def _copy(path: Path, revision: str) -> None:
    """Copy the database at `path`; the copy has its name only once it has been read through."""
    final = copy_path(path, revision)
    draft = final.with_name(f"{final.name}.draft")
    copy_snapshot(path, draft)
    sync(draft)
    draft.replace(final)
    sync(final.parent)


def _counts(connection: Connection) -> dict[str, int]:
    tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    quote = connection.dialect.identifier_preparer.quote
    count = "select count(*) from "
    return {t: connection.execute(text(count + quote(t))).scalar_one() for t in sorted(tables)}


def _verify(place: Place, connection: Connection, before: dict[str, int]) -> None:
    """Raise, and so roll back, when rows dangle or have come or gone."""
    after = _counts(connection)
    moved = sorted(t for t in before.keys() & after.keys() if before[t] != after[t])
    check = "PRAGMA foreign_key_check" if place.path else "select where false"
    dangling = len(connection.exec_driver_sql(check).all())
    if moved or dangling:
        cause = f"the migration moved rows of {moved} and left {dangling} rows dangling"
        raise StoreUnavailable(str(place), cause, "report it; nothing was changed")
