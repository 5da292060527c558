"""Support hours, held against official dates, a minute-by-minute oracle, and what always holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from govuk_bank_holidays.bank_holidays import BankHolidays
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.hours import (
    DayRule,
    OutsideCoverage,
    add,
    between,
    closed_reason,
    day,
    day_of,
    is_open,
    next_closing,
    next_opening,
    occasion,
)
from monitor.model import ClosedReason
from tests.hours_fixtures import LONDON, SUPPORT, london, support, utc

MINUTE = timedelta(minutes=1)


# --------------------------------------------------------------------------- open or closed, why


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("Mon 2026-11-23 08:29:59.999999", ClosedReason.OUTSIDE_HOURS),
        ("Mon 2026-11-23 08:30:00", None),
        ("Mon 2026-11-23 16:59:59.999999", None),
        ("Mon 2026-11-23 17:00:00", ClosedReason.OUTSIDE_HOURS),
        ("Thu 2026-11-26 16:59:59", None),
        ("Fri 2026-11-27 16:29:59", None),
        ("Fri 2026-11-27 16:30:00", ClosedReason.OUTSIDE_HOURS),
        ("Sat 2026-11-28 12:00", ClosedReason.WEEKEND),
        ("Sun 2026-11-29 12:00", ClosedReason.WEEKEND),
        ("Mon 2026-04-06 11:00", ClosedReason.BANK_HOLIDAY),
        ("Mon 2026-08-31 11:00", ClosedReason.BANK_HOLIDAY),
        ("Mon 2026-12-28 11:00", ClosedReason.BANK_HOLIDAY),
        ("Fri 2026-12-25 03:00", ClosedReason.BANK_HOLIDAY),
        ("Sat 2026-12-26 11:00", ClosedReason.WEEKEND),
    ],
)
def test_why_support_is_closed(when, reason):
    assert closed_reason(SUPPORT, london(when)) is reason
    assert is_open(SUPPORT, london(when)) is (reason is None)


def test_a_holiday_is_named_all_day_and_a_working_day_is_not():
    assert occasion(SUPPORT, london("Fri 2026-12-25 03:00")) == "Christmas Day"
    assert occasion(SUPPORT, london("Mon 2026-11-23 03:00")) == ""
    assert occasion(SUPPORT, london("Sat 2026-11-28 03:00")) == ""


def test_a_proclaimed_holiday_closes_a_working_day_and_gives_its_name():
    calendar = support(extra_closed={date(2026, 11, 23): "Day of mourning"})
    assert closed_reason(calendar, london("Mon 2026-11-23 10:00")) is ClosedReason.EXTRA_CLOSED
    assert occasion(calendar, london("Mon 2026-11-23 10:00")) == "Day of mourning"


def test_extra_hours_open_a_weekend_and_a_holiday_and_replace_ordinary_ones():
    hours = (time(9), time(13))
    days = (date(2026, 11, 22), date(2026, 12, 25), date(2026, 11, 23))
    calendar = support(extra_open=dict.fromkeys(days, hours))
    for when in ("Sun 2026-11-22 09:00", "Fri 2026-12-25 12:59", "Mon 2026-11-23 12:59"):
        assert closed_reason(calendar, london(when)) is None
        assert occasion(calendar, london(when)) == ""
    for when in ("Sun 2026-11-22 13:00", "Fri 2026-12-25 08:59", "Mon 2026-11-23 14:00"):
        assert closed_reason(calendar, london(when)) is ClosedReason.OUTSIDE_HOURS


def test_the_same_instant_in_another_zone_gets_the_same_answers():
    at = london("Mon 2026-07-20 09:00")
    abroad = at.astimezone(LONDON)
    assert closed_reason(SUPPORT, abroad) is closed_reason(SUPPORT, at) is None
    assert add(SUPPORT, abroad, 60) == at + MINUTE
    assert add(SUPPORT, abroad, 60).tzinfo is UTC
    assert add(SUPPORT, abroad, 0).tzinfo is UTC
    assert next_opening(SUPPORT, abroad).tzinfo is UTC


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("ask", [is_open, next_opening, next_closing, occasion])
def test_a_naive_instant_is_refused(ask):
    with pytest.raises(ValueError, match="naive"):
        ask(SUPPORT, datetime(2026, 11, 23, 10, 0))  # noqa: DTZ001 - naive is the point


@pytest.mark.parametrize("when", ["2011-12-31 12:00", "2031-01-01 00:00"])
def test_a_year_without_known_holidays_is_an_error_not_a_working_day(when):
    with pytest.raises(OutsideCoverage, match="known for 2012 to 2030"):
        is_open(SUPPORT, utc(when))


def test_coverage_is_by_local_year():
    calendar = support(zone="America/New_York")
    assert not is_open(calendar, utc("2031-01-01 04:59"))
    with pytest.raises(OutsideCoverage):
        is_open(calendar, utc("2031-01-01 05:00"))


def test_looking_past_the_last_known_year_is_an_error():
    evening = london("Tue 2030-12-31 18:00")
    for ask in (next_opening, next_closing):
        with pytest.raises(OutsideCoverage):
            ask(SUPPORT, evening)
    with pytest.raises(OutsideCoverage):
        add(SUPPORT, evening, 1)
    with pytest.raises(OutsideCoverage):
        between(SUPPORT, evening, evening + timedelta(days=1))


def test_negative_support_time_is_refused():
    with pytest.raises(ValueError, match="-1"):
        add(SUPPORT, london("Mon 2026-11-23 10:00"), -1)


def test_a_calendar_that_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match="7 days, not 6"):
        support(weekly=SUPPORT.weekly[:6])
    with pytest.raises(ValueError, match="opens at 17:00:00 but closes at 08:30:00"):
        support(weekly=((time(17), time(8, 30)), *SUPPORT.weekly[1:]))
    with pytest.raises(ValueError, match="opens at 09:00:00 but closes at 09:00:00"):
        support(extra_open={date(2026, 11, 22): (time(9), time(9))})
    day = date(2026, 11, 23)
    with pytest.raises(ValueError, match="2026-11-23 is both"):
        support(extra_open={day: (time(9), time(13))}, extra_closed={day: "closed"})


# --------------------------------------------------------------------------- edges


@pytest.mark.parametrize(
    ("when", "opening"),
    [
        ("Mon 2026-11-23 08:29:59", "Mon 2026-11-23 08:30"),
        ("Mon 2026-11-23 08:30", "Tue 2026-11-24 08:30"),
        ("Mon 2026-11-23 12:00", "Tue 2026-11-24 08:30"),
        ("Fri 2026-11-27 16:30", "Mon 2026-11-30 08:30"),
        ("Thu 2026-04-02 17:00", "Tue 2026-04-07 08:30"),
        ("Mon 2026-04-06 11:00", "Tue 2026-04-07 08:30"),
        ("Thu 2026-12-24 17:00", "Tue 2026-12-29 08:30"),
        ("Sat 2026-03-28 12:00", "Mon 2026-03-30 08:30"),
        ("Sat 2026-10-24 12:00", "Mon 2026-10-26 08:30"),
    ],
)
def test_next_opening(when, opening):
    assert next_opening(SUPPORT, london(when)) == london(opening)


@pytest.mark.parametrize(
    ("when", "closing"),
    [
        ("Mon 2026-11-23 08:00", "Mon 2026-11-23 17:00"),
        ("Mon 2026-11-23 16:59:59", "Mon 2026-11-23 17:00"),
        ("Mon 2026-11-23 17:00", "Tue 2026-11-24 17:00"),
        ("Fri 2026-11-27 10:00", "Fri 2026-11-27 16:30"),
        ("Fri 2026-11-27 16:30", "Mon 2026-11-30 17:00"),
        ("Thu 2026-04-02 17:00", "Tue 2026-04-07 17:00"),
    ],
)
def test_next_closing(when, closing):
    assert next_closing(SUPPORT, london(when)) == london(closing)


def test_support_time_runs_only_while_open():
    friday = london("Fri 2026-11-27 16:00")
    assert add(SUPPORT, friday, 1800) == london("Fri 2026-11-27 16:30")
    assert add(SUPPORT, friday, 1801) == london("Mon 2026-11-30 08:30:01")
    assert between(SUPPORT, friday, london("Mon 2026-11-30 09:00")) == 3600.0
    assert between(SUPPORT, london("Mon 2026-11-30 09:00"), friday) == -3600.0


def test_a_span_across_the_clock_change_has_its_true_length():
    nights = support(weekly=((time(0), time(6)),) * 7)
    spring, autumn = utc("2026-03-29 00:00"), utc("2026-10-24 23:00")
    assert between(nights, spring, spring + timedelta(hours=12)) == 5 * 3600
    assert between(nights, autumn, autumn + timedelta(hours=12)) == 7 * 3600


def test_hours_that_the_clocks_skip_do_not_open_that_day():
    small_hours = support(weekly=((time(1, 30), time(2, 15)),) * 7)
    assert next_opening(small_hours, utc("2026-03-28 12:00")) == utc("2026-03-30 00:30")
    assert closed_reason(small_hours, utc("2026-03-29 01:10")) is ClosedReason.OUTSIDE_HOURS


# --------------------------------------------------------------------------- official dates


def test_the_official_list_and_ours_agree_on_every_weekday_from_2012_to_2028():
    official = BankHolidays(use_cached_holidays=True)
    listed = {e["date"] for e in official.get_holidays(division=BankHolidays.ENGLAND_AND_WALES)}
    assert (min(listed).year, max(listed).year) == (2012, 2028)
    day = date(2012, 1, 1)
    while day.year < 2029:
        if day.weekday() < 5:
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=LONDON).astimezone(UTC)
            expected = ClosedReason.BANK_HOLIDAY if day in listed else None
            assert closed_reason(SUPPORT, noon) is expected, day
        day += timedelta(days=1)


# --------------------------------------------------------------------------- minute by minute

# The oracle knows the rule only as wall-clock arithmetic on minutes of the day and the official
# dates, and finds edges by walking; it shares nothing with the module but its answers.
OFFICIAL = {
    e["date"]
    for e in BankHolidays(use_cached_holidays=True).get_holidays(
        division=BankHolidays.ENGLAND_AND_WALES
    )
}
STRETCHES = {
    "clocks go forward": ("2026-03-27 00:00", "2026-03-31 00:00"),
    "clocks go back": ("2026-10-23 00:00", "2026-10-27 00:00"),
    "Easter": ("2026-04-02 00:00", "2026-04-08 00:00"),
    "Christmas with a substitute day": ("2026-12-24 00:00", "2026-12-30 00:00"),
    "year end": ("2027-12-30 00:00", "2028-01-05 00:00"),
    "two substitute days": ("2022-12-23 00:00", "2022-12-29 00:00"),
    "New Year on a Saturday": ("2021-12-31 00:00", "2022-01-06 00:00"),
    "Easter on the day the clocks go forward": ("2024-03-28 00:00", "2024-04-04 00:00"),
    "a holiday moved for a jubilee": ("2022-06-01 00:00", "2022-06-07 00:00"),
    "a holiday moved to a Friday": ("2020-05-06 00:00", "2020-05-12 00:00"),
}


def oracle_open(at):
    local = at.astimezone(LONDON)
    if local.date() in OFFICIAL or local.isoweekday() > 5:
        return False
    minute = local.hour * 60 + local.minute
    return 510 <= minute < (990 if local.isoweekday() == 5 else 1020)


def held_against_every_minute(calendar, minutes, told):
    """Every question of a calendar, held against what each minute of a stretch is told to be."""
    assert [is_open(calendar, at) for at in minutes] == told
    edges = [
        (at, now) for (_, was), (at, now) in pairwise(zip(minutes, told, strict=True)) if was != now
    ]
    openings = [at for at, opened in edges if opened]
    closings = [at for at, opened in edges if not opened]
    for at in minutes[: minutes.index(openings[-1])]:
        assert next_opening(calendar, at) == next(edge for edge in openings if edge > at)
    for at in minutes[: minutes.index(closings[-1])]:
        assert next_closing(calendar, at) == next(edge for edge in closings if edge > at)
    sums_from_every_start(calendar, minutes, told)


def sums_from_every_start(calendar, minutes, told):
    """`between` and `add` from starts all over a stretch, against counted minutes."""
    end = minutes[-1] + MINUTE
    for start in range(0, len(minutes), 487):
        a, passed = minutes[start], 0
        for at, opened in zip(minutes[start:], told[start:], strict=True):
            passed += 60 * opened
            if opened and (start == 0 or passed % 420 == 0):
                assert add(calendar, a, passed) == at + MINUTE
        assert between(calendar, a, end) == passed
        assert between(calendar, end, a) == -passed
        for stop in range(start, len(minutes), 103):
            assert between(calendar, a, minutes[stop]) == 60 * sum(told[start:stop])


@pytest.mark.parametrize("stretch", STRETCHES.values(), ids=STRETCHES)
def test_every_minute_agrees_with_the_oracle(stretch):
    begin, end = map(utc, stretch)
    minutes = [begin + k * MINUTE for k in range((end - begin) // MINUTE)]
    held_against_every_minute(SUPPORT, minutes, [oracle_open(at) for at in minutes])


# Support of the policy sleeps when clocks change. These hours do not: each end is found by walking
# to the first minute at which London's clocks read it, or on a day that skips it by counting on
# from midnight, as the clock before the change would.
CHANGES = {"forward": "2026-03-29", "back": "2026-10-25"}
SMALL_HOURS = [
    ("00:30", "01:30"),
    ("01:00", "02:00"),
    ("01:15", "01:45"),
    ("01:30", "02:30"),
    ("01:30", "02:15"),
    ("02:00", "03:00"),
    ("00:00", "23:59"),
]


def walked_to(day, clock):
    """The first instant of a local day at which the clocks read so, or would have."""
    midnight = datetime.fromisoformat(f"{day} 00:00").replace(tzinfo=LONDON).astimezone(UTC)
    wanted = time.fromisoformat(clock)
    for minute in range(25 * 60):
        local = (midnight + minute * MINUTE).astimezone(LONDON)
        if (local.date(), local.time()) == (day, wanted):
            return midnight + minute * MINUTE
    return midnight + timedelta(hours=wanted.hour, minutes=wanted.minute)


@pytest.mark.parametrize("hours", SMALL_HOURS, ids="-".join)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_hours_in_the_night_the_clocks_change_agree_with_walking_through_it(change, hours):
    middle = date.fromisoformat(change)
    days = [middle + timedelta(days=n) for n in (-1, 0, 1, 2)]
    spans = [tuple(walked_to(day, clock) for clock in hours) for day in days]
    nights = support(weekly=(tuple(map(time.fromisoformat, hours)),) * 7)
    begin, end = walked_to(days[0], "00:00"), walked_to(days[-1], "23:59") + MINUTE
    minutes = [begin + k * MINUTE for k in range((end - begin) // MINUTE)]
    told = [any(opens <= at < closes for opens, closes in spans) for at in minutes]
    held_against_every_minute(nights, minutes, told)


# --------------------------------------------------------------------------- what always holds

instants = st.timedeltas(timedelta(), timedelta(days=5400)).map(
    lambda since: utc("2014-01-01 00:00") + since
)
spells = st.floats(0, 30 * 86400).map(lambda seconds: round(seconds, 6))


@given(instants, spells)
def test_between_undoes_add(at, seconds):
    assert between(SUPPORT, at, add(SUPPORT, at, seconds)) == pytest.approx(seconds, abs=1e-6)


@given(instants, spells)
def test_add_finds_the_earliest_such_instant(at, seconds):
    end = add(SUPPORT, at, seconds)
    assert end >= at
    if end > at:
        before = end - timedelta(microseconds=1)
        assert between(SUPPORT, at, before) < between(SUPPORT, at, end)


@given(instants, spells, spells)
def test_more_support_time_never_ends_sooner(at, some, more):
    assert add(SUPPORT, at, some) <= add(SUPPORT, at, some + more)


@given(instants, spells, spells)
def test_time_adds_up_over_a_stop_in_between(a, first, second):
    b = a + timedelta(seconds=first)
    c = b + timedelta(seconds=second)
    parts = between(SUPPORT, a, b) + between(SUPPORT, b, c)
    assert between(SUPPORT, a, c) == pytest.approx(parts, abs=1e-6)
    assert 0 <= parts <= (c - a).total_seconds() + 1e-6


@given(instants)
def test_an_edge_is_where_open_and_closed_meet(at):
    opening, closing = next_opening(SUPPORT, at), next_closing(SUPPORT, at)
    tick = timedelta(microseconds=1)
    assert (is_open(SUPPORT, opening - tick), is_open(SUPPORT, opening)) == (False, True)
    assert (is_open(SUPPORT, closing - tick), is_open(SUPPORT, closing)) == (True, False)
    assert (closing < opening) is is_open(SUPPORT, at)


@given(instants, spells)
def test_going_back_over_what_was_counted_gives_the_same_with_the_other_sign(at, seconds):
    later = at + timedelta(seconds=seconds)
    assert between(SUPPORT, later, at) == -between(SUPPORT, at, later)
    assert between(SUPPORT, at, at) == 0.0


@given(instants, spells, spells)
def test_adding_twice_is_adding_the_sum(at, first, second):
    assume(second > 0)
    twice = add(SUPPORT, add(SUPPORT, at, first), second)
    assert abs(twice - add(SUPPORT, at, first + second)) <= timedelta(microseconds=2)


@given(instants, spells, spells)
def test_who_starts_later_is_never_done_sooner(at, wait, seconds):
    later = at + timedelta(seconds=wait)
    assert add(SUPPORT, at, seconds) <= add(SUPPORT, later, seconds)
    assert next_opening(SUPPORT, at) <= next_opening(SUPPORT, later)
    assert next_closing(SUPPORT, at) <= next_closing(SUPPORT, later)


@given(instants)
def test_an_instant_is_open_exactly_where_support_time_runs(at):
    tick = timedelta(microseconds=1)
    assert (between(SUPPORT, at, at + tick) > 0) is is_open(SUPPORT, at)


@given(instants)
def test_the_day_of_an_instant_says_what_the_instant_is(at):
    found = day_of(SUPPORT, at)
    assert found == day(SUPPORT, at.astimezone(LONDON).date())
    inside = found.span is not None and found.span[0] <= at < found.span[1]
    assert inside is is_open(SUPPORT, at)
    assert (found.name == "") is (found.rule is DayRule.WEEKLY)
    assert occasion(SUPPORT, at) == found.name
