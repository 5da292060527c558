"""Every family of the labelled benchmark once over real sockets: is the verdict the simulator's?

    python -m bench.detection.sockets
    python -m bench.detection.sockets --family 1 5 15 --longest 420 --out docs/benchmarks-live.md

For each family one world (`chosen`) is simulated, and is played in real time: its servers
(`estate`, `names`, `wire`) and the real monitor as a process of its own (`played`), which is
stopped or killed where the world says so. What its store holds then must be what the simulator
concluded (`verdict`). Ends with exit code 1 when a family differs.
"""

import argparse
import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.detection.calls import Call, calls_of
from bench.detection.families import FAMILIES, named
from bench.detection.sockets.again import told_again
from bench.detection.sockets.chosen import DICE, Chosen, chosen, simulated_by
from bench.detection.sockets.estate import Certificates
from bench.detection.sockets.played import BrokeDownError, play
from bench.detection.sockets.table import section
from bench.detection.sockets.verdict import Beside, calls_of_outages, verdict
from monitor.clock import Clock, real_clock
from monitor.store import StoreError

APART = 1.5
_MARK = "<!-- families over real sockets -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the families that are asked for and print the table. Returns the exit code."""
    asked = _parser().parse_args(arguments)
    ones = [one for one in _chosen(asked.family) if one.world().end <= asked.longest]
    for one in ones:
        print(f"family {one.family}: seed {one.seed}, {one.world().end:.0f} s", flush=True)
    found = asyncio.run(_all(ones, asked.at_once, real_clock()))
    whole = {one.family: found[one] for one in ones}
    lines = list(section(whole))
    print("\n".join(lines))
    if asked.out:
        _write(Path(asked.out), lines)
    return 0 if all(isinstance(one, Beside) and one.same for one in found.values()) else 1


def _chosen(names: Iterable[str]) -> list[Chosen]:
    families = dict.fromkeys(family for name in names for family in named(name))
    return [chosen(family) for family in families]


async def _all(ones: Sequence[Chosen], at_once: int, clock: Clock) -> dict[Chosen, Beside | str]:
    """Play them side by side, the longest first; what broke down is told in words."""
    simulated = {one: [calls_of(simulated_by(one, n)) for n in range(DICE)] for one in ones}
    order = sorted(ones, key=lambda one: -one.world().end)
    stage = _Stage(simulated, asyncio.Semaphore(at_once), asyncio.Lock(), Certificates(), clock)
    return dict(zip(order, await asyncio.gather(*map(stage.beside, order)), strict=True))


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where worlds are played, beside what was simulated: so many at once, begun apart."""

    simulated: Mapping[Chosen, Sequence[Sequence[Call]]]
    places: asyncio.Semaphore
    door: asyncio.Lock
    certificates: Certificates
    clock: Clock

    async def beside(self, one: Chosen) -> Beside | str:
        world = one.world()
        async with self.places:
            async with self.door:
                await asyncio.sleep(APART)
            try:
                played = await play(world, self.certificates, self.clock)
            except (BrokeDownError, StoreError) as error:
                print(f"family {one.family}: {error}", flush=True)
                return "broke down"
        live = calls_of_outages(played)
        again = await asyncio.to_thread(told_again, one.world(), played.given)
        found = Beside(world, self.simulated[one], live, again, played.results, played.invalid)
        words = verdict(found.live)
        print(f"family {one.family}: {words}{'' if found.same else ' DIFFERS'}", flush=True)
        return found


def _write(path: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the marks, or add it at the end."""
    text = path.read_text() if path.exists() else ""
    before, mark, rest = text.partition(_MARK)
    after = rest.partition(_MARK)[2] if mark else "\n"
    start = before if mark else before.rstrip("\n") + "\n\n"
    path.write_text("\n".join([start + _MARK, *lines, "", _MARK]) + after)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.detection.sockets")
    parser.add_argument(
        "--family", nargs="+", default=["all"], help=f"of {' '.join(FAMILIES)}; 16 is 16a and 16b"
    )
    parser.add_argument(
        "--longest", type=float, default=float("inf"), help="leave out longer worlds (s)"
    )
    parser.add_argument("--at-once", type=int, default=16, help="worlds side by side")
    parser.add_argument("--out", help="a file to write the section to, between its marks")
    return parser
