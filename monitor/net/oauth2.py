"""Access tokens by OAuth2 client credentials (RFC 6749, section 4.4).

A token is asked for when there is none, kept until shortly before it ends, and shared by whoever
uses the same credentials. Where many want one at once, one asks and the others wait. A refusal is
kept for a while too: an identity provider that is asked with a wrong secret again and again may
lock the account.

The token endpoint is contacted as everything else is: vetted, limited, within a deadline.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import quote_plus, urlencode

import httpx

from monitor.clock import Clock
from monitor.model import FailureKind, Outcome, Step, Vantage
from monitor.net.failure import Failure, TurnedAway, shown
from monitor.net.hop import Wishes
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret, basic
from monitor.net.texts import Url
from monitor.net.trace import Trace

REFUSED = frozenset({400, 401, 403, 429})
"""Statuses of a token endpoint that speak of the monitor's own credentials."""

LIFETIME = 300.0
"""Seconds a token is kept whose answer does not tell how long it lasts."""

_SPARE = 30.0
_REFUSAL_KEPT = 30.0
_WISHES = Wishes(follow_redirects=False)


class ClientAuth(StrEnum):
    """How the client's own credentials are sent: as basic authentication, or in the body."""

    BASIC = "basic"
    POST = "post"


@dataclass(frozen=True, slots=True)
class OAuth2:
    """Client credentials, and where they become an access token."""

    token_url: Url
    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    client_auth: ClientAuth = ClientAuth.BASIC


class Exchanger(Protocol):
    """What of the network is needed here."""

    clock: Clock
    redactor: Redactor

    async def exchange(  # noqa: D102 - see Net
        self,
        vantage: Vantage | None,
        request: httpx.Request,
        trace: Trace,
        *,
        deadline: float,
        wishes: Wishes = ...,
    ) -> httpx.Response: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Secret | None
    until: float
    refusal: str = ""


class Tokens:
    """Keeps access tokens by the credentials that they were given for."""

    def __init__(self, net: Exchanger) -> None:
        self._net = net
        self._kept: dict[OAuth2, _Kept] = {}
        self._asking: dict[OAuth2, asyncio.Lock] = {}

    async def token(
        self, credentials: OAuth2, vantage: Vantage | None, trace: Trace, deadline: float
    ) -> Secret:
        """Return a token that is still good, asking for one within `deadline` seconds if need be.

        A Step of the trace tells when one was asked for. Raises Failure when the endpoint does
        not give one, TurnedAway when it refuses.
        """
        try:
            async with (
                asyncio.timeout(deadline),
                self._asking.setdefault(credentials, asyncio.Lock()),
            ):
                kept = self._good(credentials)
                if kept is None:
                    kept = await self._asked(credentials, vantage, trace, deadline)
        except TimeoutError as error:
            message = f"token: no answer within {deadline:g} s from the token endpoint"
            raise Failure(FailureKind.TIMEOUT, message) from error
        if kept.token is None:
            raise TurnedAway(kept.refusal)
        return kept.token

    def forget(self, credentials: OAuth2, token: Secret) -> None:
        """Take in that a token was not accepted; one that came since then stays."""
        kept = self._kept.get(credentials)
        if kept is not None and kept.token == token:
            del self._kept[credentials]

    def _good(self, credentials: OAuth2) -> _Kept | None:
        kept = self._kept.get(credentials)
        return kept if kept and self._net.clock.monotonic() < kept.until else None

    async def _asked(
        self, credentials: OAuth2, vantage: Vantage | None, trace: Trace, deadline: float
    ) -> _Kept:
        request = _request(credentials)
        own = Trace()
        began = self._net.clock.monotonic()
        outcome, status_line = Outcome.FAIL, ""
        try:
            response = await self._net.exchange(
                vantage, request, own, deadline=deadline, wishes=_WISHES
            )
            now = self._net.clock.monotonic()
            status_line = shown(f"{response.http_version} {response.status_code}")
            kept = _read(response, now)
            outcome = Outcome.PASS if kept.token else Outcome.BLOCKED
        except Failure as failure:
            raise Failure(failure.kind, f"token: {failure}") from failure.__cause__
        finally:
            seconds = self._net.clock.monotonic() - began
            asked = self._net.redactor.text(f"POST {request.url}")
            trace.steps.append(Step("token", asked, outcome, seconds, status_line))
        if kept.token is not None:
            self._net.redactor.learn(kept.token)
        self._kept[credentials] = kept
        return kept


def _request(credentials: OAuth2) -> httpx.Request:
    client_id, secret = credentials.client_id, credentials.client_secret.reveal()
    form = {"grant_type": "client_credentials"}
    headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
    if credentials.scopes:
        form["scope"] = " ".join(credentials.scopes)
    if credentials.audience is not None:
        form["audience"] = credentials.audience
    if credentials.client_auth is ClientAuth.POST:
        form |= {"client_id": client_id, "client_secret": secret}
    else:
        headers["authorization"] = basic(quote_plus(client_id), quote_plus(secret))
    return httpx.Request("POST", credentials.token_url, headers=headers, content=urlencode(form))


def _read(response: httpx.Response, now: float) -> _Kept:
    """Read the answer of a token endpoint. Raises Failure without the message's `token:`."""
    status = response.status_code
    if status in REFUSED:
        said = shown(_error_of(response.content), 200)
        message = f"the token endpoint turned the monitor away: status {status}{said}"
        return _Kept(None, now + _REFUSAL_KEPT, message)
    if status != 200:
        raise Failure(FailureKind.STATUS, f"status {status} from the token endpoint")
    answer = _object(response.content)
    token, kind = answer.get("access_token"), answer.get("token_type", "Bearer")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise Failure(FailureKind.BODY, "the token endpoint's answer holds no access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Failure(FailureKind.BODY, "the token endpoint's answer is no bearer token")
    lifetime = _lifetime(answer.get("expires_in"))
    return _Kept(Secret(token), now + max(lifetime - _SPARE, lifetime / 2))


def _lifetime(told: object) -> float:
    try:
        seconds = float(told) if isinstance(told, int | float | str) else LIFETIME
    except ValueError:
        return LIFETIME
    return min(max(seconds, 1.0), 86400.0) if seconds == seconds else LIFETIME  # noqa: PLR0124 - NaN


def _error_of(body: bytes) -> str:
    """Why it was refused, as an error code with a space before it; "" where none is told."""
    error = _object(body).get("error")
    return f" {error}" if isinstance(error, str) else ""


def _object(body: bytes) -> dict[str, object]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
