"""When trouble began, and when it ended: the change points of one unit.

A score over all votes rises a little with each FAIL and falls far with each PASS, never below
nothing (a cumulative sum test). The start is where it last rose from nothing: later than the send
time of the last PASS before, not later than the first FAIL seen after. FAILs of a part that is
already known to fail do not mark the start of anything new. The end, likewise, is the first PASS
after the last FAIL.

When only a share of requests fails, a PASS is no proof that it had not begun: its start is taken
to be later than the tenth last PASS before the first FAIL (with 26 % failing, ten passes in a row
are a matter of one in twenty).
"""

from __future__ import annotations

from collections import deque

from monitor.detection.signals import Span
from monitor.model import Result, Rules

_PASSES_KEPT = 10


class Turning:
    """The running change points of one unit's votes."""

    __slots__ = ("_back_sent", "_last_fail", "_passes", "_rules", "_score", "back", "onset")

    def __init__(self, rules: Rules) -> None:
        self.onset: Span | None = None
        self.back: Span | None = None
        self._rules = rules
        self._score = 0.0
        self._passes: deque[float] = deque(maxlen=_PASSES_KEPT)
        self._last_fail: float | None = None
        self._back_sent = float("-inf")

    def passed(self, result: Result) -> None:
        """A PASS vote: perhaps there is no trouble any more."""
        self._score = max(0.0, self._score - self._rules.score_pass)
        if self._score == 0.0:
            self.onset = None
        self._passes.append(result.sent_mono)
        after_last_fail = self._last_fail is None or result.observed_mono > self._last_fail
        if self.back is None and after_last_fail:
            self.back = Span(self._last_fail, result.observed_mono)
            self._back_sent = result.sent_mono

    def failed(self, result: Result, *, known: bool, recovering: bool) -> None:
        """A FAIL vote. `known`: of a part known to fail; `recovering`: sweeps are good again."""
        if not known:
            ceiling = 2 * self._rules.score_needed
            self._score = min(self._score + self._rules.score_fail, ceiling)
            self.began_by(result.observed_mono)
        self._last_fail = _later(self._last_fail, result.sent_mono)
        if not recovering and result.sent_mono >= self._back_sent:
            self.back = None

    def began_by(self, seen: float) -> None:
        """Trouble was seen at `seen`, if it had not been before."""
        if self.onset is None:
            self.onset = Span(self._last_pass(), seen)

    def start(self, now: float) -> Span:
        """When the present trouble began, at the widest what is known `now`."""
        return self.onset or Span(self._last_pass(), now)

    def start_of_share(self, now: float) -> Span:
        """When the present trouble began, if it is that a share of requests fails."""
        return Span(min(self._passes, default=None), self.start(now).before)

    def end(self, now: float) -> Span:
        """When it ended, at the widest what is known `now`."""
        return self.back or Span(self._last_fail, now)

    def _last_pass(self) -> float | None:
        return max(self._passes, default=None)

    def forget_end(self) -> None:
        """It has just been declared: what passed before is no recovery."""
        self.back = None


def _later(known: float | None, new: float) -> float:
    return new if known is None else max(known, new)
