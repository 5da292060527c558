"""How incidents were found, answered and ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.model import Incident, IncidentState, Priority


class Answered(StrEnum):
    """What became of a promised response."""

    MET = "met"
    MISSED = "missed"
    NOT_NEEDED = "not_needed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Spread:
    """`n` durations: the middle one, the ninth of ten, and the longest; None without any.

    `median` is the mean of the middle two where their number is even; `p90` is the shortest that
    nine of ten do not exceed.
    """

    n: int
    median: timedelta | None = None
    p90: timedelta | None = None
    longest: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """What is told of some incidents: how many, how fast found, taken, and over."""

    priorities: Mapping[Priority, int]
    false_alarms: int
    responses: Mapping[Answered, int]
    to_detect: Spread
    to_acknowledge: Spread
    to_recover: Spread


def promises_of(incidents: Iterable[Incident], now: datetime) -> Promises:
    """The figures of these incidents, as they are at `now`.

    One marked as a false alarm counts and has its response judged, but was never detected nor over.
    """
    told = list(incidents)
    real = [incident for incident in told if not incident.false_alarm]
    priorities = Counter(incident.priority for incident in told)
    responses = Counter(filter(None, (answered(incident, now) for incident in told)))
    return Promises(
        {priority: priorities[priority] for priority in Priority},
        len(told) - len(real),
        {outcome: responses[outcome] for outcome in Answered},
        spread([i.detected_at - i.began.before for i in real]),
        spread([i.acknowledged_at - i.reported_at for i in told if i.acknowledged_at]),
        spread([i.recovered.before - i.began.before for i in real if _over(i) and i.recovered]),
    )


def answered(incident: Incident, now: datetime) -> Answered | None:
    """Whether the response came as promised; None where none was promised for a critical one."""
    due = incident.respond_by
    if due is None or incident.priority is not Priority.CRITICAL:
        return None
    if incident.acknowledged_at is not None:
        return Answered.MET if incident.acknowledged_at <= due else Answered.MISSED
    if incident.resolved_at is not None:
        return Answered.NOT_NEEDED if incident.resolved_at <= due else Answered.MISSED
    return Answered.PENDING if now <= due else Answered.MISSED


def spread(durations: Sequence[timedelta]) -> Spread:
    """How durations lie; one that a stepped clock made negative is none at all."""
    ordered = sorted(max(each, timedelta()) for each in durations)
    n = len(ordered)
    if not n:
        return Spread(0)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) // 2
    return Spread(n, middle, ordered[(9 * n + 9) // 10 - 1], ordered[-1])


def _over(incident: Incident) -> bool:
    return incident.state is IncidentState.RESOLVED
