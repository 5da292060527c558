"""Where the database is, how it is connected to, and how its failures read.

SQLite: WAL, `synchronous=FULL`, and every writing transaction begins IMMEDIATE, so it waits for
its turn before it has read anything. Readers open the file `mode=ro` and begin deferred: they see
one snapshot and never block the writer. PostgreSQL: psycopg, commits wait for the disk, readers
see one snapshot too.

Each engine keeps a fixed number of connections; the writing one keeps exactly one, because two
connections that write and checkpoint one WAL can lose a commit (SQLite before 3.51.3).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from monitor.store.errors import StoreUnavailable

READERS = 4
"""How many reads go on at once."""

_WAIT = 1.0
"""Seconds to wait for a lock: who writes tries again, and must be able to end."""

_MIGRATION_WAIT = 5.0
_CONNECT_WAIT = 5
_SILENT_SERVER = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server that is gone without a word is given up after about ten seconds, and not two hours."""

_REMEDIES = (
    ("full", "free space on its disk"),
    ("readonly", "make the file and its directory writable for this user"),
    ("permission denied", "make the file and its directory writable for this user"),
    ("lock timeout", "end the other session that keeps it locked"),
    ("locked", "end the other program that has the file open"),
    ("unable to open", "check that the file is there and that this user may read and write it"),
    ("not a database", "restore a backup, or name another file"),
    ("malformed", "restore a backup"),
    ("disk i/o", "check the disk"),
    ("no such table", "start the monitor once, which makes the tables"),
    ("does not exist", "create the database and grant this user the right to make tables in it"),
    ("authentication", "check the user and the password in database_url"),
    ("connection", "check that the server runs and that database_url names it"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One database. `path` is its file, None on PostgreSQL. As a string it shows no password."""

    url: URL
    path: Path | None

    def __str__(self) -> str:
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)


def place_of(url: str) -> Place:
    """Read `sqlite:///path` or `postgresql://...`; anything else is StoreUnavailable."""
    remedy = "write it as sqlite:///path/to/file or postgresql://user@host/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreUnavailable("database_url", "it cannot be read as a URL", remedy) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return Place(parsed, Path(str(parsed.database)).absolute())
    if kind in ("postgresql", "postgres"):
        return Place(parsed.set(drivername="postgresql+psycopg"), None)
    raise StoreUnavailable("database_url", f"{kind} without a file is no place to keep", remedy)


def make_room(place: Place) -> None:
    """Make the directory of the SQLite file, and see its name on disk."""
    if place.path is None or place.path.parent.is_dir():
        return
    place.path.parent.mkdir(parents=True, exist_ok=True)
    for directory in place.path.parents[:-1]:
        sync(directory)


def sync(path: Path) -> None:
    """Return once the file or directory at `path` is on disk as it is now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def migrating(place: Place) -> Engine:
    """The one connection that migrates: makes the file, and leaves foreign keys alone."""
    if place.path is None:
        return _postgresql(place, "-c synchronous_commit=on", connections=1)
    return _sqlite(place.path, "rwc", "BEGIN IMMEDIATE", "foreign_keys=OFF")


def writing(place: Place) -> Engine:
    """The one connection that writes."""
    if place.path is None:
        options = f"-c synchronous_commit=on -c lock_timeout={_WAIT:g}s"
        return _postgresql(place, options, connections=1)
    return _sqlite(place.path, "rw", "BEGIN IMMEDIATE", "foreign_keys=ON")


def reading(place: Place) -> Engine:
    """READERS connections that cannot write and wait for nothing longer than a second."""
    if place.path is None:
        options = (
            "-c default_transaction_read_only=on "
            "-c default_transaction_isolation=repeatable\\ read "
            f"-c lock_timeout={_WAIT:g}s"
        )
        return _postgresql(place, options, connections=READERS)
    return _sqlite(place.path, "ro", "BEGIN", connections=READERS)


def _postgresql(place: Place, options: str, *, connections: int) -> Engine:
    return create_engine(
        place.url,
        connect_args={"options": options, "connect_timeout": _CONNECT_WAIT, **_SILENT_SERVER},
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
    )


def _sqlite(path: Path, mode: str, begin: str, *pragmas: str, connections: int = 1) -> Engine:
    wait = _MIGRATION_WAIT if mode == "rwc" else _WAIT
    durable = () if mode == "ro" else ("journal_mode=WAL", "synchronous=FULL")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}",
            uri=True,
            timeout=wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in (*durable, *pragmas):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=connections, max_overflow=0
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def speaking(place: Place) -> Iterator[None]:
    """Turn what the database or the disk says into StoreUnavailable, with a remedy.

    A violated constraint passes as it is: what it means depends on what was written.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise unavailable(place, str(error.orig)) from error
    except (OSError, sqlite3.Error) as error:
        raise unavailable(place, str(error)) from error


def unavailable(place: Place, said: str) -> StoreUnavailable:
    """The error for what a database or an operating system `said`."""
    cause = " ".join(said.split())
    found = (remedy for word, remedy in _REMEDIES if word in cause.lower())
    return StoreUnavailable(str(place), cause, next(found, "see the log of the database"))
