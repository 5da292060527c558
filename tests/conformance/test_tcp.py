"""The tcp kind behaves as users of other probers expect of connecting and of a talk."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress

import pytest

from monitor.model import FailureKind, Outcome, Vantage
from monitor.net.failure import Failure
from monitor.net.secret import Secret
from monitor.net.tls import TlsSettings, TlsVersion
from monitor.probes.talk import LINE_BYTES, LINES, Heard, TalkStep
from monitor.probes.tcp import TcpOptions
from tests.conformance.servers import (
    LOOPBACKS,
    Dialogue,
    free_port,
    probed,
    says,
    server_context,
    shaking_hands,
)
from tests.net_fixtures import made_net, raw_server

SECURE = ("tcp", "tcp+tls")


@pytest.fixture
async def net():
    async with made_net(LOOPBACKS, secrets=["hunter2"]) as made:
        yield made


@pytest.fixture
def served(tmp_path, root):
    """Serve a script over a scheme; over TLS with a good certificate for 127.0.0.1."""

    def serve(script, scheme="tcp", **wishes):
        tls = None
        if scheme == "tcp+tls":
            tls, _ = server_context(tmp_path, root, "127.0.0.1", "localhost")
        return raw_server(script, tls=tls, **wishes)

    return serve


def url(server, scheme="tcp", host="127.0.0.1"):
    return f"{scheme}://{host}:{server.port}"


def talk(*steps):
    return tuple(TalkStep(**step) for step in steps)


def told(result):
    return result.outcome, result.failure


PASS = (Outcome.PASS, None)


def fail(kind):
    return Outcome.FAIL, FailureKind(kind)


# ------------------------------------------------------------------------ connecting


async def test_tcp_connection(net, served):
    async with served(says()) as server:
        result = await probed(net, "tcp", url=url(server))
    assert told(result) == PASS
    assert result.evidence.asked == f"tcp connect to 127.0.0.1:{server.port}"
    assert result.evidence.address == f"127.0.0.1:{server.port}"
    assert result.phases.connect > 0
    assert result.phases.tls is result.phases.processing is None


@pytest.mark.parametrize("steps", [(), talk({"expect": "^220"})], ids=["connect", "talk"])
async def test_tcp_connection_fails(net, steps):
    result = await probed(net, "tcp", url=f"tcp://127.0.0.1:{free_port()}", talk=steps)
    assert told(result) == fail("connect")
    assert "connection refused" in result.evidence.message


async def test_a_name_that_does_not_resolve_fails(net):
    result = await probed(net, "tcp", url="tcp://nobody.invalid:25", deadline=0.2)
    assert result.outcome is Outcome.FAIL
    assert result.failure in {FailureKind.DNS, FailureKind.TIMEOUT}


async def test_an_address_that_is_not_allowed_is_not_contacted(served):
    async with made_net(()) as strict, served(says()) as server:
        result = await probed(strict, "tcp", url=url(server))
    assert told(result) == fail("connect")
    assert server.peers == []


async def test_the_source_address_is_the_vantages(net, served):
    came = asyncio.Event()

    async def script(reader, writer):
        came.set()
        await reader.read()

    vantage = Vantage("other", "other", source_address="127.0.0.9")
    async with served(script) as server:
        result = await probed(net, "tcp", url=url(server), vantage=vantage)
        async with asyncio.timeout(2):
            await came.wait()
    assert told(result) == PASS
    assert server.peers == ["127.0.0.9"]


async def test_the_scheme_is_read_in_any_case(net, served):
    async with served(says()) as server:
        assert told(await probed(net, "tcp", url=url(server, "TCP"))) == PASS


@pytest.mark.parametrize(
    ("family", "host", "reached"),
    [
        ("ip4_first", "127.0.0.1", "127.0.0.1"),
        ("ip6_first", "::1", "[::1]"),
        ("ip4", "127.0.0.1", "127.0.0.1"),
        ("ip6", "::1", "[::1]"),
    ],
)
async def test_prefers_ip4_or_ip6(net, served, family, host, reached):
    async with served(says(), host=host) as server:
        result = await probed(net, "tcp", url=url(server, host="localhost"), ip_family=family)
    assert told(result) == PASS
    assert result.evidence.address == f"{reached}:{server.port}"


async def test_an_ip6_address_stands_in_brackets(net, served):
    async with served(says(), host="::1") as server:
        result = await probed(net, "tcp", url=url(server, host="[::1]"))
    assert told(result) == PASS
    assert result.evidence.asked == f"tcp connect to [::1]:{server.port}"


# ------------------------------------------------------------------------ TLS from the start


async def test_tcp_connection_with_tls(net, served, trusted):
    async with served(says(), "tcp+tls") as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), tls=trusted)
    assert told(result) == PASS
    assert result.phases.tls > 0
    assert result.evidence.tls_version == "TLSv1.3"
    assert "127.0.0.1" in result.evidence.certificate.names


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tcp_talk_with_tls(net, tmp_path, root, trusted, version):
    context, _ = server_context(tmp_path, root, "127.0.0.1", version=version)
    steps = talk({"expect": "^220"}, {"expect": "^second", "send": "QUIT"})
    async with raw_server(says(b"220 one\r\nsec", b"ond\r\n"), tls=context) as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), tls=trusted, talk=steps)
    assert told(result) == PASS


async def test_tcp_connection_with_tls_and_verified_name_mismatch(net, tmp_path, root, trusted):
    context, _ = server_context(tmp_path, root, "other.example.test")
    async with raw_server(says(), tls=context) as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), tls=trusted)
    assert told(result) == fail("tls")
    assert "certificate refused: IP address mismatch" in result.evidence.message
    assert result.evidence.certificate.names == ("other.example.test",)


async def test_tcp_connection_with_tls_and_the_server_name_that_is_set(
    net, tmp_path, root, trusted
):
    context, _ = server_context(tmp_path, root, "other.example.test")
    asked = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    tls = TlsSettings(ca_file=trusted.ca_file, server_name="other.example.test")
    async with raw_server(says(), tls=context) as server:
        assert told(await probed(net, "tcp", url=url(server, "tcp+tls"), tls=tls)) == PASS
    assert asked == ["other.example.test"]


async def test_tcp_connection_with_tls_fails_where_nobody_speaks_it(net, served):
    async with served(says(b"220 plain\r\n")) as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"))
    assert told(result) == fail("tls")


async def test_tcp_connection_with_tls_ends_with_its_deadline(net, served):
    async with served(says()) as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), deadline=0.2)
    assert told(result) == fail("timeout")
    assert "during the TLS handshake" in result.evidence.message


@pytest.mark.parametrize("verify", [True, False])
async def test_tcp_connection_with_tls_that_nobody_vouches_for(net, tmp_path, verify):
    context, _ = server_context(tmp_path, None, "127.0.0.1")
    async with raw_server(says(), tls=context) as server:
        tls = TlsSettings(verify=verify)
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), tls=tls)
    assert told(result) == (fail("tls") if verify else PASS)


async def test_tcp_connection_with_an_older_tls_than_allowed(net, tmp_path, root, trusted):
    context, _ = server_context(tmp_path, root, "127.0.0.1", version=ssl.TLSVersion.TLSv1_2)
    tls = TlsSettings(ca_file=trusted.ca_file, min_version=TlsVersion.TLS_1_3)
    async with raw_server(shaking_hands(context)) as server:
        result = await probed(net, "tcp", url=url(server, "tcp+tls"), tls=tls)
    assert told(result) == fail("tls")
    assert "protocol version" in result.evidence.message


# ------------------------------------------------------------------------ STARTTLS

SMTP = talk(
    {"expect": "^220 ([^ ]+) ESMTP (.+)$", "send": "EHLO prober\r"},
    {"expect": "^250-STARTTLS", "send": "STARTTLS\r"},
    {"expect": "^220", "starttls": True},
    {"send": "EHLO prober\r"},
    {"expect": "^250-AUTH", "send": "QUIT\r"},
    {"expect": "^221"},
)


def smtp(context, starttls=b"220 go ahead\r\nTLS!"):
    greets = {b"STARTTLS": starttls, b"QUIT": b"221 bye\r\n"}
    lines = b"250-mail\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n"
    return Dialogue(b"220 mail ESMTP test\r\n", {b"EHLO prober": lines, **greets}, context)


async def test_query_response_starttls(net, tmp_path, root, trusted):
    context, _ = server_context(tmp_path, root, "127.0.0.1")
    mail = smtp(context)
    async with raw_server(mail) as server:
        result = await probed(net, "tcp", url=url(server), talk=SMTP, tls=trusted)
    assert told(result) == PASS
    assert mail.secured
    assert mail.lines == [
        b"EHLO prober\r\n",
        b"STARTTLS\r\n",
        b"EHLO prober\r\n",
        b"QUIT\r\n",
    ]
    assert result.evidence.certificate.names == ("127.0.0.1",)
    assert result.phases.tls > 0


async def test_query_response_starttls_verifies_the_name(net, tmp_path, root, trusted):
    context, _ = server_context(tmp_path, root, "other.example.test")
    async with raw_server(smtp(context)) as server:
        result = await probed(net, "tcp", url=url(server), talk=SMTP, tls=trusted)
    assert told(result) == fail("tls")


async def test_query_response_starttls_that_is_refused(net, trusted):
    async with raw_server(smtp(None, b"454 not now\r\n")) as server:
        result = await probed(net, "tcp", url=url(server), talk=SMTP, tls=trusted, deadline=0.3)
    assert told(result) == fail("body")
    assert result.evidence.message.startswith('step 3 waited for a line that matches "^220": ')
    assert result.evidence.message.endswith('last line: "454 not now"')


async def test_query_response_starttls_takes_nothing_from_before_it(net, trusted):
    forged = b"220 go ahead\r\n250-AUTH PLAIN\r\n"
    async with raw_server(smtp(None, forged)) as server:
        result = await probed(net, "tcp", url=url(server), talk=SMTP, tls=trusted)
    assert told(result) == fail("protocol")
    assert "16 bytes came before it" in result.evidence.message


# ------------------------------------------------------------------------ query and response


@pytest.mark.parametrize("scheme", SECURE)
async def test_query_response_irc(net, served, trusted, scheme):
    irc = Dialogue(
        b":irc NOTICE AUTH :*** Looking up your hostname...\n",
        {
            b"NICK prober": b"",
            b"USER prober prober prober :prober": b"PING :cookie-77\n",
            b"PONG cookie-77": b":irc 001 prober :Welcome\n",
        },
    )
    steps = talk(
        {"send": "NICK prober"},
        {"send": "USER prober prober prober :prober"},
        {"expect": "PING :(?P<cookie>[^ ]+)", "send": "PONG {cookie}"},
        {"expect": "^:[^ ]+ 001"},
    )
    async with served(irc, scheme) as server:
        result = await probed(
            net, "tcp", url=url(server, scheme), talk=steps, tls=trusted_if(scheme, trusted)
        )
    assert told(result) == PASS
    assert irc.lines[-1] == b"PONG cookie-77\n"
    assert result.evidence.headers == (("cookie", "cookie-77"),)


def trusted_if(scheme, trusted):
    return trusted if scheme == "tcp+tls" else TlsSettings()


@pytest.mark.parametrize("scheme", SECURE)
async def test_query_response_matching(net, served, trusted, scheme):
    """What SSH servers say, with its parts as evidence."""
    steps = talk({"expect": "^SSH-2.0-(?P<software>[^ -]+)(?P<comments> .*)?$"})
    async with served(says(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"), scheme) as server:
        result = await probed(
            net, "tcp", url=url(server, scheme), talk=steps, tls=trusted_if(scheme, trusted)
        )
    assert told(result) == PASS
    assert dict(result.evidence.headers) == {"software": "OpenSSH_9.2p1", "comments": "Debian"}


async def test_a_group_that_took_no_part_is_empty(net, served):
    steps = talk({"expect": "^a(?P<rest>b)?", "send": "<{rest}>"}, {"expect": "^<>$"})
    async with served(Dialogue(b"a\n", {b"<>": b"<>\n"})) as server:
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_captures_last_for_the_whole_talk(net, served):
    steps = talk(
        {"expect": "^(?P<one>.+) first"},
        {"expect": "^(?P<two>.+) second", "send": "{one}{two}{{one}}"},
        {"expect": "^done"},
    )
    script = Dialogue(b"x first\ny second\n", {b"xy{one}": b"done\n"})
    async with served(script) as server:
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_what_was_captured_is_sent_as_it_is(net, served):
    """A value that looks like a place is none."""
    steps = talk({"expect": "^is (?P<it>.+)$", "send": "{it}"}, {"expect": "^done"})
    async with served(Dialogue(b"is {{it}}{it}\n", {b"{{it}}{it}": b"done\n"})) as server:
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
async def test_lines_may_end_either_way(net, served, ending):
    async with served(says(b"first" + ending + b"220 ready" + ending)) as server:
        steps = talk({"expect": "^220 ready$"})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_a_line_may_come_in_pieces(net, served):
    async def script(reader, writer):
        for piece in b"220 ready\n":
            writer.write(bytes([piece]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with served(script) as server:
        steps = talk({"expect": "^220 ready$"})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_the_last_line_may_end_with_the_connection(net, served):
    async with served(says(b"one\n220 ready", then_closes=True)) as server:
        steps = talk({"expect": "^220 ready$"})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_all_that_came_at_once_serves_step_after_step(net, served):
    async with served(says(b"a\nb\nc\n")) as server:
        steps = talk({"expect": "a"}, {"expect": "c"})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_a_line_is_taken_once(net, served):
    async with served(says(b"220 one\n")) as server:
        steps = talk({"expect": "^220"}, {"expect": "^220"})
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.2)
    assert told(result) == fail("timeout")
    assert result.evidence.message.startswith("step 2 waited")


async def test_what_is_no_utf_8_can_be_matched_around(net, served):
    async with served(says(b"220 caf\xe9 ready\n")) as server:
        steps = talk({"expect": "^220 caf. ready$"})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


# ------------------------------------------------------------------------ byte mode


@pytest.mark.parametrize("scheme", SECURE)
async def test_query_response_byte_mode(net, served, trusted, scheme):
    async def script(reader, writer):
        if await reader.readexactly(4) == b"\x00\x01\xfe\xff":
            writer.write(b"\x7f\x00\x02")
            await writer.drain()
            writer.write(b"\x03\xff")
        await reader.read()

    steps = talk({"send_bytes": "0001 feff"}, {"expect_bytes": "00 02 03"})
    async with served(script, scheme) as server:
        result = await probed(
            net, "tcp", url=url(server, scheme), talk=steps, tls=trusted_if(scheme, trusted)
        )
    assert told(result) == PASS


async def test_byte_mode_finds_a_prompt_without_a_line_feed(net, served):
    async with served(says(b"welcome\r\nlogin: ")) as server:
        steps = talk({"expect": "welcome"}, {"expect_bytes": b"login: ".hex()})
        assert told(await probed(net, "tcp", url=url(server), talk=steps)) == PASS


async def test_byte_mode_that_does_not_match(net, served):
    async with served(says(b"\x00\x01\x02")) as server:
        steps = talk({"expect_bytes": "00 02"})
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.2)
    assert told(result) == fail("body")
    assert result.evidence.message.startswith("step 1 waited for the bytes 00 02: ")


# ------------------------------------------------------------------------ what never comes


@pytest.mark.parametrize("scheme", SECURE)
async def test_expected_text_never_comes(net, served, trusted, scheme):
    async with served(says(b"554 no service\r\n"), scheme) as server:
        result = await probed(
            net,
            "tcp",
            url=url(server, scheme),
            talk=talk({"expect": "^220"}),
            tls=trusted_if(scheme, trusted),
            deadline=0.3,
        )
    assert told(result) == fail("body")
    assert 'waited for a line that matches "^220"' in result.evidence.message
    assert 'last line: "554 no service"' in result.evidence.message
    assert result.evidence.body == "554 no service\n"


async def test_expected_text_never_comes_when_nothing_does(net, served):
    async with served(says()) as server:
        steps = talk({"expect": "^220"})
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.2)
    assert told(result) == fail("timeout")
    assert result.evidence.message.endswith("nothing came")


async def test_expected_text_never_comes_before_the_connection_closes(net, served):
    async with served(says(b"554 no\n", then_closes=True)) as server:
        result = await probed(net, "tcp", url=url(server), talk=talk({"expect": "^220"}))
    assert told(result) == fail("body")
    assert "the connection was closed" in result.evidence.message


async def test_a_connection_that_closes_without_a_word(net, served):
    async with served(says(then_closes=True)) as server:
        result = await probed(net, "tcp", url=url(server), talk=talk({"expect": "^220"}))
    assert told(result) == fail("reset")
    assert result.evidence.message.startswith("step 1 waited")


async def test_a_connection_that_is_reset(net, served):
    async def script(reader, writer):
        await reader.readline()
        writer.transport.abort()

    steps = talk({"send": "EHLO"}, {"expect": "^220"})
    async with served(script) as server:
        result = await probed(net, "tcp", url=url(server), talk=steps)
    assert told(result) == fail("reset")
    assert result.evidence.message.startswith("step 2 waited")


async def test_a_talk_ends_with_its_deadline_however_much_comes(net, served):
    async def script(reader, writer):
        while True:
            writer.write(b"250-more\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with served(script) as server:
        began = time.monotonic()
        steps = talk({"expect": "^220"})
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.3)
    assert time.monotonic() - began < 1.3
    assert told(result) == fail("body")


@pytest.mark.parametrize(
    ("flood", "kind", "said"),
    [
        (b"x" * (LINE_BYTES + 2), "protocol", "a line is longer than"),
        (b"x" * (LINE_BYTES + 2) + b"\n", "protocol", "a line is longer than"),
        (b"\n" * (LINES + 1), "protocol", f"more than {LINES} lines"),
        ((b"x" * 1022 + b"\r\n") * 200, "body", "more than 131072 bytes"),
    ],
    ids=["endless line", "long line", "many lines", "many bytes"],
)
async def test_a_flood_is_cut_off_cheaply(served, flood, kind, said):
    async with made_net(LOOPBACKS, wire_bytes=131072) as net, served(says(flood)) as server:
        result = await probed(net, "tcp", url=url(server), talk=talk({"expect": "^220 [a-z]+z$"}))
    assert told(result) == fail(kind)
    assert said in result.evidence.message


@pytest.mark.parametrize(
    "flood",
    [b"\n" * 262144, b"ab\r\n" * 65536, (b"x" * 65534 + b"\n") * 4, b"\xff" * 65000 + b"\n"],
    ids=["empty lines", "short lines", "long lines", "no text"],
)
def test_what_arrives_at_once_is_looked_through_in_50_ms(flood):
    spent = []
    for _ in range(3):
        heard = Heard(1 << 20)
        heard.wait_for_line(r"(?P<one>(\w+\s*)+)(?P<two>(\pL*)*)\d{40}y$")
        began = time.process_time()
        with suppress(Failure):
            heard.feed(flood)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.05


def test_a_line_in_many_pieces_is_one_line():
    heard = Heard(1 << 20)
    heard.wait_for_line("^x+y$")
    for _ in range(2 * LINES):
        heard.feed(b"x")
    heard.feed(b"y\n")
    assert heard.done


@pytest.mark.parametrize("scheme", SECURE)
@pytest.mark.parametrize("then_closes", [True, False])
async def test_what_the_last_step_sends_is_not_waited_for(
    net, served, trusted, scheme, then_closes
):
    steps = talk({"expect": "^220"}, {"send": "QUIT"}, {"send_bytes": "00"})
    async with served(says(b"220 ready\n", then_closes=then_closes), scheme) as server:
        tls = trusted_if(scheme, trusted)
        result = await probed(net, "tcp", url=url(server, scheme), talk=steps, tls=tls)
    assert told(result) == PASS


async def test_what_was_there_before_is_no_answer(net, served):
    """A line from before the question does not make a server that is silent one that answers."""
    steps = talk({"expect": "^250-", "send": "STARTTLS"}, {"expect": "^220"})
    async with served(says(b"250-mail\n250 HELP\n")) as server:
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.2)
    assert told(result) == fail("timeout")
    assert result.evidence.message.endswith('last line: "250 HELP"')


async def test_a_flood_of_bytes_is_cut_off_in_byte_mode(served):
    async with made_net(LOOPBACKS, wire_bytes=1000) as net, served(says(b"\0" * 2000)) as server:
        result = await probed(net, "tcp", url=url(server), talk=talk({"expect_bytes": "0001"}))
    assert told(result) == fail("body")


# ------------------------------------------------------------------------ secrets


async def test_a_secret_is_sent_and_shown_nowhere(net, served):
    steps = talk(
        {"send": "PASS {secret}"},
        {"expect": "^you said (?P<password>.+)$"},
        {"expect": "^welcome"},
    )
    answers = {b"PASS hunter2": b"you said hunter2\nhunter2 is wrong\n"}
    script = Dialogue(b"", answers)
    async with served(script) as server:
        result = await probed(
            net, "tcp", url=url(server), talk=steps, secret=Secret("hunter2"), deadline=0.3
        )
    assert script.lines == [b"PASS hunter2\n"]
    assert told(result) == fail("body")
    assert "hunter2" not in repr(result)
    assert "*** is wrong" in result.evidence.message


async def test_evidence_holds_no_character_that_harms_its_reader(net, served):
    async with served(says(b"a\x00b\x1b[31mc\xe2\x80\xaed\xff\n")) as server:
        steps = talk({"expect": "^220"})
        result = await probed(net, "tcp", url=url(server), talk=steps, deadline=0.2)
    assert result.evidence.message.isprintable()
    assert result.evidence.body.rstrip("\n").isprintable()


# ------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"url": "http://h:1"}, "url: must begin with tcp:// or tcp+tls://"),
        ({"url": "tcp://h"}, "url: names no host and port: write tcp://host:port"),
        ({"url": "tcp://h:0"}, "url: names no host and port"),
        ({"url": "tcp://h:70000"}, "url: names no host and port"),
        ({"url": "tcp://:25"}, "url: names no host and port"),
        ({"url": "tcp://h:25/path"}, "url: has more than a host and a port"),
        ({"url": "tcp://me@h:25"}, "url: credentials do not belong in a URL"),
        ({"url": "tcp://[::1:25"}, "url: is no URL"),
        (
            {"talk": talk({"send": "{word}"}, {"expect": "(?P<word>.)"})},
            "talk: step 1 sends {word}, which only a later step captures",
        ),
        ({"url": "tcp+tls://h:1", "talk": talk({"starttls": True})}, "talk: TLS begins once only"),
        (
            {"talk": talk({"expect": "(?P<secret>.)"}), "secret": Secret("s")},
            "talk: a group is named secret",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(fields, mistake):
    with pytest.raises(ValueError, match=": ") as caught:
        TcpOptions(**{"url": "tcp://h:25", **fields})
    assert str(caught.value).startswith(mistake)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({}, "a step does something"),
        ({"expect": "("}, "expect: regular expression"),
        ({"expect_bytes": "0"}, 'expect_bytes: "0" is no hex'),
        ({"send_bytes": ""}, "send_bytes: is empty"),
        ({"expect": "a", "expect_bytes": "00"}, "expect_bytes: give either"),
        ({"send": "a", "send_bytes": "00"}, "send_bytes: give either"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(fields, mistake):
    with pytest.raises(ValueError, match=mistake.partition(":")[0]) as caught:
        TalkStep(**fields)
    assert str(caught.value).startswith(mistake)


@pytest.mark.parametrize(("changes", "mutates"), [(False, ""), (True, "its talk")])
def test_a_talk_changes_nothing_unless_that_is_said(changes, mutates):
    assert TcpOptions("tcp://h:1", changes=changes).mutates == mutates
