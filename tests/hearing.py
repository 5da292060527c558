"""What a simulation has asked and heard, kept apart from what detection makes of it."""

from collections import Counter, defaultdict, deque
from typing import NamedTuple

from monitor.detection import Probe, Sent, Tick
from monitor.model import CONTROL, Outcome, Result, Rules

RULES = Rules()
PAUSE = 2.0
SILENT_AFTER = 1.0
KEPT = 200
GRACE = 1.0
REMEMBERED = 120.0
_NEVER = float("inf")


class Heard(NamedTuple):
    """A result and when it arrived; `worked`: its cell had passed before."""

    at: float
    result: Result
    worked: bool

    @property
    def vote(self):
        """True for PASS, False for FAIL of what has worked, None for what does not vote."""
        if self.result.outcome is Outcome.PASS:
            return True
        failed = self.result.outcome is Outcome.FAIL
        return False if failed and self.worked else None


class Asked(NamedTuple):
    """A round that was asked for: when, and how many answers of each cell."""

    start: float
    cells: Counter


class Hearing:
    """Everything asked and heard in one simulation, and which vantages that vouches for."""

    def __init__(self, estate, proven):
        self.checks = {(c.service, c.name): c for s in estate.services for c in s.checks}
        self.network = {v.name: v.network for v in estate.vantages}
        self.controls = defaultdict(list)
        for cell in estate.cells():
            if cell.key.service == CONTROL:
                self.controls[cell.key.vantage].append(cell.key)
        self.cells = defaultdict(list)
        for cell in estate.cells():
            self.cells[cell.key[:2]].append(cell.key)
        self.proven = set(proven)
        self.heard = defaultdict(lambda: deque(maxlen=KEPT))
        self.left = defaultdict(lambda: deque(maxlen=KEPT))
        self.answered = {}
        self.asked = defaultdict(list)
        self.begun = defaultdict(list)
        self.moments = []
        self.ticked = None
        self.void_before = float("-inf")

    # ------------------------------------------------------------------ taking in

    def event(self, event, now):
        """An event is about to be taken in."""
        if self.ticked is not None and now - self.ticked > PAUSE:
            self._paused(now - self.ticked)
            self.ticked = self.void_before = now
        if isinstance(event, Tick):
            self.ticked = now
        elif isinstance(event, Sent):
            self.left[event.cell].append(event)
        elif isinstance(event, Result):
            self._result(event, now)
        if not self.moments or now > self.moments[-1]:
            self.moments.append(now)

    def _paused(self, gap):
        """A round that was open is void; those closed before stand, unless that is too long ago."""
        for unit, rounds in self.asked.items():
            closed = [each for each in rounds if self._was_closed(each, unit)]
            self.asked[unit] = closed if gap <= REMEMBERED else []
        self.left.clear()

    def _was_closed(self, asked, unit):
        """Whether a round had all its answers by the last tick, or had expired."""
        repeats = max(asked.cells.values()) - 1
        waits = min(self.checks[unit].timeout, RULES.late_silence) + GRACE
        if self.ticked >= asked.start + repeats * RULES.repeat_gap + waits:
            return True
        return all(
            sum(each.result.sent_mono >= asked.start for each in self.heard[cell]) >= number
            for cell, number in asked.cells.items()
        )

    def _result(self, result, now):
        late = result.outcome is Outcome.FAIL and result.sent_mono < self.void_before
        if not late:
            self.heard[result.cell].append(Heard(now, result, result.cell in self.proven))
        self.answered[result.id] = now
        if result.outcome is Outcome.PASS:
            self.proven.add(result.cell)

    def actions(self, actions, now):
        """Detection wants this: a round is what follows a question to the controls."""
        round_ = None
        for action in actions:
            if not isinstance(action, Probe):
                continue
            first = action.cells[0]
            if first.service == CONTROL:
                round_ = Asked(now, Counter())
            elif round_ is not None:
                unit = first[:2]
                if round_ not in self.asked[unit]:
                    self.asked[unit].append(round_)
                    self.begun[unit].append(now)
                round_.cells.update(action.cells)

    # ------------------------------------------------------------------ of one cell

    def excused(self, cell, moment):
        """Whether a cell had answered last in a maintenance window."""
        known = [heard.result for heard in self.heard[cell] if heard.at <= moment]
        return bool(known) and known[-1].outcome is Outcome.MAINTENANCE

    def periods(self, cell, now):
        """What was heard of a cell, but for what came after something newer."""
        periods = []
        for heard in self.heard[cell]:
            newer = not periods or heard.result.sent_mono > periods[-1].sent_mono
            if heard.at <= now and newer and heard.result.outcome is not Outcome.INVALID:
                periods.append(heard.result)
        return periods

    def unanswered(self, cell, start, moment):
        """Probes of a cell sent since a start that had not been answered at a moment."""
        for sent in reversed(self.left[cell]):
            if sent.at < start:
                return
            if self.answered.get(sent.id, _NEVER) > moment:
                yield sent

    # ------------------------------------------------------------------ sight

    def sights(self, moment):
        """The vantages whose controls answer, with and without those that may be silent."""
        found = []
        for silence in (False, True):
            sight = set()
            for vantage in self.network:
                own = self.controls[vantage]
                good = sum(self._is_good(cell, moment, silence=silence) for cell in own)
                if 2 * good >= len(own):
                    sight.add(vantage)
            if sight not in found:
                found.append(sight)
        return found

    def _is_good(self, control, moment, *, silence):
        known = [h for h in self.heard[control] if h.at <= moment]
        telling = [h for h in known if h.result.outcome is not Outcome.INVALID]
        if not telling or telling[-1].result.outcome is not Outcome.PASS:
            return False
        if silence and self._has_gone_silent(control, known[-1].at, moment):
            return False
        return moment - telling[-1].at <= RULES.control_fresh

    def _has_gone_silent(self, control, last, moment):
        unanswered = self.unanswered(control, last - SILENT_AFTER, moment)
        return any(moment - sent.at >= SILENT_AFTER for sent in unanswered)
