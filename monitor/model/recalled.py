"""What is remembered of results when they themselves are gone: sums over a minute, hour or day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.model.seen import Phases


@dataclass(frozen=True, slots=True)
class Recalled:
    """The results of one check, or of one cell, observed in the `width` seconds from `since`.

    Counts are by outcome. `phases` are the mean seconds of each phase over the PASSes that reached
    it, `slowest` is the longest PASS in seconds; None where there was none.
    """

    since: datetime
    width: float
    passed: int
    failed: int
    blocked: int
    maintenance: int
    invalid: int
    phases: Phases
    slowest: float | None
