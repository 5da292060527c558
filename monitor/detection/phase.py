"""What a machine does next."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Resting, asking or sweeping; `machine.py` and `listener.py` say what each means."""

    UP = "up"
    STAGE_A = "stage_a"
    ROUNDS = "rounds"
    PARTIAL = "partial"
    ALL = "all"
