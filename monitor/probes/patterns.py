"""Regular expressions that take linear time whatever text they meet (RE2 syntax)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import re2


class Pattern(Protocol):
    """A compiled expression; `search` returns None where it is found nowhere in the text."""

    def search(self, text: str) -> object | None:
        """Look for the expression anywhere in the text."""


class Found(Protocol):
    """Where an expression was found; a group that took no part is None."""

    def __getitem__(self, group: int) -> str | None: ...

    def groupdict(self) -> dict[str, str | None]:
        """The named groups."""


class Capturing(Protocol):
    """A compiled expression that tells what its groups matched."""

    @property
    def groups(self) -> int:
        """How many groups there are."""

    @property
    def groupindex(self) -> dict[str, int]:
        """The named groups, each with its number."""

    def search(self, text: str) -> Found | None:
        """Look for the expression anywhere in the text."""


@lru_cache(maxsize=4096)
def pattern(expression: str) -> Pattern:
    """Compile an expression, once per text. Raises ValueError with RE2's own reason."""
    compiled: Pattern = _compiled(expression, captures=False)
    return compiled


@lru_cache(maxsize=1024)
def capturing(expression: str) -> Capturing:
    """Compile an expression with its groups. Raises ValueError as `pattern` does."""
    compiled: Capturing = _compiled(expression, captures=True)
    return compiled


def with_one_group(expression: str) -> Capturing:
    """Compile an expression with one group, whose text is wanted. Raises ValueError."""
    compiled = capturing(expression)
    if compiled.groups != 1:
        raise ValueError(
            f'regular expression "{expression}": has {compiled.groups} groups, but one says what '
            "is wanted: write (?:...) for the others"
        )
    return compiled


def captured(expression: str, text: str) -> str | None:
    """Return what the one group of an expression holds in a text; None where it is not found."""
    found = with_one_group(expression).search(text)
    return None if found is None else found[1]


def _compiled(expression: str, *, captures: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = not captures
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(f'regular expression "{expression}": {reason}') from None


def first_match(expressions: tuple[str, ...], text: str) -> str | None:
    """Return the first of the expressions that is found in the text; None when none is."""
    return next((each for each in expressions if pattern(each).search(text)), None)
