"""A name server for one world whose name comes and goes.

It cannot tell vantages apart, as they ask from the same address. Before the name is gone, each
vantage asks once, in an order known from the timetable; each answer's TTL ends when that vantage's
cached address is to expire.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from bench.detection.sockets.reading import expiries, nameless
from bench.detection.world import World

AFTERWARDS = 20
QUICK = 0.5
ASKED_AGAIN = 0.9
"""Seconds after which a resolver may have asked anew, and hears no answer to its last question."""

Elapsed = Callable[[], float]
"""Seconds of the world."""


class Names(asyncio.DatagramProtocol):
    """Says that every name is 127.0.0.1, while it is there; gone: NXDOMAIN, or SERVFAIL if slow.

    A slow answer is one to that repetition of the question which the resolver then waits for.
    """

    def __init__(self, world: World, elapsed: Elapsed) -> None:
        self._world, self._elapsed = world, elapsed
        self._since = world.faults[0].began
        self._expiries = cycle(expiries(world))
        self._asked: dict[int, float] = {}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        at = self._elapsed()
        seconds = nameless(self._world, at)
        if seconds is None:
            self._fill(reply, at)
            self._transport.sendto(reply.to_wire(), addr)
            return
        reply.set_rcode(dns.rcode.NXDOMAIN if seconds < QUICK else dns.rcode.SERVFAIL)
        wait = self._asked.setdefault(query.id, at) + seconds - at
        if wait < ASKED_AGAIN:
            del self._asked[query.id]
            loop = asyncio.get_running_loop()
            loop.call_later(wait, self._transport.sendto, reply.to_wire(), addr)

    def _fill(self, reply: dns.message.Message, at: float) -> None:
        (question,) = reply.question
        if question.rdtype == dns.rdatatype.A:
            ttl = round(next(self._expiries) - at) if at < self._since else AFTERWARDS
            record = dns.rrset.from_text(question.name, max(1, ttl), "IN", "A", "127.0.0.1")
            reply.answer.append(record)


@asynccontextmanager
async def name_server(world: World, elapsed: Elapsed) -> AsyncIterator[str]:
    """A name server on loopback until the block ends; its "address:port"."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Names(world, elapsed), local_addr=("127.0.0.1", 0)
    )
    try:
        host, port = transport.get_extra_info("sockname")[:2]
        yield f"{host}:{port}"
    finally:
        transport.close()
