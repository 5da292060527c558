"""From the tree to the validated document, with every mistake on the way.

Validation is repeated: what is mistaken is noted and taken out of the tree, and the rest is
validated again, until it holds. So one mistake hides no other, and what is left can still be
checked for what its parts say of each other. A mapping that lacks a required key goes as a whole;
an item of a list becomes None, so that the others keep their positions.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.kinds import ByKind
from monitor.config.mistakes import Mistake, Path, spelled
from monitor.config.shape import DEFAULT_KIND, Document
from monitor.config.spelling import SHOWN_CHARS, shown
from monitor.config.tree import Node, at, child, walk
from monitor.config.variables import Substituted

_WANTED = {
    "dict_type": "a mapping",
    "union_tag_not_found": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
}
_TELLING = 4
"""Shorter values than this are no secrets, and are part of too many words."""

LACKING = "give one of "
"""Begins what a mapping is told that lacks every one of some keys; not told where one was lost."""

_UNKNOWN = "extra_forbidden"
_MISSING = "missing"
_NO_KIND = "union_tag_invalid"


class Findings:
    """The mistakes found so far in one file, and which of its parts cannot be judged further."""

    def __init__(self, file: str, root: Node) -> None:
        self._file = file
        self._root = root
        self._found: dict[tuple[Path, str], Mistake] = {}
        self.lost: set[Path] = set()

    def add(self, path: Path, message: str, place: tuple[int, int] | None = None) -> None:
        """Note a mistake, at the place of the nearest value that its path leads to."""
        line, column = place or self._place(path)
        message = _unrevealing(message, at(self._root, path))
        mistake = Mistake(self._file, line, column, spelled(path), message)
        self._found.setdefault((path, message), mistake)

    def under(self, *path: str | int) -> bool:
        """Whether a mistake was found at the path or below it."""
        return any(each[: len(path)] == path for each, _ in self._found)

    def mistakes(self) -> tuple[Mistake, ...]:
        """All mistakes in the order of the file."""
        return tuple(sorted(self._found.values(), key=lambda each: (each.line, each.column)))

    def _place(self, path: Path) -> tuple[int, int]:
        node = None
        while node is None:
            node, path = at(self._root, path), path[:-1]
        return node.place


def document(root: Node, findings: Findings, folder: str) -> Document:
    """What of the tree is valid, all else noted in `findings`. `folder` is where files are."""
    while True:
        try:
            plain = _plain(root, (), findings.lost)
            return Document.model_validate(plain, context={"folder": folder})
        except ValidationError as error:
            before = len(findings.lost)
            for each in error.errors():
                _note(each, root, findings)
            if len(findings.lost) == before:
                # Whatever was taken out did not help; without its section this must end.
                findings.lost.add(_path(error.errors()[0]["loc"], root, last_is_absent=False)[:1])


def may_be_none(path: Path) -> bool:
    """Whether a path is of an item that becomes None when it is mistaken: a check or control."""
    of_list = len(path) > 1 and isinstance(path[-1], int)
    return of_list and path[0] in {"services", "controls"} and path[-2] in {"checks", "controls"}


def known_keys(
    model: Any = Document, path: Path = (), kind: str | None = None
) -> dict[Path, tuple[str, ...]]:
    """The keys of every mapping a file may hold, by its path.

    A step is `*` for any name and `[]` for any position. With a `kind`, "" for the default one,
    what is read by its kind has the keys of that one only.
    """
    found: dict[Path, tuple[str, ...]] = {}
    if isinstance(model, type) and issubclass(model, BaseModel):
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        found[path] = tuple(fields)
        for key, field in fields.items():
            for part in (field.annotation, *field.metadata):
                found |= known_keys(part, (*path, key), kind)
        return found
    if isinstance(model, ByKind):
        for each in model.of(kind):
            deeper = known_keys(each, path, kind)
            found |= {k: tuple(dict.fromkeys(found.get(k, ()) + v)) for k, v in deeper.items()}
        return found
    step = {dict: ("*",), tuple: ("[]",)}.get(get_origin(model), ())
    for part in get_args(model):
        found |= known_keys(part, (*path, *step), kind)
    return found


def _unrevealing(message: str, about: Node | None) -> str:
    """The message with the values of variables shown as they were written."""
    for _, node in walk(about) if about is not None else ():
        if isinstance(node.value, Substituted):
            for value in (str(node.value), *node.value.values):
                if len(value) >= _TELLING:
                    message = message.replace(value, node.value.written)
                    message = message.replace(value[:SHOWN_CHARS], node.value.written)
    return message


def _plain(node: Node, path: Path, lost: set[Path]) -> Any:
    if isinstance(node.value, dict):
        kept = {key: each for key, each in node.value.items() if (*path, key) not in lost}
        return {key: _plain(each, (*path, key), lost) for key, each in kept.items()}
    if isinstance(node.value, list):
        items = enumerate(node.value)
        return [None if (*path, i) in lost else _plain(e, (*path, i), lost) for i, e in items]
    return node.value


def _note(error: ErrorDetails, root: Node, findings: Findings) -> None:
    kind = error["type"]
    path = _path(error["loc"], root, kind in {_MISSING, _UNKNOWN})
    if kind == _MISSING:
        # What was taken out was noted before; what is missing takes its mapping with it.
        if path not in findings.lost:
            findings.add(path, f"is missing: add `{path[-1]}:`")
        findings.lost.add(path[:-1])
        return
    lost = frozenset(findings.lost)
    for deeper, message in _messages(error, path, root):
        if deeper in lost or (message.startswith(LACKING) and findings.under(*deeper)):
            findings.lost.add(path)
            continue
        findings.add(deeper, message)
        findings.lost.add(path if kind == _NO_KIND else _nearest(deeper))


def _path(loc: Iterable[str | int], root: Node, last_is_absent: bool) -> Path:
    steps, node, path = list(loc), root, ()  # type: tuple[list[str | int], Node, Path]
    tag: str | None = None
    for step in steps:
        if tag is not None and step == tag:
            # What pydantic puts there is the kind, though a key may be called the same.
            tag = None
            continue
        found = child(node, step)
        if found is not None:
            node, path = found, (*path, step)
            tag = _tag_of(node) if _is_of_a_kind(path) else None
    absent = last_is_absent and (not path or path[-1] != steps[-1])
    return (*path, steps[-1]) if absent else path


def _is_of_a_kind(path: Path) -> bool:
    return may_be_none(path) or (len(path) == 2 and path[0] == "channels")


def _tag_of(node: Node) -> str:
    named = child(node, "kind")
    return DEFAULT_KIND if named is None else str(named.value)


def _messages(error: ErrorDetails, path: Path, root: Node) -> list[tuple[Path, str]]:
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        return _by_field(str(context["error"]), path, root)
    if kind == _UNKNOWN:
        return [(path, _unknown(path, _kind_at(path, root)))]
    if kind == _NO_KIND:
        return [_kind_mistake(given, context, path)]
    if kind in _WANTED:
        return [(path, f"{shown(given)} is given where {_WANTED[kind]} is needed")]
    if kind in {"enum", "literal_error"}:
        return [(path, f"{shown(given)} is not one of: {context['expected']}")]
    return [(path, f"{shown(given)}: {error['msg']}")]


def _by_field(message: str, path: Path, root: Node) -> list[tuple[Path, str]]:
    """What a core dataclass refuses, `field: reason; field: reason`, under each field."""
    fields = _keys_at(path, _kind_at(path, root))
    starts = [m for m in re.finditer(r"(?:^|; )([a-z_0-9]+): ", message) if m[1] in fields]
    if not starts or starts[0].start():
        return [(path, message)]
    ends = [m.start() for m in starts[1:]] + [len(message)]
    return [((*path, m[1]), message[m.end() : end]) for m, end in zip(starts, ends, strict=True)]


def _kind_mistake(given: Any, context: Mapping[str, Any], path: Path) -> tuple[Path, str]:
    kinds = context["expected_tags"].replace("'", "")
    if "kind" not in given:
        return (*path, "kind"), f"is missing: add `kind:` with one of: {kinds}"
    return (*path, "kind"), f"{shown(given['kind'])} is not one of: {kinds}"


def _kind_at(path: Path, root: Node) -> str:
    """The kind that is named by the nearest mapping around a path; "" where none is."""
    for end in range(len(path), 0, -1):
        named = at(root, (*path[:end], "kind"))
        if named is not None:
            return str(named.value)
    return ""


def _unknown(path: Path, kind: str) -> str:
    known = _keys_at(path[:-1], kind)
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(known)}"
    return f"is not a known key; {hint}"


def _keys_at(path: Path, kind: str | None = None) -> tuple[str, ...]:
    for known, keys in _known(kind).items():
        if len(known) == len(path) and all(map(_same_step, known, path)):
            return keys
    return ()


def _same_step(known: str | int, step: str | int) -> bool:
    return known == ("[]" if isinstance(step, int) else step) or (
        known == "*" and isinstance(step, str)
    )


@functools.cache
def _known(kind: str | None) -> dict[Path, tuple[str, ...]]:
    return known_keys(kind=kind)


def _nearest(path: Path) -> Path:
    """What is taken out for a mistake at a path: a key, or an item that may be None."""
    while isinstance(path[-1], int) and not may_be_none(path):
        path = path[:-1]
    return path
