"""The support calendar held against an official list of bank holidays, once a day.

It only tells: a difference is a log line, a metric and a caution on the overview, never a change of
when support is open, and the monitor is as ready as before. A list that cannot be read is told in
the same way; what the last comparison found stays shown until the next one succeeds.

The list is remote text. It comes through the safety layer like any answer (vetted addresses,
limits, bounded redirects), or from a file of at most the same size, and `almanac.parsed` bounds
what is in it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import structlog

from monitor.almanac import Comparison, OfficialList, compared, parsed, told
from monitor.clock import Clock
from monitor.hours import Calendar
from monitor.metrics import Metrics
from monitor.net.network import Net
from monitor.net.trace import Trace

LOG = structlog.get_logger("monitor")

EVERY = 86400
SOON = 1
"""Seconds: between two comparisons, and from the start to the first."""

MOST_BYTES = 262144
_TIMEOUT = 30.0
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "prospect-uptime-monitor",
}


class Unreadable(Exception):  # noqa: N818 - named for what the list is
    """An official list cannot be read or compared; the message says why."""


class CalendarWatch:
    """One calendar, the official list it is held against, and what that came to."""

    def __init__(
        self, calendar: Calendar, source: OfficialList, net: Net, clock: Clock, metrics: Metrics
    ) -> None:
        self._calendar, self._source = calendar, source
        self._net, self._clock, self._metrics = net, clock, metrics
        self._found: tuple[str, ...] = ()
        self._trouble: tuple[str, ...] = ()

    def cautions(self) -> tuple[str, ...]:
        """What people should look at, in sentences; empty when all is well."""
        return self._found + self._trouble

    async def compare(self) -> None:
        """Read the list and compare once; never fails."""
        try:
            found = self._compared(await _content(self._source, self._net))
        except Unreadable as error:
            self._trouble = (f"The official list of bank holidays cannot be read: {error}",)
            self._metrics.calendar_list_unreadable()
            LOG.warning("the official list of bank holidays cannot be read", reason=str(error))
            return
        self._trouble = ()
        self._found = tuple(told(each) for each in found.differences)
        self._metrics.calendar_compared(len(found.differences), self._clock.wall())
        if found.differences:
            LOG.warning(
                "the support calendar differs from the official list",
                first_year=found.first_year,
                last_year=found.last_year,
                differences=self._found,
            )

    def _compared(self, content: bytes) -> Comparison:
        return comparison(self._calendar, content, self._source.division)


def comparison(calendar: Calendar, content: bytes, division: str) -> Comparison:
    """How a calendar differs from the list that is in `content`. Raises `Unreadable`."""
    try:
        return compared(calendar, parsed(content, division))
    except ValueError as error:
        raise Unreadable(str(error)) from None


def content_of_file(path: str) -> bytes:
    """What a file of an official list holds. Raises `Unreadable`."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except ValueError:
        raise Unreadable("its path is none") from None
    if len(content) > MOST_BYTES:
        raise Unreadable(f"{path} is longer than {MOST_BYTES} bytes")
    return content


async def _content(source: OfficialList, net: Net) -> bytes:
    if source.url is None:
        return await asyncio.to_thread(content_of_file, source.file or "")
    try:
        request = httpx.Request("GET", source.url, headers=_HEADERS)
        answer = await net.exchange(None, request, Trace(), deadline=_TIMEOUT)
    except httpx.HTTPError as error:
        raise Unreadable(str(error)) from None
    if answer.status_code != httpx.codes.OK:
        raise Unreadable(f"it was answered with status {answer.status_code}")
    return answer.content
