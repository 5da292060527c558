"""What stands on the overview: the state of everything now, and how its last day went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from monitor.figures.availability import availability_of
from monitor.model import (
    Impact,
    Incident,
    Priority,
    Service,
    ServiceState,
    TimelineEvent,
    VantageState,
)
from monitor.store import Period, StoreError
from monitor.web.drawing.promise import Clock as ResponseClock
from monitor.web.drawing.promise import clocks_of
from monitor.web.drawing.scale import Scale
from monitor.web.drawing.states import states_of
from monitor.web.drawing.strip import strip
from monitor.web.rendering import IMPACT_WORDS, REFRESH, page, short
from monitor.web.sources import Sources, watched_of
from monitor.web.support import support_at

EVENTS_SHOWN = 20
NAMED_MOST = 3
DAY = timedelta(days=1)

Sentences = Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the store says: open incidents in their order, recent events, the last day."""

    incidents: tuple[Incident, ...] = ()
    events: tuple[tuple[Incident, TimelineEvent], ...] = ()
    day: Period | None = None
    trouble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One service on the overview. `uptime` is in thousandths of a percent of the last day."""

    state: ServiceState
    strip: Markup | None
    uptime: int | None
    lasted: timedelta | None


class Overview:
    """Draws the overview."""

    def __init__(self, of: Sources, *, cautions: Sentences, not_ready: Sentences) -> None:
        self._of = of
        self._cautions, self._not_ready = cautions, not_ready

    async def answer(self, *, refresh: bool) -> str:
        """The page as it is now."""
        now = self._of.clock.wall()
        states, vantages = self._of.engine.services(), self._of.engine.vantages()
        known = await self._from_store(now)
        warnings = (*self._not_ready(), *known.trouble)
        return await self._of.press.draws(
            self._draw,
            now,
            states,
            vantages,
            known,
            warnings=warnings,
            cautions=tuple(self._cautions()),
            refresh=refresh,
        )

    async def _from_store(self, now: datetime) -> Known:
        try:
            incidents = await self._of.store.open_incidents()
            events = await self._of.store.recent_events(EVENTS_SHOWN)
            day = await self._of.store.period(now - DAY, now)
        except StoreError:
            return Known(trouble=("The store cannot be read: incidents are not shown.",))
        critical_first = sorted(incidents, key=_order)
        return Known(tuple(critical_first), tuple(events), day)

    def _draw(
        self,
        now: datetime,
        states: Sequence[ServiceState],
        vantages: Sequence[VantageState],
        known: Known,
        *,
        warnings: Sequence[str],
        cautions: Sequence[str],
        refresh: bool,
    ) -> str:
        told = short(self._of.zone, now)
        clocks = {incident.id: clocks_of(incident, now) for incident in known.incidents}
        return page(
            "overview.html",
            refresh=REFRESH if refresh else None,
            again=f"?refresh={'off' if refresh else 'on'}",
            at=now,
            short=told,
            zone=self._of.zone,
            headline=headline(states),
            worst=worst(states),
            cards=self._cards(now, states, known.day, told),
            told_above={state.known_by for state in states},
            vantages=vantages,
            incidents=known.incidents,
            clocks=clocks,
            late=late_in(clocks.values()),
            events=known.events,
            support=support_at(self._of.calendar, now, told),
            warnings=warnings,
            cautions=cautions,
        )

    def _cards(
        self,
        now: datetime,
        states: Sequence[ServiceState],
        day: Period | None,
        told: Callable[[datetime], str],
    ) -> list[Card]:
        services = {service.name: service for service in self._of.estate.services}
        return [
            self._card(state, services.get(state.name), day, now, told=told) for state in states
        ]

    def _card(
        self,
        state: ServiceState,
        service: Service | None,
        day: Period | None,
        now: datetime,
        *,
        told: Callable[[datetime], str],
    ) -> Card:
        lasted = None if state.since is None else now - state.since.before
        if service is None or day is None:
            return Card(state, None, None, lasted)
        within = (now - DAY, now)
        watched = watched_of(day, within, now)
        windows = self._of.estate.windows
        drawn = strip(
            f"{state.title} in the last 24 hours",
            states_of(service, windows, day.outages, watched),
            Scale(*within),
            self._of.zone,
            told=told,
            height=28,
            ticks=4,
        )
        uptime = availability_of(service, windows, day.outages, watched).uptime()
        return Card(state, drawn, uptime, lasted)


def headline(states: Sequence[ServiceState]) -> str:
    """What is wrong with which services, the gravest first."""
    said = []
    for impact in (Impact.ALL, Impact.SOME, Impact.UNKNOWN):
        titles = [state.title for state in states if state.impact is impact]
        if titles:
            said.append(f"{IMPACT_WORDS[impact]}: {_named(titles)}")
    return "; ".join(said) or "All services are working"


def worst(states: Sequence[ServiceState]) -> Impact:
    """The gravest impact of all."""
    impacts = {state.impact for state in states}
    order = (Impact.ALL, Impact.SOME, Impact.UNKNOWN)
    return next((impact for impact in order if impact in impacts), Impact.NONE)


def late_in(clocks: Iterable[tuple[ResponseClock, ...]]) -> int:
    """How many promises are broken now."""
    return sum(clock.state == "late" for each in clocks for clock in each)


def _order(incident: Incident) -> tuple[bool, int]:
    """The critical ones first, the newest of each first."""
    return incident.priority is not Priority.CRITICAL, -incident.number


def _named(titles: Sequence[str]) -> str:
    more = len(titles) - NAMED_MOST
    rest = f" and {more} more" if more > 0 else ""
    return ", ".join(titles[:NAMED_MOST]) + rest
