"""The monitor's alarm about itself: what each on-call channel is owed, and what became of it.

It does not go through the outbox. A notice is made in memory, sent as delivery sends one, and
tried again with delivery's pauses. What a channel is owed of a problem:

    the alarm is open    it has no trigger, or its last is an hour old    a trigger
    the alarm is over    it was sent a trigger, answered or not           a resolve, for a day
    else                                                                  nothing

An alarm opens when its problem has lasted long enough (`signs.LASTING`), and is over once the
problem has stayed away for `CALM`; for an hour, if it had come back within an hour. So a problem
that comes and goes pages twice in an hour, not every minute.

The alarm of a problem has one `dedup_key` for good: a process that finds it again after a restart
tells it again under the same. `seq` is the second it was told in, which a key needs: without the
store nobody knows how many there were before. An alarm that was open when the process ended and
is over when the next one begins stays open at its receivers until a person closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.channels.sending import pause
from monitor.clock import Now
from monitor.delivery import PATIENCE
from monitor.model import (
    Accepted,
    Action,
    Channel,
    DeliveryError,
    Message,
    Notice,
    Problem,
    Role,
)
from monitor.selfwatch.signs import LASTING, Lasting

AGAIN = 3600.0
CALM = 10.0
JUST_OVER = 300.0
"""Seconds from one trigger to the next, without a problem until its alarm is over, and for which
an alarm counts as just over."""

WORDS = {
    Problem.STORE: (
        "MONITOR: its store cannot be written",
        "The store cannot be written",
        "Probing goes on, but incidents that open now wait for the store, and so do their notices.",
    ),
    Problem.OUTBOX: (
        "MONITOR: notices are not going out",
        "The outbox is stuck",
        "Incidents are opened and recorded, but people are not told of them on these channels.",
    ),
    Problem.BLIND: (
        "MONITOR: it cannot see",
        "The monitor is blind",
        "Nothing can be told of any service until its own way to the network works again.",
    ),
    Problem.CLOCK: (
        "MONITOR: its clock is wrong",
        "The clock is wrong",
        "Outages are found as before, but the times told and the support hours are off by as much.",
    ),
}
"""The first line of a trigger, what is wrong as a sentence begins, and what follows from it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who speaks: this instance of the monitor, where people reach it, and its ids."""

    instance: str
    public_url: str
    mint: Callable[[datetime], str]


@dataclass(slots=True)
class _Alarm:
    """One problem: since when its alarm is open (None: it is not), and how it came and went."""

    said: str = ""
    opened: Now | None = None
    seen_at: float = float("-inf")
    over_at: float = float("-inf")
    calm: float = CALM

    def look(self, said: str | None, now: Now) -> None:
        """`said` is what is wrong and has lasted, None while nothing is."""
        if said is not None:
            self.said, self.seen_at = said, now.mono
            if self.opened is None:
                self.calm = AGAIN if now.mono - self.over_at < AGAIN else CALM
                self.opened = now
        elif self.opened is not None and now.mono - self.seen_at >= self.calm:
            self.opened, self.over_at = None, now.mono


@dataclass(slots=True)
class _Told:
    """What one channel was told of one problem."""

    channel: Channel
    notice: Notice | None = None
    open: bool = False
    accepted_at: float = float("-inf")
    try_at: float = float("-inf")
    sending: bool = False
    known: Accepted | None = None
    last: Notice | None = None
    last_at: float = float("-inf")

    def waits(self, action: Action, now: float) -> bool:
        """Whether it is too early to try again; another action than the last waits for nothing."""
        return self.notice is not None and self.notice.action is action and now < self.try_at


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that is to be sent now, and what its receiver calls the alarm, if it said."""

    problem: Problem
    channel: Channel
    notice: Notice
    known: Accepted | None


class SelfAlarm:
    """The alarms of one monitor about itself. Pure but for what it remembers."""

    def __init__(self, channels: Sequence[Channel], author: Author) -> None:
        """All of `channels` that reach on-call are told."""
        self._author = author
        self._lasting: Lasting[Problem] = Lasting()
        self._alarms = {problem: _Alarm() for problem in Problem}
        reached = [channel for channel in channels if Role.ON_CALL in channel.roles]
        self._told = {
            (problem, channel.name): _Told(channel) for problem in Problem for channel in reached
        }
        self._last_seq = 0

    @property
    def open(self) -> frozenset[Problem]:
        """The problems whose alarm is open."""
        return frozenset(p for p, alarm in self._alarms.items() if alarm.opened is not None)

    def look(self, wrong: Mapping[Problem, str], now: Now, passed: float) -> None:
        """Open and end alarms by what is wrong now; `passed` watched seconds since the last."""
        lasted = self._lasting.look(wrong, passed)
        for problem, alarm in self._alarms.items():
            lasts = problem in wrong and (
                alarm.opened is not None or lasted[problem] >= LASTING[problem]
            )
            alarm.look(wrong[problem] if lasts else None, now)

    def owed(self, now: Now) -> list[Owed]:
        """What is to be sent now; each is under way from here on until `answered`."""
        due = []
        for (problem, _), told in self._told.items():
            action = self._action(self._alarms[problem], told, now)
            if action is None or told.sending or told.waits(action, now.mono):
                continue
            told.notice = self._notice(problem, told, action, now)
            told.sending = True
            due.append(Owed(problem, told.channel, told.notice, told.known))
        return due

    def _action(self, alarm: _Alarm, told: _Told, now: Now) -> Action | None:
        under_way = told.notice.action if told.notice is not None else None
        if alarm.opened is None:
            given_up = now.mono - alarm.over_at >= PATIENCE.total_seconds()
            return Action.RESOLVE if (told.open or under_way) and not given_up else None
        # A resolve that was tried may have arrived, although its answer did not.
        again = now.mono - told.accepted_at >= AGAIN or under_way is Action.RESOLVE
        return Action.TRIGGER if not told.open or again else None

    def answered(self, owed: Owed, answer: Accepted | DeliveryError, now: Now, dice: float) -> None:
        """What became of a notice; `dice` in [0, 1) spreads the next attempt."""
        told = self._told[owed.problem, owed.channel.name]
        told.sending = False
        if isinstance(answer, DeliveryError):
            wish = None if answer.permanent else answer.retry_after
            told.try_at = now.mono + pause(owed.notice.attempts, wish, dice)
            return
        told.open = owed.notice.action is Action.TRIGGER
        told.accepted_at = now.mono if told.open else float("-inf")
        told.last, told.last_at = owed.notice, now.mono
        told.try_at = float("-inf")
        told.notice = None
        if not told.open:
            told.known = None
        elif answer.remote_id is not None:
            told.known = told.known or answer

    def standing(self, now: float) -> list[tuple[Channel, Notice]]:
        """The last notice that each channel took of an alarm which is open or just over."""
        return [
            (told.channel, told.last)
            for told in self._told.values()
            if told.last is not None and (told.open or now - told.last_at < JUST_OVER)
        ]

    def _notice(self, problem: Problem, told: _Told, action: Action, now: Now) -> Notice:
        """The next attempt of the notice under way, or the first of a new one."""
        if told.notice is not None and told.notice.action is action:
            return replace(told.notice, attempts=told.notice.attempts + 1)
        self._last_seq = max(self._last_seq + 1, int(now.at.timestamp()))
        dedup_key = f"{self._author.instance}:self:{problem}"
        return Notice(
            id=self._author.mint(now.at),
            incident_id=None,
            channel=told.channel.name,
            action=action,
            seq=self._last_seq,
            key=f"{dedup_key}:{told.channel.name}:{action}:{self._last_seq}",
            dedup_key=dedup_key,
            message=self._message(problem, action, now),
            created_at=now.at,
            due_at=now.at,
            attempts=1,
        )

    def _message(self, problem: Problem, action: Action, now: Now) -> Message:
        headline, begins, follows = WORDS[problem]
        alarm = self._alarms[problem]
        links = {"Monitor": self._author.public_url} if self._author.public_url else {}
        if action is Action.RESOLVE:
            since = now.wall_of(alarm.seen_at)
            lines = (f"{begins} no longer, since {since:%Y-%m-%d %H:%M:%SZ}.",)
            return Message(headline.replace("MONITOR:", "MONITOR, over:"), lines, None, links)
        opened = alarm.opened or now
        since = now.wall_of(opened.mono)
        said = f"{begins}: {alarm.said}"
        return Message(headline, (said, f"Since {since:%Y-%m-%d %H:%M:%SZ}.", follows), None, links)
