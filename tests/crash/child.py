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
from typing import Any

from sqlalchemy import Engine, event

from monitor.engine import writing
from monitor.store import StoreError, opening, place
from monitor.store.place import Place
from monitor.store.place import writing as writing_engine
from tests.crash import planted, scenes, shim
from tests.crash.life import Unsent

FINISHED, BROKEN, REFUSED, UNSENT = 0, 1, 3, 4
"""Exit codes: the life is over, something else was raised, the store refused, it never went out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one process is to do: to play `scene`, and to leave what it has to say in `said`.

    `kill` is (boundary, after), `planted` the name of a fault of ours, `trouble` of one of the
    disk. With `small_wal` SQLite's log is brought into the database every few commits, and not
    only at the end.
    """

    url: str
    receiver: int
    world: int
    page: int
    said: int
    scene: str = "life"
    kill: tuple[int, bool] | None = None
    log: int | None = None
    hasty: bool = False
    small_wal: bool = False
    planted: str | None = None
    trouble: str | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        known = (self.world, self.page, self.said, self.log)
        return tuple(each for each in known if each is not None)

    @property
    def folder(self) -> Path | None:
        """Where the database's files are; None on a server."""
        on_files = self.url.startswith("sqlite:///")
        return Path(self.url.removeprefix("sqlite:///")).parent if on_files else None


def live(settings: Settings) -> int:
    """Play the scene in this process; the exit code."""
    shim.dies_with_parent()
    # What is tried again is tried again soon: no test waits for the pauses of real life.
    writing._PAUSES, place._WAIT = (0.01,), 0.05
    if settings.small_wal:
        opening.writing = _with_a_small_wal
    if settings.planted is not None:
        planted.FAULTS[settings.planted](settings)
    _behind_the_shim(settings)
    try:
        said = asyncio.run(scenes.SCENES[settings.scene](settings))
    except BaseException as failure:  # noqa: BLE001 - however it ends, the parent is told
        cause = _cause(failure)
        if isinstance(cause, Unsent):
            return UNSENT
        if isinstance(cause, StoreError):
            _say(settings, {"refused": str(cause)})
            return REFUSED
        traceback.print_exc()
        return BROKEN
    _say(settings, said)
    return FINISHED


def _say(settings: Settings, said: dict[str, Any]) -> None:
    os.pwrite(settings.said, json.dumps(said).encode(), 0)


def _with_a_small_wal(of: Place) -> Engine:
    engine = writing_engine(of)
    if of.path is not None:

        @event.listens_for(engine, "connect")
        def _limited(connection, _record) -> None:
            connection.execute("PRAGMA wal_autocheckpoint=40")

    return engine


def _cause(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def _behind_the_shim(settings: Settings) -> None:
    server = 0
    if settings.folder is None:
        server = int(settings.url.rpartition(":")[2].partition("/")[0])
    shim.watch(settings.folder or Path("/nowhere"), settings.receiver, server)
    shim.share(settings.page)
    if settings.log is not None:
        shim.log(settings.log)
    if settings.kill is not None:
        shim.kill(shim.Kill(*settings.kill))


def command(settings: Settings) -> list[str]:
    """What starts a fresh interpreter for it."""
    return [sys.executable, "-m", "tests.crash.child", json.dumps(asdict(settings))]


if __name__ == "__main__":
    code = live(Settings(**json.loads(sys.argv[1])))
    sys.stderr.flush()
    os._exit(code)
