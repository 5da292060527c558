"""The simulated connector's imports: each tenant's calls the monitor when it is done.

An import is done every `EVERY` seconds, unless a fault of Orders keeps the tenant's connector from
it. A monitor that is not there is no matter: the next call may reach it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from monitor.demo.faults import Board
from monitor.demo.places import GROUPS, HOST
from monitor.net.secret import Secret

EVERY = 10.0
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Whom the imports call: the monitor's address, and the token they send."""

    monitor: str
    token: Secret


async def run(heartbeats: Heartbeats, board: Board) -> None:
    """Call for every tenant whose import works, again and again until cancelled."""
    headers = {"Authorization": f"Bearer {heartbeats.token.reveal()}"}
    async with httpx.AsyncClient(
        base_url=heartbeats.monitor, headers=headers, timeout=_PATIENCE, trust_env=False
    ) as client:
        while True:
            for tenant in GROUPS:
                if not board.breaks("orders", HOST, tenant):
                    await _call(client, tenant)
            await asyncio.sleep(EVERY)


async def _call(client: httpx.AsyncClient, tenant: str) -> None:
    try:
        await client.post(f"/api/v1/heartbeats/{tenant}-import")
    except httpx.TransportError:
        return
