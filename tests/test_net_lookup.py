"""The quick way to addresses: what is plain is read as the library reads it, the rest is left."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.net.lookup import answered, question_of
from monitor.net.resolver import Resolved
from tests.test_net_resolver import APP, Hand, name_server, resolver_of

A, AAAA = dns.rdatatype.A, dns.rdatatype.AAAA
NAME = dns.name.from_text("app.example")
QUESTION = question_of(NAME.to_wire(), A, b"\x12\x34")


def reply(*records, question=QUESTION, kind="A", ttl=60, name=NAME):
    made = dns.message.make_response(dns.message.from_wire(question))
    made.answer += [dns.rrset.from_text(name, ttl, "IN", kind, each) for each in records]
    return made


def test_the_question_is_one_that_the_library_reads():
    asked = dns.message.from_wire(QUESTION)
    assert (asked.id, asked.question[0].to_text()) == (0x1234, "app.example. IN A")
    assert asked.flags == dns.flags.RD


def test_addresses_are_read_in_their_order_with_the_shortest_ttl():
    made = reply("192.0.2.7", "192.0.2.8")
    made.answer[1].ttl = 5
    assert answered(QUESTION, made.to_wire(), A) == (("192.0.2.7", "192.0.2.8"), 5)


def test_ipv6_is_read_in_its_short_form():
    question = question_of(NAME.to_wire(), AAAA, b"\x00\x01")
    made = reply("2001:db8::1", question=question, kind="AAAA")
    assert answered(question, made.to_wire(), AAAA) == (("2001:db8::1",), 60)


def odd(change):
    made = reply("192.0.2.7")
    change(made)
    return made.to_wire()


def truncated(made):
    made.flags |= dns.flags.TC


def refused(made):
    made.set_rcode(dns.rcode.REFUSED)


def chained(made):
    other = dns.name.from_text("edge.example")
    made.answer = [
        dns.rrset.from_text(NAME, 60, "IN", "CNAME", "edge.example."),
        dns.rrset.from_text(other, 60, "IN", "A", "192.0.2.9"),
    ]


def empty(made):
    made.answer = []


def of_another_name(made):
    made.answer = [
        dns.rrset.from_text(dns.name.from_text("other.example"), 60, "IN", "A", "192.0.2.9")
    ]


def a_question(made):
    made.flags &= ~dns.flags.QR


@pytest.mark.parametrize(
    "change", [truncated, refused, chained, empty, of_another_name, a_question]
)
def test_what_is_not_plain_is_left_to_the_library(change):
    assert answered(QUESTION, odd(change), A) is None


def test_an_answer_to_another_question_is_not_plain():
    other = question_of(dns.name.from_text("app.exampla").to_wire(), A, b"\x12\x34")
    assert answered(other, reply("192.0.2.7").to_wire(), A) is None


def test_an_answer_that_is_cut_off_anywhere_is_not_plain():
    whole = reply("192.0.2.7", "192.0.2.8").to_wire()
    for end in range(12, len(whole)):
        assert answered(QUESTION, whole[:end], A) is None


@given(st.binary(max_size=600), st.integers(0, 60))
def test_no_bytes_break_it(raw, kept):
    whole = reply("192.0.2.7").to_wire()
    found = answered(QUESTION, (whole[:kept] + raw).ljust(12, b"\0"), A)
    assert found is None or all(each.count(".") == 3 for each in found[0])


ADDRESSES = st.lists(st.ip_addresses(v=4).map(str), min_size=1, max_size=20, unique=True)


@given(ADDRESSES, st.integers(0, 2**31 - 1))
def test_it_reads_what_the_library_reads(addresses, ttl):
    raw = reply(*addresses, ttl=ttl).to_wire()
    found = answered(QUESTION, raw, A)
    theirs = dns.message.from_wire(raw).resolve_chaining()
    assert found is not None
    assert set(found[0]) == {each.address for each in theirs.answer}
    assert found[1] == theirs.minimum_ttl


# ------------------------------------------------------------------------ within the resolver


async def test_a_plain_answer_takes_one_question():
    async with name_server(APP) as server:
        resolver = resolver_of(server)
        found = await resolver.resolve("app.example")
    assert found == Resolved(("192.0.2.7", "192.0.2.8"), fresh=True)
    assert server.asked == [("app.example", "A")]


async def test_a_name_whose_answer_was_odd_once_is_left_to_the_library():
    async with name_server({("app.example", "A"): []}) as server:
        resolver = resolver_of(server)
        for _ in range(2):
            with pytest.raises(Exception, match=r"NXDOMAIN|no address"):
                await resolver.resolve("app.example", types=(A,))
    assert len(server.asked) == 3


async def test_a_server_that_is_silent_is_left_to_the_library_for_a_while():
    hand = Hand()
    async with name_server({("app.example", "A"): None}) as server:
        resolver = resolver_of(server, hand.clock(), patience=1.3)
        with pytest.raises(Exception, match="no answer within"):
            await resolver.resolve("app.example")
        server.records[("app.example", "A")] = ["192.0.2.7"]
        asked = len(server.asked)
        await resolver.resolve("app.example")
        assert resolver._plain_from == hand.at + 60.0
        hand.at += 61.0
        found = await resolver.resolve("app.example", fresh=True)
    assert found.addresses == ("192.0.2.7",)
    assert len(server.asked) == asked + 2
