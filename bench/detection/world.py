"""What a labelled world is made of.

A world is an estate, a function that says how any cell would answer at any instant, and the truth:
which service was down for whom, from when until when. The function may be asked at any times and
in any order; all that has duration (bursts, faults) is laid down beforehand, only independent
noise is thrown at the moment of asking. Nothing here knows of any detector.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from random import Random
from typing import NamedTuple

from monitor.model import (
    CONTROL,
    SHARED,
    Audience,
    CellKey,
    Check,
    Estate,
    EvidenceKind,
    FailureKind,
    Need,
    Once,
    Outcome,
    Rules,
    Service,
    Target,
    Vantage,
    Window,
)

INTERVALS = (10, 30, 60)
VANTAGES = (1, 2, 3, 5)
TARGETS = (1, 3, 5, 30, 1000)
SERVICE = "crm"
CHECK = "sign-in"
WITNESS, EDGE = "signed-in", "edge"
CONTROLS = 3
CONTROL_INTERVAL, CONTROL_TIMEOUT = 10.0, 5.0
NETWORKS = 3
GROUPS = ("blue", "green", "amber")
_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PROBES_AFFORDED = 15_000
SHORTEST_SPAN = 220.0


class Scope(StrEnum):
    """For whom a service is down; GREY is between a part and everyone, and not scored."""

    ALL = "ALL"
    PARTIAL = "PARTIAL"
    BLIND = "BLIND"
    UNKNOWN = "UNKNOWN"
    GREY = "grey"


class Answer(NamedTuple):
    """What a probe will see, `seconds` after it was sent."""

    seconds: float
    outcome: Outcome
    kind: FailureKind | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell as a world sees it. `usual` is its usual answer time in seconds.

    A control's and a witness's are no cells of what is judged.
    """

    key: CellKey
    place: int
    target: int
    group: str
    control: bool
    usual: float
    timeout: float
    witness: bool = False

    @property
    def service(self) -> str:
        """The service it is of."""
        return self.key.service

    @property
    def judged(self) -> bool:
        """Whether it is a cell of what is judged."""
        return not self.control and not self.witness


@dataclass(frozen=True, slots=True)
class Truth:
    """A labelled span. From `since` the first can feel it, from `began` all whom it names can.

    Delays count from `began`; its start is rightly called anything from `since` to `complete`
    (where None: `began`). `shown` is its longest unbroken stretch where it comes and goes; `waits`
    what a rule of the world makes even a perfect watcher wait before it may speak.
    """

    scope: Scope
    since: float
    began: float
    ended: float
    service: str = SERVICE
    shown: float = 0.0
    waits: float = 0.0
    complete: float | None = None
    flapping: bool = False

    @property
    def unbroken(self) -> float:
        """Seconds that it lasts without a break."""
        return self.shown or self.ended - self.began


How = Callable[[Spot, float, bool], Answer]
Where = Callable[[Spot], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """From `began` until `ended` the spots `where` answer as `how`."""

    began: float
    ended: float
    how: How
    where: Where


class HostEvent(NamedTuple):
    """The monitor's own trouble: it does nothing at all from `at` for `seconds`.

    With `restarts` it comes back as a new process that knows what the old one had stored.
    """

    at: float
    seconds: float
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed's size: interval T, V vantages, K targets; `dice` for everything else."""

    family: str
    seed: int
    interval: float
    vantages: int
    targets: int
    dice: Random

    @property
    def first(self) -> float:
        """When a fault may begin: every cell has answered once or more."""
        return self.interval + self.dice.uniform(15.0, 15.0 + self.interval)

    def lasting(self, shortest: float, longest: float, *, tail: float = 110.0) -> float:
        """A duration, even on the logarithm, as long as this size of world can afford."""
        rate = self.vantages * self.targets / self.interval
        span = max(SHORTEST_SPAN, PROBES_AFFORDED / rate)
        most = max(shortest, min(longest, span - 2 * self.interval - 15.0 - tail))
        return shortest * (most / shortest) ** self.dice.random()


@dataclass(frozen=True, slots=True)
class World:
    """An estate with what befalls it, and the truth of it. It ends at `end`.

    `slowest` is the longest that a failing answer takes; `worked` says that every cell has passed
    before time 0; `maintenance` are the declared windows of the service, by begin and end.
    """

    draw: Draw
    estate: Estate
    faults: tuple[Fault, ...]
    truths: tuple[Truth, ...]
    end: float
    slowest: float = 0.5
    noise: float = 0.0
    host: tuple[HostEvent, ...] = ()
    maintenance: tuple[tuple[float, float], ...] = ()
    worked: bool = True
    spots: dict[CellKey, Spot] = field(default_factory=dict)

    def answer(self, spot: Spot, at: float, *, fresh: bool = False) -> Answer:
        """How a probe of `spot` sent `at` comes out; `fresh`: it resolves names anew."""
        found = None
        for fault in self.faults:
            if fault.began <= at < fault.ended and fault.where(spot):
                found = fault.how(spot, at, fresh)
                break
        if found is None:
            dice = self.draw.dice
            seconds = spot.usual * dice.lognormvariate(0.0, 0.25)
            if self.noise and spot.judged and dice.random() < self.noise:
                found = _noisy(dice, spot, seconds)
            else:
                found = Answer(seconds, Outcome.PASS)
        if found.seconds > spot.timeout:
            return Answer(spot.timeout, Outcome.FAIL, FailureKind.TIMEOUT)
        return found

    def in_window(self, at: float) -> bool:
        """Whether a window is open then."""
        return any(begins <= at < ends for begins, ends in self.maintenance)


def _noisy(dice: Random, spot: Spot, seconds: float) -> Answer:
    if dice.random() < 0.5:
        return Answer(spot.timeout, Outcome.FAIL, FailureKind.TIMEOUT)
    return Answer(seconds, Outcome.FAIL, FailureKind.RESET)


def draw_of(
    family: str,
    seed: int,
    *,
    vantages: Sequence[int] = VANTAGES,
    targets: Sequence[int] = TARGETS,
) -> Draw:
    """The size and the dice of one seed of one family."""
    dice = Random(f"{family}/{seed}")
    interval = float(dice.choice(INTERVALS))
    return Draw(family, seed, interval, dice.choice(vantages), dice.choice(targets), dice)


def world(
    draw: Draw,
    *faults: Fault,
    truths: Sequence[Truth] = (),
    services: Sequence[str] = (SERVICE,),
    checks: Sequence[str] = (CHECK,),
    timeout: float = 10.0,
    tail: float = 110.0,
    witness: bool = False,
    **more,
) -> World:
    """A world of these faults that ends `tail` seconds after the last truth.

    Of two faults at one instant the later named counts. With a `witness` every service stands
    behind an edge, a control does too, and what real users do is known.
    """
    size = (draw.interval, draw.vantages, draw.targets)
    key = (*size, tuple(services), tuple(checks), timeout, witness)
    built = build_estate(*key)
    end = more.pop("end", None) or max((t.ended for t in truths), default=0.0) + tail
    ordered = tuple(reversed(faults))
    spots = _spots(*key)
    if spans := more.get("maintenance"):
        built = replace(built, windows=tuple(_window(i, *span) for i, span in enumerate(spans)))
    return World(draw, built, ordered, tuple(truths), end, spots=spots, **more)


@lru_cache(maxsize=32)
def build_estate(  # noqa: PLR0917 - positional, as the cache wants its key
    interval: float,
    vantages: int,
    targets: int,
    services: tuple[str, ...],
    checks: tuple[str, ...],
    timeout: float,
    witness: bool,
) -> Estate:
    """K targets in three groups, seen from V vantages in at most three networks.

    One or three targets are shared endpoints; more are one to a tenant.
    """
    made = tuple(
        Service(
            name,
            name.upper(),
            Audience.USERS,
            tuple(_check(name, check, targets, interval, timeout) for check in checks)
            + ((_witness(name, interval, timeout),) if witness else ()),
            edge=EDGE if witness else "",
        )
        for name in services
    )
    places = tuple(Vantage(f"v{i}", f"net-{i % NETWORKS}") for i in range(vantages))
    names = [f"control-{i}" for i in range(CONTROLS)]
    watched = [_check(CONTROL, n, 1, CONTROL_INTERVAL, CONTROL_TIMEOUT) for n in names]
    if witness:
        watched[0] = replace(watched[0], edge=EDGE)
    return Estate(made, places, tuple(watched))


def wall(at: float) -> datetime:
    """What watches show at a time of the world."""
    return _NEW_YEAR + timedelta(seconds=at)


def _window(number: int, begins: float, ends: float) -> Window:
    return Window(f"window-{number}", Once(wall(begins), wall(ends)), (SERVICE,))


def _witness(service: str, interval: float, timeout: float) -> Check:
    check = _check(service, WITNESS, 1, interval, timeout)
    return replace(check, evidence=EvidenceKind.PASSIVE, real_users=True)


def _check(service: str, name: str, number: int, interval: float, timeout: float) -> Check:
    found = tuple(
        Target(
            f"t{i}",
            SHARED if number <= 3 else f"t{i}",
            f"http://{service}/{name}/t{i}",
            group=GROUPS[i % len(GROUPS)] if number > 1 else "",
            fingerprint="f",
        )
        for i in range(number)
    )
    need, evidence = Need.BLOCKING, EvidenceKind.ACTIVE
    return Check(service, name, "http", None, interval, timeout, need, evidence, found)


@lru_cache(maxsize=32)
def _spots(*key) -> dict[CellKey, Spot]:
    dice = Random(repr(key))
    places: dict[str, int] = {}
    found = {}
    for cell in build_estate(*key).cells():
        place = places.setdefault(cell.key.vantage, len(places))
        usual = 0.02 * (1 + place) + dice.uniform(0.02, 0.15)
        number = int(cell.key.target[1:])
        found[cell.key] = Spot(
            cell.key,
            place,
            number,
            cell.target.group,
            cell.key.service == CONTROL,
            usual,
            cell.check.timeout,
            cell.check.real_users,
        )
    return found


def ruled(estate: Estate, rules: Rules) -> Estate:
    """The same estate with other rules for every service."""
    return replace(estate, services=tuple(replace(s, rules=rules) for s in estate.services))
