"""A signed JSON document by HTTP POST, and how a receiver makes sure of it.

Three headers go with the body of `document.py`: `Idempotency-Key` is the key of the notice, the
same on every attempt; `Monitor-Timestamp` is when this attempt left, in whole seconds since 1970;
`Monitor-Signature` is `v1=` and the hexadecimal HMAC-SHA256, under the shared secret, of the
timestamp, a full stop and the body as it was sent. A receiver passes the three to `verify` and
acts at most once per key.

A 2xx accepts, whatever it says; an `id` and a `url` in a JSON answer are kept as the receiver's own
name for the message. What any other answer means is said in `http.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime

from monitor.channels import http
from monitor.channels.document import notice_document
from monitor.channels.kind import Means
from monitor.model import Accepted, Notice
from monitor.net.secret import Secret

TOLERANCE_SECONDS = 300
"""How far a receiver's clock and a timestamp may be apart: what a replayed message has to live."""


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


async def send(notice: Notice, options: WebhookOptions, means: Means) -> Accepted:
    """Post a notice once. Raises `DeliveryError`."""
    net = means.net
    at = net.clock.wall()
    body = json.dumps(notice_document(notice, at), separators=(",", ":")).encode()
    answer = await http.ask(
        net,
        "POST",
        options.url,
        timeout=options.timeout,
        headers=_headers(notice, options.secret, body, at),
        body=body,
    )
    said = http.json_object(answer)
    return Accepted(http.name_in(said.get("id")), http.link_in(said.get("url")))


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
