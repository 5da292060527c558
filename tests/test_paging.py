"""Services that go down together: linked, and one page. Days at the monitor, on virtual time."""

from dataclasses import replace

import pytest

from monitor.judge.paging import SPOKEN, Company
from monitor.model import Action, AllUsersScope, Channel, IncidentState, Role
from tests.day import DESK, PAGER, Day
from tests.estates import TENANTS, check, estate, service

MORNING = "Mon 2026-11-23 09:50"
NIGHT = "Tue 2026-11-24 01:50"


def behind(**dependencies):
    """Services of these names, each behind what it depends on."""
    made = [
        service(name, check(name, of=TENANTS), depends_on=tuple(each.split()))
        for name, each in dependencies.items()
    ]
    return estate(*made)


def both_down(when=MORNING, *, crm="12:00", sites="12:00", sites_from="10:00:01", **more):
    """A day on which two services behind one ERP fail."""
    day = Day(when, behind(crm="erp", sites="erp"), **more)
    day.fails("crm", "10:00:01", until=crm)
    day.fails("sites", sites_from, until=sites)
    return day


class TestTwoServicesBehindOneErp:
    @pytest.fixture
    def day(self):
        return both_down().runs_until("10:05")

    def test_are_two_incidents_each_with_its_own_promise(self, day):
        first, second = day.incidents
        assert {first.service, second.service} == {"crm", "sites"}
        assert first.id != second.id
        assert second.respond_by > first.respond_by
        assert [len(change.evidence) for change in day.changes if change.evidence] == [15, 15]

    def test_name_each_other_and_say_why(self, day):
        first, second = day.incidents
        assert (first.linked, second.linked) == ((second.id,), (first.id,))
        assert day.lines(1, "linked") == [
            f"Linked with #2, which came within 90 s: {second.title}. Both depend on erp."
        ]
        assert day.lines(2, "linked") == [
            f"Linked with #1, which came within 90 s: {first.title}. Both depend on erp."
        ]

    def test_are_one_trigger_and_one_update_on_every_channel(self, day):
        for channel in ("pager", "desk"):
            assert day.said(channel) == [(1, "trigger", 1), (1, "update", 2)]
        assert len({n.dedup_key for n in day.notices}) == 1

    def test_the_first_line_says_what_else_is_down_for_whom_since_when_and_by_when(self, day):
        first, update = day.headlines("pager")
        assert first == "#1 CRITICAL Prospect 365 CRM is down for all users since 10:00"
        assert update == (
            "#1 also down: #2 CRITICAL Prospect 365 SITES is down for all users since 10:00 "
            "(respond by 12:00), beside Prospect 365 CRM is down for all users since 10:00 "
            "(respond by 12:00)"
        )

    def test_the_update_carries_both_links_and_the_errors_of_the_second(self, day):
        (update,) = [n for n in day.notices if n.action is Action.UPDATE and n.channel == "pager"]
        assert update.message.links == {
            "Incident": "http://monitor/incidents/1",
            "Incident #2": "http://monitor/incidents/2",
        }
        text = "\n".join(update.message.lines)
        assert "Error: sign-in from leeds, london, dublin (5 targets): connect: [Errno 111]" in text
        assert "Also told of here: #1 Prospect 365 CRM is down for all users since 10:00" in text
        assert "http://monitor/incidents/2" in text

    def test_what_follows_of_the_second_stays_in_the_conversation_of_the_first(self):
        day = both_down(sites="10:20", crm="12:00").runs_until("10:05")
        day.acknowledges(2, "Sam")
        day.runs_until("10:45")
        assert day.said("pager")[2:] == [(1, "update", 2)] * 3
        acknowledged, recovered, resolved = day.headlines("pager")[2:]
        assert acknowledged == (
            "#1 also #2: Prospect 365 SITES is down for all users: Acknowledged by Sam. "
            "This answers for #2 only: #1 still waits for a person."
        )
        assert recovered.startswith(
            "#1 also #2: RECOVERED Prospect 365 SITES is down for all users: Recovered 10:20"
        )
        assert resolved == (
            "#1 also #2: RESOLVED Prospect 365 SITES is down for all users; still open here: #1"
        )


class TestTwoServicesWithNothingInCommon:
    def test_share_a_page_when_they_go_down_together_and_are_not_linked(self):
        day = Day(MORNING, behind(crm="erp", sites="database"))
        day.fails("crm", "10:00:01", until="12:00")
        day.fails("sites", "10:00:01", until="12:00")
        day.runs_until("10:05")
        assert day.said("pager") == [(1, "trigger", 1), (1, "update", 2)]
        assert [i.linked for i in day.incidents] == [(), ()]


class TestWhatIsNoReasonForOnePage:
    def triggers(self, day, channel="pager"):
        return [said for said in day.said(channel) if said[1] == "trigger"]

    def test_more_than_the_window_between_them(self):
        day = both_down(sites_from="10:02:00").runs_until("10:05")
        assert self.triggers(day) == [(1, "trigger", 1), (2, "trigger", 2)]
        assert [i.linked for i in day.incidents] == [(), ()]

    def test_the_window_is_a_setting(self):
        day = both_down(sites_from="10:02:00")
        day.mind.policy = replace(day.mind.policy, page_window=180.0)
        day.runs_until("10:05")
        assert self.triggers(day) == [(1, "trigger", 1)]

    def test_the_first_was_acknowledged_before(self):
        day = both_down(sites_from="10:01:00").runs_until("10:00:45")
        day.acknowledges(1, "Robin")
        day.runs_until("10:05")
        first, second = day.incidents
        assert (first.linked, second.linked) == ((second.id,), (first.id,))
        assert day.said("pager") == [(1, "trigger", 1), (1, "acknowledge", 1), (2, "trigger", 2)]

    def test_only_one_is_down_for_everyone(self):
        day = Day(MORNING, behind(crm="erp", sites="erp"))
        day.fails("crm", "10:00:01", until="12:00")
        day.fails("sites", "10:00:01", until="12:00", target={"acme"})
        day.runs_until("10:10")
        assert [i.linked for i in day.incidents] == [(), ()]

    def test_one_is_not_a_core_service(self):
        crm, sites = behind(crm="erp", sites="erp").services
        day = Day(MORNING, estate(crm, replace(sites, core=False)))
        day.fails("crm", "10:00:01", until="12:00")
        day.fails("sites", "10:00:01", until="12:00")
        day.runs_until("10:05")
        assert [i.linked for i in day.incidents] == [(), ()]
        assert self.triggers(day, "desk") == [(1, "trigger", 1), (2, "trigger", 2)]

    def test_support_opened_between_them_and_more_people_are_told_of_the_second(self):
        day = Day("Mon 2026-11-23 08:20", behind(crm="erp", sites="erp"))
        day.fails("crm", "08:29:30", until="09:00")
        day.fails("sites", "08:30:05", until="09:00")
        day.runs_until("08:35")
        assert self.triggers(day) == [(1, "trigger", 1), (2, "trigger", 2)]
        assert self.triggers(day, "desk") == [(2, "trigger", 2)]

    def test_tenants_of_the_same_service_share_none(self):
        crm = service("crm", all_users_scope=AllUsersScope.TENANT, depends_on=("erp",))
        day = Day(MORNING, estate(crm))
        day.fails("crm", "10:00:01", until="12:00", target={"acme", "bolt"})
        day.runs_until("10:10")
        assert self.triggers(day) == [(1, "trigger", 1), (2, "trigger", 2)]
        assert [i.linked for i in day.incidents] == [(), ()]

    def test_a_guest_is_no_host(self):
        day = Day(MORNING, behind(crm="erp", sites="erp database", orders="database"))
        day.fails("crm", "10:00:01", until="12:00")
        day.fails("sites", "10:01:01", until="12:00")
        day.fails("orders", "10:02:01", until="12:00")
        day.runs_until("10:05")
        assert day.said("pager") == [(1, "trigger", 1), (1, "update", 2), (3, "trigger", 3)]
        assert day.incidents[1].linked == (day.incidents[0].id, day.incidents[2].id)


class TestThreeBehindOneErp:
    def test_share_one_page(self):
        day = Day(MORNING, behind(crm="erp", sites="erp", orders="erp"))
        for name in ("crm", "sites", "orders"):
            day.fails(name, "10:00:01", until="10:20")
        day.runs_until("11:00")
        actions = [action for _, action, _ in day.said("pager")]
        assert actions == ["trigger"] + ["update"] * 7 + ["resolve"]
        assert {whose for whose, _, _ in day.said("pager")} == {1}
        assert all(i.state is IncidentState.RESOLVED for i in day.incidents)


class TestAcknowledging:
    def test_the_first_answers_for_the_first_only_and_the_receiver_goes_on_asking(self):
        day = both_down().runs_until("10:05")
        day.acknowledges(1, "Robin")
        first, second = day.incidents
        assert (first.acknowledged_by, second.acknowledged_by) == ("Robin", None)
        assert day.said("pager")[-1] == (1, "update", 1)
        assert day.headlines("pager")[-1] == (
            "#1 Prospect 365 CRM is down for all users: Acknowledged by Robin. "
            "This answers for #1 only: #2 still waits for a person."
        )

    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_both_silences_the_receiver(self, order):
        day = both_down().runs_until("10:05")
        for number in order:
            day.acknowledges(number, "Robin")
        assert [action for _, action, _ in day.said("pager")[-2:]] == ["update", "acknowledge"]
        assert day.said("pager")[-1] == (1, "acknowledge", order[1])

    def test_what_is_left_silences_it_once_the_other_is_over(self):
        day = both_down(sites="10:20").runs_until("10:05")
        day.acknowledges(1, "Robin")
        day.runs_until("10:45")
        assert day.said("pager")[-1] == (1, "acknowledge", 2)


class TestTheFirstIsOver:
    def test_the_second_that_still_fails_gets_a_trigger_of_its_own_on_every_channel(self):
        day = both_down(crm="10:20").runs_until("10:45")
        for channel in ("pager", "desk"):
            *_, parted, resolved = day.said(channel)
            assert (parted, resolved) == ((2, "trigger", 2), (1, "resolve", 1))
        assert day.headlines("pager")[-2] == (
            "#2 CRITICAL Still down: Prospect 365 SITES is down for all users since 10:00"
        )
        assert day.lines(2, "noted") == ["Still down; told of on its own from now on."]
        assert day.incidents[1].paged_with is None

    def test_and_then_has_a_conversation_of_its_own(self):
        day = both_down(crm="10:20", sites="10:50").runs_until("10:45")
        day.acknowledges(2, "Sam")
        day.runs_until("11:30")
        assert [said for said in day.said("pager") if said[0] == 2] == [
            (2, "trigger", 2),
            (2, "acknowledge", 2),
            (2, "update", 2),
            (2, "resolve", 2),
        ]

    def test_the_second_that_recovered_too_wakes_nobody_and_closes_the_page(self):
        day = both_down(crm="10:20:00", sites="10:20:20").runs_until("11:00")
        actions = [action for _, action, _ in day.said("pager")]
        assert actions == ["trigger", "update", "update", "update", "update", "resolve"]
        *_, over, last = day.headlines("pager")
        assert over == "#1 RESOLVED Prospect 365 CRM is down for all users; still open here: #2"
        assert last == "#1 also #2: RESOLVED Prospect 365 SITES is down for all users"

    def test_the_second_that_fails_again_after_it_gets_a_trigger_and_the_page_is_closed(self):
        day = both_down(crm="10:10", sites="10:16").runs_until("10:19")
        day.fails("sites", "10:23", until="10:40")
        day.runs_until("10:30")
        assert day.said("pager")[-4:] == [
            (1, "update", 1),
            (1, "update", 2),
            (2, "trigger", 2),
            (1, "resolve", 2),
        ]
        assert "Down again: Prospect 365 SITES" in day.headlines("pager")[-2]
        assert "#2 is told of on its own from now on" in day.headlines("pager")[-1]

    def test_the_second_that_a_person_has_stays_and_the_receiver_falls_silent(self):
        day = both_down(crm="10:20", sites="11:00").runs_until("10:05")
        day.acknowledges(2, "Sam")
        day.runs_until("11:30")
        assert day.said("pager") == [
            (1, "trigger", 1),
            (1, "update", 2),
            (1, "update", 2),
            (1, "update", 1),
            (1, "acknowledge", 1),
            (1, "update", 2),
            (1, "resolve", 2),
        ]


class TestWhoIsTold:
    def test_at_night_the_desk_hears_of_neither(self):
        day = Day(NIGHT, behind(crm="erp", sites="erp"))
        day.fails("crm", "02:00:01", until="02:20")
        day.fails("sites", "02:00:01", until="02:20")
        day.runs_until("02:05")
        assert day.said("pager") == [(1, "trigger", 1), (1, "update", 2)]
        assert day.said("desk") == []

    def test_whom_a_later_wider_route_adds_gets_triggers_of_their_own(self):
        day = Day("Mon 2026-11-23 08:10", behind(crm="erp", sites="erp"))
        for name in ("crm", "sites"):
            day.fails(name, "08:20", until="08:23")
            day.fails(name, "08:31:30", until="08:34")
        day.runs_until("09:00")
        assert day.said("pager")[0] == (1, "trigger", 1)
        assert {whose for whose, _, _ in day.said("pager")} == {1}
        assert sorted(s for s in day.said("desk") if s[1] == "trigger") == [
            (1, "trigger", 1),
            (2, "trigger", 2),
        ]
        assert sorted(s for s in day.said("desk") if s[1] == "resolve") == [
            (1, "resolve", 1),
            (2, "resolve", 2),
        ]

    def test_a_channel_that_was_configured_since_gets_the_seconds_own_trigger(self):
        before = both_down(sites_from="10:01").runs_until("10:00:50")
        late = Channel("late", "webhook", (Role.ON_CALL,), None)
        after = Day(
            "Mon 2026-11-23 10:00:51",
            behind(crm="erp", sites="erp"),
            channels=(PAGER, DESK, late),
            like=before,
        )
        after.fails("crm", "10:00:51", until="10:20")
        after.fails("sites", "10:01", until="10:20")
        after.runs_until("10:05")
        assert after.said("pager") == [(1, "update", 2)]
        assert after.said("late") == [(2, "trigger", 2)]
        after.runs_until("11:00")
        assert after.said("late")[-1] == (2, "resolve", 2)
        assert after.said("pager")[-1][:2] == (1, "resolve")

    def test_a_first_that_an_earlier_release_opened_shares_no_page(self):
        before = both_down(sites_from="10:01").runs_until("10:00:50")
        before.written = {n: replace(i, paged=()) for n, i in before.written.items()}
        after = Day("Mon 2026-11-23 10:00:51", behind(crm="erp", sites="erp"), like=before)
        after.fails("crm", "10:00:51", until="10:20")
        after.fails("sites", "10:01", until="10:20")
        after.runs_until("10:05")
        assert after.said("pager") == [(2, "trigger", 2)]


class TestRestart:
    def test_between_the_two_they_share_a_page_all_the_same(self):
        before = both_down(sites_from="10:01").runs_until("10:00:50")
        after = Day("Mon 2026-11-23 10:00:51", behind(crm="erp", sites="erp"), like=before)
        after.fails("crm", "10:00:51", until="12:00")
        after.fails("sites", "10:01", until="12:00")
        after.runs_until("10:05")
        assert after.said("pager") == [(1, "update", 2)]
        first, second = after.incidents
        assert (first.linked, second.linked) == ((second.id,), (first.id,))
        assert not {n.key for n in before.notices} & {n.key for n in after.notices}

    def test_before_the_older_had_learnt_of_the_newer_it_learns_then(self):
        before = both_down().runs_until("10:05")
        before.loses_all_after(lambda change: change.incident and change.incident.number == 2)
        assert [i.linked for i in before.incidents] == [(), (before.incidents[0].id,)]
        after = Day("Mon 2026-11-23 10:05", behind(crm="erp", sites="erp"), like=before)
        assert after.incidents[0].linked == (after.incidents[1].id,)
        assert len(after.lines(1, "linked")) == 1

    def test_while_they_share_a_page_the_second_still_parts_when_the_first_is_over(self):
        before = both_down().runs_until("10:05")
        after = Day("Mon 2026-11-23 10:05", behind(crm="erp", sites="erp"), like=before)
        after.fails("crm", "10:05", until="10:20")
        after.fails("sites", "10:05", until="12:00")
        after.runs_until("10:45")
        assert after.said("pager")[-2:] == [(2, "trigger", 2), (1, "resolve", 1)]

    def test_after_the_first_is_over_the_page_is_still_closed_by_the_second(self):
        before = both_down(crm="10:10", sites="10:16").runs_until("10:24")
        assert before.said("pager")[-1] == (1, "update", 1)
        after = Day("Mon 2026-11-23 10:24:30", behind(crm="erp", sites="erp"), like=before)
        after.runs_until("11:00")
        assert after.said("pager") == [(1, "resolve", 2)]
        (last,) = [n for n in after.notices if n.channel == "pager"]
        assert last.dedup_key == before.notices[0].dedup_key
        assert last.seq > max(n.seq for n in before.notices)

    def test_between_the_trigger_of_the_second_and_the_end_of_the_first_nothing_comes_twice(self):
        before = both_down(crm="10:20").runs_until("10:45")
        before.loses_all_after(
            lambda change: any(n.message.headline.startswith("#2 ") for n in change.notices)
        )
        after = Day("Mon 2026-11-23 10:45", behind(crm="erp", sites="erp"), like=before)
        after.fails("sites", "10:45", until="12:00")
        after.runs_until("11:00")
        assert [s for s in after.said("pager") if s[1] == "trigger"] == []
        assert after.said("pager")[-1] == (1, "resolve", 1)


class TestTheSameService:
    def test_a_part_that_grew_and_everyone_name_each_other(self):
        day = Day(MORNING, estate())
        day.fails("crm", "10:00:01", until="11:00", target={"acme"})
        day.fails("crm", "10:10:01", until="10:20")
        day.runs_until("10:15")
        part, everyone = day.incidents
        assert (part.linked, everyone.linked) == ((everyone.id,), (part.id,))
        assert day.lines(1, "linked") == [f"Linked with #2, of the same service: {everyone.title}."]

    def test_everyone_and_the_part_that_is_left_name_each_other(self):
        day = Day(MORNING, estate())
        day.fails("crm", "10:00:01", until="11:00", target={"acme"})
        day.fails("crm", "10:00:01", until="10:20")
        day.runs_until("10:40")
        everyone, part = day.incidents
        assert (everyone.linked, part.linked) == ((part.id,), (everyone.id,))
        assert [said[:2] for said in day.said("desk")].count((2, "trigger")) == 1


def test_the_table_answers_everything():
    asked = set(Action) - {Action.TELL}
    assert set(SPOKEN) == {(action, company) for action in asked for company in Company}


def test_nothing_but_a_trigger_of_its_own_triggers():
    assert [key for key, asked in SPOKEN.items() if asked is Action.TRIGGER] == [
        (Action.TRIGGER, Company.NOBODY)
    ]
