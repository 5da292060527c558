"""The monitor watches itself, and says so when it cannot be relied on.

Theory of operation. Four things look, each at what the others cannot see:

    watchdog     a thread, at the event loop: held for long, its stack is logged; for longer, the
                 process ends, so that its supervisor starts it anew
    self-alarm   the event loop, at the store, the outbox, its sight and its clock: what is wrong
                 for long is told to on-call at once, past the outbox, which may be what is stuck
    clock check  once an hour, at the time that the http controls have
    ping         somebody else, at all of it: an address elsewhere is called while the monitor
                 truly works, and raises an alarm when the calls stay away

What is seen is gathered into `Signs` by one look a second and judged there by pure functions:
`unwell` says why the monitor cannot be relied on, in sentences, and feeds the ping and `/readyz`;
`wrong` says what an alarm is to be raised about.

Time counts as far as it was watched: a look that comes late, because the process was stopped or
its host slept, adds no more than `LONGEST_LOOK` to whatever lasts. So waking up is no alarm.

Nothing here needs the store, and nothing here changes what is probed, judged or delivered.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.net.secret import Secret

LONGEST_LOOK = 2.0
"""Seconds: the most that one look adds to how long something has lasted."""


@dataclass(frozen=True, slots=True)
class PingSettings:
    """Who is called while the monitor works: where, how often, and the time it has to answer.

    `url` is secret because whoever knows it can keep the other side quiet. Seconds.
    """

    url: Secret
    every: float = 60.0
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.timeout >= self.every:
            raise ValueError("timeout: must be shorter than `every`")


@dataclass(frozen=True, slots=True)
class SelfWatchSettings:
    """How the monitor is watched; without `ping` nobody elsewhere notices that it is gone."""

    ping: PingSettings | None = None
