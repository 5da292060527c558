"""What the policy says in sentences and in its page, held to its tables."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from monitor import policy
from monitor.config import dates
from monitor.model import (
    ClosedReason,
    DecisionReason,
    Deployment,
    Dimension,
    Impact,
    VerdictReason,
)
from monitor.policy import PolicySettings
from tests.hours_fixtures import london, support
from tests.policy_fixtures import (
    CLOSED,
    CRM,
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

# --------------------------------------------------------------------------- tables and words


def test_every_reason_has_an_urgency_and_words_and_every_urgency_a_route():
    assert set(policy.URGENCY) == set(DecisionReason) == set(policy._FOUND_WORDS)
    assert set(policy.ROUTES) == set(product(policy.Urgency, (True, False)))
    assert {route.roles for route in policy.ROUTES.values()} == set(policy._TOLD_WORDS)
    assert set(policy._CLOSED_WORDS) == set(ClosedReason)
    assert set(policy.EXCLUSIONS) == set(Deployment) - {Deployment.HOSTED}


def test_only_a_held_route_waits_and_only_while_support_is_closed():
    held = [key for key, route in policy.ROUTES.items() if route.held]
    assert held == [(policy.Urgency.STANDARD, False)]


@pytest.mark.parametrize(
    ("found", "service", "sentence"),
    [
        (
            down_for_all(CRM, OPEN),
            CRM,
            """
            Support is open and Prospect 365 CRM is down for all users: this is
            business critical, so the service desk and on-call are told at once and
            a response is due by 12:00 GMT on Mon 23 Nov 2026.
            """,
        ),
        (
            down_for_all(ORDERS, london("Fri 2026-12-25 03:00")),
            ORDERS,
            """
            Support is closed (bank holiday: Christmas Day) and Order taking is down
            for all end users: this is business critical, so on-call is told at once
            and a response is due by 05:00 GMT on Fri 25 Dec 2026.
            """,
        ),
        (
            down_for(WEBSITE, CLOSED, 28, of=40),
            WEBSITE,
            """
            Support is closed (outside support hours) and Website is down for many
            of its customers (28 of 40 targets: tenant-1, tenant-2, tenant-3 and 25
            more): this cannot wait, though no response time is promised, so on-call
            is told at once.
            """,
        ),
        (
            failing_in(SITES, london("Sat 2026-11-28 12:00"), Dimension.VANTAGE, ("leeds",)),
            SITES,
            """
            Support is closed (weekend) and Prospect 365 Sites is down for some of
            its customers only (as seen from leeds): this is a standard incident, so
            the service desk is told when support opens at 08:30 GMT on Mon 30 Nov
            2026.
            """,
        ),
        (
            failing_in(CRM, OPEN, Dimension.GROUP, ("blue",), 8),
            CRM,
            """
            Support is open and Prospect 365 CRM is down for many of its customers
            (backend group blue): this cannot wait, though no response time is
            promised, so the service desk and on-call are told at once.
            """,
        ),
        (
            failing_in(CRM, OPEN, Dimension.SHARE, (), 8),
            CRM,
            """
            Support is open and Prospect 365 CRM is down for some of its customers
            only (8 of 40 targets): this is a standard incident, so the service desk
            is told at once.
            """,
        ),
        (
            because(CRM, CLOSED, VerdictReason.LOCKED_OUT, Impact.UNKNOWN),
            CRM,
            """
            Support is closed (outside support hours) and we cannot tell whether
            customers of Prospect 365 CRM are down: this cannot wait, though no
            response time is promised, so on-call is told at once.
            """,
        ),
    ],
)
def test_the_sentence_says_what_is_decided_and_why(found, service, sentence):
    assert decided(found, service).sentence == " ".join(sentence.split())


def test_a_proclaimed_holiday_is_named_in_the_sentence():
    calendar = support(extra_closed={date(2026, 11, 23): "day of mourning"})
    sentence = decided(down_for_all(CRM, OPEN), CRM, calendar).sentence
    assert sentence.startswith("Support is closed (closed specially: day of mourning) and ")


# --------------------------------------------------------------------------- the documentation

DOCS = Path(__file__).parents[1] / "docs"
DOCUMENTED = (DOCS / "policy.md").read_text(encoding="utf-8")
SCRIPT = runpy.run_path(str(DOCS / "draw_policy.py"))


def section(heading):
    """What the page says under a heading."""
    _, rest = DOCUMENTED.split(f"\n## {heading}\n")
    return rest.split("\n## ")[0]


def test_the_tables_of_the_page_are_current():
    assert SCRIPT["drawn"]() == DOCUMENTED, "run docs/draw_policy.py"


def test_every_table_has_its_place_in_the_page_once():
    assert sorted(re.findall(r"<!-- drawn: (\w+) -->", DOCUMENTED)) == sorted(SCRIPT["TABLES"])


@pytest.mark.parametrize(
    ("drawn", "stale"),
    [
        ("`wide_partial` | told at once", "`wide_partial` | standard"),
        ("08:30 to 17:00", "09:00 to 17:00"),
        ("| `policy.response_target` | 2h |", "| `policy.response_target` | 4h |"),
        ("Mon 6 Apr 2026", "Tue 7 Apr 2026"),
    ],
)
def test_a_stale_table_is_noticed(drawn, stale, tmp_path):
    assert drawn in DOCUMENTED
    page = tmp_path / "policy.md"
    page.write_text(DOCUMENTED.replace(drawn, stale), encoding="utf-8")
    script = SCRIPT["drawn"].__globals__
    kept, script["PAGE"] = script["PAGE"], page
    try:
        assert SCRIPT["drawn"]() == DOCUMENTED != page.read_text(encoding="utf-8")
    finally:
        script["PAGE"] = kept


def test_the_page_says_who_is_told_of_every_reason_and_when_it_is_found():
    told = section("Who is told, and when")
    assert all(told.count(f"`{reason.value}`") >= 2 for reason in DecisionReason)


def test_the_page_names_every_setting_and_the_years_it_knows():
    named = section("Settings")
    assert all(f"`policy.{field.name}`" in named for field in fields(PolicySettings))
    years = f"known from {dates.FIRST_YEAR} to {dates.LAST_YEAR}"
    assert years in " ".join(section("When support is open").split())
