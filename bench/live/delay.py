"""From a fault to the page, with the real daemon, at the usual 30 s interval.

Several pairs of a monitor and an estate run side by side, each with outages of its own, so that
enough of them fit into a few minutes. The faults of a kind are spread evenly over the interval.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from random import Random

from bench.live.delays import DELAY_HEAD, FAULTS, Outage, delay_row, outage_of, phases
from bench.live.pair import Pair, pair
from bench.live.rendering import ENDS_SOONER, USUAL

BUDGETS = {"refuse": 10.0, "status_503": 10.0, "black_hole": 18.0}
SETTLED = 5.0
LASTS_ON = 2.0

Planned = tuple[str, float]


async def run(pairs: int, each: int, seed: int) -> list[Outage]:
    """`each` outages of every kind, shared out among so many pairs; prints the table."""
    print(f"rules other than the defaults: {dict(ENDS_SOONER)}", flush=True)
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(pair(n + 1)) for n in range(pairs)]
        await asyncio.gather(*(one.until_working() for one in made))
        began = time.monotonic(), [one.cpu_seconds() for one in made]
        shares = dealt(plan(each, USUAL.interval, Random(seed)), pairs)
        found = await asyncio.gather(*map(_outages, made, shares))
        await _print_load(made, *began)
    outages = [outage for some in found for outage in some]
    print("\n".join(table(outages)), flush=True)
    return outages


def plan(each: int, interval: float, dice: Random) -> list[Planned]:
    """Kinds of fault and their phases within the interval, in random order."""
    planned = [(kind, at) for kind in FAULTS for at in phases(each, interval, dice)]
    dice.shuffle(planned)
    return planned


def dealt(planned: Sequence[Planned], hands: int) -> list[list[Planned]]:
    """The plan dealt out in turn."""
    return [list(planned[hand::hands]) for hand in range(hands)]


def table(outages: Sequence[Outage]) -> list[str]:
    """The table of delays, a row for each kind of fault."""
    by_kind = {kind: [o for o in outages if o.kind == kind] for kind in FAULTS}
    rows = [delay_row(FAULTS[kind], some, BUDGETS[kind]) for kind, some in by_kind.items() if some]
    return [DELAY_HEAD, *rows]


async def _outages(one: Pair, planned: Sequence[Planned]) -> list[Outage]:
    found = []
    for kind, phase in planned:
        await one.until_quiet()
        await asyncio.sleep(SETTLED)
        await asyncio.sleep(until_phase(time.monotonic(), phase, USUAL.interval))
        found.append(await outage(one, kind))
        print(f"pair {one.number}: {kind} {found[-1].delay:.2f} s", flush=True)
    return found


def until_phase(now: float, phase: float, interval: float) -> float:
    """Seconds until the interval is at this phase next."""
    return (phase - now) % interval


async def outage(one: Pair, kind: str) -> Outage:
    """Break the CRM for everyone, wait for the page, mend it, wait for the end."""
    before = len(one.pages)
    on = await one.estate.async_client.switch_on(kind, service="crm")
    page = await one.until_page(before, "trigger", "all")
    await asyncio.sleep(LASTS_ON)
    await one.estate.async_client.heal(on.id)
    await one.until_page(before, "resolve", "all")
    return outage_of(kind, on.at, page, one.pages[before:])


async def _print_load(made: Sequence[Pair], began: float, cpu: Sequence[float]) -> None:
    seconds = time.monotonic() - began
    used = sum(one.cpu_seconds() - was for one, was in zip(made, cpu, strict=True))
    invalid = sum([await one.total("monitor_probes_total", outcome="invalid") for one in made])
    print(
        f"{len(made)} monitors for {seconds / 60:.1f} min: {100 * used / seconds:.0f} % of a core "
        f"together, {invalid:.0f} INVALID probes, load average {os.getloadavg()[1]:.1f}",
        flush=True,
    )
