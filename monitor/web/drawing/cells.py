"""Which cells fail now: a mark for each, or for a part of them where there are too many.

A mark stands for one cell; beyond `MARKS_MOST` for the targets of one backend group (or of one
tenant) as seen from one vantage; then for all targets of a check from one vantage; at last for a
check. Its sign says what it means without a colour: a small dot works, a half-filled square fails
in part, a filled square with a cross fails, a ring says nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from monitor.model import CellKey, CellState, Outcome, Service

MARKS_MOST = 500
NAMED_MOST = 20


class Sign(StrEnum):
    """What a mark says of its cells."""

    WORKS = "works"
    PART = "part"
    FAILS = "fails"
    SILENT = "silent"


_WORDS = {
    Outcome.PASS: "works",
    Outcome.FAIL: "fails",
    Outcome.BLOCKED: "turns us away",
    Outcome.MAINTENANCE: "fails, in maintenance",
    Outcome.INVALID: "said nothing",
}


class Tally(NamedTuple):
    """Of so many cells, how many fail and how many say nothing."""

    cells: int
    failing: int
    silent: int


class CellMark(NamedTuple):
    """One mark; `words` say all of it."""

    sign: Sign
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """The marks of one check as seen from one vantage (all of them where `vantage` is empty).

    `cells` is how many it is about, of which `failing` fail and `silent` say nothing; `named` are
    the first of the failing targets.
    """

    check: str
    vantage: str
    marks: tuple[CellMark, ...]
    cells: int
    failing: int
    silent: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Lines of marks. `per` says in words what one stands for, `left_out` how many have none."""

    lines: tuple[Line, ...]
    per: str
    left_out: int = 0

    @property
    def failing(self) -> int:
        """How many cells fail."""
        return sum(line.failing for line in self.lines)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return sum(line.cells for line in self.lines)


LineKey = tuple[str, str]
_Keys = Callable[[CellState, Mapping[tuple[str, str], str]], tuple[LineKey, str]]


def _each(state: CellState, _: Mapping[tuple[str, str], str]) -> tuple[LineKey, str]:
    return (state.key.check, state.key.vantage), state.key.target


def _grouped(state: CellState, parts: Mapping[tuple[str, str], str]) -> tuple[LineKey, str]:
    return (state.key.check, state.key.vantage), parts.get((state.key.check, state.key.target), "")


def _by_vantage(state: CellState, _: Mapping[tuple[str, str], str]) -> tuple[LineKey, str]:
    return (state.key.check, state.key.vantage), "all targets"


def _by_check(state: CellState, _: Mapping[tuple[str, str], str]) -> tuple[LineKey, str]:
    return (state.key.check, ""), "all targets from every vantage"


_LEVELS: tuple[tuple[str, _Keys], ...] = (
    ("one cell", _each),
    ("the targets of one group, as seen from one vantage", _grouped),
    ("all targets, as seen from one vantage", _by_vantage),
    ("all targets of a check", _by_check),
)


def grid_of(states: Sequence[CellState], service: Service) -> Grid:
    """The cells of one service as lines of at most `MARKS_MOST` marks in all."""
    parts = _parts(service)
    for per, keys in _LEVELS:
        if per == _LEVELS[0][0] and len(states) > MARKS_MOST:
            continue
        sorted_out: defaultdict[LineKey, defaultdict[str, list[CellState]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for state in states:
            line, mark = keys(state, parts)
            sorted_out[line][mark].append(state)
        if sum(len(marks) for marks in sorted_out.values()) <= MARKS_MOST:
            return Grid(tuple(_line(key, marks) for key, marks in sorted_out.items()), per)
    lines = tuple(_line(key, marks) for key, marks in sorted_out.items())
    return Grid(lines[:MARKS_MOST], _LEVELS[-1][0], len(lines) - MARKS_MOST)


def cells_seen(keys: Iterable[tuple[CellKey, Outcome]]) -> tuple[CellState, ...]:
    """Cells as results left them, such as the evidence of an incident; the last of each counts."""
    return tuple(CellState(key, outcome) for key, outcome in dict(keys).items())


def _parts(service: Service) -> dict[tuple[str, str], str]:
    """By check and target, the group that a mark may stand for: of the backend, or the tenant."""
    return {
        (check.name, target.name): target.group or target.tenant
        for check in service.checks
        for target in check.targets
    }


def _line(key: LineKey, marks: Mapping[str, Sequence[CellState]]) -> Line:
    tallies = {name: _tally(part) for name, part in marks.items()}
    failing = (s for part in marks.values() for s in part if s.outcome is Outcome.FAIL)
    names = dict.fromkeys(islice((s.key.target for s in failing), 10 * NAMED_MOST))
    return Line(
        *key,
        marks=tuple(_mark(name, part, tallies[name]) for name, part in marks.items()),
        cells=sum(tally.cells for tally in tallies.values()),
        failing=sum(tally.failing for tally in tallies.values()),
        silent=sum(tally.silent for tally in tallies.values()),
        named=tuple(names)[:NAMED_MOST],
    )


def _tally(states: Sequence[CellState]) -> Tally:
    outcomes = Counter([state.outcome for state in states])
    failing = outcomes[Outcome.FAIL]
    return Tally(len(states), failing, len(states) - failing - outcomes[Outcome.PASS])


def _mark(name: str, states: Sequence[CellState], tally: Tally) -> CellMark:
    if tally.cells == 1:
        return CellMark(_sign(tally), f"{name} {_said(states[0])}")
    unheard = f", {tally.silent} say nothing" if tally.silent else ""
    return CellMark(_sign(tally), f"{name}: {tally.failing} of {tally.cells} fail{unheard}")


def _said(state: CellState) -> str:
    if state.outcome is None:
        return "has not been probed yet"
    kind = f" ({state.failure})" if state.failure and state.outcome is not Outcome.PASS else ""
    return f"{_WORDS[state.outcome]}{kind}"


def _sign(tally: Tally) -> Sign:
    if tally.silent == tally.cells:
        return Sign.SILENT
    if not tally.failing:
        return Sign.WORKS
    return Sign.FAILS if tally.failing + tally.silent == tally.cells else Sign.PART
