"""What goes into detection and what comes out: events and actions.

Every instant here is a reading of the monotonic clock in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import CellKey, Extent, Impact, Result, Stage, VerdictReason


@dataclass(frozen=True, slots=True)
class Sent:
    """A probe of `cell` has left; its result will carry `id` and come within `deadline` s."""

    cell: CellKey
    id: str
    at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. Due at `wake_at(state)`, and at least once a second."""


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """A declared maintenance window of these cells has ended: what still fails may be told."""

    cells: frozenset[CellKey]


Event = Sent | Result | Tick | WindowClosed


@dataclass(frozen=True, slots=True)
class Probe:
    """Probe these cells afresh at `at` (now, or a moment later)."""

    cells: tuple[CellKey, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Span:
    """When something happened: later than `after` (None: unknown), not later than `before`."""

    after: float | None
    before: float


@dataclass(frozen=True, slots=True)
class Declared:
    """What is concluded of one unit's outage, each time that changes.

    `unit` is "service/check", with "/tenant" or "/deployment" behind it where the machine is for
    those only. `results` are the latest failures it rests on; `starts` are when its last episodes
    were declared, at most `flap_episodes` of them.
    """

    unit: str
    impact: Impact
    stage: Stage
    reason: VerdictReason
    at: float
    extent: Extent
    began: Span
    recovered: Span | None = None
    watch_until: float | None = None
    episode: int = 1
    known_by: str = ""
    results: tuple[Result, ...] = ()
    starts: tuple[float, ...] = ()


Action = Probe | Declared
