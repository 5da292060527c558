"""How parser events become a tree: duplicates, depth, and what is refused, without a YAML parser.

Each byte of an input is an event: five bits say which, three choose among a few words, so that keys
that come twice are common. A stream is closed properly, as the parser's always is.

What is promised: nothing but Unreadable is raised, with a place; a tree is no deeper than it may be
and has only text for keys; as many mistakes are noted as events deserve them, each with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ruamel.yaml import events
from ruamel.yaml.tag import Tag

from monitor.config import tree
from tests.fuzz.config import ENVIRON, SECRET

WORDS = ("a", "b", "017", "${TOKEN}", "${UNSET}", "1", "~", "${")


class Mark(NamedTuple):
    """All that is read of a parser's mark."""

    line: int
    column: int


def target(raw: bytes) -> None:
    builder = tree._Builder(_stream(raw), ENVIRON)
    root = _document(builder)
    if isinstance(root, tree.Unreadable):
        assert root.message.strip()
        assert min(root.place) >= 1
        assert SECRET not in root.message
        return
    assert isinstance(root.value, dict)
    walked = list(tree.walk(root))
    assert len({path for path, _ in walked}) == len(walked)
    assert max(len(path) for path, _ in walked) <= tree.MAX_DEPTH
    assert min(min(node.place) for _, node in walked) >= 1
    for flaw in builder.flaws:
        assert flaw.message.strip()
        assert SECRET not in flaw.message
        assert 1 <= flaw.place[0] <= len(raw) + 2
        assert not flaw.lost or tree.at(root, flaw.path) is not None or _is_dropped(flaw, builder)


def _document(builder) -> tree.Node | tree.Unreadable:
    try:
        return builder.document()
    except tree.Unreadable as error:
        return error


def _is_dropped(flaw: tree.Flaw, builder) -> bool:
    """Whether a value that was lost stood below a key that was left out itself."""
    left_out = {each.path for each in builder.flaws if not each.lost}
    return any(flaw.path[:size] in left_out for size in range(1, len(flaw.path) + 1))


def _stream(raw: bytes) -> Iterator[events.Event]:
    """The events of a document: `open` holds, for each collection not yet closed, how many nodes it
    has got so far in the case of a mapping (whose keys and values alternate), None for a list."""
    yield events.StreamStartEvent(None, None)
    yield events.DocumentStartEvent(Mark(0, 0), Mark(0, 0))
    opened: list[int | None] = []
    for at, byte in enumerate(raw):
        kind, mark = byte >> 3, Mark(at, at)
        if kind == 0:
            if not opened:
                return
            if (opened[-1] or 0) % 2:
                continue
            closed = opened.pop()
            yield (events.SequenceEndEvent if closed is None else events.MappingEndEvent)(
                mark, mark
            )
        else:
            if opened and opened[-1] is not None:
                opened[-1] += 1
            yield from _node(kind, byte & 7, mark, opened)
        if not opened:
            break
    mark = Mark(len(raw), 0)
    while opened:
        count = opened.pop()
        if (count or 0) % 2:
            yield _scalar("", None, mark)
        yield (events.SequenceEndEvent if count is None else events.MappingEndEvent)(mark, mark)
    yield events.DocumentEndEvent(mark, mark)
    yield events.StreamEndEvent(mark, mark)


def _node(kind: int, low: int, mark, opened: list[int | None]) -> Iterator[events.Event]:
    anchor = "x" if kind == 31 and low == 1 else None
    if kind == 31 and low == 0:
        yield events.AliasEvent("x", mark, mark)
    elif kind in (1, 2, 3, 4):
        opened.append(0)
        yield events.MappingStartEvent(anchor, None, implicit=True, start_mark=mark, end_mark=mark)
    elif kind in (5, 6, 7):
        opened.append(None)
        yield events.SequenceStartEvent(anchor, None, implicit=True, start_mark=mark, end_mark=mark)
    else:
        tag = Tag(suffix="!x") if kind == 31 and low == 2 else None
        yield _scalar(WORDS[low], "'" if kind % 2 else None, mark, anchor, tag)


def _scalar(text: str, style, mark, anchor=None, tag=None) -> events.ScalarEvent:
    return events.ScalarEvent(anchor, tag, (True, False), text, mark, mark, style=style)
