"""The engine's way into the store: changes in order, results in batches.

Changes are written one after the other, each tried again for as long as the store is
unavailable: detection goes on meanwhile and nothing is dropped. A change that the store refuses
for any other reason means that two minds are at work on one store; that ends the process.

Results are less dear: while the store is unavailable the newest `RESULTS_KEPT` wait, and how many
were dropped is counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.model import CellKey, Change, Result
from monitor.store import Store, StoreUnavailable

RESULTS_KEPT = 20_000
BATCH = 500
_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class _Pending:
    change: Change
    written: asyncio.Future[None]


class Writing:
    """What waits to be written. `committed` is called after each change, `failed` on trouble."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        committed: Callable[[Change], None],
        failed: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._committed = committed
        self._failed = failed
        self._changes: asyncio.Queue[_Pending] = asyncio.Queue()
        self._results: deque[Result] = deque(maxlen=RESULTS_KEPT)
        self._proven: dict[tuple[CellKey, str], None] = {}
        self.dropped = 0
        self.stuck_since: float | None = None

    def change(self, change: Change) -> asyncio.Future[None]:
        """Queue a change; the future is done once it is committed."""
        written = asyncio.get_running_loop().create_future()
        self._changes.put_nowait(_Pending(change, written))
        return written

    def result(self, result: Result) -> None:
        """Queue a result."""
        self.dropped += len(self._results) == RESULTS_KEPT
        self._results.append(result)

    def proven(self, cell: CellKey, fingerprint: str) -> None:
        """Queue that a cell has passed for the first time under a fingerprint."""
        self._proven[cell, fingerprint] = None

    async def write_changes(self) -> None:
        """Commit changes in order until cancelled."""
        while True:
            pending = await self._changes.get()
            await self._commit(pending)
            self._changes.task_done()

    async def write_results(self) -> None:
        """Record results in batches until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            await self.flush()

    async def flush(self) -> None:
        """Record all results that wait now; on trouble they go on waiting."""
        try:
            while self._proven:
                proven = list(self._proven)[:BATCH]
                await self._store.prove(proven)
                for key in proven:
                    self._proven.pop(key, None)
            while self._results:
                batch = [self._results.popleft() for _ in range(min(BATCH, len(self._results)))]
                try:
                    await self._store.record(batch)
                except StoreUnavailable:
                    self._results.extendleft(reversed(batch[: RESULTS_KEPT - len(self._results)]))
                    raise
        except StoreUnavailable:
            self._failed()

    async def finish(self) -> None:
        """Wait until every change queued so far is committed, then record what is left."""
        await self._changes.join()
        await self.flush()

    async def _commit(self, pending: _Pending) -> None:
        tries = 0
        while True:
            try:
                await self._store.commit(pending.change)
                break
            except StoreUnavailable:
                self._failed()
                if self.stuck_since is None:
                    self.stuck_since = self._clock.monotonic()
                await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1
        self.stuck_since = None
        self._committed(pending.change)
        if not pending.written.done():
            pending.written.set_result(None)
