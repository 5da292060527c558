"""Our wall clock against the time that the http controls have.

A wrong clock moves every time that people are told, and the opening of support with it. Whoever
answers over HTTP says in `Date` what time it is (RFC 9110, 6.6.1), so up to `ASKED` controls are
asked once an hour, and the median of what they say is believed.

`Date` counts whole seconds, cut off: the instant meant is taken to be half a second later. It is
compared with the middle of the exchange, and `Age` is added where a cache kept the answer. So one
control is right to about a second and half its answer time; ours is wrong from five seconds on.

A control that does not answer, or without a `Date`, says nothing. Where none says anything, what
was found before stays.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

import httpx
import structlog

from monitor.metrics import Metrics
from monitor.model import Estate, Vantage
from monitor.net.failure import Unable
from monitor.net.hop import Wishes
from monitor.net.network import Net
from monitor.net.trace import Trace
from monitor.selfwatch.signs import CLOCK_OFF

LOG = structlog.get_logger("monitor")

ASKED = 3
FIRST_AFTER = 5.0
EVERY = 3600.0
AGAIN = 300.0
"""Seconds: from the start to the first comparison, to the next, and to the next while it is off."""

_TIMEOUT = 10.0
_HALF_SECOND = timedelta(milliseconds=500)
_HEADERS = {"accept-encoding": "identity", "user-agent": "prospect-uptime-monitor"}
_WISHES = Wishes(follow_redirects=False)


class ClockCheck:
    """Asks the http controls of an estate what time it is, from its first vantage."""

    def __init__(self, estate: Estate, net: Net, metrics: Metrics) -> None:
        self._vantage: Vantage = estate.vantages[0]
        self._urls = http_controls(estate)
        self._net, self._clock, self._metrics = net, net.clock, metrics
        self.off: float | None = None

    async def run(self) -> None:
        """Compare every so often until cancelled."""
        await asyncio.sleep(FIRST_AFTER)
        while True:
            await self.compare()
            wrong = self.off is not None and abs(self.off) > CLOCK_OFF
            await asyncio.sleep(AGAIN if wrong else EVERY)

    async def compare(self) -> None:
        """Ask once; `off` is then by how many seconds our clock is ahead. Never fails."""
        asked = await asyncio.gather(*(self._offset(url) for url in self._urls))
        offsets = [offset for offset in asked if offset is not None]
        if not offsets:
            return
        self.off = median(offsets)
        self._metrics.clock_compared(self.off, self._clock.wall())
        if abs(self.off) > CLOCK_OFF:
            LOG.error("the clock is wrong", seconds_ahead=round(self.off, 1), asked=len(offsets))

    async def _offset(self, url: str) -> float | None:
        request = httpx.Request("GET", url, headers=_HEADERS)
        sent = self._clock.now()
        try:
            answer = await self._net.exchange(
                self._vantage, request, Trace(), deadline=_TIMEOUT, wishes=_WISHES
            )
        except (httpx.HTTPError, Unable):
            return None
        took = self._clock.monotonic() - sent.mono
        return offset(answer.headers, sent.at + timedelta(seconds=took / 2))


def http_controls(estate: Estate) -> Sequence[str]:
    """The addresses of the first http controls."""
    controls = [check for check in estate.controls if check.kind == "http"]
    return [check.targets[0].address for check in controls[:ASKED]]


def offset(headers: httpx.Headers, at: datetime) -> float | None:
    """By how many seconds `at` is later than what an answer calls the time; None: it does not."""
    try:
        said = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    said = said if said.tzinfo else said.replace(tzinfo=UTC)
    age = headers.get("age", "")
    kept = int(age) if re.fullmatch(r"[0-9]{1,9}", age) else 0
    return (at - said - _HALF_SECOND).total_seconds() - kept
