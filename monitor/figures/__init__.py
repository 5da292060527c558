"""The figures of a month: how long each service was there, and how incidents were answered.

Theory of operation
- A month lies between two local midnights of the calendar's zone; the running one ends now. All
  that is measured are sets of instants within it (`spans.py`), in UTC and to the microsecond:

      T  the month
      M  announced maintenance: the configured windows, each time one covers all that users need
         of the service. A narrower one is only remarked on
      U  unobserved: while the service was not among those watched; gaps in which no monitor ran,
         or it was paused; while it was blind; while it could not tell of this service (turned
         away, or its edge had turned on us); since a monitor last signed, when that is no longer a
         moment ago
      D  the outages of blocking checks, for some or for all, without M and U

- uptime = (T-M-U-D) / (T-M-U) and coverage = (T-U) / T. What is both M and U is taken off once.
  Without a second that counts the uptime is unknown. Nothing unobserved is ever counted as up, and
  nothing down is hidden by rounding: shares are rounded down. Several services are one by adding
  their seconds.
- An outage begins with the first known bad, so D is what is certain; from the last known good on it
  is what may be (`down_at_most`). It ends with recovery's first PASS. What comes back and fails
  again within the merge window is one outage, and down in between.
- Incidents belong to the month in which they were reported, whenever they began.
- The figures are a function of their arguments. A month is final once it is over and nothing in it
  is open; from then on only a changed configuration changes them, and their hash says so
  (`written.py`).

What this does not know: who was at fault, and what a contract makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.figures.availability import Availability, added, availability_of, span_of, watched_in
from monitor.figures.months import Month, month_named
from monitor.figures.promises import Answered, Promises, Spread, promises_of
from monitor.figures.spans import Span
from monitor.figures.written import plain, sha256_of
from monitor.model import MONITOR, Estate, Incident, IncidentState, Outage, Unobserved

__all__ = [
    "ALL_SERVICES",
    "Answered",
    "Availability",
    "Figures",
    "Month",
    "Promises",
    "Spread",
    "figures_of",
    "month_named",
    "plain",
    "reach_of",
    "sha256_of",
]

ALL_SERVICES = "all"
"""The name of the sum of every service; no service may have it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A month's figures. `span` is what of the month they cover: until now while it is `running`.

    `final` says that nothing in the month is open, so that time changes them no more. Promises are
    apart for incidents that began while support was open, and while it was closed.
    """

    month: Month
    zone: str
    span: Span
    running: bool
    final: bool
    services: tuple[Availability, ...]
    together: Availability
    in_hours: Promises
    out_of_hours: Promises
    remarks: tuple[str, ...] = ()


def reach_of(month: Month, zone: str, now: datetime) -> Span:
    """What of a month has been by now; a ValueError when it has not begun."""
    begins, ends = month.bounds(zone)
    if begins >= now:
        raise ValueError(f"{month} has not begun: ask for a month that has")
    return begins, min(ends, now)


def figures_of(
    month: Month,
    zone: str,
    now: datetime,
    *,
    estate: Estate,
    outages: Sequence[Outage],
    incidents: Iterable[Incident],
    gaps: Iterable[Unobserved],
    watched: Mapping[str, Iterable[tuple[datetime, datetime | None]]],
    seen_at: datetime,
) -> Figures:
    """The figures of a month as they stand at `now`; a ValueError when it has not begun.

    `outages` and `gaps` are those that touch the month, `incidents` those reported in it; others do
    no harm. `watched` says of each service since and until when (None: still) it is watched,
    `seen_at` when a monitor last signed.
    """
    span = reach_of(month, zone, now)
    touching = [o for o in outages if span_of(o, now)[0] < span[1] and span_of(o, now)[1] > span[0]]
    told = [i for i in incidents if span[0] <= i.reported_at < span[1]]
    seen = watched_in(span, now, outages=touching, gaps=gaps, services=watched, seen_at=seen_at)
    services = tuple(
        availability_of(service, estate.windows, outages, seen) for service in estate.services
    )
    running = now < month.bounds(zone)[1]
    return Figures(
        month,
        zone,
        span,
        running,
        not (running or _open(touching, told)),
        services,
        added(services, ALL_SERVICES),
        promises_of((i for i in told if not i.out_of_hours), now),
        promises_of((i for i in told if i.out_of_hours), now),
        _unlisted(estate, touching),
    )


def _open(outages: Iterable[Outage], incidents: Iterable[Incident]) -> bool:
    return any(outage.closed_at is None for outage in outages) or any(
        incident.state is not IncidentState.RESOLVED for incident in incidents
    )


def _unlisted(estate: Estate, outages: Iterable[Outage]) -> tuple[str, ...]:
    known = {service.name for service in estate.services} | {MONITOR}
    gone = sorted({outage.service for outage in outages} - known)
    return tuple(f"{name} had outages and is no longer configured: not listed." for name in gone)
