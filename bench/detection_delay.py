"""From fault to verdict on virtual time, 30 s interval, three vantages and five tenants.

The fault falls at 100 instants spread over the interval. Peers with their usual settings, measured
live: Gatus (failure threshold 3) 72 s, blackbox_exporter with `for: 1m` 130 s.
"""

from collections.abc import Iterator
from statistics import median

from tests.estates import estate
from tests.simulation import Simulation, black_hole, of, refused, status_503

FAULTS = {"refused": (refused, 10.0), "503": (status_503, 10.0), "black hole": (black_hole, 18.0)}


def rows() -> Iterator[str]:
    for name, (how, budget) in FAULTS.items():
        delays = sorted(delay(how, 100 + 0.3 * n) for n in range(100))
        yield (
            f"{name}: median {median(delays):.1f} s, 95 % within {delays[94]:.1f} s, "
            f"most {delays[-1]:.1f} s; budget {budget:g} s"
        )


def delay(how, at: float) -> float:
    world = Simulation(estate())
    world.breaks(at, at + 120, how, of("crm"))
    world.run(at + 119)
    return world.declared[0].at - at
