"""Time as a value.

Two clocks run side by side. The wall clock says what people's watches say and may step; the
monotonic clock only ever runs forward, so every duration and every timer is measured on it.
`Now` is one reading of both. Whatever was noted on the monotonic clock is turned into an instant
for people with `Now.wall_of`, by the wall clock as it stands at that reading: a corrected clock
corrects the past with it, and an interval can never come out reversed.

The daemon makes the one real `Clock`; tests make others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Now:
    """One reading: `at` is aware UTC, `mono` is seconds on the monotonic clock."""

    at: datetime
    mono: float

    def wall_of(self, mono: float) -> datetime:
        """The UTC instant of a monotonic reading, by the wall clock of this reading."""
        return self.at + timedelta(seconds=mono - self.mono)

    def mono_of(self, at: datetime) -> float:
        """The monotonic reading of a UTC instant, by the wall clock of this reading."""
        return self.mono + (at - self.at).total_seconds()


@dataclass(frozen=True, slots=True)
class Clock:
    """A pair of clocks: `wall()` returns aware UTC, `monotonic()` seconds."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float]

    def now(self) -> Now:
        """Both clocks, read one after the other."""
        return Now(self.wall(), self.monotonic())


def real_clock() -> Clock:
    """The machine's own clocks."""
    return Clock(lambda: datetime.now(UTC), time.monotonic)
