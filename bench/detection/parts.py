"""Families in which a part of the service is down, alone or before or after all of it."""

from bench.detection.ways import (
    at_once,
    of_group,
    of_service,
    of_targets,
    share,
)
from bench.detection.world import (
    GROUPS,
    TARGETS,
    Draw,
    Fault,
    Scope,
    Truth,
    World,
    draw_of,
    world,
)
from monitor.model import FailureKind

_SEVERAL = TARGETS[1:]
_STATUS = at_once(FailureKind.STATUS, 0.05)


def some_requests(seed: int) -> World:
    """20 to 70 % of all requests fail, each by itself."""
    draw = draw_of("8", seed)
    return _shared_out(draw, draw.dice.uniform(0.2, 0.7), Scope.PARTIAL)


def grey_requests(seed: int) -> World:
    """80 to 94 % of all requests fail: between a part and everyone, declared grey."""
    draw = draw_of("8g", seed)
    return _shared_out(draw, draw.dice.uniform(0.8, 0.94), Scope.GREY)


def _shared_out(draw: Draw, part: float, scope: Scope) -> World:
    began = draw.first
    ended = began + draw.lasting(130.0, 3600.0)
    how = share(part, _STATUS, draw.dice)
    truth = Truth(scope, began, began, ended)
    return world(draw, Fault(began, ended, how, of_service()), truths=[truth])


def one_then_two(seed: int) -> World:
    """One target, then two of K, for long."""
    draw = draw_of("9", seed, targets=_SEVERAL)
    first, second = draw.dice.sample(range(draw.targets), 2)
    began = draw.first
    also = began + draw.lasting(70.0, 1200.0, tail=200.0)
    ended = also + draw.lasting(70.0, 1200.0, tail=200.0)
    faults = [
        Fault(began, ended, _STATUS, of_targets({first})),
        Fault(also, ended, _STATUS, of_targets({second})),
    ]
    return world(draw, *faults, truths=[Truth(Scope.PARTIAL, began, began, ended)])


def one_group(seed: int) -> World:
    """One backend group of three."""
    draw = draw_of("10", seed, targets=_SEVERAL)
    began = draw.first
    ended = began + draw.lasting(70.0, 3600.0)
    fault = Fault(began, ended, _STATUS, of_group(draw.dice.choice(GROUPS)))
    return world(draw, fault, truths=[Truth(Scope.PARTIAL, began, began, ended)])


def one_node(seed: int) -> World:
    """One of two to five load-balanced nodes; each request meets any of them."""
    draw = draw_of("11", seed)
    return _shared_out(draw, 1 / draw.dice.randint(2, 5), Scope.PARTIAL)


def part_then_all(seed: int) -> World:
    """A group or a target, then everyone."""
    draw = draw_of("24a", seed, targets=_SEVERAL)
    began = draw.first
    grew = began + draw.lasting(70.0, 600.0, tail=200.0)
    ended = grew + draw.lasting(60.0, 1800.0, tail=240.0)
    by_group = draw.dice.random() < 0.5
    where = of_group(GROUPS[0]) if by_group else of_targets({0})
    faults = [Fault(began, ended, _STATUS, where), Fault(grew, ended, _STATUS, of_service())]
    truths = [Truth(Scope.PARTIAL, began, began, grew), Truth(Scope.ALL, grew, grew, ended)]
    return world(draw, *faults, truths=truths)


def all_then_one(seed: int) -> World:
    """Everyone, then one target only."""
    draw = draw_of("24b", seed, targets=_SEVERAL[1:])
    began = draw.first
    shrank = began + draw.lasting(60.0, 1800.0, tail=300.0)
    ended = shrank + draw.lasting(90.0, 600.0, tail=240.0)
    faults = [
        Fault(began, shrank, _STATUS, of_service()),
        Fault(shrank, ended, _STATUS, of_targets({1})),
    ]
    truths = [Truth(Scope.ALL, began, began, shrank), Truth(Scope.PARTIAL, began, shrank, ended)]
    return world(draw, *faults, truths=truths)
