"""What things look like now, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from monitor.model.concluded import Impact, Interval, Stage
from monitor.model.seen import FailureKind, Outcome
from monitor.model.watched import Audience, CellKey, Need


@dataclass(frozen=True, slots=True)
class CheckState:
    """What one check of a service looks like now. `phase` is detection's own word for it."""

    name: str
    need: Need
    phase: str
    impact: Impact
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowState:
    """An open maintenance window; `scope` says what of the service it covers, "" for all."""

    name: str
    until: datetime
    reason: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What a service looks like now; `since` is when its present trouble began, if any."""

    name: str
    title: str
    audience: Audience
    impact: Impact
    stage: Stage | None
    since: Interval | None
    known_by: str
    checks: tuple[CheckState, ...]
    incidents: tuple[int, ...] = ()
    maintenance: WindowState | None = None


@dataclass(frozen=True, slots=True)
class VantageState:
    """Whether a vantage can be believed now, and in words why."""

    name: str
    network: str
    healthy: bool
    reason: str


class CellState(NamedTuple):
    """What the last probe of a cell said; `outcome` is None while it has not been probed."""

    key: CellKey
    outcome: Outcome | None
    failure: FailureKind | None = None
