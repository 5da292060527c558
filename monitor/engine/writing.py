"""The engine's way into the store: changes in order, results in batches, a sign of life.

Changes are written one after the other, each tried again for as long as the store is
unavailable: detection goes on meanwhile and nothing is dropped. A change leaves the queue only
once it is on disk; who is stopped in the middle may write it again, because the store writes a
change once. A change that the store refuses for any other reason means that two minds are at work
on one store; that ends the process.

A change that waits for long is spooled, and what it owes is told without the store: `emergency.py`
says how. So is one whose commit neither takes nor fails, as with a server that stands still; that
commit is called off, and nothing else is asked of the store before it has ended. A change that is
spooled is on disk: nobody waits for it any longer. One that waits when the process is told to end
is spooled as well.

Results are less dear: while the store is unavailable the newest `RESULTS_KEPT` wait, and how many
were dropped is counted.

Every `SIGN_EVERY` seconds the store is told that this process watches. So a store that cannot be
written is found out also while there is nothing to write, and whoever starts next can tell from
when on nobody watched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.engine.emergency import SPOOL_AFTER, Emergency
from monitor.model import CellKey, Change, Result
from monitor.store import Store, StoreUnavailable

RESULTS_KEPT = 20_000
BATCH = 500
SIGN_EVERY = 5.0
STUCK_AFTER = 10.0
"""Seconds without a single write that took, after which people are told."""

_PAUSES = (0.1, 0.5, 1.0)
_ENDING = 1.0
"""Seconds that what waits has to be committed when the process ends; then it is spooled."""


@dataclass(slots=True)
class _Pending:
    change: Change
    written: asyncio.Future[None]
    since: float
    spooled: bool = False


class Writing:
    """What waits to be written. `committed` is called after each change, `failed` on trouble."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        committed: Callable[[Change], None],
        failed: Callable[[], None],
        emergency: Emergency | None = None,
    ) -> None:
        self._store = store
        self._emergency = emergency
        self._clock = clock
        self._committed = committed
        self._failed = failed
        self._changes: deque[_Pending] = deque()
        self._waiting = asyncio.Event()
        self._hanging: asyncio.Task[bool] | None = None
        self._results: deque[Result] = deque(maxlen=RESULTS_KEPT)
        self._proven: dict[tuple[CellKey, str], None] = {}
        self._refusal = "no write has ended"
        self._took_at = clock.monotonic()
        self.dropped = 0

    def trouble(self) -> str | None:
        """Why nothing has been written for `STUCK_AFTER`; None while writing works."""
        silent = self._clock.monotonic() - self._took_at
        return f"{self._refusal}, for {silent:.0f} s" if silent > STUCK_AFTER else None

    @property
    def idle(self) -> bool:
        """Whether no change waits to be written."""
        return not self._changes

    @property
    def waiting(self) -> int:
        """How many changes wait to be written."""
        return len(self._changes)

    def change(self, change: Change) -> asyncio.Future[None]:
        """Queue a change; the future is done once it is on disk, in the store or in the spool."""
        written = asyncio.get_running_loop().create_future()
        self._changes.append(_Pending(change, written, self._clock.monotonic()))
        self._waiting.set()
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
            await self._waiting.wait()
            await self._commit_waiting()

    async def write_results(self) -> None:
        """Record results in batches until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            await self.flush()

    async def sign(self) -> None:
        """Tell the store that we watch, until cancelled."""
        while True:
            await self._took(self._store.sign())
            await asyncio.sleep(SIGN_EVERY)

    async def flush(self) -> None:
        """Record all results that wait now; on trouble they go on waiting."""
        while self._proven:
            proven = list(self._proven)[:BATCH]
            if not await self._took(self._store.prove(proven)):
                return
            for key in proven:
                self._proven.pop(key, None)
        while self._results:
            batch = [self._results.popleft() for _ in range(min(BATCH, len(self._results)))]
            if not await self._took(self._store.record(batch)):
                self._wait_longer(batch)
                return

    async def finish(self) -> None:
        """Commit or spool what waits, then record what is left. Only after the rest ended."""
        try:
            async with asyncio.timeout(_ENDING if self._emergency else None):
                await self._commit_waiting()
        except TimeoutError:
            await self._spool(self._changes)
        await self.flush()
        await self._took(self._store.sign())

    def _wait_longer(self, batch: list[Result]) -> None:
        """Put the oldest results back, as many as there is room for."""
        spilt = max(0, len(batch) + len(self._results) - RESULTS_KEPT)
        self.dropped += spilt
        self._results.extendleft(reversed(batch[spilt:]))

    async def _commit_waiting(self) -> None:
        tries = 0
        while self._changes:
            pending = self._changes[0]
            if not await self._committed_in_time(pending):
                if self._clock.monotonic() - pending.since >= SPOOL_AFTER:
                    await self._spool(self._changes)
                await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
                tries += 1
                continue
            tries = 0
            self._changes.popleft()
            self._committed(pending.change)
            _tell(pending)
        if self._emergency is not None:
            await self._emergency.emptied()
        if not self._changes:
            self._waiting.clear()

    async def _committed_in_time(self, pending: _Pending) -> bool:
        """Whether a commit of the first change took; one that hangs is gone on with next time."""
        if self._emergency is None:
            return await self._took(self._store.commit(pending.change))
        committing = self._hanging or asyncio.create_task(
            self._took(self._commit(pending, self._emergency))
        )
        self._hanging = committing
        try:
            await asyncio.wait({committing}, timeout=SPOOL_AFTER)
        except asyncio.CancelledError:
            committing.cancel()
            self._hanging = None
            raise
        if not committing.done():
            await self._spool(self._changes)
            self._failed()
            return False
        self._hanging = None
        return committing.result()

    async def _commit(self, pending: _Pending, emergency: Emergency) -> None:
        if pending.spooled:
            await emergency.commit(pending.change)
        else:
            await self._store.commit(pending.change, wanted=lambda: not pending.spooled)

    async def _spool(self, waiting: Iterable[_Pending]) -> None:
        """Spool what is not spooled yet, in its order."""
        new = [pending for pending in waiting if not pending.spooled]
        if self._emergency is None or not new:
            return
        for pending in new:
            pending.spooled = True
        await self._emergency.take(pending.change for pending in new)
        if self._emergency.trouble is None:
            for pending in new:
                _tell(pending)

    async def _took(self, writing: Awaitable[None]) -> bool:
        """Whether a write took; why it did not is kept for people."""
        try:
            await writing
        except StoreUnavailable as error:
            self._refusal = str(error)
            self._failed()
            return False
        self._took_at = self._clock.monotonic()
        self._refusal = "no write has ended"
        return True


def _tell(pending: _Pending) -> None:
    """Whoever waits for a change learns that it is on disk."""
    if not pending.written.done():
        pending.written.set_result(None)
