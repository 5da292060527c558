"""The call that somebody elsewhere misses when the monitor is gone, or no longer works.

Every `every` seconds the address is asked by GET, but only while nothing is unwell. A 2xx is an
answer; anything else is logged and counted, and the next call is made in its time. What is called
keeps its own watch: it raises an alarm when no call has come for a few times as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import httpx
import structlog

from monitor.metrics import Metrics, PingOutcome
from monitor.net.network import Net
from monitor.selfwatch import PingSettings

LOG = structlog.get_logger("monitor")


class Ping:
    """The calls to one address. `unwell` says why none is to be made now; empty: one is."""

    def __init__(
        self,
        settings: PingSettings,
        net: Net,
        metrics: Metrics,
        unwell: Callable[[], Sequence[str]],
    ) -> None:
        self._settings, self._net, self._clock = settings, net, net.clock
        self._metrics, self._unwell = metrics, unwell
        self._said: str | None = None

    async def run(self) -> None:
        """Call every so often until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._settings.every)

    async def once(self) -> PingOutcome:
        """Call once, or not; never fails."""
        reasons = tuple(self._unwell())
        trouble = "; ".join(reasons) or await self._asked()
        if reasons:
            outcome = PingOutcome.WITHHELD
        else:
            outcome = PingOutcome.FAILED if trouble else PingOutcome.SENT
        self._metrics.ping(outcome, self._clock.wall())
        if outcome is not self._said:
            self._tell(outcome, trouble)
        self._said = outcome
        return outcome

    async def _asked(self) -> str | None:
        """Why the call did not succeed; None when it did."""
        url, timeout = self._settings.url.reveal(), self._settings.timeout
        try:
            async with asyncio.timeout(timeout), self._net.client(timeout) as client:
                answer = await client.get(url)
        except httpx.HTTPError as error:
            return self._net.redactor.text(str(error)) or type(error).__name__
        except TimeoutError:
            return f"no answer within {timeout:g} s"
        return None if answer.is_success else f"it was answered with status {answer.status_code}"

    def _tell(self, outcome: PingOutcome, trouble: str | None) -> None:
        if outcome is PingOutcome.SENT:
            LOG.info("the ping was answered")
        else:
            LOG.warning("there was no ping", outcome=outcome.value, reason=trouble)
