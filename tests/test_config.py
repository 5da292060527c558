"""The configuration as a specification: what is read, what is refused, and in which words.

Every `configs/invalid-*.yaml` begins with the mistakes it must be told, one `# expect:` line each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.almanac import OfficialList
from monitor.config import ConfigError, History, load
from monitor.config.reading import known_keys
from monitor.config.tree import MAX_BYTES, plain
from monitor.config.variables import Substituted, substituted
from monitor.model import (
    SHARED,
    AllUsersScope,
    Audience,
    Deployment,
    EvidenceKind,
    Need,
    Once,
    Role,
    Rules,
    Weekly,
    Window,
)
from monitor.net.secret import Secret
from monitor.selfwatch import PingSettings, SelfWatchSettings

ROOT = Path(__file__).parent.parent
CONFIGS = Path(__file__).parent / "configs"
INVALID = sorted(CONFIGS.glob("invalid-*.yaml"))
ENVIRON = {
    "EMPTY": "",
    "TOKEN": "s3cret-token",
    "NUMBER": "45",
    "WORD": "plenty",
    "LONG": "a key of more than thirty-two characters",
}
MINIMAL = """\
services:
  crm:
    checks:
      - name: sign-in
        url: https://crm.example.com/sign-in
"""


@pytest.fixture
def read(tmp_path):
    """Reads a text as a configuration file."""

    def reader(text, environ=ENVIRON):
        path = tmp_path / "checks.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, environ)

    return reader


@pytest.fixture
def mistakes(read):
    """The mistakes of a text, without the file's name."""

    def finder(text, environ=ENVIRON):
        with pytest.raises(ConfigError) as raised:
            read(text, environ)
        return [str(each).removeprefix(f"{each.file}:") for each in raised.value.mistakes]

    return finder


def check_with(*lines):
    return MINIMAL + "".join(f"        {line}\n" for line in lines)


def first_check(config):
    return config.estate.services[0].checks[0]


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem.removeprefix("invalid-"))
def test_an_invalid_file_is_told_every_mistake_with_its_place_and_remedy(path):
    expected = re.findall(r"^# expect: (.*)$", path.read_text(), re.MULTILINE)

    with pytest.raises(ConfigError) as raised:
        load(path, ENVIRON)

    assert expected
    assert [str(each) for each in raised.value.mistakes] == [f"{path}:{each}" for each in expected]


def test_dozens_of_invalid_files_are_tried():
    assert len(INVALID) > 150


def test_a_missing_file_is_a_mistake(tmp_path):
    path = tmp_path / "absent.yaml"

    with pytest.raises(ConfigError) as raised:
        load(path, {})

    assert str(raised.value) == f"{path}:1:1: cannot be read: No such file or directory"


def test_a_directory_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_what_is_no_utf8_is_told_with_its_place(mistakes):
    assert mistakes(b"a: 1\nb: \xff\n") == [
        "2:4: is not UTF-8 here: save the file with that encoding"
    ]


def test_a_control_character_is_told_with_its_place(mistakes):
    assert mistakes("a: 1\nb: x\x00y\n") == ["2:5: holds a control character: remove it"]


def test_a_byte_order_mark_is_no_part_of_the_first_key(read):
    assert read(b"\xef\xbb\xbf" + MINIMAL.encode()).estate.services


def test_a_file_over_the_limit_is_not_parsed(mistakes):
    [mistake] = mistakes("#" * (MAX_BYTES + 1))
    assert mistake.startswith("1:1: is over 1 MiB")


def test_deep_nesting_is_refused_before_it_costs_anything(mistakes):
    [mistake] = mistakes("a: " + "[" * 100_000)
    assert mistake.endswith("is nested deeper than 32 levels")


def test_the_deepest_nesting_allowed_is_read(mistakes):
    assert all("nested" not in each for each in mistakes("a: " + "[" * 31 + "]" * 31))


def test_no_message_shows_the_value_of_a_variable(mistakes):
    found = mistakes(
        """\
listen: ${TOKEN}
database_url: ${TOKEN}
rules: {votes_min: "${TOKEN}", pass_share: "${TOKEN}", round_gap: "${TOKEN}"}
calendar: {time_zone: "${TOKEN}", country: "${TOKEN}", extra_closed: {2030-02-03: "${TOKEN}"}}
vantages: {london: {network: "${TOKEN} x", source_address: "${TOKEN}", proxy: "${TOKEN}"}}
network: {allow_private: ["${TOKEN}"]}
channels: {pager: {kind: "${TOKEN}", roles: ["${TOKEN}"]}}
services:
  crm:
    audience: ${TOKEN}
    checks:
      - name: (${TOKEN})
        url: ${TOKEN}
        method: ${TOKEN} !
        strict_http: ${TOKEN}
        tenants: ["${TOKEN}"]
        locked_out: ["(${TOKEN}"]
        expect: {status: "${TOKEN}", json: "${TOKEN}", body_matches: "[${TOKEN}"}
        ${TOKEN}: 1
"""
    )
    assert len(found) > 18
    assert not [each for each in found if ENVIRON["TOKEN"] in each]


def test_a_key_of_another_kind_is_no_key_here(mistakes):
    [mistake] = mistakes(check_with("steps: []"))
    assert mistake.startswith("6:9: services.crm.checks[0].steps: is not a known key; known are: ")
    assert "cleanup_timeout" not in mistake


def test_mistakes_come_in_the_order_of_the_file(mistakes):
    places = [tuple(map(int, each.split(":")[:2])) for each in mistakes("z: 1\na: 1\nm: 1\n")]
    assert places == sorted(places)


VALUES = ("", "~", "0", "-1", "017", "true", "text", "[]", "[~]", "{}", "{a: {b: c}}", "${X}", "'")


@given(data=st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_spoilt_anywhere_is_read_or_refused_and_nothing_else(read, data):
    lines = (ROOT / "checks.yaml").read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition(":")[0]
        spoilt = [f"{key}: {value}" for value in VALUES] + ["", lines[at][2:], "  " + lines[at]]
        lines[at] = data.draw(st.sampled_from(spoilt))
    with contextlib.suppress(ConfigError):
        read("\n".join(lines))


# --------------------------------------------------------------------------- what is read


def test_the_shipped_file_loads_with_an_empty_environment():
    config = load(ROOT / "checks.yaml", {})

    assert [each.name for each in config.estate.services] == ["crm", "sites", "website", "orders"]
    assert {each.network for each in config.estate.vantages} == {"net-a", "net-b", "net-c"}
    assert len(config.estate.controls) == 3
    assert config.warnings == ()
    assert config.api_token is None
    secrets = ("demo-password", "demo-token", "demo-import", "demo-secret")
    assert config.secrets == tuple(map(Secret, secrets))
    asked = {cell.target.address: cell.check for cell in config.estate.cells()}
    local = [each for each in asked if each.startswith("http://127.0.0.1:9")]
    assert {asked[each].kind for each in asked.keys() - set(local)} == {"heartbeat"}
    assert {each.kind for each in asked.values()} == {"http", "journey", "heartbeat", "promql"}
    writing = [each for each in asked.values() if each.evidence is EvidenceKind.MUTATING]
    assert [each.name for each in writing] == ["accept"] * 2
    assert all(target.canary for target in writing[0].targets)


def test_a_minimal_file_gets_every_default(read):
    config = read(MINIMAL)

    [service] = config.estate.services
    [check] = service.checks
    [target] = check.targets
    [vantage] = config.estate.vantages
    [channel] = config.channels
    assert (service.audience, service.core, service.rules) == (Audience.USERS, True, Rules())
    assert (service.all_users_scope, service.wide_share) == (AllUsersScope.PLATFORM, 0.5)
    assert (check.kind, check.interval, check.timeout) == ("http", 30.0, 10.0)
    assert (check.need, check.evidence) == (Need.BLOCKING, EvidenceKind.ACTIVE)
    assert (target.name, target.tenant, target.address) == (
        "shared",
        SHARED,
        "https://crm.example.com/sign-in",
    )
    assert (vantage.name, vantage.network) == ("local", "local")
    assert (channel.kind, set(channel.roles)) == ("log", {Role.ON_CALL, Role.SERVICE_DESK})
    assert (config.listen_host, config.listen_port) == ("127.0.0.1", 8365)
    assert config.public_url == "http://127.0.0.1:8365"
    assert config.database_url == "sqlite:///monitor.db"
    assert config.history == History(pass_hours=48, other_days=30)
    assert config.secrets == ()


def test_one_network_and_no_controls_are_warned_of(read):
    location, controls = read(MINIMAL).warnings

    assert "seen from one location" in location
    assert "no controls" in controls


def test_a_dependency_of_one_service_only_is_warned_of(read):
    both = MINIMAL.replace("    checks:", "    depends_on: [erp, mail]\n    checks:")
    other = both.replace("services:\n", "").replace("crm", "shop").replace("[erp, mail]", "erp-")
    config = read(both + other)

    assert [each.depends_on for each in config.estate.services] == [("erp", "mail"), ("erp-",)]
    alone = "a dependency tells something only of services that share it"
    assert [each for each in config.warnings if each.startswith("Only")] == [
        f"Only crm depends on erp: {alone}; did you mean `erp-`?",
        f"Only crm depends on mail: {alone}.",
        f"Only shop depends on erp-: {alone}; did you mean `erp`?",
    ]


def test_a_dependency_that_services_share_is_not_warned_of(read):
    one = MINIMAL.replace("    checks:", "    depends_on: erp\n    checks:")
    config = read(one + one.replace("services:\n", "").replace("crm", "shop"))

    assert [each.depends_on for each in config.estate.services] == [("erp",), ("erp",)]
    assert not [each for each in config.warnings if "depends" in each]


def test_the_calendar_is_the_policys_unless_told(read):
    calendar = read(MINIMAL).calendar

    office, friday = (time(8, 30), time(17)), (time(8, 30), time(16, 30))
    assert calendar.zone == "Europe/London"
    assert calendar.weekly == (office, office, office, office, friday, None, None)
    assert (calendar.first_year, calendar.last_year) == (2012, 2036)
    assert date(2026, 4, 6) in calendar.holidays
    assert date(2026, 8, 31) in calendar.holidays
    assert {day.year for day in calendar.holidays} == set(range(2012, 2037))


def test_scotland_keeps_no_easter_monday(read):
    calendar = read("calendar: {subdivision: SCT}\n" + MINIMAL).calendar
    assert date(2026, 4, 6) not in calendar.holidays


def test_hours_name_the_days_that_are_open(read):
    calendar = read("calendar: {hours: {sat: 10:00-12:30}}\n" + MINIMAL).calendar
    assert calendar.weekly == (None,) * 5 + ((time(10), time(12, 30)), None)


def test_an_official_list_is_found_beside_the_file_or_fetched(read, tmp_path):
    assert read(MINIMAL).official is None
    file = read("calendar: {official: {file: lists/days.json}}\n" + MINIMAL).official
    assert file == OfficialList(file=str(tmp_path / "lists/days.json"))
    url = "https://lists.example.com/days.json"
    text = f"calendar: {{official: {{url: '{url}', division: scotland}}}}\n"
    assert read(text + MINIMAL).official == OfficialList(url=url, division="scotland")


@pytest.mark.parametrize(
    ("official", "mistake"),
    [
        ("{}", "calendar.official: names neither a file nor a url: write one of them"),
        (
            '{file: a.json, url: "https://lists.example.com/"}',
            "calendar.official: names both a file and a url: write one of them",
        ),
        ('{file: ""}', "calendar.official: names neither a file nor a url: write one of them"),
        (
            '{file: a.json, division: ""}',
            "calendar.official.division: is empty: write england-and-wales, or leave it out",
        ),
        (
            '{url: "ftp://lists.example.com/"}',
            "calendar.official.url: must begin with http:// or https://",
        ),
        ("{path: a.json}", "calendar.official.path: is not a known key"),
    ],
)
def test_an_official_list_that_cannot_be_meant_is_refused(read, official, mistake):
    with pytest.raises(ConfigError) as caught:
        read(f"calendar: {{official: {official}}}\n" + MINIMAL)
    told = [str(each) for each in caught.value.mistakes]
    assert any(mistake in each for each in told), told


def test_a_private_address_of_an_official_list_is_refused_unless_allowed(read):
    text = 'calendar: {official: {url: "http://10.0.0.7/days.json"}}\n' + MINIMAL
    with pytest.raises(ConfigError, match=r"calendar\.official\.url"):
        read(text)
    assert read("network: {allow_private: 10.0.0.0/8}\n" + text).official is not None


def test_extra_dates_are_read(read):
    calendar = read(
        "calendar:\n"
        "  extra_closed: {2030-06-03: proclaimed holiday}\n"
        "  extra_open: {2030-12-27: 09:00-13:00}\n" + MINIMAL
    ).calendar

    assert calendar.extra_closed == {date(2030, 6, 3): "proclaimed holiday"}
    assert calendar.extra_open == {date(2030, 12, 27): (time(9), time(13))}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("45", 45.0), ("45.5", 45.5), ("2m", 120.0), ("45s", 45.0), ("1h", 3600.0), ("1d", 86400.0)],
)
def test_durations_are_numbers_or_have_a_unit(read, written, seconds):
    assert first_check(read(check_with(f"interval: {written}"))).interval == seconds


def test_a_duration_may_be_in_milliseconds(read):
    assert first_check(read(check_with("timeout: 500ms"))).timeout == 0.5


def test_a_substituted_value_is_read_as_the_number_it_spells(read):
    assert first_check(read(check_with("interval: ${NUMBER}"))).interval == 45.0


def test_a_substituted_value_in_quotes_is_read_the_same(read):
    assert first_check(read(check_with("interval: '${NUMBER}'"))).interval == 45.0


def test_a_substituted_value_stays_text_where_text_is_wanted(read):
    assert first_check(read(check_with("body: ${NUMBER}"))).options.body == "45"


def test_a_substituted_value_adds_no_structure(read):
    check = first_check(read(check_with("body: ${EVIL}"), {"EVIL": "x\n        timeout: 1s"}))
    assert (check.options.body, check.timeout) == ("x\n        timeout: 1s", 10.0)


def test_a_deceptive_number_from_a_variable_is_refused(mistakes):
    [mistake] = mistakes(check_with("interval: ${AGE}"), {"AGE": "01_0"})
    assert "is read differently by different readers" in mistake


def test_services_and_checks_inherit_what_they_do_not_say(read):
    config = read(
        """\
rules: {round_gap: 6s, votes_min: 20}
services:
  crm:
    interval: 1m
    rules: {round_gap: 9s}
    checks:
      - {name: slow, url: "https://crm.example.com/a"}
      - {name: quick, url: "https://crm.example.com/b", interval: 20s, timeout: 2s}
"""
    )
    [service] = config.estate.services
    assert service.rules == dataclasses.replace(Rules(), round_gap=9.0, votes_min=20)
    assert [(each.interval, each.timeout) for each in service.checks] == [(60, 10), (20, 2)]


TENANTS = """\
tenants:
  acme: {group: blue, site: acme.example.com}
  bolt: {group: green, deployment: on_premise, canary: true, site: bolt.example.org}
services:
  website:
    checks:
      - {name: home, url: "https://{site}/{tenant}/"}
      - {name: basket, url: "https://shop.example.com/{tenant}", tenants: [bolt]}
      - {name: all, url: "https://shop.example.com/"}
"""


def test_a_url_with_a_place_for_a_tenant_has_a_target_for_each(read):
    home, basket, shared = read(TENANTS).estate.services[0].checks

    assert [(each.name, each.tenant, each.address) for each in home.targets] == [
        ("acme", "acme", "https://acme.example.com/acme/"),
        ("bolt", "bolt", "https://bolt.example.org/bolt/"),
    ]
    assert [each.address for each in basket.targets] == ["https://shop.example.com/bolt"]
    assert [each.tenant for each in shared.targets] == [SHARED]


def test_a_target_has_its_tenants_group_deployment_and_canary(read):
    acme, bolt = read(TENANTS).estate.services[0].checks[0].targets

    assert (acme.group, acme.deployment, acme.canary) == ("blue", Deployment.HOSTED, False)
    assert (bolt.group, bolt.deployment, bolt.canary) == ("green", Deployment.ON_PREMISE, True)


DEPLOYED = """\
tenants:
  acme: {}
  bolt: {deployment: version_6}
services:
  orders:
    checks:
      - {name: taking, url: "https://{tenant}.example.com/orders"}
      - {name: confirming, url: "https://{tenant}.example.com/x", deployments: {acme: on_premise}}
      - {name: printing, url: "https://{tenant}.example.com/print", deployment: desktop,
         deployments: {bolt: hosted}}
      - {name: desktop, url: "https://desk.example.com/", deployment: desktop}
      - {name: status, url: "https://status.example.com/"}
"""


def test_what_is_excluded_is_said_of_a_tenant_a_check_or_one_target_and_the_nearest_holds(read):
    checks = read(DEPLOYED).estate.services[0].checks
    said = {each.name: [str(target.deployment) for target in each.targets] for each in checks}
    assert said == {
        "taking": ["hosted", "version_6"],
        "confirming": ["on_premise", "version_6"],
        "printing": ["desktop", "hosted"],
        "desktop": ["desktop"],
        "status": ["hosted"],
    }


@pytest.mark.parametrize("written", ["off", "'off'", "${SHARE:-off}"])
def test_wide_share_can_be_off(read, written):
    [service] = read(f"{MINIMAL}    wide_share: {written}\n").estate.services
    assert service.wide_share is None


def test_a_single_value_stands_for_a_list_of_one(read):
    check = first_check(read(check_with("expect: {status: 204, body_contains: hello}")))
    assert check.options.expect.status == (204,)
    assert check.options.expect.body_contains == ("hello",)


def test_networks_limits_history_and_policy_are_read(read):
    config = read(
        "network: {allow_private: [10.0.0.0/8]}\n"
        "limits: {connect: 1s, redirects: 0}\n"
        "history: {pass_hours: 24}\n"
        "policy: {response_target: 1h, wide_partial: false, page_window: 2m}\n" + MINIMAL
    )
    assert config.allow_private == (ip_network("10.0.0.0/8"),)
    assert (config.limits.connect, config.limits.redirects, config.limits.dns) == (1.0, 0, 3.0)
    assert config.history == History(pass_hours=24, other_days=30)
    assert (config.policy.response_target, config.policy.wide_partial) == (3600.0, False)
    assert config.policy.page_window == 120.0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10.0.0.53", ("10.0.0.53",)),
        ("10.0.0.53:5353", ("10.0.0.53:5353",)),
        ("['FD00::53', '[fd00::53]:5353']", ("fd00::53", "[fd00::53]:5353")),
        ("[]", None),
    ],
)
def test_name_servers_are_read_with_or_without_a_port(read, written, meant):
    assert read(f"network: {{nameservers: {written}}}\n" + MINIMAL).nameservers == meant


def test_the_systems_name_servers_are_asked_unless_others_are_named(read):
    assert read(MINIMAL).nameservers is None


def test_an_ipv6_address_can_be_listened_at(read):
    config = read("listen: '[::1]:8000'\n" + MINIMAL)
    assert (config.listen_host, config.listen_port) == ("::1", 8000)


def test_a_private_address_that_is_allowed_can_be_probed(read):
    text = MINIMAL.replace("https://crm.example.com", "http://10.1.2.3")
    assert first_check(read("network: {allow_private: 10.0.0.0/8}\n" + text)).targets


# --------------------------------------------------------------------------- secrets


def test_a_secret_comes_from_the_environment(read):
    config = read(check_with("bearer: ${TOKEN}"))

    assert first_check(config).options.bearer == Secret("s3cret-token")
    assert config.secrets == (Secret("s3cret-token"),)


def test_a_secret_comes_from_a_file_beside_the_configuration(read, tmp_path):
    (tmp_path / "token").write_text("from-a-file\n")

    config = read(check_with("bearer_file: token"))

    assert first_check(config).options.bearer == Secret("from-a-file")


def test_every_secret_is_listed_for_redaction(read, tmp_path):
    (tmp_path / "api").write_text("api")
    environ = {
        "A": "bearer",
        "B": "basic",
        "C": "hook",
        "D": "db",
        "E": "proxy",
        "F": "header",
        "G": "acme",
        "H": "links, signed by this, for a while",
        "I": "links, signed by that one before",
        "J": "told by the pager",
    }

    config = read(
        """\
api_token_file: api
database_url: postgresql://monitor:${D}@db.example.com/monitor
tenants: {acme: {report_token: "${G}"}}
link_key: ${H}
previous_link_key: ${I}
hooks: {pager: {secret: "${J}"}}
vantages: {dublin: {proxy: "http://me:${E}@proxy.example.com:3128"}}
services:
  crm:
    checks:
      - {name: a, url: "https://crm.example.com/", bearer: "${A}"}
      - {name: b, url: "https://crm.example.com/", basic: {user: probe, password: "${B}"}}
      - {name: c, url: "https://crm.example.com/", headers: {X-Api-Key: "${F}"}}
channels:
  pager:
    kind: webhook
    roles: [on_call, service_desk]
    url: https://hooks.example.com/
    secret: ${C}
""",
        environ,
    )
    assert {each.reveal() for each in config.secrets} == {*environ.values(), "api"}


def test_links_are_signed_by_a_key_and_last_as_long_as_is_said(read, tmp_path):
    assert read("link_key: ${EMPTY}\n" + MINIMAL).links is None
    (tmp_path / "older").write_text("an older key of over thirty-two characters\n")
    said = "link_key: ${LONG}\nprevious_link_key_file: older\nlink_expiry: 2h\n"
    links = read(said + MINIMAL).links
    assert links.key.reveal() == ENVIRON["LONG"]
    assert links.previous.reveal() == "an older key of over thirty-two characters"
    assert links.lasts == timedelta(hours=2)


def test_a_hook_is_believed_by_its_secret(read):
    channels = "channels: {pager: {kind: log, roles: [on_call, service_desk]}}\n"
    hooks = read("hooks: {pager: {secret: '${TOKEN}'}}\n" + channels + MINIMAL).hooks
    assert {name: secret.reveal() for name, secret in hooks.items()} == {"pager": "s3cret-token"}


def test_an_empty_api_token_is_none(read):
    assert read("api_token: ${EMPTY}\n" + MINIMAL).api_token is None


def test_tenants_prove_who_they_are_by_tokens_of_their_own(read, tmp_path):
    (tmp_path / "bolt").write_text("from-a-file\n")
    tenants = "{acme: {report_token: '${A}'}, bolt: {report_token_file: bolt}, cedar: {}}"
    config = read(f"tenants: {tenants}\n" + MINIMAL, {"A": "from-a-variable"})
    tokens = {name: token.reveal() for name, token in config.report_tokens.items()}
    assert tokens == {"acme": "from-a-variable", "bolt": "from-a-file"}


def test_a_channel_for_reporters_is_not_needed_and_the_log_is_none(read):
    assert read(MINIMAL).channels[0].roles == (Role.ON_CALL, Role.SERVICE_DESK)
    channels = "channels: {all: {kind: log, roles: [on_call, service_desk]}, "
    config = read(channels + "customers: {kind: log, roles: reporter}}\n" + MINIMAL)
    assert config.channels[1].roles == (Role.REPORTER,)


def test_the_configuration_shows_no_secret(read):
    assert "s3cret-token" not in repr(read(check_with("bearer: ${TOKEN}")))


# --------------------------------------------------------------------------- fingerprints


def printed(config):
    return first_check(config).targets[0].fingerprint


@pytest.mark.parametrize(
    "lines",
    [
        ["expect: {status: 204}"],
        ["expect: {body_contains: hello}"],
        ["method: HEAD"],
        ["strict_http: true"],
    ],
)
def test_what_is_asserted_changes_the_fingerprint(read, lines):
    assert printed(read(check_with(*lines))) != printed(read(MINIMAL))


def test_the_address_changes_the_fingerprint(read):
    assert printed(read(MINIMAL.replace("/sign-in", "/login"))) != printed(read(MINIMAL))


@pytest.mark.parametrize("lines", [["interval: 45s"], ["need: blocking", "timeout: 4s"]])
def test_how_often_it_is_asked_does_not_change_the_fingerprint(read, lines):
    assert printed(read(check_with(*lines))) == printed(read(MINIMAL))


def test_a_rotated_secret_does_not_change_the_fingerprint(read):
    text = check_with("bearer: ${TOKEN}")
    assert printed(read(text, {"TOKEN": "old"})) == printed(read(text, {"TOKEN": "new"}))


# --------------------------------------------------------------------------- scalars, variables


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("yes", "yes"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2030-01-01", "2030-01-01"),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("e", "e"),
        ("E5", "E5"),
        (".", "."),
        (".inf", ".inf"),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)
def test_a_plain_scalar_is_read_by_yaml_1_2(text, value):
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize("text", ["017", "-017", "0x1f", "0o17", "0b1", "1_000", "1__0"])
def test_a_number_that_readers_disagree_about_is_refused(text):
    with pytest.raises(ValueError, match="read differently"):
        plain(text)


@pytest.mark.parametrize(
    ("text", "became"),
    [
        ("${A}", "1"),
        ("x${A}y${B:-2}", "x1y2"),
        ("${B:-}", ""),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("${B:-http://127.0.0.1:80/a-b}", "http://127.0.0.1:80/a-b"),
    ],
)
def test_variables_are_replaced(text, became):
    result = substituted(text, {"A": "1", "EMPTY": ""})

    assert result == became
    assert isinstance(result, Substituted)
    assert result.written == text


def test_a_value_is_not_replaced_again():
    assert substituted("${A}", {"A": "${B}", "B": "x"}) == "${B}"


def test_an_escaped_reference_is_literal():
    result = substituted("$${A} $A", {})

    assert result == "${A} $A"
    assert not isinstance(result, Substituted)


# --------------------------------------------------------------------------- documentation


def documented_keys():
    """The keys of docs/configuration.md, by the paths their section's heading names."""
    keys = {}
    paths = ()
    for line in (ROOT / "docs" / "configuration.md").read_text().splitlines():
        if line.startswith("### "):
            paths = re.findall(r"`([^`]+)`", line) or [""]
        elif row := re.match(r"\| `([a-z_0-9]+)` \|", line):
            for path in paths:
                keys.setdefault(path.replace("<name>", "*"), set()).add(row[1])
    return keys


def test_every_key_is_documented_and_no_other():
    known = {
        ".".join(map(str, path)).replace(".[]", "[]"): set(keys)
        for path, keys in known_keys().items()
    }
    assert documented_keys() == known


def test_the_smallest_documented_file_works(read):
    text = (ROOT / "docs" / "configuration.md").read_text()
    config = read(text.partition("```yaml\n")[2].partition("```")[0])
    assert len(config.warnings) == 2


# --------------------------------------------------------------------------- selfwatch


def test_without_a_word_nobody_is_pinged(read):
    assert read(MINIMAL).selfwatch == SelfWatchSettings()


def test_the_address_of_a_ping_is_a_secret(read):
    url = "https://watch.example.com/1b671a64"
    config = read(
        MINIMAL + "selfwatch: {ping: {url: '${PING}', every: 2m}}\n", {**ENVIRON, "PING": url}
    )
    assert config.selfwatch.ping == PingSettings(Secret(url), every=120.0, timeout=10.0)
    assert Secret(url) in config.secrets


# --------------------------------------------------------------------------- maintenance


WINDOWS = (
    MINIMAL
    + """\
  sites:
    checks:
      - name: home
        url: https://{tenant}.example.com/
tenants: {acme: {}, bolt: {}}
maintenance:
"""
)


def windows(read, *lines):
    """The windows of a file, by name."""
    config = read(WINDOWS + "".join(f"  {line}\n" for line in lines))
    return {window.name: window for window in config.estate.windows}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_that_comes_once_is_in_the_calendars_local_time(read):
    found = windows(
        read, "move: {begins: 2026-10-24T22:00, ends: 2026-10-25 02:00, services: crm, reason: why}"
    )
    when = Once(at("2026-10-24T21:00"), at("2026-10-25T02:00"))
    assert found == {"move": Window("move", when, ("crm",), reason="why")}


def test_an_offset_says_which_time_is_meant(read):
    found = windows(
        read, 'move: {begins: "2026-10-25T01:30+00:00", ends: 2026-10-25T02:30:30Z, services: crm}'
    )
    assert found["move"].when == Once(at("2026-10-25T01:30"), at("2026-10-25T02:30:30"))


def test_a_weekly_window_knows_its_zone(read):
    found = windows(read, "backup: {weekly: sat 23:00-01:00, services: crm}")
    assert found["backup"].when == Weekly(5, time(23, 0), time(1, 0), "Europe/London")


def test_all_services_are_those_of_the_file(read):
    found = windows(read, "backup: {weekly: sun 02:00-04:00, services: all}")
    assert found["backup"].services == ("crm", "sites")
    assert (found["backup"].checks, found["backup"].tenants) == (None, None)


def test_a_window_may_be_of_some_checks_and_tenants(read):
    found = windows(
        read, "backup: {weekly: sun 02:00-04:00, services: all, checks: home, tenants: [acme]}"
    )
    assert (found["backup"].checks, found["backup"].tenants) == (("home",), ("acme",))


def test_a_window_may_be_over_and_last_a_week(read):
    found = windows(read, "old: {begins: 2020-02-01T00:00, ends: 2020-02-08T00:00, services: crm}")
    assert found["old"].when == Once(at("2020-02-01T00:00"), at("2020-02-08T00:00"))


def test_the_windows_of_the_documentation_are_read(read):
    page = (ROOT / "docs" / "configuration.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "backup:" in b]
    text = WINDOWS.replace("crm.example.com", "{tenant}.example.com")
    config = read(text.removesuffix("maintenance:\n") + block)
    assert [window.name for window in config.estate.windows] == ["new-database", "backup"]


# --------------------------------------------------------------------------- tenants' own options


def test_what_a_tenant_fills_in_beside_the_address_is_its_targets_own(read):
    config = read(
        """
tenants: {acme: {key: k1}, bolt: {key: k2}}
services:
  crm:
    checks:
      - name: home
        url: https://crm.example.org/{tenant}
        headers: {X-Key: "{key}"}
"""
    )
    check = first_check(config)
    cells = {cell.target.name: cell for cell in config.estate.cells()}
    assert cells["acme"].options.headers == {"X-Key": "k1"}
    assert cells["bolt"].options.headers == {"X-Key": "k2"}
    assert len({target.fingerprint for target in check.targets}) == 2


def test_tenants_who_differ_by_their_address_only_share_their_options(read):
    config = read(
        """
tenants: {acme: {}, bolt: {}}
services: {crm: {checks: [{name: home, url: "https://crm.example.org/{tenant}"}]}}
"""
    )
    check = first_check(config)
    assert [target.options for target in check.targets] == [None, None]
    assert all(cell.options is check.options for cell in config.estate.cells())
