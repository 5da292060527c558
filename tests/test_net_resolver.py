"""Names, against a real name server on a local UDP port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from monitor.cli.probing import probe_once
from monitor.clock import Clock, real_clock
from monitor.config import load
from monitor.model import FailureKind, Outcome, Vantage
from monitor.net.failure import Failure
from monitor.net.resolver import ANY, IPV4, IPV6, Resolver
from monitor.net.trace import Trace
from tests.net_fixtures import LOOPBACK, failed, got, made_net, ok, raw_server


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers from `records`: per name and type the addresses, or a code; silent on None.

    While `gate` is clear answers wait. `asked` keeps every question.
    """

    records: dict[tuple[str, str], list[str] | int | None]
    ttl: int = 60
    asked: list[tuple[str, str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    port: int = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]
        self.gate.set()

    def datagram_received(self, data, addr):
        task = asyncio.create_task(self.answer(dns.message.from_wire(data), addr))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, query, addr):
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        self.arrived.set()
        await self.gate.wait()
        found = self.records.get((name, kind), dns.rcode.NXDOMAIN)
        if found is None:
            return
        reply = dns.message.make_response(query)
        if isinstance(found, int):
            reply.set_rcode(found)
        else:
            # One set for each: dnspython shuffles the addresses of a set when it writes it.
            reply.answer += [
                dns.rrset.from_text(question.name, self.ttl, "IN", kind, each) for each in found
            ]
        self.transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server(records, **wishes):
    loop = asyncio.get_running_loop()
    made = NameServer(records, **wishes)
    transport, server = await loop.create_datagram_endpoint(
        lambda: made, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
        for task in tuple(server.tasks):
            task.cancel()


@dataclass
class Hand:
    """A clock moved by hand."""

    at: float = 100.0

    def clock(self):
        return Clock(lambda: datetime(2029, 1, 1, tzinfo=UTC), lambda: self.at)


def resolver_of(server, clock=None, **wishes):
    settings = {"patience": 2.0, "max_age": 30.0} | wishes
    return Resolver(clock or real_clock(), nameservers=[server.address], **settings)


APP = {("app.example", "A"): ["192.0.2.7", "192.0.2.8"]}


# ------------------------------------------------------------------------ without a name server


@pytest.mark.parametrize("literal", ["192.0.2.1", "2001:db8::1"])
async def test_a_literal_address_is_itself(literal):
    async with name_server({}) as server:
        resolved = await resolver_of(server).resolve(literal)
    assert resolved == ((literal,), None)
    assert server.asked == []


async def test_localhost_is_this_host():
    async with name_server({}) as server:
        resolver = resolver_of(server)
        assert (await resolver.resolve("localhost")).addresses == ("127.0.0.1",)
        assert (await resolver.resolve("App.LOCALHOST.")).addresses == ("127.0.0.1",)
        assert (await resolver.resolve("localhost", types=IPV6)).addresses == ("::1",)
    assert server.asked == []


async def test_the_hosts_file_goes_before_the_name_servers(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text(
        "# comment\n192.0.2.1 App.example alias # more\n::5 app.example\nnonsense line\n\n"
    )
    async with name_server(APP) as server:
        resolver = resolver_of(server, hosts=hosts)
        assert (await resolver.resolve("app.EXAMPLE")).addresses == ("192.0.2.1", "::5")
        assert (await resolver.resolve("alias", types=IPV4)).addresses == ("192.0.2.1",)
        assert server.asked == []
        with pytest.raises(Failure):
            await resolver.resolve("alias", types=IPV6)
    assert set(server.asked) == {("alias", "AAAA")}


async def test_without_a_hosts_file_names_are_asked_for(tmp_path):
    async with name_server(APP) as server:
        resolver = resolver_of(server, hosts=tmp_path / "none")
        assert (await resolver.resolve("app.example")).addresses == ("192.0.2.7", "192.0.2.8")


# ------------------------------------------------------------------------ asking


async def test_addresses_come_in_the_order_they_were_given():
    async with name_server(APP) as server:
        resolved = await resolver_of(server).resolve("app.example")
    assert resolved == (("192.0.2.7", "192.0.2.8"), True)
    assert server.asked == [("app.example", "A")]


async def test_ipv6_is_asked_for_where_there_is_no_ipv4():
    records = {("six.example", "A"): [], ("six.example", "AAAA"): ["2001:db8::6"]}
    async with name_server(records) as server:
        resolved = await resolver_of(server).resolve("six.example", types=ANY)
    assert resolved.addresses == ("2001:db8::6",)


async def test_a_name_without_any_address_fails():
    records = {("no.example", "A"): [], ("no.example", "AAAA"): []}
    async with name_server(records) as server:
        with pytest.raises(Failure, match=r"no\.example: the name has no address") as caught:
            await resolver_of(server).resolve("no.example")
    assert caught.value.kind is FailureKind.DNS


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (dns.rcode.NXDOMAIN, "NXDOMAIN"),
        (dns.rcode.SERVFAIL, "SERVFAIL"),
        (dns.rcode.REFUSED, "REFUSED"),
    ],
)
async def test_a_name_server_that_will_not_is_a_dns_failure_with_its_code(code, said):
    async with name_server({("app.example", "A"): code}) as server:
        with pytest.raises(Failure) as caught:
            await resolver_of(server).resolve("app.example")
    assert caught.value.kind is FailureKind.DNS
    assert said in str(caught.value)
    assert "app.example" in str(caught.value)


async def test_a_silent_name_server_is_a_timeout_that_names_the_phase():
    async with name_server({("app.example", "A"): None}) as server:
        with pytest.raises(Failure) as caught:
            await resolver_of(server, patience=0.2).resolve("app.example")
    assert caught.value.kind is FailureKind.TIMEOUT
    assert str(caught.value) == "no answer within 0.2 s while resolving the name app.example"


async def test_no_name_server_at_all_is_a_failure_in_time():
    async with name_server({}) as gone:
        address = gone.address
    resolver = Resolver(real_clock(), 0.3, 30.0, [address])
    with pytest.raises(Failure) as caught:
        await resolver.resolve("app.example")
    assert caught.value.kind in (FailureKind.DNS, FailureKind.TIMEOUT)


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example", ".".join(["x" * 60] * 5)])
async def test_what_can_be_no_name_fails_without_being_asked(name):
    async with name_server({}) as server:
        with pytest.raises(Failure) as caught:
            await resolver_of(server).resolve(name)
    assert caught.value.kind is FailureKind.DNS
    assert server.asked == []


# ------------------------------------------------------------------------ keeping


async def test_an_answer_is_kept_for_its_ttl_and_said_not_to_be_fresh():
    hand = Hand()
    async with name_server(APP, ttl=10) as server:
        resolver = resolver_of(server, hand.clock())
        assert (await resolver.resolve("app.example")).fresh is True
        hand.at += 9.9
        assert await resolver.resolve("APP.example.") == (("192.0.2.7", "192.0.2.8"), False)
        hand.at += 0.2
        assert (await resolver.resolve("app.example")).fresh is True
    assert len(server.asked) == 2


async def test_an_answer_is_kept_no_longer_than_the_greatest_age():
    hand = Hand()
    async with name_server(APP, ttl=86400) as server:
        resolver = resolver_of(server, hand.clock())
        await resolver.resolve("app.example")
        hand.at += 30
        assert (await resolver.resolve("app.example")).fresh is True


async def test_an_answer_with_a_ttl_of_zero_is_not_kept():
    async with name_server(APP, ttl=0) as server:
        resolver = resolver_of(server, Hand().clock())
        for _ in range(2):
            assert (await resolver.resolve("app.example")).fresh is True
    assert len(server.asked) == 2


async def test_asking_afresh_asks_and_replaces_what_was_kept():
    async with name_server(dict(APP)) as server:
        resolver = resolver_of(server, Hand().clock())
        await resolver.resolve("app.example")
        server.records["app.example", "A"] = ["192.0.2.99"]
        assert (await resolver.resolve("app.example", fresh=True)).addresses == ("192.0.2.99",)
        assert await resolver.resolve("app.example") == (("192.0.2.99",), False)


async def test_every_vantage_asks_for_itself():
    async with name_server(APP) as server:
        resolver = resolver_of(server)
        for place in ("london", "leeds", "london"):
            await resolver.resolve("app.example", place=place)
    assert len(server.asked) == 2


async def test_a_failure_is_not_kept():
    async with name_server({("app.example", "A"): dns.rcode.SERVFAIL}) as server:
        resolver = resolver_of(server)
        with pytest.raises(Failure):
            await resolver.resolve("app.example")
        server.records["app.example", "A"] = ["192.0.2.7"]
        assert (await resolver.resolve("app.example")).addresses == ("192.0.2.7",)


# ------------------------------------------------------------------------ in flight


async def test_many_who_ask_at_once_are_one_question():
    async with name_server(APP) as server:
        server.gate.clear()
        resolver = resolver_of(server)
        asking = [
            asyncio.create_task(resolver.resolve("app.example", fresh=n % 2 == 0))
            for n in range(20)
        ]
        await asyncio.wait_for(server.arrived.wait(), 5)
        server.gate.set()
        answers = await asyncio.gather(*asking)
    assert {each.addresses for each in answers} == {("192.0.2.7", "192.0.2.8")}
    assert len(server.asked) == 1


async def test_one_who_gives_up_takes_nobody_along():
    async with name_server(APP) as server:
        server.gate.clear()
        resolver = resolver_of(server)
        impatient, patient = (
            asyncio.create_task(resolver.resolve("app.example")) for _ in range(2)
        )
        await asyncio.wait_for(server.arrived.wait(), 5)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        server.gate.set()
        assert (await patient).fresh is True


async def test_a_lookup_nobody_waits_for_fails_in_silence():
    async with name_server({("app.example", "A"): dns.rcode.SERVFAIL}) as server:
        server.gate.clear()
        resolver = resolver_of(server)
        only = asyncio.create_task(resolver.resolve("app.example"))
        await asyncio.wait_for(server.arrived.wait(), 5)
        only.cancel()
        await asyncio.gather(only, return_exceptions=True)
        server.gate.set()
        await asyncio.gather(*resolver._flights.values(), return_exceptions=True)
        assert resolver._flights == {}


async def test_closing_gives_up_what_is_in_flight():
    async with name_server(APP) as server:
        server.gate.clear()
        resolver = resolver_of(server)
        waiting = asyncio.create_task(resolver.resolve("app.example"))
        await asyncio.wait_for(server.arrived.wait(), 5)
        await resolver.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert resolver._flights == {}


# ------------------------------------------------------------------------ in an exchange


async def test_an_exchange_says_whether_its_name_was_fresh():
    records = {("app.example", "A"): ["127.0.0.1"]}
    async with (
        name_server(records) as names,
        made_net(nameservers=[names.address]) as net,
        raw_server(ok()) as server,
    ):
        said = []
        for fresh in (False, False, True):
            trace = Trace()
            await got(net, server.url(host="app.example"), trace, fresh=fresh)
            said.append(trace.name_fresh)
            assert trace.resolve >= 0
            assert trace.address == f"127.0.0.1:{server.port}"
    assert said == [True, False, True]
    assert len(names.asked) == 2


async def test_the_first_address_that_is_allowed_is_the_one_contacted():
    records = {("app.example", "A"): ["10.0.0.1", "169.254.169.254", "127.0.0.1"]}
    async with (
        name_server(records) as names,
        made_net(nameservers=[names.address]) as net,
        raw_server(ok()) as server,
    ):
        trace = Trace()
        await got(net, server.url(host="app.example"), trace)
    assert trace.address == f"127.0.0.1:{server.port}"


async def test_a_name_that_turns_private_is_refused_at_the_next_look():
    records = {("app.example", "A"): ["127.0.0.1"]}
    async with (
        name_server(records, ttl=0) as names,
        made_net(nameservers=[names.address]) as net,
        raw_server(ok()) as server,
    ):
        await got(net, server.url(host="app.example"))
        names.records["app.example", "A"] = ["10.0.0.1"]
        failure = await failed(net, server.url(host="app.example"))
    assert "10.0.0.1 is a private address" in str(failure)
    assert len(server.peers) == 1


async def test_a_source_address_decides_the_family_that_is_asked_for():
    records = {("app.example", "A"): [], ("app.example", "AAAA"): ["2001:db8::1"]}
    vantage = Vantage("v", "n", source_address="127.0.0.1")
    async with name_server(records) as names, made_net(nameservers=[names.address]) as net:
        four = await failed(net, "http://app.example/", vantage=vantage)
        six = replace(vantage, source_address="::1")
        await failed(net, "http://app.example/", vantage=six)
    assert "no address" in str(four)
    assert list(dict.fromkeys(names.asked)) == [("app.example", "A"), ("app.example", "AAAA")]


async def test_a_name_server_that_is_silent_ends_at_the_limit_of_dns():
    async with (
        name_server({("app.example", "A"): None}) as names,
        made_net(nameservers=[names.address], dns=0.2, allow=(*LOOPBACK, ip_network("::1"))) as net,
    ):
        trace = Trace()
        failure = await failed(net, "http://app.example/", trace)
    assert failure.kind is FailureKind.TIMEOUT
    assert "within 0.2 s while resolving the name" in str(failure)
    assert trace.resolve > 0.1
    assert trace.connect is None


# ------------------------------------------------------------------------ of the configuration


CONFIG = """\
network: {{allow_private: 127.0.0.0/8, nameservers: "{names}"}}
services: {{app: {{checks: [{{name: home, url: "{url}"}}]}}}}
"""


async def test_the_name_servers_of_the_configuration_are_asked(tmp_path):
    file = tmp_path / "checks.yaml"
    records = {("app.example", "A"): ["127.0.0.1"]}
    async with name_server(records) as names, raw_server(ok()) as server:
        file.write_text(CONFIG.format(names=names.address, url=server.url(host="app.example")))
        config = load(file, {})
        result = await probe_once(config, config.estate.cells()[0])
    assert result.outcome is Outcome.PASS
    assert names.asked == [("app.example", "A")]
