"""The collector of reference cycles, told what never becomes garbage.

A collection looks at every object it has not been told to leave alone. What this process makes at
its start (the configuration, the estate, what detection keeps of each cell) stays for good and is
large: with ten thousand cells a full collection holds the event loop for longer than a probe
takes, and all collections together were a third of the CPU. So what stays is frozen, twice: before
anything runs, and once every cell has been probed. What is made after that is little, and lets go
of itself without the collector; it is looked through less often than is usual.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

_THRESHOLDS = (20_000, 20, 20)
_LOOK_EVERY = 1.0


def begin() -> None:
    """Freeze what is there, garbage excepted: before the event loop runs, for it takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def freeze_once(settled: Callable[[], bool]) -> None:
    """Freeze what is there once it is `settled`, looked at every second.

    Only the young are looked through before, so that the loop is not held. Old garbage in cycles,
    of which there is next to none, is frozen too and never freed.
    """
    while not settled():  # noqa: ASYNC110 - nobody tells: it happens once, and no hurry
        await asyncio.sleep(_LOOK_EVERY)
    gc.collect(1)
    gc.freeze()
