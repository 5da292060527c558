"""Taking a store, to write or only to read."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from monitor.clock import Clock
from monitor.store import lock, reads, writes
from monitor.store.migrate import migrate, require_current
from monitor.store.place import (
    Place,
    make_room,
    place_of,
    reading,
    speaking,
    writing,
)
from monitor.store.store import Store, Writer


async def open_store(url: str, *, clock: Clock, holder: str) -> Store:
    """Take the store at `url` as `holder`, migrate it, and open its writer.

    `url` is `sqlite:///path` or `postgresql://...`. StoreHeld when another process has it,
    StoreTooNew when a later release wrote it, StoreUnavailable when it cannot be used.
    """
    place = place_of(url)
    thread = ThreadPoolExecutor(1, "store-writer")
    try:
        opening = partial(_open, place, clock, holder, thread)
        return await asyncio.get_running_loop().run_in_executor(thread, opening)
    except BaseException:
        thread.shutdown(wait=False)
        raise


async def open_reader(url: str) -> Store:
    """Open the store at `url` for reading only, beside whoever holds it: no lock, no migration.

    StoreUnavailable when there is none, or when it is not of this release.
    """
    return await asyncio.to_thread(_open_reader, place_of(url))


def _open(place: Place, clock: Clock, holder: str, thread: Executor) -> Store:
    with speaking(place), ExitStack() as opened:
        make_room(place)
        opened.callback(lock.take(place, holder))
        migrate(place)
        engine = writing(place)
        opened.callback(engine.dispose)
        with engine.begin() as connection:
            lease = writes.take_lease(connection, holder, clock.wall())
        readers = reading(place)
        opened.callback(readers.dispose)
        return Store(place, lease, readers, opened.pop_all(), Writer(thread, engine, clock))


def _open_reader(place: Place) -> Store:
    with speaking(place), ExitStack() as opened:
        readers = reading(place)
        opened.callback(readers.dispose)
        with readers.connect() as connection:
            require_current(place, connection)
            lease = reads.lease(connection)
        return Store(place, lease, readers, opened.pop_all(), None)
