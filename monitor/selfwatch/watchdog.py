"""A thread that looks whether the event loop still turns.

The loop counts a beat every second; the thread looks whether the count has moved. A loop that does
not beat cannot say so itself, nor be asked: everything else of the monitor waits with it.

    no beat for `TOLD_AFTER`     one log line with the stack of the loop's thread, and a count
    no beat for `ENDED_AFTER`    another, and the process ends with exit 1

The thread measures by its own looks: between two of them at most two turns count. When the process
was stopped or its host slept, thread and loop wake together, and no stall was seen. What holds the
interpreter itself, so that no thread runs, is beyond it: the ping stays away then.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import structlog

LOG = structlog.get_logger("monitor")

BEAT = 1.0
TOLD_AFTER = 10.0
ENDED_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a beat after which a stall is told and the process ended, and of a turn."""

    told_after: float = TOLD_AFTER
    ended_after: float = ENDED_AFTER
    turn: float = BEAT


PATIENT = Patience()


class Watchdog:
    """Watches the loop of the thread that makes it, from `start` to `stop`.

    `told` is called in the watching thread, once a stall; `end` likewise, and ends the process.
    """

    def __init__(
        self,
        *,
        told: Callable[[], None],
        end: Callable[[], None],
        patience: Patience = PATIENT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told, self._end, self._patience = told, end, patience
        self._monotonic = monotonic
        self._watched = threading.get_ident()
        self._beats = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look; `beat` is to run from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns once the thread has ended."""
        self._stopped.set()
        self._thread.join()

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beats += 1
            await asyncio.sleep(self._patience.turn)

    def _watch(self) -> None:
        stall = Stall(self._patience, self._monotonic(), self._beats)
        while not self._stopped.wait(self._patience.turn):
            silent = stall.look(self._monotonic(), self._beats)
            if silent is None:
                continue
            ends = silent >= self._patience.ended_after
            LOG.error(
                "the event loop does not turn: the process ends"
                if ends
                else "the event loop does not turn",
                seconds=round(silent, 1),
                stack=self._stack(),
            )
            (self._end if ends else self._told)()

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._watched)  # noqa: SLF001 - there is no other way
        return "".join(traceback.format_stack(frame)) if frame is not None else "gone"


class Stall:
    """How long the beats have stayed away, by consecutive looks."""

    def __init__(self, patience: Patience, now: float, beats: int) -> None:
        self._patience = patience
        self._looked_at, self._beats = now, beats
        self._silent = 0.0

    def look(self, now: float, beats: int) -> float | None:
        """Seconds of silence when they have just passed one of the limits, else None."""
        passed = min(now - self._looked_at, 2 * self._patience.turn)
        before = 0.0 if beats != self._beats else self._silent
        self._silent = 0.0 if beats != self._beats else before + passed
        self._looked_at, self._beats = now, beats
        limits = (self._patience.told_after, self._patience.ended_after)
        crossed = any(before < limit <= self._silent for limit in limits)
        return self._silent if crossed else None
