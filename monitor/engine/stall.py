"""Whether this process itself was held up: what a probe saw meanwhile says nothing of its target.

A beat every 50 ms notes how late it comes. A probe that was under way during a beat later than
`TOO_LATE`, or since which no beat has come for that long, cannot be believed when it failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

BEAT = 0.05
TOO_LATE = 0.25


class StallWatch:
    """The event loop's own lateness, on its monotonic clock in seconds."""

    def __init__(self, monotonic: Callable[[], float], told: Callable[[float], None]) -> None:
        """`told` hears of every stall longer than `TOO_LATE`, in seconds."""
        self._monotonic = monotonic
        self._told = told
        self._expected = monotonic() + BEAT
        self._stalled_until = float("-inf")

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._expected = self._monotonic() + BEAT
            await asyncio.sleep(BEAT)
            now = self._monotonic()
            late = now - self._expected
            if late > TOO_LATE:
                self._stalled_until = now
                self._told(late)

    def held_up_since(self, sent: float) -> bool:
        """Whether a probe sent at `sent` and ending now was held up by us."""
        overdue = self._monotonic() - self._expected
        return overdue > TOO_LATE or self._stalled_until > sent
