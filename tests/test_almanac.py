"""A year of the calendar, and how the calendar compares with an official list."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta

import pytest
from govuk_bank_holidays.bank_holidays import BankHolidays

from monitor.almanac import ENGLAND_AND_WALES, Difference, compared, parsed, told, year
from monitor.hours import DayRule, OutsideCoverage, is_open
from tests.hours_fixtures import SUPPORT, support, utc

OFFICIAL = {
    event["date"]: event["title"]
    for event in BankHolidays(use_cached_holidays=True).get_holidays(
        division=BankHolidays.ENGLAND_AND_WALES
    )
}
CHRISTMAS = date(2028, 12, 25)
BOXING_DAY = date(2028, 12, 26)
A_MONDAY = date(2028, 2, 7)


def without(*days):
    return {day: name for day, name in OFFICIAL.items() if day not in days}


def listed(*events, division=ENGLAND_AND_WALES):
    return json.dumps({division: {"division": division, "events": list(events)}}).encode()


def event(on="2028-12-25", title="Christmas Day"):
    return {"title": title, "date": on, "notes": "", "bunting": True}


# --------------------------------------------------------------------------- a year


def test_a_year_has_every_date_the_calendar_names_in_order():
    calendar = support(
        extra_closed={date(2028, 2, 7): "day of mourning", date(2028, 2, 12): "move"},
        extra_open={CHRISTMAS: (time(9), time(13)), date(2028, 2, 13): (time(10), time(11))},
    )
    found = {special.day.date: special for special in year(calendar, 2028).specials}
    assert list(found) == sorted(found)
    assert set(found) == {day for day in OFFICIAL if day.year == 2028} | {
        date(2028, 1, 1),
        *calendar.extra_closed,
        *calendar.extra_open,
    }
    christmas = found[CHRISTMAS]
    assert (christmas.day.rule, christmas.bank_holiday) == (DayRule.EXTRA_OPEN, "Christmas Day")
    assert christmas.day.hours == (time(9), time(13))
    mourning = found[date(2028, 2, 7)].day
    assert (mourning.rule, mourning.name) == (DayRule.EXTRA_CLOSED, "day of mourning")
    assert mourning.hours is None
    assert found[date(2028, 1, 1)].day.rule is DayRule.WEEKLY


@pytest.mark.parametrize("number", [2026, 2028])
def test_the_hours_of_a_year_are_those_of_its_half_hours(number):
    half = timedelta(minutes=30)
    at, end = utc(f"{number}-01-01 00:00"), utc(f"{number + 1}-01-01 00:00")
    opened = 0
    while at < end:
        opened += is_open(SUPPORT, at)
        at += half
    assert year(SUPPORT, number).open_seconds == opened * half.total_seconds()


def test_the_last_year_that_is_covered_can_be_laid_out_whole():
    assert year(SUPPORT, SUPPORT.last_year).open_seconds > 2000 * 3600


@pytest.mark.parametrize("number", [-1, 0, 2011, 2031, 10**9])
def test_a_year_outside_of_what_is_covered_is_refused(number):
    with pytest.raises(OutsideCoverage, match="known for 2012 to 2030"):
        year(SUPPORT, number)


def test_the_clocks_change_twice_a_year():
    forward, back = year(SUPPORT, 2026).changes
    assert (forward.at, back.at) == (utc("2026-03-29 01:00"), utc("2026-10-25 01:00"))
    shown = [f"{c.before:%H:%M %Z} {c.after:%H:%M %Z}" for c in (forward, back)]
    assert shown == ["01:00 GMT 02:00 BST", "02:00 BST 01:00 GMT"]


def test_a_zone_whose_clocks_stand_has_no_change():
    assert year(support(zone="Etc/UTC"), 2026).changes == ()


def test_a_change_at_the_end_of_a_local_day_is_found():
    (forward, back) = year(support(zone="America/Asuncion"), 2022).changes[::-1]
    assert f"{forward.before:%H:%M}" == f"{back.before:%H:%M}" == "00:00"


# --------------------------------------------------------------------------- compared


def test_the_calendar_is_as_the_official_list_has_it():
    found = compared(SUPPORT, OFFICIAL)
    assert (found.first_year, found.last_year) == (2012, 2028)
    assert found.differences == ()


def test_a_holiday_that_is_proclaimed_is_a_difference_until_it_is_configured():
    proclaimed = OFFICIAL | {A_MONDAY: "Coronation"}
    (difference,) = compared(SUPPORT, proclaimed).differences
    assert difference == Difference(A_MONDAY, "", "Coronation")
    assert told(difference) == (
        "Mon 7 Feb 2028: official is Coronation, the calendar has no holiday"
    )
    mended = support(extra_closed={A_MONDAY: "coronation"})
    assert compared(mended, proclaimed).differences == ()


def test_a_holiday_that_the_official_list_has_not_is_a_difference():
    (difference,) = compared(SUPPORT, without(BOXING_DAY)).differences
    assert difference == Difference(BOXING_DAY, "Boxing Day", "")
    assert told(difference) == (
        "Tue 26 Dec 2028: the calendar has Boxing Day, officially it is no holiday"
    )


def test_a_moved_holiday_is_two_differences_in_the_order_of_dates():
    moved = without(BOXING_DAY) | {date(2028, 12, 27): "Boxing Day"}
    found = compared(SUPPORT, moved).differences
    assert [each.date for each in found] == [BOXING_DAY, date(2028, 12, 27)]


@pytest.mark.parametrize(
    "own",
    [
        {"extra_closed": {A_MONDAY: "closed"}},
        {"extra_open": {A_MONDAY: (time(9), time(10))}},
        {"extra_closed": {date(2028, 2, 8): "our own day"}},
        {"extra_open": {CHRISTMAS: (time(9), time(10))}},
    ],
)
def test_an_operators_own_date_is_no_difference(own):
    extra = {A_MONDAY: "Coronation"} if A_MONDAY in next(iter(own.values())) else {}
    assert compared(support(**own), OFFICIAL | extra).differences == ()


def test_a_day_that_is_closed_every_week_is_no_difference_and_an_open_weekend_is():
    on = date(2028, 2, 5)
    proclaimed = OFFICIAL | {on: "Coronation"}
    assert compared(SUPPORT, proclaimed).differences == ()
    daily = support(weekly=(SUPPORT.weekly[0],) * 7)
    assert on in {each.date for each in compared(daily, proclaimed).differences}


def test_only_years_that_both_know_are_compared():
    some = {day: name for day, name in OFFICIAL.items() if day.year in (2027, 2028)}
    found = compared(SUPPORT, some)
    assert (found.first_year, found.last_year, found.differences) == (2027, 2028, ())


def test_a_list_of_other_years_cannot_be_compared():
    with pytest.raises(ValueError, match="it knows 1999 to 1999, the calendar 2012 to 2030"):
        compared(SUPPORT, {date(1999, 12, 27): "Christmas Day"})


# --------------------------------------------------------------------------- a list read


def test_the_dates_of_one_division_are_read():
    content = json.dumps(
        {
            "scotland": {"division": "scotland", "events": [event("2028-01-04", "2nd January")]},
            "england-and-wales": {"division": "england-and-wales", "events": [event()]},
        }
    ).encode()
    assert parsed(content, ENGLAND_AND_WALES) == {CHRISTMAS: "Christmas Day"}
    assert parsed(content, "scotland") == {date(2028, 1, 4): "2nd January"}


def test_a_name_is_made_one_short_printable_line():
    (name,) = parsed(listed(event(title="Chris\nt\x1bmas" + "s" * 500)), ENGLAND_AND_WALES).values()
    assert name.startswith("Chris t mas")
    assert len(name) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is no JSON"),
        (b"\xff\xfe", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "no JSON object of divisions"),
        (b"{}", "no division england-and-wales; there are: none"),
        (listed(event(), division="wales\n"), "no division england-and-wales; there are: wales$"),
        (b'{"england-and-wales": []}', "no `events`"),
        (b'{"england-and-wales": {"events": {}}}', "no `events`"),
        (listed(), "no `events` of 1 to 5000 dates"),
        (listed(*[event()] * 5001), "no `events` of 1 to 5000 dates"),
        (listed(event(), "x"), "event 2 is no JSON object"),
        (listed({"date": "2028-12-25"}), "event 1 has no title"),
        (listed(event(title=" \n")), "event 1 has no title"),
        (listed({"title": "Easter"}), r"event 1 \(Easter\) has no date such as"),
        (listed(event("2028-02-30")), "has no date such as 2027-12-27"),
        (listed(event("2028-W52-1")), "has no date such as 2027-12-27"),
        (listed(event(20281225)), "has no date such as 2027-12-27"),
    ],
)
def test_a_list_that_is_none_is_refused_with_what_is_wrong(content, message):
    with pytest.raises(ValueError, match=message):
        parsed(content, ENGLAND_AND_WALES)


def test_the_fixture_list_is_the_whole_official_one():
    assert (min(OFFICIAL).year, max(OFFICIAL).year) == (2012, 2028)
    assert datetime(2028, 12, 25, tzinfo=UTC).date() in OFFICIAL
