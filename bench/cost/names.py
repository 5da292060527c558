"""A name server that says every name is 127.0.0.1: `python -m bench.cost.names PORT`.

What begins as a name of its own under `fresh` may not be kept (TTL 0), all else for an hour.
"""

import asyncio
import sys

import dns.message
import dns.rdatatype
import dns.rrset

_KEPT = 3600


class Names(asyncio.DatagramProtocol):
    """Answers A with an address, and all else with nothing."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(answer(data), addr)


def answer(query: bytes) -> bytes:
    """The answer to a question, both as they go over the wire."""
    asked = dns.message.from_wire(query)
    reply = dns.message.make_response(asked)
    (question,) = reply.question
    if question.rdtype == dns.rdatatype.A:
        ttl = 0 if b"fresh" in question.name.labels else _KEPT
        reply.answer.append(dns.rrset.from_text(question.name, ttl, "IN", "A", "127.0.0.1"))
    return reply.to_wire()


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
