"""Asking a receiver over HTTP once, and what its answer means for a notice.

A 2xx accepts, or where the caller knows better `only` what it names: a proxy's page is no answer.
No answer, 408, 429, 5xx and redirects (never followed: what we send goes where it
was configured to go) may pass, so trying again can help; any other 4xx cannot. Some receivers mean
something else by a status: `ask` hands those over as they are, where the caller names them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from monitor.model import DeliveryError
from monitor.net.network import Net

_MAY_PASS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_EXCERPT = 200
_LONGEST_NAME = 255
_LONGEST_URL = 2048


async def ask(
    net: Net,
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - the client's own, which also tells what it waited for
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    body: bytes | None = None,
    answers: Collection[int] = (),
    only: Collection[int] = (),
) -> httpx.Response:
    """The answer, where it accepts or is of a status in `answers`. Raises `DeliveryError`."""
    try:
        async with net.client(timeout) as client:
            answer = await client.request(method, url, content=body, headers=headers, params=params)
    except httpx.HTTPError as error:
        raise DeliveryError(str(error) or type(error).__name__) from error
    accepted = answer.status_code in only if only else answer.is_success
    if not accepted and answer.status_code not in answers:
        raise refusal(answer, net)
    return answer


async def ask_json(
    net: Net,
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - the client's own, which also tells what it waited for
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    said: object = None,
    answers: Collection[int] = (),
    only: Collection[int] = (),
) -> httpx.Response:
    """As `ask`, saying `said` as JSON (None: no body) and asking for JSON."""
    body = None if said is None else json.dumps(said, separators=(",", ":")).encode()
    sent = {"Accept": "application/json", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    return await ask(
        net,
        method,
        url,
        timeout=timeout,
        headers=sent,
        params=params,
        body=body,
        answers=answers,
        only=only,
    )


def refusal(answer: httpx.Response, net: Net, *, permanent: bool | None = None) -> DeliveryError:
    """What an answer that does not accept means; `permanent` where the receiver says otherwise."""
    said = " ".join(net.redactor.text(answer.text).split())[:_EXCERPT]
    usual = answer.is_client_error and answer.status_code not in _MAY_PASS
    return DeliveryError(
        f"the receiver answered {answer.status_code}" + (f": {said}" if said else ""),
        permanent=usual if permanent is None else permanent,
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


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is anything else."""
    said = _json(answer)
    return said if isinstance(said, dict) else {}


def json_list(answer: httpx.Response) -> list[dict[str, Any]]:
    """The objects of an answer that is a JSON list; empty when it is anything else."""
    return objects(_json(answer))


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; empty when it is anything else."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _json(answer: httpx.Response) -> object:
    """What an answer says as JSON; None when it is none."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def name_in(value: object) -> str | None:
    """What a receiver calls something, as text to be kept; None when it is no name."""
    known = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value)[:_LONGEST_NAME] if known else None


def link_in(value: object) -> str | None:
    """A web address that a receiver gave, None when it is none that people may be sent to."""
    if not isinstance(value, str) or len(value) > _LONGEST_URL:
        return None
    return value if value.startswith(("https://", "http://")) else None
