"""A series of rounds, and what they agree on.

A *run* is the unbroken sequence of rounds that found EVERYONE. Its first round is patient: it
waits out the check's own deadline, so that slow answers are never taken for none. Later ones take
long silence for FAIL and may start while the first is open; they are counted in order, and void
if the first finds otherwise. From a series one can read:

    everyone      the run is long enough, its score high enough, and no target survived it. Where
                  fewer than three of more places see it, they may share a path that fails: then
                  it must last longer than such a failure, `path_span`
    agreed_part   the same part failed in the last two rounds, or a share over the last few
    quiet         how many rounds in a row found next to nothing
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from monitor.detection.ledger import Ledger
from monitor.detection.population import Population
from monitor.detection.rounds import (
    Counted,
    FailingSet,
    Finding,
    Round,
    count,
    failing_set,
    survivors,
)
from monitor.detection.sight import Sight
from monitor.detection.signals import Probe, Span
from monitor.model import CellKey, Dimension, EvidenceKind, Rules, VerdictReason

_GRACE = 1.0
_PASSES_THAT_DELAY = 0.1
_CLEARLY_BELOW = 0.5
_PLACES_LEAST = 2
_PLACES_AT_ONCE = 3
_REMEMBERED = 120.0
"""Seconds of a pause after which a run begins anew."""


class Series:
    """The open rounds of one unit, and those closed since the series began."""

    __slots__ = (
        "_ledger",
        "_path",
        "_population",
        "_rules",
        "_run",
        "_run_began",
        "_run_from_few_since",
        "_sight",
        "history",
        "last_started",
        "open",
        "quiet",
        "quiet_since",
        "refuted",
        "started",
    )

    def __init__(self, population: Population, sight: Sight, ledger: Ledger) -> None:
        self._population = population
        self._ledger = ledger
        self.started = 0
        self._rules: Rules = population.rules
        self._sight = sight
        self.last_started = float("-inf")
        self.begin()

    def begin(self) -> None:
        """Forget the rounds so far."""
        self.open: list[Round] = []
        self.history: list[Counted] = []
        self.quiet = self.refuted = 0
        self.quiet_since: float | None = None
        self._run: list[Counted] = []
        self._run_began = float("inf")
        self._run_from_few_since: float | None = None
        self._path: tuple[FailingSet, float] | None = None

    def void_open(self) -> None:
        """Give up the open rounds, and the run that they would have gone on."""
        self.open.clear()
        self._run.clear()
        self._run_from_few_since = None

    def interrupt(self, gap: float) -> float:
        """We were not looking for `gap` seconds: the open rounds are void; when the next may start.

        The rounds closed before still stand, unless that is too long ago.
        """
        if gap > _REMEMBERED:
            self.void_open()
        self.open.clear()
        return self.last_started + self._rules.round_gap if self._run else float("-inf")

    # ----------------------------------------------------------------- one round

    def start(
        self,
        planned: Mapping[CellKey, int],
        now: float,
        *,
        always_patient: bool,
        also: tuple[CellKey, ...] = (),
    ) -> list[Probe]:
        """Start a round; what to probe for it, every vantage's controls and `also` first."""
        patient = always_patient or not (self._run or self.open)
        wait = self._population.timeout
        if not patient:
            wait = min(wait, self._rules.late_silence)
        repeats = max(planned.values())
        expires = now + (repeats - 1) * self._rules.repeat_gap + wait + _GRACE
        if self.open:
            self.open[-1].until = now
        controls = self._sight.control_cells
        self.open.append(Round(now, patient, planned, expires, {*controls, *also}))
        self.last_started = now
        self.started += 1
        probes = [Probe((*controls, *also), now)] if controls or also else []
        for turn in range(repeats):
            cells = tuple(cell for cell, times in planned.items() if times > turn)
            probes.append(Probe(cells, now + turn * self._rules.repeat_gap))
        return probes

    def listen(self, cells: Iterable[CellKey], now: float, interval: float) -> None:
        """Start a round that asks nothing: each cell's next scheduled probe is its vote."""
        expires = now + interval + self._population.timeout + _GRACE
        self.open.append(Round(now, patient=True, planned=dict.fromkeys(cells, 1), expires=expires))
        self.last_started = now
        self.started += 1

    def may_start(self) -> bool:
        """Whether the next may start beside the open ones: few, and not passing already."""
        if not self.open:
            return True
        newest = self.open[-1]
        passing = newest.passes() > _PASSES_THAT_DELAY * sum(newest.planned.values())
        return not passing and len(self.open) < self._rules.rounds_needed

    def answer(self, cell: CellKey, sent: float, vote: bool | None, *, counted: bool) -> None:
        """An answer votes in the round it was sent in; a late one turns its counted silence."""
        for round_ in self.open:
            if counted and round_.spans(sent) and cell in round_.planned:
                round_.turn(cell, vote)
                return
            if not counted and round_.takes(cell, sent):
                round_.answer(cell, vote=vote)
                return

    def late(self, cell: CellKey, sent: float) -> bool:
        """Long silence is FAIL for a probe, in an impatient round; whether it was counted."""
        for round_ in self.open:
            if not round_.patient and round_.takes(cell, sent):
                round_.answer(cell, vote=False)
                return True
        return False

    def control_answered(self, cell: CellKey) -> None:
        """A control or witness that the open rounds wait for has answered, or gone silent."""
        for round_ in self.open:
            round_.controls.discard(cell)

    def close_one(self, now: float) -> Counted | None:
        """Close the oldest open round if it is complete, and take in what it says."""
        if not self.open or not self.open[0].complete(now):
            return None
        round_ = self.open.pop(0)
        round_.closed = True
        healthy = self._sight.healthy(now)
        silent = self._ledger.silent()
        counted = count(round_, healthy, self._population.group_of, self._rules, silent)
        self.take(counted, now)
        return counted

    def take(self, counted: Counted, now: float) -> None:
        """Take in a closed round."""
        self.history = [*self.history, counted][-self._rules.share_rounds :]
        if counted.finding is Finding.EVERYONE and (self._run or counted.patient):
            self._run_began = self._run_began if self._run else counted.started
            self._run = [*self._run, counted][-4 * self._rules.rounds_one_location :]
            self._note_places(counted)
        else:
            self.refuted += 1
            self.void_open()
        quiet = counted.finding is Finding.QUIET
        self.quiet_since = (self.quiet_since or now) if quiet else None
        self.quiet = self.quiet + 1 if quiet else 0

    # ----------------------------------------------------------------- what they agree on

    @property
    def run_length(self) -> int:
        """How many rounds in a row have found EVERYONE."""
        return len(self._run)

    def undecided(self) -> bool:
        """Whether a run is under way that nothing speaks against yet."""
        return bool(self._run) and not survivors(self._run)

    def everyone(self, now: float) -> VerdictReason | None:
        """Why the run says that everyone is affected; None while it does not."""
        run, rules = self._run, self._rules
        if self._population.evidence is EvidenceKind.MUTATING:
            return self._all_trials_failed()
        places = [self._sight.networks(counted.failing_from()) for counted in run]
        reason, needed = VerdictReason.EVERYONE_TWICE, rules.rounds_needed
        if sum(seen >= _PLACES_LEAST for seen in places) < needed:
            known = (self._run_from_few_since, self._sight.few_since)
            few = min((since for since in known if since is not None), default=now)
            if now - few <= 2 * self._population.interval:
                return None
            reason, needed = VerdictReason.ONE_LOCATION, rules.rounds_one_location
        elif sum(seen >= self._enough for seen in places) < needed and not self._lasted():
            return None
        if len(run) < needed or survivors(run) or _score(run, rules) < rules.score_needed:
            return None
        return reason

    def waits_to_last(self) -> bool:
        """Whether the run only has to last longer than a shared path's failure does."""
        places = [self._sight.networks(counted.failing_from()) for counted in self._run]
        return bool(places) and _PLACES_LEAST <= min(places) < self._enough and not self._lasted()

    @property
    def _enough(self) -> int:
        """How many places are believed at once: any two of three or more may share a path."""
        return min(_PLACES_AT_ONCE, self._sight.places)

    def _lasted(self) -> bool:
        return self._run[-1].started - self._run_began >= self._rules.path_span

    def _all_trials_failed(self) -> VerdictReason | None:
        """Trials are few: no score, but not one may have passed, and the run as a whole counts."""
        run, rules = self._run, self._rules
        if len(run) < rules.rounds_needed or any(counted.total.passed for counted in run):
            return None
        places = self._sight.networks({name for counted in run for name in counted.vantages})
        if places >= self._enough or (places >= _PLACES_LEAST and self._lasted()):
            return VerdictReason.EVERYONE_TWICE
        alone = places < _PLACES_LEAST and len(run) >= rules.rounds_one_location
        return VerdictReason.ONE_LOCATION if alone else None

    def is_quiet(self, *, of_share: bool) -> bool:
        """Whether enough rounds in a row found next to nothing.

        Where a share may be failing one round says little: all of `share_rounds` must be quiet,
        and together clearly below what makes a share.
        """
        if not of_share:
            return self.quiet >= self._rules.quiet_rounds
        votes = sum(counted.total.votes for counted in self.history)
        failed = sum(counted.total.failed for counted in self.history)
        clearly = failed <= _CLEARLY_BELOW * self._rules.partial_share * votes
        return self.quiet >= self._rules.share_rounds and clearly

    def quiet_span(self, now: float) -> Span:
        """When it fell quiet: after the last round that found a part, by the first quiet one."""
        trouble = (c.started for c in self.history if c.finding is Finding.PART)
        return Span(max(trouble, default=None), self.quiet_since or now)

    def agreed_part(self, now: float, *, after_everyone: bool) -> FailingSet | None:
        """The part that the last rounds agree on; None while they do not.

        `after_everyone`: everyone was affected before, so rounds that found EVERYONE say nothing
        of a part.
        """
        nothing = {Finding.NOTHING, Finding.EVERYONE} if after_everyone else {Finding.NOTHING}
        said = [c for c in self.history if c.finding not in nothing]
        if not said or said[-1] is not self.history[-1] or said[-1].finding is Finding.QUIET:
            self._path = None
            return None
        telling = [c for c in said if c.finding is not Finding.QUIET]
        part = None
        if len(telling) > 1 and telling[-2:] == self.history[-2:]:
            part = failing_set(telling[-2], telling[-1], self._rules)
        if part is not None and part.dimension is Dimension.VANTAGE:
            return self._lasting(part, now)
        self._path = None
        return part or self._failing_share(said, telling)

    def _note_places(self, counted: Counted) -> None:
        """Since when the run fails as seen from fewer than two places, whatever their health."""
        if self._sight.networks(counted.failing_from()) >= _PLACES_LEAST:
            self._run_from_few_since = None
        elif self._run_from_few_since is None:
            self._run_from_few_since = counted.started

    def _failing_share(
        self, said: Sequence[Counted], telling: Sequence[Counted]
    ) -> FailingSet | None:
        """A share fails when enough votes do, in all rounds but one, and no set explains it."""
        rules = self._rules
        votes = sum(c.total.votes for c in said)
        failed = sum(c.total.failed for c in said)
        often = len(said) == rules.share_rounds and len(telling) >= rules.share_rounds - 1
        if not often or failed <= rules.partial_share * votes:
            return None
        pairs = pairwise(telling)
        explained = any(failing_set(one, other, rules) for one, other in pairs)
        return None if explained else FailingSet(Dimension.SHARE, frozenset())

    def _lasting(self, part: FailingSet, now: float) -> FailingSet | None:
        """A path fails: believed only when it lasts longer than a transit's burst."""
        if self._path is None or self._path[0] != part:
            self._path = (part, now)
        return part if now - self._path[1] >= self._rules.path_span else None


def _score(run: Sequence[Counted], rules: Rules) -> float:
    """Wald's score over the run: one PASS outweighs eight FAILs."""
    score = 0.0
    for counted in run:
        score += rules.score_fail * counted.total.failed
        score = max(0.0, score - rules.score_pass * counted.total.passed)
    return score
