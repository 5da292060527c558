"""What one unit has seen: how each result votes, what fails now, since when, and why.

Every result passes through `note` once, in the order of arrival, before anything is concluded of
it. PASS votes up. FAIL votes down where the cell has once worked and does not cry wolf
(`demotion.py`). Nothing else votes; but a failure inside a maintenance window marks the start
of what may go on after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.detection.choosing import inside, votes_of_round
from monitor.detection.demotion import Demotion
from monitor.detection.lockout import Lockout
from monitor.detection.population import Memory, Population
from monitor.detection.remembered import earliest_failure, latest_failures
from monitor.detection.rounds import FailingSet, Silent
from monitor.detection.sight import Sight
from monitor.detection.signals import Span
from monitor.detection.turning import Turning
from monitor.detection.unproven import Unproven
from monitor.model import CellKey, Outcome, Result


class Ledger:
    """The results of one unit, as far as they are remembered.

    `failing` are the cells whose last vote was FAIL, `excused` those that answered last in a
    maintenance window, `strangers` those that have never worked; `part` is what is known to
    fail, so that it marks the start of nothing new; `recovering` says that sweeps are good again.
    """

    __slots__ = (
        "demotion",
        "excused",
        "failing",
        "lockout",
        "memories",
        "part",
        "population",
        "recovering",
        "sight",
        "strangers",
        "suspected",
        "turning",
        "unproven",
    )

    def __init__(
        self, population: Population, memories: Mapping[CellKey, Memory], sight: Sight
    ) -> None:
        self.population = population
        self.memories = memories
        self.sight = sight
        self.turning = Turning(votes_of_round(population))
        self.unproven = Unproven(population)
        self.lockout = Lockout(population)
        self.demotion = Demotion(population)
        self.failing: dict[CellKey, None] = {}
        self.excused: set[CellKey] = set()
        self.strangers = {cell for cell in population.cells if not memories[cell].worked}
        self.part: FailingSet | None = None
        self.recovering = False
        self.suspected = Span(None, 0.0)

    def note(self, memory: Memory, result: Result, *, seen: bool) -> bool | None:
        """Take in a result after `memory` has: True for a PASS vote, False for FAIL, None for none.

        `seen`: from a vantage that can be believed; others vote, but mark no starts and ends.
        """
        vote = self._vote(memory, result)
        self.unproven.note(memory, result, seen=seen)
        self.lockout.note(result)
        if vote is True:
            self.failing.pop(memory.key, None)
            self.strangers.discard(memory.key)
        elif vote is False:
            self.failing[memory.key] = None
        if result.outcome is Outcome.MAINTENANCE:
            self.excused.add(memory.key)
        elif self.excused:
            self.excused.discard(memory.key)
        if seen:
            self._trace(memory, result, vote)
        return vote

    def may_fail(self, memory: Memory) -> bool:
        """Whether a FAIL of the cell votes: it has worked, and does not cry wolf."""
        return memory.worked and not self.demotion.silences(memory)

    def suspect(self, now: float) -> None:
        """Trouble is suspected from now on."""
        self.suspected = self.turning.start_of_share(now)

    def wait_until(self, at: float) -> None:
        """What has no vote is told of no sooner than that."""
        self.unproven.due = max(self.unproven.due, at)
        self.lockout.due = max(self.lockout.due, at)

    def begin_beyond_part(self) -> None:
        """A part is known to fail: the trouble that begins is what fails beyond it, if anything."""
        beyond = [c for c in self.failing if not inside(self.population, self.part, c)]
        self.turning.begin_anew(earliest_failure(self.memories, beyond))

    def failures(self, since: float) -> tuple[Result, ...]:
        """The latest failures of the cells that fail now.

        Of a share of requests none may fail just now: then those seen since `since`.
        """
        return latest_failures(self.memories, self.failing) or latest_failures(
            self.memories, self.population.cells, since
        )

    def silent_cells(self) -> set[CellKey]:
        """The cells whose FAIL would not vote now."""
        return self.demotion.demoted | self.excused | self.strangers

    def silent(self) -> Silent:
        """The same, told apart: those that say little, and those that say nothing of a round."""
        return Silent(self.demotion.demoted, self.excused | self.strangers)

    def excused_in(self, part: FailingSet | None) -> bool:
        """Whether something of a part has failed last in a maintenance window."""
        return any(inside(self.population, part, cell) for cell in self.excused)

    def failing_in(self, part: FailingSet) -> Iterable[CellKey]:
        """The cells of a part that fail now."""
        return [cell for cell in self.failing if inside(self.population, part, cell)]

    def _vote(self, memory: Memory, result: Result) -> bool | None:
        if result.outcome is Outcome.PASS:
            return True
        votes = result.outcome is Outcome.FAIL and self.may_fail(memory)
        return False if votes else None

    def _trace(self, memory: Memory, result: Result, vote: bool | None) -> None:
        excused = result.outcome is Outcome.MAINTENANCE and result.failure is not None
        if vote is True:
            self.turning.passed(result)
        elif vote is False or (excused and memory.worked):
            known = inside(self.population, self.part, memory.key)
            self.turning.failed(result, known=known, recovering=self.recovering)
