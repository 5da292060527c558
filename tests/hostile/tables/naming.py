"""Names that are answered for by liars."""

from __future__ import annotations

import dns.rcode

from monitor.model import FailureKind
from tests.hostile import names
from tests.hostile.case import SOON, Case, Peer
from tests.hostile.names import addresses, code, named
from tests.hostile.servers import Talk, says
from tests.net_fixtures import ok

CONNECT, DNS, TIMEOUT = FailureKind.CONNECT, FailureKind.DNS, FailureKind.TIMEOUT
ANSWER = says(ok(b"hello", b"Connection: close"), then=Talk.leave)
HERE, INNER, METADATA = "127.0.0.1", "127.0.0.2", "169.254.169.254"


async def _back_to_the_name(talk):
    """Send them back to the same name, which leads elsewhere by now."""
    await talk.asked()
    head = b"HTTP/1.1 302 On\r\nContent-Length: 0\r\nConnection: close\r\n"
    await talk.say(head + b"Location: " + talk.path.encode() + b"\r\n\r\n")
    await talk.leave()


def lying(name, reply, kind, says_, peer, play=ANSWER, deadline=5.0):
    return Case(name, named(reply, play), kind, says_, peer, "addresses", deadline)


MANY = addresses(tuple(f"10.0.{n // 250}.{n % 250}" for n in range(4000)))

CASES = (
    lying(
        "a name of a metadata service",
        addresses((METADATA,)),
        CONNECT,
        "never contacted",
        Peer.FOLLOWS,
    ),
    lying(
        "a name of a private address",
        addresses(("10.0.0.1",)),
        CONNECT,
        "network.allow_private",
        Peer.FOLLOWS,
    ),
    lying(
        "a name that flips to a metadata service",
        addresses((HERE,), (METADATA,)),
        CONNECT,
        "never contacted",
        Peer.FOLLOWS,
        _back_to_the_name,
    ),
    lying(
        "a name that flips to a private address",
        addresses((HERE,), ("10.0.0.1",)),
        CONNECT,
        "network.allow_private",
        Peer.FOLLOWS,
        _back_to_the_name,
    ),
    lying(
        "a name that flips although it may be kept",
        addresses((HERE,), (METADATA,), ttl=86400),
        CONNECT,
        "never contacted",
        Peer.FOLLOWS,
        _back_to_the_name,
    ),
    lying(
        "100 addresses",
        addresses(tuple(f"10.0.0.{n}" for n in range(100))),
        CONNECT,
        "network.allow_private",
        Peer.FOLLOWS,
    ),
    lying("a good address behind a bad one", addresses((METADATA, HERE)), None, "", Peer.FOLLOWS),
    lying(
        "4000 addresses",
        MANY,
        TIMEOUT,
        "while resolving the name",
        Peer.FOLLOWS,
        deadline=1.5,
    ),
    lying(
        "a name server that is silent",
        names.silent,
        TIMEOUT,
        "while resolving the name",
        Peer.RAISES,
        deadline=SOON,
    ),
    lying("a name server that fails", code(dns.rcode.SERVFAIL), DNS, "SERVFAIL", Peer.RAISES),
    lying("a name server that refuses", code(dns.rcode.REFUSED), DNS, "REFUSED", Peer.RAISES),
    lying("a name that does not exist", code(dns.rcode.NXDOMAIN), DNS, "NXDOMAIN", Peer.RAISES),
    lying("a name without addresses", addresses(()), DNS, "has no address", Peer.RAISES),
    lying(
        "a name server that says nonsense",
        names.garbage,
        TIMEOUT,
        "while resolving the name",
        Peer.RAISES,
        deadline=SOON,
    ),
    lying("a loop of aliases", names.loop_of_aliases, DNS, "", Peer.RAISES),
    lying(
        "a loop of pointers",
        names.loop_of_pointers,
        TIMEOUT,
        "while resolving the name",
        Peer.RAISES,
        deadline=SOON,
    ),
    lying("an address of another name", names.another_name, DNS, "has no address", Peer.RAISES),
    Case(
        "4000 addresses over TCP",
        named(names.truncated, ANSWER, over_tcp=MANY),
        DNS,
        "an answer of more than 2048 bytes",
        Peer.FOLLOWS,
        "addresses",
        1.5,
    ),
)
