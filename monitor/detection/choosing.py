"""Which cells to ask: the second opinion of stage A, the votes of a round, or its trials."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from monitor.detection.population import Memory, Population, sampled_cells
from monitor.detection.rounds import FailingSet
from monitor.detection.sight import Sight
from monitor.model import CellKey, Dimension

_SUSPECTS_KEPT = 10


def inside(population: Population, part: FailingSet | None, cell: CellKey) -> bool:
    """Whether a cell belongs to a failing part; to a share or to everyone, each does."""
    if part is None:
        return False
    name = {
        Dimension.TARGET: cell.target,
        Dimension.GROUP: population.group_of[cell],
        Dimension.VANTAGE: cell.vantage,
    }.get(part.dimension)
    return name is None or name in part.members


def farthest(
    population: Population,
    memories: Mapping[CellKey, Memory],
    sight: Sight,
    cell: CellKey,
    *,
    part: FailingSet | None,
    now: float,
    but: Collection[CellKey] = (),
) -> CellKey:
    """The cell that shares least with this one, outside the part and from a healthy vantage.

    One of `but` only where there is no other.
    """
    group_of = population.group_of
    healthy = sight.healthy(now)

    def distance(other: CellKey) -> tuple[bool, ...]:
        return (
            other not in but,
            not inside(population, part, other),
            other.vantage in healthy,
            sight.networks((cell.vantage, other.vantage)) > 1,
            group_of[other] != group_of[cell],
            other.target != cell.target,
            memories[other].worked,
        )

    return max(sampled_cells(population, ()), key=distance)


def trials_planned(
    population: Population, healthy: Collection[str], *, turn: int
) -> dict[CellKey, int]:
    """One attempt for each target, from a vantage that changes from round to round."""
    planned = {}
    for number, target in enumerate(population.sample):
        cells = population.cells_of[target]
        seeing = [cell for cell in cells if cell.vantage in healthy] or list(cells)
        planned[seeing[(number + turn) % len(seeing)]] = 1
    return planned


def votes_of_round(population: Population) -> int:
    """How many votes a round has, at least."""
    return max(population.rules.votes_min, len(sampled_cells(population, ())))


def votes_planned(
    population: Population,
    failing: Iterable[CellKey],
    healthy: Collection[str],
    demoted: Collection[CellKey],
) -> dict[CellKey, int]:
    """How many answers each cell owes a round: one, or more where few cells can vote FAIL."""
    suspects = list(dict.fromkeys(cell.target for cell in failing))[:_SUSPECTS_KEPT]
    cells = sampled_cells(population, suspects)
    voting = [cell for cell in cells if cell.vantage in healthy and cell not in demoted]
    seeing = voting or list(cells)
    planned = dict.fromkeys(cells, 1)
    if len(seeing) < population.rules.votes_min:
        each, more = divmod(population.rules.votes_min, len(seeing))
        planned |= {cell: each + (i < more) for i, cell in enumerate(_diagonally(seeing))}
    return planned


def _diagonally(cells: list[CellKey]) -> list[CellKey]:
    """In an order in which any first few are spread evenly over targets and over vantages."""
    targets = {name: i for i, name in enumerate(dict.fromkeys(cell.target for cell in cells))}
    places = {name: i for i, name in enumerate(dict.fromkeys(cell.vantage for cell in cells))}

    def turn(cell: CellKey) -> tuple[int, int]:
        target = targets[cell.target]
        return (places[cell.vantage] - target) % len(places), target

    return sorted(cells, key=turn)
