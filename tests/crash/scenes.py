"""What a child can play: a whole life, or a short piece in which one thing goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from monitor.clock import Clock
from monitor.delivery import Delivery
from monitor.model import Change, Incident
from monitor.store import DuplicateIncident, Store, StoreHeld, open_store
from tests.crash.disks import TROUBLES, Trouble
from tests.crash.life import Life, channels, network
from tests.crash.world import World
from tests.outbox_fixtures import START, incident, notice

INCIDENTS = 3
"""How many incidents of different services the racing workers tell of."""

LATER = timedelta(hours=1)


async def life(settings) -> dict[str, Any]:
    """A life, in which the disk may fail for a while; what of it was noticed, and when."""
    world = World(settings.world)
    trouble = TROUBLES[settings.trouble](settings.folder) if settings.trouble else Trouble()
    one = Life(
        settings.url,
        settings.receiver,
        world,
        hasty=settings.hasty,
        before=trouble.before,
        waited=trouble.waited,
    )
    try:
        await one.run()
    finally:
        trouble.lift()
    return trouble.said() | {"troubles": one.troubles}


async def opening(settings) -> dict[str, Any]:
    """A store is opened, migrated where it must be, and closed."""
    store = await open_store(settings.url, clock=_clock(World(settings.world)), holder="a start")
    await store.close()
    return {}


async def race(settings) -> dict[str, Any]:
    """Two delivery workers on one store, until all is sent; time passes while both are idle."""
    world = World(settings.world)
    clock, ways = _clock(world), channels(settings.receiver, timeout=2.0)
    store, net = await open_store(settings.url, clock=clock, holder="a race"), network(clock)
    owed = [
        notice(of, way.name, id=f"{way.name}-{of.number}") for of in _incidents() for way in ways
    ]
    for of in _incidents():
        mine = tuple(each for each in owed if each.incident_id == of.id)
        await store.commit(Change(incident=of, notices=mine))
    workers = [
        Delivery(
            store,
            {way.name: way for way in ways},
            net,
            clock,
            random=lambda: 0.0,
            poll_seconds=0.005,
            send_seconds=30.0,
        )
        for _ in range(2)
    ]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    while (await store.outbox()).pending:
        await asyncio.sleep(0.02)
        if not any(worker.figures().in_hand for worker in workers):
            world.now += 5.0
    for worker in workers:
        worker.end()
    await asyncio.gather(*tasks)
    await store.close()
    return {"owed": [each.key for each in owed]}


async def two_minds(settings) -> dict[str, Any]:
    """Two minds on one store conclude the same; what the second one was told."""
    store = await open_store(settings.url, clock=_clock(World(settings.world)), holder="two minds")
    one = incident(1)
    other = replace(incident(2), subject=one.subject)
    await store.commit(Change(incident=one, notices=(notice(one),)))
    told = await _told(store, Change(incident=other, notices=(notice(other),)))
    await store.close()
    return {"told": told}


async def takeover(settings) -> dict[str, Any]:
    """Another takes the store from a holder that has lost its lock unawares.

    What the old one was told when it then wrote, and how many notices it could claim.
    """
    clock = _clock(World(settings.world))
    old = await open_store(settings.url, clock=clock, holder="the old one")
    first = incident(1)
    await old.commit(Change(incident=first, notices=(notice(first),)))
    _lose_the_lock(settings)
    new = await open_store(settings.url, clock=clock, holder="the new one")
    await new.release_leases()
    second = incident(2)
    told = await _told(old, Change(incident=second, notices=(notice(second),)))
    claimed = await old.claim(START + LATER, lease=LATER, limit=10)
    await old.close()
    await new.close()
    return {"told": told, "claimed": len(claimed)}


async def _told(store: Store, change: Change) -> str | None:
    try:
        await store.commit(change)
    except (DuplicateIncident, StoreHeld) as refused:
        return type(refused).__name__
    return None


def _lose_the_lock(settings) -> None:
    (settings.folder / "monitor.db.lock").unlink()


def _incidents() -> list[Incident]:
    return [incident(number) for number in range(1, INCIDENTS + 1)]


def _clock(world: World) -> Clock:
    return Clock(lambda: START + timedelta(seconds=world.now), lambda: world.now)


SCENES: Mapping[str, Callable[[Any], Awaitable[dict[str, Any]]]] = {
    "life": life,
    "opening": opening,
    "race": race,
    "two_minds": two_minds,
    "takeover": takeover,
}
