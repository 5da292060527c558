"""What a person does while no daemon runs: in the store itself, under its lock.

The notices go out at the next start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from monitor.clock import Clock, Now
from monitor.config import Config
from monitor.daemon.mind import holder_name, mind_of
from monitor.engine.emergency import replay
from monitor.engine.recalled import load_mind
from monitor.judge import Mind, acknowledge, annotate, end_silence, resolve, silence
from monitor.model import Change, Incident
from monitor.store import Redriven, Spool, Store, open_store


async def acknowledge_without_daemon(
    config: Config, clock: Clock, number: int, by: str
) -> Incident:
    """Acknowledge in the store.

    Raises `StoreHeld` while a daemon runs, other `StoreError`s, KeyError for an incident that is
    not open, and `IllegalTransition` for one acknowledged before, where nobody waits.
    """

    def acknowledged(mind: Mind, now: Now) -> tuple[Incident, list[Change]]:
        incident, change = acknowledge(mind, number, by, now)
        return incident, [change]

    return await _moved_without_daemon(config, clock, acknowledged)


async def resolve_without_daemon(
    config: Config, clock: Clock, number: int, by: str, *, false_alarm: bool
) -> Incident:
    """Resolve in the store, as `acknowledge_without_daemon` does.

    Raises `judge.StillFailing` for what failed when the probes saw it last.
    """

    def settled(mind: Mind, now: Now) -> tuple[Incident, list[Change]]:
        return resolve(mind, number, by, now, false_alarm=false_alarm)

    return await _moved_without_daemon(config, clock, settled)


async def silence_without_daemon(
    config: Config, clock: Clock, number: int, by: str, *, reason: str, lasts: timedelta
) -> Incident:
    """Silence in the store, as `acknowledge_without_daemon` does.

    Raises `ValueError` when `lasts` is not more than 0 and at most `judge.LONGEST`.
    """

    def silenced(mind: Mind, now: Now) -> tuple[Incident, list[Change]]:
        incident, change = silence(mind, number, by, now, reason=reason, lasts=lasts)
        return incident, [change]

    return await _moved_without_daemon(config, clock, silenced)


async def end_silence_without_daemon(
    config: Config, clock: Clock, number: int, by: str
) -> Incident:
    """End a silence in the store; raises what `acknowledge_without_daemon` does."""

    def ended(mind: Mind, now: Now) -> tuple[Incident, list[Change]]:
        incident, change = end_silence(mind, number, by, now)
        return incident, [change]

    return await _moved_without_daemon(config, clock, ended)


async def note_without_daemon(
    config: Config, clock: Clock, number: int, by: str, text: str
) -> Incident:
    """Add a line to a timeline in the store, also to that of a resolved incident.

    Raises `StoreHeld` while a daemon runs, other `StoreError`s, and KeyError for no incident.
    """
    store = await open_store(config.database_url, clock=clock, holder=holder_name())
    try:
        record = await store.incident(number)
        if record is None:
            raise KeyError(number)
        now = clock.now()
        mind = mind_of(config, store, await store.proven())
        await store.commit(annotate(mind, record.incident, by, text, now))
        return record.incident
    finally:
        await store.close()


async def _moved_without_daemon(
    config: Config, clock: Clock, move: Callable[[Mind, Now], tuple[Incident, list[Change]]]
) -> Incident:
    async with _alone(config, clock) as store:
        now = clock.now()
        mind, _ = await load_mind(lambda worked: mind_of(config, store, worked), store, now, "")
        incident, changes = move(mind, now)
        for change in changes:
            await store.commit(change)
        return incident


async def redrive_without_daemon(
    config: Config, clock: Clock, by: str, *, channel: str | None, number: int | None
) -> Redriven:
    """Have dead notices sent again at the next start. Raises as `acknowledge_without_daemon`."""
    async with _alone(config, clock) as store:
        return await store.redrive(clock.wall(), by, channel=channel, number=number)


async def resume_without_daemon(config: Config, clock: Clock) -> None:
    """Let a paused outbox go on at the next start. Raises as `acknowledge_without_daemon`."""
    async with _alone(config, clock) as store:
        await store.resume_outbox()


@asynccontextmanager
async def _alone(config: Config, clock: Clock) -> AsyncIterator[Store]:
    """The store, which holds what an earlier process spooled."""
    store = await open_store(config.database_url, clock=clock, holder=holder_name())
    try:
        await replay(Spool(config.spool), store)
        yield store
    finally:
        await store.close()
