"""Who is signed in on the pages: whoever gave the API's token, under the name that he gave.

A session is a cookie and nothing on our side: the name, when it ends and a nonce, signed by a key
made of the token. So it survives a restart, and ends when the token is changed. A browser sends it
to this host only, not from pages of others, and shows it to no script.

Each form of a page carries a mark made of the session, which nobody else can know.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response

from monitor.clock import Clock
from monitor.net.secret import Secret

LASTS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in; `mark` is what each form of his pages carries."""

    name: str
    mark: str


class Sessions:
    """The sessions that one API token opens."""

    def __init__(self, api_token: Secret, clock: Clock, *, public_url: str) -> None:
        self._token = api_token
        self._clock = clock
        self._secure = public_url.startswith("https://")
        self._cookie = "__Host-monitor" if self._secure else "monitor"

    def opens(self, token: str) -> bool:
        """Whether this is the token; the comparison takes the same time either way."""
        return hmac.compare_digest(token.encode(), self._token.reveal().encode())

    def begin(self, name: str, response: Response) -> None:
        """Sign a person in with the answer."""
        ends = int((self._clock.wall() + LASTS).timestamp())
        said = json.dumps([name, ends, secrets.token_hex(16)]).encode()
        value = urlsafe_b64encode(said).decode()
        response.set_cookie(
            self._cookie,
            f"{value}.{self._signed('session', value)}",
            max_age=int(LASTS.total_seconds()),
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )

    def end(self, response: Response) -> None:
        """Sign out with the answer."""
        response.delete_cookie(self._cookie, secure=self._secure, httponly=True, samesite="strict")

    def of(self, request: Request) -> Session | None:
        """Who sent a request; None for nobody who is signed in."""
        value, _, mac = request.cookies.get(self._cookie, "").partition(".")
        if not hmac.compare_digest(self._signed("session", value).encode(), mac.encode()):
            return None
        try:
            name, ends, _ = json.loads(urlsafe_b64decode(value))
        except (ValueError, binascii.Error):
            return None
        if datetime.fromtimestamp(ends, UTC) <= self._clock.wall():
            return None
        return Session(name, self._signed("form", value))

    def _signed(self, purpose: str, value: str) -> str:
        key = hmac.digest(self._token.reveal().encode(), b"monitor sessions v1", hashlib.sha256)
        return hmac.digest(key, f"{purpose} {value}".encode(), hashlib.sha256).hex()


def is_marked(session: Session, mark: str) -> bool:
    """Whether a form carries the mark of the session."""
    return hmac.compare_digest(session.mark.encode(), mark.encode())
