"""Links that let whoever has one acknowledge one incident, until it expires.

A token is `<incident>.<expiry>.<key>.<mac>`: the incident's ULID, seconds since 1970, which key
signed it, and the HMAC-SHA256 of all before. It is made of letters, digits and dots only, is
compared whole and in constant time, and has one spelling: no other text verifies. A new key signs,
the previous one still verifies, so that a key can be changed while links are under way.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.net.secret import Secret

_PURPOSE = b"monitor acknowledge v1 "
_TOKEN = re.compile(r"([0-9A-Za-z]{1,64})\.([1-9][0-9]{0,11})\.([0-9a-f]{8})\.([0-9a-f]{64})")


class Fault(StrEnum):
    """Why a token opens nothing."""

    WRONG = "wrong"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Links:
    """What signs links, and how long one lasts; `previous` only verifies."""

    key: Secret
    previous: Secret | None = None
    lasts: timedelta = timedelta(hours=24)

    def token(self, incident_id: str, now: datetime) -> str:
        """A token for an incident, from now on."""
        expiry = int((now + self.lasts).timestamp())
        said = f"{incident_id}.{expiry}.{_name(self.key)}"
        return f"{said}.{_mac(self.key, said)}"

    def incident_id(self, token: str, now: datetime) -> str | Fault:
        """The id of the incident that a token is for, or why it opens nothing."""
        match = _TOKEN.fullmatch(token)
        said, _, mac = token.rpartition(".")
        genuine = match is not None and self._signed(match[3], said, mac)
        if match is None or not genuine:
            return Fault.WRONG
        if datetime.fromtimestamp(int(match[2]), UTC) <= now:
            return Fault.EXPIRED
        return match[1]

    def _signed(self, name: str, said: str, mac: str) -> bool:
        keys = (self.key,) if self.previous is None else (self.key, self.previous)
        return any(_name(key) == name and hmac.compare_digest(_mac(key, said), mac) for key in keys)


def _name(key: Secret) -> str:
    """What tells keys apart without giving them away."""
    return hmac.digest(key.reveal().encode(), b"monitor key name", hashlib.sha256).hex()[:8]


def _mac(key: Secret, said: str) -> str:
    return hmac.digest(key.reveal().encode(), _PURPOSE + said.encode(), hashlib.sha256).hex()
