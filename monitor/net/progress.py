"""One timer over a whole exchange, which also knows the phase it is in.

A phase with a limit of its own moves the end nearer, the next one moves it back. Nearly every
exchange is over long before any of its ends, so the timer is not moved back with them: it fires at
the nearest end there was, looks whether that is still one, and else sets itself anew. When time
really is up the phase says what was waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.model import FailureKind
from monitor.net.failure import Failure
from monitor.net.trace import Phase, Trace

_WAITING = {
    Phase.RESOLVE: "while resolving the name",
    Phase.CONNECT: "while connecting",
    Phase.TLS: "during the TLS handshake",
    Phase.PROCESSING: "while waiting for the first byte",
    Phase.TRANSFER: "while receiving the answer",
}


class Progress:
    """Which phase an exchange is in, since when, and when its patience ends.

    Use as `async with progress.timer:`, then `stop`; a TimeoutError out of it becomes
    `progress.timed_out()`.
    """

    def __init__(self, trace: Trace, monotonic: Callable[[], float], deadline: float) -> None:
        self.trace = trace
        self._monotonic = monotonic
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._end = self._until = self._loop.time() + deadline
        self._phase: Phase | None = None
        self._since = 0.0
        self._allowed = deadline
        self.timer = asyncio.timeout(None)
        self._set = self._end
        self._alarm = self._loop.call_at(self._end, self._look)

    def enter(self, phase: Phase, allowed: float | None = None) -> None:
        """End the phase before and begin this one, with `allowed` seconds; None: all that is left.

        Entering the phase it is in already changes nothing.
        """
        if phase is self._phase:
            return
        now = self._monotonic()
        self._close(now)
        self._phase, self._since = phase, now
        self._allow(allowed)

    def stop(self) -> None:
        """End the phase it is in; nothing is timed until the next one."""
        self._close(self._monotonic())
        self._phase = None
        self._alarm.cancel()

    def timed_out(self) -> Failure:
        """Say what was waited for, and for how long."""
        waiting = _WAITING[self._phase] if self._phase else "at all"
        return Failure(FailureKind.TIMEOUT, f"no answer within {self._allowed:g} s {waiting}")

    def _close(self, now: float) -> None:
        if self._phase is not None:
            self.trace.spent(self._phase, now - self._since)

    def _allow(self, allowed: float | None) -> None:
        until = self._end if allowed is None else min(self._end, self._loop.time() + allowed)
        self._allowed = self._deadline if allowed is None or until == self._end else allowed
        self._until = until
        if until < self._set:
            self._set_alarm(until)

    def _set_alarm(self, at: float) -> None:
        self._alarm.cancel()
        self._set = at
        self._alarm = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        """Take in that the alarm went off: time is up, or a later phase has longer."""
        if self._until > self._set:
            self._set_alarm(self._until)
        else:
            self.timer.reschedule(self._loop.time())
