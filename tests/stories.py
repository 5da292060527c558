"""Days at the monitor whose messages are kept word by word in `tests/golden`.

Each story is a day; its messages are the notices that its channels are owed, in order, told
by the real judge on virtual time. `python -m tests.stories` writes the files anew: read the
difference as the person who is woken by it.
"""

from dataclasses import replace
from pathlib import Path

from monitor import judge
from monitor.channels import telling
from monitor.model import Channel, NoticeState, Role
from tests.day import CUSTOMERS, DESK, PAGER, Day, day_time
from tests.estates import TENANTS, check, estate, service

GOLDEN = Path(__file__).parent / "golden"
NIGHT, MORNING, LATE = "Tue 2026-11-24 01:50", "Mon 2026-11-23 09:50", "Thu 2026-11-26 16:40"
BOSS = Channel("boss", "webhook", (Role.ON_CALL,), None, after=900.0)
SPARE = Channel("spare", "webhook", (Role.ON_CALL,), None, stands_in_for="pager")
STATUS = Channel("status", "webhook", (Role.STATUS_PAGE,), None)


def crm(**more):
    """The estate of a CRM with a runbook."""
    watched = replace(check("crm", of=TENANTS), runbook="https://wiki.example.com/crm-down")
    return estate(service("crm", watched, **more))


def both():
    return estate(*(service(name, check(name, of=TENANTS)) for name in ("crm", "sites")))


def night(*channels, until="06:00", **more):
    day = Day(NIGHT, crm(), channels=(PAGER, DESK, *channels), **more)
    day.fails("crm", "02:00:01", until=until)
    return day


def down_at_night_acknowledged_and_back():
    day = night(until="02:30").runs_until("02:06")
    day.acknowledges(1, "Sam")
    return day.runs_until("03:00")


def down_again_while_watched():
    day = night(until="02:10")
    day.fails("crm", "02:15", until="02:25")
    return day.runs_until("03:00")


def two_services_at_once():
    day = Day(NIGHT, both(), channels=(PAGER, DESK))
    day.fails("crm", "02:00:01", until="02:40")
    day.fails("sites", "02:00:20", until="02:20")
    day.runs_until("02:06")
    day.acknowledges(1, "Sam")
    return day.runs_until("03:10")


def nobody_answers():
    return night(BOSS).runs_until("04:10")


def somebody_has_it_for_an_hour():
    day = night().runs_until("02:06")
    day.acknowledges(1, "Sam")
    day.runs_until("03:10")
    day.acknowledges(1, "Robin")
    return day


def the_pager_cannot_be_reached():
    day = night(SPARE).runs_until("02:04")
    late = {"state": NoticeState.PENDING, "attempts": 5, "last_error": "no answer within 10 s"}
    day.reconciles(lambda trigger: late if trigger.channel == "pager" else {})
    return day


def support_closes_over_it():
    day = Day(LATE, crm(), channels=(PAGER, DESK))
    day.fails("crm", "16:50:01", until="17:40")
    day.runs_until("16:53")
    day.acknowledges(1, "Sam")
    day.runs_until("17:20")
    return day


def part_of_it_fails_by_day():
    day = Day(MORNING, crm(), channels=(PAGER, DESK))
    day.fails("crm", "10:00:01", until="10:30", target={"acme"})
    return day.runs_until("11:00")


def part_of_it_fails_at_night():
    day = Day(NIGHT, crm(), channels=(PAGER, DESK))
    day.fails("crm", "02:00:01", until="02:30", target={"acme"})
    return day.runs_until("03:00")


def what_people_outside_read():
    day = night(STATUS, until="02:30").runs_until("02:06")
    day.acknowledges(1, "Sam")
    day.runs_until("03:00")
    return day


def what_a_customer_who_reports_reads():
    day = Day(NIGHT, crm(), channels=(PAGER, DESK, CUSTOMERS))
    day.runs_until("02:00")
    day.reports("crm", began="01:40", errors="503 Service Unavailable")
    day.runs_until("02:05")
    day.acknowledges(1, "Sam")
    day.runs_until("02:30")
    day.resolves(1, "Sam")
    return day


def the_digest_in_the_morning():
    day = night(until="02:30").runs_until("02:06")
    day.acknowledges(1, "Sam")
    return day.runs_until("08:31")


def the_pager_was_away_for_hours():
    day = night(until="02:30").runs_until("05:00")
    since, now = day.incidents[0].reported_at, day.reading()
    day._write(judge.caught_up(day.mind, "pager", since, day.incidents, now))
    return day


STORIES = {
    story.__name__.replace("_", "-"): story
    for story in (
        down_at_night_acknowledged_and_back,
        down_again_while_watched,
        two_services_at_once,
        nobody_answers,
        somebody_has_it_for_an_hour,
        the_pager_cannot_be_reached,
        support_closes_over_it,
        part_of_it_fails_by_day,
        part_of_it_fails_at_night,
        what_people_outside_read,
        what_a_customer_who_reports_reads,
        the_digest_in_the_morning,
        the_pager_was_away_for_hours,
    )
}


def told(story):
    """Every message of a story, as text."""
    day = STORIES[story]()
    owed = [n for change in day.changes for part in change.parts() for n in part.notices]
    return "\n".join(_message(notice) for notice in owed)


def _message(notice):
    held = ", held" if notice.held else ""
    first = f"=== {notice.channel}: {notice.action}, {day_time(notice.due_at)}{held}"
    return f"{first}\n{telling.text(notice, notice.first_due)}\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in STORIES:
        (GOLDEN / f"{name}.txt").write_text(told(name))
