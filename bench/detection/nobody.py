"""Families in which nobody is down: it is noise, a blip, or our own trouble."""

from bench.detection.ways import (
    at_once,
    black_hole,
    bursts,
    everything,
    gilbert_elliott,
    of_check,
    of_places,
    of_service,
    share,
    slow,
    well,
    within,
)
from bench.detection.world import (
    SERVICE,
    TARGETS,
    VANTAGES,
    Answer,
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

_STATUS = at_once(FailureKind.STATUS, 0.05)


def lost_vantage(seed: int) -> World:
    """One vantage loses its network."""
    draw = draw_of("12a", seed, vantages=VANTAGES[1:])
    began = draw.first
    ended = began + draw.lasting(30.0, 1800.0)
    where = of_places({draw.dice.randrange(draw.vantages)}, controls=True)
    how = draw.dice.choice((black_hole, at_once(FailureKind.CONNECT)))
    return world(draw, Fault(began, ended, how, where), end=ended + 110)


def shared_transit(seed: int) -> World:
    """Most vantages share a transit to the service that fails in bursts of 30 s."""
    draw = draw_of("13", seed, vantages=(3, 5))
    ended = draw.first + draw.lasting(180.0, 1200.0)
    most = set(range(draw.vantages // 2 + 1))
    spans = bursts(draw.dice, ended, lasting=(25.0, 35.0), apart=(60.0, 150.0))
    where = of_places(most, controls=False)
    return world(draw, Fault(0.0, ended, within(spans, black_hole), where), end=ended + 110)


def own_network_gone(seed: int) -> World:
    """The monitor's own network is gone; 0 to 5 % of the controls' probes pass all the same."""
    draw = draw_of("14", seed)
    began = draw.first
    ended = began + 2 * draw.interval + draw.lasting(100.0, 1200.0, tail=230.0)
    dice, missed = draw.dice, draw.dice.uniform(0.0, 0.05)
    how = dice.choice((black_hole, at_once(FailureKind.CONNECT)))

    def answer(spot: Spot, at: float, fresh: bool) -> Answer:
        passes = spot.control and dice.random() < missed
        return (well if passes else how)(spot, at, fresh)

    truth = Truth(Scope.BLIND, began, began, ended, service="", waits=2 * draw.interval)
    return world(draw, Fault(began, ended, answer, everything), truths=[truth], slowest=10.0)


def stalled(seed: int) -> World:
    """This host is stopped for 1 to 60 s, several times over."""
    draw = draw_of("15", seed)
    ended = draw.first + draw.lasting(200.0, 1200.0)
    spans = bursts(draw.dice, ended, lasting=(1.0, 60.0), apart=(15.0, 120.0))
    host = tuple(HostEvent(a, b - a) for a, b in spans)
    return world(draw, host=host, end=ended + 110)


def noise(seed: int) -> World:
    """0.1 to 5 % of all requests fail, each by itself."""
    draw = draw_of("16a", seed)
    rate = 0.001 * 50 ** draw.dice.random()
    return world(draw, noise=rate, end=draw.lasting(150.0, 7200.0))


def bursty_noise(seed: int) -> World:
    """The same in bursts: a target or a path has bad spells in which half of its requests fail."""
    draw = draw_of("16b", seed)
    dice, end = draw.dice, draw.lasting(150.0, 7200.0)
    rate, bad_for = 0.001 * 50 ** dice.random(), dice.uniform(1.0, 10.0)
    by_path = dice.random() < 0.5
    number = draw.vantages if by_path else draw.targets
    spells = [gilbert_elliott(dice, end, rate, bad_for) for _ in range(number)]
    ways = [within(spans, _half(dice)) for spans in spells]

    def how(spot: Spot, at: float, fresh: bool) -> Answer:
        return ways[spot.place if by_path else spot.target](spot, at, fresh)

    return world(draw, Fault(0.0, end, how, of_service()), end=end)


def _half(dice):
    def answer(spot: Spot, at: float, fresh: bool) -> Answer:
        return (_STATUS if dice.random() < 0.5 else well)(spot, at, fresh)

    return answer


def one_flaps(seed: int) -> World:
    """One path to one target fails a quarter to a half of the time, for long; all else is well."""
    draw = draw_of("16c", seed, vantages=VANTAGES[1:], targets=TARGETS[1:])
    dice, end = draw.dice, draw.lasting(600.0, 14400.0)
    place, target = dice.randrange(draw.vantages), dice.randrange(draw.targets)
    how = share(dice.uniform(0.25, 0.5), _STATUS, dice)

    def where(spot: Spot) -> bool:
        return spot.judged and (spot.place, spot.target) == (place, target)

    return world(draw, Fault(0.0, end, how, where), end=end)


def blips(seed: int) -> World:
    """A deploy: everything is refused for 1 to 7 s, now and then."""
    draw = draw_of("17", seed)
    ended = draw.first + draw.lasting(200.0, 3600.0)
    spans = bursts(draw.dice, ended, lasting=(1.0, 7.0), apart=(60.0, 180.0))
    how = draw.dice.choice((at_once(FailureKind.CONNECT), _STATUS, black_hole))
    return world(draw, *(Fault(a, b, how, of_service()) for a, b in spans), end=ended + 110)


def maintenance_inside(seed: int) -> World:
    """Down within a declared window only."""
    draw = draw_of("19a", seed)
    began = draw.first
    ended = began + draw.lasting(30.0, 3600.0)
    how = draw.dice.choice((_STATUS, black_hole))
    window = (began - 15.0, ended + 15.0)
    fault = Fault(began, ended, how, of_service())
    return world(draw, fault, end=ended + 110, maintenance=(window,))


def locked_out(seed: int) -> World:
    """403 or 429 to us only, on one check, while another passes."""
    draw = draw_of("20a", seed)
    began = draw.first
    ended = began + 200.0 + draw.lasting(60.0, 1800.0, tail=330.0)
    how = at_once(FailureKind.STATUS, outcome=Outcome.BLOCKED)
    truth = Truth(Scope.UNKNOWN, began, began, ended, waits=180.0)
    fault = Fault(began, ended, how, of_check("sign-in"))
    return world(draw, fault, truths=[truth], checks=("sign-in", "search"))


def turned_on_us(seed: int) -> World:
    """The edge resets our requests only, and those to the control behind it; users get in."""
    draw = draw_of("20c", seed)
    began = draw.first
    ended = began + draw.lasting(60.0, 1800.0)
    how = at_once(FailureKind.RESET)

    def where(spot: Spot) -> bool:
        return (spot.judged and spot.key.service == SERVICE) or spot.key.check == "control-0"

    truth = Truth(Scope.UNKNOWN, began, began, ended)
    return world(draw, Fault(began, ended, how, where), truths=[truth], witness=True)


def slow_but_correct(seed: int) -> World:
    """Answers take 6 s from some moment on; the deadline is 10 s."""
    draw = draw_of("23", seed)
    began = draw.first
    ended = began + draw.lasting(120.0, 1800.0)
    fault = Fault(began, ended, slow(6.0, draw.dice), of_service())
    return world(draw, fault, end=ended + 110, slowest=6.0)


def wrong_address(seed: int) -> World:
    """First start, and the address never was right."""
    draw = draw_of("25", seed, targets=TARGETS)
    end = 4 * draw.interval + draw.lasting(60.0, 600.0)
    how = at_once(draw.dice.choice((FailureKind.CONNECT, FailureKind.STATUS)))
    return world(draw, Fault(0.0, end, how, of_service()), end=end, worked=False)
