"""Figures as plain values, and the hash by which a month that was frozen is known again.

The hash is the SHA-256 of the plain values as JSON with sorted keys, without spaces, in ASCII.
Seconds are exact to the microsecond, and whole where they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitor.figures.availability import Availability
from monitor.figures.promises import Promises, Spread

if TYPE_CHECKING:
    from monitor.figures import Figures

Number = int | float
_SECOND = timedelta(seconds=1)


def plain(figures: Figures) -> dict[str, Any]:
    """The figures as JSON has them: shares in percent or null, durations in seconds."""
    return {
        "month": str(figures.month),
        "zone": figures.zone,
        "since": _iso(figures.span[0]),
        "until": _iso(figures.span[1]),
        "running": figures.running,
        "final": figures.final,
        "services": [_service(each) for each in figures.services],
        "together": _service(figures.together),
        "incidents": {
            "in_hours": _promises(figures.in_hours),
            "out_of_hours": _promises(figures.out_of_hours),
        },
        "remarks": list(figures.remarks),
    }


def sha256_of(values: Mapping[str, Any]) -> str:
    """The hash of plain values; one that is among them already is left out."""
    told = {key: value for key, value in values.items() if key != "sha256"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _service(one: Availability) -> dict[str, Any]:
    return {
        "service": one.service,
        "seconds": _seconds(one.total),
        "maintenance_seconds": _seconds(one.maintenance),
        "unobserved_seconds": _seconds(one.unobserved),
        "counted_seconds": _seconds(one.counted),
        "down_seconds": _seconds(one.down),
        "down_everyone_seconds": _seconds(one.down_everyone),
        "down_at_most_seconds": _seconds(one.down_at_most),
        "uptime_percent": _percent(one.uptime()),
        "coverage_percent": _percent(one.coverage()),
        "remarks": list(one.remarks),
    }


def _promises(told: Promises) -> dict[str, Any]:
    return {
        "priorities": {priority.value: n for priority, n in told.priorities.items()},
        "false_alarms": told.false_alarms,
        "response": {outcome.value: n for outcome, n in told.responses.items()},
        "to_detect": _spread(told.to_detect),
        "to_acknowledge": _spread(told.to_acknowledge),
        "to_recover": _spread(told.to_recover),
    }


def _spread(one: Spread) -> dict[str, Any]:
    durations = {"median": one.median, "p90": one.p90, "max": one.longest}
    return {
        "n": one.n,
        **{k: None if each is None else _seconds(each) for k, each in durations.items()},
    }


def _seconds(duration: timedelta) -> Number:
    return duration // _SECOND if not duration % _SECOND else duration / _SECOND


def _percent(thousandths: int | None) -> Number | None:
    if thousandths is None:
        return None
    return thousandths / 1000 if thousandths % 1000 else thousandths // 1000


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
