"""What a watcher called: an outage of a scope, when it was told, and how it ended.

Ours and the peers' are both turned into calls, so that one score fits all.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.detection.world import Scope
from monitor.detection import Declared, Track, track_of
from monitor.model import Stage

UNPROVEN = "never worked"
_SCOPES = {
    Track.ALL: Scope.ALL,
    Track.SOME: Scope.PARTIAL,
    Track.LOCKED_OUT: Scope.UNKNOWN,
    Track.TURNED_ON_US: Scope.UNKNOWN,
    Track.BLIND: Scope.BLIND,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One outage as told at `at`, first as `scope`.

    `began` is the start's interval (None where a watcher gives none). `recovered` and `closed`
    are when it was first said to be better, and over; None while it is not. `stage` is where it
    stands at the end, None where a watcher has no such word.
    """

    scope: Scope | str
    service: str
    at: float
    began: tuple[float | None, float] | None = None
    recovered: float | None = None
    closed: float | None = None
    episodes: int = 1
    stage: Stage | None = None


def calls_of(declared: Iterable[Declared]) -> list[Call]:
    """Every outage that detection declared, once, in the order of their opening.

    Of several checks of one service the earliest speaks for all while it is open.
    """
    open_: dict[tuple[str, Track], Call] = {}
    done: list[Call] = []
    for one in declared:
        key = one.unit, track_of(one.impact, one.reason)
        call = open_.get(key)
        if call is None:
            service = "" if key[1] is Track.BLIND else one.unit.split("/")[0]
            scope = _SCOPES.get(key[1], UNPROVEN)
            call = Call(scope, service, one.at, (one.began.after, one.began.before))
        if one.stage is not Stage.FAILING and call.recovered is None:
            call = replace(call, recovered=one.at)
        call = replace(call, episodes=one.episode, stage=one.stage)
        open_[key] = call
        if one.stage is Stage.CLOSED:
            done.append(replace(open_.pop(key), closed=one.at))
    return sorted([*done, *open_.values()], key=lambda call: call.at)
