"""The response clock of an incident: who is to answer by when, how long that is away, as a bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from monitor.figures.spans import Span
from monitor.model import Incident
from monitor.web.drawing import svg
from monitor.web.drawing.lasting import lasting

SOON = 0.25
"""Below this share of its time left, a clock is called urgent."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise that runs, or how it ended. `by` is until when, `since` from when on it counts.

    `state` is "running", "urgent", "late", "kept" or "broken"; `words` say it.
    """

    what: str
    since: datetime
    by: datetime
    state: str
    words: str
    share: float


def clocks_of(incident: Incident, now: datetime) -> tuple[Clock, ...]:
    """Every promise that an incident made: to respond, to accept a handover, to answer reports."""
    promised = [
        ("Response", incident.reported_at, incident.respond_by, incident.acknowledged_at),
    ]
    handed = incident.handover
    if handed is not None:
        promised.append(("Handover", handed.closed_at, handed.accept_by, handed.accepted_at))
    promised += [
        (f"Report {each.reference}", each.reported_at, each.respond_by, each.answered_at)
        for each in incident.reports
    ]
    return tuple(
        _clock(what, (since, by), answered, incident.resolved_at, now)
        for what, since, by, answered in promised
        if by is not None
    )


def bar(clock: Clock) -> Markup:
    """The time of a promise as a bar, filled as far as it has passed; late ones are full."""
    filled = svg.tag(
        "rect",
        class_=f"passed {clock.state}",
        x="0",
        y="0",
        width=svg.percent(clock.share),
        height=10,
    )
    whole = svg.tag("rect", class_="promise", x="0", y="0", width="100%", height=10)
    marks = [
        svg.tag("line", class_="quarter", x1=x, x2=x, y1=0, y2=10) for x in ("25%", "50%", "75%")
    ]
    words = f"{clock.words}."
    return svg.picture(clock.what, words, whole, filled, *marks, height=10, kind="clock")


def _clock(
    what: str, promised: Span, answered: datetime | None, over: datetime | None, now: datetime
) -> Clock:
    since, by = promised
    whole = max(by - since, timedelta(microseconds=1))
    ended = answered or over
    share = min(1.0, max(0.0, ((ended or now) - since) / whole))
    if ended is not None:
        said = "Answered" if answered is not None else "Over"
        late = "" if ended <= by else f", late by {lasting(ended - by)}"
        state = "broken" if late else "kept"
        return Clock(what, since, by, state, f"{said} after {lasting(ended - since)}{late}", share)
    if now > by:
        return Clock(what, since, by, "late", f"LATE by {lasting(now - by)}", 1.0)
    state = "urgent" if share > 1 - SOON else "running"
    return Clock(what, since, by, state, f"{lasting(by - now)} left", share)
