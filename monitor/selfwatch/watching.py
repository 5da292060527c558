"""The one look a second, and what follows from it: see the head of the package."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from monitor.channels import CHANNELS, ChannelKind, Means
from monitor.channels.sending import answered, attempt
from monitor.delivery import SEND_SECONDS, Delivery
from monitor.engine import Engine
from monitor.metrics import Metrics, NoticeOutcome
from monitor.model import Accepted, Channel, Estate, Notice, Problem
from monitor.net.network import Net
from monitor.selfwatch import LONGEST_LOOK, SelfWatchSettings
from monitor.selfwatch.alarm import Author, Owed, SelfAlarm
from monitor.selfwatch.clock_check import ClockCheck
from monitor.selfwatch.ping import Ping
from monitor.selfwatch.signs import UNREAD_AFTER, Queues, Signs, unwell, wrong
from monitor.store import OutboxFigures

LOG = structlog.get_logger("monitor")

LOOK_EVERY = 1.0
REFRESH_EVERY = 60.0
"""Seconds: between two looks, and until receivers that forget are told again what stands."""

_REFUSED = (NoticeOutcome.RETRIED, NoticeOutcome.DEAD)


class SelfWatch:
    """One monitor as it sees itself."""

    def __init__(
        self,
        engine: Engine,
        delivery: Delivery,
        net: Net,
        metrics: Metrics,
        *,
        settings: SelfWatchSettings,
        estate: Estate,
        channels: Sequence[Channel],
        author: Author,
        random: Callable[[], float],
        kinds: Mapping[str, ChannelKind] = CHANNELS,
    ) -> None:
        """`random` returns a float in [0, 1) and spreads what is tried again."""
        clock = net.clock
        self._engine, self._delivery, self._net = engine, delivery, net
        self._clock, self._metrics, self._author = clock, metrics, author
        self._channels, self._random, self._kinds = channels, random, kinds
        self._clock_check = ClockCheck(estate, net, metrics)
        self._ping = Ping(settings.ping, net, metrics, self.unwell) if settings.ping else None
        self._alarm = SelfAlarm(channels, author)
        self._queues = Queues()
        self._outbox: OutboxFigures | None = None
        self._outbox_at = self._looked_at = self._refreshed_at = clock.monotonic()
        self._dropped = 0
        self._signs = Signs()
        self._shown: frozenset[Problem] = frozenset()

    def unwell(self) -> tuple[str, ...]:
        """Why the monitor cannot be relied on, by the last look and what the engine says now."""
        signs = replace(self._signs, overdue=self._engine.overdue())
        return unwell(signs, self._engine.not_ready())

    def outbox(self, figures: OutboxFigures) -> None:
        """Take in how the outbox stands now."""
        self._outbox, self._outbox_at = figures, self._clock.monotonic()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._clock_check.run())
            if self._ping is not None:
                group.create_task(self._ping.run())
            while True:
                self.look()
                for owed in self._alarm.owed(self._clock.now()):
                    group.create_task(self._send(owed))
                if self._clock.monotonic() - self._refreshed_at >= REFRESH_EVERY:
                    self._refreshed_at = self._clock.monotonic()
                    group.create_task(self._refresh())
                await asyncio.sleep(LOOK_EVERY)

    def look(self) -> None:
        """Look once: what is wrong, what of it is an alarm, and what the metrics show of it."""
        now = self._clock.now()
        passed = min(now.mono - self._looked_at, LONGEST_LOOK)
        self._looked_at = now.mono
        unread = now.mono - self._outbox_at
        due = self._outbox.next_due if self._outbox and unread <= UNREAD_AFTER else {}
        self._signs = Signs(
            stuck=self._queues.look(due, self._refused(), now.at, passed),
            outbox_unread=unread,
            store_trouble=self._engine.store_trouble(),
            blind=self._engine.blind(),
            clock_off=self._clock_check.off,
        )
        found = wrong(self._signs).items()
        said = {problem: self._net.redactor.text(text) for problem, text in found}
        self._alarm.look(said, now, passed)
        self._show()

    def _refused(self) -> Counter[str]:
        """How many attempts were refused so far, by channel."""
        refused = Counter[str]()
        for (channel, outcome), count in self._delivery.figures().attempts.items():
            refused[channel] += count if outcome in _REFUSED else 0
        return refused

    def _show(self) -> None:
        dropped = self._engine.results_dropped
        self._metrics.results_dropped(dropped - self._dropped)
        self._dropped = dropped
        self._metrics.changes_waiting(self._engine.changes_waiting)
        self._metrics.self_alarms(self._alarm.open)
        for problem in self._alarm.open - self._shown:
            LOG.error("the monitor raises an alarm about itself", problem=problem.value)
        for problem in self._shown - self._alarm.open:
            LOG.info("the monitor's alarm about itself is over", problem=problem.value)
        self._shown = self._alarm.open

    async def _send(self, owed: Owed) -> None:
        means = Means(self._net, owed.known, self._author.public_url)
        answer = await attempt(owed.notice, owed.channel, self._kinds, means, SEND_SECONDS)
        sent = isinstance(answer, Accepted)
        self._metrics.notice(owed.channel.name, NoticeOutcome.SENT if sent else _REFUSED[0])
        LOG.info(
            "alarm sent" if sent else "an alarm was not accepted",
            problem=owed.problem.value,
            channel=owed.channel.name,
            action=owed.notice.action,
            reason=None if sent else self._net.redactor.text(str(answer)),
        )
        self._alarm.answered(owed, answer, self._clock.now(), self._random())

    async def _refresh(self) -> None:
        """Tell receivers that forget what stands; what they make of it is told by the next."""
        standing: defaultdict[str, list[Notice]] = defaultdict(list)
        for channel, notice in self._alarm.standing(self._clock.monotonic()):
            standing[channel.name].append(notice)
        means = Means(self._net, None, self._author.public_url)
        for channel in self._channels:
            refresh = self._kinds[channel.kind].refresh
            if refresh is not None and standing[channel.name]:
                again = refresh(standing[channel.name], channel.options, means)
                await answered(again, SEND_SECONDS)
