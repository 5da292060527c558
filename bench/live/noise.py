"""Bursts that two of three vantages share, against one monitor with every rule at its default.

The transit of leeds and dublin swallows everything for 30 s, about every two minutes; london sees
the service all the time. So there is never an outage. In half of the bursts the controls are out
of reach of the two as well. The bursts fall at instants drawn from the seed.
"""

import asyncio
import random
import time
from dataclasses import dataclass

from bench.live.pair import CELLS, Pair, pair
from bench.live.rendering import SOURCES, USUAL

BURST = 30.0
APART = (60.0, 120.0)
TOLD_EVERY = 5


@dataclass(slots=True)
class Heard:
    """What came of it so far."""

    bursts: int
    seconds: float
    probes: float
    invalid: float
    incidents: list[tuple[str, str]]

    @property
    def extra(self) -> float:
        """Probes beyond the schedule, as a share of it."""
        return self.probes / (self.seconds / USUAL.interval * CELLS) - 1

    def line(self) -> str:
        impacts = [impact for impact, _ in self.incidents]
        return (
            f"{self.seconds / 60:.0f} min, {self.bursts} bursts: false ALL {impacts.count('all')}, "
            f"PARTIAL {impacts.count('some')}, BLIND {impacts.count('unknown')}, "
            f"extra probes {100 * self.extra:.1f} %, INVALID {self.invalid:.0f}"
        )


async def run(minutes: float, seed: int) -> Heard:
    """Let the bursts fall for so long, and print what came of it now and then."""
    dice = random.Random(seed)
    async with pair(rules={}) as one:
        await one.until_working()
        began, probes = time.monotonic(), await _probes(one)
        bursts = 0
        while time.monotonic() - began < 60 * minutes:
            await _burst(one, controls=dice.random() < 0.5)
            bursts += 1
            await asyncio.sleep(dice.uniform(*APART))
            heard = await _heard(one, bursts, time.monotonic() - began, probes)
            if bursts % TOLD_EVERY == 0:
                print(heard.line(), flush=True)
    for impact, scope in heard.incidents:
        print(f"declared {impact}: {scope}", flush=True)
    print(heard.line(), flush=True)
    return heard


async def _burst(one: Pair, *, controls: bool) -> None:
    switch = one.estate.async_client.switch_on
    on = [
        await switch("black_hole", vantage=SOURCES[name], controls=controls)
        for name in ("leeds", "dublin")
    ]
    await asyncio.sleep(BURST)
    await one.estate.async_client.heal(*(each.id for each in on))


async def _heard(one: Pair, bursts: int, seconds: float, before: float) -> Heard:
    incidents = [(each["impact"], each["scope"]) for each in await one.incidents()]
    invalid = await one.total("monitor_probes_total", outcome="invalid")
    return Heard(bursts, seconds, await _probes(one) - before, invalid, incidents)


async def _probes(one: Pair) -> float:
    return await one.total("monitor_probes_total", service="crm")
