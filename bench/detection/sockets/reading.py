"""What of a world must be known before it is played: its kinds of failure, and what lasts.

A world only says how one cell would answer at one instant. Sockets are closed, and caches expire,
at instants; those are found here by asking it.
"""

from itertools import pairwise

from bench.detection.run import due_times
from bench.detection.world import Answer, Fault, Spot, World
from monitor.model import CONTROL, FailureKind

_INSTANTS = (0.0, 0.5, 0.999)
_HALVINGS = 40

Span = tuple[float, float]


def kinds_of(world: World) -> set[FailureKind | None]:
    """Every kind of failure that its faults may show."""
    return {
        _how(fault, spot, part).kind
        for fault in world.faults
        for spot in world.spots.values()
        if fault.where(spot)
        for part in _INSTANTS
    }


def refusals(world: World, service: str) -> list[Span]:
    """When nobody can connect to a service, from any vantage: its listening socket is closed.

    Between two instants at which a fault begins or ends, a world refuses throughout or never.
    """
    spots = [spot for spot in world.spots.values() if spot.service == service]
    edges = {edge for fault in world.faults for edge in (fault.began, fault.ended)}
    return [
        (began, ended)
        for began, ended in pairwise(sorted(edges))
        if all(_refused(world, spot, (began + ended) / 2) for spot in spots)
    ]


def expiries(world: World) -> list[float]:
    """When the cached address of each vantage expires, in the order in which they first ask."""
    fault = world.faults[0]
    first = {spot.place: spot for spot in world.spots.values() if not spot.control}
    return [_first_failure(world, first[p], fault.began, fault.ended) for p in _asking(world)]


def nameless(world: World, at: float) -> float | None:
    """Seconds after which a name server says that the name is gone; None while it is not."""
    spot = next(spot for spot in world.spots.values() if not spot.control)
    answer = world.answer(spot, at, fresh=True)
    return answer.seconds if answer.kind is FailureKind.DNS else None


def _how(fault: Fault, spot: Spot, part: float) -> Answer:
    """How it fails after that part of the fault, to a probe that resolves names anew."""
    return fault.how(spot, fault.began + part * (fault.ended - fault.began), True)  # noqa: FBT003 - as worlds ask


def _refused(world: World, spot: Spot, at: float) -> bool:
    return world.answer(spot, at).kind is FailureKind.CONNECT


def _asking(world: World) -> list[int]:
    trains = (train for _, train in due_times(world.estate))
    due = sorted(each for train in trains for each in train if each[1].service != CONTROL)
    return list(dict.fromkeys(world.spots[key].place for _, key in due))


def _first_failure(world: World, spot: Spot, sound: float, broken: float) -> float:
    """The instant from which a cached name fails; one that fails at once gives `sound`."""
    for _ in range(_HALVINGS):
        middle = (sound + broken) / 2
        if world.answer(spot, middle).kind is FailureKind.DNS:
            broken = middle
        else:
            sound = middle
    return broken
