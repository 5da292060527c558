"""Which cell is due when.

A *train* is the cells of one service that share an interval T; the controls form trains of their
own. With M cells in a train, its cell i is due at phase i * T / M of every interval, so a service
that goes down for everyone is seen by the next cell, about T / 2M later, and not T / 2. For that
the neighbours in a train must be unlike: a failure of one vantage or one backend group must not
look like one of everyone.

The order of a train, for K pairs of (check, target) seen from V vantages:

1. The pairs are put in a ring in which neighbours differ in backend group, and in check where that
   is possible. The group with most pairs left goes next, but never the one that just went; if no
   group has more than half of the pairs, this also closes the ring. A target whose group is not
   known is a group of its own.
2. Position i takes vantage i mod V and walks the ring: any V neighbours have V vantages, and each
   target comes round V times an interval, evenly spaced.
3. K and V may share a divisor; then the walk closes early, at the least common multiple. It goes
   on from another place of the ring, chosen so that vantage and pair meet for the first time and
   the seams, too, lie between unlike groups where they can.

Trains start at different fractions of their own gap, so that services do not probe in step.
Nothing here knows of clocks or jobs: phases are seconds into an interval that starts at 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from math import gcd, lcm

from monitor.model import Cell, CellKey


@dataclass(frozen=True, slots=True)
class Slot:
    """Cells that are started by one firing: every `interval` seconds, `offset` seconds into it.

    `starts` are (delay, cell) in order: the cell is due `delay` seconds after the firing.
    """

    interval: float
    offset: float
    starts: tuple[tuple[float, CellKey], ...]


def slots(cells: Sequence[Cell], slot_width: float = 0.1) -> tuple[Slot, ...]:
    """Every cell in exactly one slot, by interval and offset.

    The cells of a slot are due within less than `slot_width` seconds, or at the same instant.
    """
    trains: dict[tuple[str, float], list[Cell]] = {}
    for cell in cells:
        trains.setdefault((cell.key.service, cell.check.interval), []).append(cell)
    phases: dict[float, list[tuple[float, CellKey]]] = {}
    for number, ((_, interval), train) in enumerate(trains.items()):
        gap = interval / len(train)
        lead = number / len(trains)
        due = ((place + lead) * gap for place in range(len(train)))
        phases.setdefault(interval, []).extend(zip(due, _ordered(train), strict=True))
    return tuple(
        slot for interval in sorted(phases) for slot in _cut(interval, phases[interval], slot_width)
    )


def _cut(
    interval: float, phases: Sequence[tuple[float, CellKey]], slot_width: float
) -> Iterator[Slot]:
    """Slots of cells with one interval: each begins with a cell and takes what is due in width."""
    starts: list[tuple[float, CellKey]] = []
    offset = 0.0
    for phase, key in sorted(phases):
        if starts and phase - offset >= slot_width:
            yield Slot(interval, offset, tuple(starts))
            starts = []
        if not starts:
            offset = phase
        starts.append((phase - offset, key))
    if starts:
        yield Slot(interval, offset, tuple(starts))


def _ordered(train: Sequence[Cell]) -> list[CellKey]:
    """The cells of a train in the order in which they are due.

    Where not every vantage sees every target, the missing cells are passed over.
    """
    seen = {(*_pair(cell), cell.key.vantage): cell.key for cell in train}
    vantages = list(dict.fromkeys(cell.key.vantage for cell in train))
    pairs = {_pair(cell): cell for cell in train}
    ring = _ring(list(pairs.values()))
    turn = lcm(len(ring), len(vantages))
    walk = (
        (*_pair(ring[(begin + step) % len(ring)]), vantages[step % len(vantages)])
        for begin in _beginnings([_group(cell) for cell in ring], len(vantages))
        for step in range(turn)
    )
    return [seen[place] for place in walk if place in seen]


def _pair(cell: Cell) -> tuple[str, str]:
    return cell.key.check, cell.key.target


def _group(cell: Cell) -> tuple[str, str]:
    """The backend group of a cell; a target whose group is not known stands alone."""
    target = cell.target
    return (target.group, "") if target.group else ("", target.name)


def _ring(cells: Sequence[Cell]) -> list[Cell]:
    """One cell of each pair, so that neighbours differ in group, and in check if they can."""
    piles: dict[tuple[str, str], dict[str, deque[Cell]]] = {}
    for cell in cells:
        piles.setdefault(_group(cell), {}).setdefault(cell.key.check, deque()).append(cell)
    sizes = sorted((-sum(map(len, pile.values())), group) for group, pile in piles.items())
    heap = [(size, rank, group) for rank, (size, group) in enumerate(sizes)]
    heapify(heap)
    ring: list[Cell] = []
    while heap:
        entry = heappop(heap)
        if ring and entry[2] == _group(ring[-1]) and heap:
            entry, passed_over = heappop(heap), entry
            heappush(heap, passed_over)
        size, rank, group = entry
        ring.append(_take(piles[group], ring[-1].key.check if ring else ""))
        if size + 1:
            heappush(heap, (size + 1, rank, group))
    return ring


def _take(pile: dict[str, deque[Cell]], last_check: str) -> Cell:
    """Take a group's next cell: of another check than the last, and of that with most left."""
    check = max(pile, key=lambda name: (bool(pile[name]), name != last_check, len(pile[name])))
    return pile[check].popleft()


def _beginnings(groups: Sequence[tuple[str, str]], vantages: int) -> list[int]:
    """Where on the ring each turn begins, so that all turns together meet every cell once.

    A turn that begins at b ends at b - 1, and meets the cells it does by b modulo the common
    divisor of ring and vantages: each remainder is begun from once.
    """
    turns = gcd(len(groups), vantages)
    begun = [0]
    while len(begun) < turns:
        used = {begin % turns for begin in begun}
        fresh = [place for place in range(len(groups)) if place % turns not in used]
        closing = len(begun) == turns - 1
        begun.append(min(fresh, key=partial(_alike_seams, groups, begun[-1], closing=closing)))
    return begun


def _alike_seams(
    groups: Sequence[tuple[str, str]], before: int, place: int, *, closing: bool
) -> int:
    """How many seams join like groups when a turn begins at `place`; the last turn has two."""
    own = groups[place] == groups[before - 1]
    return own + (closing and groups[place - 1] == groups[0])
