"""Disks as a power loss may leave them, made of the log of a life.

What a file is sure to hold is what was written before its last fsync; of what was written since,
any part may be there, in any order, torn at a sector's or a page's border. A name is sure to be
there, moved or gone only once its directory was synced; names change in the order they were
changed in. The log also says which notice was on the wire by then, and which was answered.
"""

from __future__ import annotations

import os
import random
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.crash.shim import CALLS, ROLES

_HEAD = struct.Struct("=BBHIq")
_KEY = re.compile(rb"idempotency-key: (\S+)", re.IGNORECASE)
BORDERS = (512, 4096)
HOW = ("dropped", "torn", "reordered")
"""What becomes of what was not synced: nothing is left of it, the first part, or any part."""


class Step(NamedTuple):
    """One line of a log. A rename has its new name as `content`."""

    call: str
    role: str
    name: str
    offset: int
    content: bytes


def steps_of(descriptor: int) -> list[Step]:
    """Read a log from its beginning."""
    raw = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    steps, at = [], 0
    while at < len(raw):
        call, role, name, length, offset = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        said = raw[at : at + name].decode()
        content = raw[at + name : at + name + length]
        at += name + length
        steps.append(Step(CALLS[call], ROLES[role], said, offset, content))
    return steps


@dataclass(eq=False)
class _File:
    """What is sure to be in a file, and the steps since."""

    sure: bytearray = field(default_factory=bytearray)
    since: list[Step] = field(default_factory=list)


@dataclass
class Disk:
    """Follows a log. `wire` are the keys that left, `answered` those whose answer came."""

    files: dict[str, _File | None]
    names: dict[str, _File] = field(init=False)
    renamed: list[tuple[str, _File | None]] = field(default_factory=list)
    wire: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    _asking: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = {name: file for name, file in self.files.items() if file is not None}

    @classmethod
    def of(cls, folder: Path) -> Disk:
        """The disk with what `folder` holds now, all of it synced."""
        return cls({f.name: _File(bytearray(f.read_bytes())) for f in sorted(folder.iterdir())})

    def follow(self, step: Step) -> None:
        """Take in the next step."""
        if step.role == "receiver":
            self._on_the_wire(step)
        elif step.call in ("pwrite", "ftruncate"):
            self.names[step.name].since.append(step)
        elif step.call == "fsync":
            self._synced(step)
        elif step.call == "open":
            self._named(step.name, _File())
        elif step.call == "unlink":
            self._named(step.name, None)
        elif step.call == "rename":
            moved = self.names[step.name]
            self._named(step.name, None)
            self._named(step.content.decode(), moved)

    def left(self, how: str, dice: random.Random) -> Iterator[tuple[str, bytes]]:
        """(name, content) of every file, should the power go now."""
        names = self.files | dict(self.renamed[: dice.randint(0, len(self.renamed))])
        for name, file in names.items():
            if file is not None and not name.endswith("-shm"):
                yield name, bytes(_content(file, how, dice))

    def _on_the_wire(self, step: Step) -> None:
        if step.call == "recv":
            key = self._asking.pop(step.offset, None)
            self.answered += [key] if key is not None else []
            return
        found = _KEY.search(step.content)
        if found is not None:
            self._asking[step.offset] = found[1].decode()
            self.wire.append(found[1].decode())

    def _named(self, name: str, file: _File | None) -> None:
        self.renamed.append((name, file))
        if file is None:
            self.names.pop(name, None)
        else:
            self.names[name] = file

    def _synced(self, step: Step) -> None:
        if step.role == "directory":
            self.files = dict(self.names)
            self.renamed.clear()
            return
        file = self.names[step.name]
        for since in file.since:
            _apply(file.sure, since, 0, len(since.content))
        file.since.clear()


def _content(file: _File, how: str, dice: random.Random) -> bytearray:
    content = bytearray(file.sure)
    if how == "dropped":
        return content
    if how == "torn":
        whole = dice.randint(0, len(file.since))
        for step in file.since[:whole]:
            _apply(content, step, 0, len(step.content))
        for step in file.since[whole : whole + 1]:
            _apply(content, step, 0, _border(step, dice))
        return content
    for step in dice.sample(file.since, dice.randint(0, len(file.since))):
        begin, end = sorted((_border(step, dice), _border(step, dice)))
        _apply(content, step, begin, end if dice.random() < 0.3 else len(step.content))
    return content


def _border(step: Step, dice: random.Random) -> int:
    """A place within what was written at which a disk may tear it."""
    width = dice.choice(BORDERS)
    first = -step.offset % width
    borders = [0, *range(first, len(step.content), width), len(step.content)]
    return dice.choice(borders)


def _apply(content: bytearray, step: Step, begin: int, end: int) -> None:
    if step.call == "ftruncate":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
        return
    if end > begin:
        at = step.offset + begin
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + end - begin] = step.content[begin:end]


def written(left: Sequence[tuple[str, bytes]], folder: Path) -> None:
    """Write an image into an empty `folder`."""
    for name, content in left:
        (folder / name).write_bytes(content)
