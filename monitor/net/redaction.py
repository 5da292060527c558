"""Secrets taken out of text before it is kept or shown.

Known secrets are found in the spellings they travel in: as they are, percent-encoded, escaped in
JSON, in base64. Besides, what looks like credentials is taken out wherever it stands:
`Bearer ...`, `Basic ...`, and the user part of a URL.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from monitor.net.secret import Secret

_MASK = "***"
_LEARNT = 64
_CREDENTIALS = re.compile(r"\b(Bearer|Basic) +[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_SHORTEST_CREDENTIALS = len("Basic ") + 16
_USER_IN_URL = re.compile(r"://[^/\s@?#]{1,256}@")
_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "api-key",
        "x-auth-token",
    }
)


class Redactor:
    """Knows the secrets, and takes them out.

    Those of the configuration are known for good, and of those that come later the last ones.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._given = tuple(secrets)
        self._learnt: deque[Secret] = deque(maxlen=_LEARNT)
        self._known = _any_of(self._given)

    def learn(self, secret: Secret) -> None:
        """Know one more secret, such as an access token."""
        if secret not in self._learnt:
            self._learnt.append(secret)
            self._known = _any_of((*self._given, *self._learnt))

    def text(self, text: str) -> str:
        """Return the text with `***` in place of every secret."""
        if self._known is not None:
            text = self._known.sub(_MASK, text)
        if len(text) >= _SHORTEST_CREDENTIALS:
            text = _CREDENTIALS.sub(rf"\1 {_MASK}", text)
        return _USER_IN_URL.sub(f"://{_MASK}@", text) if "@" in text else text

    def headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return the headers in order; those made to carry credentials keep only their name."""
        return tuple(
            (name, _MASK if name.lower() in _SECRET_HEADERS else self.text(value))
            for name, value in headers
        )


def _any_of(secrets: Iterable[Secret]) -> re.Pattern[str] | None:
    spellings = {each for secret in secrets for each in _spellings(secret.reveal())}
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if spellings else None


def _spellings(secret: str) -> Iterator[str]:
    if not secret:
        return
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    yield from _in_base64(secret.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """Spell out the characters that base64 gives the secret at each of three offsets in a text."""
    for before in range(3):
        whole = (before + len(secret)) // 3 * 3
        coded = base64.b64encode((b"\0" * before + secret)[:whole]).decode()
        certain = coded[(before * 8 + 5) // 6 :]
        if len(certain) >= 8:
            yield certain
            yield certain.replace("+", "-").replace("/", "_")
