"""Acceptance tests in Alertmanager's manner: the real program, receivers that collect, and nothing
but what is expected.

    async with playing(folder, estate, pager="on_call", desk="service_desk") as play:
        play.breaks("refuse")
        await play.expects(Between(0, 10), "pager: trigger", "desk: trigger")
        play.heals()
        await play.expects(Between(1, 15), "pager: update", "desk: update")

Seconds count from the last thing that was done. What is expected of one channel comes in that
order. When the block ends the outbox is waited for, and any message that was not expected is a
failure. Channels may be given more settings: `boss="on_call, after: 2s"`.
"""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from monitor.net.secret import Secret
from tests.receivers.webhook import Receiver, webhook_receiver
from tests.running import SECRET, TOKEN, Running, monitor, write_config

AUTHORITY = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Between:
    """Not sooner and not later than so many seconds after what was done last."""

    earliest: float
    latest: float


@dataclass
class Play:
    """One run of the program: what was done, and what came of it at each channel."""

    running: Running
    estate: Any
    receivers: dict[str, Receiver]
    began: float = 0.0
    expected: dict[str, list[str]] = field(default_factory=dict)

    def _acts(self) -> None:
        self.began = time.monotonic()

    def breaks(self, fault: str, **where: str) -> None:
        """The CRM fails in this way from now on, or a part of it."""
        self.estate.client.switch_on(fault, service="crm", **where)
        self._acts()

    def heals(self) -> None:
        """It works again from now on."""
        self.estate.client.heal()
        self._acts()

    async def acknowledges(self, by: str) -> None:
        """A person acknowledges the newest incident."""
        await self._posts("acknowledge", {"by": by})

    async def silences(self, by: str) -> None:
        """A person silences the newest incident for an hour."""
        await self._posts("silence", {"by": by, "reason": "known", "minutes": 60})

    async def _posts(self, move: str, body: dict[str, Any]) -> None:
        number = (await self.running.incidents())[-1]["number"]
        path = f"/api/v1/incidents/{number}/{move}"
        self._acts()
        answer = await self.running.client.post(path, json=body, headers=AUTHORITY)
        answer.raise_for_status()

    async def expects(self, when: Between, *messages: str) -> None:
        """Wait for the next message of each of these channels, and see that it is this one."""
        for message in messages:
            channel, _, action = message.partition(": ")
            wanted = self.expected.setdefault(channel, [])
            wanted.append(action)
            await self.receivers[channel].received(len(wanted), within=when.latest)
            took = time.monotonic() - self.began
            assert self.actions(channel)[: len(wanted)] == wanted, (channel, took)
            assert when.earliest <= took <= when.latest, f"{message} came after {took:.2f} s"

    def actions(self, channel: str) -> list[str]:
        """What one channel was sent, in order."""
        return [arrival.action for arrival in self.receivers[channel].arrivals]

    async def nothing_more(self) -> None:
        """Wait until nothing is owed any more; what came besides is a failure."""

        async def settled():
            answer = await self.running.client.get("/api/v1/notices", headers=AUTHORITY)
            owed = answer.raise_for_status().json()["notices"]
            return all(each["state"] == "dead" for each in owed)

        await self.running.until("nothing is owed", settled)
        for channel in self.receivers:
            assert self.actions(channel) == self.expected.get(channel, []), channel


@asynccontextmanager
async def playing(folder, estate, answers=None, **channels: str) -> AsyncIterator[Play]:
    """The program over the estate, with a webhook for each channel; `answers` are by channel.

    At the end everything has arrived, and nothing but what was expected.
    """
    async with started(folder, estate, answers, **channels) as play:
        yield play
        await play.nothing_more()
        await play.running.ends(signal.SIGTERM)


@asynccontextmanager
async def started(folder, estate, answers=None, **channels: str) -> AsyncIterator[Play]:
    """As `playing`, whatever is left over at the end."""
    async with AsyncExitStack() as stack:
        receivers = {
            name: await stack.enter_async_context(
                webhook_receiver(
                    Secret(SECRET),
                    lambda: datetime.now(UTC),  # noqa: TID251 - the receiver's own clock
                    *(answers or {}).get(name, ()),
                )
            )
            for name in channels
        }
        path, url = write_config(folder, estate.ports, "http://127.0.0.1:1/")
        *kept, _, last = path.read_text().rpartition("channels:\n")
        assert last.count("\n") <= 2
        path.write_text("".join((*kept, "channels:\n", *_lines(channels, receivers))))
        running = await stack.enter_async_context(monitor(path, url))
        await running.until_ready()
        yield Play(running, estate, receivers)


def _lines(channels: dict[str, str], receivers: dict[str, Receiver]) -> Iterator[str]:
    """The channels as a configuration has them."""
    for name, said in channels.items():
        roles, _, more = said.partition(", ")
        settings = f", {more}" if more else ""
        yield (
            f'  {name}: {{kind: webhook, roles: {roles}, url: "{receivers[name].url}", '
            f'secret: "${{TEST_SECRET}}"{settings}}}\n'
        )
