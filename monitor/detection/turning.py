"""When trouble began, and when it ended: the change points of one unit.

Two cumulative sums run over all votes, each never below nothing: one asks whether everything began
to fail (95 % against 1 % of noise), the other whether a share did (25 % against 1 %). The start is
where a sum last rose from nothing: later than the send time of the last PASS before, not later
than the first FAIL seen after. FAILs of a part that is already known to fail mark the start of
nothing new. The end, likewise, is the first PASS after the last FAIL.

Where some requests still pass, a PASS is no proof that trouble had not begun. So the start is
taken to be later than an earlier PASS: the second last where nearly all fail, and of a share
the k-th last, with k so many that k passes in a row are a matter of one in a hundred.
"""

from __future__ import annotations

from collections import deque
from math import ceil, log

from monitor.detection.signals import Span
from monitor.model import Result

_PASSES_KEPT = 40
_NOISE, _MOST, _SHARE, _LEAST = 0.01, 0.95, 0.25, 0.95
_CEILING = 15.0
_CLUSTER = 1.2
"""In one round PASSes may all come last: so many times those to expect must not end a sum."""

_BY_CHANCE = 0.01


class _ChangePoint:
    """A cumulative sum test of `share` failing against noise; `onset` is None while it is nought.

    `before` are the send times of the PASSes before the onset; `passed` and `failed` count since.
    """

    __slots__ = ("_ceiling", "_fall", "_rise", "_score", "before", "failed", "onset", "passed")

    def __init__(self, share: float, votes: int) -> None:
        self.onset: float | None = None
        self.before: tuple[float, ...] = ()
        self.passed = self.failed = 0
        self._rise = log(share / _NOISE)
        self._fall = log((1 - _NOISE) / (1 - share))
        self._ceiling = max(_CEILING, _CLUSTER * (1 - _LEAST * share) * votes * self._fall)
        self._score = 0.0

    def rise(self, sent: float, seen: float, passes: deque[float]) -> None:
        """A FAIL, sent and seen then."""
        self._score = min(self._score + self._rise, self._ceiling)
        if self.onset is None:
            self.begin(sent, seen, passes)
        elif self.before and self.before[-1] >= sent:
            self.before = tuple(passed for passed in self.before if passed < sent)
        self.failed += 1

    def fall(self) -> None:
        """A PASS."""
        if self.onset is None:
            return
        self._score -= self._fall
        self.passed += 1
        if self._score <= 0.0:
            self._score, self.onset = 0.0, None

    def begin(self, sent: float, seen: float, passes: deque[float]) -> None:
        """Trouble was seen then, for the first time, by a probe sent then.

        What passed but was sent after the first that failed proves nothing.
        """
        self.onset = seen
        self.before = tuple(sorted(passed for passed in passes if passed < sent))
        self.passed = self.failed = 0

    def forget(self) -> None:
        """Begin anew."""
        self._score, self.onset = 0.0, None

    def certain(self) -> bool:
        """Whether the sum has risen so far that chance does not explain it."""
        return self._score > _CEILING - self._rise

    def later_than(self, passes: int) -> float | None:
        """The send time of the so-manieth last PASS before the onset; None when there is none."""
        return self.before[-passes] if passes <= len(self.before) else None


class Turning:
    """The running change points of one unit's votes."""

    __slots__ = ("_back_sent", "_last_fail", "_most", "_passes", "_share", "back")

    def __init__(self, votes: int) -> None:
        """A round of the unit has so many `votes`."""
        self.back: Span | None = None
        self._most = _ChangePoint(_MOST, votes)
        self._share = _ChangePoint(_SHARE, votes)
        self._passes: deque[float] = deque(maxlen=_PASSES_KEPT)
        self._last_fail: float | None = None
        self._back_sent = float("-inf")

    def passed(self, result: Result) -> None:
        """A PASS vote: perhaps there is no trouble any more."""
        self._most.fall()
        self._share.fall()
        self._passes.append(result.sent_mono)
        after_last_fail = self._last_fail is None or result.observed_mono > self._last_fail
        if self.back is None and after_last_fail:
            self.back = Span(self._last_fail, result.observed_mono)
            self._back_sent = result.sent_mono

    def failed(self, result: Result, *, known: bool, recovering: bool) -> None:
        """A FAIL vote. `known`: of a part known to fail; `recovering`: sweeps are good again."""
        if not known:
            for point in (self._most, self._share):
                point.rise(result.sent_mono, result.observed_mono, self._passes)
        self._last_fail = _later(self._last_fail, result.sent_mono)
        if not recovering and result.sent_mono >= self._back_sent:
            self.back = None

    def began_by(self, sent: float, seen: float) -> None:
        """Trouble was seen at `seen`, by a probe sent then, if it had not been before."""
        for point in (self._most, self._share):
            if point.onset is None:
                point.begin(sent, seen, self._passes)

    def begin_anew(self, onset: Span | None) -> None:
        """Trouble began then, whatever was seen before; None: there is none."""
        for point in (self._most, self._share):
            point.forget()
            if onset is not None:
                point.begin(onset.before, onset.before, self._passes)

    def start(self, now: float) -> Span:
        """When the present trouble began, at the widest what is known `now`."""
        point = self._most
        if point.onset is None:
            return Span(max(self._passes, default=None), now)
        return Span(point.later_than(2 if point.passed else 1), point.onset)

    def start_of_share(self, now: float) -> Span:
        """When the present trouble began, if it is that a share of requests fails."""
        point = self._share
        if point.onset is None:
            return Span(min(self._passes, default=None), now)
        share = point.failed / max(1, point.failed + point.passed)
        by_chance = log(_BY_CHANCE) / log(1 - min(share, _MOST)) if share else _PASSES_KEPT
        passes = min(_PASSES_KEPT, ceil(by_chance))
        return Span(point.later_than(passes), point.onset)

    def share_suspected(self) -> bool:
        """Whether FAILs have come so often that noise does not explain them."""
        return self._share.certain()

    def share_refuted(self) -> None:
        """Rounds have found that no share fails: the sum begins anew."""
        self._share.forget()

    def end(self, now: float) -> Span:
        """When it ended, at the widest what is known `now`."""
        return self.back or Span(self._last_fail, now)

    def forget_end(self) -> None:
        """It has just been declared: what passed before is no recovery."""
        self.back = None


def _later(known: float | None, new: float) -> float:
    return new if known is None else max(known, new)
