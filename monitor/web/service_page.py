"""The page of one service: its states, how long its checks took, which cells fail, what it had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from monitor.figures.availability import availability_of
from monitor.model import (
    CellState,
    Check,
    CheckState,
    Outage,
    Recalled,
    Service,
    ServiceState,
)
from monitor.store import Period
from monitor.web.answers import Refusal
from monitor.web.drawing.cells import grid_of
from monitor.web.drawing.latency import PHASES, described, latency, total_of
from monitor.web.drawing.scale import Scale
from monitor.web.drawing.states import Kind, Piece, states_of, words_of
from monitor.web.drawing.strip import strip
from monitor.web.rendering import IMPACT_WORDS, REFRESH, page, short
from monitor.web.sources import Sources, watched_of

SpanName = Literal["24h", "7d", "90d"]
SPANS: Mapping[SpanName, tuple[str, timedelta, float]] = {
    "24h": ("24 hours", timedelta(days=1), 1200.0),
    "7d": ("7 days", timedelta(days=7), 7200.0),
    "90d": ("90 days", timedelta(days=90), 86400.0),
}
"""By name: in words, how long, and the seconds of one bucket of latency."""

ROWS_MOST = 12
"""Rows of a table that stands for a picture."""
SHOWN_MOST = 20
"""Outages and incidents that are listed."""
KEPT = timedelta(seconds=60)
"""For how long what was read of days and hours is shown again: it hardly changes meanwhile."""
_SLOW = 3600.0

History = Mapping[str, Sequence[Recalled]]
"""What checks saw, by name."""


@dataclass(frozen=True, slots=True)
class Latency:
    """One check's latency: the picture, what it says, and the rows of its table."""

    check: str
    picture: Markup
    words: str
    rows: tuple[tuple[Recalled, float], ...]


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: as configured, and as it looks now."""

    check: Check
    state: CheckState | None
    runbook: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a page is made of, as it was at `now`."""

    now: datetime
    state: ServiceState
    cells: tuple[CellState, ...]
    period: Period
    history: History
    cut: datetime | None


class ServicePage:
    """Draws the page of a service."""

    def __init__(self, of: Sources) -> None:
        self._of = of
        self._known: dict[tuple[str, SpanName], tuple[datetime, History]] = {}

    async def answer(self, name: str, span: SpanName, *, refresh: bool) -> str:
        """The page of a service for a span. Raises `Refusal` where there is no such service."""
        service = self._of.service(name)
        if service is None:
            raise Refusal(404, "unknown_service", f"There is no service {name!r}.")
        gathered = await self._gather(service, span)
        return await self._of.press.draws(self._draw, service, span, gathered, refresh=refresh)

    async def _gather(self, service: Service, span: SpanName) -> Gathered:
        now, length = self._of.clock.wall(), SPANS[span][1]
        period, history, standing = await asyncio.gather(
            self._of.store.period(now - length, now),
            self._history(service.name, span, now),
            self._of.store.history(),
        )
        states = self._of.engine.services()
        return Gathered(
            now,
            next(state for state in states if state.name == service.name),
            self._of.engine.cell_states(service.name),
            period,
            history,
            standing.pass_cut_at,
        )

    async def _history(self, service: str, span: SpanName, now: datetime) -> History:
        """What the checks of a service saw; of days and hours, as it was within the last minute."""
        _, length, width = SPANS[span]
        read_at, known = self._known.get((service, span), (None, {}))
        if read_at is not None and width >= _SLOW and abs(now - read_at) < KEPT:
            return known
        found = await self._of.store.check_history(service, now - length, now, width)
        self._known[service, span] = (now, found)
        return found

    def _draw(self, service: Service, span: SpanName, seen: Gathered, *, refresh: bool) -> str:
        words, length, _ = SPANS[span]
        within = (seen.now - length, seen.now)
        scale, told = Scale(*within), short(self._of.zone, seen.now)
        period, windows = seen.period, self._of.estate.windows
        watched = watched_of(period, within, seen.now)
        pieces = states_of(service, windows, period.outages, watched)
        zone = self._of.zone
        return page(
            "service.html",
            refresh=REFRESH if refresh else None,
            again=f"?span={span}&refresh={'off' if refresh else 'on'}",
            keeps="" if refresh else "&refresh=off",
            at=seen.now,
            short=told,
            zone=zone,
            month=f"{seen.now.astimezone(ZoneInfo(zone)):%Y-%m}",
            service=service,
            state=seen.state,
            headline=f"{service.title}: {IMPACT_WORDS[seen.state.impact].lower()}",
            lasted=None if seen.state.since is None else seen.now - seen.state.since.before,
            span=span,
            spans={name: said for name, (said, _, _) in SPANS.items()},
            span_words=words,
            strip=strip(f"{service.title} in the last {words}", pieces, scale, zone, told=told),
            kinds=words_of(pieces),
            troubles=_troubles(pieces),
            figures=availability_of(service, windows, period.outages, watched),
            latencies=_latencies(service, seen.history, scale, zone, told=told),
            phases=PHASES,
            grid=grid_of(seen.cells, service),
            checks=_check_rows(service, seen.state),
            vantages=len(self._of.estate.vantages),
            outages=_newest(o for o in period.outages if o.service == service.name),
            incidents=[i for i in reversed(period.incidents) if i.service == service.name][
                :SHOWN_MOST
            ],
            cut=seen.cut,
        )


def runbook_of(check: Check) -> str:
    """The web address of a check's runbook; "" where what is configured is not one."""
    return check.runbook if check.runbook.startswith(("https://", "http://")) else ""


def _check_rows(service: Service, state: ServiceState) -> list[CheckRow]:
    states = {each.name: each for each in state.checks}
    return [CheckRow(c, states.get(c.name), runbook_of(c)) for c in service.checks]


def _newest(outages: Iterable[Outage]) -> list[Outage]:
    return sorted(outages, key=lambda o: o.detected_at, reverse=True)[:SHOWN_MOST]


def _troubles(pieces: Sequence[Piece]) -> list[Piece]:
    """The last states other than working, newest first: the table of the strip."""
    return [p for p in reversed(pieces) if p.kind is not Kind.WORKING][:ROWS_MOST]


def _latencies(
    service: Service,
    history: Mapping[str, Sequence[Recalled]],
    scale: Scale,
    zone: str,
    *,
    told: Callable[[datetime], str],
) -> list[Latency]:
    return [
        latency_of(check.name, history.get(check.name, ()), scale, zone, told=told)
        for check in service.checks
    ]


def latency_of(
    check: str,
    buckets: Sequence[Recalled],
    scale: Scale,
    zone: str,
    *,
    told: Callable[[datetime], str],
) -> Latency:
    """One check's picture with its table of the newest buckets."""
    picture = latency(f"Latency of {check}", buckets, scale, zone, told=told)
    rows = tuple((bucket, total_of(bucket.phases)) for bucket in list(buckets)[-ROWS_MOST:][::-1])
    return Latency(check, picture, described(buckets), rows)
