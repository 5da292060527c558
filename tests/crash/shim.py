"""The shim as Python sees it: compiled once, preloaded into a process, told what to do there."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
CALLS = (
    "open",
    "write",
    "pwrite",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "unlink",
    "send",
    "recv",
)
ROLES = (
    "none",
    "database",
    "wal",
    "shm",
    "lock",
    "journal",
    "copy",
    "directory",
    "other",
    "receiver",
    "server",
)
_HEAD = struct.Struct("=QQQ")
_STEPS = 60_000


def compiled(folder: Path) -> Path:
    """Compile the shim into `folder`; the path of the library."""
    made = folder / "shim.so"
    subprocess.run(
        ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", made, SOURCE],
        check=True,
    )
    return made


def preloaded() -> bool:
    """Whether this process runs behind the shim."""
    return hasattr(ctypes.CDLL(None), "crash_kill")


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL at the `at`th boundary (from 1), before or after it."""

    at: int
    after: bool = False


@dataclass(frozen=True, slots=True)
class Failing:
    """From the `first` of such calls on, `count` fail with `error`; 0: half of it is written."""

    calls: tuple[str, ...]
    roles: tuple[str, ...]
    error: int
    first: int = 1
    count: int = 1 << 60


class Page:
    """What a process behind the shim leaves behind, however it ends. Read by its parent."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("page", 0)
        os.ftruncate(self.descriptor, _HEAD.size + _STEPS)
        self._memory = mmap.mmap(self.descriptor, _HEAD.size + _STEPS)

    def clear(self) -> None:
        self._memory[: _HEAD.size] = bytes(_HEAD.size)

    @property
    def count(self) -> int:
        """How many boundaries were reached."""
        return int(_HEAD.unpack_from(self._memory)[0])

    @property
    def failed(self) -> int:
        """How many calls were made to fail."""
        return int(_HEAD.unpack_from(self._memory)[2])

    @property
    def killed_at(self) -> str | None:
        """The boundary that the process was killed at."""
        at = _HEAD.unpack_from(self._memory)[1]
        return self.steps()[at - 1] if at else None

    def steps(self) -> list[str]:
        """Every boundary by name, such as "pwrite wal", in the order they were reached."""
        raw = self._memory[_HEAD.size : _HEAD.size + min(self.count, _STEPS)]
        return [f"{CALLS[step >> 4]} {ROLES[step & 15]}" for step in raw]


def dies_with_parent() -> None:
    """Whoever judges this process is its parent: without one it is of no use."""
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))


def watch(folder: Path, receiver: int, server: int = 0) -> None:
    """See what touches `folder` and the two ports of loopback."""
    ctypes.CDLL(None).crash_watch(str(folder).encode(), receiver, server)


def share(descriptor: int) -> None:
    """Write into the parent's page."""
    ctypes.CDLL(None).crash_share(descriptor)


def kill(kill: Kill) -> None:
    """End this process at a boundary."""
    ctypes.CDLL(None).crash_kill(ctypes.c_int64(kill.at), int(kill.after))


def log(descriptor: int) -> None:
    """Log what changes files, and what leaves for the receiver."""
    ctypes.CDLL(None).crash_log(descriptor)


def fail(failing: Failing) -> None:
    """Make calls fail from now on."""
    calls = sum(1 << CALLS.index(name) for name in failing.calls)
    roles = sum(1 << ROLES.index(name) for name in failing.roles)
    first, count = ctypes.c_int64(failing.first), ctypes.c_int64(failing.count)
    ctypes.CDLL(None).crash_fail(calls, roles, first, count, failing.error)


def lift() -> None:
    """Let every call succeed again."""
    ctypes.CDLL(None).crash_fail(0, 0, ctypes.c_int64(0), ctypes.c_int64(0), 0)
