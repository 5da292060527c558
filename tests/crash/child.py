"""A monitor of one life in a process of its own, behind the shim.

Forked from a process that has imported everything already, or started afresh as
`python -m tests.crash.child SETTINGS`. How it ends is its exit code; a killed one has none.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from monitor.engine import writing
from monitor.store import StoreError
from tests.crash import planted, shim
from tests.crash.life import Life, Unsent
from tests.crash.world import World

FINISHED, BROKEN, REFUSED, UNSENT = 0, 1, 3, 4
"""Exit codes: the life is over, something else was raised, the store refused, it never went out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process is to do. `kill` is (boundary, after), `planted` the name of a fault."""

    url: str
    receiver: int
    world: int
    page: int
    kill: tuple[int, bool] | None = None
    log: int | None = None
    hasty: bool = False
    planted: str | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(each for each in (self.world, self.page, self.log) if each is not None)


def live(settings: Settings) -> int:
    """Live in this process; the exit code."""
    writing._PAUSES = (0.01,)
    if settings.planted is not None:
        planted.FAULTS[settings.planted]()
    life = Life(settings.url, settings.receiver, World(settings.world), hasty=settings.hasty)
    _behind_the_shim(settings)
    try:
        asyncio.run(life.run())
    except BaseException as failure:  # noqa: BLE001 - however it ends, the parent is told
        cause = _cause(failure)
        if isinstance(cause, Unsent):
            return UNSENT
        traceback.print_exc()
        return REFUSED if isinstance(cause, StoreError) else BROKEN
    return FINISHED


def _cause(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def _behind_the_shim(settings: Settings) -> None:
    folder, server = watched(settings.url)
    shim.watch(folder, settings.receiver, server)
    shim.share(settings.page)
    if settings.log is not None:
        shim.log(settings.log)
    if settings.kill is not None:
        shim.kill(shim.Kill(*settings.kill))


def watched(url: str) -> tuple[Path, int]:
    """The folder of a database's files, or the port of its server."""
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).parent, 0
    return Path("/nowhere"), int(url.rpartition(":")[2].partition("/")[0])


def command(settings: Settings) -> list[str]:
    """What starts a fresh interpreter for it."""
    return [sys.executable, "-m", "tests.crash.child", json.dumps(asdict(settings))]


if __name__ == "__main__":
    code = live(Settings(**json.loads(sys.argv[1])))
    sys.stderr.flush()
    os._exit(code)
