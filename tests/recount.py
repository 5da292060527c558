"""A second count of the evidence: what was asked and heard, and whether that makes everyone.

`Recount` is told every event and every probe that was asked for, and nothing that detection makes
of them. From these alone it says whether a declared ALL has the evidence that its sentence
promises: rounds of failures from healthy vantages in two networks, bad periods, or failed trials.

What it cannot know, it decides in favour of the declaration: when exactly a round closed, and
whether a control that has not answered for a second was taken to be silent.
"""

from bisect import bisect_right
from collections import Counter
from functools import cache
from itertools import islice, pairwise
from typing import NamedTuple

from monitor.model import SHARED, EvidenceKind, Need, Outcome, VerdictReason
from tests.hearing import GRACE, RULES, Hearing

LATEST_CLOSE = 30.0
HOUR = 3600.0
PASSES_THAT_PROVE = 3
LONGEST_RUN = 4 * RULES.rounds_one_location


class Votes(NamedTuple):
    """What a round says at one moment: FAIL and PASS by cell, and the sends of its FAILs."""

    failed: Counter
    passed: Counter
    sent: list[float]


class Recount(Hearing):
    """Everything asked and heard in one simulation."""

    # ------------------------------------------------------------------ the evidence

    def is_everyone(self, declared, now, *, demoted):
        """Whether what was heard by now is the evidence of a declared ALL."""
        unit = tuple(declared.unit.split("/"))
        check = self.checks[unit]
        if check.need is not Need.BLOCKING:
            return False
        if check.evidence is EvidenceKind.PASSIVE:
            told = any(self._told_twice(check, sight, now) for sight in self.sights(now))
            return told and (self._broad(check) or self._another_is_bad(check, now))
        if not self._broad(check):
            return False
        asked = self.asked[unit]
        if check.evidence is EvidenceKind.MUTATING and self._spent(unit, now):
            return self._listened(check)
        ends = [*(later.start for later in asked[1:]), now]

        @cache
        def votes(number, *, patient):
            round_ = asked[number], ends[number]
            return self._finds_everyone(check, round_, now, demoted, patient=patient)

        alone = declared.reason in (VerdictReason.ONE_LOCATION, VerdictReason.FLAPPING)
        for last in range(len(asked), max(0, len(asked) - RULES.rounds_needed), -1):
            for first in range(last - RULES.rounds_needed, max(-1, last - LONGEST_RUN - 1), -1):
                found = [votes(number, patient=number == first) for number in range(first, last)]
                if None not in found and self._is_run(check, asked[first:last], found, alone=alone):
                    return True
        return False

    def _spent(self, unit, now):
        """Whether an hour's trials are used up: then the schedule's own must do."""
        return sum(now - began < HOUR for began in self.begun[unit]) >= RULES.trials_per_hour

    def _listened(self, check):
        """Since anything passed, every canary has failed in two rounds' worth of trials."""
        heard = [h for cell in self.cells[check.service, check.name] for h in self.heard[cell]]
        last = max((h.result.sent_mono for h in heard if h.vote is True), default=float("-inf"))
        failed = [h.result for h in heard if h.vote is False and h.result.sent_mono > last]
        by_target = Counter(result.cell.target for result in failed)
        often = all(by_target[t.name] >= RULES.rounds_needed for t in check.targets)
        sent = [result.sent_mono for result in failed]
        return often and max(sent) - min(sent) >= RULES.round_gap

    def _broad(self, check):
        owners = {target.tenant for target in check.targets}
        return SHARED in owners or len(owners) >= RULES.tenants_needed

    def _is_run(self, check, run, votes, *, alone):
        """Whether these rounds, each of which found everyone, say so together."""
        places = [{self.network[cell.vantage] for cell in found.failed} for found in votes]
        if check.evidence is EvidenceKind.MUTATING:
            return self._no_trial_passed(check, run, votes, places, alone=alone)
        enough = self._lasting_places(run)
        seen_twice = sum(len(seen) >= enough for seen in places) >= RULES.rounds_needed
        if not seen_twice and not (alone and len(run) >= RULES.rounds_one_location):
            return False
        return self._apart(votes) and self._score(votes) and not self._survivor(votes)

    def _no_trial_passed(self, check, run, votes, places, *, alone):
        """No trial passed, and every canary was tried often enough."""
        if any(found.passed for found in votes):
            return False
        tried = Counter(cell.target for asked in run for cell in asked.cells)
        often = all(tried[target.name] >= RULES.rounds_needed for target in check.targets)
        seen = len(set().union(*places)) >= self._lasting_places(run)
        enough = alone and len(run) >= RULES.rounds_one_location
        return often and self._apart(votes) and (seen or enough)

    def _lasting_places(self, run):
        """From how many places a run must be seen: three where there are, two once it lasts."""
        lasted = run[-1].start - run[0].start >= RULES.path_span
        return 2 if lasted else min(3, len(set(self.network.values())))

    def _apart(self, votes):
        """The failures of two rounds were sent at least a round's gap apart."""
        firsts = [min(found.sent) for found in votes]
        return all(b - a >= RULES.round_gap - 1e-6 for a, b in pairwise(firsts))

    def _score(self, votes):
        score = 0.0
        for found in votes:
            score += RULES.score_fail * found.failed.total()
            score = max(0.0, score - RULES.score_pass * found.passed.total())
        return score >= RULES.score_needed - 1e-9

    def _survivor(self, votes):
        """A target that passed most of its probes."""
        failed, passed = Counter(), Counter()
        for found in votes:
            for sums, by_cell in ((failed, found.failed), (passed, found.passed)):
                for cell, number in by_cell.items():
                    sums[cell.target] += number
        return any(passed[t] > max(failed[t], PASSES_THAT_PROVE - 1) for t in passed)

    # ------------------------------------------------------------------ one round

    def _finds_everyone(self, check, round_, now, demoted, *, patient):
        """The votes of a round at a moment when it was over and found everyone; None: never."""
        asked, ends = round_
        wait = check.timeout if patient else min(check.timeout, RULES.late_silence)
        repeats = max(asked.cells.values())
        over = asked.start + (repeats - 1) * RULES.repeat_gap + wait + GRACE
        for moment in islice(self.moments, bisect_right(self.moments, asked.start), None):
            if moment > min(now, over + LATEST_CLOSE):
                return None
            answers = self._answers(asked, ends, moment, patient=patient)
            owed = sum(asked.cells.values()) - sum(map(len, answers.values()))
            if owed and moment < over:
                continue
            for sight in self.sights(moment):
                found = self._count(asked, answers, sight, moment, demoted)
                if found is not None:
                    return found
        return None

    def _answers(self, asked, ends, moment, *, patient):
        """The answers a round had at a moment, each (sent, vote), as many as were asked for."""
        answers = {}
        for cell, number in asked.cells.items():
            known = []
            for heard in self.heard[cell]:
                sent = heard.result.sent_mono
                if asked.start <= sent < ends and heard.at <= moment:
                    known.append((heard.at, sent, heard.vote))
            if not patient:
                known += [
                    (s.at + RULES.late_silence, s.at, self._silence(cell))
                    for s in self._silent(cell, asked.start, ends, moment)
                ]
            answers[cell] = [(sent, vote) for _, sent, vote in sorted(known)[:number]]
        return answers

    def _silent(self, cell, start, ends, moment):
        """Probes of a cell without an answer so late that it counts for FAIL."""
        for sent in self.unanswered(cell, start, moment):
            if sent.at < ends and moment - sent.at >= RULES.late_silence - 1e-9:
                yield sent

    def _silence(self, cell):
        return False if cell in self.proven else None

    def _count(self, asked, answers, sight, moment, demoted):
        """The votes seen from these vantages, when they say everyone; None when not."""
        failed, passed, sent = Counter(), Counter(), []
        counts = [c for c in asked.cells if c in self.proven and not self.excused(c, moment)]
        cells = [c for c in counts if c.vantage in sight]
        for cell in cells:
            for when, vote in answers[cell]:
                if vote is True:
                    passed[cell] += 1
                elif vote is False:
                    failed[cell] += 1
                    sent.append(when)
        votes = failed.total() + passed.total()
        heard = len(failed.keys() | passed.keys())
        if not failed or 2 * heard < len(cells) or passed.total() > RULES.pass_share * votes:
            return None
        for vantage in {cell.vantage for cell in cells if cell not in demoted}:
            own = [sum(n for c, n in v.items() if c.vantage == vantage) for v in (passed, failed)]
            if own[0] > own[1]:
                return None
        return Votes(failed, passed, sent)

    # ------------------------------------------------------------------ periods

    def _told_twice(self, check, sight, now):
        """Whether everyone's last two periods were bad, of all that were heard of lately."""
        passed = failed = cells = 0
        for cell in self.cells[check.service, check.name]:
            if cell.vantage not in sight or self.excused(cell, now) or cell not in self.proven:
                continue
            cells += 1
            periods = self.periods(cell, now)
            if not periods or now - periods[-1].sent_mono > 2 * check.interval + check.timeout:
                continue
            outcomes = [period.outcome for period in periods]
            passed += outcomes[-1] is Outcome.PASS
            bad = (Outcome.FAIL, Outcome.MAINTENANCE)
            twice = [o in bad for o in outcomes if o is not Outcome.BLOCKED][-2:] == [True, True]
            failed += outcomes[-1] is Outcome.FAIL and twice and cell in self.proven
        votes = passed + failed
        return failed > 0 and 2 * votes >= cells and passed <= RULES.pass_share * votes

    def _another_is_bad(self, check, now):
        """Whether another passive check was bad a moment ago: it is believed until seen well."""
        for other in self.checks.values():
            told = other.evidence is EvidenceKind.PASSIVE and other.need is Need.BLOCKING
            if other is check or not told or other.real_users:
                continue
            since = now - 4 * other.interval - other.timeout - RULES.recovery_span
            moments = self.moments[bisect_right(self.moments, since) :]
            for moment in moments:
                if any(self._told_twice(other, sight, moment) for sight in self.sights(moment)):
                    return True
        return False
