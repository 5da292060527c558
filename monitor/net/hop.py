"""One hop of an exchange: resolve, vet, connect, TLS, ask, read.

Each step is a phase of the exchange's progress. A connection is made for one request and closed
after it. Of a name's addresses the first that may be contacted is the one that is contacted, and
there is no second try. Behind a proxy names are resolved and vetted here all the same, and the
proxy is asked to CONNECT to the vetted address, for http as for https: left to resolve a name
itself, it could be led where nobody vetted. The proxy's own address is the operator's word.

Probes that speak no HTTP begin with `opened` too, so that nothing is contacted that is not vetted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from ssl import SSLContext
from urllib.parse import unquote

import httpx

from monitor.model import FailureKind, Vantage
from monitor.net.addresses import Network, refusal
from monitor.net.answer import Answer
from monitor.net.failure import Failure, Unable, shown
from monitor.net.limits import Limits
from monitor.net.progress import Progress
from monitor.net.resolver import ANY, IPV4, IPV6, Resolver, Types
from monitor.net.secret import basic
from monitor.net.tls import DEFAULT_TLS, Tls, TlsSettings
from monitor.net.trace import Phase
from monitor.net.wire import Wire, connected

_PORTS = {"http": 80, "https": 443}


class IpFamily(StrEnum):
    """Which of a name's addresses are asked for, and in which order until there is one."""

    IP4_FIRST = "ip4_first"
    IP6_FIRST = "ip6_first"
    IP4 = "ip4"
    IP6 = "ip6"


_TYPES: dict[IpFamily, Types] = {
    IpFamily.IP4_FIRST: ANY,
    IpFamily.IP6_FIRST: (*IPV6, *IPV4),
    IpFamily.IP4: IPV4,
    IpFamily.IP6: IPV6,
}

_HTTP = ("http/1.1",)
"""The protocols that are offered (ALPN) where HTTP is spoken."""

ContextKey = tuple[TlsSettings, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where exchanges leave from and what they share.

    `contexts` are by the settings and the protocols that are offered.
    """

    vantage: Vantage | None
    limits: Limits
    allow: tuple[Network, ...]
    resolver: Resolver
    contexts: Mapping[ContextKey, SSLContext]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How an exchange is to be made."""

    fresh: bool = False
    follow_redirects: bool = True
    tls: TlsSettings = DEFAULT_TLS
    strict_http: bool = False
    family: IpFamily = IpFamily.IP4_FIRST

    def elsewhere(self) -> Wishes:
        """Return the wishes for another origin, which gets neither our proof nor its name."""
        tls = replace(
            self.tls, certificate_file=None, key_file=None, key_password=None, server_name=None
        )
        return replace(self, tls=tls)


async def hop(
    place: Place, request: httpx.Request, progress: Progress, wishes: Wishes
) -> httpx.Response:
    """Make one request and return its answer, body read. Raises Failure."""
    host, port = _destination(request.url)
    raw = _encoded(request, await request.aread())
    wire = await opened(place, host, port, progress, wishes)
    try:
        if request.url.scheme == "https":
            await secured(place, wire, host, progress, wishes.tls, protocols=_HTTP)
        answer = Answer(
            request.method,
            place.limits,
            progress.trace.warn,
            strict=wishes.strict_http,
            redirects=wishes.follow_redirects,
        )
        progress.enter(Phase.PROCESSING)
        await wire.attend(answer, raw, lambda: progress.enter(Phase.TRANSFER))
        if wire.cut_short():
            progress.trace.warn("the connection ended without the end of its TLS session")
        return answer.response(request)
    finally:
        wire.close()


async def opened(place: Place, host: str, port: int, progress: Progress, wishes: Wishes) -> Wire:
    """Resolve, vet and connect, through the vantage's proxy if it has one. Raises Failure."""
    address = await vetted(place, host, port, progress, wishes)
    return await _connected(place, address, port, progress)


async def vetted(place: Place, host: str, port: int, progress: Progress, wishes: Wishes) -> str:
    """Return the first address of a host that may be contacted. Raises Failure."""
    progress.enter(Phase.RESOLVE, place.limits.dns)
    resolved = await place.resolver.resolve(
        host,
        place=place.vantage.name if place.vantage else "",
        types=_types(place.vantage, wishes.family),
        fresh=wishes.fresh,
    )
    progress.trace.name_fresh = resolved.fresh
    refusals = []
    for address in resolved.addresses:
        refused = refusal(address, place.allow)
        if refused is None:
            shown_host = f"[{address}]" if ":" in address else address
            progress.trace.address = f"{shown_host}:{port}"
            return address
        refusals.append(refused)
    raise Failure(FailureKind.CONNECT, refusals[0])


async def secured(
    place: Place,
    wire: Wire,
    host: str,
    progress: Progress,
    settings: TlsSettings,
    *,
    protocols: tuple[str, ...] = (),
) -> Tls:
    """Go over to TLS with a host, and return the session. Raises Failure."""
    progress.enter(Phase.TLS, place.limits.tls)
    tls = Tls(place.contexts[settings, protocols], settings.server_name or host)
    try:
        await wire.secure(tls)
    finally:
        progress.trace.certificate = tls.certificate()
        progress.trace.tls_version = tls.version()
    return tls


def _destination(url: httpx.URL) -> tuple[str, int]:
    """Return the host in ASCII, without brackets, and the port. Raises Failure."""
    host = url.raw_host.decode("ascii")
    if url.scheme not in _PORTS or not host:
        raise Failure(FailureKind.PROTOCOL, f"not a URL of http or https: {shown(str(url))}")
    port = url.port or _PORTS[url.scheme]
    if port > 65535:
        raise Failure(FailureKind.PROTOCOL, f"{port} is no port: {shown(str(url))}")
    return host, port


def _encoded(request: httpx.Request, body: bytes) -> bytes:
    """Write the request as HTTP/1.1 for one answer, uncoded. Raises Failure."""
    url = request.url
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii", "replace"), url.raw_path)]
    names = set()
    for name, value in request.headers.raw:
        names.add(name.lower())
        if name.lower() != b"transfer-encoding":
            lines.append(name + b": " + value)
    if b"connection" not in names:
        lines.append(b"Connection: close")
    if b"accept-encoding" not in names:
        lines.append(b"Accept-Encoding: identity")
    if body and b"content-length" not in names:
        lines.append(b"Content-Length: %d" % len(body))
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1 or b"\0" in head:
        raise Failure(FailureKind.PROTOCOL, "the request's head holds a line break or a NUL")
    return head + b"\r\n\r\n" + body


def _types(vantage: Vantage | None, family: IpFamily) -> Types:
    """Ask for addresses of the family that the source address can reach."""
    types = _TYPES[family]
    if vantage is None or vantage.source_address is None:
        return types
    reached = IPV6 if ":" in vantage.source_address else IPV4
    if reached[0] not in types:
        source = vantage.source_address
        message = f"the check asks for {family} only, which {source} of {vantage.name} cannot reach"
        raise Unable(message)
    return reached


async def _connected(place: Place, address: str, port: int, progress: Progress) -> Wire:
    vantage = place.vantage
    source = vantage.source_address if vantage else None
    if vantage is None or vantage.proxy is None:
        progress.enter(Phase.CONNECT, place.limits.connect)
        return await connected(address, port, source)
    proxy = httpx.URL(vantage.proxy)
    if proxy.scheme != "http":
        raise Failure(FailureKind.CONNECT, "a vantage's proxy must be an http:// URL")
    host, proxy_port = _destination(proxy)
    place_of_proxy = await place.resolver.resolve(host, place=vantage.name)
    progress.enter(Phase.CONNECT, place.limits.connect)
    try:
        wire = await connected(place_of_proxy.addresses[0], proxy_port, source)
    except Failure as failure:
        raise Failure(FailureKind.CONNECT, f"proxy {failure}") from failure
    try:
        await _tunnel(place, wire, proxy, progress.trace.address)
    except BaseException:
        wire.close()
        raise
    return wire


async def _tunnel(place: Place, wire: Wire, proxy: httpx.URL, authority: str) -> None:
    """Have the proxy connect to an address and port. Raises Failure(CONNECT)."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.userinfo:
        user, _, password = proxy.userinfo.decode("ascii").partition(":")
        lines.append(f"Proxy-Authorization: {basic(unquote(user), unquote(password))}")
    answer = Answer("CONNECT", place.limits, lambda _: None)
    try:
        await wire.attend(answer, "\r\n".join([*lines, "", ""]).encode())
    except Failure as failure:
        raise Failure(FailureKind.CONNECT, f"proxy: {failure}") from failure
    if not 200 <= answer.status < 300:
        said = f"{answer.status} {answer.reason}".rstrip()
        raise Failure(FailureKind.CONNECT, f"proxy answered {said} to CONNECT {authority}")
    wire.give_back(answer.rest)
