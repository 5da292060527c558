"""What outlives a monitor that is killed: the time, and what the world has answered its probes.

It lies in memory that parent and child share, so that whoever comes next goes on where the one
before was ended, and the parent knows how narrow a start may be at the most.
"""

from __future__ import annotations

import mmap
import os
import struct
from datetime import timedelta

from tests.simulation import START

EPISODES = 2
"""How often the service fails in a life."""

_NEVER = -1.0
_CELL = struct.Struct("=d")
_SIZE = 8 * (1 + 2 * EPISODES)


class World:
    """Seconds since the life began, and the tightest bounds of each of its outages."""

    def __init__(self, descriptor: int | None = None) -> None:
        fresh = descriptor is None
        self.descriptor = os.memfd_create("world", 0) if descriptor is None else descriptor
        if fresh:
            os.ftruncate(self.descriptor, _SIZE)
        self._memory = mmap.mmap(self.descriptor, _SIZE)
        if fresh:
            self.begin()

    def begin(self) -> None:
        """A new life."""
        for place in range(1 + 2 * EPISODES):
            self._put(place, _NEVER if place else 0.0)

    def kept(self) -> bytes:
        """All of it as it stands, to be gone back to."""
        return self._memory[:]

    def back(self, kept: bytes) -> None:
        """Go back to how it stood."""
        self._memory[:] = kept

    @property
    def now(self) -> float:
        return self._get(0)

    @now.setter
    def now(self, seconds: float) -> None:
        self._put(0, seconds)

    def passed(self, episode: int, sent: float) -> None:
        """Before an outage a probe passed that was sent then; the last one counts."""
        self._put(2 * episode - 1, max(sent, self._get(2 * episode - 1)))

    def failed(self, episode: int, observed: float) -> None:
        """In an outage a probe failed; the first one counts."""
        if self._get(2 * episode) == _NEVER:
            self._put(2 * episode, observed)

    def tightest(self, episode: int):
        """(last PASS sent, first FAIL seen) around the start of an outage, as instants."""
        after, before = self._get(2 * episode - 1), self._get(2 * episode)
        return START + timedelta(seconds=after), START + timedelta(seconds=before)

    def _get(self, place: int) -> float:
        return float(_CELL.unpack_from(self._memory, 8 * place)[0])

    def _put(self, place: int, value: float) -> None:
        _CELL.pack_into(self._memory, 8 * place, value)
