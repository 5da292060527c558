"""Families whose truth is ALL: the service is down for everyone."""

from bench.detection.ways import (
    at_once,
    black_hole,
    bursts,
    of_check,
    of_places,
    of_service,
    share,
)
from bench.detection.world import (
    SERVICE,
    VANTAGES,
    Answer,
    Draw,
    Fault,
    HostEvent,
    Scope,
    Spot,
    Truth,
    World,
    draw_of,
    world,
)
from monitor.model import FailureKind, Outcome

HOURS = 3600.0


def _outage(draw: Draw, how, *, slowest: float, shortest: float = 12.0, **more) -> World:
    began = draw.first
    ended = began + draw.lasting(shortest, 4 * HOURS)
    truth = Truth(Scope.ALL, began, began, ended)
    return world(
        draw, Fault(began, ended, how, of_service()), truths=[truth], slowest=slowest, **more
    )


def refused(seed: int) -> World:
    """Refused connections or an error status at once."""
    draw = draw_of("1", seed)
    kind = draw.dice.choice((FailureKind.CONNECT, FailureKind.STATUS))
    return _outage(draw, at_once(kind), slowest=0.05)


def timeouts(seed: int) -> World:
    """No answer at all; the check's own deadline is 3 to 30 s, not above its interval."""
    draw = draw_of("2", seed)
    timeout = draw.dice.uniform(3.0, min(30.0, draw.interval))
    return _outage(draw, black_hole, slowest=timeout, shortest=30.0, timeout=round(timeout, 1))


def ramp(seed: int) -> World:
    """Answers grow slower over 1 to 10 min until none comes in time."""
    draw = draw_of("3", seed)
    began, rising = draw.first, draw.lasting(60.0, 600.0, tail=200.0)
    timeout = 10.0
    top = timeout * 1.2
    dice = draw.dice

    def how(spot: Spot, at: float, _fresh: bool) -> Answer:
        grown = top * min(1.0, (at - began) / rising) * dice.uniform(0.95, 1.05)
        if at >= began + rising:
            return black_hole(spot, at, _fresh)
        return Answer(spot.usual + grown, Outcome.PASS)

    first = began + rising * (timeout - 0.3) / top / 1.05
    all_of_it = began + rising * timeout / top / 0.95
    ended = began + rising + draw.lasting(60.0, 1200.0, tail=300.0)
    truth = Truth(Scope.ALL, first, all_of_it, ended)
    fault = Fault(began, ended, how, of_service())
    return world(draw, fault, truths=[truth], slowest=timeout, timeout=timeout)


def wrong_content(seed: int) -> World:
    """Status 200 with a login page or empty JSON."""
    return _outage(draw_of("4", seed), at_once(FailureKind.BODY, 0.12), slowest=0.2)


def names_gone(seed: int) -> World:
    """The name is gone; each vantage's resolver still answers until what it cached expires.

    A probe that resolves afresh sees it at once.
    """
    draw = draw_of("5", seed)
    dice, began = draw.dice, draw.first
    kept = dice.choice((30.0, 60.0, 120.0))
    expires = [began + dice.uniform(0.0, kept) for _ in range(draw.vantages)]
    seconds = dice.choice((0.02, 2.5))
    ended = max(expires) + draw.lasting(30.0, 2 * HOURS, tail=200.0)

    def how(spot: Spot, at: float, fresh: bool) -> Answer:
        if fresh or at >= expires[spot.place]:
            return Answer(seconds, Outcome.FAIL, FailureKind.DNS)
        return Answer(spot.usual, Outcome.PASS)

    truth = Truth(Scope.ALL, began, min(expires), ended, complete=max(expires))
    fault = Fault(began, ended, how, of_service())
    return world(draw, fault, truths=[truth], slowest=seconds)


def certificate_expired(seed: int) -> World:
    """The certificate is no longer valid."""
    how = at_once(FailureKind.TLS, 0.08)
    return _outage(draw_of("6", seed), how, slowest=0.1, shortest=60.0)


def almost_all_fail(seed: int) -> World:
    """95 to 99 % of all requests fail, each by itself."""
    draw = draw_of("7", seed)
    part = draw.dice.uniform(0.95, 0.99)
    how = share(part, at_once(FailureKind.STATUS, 0.05), draw.dice)
    return _outage(draw, how, slowest=0.2, shortest=130.0)


def with_a_dead_vantage(seed: int) -> World:
    """One vantage has lost its network; then the service dies for everyone."""
    draw = draw_of("12b", seed, vantages=VANTAGES[1:])
    lost = draw.dice.randrange(draw.vantages)
    gone = draw.first
    began = gone + draw.dice.uniform(60.0, 120.0)
    ended = began + draw.lasting(60.0, 1 * HOURS, tail=250.0)
    path = Fault(gone, ended + 500, black_hole, of_places({lost}, controls=True))
    outage = Fault(began, ended, at_once(FailureKind.CONNECT), of_service())
    waits = max(0.0, 2 * draw.interval - (began - gone)) if draw.vantages == 2 else 0.0
    truth = Truth(Scope.ALL, began, began, ended, waits=waits)
    return world(draw, outage, path, truths=[truth], slowest=0.05)


def flapping(seed: int) -> World:
    """Down and up for 20 to 90 s each, for half an hour."""
    draw = draw_of("18", seed)
    began = draw.first
    lasting = draw.lasting(1800.0, 1800.0)
    if draw.targets == 1000:
        lasting = 420.0
    spans = bursts(draw.dice, lasting, lasting=(20.0, 90.0), apart=(20.0, 90.0))
    spans = [(began + a - spans[0][0], began + b - spans[0][0]) for a, b in spans]
    how = at_once(draw.dice.choice((FailureKind.CONNECT, FailureKind.STATUS)))
    faults = [Fault(a, b, how, of_service()) for a, b in spans]
    longest = max(b - a for a, b in spans)
    truth = Truth(Scope.ALL, began, began, spans[-1][1], shown=longest, flapping=True)
    return world(draw, *faults, truths=[truth], slowest=0.05)


def outage_page(seed: int) -> World:
    """Everyone gets an outage page with status 403."""
    return _outage(draw_of("20b", seed), at_once(FailureKind.STATUS, 0.06), slowest=0.1)


def edge_down(seed: int) -> World:
    """The edge is down for everyone, its control too; of real users that is known only later."""
    draw = draw_of("20d", seed)
    began = draw.first
    ended = began + 2 * draw.interval + draw.lasting(150.0, 1 * HOURS, tail=330.0)
    known = began + draw.dice.uniform(5.0, 60.0)
    failing = at_once(draw.dice.choice((FailureKind.STATUS, FailureKind.RESET)))

    def behind(spot: Spot) -> bool:
        return (spot.judged and spot.key.service == SERVICE) or spot.key.check == "control-0"

    faults = [
        Fault(began, ended, failing, behind),
        Fault(known, ended, at_once(FailureKind.BODY), lambda spot: spot.witness),
    ]
    truth = Truth(Scope.ALL, began, began, ended, waits=known - began)
    return world(draw, *faults, truths=[truth], slowest=0.05, witness=True)


def interrupted(seed: int) -> World:
    """The monitor is restarted during an outage: it is down for 2 to 30 s.

    A wall clock that jumps, or a change to summer time, touches no monotonic reading: such seeds
    have no host event.
    """
    draw = draw_of("21", seed)
    began = draw.first
    ended = began + draw.lasting(120.0, 2 * HOURS)
    truth = Truth(Scope.ALL, began, began, ended)
    way = seed % 4
    down = draw.dice.uniform(2.0, 30.0)
    early, late = began + draw.dice.uniform(0.5, 12.0), began + draw.dice.uniform(20.0, 80.0)
    at = {0: early, 1: late, 2: ended + draw.dice.uniform(5.0, 60.0)}.get(way)
    host = (HostEvent(at, down, restarts=True),) if at is not None else ()
    truth = Truth(Scope.ALL, began, began, ended, waits=down if way == 0 else 0.0)
    fault = Fault(began, ended, at_once(FailureKind.STATUS), of_service())
    return world(draw, fault, truths=[truth], slowest=0.05, host=host, tail=160.0)


def behind_one_source(seed: int) -> World:
    """Two services fail together, behind one source."""
    draw = draw_of("22", seed)
    began = draw.first
    second = began + draw.dice.uniform(0.0, 20.0)
    ended = second + draw.lasting(60.0, 1 * HOURS, tail=220.0)
    truths = [
        Truth(Scope.ALL, began, began, ended),
        Truth(Scope.ALL, second, second, ended, service="orders"),
    ]
    how = at_once(FailureKind.STATUS)
    faults = [Fault(t.began, t.ended, how, of_service(t.service)) for t in truths]
    return world(draw, *faults, truths=truths, services=(SERVICE, "orders"), slowest=0.05)


def one_check_dead(seed: int) -> World:
    """One blocking check is dead, another of the same service is fine."""
    draw = draw_of("26", seed)
    began = draw.first
    ended = began + draw.lasting(60.0, 1 * HOURS, tail=220.0)
    truth = Truth(Scope.ALL, began, began, ended)
    fault = Fault(began, ended, at_once(FailureKind.STATUS), of_check("sign-in"))
    return world(draw, fault, truths=[truth], checks=("sign-in", "search"), slowest=0.05)


def maintenance_overruns(seed: int) -> World:
    """A declared maintenance goes on after the window's end.

    Until then nothing may be told; then at once, with its true start.
    """
    draw = draw_of("19b", seed)
    began, planned = draw.first, draw.dice.uniform(40.0, 120.0)
    closes = began + planned
    ended = closes + draw.lasting(60.0, 1 * HOURS, tail=320.0)
    fault = Fault(began, ended, at_once(FailureKind.STATUS), of_service())
    truth = Truth(Scope.ALL, began, closes, ended)
    window = (began - 5.0, closes)
    return world(draw, fault, truths=[truth], slowest=0.05, maintenance=(window,))


def maintenance_after(seed: int) -> World:
    """An outage begins; only then a maintenance window opens, and closes while it lasts."""
    draw = draw_of("19c", seed)
    began = draw.first
    opens = began + 60.0 + 2 * draw.interval
    closes = opens + draw.dice.uniform(40.0, 120.0)
    ended = closes + draw.lasting(30.0, 1 * HOURS, tail=500.0)
    fault = Fault(began, ended, at_once(FailureKind.STATUS), of_service())
    truth = Truth(Scope.ALL, began, began, ended)
    return world(draw, fault, truths=[truth], slowest=0.05, maintenance=((opens, closes),))


def page_left_on(seed: int) -> World:
    """A maintenance page that no window announces."""
    how = at_once(FailureKind.MAINTENANCE_PAGE, 0.06)
    return _outage(draw_of("19d", seed), how, slowest=0.1)
