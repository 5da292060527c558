"""A person silences an incident: what is not told, what breaks it and how it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor import judge
from monitor.incident import IllegalTransition, lifecycle
from monitor.model import Change, Priority, Silence
from monitor.store import open_store
from tests.day import Day, day_time
from tests.estates import TENANTS, check, controls, estate, service
from tests.outbox_fixtures import Watch
from tests.store_fixtures import T0, incident, opening
from tests.store_outside import execute

PLACES = {"london": "net-a", "leeds": "net-b"}
NIGHT, LATE = "Tue 2026-11-24 01:58", "Thu 2026-11-26 16:43"


def watched(*names, **fields):
    """Services of these names, each with a sign-in check; asked seldom, for the days are long."""
    made = [
        service(name, check(name, of=TENANTS, interval=60.0), **fields)
        for name in names or ("crm",)
    ]
    return replace(estate(*made, places=PLACES), controls=controls(interval=60.0))


def two_checks():
    made = [check(name=name, of=TENANTS, interval=60.0) for name in ("sign-in", "search")]
    return replace(estate(service("crm", *made), places=PLACES), controls=controls(interval=60.0))


def two_services():
    return watched("crm", "sites", depends_on=("erp",))


def down(when, from_, *, until, of=None, **where):
    """A day on which the CRM goes down for everyone."""
    day = Day(when, of or watched())
    day.fails("crm", from_, until=until, **where)
    return day


def alerts(day, channel="pager"):
    """What one channel is owed: (action, which alert of which incident)."""
    mine = [n for n in day.notices if n.channel == channel]
    ids = {incident.id: f"#{incident.number}" for incident in day.incidents}
    return [(n.action.value, ids[n.dedup_key[2:8]] + n.dedup_key[8:]) for n in mine]


def open_alerts(day, channel="pager"):
    """The alerts of a channel that were begun and not ended, or spoken of without a beginning."""
    found = set()
    for action, alert in alerts(day, channel):
        if action == "resolve":
            found.remove(alert)
        elif action == "trigger":
            found.add(alert)
        else:
            assert alert in found, f"{action} of {alert}, which was never begun"
    return found


@pytest.fixture
def night():
    """The CRM is down from 02:00; it is 02:05 and nobody has it."""
    return down(NIGHT, "02:00:01", until="12:00").runs_until("02:05")


class TestWhileItLasts:
    def test_it_is_kept_with_the_incident_and_stands_in_its_timeline(self, night):
        night.silences(1, "Robin", reason="upgrade gone wrong", hours=2)
        (incident,) = night.incidents
        until = incident.silenced.since + timedelta(hours=2)
        assert incident.silenced == Silence(
            "Robin", "upgrade gone wrong", night.reading().at, until
        )
        (line,) = night.lines(1, "silenced")
        assert line == (
            "Silenced by Robin until Tue 24 Nov 04:05:00 GMT (04:05:00Z): upgrade gone wrong"
        )

    def test_nobody_is_sent_that_it_is_silenced(self, night):
        before = len(night.notices)
        night.silences(1)
        assert len(night.notices) == before

    def test_warnings_fall_due_and_are_not_sent(self, night):
        night.silences(1, hours=2)
        night.runs_until("03:32")
        assert night.timeline(1) == ["opened", "silenced", "warned", "warned"]
        assert [action for action, _ in night.told("pager")] == ["trigger"]

    def test_neither_recovery_nor_relapse_is_sent_but_that_it_is_over_is(self):
        day = down(NIGHT, "02:00:01", until="02:10").runs_until("02:05")
        day.fails("crm", "02:15:01", until="02:25")
        day.silences(1, hours=4)
        day.runs_until("02:50")
        assert day.timeline(1)[1:] == [
            "silenced",
            "recovered",
            "relapsed",
            "recovered",
            "resolved",
        ]
        assert [action for action, _ in day.told("pager")] == ["trigger", "resolve"]
        assert day.incidents[0].silenced is None

    def test_that_a_person_has_it_is_sent_for_it_quiets_the_receiver_too(self, night):
        night.silences(1)
        night.acknowledges(1, "Sam")
        assert [action for action, _ in night.told("pager")] == ["trigger", "acknowledge"]
        assert night.incidents[0].silenced is not None

    def test_a_closing_of_support_moves_it_and_pages_nobody(self):
        day = down(LATE, "16:45:01", until="23:00").runs_until("16:50")
        day.silences(1, hours=1)
        day.runs_until("17:02")
        assert "escalated" in day.timeline(1)
        assert alerts(day) == [("trigger", "#1")]

    def test_no_other_service_is_told_of_in_its_page(self):
        day = Day("Mon 2026-11-23 09:58", two_services())
        day.fails("crm", "10:00:01", until="12:00")
        day.fails("sites", "10:00:40", until="12:00")
        day.runs_until("10:00:30")
        day.silences(1)
        day.runs_until("10:05")
        assert alerts(day) == [("trigger", "#1"), ("trigger", "#2")]

    def test_it_outlives_the_process(self, night):
        night.silences(1, hours=1)
        again = Day("Tue 2026-11-24 02:58", night.estate, like=night)
        again.fails("crm", "02:58", until="12:00")
        again.runs_until("03:02")
        assert again.timeline(1) == ["unobserved", "warned"]
        assert alerts(again) == []
        again.runs_until("03:06")
        assert [action for action, _ in alerts(again)] == ["trigger", "resolve"]


class TestWhenItsTimeIsOver:
    def test_on_call_is_paged_by_one_new_alert_that_says_what_was_missed(self, night):
        night.silences(1, "Robin", reason="upgrade gone wrong", hours=1)
        night.runs_until("03:06")
        pager = [n for n in night.notices[1:] if n.channel == "pager"]
        assert [n.action.value for n in pager] == ["trigger", "resolve"]
        assert {day_time(n.created_at) for n in pager} == {"Tue 03:05:00"}
        text = "\n".join(pager[0].message.lines)
        assert pager[0].message.headline.startswith("#1 CRITICAL No longer silenced: Prospect")
        assert "No longer silenced by Robin (upgrade gone wrong)." in text
        assert "Meanwhile:" in text
        assert "Half of the time to respond is over" in text

    def test_what_falls_due_after_it_is_told_in_the_new_alert(self, night):
        night.silences(1, hours=1)
        night.runs_until("03:32")
        assert alerts(night)[-1] == ("update", "#1.2")
        assert open_alerts(night) == {"#1.2"}

    def test_whoever_has_it_is_not_paged_but_told(self, night):
        night.acknowledges(1, "Sam")
        night.silences(1, hours=0.25)
        night.runs_until("02:25")
        assert alerts(night) == [
            ("trigger", "#1"),
            ("acknowledge", "#1"),
            ("update", "#1"),
        ]
        assert night.lines(1, "silence_over") == ["No longer silenced by Robin (known)."]

    def test_what_has_recovered_by_then_pages_nobody(self):
        day = down(NIGHT, "02:00:01", until="02:10").runs_until("02:05")
        day.silences(1, hours=0.25)
        day.runs_until("02:40")
        assert alerts(day) == [("trigger", "#1"), ("update", "#1"), ("resolve", "#1")]

    def test_an_escalation_that_was_missed_is_made_up_for_once(self):
        day = down(LATE, "16:45:01", until="17:30").runs_until("16:50")
        day.silences(1, hours=0.25)
        day.runs_until("17:10")
        assert alerts(day)[:3] == [("trigger", "#1"), ("trigger", "#1.2"), ("resolve", "#1")]
        day.runs_until("17:50")
        assert day.timeline(1)[-1] == "resolved"
        assert open_alerts(day) == set()

    def test_one_that_was_missed_while_it_had_recovered_is_made_up_for_when_it_fails_again(self):
        day = down(LATE, "16:45:01", until="17:03").runs_until("16:50")
        day.silences(1, hours=1)
        day.runs_until("17:08")
        assert day.timeline(1)[-2:] == ["escalated", "recovered"]
        day.ends_silence(1, "Sam")
        assert alerts(day) == [("trigger", "#1"), ("update", "#1")]
        day.fails("crm", "17:09:01", until="20:00")
        day.runs_until("17:14")
        assert ("trigger", "#1.2") in alerts(day)
        assert open_alerts(day) == {"#1.2"}

    def test_the_desk_is_told_in_the_conversation_that_it_has(self):
        day = down("Mon 2026-11-23 09:58", "10:00:01", until="13:00").runs_until("10:10")
        day.silences(1, hours=0.25)
        day.runs_until("10:26")
        assert alerts(day, "desk") == [("trigger", "#1"), ("update", "#1")]

    def test_another_silence_takes_its_place(self, night):
        night.silences(1, hours=0.25)
        night.runs_until("02:15")
        since = night.incidents[0].silenced.since
        night.silences(1, "Sam", reason="still at it", hours=0.5)
        night.runs_until("02:40")
        assert alerts(night) == [("trigger", "#1")]
        assert night.incidents[0].silenced.since == since
        night.runs_until("02:46")
        assert night.lines(1, "silence_over") == ["No longer silenced by Sam (still at it)."]

    def test_a_person_ends_it_before(self, night):
        night.silences(1, hours=8)
        night.runs_until("02:10")
        night.ends_silence(1, "Sam")
        assert night.lines(1, "silence_over") == [
            "No longer silenced by Robin (known), ended by Sam."
        ]
        assert alerts(night) == [("trigger", "#1"), ("trigger", "#1.2"), ("resolve", "#1")]
        assert night.incidents[0].silenced is None

    def test_a_guest_whose_host_is_over_meanwhile_is_paged_for_then(self):
        day = Day("Mon 2026-11-23 09:58", two_services())
        day.fails("crm", "10:00:01", until="10:10")
        day.fails("sites", "10:00:50", until="12:00")
        day.runs_until("10:05")
        day.silences(2, hours=0.5)
        day.runs_until("10:30")
        assert [action for action, _ in alerts(day)][-1] == "update"
        day.runs_until("10:36")
        assert alerts(day)[-2:] == [("trigger", "#2"), ("resolve", "#1")]
        assert open_alerts(day) == {"#2"}


class TestWhatBreaksIt:
    def test_another_check_that_is_down_for_everyone_pages_anew(self):
        day = down(NIGHT, "02:00:01", until="06:00", of=two_checks(), check={"sign-in"})
        day.runs_until("02:05")
        day.silences(1, "Robin", reason="search is known", hours=3)
        day.fails("crm", "02:07:01", until="06:00", check={"search"})
        day.runs_until("02:12")
        assert alerts(day) == [("trigger", "#1"), ("trigger", "#1.2"), ("resolve", "#1")]
        assert day.timeline(1)[-2:] == ["updated", "silence_over"]
        (over,) = day.lines(1, "silence_over")
        assert over == ("It got wider, so it is no longer silenced by Robin (search is known).")
        assert day.incidents[0].silenced is None
        assert open_alerts(day) == {"#1.2"}

    def test_a_part_that_grows_wide_wakes_on_call(self):
        day = Day(NIGHT, estate())
        day.fails("crm", "02:00:01", until="04:00", target={"acme"})
        day.runs_until("02:05")
        day.silences(1, hours=2)
        day.fails("crm", "02:10:01", until="04:00", target={"cedar", "ember"})
        day.runs_until("02:20")
        assert alerts(day) == [("trigger", "#1")]
        assert day.timeline(1)[-2:] == ["updated", "silence_over"]
        assert day.incidents[0].silenced is None

    def test_a_part_that_becomes_all_is_an_incident_of_its_own_which_pages(self):
        day = Day(NIGHT, estate())
        day.fails("crm", "02:00:01", until="04:00", target={"acme"})
        day.runs_until("02:05")
        day.silences(1, hours=2)
        day.fails("crm", "02:10:01", until="04:00")
        day.runs_until("02:15")
        assert alerts(day) == [("trigger", "#2")]
        assert day.incidents[1].priority is Priority.CRITICAL

    def test_a_relapse_that_is_wider_pages_anew(self):
        day = down(NIGHT, "02:00:01", until="02:20", of=two_checks(), check={"sign-in"})
        day.runs_until("02:10")
        day.silences(1, hours=3)
        day.fails("crm", "02:25:01", until="06:00", check={"search"})
        day.runs_until("02:30")
        assert "relapsed" in day.timeline(1)
        assert alerts(day) == [("trigger", "#1"), ("trigger", "#1.2"), ("resolve", "#1")]

    def test_a_customers_report_that_raises_it_wakes_on_call(self):
        day = Day(NIGHT, estate())
        day.fails("crm", "02:00:01", until="04:00", target={"acme"})
        day.runs_until("02:05")
        day.silences(1, hours=2)
        day.reports("crm", tenant="acme", began="02:01")
        assert day.incidents[0].priority is Priority.CRITICAL
        assert alerts(day) == [("trigger", "#1")]
        assert day.incidents[0].silenced is None

    def test_what_only_says_more_of_the_same_does_not(self):
        day = Day("Mon 2026-11-23 09:58", estate())
        day.fails("crm", "10:00:01", until="12:00", target={"acme"})
        day.runs_until("10:10")
        day.silences(1, hours=1)
        day.fails("crm", "10:20:01", until="12:00", target={"cedar"})
        day.runs_until("10:30")
        assert "updated" in day.timeline(1)
        assert day.incidents[0].silenced is not None


class TestWhatCannotBe:
    @pytest.mark.parametrize("hours", [0, -1, 8.01])
    def test_a_silence_lasts_at_most_eight_hours(self, night, hours):
        with pytest.raises(ValueError, match="at most 8 hours"):
            night.silences(1, hours=hours)
        assert night.incidents[0].silenced is None

    def test_what_is_not_open_cannot_be_silenced(self, night):
        with pytest.raises(KeyError):
            night.silences(2)

    def test_what_is_not_silenced_cannot_be_told_of_again(self, night):
        with pytest.raises(IllegalTransition, match="cannot unsilence"):
            night.ends_silence(1, "Sam")

    def test_the_longest_is_allowed(self, night):
        night.silences(1, hours=judge.LONGEST / timedelta(hours=1))
        assert night.incidents[0].silenced is not None


async def test_an_incident_that_an_earlier_release_wrote_is_not_silenced(sqlite_url):
    clock = Watch().clock
    store = await open_store(sqlite_url, clock=clock, holder="test")
    kept = incident()
    await store.commit(opening(kept))
    execute(sqlite_url, "UPDATE incident SET body = json_remove(body, '$.silenced')")
    (found,) = await store.open_incidents()
    assert found == kept
    silence = Silence("Robin", "known", T0, T0 + timedelta(hours=1))
    silenced = lifecycle.silence(found, silence)
    await store.commit(Change(incident=silenced, was_version=found.version))
    assert await store.open_incidents() == [silenced]
    await store.close()
