"""The spool: a second place for changes, for while the database cannot be written.

A file beside the database that is only ever appended to, and emptied once the database has
everything. Each line stands alone:

    <crc32 of the rest, 8 hexadecimal digits> {"change": {...}}
    <crc32 of the rest, 8 hexadecimal digits> {"sent": {"id": ..., "at": ..., ...}}

A change is as it would have been committed; `sent` says that a receiver has taken one of its
notices already. What has been added is on disk when that returns. A line that a crash or a full
disk cut short fails its checksum: it was never promised, and is left out. Reading changes nothing.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from monitor.model import Accepted, Change

_CHANGE = TypeAdapter(Change)
_CRC = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice that its receiver took without the outbox: what it answered, and when."""

    id: str
    accepted: Accepted
    at: datetime


_SENT = TypeAdapter(Sent)


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a spool holds, in the order it came; `unread` are the lines that are of no use.

    They were cut short, are damaged, or another release wrote them.
    """

    changes: tuple[Change, ...] = ()
    sent: Mapping[str, Sent] = field(default_factory=dict)
    unread: tuple[bytes, ...] = ()


class Spool:
    """The spool at `path`. Every method blocks, and raises OSError when the file does not obey."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add_changes(self, *changes: Change) -> None:
        """Append changes, all of them or (after an error) none that will be read."""
        self._append(*({"change": _CHANGE.dump_python(c, mode="json")} for c in changes))

    def add_sent(self, sent: Sent) -> None:
        """Append that a notice was taken."""
        self._append({"sent": _SENT.dump_python(sent, mode="json")})

    def _append(self, *entries: Mapping[str, Any]) -> None:
        self._append_said(b"".join(_line(entry) for entry in entries))

    def _append_said(self, said: bytes) -> None:
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                said = b"\n" + said
            _write_whole(descriptor, said, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            _sync_folder(self.path)

    def read(self) -> Spooled:
        """Everything that can be read."""
        changes: list[Change] = []
        sent: dict[str, Sent] = {}
        unread: list[bytes] = []
        for line in self._lines():
            entry = _entry(line)
            if isinstance(entry, Change):
                changes.append(entry)
            elif isinstance(entry, Sent):
                sent[entry.id] = entry
            else:
                unread.append(line)
        return Spooled(tuple(changes), sent, tuple(unread))

    def _lines(self) -> Iterator[bytes]:
        try:
            held = self.path.read_bytes()
        except FileNotFoundError:
            return
        yield from (line for line in held.split(b"\n") if line)

    def clear(self) -> None:
        """Forget everything: the database has it, or `set_aside` kept it."""
        if not self.path.exists():
            return
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            os.ftruncate(descriptor, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def set_aside(self, *changes: Change) -> Path:
        """Keep changes that the database refuses in another file; where that is."""
        self._aside.add_changes(*changes)
        return self._aside.path

    def set_lines_aside(self, *lines: bytes) -> Path:
        """Keep lines that cannot be read there, as they are."""
        self._aside._append_said(b"".join(line + b"\n" for line in lines))  # noqa: SLF001 - its own
        return self._aside.path

    @property
    def _aside(self) -> Spool:
        return Spool(self.path.with_name(f"{self.path.name}.refused"))


def _write_whole(descriptor: int, said: bytes, size: int) -> None:
    """Write all of it behind `size`, or leave nothing of it."""
    try:
        written = 0
        while written < len(said):
            written += os.write(descriptor, said[written:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _line(entry: Mapping[str, Any]) -> bytes:
    said = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(said), said)


def _entry(line: bytes) -> Change | Sent | None:
    """What a line says; None when it cannot be read."""
    crc, _, said = line.partition(b" ")
    if len(crc) != _CRC or crc != b"%08x" % zlib.crc32(said):
        return None
    entry = json.loads(said)
    try:
        if "change" in entry:
            return _CHANGE.validate_python(entry["change"])
        return _SENT.validate_python(entry["sent"])
    except (KeyError, ValidationError):
        return None


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
