"""Disks that fail for a while: by the shim, and really where that can be done.

A trouble begins right before a change is written, and is lifted when it has lasted a while and
people were told of it. The first change of a life opens its incident, the second acknowledges it,
the third says that it works again, the fourth resolves it.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.crash import shim
from tests.crash.life import Life
from tests.crash.shim import Failing

LASTS = 20.0
"""Virtual seconds that a trouble lasts at least: twice what people may be kept waiting."""

UNNOTICED = 300.0
"""Virtual seconds after which it is lifted although nobody was told."""


class Trouble:
    """`begin` and `end` make it come and go; the rest notes what the monitor makes of it."""

    def __init__(
        self,
        begin: Callable[[], None] = lambda: None,
        end: Callable[[], None] = lambda: None,
        *,
        at: int = 0,
    ) -> None:
        self._begin, self._end, self._at = begin, end, at
        self._began: float | None = None
        self._probes = 0
        self._lifted = False
        self._said: dict[str, Any] = {"told_after": None, "said": None, "probed": 0}

    def before(self, life: Life) -> None:
        """Called before each change of a life is written."""
        if life.changes == self._at:
            self._began, self._probes = life.world.now, life.sim.sent
            self._begin()

    def waited(self, life: Life) -> None:
        """Called for each virtual second in which nothing can be written."""
        if self._began is None or self._lifted:
            return
        lasted = life.world.now - self._began
        trouble = life.writing.trouble()
        if trouble is not None and self._said["told_after"] is None:
            self._said |= {"told_after": lasted, "said": trouble}
        told = self._said["told_after"] is not None
        if (told and lasted > LASTS) or lasted > UNNOTICED:
            self._said["probed"] = life.sim.sent - self._probes
            self.lift()

    def lift(self) -> None:
        """It is over."""
        if not self._lifted:
            self._lifted = True
            self._end()

    def said(self) -> dict[str, Any]:
        """When people were told, in virtual seconds, what, and how many probes were sent."""
        return self._said


def _failing(
    calls: tuple[str, ...], roles: tuple[str, ...], error: int, *, at: int, first: int = 1
) -> Callable[[Path], Trouble]:
    def made(_folder: Path) -> Trouble:
        return Trouble(lambda: shim.fail(Failing(calls, roles, error, first)), shim.lift, at=at)

    return made


def _locked(folder: Path) -> Trouble:
    """Another program keeps the database locked."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    other: list[subprocess.Popen[str]] = []

    def begin() -> None:
        command = [sys.executable, "-S", "-c", script, str(folder / "monitor.db")]
        pipe = subprocess.PIPE
        other.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        assert other[0].stdout.readline() == "locked\n"

    def end() -> None:
        other[0].communicate()

    return Trouble(begin, end, at=_AT)


def _moved(folder: Path, *, another: bool) -> Trouble:
    """The database is taken away, and put back; or another is in its place meanwhile."""
    database, away = folder / "monitor.db", folder / "away"

    def begin() -> None:
        database.rename(away)
        if another:
            database.write_bytes(b"")

    return Trouble(begin, lambda: away.replace(database), at=_AT)


def _full(folder: Path) -> Trouble:
    """The file system is full: only of use where it is a small one."""
    ballast = folder / "ballast"

    def begin() -> None:
        # To the last byte: until it takes no more.
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))

    return Trouble(begin, ballast.unlink, at=_AT)


_AT = 3
_WRITES, _SYNCS = ("pwrite", "write"), ("fsync", "fdatasync")

TROUBLES: Mapping[str, Callable[[Path], Trouble]] = {
    f"{name} at change {at}": _failing(calls, ("wal",), error, at=at)
    for at in (1, 2, 4)
    for name, calls, error in (
        ("EIO on write", _WRITES, errno.EIO),
        ("ENOSPC on write", _WRITES, errno.ENOSPC),
        ("EROFS on write", _WRITES, errno.EROFS),
        ("EIO on sync", _SYNCS, errno.EIO),
        ("ENOSPC on sync", _SYNCS, errno.ENOSPC),
    )
} | {
    "EIO in the middle of a commit": _failing(_WRITES, ("wal",), errno.EIO, at=_AT, first=6),
    "EIO on any file": _failing(
        (*_WRITES, *_SYNCS), ("wal", "database", "shm", "directory", "other"), errno.EIO, at=_AT
    ),
    "short writes": _failing(_WRITES, ("wal", "database"), 0, at=1),
    "locked": _locked,
    "deleted": lambda folder: _moved(folder, another=False),
    "replaced": lambda folder: _moved(folder, another=True),
    "full": _full,
}
