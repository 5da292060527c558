"""What falls due by itself: warnings, handover when support closes, the digest when it opens."""

from dataclasses import replace
from datetime import date, time

import pytest

from monitor import judge
from monitor.incident import IllegalTransition
from monitor.model import Channel, IncidentState, Role
from tests.day import CALENDAR, DESK, PAGER, Day, day_time, local
from tests.estates import check, estate, service, tenants

NIGHT, LATE = "Tue 2026-11-24 01:50", "Thu 2026-11-26 16:40"


def down(when, from_, *, until, **more):
    """A day on which the CRM goes down for everyone."""
    day = Day(when, estate(), **more)
    day.fails("crm", from_, until=until)
    return day


def said_at(day, number, kind):
    """When the timeline says so, as London times of day."""
    id_ = day.written[number].id
    events = [e for change in day.changes for e in change.events]
    return [day_time(e.at) for e in events if e.incident_id == id_ and e.kind.value == kind]


def alerts(day, channel):
    """What one channel is owed: (action, alert)."""
    mine = [n for n in day.notices if n.channel == channel]
    return [(n.action.value, n.dedup_key) for n in mine]


class TestWarnings:
    def test_at_half_three_quarters_and_the_breach_of_the_time_to_respond(self):
        day = down(NIGHT, "02:00:01", until="04:40").runs_until("04:30")
        reported = day.incidents[0].reported_at
        assert day.incidents[0].respond_by == reported.replace(hour=4)
        at = day_time(reported)[-5:]
        times = [f"{time}" for time in said_at(day, 1, "warned")]
        assert [time[:9] for time in times] == ["Tue 03:00", "Tue 03:30", "Tue 04:00"]
        assert all(int(time[-2:]) - int(at[-2:]) in (0, 1) for time in times)
        assert [
            n.message.headline.split(": ", 1)[1].split(" to ")[0] for n in day.notices[1:3]
        ] == [
            "Half of the time",
            "Three quarters of the time",
        ]
        assert "Response target missed" in day.notices[3].message.headline

    def test_everyone_who_was_told_is_warned(self):
        day = down("Mon 2026-11-23 09:50", "10:00:01", until="12:30").runs_until("11:05")
        assert [action for action, _ in day.told("pager")] == ["trigger", "update"]
        assert [action for action, _ in day.told("desk")] == ["trigger", "update"]

    def test_none_after_a_person_responded(self):
        day = down(NIGHT, "02:00:01", until="04:40").runs_until("03:10")
        day.acknowledges(1, "Robin")
        day.runs_until("04:30")
        assert len(said_at(day, 1, "warned")) == 1

    def test_none_after_it_is_over(self):
        day = down(NIGHT, "02:00:01", until="02:20").runs_until("04:30")
        assert day.incidents[0].state is IncidentState.RESOLVED
        assert said_at(day, 1, "warned") == []

    def test_what_carries_no_promise_is_not_warned_of(self):
        day = Day(NIGHT, estate())
        day.fails("crm", "02:00:01", until="07:00", target={"acme"})
        day.runs_until("06:30")
        assert said_at(day, 1, "warned") == []

    def test_a_standard_incident_is_by_the_hours_of_support_where_a_target_is_set(self):
        day = Day("Fri 2026-11-27 15:20", estate())
        day.mind.policy = replace(day.mind.policy, standard_response_target=7200.0)
        day.fails("crm", "15:30:01", until="2026-11-30 12:00", target={"acme"})
        day.runs_until("Mon 2026-11-30 11:00")
        (incident,) = day.incidents
        assert day_time(incident.respond_by)[:9] == "Mon 09:30"
        warned = [time[:9] for time in said_at(day, 1, "warned")]
        assert warned == ["Mon 08:30", "Mon 09:00", "Mon 09:30"]

    def test_another_calendar_moves_neither_the_promise_nor_its_warnings(self):
        day = Day("Mon 2026-11-23 15:50", estate())
        day.mind.policy = replace(day.mind.policy, standard_response_target=7200.0)
        day.fails("crm", "16:00:01", until="2026-11-24 11:00", target={"acme"})
        promised = day.runs_until("16:10").incidents[0].respond_by
        assert day_time(promised)[:9] == "Tue 09:30"
        day.mind.calendar = replace(CALENDAR, extra_closed={date(2026, 11, 24): "proclaimed"})
        day.fails("crm", "16:20", until="2026-11-24 11:00", target={"acme", "bolt"})
        day.runs_until("Tue 2026-11-24 09:40")
        assert "updated" in day.timeline(1)
        assert day.incidents[0].respond_by == promised
        assert said_at(day, 1, "warned")[-1][:9] == "Tue 09:30"

    @pytest.mark.parametrize(("lost", "made_up_for"), [(0, "Tue 03:30"), (1, "Tue 03:11")])
    def test_each_once_across_a_restart(self, lost, made_up_for):
        day = down(NIGHT, "02:00:01", until="06:00").runs_until("03:10")
        day.loses_changes(lost)
        again = down("Tue 2026-11-24 03:11", "03:11", until="06:00", like=day).runs_until("04:30")
        warned = [*said_at(day, 1, "warned"), *said_at(again, 1, "warned")]
        assert len(warned) == 3
        assert warned[1 - lost].startswith(made_up_for)

    def test_all_that_were_missed_are_made_up_for_each_once(self):
        day = down(NIGHT, "02:00:01", until="06:00").runs_until("02:30")
        again = down("Tue 2026-11-24 05:00", "04:59", until="06:00", like=day)
        again.runs_until("05:01")
        assert [time[:9] for time in said_at(again, 1, "warned")] == ["Tue 05:00"] * 3


class TestHandover:
    def test_thursday_1645_unacknowledged_is_escalated_as_a_new_alert_at_1700(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("17:20")
        (incident,) = day.incidents
        assert said_at(day, 1, "escalated") == ["Thu 17:00:00"]
        assert day_time(incident.respond_by)[:9] == "Thu 18:45"
        old, new = f"i:{incident.id}", f"i:{incident.id}.2"
        assert alerts(day, "pager") == [("trigger", old), ("trigger", new), ("resolve", old)]
        assert alerts(day, "desk") == [("trigger", old)]
        assert day.notices[2].message.headline.startswith("#1 CRITICAL Still nobody has it: ")

    def test_what_follows_is_told_in_the_new_alert(self):
        day = down(LATE, "16:45:01", until="17:10").runs_until("17:05")
        day.acknowledges(1, "Robin")
        day.runs_until("18:00")
        id_ = day.incidents[0].id
        assert alerts(day, "pager")[3:] == [
            ("acknowledge", f"i:{id_}.2"),
            ("update", f"i:{id_}.2"),
            ("resolve", f"i:{id_}.2"),
        ]
        assert {alert for _, alert in alerts(day, "desk")} == {f"i:{id_}"}

    def test_thursday_1645_acknowledged_1650_on_call_gets_the_timeline_and_is_paged_at_1715(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("16:50")
        day.acknowledges(1, "Robin")
        day.runs_until("17:20")
        assert said_at(day, 1, "handed_over") == ["Thu 17:00:00"]
        assert said_at(day, 1, "escalated") == ["Thu 17:15:00"]
        id_ = day.incidents[0].id
        asked = next(n for n in day.notices if "On-call is to accept it" in n.message.headline)
        assert (asked.channel, asked.action.value) == ("pager", "update")
        story = "\n".join(asked.message.lines)
        assert "is down for all users. Began after" in story
        assert "Robin: Acknowledged by Robin." in story
        assert alerts(day, "pager")[-2:] == [("trigger", f"i:{id_}.2"), ("resolve", f"i:{id_}")]

    def test_accepted_it_does_not_page(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("16:50")
        day.acknowledges(1, "Robin")
        day.runs_until("17:05")
        day.acknowledges(1, "Sam")
        day.runs_until("17:40")
        assert said_at(day, 1, "escalated") == []
        assert day.timeline(1)[-1] == "accepted"
        (incident,) = day.incidents
        assert (incident.acknowledged_by, incident.handover.accepted_by) == ("Robin", "Sam")

    def test_accepted_late_it_is_accepted(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("16:50")
        day.acknowledges(1, "Robin")
        day.runs_until("17:20")
        day.acknowledges(1, "Sam")
        assert day.timeline(1)[-2:] == ["escalated", "accepted"]
        with pytest.raises(IllegalTransition):
            day.acknowledges(1, "Alex")

    def test_what_has_recovered_is_left_alone_until_it_fails_again(self):
        day = Day(LATE, estate())
        day.fails("crm", "16:45:01", until="16:55")
        day.fails("crm", "17:03", until="17:30")
        day.runs_until("17:10")
        (escalated,) = said_at(day, 1, "escalated")
        assert "Thu 17:03" <= escalated[:9] <= "Thu 17:04"

    def test_a_standard_incident_is_not_handed_over(self):
        day = Day(LATE, estate())
        day.fails("crm", "16:45:01", until="18:00", target={"acme"})
        day.runs_until("17:40")
        assert day.timeline(1) == ["opened"]

    def test_what_came_while_support_was_closed_is_handed_over_at_the_next_closing(self):
        day = down(NIGHT, "02:00:01", until="18:00").runs_until("17:10")
        assert said_at(day, 1, "escalated") == ["Tue 17:00:00"]

    def test_every_closing_counts(self):
        day = down(LATE, "16:45:01", until="2026-11-27 20:00").runs_until("17:30")
        day.runs_until("Fri 2026-11-27 17:00")
        assert said_at(day, 1, "escalated") == ["Thu 17:00:00", "Fri 16:30:00"]
        id_ = day.incidents[0].id
        assert alerts(day, "pager")[-2:] == [("trigger", f"i:{id_}.3"), ("resolve", f"i:{id_}.2")]

    def test_once_also_when_killed_in_between(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("17:00:30")
        again = down("Thu 2026-11-26 17:01", "17:00", until="18:00", like=day).runs_until("17:30")
        assert said_at(again, 1, "escalated") == []

    def test_made_up_for_when_the_process_was_not_running_at_the_closing(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("16:55")
        again = down("Thu 2026-11-26 17:10", "17:09", until="18:00", like=day).runs_until("17:30")
        assert said_at(again, 1, "escalated") == ["Thu 17:10:00"]

    def test_an_acknowledged_one_that_missed_its_closing_keeps_a_quarter_of_an_hour(self):
        day = down(LATE, "16:45:01", until="19:00").runs_until("16:50")
        day.acknowledges(1, "Robin")
        again = down("Thu 2026-11-26 17:40", "17:39", until="19:00", like=day).runs_until("18:10")
        assert said_at(again, 1, "handed_over") == ["Thu 17:40:00"]
        assert said_at(again, 1, "escalated") == ["Thu 17:55:00"]
        story = next(n for n in again.notices if "is to accept" in n.message.headline).message.lines
        assert any("Acknowledged by Robin." in line for line in story)

    def test_who_took_it_after_the_closing_is_not_asked_to_accept_it(self):
        day = down(LATE, "16:45:01", until="19:00").runs_until("16:55")
        again = down("Thu 2026-11-26 17:10", "17:09", until="19:00", like=day)
        again.acknowledges(1, "Sam")
        again.runs_until("17:40")
        assert "handed_over" not in again.timeline(1)
        assert said_at(again, 1, "escalated") == []

    def test_a_channel_that_is_new_by_then_has_no_old_alert_to_end(self):
        day = down(LATE, "16:45:01", until="18:00").runs_until("16:50")
        renamed = (replace(PAGER, name="pager-2"), DESK)
        again = down("Thu 2026-11-26 16:55", "16:54", until="18:00", like=day, channels=renamed)
        again.runs_until("17:10")
        assert [action for action, _ in alerts(again, "pager-2")] == ["trigger"]

    def test_a_channel_for_both_gets_one_alert(self):
        both = Channel("both", "log", (Role.ON_CALL, Role.SERVICE_DESK), None)
        day = down(LATE, "16:45:01", until="18:00", channels=(both,)).runs_until("17:10")
        assert [action for action, _ in alerts(day, "both")] == ["trigger", "trigger", "resolve"]

    def test_an_update_that_makes_it_critical_counts_closings_from_then(self):
        day = Day("Mon 2026-11-23 16:40", estate())
        day.fails("crm", "16:45:01", until="18:30", target={"acme"})
        day.fails("crm", "17:30:01", until="18:30")
        day.runs_until("18:00")
        assert [t for n in (1, 2) for t in said_at(day, n, "escalated")] == []

    def test_the_last_closing_that_the_calendar_knows_is_the_last_that_is_seen_to(self):
        day = down("Thu 2026-12-31 16:40", "16:45:01", until="18:00").runs_until("16:50")
        day.mind.calendar = replace(day.mind.calendar, last_year=2026)
        day.runs_until("17:10")
        assert said_at(day, 1, "escalated") == ["Thu 17:00:00"]


class TestHandoverOfSharedPages:
    @pytest.fixture
    def day(self):
        crm = service("crm", check(of=tenants(5)), depends_on=("erp",))
        sites = service("sites", check("sites", of=tenants(5)), depends_on=("erp",))
        day = Day(LATE, estate(crm, sites))
        day.fails("crm", "16:45:01", until="18:00")
        day.fails("sites", "16:45:20", until="18:00")
        return day.runs_until("16:50")

    def triggers(self, day):
        return [n.dedup_key for n in day.notices if (n.channel, n.action) == ("pager", "trigger")]

    def test_one_new_alert_tells_of_both(self, day):
        day.runs_until("17:10")
        host = day.incidents[0].id
        assert self.triggers(day) == [f"i:{host}", f"i:{host}.2"]
        anew = next(n for n in day.notices if n.dedup_key.endswith(".2"))
        assert any(line.startswith("Also told of here: #2") for line in anew.message.lines)
        assert day.timeline(2)[-1] == "escalated"

    def test_the_one_that_nobody_has_gets_a_page_of_its_own(self, day):
        day.acknowledges(1, "Robin")
        day.runs_until("17:10")
        host, guest = (incident.id for incident in day.incidents)
        assert self.triggers(day) == [f"i:{host}", f"i:{guest}"]

    def test_the_one_that_nobody_accepts_pages_beside_one_that_nobody_has(self, day):
        day.acknowledges(2, "Robin")
        day.runs_until("17:20")
        host, guest = (incident.id for incident in day.incidents)
        assert self.triggers(day) == [f"i:{host}", f"i:{host}.2", f"i:{guest}"]

    def test_who_gets_a_page_of_its_own_after_the_closing_is_not_escalated_as_well(self):
        crm = service("crm", check(of=tenants(5)), depends_on=("erp",))
        sites = service("sites", check("sites", of=tenants(5)), depends_on=("erp",))
        day = Day(LATE, estate(crm, sites))
        day.fails("crm", "16:45:01", until="16:49:30")
        day.fails("sites", "16:45:20", until="16:52")
        day.fails("sites", "17:00:30", until="18:00")
        day.runs_until("17:20")
        host, guest = (incident.id for incident in day.incidents)
        assert self.triggers(day) == [f"i:{host}", f"i:{guest}"]

    def test_what_ends_beside_it_does_not_silence_the_page_that_nobody_accepted(self):
        crm = service("crm", check(of=tenants(5)), depends_on=("erp",))
        sites = service("sites", check("sites", of=tenants(5)), depends_on=("erp",))
        day = Day(LATE, estate(crm, sites))
        day.mind.policy = replace(day.mind.policy, accept_within=120.0)
        day.fails("crm", "16:45:01", until="18:00")
        day.fails("sites", "16:45:20", until="16:58")
        day.runs_until("16:50")
        day.acknowledges(1, "Robin")
        day.runs_until("17:20")
        anew = [action for action, alert in alerts(day, "pager") if alert.endswith(".2")]
        assert anew == ["trigger", "update"]
        assert day.timeline(2)[-1] == "resolved"


class TestDigest:
    def test_the_desk_reads_at_0830_what_happened_over_night(self):
        day = down("Mon 2026-11-23 01:50", "02:00:01", until="02:20")
        day.fails("crm", "05:00:01", until="2026-11-23 09:00", target={"acme"})
        day.runs_until("02:10")
        day.acknowledges(1, "Robin")
        day.runs_until("09:30")
        ((due, message),) = day.digests
        assert due == "Mon 08:30:00"
        assert message.headline == (
            "Since support closed on Fri 20 Nov at 16:30: 1 business critical, 1 standard, "
            "1 still open"
        )
        first, second = message.lines
        assert first.startswith(
            "#1 CRITICAL Prospect 365 CRM is down for all users since Mon 23 Nov"
        )
        assert "acknowledged 02:10 by Robin; resolved 02:" in first
        assert "nobody acknowledged it; still open." in second

    def test_the_held_notice_is_due_then_too(self):
        day = Day("Mon 2026-11-23 01:50", estate())
        day.fails("crm", "05:00:01", until="09:00", target={"acme"})
        day.runs_until("08:40")
        assert day.told("desk") == [("trigger", "Mon 08:30:00")]
        assert len(day.digests) == 1

    def test_nothing_is_sent_of_a_quiet_night(self):
        day = Day("Mon 2026-11-23 01:50", estate()).runs_until("09:30")
        assert day.digests == []
        assert sum(change.digest is not None for change in day.changes) == 1

    def test_once_also_when_killed_after_it(self):
        day = down("Mon 2026-11-23 01:50", "02:00:01", until="02:20").runs_until("08:30:30")
        again = Day("Mon 2026-11-23 08:31", estate(), like=day).runs_until("09:30")
        assert (len(day.digests), again.digests) == (1, [])

    def test_made_up_for_by_who_starts_before_support_closes(self):
        day = down("Mon 2026-11-23 01:50", "02:00:01", until="02:20").runs_until("08:00")
        again = Day("Mon 2026-11-23 11:00", estate(), like=day).runs_until("11:30")
        assert [due for due, _ in again.digests] == ["Mon 11:00:00"]

    def test_an_opening_that_was_missed_is_told_of_at_the_next(self):
        day = down("Mon 2026-11-23 16:30", "17:20", until="17:40").runs_until("18:00")
        again = Day("Tue 2026-11-24 19:00", estate(), like=day).runs_until("2026-11-25 08:31")
        ((due, message),) = again.digests
        assert due == "Wed 08:30:00"
        assert message.lines[0].startswith("#1 ")

    def test_none_of_a_night_that_was_told_of_when_todays_opening_is_moved(self):
        day = Day("Mon 2026-11-23 08:20", estate()).runs_until("09:00")
        again = Day("Mon 2026-11-23 11:00", estate(), like=day)
        later = {date(2026, 11, 23): (time(10, 0), time(17, 0))}
        again.mind.calendar = replace(again.mind.calendar, extra_open=later)
        assert judge.digest_due(again.mind, local("Mon 2026-11-23 11:00")) is None

    def test_on_call_channels_get_none(self):
        day = down("Mon 2026-11-23 01:50", "02:00:01", until="02:20", channels=(PAGER, DESK))
        day.runs_until("09:00")
        owed = [n for change in day.changes if change.digest for n in change.notices]
        assert [n.channel for n in owed] == ["desk"]

    def test_none_while_support_is_closed(self):
        day = Day("Sat 2026-11-28 01:50", estate())
        assert judge.digest_due(day.mind, local("Sat 2026-11-28 12:00")) is None

    @pytest.mark.parametrize("at", ["1970-01-05 10:00", "2037-01-05 10:00"])
    def test_none_in_years_that_the_calendar_does_not_know(self, at):
        day = Day("Mon 2026-11-23 08:50", estate())
        assert judge.digest_due(day.mind, local(at)) is None
