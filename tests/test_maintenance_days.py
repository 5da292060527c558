"""Days with maintenance windows: what is opened, when, and what is not. Only time is pretended."""

from datetime import time, timedelta

import pytest

from monitor.model import (
    DecisionReason,
    Impact,
    IncidentState,
    Outcome,
    Rules,
    Weekly,
    Window,
)
from tests.day import Day, local
from tests.estates import TENANTS, check, estate, service
from tests.simulation import (
    Simulation,
    black_hole,
    of,
    refused,
    sometimes,
    status_503,
)

NIGHT = "Sun 2026-11-29 21:50"
HOWS = pytest.mark.parametrize("how", [refused, status_503, black_hole], ids=lambda h: h.__name__)


@pytest.fixture
def day():
    """A night with a window of the CRM from 22:00 until 23:00."""
    day = Day(NIGHT, estate(service("crm", check(of=TENANTS)), service("web", check("web"))))
    day.maintenance("22:00", "23:00")
    return day


def seconds_after(when, at):
    return (at - local(f"2026-11-29 {when}")).total_seconds()


class TestInside:
    @HOWS
    def test_what_fails_only_inside_is_never_told(self, day, how):
        day.fails("crm", "22:00:01", until="22:59:30", how=how)
        day.runs_until("23:30")
        assert day.changes == []

    def test_what_fails_in_part_or_by_chance_is_not_told_either(self, day):
        day.fails("crm", "22:05", until="22:20", target={"acme"})
        day.fails("crm", "22:30", until="22:50", how=sometimes(0.4))
        day.runs_until("23:30")
        assert day.changes == []

    def test_a_failure_has_no_vote_but_is_remembered_with_its_kind(self, day):
        day.fails("crm", "22:00:01", until="22:59:30")
        day.runs_until("22:10")
        seen = [m.last_failure for m in day.state.memories.values() if m.last_failure]
        assert {r.outcome for r in seen} == {Outcome.MAINTENANCE}
        assert {r.evidence.warnings for r in seen} == {("sent in the maintenance window upgrade",)}

    def test_a_pass_is_a_pass(self, day):
        day.runs_until("22:30")
        assert {m.outcome for m in day.state.memories.values()} == {Outcome.PASS}

    def test_another_service_is_told_as_ever(self, day):
        day.fails("crm", "22:00:01", until="22:59")
        day.fails("web", "22:10", until="22:40")
        day.runs_until("23:30")
        (incident,) = day.incidents
        assert incident.service == "web"

    def test_what_begins_a_moment_before_it_is_not_told_inside(self, day):
        day.fails("crm", "21:59:57", until="22:55")
        day.runs_until("23:30")
        assert day.incidents == []


class TestOverrun:
    @HOWS
    def test_what_still_fails_at_the_end_is_told_at_once_with_its_true_start(self, day, how):
        day.fails("crm", "22:20:01", until="23:20", how=how)
        day.runs_until("23:10")
        (incident,) = day.incidents
        assert incident.impact is Impact.ALL
        assert incident.reason is DecisionReason.ALL_USERS
        assert 0 < seconds_after("23:00", incident.detected_at) < (20 if how is black_hole else 11)
        assert incident.began.after <= local("2026-11-29 22:20:01") <= incident.began.before
        assert seconds_after("22:20", incident.began.before) < 30

    def test_the_errors_are_those_that_were_seen(self, day):
        day.fails("crm", "22:20:01", until="23:20")
        day.runs_until("23:10")
        (incident,) = day.incidents
        assert {e.message for e in incident.errors} == {"[Errno 111] Connection refused"}

    def test_the_promise_runs_from_the_report_and_not_from_the_start(self, day):
        day.fails("crm", "22:20:01", until="23:20")
        day.runs_until("23:10")
        (incident,) = day.incidents
        assert incident.respond_by == incident.reported_at + timedelta(hours=2)

    def test_a_tenant_that_still_fails_is_told_as_one(self, day):
        day.fails("crm", "22:20:01", until="23:20", target={"acme"})
        day.runs_until("23:10")
        (incident,) = day.incidents
        assert (incident.impact, incident.extent.members) == (Impact.SOME, ("acme",))
        assert seconds_after("23:00", incident.detected_at) < 60
        assert seconds_after("22:20", incident.began.before) < 30

    def test_what_breaks_just_before_the_end_is_told_soon_after_it(self, day):
        day.fails("crm", "22:59:55", until="23:20", how=black_hole)
        day.runs_until("23:10")
        (incident,) = day.incidents
        assert seconds_after("23:00", incident.detected_at) < 30

    def test_what_comes_back_inside_is_not_told_at_the_end(self, day):
        day.fails("crm", "22:20:01", until="22:59:50")
        day.runs_until("23:30")
        assert day.incidents == []


class TestBefore:
    def test_an_outage_that_a_window_finds_open_goes_on_as_one(self, day):
        day.fails("crm", "21:55:01", until="23:20")
        day.runs_until("23:59")
        (incident,) = day.incidents
        assert day.timeline(1) == ["opened", "warned", "recovered", "warned", "resolved"]
        assert incident.recovered.before > local("2026-11-29 23:20")

    def test_an_outage_that_ends_inside_recovers_there(self, day):
        day.fails("crm", "21:55:01", until="22:20")
        day.runs_until("23:30")
        (incident,) = day.incidents
        assert incident.state is IncidentState.RESOLVED
        assert seconds_after("22:20", incident.recovered.before) < 5

    def test_a_partial_outage_goes_on_as_one(self, day):
        day.fails("crm", "21:52:01", until="23:20", target={"acme"})
        day.runs_until("23:59")
        assert day.timeline(1) == ["opened", "recovered", "resolved"]
        assert len(day.incidents) == 1
        assert day.incidents[0].recovered.before > local("2026-11-29 23:20")


class TestPartOfAService:
    @pytest.fixture
    def acmes(self):
        day = Day(NIGHT, estate())
        day.maintenance("22:00", "23:00", tenants=("acme",))
        return day

    def test_its_own_failing_is_not_told(self, acmes):
        acmes.fails("crm", "22:05", until="22:50", target={"acme"})
        assert acmes.runs_until("23:30").incidents == []

    def test_another_tenant_that_fails_meanwhile_is_told_alone(self, acmes):
        acmes.fails("crm", "22:05", until="22:50", target={"acme"})
        acmes.fails("crm", "22:10", until="22:40", target={"bolt"})
        (incident,) = acmes.runs_until("23:30").incidents
        assert incident.extent.members == ("bolt",)
        assert seconds_after("22:10", incident.detected_at) < 60

    def test_everyone_failing_meanwhile_is_told_as_everyone(self, acmes):
        acmes.fails("crm", "22:10", until="22:40")
        (incident,) = acmes.runs_until("23:30").incidents
        assert incident.impact is Impact.ALL
        assert seconds_after("22:10", incident.detected_at) < 30

    def test_one_check_may_be_in_a_window_and_another_not(self):
        both = service("crm", check(of=TENANTS), check(name="api", of=TENANTS))
        day = Day(NIGHT, estate(both))
        day.maintenance("22:00", "23:00", checks=("api",))
        day.fails("crm", "22:10", until="22:40")
        day.runs_until("22:50")
        (incident,) = day.incidents
        assert incident.checks == ("sign-in",)


class TestWeekly:
    BACKUP = Window(
        "backup", Weekly(6, time(0, 30), time(3, 0), "Europe/London"), ("crm",), reason="backup"
    )

    @pytest.mark.parametrize(
        ("sunday", "hours"), [("2026-11-29", 2.5), ("2027-03-28", 1.5), ("2026-10-25", 3.5)]
    )
    def test_it_keeps_to_the_local_clock_when_that_is_changed(self, sunday, hours):
        day = Day(f"Sun {sunday} 00:20", estate())
        day.declares(self.BACKUP)
        day.fails("crm", f"{sunday} 00:40", until=f"{sunday} 03:20")
        day.runs_until(f"{sunday} 03:15")
        (incident,) = day.incidents
        begins = local(f"{sunday} 00:30")
        late = incident.detected_at - (begins + timedelta(hours=hours))
        assert timedelta() < late < timedelta(seconds=11)
        assert incident.began.before - begins < timedelta(minutes=11)


class TestRestart:
    def test_an_outage_from_before_is_still_the_same_after_a_restart_inside(self, day):
        day.fails("crm", "21:55:01", until="23:20")
        day.runs_until("22:30")
        later = Day("Sun 2026-11-29 22:31", day.estate, like=day)
        later.fails("crm", "22:31", until="23:20")
        later.runs_until("23:59")
        assert len(later.incidents) == 1
        assert later.timeline(1)[-3:] == ["recovered", "warned", "resolved"]

    def test_whoever_starts_inside_tells_at_the_end_what_still_fails(self, day):
        later = Day("Sun 2026-11-29 22:31", day.estate)
        later.fails("crm", "22:31", until="23:20")
        later.runs_until("23:10")
        (incident,) = later.incidents
        assert 0 < seconds_after("23:00", incident.detected_at) < 11


class TestManyWorlds:
    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize("share", [0.3, 0.9, 0.97])
    def test_nothing_is_declared_inside_whatever_the_share_that_fails(self, share, seed):
        sim = Simulation(estate(rules=Rules()))
        sim.maintenance(100, 1000)
        sim.breaks(101, 995, sometimes(share, black_hole, seed), of("crm"))
        sim.run(1000)
        assert sim.declared == []
