"""The same cases asked by blackbox_exporter, where it is installed: both say the same of them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from monitor.model import Outcome
from monitor.net.tls import TlsSettings
from monitor.probes.dns import DnsExpect
from monitor.probes.talk import TalkStep
from tests.conformance.servers import (
    DAY,
    LOOPBACKS,
    Dialogue,
    answering,
    authority,
    name_server,
    probed,
    says,
    server_context,
)
from tests.net_fixtures import made_net, raw_server

PROGRAM = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
PATIENCE = 2.0
"""Seconds after which what does not come is missed: many times what a busy machine takes."""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="blackbox_exporter is not installed")

TALKS = {
    "connect": (says(), [], True),
    "LF": (says(b"a\n220 ok\n"), [{"expect": "^220 ok$"}], True),
    "CRLF": (says(b"a\r\n220 ok\r\n"), [{"expect": "^220 ok$"}], True),
    "end without LF": (says(b"a\n220", then_closes=True), [{"expect": "^220$"}], True),
    "a prompt without LF": (says(b"a\n220"), [{"expect": "^220$"}], False),
    "another line": (says(b"554 no\n"), [{"expect": "^220"}], False),
    "closed": (says(then_closes=True), [{"expect": "^220"}], False),
    "several at once": (says(b"a\nb\nc\n"), [{"expect": "a"}, {"expect": "c"}], True),
    "one line for two": (says(b"220\n"), [{"expect": "220"}, {"expect": "220"}], False),
    "sent with LF": (
        Dialogue(b"", {b"HELO": b"220\n"}),
        [{"send": "HELO"}, {"expect": "220"}],
        True,
    ),
    "sent at the end": (
        says(b"220\n", then_closes=True),
        [{"expect": "220"}, {"send": "QUIT"}],
        True,
    ),
    "an empty line": (says(b"\n"), [{"expect": "^$"}], True),
    "no UTF-8": (says(b"caf\xe9\n"), [{"expect": "^caf.$"}], True),
    "a long line": (says(b"x" * 65535 + b"\n220\n"), [{"expect": "^220"}], True),
    "a longer line": (says(b"x" * 70000 + b"\n220\n"), [{"expect": "^220"}], False),
    "captures": (
        Dialogue(b"PING :77\n", {b"PONG 77": b"001\n"}),
        [{"expect": "PING :(?P<it>[^ ]+)", "send": "PONG {it}"}, {"expect": "^001"}],
        True,
    ),
    "a group that took no part": (
        Dialogue(b"a\n", {b"<>": b"001\n"}),
        [{"expect": "^a(?P<it>b)?", "send": "<{it}>"}, {"expect": "^001"}],
        True,
    ),
    "STARTTLS": (
        Dialogue(b"220 mail\n", {b"STARTTLS": b"220 go\nTLS!", b"NOOP": b"250 fine\n"}),
        [
            {"expect": "^220", "send": "STARTTLS"},
            {"expect": "^220", "starttls": True},
            {"send": "NOOP"},
            {"expect": "^250"},
        ],
        True,
    ),
}
RULES = {
    "answers_match": "fail_if_none_matches_regexp",
    "answers_lack": "fail_if_matches_regexp",
    "all_answers_match": "fail_if_not_matches_regexp",
}
A, B = "www.example.test. 300 IN A 127.0.0.1", "www.example.test. 300 IN A 127.0.0.2"
RECORDS = {"none": (), "one": (A,), "two": (A, B)}
EXPRESSIONS = {"the first": r"127\.0\.0\.1$", "all": r"127\.", "nothing": "zzz"}
CERTIFICATES = {
    "good": (("127.0.0.1",), {}),
    "wrong name": (("other.example.test",), {}),
    "expired": (("127.0.0.1",), {"begins": -9 * DAY, "ends": -2 * DAY}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blackbox")


@pytest.fixture(scope="module")
def root(folder):
    made = authority()
    (folder / "root.pem").write_bytes(made.pem())
    return made


@pytest.fixture(scope="module")
def trusted(folder, root):
    return TlsSettings(ca_file=str(folder / "root.pem"))


@pytest.fixture(scope="module")
def blackbox(folder, root):
    """Where blackbox_exporter listens, with a module for every case."""
    config, log = folder / "blackbox.yml", folder / "log"
    config.write_text(json.dumps({"modules": modules(str(folder / "root.pem"))}))
    command = [PROGRAM, f"--config.file={config}", "--web.listen-address=127.0.0.1:0"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield listening(log)
        finally:
            process.terminate()


def listening(log):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        told = re.search(r"address=(127\.0\.0\.1:\d+)", log.read_text())
        if told is not None:
            return told[1]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def modules(ca_file):
    tls = {"ca_file": ca_file}
    made = {
        "verified": {"prober": "tcp", "tcp": {"tls": True, "tls_config": tls}},
        "unverified": {
            "prober": "tcp",
            "tcp": {"tls": True, "tls_config": {"insecure_skip_verify": True}},
        },
    }
    for name, (_, steps, _) in TALKS.items():
        talk = [dict(step) for step in steps]
        for step in talk:
            if "send" in step:
                step["send"] = step["send"].replace("{it}", "${it}")
        made[name] = {"prober": "tcp", "tcp": {"query_response": talk, "tls_config": tls}}
    for theirs in RULES.values():
        for name, expression in EXPRESSIONS.items():
            rules = {"validate_answer_rrs": {theirs: [expression]}}
            made[f"{theirs} {name}"] = question(**rules)
    for rcode in ("NOERROR", "SERVFAIL"):
        made[rcode] = question(valid_rcodes=[rcode])
    return {name: {"timeout": f"{PATIENCE}s", **each} for name, each in made.items()}


def question(**rules):
    asked = {"query_name": "www.example.test", "query_type": "A", "transport_protocol": "udp"}
    return {"prober": "dns", "dns": {**asked, **rules}}


async def theirs(blackbox, module, place):
    def fetched():
        query = urlencode({"module": module, "target": place})
        with urlopen(f"http://{blackbox}/probe?{query}", timeout=10) as response:
            return response.read().decode()

    return "\nprobe_success 1\n" in await asyncio.to_thread(fetched)


async def both(blackbox, module, place, kind, **options):
    """Whether they pass, and whether we do."""
    async with made_net(LOOPBACKS) as net:
        told, result = await asyncio.gather(
            theirs(blackbox, module, place), probed(net, kind, deadline=PATIENCE, **options)
        )
    return told, result.outcome is Outcome.PASS


@pytest.mark.parametrize("name", TALKS)
async def test_a_talk(blackbox, tmp_path, root, trusted, name):
    script, steps, passes = TALKS[name]
    if isinstance(script, Dialogue):
        script.tls, _ = server_context(tmp_path, root, "127.0.0.1")
    talk = tuple(TalkStep(**step) for step in steps)
    async with raw_server(script) as server:
        place = f"127.0.0.1:{server.port}"
        told = await both(
            blackbox, name, place, "tcp", url=f"tcp://{place}", talk=talk, tls=trusted
        )
    assert told == (passes, passes)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("name", CERTIFICATES)
async def test_a_certificate(blackbox, folder, root, name, verify):
    names, wishes = CERTIFICATES[name]
    context, _ = server_context(folder, root, *names, **wishes)
    tls = TlsSettings(ca_file=str(folder / "root.pem"), verify=verify)
    module = "verified" if verify else "unverified"
    async with raw_server(says(), tls=context) as server:
        place = f"127.0.0.1:{server.port}"
        told = await both(blackbox, module, place, "tcp", url=f"tcp+tls://{place}", tls=tls)
    passes = name == "good" or not verify
    assert told == (passes, passes)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("records", RECORDS)
@pytest.mark.parametrize("name", EXPRESSIONS)
async def test_a_rule_on_records(blackbox, rule, records, name):
    expect = DnsExpect(**{rule: (EXPRESSIONS[name],)})
    async with name_server(answering(*RECORDS[records])) as server:
        module = f"{RULES[rule]} {name}"
        their_word, our_word = await both(
            blackbox,
            module,
            server.place,
            "dns",
            domain="www.example.test",
            server=server.place,
            expect=expect,
        )
    assert our_word is their_word


@pytest.mark.parametrize("listed", ["NOERROR", "SERVFAIL"])
@pytest.mark.parametrize("rcode", ["NOERROR", "SERVFAIL", "NXDOMAIN"])
async def test_an_rcode(blackbox, rcode, listed):
    async with name_server(answering(rcode=rcode)) as server:
        told = await both(
            blackbox,
            listed,
            server.place,
            "dns",
            domain="www.example.test",
            server=server.place,
            expect=DnsExpect(rcode=(listed,)),
        )
    assert told == (rcode == listed, rcode == listed)
