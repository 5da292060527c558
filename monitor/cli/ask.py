"""Asking the running monitor through its API, or its store when none is running."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from monitor.clock import real_clock
from monitor.config import Config
from monitor.daemon.alone import (
    acknowledge_without_daemon,
    end_silence_without_daemon,
    note_without_daemon,
    redrive_without_daemon,
    resolve_without_daemon,
    resume_without_daemon,
    silence_without_daemon,
)
from monitor.figures import Month, reach_of
from monitor.model import Incident, IncidentState, NoticeState
from monitor.store import StoreError, open_reader
from monitor.web.figures import stored_figures
from monitor.web.notices import RedrivenShape, outbox_of
from monitor.web.schemas import IncidentSummary

_TIMEOUT = 5.0
_MOST = 200

States = tuple[IncidentState | None, ...]
Page = list[Mapping[str, Any]]
_ANY: States = (None,)
_UNRESOLVED: States = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


class Refused(Exception):  # noqa: N818 - named for what happened
    """The monitor, or its store, would not answer; the message says why."""


def services(config: Config) -> Mapping[str, Any]:
    """Every service as it looks now, and under `not_ready` why that cannot be relied on, if so.

    Raises `Refused` when no monitor is running.
    """
    try:
        with _client(config) as client:
            found = _answered(client.get("/api/v1/services"), "services")
            ready = client.get("/readyz")
    except httpx.ConnectError:
        where = f"{config.listen_host}:{config.listen_port}"
        raise Refused(f"no monitor is running at {where}: start one with `monitor run`") from None
    reasons = [] if ready.is_success else _refusal(ready).get("details") or [ready.text[:200]]
    return {**found, "not_ready": reasons}


def incidents(config: Config, *, everything: bool) -> Mapping[str, Any]:
    """Open incidents, or all of them: from the running monitor, else from its store.

    Newest first, at most `_MOST` of a state. Asked in the order of a life, so that none is missed
    which is acknowledged meanwhile.
    """
    states = _ANY if everything else _UNRESOLVED
    try:
        with _client(config) as client:
            pages = [_page(client, state) for state in states]
    except httpx.ConnectError:
        pages = asyncio.run(_stored_incidents(config, states))
    found = {incident["number"]: incident for page in pages for incident in page}
    return {"incidents": [found[number] for number in sorted(found, reverse=True)]}


def figures(config: Config, month: Month) -> Mapping[str, Any]:
    """The figures of a month from the store, beside the monitor that may be running.

    Raises ValueError when it has not begun, and `Refused`.
    """
    now = real_clock().wall()
    reach_of(month, config.calendar.zone, now)
    return asyncio.run(_stored_figures(config, month, now))


def acknowledge(config: Config, number: int, by: str) -> Mapping[str, Any]:
    """Acknowledge through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError and `IllegalTransition` too.
    """
    moved = _moved(config, number, "acknowledge", {"by": by})
    if moved is not None:
        return moved
    return _stored(config, acknowledge_without_daemon(config, real_clock(), number, by))


def resolve(config: Config, number: int, by: str, *, false_alarm: bool) -> Mapping[str, Any]:
    """Resolve through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError and `judge.StillFailing` too.
    """
    moved = _moved(config, number, "resolve", {"by": by, "false_alarm": false_alarm})
    if moved is not None:
        return moved
    stored = resolve_without_daemon(config, real_clock(), number, by, false_alarm=false_alarm)
    return _stored(config, stored)


def note(config: Config, number: int, by: str, text: str) -> Mapping[str, Any]:
    """Add a line to a timeline through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError too.
    """
    moved = _moved(config, number, "note", {"by": by, "text": text})
    if moved is not None:
        return moved
    return _stored(config, note_without_daemon(config, real_clock(), number, by, text))


def silence(config: Config, number: int, by: str, reason: str, minutes: int) -> Mapping[str, Any]:
    """Silence through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError too.
    """
    body = {"by": by, "reason": reason, "minutes": minutes}
    moved = _moved(config, number, "silence", body)
    if moved is not None:
        return moved
    lasts = timedelta(minutes=minutes)
    stored = silence_without_daemon(config, real_clock(), number, by, reason=reason, lasts=lasts)
    return _stored(config, stored)


def end_silence(config: Config, number: int, by: str) -> Mapping[str, Any]:
    """End a silence through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError and `IllegalTransition` too.
    """
    moved = _moved(config, number, "unsilence", {"by": by})
    if moved is not None:
        return moved
    return _stored(config, end_silence_without_daemon(config, real_clock(), number, by))


def notices(config: Config, state: NoticeState | None) -> Mapping[str, Any]:
    """What the outbox owes: from the running monitor, else from its store. Raises `Refused`."""
    query = {} if state is None else {"state": state.value}
    try:
        with _client(config) as client:
            return _answered(client.get("/api/v1/notices", params=query), "notices")
    except httpx.ConnectError:
        return asyncio.run(_stored_notices(config, state))


def redrive(
    config: Config, by: str, *, channel: str | None, number: int | None
) -> Mapping[str, Any]:
    """Have dead notices sent again: through the API, or in the store at its next start.

    Raises `Refused`.
    """
    order = {"by": by, "channel": channel, "incident": number}
    sent = _posted(config, "/api/v1/notices/redrive", order, "again")
    if sent is not None:
        return sent
    redriven = redrive_without_daemon(config, real_clock(), by, channel=channel, number=number)
    try:
        return RedrivenShape.of(asyncio.run(redriven)).model_dump(mode="json")
    except StoreError as error:
        raise Refused(str(error)) from None


def resume(config: Config) -> Mapping[str, Any]:
    """Let a paused outbox go on: through the API, or in the store. Raises `Refused`."""
    sent = _posted(config, "/api/v1/notices/resume", {}, "paused_since")
    if sent is not None:
        return sent
    try:
        asyncio.run(resume_without_daemon(config, real_clock()))
    except StoreError as error:
        raise Refused(str(error)) from None
    return {"paused_since": None}


def _moved(
    config: Config, number: int, move: str, body: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The incident after a move that the running monitor made; None when none is running."""
    return _posted(config, f"/api/v1/incidents/{number}/{move}", body, "number")


def _posted(
    config: Config, path: str, body: Mapping[str, Any], expected: str
) -> Mapping[str, Any] | None:
    """What the running monitor answers to an order; None when none is running."""
    token = config.api_token.reveal() if config.api_token else ""
    try:
        with _client(config) as client:
            answer = client.post(
                path,
                json=body,
                headers={b"Authorization": f"Bearer {token}".encode()} if token else {},
            )
    except httpx.ConnectError:
        return None
    except httpx.LocalProtocolError:
        raise Refused("api_token cannot be sent: it holds a line break or the like") from None
    return _answered(answer, expected)


def _stored(config: Config, move: Coroutine[Any, Any, Incident]) -> Mapping[str, Any]:
    try:
        incident = asyncio.run(move)
    except StoreError as error:
        raise Refused(str(error)) from None
    return IncidentSummary.of(incident, config.public_url).model_dump(mode="json")


async def _stored_incidents(config: Config, states: States) -> list[Page]:
    try:
        store = await open_reader(config.database_url)
    except StoreError as error:
        raise Refused(f"no monitor is running, and its store cannot be read: {error}") from None
    try:
        pages = [await store.incidents(state=state, limit=_MOST) for state in states]
    finally:
        await store.close()
    return [
        [IncidentSummary.of(i, config.public_url).model_dump(mode="json") for i in page]
        for page in pages
    ]


async def _stored_notices(config: Config, state: NoticeState | None) -> Mapping[str, Any]:
    try:
        store = await open_reader(config.database_url)
    except StoreError as error:
        raise Refused(f"no monitor is running, and its store cannot be read: {error}") from None
    try:
        return (await outbox_of(store, state)).model_dump(mode="json")
    finally:
        await store.close()


async def _stored_figures(config: Config, month: Month, now: datetime) -> Mapping[str, Any]:
    try:
        store = await open_reader(config.database_url)
    except StoreError as error:
        raise Refused(f"the store cannot be read: {error}") from None
    try:
        return await stored_figures(store, config.estate, config.calendar.zone, month, now)
    except StoreError as error:
        raise Refused(f"the store cannot be read: {error}") from None
    finally:
        await store.close()


def _client(config: Config) -> httpx.Client:
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    origin = f"http://{host}:{config.listen_port}"
    return httpx.Client(base_url=origin, timeout=_TIMEOUT, trust_env=False)


def _page(client: httpx.Client, state: IncidentState | None) -> Page:
    query = {"limit": str(_MOST)} | ({} if state is None else {"state": state.value})
    page = _answered(client.get("/api/v1/incidents", params=query), "incidents")
    listed: Page = page["incidents"]
    return listed


def _answered(answer: httpx.Response, expected: str) -> Mapping[str, Any]:
    """The JSON object of an answer, which has the key `expected`; raises `Refused`."""
    if not answer.is_success:
        said = _refusal(answer).get("message") or answer.text[:200]
        raise Refused(f"{answer.status_code}: {said}")
    found = _json_object(answer)
    if expected not in found:
        raise Refused(f"what answers at {answer.url.netloc.decode()} is not this monitor")
    return found


def _refusal(answer: httpx.Response) -> Mapping[str, Any]:
    """What a refusal of ours says; empty when it is not one."""
    error = _json_object(answer).get("error")
    return error if isinstance(error, dict) else {}


def _json_object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
