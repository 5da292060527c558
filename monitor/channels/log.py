"""A notice as one line of JSON: in a file of its own, or in the monitor's log.

A line in a file is on disk when the notice counts as sent. A notice sent again after a crash is
there twice, with the same `key`.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from monitor.channels.document import NoticeDocument, notice_document
from monitor.channels.kind import Means
from monitor.model import Accepted, DeliveryError, Notice


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The file to append to, made when missing; None for the monitor's own log."""

    path: str | None = None


async def send(notice: Notice, options: LogOptions, means: Means) -> Accepted:
    """Write a notice once. Raises `DeliveryError`: a full disk may pass."""
    said = notice_document(notice, means.net.clock.wall())
    if options.path is None:
        structlog.get_logger("monitor.notices").info("notice", **said)
        return Accepted()
    try:
        await asyncio.to_thread(_append, Path(options.path), said)
    except OSError as error:
        raise DeliveryError(f"cannot write {options.path}: {error.strerror}") from error
    return Accepted()


def _append(path: Path, said: NoticeDocument) -> None:
    line = json.dumps(said).encode() + b"\n"
    with path.open("a+b", buffering=0) as file:
        # What a full disk or a crash cut short must not swallow the line that follows it.
        if not _ends_a_line(file.fileno()):
            line = b"\n" + line
        written = file.write(line)
        os.fsync(file.fileno())
    if written != len(line):
        raise OSError(0, "only part of the line could be written")


def _ends_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
