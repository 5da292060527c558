"""One request over one connection: resolve, vet, connect, secure, ask, read.

Each step is a phase of the exchange's progress. A connection is made for one request and closed
after it. Of a name's addresses the first that may be contacted is the one that is contacted, and
there is no second try. Behind a proxy names are resolved and vetted here all the same, and the
proxy is asked to CONNECT to the vetted address, for http as for https: left to resolve a name
itself, it could be led where nobody vetted. The proxy's own address is the operator's word.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from urllib.parse import unquote

import httpx

from monitor.model import FailureKind, Vantage
from monitor.net.addresses import Network, refusal
from monitor.net.answer import Answer
from monitor.net.failure import Failure, shown
from monitor.net.limits import Limits
from monitor.net.progress import Progress
from monitor.net.resolver import ANY, IPV4, IPV6, Resolver, Types
from monitor.net.tls import Tls
from monitor.net.trace import Phase
from monitor.net.wire import Wire, connected

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """Where exchanges leave from and what they share; `contexts` are by whether to verify."""

    vantage: Vantage | None
    limits: Limits
    allow: tuple[Network, ...]
    resolver: Resolver
    contexts: Mapping[bool, SSLContext]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How an exchange is to be made."""

    fresh: bool = False
    follow_redirects: bool = True
    verify_tls: bool = True
    strict_http: bool = False


async def hop(
    place: Place, request: httpx.Request, progress: Progress, wishes: Wishes
) -> httpx.Response:
    """Make one request and return its answer, body read. Raises Failure."""
    host, port = _destination(request.url)
    raw = _encoded(request, await request.aread())
    progress.enter(Phase.RESOLVE, place.limits.dns)
    address = await _vetted(place, host, progress, fresh=wishes.fresh)
    progress.trace.address = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    wire = await _connected(place, address, port, progress)
    try:
        if request.url.scheme == "https":
            await _secured(place, wire, host, progress, verify=wishes.verify_tls)
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


async def _vetted(place: Place, host: str, progress: Progress, *, fresh: bool) -> str:
    resolved = await place.resolver.resolve(
        host,
        place=place.vantage.name if place.vantage else "",
        types=_types(place.vantage),
        fresh=fresh,
    )
    progress.trace.name_fresh = resolved.fresh
    refusals = []
    for address in resolved.addresses:
        refused = refusal(address, place.allow)
        if refused is None:
            return address
        refusals.append(refused)
    raise Failure(FailureKind.CONNECT, refusals[0])


def _types(vantage: Vantage | None) -> Types:
    """Ask for addresses of the family that the source address can reach."""
    if vantage is None or vantage.source_address is None:
        return ANY
    return IPV6 if ":" in vantage.source_address else IPV4


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
        user_and_password = unquote(proxy.userinfo.decode("ascii"))
        coded = base64.b64encode(user_and_password.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {coded}")
    answer = Answer("CONNECT", place.limits, lambda _: None)
    try:
        await wire.attend(answer, "\r\n".join([*lines, "", ""]).encode())
    except Failure as failure:
        raise Failure(FailureKind.CONNECT, f"proxy: {failure}") from failure
    if not 200 <= answer.status < 300:
        said = f"{answer.status} {answer.reason}".rstrip()
        raise Failure(FailureKind.CONNECT, f"proxy answered {said} to CONNECT {authority}")
    wire.give_back(answer.rest)


async def _secured(
    place: Place, wire: Wire, host: str, progress: Progress, *, verify: bool
) -> None:
    progress.enter(Phase.TLS, place.limits.tls)
    tls = Tls(place.contexts[verify], host)
    try:
        await wire.secure(tls)
    finally:
        progress.trace.certificate = tls.certificate()
