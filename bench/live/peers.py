"""The same outages seen by our monitor and by a real Prometheus, blackbox_exporter, Alertmanager.

Both sides probe the same estates every 5 s with a timeout of 4 s. The chain's usual settings
(interval 30 s, evaluation 15 s, `for: 1m`, group_wait 30 s) are all divided by six; our own gap
between rounds stays what it is in production, 8 s. Of every outage the table compares three
delays: the real chain's, the one that the labelled benchmark's re-implementation gives for the
same fault and cadence, and ours.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from bench.live.baseline import FASTER, INTERVAL, TIMEOUT, predicted
from bench.live.chain import Chain, chain, missing
from bench.live.delay import LASTS_ON, Planned, dealt, plan, until_phase
from bench.live.delays import FAULTS, Outage, at_rank, outage_of, row
from bench.live.pair import Pair, pair
from bench.live.rendering import Pace
from monitor.demo.places import GROUPS

PACE = Pace(interval=INTERVAL, timeout=TIMEOUT)
FORGOTTEN = 35.0
"""Seconds after its end until Alertmanager has forgotten an outage: it tidies up every 30 s, and
until then one more outage of the same service is told without group_wait."""
QUICK = 0.002
ANSWERS = {"refuse": QUICK, "status_503": QUICK, "black_hole": TIMEOUT}


@dataclass(frozen=True, slots=True)
class Beside:
    """One outage: ours, and the seconds after which the real chain and its baseline tell it."""

    ours: Outage
    real: float
    predicted: float


async def run(pairs: int, each: int, seed: int) -> list[Beside]:
    """`each` outages of every kind, shared out among so many pairs; prints the table."""
    if missing():
        raise SystemExit(f"not installed: {', '.join(missing())}; bench/live/chain.py says how")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-chain-")))
        made = [await stack.enter_async_context(pair(n + 1, PACE)) for n in range(pairs)]
        await asyncio.gather(*(one.until_working() for one in made))
        watched = {_name(one): _urls(one) for one in made}
        real = await stack.enter_async_context(chain(watched, folder))
        shares = dealt(plan(each, INTERVAL, Random(seed)), pairs)
        found = await asyncio.gather(
            *(_outages(one, real, share) for one, share in zip(made, shares, strict=True))
        )
    beside = [outage for some in found for outage in some]
    print("\n".join(table(beside)), flush=True)
    return beside


def table(beside: Sequence[Beside]) -> list[str]:
    """The comparison, a row for each kind of fault and one for all."""
    groups = {name: [b for b in beside if b.ours.kind == kind] for kind, name in FAULTS.items()} | {
        "all": list(beside)
    }
    return [HEAD, *(_row(name, some) for name, some in groups.items() if some)]


HEAD = (
    "| fault | outages | real chain: median, p95 s | re-implemented: median, p95 s "
    "| real / re-implemented | apart: median, most s | ours: median, p95 s | real / ours "
    f"| real at usual settings (x {FASTER:g}): median s |\n" + "|---" * 9 + "|"
)


def _row(name: str, some: Sequence[Beside]) -> str:
    real, ours = [b.real for b in some], [b.ours.delay for b in some]
    apart = [abs(b.real - b.predicted) for b in some]
    return row(
        (
            name,
            len(some),
            _two(real),
            _two([b.predicted for b in some]),
            f"{median(b.real / b.predicted for b in some):.3f}",
            f"{median(apart):.2f}, {max(apart):.2f}",
            _two(ours),
            f"{median(b.real / b.ours.delay for b in some):.2f}",
            f"{FASTER * median(real):.0f}",
        )
    )


def _two(delays: Sequence[float]) -> str:
    return f"{median(delays):.1f}, {at_rank(delays, 0.95):.1f}"


async def _outages(one: Pair, real: Chain, planned: Sequence[Planned]) -> list[Beside]:
    found = []
    for kind, phase in planned:
        await one.until_quiet()
        await asyncio.sleep(FORGOTTEN)
        await asyncio.sleep(until_phase(time.monotonic(), phase, INTERVAL))
        found.append(await _outage(one, real, kind))
        last = found[-1]
        print(
            f"pair {one.number}: {kind} ours {last.ours.delay:.2f} s, real {last.real:.2f} s, "
            f"predicted {last.predicted:.2f} s",
            flush=True,
        )
    return found


async def _outage(one: Pair, real: Chain, kind: str) -> Beside:
    """Break the CRM for everyone until both have told it, mend it, wait until both have."""
    ours, theirs, name = len(one.pages), len(real.told), _name(one)
    cadence = await real.cadence(name)
    on = await one.estate.async_client.switch_on(kind, service="crm")
    page = await one.until_page(ours, "trigger", "all")
    told = await real.until_told(name, "firing", theirs)
    await asyncio.sleep(LASTS_ON)
    await one.estate.async_client.heal(on.id)
    await one.until_page(ours, "resolve", "all")
    await real.until_told(name, "resolved", theirs)
    foreseen = predicted(on.at.timestamp(), ANSWERS[kind], cadence)
    return Beside(
        outage_of(kind, on.at, page, one.pages[ours:]),
        (told.at - on.at).total_seconds(),
        foreseen if foreseen is not None else float("inf"),
    )


def _name(one: Pair) -> str:
    return f"estate-{one.number}"


def _urls(one: Pair) -> list[str]:
    return [f"{one.estate.ports.origin('crm')}/{tenant}/sign-in" for tenant in GROUPS]
