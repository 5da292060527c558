"""An oracle of history: everything it was ever told, and sums of it from first principles."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from math import fsum

from monitor.clock import Clock
from monitor.model import Outcome, Phases
from monitor.store import Keep, open_store
from tests.store_fixtures import CELL, T0, result

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
GENEROUS = Keep(passes=2 * DAY, others=30 * DAY, max_bytes=1 << 40)
PHASES = ("resolve", "connect", "tls", "processing", "transfer")
COUNTS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.BLOCKED: "blocked",
    Outcome.MAINTENANCE: "maintenance",
    Outcome.INVALID: "invalid",
}


class Watch:
    """A clock that a test sets."""

    def __init__(self, at=T0):
        self.at = at
        self.clock = Clock(lambda: self.at, self.elapsed)

    def elapsed(self):
        return (self.at - T0).total_seconds()

    def passes(self, span):
        self.at += span


def passed(cell=CELL, at=T0, took=0.25, **phases):
    more = {"sent_mono": 1.0, "observed_mono": 1.0 + took}
    return result(cell, Outcome.PASS, at, phases=Phases(**phases), **more)


class Oracle:
    """Remembers every result, and adds them up one by one."""

    def __init__(self):
        self.told = []

    def tell(self, results):
        self.told += results
        return results

    def points(self, cells, since, until, width):
        """What is to come back of the results of `cells` in points of a timedelta."""
        found = defaultdict(list)
        for one in self.told:
            if one.cell in cells and since <= one.observed_at < until:
                found[(one.observed_at - since) // width].append(one)
        return [_point(since + n * width, width, found[n]) for n in sorted(found)]


def _point(since, width, results):
    tally = dict.fromkeys(COUNTS.values(), 0)
    for one in results:
        tally[COUNTS[one.outcome]] += 1
    good = [one for one in results if one.outcome is Outcome.PASS]
    slowest = max((one.observed_mono - one.sent_mono for one in good), default=None)
    means = {name: _mean([getattr(one.phases, name) for one in good]) for name in PHASES}
    return since, width.total_seconds(), tally, means, slowest


def _mean(seconds):
    reached = [each for each in seconds if each is not None]
    return fsum(reached) / len(reached) if reached else None


def same(found, expected):
    """Whether points came back as expected: counts exactly, times to a microsecond."""
    told = [(p.since, p.width, {n: getattr(p, n) for n in COUNTS.values()}) for p in found]
    assert told == [each[:3] for each in expected]
    for point, (*_, means, slowest) in zip(found, expected, strict=True):
        for name, mean in means.items():
            assert _close(getattr(point.phases, name), mean), (point, name, mean)
        assert _close(point.slowest, slowest), (point, slowest)
    return True


def _close(found, expected):
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) <= 1e-6


def floor(at, width):
    """The last multiple of a timedelta since 1970 that is not after `at`."""
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    return begin + (at - begin) // width * width


async def kept_open(url, clock):
    """A store on a test's clock, to be closed by the test."""
    return await open_store(url, clock=clock, holder="test")
