"""The dns kind: rcodes, records, transports, and what name servers get wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import suppress
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from monitor.model import FailureKind, Outcome, Vantage
from monitor.net.tls import TlsSettings
from monitor.probes.dns import DnsExpect, DnsOptions
from monitor.probes.records import READ_BYTES, READ_RECORDS, Malformed, Question, belongs, read
from tests.conformance.servers import (
    LOOPBACKS,
    answering,
    authority,
    free_port,
    name_server,
    probed,
    server_context,
)
from tests.net_fixtures import NOBODY, made_net, raw_server

PASS = (Outcome.PASS, None)
A = "www.example.test. 300 IN A 127.0.0.1"
B = "www.example.test. 300 IN A 127.0.0.2"
NS = "example.test. 3600 IN NS ns1.example.test."
GLUE = "ns1.example.test. 3600 IN A 127.0.0.3"
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture
async def net():
    async with made_net(LOOPBACKS) as made:
        yield made


def told(result):
    return result.outcome, result.failure


def fail(kind):
    return Outcome.FAIL, FailureKind(kind)


async def asked(net, answer, transport="udp", domain="www.example.test", deadline=1.0, **options):
    """Ask a name server that answers by a function, once; what is expected is given by name."""
    known = {"type", "recursion", "vantage"}
    own = {name: options.pop(name) for name in known & options.keys()}
    async with name_server(answer, transport) as server:
        result = await probed(
            net,
            "dns",
            deadline=deadline,
            domain=domain,
            server=server.place,
            transport=transport,
            expect=DnsExpect(**options),
            **own,
        )
    return result, server


# ------------------------------------------------------------------------ asking


@BOTH
async def test_recursive_dns_response(net, transport):
    result, server = await asked(net, answering(A, flags="RA"), transport)
    assert told(result) == PASS
    (query,) = server.queries
    assert str(query.question[0]) == "www.example.test. IN A"
    assert query.flags == dns.flags.RD
    assert result.evidence.asked == f"dns A www.example.test of {server.place} over {transport}"
    assert result.evidence.address == server.place
    assert result.evidence.status_line == "NOERROR, 1 answers"
    assert result.phases.processing > 0
    assert (result.phases.connect is None) is (transport == "udp")


@BOTH
async def test_authoritative_dns_response(net, transport):
    expect = {"authority_match": ("ns1",), "additional_match": ("127.0.0.3",)}
    answer = answering(A, authority=[NS], additional=[GLUE], flags="AA")
    result, server = await asked(net, answer, transport, recursion=False, **expect)
    assert told(result) == PASS
    assert server.queries[0].flags == 0
    assert result.evidence.status_line == "NOERROR authoritative, 1 answers"


@pytest.mark.parametrize("verify", [True, False])
async def test_dns_over_tls(net, tmp_path, verify):
    context, _ = server_context(tmp_path, authority(), "127.0.0.1")
    async with name_server(answering(A), "tls", context) as server:
        result = await probed(
            net,
            "dns",
            domain="www.example.test",
            server=server.place,
            transport="tls",
            tls=TlsSettings(verify=verify),
        )
    assert told(result) == (fail("tls") if verify else PASS)
    assert result.evidence.certificate.names == ("127.0.0.1",)


RECORDS = {
    "A": A,
    "AAAA": "www.example.test. 300 IN AAAA ::1",
    "CNAME": "www.example.test. 300 IN CNAME example.test.",
    "MX": "www.example.test. 300 IN MX 10 mail.example.test.",
    "NS": "www.example.test. 300 IN NS ns1.example.test.",
    "TXT": 'www.example.test. 300 IN TXT "v=spf1 -all" "more"',
    "SOA": "www.example.test. 300 IN SOA ns1.example.test. me.example.test. 7 1 2 3 4",
    "SRV": "www.example.test. 300 IN SRV 1 2 443 a.example.test.",
    "CAA": 'www.example.test. 300 IN CAA 0 issue "ca.example.test"',
    "PTR": "www.example.test. 300 IN PTR a.example.test.",
}


@pytest.mark.parametrize("record_type", RECORDS)
async def test_records_are_matched_as_lines(net, record_type):
    line = RECORDS[record_type]
    escaped = line.replace(".", r"\.").replace("+", r"\+")
    result, server = await asked(
        net, answering(line), type=record_type, all_answers_match=(f"^{escaped}$",)
    )
    assert told(result) == PASS
    assert server.queries[0].question[0].rdtype == dns.rdatatype.from_text(record_type)


@pytest.mark.parametrize("record_type", ["any", "ANY"])
async def test_a_type_is_written_in_any_case(net, record_type):
    result, server = await asked(net, answering(A), type=record_type)
    assert told(result) == PASS
    assert server.queries[0].question[0].rdtype == dns.rdatatype.ANY


async def test_a_name_in_other_letters_is_asked_in_ascii(net):
    result, server = await asked(net, answering(), domain="größe.example")
    assert told(result) == PASS
    assert str(server.queries[0].question[0].name) == "xn--gre-6ka8i.example."


async def test_a_name_server_by_its_name(net):
    async with name_server(answering(A)) as server:
        place = f"localhost:{server.port}"
        result = await probed(net, "dns", domain="www.example.test", server=place)
    assert told(result) == PASS


async def test_the_first_name_server_of_this_host_is_asked_by_default():
    async with (
        name_server(answering(A)) as server,
        made_net(LOOPBACKS, nameservers=(server.place, *NOBODY)) as net,
    ):
        result = await probed(net, "dns", domain="www.example.test")
    assert told(result) == PASS
    assert result.evidence.address == server.place


async def test_a_default_that_may_not_be_contacted_says_nothing_of_the_target():
    async with made_net(()) as net:
        result = await probed(net, "dns", domain="www.example.test")
    assert told(result) == (Outcome.INVALID, None)
    assert "the name server of this host may not be contacted" in result.evidence.message


async def test_a_name_server_that_may_not_be_contacted():
    async with made_net(()) as net:
        result, server = await asked(net, answering(A))
    assert told(result) == fail("connect")
    assert server.queries == []


@BOTH
async def test_the_source_address_is_the_vantages(net, transport):
    vantage = Vantage("other", "other", source_address="127.0.0.9")
    result, _ = await asked(net, answering(A), transport, vantage=vantage)
    assert told(result) == PASS


async def test_a_source_address_that_cannot_reach_the_server_says_nothing_of_it(net):
    vantage = Vantage("other", "other", source_address="127.0.0.9")
    result = await probed(net, "dns", domain="a.test", server="::1", vantage=vantage)
    assert told(result) == (Outcome.INVALID, None)
    assert "127.0.0.9 cannot reach ::1" in result.evidence.message


async def test_a_source_address_that_is_not_of_this_host(net):
    vantage = Vantage("other", "other", source_address="192.0.2.77")
    result = await probed(net, "dns", domain="a.test", server="127.0.0.1", vantage=vantage)
    assert told(result) == fail("connect")
    assert result.evidence.message == ("source address 192.0.2.77: cannot assign requested address")


async def test_udp_is_not_sent_around_a_proxy(net):
    vantage = Vantage("far", "far", proxy="http://127.0.0.1:1")
    result, server = await asked(net, answering(A), vantage=vantage)
    assert told(result) == (Outcome.INVALID, None)
    assert "carries no UDP" in result.evidence.message
    assert server.queries == []


async def test_every_question_has_an_id_of_its_own(net):
    ids = set()
    async with name_server(answering(A)) as server:
        for _ in range(5):
            await probed(net, "dns", domain="www.example.test", server=server.place)
        ids = {query.id for query in server.queries}
    assert len(ids) > 1


# ------------------------------------------------------------------------ rcodes


@BOTH
@pytest.mark.parametrize(
    ("rcode", "listed", "outcome"),
    [
        ("SERVFAIL", ("NOERROR",), fail("dns")),
        ("SERVFAIL", ("SERVFAIL", "NXDOMAIN"), PASS),
        ("NXDOMAIN", ("NOERROR",), fail("dns")),
        ("NXDOMAIN", ("nxdomain",), PASS),
        ("REFUSED", ("NOERROR",), fail("dns")),
        ("NOERROR", ("NXDOMAIN",), fail("dns")),
    ],
)
async def test_servfail_is_a_failure_unless_listed(net, transport, rcode, listed, outcome):
    result, _ = await asked(net, answering(rcode=rcode), transport, rcode=listed)
    assert told(result) == outcome
    if outcome != PASS:
        assert result.evidence.message == f"rcode {rcode} (expected {', '.join(listed)})"


@pytest.mark.parametrize("rcode", range(16))
async def test_every_rcode_there_may_be_has_a_name(net, rcode):
    result, _ = await asked(net, answering(rcode=rcode))
    assert told(result) == (fail("dns") if rcode else PASS)
    known = dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
    assert result.evidence.status_line == f"{known}, 0 answers"


async def test_the_rcode_goes_before_the_records(net):
    result, _ = await asked(net, answering(rcode="SERVFAIL"), answers_match=("127",))
    assert told(result) == fail("dns")


@BOTH
async def test_a_refusal_need_not_repeat_the_question(net, transport):
    def bare(query):
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.REFUSED)
        response.question.clear()
        return response

    result, _ = await asked(net, bare, transport)
    assert told(result) == fail("dns")
    assert "REFUSED" in result.evidence.message


# ------------------------------------------------------------------------ records

NO_RECORDS, ONE, TWO = (), (A,), (A, B)
RULES = [
    ("answers_match", TWO, r"127\.0\.0\.2$", True),
    ("answers_match", TWO, r"127\.0\.0\.9$", False),
    ("answers_match", NO_RECORDS, ".", False),
    ("answers_lack", TWO, r"127\.0\.0\.9$", True),
    ("answers_lack", TWO, r"127\.0\.0\.2$", False),
    ("answers_lack", NO_RECORDS, ".", True),
    ("all_answers_match", TWO, r" 300 IN A 127\.", True),
    ("all_answers_match", TWO, r"127\.0\.0\.1$", False),
    ("all_answers_match", NO_RECORDS, ".", False),
    ("not_all_answers_match", TWO, r"127\.0\.0\.1$", True),
    ("not_all_answers_match", TWO, r"127\.", False),
    ("not_all_answers_match", NO_RECORDS, ".", False),
]


@BOTH
@pytest.mark.parametrize("case", RULES, ids=lambda case: f"{case[0]} of {len(case[1])} {case[3]}")
@pytest.mark.parametrize("section", ["answers", "authority", "additional"])
async def test_a_rule_on_a_section(net, transport, section, case):
    rule, records, expression, holds = case
    own = {section: records}
    answer = answering(*own.pop("answers", ()), **own)
    name = rule.replace("answers", section)
    result, _ = await asked(net, answer, transport, **{name: (expression,)})
    assert told(result) == (PASS if holds else fail("body"))
    if not holds:
        assert section in result.evidence.message
        assert f'"{expression}"' in result.evidence.message


@pytest.mark.parametrize(("least", "outcome"), [(2, PASS), (3, fail("body"))])
async def test_the_number_of_answers(net, least, outcome):
    result, _ = await asked(net, answering(A, B), min_answers=least)
    assert told(result) == outcome


async def test_an_empty_answer_passes_unless_records_are_expected(net):
    assert told((await asked(net, answering()))[0]) == PASS
    assert told((await asked(net, answering(), min_answers=1))[0]) == fail("body")


async def test_all_that_is_wrong_is_told_with_the_records(net):
    result, _ = await asked(
        net,
        answering(A, authority=[NS]),
        min_answers=2,
        answers_match=("10[.]",),
        answers_lack=("127",),
        authority_lack=("ns1",),
    )
    assert result.evidence.message == (
        "1 answers (expected at least 2); "
        'none of 1 records in answers matches "10[.]"; '
        f'a record in answers ({A}) matches "127"; '
        f'a record in authority ({NS}) matches "ns1"'
    )
    assert result.evidence.body == f";answers\n{A}\n;authority\n{NS}"


async def test_records_hold_no_character_that_harms_their_reader(net):
    line = 'www.example.test. 300 IN TXT "a\\027[31mb\\226\\128\\174"'
    result, _ = await asked(net, answering(line), type="TXT", answers_lack=("TXT",))
    assert result.evidence.message.isprintable()
    assert result.evidence.body.replace("\n", "").isprintable()


# ------------------------------------------------------------------------ what goes wrong


@BOTH
async def test_nobody_listens(net, transport):
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    place = f"127.0.0.1:{free_port(kind)}"
    result = await probed(net, "dns", domain="a.test", server=place, transport=transport)
    assert told(result) == fail("connect")
    assert "connection refused" in result.evidence.message


@BOTH
async def test_no_answer_in_time(net, transport):
    result, _ = await asked(net, lambda _: [], transport, deadline=0.2)
    assert told(result) == fail("timeout")


@BOTH
async def test_answers_to_somebody_else_are_ignored(net, transport):
    def answer(query):
        other_id = dns.message.make_response(query)
        other_id.id ^= 1
        other_name = dns.message.make_response(dns.message.make_query("b.test", "A", id=query.id))
        other_type = dns.message.make_response(
            dns.message.make_query(query.question[0].name, "TXT", id=query.id)
        )
        return [other_id, query, other_name, other_type, b"", b"\0", answering(A)(query)]

    result, _ = await asked(net, answer, transport, answers_match=("127",))
    assert told(result) == PASS


@BOTH
async def test_only_answers_to_somebody_else(net, transport):
    def answer(query):
        other = dns.message.make_response(query)
        other.id ^= 1
        return other

    result, _ = await asked(net, answer, transport, deadline=0.2)
    assert told(result) == fail("timeout")


async def test_a_flood_of_other_answers_stops_nobody_else(net):
    turns = answered_at = 0
    loop = asyncio.get_running_loop()

    def turn():
        nonlocal turns
        turns += 1
        loop.call_soon(turn) if turns < 10_000 else None

    def answer(query):
        nonlocal answered_at
        answered_at = turns
        return [*[b"\0" * 12] * 100, answering(A)(query)]

    turn()
    result, _ = await asked(net, answer)
    assert told(result) == PASS
    assert turns - answered_at >= 100


async def test_the_case_of_the_question_does_not_matter(net):
    def answer(query):
        upper = dns.message.make_query("WWW.EXAMPLE.TEST", "A", id=query.id)
        return dns.message.make_response(upper)

    assert told((await asked(net, answer))[0]) == PASS


def malformed(query):
    """Whole answers, and what is wrong with each."""
    good = answering(A)(query).to_wire()
    head, question, record = good[:12], good[12:-16], good[-16:]
    pointer = len(head + question).to_bytes(2)
    loop = struct.pack("!H", 0xC000 | int.from_bytes(pointer))
    return {
        "cut off in a record": good[:-1],
        "cut off in a head": head + question + record[:5],
        "no records": head + question,
        "a name that points at itself": head + question + loop + record[2:],
        "a name that points ahead": head + question + b"\xff\xff" + record[2:],
        "a label of no kind": head + question + b"\x80\x00" + record[2:],
        "an address of three bytes": head + question + record[:10] + b"\0\3" + record[12:15],
        "a question that is cut off": head + question[:3],
        "a question that points at itself": head + b"\xc0\x0c" + question[-4:],
    }


@BOTH
@pytest.mark.parametrize("wrong", malformed(dns.message.make_query("www.example.test", "A")))
async def test_a_malformed_answer(net, transport, wrong):
    result, _ = await asked(net, lambda query: malformed(query)[wrong], transport)
    assert told(result) == fail("protocol")
    assert result.evidence.message.startswith("the answer is malformed: ")


async def test_an_answer_that_is_cut_for_udp_is_judged_as_it_is(net):
    def answer(query):
        response = answering(A)(query)
        response.flags |= dns.flags.TC
        return response

    result, server = await asked(net, answer, answers_match=("127",))
    assert told(result) == PASS
    assert "cut (TC)" in result.evidence.warnings[0]
    assert len(server.queries) == 1


async def test_a_connection_that_closes_in_the_middle(net):
    async def script(reader, writer):
        await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        writer.write(b"\x00\x40\x00")

    async with raw_server(script) as server:
        place = f"127.0.0.1:{server.port}"
        result = await probed(net, "dns", domain="a.test", server=place, transport="tcp")
    assert told(result) == fail("reset")
    assert "in the middle of the answer" in result.evidence.message


@pytest.mark.parametrize(
    ("other", "said"),
    [(b"\xff\xff" + b"\0" * 0xFFFF, "bytes came without"), (b"\0\0" * 5000, "messages came that")],
    ids=["long", "empty"],
)
async def test_a_server_that_answers_others_without_end(net, other, said):
    async def script(reader, writer):
        while True:
            writer.write(other)
            await writer.drain()

    async with raw_server(script) as server:
        place = f"127.0.0.1:{server.port}"
        result = await probed(net, "dns", domain="a.test", server=place, transport="tcp")
    assert told(result) == fail("protocol")
    assert said in result.evidence.message


# ------------------------------------------------------------------------ long answers

LONG = b"\x01a" * 126 + b"\x00"
FIXED = struct.Struct("!HHIH")
ASKED = Question(7, dns.name.from_text("a"), dns.rdatatype.ANY)
BEGUN = b"\x01a\x00" + struct.pack("!HH", 255, 1)
TO_LONG = struct.pack("!H", 0xC000 | (12 + len(BEGUN)))


def crafted(*records):
    return struct.pack("!HHHHHH", 7, 0x8180, 1, len(records), 0, 0) + BEGUN + b"".join(records)


def record(name, record_type, rdata):
    return name + FIXED.pack(record_type, 1, 5, len(rdata)) + rdata


SOA = record(TO_LONG, 6, TO_LONG * 2 + b"\0" * 20)
COSTLY = {
    "long names": crafted(record(LONG, 10, b""), *[SOA] * 1800),
    "many addresses": crafted(*[record(b"\xc0\x0c", 1, b"\x7f\0\0\1")] * 4000),
    "empty texts": crafted(record(b"\xc0\x0c", 16, b"\0" * (READ_BYTES - 40))),
    "endless texts": crafted(record(b"\xc0\x0c", 16, b"\0" * 65000)),
    "many parameters": crafted(
        record(
            b"\xc0\x0c",
            64,
            b"\0\1\0" + b"".join(struct.pack("!HH", n, 0) for n in range(7, 1500)),
        )
    ),
    "many prefixes": crafted(record(b"\xc0\x0c", 42, b"\0\1\x18\0" * 1500)),
}


@pytest.mark.parametrize("which", COSTLY)
def test_an_answer_made_to_be_costly_is_read_in_50_ms(which):
    raw = COSTLY[which]
    spent = []
    for _ in range(5):
        began = time.process_time()
        assert belongs(raw, ASKED)
        read(raw)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.05


@BOTH
async def test_of_a_long_answer_the_beginning_is_judged(net, transport):
    lines = [
        f"www.example.test. 300 IN A 127.0.{n // 250}.{n % 250}" for n in range(READ_RECORDS + 44)
    ]
    result, _ = await asked(
        net,
        answering(*lines),
        transport,
        min_answers=len(lines),
        deadline=5.0,
        all_answers_match=("127",),
    )
    assert told(result) == PASS
    (warning,) = result.evidence.warnings
    assert warning == "the answer is long: its last 44 records were not read"


def test_random_bytes_never_break_the_reader():
    good = answering(A, B, authority=[NS], additional=[GLUE])(
        dns.message.make_query("www.example.test", "A", id=7)
    ).to_wire()
    chance = Random(7)
    for _ in range(500):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(2, len(raw))] = chance.randrange(256)
        belongs(bytes(raw), ASKED)
        with suppress(Malformed):
            read(bytes(raw[: len(raw) - chance.randrange(3)]))


# ------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"type": "ADDRESS"}, 'type: "ADDRESS" is no type to ask for'),
        ({"type": "AXFR"}, 'type: "AXFR" is no type to ask for'),
        ({"type": ""}, 'type: "" is no type to ask for'),
        ({"domain": ""}, 'domain: "" is no name to ask for'),
        ({"domain": "a..b"}, 'domain: "a..b" is no name to ask for'),
        ({"domain": "a" * 64 + ".test"}, "domain: "),
        ({"domain": "a b"}, 'domain: "a b" is no name to ask for'),
        ({"server": "192.0.2.1:0"}, 'server: "192.0.2.1:0" is no server'),
        ({"server": "192.0.2.1:x"}, 'server: "192.0.2.1:x" is no server'),
        ({"server": ""}, 'server: "" is no server'),
        ({"tls": TlsSettings(verify=False)}, "tls: is spoken with `transport: tls` only"),
    ],
)
def test_invalid_query_type(fields, mistake):
    """And whatever else makes no sense."""
    with pytest.raises(ValueError, match=": ") as caught:
        DnsOptions(**{"domain": "www.example.test", **fields})
    assert str(caught.value).startswith(mistake)


def test_all_mistakes_of_what_is_expected_are_told():
    with pytest.raises(ValueError, match=r"rcode: .*; answers_match: .*; all_authority_match: "):
        DnsExpect(rcode=("OK",), answers_match=("(",), all_authority_match=("[",))


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", 53),
        ("192.0.2.1:5353", "192.0.2.1", 5353),
        ("2001:db8::1", "2001:db8::1", 53),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353),
        ("ns1.example.test", "ns1.example.test", 53),
    ],
)
async def test_a_server_is_written_with_and_without_a_port(server, host, port):
    options = DnsOptions("www.example.test", server=server)
    assert options.hosts == {"server": host}
    async with made_net(()) as net:
        result = await probed(net, "dns", domain="a.test", server=server, deadline=0.1)
    shown = f"[{host}]" if ":" in host else host
    assert result.evidence.asked == f"dns A a.test of {shown}:{port} over udp"


@pytest.mark.parametrize(("transport", "port"), [("udp", 53), ("tcp", 53), ("tls", 853)])
async def test_the_port_goes_with_the_transport(transport, port):
    async with made_net(()) as net:
        result = await probed(net, "dns", domain="a.test", server="192.0.2.1", transport=transport)
    assert f"192.0.2.1:{port} " in result.evidence.asked
