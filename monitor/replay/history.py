"""A history: results read from a file, in the format that docs/replay.md describes.

Lines may stand in any order; they are held in memory sorted by `at`, some 300 bytes each. What a
line says of its cell beside the result (group, network, tenant and the like) is read from the
first line of that cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import NamedTuple

from monitor.model import CONTROL, SHARED, CellKey, EvidenceKind, FailureKind, Need, Outcome
from monitor.replay.lines import (
    HistoryError,
    Said,
    flag_of,
    instant_of,
    read_lines,
    seconds_of,
    text_of,
    word_of,
)

_GAPS_KEPT = 200
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_KINDS = {kind.value: kind for kind in FailureKind}
_NEEDS = {need.value: need for need in Need}
_EVIDENCE = {kind.value: kind for kind in EvidenceKind}
_IDENTITY = ("control", "service", "check", "target", "vantage")
_NOWHERE = CellKey("", "", "", "")


class Line(NamedTuple):
    """One result. `at` and `sent` are seconds since 1970; `asked`: for detection, not by plan."""

    at: float
    sent: float
    cell: CellKey
    outcome: Outcome
    failure: FailureKind | None
    message: str
    id: str
    asked: bool


@dataclass(slots=True)
class CellFacts:
    """What is known of one cell: what its first line says, and what all its lines show.

    `interval` and `timeout` are seconds, None where the line says nothing; `longest` is the
    longest an answer took; `gaps` lie between its planned results.
    """

    group: str = ""
    network: str = ""
    tenant: str = SHARED
    need: Need = Need.BLOCKING
    evidence: EvidenceKind = EvidenceKind.ACTIVE
    real_users: bool = False
    edge: str = ""
    interval: float | None = None
    timeout: float | None = None
    passed: bool = False
    longest: float = 0.0
    last_at: float | None = None
    gaps: list[float] = field(default_factory=list)

    def note(self, line: Line) -> None:
        """Take in the next of its lines in time."""
        self.passed = self.passed or line.outcome is Outcome.PASS
        self.longest = max(self.longest, line.at - line.sent)
        if line.asked:
            return
        if self.last_at is not None and len(self.gaps) < _GAPS_KEPT and line.at > self.last_at:
            self.gaps.append(line.at - self.last_at)
        self.last_at = line.at

    def recorded_interval(self) -> float | None:
        """Seconds from one planned result to the next; None when there is only one."""
        return self.interval or (median(self.gaps) if self.gaps else None)


@dataclass(frozen=True, slots=True)
class History:
    """All results of a file in order of time, and the cells they are of, the first seen first.

    `answers_rounds`: results that detection asked for are among them.
    """

    lines: list[Line]
    cells: Mapping[CellKey, CellFacts]
    answers_rounds: bool


def read_history(path: Path) -> History:
    """The results of a file. Raises HistoryError with every mistake in it."""
    reading = _Reading()
    lines = read_lines(path, reading.line)
    if not lines:
        raise HistoryError((f"{path}: holds no results",))
    lines.sort(key=itemgetter(0))
    cells: dict[CellKey, CellFacts] = {}
    for line in lines:
        facts = cells.get(line.cell)
        if facts is None:
            facts = cells[line.cell] = reading.cells[line.cell]
        facts.note(line)
    return History(lines, cells, any(line.asked for line in lines))


class _Reading:
    """Makes lines, and keeps the facts of each cell that they are of."""

    def __init__(self) -> None:
        self.cells: dict[CellKey, CellFacts] = {}
        self._keys: dict[tuple[object, ...], CellKey] = {}

    def line(self, said: Said, flaws: list[str]) -> Line:
        at = instant_of(said, "at", flaws)
        outcome = word_of(said, "outcome", _OUTCOMES, flaws) or Outcome.INVALID
        failure = None
        if outcome in (Outcome.FAIL, Outcome.MAINTENANCE):
            failure = word_of(said, "kind", _KINDS, flaws, FailureKind.STATUS)
        return Line(
            at,
            _sent(said, at, flaws),
            self._cell(said, flaws),
            outcome,
            failure,
            text_of(said, "message", flaws, ""),
            text_of(said, "id", flaws, ""),
            flag_of(said, "asked", flaws),
        )

    def _cell(self, said: Said, flaws: list[str]) -> CellKey:
        names = tuple(map(said.get, _IDENTITY))
        try:
            known = self._keys.get(names)
        except TypeError:
            known = None
        return known or self._new_cell(said, names, flaws)

    def _new_cell(self, said: Said, names: tuple[object, ...], flaws: list[str]) -> CellKey:
        control = flag_of(said, "control", flaws)
        before = len(flaws)
        service = text_of(said, "service", flaws, CONTROL if control else None)
        check, target, vantage = (text_of(said, key, flaws) for key in _IDENTITY[2:])
        for word, name in (("service", service), ("check", check)):
            if "/" in name:
                flaws.append(f"`{word}` `{name[:60]}` has a `/` in it")
        if len(flaws) > before:
            return _NOWHERE
        key = CellKey(CONTROL if control else service, check, target, vantage)
        if key not in self.cells:
            self.cells[key] = _facts(said, flaws)
        self._keys[names] = key
        return key


def _sent(said: Said, at: float, flaws: list[str]) -> float:
    if said.get("sent") is None:
        return at - (seconds_of(said, "seconds", flaws) or 0.0)
    sent = instant_of(said, "sent", flaws)
    if sent > at:
        flaws.append("`sent` is later than `at`")
    return sent


def _facts(said: Said, flaws: list[str]) -> CellFacts:
    return CellFacts(
        group=text_of(said, "group", flaws, ""),
        network=text_of(said, "network", flaws, ""),
        tenant=text_of(said, "tenant", flaws, SHARED) or SHARED,
        need=word_of(said, "need", _NEEDS, flaws, Need.BLOCKING) or Need.BLOCKING,
        evidence=word_of(said, "evidence", _EVIDENCE, flaws, EvidenceKind.ACTIVE)
        or EvidenceKind.ACTIVE,
        real_users=flag_of(said, "real_users", flaws),
        edge=text_of(said, "edge", flaws, ""),
        interval=seconds_of(said, "interval", flaws) or None,
        timeout=seconds_of(said, "timeout", flaws) or None,
    )
