"""A text that must not be shown."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Holds a secret; only `reveal` gives it away, every way of printing it shows `***`."""

    _text: str

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header of the scheme Basic (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
