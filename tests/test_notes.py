"""A person adds a line to an incident's timeline."""

import pytest

from tests.day import Day
from tests.estates import estate


@pytest.fixture
def day():
    day = Day("Tue 2026-11-24 01:50", estate())
    day.fails("crm", "02:00:01", until="02:20")
    return day.runs_until("02:10")


def test_a_note_stands_in_the_timeline_under_the_persons_name(day):
    day.notes(1, "Robin", "Restarted the pool.")
    (event,) = [e for change in day.changes for e in change.events if e.actor == "Robin"]
    assert (event.kind.value, event.text) == ("noted", "Restarted the pool.")
    assert event.at == day.reading().at


def test_it_sends_nothing_and_moves_nothing(day):
    notices, incidents = day.notices, day.incidents
    day.notes(1, "Robin", "Restarted the pool.")
    assert (day.notices, day.incidents) == (notices, incidents)


def test_a_resolved_incident_takes_notes_too(day):
    day.runs_until("02:50")
    assert day.timeline(1)[-1] == "resolved"
    day.notes(1, "Robin", "It was the pool.")
    assert day.timeline(1)[-1] == "noted"
    assert day.mind.timelines == {}


def test_a_handover_carries_it():
    day = Day("Thu 2026-11-26 16:40", estate())
    day.fails("crm", "16:45:01", until="20:00")
    day.runs_until("16:50")
    day.acknowledges(1, "Robin")
    day.notes(1, "Robin", "Restarted the pool.")
    day.runs_until("17:01")
    assert "Robin: Restarted the pool." in "\n".join(day.notices[-1].message.lines)
