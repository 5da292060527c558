"""Which reports repeat an earlier one: those that a tenant marked with the same key.

A report that is still on its way to the disk counts too, so it is kept in mind until it surely is
there.
"""

from __future__ import annotations

import asyncio

from monitor.model import Account, Report
from monitor.store import Store

_KNOWN = 1000

Taken = tuple[Report, asyncio.Future[None]]
"""A report, and when it is on disk."""


class Repetitions:
    """The marked reports of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._marked: dict[tuple[str, str], Taken] = {}

    async def of(self, account: Account) -> Taken | None:
        """The report that an account repeats; None when it is new.

        What is still on its way to the disk is asked for last: it may have come meanwhile.
        """
        if account.tenant is None or account.key is None:
            return None
        stored = await self._store.report_with_key(account.tenant, account.key)
        if stored is None:
            return self._marked.get((account.tenant, account.key))
        written = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return stored, written

    def mark(self, account: Account, report: Report, written: asyncio.Future[None]) -> None:
        """Keep in mind a report that was just taken in."""
        if account.tenant is not None and account.key is not None:
            self._marked[account.tenant, account.key] = report, written
            done = [key for key, (_, each) in self._marked.items() if each.done()]
            for key in done[: max(0, len(self._marked) - _KNOWN)]:
                del self._marked[key]
