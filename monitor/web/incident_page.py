"""The page of an incident: what happened and what was promised, drawn and told, and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup

from monitor.figures.spans import Span
from monitor.incident import to_acknowledge
from monitor.model import CellState, Incident, Recalled, Service
from monitor.store import IncidentRecord, Period
from monitor.web.answers import Refusal
from monitor.web.drawing.cells import Grid, cells_seen, grid_of
from monitor.web.drawing.latency import PHASES
from monitor.web.drawing.promise import clocks_of
from monitor.web.drawing.scale import Scale
from monitor.web.drawing.states import Piece, states_of, words_of
from monitor.web.drawing.strip import Mark, strip
from monitor.web.forms import FORM_HEADERS
from monitor.web.moves import unknown
from monitor.web.orders import NOTE_MOST, REASON_MOST, SILENCE_MOST
from monitor.web.rendering import REFRESH, page, short
from monitor.web.service_page import Latency, latency_of, runbook_of
from monitor.web.sessions import Session, Sessions
from monitor.web.sources import Sources, watched_of

AROUND = timedelta(minutes=10)
"""What is shown before an incident began, at the least, and after it was over."""
LONGEST = timedelta(days=400)
_DOUBT = timedelta(hours=6)
_MARGIN = 0.15
_BUCKETS = 120


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the page is made of beside the record; nothing for a service that is not watched now."""

    now: datetime
    linked: Sequence[Incident]
    within: Span
    service: Service | None = None
    period: Period | None = None
    history: Mapping[str, Sequence[Recalled]] | None = None
    cells: tuple[CellState, ...] = ()


class IncidentPage:
    """Draws the page of an incident, for whoever looks and for whoever may act.

    Without `sessions` nobody may act on it.
    """

    def __init__(self, of: Sources, sessions: Sessions | None) -> None:
        self._of = of
        self.sessions = sessions

    async def answer(
        self,
        number: int,
        session: Session | None,
        *,
        refresh: str | None = None,
        refusal: Refusal | None = None,
    ) -> Response:
        """The page of an incident, with the refusal of what was just tried, if it was.

        By itself it renews only while nobody is about to type into it.
        """
        record = await self._of.store.incident(number)
        if record is None:
            raise unknown(number)
        gathered = await self._gather(record)
        wanted = refresh or ("on" if session is None and refusal is None else "off")
        text = await self._of.press.draws(
            self._draw, record, gathered, session, refusal, refresh=wanted == "on"
        )
        status, more = (200, {}) if refusal is None else (refusal.status, refusal.headers)
        headers = {} if self.sessions is None else FORM_HEADERS
        return HTMLResponse(text, status, {**headers, **more})

    async def _gather(self, record: IncidentRecord) -> Gathered:
        now, incident = self._of.clock.wall(), record.incident
        related = {*incident.linked, *filter(None, (incident.paged_with,))}
        linked = await self._of.store.named_incidents(related)
        within = around(incident, now)
        service = self._of.service(incident.service)
        if service is None:
            return Gathered(now, linked, within)
        since, until = within
        period = await self._of.store.period(since, until)
        history = await self._history(service, since, min(until, now))
        return Gathered(now, linked, within, service, period, history, self._cells(record))

    async def _history(
        self, service: Service, since: datetime, until: datetime
    ) -> Mapping[str, Sequence[Recalled]]:
        """Nothing of a time that is still to come, as after a clock was set back."""
        if until <= since:
            return {}
        return await self._of.store.check_history(service.name, since, until, bucket(until - since))

    def _cells(self, record: IncidentRecord) -> tuple[CellState, ...]:
        """The cells of its checks: as they are now, or as the evidence has them once it is over."""
        incident = record.incident
        if incident.resolved_at is not None:
            return cells_seen((each.cell, each.outcome) for each in record.evidence)
        states = self._of.engine.cell_states(incident.service)
        return tuple(state for state in states if state.key.check in incident.checks)

    def _draw(
        self,
        record: IncidentRecord,
        seen: Gathered,
        session: Session | None,
        refusal: Refusal | None,
        *,
        refresh: bool,
    ) -> str:
        incident, pieces = record.incident, self._pieces(seen)
        return page(
            "incident.html",
            refresh=REFRESH if refresh else None,
            again=f"?refresh={'off' if refresh else 'on'}",
            at=seen.now,
            short=short(self._of.zone, seen.now),
            zone=self._of.zone,
            incident=incident,
            record=record,
            stories=record.stories(),
            linked=seen.linked,
            host=next((each for each in seen.linked if each.id == incident.paged_with), None),
            runbooks=self._runbooks(incident),
            clocks=clocks_of(incident, seen.now),
            strip=self._strip(incident, seen, pieces),
            kinds=words_of(pieces),
            latencies=self._latencies(incident, seen),
            phases=PHASES,
            grid=self._grid(seen),
            may_act=self.sessions is not None,
            session=session,
            refusal=refusal,
            longest=SILENCE_MOST,
            note_most=NOTE_MOST,
            reason_most=REASON_MOST,
            waits=to_acknowledge(incident),
        )

    def _pieces(self, seen: Gathered) -> tuple[Piece, ...]:
        """The states around it, as far as they have been; none of what is not watched now."""
        if seen.service is None or seen.period is None:
            return ()
        within = (seen.within[0], min(seen.within[1], seen.now))
        watched = watched_of(seen.period, within, seen.now)
        return states_of(seen.service, self._of.estate.windows, seen.period.outages, watched)

    def _strip(self, incident: Incident, seen: Gathered, pieces: Sequence[Piece]) -> Markup | None:
        if seen.service is None:
            return None
        return strip(
            f"{seen.service.title} around incident #{incident.number}",
            pieces,
            Scale(*seen.within),
            self._of.zone,
            told=short(self._of.zone, seen.now),
            marks=marks_of(incident, seen.within),
        )

    def _latencies(self, incident: Incident, seen: Gathered) -> list[Latency]:
        if seen.history is None:
            return []
        scale, told = Scale(*seen.within), short(self._of.zone, seen.now)
        return [
            latency_of(check, seen.history[check], scale, self._of.zone, told=told)
            for check in incident.checks
            if seen.history.get(check)
        ]

    def _grid(self, seen: Gathered) -> Grid | None:
        if seen.service is None or not seen.cells:
            return None
        return grid_of(seen.cells, seen.service)

    def _runbooks(self, incident: Incident) -> dict[str, str]:
        service = self._of.service(incident.service)
        checks = () if service is None else service.checks
        found = {check.name: runbook_of(check) for check in checks}
        return {name: found[name] for name in incident.checks if found.get(name)}


def around(incident: Incident, now: datetime) -> Span:
    """The time around an incident that its pictures show, of at most `LONGEST`.

    Where the last PASS before it is long ago only the end of that time is shown.
    """
    bad = incident.began.before
    ends = max(incident.resolved_at or now, bad)
    begins = max(incident.began.after or bad, bad - max(_DOUBT, ends - bad))
    margin = max(AROUND, _MARGIN * (ends - begins))
    until = ends + (margin if incident.resolved_at else timedelta())
    return max(begins - margin, until - LONGEST), until


def bucket(length: timedelta) -> float:
    """Seconds of one bucket of latency, so that there are at most `_BUCKETS`: minutes, or hours."""
    seconds = length.total_seconds() / _BUCKETS
    unit = 60.0 if seconds <= 1800 else 3600.0
    return unit * max(1, math.ceil(seconds / unit))


def marks_of(incident: Incident, within: Span) -> tuple[Mark, ...]:
    """What people learnt and did, in the order of time, as far as it lies in the picture."""
    happened = [
        (incident.detected_at, "detected"),
        (incident.reported_at, "reported"),
        (incident.acknowledged_at, f"acknowledged by {incident.acknowledged_by}"),
        (incident.respond_by, "to be answered by"),
        (incident.resolved_at, "resolved"),
    ]
    if incident.recovered is not None:
        happened.append((incident.recovered.before, "recovered"))
    if incident.handover is not None:
        handed = incident.handover
        happened.append((handed.closed_at, "handed over"))
        happened.append((handed.accepted_at, f"accepted by {handed.accepted_by}"))
    found = (Mark(at, words) for at, words in happened if at is not None)
    return tuple(mark for mark in found if within[0] <= mark.at <= within[1])
