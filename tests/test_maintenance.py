"""Maintenance windows: what they cover, held against a minute-by-minute oracle, and what closes."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.maintenance import (
    WindowWatch,
    covering,
    covers,
    excused,
    next_change,
    occurrence,
    open_until,
)
from monitor.model import (
    CellKey,
    Evidence,
    FailureKind,
    Once,
    Outcome,
    Result,
    Weekly,
    Window,
)
from tests.estates import TENANTS, check, estate, service
from tests.hours_fixtures import LONDON, london, utc

MINUTE = timedelta(minutes=1)
CLOCKS = st.times().map(lambda each: each.replace(second=0, microsecond=0))


def once(begins, ends, name="upgrade", **scope):
    return Window(name, Once(begins, ends), **({"services": ("crm",)} | scope))


def weekly(text, zone="Europe/London", **scope):
    """A window of "sun 02:00-04:00"."""
    day, span = text.split(" ")
    begins, ends = map(time.fromisoformat, span.split("-"))
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun").index(day)
    when = Weekly(weekday, begins, ends, zone)
    return Window("weekly", when, **({"services": ("crm",)} | scope))


def cell(service="crm", check="sign-in", target="acme", vantage="london", *, of=None):
    return next(
        each for each in (of or TWO).cells() if each.key == CellKey(service, check, target, vantage)
    )


TWO = estate(
    service("crm", check(of=TENANTS), check(name="api")),
    service("web", check("web", of=TENANTS)),
)
NIGHT = once(utc("2026-11-29 22:00"), utc("2026-11-30 02:00"))


# --------------------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2026-11-29 21:59:59.999999", False),
        ("2026-11-29 22:00:00", True),
        ("2026-11-30 01:59:59.999999", True),
        ("2026-11-30 02:00:00", False),
    ],
)
def test_a_window_is_open_from_its_beginning_and_closed_from_its_end(at, inside):
    assert (open_until(NIGHT, utc(at)) is not None) is inside


def test_a_window_that_is_over_never_comes_again():
    assert occurrence(NIGHT, utc("2026-11-30 02:00")) is None


@pytest.mark.parametrize(
    ("text", "at", "span"),
    [
        ("sun 02:00-04:00", "Mon 2026-11-23 10:00", ("Sun 2026-11-29 02:00", 2.0)),
        ("sun 02:00-04:00", "Sun 2026-11-29 02:00", ("Sun 2026-11-29 02:00", 2.0)),
        ("sun 02:00-04:00", "Sun 2026-11-29 04:00", ("Sun 2026-12-06 02:00", 2.0)),
        ("sat 23:00-01:00", "Sun 2026-11-29 00:30", ("Sat 2026-11-28 23:00", 2.0)),
        ("sat 22:00-00:00", "Sat 2026-11-28 23:59", ("Sat 2026-11-28 22:00", 2.0)),
    ],
)
def test_a_weekly_window_comes_every_week_in_local_time(text, at, span):
    begins, hours = span
    found = occurrence(weekly(text), london(at))
    assert found == (london(begins), london(begins) + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("sun 00:30-03:00", ("2027-03-28 00:30", "2027-03-28 02:00")),
        ("sun 01:30-03:00", ("2027-03-28 01:00", "2027-03-28 02:00")),
        ("sun 00:30-01:30", ("2027-03-28 00:30", "2027-03-28 01:00")),
        ("sun 01:15-01:45", ("2027-04-04 00:15", "2027-04-04 00:45")),
        ("sat 23:00-01:00", ("2027-03-27 23:00", "2027-03-28 01:00")),
    ],
)
def test_when_an_hour_is_skipped_a_window_keeps_to_the_local_clock(text, span):
    found = occurrence(weekly(text), utc("2027-03-27 23:00"))
    assert found == tuple(map(utc, span))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("sun 00:30-03:00", ("2026-10-24 23:30", "2026-10-25 03:00")),
        ("sun 01:15-01:45", ("2026-10-25 00:15", "2026-10-25 01:45")),
        ("sun 01:30-02:30", ("2026-10-25 00:30", "2026-10-25 02:30")),
        ("sat 23:00-01:00", ("2026-10-24 22:00", "2026-10-25 01:00")),
    ],
)
def test_when_an_hour_comes_twice_a_window_spans_both(text, span):
    found = occurrence(weekly(text), utc("2026-10-24 22:30"))
    assert found == tuple(map(utc, span))


def minutes_inside(window, first, last):
    """By brute force: the minutes between the first and last that the local clock has in it."""
    when = window.when
    zone = ZoneInfo(when.zone)
    minutes = [first + n * MINUTE for n in range(int((last - first) / MINUTE))]
    inside = set()
    day = first.astimezone(zone).date() - timedelta(days=8)
    while day <= last.astimezone(zone).date():
        day += timedelta(days=1)
        if day.weekday() != when.weekday:
            continue
        end_day = day + timedelta(days=when.ends <= when.begins)
        begins, ends = datetime.combine(day, when.begins), datetime.combine(end_day, when.ends)
        shown = [at for at in minutes if begins <= at.astimezone(zone).replace(tzinfo=None) < ends]
        inside |= {at for at in minutes if shown and shown[0] <= at <= shown[-1]}
    return minutes, inside


CHANGES = [
    ("Europe/London", "2026-10-25 01:00"),
    ("Europe/London", "2027-03-28 01:00"),
    ("America/New_York", "2026-11-01 06:00"),
    ("Australia/Lord_Howe", "2026-10-03 15:30"),
]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@given(begins=CLOCKS, ends=CLOCKS, back=st.integers(-1, 1))
@settings(max_examples=25, deadline=None)
def test_around_a_clock_change_it_is_as_brute_force_says(zone, change, begins, ends, back):
    around = utc(change)
    weekday = (around.astimezone(ZoneInfo(zone)).date() + timedelta(days=back)).weekday()
    window = Window("w", Weekly(weekday, begins, ends, zone), ("crm",))
    first, last = around - timedelta(hours=30), around + timedelta(hours=30)
    minutes, inside = minutes_inside(window, first, last)
    edge = timedelta(hours=24)
    told = {at for at in minutes if open_until(window, at) is not None}
    near = {at for at in minutes if abs(at - around) < edge}
    assert told & near == inside & near


@given(begins=CLOCKS, ends=CLOCKS, weekday=st.integers(0, 6), hour=st.integers(0, 9000))
@settings(deadline=None)
def test_next_change_is_the_next_minute_at_which_anything_changes(begins, ends, weekday, hour):
    windows = [Window("w", Weekly(weekday, begins, ends, "Europe/London"), ("crm",)), NIGHT]
    at = utc("2026-01-01 00:00") + timedelta(hours=hour)
    change = next_change(windows, at)
    assert change > at

    def opened(when):
        return [open_until(window, when) is not None for window in windows]

    assert opened(change) != opened(change - timedelta(microseconds=1)) or ends == begins
    steps = [at + n * (change - at) / 20 for n in range(20)]
    assert all(opened(a) == opened(b) for a, b in pairwise(steps))


def test_without_windows_nothing_changes():
    assert next_change([], utc("2026-11-29 22:00")) is None
    assert next_change([NIGHT], NIGHT.when.ends) is None


# --------------------------------------------------------------------------- what


def test_a_window_covers_what_it_names_and_never_a_control():
    whole = replace(NIGHT, services=("crm", "control"))
    assert covers(whole, cell())
    assert covers(whole, cell(check="api", target="shared"))
    assert not covers(whole, cell("web"))
    assert not any(covers(whole, each) for each in TWO.cells() if each.key.service == "control")


def test_checks_and_tenants_narrow_it():
    assert covers(replace(NIGHT, checks=("sign-in",)), cell())
    assert not covers(replace(NIGHT, checks=("sign-in",)), cell(check="api", target="shared"))
    assert covers(replace(NIGHT, tenants=("acme",)), cell())
    assert not covers(replace(NIGHT, tenants=("acme",)), cell(target="bolt"))
    assert not covers(replace(NIGHT, tenants=("acme",)), cell(check="api", target="shared"))


def test_of_two_windows_the_one_that_closes_last_covers():
    longer = once(utc("2026-11-29 23:00"), utc("2026-11-30 03:00"), name="longer")
    for windows in ([NIGHT, longer], [longer, NIGHT]):
        assert covering(windows, cell(), utc("2026-11-29 22:30")) is NIGHT
        assert covering(windows, cell(), utc("2026-11-29 23:30")) is longer
        assert covering(windows, cell("web"), utc("2026-11-29 23:30")) is None


# --------------------------------------------------------------------------- what it changes


def result(outcome, failure=None):
    evidence = Evidence(message="refused", warnings=("slow name",))
    at = utc("2026-11-29 23:00")
    return Result("r", cell().key, "f", 1.0, 2.0, at, outcome, failure, evidence=evidence)


def test_a_failure_in_a_window_is_maintenance_and_keeps_what_it_saw():
    seen = excused(result(Outcome.FAIL, FailureKind.CONNECT), replace(NIGHT, reason="new database"))
    assert (seen.outcome, seen.failure) == (Outcome.MAINTENANCE, FailureKind.CONNECT)
    assert seen.evidence.message == "refused"
    assert seen.evidence.warnings == (
        "slow name",
        "sent in the maintenance window upgrade: new database",
    )


def test_being_turned_away_in_a_window_is_maintenance_too():
    assert excused(result(Outcome.BLOCKED), NIGHT).outcome is Outcome.MAINTENANCE


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.INVALID])
def test_what_did_not_fail_is_as_it_was(outcome):
    assert excused(result(outcome), NIGHT) == result(outcome)


def test_outside_a_window_a_failure_is_one():
    assert excused(result(Outcome.FAIL), None).outcome is Outcome.FAIL


# --------------------------------------------------------------------------- what closes


def watch(at, *windows):
    return WindowWatch(replace(TWO, windows=windows), utc(at))


CRM = {each.key for each in TWO.cells() if each.key.service == "crm"}


def test_a_window_closes_once():
    seen = watch("2026-11-29 21:00", NIGHT)
    told = [seen.closed(utc("2026-11-29 21:00") + n * 10 * MINUTE) for n in range(60)]
    assert [each for each in told if each] == [CRM]
    assert told[30] == CRM


def test_whoever_begins_inside_is_told_of_the_end():
    assert watch("2026-11-29 23:00", NIGHT).closed(utc("2026-11-30 02:00")) == CRM


def test_whoever_begins_after_it_or_sleeps_through_it_is_told_nothing():
    assert watch("2026-11-30 02:00", NIGHT).closed(utc("2026-11-30 03:00")) == set()
    assert watch("2026-11-29 21:00", NIGHT).closed(utc("2026-11-30 03:00")) == set()


def test_a_cell_comes_out_when_its_last_window_closes():
    next_one = once(utc("2026-11-30 02:00"), utc("2026-11-30 03:00"), "next", checks=("api",))
    seen = watch("2026-11-29 23:00", NIGHT, next_one)
    assert seen.closed(utc("2026-11-30 02:00")) == {k for k in CRM if k.check == "sign-in"}
    assert seen.closed(utc("2026-11-30 02:30")) == set()
    assert seen.closed(utc("2026-11-30 03:00")) == {k for k in CRM if k.check == "api"}


def test_a_clock_set_back_into_a_window_has_it_close_again():
    seen = watch("2026-11-29 23:00", NIGHT)
    assert seen.closed(utc("2026-11-30 02:00")) == CRM
    assert seen.closed(utc("2026-11-30 01:00")) == set()
    assert seen.closed(utc("2026-11-30 02:00")) == CRM


def test_a_clock_set_forward_past_the_end_closes_it():
    assert watch("2026-11-29 23:00", NIGHT).closed(utc("2026-11-30 12:00")) == CRM


@given(steps=st.lists(st.integers(-300, 400), min_size=1, max_size=40))
@settings(deadline=None)
def test_whatever_the_clock_does_what_comes_out_was_in_and_is_not_now(steps):
    more = once(utc("2026-11-30 01:00"), utc("2026-11-30 03:00"), "more", checks=("api",))
    at = utc("2026-11-29 21:00")
    seen = watch("2026-11-29 21:00", NIGHT, more)
    inside = set()
    for step in steps:
        at += step * MINUTE
        now = {c.key for c in TWO.cells() if covering([NIGHT, more], c, at)}
        assert seen.closed(at) == inside - now
        assert seen.next_change == next_change([NIGHT, more], at)
        inside = now


def test_a_watch_says_what_covers_a_cell():
    seen = watch("2026-11-29 23:00", NIGHT)
    assert seen.covering(cell().key, utc("2026-11-29 23:00")) is NIGHT
    assert seen.covering(cell().key, utc("2026-11-30 02:00")) is None
    assert seen.covering(cell("web").key, utc("2026-11-29 23:00")) is None


def test_local_times_of_another_zone_are_its_own():
    window = weekly("sun 02:00-04:00", zone="America/New_York")
    begins, _ = occurrence(window, london("Sat 2026-11-28 12:00"))
    assert begins == utc("2026-11-29 07:00")
    assert begins.astimezone(LONDON).hour == 7
