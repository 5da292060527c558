"""The rules that people use today, beside ours in the same worlds.

A peer sees what its probes see at its own cadence and says of each target whether it is down. As
people do, a service is called ALL while at least `EVERYONE` of its targets are down, PARTIAL while
some are. A checker that probes from one place does so from the first vantage.

    Nagios 3/3        FAIL: asked again every T/2; hard down at the third; one PASS is up
    Gatus 3/2         down at three FAILs in a row, up at two PASSes
    blackbox for: 1m  down when every evaluation (each 15 s) of one minute finds the latest a FAIL
    Uptime Kuma r     down at the FAIL after r retries an interval apart; one PASS is up
    Pingdom           a FAIL is asked again at once from the next place; both FAIL: down
    updown            FAIL: asked again every T/2 from another place; three in a row: down
    Route 53          a place is bad after three FAILs, good after three PASSes; down while at most
                      18 % of the places are good
    Azure 3 of 5      down while the latest answers of three fifths of the places are FAIL
    plain SPRT        Wald's test over all answers of the service: 95 % against 1 % failing

A FAIL in a declared maintenance window counts for none of them. With controls, a FAIL from a place
is left out while fewer than half of that place's controls answered last.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from math import ceil, log

from bench.detection.calls import Call
from bench.detection.run import due_times
from bench.detection.world import Scope, Spot, World
from monitor.model import CellKey, Outcome

EVERYONE = 0.9
EVALUATED_EVERY, FOR = 15.0, 60.0
ROUTE_53_GOOD = 0.18
AZURE_SHARE = 0.6

Change = tuple[float, bool]
"""From this instant a target is down (True) or up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, known at `at` = `sent` + its duration."""

    sent: float
    at: float
    good: bool


@dataclass(slots=True)
class History:
    """The scheduled answers of one world, by cell in order of sending, and how to ask for more."""

    world: World
    answers: dict[CellKey, list[Seen]] = field(default_factory=dict)
    trusted: dict[int, tuple[list[float], list[bool]]] = field(default_factory=dict)
    with_controls: bool = False

    def believed(self, spot: Spot, at: float) -> bool:
        """Whether a FAIL from there counts; always so without controls."""
        if not self.with_controls:
            return True
        times, healthy = self.trusted[spot.place]
        place = bisect_right(times, at) - 1
        return place < 0 or healthy[place]

    def ask(self, spot: Spot, at: float) -> Seen:
        """A probe at a time of one's own."""
        seconds, outcome, _ = self.world.answer(spot, at)
        excused = self.world.in_window(at) and spot.judged
        failed = outcome in (Outcome.FAIL, Outcome.BLOCKED) and not excused
        return Seen(at, at + seconds, not failed)

    def counting(self, spot: Spot) -> Iterator[Seen]:
        """A cell's scheduled answers that count."""
        for seen in self.answers[spot.key]:
            if seen.good or self.believed(spot, seen.at):
                yield seen


Places = Sequence[Spot]
Rule = Callable[[History, Places], Iterator[Change]]


def recorded(world: World) -> History:
    """Every scheduled probe of a world, without any detector.

    A host that is stopped sends nothing; a probe under way passes its deadline meanwhile.
    """
    history = History(world)
    for interval, train in due_times(world.estate):
        for due, key in train:
            spot = world.spots[key]
            history.answers[key] = list(_scheduled(history, spot, due, interval))
    for place in range(world.draw.vantages):
        history.trusted[place] = _health(history, place)
    return history


def _scheduled(history: History, spot: Spot, due: float, interval: float) -> Iterator[Seen]:
    stops = [(e.at, e.at + e.seconds) for e in history.world.host if not e.restarts]
    while due < history.world.end:
        stop = next(((a, b) for a, b in stops if a <= due < b), None)
        if stop is None:
            seen = history.ask(spot, due)
            through = next(((a, b) for a, b in stops if due < a < seen.at), None)
            if through is not None:
                seen = Seen(due, through[1], seen.good and through[1] - due < spot.timeout)
            yield seen
        due += interval


def _health(history: History, place: int) -> tuple[list[float], list[bool]]:
    """When a place's controls came to vouch for it, or ceased to."""
    seen = [
        (one.at, key, one.good)
        for key, answers in history.answers.items()
        if history.world.spots[key].control and history.world.spots[key].place == place
        for one in answers
    ]
    latest = {key: True for _, key, _ in seen}
    times, healthy = [], []
    for at, key, good in sorted(seen):
        latest[key] = good
        times.append(at)
        healthy.append(2 * sum(latest.values()) >= len(latest))
    return times, healthy


# --------------------------------------------------------------------- rules of one target


def in_a_row(answers: Iterable[Seen], fails: int, passes: int) -> Iterator[Change]:
    """Down at so many FAILs in a row, up at so many PASSes."""
    down, run = False, 0
    for seen in answers:
        run = run + 1 if seen.good == down else 0
        if run >= (passes if down else fails):
            down, run = not down, 0
            yield seen.at, down


def consecutive(fails: int, passes: int) -> Rule:
    """From the first place only."""
    return lambda history, places: in_a_row(history.counting(places[0]), fails, passes)


def nagios(history: History, places: Places) -> Iterator[Change]:
    """Three attempts, T/2 apart."""
    return _retried(history, places, lambda _number: places[0])


def updown(history: History, places: Places) -> Iterator[Change]:
    """Three attempts, T/2 apart, from another place than the first."""
    return _retried(history, places, lambda number: places[number % len(places)])


def _retried(history: History, places: Places, place_of: Callable[[int], Spot]) -> Iterator[Change]:
    gap = history.world.draw.interval / 2
    down, busy_until = False, 0.0
    for seen in history.counting(places[0]):
        if seen.sent < busy_until:
            continue
        if down and seen.good:
            down = False
            yield seen.at, False
        elif not down and not seen.good:
            last = seen
            for number in (1, 2):
                spot = place_of(number)
                last = history.ask(spot, last.sent + gap)
                busy_until = last.at
                if last.good or not history.believed(spot, last.at):
                    break
            else:
                down = True
                yield last.at, True


def pingdom(history: History, places: Places) -> Iterator[Change]:
    """Places take turns; a FAIL is asked again at once from the next."""
    down = False
    for turn, seen in enumerate(history.answers[places[0].key]):
        spot, other = (places[(turn + i) % len(places)] for i in (0, 1))
        first = seen if spot is places[0] else history.ask(spot, seen.sent)
        if down and first.good:
            down = False
            yield first.at, False
        elif not down and not first.good and history.believed(spot, first.at):
            second = history.ask(other, first.at)
            if not second.good and history.believed(other, second.at):
                down = True
                yield second.at, True


def blackbox(history: History, places: Places) -> Iterator[Change]:
    """An alerting rule on the latest scrape, with `for`."""
    answers = list(history.counting(places[0]))
    down, pending, place, good = False, None, 0, True
    for number in range(int(history.world.end / EVALUATED_EVERY) + 1):
        at = number * EVALUATED_EVERY
        while place < len(answers) and answers[place].at <= at:
            good = answers[place].good
            place += 1
        pending = None if good else (at if pending is None else pending)
        firing = pending is not None and at - pending >= FOR
        if firing != down:
            down = firing
            yield at, down


def route_53(history: History, places: Places) -> Iterator[Change]:
    """Three in a row at each place; down while few places are good."""
    bad = [in_a_row(history.counting(spot), 3, 3) for spot in places]
    allowed = ROUTE_53_GOOD * len(places)
    return _voted(bad, lambda number: len(places) - number <= allowed)


def azure(history: History, places: Places) -> Iterator[Change]:
    """The latest answers of three fifths of the places."""
    bad = [in_a_row(history.counting(spot), 1, 1) for spot in places]
    needed = ceil(AZURE_SHARE * len(places))
    return _voted(bad, lambda number: number >= needed)


def _voted(changes: Sequence[Iterator[Change]], is_down: Callable[[int], bool]) -> Iterator[Change]:
    down, number = False, 0
    for at, bad in sorted(change for one in changes for change in one):
        number += 1 if bad else -1
        if is_down(number) != down:
            down = not down
            yield at, down


def sprt(history: History, places: Places) -> Iterator[Change]:
    """Wald's test of 95 % failing against 1 %, over every answer of the service."""
    fail, passed, limit = log(0.95 / 0.01), log(0.05 / 0.99), log(0.99 / 0.001)
    answers = sorted(
        ((seen.at, seen.good) for spot in places for seen in history.counting(spot)),
    )
    down, score = False, 0.0
    for at, good in answers:
        score = min(limit, max(-limit, score + (passed if good else fail)))
        if not down:
            score = max(0.0, score)
        if (score >= limit and not down) or (score <= 0.0 and down):
            down = not down
            yield at, down


PEERS: dict[str, Rule] = {
    "Nagios 3/3": nagios,
    "Gatus 3/2": consecutive(3, 2),
    "blackbox, for: 1m": blackbox,
    "Uptime Kuma, 0 retries": consecutive(1, 1),
    "Uptime Kuma, 2 retries": consecutive(3, 1),
    "Pingdom": pingdom,
    "updown": updown,
    "Route 53": route_53,
    "Azure 3 of 5": azure,
    "plain SPRT": sprt,
}


# --------------------------------------------------------------------- from targets to calls


def peer_calls(history: History, name: str) -> list[Call]:
    """What a peer calls in this world: of each service, by its worst check."""
    rule, found = PEERS[name], []
    spots = [spot for spot in history.world.spots.values() if spot.judged]
    for (service, _), cells in groupby(spots, key=lambda spot: spot.key[:2]):
        by_target: dict[int, list[Spot]] = {}
        for spot in cells:
            by_target.setdefault(spot.target, []).append(spot)
        if rule is sprt:
            by_target = {0: [spot for places in by_target.values() for spot in places]}
        changes = sorted(
            change for places in by_target.values() for change in rule(history, places)
        )
        found += _calls(service, changes, len(by_target))
    return sorted(found, key=lambda call: call.at)


def _calls(service: str, changes: Iterable[Change], targets: int) -> Iterator[Call]:
    everyone = partial(_above, EVERYONE * targets)
    number, began = 0, {Scope.ALL: None, Scope.PARTIAL: None}
    for at, group in groupby(changes, key=lambda change: change[0]):
        number += sum(1 if down else -1 for _, down in group)
        all_down = everyone(number)
        standing = {Scope.ALL: all_down, Scope.PARTIAL: number > 0 and not all_down}
        for scope, stands in standing.items():
            since = began[scope]
            if stands and since is None:
                began[scope] = at
            elif not stands and since is not None:
                began[scope] = None
                yield Call(scope, service, since, recovered=at, closed=at)
    for scope, since in began.items():
        if since is not None:
            yield Call(scope, service, since)


def _above(least: float, number: int) -> bool:
    return number > 0 and number >= least
