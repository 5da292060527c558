"""What two watchers of one world concluded, beside each other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.detection.calls import Call, calls_of
from bench.detection.score import GRACE
from bench.detection.sockets.played import Played
from bench.detection.world import Scope, Truth, World
from monitor.detection import Declared, Span
from monitor.model import Outage, Stage

Word = tuple[str, str, str]
"""Scope, service and final stage of one outage."""

_STAGES = {Stage.FAILING: "failing", Stage.WATCHING: "recovered", Stage.CLOSED: "closed"}


def verdict(calls: Iterable[Call]) -> tuple[Word, ...]:
    """What was concluded: each outage's scope, service and final stage, in order of opening.

    Two verdicts are equal when they say the same outages in the same order and leave each in the
    same stage when the world ends: still failing, recovered and watched, or closed. Seconds and
    the number of episodes do not count.
    """
    return tuple((str(call.scope), call.service, _STAGES[call.stage]) for call in calls)


def calls_of_outages(played: Played) -> list[Call]:
    """The stored outages as calls, in seconds of the world."""
    words = [word for outage in played.outages for word in _declared(outage, played.began)]
    return calls_of(sorted(words, key=lambda word: word.at))


def _declared(outage: Outage, began: datetime) -> Iterator[Declared]:
    """What detection must have said for the store to hold this outage, in seconds of the world.

    Of its episodes the store keeps only their number and the last recovery; that recovery is put
    where service came back, some rounds before it was said.
    """

    def at(instant: datetime) -> float:
        return (instant - began).total_seconds()

    def said(when: datetime, stage: Stage) -> Declared:
        after, before = outage.began.after, outage.began.before
        return Declared(
            unit=outage.unit,
            impact=outage.impact,
            stage=stage,
            reason=outage.reason,
            at=at(when),
            extent=outage.extent,
            began=Span(None if after is None else at(after), at(before)),
            episode=outage.episodes,
        )

    yield said(outage.detected_at, Stage.FAILING)
    if outage.watch_until is not None and outage.recovered is not None:
        yield said(max(outage.detected_at, outage.recovered.before), Stage.WATCHING)
    if outage.closed_at is not None:
        yield said(outage.closed_at, Stage.CLOSED)


@dataclass(frozen=True, slots=True)
class Beside:
    """One family's world, as the simulator concluded with several dice and the real monitor did.

    `simulated` are the simulator's calls, those with the world's own dice first; `again` those with
    the answers that the servers gave.
    """

    world: World
    simulated: Sequence[Sequence[Call]]
    live: Sequence[Call]
    again: Sequence[Call] = ()
    results: int = 0
    invalid: int = 0

    @property
    def same(self) -> bool:
        """Whether both verdicts are equal, or the other one is what these answers come to."""
        return self.alike or verdict(self.again) == verdict(self.live)

    @property
    def alike(self) -> bool:
        """Whether both verdicts are equal although the dice were not."""
        return verdict(self.simulated[0]) == verdict(self.live)


def delays(world: World, calls: Sequence[Call]) -> list[float | None]:
    """For each truth that is to be told, seconds until it was; None where it was not."""
    found = [(_first(calls, truth), truth) for truth in _told(world)]
    return [None if call is None else call.at - truth.began for call, truth in found]


def covered(world: World, calls: Sequence[Call]) -> list[bool]:
    """For each truth that was told, whether the start that was given covers it."""
    found = [(_first(calls, truth), truth) for truth in _told(world)]
    return [_covers(call, truth) for call, truth in found if call is not None]


def _told(world: World) -> list[Truth]:
    return [truth for truth in world.truths if truth.scope is not Scope.GREY]


def _first(calls: Sequence[Call], truth: Truth) -> Call | None:
    wanted = (truth.scope, truth.service)
    ends = truth.ended + GRACE
    fits = (c for c in calls if (c.scope, c.service) == wanted and truth.since <= c.at <= ends)
    return next(fits, None)


def _covers(call: Call, truth: Truth) -> bool:
    after, before = call.began or (None, 0.0)
    latest = truth.began if truth.complete is None else truth.complete
    return (after is None or after <= latest) and before >= truth.since
