"""The section of the document: method, what is approximated, and a row per family."""

from collections.abc import Iterator, Mapping, Sequence

from bench.detection.calls import Call
from bench.detection.families import FAMILIES
from bench.detection.sockets.verdict import Beside, Word, covered, delays, verdict
from bench.detection.world import World
from bench.live.delays import row

_METHOD = """\
## The labelled families over real sockets

`python -m bench.detection.sockets`. For every family one world of the labelled benchmark is \
simulated, and then played in real time: `monitor run` as a process of its own, at its default \
rules, beside real servers on loopback that answer each connection as the world says. Three \
vantages are three source addresses in three networks; five tenants in three backend groups; an \
interval of 10 s; three controls. The verdicts must be equal: the same outages (scope and \
service) in the same order, each left in the same stage when the world ends.

The world of a family is, of the seeds 20000 to 21999, the one that ends soonest among those of \
this size whose truth is observable and whose verdict is the simulator's with 25 different dice. \
Where single requests fail by chance (7, 8, 8g, 11, 16) the servers' dice still come to another \
verdict in one or two of a hundred cases (8g: four). Therefore the simulator is also given the \
very answers that the servers gave; a verdict that is only then the same is marked so.

On the wire: refused is a listening socket that is closed while it lasts, for some vantages only \
a reset; 503, wrong content, a maintenance page and an outage page with 403 are pages; a black \
hole is a connection that is accepted and never answered; a certificate has expired in 2020; a \
name is gone from a name server. The host's troubles are SIGSTOP and SIGCONT, and SIGKILL with a \
new start on the same database.

What is approximated:

- A timeout must be shorter than the interval, so 10 s is 9.9 s.
- A probe counts as sent when its connection is accepted; a world begins when the monitor says \
that it is monitoring.
- The name server cannot tell vantages apart. It hands out the world's expiries as TTLs in the \
order in which the timetable lets vantages ask, so that each vantage's cache ends when the \
world says. All vantages ask the same server, so what one of them asks anew is told to it alone.
- Which single requests fail is up to other dice than the simulator's. Therefore what was \
simulated is given as the least and the most of all 25.
- Maintenance windows are declared in whole seconds.
- A killed monitor is started so much earlier as its first start took.
"""

_HEAD = (
    "family",
    "what happens",
    "seed",
    "world s",
    "simulated",
    "over sockets",
    "same",
    "delay s, simulated",
    "delay s, simulated with these answers",
    "delay s, over sockets",
    "start covers the truth, simulated",
    "start covers the truth, over sockets",
    "results",
    "INVALID",
)


def section(found: Mapping[str, Beside | str]) -> Iterator[str]:
    """The lines of the section; what broke down is a text instead of a `Beside`."""
    yield from _METHOD.splitlines()
    yield ""
    yield row(_HEAD)
    yield "|---" * len(_HEAD) + "|"
    for family, one in found.items():
        yield row(_cells(family, one))
    told = [one for one in found.values() if isinstance(one, Beside)]
    yield ""
    same = sum(one.same for one in told)
    yield f"{same} of {len(found)} families have the simulator's verdict."


def words(said: Sequence[Word]) -> str:
    """A verdict in words."""
    return "; ".join(" ".join(filter(None, word)) for word in said) or "none"


def _cells(family: str, one: Beside | str) -> list[object]:
    what = (FAMILIES[family].__doc__ or "").strip().splitlines()[0].rstrip(".")
    if isinstance(one, str):
        return [family, what, "", "", "", one, "NO", *[""] * 7]
    return [
        family,
        what,
        one.world.draw.seed,
        f"{one.world.end:.0f}",
        words(verdict(one.simulated[0])),
        words(verdict(one.live)),
        ("yes" if one.alike else "yes, with these answers") if one.same else "NO",
        _delays(one.world, one.simulated),
        _delays(one.world, [one.again]),
        _delays(one.world, [one.live]),
        _covered(one.world, one.simulated),
        _covered(one.world, [one.live]),
        one.results,
        one.invalid,
    ]


def _delays(world: World, told: Sequence[Sequence[Call]]) -> str:
    """Per truth its delay, or the least and most of several tellings."""
    by_truth = zip(*(delays(world, calls) for calls in told), strict=True)
    return ", ".join(_range([d for d in found if d is not None]) for found in by_truth) or "-"


def _range(found: Sequence[float]) -> str:
    if not found:
        return "-"
    least, most = f"{min(found):.1f}", f"{max(found):.1f}"
    return least if least == most else f"{least} to {most}"


def _covered(world: World, told: Sequence[Sequence[Call]]) -> str:
    found = [each for calls in told for each in covered(world, calls)]
    return f"{sum(found)} of {len(found)}" if found else "-"
