"""How incidents were found, answered and ended: whose figure each is, and how it is drawn."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.figures import Answered, Spread, plain
from monitor.figures.promises import answered, promises_of, spread
from monitor.model import IncidentState, Interval, Priority
from tests.figures_fixtures import figured
from tests.hours_fixtures import utc
from tests.store_fixtures import T0, after, incident

NOW = after(50_000)
DUE = 7200.0
OVER = {"state": IncidentState.RESOLVED}


def seconds(number):
    return timedelta(seconds=number)


def acknowledged(when, **others):
    return incident(acknowledged_at=after(when), acknowledged_by="Robin", **others)


# --------------------------------------------------------------------------- the response


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        (acknowledged(60), Answered.MET),
        (acknowledged(DUE), Answered.MET),
        (acknowledged(DUE + 0.001), Answered.MISSED),
        (acknowledged(DUE + 60, resolved_at=after(DUE + 90), **OVER), Answered.MISSED),
        (incident(resolved_at=after(DUE), **OVER), Answered.NOT_NEEDED),
        (incident(resolved_at=after(DUE + 0.001), **OVER), Answered.MISSED),
        (incident(), Answered.MISSED),
        (incident(respond_by=NOW), Answered.PENDING),
        (acknowledged(60, priority=Priority.STANDARD, respond_by=None), None),
        (acknowledged(60, priority=Priority.STANDARD), None),
    ],
)
def test_a_promised_response_was_met_missed_not_needed_or_is_pending(one, outcome):
    assert answered(one, NOW) is outcome


def test_responses_are_counted_by_what_became_of_them():
    told = [acknowledged(60), acknowledged(90), incident(respond_by=NOW), incident()]
    assert promises_of(told, NOW).responses == {
        Answered.MET: 2,
        Answered.MISSED: 1,
        Answered.NOT_NEEDED: 0,
        Answered.PENDING: 1,
    }


# --------------------------------------------------------------------------- durations


def test_detection_is_counted_from_the_first_known_bad():
    one = incident(began=Interval(after(-300), after(-20)), detected_at=T0)
    assert promises_of([one], NOW).to_detect == Spread(1, *[seconds(20)] * 3)


def test_acknowledgement_is_counted_from_the_report():
    told = [acknowledged(90), incident()]
    assert promises_of(told, NOW).to_acknowledge == Spread(1, *[seconds(90)] * 3)


def test_recovery_is_counted_until_its_first_pass_once_it_is_over():
    recovered = {"recovered": Interval(after(1), after(600))}
    over = incident(**recovered, resolved_at=after(1200), **OVER)
    watched = incident(**recovered, watch_until=after(1200))
    by_hand = incident(resolved_at=after(1200), **OVER)
    found = promises_of([over, watched, by_hand], NOW).to_recover
    assert found == Spread(1, *[seconds(620)] * 3)


def test_a_false_alarm_was_answered_but_never_detected_nor_over():
    wrong = acknowledged(
        60, false_alarm=True, recovered=Interval(None, after(9)), resolved_at=after(99), **OVER
    )
    found = promises_of([wrong], NOW)
    assert (found.false_alarms, found.priorities[Priority.CRITICAL]) == (1, 1)
    assert (found.responses[Answered.MET], found.to_acknowledge.n) == (1, 1)
    assert (found.to_detect, found.to_recover) == (Spread(0), Spread(0))


@pytest.mark.parametrize(
    ("durations", "median", "p90", "longest"),
    [
        ([7], 7, 7, 7),
        ([1, 4], 2.5, 4, 4),
        ([3, 1, 2], 2, 3, 3),
        (range(1, 11), 5.5, 9, 10),
        (range(1, 12), 6, 10, 11),
        (range(1, 101), 50.5, 90, 100),
        ([-5, 1], 0.5, 1, 1),
    ],
)
def test_a_spread_has_the_middle_the_ninth_of_ten_and_the_longest(durations, median, p90, longest):
    durations = [seconds(each) for each in durations]
    found = spread(durations)
    assert found == Spread(len(durations), seconds(median), seconds(p90), seconds(longest))


def test_nothing_has_no_spread():
    assert spread([]) == Spread(0, None, None, None)


# --------------------------------------------------------------------------- of a month


def reported(when, **others):
    return incident(reported_at=utc(when), acknowledged_at=utc(when) + seconds(30), **others)


def test_an_incident_is_of_the_month_in_which_it_was_reported():
    """In London's time: the clocks are an hour ahead until 25 October."""
    told = [
        reported("2026-09-30 22:59:59"),
        reported("2026-09-30 23:00:00"),
        reported("2026-10-31 23:59:59"),
        reported("2026-11-01 00:00:00"),
    ]
    found = {month: figured(month, incidents=told) for month in ("2026-09", "2026-10", "2026-11")}
    counted = {m: f.in_hours.priorities[Priority.CRITICAL] for m, f in found.items()}
    assert counted == {"2026-09": 1, "2026-10": 2, "2026-11": 1}


def test_incidents_in_and_out_of_support_hours_are_apart():
    told = [
        reported("2026-11-23 10:00", out_of_hours=False, priority=Priority.STANDARD),
        reported("2026-11-23 20:00", out_of_hours=True),
        reported("2026-11-24 20:00", out_of_hours=True),
    ]
    written = plain(figured(incidents=told))["incidents"]
    counted = {which: promises["priorities"] for which, promises in written.items()}
    assert counted == {
        "in_hours": {"critical": 0, "standard": 1},
        "out_of_hours": {"critical": 2, "standard": 0},
    }
    assert written["out_of_hours"]["to_acknowledge"] == {"n": 2, "median": 30, "p90": 30, "max": 30}
    assert written["in_hours"]["to_recover"] == {"n": 0, "median": None, "p90": None, "max": None}
    assert list(written["in_hours"]) == [
        "priorities",
        "false_alarms",
        "response",
        "to_detect",
        "to_acknowledge",
        "to_recover",
    ]
