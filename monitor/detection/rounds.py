"""One round: every sampled cell asked again, and what its answers say together.

A round is planned with so many votes a cell. A result votes in the round in which it was sent:
PASS or FAIL; anything else, and a FAIL of a cell that has never passed, answers without a vote.
Only votes from vantages that are healthy when the round closes count.

`finding` names what a closed round says:

    NOTHING    too few votes, or no healthy vantage: no conclusion at all
    EVERYONE   (a) seen from a healthy vantage, (b) at least half of the votes of every healthy
               vantage and every group are FAIL and at most `pass_share` of all pass, (d) enough
               of the cells were heard. A vantage or group with demoted cells only is left out
               of (b)
    QUIET      nothing fails more than half of its votes, and few votes fail at all
    PART       anything between
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from monitor.model import CellKey, Dimension, Rules

_PASSES_THAT_PROVE = 3


class Finding(StrEnum):
    """What a closed round says of its population."""

    NOTHING = "nothing"
    EVERYONE = "everyone"
    QUIET = "quiet"
    PART = "part"


@dataclass(slots=True)
class Tally:
    """Votes of one target, group, vantage or everything."""

    passed: int = 0
    failed: int = 0

    @property
    def votes(self) -> int:
        """PASS and FAIL together."""
        return self.passed + self.failed

    def mostly_fails(self) -> bool:
        """More than half of the votes are FAIL."""
        return 2 * self.failed > self.votes

    def fails_half(self) -> bool:
        """At least half of the votes are FAIL; true of no votes."""
        return 2 * self.failed >= self.votes


@dataclass(slots=True)
class Round:
    """Votes by cell.

    `planned` says how many answers each cell owes; a `patient` round waits out the check's own
    deadline, another counts late silence as FAIL.
    """

    started: float
    patient: bool
    planned: Mapping[CellKey, int]
    expires: float
    controls: set[CellKey] = field(default_factory=set)
    until: float | None = None
    closed: bool = False
    passed: dict[CellKey, int] = field(default_factory=lambda: defaultdict(int))
    failed: dict[CellKey, int] = field(default_factory=lambda: defaultdict(int))
    answered: dict[CellKey, int] = field(default_factory=lambda: defaultdict(int))
    owed: int = 0

    def __post_init__(self) -> None:
        self.owed = sum(self.planned.values())

    def takes(self, cell: CellKey, sent: float) -> bool:
        """Whether an answer to a probe sent then belongs here and is still owed."""
        return self.spans(sent) and self.answered[cell] < self.planned.get(cell, 0)

    def spans(self, sent: float) -> bool:
        """Whether a probe sent then was sent in this round, and it still counts."""
        before_next = self.until is None or sent < self.until
        return not self.closed and sent >= self.started and before_next

    def answer(self, cell: CellKey, *, vote: bool | None) -> None:
        """One answer: True for PASS, False for FAIL, None without a vote."""
        self.answered[cell] += 1
        self.owed -= 1
        if vote is not None:
            (self.passed if vote else self.failed)[cell] += 1

    def turn(self, cell: CellKey, vote: bool | None) -> None:
        """A late answer overrides the FAIL that its silence was counted as."""
        self.failed[cell] -= 1
        if vote is not None:
            (self.passed if vote else self.failed)[cell] += 1

    def passes(self) -> int:
        """PASS votes so far, from any vantage."""
        return sum(self.passed.values())

    def complete(self, now: float) -> bool:
        """Whether all have answered, or the rest never will."""
        return (self.owed <= 0 and not self.controls) or now >= self.expires


@dataclass(frozen=True, slots=True)
class Counted:
    """A closed round's votes from healthy vantages, added up along each dimension.

    `vantages` are those that voted: a healthy one whose probes said nothing has seen nothing.
    """

    started: float
    patient: bool
    finding: Finding
    total: Tally
    by: Mapping[Dimension, Mapping[str, Tally]]
    vantages: tuple[str, ...]
    heard: int

    def failing_from(self) -> tuple[str, ...]:
        """The vantages that saw a FAIL: a demoted one may have voted PASS only."""
        seen = self.by[Dimension.VANTAGE]
        return tuple(name for name in self.vantages if seen[name].failed)

    def failing(self, dimension: Dimension) -> frozenset[str]:
        """The members of a dimension that fail more than half of their votes."""
        return frozenset(name for name, tally in self.by[dimension].items() if tally.mostly_fails())


class Silent(NamedTuple):
    """Cells whose FAIL does not vote: demoted ones, and those that are no part of the round.

    Left out is what has never worked, or is excused by a maintenance window.
    """

    demoted: Collection[CellKey] = frozenset()
    left_out: Collection[CellKey] = frozenset()


_NOT_SILENT = Silent()


def count(
    round_: Round,
    healthy: Iterable[str],
    group_of: Mapping[CellKey, str],
    rules: Rules,
    silent: Silent = _NOT_SILENT,
) -> Counted:
    """Add up a round as seen from the vantages that are healthy now, and name its finding.

    Cells left out are no part of it.
    """
    sight = tuple(healthy)
    places: set[tuple[Dimension, str]] = set()
    total = Tally()
    by: dict[Dimension, dict[str, Tally]] = {
        Dimension.TARGET: defaultdict(Tally),
        Dimension.GROUP: defaultdict(Tally),
        Dimension.VANTAGE: defaultdict(Tally),
    }
    cells = [
        cell for cell in round_.planned if cell.vantage in sight and cell not in silent.left_out
    ]
    heard = 0
    for cell in cells:
        passed, failed = round_.passed[cell], round_.failed[cell]
        heard += passed + failed > 0
        if cell not in silent.demoted:
            places.add((Dimension.VANTAGE, cell.vantage))
            places.add((Dimension.GROUP, group_of[cell]))
        for tally in (
            total,
            by[Dimension.TARGET][cell.target],
            by[Dimension.GROUP][group_of[cell]],
            by[Dimension.VANTAGE][cell.vantage],
        ):
            tally.passed += passed
            tally.failed += failed
    enough = bool(cells) and heard >= rules.coverage * len(cells) and total.votes > 0
    judged = [by[dimension][name] for dimension, name in places]
    finding = _finding(total, by, judged, rules) if enough else Finding.NOTHING
    voted = tuple(name for name in sight if by[Dimension.VANTAGE][name].votes)
    return Counted(round_.started, round_.patient, finding, total, by, voted, heard)


def _finding(
    total: Tally,
    by: Mapping[Dimension, Mapping[str, Tally]],
    places: Iterable[Tally],
    rules: Rules,
) -> Finding:
    agreed = all(tally.failed >= rules.vantage_fail_share * tally.votes for tally in places)
    if agreed and total.passed <= rules.pass_share * total.votes:
        return Finding.EVERYONE
    quiet = total.failed <= rules.partial_share * total.votes
    if quiet and not any(t.mostly_fails() for tallies in by.values() for t in tallies.values()):
        return Finding.QUIET
    return Finding.PART


@dataclass(frozen=True, slots=True)
class FailingSet:
    """The members along one dimension that fail while the rest does not."""

    dimension: Dimension
    members: frozenset[str]


def failing_set(earlier: Counted, later: Counted, rules: Rules) -> FailingSet | None:
    """The set that fails in both rounds and leaves the fewest FAILs unexplained.

    The rest must be well: at most `partial_share` of its votes fail. Of two sets that explain the
    same, the one with fewer members; then targets before groups before vantages. None when
    nothing fails twice, or everything does: then no set explains anything.
    """
    found: list[tuple[int, int, int, FailingSet]] = []
    for order, dimension in enumerate((Dimension.TARGET, Dimension.GROUP, Dimension.VANTAGE)):
        members = (earlier.failing(dimension) & later.failing(dimension)) - {""}
        rest = Tally()
        for counted in (earlier, later):
            for name, tally in counted.by[dimension].items():
                if name not in members:
                    rest.passed += tally.passed
                    rest.failed += tally.failed
        if members and rest.votes and rest.failed <= rules.partial_share * rest.votes:
            found.append((rest.failed, len(members), order, FailingSet(dimension, members)))
    return min(found, key=lambda row: row[:3])[3] if found else None


def heard(counted: Counted) -> list[str]:
    """The targets that voted in a round."""
    targets = counted.by[Dimension.TARGET]
    return [name for name, tally in targets.items() if tally.votes]


def survivors(rounds: Iterable[Counted]) -> frozenset[str]:
    """Targets that passed more than half of their votes over all these rounds.

    A PASS or two prove nothing: of thirty targets that fail 95 times in 100, one has two of three.
    """
    sums: dict[str, Tally] = defaultdict(Tally)
    for counted in rounds:
        for target, tally in counted.by[Dimension.TARGET].items():
            sums[target].passed += tally.passed
            sums[target].failed += tally.failed
    return frozenset(name for name, tally in sums.items() if _survives(tally))


def _survives(tally: Tally) -> bool:
    return 2 * tally.passed > tally.votes and tally.passed >= _PASSES_THAT_PROVE
