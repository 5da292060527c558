"""The support policy: its worked examples row by row, then every combination written out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from itertools import product

import pytest

from monitor.model import (
    AllUsersScope,
    ClosedReason,
    DecisionReason,
    Deployment,
    Dimension,
    Impact,
    Priority,
    Role,
    VerdictReason,
)
from tests.hours_fixtures import london, support, utc
from tests.policy_fixtures import (
    CLOSED,
    CRM,
    INTRANET,
    ITSELF,
    OPEN,
    ORDERS,
    SITES,
    WEBSITE,
    because,
    decided,
    down_for,
    down_for_all,
    failing_in,
)

CRITICAL, STANDARD = Priority.CRITICAL, Priority.STANDARD
ON_CALL, DESK = (Role.ON_CALL,), (Role.SERVICE_DESK,)
BOTH = (Role.SERVICE_DESK, Role.ON_CALL)
HOUR = timedelta(hours=1)


# --------------------------------------------------------------------------- worked examples


def test_monday_morning_crm_down_for_all_is_critical_and_goes_to_both():
    at = london("Mon 2026-11-23 10:00")
    decision = decided(down_for_all(CRM, at), CRM)
    assert (decision.priority, decision.reason) == (CRITICAL, DecisionReason.ALL_USERS)
    assert (decision.route, decision.notify_at) == (BOTH, at)
    assert decision.respond_by == london("Mon 2026-11-23 12:00")
    assert (decision.support_open, decision.closed_reason) == (True, None)
    assert decision.next_opening == london("Tue 2026-11-24 08:30")


@pytest.mark.parametrize(
    ("when", "route"), [("Mon 2026-11-23 16:59:59", BOTH), ("Mon 2026-11-23 17:00:00", ON_CALL)]
)
def test_the_second_support_closes_crm_down_for_all_goes_to_on_call(when, route):
    decision = decided(down_for_all(CRM, london(when)), CRM)
    assert (decision.priority, decision.route) == (CRITICAL, route)
    assert decision.notify_at == london(when)
    assert decision.respond_by == london(when) + 2 * HOUR


def test_friday_at_half_past_four_support_is_closed_for_a_website_down_for_all():
    decision = decided(down_for_all(WEBSITE, london("Fri 2026-11-27 16:30")), WEBSITE)
    assert (decision.reason, decision.route) == (DecisionReason.ALL_END_USERS, ON_CALL)
    assert decision.closed_reason is ClosedReason.OUTSIDE_HOURS
    assert decision.respond_by == london("Fri 2026-11-27 18:30")


def test_on_christmas_night_orders_down_for_all_goes_to_on_call():
    decision = decided(down_for_all(ORDERS, london("Fri 2026-12-25 03:00")), ORDERS)
    assert (decision.priority, decision.route) == (CRITICAL, ON_CALL)
    assert decision.closed_reason is ClosedReason.BANK_HOLIDAY
    assert decision.respond_by == london("Fri 2026-12-25 05:00")


def test_on_the_substitute_day_for_boxing_day_crm_down_for_all_goes_to_on_call():
    decision = decided(down_for_all(CRM, london("Mon 2026-12-28 11:00")), CRM)
    assert (decision.priority, decision.route) == (CRITICAL, ON_CALL)
    assert decision.closed_reason is ClosedReason.BANK_HOLIDAY
    assert decision.respond_by == london("Mon 2026-12-28 13:00")


def test_on_easter_monday_sites_down_for_one_of_forty_tenants_is_held_until_tuesday():
    decision = decided(down_for(SITES, london("Mon 2026-04-06 11:00"), 1, of=40), SITES)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.PARTIAL)
    assert (decision.route, decision.respond_by) == (DESK, None)
    assert decision.notify_at == london("Tue 2026-04-07 08:30")


def due(when, fold=0):
    """When a response is due for a CRM that is down for all, and how the sentence says it."""
    decision = decided(down_for_all(CRM, london(when, fold)), CRM)
    assert decision.route == ON_CALL
    assert decision.respond_by == london(when, fold) + 2 * HOUR
    _, said = decision.sentence.split("a response is due by ")
    return decision.respond_by, said


def test_saturday_ten_to_midnight_is_due_ten_minutes_before_the_clocks_go_back():
    respond_by, said = due("Sat 2026-10-24 23:50")
    assert respond_by == utc("2026-10-25 00:50") == utc("2026-10-25 01:00") - HOUR / 6
    assert said == "01:50 BST on Sun 25 Oct 2026."


def test_sunday_half_past_midnight_is_due_at_half_past_one_once_the_clocks_have_gone_back():
    respond_by, said = due("Sun 2026-10-25 00:30")
    assert respond_by == utc("2026-10-25 01:30")
    assert said == "01:30 GMT on Sun 25 Oct 2026."


@pytest.mark.parametrize(("fold", "said"), [(0, "02:30 GMT"), (1, "03:30 GMT")])
def test_half_past_one_comes_twice_and_each_has_its_own_two_hours(fold, said):
    assert due("Sun 2026-10-25 01:30", fold)[1] == f"{said} on Sun 25 Oct 2026."


def test_sunday_half_past_midnight_is_due_at_half_past_three_when_the_clocks_go_forward():
    respond_by, said = due("Sun 2026-03-29 00:30")
    assert respond_by == utc("2026-03-29 02:30")
    assert said == "03:30 BST on Sun 29 Mar 2026."


def test_on_premise_order_confirmation_down_for_all_at_night_is_held_and_says_why():
    found = down_for_all(ORDERS, london("Tue 2026-11-24 02:00"), deployment=Deployment.ON_PREMISE)
    decision = decided(found, ORDERS)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.ON_PREMISE)
    assert (decision.route, decision.respond_by) == (DESK, None)
    assert decision.notify_at == london("Tue 2026-11-24 08:30")


def test_a_version_6_website_down_for_all_at_night_is_held_and_says_why():
    found = down_for_all(WEBSITE, london("Tue 2026-11-24 02:00"), deployment=Deployment.VERSION_6)
    decision = decided(found, WEBSITE)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.VERSION_6)
    assert (decision.route, decision.respond_by) == (DESK, None)
    assert decision.notify_at == london("Tue 2026-11-24 08:30")


def test_thursday_quarter_to_five_crm_down_for_all_is_due_at_quarter_to_seven():
    decision = decided(down_for_all(CRM, london("Thu 2026-11-26 16:45")), CRM)
    assert (decision.priority, decision.route) == (CRITICAL, BOTH)
    assert decision.respond_by == london("Thu 2026-11-26 18:45")


def test_seventy_percent_of_website_tenants_down_at_night_is_told_at_once_without_a_promise():
    at = london("Tue 2026-11-24 02:00")
    decision = decided(down_for(WEBSITE, at, 28, of=40), WEBSITE)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.WIDE_PARTIAL)
    assert (decision.route, decision.notify_at) == (ON_CALL, at)
    assert decision.respond_by is None


def test_the_monitors_own_network_gone_at_night_is_told_at_once_as_cannot_tell():
    at = london("Tue 2026-11-24 02:00")
    decision = decided(because(ITSELF, at, VerdictReason.BLIND, Impact.UNKNOWN), ITSELF)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.CANNOT_TELL)
    assert (decision.route, decision.notify_at) == (ON_CALL, at)
    assert decision.respond_by is None
    assert "we cannot tell whether customers are down" in decision.sentence


# --------------------------------------------------------------------------- every combination

OPENING = london("Tue 2026-11-24 08:30")
CROSS = """
    impact   service   deployment  | reason        priority  | open       closed
    all      crm       hosted      | all_users     critical  | both       on_call
    all      crm       on_premise  | on_premise    standard  | desk       held
    all      crm       desktop     | desktop       standard  | desk       held
    all      crm       version_6   | version_6     standard  | desk       held
    all      intranet  hosted      | not_core      standard  | desk       held
    all      intranet  on_premise  | on_premise    standard  | desk       held
    all      intranet  desktop     | desktop       standard  | desk       held
    all      intranet  version_6   | version_6     standard  | desk       held
    wide     crm       hosted      | wide_partial  standard  | both       on_call
    wide     crm       on_premise  | on_premise    standard  | desk       held
    wide     crm       desktop     | desktop       standard  | desk       held
    wide     crm       version_6   | version_6     standard  | desk       held
    wide     intranet  hosted      | not_core      standard  | desk       held
    wide     intranet  on_premise  | on_premise    standard  | desk       held
    wide     intranet  desktop     | desktop       standard  | desk       held
    wide     intranet  version_6   | version_6     standard  | desk       held
    some     crm       hosted      | partial       standard  | desk       held
    some     crm       on_premise  | on_premise    standard  | desk       held
    some     crm       desktop     | desktop       standard  | desk       held
    some     crm       version_6   | version_6     standard  | desk       held
    some     intranet  hosted      | not_core      standard  | desk       held
    some     intranet  on_premise  | on_premise    standard  | desk       held
    some     intranet  desktop     | desktop       standard  | desk       held
    some     intranet  version_6   | version_6     standard  | desk       held
    unknown  crm       hosted      | cannot_tell   standard  | both       on_call
    unknown  crm       on_premise  | on_premise    standard  | desk       held
    unknown  crm       desktop     | desktop       standard  | desk       held
    unknown  crm       version_6   | version_6     standard  | desk       held
    unknown  intranet  hosted      | not_core      standard  | desk       held
    unknown  intranet  on_premise  | on_premise    standard  | desk       held
    unknown  intranet  desktop     | desktop       standard  | desk       held
    unknown  intranet  version_6   | version_6     standard  | desk       held
"""
ROWS = [line.replace("|", " ").split() for line in CROSS.strip().splitlines()[1:]]
SERVICES = {"crm": CRM, "intranet": INTRANET}
FINDINGS = {
    "all": down_for_all,
    "wide": lambda service, at: down_for(service, at, 20, of=40),
    "some": lambda service, at: down_for(service, at, 19, of=40),
    "unknown": lambda service, at: because(
        service, at, VerdictReason.LOCKED_OUT, impact=Impact.UNKNOWN
    ),
}
TOLD = {"both": BOTH, "on_call": ON_CALL, "desk": DESK, "held": DESK}


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row[:3]) for row in ROWS])
def test_every_combination_is_decided_as_written(row):
    impact, name, deployment, reason, priority, told_open, told_closed = row
    service = SERVICES[name]
    for at, told in ((OPEN, told_open), (CLOSED, told_closed)):
        found = replace(FINDINGS[impact](service, at), deployment=Deployment(deployment))
        decision = decided(found, service)
        assert (decision.reason.value, decision.priority.value) == (reason, priority)
        assert decision.route == TOLD[told]
        assert decision.notify_at == (OPENING if told == "held" else at)
        assert decision.respond_by == (at + 2 * HOUR if priority == "critical" else None)


def test_the_table_leaves_no_combination_out():
    expected = set(product(FINDINGS, SERVICES, (d.value for d in Deployment)))
    assert {tuple(row[:3]) for row in ROWS} == expected
    assert len(ROWS) == len(expected)


# --------------------------------------------------------------------------- whose users "all" are

BY_TENANT = replace(CRM, all_users_scope=AllUsersScope.TENANT)


def test_one_tenant_down_under_platform_scope_is_a_standard_incident_naming_the_tenant():
    decision = decided(down_for_all(CRM, CLOSED, tenant="acme"), CRM)
    assert (decision.priority, decision.reason) == (STANDARD, DecisionReason.PARTIAL)
    assert (decision.route, decision.notify_at) == (DESK, OPENING)
    assert decision.scope_read is AllUsersScope.PLATFORM
    assert "all users of acme" in decision.sentence


def test_one_tenant_down_under_tenant_scope_is_critical_naming_the_tenant():
    decision = decided(down_for_all(BY_TENANT, CLOSED, tenant="acme"), BY_TENANT)
    assert (decision.priority, decision.reason) == (CRITICAL, DecisionReason.ALL_USERS_OF_TENANT)
    assert (decision.route, decision.respond_by) == (ON_CALL, CLOSED + 2 * HOUR)
    assert decision.scope_read is AllUsersScope.TENANT
    assert "is down for all users of acme" in decision.sentence


def test_everyone_down_under_tenant_scope_is_everyone():
    decision = decided(down_for_all(BY_TENANT, CLOSED), BY_TENANT)
    assert (decision.priority, decision.reason) == (CRITICAL, DecisionReason.ALL_USERS)


def test_part_of_one_tenant_is_never_a_wide_partial():
    found = down_for(BY_TENANT, CLOSED, 3, of=3, tenant="acme")
    assert decided(found, BY_TENANT).reason is DecisionReason.PARTIAL


# --------------------------------------------------------------------------- wide partial


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (failing_in(CRM, CLOSED, Dimension.GROUP, ("blue",), 8), DecisionReason.WIDE_PARTIAL),
        (failing_in(CRM, CLOSED, Dimension.SHARE, (), 20), DecisionReason.WIDE_PARTIAL),
        (failing_in(CRM, CLOSED, Dimension.SHARE, (), 19), DecisionReason.PARTIAL),
        (failing_in(CRM, CLOSED, Dimension.SHARE, (), 0, of=0), DecisionReason.PARTIAL),
        (failing_in(CRM, CLOSED, Dimension.VANTAGE, ("leeds",), 40), DecisionReason.PARTIAL),
    ],
    ids=["a whole group", "half by share", "less than half", "nothing sampled", "one vantage"],
)
def test_what_counts_as_wide(found, reason):
    assert decided(found, CRM).reason is reason


def test_a_service_sets_what_share_is_wide():
    tolerant = replace(CRM, wide_share=0.9)
    assert decided(down_for(CRM, CLOSED, 35, of=40), CRM).reason is DecisionReason.WIDE_PARTIAL
    assert decided(down_for(tolerant, CLOSED, 35, of=40), tolerant).reason is DecisionReason.PARTIAL


@pytest.mark.parametrize("dimension", [Dimension.GROUP, Dimension.TARGET])
def test_wide_partial_can_be_switched_off_for_one_service_or_for_all(dimension):
    off = replace(CRM, wide_share=None)
    found = failing_in(CRM, CLOSED, dimension, ("blue",), 39)
    assert decided(found, off).reason is DecisionReason.PARTIAL
    assert decided(found, CRM, wide_partial=False).reason is DecisionReason.PARTIAL


# --------------------------------------------------------------------------- other findings


@pytest.mark.parametrize(
    ("why", "impact", "reason", "route"),
    [
        (VerdictReason.CANARY_FAILING, Impact.SOME, DecisionReason.UNCONFIRMED, ON_CALL),
        (VerdictReason.BLIND, Impact.UNKNOWN, DecisionReason.CANNOT_TELL, ON_CALL),
        (VerdictReason.LOCKED_OUT, Impact.UNKNOWN, DecisionReason.CANNOT_TELL, ON_CALL),
        (VerdictReason.LOCKED_OUT, Impact.SOME, DecisionReason.CANNOT_TELL, ON_CALL),
        (VerdictReason.DEGRADED, Impact.SOME, DecisionReason.DEGRADED, DESK),
        (VerdictReason.NEVER_WORKED, Impact.SOME, DecisionReason.NEVER_WORKED, DESK),
        (VerdictReason.ONE_LOCATION, Impact.ALL, DecisionReason.ALL_USERS, ON_CALL),
        (VerdictReason.FLAPPING, Impact.ALL, DecisionReason.ALL_USERS, ON_CALL),
    ],
)
def test_how_it_is_known_decides_at_night(why, impact, reason, route):
    decision = decided(because(CRM, CLOSED, why, impact), CRM)
    assert (decision.reason, decision.route) == (reason, route)
    assert decision.notify_at == (OPENING if route == DESK else CLOSED)
    assert (decision.respond_by is None) == (impact is not Impact.ALL)


def test_during_support_hours_failing_canaries_go_to_both():
    decision = decided(because(ORDERS, OPEN, VerdictReason.CANARY_FAILING), ORDERS)
    assert (decision.route, decision.respond_by) == (BOTH, None)


def test_only_degrading_checks_failing_is_degraded_even_when_flapping_for_everyone():
    flapping = because(CRM, CLOSED, VerdictReason.FLAPPING)
    alone = replace(flapping, checks=("search",))
    assert decided(alone, CRM).reason is DecisionReason.DEGRADED
    with_sign_in = replace(flapping, checks=("search", "sign-in"))
    assert decided(with_sign_in, CRM).reason is DecisionReason.WIDE_PARTIAL


def test_whatever_concerns_the_monitor_itself_is_cannot_tell():
    stuck = because(ITSELF, OPEN, VerdictReason.SET_FAILING)
    decision = decided(stuck, ITSELF)
    assert (decision.reason, decision.route) == (DecisionReason.CANNOT_TELL, BOTH)


def test_a_verdict_that_nothing_fails_is_refused():
    found = because(CRM, OPEN, VerdictReason.RECOVERED, Impact.NONE)
    with pytest.raises(ValueError, match="nothing of crm fails"):
        decided(found, CRM)


@pytest.mark.parametrize("at", ["1970-01-01 00:05", "2031-01-02 10:00"])
def test_in_a_year_without_known_holidays_people_are_told_at_once_and_why(at):
    at = utc(at)
    critical = decided(down_for_all(CRM, at), CRM)
    standard = decided(down_for(SITES, at, 1, 40), SITES)
    assert {d.closed_reason for d in (critical, standard)} == {ClosedReason.NOT_KNOWN}
    assert (critical.route, critical.respond_by) == ((Role.ON_CALL,), at + 2 * HOUR)
    assert (standard.route, standard.notify_at) == ((Role.SERVICE_DESK,), at)
    assert "the calendar does not reach this date" in critical.sentence
    assert standard.sentence.endswith("the service desk is told at once.")


def test_nothing_is_held_until_an_opening_that_nobody_knows():
    after_the_last_closing = utc("2030-12-31 18:00")
    standard = decided(down_for(SITES, after_the_last_closing, 1, 40), SITES)
    assert standard.closed_reason is ClosedReason.OUTSIDE_HOURS
    assert standard.notify_at == after_the_last_closing


def test_the_response_target_is_a_setting_on_the_wall_clock():
    decision = decided(down_for_all(CRM, CLOSED), CRM, response_target=900.0)
    assert decision.respond_by == CLOSED + HOUR / 4


def test_extra_opening_hours_bring_the_service_desk_in():
    calendar = support(extra_open={date(2026, 12, 25): (time(9), time(13))})
    at = london("Fri 2026-12-25 10:00")
    assert decided(down_for_all(CRM, at), CRM, calendar).route == BOTH
