"""The figures of a month: what counts as what, to the second."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import time, timedelta

import pytest

from monitor.figures import month_named, plain, reach_of, sha256_of
from monitor.figures.availability import STALE_AFTER
from monitor.model import (
    Impact,
    IncidentState,
    Interval,
    Need,
    Unobserved,
    UnobservedReason,
    VerdictReason,
    Weekly,
    Window,
)
from tests.estates import check, estate, service
from tests.figures_fixtures import ESTATE, ZONE, blind, figured, gap, of_crm, outage, window
from tests.hours_fixtures import london, utc
from tests.store_fixtures import incident

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOVEMBER = 30 * DAY


def at(text):
    """An instant of November 2026, in UTC: "23 10:00"."""
    return utc(f"2026-11-{text}")


# --------------------------------------------------------------------------- months


@pytest.mark.parametrize(
    ("month", "since", "until", "hours"),
    [
        ("2026-11", "2026-11-01 00:00", "2026-12-01 00:00", 720),
        ("2026-03", "2026-03-01 00:00", "2026-03-31 23:00", 743),
        ("2026-07", "2026-06-30 23:00", "2026-07-31 23:00", 744),
        ("2026-10", "2026-09-30 23:00", "2026-11-01 00:00", 745),
        ("2024-02", "2024-02-01 00:00", "2024-03-01 00:00", 696),
        ("2026-12", "2026-12-01 00:00", "2027-01-01 00:00", 744),
    ],
)
def test_a_month_lies_between_two_midnights_of_its_zone(month, since, until, hours):
    assert month_named(month).bounds(ZONE) == (utc(since), utc(until))
    found = figured(month).services[0]
    assert (found.total, found.uptime(), found.coverage()) == (hours * HOUR, 100_000, 100_000)


def test_a_midnight_that_the_clocks_skip_is_the_moment_of_the_change():
    """In Amman the clocks went from midnight to one o'clock on 1 April 2016."""
    begins, _ = month_named("2016-04").bounds("Asia/Amman")
    assert begins == utc("2016-03-31 22:00")


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-1"])
def test_what_is_no_month_is_refused_with_how_to_write_one(text):
    with pytest.raises(ValueError, match="write the year and the month, as 2026-11"):
        month_named(text)


@pytest.mark.parametrize("text", ["0001-01", "1969-12", "9999-12"])
def test_a_month_out_of_reach_is_refused(text):
    with pytest.raises(ValueError, match="ask for a year 1970 to 9998"):
        month_named(text)


def test_a_month_that_has_not_begun_is_refused():
    with pytest.raises(ValueError, match="2026-11 has not begun: ask for a month that has"):
        reach_of(month_named("2026-11"), ZONE, at("01 00:00"))


def test_the_running_month_reaches_until_now():
    now = at("11 00:00")
    figures = figured(now=now, outages=(outage(at("10 23:00")),))
    assert (figures.running, figures.final) == (True, False)
    assert figures.span == (at("01 00:00"), now)
    crm = figures.services[0]
    assert (crm.total, crm.down) == (10 * DAY, HOUR)


# --------------------------------------------------------------------------- down


def test_an_outage_runs_from_the_first_bad_until_the_first_pass_of_its_recovery():
    crm = of_crm(outage(at("23 10:00"), at("23 10:42")))
    assert crm.down == crm.down_everyone == timedelta(minutes=42)
    assert crm.counted == NOVEMBER
    assert crm.uptime() == 99_902  # 2,589,480 of 2,592,000 seconds are 99.90277... %


def test_the_widest_outage_runs_from_the_last_known_good():
    began = Interval(at("23 09:59:30"), at("23 10:00"))
    crm = of_crm(outage(at("23 10:00"), at("23 10:01"), began=began))
    assert crm.down == timedelta(seconds=60)
    assert crm.down_at_most == timedelta(seconds=90)


def test_an_outage_that_was_closed_without_recovery_runs_until_then():
    assert of_crm(outage(at("23 10:00"), closed_at=at("23 11:00"))).down == HOUR


def test_an_open_outage_runs_until_now():
    assert of_crm(outage(at("23 10:00")), now=at("24 10:00")).down == DAY


def test_one_second_down_is_never_rounded_away():
    assert of_crm(outage(at("23 10:00"), at("23 10:00:01"))).uptime() == 99_999
    assert of_crm(outage(at("23 10:00"), at("23 10:00:00.000001"))).uptime() == 99_999


def test_an_outage_for_some_is_down_but_not_for_everyone():
    some = outage(at("23 10:00"), at("23 12:00"), Impact.SOME)
    crm = of_crm(some, outage(at("23 11:00"), at("23 11:30")))
    assert (crm.down, crm.down_everyone) == (2 * HOUR, HOUR / 2)


def test_all_of_one_tenant_or_of_an_excluded_deployment_is_not_everyone():
    units = ("crm/sign-in/acme", "crm/sign-in/version_6")
    for unit in units:
        crm = of_crm(outage(at("23 10:00"), at("23 11:00"), unit=unit))
        assert (crm.down, crm.down_everyone) == (HOUR, timedelta())


def test_what_degrades_a_service_does_not_count():
    slow = outage(at("23 10:00"), at("23 11:00"), Impact.SOME, check="speed")
    locked_out = outage(at("23 10:00"), at("23 11:00"), Impact.UNKNOWN, check="speed")
    crm = of_crm(slow, locked_out)
    assert (crm.down, crm.unobserved) == (timedelta(), timedelta())


def test_a_check_that_is_gone_counts_as_blocking_unless_its_outage_says_otherwise():
    gone = outage(at("23 10:00"), at("23 11:00"), check="old")
    degraded = outage(at("23 11:00"), at("23 12:00"), check="older", reason=VerdictReason.DEGRADED)
    crm = of_crm(gone, degraded)
    assert crm.down == HOUR
    assert crm.remarks == ("crm/old is no longer configured: its outages count as blocking.",)


def test_two_outages_at_once_are_down_once():
    crm = of_crm(
        outage(at("23 10:00"), at("23 11:00")),
        outage(at("23 10:30"), at("23 11:30")),
        outage(at("23 10:10"), at("23 10:20")),
    )
    assert crm.down == HOUR * 1.5


def test_an_outage_across_the_end_of_a_month_is_in_both():
    across = outage(utc("2026-10-31 22:00"), at("01 03:00"))
    assert of_crm(across, month="2026-10").down == 2 * HOUR
    assert of_crm(across, month="2026-11").down == 3 * HOUR
    assert of_crm(across, month="2026-12").down == timedelta()


@pytest.mark.parametrize("since", ["Sun 2026-10-25 00:30", "Sun 2026-03-29 00:30"])
def test_an_outage_over_a_change_of_the_clocks_has_its_true_length(since):
    begins = london(since)
    month = f"{begins:%Y-%m}"
    assert of_crm(outage(begins, begins + 2 * HOUR), month=month).down == 2 * HOUR


def test_an_outage_of_another_service_is_not_ones_own():
    crm, web = figured(outages=(outage(at("23 10:00"), at("23 11:00"), service="web"),)).services
    assert (crm.down, web.down) == (timedelta(), HOUR)


def test_outages_of_a_service_that_is_gone_are_remarked_on():
    figures = figured(outages=(outage(at("23 10:00"), at("23 11:00"), service="mail"),))
    assert figures.remarks == ("mail had outages and is no longer configured: not listed.",)


# --------------------------------------------------------------------------- maintenance


def test_announced_maintenance_is_taken_off_and_nothing_in_it_is_down():
    windows = (window(at("23 10:00"), at("23 12:00")),)
    failing = outage(at("23 11:00"), at("23 13:00"))
    crm = of_crm(failing, estate=replace(ESTATE, windows=windows))
    assert (crm.maintenance, crm.down, crm.counted) == (2 * HOUR, HOUR, NOVEMBER - 2 * HOUR)


def test_windows_that_overlap_count_once():
    windows = (
        window(at("23 10:00"), at("23 12:00")),
        window(at("23 11:00"), at("23 13:00"), "more"),
        window(at("23 12:30"), at("23 12:40"), "other", services=("web",)),
    )
    figures = figured(estate=replace(ESTATE, windows=windows))
    assert [each.maintenance for each in figures.services] == [3 * HOUR, timedelta(minutes=10)]


def test_a_weekly_window_counts_each_time_it_is_open_in_the_month():
    """On the night of 25 October half past midnight to half past two lasts three hours."""
    weekly = Window("nightly", Weekly(6, time(0, 30), time(2, 30), ZONE), ("crm",))
    crm = of_crm(month="2026-10", estate=replace(ESTATE, windows=(weekly,)))
    assert crm.maintenance == (2 + 2 + 2 + 3) * HOUR


def test_a_window_across_the_end_of_a_month_is_cut_there():
    windows = (window(at("30 22:00"), utc("2026-12-01 04:00")),)
    maintained = replace(ESTATE, windows=windows)
    assert of_crm(estate=maintained).maintenance == 2 * HOUR
    assert of_crm(estate=maintained, month="2026-12").maintenance == 4 * HOUR


def test_the_running_month_has_only_the_maintenance_that_has_been():
    windows = (window(at("23 10:00"), at("23 12:00")), window(at("24 10:00"), at("24 12:00")))
    crm = of_crm(estate=replace(ESTATE, windows=windows), now=at("23 11:00"))
    assert crm.maintenance == HOUR


@pytest.mark.parametrize(
    ("scope", "whole"),
    [
        ({}, True),
        ({"checks": ("sign-in",)}, True),
        ({"checks": ("sign-in", "speed")}, True),
        ({"checks": ("speed",)}, False),
        ({"tenants": ("acme",)}, False),
    ],
)
def test_a_window_counts_when_it_covers_all_that_users_need(scope, whole):
    windows = (window(at("23 10:00"), at("23 12:00"), **scope),)
    crm = of_crm(estate=replace(ESTATE, windows=windows))
    assert crm.maintenance == (2 * HOUR if whole else timedelta())
    said = (
        "The window upgrade covers only a part of crm: its 7200 s are not counted as maintenance."
    )
    assert crm.remarks == (() if whole else (said,))


def test_a_window_of_the_checks_of_a_service_without_a_blocking_one_is_not_the_whole():
    only = service("crm", check("crm", "speed", need=Need.DEGRADING))
    windows = (window(at("23 10:00"), at("23 12:00"), checks=("speed",)),)
    crm = of_crm(estate=replace(estate(only), windows=windows))
    assert crm.maintenance == timedelta()


def test_a_window_of_some_of_the_blocking_checks_is_not_the_whole():
    two = service("crm", check("crm"), check("crm", "api"))
    windows = (window(at("23 10:00"), at("23 12:00"), checks=("api",)),)
    assert of_crm(estate=replace(estate(two), windows=windows)).maintenance == timedelta()


def test_a_narrow_window_of_another_month_is_not_remarked_on():
    windows = (window(utc("2026-12-02 10:00"), utc("2026-12-02 12:00"), tenants=("acme",)),)
    assert of_crm(estate=replace(ESTATE, windows=windows)).remarks == ()


# --------------------------------------------------------------------------- unobserved


def test_a_gap_is_neither_up_nor_down():
    crm = of_crm(
        outage(at("23 10:00"), at("23 13:00")), gaps=(gap(at("23 11:00"), at("23 12:00")),)
    )
    assert (crm.unobserved, crm.down, crm.counted) == (HOUR, 2 * HOUR, NOVEMBER - HOUR)
    assert crm.coverage() == 99_861


@pytest.mark.parametrize("why", UnobservedReason)
def test_every_reason_of_a_gap_is_unobserved(why):
    assert of_crm(gaps=(gap(at("23 11:00"), at("23 12:00"), why),)).unobserved == HOUR


def test_while_the_monitor_is_blind_no_service_is_observed():
    figures = figured(outages=(blind(at("23 11:00"), at("23 12:00")),))
    assert [each.unobserved for each in figures.services] == [HOUR, HOUR]
    assert [each.down for each in figures.services] == [timedelta()] * 2


@pytest.mark.parametrize("reason", [VerdictReason.LOCKED_OUT, VerdictReason.TURNED_ON_US])
def test_a_service_of_which_we_cannot_tell_is_unobserved_alone(reason):
    turned_away = outage(at("23 11:00"), at("23 12:00"), Impact.UNKNOWN, reason=reason)
    crm, web = figured(outages=(turned_away,)).services
    assert (crm.unobserved, crm.down, web.unobserved) == (HOUR, timedelta(), timedelta())


def test_what_was_before_a_service_was_watched_is_unobserved():
    crm, web = figured(watched={"crm": [(at("11 00:00"), None)]}).services
    assert (crm.unobserved, crm.counted) == (10 * DAY, 20 * DAY)
    assert (web.unobserved, web.uptime()) == (NOVEMBER, None)


def test_a_service_that_was_taken_out_for_a_while_was_not_watched_then():
    spans = [(at("01 00:00"), at("11 00:00")), (at("12 00:00"), None)]
    assert of_crm(watched={"crm": spans}).unobserved == DAY


def test_what_was_after_the_last_signature_is_unobserved():
    assert of_crm(seen_at=at("21 00:00")).unobserved == 10 * DAY


def test_a_signature_of_a_moment_ago_stands_for_now():
    now = at("21 00:00")
    assert of_crm(now=now, seen_at=now - STALE_AFTER).unobserved == timedelta()
    late = STALE_AFTER + timedelta(seconds=1)
    assert of_crm(now=now, seen_at=now - late).unobserved == late


def test_a_month_that_nobody_watched_has_an_unknown_uptime():
    crm = of_crm(watched={"crm": [(utc("2026-12-05 00:00"), None)]})
    assert (crm.uptime(), crm.coverage(), crm.counted) == (None, 0, timedelta())


def test_a_gap_within_maintenance_is_taken_off_once_and_shown_in_both():
    windows = (window(at("23 10:00"), at("23 12:00")),)
    crm = of_crm(
        gaps=(gap(at("23 11:00"), at("23 13:00")),), estate=replace(ESTATE, windows=windows)
    )
    assert (crm.maintenance, crm.unobserved) == (2 * HOUR, 2 * HOUR)
    assert crm.counted == NOVEMBER - 3 * HOUR


# --------------------------------------------------------------------------- together


def test_services_are_added_by_their_seconds():
    figures = figured(
        outages=(outage(at("01 00:00"), at("29 00:00")), blind(at("01 00:00"), at("16 00:00"))),
    )
    crm, web = figures.services
    assert (crm.uptime(), web.uptime()) == (13_333, 100_000)
    both = figures.together
    assert (both.service, both.total, both.counted) == ("all", 60 * DAY, 30 * DAY)
    assert both.down == 13 * DAY
    assert both.uptime() == 56_666  # of 30 days 17, and not the mean of the two


# --------------------------------------------------------------------------- final, and the hash


def resolved(**others):
    """An incident of November that is over."""
    times = {name: at("23 10:00") for name in ("detected_at", "reported_at", "notify_at")}
    values = {"state": IncidentState.RESOLVED, "resolved_at": at("23 12:00")}
    began = Interval(None, at("23 09:59"))
    return incident(**times | values | {"began": began} | others)


def test_a_month_is_final_once_nothing_in_it_is_open():
    closed = outage(at("23 10:00"), at("23 11:00"))
    assert figured(outages=(closed,), incidents=(resolved(),)).final
    assert not figured(outages=(outage(at("23 10:00")),)).final
    assert not figured(incidents=(resolved(state=IncidentState.OPEN, resolved_at=None),)).final


def test_what_is_open_in_another_month_does_not_keep_one_from_being_final():
    later = outage(utc("2026-12-02 10:00"))
    reported = resolved(
        state=IncidentState.OPEN, resolved_at=None, reported_at=utc("2026-12-01 00:00")
    )
    assert figured(outages=(later,), incidents=(reported,)).final


def test_a_final_month_keeps_its_hash():
    known = {
        "outages": (outage(at("23 10:00"), at("23 11:00")),),
        "incidents": (resolved(),),
        "gaps": (gap(at("20 10:00"), at("20 11:00")),),
    }
    hashes = {
        sha256_of(plain(figured(now=now, **known)))
        for now in ("2026-12-01 00:10", "2027-01-15 00:00", "2031-05-01 09:00")
    }
    assert len(hashes) == 1
    more = known | {"gaps": (gap(at("20 10:00"), at("20 11:00:00.000001")),)}
    assert sha256_of(plain(figured(**more))) not in hashes


def test_the_hash_is_of_canonical_json():
    """Sorted, without spaces, in ASCII, and not of itself."""
    canonical = rb'{"a":["\u00e9"],"b":1}'
    values = {"b": 1, "a": ["\u00e9"], "sha256": "of before"}
    assert sha256_of(values) == hashlib.sha256(canonical).hexdigest()


def test_the_plain_values_of_a_service_are_these():
    windows = (window(at("23 10:00"), at("23 12:00")),)
    began = Interval(at("24 09:59:59.5"), at("24 10:00"))
    figures = figured(
        outages=(outage(at("24 10:00"), at("24 10:00:00.25"), began=began),),
        gaps=(gap(at("25 10:00"), at("25 11:00")),),
        estate=replace(ESTATE, windows=windows),
    )
    written = plain(figures)
    assert written["services"][0] == {
        "service": "crm",
        "seconds": 2592000,
        "maintenance_seconds": 7200,
        "unobserved_seconds": 3600,
        "counted_seconds": 2581200,
        "down_seconds": 0.25,
        "down_everyone_seconds": 0.25,
        "down_at_most_seconds": 0.75,
        "uptime_percent": 99.999,
        "coverage_percent": 99.861,
        "remarks": [],
    }
    assert (written["month"], written["zone"]) == ("2026-11", "Europe/London")
    assert (written["since"], written["until"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")


def test_an_unknown_uptime_is_null():
    written = plain(figured(watched={}))["services"][0]
    assert (written["uptime_percent"], written["coverage_percent"]) == (None, 0)


def test_a_span_that_ends_before_it_begins_is_no_time_at_all():
    """Such as one of a clock that was set back meanwhile."""
    backwards = Unobserved("u", at("23 11:00"), at("23 10:00"), UnobservedReason.PAUSED)
    crm = of_crm(outage(at("23 11:00"), at("23 10:00")), gaps=(backwards,))
    assert (crm.down, crm.unobserved) == (timedelta(), timedelta())
