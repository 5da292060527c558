"""The way to the network: probes exchange through it, channels get a client over it.

`Net` holds what exchanges share: the resolver with its kept answers, one TLS context per setting,
the limits, and what may be contacted. Every exchange is one or more hops (`hop.py`) under one
deadline; nothing is kept open between exchanges, and nothing is tried twice. What speaks no HTTP
gets a `Connection`, a socket, or sends a datagram, under the same limits.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from types import TracebackType

import dns.exception
import httpx

from monitor.clock import Clock
from monitor.model import FailureKind, Vantage
from monitor.net.addresses import Network, refusal
from monitor.net.connection import Connection
from monitor.net.datagram import asked_by_datagram
from monitor.net.failure import Failure, Unable, shown
from monitor.net.hop import ContextKey, Place, Wishes, hop, opened, vetted
from monitor.net.limits import Limits
from monitor.net.progress import Progress
from monitor.net.redaction import Redactor
from monitor.net.redirects import is_redirect, next_request, origin
from monitor.net.resolver import Resolver
from monitor.net.tls import TlsSettings, context_for
from monitor.net.trace import Phase, Trace
from monitor.net.wire import reached

_CHANNEL_HEADERS = {
    "accept-encoding": "identity",
    "connection": "close",
    "user-agent": "prospect-uptime-monitor",
}
_PATIENCE = 10.0
_MESSAGE_CHARS = 300


_DEFAULT_WISHES = Wishes()


class _Contexts(dict[ContextKey, SSLContext]):
    """TLS contexts by their settings, each built when it is first needed."""

    def __missing__(self, key: ContextKey) -> SSLContext:
        try:
            self[key] = context_for(*key)
        except ValueError as error:
            raise Unable(f"tls.{error}") from error
        return self[key]


class Net:
    """The one safety layer.

    `allow_private` are the networks outside the public ones that may be contacted; `nameservers`
    are "192.0.2.1" or "192.0.2.1:5353", None for the system's.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        allow_private: Sequence[Network],
        redactor: Redactor,
        nameservers: Sequence[str] | None = None,
    ) -> None:
        self.clock = clock
        self.limits = limits
        self.redactor = redactor
        self._allow = tuple(allow_private)
        self._resolver = Resolver(clock, limits.dns, limits.name_age, nameservers)
        self._contexts = _Contexts()

    async def exchange(
        self,
        vantage: Vantage | None,
        request: httpx.Request,
        trace: Trace,
        *,
        deadline: float,
        wishes: Wishes = _DEFAULT_WISHES,
        cookies: httpx.Cookies | None = None,
    ) -> httpx.Response:
        """Send a request, following redirects, and return the answer with its body read.

        `deadline` is the seconds allowed for everything. The trace is filled on the way, also when
        this fails. `cookies` are what the request brings from earlier exchanges; those that are set
        on the way are added to them. Raises Failure, its message redacted, Unable, and
        CancelledError.
        """
        place = self._place(vantage)
        async with _Attempt(self, trace, deadline) as progress:
            return await self._followed(place, request, progress, wishes, cookies)

    @asynccontextmanager
    async def connection(
        self,
        vantage: Vantage | None,
        host: str,
        port: int,
        trace: Trace,
        *,
        deadline: float,
        wishes: Wishes = _DEFAULT_WISHES,
    ) -> AsyncIterator[Connection]:
        """Connect to a host over TCP for a conversation; it is closed at the end.

        `deadline` is the seconds allowed for everything, the conversation included: whatever is
        awaited in it is cut off then. Raises as `exchange` does.
        """
        place = self._place(vantage)
        async with _Attempt(self, trace, deadline) as progress:
            wire = await opened(place, host, port, progress, wishes)
            try:
                yield Connection(place, wire, host, progress)
            finally:
                wire.close()

    async def datagram(
        self,
        vantage: Vantage | None,
        host: str,
        port: int,
        payload: bytes,
        trace: Trace,
        *,
        belongs: Callable[[bytes], bool],
        deadline: float,
        wishes: Wishes = _DEFAULT_WISHES,
    ) -> bytes:
        """Send one datagram and return the first that comes back and `belongs` to it.

        It is sent once. Raises as `exchange` does; Unable behind a proxy, which carries none.
        """
        if vantage is not None and vantage.proxy is not None:
            raise Unable(f"vantage {vantage.name} leaves through a proxy, which carries no UDP")
        source = vantage.source_address if vantage else None
        async with _Attempt(self, trace, deadline) as progress:
            address = await vetted(self._place(vantage), host, port, progress, wishes)
            progress.enter(Phase.PROCESSING)
            return await asked_by_datagram(address, port, source, payload, belongs)

    async def connected_socket(self, host: str, port: int, *, deadline: float) -> socket.socket:
        """Connect to a vetted address of a host, for a library that speaks by itself.

        The socket does not block, and is the caller's to close. `deadline` is the seconds allowed
        for the connection. Raises as `exchange` does.
        """
        async with _Attempt(self, Trace(), deadline) as progress:
            address = await vetted(self._place(None), host, port, progress, _DEFAULT_WISHES)
            progress.enter(Phase.CONNECT, self.limits.connect)
            return await reached(address, port, None)

    def tls_context(self, settings: TlsSettings) -> SSLContext:
        """Return the TLS context of these settings. Raises Unable where a file cannot be used."""
        return self._contexts[settings, ()]

    def nameserver(self) -> tuple[str, int]:
        """Return the address and port of the server that this host asks first for names.

        Raises Unable when there is none, or when it may not be contacted by a probe.
        """
        try:
            address, port = self._resolver.first_server()
        except (ValueError, dns.exception.DNSException) as error:
            raise Unable(f"this host names no name server: {error}") from error
        refused = refusal(address, self._allow)
        if refused is not None:
            raise Unable(f"the name server of this host may not be contacted: {refused}")
        return address, port

    def transport(self, vantage: Vantage | None = None) -> httpx.AsyncBaseTransport:
        """Return a transport for httpx clients; redirects are left to the client."""
        return _Transport(self, vantage)

    def client(self, timeout: float) -> httpx.AsyncClient:
        """Return a client for channels: `timeout` seconds for everything, no redirects.

        It neither reads the environment nor keeps connections.
        """
        return httpx.AsyncClient(
            transport=self.transport(),
            timeout=timeout,
            headers=_CHANNEL_HEADERS,
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Give up what is in flight on nobody's behalf."""
        await self._resolver.aclose()

    def _place(self, vantage: Vantage | None) -> Place:
        return Place(vantage, self.limits, self._allow, self._resolver, self._contexts)

    async def _followed(
        self,
        place: Place,
        request: httpx.Request,
        progress: Progress,
        wishes: Wishes,
        brought: httpx.Cookies | None,
    ) -> httpx.Response:
        if brought is not None:
            brought.set_cookie_header(request)
        response = await hop(place, request, progress, wishes)
        cookies = brought
        for _ in range(self.limits.redirects):
            if not wishes.follow_redirects or not is_redirect(response):
                break
            if brought is not None:
                # The jar knows better by now which cookies there are.
                response.request.headers.pop("cookie", None)
            cookies = httpx.Cookies() if cookies is None else cookies
            request = next_request(response, cookies)
            if origin(request.url) != origin(response.request.url):
                wishes = wishes.elsewhere()
            progress.trace.hops.append(self.redactor.text(str(request.url)))
            response = await hop(place, request, progress, wishes)
        if brought is not None:
            brought.extract_cookies(response)
        if wishes.follow_redirects and is_redirect(response):
            raise Failure(FailureKind.PROTOCOL, f"more than {self.limits.redirects} redirects")
        return response

    def redacted(self, failure: Failure) -> Failure:
        """Return the failure with its message as it may be shown."""
        return Failure(failure.kind, shown(self.redactor.text(str(failure)), _MESSAGE_CHARS))


class _Attempt:
    """Times one attempt and ends it at its deadline; failures leave it redacted.

    Written out as a class: a generator would cost a twentieth of a whole exchange.
    """

    def __init__(self, net: Net, trace: Trace, deadline: float) -> None:
        self._net = net
        self._progress = Progress(trace, net.clock.monotonic, deadline)

    async def __aenter__(self) -> Progress:
        await self._progress.timer.__aenter__()
        return self._progress

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        progress = self._progress
        try:
            await progress.timer.__aexit__(kind, error, at)
        except TimeoutError as late:
            raise self._net.redacted(progress.timed_out()) from late
        finally:
            progress.stop()
        if isinstance(error, TimeoutError):
            raise self._net.redacted(progress.timed_out()) from error
        if isinstance(error, Failure):
            raise self._net.redacted(error) from error.__cause__


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, net: Net, vantage: Vantage | None) -> None:
        self._net, self._vantage = net, vantage

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange; the longest of the request's timeouts is its deadline."""
        timeouts = request.extensions.get("timeout", {}).values()
        deadline = max((each for each in timeouts if each), default=_PATIENCE)
        wishes = Wishes(follow_redirects=False)
        return await self._net.exchange(
            self._vantage, request, Trace(), deadline=deadline, wishes=wishes
        )
