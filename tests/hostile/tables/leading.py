"""Redirects that lead where nobody should be led."""

from __future__ import annotations

from monitor.model import FailureKind
from tests.hostile import certificates
from tests.hostile.case import Case, Peer
from tests.hostile.servers import served
from tests.net_fixtures import ok

PROTOCOL, CONNECT = FailureKind.PROTOCOL, FailureKind.CONNECT
NO_URL = "the redirect leads to no URL"
NEITHER = "the redirect leads to neither http nor https"
ALLOW = "network.allow_private"
NEVER = "never contacted"


def leads(name, location, says, peer, kind=PROTOCOL, *, status=302, tls=None, more=b"", **fields):
    """`location` may hold the world's `{inner}` and `{plain}` servers, and `{case}`."""

    async def play(talk):
        await talk.asked()
        if talk.path != "/":
            await talk.say(ok())
            return
        words = {"inner": talk.world.inner, "plain": talk.world.plain, "case": slug}
        where = location
        for key, word in words.items():
            where = where.replace(b"{%b}" % key.encode(), word.encode())
        lines = (b"HTTP/1.1 %d Elsewhere" % status, b"Location: " + where, b"Connection: close")
        await talk.say(b"\r\n".join(lines) + b"\r\n" + more + b"\r\n")

    case = Case(name, served(play, tls), kind, says, peer, "redirects", **fields)
    slug = str(case)
    return case


async def _round_and_round(talk):
    await talk.asked()
    step = int(talk.path.strip("/") or 0) + 1
    await talk.say(b"HTTP/1.1 302 On\r\nLocation: /%d\r\nConnection: close\r\n\r\n" % step)


async def _with_a_new_cookie_each(talk):
    await talk.asked()
    cookies = b"".join(b"Set-Cookie: c%d=%b\r\n" % (n, b"x" * 600) for n in range(95))
    head = b"HTTP/1.1 302 On\r\nLocation: /on\r\nConnection: close\r\n"
    await talk.say(head + cookies + b"\r\n")


def metadata(name, host, says=NEVER):
    return leads(f"a redirect to {name}", b"http://%b/latest" % host, says, Peer.FOLLOWS, CONNECT)


def scheme(name, location, peer, says=NEITHER):
    return leads(f"a redirect to {name}", location, says, peer)


CASES = (
    leads("a redirect to itself", b"/", "more than 5 redirects", Peer.RAISES),
    Case(
        "endless redirects",
        served(_round_and_round),
        PROTOCOL,
        "more than 5 redirects",
        Peer.RAISES,
        "redirects",
    ),
    Case(
        "redirects with 57 kB of cookies each",
        served(_with_a_new_cookie_each),
        PROTOCOL,
        "more than 5 redirects",
        Peer.SWELLS,
        "redirects",
    ),
    scheme("file", b"file:///etc/passwd", Peer.CONFUSES),
    scheme("gopher", b"gopher://127.0.0.1:25/_HELO", Peer.CONFUSES),
    scheme("data", b"data:text/html,hello", Peer.CRASHES),
    scheme("javascript", b"javascript:alert(1)", Peer.CRASHES),
    scheme("ftp", b"ftp://127.0.0.1/", Peer.CONFUSES),
    scheme("no host", b"http:///nowhere", Peer.CONFUSES, "the redirect leads to no host"),
    scheme("a port that is none", b"http://127.0.0.1:99999/", Peer.CRASHES, "is no port"),
    scheme("a port in words", b"http://127.0.0.1:http/", Peer.RAISES, NO_URL),
    scheme("half an address", b"http://[::1/", Peer.RAISES, NO_URL),
    scheme("a name that is none", "http://\u2028.example/".encode(), Peer.RAISES, NO_URL),
    leads(
        "a redirect to a name of 300 letters",
        b"http://" + b"a" * 300 + b"/",
        "aaa",
        Peer.RAISES,
        FailureKind.DNS,
    ),
    scheme("60 kB of a path", b"/" + b"x" * 60_000, Peer.ACCEPTS, "more than 8192 characters"),
    scheme("a path with a NUL", b"/a\0b", Peer.RAISES, "not valid HTTP"),
    leads(
        "a redirect from https to http",
        b"{plain}/{case}",
        "http from https",
        Peer.FOLLOWS,
        tls=certificates.good,
    ),
    leads("a redirect to an inner address", b"{inner}/{case}", ALLOW, Peer.FOLLOWS, CONNECT),
    leads(
        "a redirect with 308 and the body to another origin",
        b"{plain}/{case}",
        "another origin along with the request's body",
        Peer.FOLLOWS,
        status=308,
        options={"method": "POST", "body": "password"},
    ),
    leads(
        "a redirect to two places",
        b"/one\r\nLocation: {inner}/{case}",
        "two places",
        Peer.ACCEPTS,
    ),
    leads(
        "a redirect twice to one place",
        b"/one\r\nLocation: /one",
        "",
        Peer.READS,
        None,
    ),
    metadata("the metadata service", b"169.254.169.254"),
    metadata("the metadata service in IPv6", b"[fd00:ec2::254]"),
    metadata("the metadata service in a mapped address", b"[::ffff:169.254.169.254]"),
    metadata("the metadata service through NAT64", b"[64:ff9b::a9fe:a9fe]"),
    metadata("the metadata service of another cloud", b"100.100.100.200"),
    metadata("a private address", b"10.0.0.1", ALLOW),
    metadata("the address of this network", b"0.0.0.0", ALLOW),
    metadata("a multicast address", b"224.0.0.1", ALLOW),
)
