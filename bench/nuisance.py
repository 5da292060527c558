"""Sixty days in which nobody is down: does anything call everyone, or a part?

One world on virtual time, T = 30 s, three vantages, five tenants: half a per cent of noise all the
time, a deploy of 1 to 7 s every few hours, a transit that two vantages share failing for 30 s
every few hours, a vantage without network for minutes each day, this host stopped now and then.
"""

from collections.abc import Iterator
from random import Random

from bench.detection.calls import calls_of
from bench.detection.run import Run
from bench.detection.ways import at_once, black_hole, bursts, of_places, of_service, within
from bench.detection.world import Draw, Fault, HostEvent, Scope, world
from monitor.model import FailureKind

DAYS = 60
_HOUR, _DAY = 3600.0, 86_400.0


def rows(days: float = DAYS) -> Iterator[str]:
    end, dice = days * _DAY, Random("nuisance")
    draw = Draw("nuisance", 0, 30.0, 3, 5, dice)
    blips = bursts(dice, end, lasting=(1.0, 7.0), apart=(2 * _HOUR, 8 * _HOUR))
    transit = bursts(dice, end, lasting=(25.0, 35.0), apart=(2 * _HOUR, 8 * _HOUR))
    lost = bursts(dice, end, lasting=(60.0, 900.0), apart=(12 * _HOUR, 36 * _HOUR))
    stops = bursts(dice, end, lasting=(1.0, 60.0), apart=(6 * _HOUR, 24 * _HOUR))
    refused = at_once(FailureKind.CONNECT)
    faults = [
        Fault(0.0, end, within(blips, refused), of_service()),
        Fault(0.0, end, within(transit, black_hole), of_places({0, 1}, controls=False)),
        Fault(0.0, end, within(lost, black_hole), of_places({2}, controls=True)),
    ]
    host = tuple(HostEvent(a, b - a) for a, b in stops)
    run = Run(world(draw, *faults, host=host, noise=0.005, end=end)).go()
    called = [call.scope for call in calls_of(run.declared)]
    yield (
        f"{days:g} days, {len(blips)} deploys, {len(transit)} transit bursts, {len(lost)} losses "
        f"of a vantage, {len(stops)} stops of the host, 0.5 % noise: false ALL "
        f"{called.count(Scope.ALL)}, PARTIAL {called.count(Scope.PARTIAL)}, BLIND "
        f"{called.count(Scope.BLIND)}, extra probes {100 * run.asked / run.scheduled:.1f} %"
    )
