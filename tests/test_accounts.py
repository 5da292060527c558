"""What a customer's report must say: each thing that is missing is named, nothing is changed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.accounts import ERRORS_MOST, SERVICES_MOST, Typed, understood
from monitor.model import Account
from tests.hours_fixtures import london

SERVICES = {"crm": "Prospect 365 CRM", "website": "Website"}
SUNDAY = london("Sun 2026-11-29 01:00")
WHOLE = Typed(("website",), "00:40", "503 Service Unavailable", "", all_users=True)


def read(typed, now=SUNDAY, **more):
    said = {"tenant": "acme", "key": None, "now": now, "zone": "Europe/London"} | more
    return understood(typed, SERVICES, **said)


def missing(**changes):
    """The parts that are named as missing or mistaken."""
    found = read(replace(WHOLE, **changes))
    return [] if isinstance(found, Account) else [each.split("`")[1] for each in found]


def test_a_whole_one_is_an_account_with_what_was_typed_as_it_was():
    account = read(WHOLE)
    assert account == Account(
        "acme",
        ("website",),
        "00:40",
        london("Sun 2026-11-29 00:40"),
        "503 Service Unavailable",
        "",
        all_users=True,
    )


def test_sunday_0100_without_a_start_time_it_is_refused_and_says_so():
    (mistake,) = read(replace(WHOLE, started=""))
    assert mistake.startswith("`start time` is missing: ")


def test_everything_that_is_missing_is_named_at_once():
    named = [each.split("`")[1] for each in read(Typed())]
    assert named == ["services", "start time", "error messages", "all users"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"services": ()}, ["services"]),
        ({"services": (" ",)}, ["services"]),
        ({"services": ("crm", "mail")}, ["services"]),
        ({"services": ("x",) * (SERVICES_MOST + 1)}, ["services"]),
        ({"started": "soon"}, ["start time"]),
        ({"started": "25:00"}, ["start time"]),
        ({"started": "2026-11-31 10:00"}, ["start time"]),
        ({"started": "01:01"}, ["start time"]),
        ({"started": "2026-11-22 00:59"}, ["start time"]),
        ({"started": "0001-01-01T00:00+14:00"}, ["start time"]),
        ({"started": "0" * 101}, ["start time", "start time"]),
        ({"errors": "  \n"}, ["error messages"]),
        ({"errors": "x" * (ERRORS_MOST + 1)}, ["error messages"]),
        ({"errors": "none shown"}, ["what happened instead"]),
        ({"errors": " None Shown. "}, ["what happened instead"]),
        ({"instead": "x" * (ERRORS_MOST + 1)}, ["what happened instead"]),
        ({"all_users": None}, ["all users"]),
        ({"contact": "one\ntwo"}, ["contact"]),
        ({"contact": "x" * 201}, ["contact"]),
        ({"started": "", "all_users": None}, ["start time", "all users"]),
    ],
)
def test_what_is_missing_or_mistaken_is_named(changes, named):
    assert missing(**changes) == named


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("00:40", "Sun 2026-11-29 00:40"),
        (" 0:40 ", "Sun 2026-11-29 00:40"),
        ("00.40", "Sun 2026-11-29 00:40"),
        ("2026-11-28 23:50", "Sat 2026-11-28 23:50"),
        ("2026-11-28T23:50:10", "Sat 2026-11-28 23:50:10"),
        ("2026-11-28T23:50Z", "Sat 2026-11-28 23:50"),
        ("2026-11-29T01:50+01:00", "Sun 2026-11-29 00:50"),
        ("2026-11-22 01:00", "Sun 2026-11-22 01:00"),
        ("01:00", "Sun 2026-11-29 01:00"),
    ],
)
def test_a_start_time_is_understood(typed, meant):
    account = read(replace(WHOLE, started=typed))
    assert (account.started, account.started_at) == (typed, london(meant))


def test_in_summer_a_time_of_day_is_londons():
    now = london("Sun 2026-07-05 01:00")
    assert read(replace(WHOLE, started="00:40"), now).started_at == now - timedelta(minutes=20)


def test_in_the_hour_that_comes_twice_the_earlier_one_is_meant():
    now = london("Sun 2026-10-25 01:50", fold=1)
    account = read(replace(WHOLE, started="01:30"), now)
    assert account.started_at == london("Sun 2026-10-25 01:30", fold=0)


def test_services_are_known_by_name_or_title_and_counted_once():
    account = read(replace(WHOLE, services=("prospect 365 crm", "CRM", " website ")))
    assert account.services == ("crm", "website")


def test_an_unknown_service_is_told_which_there_are():
    (mistake,) = read(replace(WHOLE, services=("mail",)))
    assert mistake == "`services`: there is none called 'mail'; known are: crm, website"


def test_where_no_error_was_shown_what_happened_is_kept_instead():
    account = read(replace(WHOLE, errors="none shown", instead="white page"))
    assert (account.errors, account.instead) == ("", "white page")


TEXTS = st.text(max_size=30)


@given(
    typed=st.builds(
        Typed,
        services=st.lists(st.sampled_from(["crm", "website", "mail", ""]), max_size=3).map(tuple),
        started=st.one_of(TEXTS, st.sampled_from(["00:40", "2026-11-28 23:00", "23:00", "Z"])),
        errors=st.one_of(TEXTS, st.just("none shown")),
        instead=TEXTS,
        all_users=st.sampled_from([None, True, False]),
        contact=TEXTS,
    )
)
def test_whatever_is_typed_is_either_whole_or_told_what_it_lacks(typed):
    found = read(typed)
    if isinstance(found, Account):
        assert found.services
        assert SUNDAY - timedelta(days=7) <= found.started_at <= SUNDAY
        assert found.errors.strip() or found.instead.strip()
        assert found.started == typed.started
        assert found.errors in {typed.errors, ""}
    else:
        assert found
        assert all(each.startswith("`") and ("missing: " in each or "`" in each) for each in found)
