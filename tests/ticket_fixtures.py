"""What the tests of ticket channels are made of: a desk that gets notices as delivery sends them.

`delivered` tries a notice until it is accepted, as `monitor.delivery` does: each attempt is counted
and knows the last error, and the pause that was asked for passes. `life` are the notices of an
incident from its trigger to its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from monitor.channels import CHANNELS, Means
from monitor.config import load
from monitor.model import Accepted, Action, Channel, DeliveryError, Message, Notice, Reporter
from monitor.net.network import Net
from tests.outbox_fixtures import SECRET, Watch, incident, network, notice
from tests.receivers.tracker import LOST, Tracker

ACTIONS = (Action.TRIGGER, Action.UPDATE, Action.ACKNOWLEDGE, Action.RESOLVE)
CRM = "https://crm.example.com/"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
"""One character to a reader, of five code points and eight UTF-16 units."""

ACCENTED = "e\u0301"
HOSTILE = (
    "``` \n~~~\n@team #12 [x](https://bad.example) <!-- --> <img src=x> {{ticket.id}} {% if %}\n"
    "# heading\n| a | b |\n\x00\x1b[31m \ud800 \u2028 \r\n ````````` fixes acme/ops#1"
)


@dataclass
class Desk:
    """A receiver's `state` behind its `tracker`, and a channel of `options` that sends to it."""

    kind: str
    options: Any
    state: Any
    tracker: Tracker
    watch: Watch
    net: Net
    killed: bool = False

    async def send(self, said: Notice, known: Accepted | None = None) -> Accepted:
        """One attempt, the first unless the notice says otherwise."""
        said = replace(said, attempts=max(said.attempts, 1))
        return await CHANNELS[self.kind].send(said, self.options, Means(self.net, known))

    async def delivered(self, said: Notice, known: Accepted | None = None) -> Accepted:
        """Try until it is accepted. Where we are `killed`, no lost answer is ever written down."""
        error = None
        for attempt in range(1, 12):
            try:
                return await self.send(replace(said, attempts=attempt, last_error=error), known)
            except DeliveryError as failed:
                if failed.permanent:
                    pytest.fail(f"given up: {failed}")
                if failed.retry_after is not None or not self.killed:
                    error = str(failed)
                self.watch.passes(failed.retry_after or 5.0)
        pytest.fail(f"never accepted: {error}")

    async def told(self, *notices: Notice) -> Accepted:
        """Deliver these in order; each knows what the first was answered."""
        known = None
        for said in notices:
            accepted = await self.delivered(said, known)
            known = known or accepted
        return known


@asynccontextmanager
async def desk_of(kind: str, make_state: Any, serve: Any, make_options: Any) -> AsyncIterator[Desk]:
    """A desk whose state is made of a clock and whose options are made of its address."""
    watch = Watch()
    net, state = network(watch), make_state(lambda: watch.at)
    async with serve(state) as tracker:
        yield Desk(kind, make_options(tracker.url), state, tracker, watch, net)
    await net.aclose()


def life(number: int = 1, **changes: Any) -> list[Notice]:
    about = incident(number, **changes)
    return [notice(about, "desk", action, seq) for seq, action in enumerate(ACTIONS, 1)]


def saying(headline: str, *lines: str, action: Action = Action.TRIGGER) -> Notice:
    """A notice of incident 1 that says this."""
    said = notice(incident(), "desk", action)
    return replace(said, message=replace(said.message, headline=headline, lines=lines))


def alarm(action: Action = Action.TRIGGER, seq: int = 1) -> Notice:
    """A notice of the monitor about itself: it has no incident."""
    said = notice(incident(9), "desk", action, seq, incident_id=None)
    message = Message("The monitor cannot see", ("Its network is down.",), None)
    return replace(said, message=message)


def telling(name: str = "digest-1", reporter: Reporter | None = None) -> Notice:
    """A notice about no alert: a digest, or for a customer who reported something."""
    message = Message(f"About {name}", ("Nothing to do.",), None, report=reporter)
    named = {"key": f"monitor:{name}:desk", "dedup_key": f"monitor:{name}"}
    return replace(alarm(Action.TELL), message=message, **named)


async def refusal(desk: Desk, said: Notice, known: Accepted | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await desk.send(said, known)
    return caught.value


async def survives_lost_answers(
    opened: Callable[[], Any],
    outcome: Callable[[Desk], object],
    notices: list[Notice],
    *,
    at_once: int = 2,
    refused: Sequence[str] = (),
) -> None:
    """What becomes of `notices` is the same whichever answers are lost, and if we are killed too.

    The receiver refuses nothing but what holds one of `refused`. Every choice of up to `at_once`
    requests is tried, as far as the requests go without a fault.
    """
    async with opened() as desk:
        await desk.told(*notices)
        expected, count = outcome(desk), len(desk.tracker.requests)
    for several in range(1, at_once + 1):
        for lost in combinations(range(1, count + several), several):
            for killed in (False, True):
                async with opened() as desk:
                    desk.killed = killed
                    desk.tracker.faults = dict.fromkeys(lost, LOST)
                    await desk.told(*notices)
                    assert outcome(desk) == expected, (lost, killed, desk.tracker.asked())
                    assert all(
                        any(each in told for each in refused) for told in desk.tracker.refusals
                    )


def documented(kind: str, folder: Path) -> Channel:
    """The channel of the example in a kind's page, as the configuration reads it."""
    page = (Path(__file__).parent.parent / "docs" / "channels" / f"{kind}.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = folder / "checks.yaml"
    file.write_text(f"{example}services: {{crm: {{checks: [{{name: up, url: '{CRM}'}}]}}}}\n")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), SECRET.reveal())
    (channel,) = load(file, environ).channels
    return channel


def written(said: object) -> str:
    return json.dumps(said, ensure_ascii=False)
