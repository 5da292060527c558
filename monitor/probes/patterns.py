"""Regular expressions that take linear time whatever text they meet (RE2 syntax)."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import re2


class Pattern(Protocol):
    """A compiled expression; `search` returns None where it is found nowhere in the text."""

    def search(self, text: str) -> object | None:
        """Look for the expression anywhere in the text."""


@lru_cache(maxsize=4096)
def pattern(expression: str) -> Pattern:
    """Compile an expression, once per text. Raises ValueError with RE2's own reason."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled: Pattern = re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(f'regular expression "{expression}": {reason}') from None
    return compiled


def first_match(expressions: tuple[str, ...], text: str) -> str | None:
    """Return the first of the expressions that is found in the text; None when none is."""
    return next((each for each in expressions if pattern(each).search(text)), None)


class Found(Protocol):
    """Where an expression was found; a group that took no part is None."""

    def groupdict(self) -> dict[str, str | None]:
        """The named groups."""


class Capturing(Protocol):
    """A compiled expression that tells what its groups matched."""

    @property
    def groupindex(self) -> dict[str, int]:
        """The named groups, each with its number."""

    def search(self, text: str) -> Found | None:
        """Look for the expression anywhere in the text."""


@lru_cache(maxsize=1024)
def capturing(expression: str) -> Capturing:
    """Compile an expression with its groups. Raises ValueError as `pattern` does."""
    pattern(expression)
    options = re2.Options()
    options.log_errors = False
    compiled: Capturing = re2.compile(expression, options)
    return compiled
