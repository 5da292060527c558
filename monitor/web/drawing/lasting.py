"""Durations in words, short enough for a wall: "42 s", "5 min", "1 h 42 min", "3 d 4 h"."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def lasting(duration: timedelta) -> str:
    """A duration in its two largest units, rounded down; seconds stand alone below two minutes."""
    left = max(0, int(duration.total_seconds()))
    if left < 120:
        return f"{left} s"
    said: list[str] = []
    for unit, seconds in _UNITS[:-1]:
        many, left = divmod(left, seconds)
        if many:
            said.append(f"{many} {unit}")
        if len(said) == 2 or (said and not many):
            break
    return " ".join(said)


def seconds(value: float) -> str:
    """A time that a machine took: "0 ms", "8.4 ms", "250 ms", "1.25 s", "12.5 s"."""
    if value >= 10:
        return f"{value:.1f} s"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{1000 * value:.0f} ms" if value >= 0.01 or value == 0 else f"{1000 * value:.1f} ms"
