"""From faults to incidents and notices, as days at the monitor. Nothing but time is pretended."""

from dataclasses import replace

import pytest

from monitor.incident import IllegalTransition
from monitor.model import (
    AllUsersScope,
    DecisionReason,
    Deployment,
    Impact,
    IncidentState,
    Priority,
    Role,
    Rules,
    Target,
)
from tests.day import Day, day_time, local
from tests.estates import check, estate, service, tenants
from tests.simulation import black_hole, of, refused, sometimes, turned_away


class TestEveryoneInHours:
    @pytest.fixture
    def day(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="10:20:01")
        return day

    def test_one_critical_incident_is_opened_with_two_hours_to_respond(self, day):
        day.runs_until("10:15")
        (incident,) = day.incidents
        assert incident.priority is Priority.CRITICAL
        assert incident.reason is DecisionReason.ALL_USERS
        assert incident.subject == "v1:crm:all"
        assert incident.title == "Prospect 365 CRM is down for all users"
        assert (incident.respond_by - incident.reported_at).total_seconds() == 7200
        assert (incident.detected_at - local("2026-11-23 10:00:01")).total_seconds() < 10

    def test_it_carries_its_start_as_an_interval_and_the_errors_verbatim(self, day):
        day.runs_until("10:15")
        (incident,) = day.incidents
        assert incident.began.after <= local("2026-11-23 10:00:01") <= incident.began.before
        assert {e.message for e in incident.errors} == {"[Errno 111] Connection refused"}
        assert {e.vantage for e in incident.errors} == {"london", "leeds", "dublin"}
        (opening,) = [c for c in day.changes if c.evidence]
        assert len(opening.evidence) == 15

    def test_desk_and_on_call_are_told_at_once(self, day):
        day.runs_until("10:15")
        assert day.told("pager") == [("trigger", day_time(day.incidents[0].reported_at))]
        assert day.told("desk") == [("trigger", day_time(day.incidents[0].reported_at))]

    def test_the_message_reads_at_three_in_the_morning(self, day):
        day.runs_until("10:15")
        message = day.notices[0].message
        assert message.headline == "#1 CRITICAL Prospect 365 CRM is down for all users since 10:00"
        text = "\n".join(message.lines)
        assert "Affected: all users." in text
        assert "seen from 3 locations (london, leeds, dublin)" in text
        assert "Error: sign-in from leeds, london, dublin (5 targets): connect: [Errno 111]" in text
        assert "Respond by Mon 23 Nov 12:00" in text
        assert "http://monitor/incidents/1" in text

    def test_its_life_goes_from_opening_to_resolution_and_each_step_is_told(self, day):
        day.runs_until("10:10")
        day.acknowledges(1, "Robin")
        day.runs_until("11:00")
        assert day.timeline(1) == ["opened", "acknowledged", "recovered", "resolved"]
        assert [action for action, _ in day.told("pager")] == [
            "trigger",
            "acknowledge",
            "update",
            "resolve",
        ]
        (incident,) = day.incidents
        assert incident.state is IncidentState.RESOLVED
        assert incident.acknowledged_by == "Robin"
        assert incident.recovered.before < incident.resolved_at

    def test_it_resolves_only_after_the_merge_window(self, day):
        day.runs_until("10:25")
        assert day.incidents[0].watch_until is not None
        assert day.incidents[0].resolved_at is None
        day.runs_until("11:00")
        watched = day.incidents[0].resolved_at - day.incidents[0].recovered.before
        assert watched.total_seconds() >= Rules().merge_window

    def test_it_is_acknowledged_once(self, day):
        day.runs_until("10:10")
        day.acknowledges(1, "Robin")
        with pytest.raises(IllegalTransition, match="acknowledged by Robin"):
            day.acknowledges(1, "Sam")

    def test_what_is_not_open_cannot_be_acknowledged(self, day):
        day.runs_until("11:00")
        with pytest.raises(KeyError):
            day.acknowledges(1, "Robin")


class TestOutOfHours:
    def test_everyone_down_at_night_wakes_on_call_only(self):
        day = Day("Fri 2026-12-25 02:50", estate())
        day.fails("crm", "03:00:01", until="04:00")
        day.runs_until("03:10")
        assert day.incidents[0].out_of_hours
        assert [action for action, _ in day.told("pager")] == ["trigger"]
        assert day.told("desk") == []

    def test_one_tenant_down_at_night_is_held_until_support_opens(self):
        day = Day("Mon 2026-11-23 01:00", estate())
        day.fails("crm", "02:00:01", until="08:00", target={"acme"})
        day.runs_until("07:00")
        (incident,) = day.incidents
        assert incident.priority is Priority.STANDARD
        assert incident.scope == "1 of 5 targets: acme"
        assert incident.respond_by is None
        assert day.told("pager") == []
        assert day.told("desk") == [("trigger", "Mon 08:30:00")]
        assert day.notices[0].held

    def test_what_follows_a_held_notice_is_held_with_it(self):
        day = Day("Mon 2026-11-23 01:00", estate())
        day.fails("crm", "02:00:01", until="03:00", target={"acme"})
        day.runs_until("07:00")
        assert day.told("desk") == [
            ("trigger", "Mon 08:30:00"),
            ("update", "Mon 08:30:00"),
            ("resolve", "Mon 08:30:00"),
        ]

    def test_a_part_that_grows_wide_wakes_on_call_without_a_promise(self):
        day = Day("Tue 2026-11-24 01:00", estate())
        day.fails("crm", "02:00:01", until="04:00", target={"acme"})
        day.fails("crm", "02:30:01", until="04:00", target={"cedar", "ember"})
        day.runs_until("03:00")
        (incident,) = day.incidents
        assert incident.reason is DecisionReason.WIDE_PARTIAL
        assert incident.priority is Priority.STANDARD
        assert incident.respond_by is None
        assert set(incident.route) == {Role.ON_CALL, Role.SERVICE_DESK}
        ((action, due),) = day.told("pager")
        assert action == "trigger"
        assert due.startswith("Tue 02:30")
        assert all(due == "Tue 08:30:00" for _, due in day.told("desk"))

    def test_a_blind_monitor_wakes_on_call(self):
        day = Day("Tue 2026-11-24 01:00", estate())
        day.breaks(600, 3600, black_hole, of(controls=True))
        day.runs_until("01:30")
        (incident,) = day.incidents
        assert incident.reason is DecisionReason.CANNOT_TELL
        assert incident.impact is Impact.UNKNOWN
        assert "cannot tell whether customers are down" in incident.title
        assert [action for action, _ in day.told("pager")] == ["trigger"]


class TestLockedOut:
    def test_being_turned_away_at_night_wakes_on_call_because_we_cannot_tell(self):
        day = Day("Tue 2026-11-24 01:00", estate())
        day.fails("crm", "01:10:01", until="02:00", how=turned_away)
        day.runs_until("01:30")
        (incident,) = day.incidents
        assert incident.reason is DecisionReason.CANNOT_TELL
        assert incident.subject == "v1:crm:locked_out"
        assert "Prospect 365 CRM turns us away" in incident.title
        assert {e.message for e in incident.errors} == {"status 403 Forbidden (expected 200-299)"}
        assert [action for action, _ in day.told("pager")] == ["trigger"]


class TestOneIncidentPerSubject:
    def test_two_checks_down_for_everyone_are_one_incident(self):
        both = service(
            "crm", check(name="sign-in", of=tenants(5)), check(name="api", of=tenants(5))
        )
        day = Day("Mon 2026-11-23 09:50", estate(both))
        day.fails("crm", "10:00:01", until="10:20")
        day.runs_until("11:00")
        (incident,) = day.incidents
        assert incident.checks == ("api", "sign-in")
        assert [action for action, _ in day.told("pager")] == ["trigger", "update", "resolve"]

    def test_two_services_are_two_incidents(self):
        day = Day("Mon 2026-11-23 09:50", estate(service("crm"), service("sites", SITES)))
        day.fails("crm", "10:00:01", until="10:20")
        day.fails("sites", "10:00:01", until="10:20")
        day.runs_until("11:00")
        assert sorted(i.service for i in day.incidents) == ["crm", "sites"]

    def test_a_part_is_quiet_while_everyone_is_down_and_goes_on_after(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="11:00", target={"acme"})
        day.fails("crm", "10:10:01", until="10:20")
        day.runs_until("12:00")
        part, everyone = day.incidents
        assert (part.impact, everyone.impact) == (Impact.SOME, Impact.ALL)
        assert everyone.linked == (part.id,)
        assert part.recovered.after <= local("2026-11-23 11:00") <= part.recovered.before
        assert [action for action, _ in day.told("desk")].count("trigger") == 2

    def test_everyone_down_to_one_tenant_opens_the_part_when_everyone_is_back(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="11:00", target={"acme"})
        day.fails("crm", "10:00:01", until="10:20")
        day.runs_until("10:40")
        everyone, part = day.incidents
        assert everyone.watch_until is not None
        assert part.scope == "1 of 5 targets: acme"
        assert part.linked == (everyone.id,)

    def test_a_part_told_late_carries_its_errors_and_how_it_is_known(self):
        crm = service("crm", check(of=tenants(5)), check(name="api", of=tenants(5)))
        day = Day("Mon 2026-11-23 09:50", estate(crm))
        day.breaks(day.mono("10:00"), day.mono("10:10"), refused, lambda c: of_check(c, "api"))
        day.breaks(
            day.mono("10:05"),
            day.mono("10:30"),
            refused,
            lambda c: of_check(c, "sign-in") and c.key.target == "acme",
        )
        day.runs_until("10:20")
        part = day.incidents[1]
        assert part.impact is Impact.SOME
        assert {error.target for error in part.errors} == {"acme"}
        assert "1 target failing twice in a row (acme)" in part.known_by

    def test_an_excluded_deployment_down_hides_no_part_of_the_hosted_service(self):
        hosted = check(of=tenants(5)).targets
        own = [Target(f"own{i}", f"own{i}", "a", "", Deployment.ON_PREMISE) for i in range(5)]
        both = replace(check(), targets=(*hosted, *(replace(t, fingerprint="f") for t in own)))
        day = Day("Mon 2026-11-23 09:50", estate(service("crm", both)))
        day.fails("crm", "10:00", until="12:00", target=[t.name for t in own])
        day.fails("crm", "10:30", until="11:00", target=["acme"])
        day.runs_until("10:40")
        assert [i.subject for i in day.incidents] == ["v1:crm:on_premise:all", "v1:crm:some"]

    @pytest.mark.parametrize(
        ("well", "reason"), [((), DecisionReason.WIDE_PARTIAL), (("t6",), DecisionReason.PARTIAL)]
    )
    def test_a_whole_group_is_wide_also_when_another_target_fails_with_it(self, well, reason):
        all_thirty = tenants(30)
        blue = [name for name, group in all_thirty.items() if group == "blue"]
        day = Day("Tue 2026-11-24 01:50", estate(service("crm", check(of=all_thirty))))
        failing = {*blue, "t1"} - set(well)
        day.fails("crm", "02:00:01", until="02:20", target=failing)
        day.runs_until("02:15")
        (incident,) = day.incidents
        assert set(incident.extent.members) == failing
        assert incident.reason is reason

    def test_at_night_an_excluded_target_is_held_and_the_hosted_one_beside_it_pages(self):
        confirming = check("orders", "confirming")
        (shared,) = confirming.targets
        own = replace(confirming, targets=(replace(shared, deployment=Deployment.ON_PREMISE),))
        day = Day("Tue 2026-11-24 01:50", estate(service("orders", check("orders"), own)))
        day.breaks(day.mono("02:00"), day.mono("04:00"), refused, lambda c: of_check(c, own.name))
        day.breaks(day.mono("02:30"), day.mono("04:00"), refused, of("orders"))
        day.runs_until("03:00")
        reasons = [(i.reason, i.priority) for i in day.incidents]
        assert reasons == [
            (DecisionReason.ON_PREMISE, Priority.STANDARD),
            (DecisionReason.ALL_USERS, Priority.CRITICAL),
        ]
        assert [due for _, due in day.told("desk")] == ["Tue 08:30:00"]
        assert [action for action, _ in day.told("pager")] == ["trigger"]

    @pytest.mark.parametrize("seed", range(6))
    def test_a_share_that_just_passed_still_names_its_errors(self, seed):
        one = estate(service("crm", check()), places={"london": "net-a"})
        day = Day("Mon 2026-11-23 09:50", one)
        day.fails("crm", "10:00", until="10:30", how=sometimes(0.5, seed=seed))
        day.runs_until("10:30")
        assert day.incidents
        assert all(incident.errors for incident in day.incidents)

    def test_one_tenant_down_hides_nothing_of_another(self):
        made = service("crm", all_users_scope=AllUsersScope.TENANT)
        day = Day("Mon 2026-11-23 09:50", estate(made))
        day.fails("crm", "10:00", until="12:00", target=["acme"])
        day.fails("crm", "10:10", until="12:00", target=["bolt"], vantage=["leeds"])
        day.runs_until("11:00")
        subjects = [i.subject for i in day.incidents]
        assert subjects == ["v1:crm:tenant:acme:all", "v1:crm:tenant:bolt:some"]

    def test_failing_again_while_watched_is_the_same_incident(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="10:05")
        day.fails("crm", "10:10:01", until="10:15")
        day.runs_until("11:00")
        assert day.timeline(1) == ["opened", "recovered", "relapsed", "recovered", "resolved"]
        assert day.incidents[0].episodes == 2

    def test_a_wider_episode_wakes_whom_the_first_did_not(self):
        crm = service("crm", check(of=tenants(10)))
        day = Day("Mon 2026-11-23 01:50", estate(crm))
        day.fails("crm", "02:00:01", until="02:05", target=["t1"])
        day.fails("crm", "02:11:01", until="02:20", target=[f"t{i}" for i in range(7)])
        day.runs_until("02:15")
        (incident,) = day.incidents
        assert (incident.episodes, incident.watch_until) == (2, None)
        assert incident.route == (Role.SERVICE_DESK, Role.ON_CALL)
        assert [action for action, _ in day.told("pager")] == ["trigger"]

    def test_another_check_failing_while_watched_is_named_with_its_errors(self):
        crm = service("crm", check(of=tenants(5)), check(name="api", of=tenants(5)))
        day = Day("Mon 2026-11-23 09:50", estate(crm))
        day.breaks(day.mono("10:00:01"), day.mono("10:03"), refused, lambda c: of_check(c, "api"))
        day.breaks(
            day.mono("10:08"), day.mono("10:12"), black_hole, lambda c: of_check(c, "sign-in")
        )
        day.runs_until("10:11")
        (incident,) = day.incidents
        assert incident.episodes == 2
        assert incident.checks == ("api", "sign-in")
        assert {error.check for error in incident.errors} == {"api", "sign-in"}

    def test_failing_after_it_is_resolved_is_another(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="10:05")
        day.fails("crm", "10:30:01", until="10:35")
        day.runs_until("11:00")
        first, second = day.incidents
        assert first.subject == second.subject
        assert first.id != second.id
        assert len({n.dedup_key for n in day.notices}) == 2

    def test_keys_are_unique_and_in_order(self):
        day = Day("Mon 2026-11-23 09:50", estate())
        day.fails("crm", "10:00:01", until="10:05")
        day.runs_until("11:00")
        keys = [n.key for n in day.notices]
        assert len(set(keys)) == len(keys)
        assert [n.seq for n in day.notices] == sorted(n.seq for n in day.notices)


class TestRestart:
    def test_the_same_incident_goes_on_and_no_second_is_opened(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "10:00:01", until="10:20")
        before.runs_until("10:05")
        after = Day("Mon 2026-11-23 10:06", estate(), like=before)
        after.fails("crm", "10:06", until="10:20")
        after.runs_until("11:00")
        (incident,) = after.incidents
        assert incident.id == before.incidents[0].id
        assert incident.began == before.incidents[0].began
        assert incident.respond_by == before.incidents[0].respond_by
        assert after.timeline(1) == ["unobserved", "recovered", "resolved"]

    def test_an_outage_that_ended_while_nobody_looked_is_resolved(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "10:00:01", until="10:20")
        before.runs_until("10:05")
        after = Day("Mon 2026-11-23 10:30", estate(), like=before)
        after.runs_until("11:00")
        assert after.incidents[0].state is IncidentState.RESOLVED
        assert after.incidents[0].recovered.before >= local("2026-11-23 10:30")

    def test_an_outage_of_a_check_that_is_gone_is_closed_and_hides_nothing(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "10:00:01", until="10:20")
        before.runs_until("10:05")
        renamed = estate(service("crm", check(name="login", of=tenants(5))))
        after = Day("Mon 2026-11-23 10:06", renamed, like=before)
        after.fails("crm", "10:10", until="11:00", target=["acme"])
        after.runs_until("10:30")
        assert [(i.subject, i.state) for i in after.incidents] == [
            ("v1:crm:all", IncidentState.RESOLVED),
            ("v1:crm:some", IncidentState.OPEN),
        ]
        assert after.told("pager") == [("resolve", "Mon 10:06:00")]

    @pytest.mark.parametrize(("from_", "until"), [("09:55", "09:58"), ("10:05", "10:40")])
    def test_what_a_killed_process_had_not_come_to_tell_is_told(self, from_, until):
        crm = service("crm", check(of=tenants(5)), check(name="api", of=tenants(5)))
        before = Day("Mon 2026-11-23 09:50", estate(crm))
        before.breaks(
            before.mono(from_),
            before.mono(until),
            refused,
            lambda c: of_check(c, "api") and c.key.target == "acme",
        )
        before.breaks(
            before.mono("10:00"), before.mono("10:20"), refused, lambda c: of_check(c, "sign-in")
        )
        before.runs_until("10:30")
        before.loses_all_after(lambda change: recovered_for_everyone(change.incident))
        after = Day("Mon 2026-11-23 10:30", estate(crm), like=before)
        after.breaks(0.0, 600.0, refused, lambda c: of_check(c, "api") and c.key.target == "acme")
        after.runs_until("12:00")
        part = next(i for i in after.incidents if i.impact is Impact.SOME)
        assert part.state is IncidentState.RESOLVED
        assert "resolved" in after.timeline(part.number)

    def test_notices_of_a_restarted_monitor_get_keys_of_their_own(self):
        before = Day("Mon 2026-11-23 09:50", estate())
        before.fails("crm", "10:00:01", until="10:20")
        before.runs_until("10:05")
        after = Day("Mon 2026-11-23 10:30", estate(), like=before)
        after.runs_until("11:00")
        assert not {n.key for n in before.notices} & {n.key for n in after.notices}


class TestNeverWorked:
    def test_a_wrong_address_is_a_standard_incident_and_no_page(self):
        day = Day("Mon 2026-11-23 09:50", estate(), worked=False)
        day.fails("crm", "09:50", until="10:20", how=refused)
        day.runs_until("10:10")
        (incident,) = day.incidents
        assert incident.reason is DecisionReason.NEVER_WORKED
        assert incident.priority is Priority.STANDARD
        assert day.told("pager") == []


SITES = check("sites", "home", of=tenants(5))


def of_check(cell, name):
    """Whether a cell of a service is of that check."""
    return cell.key.check == name


def recovered_for_everyone(incident):
    """Whether an incident says that everyone is back."""
    return incident is not None and incident.impact is Impact.ALL and bool(incident.recovered)
