"""The state machine of one unit.

What it does next is its phase:

    UP        resting: scheduled probes watch. A FAIL that may vote, or a silence, is a suspicion.
    STAGE_A   two cells are asked again at once: the suspicious one and the farthest from it.
              Both PASS: back to rest. They disagree: once more. Anything else: rounds.
    ROUNDS    every sampled cell is asked, again and again, until the rounds agree on something.
    PARTIAL   resting on a known failing part, swept now and then; a FAIL outside it is a
              suspicion as in UP.
    ALL       everyone is affected; swept until enough sweeps pass.

What it has seen stands in its `Ledger`, what its rounds agree on in its `Series`, and what it has
declared in its `Declarations`, apart from the phase: a unit may be UP and still watch a recovered
outage.

A unit of trials (a mutating check, such as test orders) does the same with fewer questions: no
stage A, one attempt a target and round, and at most `trials_per_hour` rounds an hour. When those
are spent its rounds ask nothing, and wait for what the schedule tries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial

from monitor.detection.choosing import farthest, inside, trials_planned, votes_planned
from monitor.detection.declarations import EVERYONE, Declarations
from monitor.detection.doubt import Doubt
from monitor.detection.ledger import Ledger
from monitor.detection.opinion import Opinion, SecondOpinion
from monitor.detection.outages import Track
from monitor.detection.phase import Phase
from monitor.detection.population import Memory, Population, sampled_cells
from monitor.detection.recovery import Recovery
from monitor.detection.rounds import Counted, FailingSet, Finding, heard
from monitor.detection.series import Series
from monitor.detection.sight import Sight
from monitor.detection.signals import Action, Declared, Probe
from monitor.detection.words import everyone_sentence
from monitor.model import (
    CellKey,
    Dimension,
    EvidenceKind,
    Impact,
    Need,
    Outcome,
    Result,
    Rules,
    VerdictReason,
)

_NEVER = float("inf")
_GRACE = 1.0
_HOUR = 3600.0


class Machine:
    """One unit: its population, what it is doing, and what it has declared."""

    def __init__(
        self,
        population: Population,
        memories: Mapping[CellKey, Memory],
        sight: Sight,
        doubt: Doubt,
    ) -> None:
        self.population = population
        self.rules: Rules = population.rules
        self.phase = Phase.UP
        self._rest = Phase.UP
        self._sight = sight
        self._doubt = doubt
        self._ledger = Ledger(population, memories, sight)
        self._series = Series(population, sight, self._ledger)
        self._says = Declarations(self._ledger)
        self.outages = self._says.outages
        self._opinion: SecondOpinion | None = None
        self._next_round = _NEVER
        self._recovery = Recovery(self._ledger)
        self._tries = population.evidence is EvidenceKind.MUTATING
        self._trials: deque[float] = deque(maxlen=max(1, self.rules.trials_per_hour))

    @property
    def part(self) -> FailingSet | None:
        """The part that is known to fail; None where none is, or everyone."""
        return self._ledger.part

    def failures(self) -> tuple[Result, ...]:
        """The latest failures of the cells that fail now."""
        return self._says.failures()

    # ----------------------------------------------------------------- events

    def result(self, memory: Memory, result: Result, now: float, *, counted: bool) -> list[Action]:
        """A probe answered. `counted`: its silence has already been taken for FAIL."""
        cell = memory.key
        seen = cell.vantage in self._sight.healthy(now)
        vote = self._ledger.note(memory, result, seen=seen)
        self._learn(memory, result, vote)
        self._series.answer(cell, result.sent_mono, vote, counted=counted)
        actions = self._second_opinion(cell, result.sent_mono, now, vote=vote)
        if vote is False:
            actions += self._suspect(cell, now)
        elif vote is True:
            self._hasten(cell, now)
        return actions + self.tick(now)

    def recall(self, memory: Memory, result: Result) -> None:
        """An earlier process had seen this: it counts for starts and ends, not for rounds."""
        self._ledger.note(memory, result, seen=True)

    def suspect_recalled(self, now: float) -> None:
        """What failed when an earlier process ended is under suspicion: sweep at once.

        What has no vote is told of only once it has been asked again.
        """
        self._ledger.wait_until(now + self.population.interval)
        if self._ledger.failing and self.phase is Phase.UP:
            self._ledger.suspect(now)
            self.phase = Phase.ROUNDS
            self._next_round = now

    def window_closed(self, cells: frozenset[CellKey], now: float) -> list[Action]:
        """A maintenance window has ended: what failed in it is asked again at once."""
        if self.phase is Phase.ALL or not self._ledger.excused & cells:
            return []
        if self.phase in (Phase.UP, Phase.PARTIAL):
            self._ledger.suspect(now)
            self._rest = self.phase
        return self._begin_rounds(now)

    def silent(self, cell: CellKey, sent: float, now: float) -> list[Action]:
        """A probe has had no answer for suspiciously long."""
        if not self._ledger.may_fail(self._ledger.memories[cell]):
            return []
        return self._second_opinion(cell, sent, now, vote=False) + self._suspect(cell, now)

    def late(self, cell: CellKey, sent: float, now: float) -> bool:
        """A probe has been silent so long that an impatient round takes it for FAIL."""
        if not self._ledger.may_fail(self._ledger.memories[cell]):
            return False
        counted = self._series.late(cell, sent)
        if counted:
            self._ledger.turning.began_by(sent, now)
        return counted

    def lost(self, cell: CellKey, sent: float) -> None:
        """A probe will never answer."""
        self._series.answer(cell, sent, None, counted=False)
        if self._opinion is not None and self._opinion.waits_for(cell, sent):
            self._opinion.awaiting.discard(cell)

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
        if self._opinion is not None and now >= self._opinion.until:
            actions += self._begin_rounds(now)
        if now >= self._next_round:
            self._next_round = _NEVER
            if self._series.may_start():
                actions += self._start_round(now)
        return [*actions, *self._says.due(now)]

    def idle(self) -> bool:
        """Whether nothing is under way or watched, so that only a vote can move it."""
        resting = self.phase is Phase.UP and not self._series.open and not self.outages.open
        return resting and self._ledger.unproven.due == self._ledger.lockout.due == _NEVER

    def wake_at(self) -> float:
        """When `tick` next has something to do."""
        due = min(self._next_round, self._says.due_at())
        if self._series.open:
            due = min(due, self._series.open[0].expires)
        return due if self._opinion is None else min(due, self._opinion.until)

    def paused(self, gap: float, now: float) -> None:
        """We were not looking for `gap` seconds: what was under way is void, and asked afresh."""
        self.outages.shift(gap)
        soonest = self._series.interrupt(gap)
        self._recovery.forget()
        if self.phase is Phase.STAGE_A:
            self.phase, self._opinion = Phase.ROUNDS, None
        if self.phase is not Phase.UP:
            self._next_round = max(now, soonest)

    def resume(self, declared: Declared, now: float) -> None:
        """Take up an outage from an earlier process, and sweep at once."""
        if not self._says.take_up(declared, now):
            return
        if declared.reason is VerdictReason.TURNED_ON_US:
            self.phase = Phase.ROUNDS if self.phase is Phase.UP else self.phase
        elif declared.impact is Impact.ALL:
            self.phase, self._ledger.part = Phase.ALL, None
        elif self.phase is not Phase.ALL:
            self.phase = self._rest = Phase.PARTIAL
            members = frozenset(declared.extent.members)
            self._ledger.part = FailingSet(declared.extent.dimension, members)
            self._ledger.begin_beyond_part()
        self._next_round = now

    # ----------------------------------------------------------------- suspicion and stage A

    def _learn(self, memory: Memory, result: Result, vote: bool | None) -> None:
        """At rest each PASS, and an isolated FAIL of a demoted cell, tells of its habits."""
        if self.phase is not Phase.UP:
            return
        if vote is True:
            self._ledger.demotion.passed(memory.key)
        silenced = vote is None and result.outcome is Outcome.FAIL and memory.worked
        if silenced and not self._ledger.failing:
            self._ledger.demotion.refuted(memory.key)

    def _suspect(self, cell: CellKey, now: float) -> list[Action]:
        """A voting FAIL or a silence: at rest, and outside a known failing part, it counts."""
        known = inside(self.population, self.part, cell)
        if self.phase not in (Phase.UP, Phase.PARTIAL) or known:
            return []
        if cell.vantage not in self._sight.healthy(now):
            return []
        if self.phase is Phase.UP:
            self._ledger.suspect(now)
        self._rest = self.phase
        return self._begin_rounds(now) if self._tries else self._ask_two(cell, now)

    def _ask_two(
        self, cell: CellKey, now: float, *, before: tuple[CellKey, ...] = ()
    ) -> list[Action]:
        """Ask this cell and the farthest from it, another than those asked before."""
        self.phase = Phase.STAGE_A
        memories, part = self._ledger.memories, self.part
        but = [asked for asked in before if asked != cell]
        other = farthest(self.population, memories, self._sight, cell, part=part, now=now, but=but)
        until = now + self.population.timeout + _GRACE
        asked = tuple(dict.fromkeys((cell, other)))
        self._opinion = SecondOpinion(cell, asked, now, until, before=before)
        return [Probe(asked, now)]

    def _second_opinion(
        self, cell: CellKey, sent: float, now: float, *, vote: bool | None
    ) -> list[Action]:
        """An answer, or silence, for stage A."""
        opinion = self._opinion
        if opinion is None or not opinion.waits_for(cell, sent):
            return []
        said = opinion.answer(cell, vote)
        if said is Opinion.TROUBLE:
            return self._begin_rounds(now)
        if said is Opinion.MIXED:
            return self._ask_two(opinion.cell, now, before=opinion.asked)
        return self._refuted(opinion.cell, now) if said is Opinion.BLIP else []

    def _refuted(self, cell: CellKey, now: float) -> list[Action]:
        """It was a blip, unless blips have come so often that a share must be failing."""
        self.phase, self._opinion = self._rest, None
        if self.phase is Phase.UP:
            self._ledger.demotion.refuted(cell)
            if self._ledger.turning.share_suspected():
                return self._begin_rounds(now)
        return []

    # ----------------------------------------------------------------- rounds

    def _begin_rounds(self, now: float) -> list[Action]:
        self.phase, self._opinion = Phase.ROUNDS, None
        self._series.begin()
        return self._start_round(now)

    def _start_round(self, now: float) -> list[Action]:
        if self._tries and self._tried_enough(now):
            self._next_round = _NEVER
            cells = sampled_cells(self.population, ())
            self._series.listen(cells, now, self.population.interval)
            return []
        sweeping = self.phase is Phase.ALL
        self._next_round = _NEVER if sweeping else now + self.rules.round_gap
        planned = self._planned(now)
        return list(
            self._series.start(planned, now, always_patient=sweeping, also=self._doubt.asks)
        )

    def _planned(self, now: float) -> dict[CellKey, int]:
        healthy = self._sight.healthy(now)
        if not self._tries:
            silent = self._ledger.silent_cells()
            return votes_planned(self.population, self._ledger.failing, healthy, silent)
        self._trials.append(now)
        return trials_planned(self.population, healthy, turn=self._series.started)

    def _tried_enough(self, now: float) -> bool:
        """Whether no more may be tried this hour: then scheduled probes must do."""
        return len(self._trials) == self._trials.maxlen and now - self._trials[0] < _HOUR

    def _conclude(self, counted: Counted, now: float) -> list[Action]:
        sweeping = self.phase is Phase.ALL
        actions = self._sweep_all(counted, now) if sweeping else self._judge(counted, now)
        if not self._series.open and self.phase is not Phase.UP:
            self._next_round = max(now, counted.started + self._gap_after(counted))
        return actions

    def _gap_after(self, counted: Counted) -> float:
        """Seconds from the start of this round to the start of the next."""
        gaps, finding = self.rules.sweep_gaps, counted.finding
        if self.phase is Phase.ALL:
            swept = _HOUR / self.rules.trials_per_hour if self._tries else gaps[-1]
            return self.rules.round_gap if finding is Finding.PART else swept
        if finding is Finding.EVERYONE and self.outages.failing(Track.TURNED_ON_US):
            return gaps[-1]
        if finding is Finding.QUIET or (finding is Finding.EVERYONE and self._may_be_all()):
            return self.rules.round_gap
        if self.phase is Phase.PARTIAL:
            known = self.part is not None and self.part.dimension in counted.by
            return self.rules.partial_sweep if known else gaps[-1]
        return gaps[min(self._series.refuted, len(gaps)) - 1]

    def _may_be_all(self) -> bool:
        """Whether the run may yet become ALL, and has not been going on for long already."""
        if self.part == EVERYONE:
            return False
        longest = 2 * self.rules.rounds_one_location
        return self._series.run_length < longest or self._series.waits_to_last()

    def _hasten(self, cell: CellKey, now: float) -> None:
        """A PASS where all was failing: sweep soon instead of at leisure."""
        if self._series.open or self._next_round == _NEVER:
            return
        soonest = self._series.last_started
        if self.phase is Phase.ALL and not self._recovery.under_way():
            soonest += self.rules.round_gap
        elif self.phase is Phase.PARTIAL and inside(self.population, self.part, cell):
            soonest += self.rules.sweep_gaps[-1]
        else:
            return
        self._next_round = min(self._next_round, max(now, soonest))

    # ----------------------------------------------------------------- conclusions

    def _judge(self, last: Counted, now: float) -> list[Action]:
        """From the rounds so far: everyone, a part, all quiet, or not yet known."""
        reason = self._series.everyone(now)
        if reason is not None:
            doubted = self.population.need is Need.BLOCKING and self._doubt.stands(now)
            said = self._says.doubted(last, now) if doubted else self._everyone(reason, last, now)
            return list(said)
        if self._series.is_quiet(of_share=self._may_be_share()):
            waits = self._ledger.excused_in(self.part)
            return [] if waits else list(self._settle(now))
        if self._series.undecided():
            return []
        return list(self._declare_part(now))

    def _everyone(self, reason: VerdictReason, last: Counted, now: float) -> list[Declared]:
        track = Track.ALL
        if self.population.need is Need.DEGRADING:
            track, reason = Track.SOME, VerdictReason.DEGRADED
        elif not self.population.broad(heard(last)):
            track, reason = Track.SOME, VerdictReason.CANARY_FAILING
        rounds, gap = self._series.run_length, self.rules.round_gap
        known_by = partial(everyone_sentence, rounds=rounds, gap=gap)
        told = self._says.everyone(track, reason, last, known_by, now)
        if track is Track.ALL:
            self.phase, self._ledger.part = Phase.ALL, None
            self._ledger.turning.forget_end()
            self._series.void_open()
        else:
            self.phase = self._rest = Phase.PARTIAL
            self._ledger.part = EVERYONE
        self._recovery.forget()
        return self.outages.supersede(Track.TURNED_ON_US, now) + told

    def _declare_part(self, now: float) -> list[Declared]:
        """Declare the part that fails, once the rounds agree on it."""
        everyone = self.phase is Phase.ALL or self.outages.failing(Track.TURNED_ON_US)
        part = self._series.agreed_part(now, after_everyone=everyone)
        if part is None:
            return []
        told = self._says.part(part, self._series.history[-1], now)
        self.phase = self._rest = Phase.PARTIAL
        self._ledger.part = part
        return self.outages.supersede(Track.TURNED_ON_US, now) + told

    def _may_be_share(self) -> bool:
        share = self.part is not None and self.part.dimension is Dimension.SHARE
        return share or self._ledger.turning.share_suspected()

    def _settle(self, now: float) -> list[Declared]:
        """Enough quiet rounds: back to UP; what stood as a part has recovered."""
        span = self._series.quiet_span(now)
        self._ledger.turning.share_refuted()
        self._rest_up()
        return self._says.part_recovered(span, now)

    def _rest_up(self) -> None:
        self.phase = self._rest = Phase.UP
        self._ledger.part = None
        self._next_round = _NEVER
        self._series.begin()
        self._recovery.forget()

    # ----------------------------------------------------------------- the way back from ALL

    def _sweep_all(self, counted: Counted, now: float) -> list[Action]:
        """Count good sweeps; failures confined to a part leave only that."""
        recovered = self._recovery.take(counted, self.outages.open.get(Track.ALL), now)
        told: list[Action] = list(self._leave_part(now))
        if not recovered or told:
            return told
        self._rest_up()
        return list(self._says.all_recovered(now))

    def _leave_part(self, now: float) -> list[Declared]:
        told = self._declare_part(now)
        if self.part is not None:
            told = self._says.rest_recovered(self.part, now) + told
        return told
