"""The simulator once more, with the answers that the servers really gave.

Where single requests fail by chance, servers throw other dice than the simulator, and now and then
another verdict is right. Given the same answers, both must conclude the same.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import replace
from math import inf

from bench.detection.calls import Call, calls_of
from bench.detection.run import Run
from bench.detection.sockets.estate import Given
from bench.detection.ways import everything
from bench.detection.world import Answer, Fault, Spot, World
from monitor.model import CellKey

NEAR = 0.4
"""A probe of a cell and one simulated within so many seconds of it are the same; no cell is probed
twice within that."""


def told_again(world: World, given: Iterable[Given]) -> list[Call]:
    """What the simulator concludes of a world from these answers, and its own where one lacks."""
    by_cell: dict[CellKey, deque[Given]] = defaultdict(deque)
    for one in given:
        by_cell[one.cell].append(one)

    def how(spot: Spot, at: float, fresh: bool) -> Answer:
        waiting = by_cell[spot.key]
        while waiting and waiting[0].at < at - NEAR:
            waiting.popleft()
        if waiting and waiting[0].at < at + NEAR:
            return waiting.popleft().answer
        return world.answer(spot, at, fresh=fresh)

    same = replace(world, faults=(Fault(0.0, inf, how, everything),))
    return calls_of(Run(same).go().declared)
