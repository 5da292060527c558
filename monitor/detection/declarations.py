"""What one unit says: each conclusion with its extent, its start, its evidence and its sentence.

The machine concludes; here it becomes a `Declared`, on its track (`outages.py`), and only if there
is anything new to tell.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.detection.choosing import inside
from monitor.detection.ledger import Ledger
from monitor.detection.outages import Outages, Track
from monitor.detection.population import sampled_cells
from monitor.detection.remembered import earliest_failure, earliest_return, latest_failures
from monitor.detection.rounds import Counted, FailingSet, heard
from monitor.detection.signals import Declared, Span
from monitor.detection.words import doubt_sentence, part_sentence
from monitor.model import Dimension, Extent, Need, Result, Stage, VerdictReason

EVERYONE = FailingSet(Dimension.EVERYONE, frozenset())


KnownBy = Callable[[str, Extent], str]
"""Says of a check and an extent how it is known."""


class Declarations:
    """The declarations of one unit, and the outages that stand because of them."""

    __slots__ = ("_ledger", "_population", "outages")

    def __init__(self, ledger: Ledger) -> None:
        self.outages = Outages(ledger.population.unit, ledger.population.rules)
        self._ledger = ledger
        self._population = ledger.population

    def due(self, now: float) -> list[Declared]:
        """What time alone brings: what has never worked or locks us out, and ends of watches."""
        told: list[Declared] = []
        if now >= self._ledger.unproven.due:
            told += self._unproven(now)
        if now >= self._ledger.lockout.due:
            told += self._lockout(now)
        return told + self.outages.close_watched(now)

    def due_at(self) -> float:
        """When `due` next has something to say."""
        due = min(self._ledger.unproven.due, self._ledger.lockout.due)
        return min(due, self.outages.wake_at())

    def take_up(self, declared: Declared, now: float) -> bool:
        """Take up an outage from an earlier process; whether the machine has to go on with it."""
        self.outages.restore(declared)
        if declared.stage is not Stage.FAILING:
            return False
        if declared.reason is VerdictReason.NEVER_WORKED:
            self._ledger.unproven.restore(declared.extent.members, now)
        elif declared.reason is VerdictReason.LOCKED_OUT:
            self._ledger.lockout.restore(now)
        else:
            return True
        return False

    # ----------------------------------------------------------------- trouble

    def everyone(
        self, track: Track, reason: VerdictReason, last: Counted, known_by: KnownBy, now: float
    ) -> list[Declared]:
        """Everyone is affected, on the track of ALL, of SOME where that is not enough for ALL."""
        extent = self.extent(EVERYONE, last)
        return self.outages.declare(
            track,
            reason=reason,
            extent=extent,
            began=self._ledger.turning.start(now),
            known_by=known_by(self._population.check, extent),
            results=self.failures(),
            now=now,
        )

    def doubted(self, last: Counted, now: float) -> list[Declared]:
        """Everything fails for us, and users get in: we cannot tell."""
        reason = VerdictReason.TURNED_ON_US
        return self.everyone(Track.TURNED_ON_US, reason, last, doubt_sentence, now)

    def part(self, part: FailingSet, last: Counted, now: float) -> list[Declared]:
        """A part fails."""
        reason = VerdictReason.SET_FAILING
        if part.dimension is Dimension.SHARE:
            reason = VerdictReason.SHARE_FAILING
        if self._population.need is Need.DEGRADING:
            reason = VerdictReason.DEGRADED
        extent = self.extent(part, last)
        share = last.total.failed / max(1, last.total.votes)
        return self.outages.declare(
            Track.SOME,
            reason=reason,
            extent=extent,
            began=self._part_began(part, now),
            known_by=part_sentence(self._population.check, extent, share),
            results=self.failures(),
            now=now,
        )

    # ----------------------------------------------------------------- the end of it

    def part_recovered(self, span: Span, now: float) -> list[Declared]:
        """What failed in part passes again, since some time in `span`."""
        told = self.outages.recover(Track.SOME, span, now)
        return told + self.outages.recover(Track.TURNED_ON_US, span, now)

    def all_recovered(self, now: float) -> list[Declared]:
        """Everyone is back."""
        span = self._ledger.turning.end(now)
        told = self.outages.recover(Track.ALL, span, now)
        return told + self.outages.recover(Track.SOME, span, now)

    def rest_recovered(self, part: FailingSet, now: float) -> list[Declared]:
        """Everyone was affected and only `part` still is: when the others came back."""
        sampled = sampled_cells(self._population, ())
        outside = [c for c in sampled if not inside(self._population, part, c)]
        began = self.outages.open[Track.ALL].began.before
        span = earliest_return(self._ledger.memories, outside, began) or Span(None, now)
        return self.outages.recover(Track.ALL, span, now)

    # ----------------------------------------------------------------- details

    def extent(self, part: FailingSet, last: Counted) -> Extent:
        """Who fails, of whom, seen from where: as the last round counted them."""
        return Extent(
            part.dimension,
            tuple(sorted(part.members)),
            failing=len(last.failing(Dimension.TARGET)),
            sampled=len(heard(last)),
            population=len(self._population.targets),
            from_vantages=last.vantages,
        )

    def failures(self) -> tuple[Result, ...]:
        """The latest failures that trouble rests on."""
        return self._ledger.failures(self._ledger.suspected.before)

    def _unproven(self, now: float) -> list[Declared]:
        """Some targets have never worked, or the last of them has passed."""
        unproven, memories = self._ledger.unproven, self._ledger.memories
        unproven.due = float("inf")
        if not unproven.targets:
            return self.outages.recover(Track.NEVER_WORKED, Span(None, now), now)
        cells = [c for target in unproven.targets for c in self._population.cells_of[target]]
        results = latest_failures(memories, [c for c in cells if not memories[c].worked])
        return self.outages.declare(
            Track.NEVER_WORKED,
            reason=VerdictReason.NEVER_WORKED,
            extent=unproven.extent(self._ledger.sight.healthy(now)),
            began=Span(None, min((r.observed_mono for r in results), default=now)),
            known_by=f"{self._population.check}: has never passed since it was configured.",
            results=results,
            now=now,
        )

    def _lockout(self, now: float) -> list[Declared]:
        """We are turned away, or let in again."""
        lockout, check = self._ledger.lockout, self._population.check
        lockout.due = float("inf")
        began = lockout.began()
        if began is None:
            return self.outages.recover(Track.LOCKED_OUT, Span(None, now), now)
        if not lockout.stands():
            return []
        return self.outages.declare(
            Track.LOCKED_OUT,
            reason=VerdictReason.LOCKED_OUT,
            extent=lockout.extent(self._ledger.sight.healthy(now)),
            began=began,
            known_by=f"{check}: we are turned away, and nothing has passed since.",
            results=tuple(lockout.results.values()),
            now=now,
        )

    def _part_began(self, part: FailingSet, now: float) -> Span:
        """The earliest start among the cells of the part; of a share, its change point."""
        share = self._ledger.turning.start_of_share(now)
        own = earliest_failure(self._ledger.memories, self._ledger.failing_in(part))
        if own is None or part.dimension is Dimension.SHARE:
            return share
        return _earlier(own, share) if self._others_failed(part, share.before) else own

    def _others_failed(self, part: FailingSet, since: float) -> bool:
        """Whether cells outside a part have failed since then as well."""
        outside = (c for c in self._population.cells if not inside(self._population, part, c))
        return bool(latest_failures(self._ledger.memories, outside, since))


def _earlier(one: Span, other: Span) -> Span:
    known = None not in (one.after, other.after)
    after = min(one.after or 0.0, other.after or 0.0) if known else None
    return Span(after, min(one.before, other.before))
