"""The figures of a month out of a store: the same for the API and for the command line."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from monitor.figures import Month, figures_of, plain, reach_of, sha256_of
from monitor.model import Estate
from monitor.store import Period, Store


async def stored_figures(
    store: Store, estate: Estate, zone: str, month: Month, now: datetime
) -> dict[str, Any]:
    """The figures as plain values, and their `sha256`; a ValueError when it has not begun."""
    period = await store.period(*reach_of(month, zone, now))
    return await asyncio.to_thread(_figures, period, estate, zone, month, now)


def _figures(
    period: Period, estate: Estate, zone: str, month: Month, now: datetime
) -> dict[str, Any]:
    figures = figures_of(
        month,
        zone,
        now,
        estate=estate,
        outages=period.outages,
        incidents=period.incidents,
        gaps=period.unobserved,
        watched=period.watched,
        seen_at=period.seen_at,
    )
    values = plain(figures)
    return values | {"sha256": sha256_of(values)}
