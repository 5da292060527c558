"""Explanations: what decided, who would be told by which channels, and what a window changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from monitor import policy
from monitor.config.reading import known_keys
from monitor.explaining import Mistaken, asked, explain
from monitor.model import (
    AllUsersScope,
    Audience,
    Channel,
    Check,
    ClosedReason,
    DecisionReason,
    Deployment,
    Estate,
    EvidenceKind,
    Need,
    Once,
    Priority,
    Role,
    Service,
    Target,
    Vantage,
    Window,
)
from monitor.policy import PolicySettings
from tests.hours_fixtures import london, support

OPEN, CLOSED = "2026-11-23T10:00", "2026-11-24T02:00"
NOW = london("Mon 2026-11-23 10:00")
CHANNELS = (
    Channel("pager", "webhook", (Role.ON_CALL,), None),
    Channel("phone", "webhook", (Role.ON_CALL,), None),
    Channel("desk", "log", (Role.SERVICE_DESK,), None),
)
OWN = {"erp-one": Deployment.ON_PREMISE, "old-one": Deployment.VERSION_6}


def targets(*tenants):
    return tuple(
        Target(t, t, f"https://{t}.example.com/", "blue" if n < 2 else "green", OWN.get(t, HOSTED))
        for n, t in enumerate(tenants)
    )


HOSTED = Deployment.HOSTED
FOUR = targets("acme", "bolt", "cedar", "delta")


def check(service, name, of=FOUR, need=Need.BLOCKING, **more):
    return Check(service, name, "http", None, 30.0, 10.0, need, EvidenceKind.ACTIVE, of, **more)


CRM = Service(
    "crm",
    "CRM",
    Audience.USERS,
    (
        check("crm", "sign-in"),
        check("crm", "search", need=Need.DEGRADING),
        check("crm", "visits", real_users=True),
    ),
)
BY_TENANT = replace(CRM, name="sites", all_users_scope=AllUsersScope.TENANT)
ORDERS = Service(
    "orders",
    "Orders",
    Audience.END_USERS,
    (
        check("orders", "take"),
        check("orders", "confirm", targets("erp-one")),
        check("orders", "legacy", targets("old-one")),
    ),
)
INTRANET = Service("intranet", "Intranet", Audience.USERS, (check("intranet", "home"),), core=False)
STATUS = Service(
    "status",
    "Status",
    Audience.USERS,
    (check("status", "home", (Target("shared", "*", "https://status.example.com/", "grey"),)),),
)
ESTATE = Estate(
    (CRM, BY_TENANT, ORDERS, INTRANET, STATUS),
    (Vantage("london", "net-a"), Vantage("leeds", "net-b")),
    (),
)


def explained(service, at=CLOSED, *, windows=(), channels=CHANNELS, calendar=None, **more):
    """The explanation of a question in words; `settings` and `of` change policy and service."""
    settings, of = more.pop("settings", {}), more.pop("of", {})
    services = tuple(replace(s, **of) if s.name == service else s for s in ESTATE.services)
    estate = replace(ESTATE, services=services, windows=windows)
    calendar = calendar or support()
    question = asked({"service": service, "at": at, **more}, estate, calendar, NOW)
    return explain(question, estate, calendar, PolicySettings(**settings), channels)


def refused(**words):
    with pytest.raises(Mistaken) as caught:
        asked(words, ESTATE, support(), NOW)
    return {mistake.part: mistake.message for mistake in caught.value.mistakes}


def settings_of(found):
    return {setting.key: setting.value for setting in found.settings}


# --------------------------------------------------------------------------- rule and settings

DECIDED = [
    ("crm", {}, "everyone", "all_users", "services.crm.core=true"),
    ("crm", {}, "everyone", "all_users", "services.crm.audience=users"),
    ("crm", {}, "everyone", "all_users", "policy.response_target=7200s"),
    ("orders", {}, "everyone", "all_end_users", "services.orders.audience=end_users"),
    ("crm", {"tenant": "acme"}, "otherwise", "partial", "services.crm.all_users_scope=platform"),
    ("crm", {"tenant": "acme"}, "otherwise", "partial", "services.crm.wide_share=0.5"),
    (
        "sites",
        {"tenant": "acme"},
        "everyone",
        "all_users_of_tenant",
        "services.sites.all_users_scope=tenant",
    ),
    ("crm", {"failing": "2"}, "wide_partial", "wide_partial", "services.crm.wide_share=0.5"),
    ("crm", {"failing": "2"}, "wide_partial", "wide_partial", "policy.wide_partial=true"),
    ("crm", {"failing": "1"}, "otherwise", "partial", "services.crm.wide_share=0.5"),
    ("crm", {"failing": "4"}, "everyone", "all_users", "services.crm.core=true"),
    ("crm", {"group": "blue"}, "wide_partial", "wide_partial", "services.crm.wide_share=0.5"),
    ("status", {"group": "grey"}, "everyone", "all_users", "services.status.core=true"),
    ("crm", {"impact": "degraded"}, "settled", "degraded", "services.crm.checks.search.need="),
    ("crm", {"check": "search"}, "degraded", "degraded", "services.crm.checks.search.need="),
    ("orders", {"check": "confirm"}, "excluded", "on_premise", "tenants.erp-one.deployment="),
    ("orders", {"check": "legacy"}, "excluded", "version_6", "tenants.old-one.deployment="),
    ("orders", {"tenant": "erp-one"}, "excluded", "on_premise", "tenants.erp-one.deployment="),
    ("intranet", {}, "not_core", "not_core", "services.intranet.core=false"),
    ("intranet", {"impact": "unknown"}, "not_core", "not_core", "services.intranet.core=false"),
]


@pytest.mark.parametrize(("service", "words", "rule", "reason", "setting"), DECIDED)
def test_the_rule_and_the_setting_that_decided_are_named(service, words, rule, reason, setting):
    found = explained(service, **words)
    assert (found.rule.name, found.decision.reason.value) == (rule, reason)
    assert found.number == [each.name for each in policy.RULES].index(rule) + 1
    said = [f"{key}={value}" for key, value in settings_of(found).items()]
    assert any(each.startswith(setting) for each in said), said


def test_what_cannot_be_seen_is_settled_by_how_it_is_known_and_by_no_setting():
    found = explained("crm", impact="unknown")
    assert found.decision.reason is DecisionReason.CANNOT_TELL
    assert (found.rule.name, found.settings) == ("settled", ())


def test_a_switched_off_wide_partial_names_the_switch_and_no_share():
    found = explained("crm", group="blue", settings={"wide_partial": False})
    assert found.decision.reason is DecisionReason.PARTIAL
    assert settings_of(found) == {"policy.wide_partial": "false"}
    found = explained("crm", group="blue", of={"wide_share": None})
    assert settings_of(found)["services.crm.wide_share"] == "off"


def test_the_share_that_fails_is_held_against_the_one_that_is_set():
    share = explained("crm", failing="3", of={"wide_share": 0.8}).settings[-1]
    assert (share.key, share.value) == ("services.crm.wide_share", "0.8")
    assert share.effect == "3 of 4 targets are 0.75, which is less"


def test_of_a_single_target_some_are_stopped_as_seen_from_one_vantage_and_that_is_never_wide():
    found = explained("status", impact="some")
    assert "as seen from london" in found.decision.sentence
    assert found.decision.reason is DecisionReason.PARTIAL
    assert found.settings == ()


def test_what_is_not_hosted_is_not_counted_with_what_is():
    assert explained("orders", failing="4").decision.reason is DecisionReason.ALL_END_USERS
    assert explained("orders", check="confirm").verdict.extent.population == 1


def test_every_rule_reads_settings_that_a_configuration_may_hold():
    known = {
        ".".join([*map(str, path), key]).replace(".[]", "[]")
        for path, keys in known_keys().items()
        for key in keys
    }
    named = {key for rule in policy.RULES for key in rule.settings}
    assert named <= known
    assert named


# --------------------------------------------------------------------------- who is told


def test_every_role_is_told_when_and_by_the_names_of_its_channels():
    on_call, desk = (
        next(t for t in explained("crm", CLOSED).told if t.role is role)
        for role in (Role.ON_CALL, Role.SERVICE_DESK)
    )
    assert (on_call.at, on_call.held) == (london("Tue 2026-11-24 02:00"), False)
    assert on_call.channels == ("pager", "phone")
    assert (desk.at, desk.held, desk.channels) == (None, False, ("desk",))


def test_a_held_notice_is_told_when_support_opens():
    found = explained("crm", tenant="acme")
    desk = next(t for t in found.told if t.role is Role.SERVICE_DESK)
    assert (desk.at, desk.held) == (london("Tue 2026-11-24 08:30"), True)
    assert found.route is policy.ROUTES[policy.Urgency.STANDARD, False]


def test_a_role_that_no_channel_serves_has_none():
    found = explained("crm", OPEN, channels=CHANNELS[:2])
    desk = next(t for t in found.told if t.role is Role.SERVICE_DESK)
    assert (desk.at, desk.channels) == (NOW, ())


def test_the_reading_of_all_users_is_told():
    assert explained("crm").decision.scope_read is AllUsersScope.PLATFORM
    assert explained("sites").decision.scope_read is AllUsersScope.TENANT


# --------------------------------------------------------------------------- the calendar

SPECIAL = support(
    extra_closed={date(2026, 11, 23): "day of mourning"},
    extra_open={date(2026, 11, 28): (time(9), time(13))},
)


@pytest.mark.parametrize(
    ("at", "closed", "key", "name"),
    [
        ("2026-11-24T10:00", None, "calendar.hours.tue", ""),
        ("2026-11-24T02:00", ClosedReason.OUTSIDE_HOURS, "calendar.hours.tue", ""),
        ("2026-11-29T12:00", ClosedReason.WEEKEND, "calendar.hours.sun", ""),
        ("2026-12-25T12:00", ClosedReason.BANK_HOLIDAY, "calendar.country", "Christmas Day"),
        (
            "2026-11-23T12:00",
            ClosedReason.EXTRA_CLOSED,
            "calendar.extra_closed.2026-11-23",
            "day of mourning",
        ),
        ("2026-11-28T12:00", None, "calendar.extra_open.2026-11-28", ""),
        ("2026-11-28T13:00", ClosedReason.OUTSIDE_HOURS, "calendar.extra_open.2026-11-28", ""),
    ],
)
def test_what_of_the_calendar_opens_or_closes_support_is_named(at, closed, key, name):
    told = explained("crm", at, calendar=SPECIAL).support
    assert (told.closed_reason, told.key, told.day.name) == (closed, key, name)


# --------------------------------------------------------------------------- maintenance


def window(name="upgrade", hours=2, **scope):
    begins = london("Tue 2026-11-24 01:00")
    return Window(name, Once(begins, begins + timedelta(hours=hours)), ("crm",), **scope)


def test_in_maintenance_nothing_opens_before_the_windows_end():
    found = explained("crm", windows=(window(hours=8, reason="the database moves"),))
    end = london("Tue 2026-11-24 09:00")
    assert found.maintenance.window.name == "upgrade"
    assert found.maintenance.ends == found.opens_at == found.decision.at == end
    assert found.support.closed_reason is ClosedReason.OUTSIDE_HOURS
    assert found.decision.support_open
    assert found.decision.respond_by == end + timedelta(hours=2)
    assert found.verdict.began.before == london("Tue 2026-11-24 02:00")
    assert found.sentence == (
        "Nothing opens at Tue 24 Nov 02:00:00 GMT (02:00:00Z): the maintenance window upgrade "
        "(the database moves) covers what fails until Tue 24 Nov 09:00:00 GMT (09:00:00Z). What "
        "still fails then is opened at once, with its true start. " + found.decision.sentence
    )


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({"checks": ("search",)}, {}),
        ({"tenants": ("acme",)}, {}),
        ({"tenants": ("acme",)}, {"failing": "1"}),
        ({"tenants": ("acme",)}, {"tenant": "acme", "at": "2026-11-24T03:00"}),
        ({"tenants": ("acme",)}, {"tenant": "bolt"}),
    ],
)
def test_a_window_that_covers_a_part_only_holds_nothing_back(scope, words):
    found = explained("crm", windows=(window(**scope),), **words)
    assert found.maintenance is None
    assert found.opens_at == found.question.at
    assert found.sentence == found.decision.sentence


def test_a_window_beside_is_named_when_some_of_what_fails_is_in_it():
    part = window(tenants=("acme",))
    assert explained("crm", windows=(part,)).beside == (part,)
    assert explained("crm", windows=(part,), tenant="bolt").beside == ()


@pytest.mark.parametrize("words", [{"tenant": "acme"}, {"check": "sign-in", "tenant": "acme"}])
def test_a_window_covers_a_tenant_that_it_names(words):
    found = explained("crm", windows=(window(tenants=("acme",)),), **words)
    assert found.maintenance.ends == london("Tue 2026-11-24 03:00")


def test_of_windows_over_each_other_the_last_to_close_counts_and_of_others_the_first():
    over = (window(hours=2), window("longer", hours=3))
    assert explained("crm", windows=over).maintenance.window.name == "longer"
    apart = (
        window("blue", hours=3, tenants=("acme", "bolt")),
        window("green", hours=2, tenants=("cedar", "delta")),
    )
    assert explained("crm", windows=apart).maintenance.window.name == "green"


# --------------------------------------------------------------------------- what is refused


def test_every_mistake_is_named_at_once_and_nothing_sent_is_repeated():
    said = refused(at="noon", impact="most", failing="-1", service="mail", colour="red")
    assert said.keys() == {"at", "impact", "failing", "service", "question"}
    assert said["service"].endswith("there are: crm, sites, orders, intranet, status")
    assert said["impact"].endswith("there are: all, some, degraded, unknown")
    text = " ".join(said.values())
    assert not {"noon", "most", "-1", "mail", "colour", "red"} & set(text.split())


@pytest.mark.parametrize(
    ("words", "part", "message"),
    [
        ({}, "service", "is missing"),
        ({"service": "crm", "tenant": "fern"}, "tenant", "there are: acme, bolt, cedar, delta"),
        ({"service": "status", "tenant": "*"}, "tenant", "there are: none"),
        ({"service": "crm", "group": ""}, "group", "there are: blue, green"),
        ({"service": "crm", "check": "home"}, "check", "there are: sign-in, search, visits"),
        ({"service": "crm", "check": "visits"}, "check", "declares no outage"),
        ({"service": "crm", "failing": "5"}, "failing", "write 1 to 4"),
        ({"service": "crm", "failing": "1", "impact": "all"}, "failing", "a part is not all"),
        ({"service": "crm", "group": "blue", "impact": "unknown"}, "group", "cannot be seen"),
        ({"service": "crm", "group": "blue", "tenant": "acme"}, "group", "tenant says which part"),
        ({"service": "sites", "failing": "1"}, "failing", "name a tenant"),
        ({"service": "crm", "at": "0001-01-01T00:00+05:00"}, "at", "outside the years"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(words, part, message):
    assert message in refused(**words)[part]


def test_an_instant_beyond_the_calendar_is_a_mistake_of_the_instant():
    with pytest.raises(Mistaken, match="at: holidays are known for 2012 to 2030"):
        explained("crm", "2031-06-01T10:00")


def test_without_an_instant_it_is_now():
    assert asked({"service": "crm"}, ESTATE, support(), NOW).at == NOW


def test_a_critical_answer_is_critical_whoever_asks_in_whatever_zone():
    assert explained("crm", "2026-11-24T02:00Z").decision.priority is Priority.CRITICAL
    assert explained("crm", "2026-07-23T10:00").question.at == london("Thu 2026-07-23 10:00")
