"""Who is told when: at once, later, instead of another, or outside. Days on virtual time."""

import pytest

from monitor import judge
from monitor.incident import IllegalTransition
from monitor.model import Action, Channel, IncidentState, NoticeState, Priority, Role
from tests.day import DESK, PAGER, Day, day_time, told_of
from tests.estates import TENANTS, check, estate, service

NIGHT = "Tue 2026-11-24 01:50"
DOWN_AT = "02:00:01"
BOSS = Channel("boss", "webhook", (Role.ON_CALL,), None, after=900.0)
SPARE = Channel("spare", "webhook", (Role.ON_CALL,), None, stands_in_for="pager")
STATUS = Channel("status", "webhook", (Role.STATUS_PAGE,), None)
OWNER = Channel("owner", "mail", (Role.TENANT_OWNER,), None, tenants=("acme",))


LATE = {"state": NoticeState.PENDING, "attempts": 5, "last_error": "no answer within 10 s"}
DEAD = {"state": NoticeState.DEAD, "last_error": "the receiver answered 401"}


def night(*channels, until="06:00", **more):
    """A night on which the CRM goes down for everyone at 02:00."""
    day = Day(NIGHT, estate(), channels=(PAGER, DESK, *channels), **more)
    day.fails("crm", DOWN_AT, until=until)
    return day


def actions(day, channel):
    return [action for action, _ in day.told(channel)]


def at(day, number, kind):
    """When the timeline says so, as London times of day to the minute."""
    id_ = day.written[number].id
    events = [e for change in day.changes for part in change.parts() for e in part.events]
    return [day_time(e.at)[:9] for e in events if e.incident_id == id_ and e.kind.value == kind]


def on(channel, **fields):
    """How the triggers of one channel stand; None says that there are none."""
    return lambda trigger: (fields or None) if trigger.channel == channel else {}


class TestByServiceAndPriority:
    def test_a_channel_of_another_service_is_not_told(self):
        other = Channel("sites-team", "webhook", (Role.ON_CALL,), None, services=("sites",))
        assert night(other).runs_until("02:05").told("sites-team") == []

    def test_a_channel_of_the_service_is(self):
        own = Channel("crm-team", "webhook", (Role.ON_CALL,), None, services=("crm",))
        assert actions(night(own).runs_until("02:05"), "crm-team") == ["trigger"]

    def test_a_channel_for_what_is_standard_is_not_told_of_what_is_critical(self):
        standard = Channel(
            "tickets", "webhook", (Role.ON_CALL,), None, priorities=(Priority.STANDARD,)
        )
        assert night(standard).runs_until("02:05").told("tickets") == []


class TestEscalation:
    def test_the_next_is_told_once_nobody_has_acknowledged_for_so_long(self):
        day = night(BOSS).runs_until("02:14")
        assert day.told("boss") == []
        day.runs_until("02:20")
        assert actions(day, "boss") == ["trigger"]
        assert at(day, 1, "called_in") == ["Tue 02:15"]
        (headline,) = day.headlines("boss")
        assert headline == (
            "#1 CRITICAL Nobody has it: Prospect 365 CRM is down for all users since 02:00"
        )
        assert day.lines(1, "called_in") == [
            "Nobody has acknowledged this for 15 min: boss is told now."
        ]

    def test_the_first_is_not_told_again_of_that(self):
        assert actions(night(BOSS).runs_until("02:20"), "pager") == ["trigger"]

    def test_nobody_is_called_once_a_person_has_it(self):
        day = night(BOSS).runs_until("02:10")
        day.acknowledges(1, "Sam")
        assert day.runs_until("02:40").told("boss") == []

    def test_who_was_called_hears_the_rest(self):
        day = night(BOSS, until="02:30").runs_until("02:20")
        day.acknowledges(1, "Sam")
        day.runs_until("03:00")
        assert actions(day, "boss") == ["trigger", "acknowledge", "update", "resolve"]

    def test_what_has_recovered_calls_nobody(self):
        assert night(BOSS, until="02:10").runs_until("02:18").told("boss") == []

    def test_a_guest_is_named_to_whom_its_host_calls(self):
        both = estate(*(service(name, check(name, of=TENANTS)) for name in ("crm", "sites")))
        day = Day(NIGHT, both, channels=(PAGER, DESK, BOSS))
        day.fails("crm", DOWN_AT, until="06:00")
        day.fails("sites", DOWN_AT, until="06:00")
        day.runs_until("02:20")
        assert day.said("boss") == [(1, "trigger", 1)]
        (trigger,) = [n for n in day.notices if n.channel == "boss"]
        assert any("Also told of here: #2" in line for line in trigger.message.lines)

    def test_a_guest_that_nobody_has_calls_by_itself_when_its_host_was_taken(self):
        both = estate(*(service(name, check(name, of=TENANTS)) for name in ("crm", "sites")))
        day = Day(NIGHT, both, channels=(PAGER, DESK, BOSS))
        day.fails("crm", DOWN_AT, until="06:00")
        day.fails("sites", DOWN_AT, until="06:00")
        day.runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("02:20")
        assert day.said("boss") == [(2, "trigger", 2)]

    def test_a_restart_calls_once(self):
        day = night(BOSS).runs_until("02:20")
        again = Day("Tue 2026-11-24 02:20:30", estate(), channels=(PAGER, DESK, BOSS), like=day)
        again.fails("crm", "02:20:30", until="06:00")
        again.runs_until("02:40")
        assert again.told("boss") == []


class TestAskingAgain:
    def test_who_has_it_for_an_hour_is_asked_by_a_new_alert_while_it_fails(self):
        day = night().runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:11")
        assert at(day, 1, "asked") == ["Tue 03:10"]
        assert actions(day, "pager") == ["trigger", "acknowledge", "trigger", "resolve"]
        first, _, anew, ended = [n for n in day.notices if n.channel == "pager"]
        assert (anew.dedup_key, ended.dedup_key) == (f"{first.dedup_key}.2", first.dedup_key)
        assert day.lines(1, "asked") == [
            "Sam has had this for 60 min and it still fails. Who has it now acknowledges again."
        ]

    def test_acknowledging_again_is_the_answer_and_keeps_the_first_name(self):
        day = night().runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:11")
        day.acknowledges(1, "Robin")
        (incident,) = day.incidents
        assert (incident.acknowledged_by, incident.asking.answered_by) == ("Sam", "Robin")
        assert day.lines(1, "renewed") == ["Renewed by Robin."]
        with pytest.raises(IllegalTransition):
            judge.acknowledge(day.mind, 1, "Kim", day.reading())

    def test_it_is_asked_once_until_that_is_answered_and_an_hour_later_again(self):
        day = night().runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("04:00")
        assert at(day, 1, "asked") == ["Tue 03:10"]
        day.acknowledges(1, "Sam")
        day.runs_until("05:05")
        assert at(day, 1, "asked") == ["Tue 03:10", "Tue 05:00"]

    def test_nobody_is_asked_of_what_has_recovered(self):
        day = night(until="03:05").runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:30")
        assert at(day, 1, "asked") == []
        assert day.incidents[0].state is IncidentState.RESOLVED

    def test_an_unanswered_question_escalates_as_no_answer_does(self):
        day = night(BOSS).runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:12")
        assert actions(day, "boss") == ["trigger"]

    def test_who_has_a_guest_of_what_is_over_is_asked_by_a_page_of_its_own(self):
        both = estate(*(service(name, check(name, of=TENANTS)) for name in ("crm", "sites")))
        day = Day(NIGHT, both, channels=(PAGER, DESK))
        day.fails("crm", DOWN_AT, until="02:20")
        day.fails("sites", DOWN_AT, until="06:00")
        day.runs_until("02:10")
        day.acknowledges(2, "Sam")
        day.runs_until("03:11")
        assert day.said("pager")[-2:] == [(2, "trigger", 2), (1, "resolve", 2)]


class TestFailover:
    def test_a_channel_in_reserve_is_told_nothing(self):
        day = night(SPARE).runs_until("02:05")
        day.reconciles()
        assert day.told("spare") == []

    def test_what_cannot_be_told_for_two_minutes_is_told_to_who_stands_in(self):
        day = night(SPARE).runs_until("02:02")
        day.reconciles(on("pager", **LATE))
        assert day.told("spare") == []
        day.runs_until("02:03")
        day.reconciles(on("pager", **LATE))
        assert day.said("spare") == [(1, "trigger", 1)]
        assert day.headlines("spare")[0].startswith(
            "#1 CRITICAL Instead of pager: Prospect 365 CRM"
        )
        assert day.lines(1, "failed_over") == [
            "pager cannot be reached: no answer within 10 s. Told in its place: spare."
        ]

    def test_what_is_refused_for_good_is_told_at_once(self):
        day = night(SPARE).runs_until("02:01")
        day.reconciles(on("pager", **DEAD))
        assert actions(day, "spare") == ["trigger"]
        assert day.lines(1, "failed_over")[0].startswith(
            "pager refuses this for good: the receiver"
        )

    def test_a_trigger_is_given_up_once(self):
        day = night(SPARE).runs_until("02:05")
        day.reconciles(on("pager", **LATE))
        day.reconciles(on("pager", **LATE))
        assert actions(day, "spare") == ["trigger"]
        assert at(day, 1, "failed_over") == ["Tue 02:05"]

    def test_who_stood_in_hears_the_rest(self):
        day = night(SPARE, until="02:30").runs_until("02:05")
        day.reconciles(on("pager", **LATE))
        day.runs_until("03:00")
        assert actions(day, "spare") == ["trigger", "update", "resolve"]

    def test_where_nobody_stands_in_the_others_are_told_that_one_was_not(self):
        other = Channel("other", "webhook", (Role.ON_CALL,), None)
        day = night(other).runs_until("02:05")
        day.reconciles(on("pager", **DEAD))
        assert actions(day, "pager") == ["trigger"]
        assert actions(day, "other") == ["trigger", "update"]
        assert "pager refuses this for good" in day.headlines("other")[-1]

    def test_of_a_desk_that_cannot_be_told_only_the_timeline_says_so(self):
        day = Day("Mon 2026-11-23 09:50", estate(), channels=(PAGER, DESK))
        day.fails("crm", "10:00:01", until="12:00")
        day.runs_until("10:05")
        day.reconciles(on("desk", **DEAD))
        assert actions(day, "pager") == ["trigger"]
        assert day.lines(1, "failed_over")[0].startswith("desk refuses this for good")

    def test_what_waits_for_support_to_open_is_not_late(self):
        day = Day(NIGHT, estate(), channels=(PAGER, DESK, SPARE))
        day.fails("crm", DOWN_AT, until="06:00", target={"acme"})
        day.runs_until("02:20")
        held = {"state": NoticeState.PENDING, "attempts": 0}
        day.reconciles(on("desk", **held))
        assert day.timeline(1) == ["opened"]


class TestReconciling:
    def test_nothing_is_made_up_for_where_nothing_is_missing(self):
        day = night().runs_until("02:05")
        day.reconciles()
        assert day.timeline(1) == ["opened"]

    def test_a_page_that_is_not_in_the_outbox_is_made(self):
        day = night().runs_until("02:05")
        day.reconciles(on("pager"))
        assert actions(day, "pager") == ["trigger", "trigger"]
        assert day.lines(1, "called_in") == ["pager had not been told of this: it is told now."]

    def test_a_channel_that_is_new_in_the_configuration_is_told_of_what_is_open(self):
        day = night().runs_until("02:05")
        new = Channel("new", "webhook", (Role.ON_CALL,), None)
        channels = (PAGER, DESK, new)
        again = Day("Tue 2026-11-24 02:05:30", estate(), channels=channels, like=day)
        again.fails("crm", "02:05:30", until="06:00")
        again.runs_until("02:07")
        triggers = [n for n in day.notices if n.action is Action.TRIGGER]
        versions = {i.id: i.version for i in again.mind.open.values()}
        changes = judge.reconciled(again.mind, versions, triggers, again.reading())
        assert [n.channel for change in changes for n in change.notices] == ["new"]

    def test_what_was_judged_since_is_left_for_the_next_time(self):
        day = night().runs_until("02:05")
        versions = {i.id: i.version - 1 for i in day.mind.open.values()}
        assert judge.reconciled(day.mind, versions, [], day.reading()) == []


class TestPeopleOutside:
    def test_a_status_page_is_told_of_what_is_down_for_everyone_and_that_it_is_over(self):
        day = night(STATUS, until="02:30").runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:00")
        assert actions(day, "status") == ["trigger", "update", "resolve"]
        assert day.headlines("status") == [
            "Prospect 365 CRM is down for all users since 02:00",
            "Working again: Prospect 365 CRM was down for all users",
            "Resolved: Prospect 365 CRM was down for all users",
        ]

    def test_nothing_that_is_only_for_staff_leaves(self):
        day = night(STATUS, until="02:30").runs_until("02:10")
        day.acknowledges(1, "Sam")
        day.runs_until("03:00")
        told = [n.message for n in day.notices if n.channel == "status"]
        said = "\n".join(str(message) for message in told)
        assert told[0].links == {}
        for secret in ("Sam", "http://monitor", "sign-in", "Errno", "london", "acme"):
            assert secret not in said, secret

    def test_a_delay_is_how_long_it_must_last_whoever_has_it(self):
        delayed = Channel("status", "webhook", (Role.STATUS_PAGE,), None, after=600.0)
        day = night(delayed).runs_until("02:05")
        day.acknowledges(1, "Sam")
        assert day.told("status") == []
        day.runs_until("02:12")
        assert at(day, 1, "called_in") == ["Tue 02:10"]
        assert night(delayed, until="02:06").runs_until("02:30").told("status") == []

    def test_what_fails_for_a_tenant_never_shows(self):
        day = Day(NIGHT, estate(), channels=(PAGER, DESK, STATUS))
        day.fails("crm", DOWN_AT, until="06:00", target={"acme"})
        assert day.runs_until("02:20").told("status") == []

    def test_an_owner_is_told_of_what_is_down_for_everyone(self):
        assert actions(night(OWNER).runs_until("02:05"), "owner") == ["trigger"]

    def test_services_that_share_a_page_are_told_apart_outside(self):
        both = estate(*(service(name, check(name, of=TENANTS)) for name in ("crm", "sites")))
        day = Day(NIGHT, both, channels=(PAGER, DESK, STATUS))
        day.fails("crm", DOWN_AT, until="06:00")
        day.fails("sites", DOWN_AT, until="06:00")
        day.runs_until("02:05")
        assert day.said("pager") == [(1, "trigger", 1), (1, "update", 2)]
        assert day.said("status") == [(1, "trigger", 1), (2, "trigger", 2)]


class TestCatchingUp:
    def test_a_channel_that_missed_hours_gets_a_summary_of_them(self):
        day = night(until="02:30").runs_until("05:00")
        now = day.reading()
        change = judge.caught_up(
            day.mind, "pager", day.incidents[0].reported_at, day.incidents, now
        )
        (notice,) = change.notices
        assert (notice.action, told_of(notice)) == (Action.TELL, None)
        assert notice.message.headline.startswith("pager could not be told from Tue 24 Nov 02:00")
        assert "1 incident, 0 still open" in notice.message.headline
        assert notice.message.lines[0].startswith("#1 CRITICAL Prospect 365 CRM is down")

    def test_nobody_outside_gets_one_and_nobody_of_nothing(self):
        day = night(STATUS, until="02:30").runs_until("05:00")
        since, now = day.incidents[0].reported_at, day.reading()
        assert judge.caught_up(day.mind, "status", since, day.incidents, now) is None
        assert judge.caught_up(day.mind, "pager", since, [], now) is None
