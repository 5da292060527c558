"""Name servers that lie: real ones over UDP on loopback, each answering by a play of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from socket import inet_aton

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.hostile.case import Opening, Site
from tests.hostile.servers import Play, Talk
from tests.net_fixtures import raw_server

NAME = "app.example"
Reply = Callable[[dns.message.Message, int], bytes | None]
"""What is sent back for a query, the how-manyth it is given; None for nothing."""


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply):
        self.reply, self.asked = reply, 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        raw = self.reply(dns.message.from_wire(data), self.asked)
        self.asked += 1
        if raw is not None:
            self.transport.sendto(raw, addr)


def named(reply: Reply, play: Play, *, over_tcp: Reply | None = None) -> Opening:
    """A site that is reached by a name, which the name server answers for."""

    async def answers(reader, writer):
        size = int.from_bytes(await reader.readexactly(2))
        raw = over_tcp(dns.message.from_wire(await reader.readexactly(size)), 0)
        writer.write(len(raw).to_bytes(2) + raw)
        await reader.read()

    @asynccontextmanager
    async def opening(world, name):
        site = Site()

        async def script(reader, writer):
            await play(Talk(world, name, site, reader, writer))

        async with raw_server(answers) as tcp, raw_server(script) as server:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _NameServer(reply), local_addr=("127.0.0.1", tcp.port)
            )
            site.nameserver = f"127.0.0.1:{tcp.port}"
            site.url = server.url(f"/{name.replace(' ', '-')}", host=NAME)
            try:
                yield site
            finally:
                transport.close()

    return opening


def addresses(*turns: tuple[str, ...], ttl: int = 0) -> Reply:
    """Answer the first query with the first of these, and so on; the last one stays."""

    def reply(query, asked):
        found = turns[min(asked, len(turns) - 1)]
        if query.question[0].rdtype != dns.rdatatype.A:
            found = ()
        wire = query.to_wire()
        head = wire[:2] + b"\x81\x80\x00\x01" + len(found).to_bytes(2) + bytes(4)
        start = b"\xc0\x0c\x00\x01\x00\x01" + ttl.to_bytes(4) + b"\x00\x04"
        return head + wire[12:] + b"".join(start + inet_aton(each) for each in found)

    return reply


def truncated(query, asked):
    """Nothing, and a hint to ask over TCP."""
    made = dns.message.make_response(query)
    made.flags |= dns.flags.TC
    return made.to_wire()


def code(rcode: dns.rcode.Rcode) -> Reply:
    def reply(query, asked):
        made = dns.message.make_response(query)
        made.set_rcode(rcode)
        return made.to_wire()

    return reply


def garbage(query, asked):
    """The right number, and nonsense after it."""
    return query.to_wire()[:2] + b"\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff" + b"\xc0\x0c" * 200


def silent(query, asked):
    return None


def loop_of_aliases(query, asked):
    made = dns.message.make_response(query)
    name = query.question[0].name
    made.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", "b.example."))
    made.answer.append(dns.rrset.from_text("b.example.", 60, "IN", "CNAME", f"{NAME}."))
    return made.to_wire()


def another_name(query, asked):
    """An address, but for a name that was not asked for."""
    made = dns.message.make_response(query)
    made.answer.append(dns.rrset.from_text("evil.example.", 60, "IN", "A", "127.0.0.1"))
    return made.to_wire()


def loop_of_pointers(query, asked):
    """A name that is compressed into itself."""
    wire = query.to_wire()
    head = wire[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
    question = wire[12 : 12 + len(NAME) + 2 + 4]
    at = 12 + len(question)
    return head + question + (0xC000 | at).to_bytes(2) + b"\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1"
