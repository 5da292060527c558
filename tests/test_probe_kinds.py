"""The kinds tcp, tls and dns as a configuration has them, and what tenants fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.config import load
from monitor.net.hop import IpFamily
from monitor.net.tls import TlsVersion
from monitor.probes import PROBES, Ask, Means
from monitor.probes.dns import Transport
from monitor.probes.talk import TalkStep
from monitor.probes.templates import finished
from monitor.probes.tls import StartTls
from tests.conformance.servers import answering, cell_of, free_port, name_server
from tests.net_fixtures import made_net

ROOT = Path(__file__).parent.parent
TENANTS = """\
tenants:
  acme: {server: mail.acme.example, word: one}
  bolt: {server: mail.bolt.example, word: two}
"""


@pytest.fixture
def checks(tmp_path):
    """Reads the checks of one service, each a mapping in flow style."""

    def reader(*lines, environ=None, more=""):
        path = tmp_path / "checks.yaml"
        head = "services:\n  mail:\n    checks:\n"
        path.write_text(more + head + "".join(f"      - {line}\n" for line in lines))
        config = load(path, environ or {})
        return config, config.estate.services[0].checks

    return reader


def test_a_tcp_check_is_read(checks):
    _, (check,) = checks(
        '{name: greets, kind: tcp, url: "TCP+TLS://mail.example.com:465", ip_family: ip6,'
        ' talk: [{expect: "^220", send: "QUIT\\r"}, {expect_bytes: "32 32 31"}]}'
    )
    (target,) = check.targets
    assert target.address == "TCP+TLS://mail.example.com:465"
    assert check.options.talk == (
        TalkStep(expect="^220", send="QUIT\r"),
        TalkStep(expect_bytes="32 32 31"),
    )
    assert check.options.ip_family is IpFamily.IP6


def test_a_tls_check_is_read(checks):
    _, (check,) = checks(
        "{name: chain, kind: tls, url: tls://mail.example.com:25, starttls: smtp,"
        " expect: {certificate_lifetime: 14d, names: mail.example.com, version: TLS13}}"
    )
    assert check.options.starttls is StartTls.SMTP
    assert check.options.expect.certificate_lifetime == 14 * 86400
    assert check.options.expect.names == ("mail.example.com",)
    assert check.options.expect.version == (TlsVersion.TLS_1_3,)


def test_a_dns_check_is_read(checks):
    _, (check,) = checks(
        "{name: resolves, kind: dns, domain: www.example.com, type: AAAA, transport: tcp,"
        ' server: "8.8.8.8:5353", expect: {rcode: NXDOMAIN, min_answers: 2}}'
    )
    assert check.name == "resolves"
    assert check.targets[0].address == "www.example.com"
    assert check.options.transport is Transport.TCP
    assert check.options.hosts == {"server": "8.8.8.8"}
    assert (check.options.expect.rcode, check.options.expect.min_answers) == (("NXDOMAIN",), 2)


def test_tenants_have_targets_of_their_own(checks):
    _, (tcp, tls, dns) = checks(
        '{name: a, kind: tcp, url: "tcp://{server}:25", talk: [{expect: "220", send: "{word}"}]}',
        '{name: b, kind: tls, url: "tls://{server}", expect: {names: "{server}"}}',
        '{name: c, kind: dns, domain: "{server}", server: "ns.{server}"}',
        more=TENANTS,
    )
    assert [each.address for each in tcp.targets] == [
        "tcp://mail.acme.example:25",
        "tcp://mail.bolt.example:25",
    ]
    assert [each.options.talk[0].send for each in tcp.targets] == ["one", "two"]
    assert [each.options.expect.names for each in tls.targets] == [
        ("mail.acme.example",),
        ("mail.bolt.example",),
    ]
    assert [each.address for each in dns.targets] == ["mail.acme.example", "mail.bolt.example"]
    assert dns.targets[1].options.hosts == {"server": "ns.mail.bolt.example"}


def test_what_a_talk_captures_is_no_tenants_variable(checks):
    _, (check,) = checks(
        '{name: a, kind: tcp, url: "tcp://{server}:25",'
        ' talk: [{expect: "(?P<word>.+)", send: "{word} {{word}}"}]}',
        more=TENANTS,
    )
    assert all(each.options is None for each in check.targets)
    assert check.options.talk[0].send == "{word} {{word}}"


def test_the_secret_of_a_talk_is_known_to_be_one(checks):
    config, (check,) = checks(
        '{name: a, kind: tcp, url: "tcp://mail.example.com:110", secret: "${PASSWORD}",'
        ' talk: [{expect: "OK", send: "PASS {secret}"}]}',
        environ={"PASSWORD": "hunter2"},
    )
    assert [each.reveal() for each in config.secrets] == ["hunter2"]
    assert check.options.given == {"secret": "hunter2"}
    assert "hunter2" not in repr(check)


@pytest.mark.parametrize("kind", ["tcp", "tls", "dns"])
def test_what_is_expected_is_part_of_the_fingerprint(checks, kind):
    told = {
        "tcp": ('url: "tcp://h.example.com:1"', "talk: [{send: a}]"),
        "tls": ("url: tls://h.example.com", "expect: {certificate_lifetime: 3d}"),
        "dns": ("domain: h.example.com", "expect: {min_answers: 3}"),
    }
    address, more = told[kind]
    _, (plain, same, other) = checks(
        f"{{name: a, kind: {kind}, {address}}}",
        f"{{name: b, kind: {kind}, {address}}}",
        f"{{name: c, kind: {kind}, {address}, {more}}}",
    )
    prints = [check.targets[0].fingerprint for check in (plain, same, other)]
    assert prints[0] == prints[1] != prints[2]


def test_a_name_server_may_be_allowed(checks):
    _, (check,) = checks(
        "{name: a, kind: dns, domain: a.example.com, server: 10.0.0.53}",
        more="network: {allow_private: 10.0.0.0/8}\n",
    )
    assert check.options.hosts == {"server": "10.0.0.53"}


def test_the_talk_of_the_documentation_is_read(checks, tmp_path):
    page = (ROOT / "docs" / "configuration.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: tcp" in b]
    path = tmp_path / "documented.yaml"
    indented = "".join(f"      {line}\n" for line in block.splitlines())
    path.write_text(f"services:\n  mail:\n    checks:\n{indented}")
    (check,) = load(path, {}).estate.services[0].checks
    assert [step.starttls for step in check.options.talk] == [False, False, True, False, False]
    assert check.options.talk[0].send == "EHLO monitor.example.com\r"


def test_the_last_values_are_filled_in_once():
    values = {"a": "{b}{{c}}", "b": "never"}
    assert finished("{a} {{a}} {other}", values) == "{b}{{c}} {a} {other}"


@pytest.mark.parametrize("kind", ["tcp", "tls", "dns"])
async def test_a_name_is_resolved_anew_where_that_is_asked_for(kind):
    place = f"mail.example.test:{free_port()}"
    options = {
        "tcp": {"url": f"tcp://{place}"},
        "tls": {"url": f"tls://{place}"},
        "dns": {"domain": "www.example.test", "server": place},
    }
    cell = cell_of(kind, **options[kind])
    async with (
        name_server(answering("mail.example.test. 300 IN A 127.0.0.1")) as server,
        made_net(nameservers=(server.place,)) as net,
    ):
        told = [
            (await PROBES[kind].probe(cell, Ask("r1", 1.0, fresh), Means(net))).evidence.name_fresh
            for fresh in (False, False, True)
        ]
    assert told == [True, False, True]
    assert len(server.queries) == 2
