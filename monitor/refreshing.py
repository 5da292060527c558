"""Telling receivers again what stands, where they forget what they are not told of.

Theory of operation. The outbox says each thing once. A receiver such as Alertmanager keeps an alert
only for as long as it is told of it, so every REFRESH_EVERY seconds each channel of such a kind is
told once more of all its alerts that are open, as they were last sent there, and for SETTLING of
those that have ended. What was not sent yet is not told: that is the outbox's to do, in order.

Nothing depends on one refresh. One that fails is kept for people to see, and the next one is due;
one that hangs holds up its own channel only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from monitor.channels import CHANNELS, ChannelKind, Means
from monitor.channels.kind import REFRESH_EVERY
from monitor.channels.sending import answered
from monitor.clock import Clock
from monitor.model import Channel
from monitor.net.network import Net
from monitor.store import Store, StoreUnavailable

LOG = structlog.get_logger("monitor.refreshing")

SETTLING = timedelta(minutes=5)
"""How long after its end an alert is still told of: a peer that was away must learn of that."""


class Refreshing:
    """Refreshes those of `channels` whose kind asks for it."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        net: Net,
        clock: Clock,
        *,
        public_url: str = "",
        kinds: Mapping[str, ChannelKind] = CHANNELS,
        every: float = REFRESH_EVERY,
    ) -> None:
        self._store, self._net, self._clock = store, net, clock
        self._kinds, self._every = kinds, every
        self._means = Means(net, public_url=public_url)
        self._channels = [c for c in channels.values() if kinds[c.kind].refresh is not None]
        self.failures: dict[str, str] = {}

    async def run(self) -> None:
        """Refresh until cancelled."""
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(self._keep_up(channel))

    async def _keep_up(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(self._every)
            await self.refresh(channel)

    async def refresh(self, channel: Channel) -> None:
        """Tell a channel once of what stands there; `failures` says why that was not possible."""
        refresh = self._kinds[channel.kind].refresh
        if refresh is None:
            return
        try:
            standing = await self._store.standing(channel.name, self._clock.wall() - SETTLING)
        except StoreUnavailable as error:
            self._note(channel, str(error))
            return
        if standing:
            sending = refresh(standing, channel.options, self._means)
            answer = await answered(sending, self._every)
            self._note(channel, None if answer is None else str(answer))

    def _note(self, channel: Channel, error: str | None) -> None:
        """Keep why a refresh failed, and say so once, as when it works again."""
        failed = channel.name in self.failures
        if error is not None:
            self.failures[channel.name] = self._net.redactor.text(error)
            if not failed:
                LOG.warning(
                    "alerts were not refreshed",
                    channel=channel.name,
                    reason=self.failures[channel.name],
                )
        elif failed:
            del self.failures[channel.name]
            LOG.info("alerts are refreshed again", channel=channel.name)
