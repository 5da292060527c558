"""How cells fail, and which: the words that the families are told in."""

from bisect import bisect_right
from collections.abc import Container, Sequence
from random import Random

from bench.detection.world import SERVICE, Answer, How, Spot, Where
from monitor.model import FailureKind, Outcome

FAIL = Outcome.FAIL


def at_once(kind: FailureKind, seconds: float = 0.03, outcome: Outcome = FAIL) -> How:
    """Fail so after `seconds`."""
    answer = Answer(seconds, outcome, kind if outcome is FAIL else None)
    return lambda _spot, _at, _fresh: answer


def black_hole(spot: Spot, _at: float, _fresh: bool) -> Answer:
    """Never answer: the probe gives up at its deadline."""
    return Answer(spot.timeout, FAIL, FailureKind.TIMEOUT)


def well(spot: Spot, _at: float, _fresh: bool) -> Answer:
    """Answer well after all."""
    return Answer(spot.usual, Outcome.PASS)


def slow(seconds: float, dice: Random) -> How:
    """Answer well, late."""
    return lambda _spot, _at, _fresh: Answer(seconds * dice.uniform(0.9, 1.1), Outcome.PASS)


def share(part: float, how: How, dice: Random) -> How:
    """Fail that share of the times, each by itself."""

    def answer(spot: Spot, at: float, fresh: bool) -> Answer:
        return (how if dice.random() < part else well)(spot, at, fresh)

    return answer


def within(spans: Sequence[tuple[float, float]], how: How) -> How:
    """Fail within these spans only."""
    starts = [began for began, _ in spans]

    def answer(spot: Spot, at: float, fresh: bool) -> Answer:
        place = bisect_right(starts, at) - 1
        inside = place >= 0 and at < spans[place][1]
        return (how if inside else well)(spot, at, fresh)

    return answer


def of_service(name: str = SERVICE) -> Where:
    """Every cell of a service."""
    return lambda spot: spot.key.service == name and spot.judged


def of_check(name: str) -> Where:
    """Every cell of a check."""
    return lambda spot: spot.key.check == name


def of_targets(numbers: Container[int]) -> Where:
    """The service's cells of these targets."""
    return lambda spot: spot.judged and spot.target in numbers


def of_group(name: str) -> Where:
    """The service's cells of a backend group."""
    return lambda spot: spot.judged and spot.group == name


def of_places(numbers: Container[int], *, controls: bool) -> Where:
    """What is seen from these vantages, with or without their controls."""
    return lambda spot: spot.place in numbers and (controls or not spot.control)


def everything(_spot: Spot) -> bool:
    """Every cell, the controls too."""
    return True


def bursts(
    dice: Random, until: float, *, lasting: tuple[float, float], apart: tuple[float, float]
) -> list[tuple[float, float]]:
    """Spans that last and stand apart so long, evenly drawn."""
    found, at = [], dice.uniform(*apart)
    while at < until:
        end = at + dice.uniform(*lasting)
        found.append((at, end))
        at = end + dice.uniform(*apart)
    return found


def gilbert_elliott(
    dice: Random, until: float, rate: float, bad_for: float
) -> list[tuple[float, float]]:
    """Bad spells of that mean length that fill a share `rate` of the time."""
    found, at = [], 0.0
    good_for = bad_for * (1 - rate) / rate
    while (at := at + dice.expovariate(1 / good_for)) < until:
        end = at + dice.expovariate(1 / bad_for)
        found.append((at, end))
        at = end
    return found
