"""Faults of ours, planted into a child, each of which the harness must find.

They are put in from outside: the product has no branch for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from sqlalchemy import event, false, text

from monitor import delivery
from monitor.channels import CHANNELS, Means
from monitor.model import Accepted, NoticeState
from monitor.store import Store, opening, outbox, writes
from monitor.store.tables import NOTICE
from tests.crash.life import channels, network


def send_before_commit(settings) -> None:
    """Notices are sent first, and written as sent."""
    ways = {way.name: way for way in channels(settings.receiver)}

    async def commit(self, change):
        if change.notices:
            means = Means(network(self._writer.clock), None, "")
            for notice in change.notices:
                await CHANNELS["webhook"].send(notice, ways[notice.channel].options, means)
            at = self._writer.clock.wall()
            sent = (replace(n, state=NoticeState.SENT, sent_at=at) for n in change.notices)
            change = replace(change, notices=tuple(sent))
        await committed(self, change)

    committed = Store.commit
    Store.commit = commit


def mark_before_send(_settings) -> None:
    """A notice is marked as sent, and then sent."""

    async def attempt(self, notice):
        at = self._clock.wall()
        await self._store.mark_sent(self._held[notice.id].notice, Accepted("taken"), at)
        return await attempted(self, notice)

    attempted = delivery.Delivery._attempt
    delivery.Delivery._attempt = attempt


def no_unique_index(_settings) -> None:
    """The database lets a subject have two open incidents."""

    def open_without(*arguments):
        made = opened(*arguments)
        with made._writer.engine.begin() as connection:
            for name in _unique_indexes(connection):
                connection.execute(text(f"DROP INDEX {name}"))
        return made

    opened = opening._open
    opening._open = open_without


def _unique_indexes(connection) -> list[str]:
    found = connection.execute(
        text("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%UNIQUE%subject%'")
    )
    return list(found.scalars())


def no_lease_check(_settings) -> None:
    """Whatever is not sent may be claimed, whoever is sending it."""
    outbox._free = lambda now: (NOTICE.c.due_at <= now) & NOTICE.c.state.in_(outbox.UNSENT)


def no_fence_check(_settings) -> None:
    """Who has lost the store goes on writing."""
    writes.require_fence = lambda _connection, _fence: None


def synchronous_off(_settings) -> None:
    """SQLite does not wait for the disk."""
    writing = opening.writing

    def careless(place):
        engine = writing(place)

        @event.listens_for(engine, "connect")
        def _careless(connection, _record) -> None:
            connection.execute("PRAGMA synchronous=OFF")

        return engine

    opening.writing = careless


def no_release(_settings) -> None:
    """What was being sent stays so: no start releases it, and no lease runs out."""

    async def release(_self):
        return 0

    Store.release_leases = release
    outbox._free = lambda now: (
        (NOTICE.c.due_at <= now) & (NOTICE.c.state == NoticeState.PENDING.value)
    )


def no_order(_settings) -> None:
    """A notice does not wait for the one before it."""
    outbox.exists = lambda: SimpleNamespace(where=lambda *_conditions: false())


FAULTS: Mapping[str, Callable[[Any], None]] = {
    fault.__name__: fault
    for fault in (
        send_before_commit,
        mark_before_send,
        no_unique_index,
        no_lease_check,
        no_fence_check,
        synchronous_off,
        no_release,
        no_order,
    )
}
