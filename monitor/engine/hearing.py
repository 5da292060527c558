"""Who called, and when: the heartbeats that come in, kept in memory and in the store.

Memory is what probes ask, so a store that cannot be written changes no result; what it lacks is
written once it can be. The store is what the next start remembers. A call that is lost with the
process is no false alarm: whoever is started anew has the patience of rule 3 in
`monitor.probes.heartbeat`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from monitor.clock import Clock
from monitor.model import Beat, Estate
from monitor.probes.heartbeat import HeartbeatOptions
from monitor.store import Store, StoreUnavailable

_PAUSE = 1.0


def expected(estate: Estate) -> dict[str, list[HeartbeatOptions]]:
    """The names of all heartbeats, each with the options of the checks that wait for it."""
    found: dict[str, list[HeartbeatOptions]] = {}
    for cell in estate.cells():
        if isinstance(cell.options, HeartbeatOptions):
            found.setdefault(cell.target.address, []).append(cell.options)
    return found


class Hearing:
    """The last call of each heartbeat. Made of what the store remembers."""

    def __init__(
        self, names: Collection[str], remembered: Mapping[str, Beat], store: Store, clock: Clock
    ) -> None:
        self._beats = {name: remembered.get(name) for name in names}
        self._store = store
        self._clock = clock
        self._since = clock.wall()
        self._unwritten: dict[str, Beat] = {}
        self._waiting = asyncio.Event()

    def since(self) -> datetime:
        """When we began to listen."""
        return self._since

    def last(self, name: str) -> Beat | None:
        """Return the last call for a heartbeat; None when there never was one."""
        return self._beats.get(name)

    def hear(self, name: str, failed: str | None) -> Beat:
        """Take a call; `failed` is what went wrong at the caller's. Raises KeyError."""
        if name not in self._beats:
            raise KeyError(name)
        beat = Beat(self._clock.wall(), failed)
        self._beats[name] = self._unwritten[name] = beat
        self._waiting.set()
        return beat

    def stepped(self) -> None:
        """The wall clock was set, or this host slept: it cannot be told who called meanwhile."""
        self._since = self._clock.wall()
        for name, beat in self._beats.items():
            if beat is not None and beat.at > self._since:
                self._beats[name] = replace(beat, at=self._since)

    async def write(self) -> None:
        """Write what is heard into the store until cancelled, each as soon as it takes it."""
        while True:
            await self._waiting.wait()
            if not await self.flush():
                await asyncio.sleep(_PAUSE)

    async def flush(self) -> bool:
        """Write what is not written yet. False when the store cannot be written; it waits then."""
        self._waiting.clear()
        beats, self._unwritten = self._unwritten, {}
        try:
            if beats:
                await self._store.hear(beats)
        except StoreUnavailable:
            self._unwritten = beats | self._unwritten
            self._waiting.set()
            return False
        return True
