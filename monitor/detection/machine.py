"""The state machine of one unit.

What it does next is its phase:

    UP        resting: scheduled probes watch. A FAIL that may vote, or a silence, is a suspicion.
    STAGE_A   two cells are asked again at once: the suspicious one and the farthest from it.
              Both PASS: back to rest. Anything else: rounds.
    ROUNDS    every sampled cell is asked, again and again, until the rounds agree on something.
    PARTIAL   resting on a known failing part, swept now and then; a FAIL outside it is a
              suspicion as in UP.
    ALL       everyone is affected; swept until enough sweeps pass.

What it has declared stands in its `Outages`, apart from the phase: a unit may be UP and still
watch a recovered outage. What rounds agree on is read from its `Series`; when trouble began and
ended from its `Turning`.
"""

from __future__ import annotations

from enum import StrEnum

from monitor.detection.choosing import farthest, inside, votes_planned
from monitor.detection.lockout import Lockout
from monitor.detection.outages import Outages, Track
from monitor.detection.population import Memory, Population, sampled_cells
from monitor.detection.remembered import earliest_failure, earliest_return, latest_failures
from monitor.detection.rounds import Counted, FailingSet, Finding
from monitor.detection.series import Series
from monitor.detection.sight import Sight
from monitor.detection.signals import Action, Declared, Probe, Span
from monitor.detection.turning import Turning
from monitor.detection.unproven import Unproven
from monitor.detection.words import everyone_sentence, part_sentence
from monitor.model import (
    CellKey,
    Dimension,
    Extent,
    Impact,
    Need,
    Outcome,
    Result,
    Rules,
    Stage,
    VerdictReason,
)

_NEVER = float("inf")
_GRACE = 1.0


class Phase(StrEnum):
    """What a machine does next."""

    UP = "up"
    STAGE_A = "stage_a"
    ROUNDS = "rounds"
    PARTIAL = "partial"
    ALL = "all"


class Machine:
    """One unit: its population, what it is doing, and what it has declared."""

    def __init__(
        self, population: Population, memories: dict[CellKey, Memory], sight: Sight
    ) -> None:
        self.population = population
        self.rules: Rules = population.rules
        self.memories = memories
        self.phase = Phase.UP
        self.outages = Outages(population.unit, population.rules)
        self.part: FailingSet | None = None
        self._rest = Phase.UP
        self._sight = sight
        self._turning = Turning(population.rules)
        self._unproven = Unproven(population)
        self._lockout = Lockout(population)
        self._failing: dict[CellKey, None] = {}
        self._suspected = Span(None, 0.0)
        self._awaiting: set[CellKey] = set()
        self._asked_at = 0.0
        self._asked_until = _NEVER
        self._series = Series(population, sight)
        self._next_round = _NEVER
        self._good_sweeps: list[float] = []

    # ----------------------------------------------------------------- events

    def result(self, memory: Memory, result: Result, now: float, *, counted: bool) -> list[Action]:
        """A probe answered. `counted`: its silence has already been taken for FAIL."""
        cell = memory.key
        seen = cell.vantage in self._sight.healthy(now)
        vote = self._noted(memory, result, seen=seen)
        if seen:
            self._trace(memory, result, vote)
        self._series.answer(cell, result.sent_mono, vote, counted=counted)
        actions = self._stage_a_answer(cell, result.sent_mono, vote, now)
        if vote is False:
            actions += self._suspect(cell, now)
        elif vote is True:
            self._hasten(cell, now)
        return actions + self.tick(now)

    def recall(self, memory: Memory, result: Result) -> None:
        """An earlier process had seen this: it counts for starts and ends, not for rounds."""
        vote = self._noted(memory, result, seen=True)
        self._trace(memory, result, vote)

    def suspect_recalled(self, now: float) -> None:
        """What failed when an earlier process ended is under suspicion: sweep at once.

        What has no vote is told of only once it has been asked again.
        """
        asked_again = now + self.population.interval
        self._unproven.due = max(self._unproven.due, asked_again)
        self._lockout.due = max(self._lockout.due, asked_again)
        if self._failing and self.phase is Phase.UP:
            self._suspected = self._turning.start_of_share(now)
            self.phase = Phase.ROUNDS
            self._next_round = now

    def window_closed(self, cells: frozenset[CellKey], now: float) -> list[Action]:
        """A maintenance window has ended: what failed in it is asked again at once."""
        mine = (cell for cell in self.population.cells if cell in cells)
        failing = any(self.memories[cell].outcome is Outcome.MAINTENANCE for cell in mine)
        if not failing or self.phase not in (Phase.UP, Phase.STAGE_A, Phase.PARTIAL):
            return []
        if self.phase is not Phase.STAGE_A:
            self._suspected = self._turning.start_of_share(now)
            self._rest = self.phase
        return self._begin_rounds(now)

    def silent(self, cell: CellKey, sent: float, now: float) -> list[Action]:
        """A probe has had no answer for suspiciously long."""
        if not self.memories[cell].worked:
            return []
        if self.phase is Phase.STAGE_A and cell in self._awaiting and sent >= self._asked_at:
            return self._begin_rounds(now)
        return self._suspect(cell, now)

    def late(self, cell: CellKey, sent: float, now: float) -> bool:
        """A probe has been silent so long that an impatient round takes it for FAIL."""
        worked = self.memories[cell].worked
        counted = self._series.late(cell, sent, False if worked else None)
        if counted and worked:
            self._turning.began_by(now)
        return counted

    def lost(self, cell: CellKey, sent: float) -> None:
        """A probe will never answer."""
        self._series.answer(cell, sent, None, counted=False)
        if sent >= self._asked_at:
            self._awaiting.discard(cell)

    def control_answered(self, cell: CellKey) -> None:
        """A control that a round waits for has answered, or gone silent."""
        self._series.control_answered(cell)

    def tick(self, now: float) -> list[Action]:
        """Do what is due: close rounds, start rounds, end stage A, close watched outages."""
        if self.idle():
            return []
        actions: list[Action] = []
        while (counted := self._series.close_one(now)) is not None:
            actions += self._conclude(counted, now)
        if self.phase is Phase.STAGE_A and now >= self._asked_until:
            actions += self._begin_rounds(now)
        if now >= self._next_round:
            self._next_round = _NEVER
            if self._series.may_start():
                actions += self._start_round(now)
        if now >= self._unproven.due:
            actions += self._tell_unproven(now)
        if now >= self._lockout.due:
            actions += self._tell_lockout(now)
        return actions + list(self.outages.close_watched(now))

    def idle(self) -> bool:
        """Whether nothing is under way or watched, so that only a vote can move it."""
        resting = self.phase is Phase.UP and not self._series.open and not self.outages.open
        return resting and self._unproven.due == self._lockout.due == _NEVER

    def wake_at(self) -> float:
        """When `tick` next has something to do."""
        due = min(self._next_round, self._unproven.due, self._lockout.due)
        due = min(due, self.outages.wake_at())
        if self._series.open:
            due = min(due, self._series.open[0].expires)
        return min(due, self._asked_until) if self.phase is Phase.STAGE_A else due

    def paused(self, gap: float, now: float) -> None:
        """We were not looking for `gap` seconds: what was under way is void, sweep afresh."""
        self.outages.shift(gap)
        self._series.void_open()
        self._good_sweeps.clear()
        if self.phase is Phase.STAGE_A:
            self.phase = Phase.ROUNDS
        if self.phase is not Phase.UP:
            self._next_round = now

    def resume(self, declared: Declared, now: float) -> None:
        """Take up an outage from an earlier process, and sweep at once."""
        self.outages.restore(declared)
        if declared.stage is not Stage.FAILING:
            return
        if declared.reason is VerdictReason.NEVER_WORKED:
            self._unproven.restore(declared.extent.members, now)
            return
        if declared.reason is VerdictReason.LOCKED_OUT:
            self._lockout.restore(now)
            return
        if declared.impact is Impact.ALL:
            self.phase, self.part = Phase.ALL, None
        elif self.phase is not Phase.ALL:
            self.phase = self._rest = Phase.PARTIAL
            self.part = FailingSet(declared.extent.dimension, frozenset(declared.extent.members))
            beyond = [c for c in self._failing if not inside(self.population, self.part, c)]
            self._turning.onset = earliest_failure(self.memories, beyond)
        self._next_round = now

    def _noted(self, memory: Memory, result: Result, *, seen: bool) -> bool | None:
        """How a result votes, after everything but rounds has taken it in."""
        vote = _vote(memory, result)
        self._unproven.note(memory, result, seen=seen)
        self._lockout.note(result)
        if vote is True:
            self._failing.pop(memory.key, None)
        elif vote is False:
            self._failing[memory.key] = None
        return vote

    def _trace(self, memory: Memory, result: Result, vote: bool | None) -> None:
        """Mark starts and ends; a failure in a maintenance window is a start, without a vote."""
        in_window = result.outcome is Outcome.MAINTENANCE and memory.worked
        if vote is True:
            self._turning.passed(result)
        elif vote is False or in_window:
            known = inside(self.population, self.part, memory.key)
            self._turning.failed(result, known=known, recovering=bool(self._good_sweeps))

    # ----------------------------------------------------------------- suspicion and stage A

    def _suspect(self, cell: CellKey, now: float) -> list[Action]:
        """A voting FAIL or a silence: at rest, and outside a known failing part, it counts."""
        if self.phase not in (Phase.UP, Phase.PARTIAL) or inside(self.population, self.part, cell):
            return []
        if cell.vantage not in self._sight.healthy(now):
            return []
        if self.phase is Phase.UP:
            self._suspected = self._turning.start_of_share(now)
        self._rest, self.phase = self.phase, Phase.STAGE_A
        other = farthest(self.population, self.memories, self._sight, cell, part=self.part, now=now)
        asked = dict.fromkeys((cell, other))
        self._awaiting = set(asked)
        self._asked_at, self._asked_until = now, now + self.population.timeout + _GRACE
        return [Probe(tuple(asked), now)]

    def _stage_a_answer(
        self, cell: CellKey, sent: float, vote: bool | None, now: float
    ) -> list[Action]:
        if self.phase is not Phase.STAGE_A or cell not in self._awaiting or sent < self._asked_at:
            return []
        if vote is False:
            return self._begin_rounds(now)
        self._awaiting.discard(cell)
        if not self._awaiting:
            self.phase = self._rest
        return []

    # ----------------------------------------------------------------- rounds

    def _begin_rounds(self, now: float) -> list[Action]:
        self.phase = Phase.ROUNDS
        self._awaiting.clear()
        self._series.begin()
        return self._start_round(now)

    def _start_round(self, now: float) -> list[Action]:
        sweeping = self.phase is Phase.ALL
        planned = votes_planned(self.population, self._failing, self._sight.healthy(now))
        self._next_round = _NEVER if sweeping else now + self.rules.round_gap
        return list(self._series.start(planned, now, always_patient=sweeping))

    def _conclude(self, counted: Counted, now: float) -> list[Action]:
        sweeping = self.phase is Phase.ALL
        actions = self._sweep_all(counted, now) if sweeping else self._judge(now)
        if not self._series.open and self.phase is not Phase.UP:
            self._next_round = max(now, counted.started + self._gap_after(counted))
        return actions

    def _gap_after(self, counted: Counted) -> float:
        """Seconds from the start of this round to the start of the next."""
        gaps, finding = self.rules.sweep_gaps, counted.finding
        if self.phase is Phase.ALL:
            return self.rules.round_gap if finding is Finding.PART else gaps[-1]
        if finding in (Finding.EVERYONE, Finding.QUIET) and self.phase is not Phase.PARTIAL:
            return self.rules.round_gap
        if self.phase is Phase.PARTIAL and finding is not Finding.QUIET:
            known = self.part is not None and self.part.dimension in counted.by
            return self.rules.partial_sweep if known else gaps[-1]
        if self.phase is Phase.PARTIAL:
            return self.rules.round_gap
        return gaps[min(self._series.refuted, len(gaps)) - 1]

    def _hasten(self, cell: CellKey, now: float) -> None:
        """A PASS where all was failing: sweep soon instead of at leisure."""
        if self._series.open or self._next_round == _NEVER:
            return
        soonest = self._series.last_started
        if self.phase is Phase.ALL and not self._good_sweeps:
            soonest += self.rules.round_gap
        elif self.phase is Phase.PARTIAL and inside(self.population, self.part, cell):
            soonest += self.rules.sweep_gaps[-1]
        else:
            return
        self._next_round = min(self._next_round, max(now, soonest))

    # ----------------------------------------------------------------- conclusions

    def _judge(self, now: float) -> list[Action]:
        """From the rounds so far: everyone, a part, all quiet, or not yet known."""
        reason = self._series.everyone(now)
        if reason is not None:
            return list(self._declare_everyone(reason, now))
        if self._series.quiet >= self.rules.quiet_rounds:
            return list(self._settle(now))
        if self._series.undecided():
            return []
        return list(self._declare_part(now))

    def _declare_everyone(self, reason: VerdictReason, now: float) -> list[Declared]:
        extent = self._extent(Dimension.EVERYONE, ())
        rounds = self._series.run_length
        known_by = everyone_sentence(self.population.check, extent, rounds, self.rules.round_gap)
        began = self._turning.start(now)
        track = Track.ALL
        if self.population.need is Need.DEGRADING:
            track, reason = Track.SOME, VerdictReason.DEGRADED
        elif not self.population.broad():
            track, reason = Track.SOME, VerdictReason.CANARY_FAILING
        if track is Track.ALL:
            self.phase, self.part = Phase.ALL, None
            self._turning.forget_end()
            self._series.void_open()
        else:
            self.phase = self._rest = Phase.PARTIAL
            self.part = FailingSet(Dimension.EVERYONE, frozenset())
        self._good_sweeps.clear()
        return self.outages.declare(
            track,
            reason=reason,
            extent=extent,
            began=began,
            known_by=known_by,
            results=self.failures(),
            now=now,
        )

    def _declare_part(self, now: float) -> list[Declared]:
        """Declare the part that fails, once the rounds agree on it."""
        part = self._series.agreed_part(now, after_everyone=self.phase is Phase.ALL)
        if part is None:
            return []
        self.phase = self._rest = Phase.PARTIAL
        self.part = part
        extent = self._extent(part.dimension, tuple(sorted(part.members)))
        reason = VerdictReason.SET_FAILING
        if part.dimension is Dimension.SHARE:
            reason = VerdictReason.SHARE_FAILING
        if self.population.need is Need.DEGRADING:
            reason = VerdictReason.DEGRADED
        total = self._series.history[-1].total
        return self.outages.declare(
            Track.SOME,
            reason=reason,
            extent=extent,
            began=self._part_began(part),
            known_by=part_sentence(self.population.check, extent, total.failed / total.votes),
            results=self.failures(),
            now=now,
        )

    def _settle(self, now: float) -> list[Declared]:
        """Enough quiet rounds: back to UP; what stood as a part has recovered."""
        trouble = [c.started for c in self._series.history if c.finding is Finding.PART]
        span = Span(trouble[-1] if trouble else None, self._series.quiet_since or now)
        self._rest_up()
        return self.outages.recover(Track.SOME, span, now)

    def _rest_up(self) -> None:
        self.phase = self._rest = Phase.UP
        self.part = None
        self._next_round = _NEVER
        self._series.begin()
        self._good_sweeps.clear()

    def _tell_unproven(self, now: float) -> list[Declared]:
        self._unproven.due = _NEVER
        targets = self._unproven.targets
        if not targets:
            return self.outages.recover(Track.NEVER_WORKED, Span(None, now), now)
        cells = [cell for target in targets for cell in self.population.cells_of[target]]
        never = [cell for cell in cells if not self.memories[cell].worked]
        results = latest_failures(self.memories, never)
        return self.outages.declare(
            Track.NEVER_WORKED,
            reason=VerdictReason.NEVER_WORKED,
            extent=self._unproven.extent(self._sight.healthy(now)),
            began=Span(None, min((r.observed_mono for r in results), default=now)),
            known_by=f"{self.population.check}: has never passed since it was configured.",
            results=results,
            now=now,
        )

    def _tell_lockout(self, now: float) -> list[Declared]:
        self._lockout.due = _NEVER
        began = self._lockout.began()
        if began is None:
            return self.outages.recover(Track.LOCKED_OUT, Span(None, now), now)
        return self.outages.declare(
            Track.LOCKED_OUT,
            reason=VerdictReason.LOCKED_OUT,
            extent=self._lockout.extent(self._sight.healthy(now)),
            began=began,
            known_by=f"{self.population.check}: we are turned away, and nothing has passed since.",
            results=tuple(self._lockout.results.values()),
            now=now,
        )

    # ----------------------------------------------------------------- the way back from ALL

    def _sweep_all(self, counted: Counted, now: float) -> list[Action]:
        """Count good sweeps; failures confined to a part leave only that."""
        rules, sweeps = self.rules, self._good_sweeps
        if counted.finding is Finding.NOTHING:
            return []
        quiet = counted.finding is Finding.QUIET
        good = quiet or counted.total.passed >= rules.recovery_share * counted.total.votes
        places = self._sight.networks(counted.vantages)
        if good and (places >= 2 or self._declared_from_one_place()):
            sweeps.append(counted.started)
        else:
            if sweeps and not good:
                self._turning.forget_end()
            sweeps.clear()
        told: list[Action] = list(self._leave_part(now))
        enough = len(sweeps) >= rules.recovery_rounds and now - sweeps[0] >= rules.recovery_span
        return told + (list(self._recover_all(now)) if enough and not told else [])

    def _declared_from_one_place(self) -> bool:
        declared = self.outages.open.get(Track.ALL)
        return declared is None or self._sight.networks(declared.extent.from_vantages) < 2

    def _recover_all(self, now: float) -> list[Declared]:
        span = self._turning.end(now)
        self._rest_up()
        told = self.outages.recover(Track.ALL, span, now)
        return told + self.outages.recover(Track.SOME, span, now)

    def _leave_part(self, now: float) -> list[Declared]:
        told = self._declare_part(now)
        if self.phase is Phase.PARTIAL:
            told = self.outages.recover(Track.ALL, self._rest_came_back(now), now) + told
        return told

    # ----------------------------------------------------------------- details of a declaration

    def _extent(self, dimension: Dimension, members: tuple[str, ...]) -> Extent:
        last = self._series.history[-1]
        targets = last.by[Dimension.TARGET]
        return Extent(
            dimension,
            members,
            failing=len(last.failing(Dimension.TARGET)),
            sampled=sum(1 for tally in targets.values() if tally.votes),
            population=len(self.population.targets),
            from_vantages=last.vantages,
        )

    def _part_began(self, part: FailingSet) -> Span:
        """The earliest start among the cells of the part; of a share, since it was suspected."""
        if part.dimension is Dimension.SHARE:
            return self._suspected
        cells = [cell for cell in self._failing if inside(self.population, part, cell)]
        return earliest_failure(self.memories, cells) or self._suspected

    def _rest_came_back(self, now: float) -> Span:
        """When what is outside the part passed again, by the first of its cells to do so."""
        sampled = sampled_cells(self.population, ())
        outside = [c for c in sampled if not inside(self.population, self.part, c)]
        began = self.outages.open[Track.ALL].began.before
        return earliest_return(self.memories, outside, began) or Span(None, now)

    def failures(self) -> tuple[Result, ...]:
        """The latest failures of the cells that fail now.

        Of a share of requests none may fail just now: then those seen since it was suspected.
        """
        since = self._suspected.before
        return latest_failures(self.memories, self._failing) or latest_failures(
            self.memories, self.population.cells, since
        )


def _vote(memory: Memory, result: Result) -> bool | None:
    """PASS votes up; FAIL votes down where it once worked; nothing else votes."""
    if result.outcome is Outcome.PASS:
        return True
    if result.outcome is Outcome.FAIL and memory.worked:
        return False
    return None
