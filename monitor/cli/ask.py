"""Asking the running monitor through its API, or its store when none is running."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from monitor.clock import real_clock
from monitor.config import Config
from monitor.daemon import acknowledge_without_daemon
from monitor.store import StoreError, open_reader
from monitor.web.schemas import IncidentPage, IncidentSummary

_TIMEOUT = 5.0


class Refused(Exception):  # noqa: N818 - named for what happened
    """The monitor, or its store, would not answer; the message says why."""


def services(config: Config) -> Mapping[str, Any]:
    """Every service as it looks now. Raises `Refused` when no monitor is running."""
    try:
        return _get(config, "/api/v1/services", {})
    except httpx.ConnectError:
        where = f"{config.listen_host}:{config.listen_port}"
        raise Refused(f"no monitor is running at {where}: start one with `monitor run`") from None


def incidents(config: Config, *, everything: bool) -> Mapping[str, Any]:
    """Open incidents, or all of them: from the running monitor, else from its store."""
    try:
        found = _get(config, "/api/v1/incidents", {"limit": "200"})
    except httpx.ConnectError:
        found = asyncio.run(_stored_incidents(config))
    listed = [i for i in found["incidents"] if everything or i["state"] != "resolved"]
    return {"incidents": listed}


def acknowledge(config: Config, number: int, by: str) -> Mapping[str, Any]:
    """Acknowledge through the API, or in the store when no monitor is running.

    Raises `Refused`; without a running monitor KeyError and `IllegalTransition` too.
    """
    token = config.api_token.reveal() if config.api_token else ""
    try:
        with _client(config) as client:
            answer = client.post(
                f"/api/v1/incidents/{number}/acknowledge",
                json={"by": by},
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )
    except httpx.ConnectError:
        return _acknowledge_stored(config, number, by)
    return _answered(answer)


def _acknowledge_stored(config: Config, number: int, by: str) -> Mapping[str, Any]:
    try:
        incident = asyncio.run(acknowledge_without_daemon(config, real_clock(), number, by))
    except StoreError as error:
        raise Refused(str(error)) from None
    return IncidentSummary.of(incident, config.public_url).model_dump(mode="json")


async def _stored_incidents(config: Config) -> Mapping[str, Any]:
    try:
        store = await open_reader(config.database_url)
    except StoreError as error:
        raise Refused(f"no monitor is running, and its store cannot be read: {error}") from None
    try:
        found = await store.incidents(state=None, limit=200)
    finally:
        await store.close()
    page = IncidentPage(
        incidents=[IncidentSummary.of(i, config.public_url) for i in found], next_before=None
    )
    return page.model_dump(mode="json")


def _client(config: Config) -> httpx.Client:
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    origin = f"http://{host}:{config.listen_port}"
    return httpx.Client(base_url=origin, timeout=_TIMEOUT, trust_env=False)


def _get(config: Config, path: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    with _client(config) as client:
        return _answered(client.get(path, params=query))


def _answered(answer: httpx.Response) -> Mapping[str, Any]:
    if answer.is_success:
        found: Mapping[str, Any] = answer.json()
        return found
    try:
        said = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    raise Refused(f"{answer.status_code}: {said}")
