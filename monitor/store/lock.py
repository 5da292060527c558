"""One process at a time: the lock that the holder of a store keeps until it ends.

SQLite: `flock` on a file beside the database, which the kernel lets go when the process dies
however it dies. PostgreSQL: an advisory lock on a connection kept for it; the server lets it go
when that connection ends. A connection can be lost while its process lives on, so the lock alone
proves nothing: the fence in the store's own row does.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from sqlalchemy import Connection, NullPool, create_engine, select, text
from sqlalchemy.exc import OperationalError

from monitor.store.errors import StoreHeld
from monitor.store.place import Place
from monitor.store.tables import INSTANCE

_KEY = 0x55_50_54_49_4D_45
_WAIT = "1s"
"""A server may need a moment to see that the process before us has died."""

_UNNAMED = "a process that has not said its name"


def take(place: Place, holder: str) -> Callable[[], None]:
    """Take the lock as `holder`; what comes back lets it go. StoreHeld while another has it."""
    return _take_file(place, holder) if place.path else _take_advisory(place)


def _take_file(place: Place, holder: str) -> Callable[[], None]:
    descriptor = os.open(f"{place.path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        named = os.read(descriptor, 1000).decode(errors="replace").strip()
        os.close(descriptor)
        raise StoreHeld(named or _UNNAMED) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{holder}\n".encode())
    # The file stays when the lock goes: removing it would race with whoever just opened it.
    return lambda: os.close(descriptor)


def _take_advisory(place: Place) -> Callable[[], None]:
    engine = create_engine(
        place.url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"options": f"-c lock_timeout={_WAIT}", "connect_timeout": 5},
    )
    connection = engine.connect()
    try:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _KEY})
    except OperationalError as error:
        named = _named(connection)
        connection.close()
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        raise StoreHeld(named) from None
    return connection.close


def _named(connection: Connection) -> str:
    known = connection.execute(text("select to_regclass('instance')")).scalar()
    return str(connection.execute(select(INSTANCE.c.holder)).scalar()) if known else _UNNAMED
