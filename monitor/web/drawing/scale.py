"""Where instants stand on a time axis, and which times are written below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from monitor.web.drawing import svg

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
"""Minutes between two ticks, each dividing a day; beyond them whole days."""
_DAY_STEPS = (1, 2, 7, 14, 28)
_WIDE = timedelta(days=14)
TICKS_MOST = 9
_FEW = 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A time that is written below an axis; `share` of the width is where."""

    at: datetime
    share: float
    words: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis from `since` until `until`, of which the first is earlier. Times are UTC."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise ValueError(f"an axis from {self.since} does not end at {self.until}")

    def share(self, at: datetime) -> float:
        """Which share of the width lies before an instant, clipped to the axis."""
        return min(1.0, max(0.0, (at - self.since) / (self.until - self.since)))

    def ticks(self, zone: str, most: int = TICKS_MOST) -> tuple[Tick, ...]:
        """Round local times of `zone` on the axis, at most `most`, evenly spaced by its clock.

        A time that comes twice when clocks change is written twice, with the zone's name; one that
        is skipped is not written.
        """
        place = ZoneInfo(zone)
        length = self.until - self.since
        for minutes in _STEPS:
            if length <= most * minutes * _MINUTE:
                return self._by_minutes(place, minutes, most)
        days = next((d for d in _DAY_STEPS if length <= most * d * _DAY), 91)
        return self._by_days(place, days)

    def _by_minutes(self, place: ZoneInfo, minutes: int, most: int) -> tuple[Tick, ...]:
        step = min(minutes, 15) * _MINUTE
        at = self.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        found: list[datetime] = []
        while at < self.until:
            local = at.astimezone(place)
            if at >= self.since and (60 * local.hour + local.minute) % minutes == 0:
                found.append(at)
            at += step
        # An hour that comes twice may bring one more than fits.
        return self._told(found[:most], place, clock=True)

    def _by_days(self, place: ZoneInfo, days: int) -> tuple[Tick, ...]:
        day: date = self.since.astimezone(place).date()
        found: list[datetime] = []
        while (at := datetime.combine(day, time(), place).astimezone(UTC)) < self.until:
            if at >= self.since and day.toordinal() % days == (1 % days):
                found.append(at)
            day += _DAY
        return self._told(found, place, clock=False)

    def _told(self, found: list[datetime], place: ZoneInfo, *, clock: bool) -> tuple[Tick, ...]:
        changes = len({at.astimezone(place).utcoffset() for at in found}) > 1
        return tuple(
            Tick(at, self.share(at), self._words(at.astimezone(place), clock=clock, named=changes))
            for at in found
        )

    def _words(self, local: datetime, *, clock: bool, named: bool) -> str:
        if clock and local.time() != time():
            return f"{local:%H:%M} {local.tzname()}" if named else f"{local:%H:%M}"
        if clock or self.until - self.since <= _WIDE:
            return f"{local:%a} {local.day}"
        return f"{local.day} {local:%b}"


def axis(ticks: Sequence[Tick], *, top: float, bottom: float) -> tuple[Markup, ...]:
    """Lines from `top` to `bottom` at every tick, with its time below."""
    drawn: list[Markup] = []
    for place, tick in enumerate(ticks):
        x = svg.percent(tick.share)
        # Where there is little room every second time has to do.
        kind = "tick odd" if place % 2 and len(ticks) > _FEW else "tick"
        drawn.append(svg.tag("line", class_="grid", x1=x, x2=x, y1=top, y2=bottom))
        anchor = "start" if tick.share < 0.04 else "end" if tick.share > 0.96 else "middle"
        text = svg.tag("text", tick.words, class_=kind, x=x, y=bottom + 14, text_anchor=anchor)
        drawn.append(text)
    return tuple(drawn)
