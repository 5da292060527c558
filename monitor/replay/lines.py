"""Files of one JSON object a line: every mistake told with its line, values of the given kinds."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MISTAKES_KEPT = 1000
LATEST = 32_503_680_000.0
"""The year 3000 in seconds since 1970: what is later must be milliseconds."""

Said = Mapping[str, Any]
"""The object of one line."""


class HistoryError(Exception):
    """A file cannot be used. `mistakes` are `file:line: what is wrong`, in the file's order."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def read_lines(path: Path, read: Callable[[Said, list[str]], T]) -> list[T]:
    """What `read` makes of each line; it adds what is wrong with the line to the list it is given.

    Lines without text are skipped. Raises HistoryError with every mistake, the first
    `MISTAKES_KEPT` in words.
    """
    made: list[T] = []
    mistakes: list[str] = []
    more = 0
    with _opened(path) as lines, _collector_off():
        for number, text in enumerate(lines, 1):
            flaws: list[str] = []
            said = _object(text, flaws)
            if said is not None:
                made.append(read(said, flaws))
            for flaw in flaws:
                if len(mistakes) < MISTAKES_KEPT:
                    mistakes.append(f"{path}:{number}: {flaw}")
                else:
                    more += 1
    if more:
        mistakes.append(f"{path}: {more} more mistakes")
    if mistakes:
        raise HistoryError(tuple(mistakes))
    return made


def text_of(said: Said, key: str, flaws: list[str], default: str | None = None) -> str:
    """The text under a key, not empty; without a default it must be there."""
    value = said.get(key, default)
    if isinstance(value, str) and (value or default is not None):
        return value
    wrong = "is missing" if key not in said else f"{_shown(value)} is no text"
    flaws.append(f"`{key}` {wrong}")
    return ""


def word_of(
    said: Said, key: str, words: Mapping[str, E], flaws: list[str], default: E | None = None
) -> E | None:
    """The word under a key, one of `words`; without a default it must be there."""
    value = said.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, str) and value in words:
        return words[value]
    wrong = "is missing" if key not in said else f"{_shown(value)} is not known"
    flaws.append(f"`{key}` {wrong}: one of {', '.join(words)}")
    return None


def instant_of(said: Said, key: str, flaws: list[str]) -> float:
    """Seconds since 1970 of the instant under a key: a number of them, or ISO 8601.

    ISO 8601 without an offset is UTC. NaN, and a flaw, where there is none.
    """
    value = said.get(key)
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is not None:
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    elif type(value) in {int, float} and 0 <= value <= LATEST:  # type: ignore[operator] # narrowed
        return float(value)  # type: ignore[arg-type] # as above
    if key not in said:
        flaws.append(f"`{key}` is missing")
    elif type(value) in {int, float}:
        flaws.append(f"`{key}` {_shown(value)} is not within 1970 and 3000: write seconds")
    else:
        flaws.append(f"`{key}` {_shown(value)} is no instant: write 2026-11-23T08:58:01Z")
    return math.nan


def seconds_of(said: Said, key: str, flaws: list[str]) -> float | None:
    """The seconds under a key, 0 to a day; None where there is no such key."""
    value = said.get(key)
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 86400:
        return float(value)
    flaws.append(f"`{key}` {_shown(value)} is no number of seconds between 0 and 86400")
    return None


def flag_of(said: Said, key: str, flaws: list[str]) -> bool:
    """Whether true stands under a key; false where there is no such key."""
    value = said.get(key, False)
    if not isinstance(value, bool):
        flaws.append(f"`{key}` {_shown(value)} is neither true nor false")
    return value is True


def _object(text: str, flaws: list[str]) -> Said | None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        if text.strip():
            flaws.append("is no JSON: write one object a line")
        return None
    if isinstance(said, dict):
        return said
    flaws.append(f"is no object but {_shown(said)}")
    return None


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield file
    except OSError as error:
        raise HistoryError((f"{path}: cannot be read: {error.strerror}",)) from None


@contextmanager
def _collector_off() -> Iterator[None]:
    """Without the cyclic collector, which would visit every line kept, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
