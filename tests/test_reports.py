"""Customers' reports: which incident they open or join, who is told, what the reporter learns."""

from dataclasses import replace

import pytest

from monitor.incident import IllegalTransition
from monitor.judge import StillFailing
from monitor.model import (
    AllUsersScope,
    Deployment,
    Impact,
    IncidentState,
    Need,
    Priority,
    ReportMessageKind,
    Role,
)
from tests.day import CUSTOMERS, DESK, PAGER, Day, day_time
from tests.estates import TENANTS, check, estate, service
from tests.simulation import of, refused

SUNDAY, NIGHT, MONDAY = "Sun 2026-11-29 00:10", "Tue 2026-11-24 00:10", "Mon 2026-11-23 09:50"
SEEN = "HTTP 503\nService <b>Unavailable</b>"


def quiet(when=SUNDAY, until="01:00", *services, **more):
    """A day on which the probes see nothing."""
    channels = (PAGER, DESK, CUSTOMERS)
    return Day(when, estate(*services), channels=channels, **more).runs_until(until)


def down(from_, *, until, when=SUNDAY, runs="01:00", **where):
    """A day on which the CRM goes down, for everyone unless told otherwise."""
    day = Day(when, estate(), channels=(PAGER, DESK, CUSTOMERS))
    day.fails("crm", from_, until=until, **where)
    return day.runs_until(runs)


def deployed(deployment, *tenants):
    """A CRM of which these tenants' targets are run so."""
    made = check(of=TENANTS)
    targets = [
        replace(target, deployment=deployment) if target.tenant in tenants else target
        for target in made.targets
    ]
    return service("crm", replace(made, targets=tuple(targets)))


def kinds(report):
    return [message.kind.value for message in report.messages]


class TestWorkedExamples:
    def test_sunday_0100_a_customers_log_joins_the_incident_of_everyone_as_evidence(self):
        day = down("00:40:01", until="03:00")
        day.reports(tenant="acme", began="00:40", errors="503 Service Unavailable", all_users=False)
        (incident,) = day.incidents
        assert (incident.impact, incident.by_customer) == (Impact.ALL, False)
        assert [each.tenant for each in incident.reports] == ["acme"]
        (line,) = day.lines(1, "reported")
        assert "Sun 29 Nov 00:40:00 GMT" in line
        assert line.endswith("errors: 503 Service Unavailable")

    def test_sunday_0100_all_users_of_a_tenant_stopped_is_critical_though_all_probes_pass(self):
        day = quiet()
        report = day.reports(tenant="acme")
        (incident,) = day.incidents
        assert (incident.priority, incident.reason.value) == (
            Priority.CRITICAL,
            "reported_by_customer",
        )
        assert incident.known_by == "Reported by customer, not confirmed by probes."
        assert incident.scope == "all users of acme, as reported"
        assert incident.route == (Role.ON_CALL,)
        assert day.told("pager") == [("trigger", "Sun 01:00:00")]
        assert day.told("desk") == []
        assert day_time(report.respond_by) == "Sun 03:00:00"
        assert incident.respond_by == report.respond_by

    def test_sunday_0100_the_same_sent_anonymously_is_held_for_the_desk_and_pages_nobody(self):
        day = quiet()
        day.reports(tenant=None)
        (incident,) = day.incidents
        assert (incident.priority, incident.reason.value) == (
            Priority.STANDARD,
            "reported_anonymously",
        )
        assert day.told("pager") == []
        assert day.told("desk") == [("trigger", "Mon 08:30:00")]

    def test_sunday_0100_joining_a_standard_incident_of_that_tenant_makes_it_critical(self):
        day = down("00:40:01", until="03:00", target={"acme"})
        assert day.incidents[0].priority is Priority.STANDARD
        day.reports(tenant="acme")
        (incident,) = day.incidents
        assert incident.priority is Priority.CRITICAL
        assert set(incident.route) == {Role.ON_CALL, Role.SERVICE_DESK}
        assert day.told("pager") == [("trigger", "Sun 01:00:00")]
        assert day_time(incident.respond_by) == "Sun 03:00:00"

    def test_after_joining_the_warnings_of_the_new_promise_run(self):
        day = down("00:40:01", until="05:00", target={"acme"})
        day.reports(tenant="acme")
        day.runs_until("03:10")
        assert len(day.lines(1, "warned")) == 3
        assert [action for action, _ in day.told("pager")] == ["trigger", *["update"] * 3]


class TestPolicy:
    @pytest.mark.parametrize("scope", AllUsersScope)
    def test_a_tenants_own_word_counts_whatever_all_users_scope_says(self, scope):
        day = quiet(SUNDAY, "01:00", service(all_users_scope=scope))
        day.reports(tenant="acme")
        assert day.incidents[0].priority is Priority.CRITICAL

    def test_not_all_users_is_standard_and_held(self):
        day = quiet()
        report = day.reports(tenant="acme", all_users=False)
        assert day.incidents[0].reason.value == "reported_in_part"
        assert day.told("desk") == [("trigger", "Mon 08:30:00")]
        assert report.respond_by is None

    @pytest.mark.parametrize("kind", [d for d in Deployment if d is not Deployment.HOSTED])
    def test_an_excluded_tenant_is_standard_and_the_reporter_is_told_why(self, kind):
        day = quiet(SUNDAY, "01:00", deployed(kind, "acme"))
        report = day.reports(tenant="acme")
        (incident,) = day.incidents
        assert (incident.priority, incident.reason.value) == (Priority.STANDARD, kind.value)
        assert "which critical support excludes" in report.messages[0].text
        assert day.told("pager") == []

    def test_a_tenant_of_which_only_a_part_is_excluded_is_not(self):
        hosted = check("crm", "search", of=TENANTS)
        both = replace(deployed(Deployment.VERSION_6, "acme"), name="crm")
        both = replace(both, checks=(*both.checks, hosted))
        day = quiet(SUNDAY, "01:00", both)
        day.reports(tenant="acme")
        assert day.incidents[0].priority is Priority.CRITICAL

    def test_a_service_that_is_not_core_is_standard(self):
        day = quiet(SUNDAY, "01:00", service(core=False))
        day.reports(tenant="acme")
        assert day.incidents[0].reason.value == "not_core"

    def test_while_support_is_open_the_desk_is_told_too(self):
        day = quiet(MONDAY, "10:00")
        day.reports(tenant="acme", began="09:55")
        assert day.told("pager") == day.told("desk") == [("trigger", "Mon 10:00:00")]

    def test_each_report_has_its_own_time_and_promise(self):
        day = quiet()
        first = day.reports(tenant="acme")
        day.runs_until("01:30")
        second = day.reports(tenant="acme")
        assert [day_time(each.respond_by) for each in (first, second)] == [
            "Sun 03:00:00",
            "Sun 03:30:00",
        ]
        (incident,) = day.incidents
        assert incident.respond_by == first.respond_by
        assert [day_time(each.respond_by) for each in incident.reports] == [
            "Sun 03:00:00",
            "Sun 03:30:00",
        ]


class TestJoining:
    def test_the_widest_incident_is_joined(self):
        day = Day(SUNDAY, estate(), channels=(PAGER, DESK))
        day.fails("crm", "00:20:01", until="03:00", target={"acme"})
        day.fails("crm", "00:40:01", until="03:00")
        day.runs_until("01:00")
        day.reports(tenant="acme")
        assert [(i.impact, len(i.reports)) for i in day.incidents] == [
            (Impact.SOME, 0),
            (Impact.ALL, 1),
        ]

    def test_a_tenants_report_of_what_is_critical_is_answered_as_critical(self):
        day = down("00:40:01", until="03:00")
        tenant = day.reports(tenant="acme", all_users=False)
        anonymous = day.reports(tenant=None)
        assert day_time(tenant.respond_by) == "Sun 03:00:00"
        assert "business critical" in tenant.messages[0].text
        assert anonymous.respond_by is None
        assert len(day.incidents[0].reports) == 2

    def test_another_tenants_partial_incident_is_not_joined(self):
        day = down("00:40:01", until="03:00", target={"bolt"})
        day.reports(tenant="acme")
        bolt, acme = day.incidents
        assert (bolt.priority, bolt.reports) == (Priority.STANDARD, ())
        assert (acme.priority, acme.by_customer) == (Priority.CRITICAL, True)

    def test_what_users_can_do_without_is_not_joined(self):
        checks = (check(of=TENANTS), check(name="search", of=TENANTS, need=Need.DEGRADING))
        day = Day(SUNDAY, estate(service("crm", *checks)), channels=(PAGER, DESK))
        searching = of("crm")
        day.breaks(
            day.mono("00:30:01"),
            day.mono("03:00"),
            refused,
            lambda cell: searching(cell) and cell.key.check == "search",
        )
        day.runs_until("01:00")
        assert len(day.incidents) == 1
        day.reports(tenant="acme")
        assert [len(i.reports) for i in day.incidents] == [0, 1]

    def test_what_had_recovered_before_it_began_is_not_joined(self):
        day = Day(SUNDAY, estate(), channels=(PAGER, DESK))
        day.fails("crm", "00:40:01", until="00:58")
        day.runs_until("00:59:30")
        assert day.incidents[0].recovered is not None
        day.reports(tenant="acme", began="00:45")
        day.reports(tenant="bolt", began="00:59")
        assert [len(i.reports) for i in day.incidents] == [1, 1]

    def test_an_anonymous_report_joins_and_raises_nothing(self):
        day = down("00:40:01", until="03:00", target={"acme", "bolt", "cedar"})
        before = day.incidents[0]
        told = day.told("pager")
        day.reports(tenant=None)
        (incident,) = day.incidents
        assert (incident.priority, incident.route) == (before.priority, before.route)
        assert len(incident.reports) == 1
        assert day.told("pager") == told

    def test_later_anonymous_reports_join_the_first(self):
        day = quiet()
        day.reports(tenant=None)
        day.reports(tenant=None, errors="blank page")
        (incident,) = day.incidents
        assert incident.subject == "v1:crm:report"
        assert len(incident.reports) == len(day.lines(1, "reported")) == 2

    def test_a_tenant_does_not_join_what_is_anonymous_but_is_linked_with_it(self):
        day = quiet()
        day.reports(tenant=None)
        day.reports(tenant="acme")
        anonymous, acme = day.incidents
        assert acme.subject == "v1:crm:tenant:acme:report"
        assert (anonymous.linked, acme.linked) == ((acme.id,), (anonymous.id,))

    def test_a_second_report_of_the_tenant_raises_what_the_first_opened(self):
        day = quiet()
        day.reports(tenant="acme", all_users=False)
        day.reports(tenant="acme", all_users=True)
        (incident,) = day.incidents
        assert incident.priority is Priority.CRITICAL
        assert day.told("pager") == [("trigger", "Sun 01:00:00")]

    def test_the_excluded_part_is_judged_apart(self):
        day = Day(SUNDAY, estate(deployed(Deployment.VERSION_6, "acme", "bolt")))
        day.fails("crm", "00:40:01", until="03:00", target={"cedar", "delta", "ember"})
        day.runs_until("01:00")
        hosted = day.incidents[0]
        day.reports(tenant="acme")
        assert day.incidents[0].reports == hosted.reports == ()
        assert day.incidents[1].subject == "v1:crm:tenant:acme:version_6:report"

    def test_several_services_get_an_incident_each_under_one_reference(self):
        crm, sites = service("crm"), service("sites")
        day = quiet(SUNDAY, "01:00", crm, sites)
        before = len(day.changes)
        report = day.reports("crm", "sites", tenant="acme")
        assert [i.service for i in day.incidents] == ["crm", "sites"]
        assert report.incidents == tuple(i.id for i in day.incidents)
        assert len(day.changes) == before + 1
        assert [r.reference for i in day.incidents for r in i.reports] == [report.reference] * 2

    def test_services_behind_the_same_thing_share_one_page(self):
        behind = {"depends_on": ("erp",)}
        day = quiet(SUNDAY, "01:00", service("crm", **behind), service("sites", **behind))
        day.reports("crm", "sites", tenant="acme")
        assert day.said("pager") == [(1, "trigger", 1), (1, "update", 2)]
        assert day.incidents[0].linked == (day.incidents[1].id,)

    def test_what_was_typed_is_in_the_notice_and_not_in_its_headline(self):
        day = quiet()
        day.reports(tenant="acme", errors=SEEN)
        (page,) = [n for n in day.notices if n.channel == "pager"]
        assert f"errors: {SEEN}" in page.message.lines
        assert "503" not in page.message.headline

    def test_where_no_error_was_shown_it_says_what_happened_instead(self):
        day = quiet()
        day.reports(tenant="acme", errors="", instead="the page stays white")
        (line,) = day.lines(1, "reported")
        assert line.endswith("no error was shown; what happened instead: the page stays white")


class TestProbesBesideIt:
    def test_an_outage_of_everyone_opens_its_own_incident_and_both_are_linked(self):
        day = quiet()
        day.reports(tenant="acme")
        day.fails("crm", "01:10:01", until="02:00")
        day.runs_until("01:30")
        reported, seen = day.incidents
        assert (reported.by_customer, seen.by_customer) == (True, False)
        assert (reported.linked, seen.linked) == ((seen.id,), (reported.id,))
        assert len(day.lines(1, "linked")) == len(day.lines(2, "linked")) == 1

    def test_when_the_probes_recover_the_customers_incident_stays_open(self):
        day = quiet()
        day.reports(tenant="acme")
        day.fails("crm", "01:10:01", until="01:30")
        day.runs_until("02:30")
        reported, seen = day.incidents
        assert (reported.state, seen.state) == (IncidentState.OPEN, IncidentState.RESOLVED)

    def test_an_outage_of_another_tenant_is_linked_as_of_the_same_service(self):
        day = quiet()
        day.reports(tenant="acme")
        day.fails("crm", "01:10:01", until="02:00", target={"bolt"})
        day.runs_until("01:30")
        assert day.incidents[0].linked == (day.incidents[1].id,)


class TestAcknowledging:
    def test_it_answers_the_reports_that_joined_before_it(self):
        day = quiet()
        first = day.reports(tenant="acme")
        second = day.reports(tenant="acme")
        day.acknowledges(1, "Robin")
        (incident,) = day.incidents
        assert [each.answered_by for each in incident.reports] == ["Robin", "Robin"]
        for report in (first, second):
            assert kinds(day.report(report.reference)) == ["received", "acknowledged"]

    def test_what_joins_after_it_waits_for_an_answer_of_its_own(self):
        day = down("00:40:01", until="06:00")
        day.acknowledges(1, "Robin")
        told = len(day.told("pager"))
        report = day.reports(tenant="acme")
        assert [action for action, _ in day.told("pager")[told:]] == ["update"]
        assert "acknowledge again" in day.headlines("pager")[-1]
        day.runs_until("02:40")
        assert len(day.lines(1, "warned")) == 2
        day.acknowledges(1, "Sam")
        (incident,) = day.incidents
        assert incident.acknowledged_by == "Robin"
        assert [each.answered_by for each in incident.reports] == ["Sam"]
        assert day.timeline(1)[-1] == "answered"
        assert kinds(day.report(report.reference)) == ["received", "acknowledged"]
        day.runs_until("03:30")
        assert len(day.lines(1, "warned")) == 2

    def test_unanswered_the_breach_is_told_too(self):
        day = down("00:40:01", until="06:00")
        day.acknowledges(1, "Robin")
        day.reports(tenant="acme")
        day.runs_until("03:10")
        assert [text.split(":")[0] for text in day.lines(1, "warned")][-1] == (
            "Response target missed"
        )

    def test_when_nobody_waits_a_second_one_is_refused(self):
        day = quiet()
        day.reports(tenant="acme")
        day.acknowledges(1, "Robin")
        with pytest.raises(IllegalTransition):
            day.acknowledges(1, "Sam")

    def test_a_report_of_two_services_is_acknowledged_when_both_are(self):
        day = quiet(SUNDAY, "01:00", service("crm"), service("sites"))
        report = day.reports("crm", "sites", tenant="acme")
        day.acknowledges(1, "Robin")
        assert kinds(day.report(report.reference)) == ["received"]
        day.acknowledges(2, "Robin")
        assert kinds(day.report(report.reference)) == ["received", "acknowledged"]

    def test_unacknowledged_when_support_closes_it_is_escalated(self):
        day = quiet("Thu 2026-11-26 16:30", "16:45")
        day.reports(tenant="acme", began="16:40")
        day.runs_until("17:05")
        assert day.timeline(1)[-1] == "escalated"


class TestResolving:
    def test_a_person_resolves_what_a_customer_opened(self):
        day = quiet()
        report = day.reports(tenant="acme")
        day.acknowledges(1, "Robin")
        day.resolves(1, "Sam")
        (incident,) = day.incidents
        assert (incident.state, incident.resolved_by) == (IncidentState.RESOLVED, "Sam")
        assert day.told("pager")[-1][0] == "resolve"
        settled = day.report(report.reference)
        assert kinds(settled) == ["received", "acknowledged", "resolved"]
        assert day_time(settled.settled_at) == "Sun 01:00:00"

    def test_as_a_false_alarm(self):
        day = quiet()
        report = day.reports(tenant="acme")
        day.resolves(1, "Sam", false_alarm=True)
        assert day.incidents[0].false_alarm
        assert "no fault was found" in day.report(report.reference).messages[-1].text

    def test_nothing_else_resolves_it_not_even_a_restart(self):
        day = quiet()
        day.reports(tenant="acme")
        again = quiet("Sun 2026-11-29 04:00", "06:00", like=day)
        assert again.incidents[0].state is IncidentState.OPEN
        again.resolves(1, "Sam")
        assert kinds(again.report("REF-1")) == ["received", "resolved"]

    def test_while_the_probes_see_it_fail_it_is_refused(self):
        day = down("00:40:01", until="03:00")
        with pytest.raises(StillFailing, match="it resolves by itself once they pass"):
            day.resolves(1, "Sam")
        assert day.incidents[0].state is IncidentState.OPEN

    def test_what_has_recovered_may_be_resolved_before_its_watch_is_over(self):
        day = down("00:40:01", until="00:58", runs="00:59:30")
        day.resolves(1, "Sam")
        day.runs_until("02:00")
        assert day.timeline(1)[-1] == "resolved"
        assert len(day.incidents) == 1

    def test_an_unknown_number_is_refused(self):
        with pytest.raises(KeyError):
            quiet().resolves(7, "Sam")

    def test_a_report_of_two_services_is_settled_with_the_last(self):
        day = quiet(SUNDAY, "01:00", service("crm"), service("sites"))
        report = day.reports("crm", "sites", tenant="acme")
        day.resolves(1, "Sam")
        assert day.report(report.reference).settled_at is None
        day.resolves(2, "Sam")
        assert kinds(day.report(report.reference)) == ["received", "resolved"]

    def test_who_joined_what_the_probes_found_is_told_when_they_end_it(self):
        day = down("00:40:01", until="01:10")
        report = day.reports(tenant="acme")
        day.runs_until("02:00")
        assert kinds(day.report(report.reference)) == ["received", "resolved"]


class TestTheReporter:
    def test_the_channel_for_reporters_gets_three_messages_and_nothing_else(self):
        day = quiet()
        day.reports(tenant="acme", contact="Robin at the front desk")
        day.acknowledges(1, "Robin")
        day.resolves(1, "Sam")
        owed = [n for c in day.changes for n in c.notices if n.channel == "customers"]
        assert [n.message.headline for n in owed] == [
            "Your report REF-1: received",
            "Your report REF-1: a person has it",
            "Your report REF-1: resolved",
        ]
        assert {n.action.value for n in owed} == {"tell"}
        assert {n.dedup_key for n in owed} == {"i:report-REF-1"}
        assert len({n.key for n in owed}) == 3
        assert [n.seq for n in owed] == [1, 2, 3]
        assert {n.incident_id for n in owed} == {None}
        (of,) = {n.message.report for n in owed}
        assert (of.reference, of.tenant) == ("REF-1", "acme")
        assert of.contact == "Robin at the front desk"
        assert owed[0].message.links == {"Status": "http://monitor/reports/REF-1"}

    def test_each_is_written_with_the_move_that_brought_it_about(self):
        day = quiet()
        day.reports(tenant="acme")
        day.acknowledges(1, "Robin")
        day.resolves(1, "Sam")
        wrote = [change for change in day.changes if change.reports]
        assert [kinds(c.reports[0])[-1] for c in wrote] == list(ReportMessageKind)
        assert all(c.incident is not None for c in wrote)
        assert [n.channel for c in wrote for n in c.notices].count("customers") == 3

    def test_he_is_told_nothing_of_staff_numbers_or_other_tenants(self):
        day = down("00:40:01", until="03:00", target={"acme", "bolt"})
        day.reports(tenant="bolt")
        report = day.reports(tenant="acme")
        day.acknowledges(1, "Robin")
        said = " ".join(message.text for message in day.report(report.reference).messages)
        assert all(word not in said for word in ("Robin", "bolt", "#1"))

    def test_a_critical_matter_is_answered_with_the_time_of_the_response(self):
        report = quiet().reports(tenant="acme")
        assert report.messages[0].text == (
            "Received Sun 29 Nov 01:00:00 GMT (01:00:00Z). Prospect 365 CRM: business critical. "
            "A person responds by Sun 29 Nov 03:00:00 GMT (03:00:00Z)."
        )

    def test_another_matter_is_answered_with_the_way_to_the_desk_and_its_next_opening(self):
        day = quiet()
        day.mind.desk = "desk@prospect.example.com"
        report = day.reports(tenant="acme", all_users=False)
        assert report.messages[0].text == (
            "Received Sun 29 Nov 01:00:00 GMT (01:00:00Z). Prospect 365 CRM is not reported as "
            "stopped for all your users: it is looked after by the service desk. The normal "
            "service desk: desk@prospect.example.com. Support is closed now; it opens next "
            "Mon 30 Nov 08:30:00 GMT (08:30:00Z)."
        )

    def test_while_support_is_open_he_is_told_so(self):
        report = quiet(MONDAY, "10:00").reports(tenant=None, began="09:55")
        assert "Support is open now, and opens next Tue 24 Nov 08:30:00 GMT" in (
            report.messages[0].text
        )

    def test_what_is_known_of_a_report_survives_a_restart(self):
        day = quiet()
        day.reports(tenant="acme")
        again = quiet("Sun 2026-11-29 01:30", "01:31", like=day)
        again.acknowledges(1, "Robin")
        assert kinds(again.report("REF-1")) == ["received", "acknowledged"]

    def test_the_digest_tells_of_reported_incidents(self):
        day = quiet("Mon 2026-11-23 00:10", "01:00")
        day.reports(tenant="acme")
        day.runs_until("08:31")
        ((_, message),) = day.digests
        assert message.lines[0].startswith(
            "#1 CRITICAL Prospect 365 CRM is reported down for all users of acme"
        )

    def test_a_report_is_kept_in_mind_only_until_it_is_settled(self):
        day = quiet()
        day.reports(tenant="acme")
        assert set(day.mind.reports) == {"REF-1"}
        day.resolves(1, "Sam")
        assert day.mind.reports == {}


def test_a_report_names_each_service_once():
    day = quiet()
    report = day.reports("crm", "crm")
    assert len(day.incidents) == len(report.incidents) == 1
