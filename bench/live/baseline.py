"""What the labelled benchmark's own "blackbox, for: 1m" says of a live outage.

`bench/detection` scores peers that it re-implements. Here its rule is given the instants of a
real chain's scrapes and evaluations and the moment of a real fault, and says when the alert would
fire; the real chain is then seen to do so or not. Live, everything is `FASTER` times as fast as
the rule, which knows only the usual settings: instants are stretched on the way in and delays
shrunk on the way out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from bench.detection.peers import EVALUATED_EVERY, EVERYONE, FOR, History, Seen, peer_calls
from bench.detection.world import Draw, Scope, Spot, World
from monitor.model import CellKey, Estate

FASTER = 6.0
RULE = "blackbox, for: 1m"
INTERVAL, TIMEOUT = 30.0 / FASTER, 4.0
EVALUATION, PENDING = EVALUATED_EVERY / FASTER, FOR / FASTER
GROUP_WAIT = 30.0 / FASTER
SHARE = EVERYONE

_LOOK_BACK, _LOOK_AHEAD = 30.0, 60.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a chain looks: an instant of each target's scrape and one of an evaluation.

    They are Unix time; scrapes come every INTERVAL seconds from theirs, evaluations every
    EVALUATION seconds.
    """

    scrapes: Mapping[str, float]
    evaluation: float


def predicted(fault: float, answer: float, cadence: Cadence) -> float | None:
    """Seconds from a fault of everything, at Unix time `fault`, to the alert; None: no alert.

    A failing probe takes `answer` seconds to say so. The grouping of alerts is included.
    """
    origin = _before(fault - _LOOK_BACK, cadence.evaluation, EVALUATION)
    end = fault + _LOOK_AHEAD
    spots = [_spot(number, name) for number, name in enumerate(cadence.scrapes)]
    history = History(_world(spots, (end - origin) * FASTER))
    for spot in spots:
        first = _before(origin, cadence.scrapes[spot.key.target], INTERVAL)
        history.answers[spot.key] = list(_seen(first, fault, answer, origin, end))
    calls = [call for call in peer_calls(history, RULE) if call.scope is Scope.ALL]
    if not calls:
        return None
    return origin + calls[0].at / FASTER - fault + GROUP_WAIT


def _before(at: float, some: float, step: float) -> float:
    """The last instant of a cadence that is not after `at`."""
    return at - (at - some) % step


def _seen(first: float, fault: float, answer: float, origin: float, end: float) -> Iterator[Seen]:
    sent = first
    while sent < end:
        good = sent < fault
        known = sent if good else sent + answer
        yield Seen((sent - origin) * FASTER, (known - origin) * FASTER, good)
        sent += INTERVAL


def _spot(number: int, name: str) -> Spot:
    key = CellKey("crm", "sign-in", name, "here")
    return Spot(key, 0, number, "", control=False, usual=0.0, timeout=TIMEOUT * FASTER)


def _world(spots: list[Spot], end: float) -> World:
    draw = Draw("live", 0, INTERVAL * FASTER, 1, len(spots), Random(0))
    by_key = {spot.key: spot for spot in spots}
    return World(draw, Estate((), (), ()), (), (), end, spots=by_key)
