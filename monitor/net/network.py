"""The way to the network: probes exchange through it, channels get a client over it.

`Net` holds what exchanges share: the resolver with its kept answers, one TLS context per setting,
the limits, and what may be contacted. Every exchange is one or more hops (`hop.py`) under one
deadline; nothing is kept open between exchanges, and nothing is tried twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLContext

import httpx

from monitor.clock import Clock
from monitor.model import FailureKind, Vantage
from monitor.net.addresses import Network
from monitor.net.failure import Failure, shown
from monitor.net.hop import Place, Wishes, hop
from monitor.net.limits import Limits
from monitor.net.progress import Progress
from monitor.net.redaction import Redactor
from monitor.net.redirects import is_redirect, next_request
from monitor.net.resolver import Resolver
from monitor.net.tls import context_for
from monitor.net.trace import Trace

_CHANNEL_HEADERS = {
    "accept-encoding": "identity",
    "connection": "close",
    "user-agent": "prospect-uptime-monitor",
}
_PATIENCE = 10.0
_MESSAGE_CHARS = 300


class _Contexts(dict[bool, SSLContext]):
    """TLS contexts by whether to verify, each built when it is first needed."""

    def __missing__(self, verify: bool) -> SSLContext:
        self[verify] = context_for(verify=verify)
        return self[verify]


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
        fresh: bool = False,
        follow_redirects: bool = True,
        verify_tls: bool = True,
        strict_http: bool = False,
    ) -> httpx.Response:
        """Send a request, following redirects, and return the answer with its body read.

        `deadline` is the seconds allowed for everything. The trace is filled on the way, also when
        this fails. Raises Failure, its message redacted, and CancelledError.
        """
        place = Place(vantage, self.limits, self._allow, self._resolver, self._contexts)
        wishes = Wishes(fresh, follow_redirects, verify_tls, strict_http)
        progress = Progress(trace, self.clock.monotonic, deadline)
        try:
            async with progress.timer:
                return await self._followed(place, request, progress, wishes)
        except TimeoutError as error:
            raise self._redacted(progress.timed_out()) from error
        except Failure as failure:
            raise self._redacted(failure) from failure.__cause__
        finally:
            progress.stop()

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

    async def _followed(
        self, place: Place, request: httpx.Request, progress: Progress, wishes: Wishes
    ) -> httpx.Response:
        response = await hop(place, request, progress, wishes)
        if not wishes.follow_redirects or not is_redirect(response):
            return response
        cookies = httpx.Cookies()
        for _ in range(self.limits.redirects):
            request = next_request(response, cookies)
            progress.trace.hops.append(self.redactor.text(str(request.url)))
            response = await hop(place, request, progress, wishes)
            if not is_redirect(response):
                return response
        raise Failure(FailureKind.PROTOCOL, f"more than {self.limits.redirects} redirects")

    def _redacted(self, failure: Failure) -> Failure:
        return Failure(failure.kind, shown(self.redactor.text(str(failure)), _MESSAGE_CHARS))


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, net: Net, vantage: Vantage | None) -> None:
        self._net, self._vantage = net, vantage

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange; the longest of the request's timeouts is its deadline."""
        timeouts = request.extensions.get("timeout", {}).values()
        deadline = max((each for each in timeouts if each), default=_PATIENCE)
        return await self._net.exchange(
            self._vantage, request, Trace(), deadline=deadline, follow_redirects=False
        )
