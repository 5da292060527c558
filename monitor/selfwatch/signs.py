"""What the monitor sees of itself at one look, and what that means. Pure.

A queue is stuck when the notice at its head stays the same for `STUCK_AFTER` although it is due,
and nothing its receiver said is the reason: every refusal moves the head's time on or is counted,
and either begins the time anew. A receiver that refuses is not our failure, and is told of in
another way; a head that nobody even tries to send is.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from monitor.model import Problem

STUCK_AFTER = 300.0
UNREAD_AFTER = 30.0
CLOCK_OFF = 5.0
"""Seconds: of a queue that does not move, of an outbox that cannot be read, of a wrong clock."""

LASTING = {
    Problem.STORE: 10.0,
    Problem.OUTBOX: 0.0,
    Problem.BLIND: 300.0,
    Problem.CLOCK: 0.0,
}
"""Seconds that something is wrong before an alarm is raised, on top of what it takes to be seen:
a store is in trouble ten seconds after its last write, a queue stuck after `STUCK_AFTER`."""

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Signs:
    """One look.

    `overdue` is how many cells were last probed too long ago; `stuck` says by channel for how many
    seconds its queue has not moved; `outbox_unread` is how long ago (s) the outbox was last read.
    `store_trouble` says why nothing can be written, `clock_off` by how many seconds our clock is
    ahead, None where nobody has told.
    """

    overdue: int = 0
    stuck: Mapping[str, float] = field(default_factory=dict)
    outbox_unread: float = 0.0
    store_trouble: str | None = None
    blind: bool = False
    clock_off: float | None = None


def unwell(signs: Signs, not_ready: Iterable[str] = ()) -> tuple[str, ...]:
    """Why the monitor cannot be relied on, in sentences; empty while it works.

    `not_ready` are the engine's own reasons, among them its store, its sight and its ticks.
    """
    reasons = list(not_ready)
    if signs.overdue:
        reasons.append(f"{signs.overdue} cells have not been probed for too long")
    if signs.outbox_unread > UNREAD_AFTER:
        reasons.append(f"the outbox could not be read for {signs.outbox_unread:.0f} s")
    reasons += _stuck(signs)
    return tuple(reasons)


def wrong(signs: Signs) -> dict[Problem, str]:
    """What is wrong now, however short, and in which words.

    Without its store nothing can be delivered: then the store is what is wrong, and not the outbox.
    """
    found: dict[Problem, str] = {}
    if signs.store_trouble is not None:
        found[Problem.STORE] = signs.store_trouble
    elif stuck := _stuck(signs):
        found[Problem.OUTBOX] = "; ".join(stuck)
    if signs.blind:
        found[Problem.BLIND] = "no vantage's control targets answer"
    if signs.clock_off is not None and abs(signs.clock_off) > CLOCK_OFF:
        way = "ahead of" if signs.clock_off > 0 else "behind"
        found[Problem.CLOCK] = f"it is {abs(signs.clock_off):.0f} s {way} the controls' clocks"
    return found


def _stuck(signs: Signs) -> list[str]:
    return [
        f"the notices of {channel} have not moved for {seconds:.0f} s"
        for channel, seconds in sorted(signs.stuck.items())
        if seconds >= STUCK_AFTER
    ]


class Lasting(Generic[K]):
    """For how many watched seconds each of several things has been so."""

    def __init__(self) -> None:
        self._seconds: dict[K, float] = {}

    def look(self, so: Collection[K], passed: float) -> Mapping[K, float]:
        """What is so now and for how long; what is not so begins anew. `passed` since the last."""
        self._seconds = {
            key: self._seconds[key] + passed if key in self._seconds else 0.0 for key in so
        }
        return self._seconds


class Queues:
    """For how long the queue of each channel has not moved."""

    def __init__(self) -> None:
        self._heads: Lasting[tuple[str, datetime, int]] = Lasting()

    def look(
        self,
        due: Mapping[str, datetime],
        refused: Mapping[str, int],
        now: datetime,
        passed: float,
    ) -> dict[str, float]:
        """Seconds by channel that has something due: since its head or its refusals changed.

        `due` is when the first notice that may be sent was or will be due, `refused` how many
        attempts have been refused so far, both by channel.
        """
        heads = [(name, at, refused.get(name, 0)) for name, at in due.items() if at <= now]
        return {name: seconds for (name, _, _), seconds in self._heads.look(heads, passed).items()}
