"""CPU of a check, all-in, beside Debian's blackbox_exporter and Prometheus; and of the bare probe.

All-in is the whole process: what is due, asked, asserted, judged, stored and counted. 1,000
targets on either side, plain every 4 s and with a full TLS handshake every 10 s, each over a
connection of its own. The sides take turns, so that a drift of the machine falls on both; a turn
is a fresh start, some seconds to settle, and then the seconds that are measured. The ratio is the
median of the turns' ratios. BENCH_TURNS sets how many turns; the usual five take 10 min.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.cost.bare import bare
from bench.cost.ours import ours
from bench.cost.peers import peers
from bench.cost.site import Site, site
from bench.cost.usage import load
from bench.live.pair import GaveUpError
from bench.live.rendering import Pace
from bench.telling import told

TARGETS = 1000
PACES = {False: Pace(interval=4.0, timeout=3.0), True: Pace(interval=10.0, timeout=5.0)}
"""With TLS and without: a handshake costs the machine, nginx included, more than twice as much."""

SETTLING, MEASURED = 4.0, 12.0
TURNS = int(os.environ.get("BENCH_TURNS", "5"))
TRIES = 4
NOT_PASSING = 0.01
"""The share of probes that may be INVALID, because the machine held this process up."""

BUDGETS = {False: 0.3, True: 0.75}


@dataclass(frozen=True, slots=True)
class Turn:
    """Microseconds of CPU a check: ours, blackbox_exporter's and Prometheus'; and checks made."""

    ours: float
    blackbox: float
    prometheus: float
    checks: tuple[int, int]

    @property
    def ratio(self) -> float:
        return self.ours / (self.blackbox + self.prometheus)


def rows() -> Iterator[str]:
    yield from told(_told())


async def _told() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-site-") as folder:
        async with site(Path(folder)) as made:
            for row in (await bare(made)).rows():
                yield row
            for tls in (False, True):
                turns = [await _turn(made, tls=tls) for _ in range(TURNS)]
                yield summary(turns, tls=tls)


def summary(turns: list[Turn], *, tls: bool) -> str:
    """One transport's row."""
    name = "HTTPS, full handshake" if tls else "plain HTTP, fresh connection"
    both = median(turn.blackbox + turn.prometheus for turn in turns)
    parts = [median(getattr(turn, who) for turn in turns) for who in ("blackbox", "prometheus")]
    checks = [sum(turn.checks[side] for turn in turns) for side in (0, 1)]
    ratios = sorted(turn.ratio for turn in turns)
    return (
        f"{name}: ours {median(turn.ours for turn in turns):.0f} us all-in; blackbox_exporter + "
        f"Prometheus {both:.0f} us ({parts[0]:.0f} + {parts[1]:.0f}); ratio {median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}; budget {BUDGETS[tls]:g}); {checks[0]} and "
        f"{checks[1]} checks in {len(turns)} turns; {load()}"
    )


async def _turn(made: Site, *, tls: bool) -> Turn:
    """One turn of either side, begun again when the machine was too busy for it."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(GaveUpError):
            return await _tried(made, tls=tls)
    return await _tried(made, tls=tls)


async def _tried(made: Site, *, tls: bool) -> Turn:
    own, own_checks = await _our_turn(made, tls=tls)
    theirs, their_checks = await _their_turn(made, tls=tls)
    return Turn(own, *theirs, (own_checks, their_checks))


async def _our_turn(made: Site, *, tls: bool) -> tuple[float, int]:
    async with ours(made, TARGETS, PACES[tls], tls=tls) as program:
        await program.until_ready()
        await asyncio.sleep(SETTLING)
        before = await program.figures()
        began = program.cpu_seconds()
        await asyncio.sleep(MEASURED)
        spent = program.cpu_seconds() - began
        after = await program.figures()
        checks, failed = after.probes - before.probes, after.failed - before.failed
        if failed > NOT_PASSING * checks:
            raise GaveUpError(f"{failed:g} of {checks:g} probes did not pass: a machine too busy?")
        return 1e6 * spent / checks, round(checks)


async def _their_turn(made: Site, *, tls: bool) -> tuple[tuple[float, float], int]:
    async with peers(made, TARGETS, PACES[tls].interval, tls=tls) as program:
        await program.until_working(TARGETS)
        await asyncio.sleep(SETTLING)
        before = await program.connections()
        began = program.cpu_seconds()
        await asyncio.sleep(MEASURED)
        ended = program.cpu_seconds()
        checks = await program.connections() - before
        blackbox, prometheus = (1e6 * (e - b) / checks for e, b in zip(ended, began, strict=True))
        return (blackbox, prometheus), checks
