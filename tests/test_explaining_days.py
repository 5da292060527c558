"""What is explained of a supposed outage is what a day with that outage comes to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.explaining import asked, explain
from monitor.model import AllUsersScope, Deployment, Need
from monitor.policy import PolicySettings
from tests.day import CALENDAR, DESK, PAGER, Day, local
from tests.estates import TENANTS, check, estate, service
from tests.simulation import of, refused

OPEN, NIGHT = ("Mon 2026-11-23 09:50", "09:58"), ("Tue 2026-11-24 01:50", "01:58")
SIGN_IN = check(of=TENANTS)
CRM = service("crm", SIGN_IN)
BY_TENANT = replace(CRM, all_users_scope=AllUsersScope.TENANT)
NOT_CORE = replace(CRM, core=False)
DEGRADED = service("crm", SIGN_IN, check(name="search", of=TENANTS, need=Need.DEGRADING))
ON_PREMISE = tuple(replace(t, deployment=Deployment.ON_PREMISE) for t in SIGN_IN.targets)
EXCLUDED = service("crm", replace(SIGN_IN, targets=ON_PREMISE))


HOUR = 3600.0


def search(cell):
    return cell.check.name == "search"


OUTAGES = {
    "everyone": (CRM, of("crm"), {}),
    "one tenant": (CRM, of("crm", target={"acme"}), {"tenant": "acme"}),
    "one tenant under its own scope": (BY_TENANT, of("crm", target={"acme"}), {"tenant": "acme"}),
    "a backend group": (CRM, of("crm", group={"blue"}), {"group": "blue"}),
    "a service that is not core": (NOT_CORE, of("crm"), {}),
    "a degrading check": (DEGRADED, search, {"check": "search"}),
    "what is on premise": (EXCLUDED, of("crm"), {}),
}


def explained(watched, at, **words):
    question = asked({"service": "crm", **words}, watched, CALENDAR, at)
    return explain(question, watched, CALENDAR, PolicySettings(), (PAGER, DESK))


@pytest.mark.parametrize("began", [OPEN, NIGHT], ids=["support open", "support closed"])
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_the_incident_of_a_day_is_as_explained(outage, began):
    watched, fails, words = outage
    begins, fault = began
    day = Day(begins, estate(watched))
    day.breaks(day.mono(fault), day.mono(fault) + HOUR, refused, fails)
    day.run(day.mono(fault) + HOUR / 4)
    (incident,) = day.incidents
    found = explained(day.estate, incident.reported_at, **words)
    decision = found.decision
    assert incident.reason is decision.reason
    assert incident.priority is decision.priority
    assert incident.route == decision.route
    assert incident.notify_at == decision.notify_at
    assert incident.respond_by == decision.respond_by
    assert incident.out_of_hours is not decision.support_open
    triggered = {n.channel: n.due_at for n in day.notices if n.action.value == "trigger"}
    assert triggered == {name: told.at for told in found.told if told.at for name in told.channels}


def test_what_a_window_covers_opens_at_the_end_that_is_explained():
    day = Day(NIGHT[0], estate(CRM))
    day.maintenance("02:00", "03:00")
    day.fails("crm", "02:10", until="04:00")
    day.runs_until("03:10")
    (incident,) = day.incidents
    found = explained(day.estate, local("2026-11-24 02:10"))
    assert found.maintenance.window.name == "upgrade"
    assert timedelta() < incident.detected_at - found.opens_at < timedelta(seconds=20)
    assert (incident.reason, incident.route) == (found.decision.reason, found.decision.route)
