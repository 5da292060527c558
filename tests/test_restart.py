"""What was suspected, confirmed and seen before a kill, in the process that comes after it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.detection import Phase, Track
from monitor.judge.verdicts import declared_of
from monitor.model import Impact, IncidentState, Outcome, Rules, Stage, VerdictReason
from tests.day import Day, at_time
from tests.estates import estate
from tests.simulation import refused, slow, status_503, turned_away

UNIT = "crm/sign-in"


def started(when, like, *, made=None, **faults):
    """The process that starts at that time, after `like` was killed; CRM fails as `faults` say."""
    like.loses_results_of_the_last(0.7)
    day = Day(f"Mon 2026-11-23 {when}", made or estate(), like=like)
    if faults:
        day.fails("crm", **faults)
    return day


def killed(at, made=None, **faults):
    """The process that has watched since 9:50 and is killed at that time."""
    day = Day("Mon 2026-11-23 09:50", made or estate())
    if faults:
        day.fails("crm", **faults)
    return day.runs_until(at)


def last_pass(day):
    """When the last probe that passed was sent, by what was recorded."""
    return max(sent_at(r) for r in day.recorded if r.outcome is Outcome.PASS)


def first_fail(day):
    """When the first failure was seen, by what was recorded."""
    return min(r.observed_at for r in day.recorded if r.outcome is Outcome.FAIL)


def sent_at(result):
    return result.observed_at - timedelta(seconds=result.observed_mono - result.sent_mono)


def close(one, other):
    """The same to a millisecond: an instant that went through two clocks is rounded."""
    return abs((one - other).total_seconds()) < 0.001


def same_start(interval, after, before):
    return close(interval.after, after) and close(interval.before, before)


def machine_of(day):
    return day.state.machines[UNIT]


def stage_of(day, track=Track.ALL):
    return machine_of(day).outages.stage(track)


class TestSuspected:
    def test_an_outage_not_yet_declared_is_declared_once_with_its_first_start(self):
        before = killed("10:00:04", from_="10:00:01", until="10:30")
        assert before.incidents == []
        assert machine_of(before).phase is Phase.ROUNDS
        after = started("10:00:14", before, from_="10:00:14", until="10:30")
        start = last_pass(before), first_fail(before)
        after.runs_until("11:00")
        (incident,) = after.incidents
        assert same_start(incident.began, *start)
        assert incident.impact is Impact.ALL
        assert incident.detected_at < at_time(after.began, "10:00:40")
        assert incident.state is IncidentState.RESOLVED

    def test_it_is_swept_as_soon_as_the_controls_have_answered(self):
        before = killed("10:00:04", from_="10:00:01", until="10:30")
        after = started("10:00:14", before, from_="10:00:14", until="10:30")
        assert machine_of(after).phase is Phase.ROUNDS
        after.runs_until("10:00:16")
        assert after.asked >= 15

    def test_what_was_suspected_and_passes_again_is_nothing(self):
        before = killed("10:00:04", from_="10:00:01", until="10:00:08")
        after = started("10:00:14", before).runs_until("10:05")
        assert after.incidents == []
        assert machine_of(after).phase is Phase.UP

    def test_a_failure_whose_result_was_lost_with_the_process_only_widens_the_start(self):
        before = killed("10:00:02", from_="10:00:01.8", until="10:30")
        after = started("10:00:14", before, from_="10:00:14", until="10:30")
        after.runs_until("10:05")
        (incident,) = after.incidents
        assert incident.began.after < at_time(after.began, "10:00:01.8") < incident.began.before


class TestUnseen:
    @pytest.mark.parametrize("how", [refused, status_503])
    def test_an_outage_that_begins_while_nobody_watches_began_after_the_last_pass(self, how):
        before = killed("10:00")
        after = started("10:03", before, from_="10:03", until="10:30", how=how)
        last = last_pass(before)
        after.runs_until("10:10")
        (incident,) = after.incidents
        assert close(incident.began.after, last)
        believed_by = timedelta(seconds=10)
        assert first_fail(after) <= incident.began.before <= first_fail(after) + believed_by

    def test_however_long_nobody_watched(self):
        before = killed("10:00")
        after = started("13:00", before, from_="13:00", until="13:30")
        last = last_pass(before)
        after.runs_until("13:10")
        assert close(after.incidents[0].began.after, last)

    def test_an_outage_that_begins_and_ends_while_nobody_watches_is_nothing(self):
        before = killed("10:00")
        after = started("10:20", before).runs_until("10:40")
        assert after.incidents == []
        assert after.notices == []

    def test_a_part_that_begins_to_fail_while_nobody_watches_began_after_its_own_last_pass(self):
        before = killed("10:00")
        after = started("10:03", before, from_="10:03", until="10:30", target=["acme"])
        own = [r for r in before.recorded if r.cell.target == "acme"]
        after.runs_until("10:20")
        (incident,) = after.incidents
        assert incident.impact is Impact.SOME
        assert any(close(incident.began.after, sent_at(result)) for result in own)

    def test_slow_cells_keep_the_silence_that_is_usual_with_them(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "09:50", until="10:00", how=slow(6))
        before.runs_until("10:00")
        after = started("10:00:10", before, from_="10:00:10", until="11:00", how=slow(6))
        after.runs_until("10:30")
        assert after.asked == 0
        assert after.incidents == []

    def test_being_turned_away_before_is_no_lockout_after(self):
        before = killed("10:01", from_="10:00", until="10:30", how=turned_away)
        after = started("10:20", before).runs_until("10:40")
        assert after.incidents == []

    def test_what_was_seen_by_a_clock_that_has_been_set_back_is_left_out(self):
        before = killed("10:00:04", from_="10:00:01", until="10:30")
        after = started("09:40", before, from_="09:40", until="10:30")
        assert machine_of(after).phase is Phase.UP
        after.runs_until("09:50")
        (incident,) = after.incidents
        assert incident.began.after is None


class TestConfirmed:
    def goes_on(self, before, after):
        """The one incident is the same, from the same start, and nothing else was opened."""
        (was,), (incident,) = before.incidents, after.incidents
        assert incident.id == was.id
        assert incident.began == was.began
        assert "opened" not in after.timeline(1)
        return incident

    def test_killed_in_all(self):
        before = killed("10:05", from_="10:00:01", until="10:30")
        after = started("10:05:10", before, from_="10:05:10", until="10:30").runs_until("11:00")
        assert self.goes_on(before, after).state is IncidentState.RESOLVED
        assert after.timeline(1) == ["unobserved", "recovered", "resolved"]

    def test_killed_in_all_and_well_since(self):
        before = killed("10:05", from_="10:00:01", until="10:30")
        after = started("10:20", before).runs_until("11:00")
        incident = self.goes_on(before, after)
        assert incident.recovered.before >= at_time(after.began, "10:20")
        assert incident.recovered.after <= at_time(after.began, "10:05")

    def test_killed_in_a_part(self):
        before = killed("10:10", from_="10:00:01", until="11:00", target=["acme"])
        after = started("10:10:10", before, from_="10:10:10", until="10:30", target=["acme"])
        after.runs_until("11:00")
        assert self.goes_on(before, after).state is IncidentState.RESOLVED

    @pytest.mark.parametrize("second", range(0, 30, 2))
    def test_killed_in_a_part_what_fails_since_began_after_the_last_pass(self, second):
        at = f"10:10:{second:02}.8"
        before = killed(at, from_="10:00:01", until="11:00", target=["acme"])
        after = started("10:15", before, from_="10:15", until="11:00")
        last = last_pass(before)
        after.runs_until("10:30")
        everyone = next(i for i in after.incidents if i.impact is Impact.ALL)
        assert close(everyone.began.after, last)
        assert everyone.began.before >= at_time(after.began, "10:15")

    def test_killed_while_watching_a_recovery_that_lasts(self):
        before = killed("10:08", from_="10:00:01", until="10:05")
        assert stage_of(before) is Stage.WATCHING
        after = started("10:08:10", before).runs_until("11:00")
        incident = self.goes_on(before, after)
        assert incident.recovered == before.incidents[0].recovered
        assert incident.resolved_at == before.incidents[0].watch_until

    def test_killed_while_watching_a_recovery_that_does_not_last(self):
        before = killed("10:08", from_="10:00:01", until="10:05")
        after = started("10:08:10", before, from_="10:09", until="10:20").runs_until("11:00")
        incident = self.goes_on(before, after)
        assert incident.state is IncidentState.RESOLVED
        assert "relapsed" in after.timeline(1)

    def test_killed_while_a_relapse_is_suspected(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "10:00:01", until="10:05")
        before.fails("crm", "10:08:01", until="10:20")
        before.runs_until("10:08:04")
        assert stage_of(before) is Stage.WATCHING
        after = started("10:08:10", before, from_="10:08:10", until="10:20")
        assert machine_of(after).phase is Phase.ROUNDS
        after.runs_until("11:00")
        self.goes_on(before, after)

    @pytest.mark.parametrize("at", ["10:14", "10:16"], ids=["watched", "failing"])
    def test_killed_before_the_third_episode_it_is_flapping_with_it(self, at):
        episodes = [("10:00:01", "10:03"), ("10:07:01", "10:10"), ("10:15:01", "10:20")]
        before = Day("Mon 2026-11-23 09:50", estate())
        for from_, until in episodes:
            before.fails("crm", from_, until=until)
        before.runs_until(at)
        after = started(f"{at}:10", before)
        for from_, until in [episodes[2]]:
            after.fails("crm", max(from_, f"{at}:10"), until=until)
        after.runs_until("10:21:30")
        (outage,) = after.mind.outages.values()
        assert (outage.reason, outage.episodes) == (VerdictReason.FLAPPING, 3)
        assert len(outage.starts) == Rules().flap_episodes
        after.runs_until("11:30")
        self.goes_on(before, after)

    def test_killed_in_flapping_it_is_watched_as_long(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        for from_, until in [("10:00:01", "10:03"), ("10:07:01", "10:10"), ("10:15:01", "10:20")]:
            before.fails("crm", from_, until=until)
        before.runs_until("10:25")
        after = started("10:25:10", before, from_="10:35:01", until="10:40")
        after.runs_until("10:39")
        (outage,) = after.mind.outages.values()
        assert (outage.reason, outage.episodes) == (VerdictReason.FLAPPING, 4)
        after.runs_until("12:00")
        assert self.goes_on(before, after).state is IncidentState.RESOLVED

    def test_an_outage_kept_without_starts_of_episodes_counts_its_first(self):
        before = killed("10:05", from_="10:00:01", until="10:30")
        (outage,) = before.mind.outages.values()
        now = before.reading()
        known = declared_of(replace(outage, starts=()), now)
        assert [now.wall_of(start) for start in known.starts] == [outage.detected_at]
