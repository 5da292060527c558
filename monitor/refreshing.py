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

from monitor.channels import CHANNELS, ChannelKind, Means
from monitor.channels.kind import REFRESH_EVERY
from monitor.clock import Clock
from monitor.model import Channel, DeliveryError
from monitor.net.network import Net
from monitor.store import Store, StoreUnavailable

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
            since = self._clock.wall() - SETTLING
            standing = await self._store.standing(channel.name, since)
            async with asyncio.timeout(self._every):
                if standing:
                    await refresh(standing, channel.options, self._means)
        except (DeliveryError, StoreUnavailable) as error:
            self.failures[channel.name] = self._net.redactor.text(str(error))
        except TimeoutError:
            self.failures[channel.name] = f"no answer within {self._every:g} s"
        else:
            self.failures.pop(channel.name, None)
