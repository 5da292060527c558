"""A signed JSON document by HTTP POST, and how a receiver makes sure of it.

Three headers go with the body of `document.py`: `Idempotency-Key` is the key of the notice, the
same on every attempt; `Monitor-Timestamp` is when this attempt left, in whole seconds since 1970;
`Monitor-Signature` is `v1=` and the hexadecimal HMAC-SHA256, under the shared secret, of the
timestamp, a full stop and the body as it was sent. A receiver passes the three to `verify` and
acts at most once per key.

A 2xx accepts. An `id` and a `url` in a JSON answer are kept as the receiver's own name for the
message. No answer, 408, 429, 5xx and redirects (never followed: a signed body goes where it was
configured to go) may pass, so trying again can help; any other 4xx cannot.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from monitor.channels.document import notice_document
from monitor.model import Accepted, DeliveryError, Notice
from monitor.net.network import Net
from monitor.net.secret import Secret

TOLERANCE_SECONDS = 300
"""How far a receiver's clock and a timestamp may be apart: what a replayed message has to live."""

_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_EXCERPT = 200
_LONGEST_NAME = 255
_LONGEST_URL = 2048


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where to post, the secret to sign with, and the seconds the receiver has to answer."""

    url: str
    secret: Secret
    timeout: float = 10.0


def verify(
    secret: Secret, timestamp: str, body: bytes, signature: str, now: datetime
) -> str | None:
    """Why a received message is to be refused; None when it is genuine and fresh.

    `timestamp` and `signature` are the headers as received, `body` the bytes before any decoding.
    """
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return "the timestamp is not whole seconds since 1970"
    if not hmac.compare_digest(
        _signature(secret, timestamp, body).encode(), signature.encode(errors="replace")
    ):
        return "the signature does not match"
    apart = abs(now.timestamp() - int(timestamp))
    if apart > TOLERANCE_SECONDS:
        return f"the timestamp is {apart:.0f} s off, more than {TOLERANCE_SECONDS} s"
    return None


async def send(notice: Notice, options: WebhookOptions, net: Net) -> Accepted:
    """Post a notice once. Raises `DeliveryError`."""
    at = net.clock.wall()
    body = json.dumps(notice_document(notice, at), separators=(",", ":")).encode()
    try:
        async with net.client(options.timeout) as client:
            answer = await client.post(
                options.url, content=body, headers=_headers(notice, options.secret, body, at)
            )
    except httpx.HTTPError as error:
        raise DeliveryError(str(error) or type(error).__name__) from error
    if not answer.is_success:
        raise _refused(answer, net)
    return _accepted(answer)


def _headers(notice: Notice, secret: Secret, body: bytes, at: datetime) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": notice.key,
        "Monitor-Timestamp": timestamp,
        "Monitor-Signature": _signature(secret, timestamp, body),
    }


def _signature(secret: Secret, timestamp: str, body: bytes) -> str:
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()


def _refused(answer: httpx.Response, net: Net) -> DeliveryError:
    said = " ".join(net.redactor.text(answer.text).split())[:_EXCERPT]
    return DeliveryError(
        f"the receiver answered {answer.status_code}" + (f": {said}" if said else ""),
        permanent=answer.is_client_error and answer.status_code not in _MAY_PASS,
        retry_after=_retry_after(answer.headers.get("Retry-After", ""), net.clock.wall()),
    )


def _retry_after(value: str, now: datetime) -> float | None:
    """Seconds from now, of either form of Retry-After; None when there is none to be read."""
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _accepted(answer: httpx.Response) -> Accepted:
    """What the answer names itself, if it does: a strange answer is still an acceptance."""
    try:
        said = json.loads(answer.content)
    except (ValueError, RecursionError):
        return Accepted()
    if not isinstance(said, dict):
        return Accepted()
    return Accepted(_name(said.get("id")), _link(said.get("url")))


def _name(value: object) -> str | None:
    known = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:_LONGEST_NAME] if known else None


def _link(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        return None
    return value if value.startswith(("https://", "http://")) else None
