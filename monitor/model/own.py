"""What the monitor can find wrong with itself."""

from __future__ import annotations

from enum import StrEnum


class Problem(StrEnum):
    """What it raises an alarm about in its own name; each is at most one alarm at a time."""

    STORE = "store"
    OUTBOX = "outbox"
    BLIND = "blind"
    CLOCK = "clock"
