"""YAML 1.2 read into a tree that remembers where everything stands.

The tree is built from parser events, so that what is refused is refused before it costs anything:
aliases, anchors and tags, keys that come twice, nesting deeper than `MAX_DEPTH`, more than one
document, files over `MAX_BYTES`. A plain scalar is null, a boolean, a number or text by the core
schema of YAML 1.2; numbers that other readers would take for something else (`017`, `0x1F`,
`1_000`) are refused instead of guessed at.

The place of a value is that of its key, or of the item itself in a list. Keys are always text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from monitor.config.mistakes import Path
from monitor.config.variables import substituted

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

Scalar = str | int | float | bool | None
Place = tuple[int, int]
"""Line and column, both counted from 1."""

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_DECEPTIVE = re.compile(r"[-+]?(?:0[0-9]+|0[xob][0-9a-fA-F]+|[0-9][0-9_]*_[0-9_]*)")
_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place. Children are nodes, under text keys or in a list."""

    place: Place
    value: Scalar | dict[str, Node] | list[Node]


class Flaw(NamedTuple):
    """A mistake that does not end reading; with `lost` the value at its path is not known."""

    place: Place
    path: Path
    message: str
    lost: bool


class Unreadable(Exception):  # noqa: N818 - it is what the file is, and becomes one Mistake
    """Reading had to stop at a place."""

    def __init__(self, place: Place, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.path = path


def parse(content: bytes, environ: Mapping[str, str]) -> tuple[Node, list[Flaw]]:
    """The tree of a file, variables substituted, and the flaws that do not end reading.

    Raises Unreadable for the others: what is no UTF-8, no YAML, or too large.
    """
    if len(content) > MAX_BYTES:
        raise Unreadable((1, 1), "is over 1 MiB: a configuration of this size is not read")
    builder = _Builder(_events(_text(content)), environ)
    return builder.document(), builder.flaws


def plain(text: str) -> Scalar:
    """What an unquoted scalar means. Raises ValueError for a number that deceives."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECEPTIVE.fullmatch(text):
        raise ValueError(
            f"`{text}` is read differently by different readers: write a decimal number without "
            "leading zeros and underscores, or put it in quotes if it is text"
        )
    if _DECIMAL.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
        raise ValueError(f"`{text[:20]}` is too large a number")
    return text


def at(root: Node, path: Path) -> Node | None:
    """The node a path leads to, None where it leads to nothing."""
    node: Node | None = root
    for step in path:
        node = child(node, step) if node is not None else None
    return node


def child(node: Node, step: str | int) -> Node | None:
    """The node under a key or list position, None where there is none."""
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


def names_under(root: Node, key: str) -> tuple[str, ...]:
    """The names in a section of the file, whether what they name is valid or not."""
    node = child(root, key)
    return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node below, itself included, with its path."""
    yield path, node
    if isinstance(node.value, dict):
        for key, each in node.value.items():
            yield from walk(each, (*path, key))
    elif isinstance(node.value, list):
        for index, each in enumerate(node.value):
            yield from walk(each, (*path, index))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", errors="replace")
        raise Unreadable(
            _place_after(before), "is not UTF-8 here: save the file with that encoding"
        ) from None


def _place_after(before: str) -> Place:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1


def _events(text: str) -> Iterator[Any]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        raise Unreadable(
            _place_after(text[: error.position]), "holds a control character: remove it"
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.problem, error.context) if part)
        place = _place(mark) if mark else (1, 1)
        raise Unreadable(place, f"is no valid YAML here: {problem}") from None


class _Builder:
    """Turns parser events into nodes; `flaws` do not end the reading."""

    def __init__(self, events: Iterator[Any], environ: Mapping[str, str]) -> None:
        self._events = events
        self._environ = environ
        self.flaws: list[Flaw] = []

    def document(self) -> Node:
        """The one document of the stream; an empty one is an empty mapping."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml_events.DocumentStartEvent) and root is not None:
                raise Unreadable(_place(event.start_mark), "begins a second document: one is read")
            if isinstance(event, yaml_events.NodeEvent):
                root = self._node(event, _place(event.start_mark), ())
        if root is None or root.value is None:
            return Node((1, 1), {})
        if not isinstance(root.value, dict):
            raise Unreadable(root.place, "is not a mapping: write `key: value` lines")
        return root

    def _node(self, event: Any, place: Place, path: Path) -> Node:
        self._refuse_tricks(event, path)
        if isinstance(event, yaml_events.MappingStartEvent):
            return Node(place, self._mapping(path))
        if isinstance(event, yaml_events.SequenceStartEvent):
            return Node(place, self._sequence(path))
        return Node(place, self._scalar(event, place, path))

    def _refuse_tricks(self, event: Any, path: Path) -> None:
        place = _place(event.start_mark)
        if len(path) > MAX_DEPTH:
            raise Unreadable(place, f"is nested deeper than {MAX_DEPTH} levels", path)
        if isinstance(event, yaml_events.AliasEvent):
            raise Unreadable(place, f"`*{event.anchor}`: aliases are not read, repeat it", path)
        if event.anchor is not None:
            raise Unreadable(place, f"`&{event.anchor}`: anchors are not read, remove it", path)
        if event.ctag is not None:
            raise Unreadable(place, "tags (`!...`) are not read, remove it", path)

    def _mapping(self, path: Path) -> dict[str, Node]:
        children: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml_events.MappingEndEvent):
            place = _place(event.start_mark)
            if not isinstance(event, yaml_events.ScalarEvent):
                self._refuse_tricks(event, path)
                raise Unreadable(place, "a key must be one word of text", path)
            self._refuse_tricks(event, path)
            key = event.value
            node = self._node(next(self._events), place, (*path, key))
            if key in children:
                self._flaw(place, (*path, key), _twice(children[key].place))
            elif "${" in key:
                self._flaw(place, (*path, key), "variables are read in values, not in keys")
            else:
                children[key] = node
        return children

    def _sequence(self, path: Path) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml_events.SequenceEndEvent):
            items.append(self._node(event, _place(event.start_mark), (*path, len(items))))
        return items

    def _scalar(self, event: Any, place: Place, path: Path) -> Scalar:
        try:
            if "${" in event.value:
                return substituted(event.value, self._environ)
            return plain(event.value) if event.style is None else str(event.value)
        except ValueError as error:
            self._flaw(place, path, str(error), lost=True)
            return None

    def _flaw(self, place: Place, path: Path, message: str, *, lost: bool = False) -> None:
        self.flaws.append(Flaw(place, path, message, lost))


def _twice(first: Place) -> str:
    return f"comes twice, first in line {first[0]}: remove one of them"
