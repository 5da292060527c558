"""Whether it is not the service that fails, but its edge that has turned on us.

A service behind an edge (a WAF, a CDN) may refuse the monitor while customers get in. Two things
together say so: controls known to stand behind the same edge fail too, and a witness, a check
that counts what real users do, shows successes that are fresh. Then ALL is not declared: we
cannot tell. A witness that shows none proves nothing; at night nobody signs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.detection.population import Memory
from monitor.detection.sight import Sight
from monitor.model import CellKey, Check, Estate, Outcome, Service


class Doubt:
    """The controls on one service's edge, and the witnesses of its users."""

    __slots__ = ("_alike", "_fresh_for", "_memories", "_sight", "_witnesses")

    def __init__(
        self, estate: Estate, service: Service, memories: Mapping[CellKey, Memory], sight: Sight
    ) -> None:
        witnesses = [check for check in service.checks if check.real_users]
        on_edge = [c for c in estate.controls if c.edge and c.edge == service.edge]
        self._witnesses = _keys(estate, witnesses)
        self._alike = _keys(estate, on_edge)
        self._memories = memories
        self._sight = sight
        self._fresh_for = {
            cell: 2 * check.interval + check.timeout
            for check in witnesses
            for cell in _keys(estate, [check])
        }

    @property
    def asks(self) -> tuple[CellKey, ...]:
        """What a round should ask afresh, so that doubt rests on what is true now."""
        return self._witnesses if self._alike else ()

    def stands(self, now: float) -> bool:
        """Whether an edge that has turned on us explains what we see as well."""
        if not self._alike or not self._witnesses:
            return False
        healthy = self._sight.healthy(now)
        seen = [self._memories[cell] for cell in self._alike if cell.vantage in healthy]
        failing = sum(memory.outcome is Outcome.FAIL for memory in seen)
        alike = bool(seen) and 2 * failing >= len(seen)
        return alike and any(self._is_fresh(cell, now) for cell in self._witnesses)

    def _is_fresh(self, cell: CellKey, now: float) -> bool:
        memory = self._memories[cell]
        passed = memory.outcome is Outcome.PASS
        return passed and now - memory.newest_sent <= self._fresh_for[cell]


def _keys(estate: Estate, checks: Iterable[Check]) -> tuple[CellKey, ...]:
    return tuple(cell.key for cell in estate.cells_of(checks))
