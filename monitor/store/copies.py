"""Copies of a SQLite store: a backup beside whoever writes, and a restored store in its place.

Theory of operation
- A backup is a checked copy of one snapshot (`snapshot.py`). Only once it has been checked is it
  synced and given its name, and never over a file that is there.
- A restored store is prepared as a draft beside the one in use: copied, checked, migrated. Then
  it gets a new name for its instance, because what was sent after the backup is not in it: under
  the old name its new notices would have keys that receivers have seen, and be taken for
  repetitions. Its outbox is paused: what it owes may have been sent long ago.
- The draft takes the place of the present file by one rename; there is always a whole database
  under the name. The present one stays beside it under another name, with its WAL and its spool.

On PostgreSQL the same is done with the server's own programs.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import update
from ulid import ULID

from monitor.model import Incident
from monitor.store import lock, owing, reads
from monitor.store.errors import StoreUnavailable
from monitor.store.migrate import migrate
from monitor.store.owing import OwedNotice
from monitor.store.place import Place, make_room, place_of, reading, speaking, sync, writing
from monitor.store.snapshot import copy_snapshot
from monitor.store.tables import INSTANCE

_UNSENT = owing.NOT_SENT[:2]


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that has been checked: where it is, its size in bytes, its rows by table."""

    path: Path
    size: int
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """What a backup holds that concerns people: when its monitor last watched, what it owes.

    `notices` are all that are not sent, `incidents` all that are not resolved.
    """

    seen_at: datetime
    notices: tuple[OwedNotice, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that was put in place, and where the one before it is; None where there was none."""

    held: Held
    before: Path | None


def back_up(url: str, to: Path) -> Copied:
    """Copy the SQLite store at `url` to `to`, beside whoever writes into it.

    StoreUnavailable when there is none, when `to` is there already, or when the copy is not sound.
    """
    place = place_of(url)
    with speaking(place):
        if to.exists():
            raise _taken(to)
        draft = to.with_name(f"{to.name}.draft")
        try:
            rows = copy_snapshot(_file(place), draft)
            _name(draft, to)
        finally:
            draft.unlink(missing_ok=True)
        return Copied(to, to.stat().st_size, rows)


def look_into(url: str, backup: Path) -> Held:
    """What the backup would bring back into the store at `url`; changes nothing.

    StoreTooNew when a later release wrote it, StoreUnavailable when it is not sound.
    """
    place = place_of(url)
    with ExitStack() as opened:
        return _held(_prepared(place, backup, opened))


def put_in_place(url: str, backup: Path, *, spool: Path, at: datetime, holder: str) -> Restored:
    """Put a backup in the place of the SQLite store at `url`, renamed and with a paused outbox.

    `spool` is that of the present store and goes with it. Raises as `look_into`, and StoreHeld
    while another process has the store.
    """
    place = place_of(url)
    path = _file(place)
    with speaking(place), ExitStack() as opened:
        make_room(place)
        opened.callback(lock.take(place, holder))
        draft = _prepared(place, backup, opened)
        held = _held(draft)
        _renamed(draft, at)
        before = _kept(path, spool, at) if path.exists() else None
        _file(draft).replace(path)
        sync(path.parent)
        return Restored(held, before)


def _renamed(draft: Place, at: datetime) -> None:
    """Give a draft a name of its own and a paused outbox, and see it on disk as one file."""
    engine = writing(draft)
    try:
        with engine.begin() as connection:
            name = {"instance": str(ULID.from_datetime(at)), "paused_since": at}
            connection.execute(update(INSTANCE).values(fence=INSTANCE.c.fence + 1, **name))
    finally:
        engine.dispose()
    path = _file(draft)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    sync(path)


def _kept(path: Path, spool: Path, at: datetime) -> Path:
    """Give the present store a second name, which is its only one once another takes its place."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as present:
        # A damaged one cannot be asked: then its WAL is kept as it is.
        present.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = before_path(path, at)
    os.link(path, before)
    for end in ("-wal", "-shm"):
        beside = path.with_name(f"{path.name}{end}")
        if beside.exists():
            beside.replace(before.with_name(f"{before.name}{end}"))
    if spool.exists() and spool.stat().st_size:
        spool.replace(before_path(spool, at))
    sync(path.parent)
    return before


def before_path(path: Path, at: datetime) -> Path:
    """What a file is called once another has taken its place."""
    return path.with_name(f"{path.name}.before-{at:%Y%m%dT%H%M%SZ}")


def _file(place: Place) -> Path:
    if place.path is None:
        raise StoreUnavailable(str(place), "it is no file", "use pg_dump and pg_restore")
    return place.path


def _taken(path: Path) -> StoreUnavailable:
    return StoreUnavailable(str(path), "it is there already", "name another file")


def _name(draft: Path, to: Path) -> None:
    """Give a synced draft its name, unless somebody has it by now."""
    sync(draft)
    try:
        os.link(draft, to)
    except FileExistsError:
        raise _taken(to) from None
    sync(to.parent)


def _prepared(place: Place, backup: Path, opened: ExitStack) -> Place:
    """A checked and migrated draft of a backup beside the store; gone when `opened` closes."""
    path = _file(place)
    if not backup.is_file():
        raise StoreUnavailable(str(backup), "there is no such file", "name a backup")
    draft = path.with_name(f"{path.name}.restoring-{os.getpid()}")
    make_room(place)
    opened.callback(_remove_all, draft)
    with speaking(Place(place.url, backup)):
        if "instance" not in copy_snapshot(backup.absolute(), draft):
            raise StoreUnavailable(str(backup), "it is no store of a monitor", "name a backup")
        made = Place(place.url, draft)
        migrate(made)
    return made


def _remove_all(draft: Path) -> None:
    for path in draft.parent.glob(f"{draft.name}*"):
        path.unlink(missing_ok=True)


def _held(draft: Place) -> Held:
    engine = reading(draft)
    try:
        with speaking(draft), engine.connect() as connection:
            return Held(
                reads.lease(connection).seen_at,
                tuple(owing.owed(connection, _UNSENT, None)),
                tuple(reads.open_incidents(connection)),
            )
    finally:
        engine.dispose()
