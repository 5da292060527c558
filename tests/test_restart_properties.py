"""Kills at random moments, after which only what had been written remains.

Virtual time, schedules drawn by Hypothesis. A killed process has lost its last results (up to a
second of them) and its last changes. The next one starts after a random while, and may be killed
too.
"""

from collections import defaultdict
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.detection import track_of
from monitor.model import Outcome
from tests.day import LONDON, local
from tests.simulation import black_hole, of, refused, status_503
from tests.test_detection_properties import (
    AT,
    EXAMPLES,
    FAULTS,
    LASTS,
    SHAPES,
    Judged,
    at_rest,
    world,
)

FIRST = "2026-11-23 09:00:00"
OPENED = local("2026-11-23 08:30")
"""When support opened: the digest of that opening has been made before it all begins."""
LONG = 4500.0
WRITTEN_AGAIN = timedelta(milliseconds=1)
"""What an instant may lose on its way through two clocks and a store."""

KILLS = st.lists(
    st.tuples(st.floats(1, 900), st.floats(0.5, 900), st.floats(0.001, 1), st.integers(0, 1)),
    min_size=1,
    max_size=3,
)
TOTAL = st.sampled_from([refused, status_503, black_hole])
OUTAGES = st.lists(st.tuples(AT, LASTS, TOTAL, st.just({})), min_size=1, max_size=3)


class Kept(Judged):
    """A day that checks with every change what must hold of outages through any restart."""

    def _write(self, change):
        super()._write(change)
        for outage in change.outages:
            known = self.outages.get(outage.id)
            assert known is None or same_start(known.began, outage.began), (known, outage)
            self.outages[outage.id] = outage
        still = [of_track(one) for one in self.outages.values() if one.closed_at is None]
        assert len(still) == len(set(still)), still

    def _take_up(self, like):
        for change in like.changes:
            self.outages.update((outage.id, outage) for outage in change.outages)
        self.changes = list(like.changes)
        self.written_at = list(like.written_at)
        super()._take_up(like)

    @property
    def outages(self):
        """Every outage as it was last written, by id."""
        return self.__dict__.setdefault("_outages", {})


def of_track(outage):
    return outage.unit, track_of(outage.impact, outage.reason)


def same_start(one, other):
    return (one.after, one.before) == (other.after, other.before)


def begun_at(seconds):
    """The text of a moment, that many seconds after the first process began."""
    return f"{(local(FIRST) + timedelta(seconds=seconds)).astimezone(LONDON):%Y-%m-%d %H:%M:%S.%f}"


def started(shape, faults, at, like=None):
    """A process that starts `at` seconds after the first did, with those faults in its world."""
    day = Kept(begun_at(at), world(shape), like=like)
    day.mind.digested = OPENED
    for from_, lasts, how, where in faults:
        day.breaks(from_ - at, from_ - at + lasts, how, of("crm", **where))
    return day


def through(shape, faults, kills):
    """The last of the processes, each killed and followed by the next; and when it started."""
    at, day = 0.0, started(shape, faults, 0.0)
    for after, down, unrecorded, unwritten in kills:
        day.run(after)
        day.loses_results_of_the_last(unrecorded)
        day.loses_changes(min(unwritten, len(day.changes)))
        at += after + down
        day = started(shape, faults, at, like=day)
    return at, day


@EXAMPLES
@given(SHAPES, FAULTS, OUTAGES, KILLS)
def test_nothing_is_doubled_or_narrowed_and_when_all_is_well_everything_closes(
    shape, faults, outages, kills
):
    _, day = through(shape, faults + outages, kills)
    day.run(LONG)
    at_rest(day)
    assert day.mind.outages == day.mind.open == {}
    assert all(incident.resolved_at is not None for incident in day.incidents)
    assert all(outage.closed_at is not None for outage in day.outages.values())


@EXAMPLES
@given(SHAPES, TOTAL, st.floats(300, 900), st.floats(-60, 60), KILLS)
def test_a_total_outage_began_between_the_ends_of_its_interval_however_kills_fall(
    shape, how, begins, killed_after, kills
):
    (_, *how_killed), *more = kills
    kills = [(begins + killed_after, *how_killed), *more]
    _, day = through(shape, [(begins, 2 * LONG, how, {})], kills)
    day.run(900.0)
    truth = local(FIRST) + timedelta(seconds=begins)
    by_track = defaultdict(list)
    for outage in day.outages.values():
        by_track[of_track(outage)].append(outage)
        assert outage.episodes == 1
        assert outage.began.after is not None
        assert outage.began.after - WRITTEN_AGAIN <= truth <= outage.began.before
    assert {len(outages) for outages in by_track.values()} == {1}, by_track
    assert {unit for unit, _ in by_track} == set(day.state.machines)


@EXAMPLES
@given(SHAPES, TOTAL, st.floats(300, 900), st.floats(0.5, 20), KILLS)
def test_a_suspected_outage_that_goes_on_began_no_later_than_the_first_failure_recorded(
    shape, how, begins, killed_after, kills
):
    day = started(shape, [(begins, 2 * LONG, how, {})], 0.0)
    day.run(begins + killed_after)
    (_, down, unrecorded, _), *_ = kills
    day.loses_results_of_the_last(unrecorded)
    first = {unit: first_failure(day, unit) for unit in day.state.machines}
    known = {outage.unit for outage in day.outages.values()}
    at = begins + killed_after + down
    after = started(shape, [(begins, 2 * LONG, how, {})], at, like=day)
    after.run(900.0)
    for outage in after.outages.values():
        if outage.unit not in known and first[outage.unit] is not None:
            assert outage.began.before <= first[outage.unit] + WRITTEN_AGAIN
    assert {outage.unit for outage in after.outages.values()} == set(first)


def first_failure(day, unit):
    """When the first failure after the last PASS was seen, by what was recorded of a unit."""
    own = [result for result in day.recorded if "/".join(result.cell[:2]) == unit]
    passed = [r.observed_at for r in own if r.outcome is Outcome.PASS]
    failed = [r.observed_at for r in own if r.outcome is Outcome.FAIL]
    return min((at for at in failed if at > max(passed)), default=None)
