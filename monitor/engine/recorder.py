"""The opt-in recorder: every result, controls' too, as one line of JSON in a file.

The format is the one that `monitor replay` reads; docs/replay.md has every key. Recording never
holds a probe up: results wait in a bounded queue for a thread that writes them, and what finds the
queue full, or the disk, is dropped and counted. At `max_bytes` the file becomes `PATH.1`, in place
of an older one, and a new one is begun.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import timedelta
from io import FileIO
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any

import structlog

from monitor.model import CONTROL, SHARED, Cell, EvidenceKind, Need, Result

LOG = structlog.get_logger("monitor")

WAITING = 20_000
"""Results that may wait to be written."""

_BATCH = 1000
_CLOSE_WITHIN = 1.0

_Waiting = tuple[Cell, Result, bool]


def line_of(cell: Cell, result: Result, *, asked: bool) -> str:
    """A result as its line, without the line's end. `asked`: detection asked for it."""
    check, target = cell.check, cell.target
    took = timedelta(seconds=result.observed_mono - result.sent_mono)
    said: dict[str, Any] = {
        "at": result.observed_at.isoformat(),
        "sent": (result.observed_at - took).isoformat(),
        **cell.key._asdict(),
        "outcome": result.outcome,
        "network": cell.vantage.network,
        "interval": check.interval,
        "timeout": check.timeout,
        "id": result.id,
    }
    optional = {
        "kind": result.failure,
        "message": result.evidence.message,
        "group": target.group,
        "tenant": "" if target.tenant == SHARED else target.tenant,
        "need": "" if check.need is Need.BLOCKING else check.need,
        "evidence": "" if check.evidence is EvidenceKind.ACTIVE else check.evidence,
        "real_users": check.real_users,
        "edge": check.edge,
        "control": cell.key.service == CONTROL,
        "asked": asked,
    }
    said |= {key: value for key, value in optional.items() if value}
    return json.dumps(said, separators=(",", ":"))


class Recorder:
    """Writes to `path` until closed."""

    def __init__(self, path: Path, max_bytes: int, *, waiting: int = WAITING) -> None:
        """At most `waiting` results wait; the file is opened when the first one is written."""
        self._path = path
        self._max_bytes = max_bytes
        self._queue: Queue[_Waiting | None] = Queue(waiting)
        self._file: FileIO | None = None
        self._refused = 0
        self._unwritten = 0
        self._failing = False
        self._thread = Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    def record(self, cell: Cell, result: Result, *, asked: bool) -> None:
        """Have a result written soon; never waits and never raises."""
        try:
            self._queue.put_nowait((cell, result, asked))
        except Full:
            self._refused += 1

    @property
    def dropped(self) -> int:
        """How many results were not recorded."""
        return self._refused + self._unwritten

    def close(self) -> None:
        """Write what waits and end; what a stuck disk leaves after a moment is given up."""
        with suppress(Full):
            self._queue.put(None, timeout=_CLOSE_WITHIN)
            self._thread.join(_CLOSE_WITHIN)

    def _write_all(self) -> None:
        ended = False
        while not ended:
            batch = [self._queue.get()]
            with suppress(Empty):
                while len(batch) < _BATCH:
                    batch.append(self._queue.get_nowait())
            ended = None in batch
            self._write([line_of(w[0], w[1], asked=w[2]) for w in batch if w is not None])
        self._shut()

    def _write(self, lines: list[str]) -> None:
        if not lines:
            return
        try:
            self._append(("\n".join(lines) + "\n").encode())
        except OSError as error:
            self._unwritten += len(lines)
            self._shut()
            if not self._failing:
                LOG.error("results cannot be recorded", reason=str(error))
            self._failing = True
            return
        if self._failing:
            LOG.info("results are recorded again", dropped=self.dropped)
        self._failing = False

    def _append(self, block: bytes) -> None:
        file = self._file or self._opened()
        if file.tell() and file.tell() + len(block) > self._max_bytes:
            self._shut()
            self._path.replace(f"{self._path}.1")
            file = self._opened()
        written = 0
        while written < len(block):
            written += file.write(block[written:])

    def _opened(self) -> FileIO:
        """The file, to be gone on after its last whole line: a crash may have torn one."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = self._file = FileIO(descriptor, "r+")
        file.seek(_after_last_line(file))
        file.truncate()
        return file

    def _shut(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def _after_last_line(file: FileIO) -> int:
    """Where the last whole line of a file ends; 0 when it has none."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
