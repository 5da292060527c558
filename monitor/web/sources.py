"""What every page is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.figures.availability import Watched, watched_in
from monitor.figures.spans import Span
from monitor.hours import Calendar
from monitor.model import Estate, Service
from monitor.store import Period, Store
from monitor.web.rendering import Press


@dataclass(frozen=True, slots=True)
class Sources:
    """Where pages get what they show: how it is now, what is kept, what is configured."""

    engine: Engine
    store: Store
    clock: Clock
    estate: Estate
    calendar: Calendar
    press: Press

    @property
    def zone(self) -> str:
        """The time zone that axes and short times are in."""
        return self.calendar.zone

    def service(self, name: str) -> Service | None:
        """The service of this name; None where it is not watched."""
        return next((each for each in self.estate.services if each.name == name), None)


def watched_of(period: Period, within: Span, now: datetime) -> Watched:
    """What of a span anybody watched, by what is kept of it."""
    return watched_in(
        within,
        now,
        outages=period.outages,
        gaps=period.unobserved,
        services=period.watched,
        seen_at=period.seen_at,
    )
