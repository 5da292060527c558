"""How long one service was there in a month, from what the store and the configuration know.

Each kind of time is a set of instants within the month; the package says which is which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor import maintenance
from monitor.figures.spans import Span, Spans, clip, length, minus, union
from monitor.model import (
    MONITOR,
    Impact,
    Need,
    Outage,
    Service,
    Unobserved,
    VerdictReason,
    Window,
)

STALE_AFTER = timedelta(seconds=15)
"""A running monitor signs every few seconds: with an older signature nobody watches now."""

_STOPPED = (Impact.SOME, Impact.ALL)


@dataclass(frozen=True, slots=True)
class Watched:
    """How much of a month anybody watched.

    `unseen` is when nobody could see anything; `services` when each was among those watched. `now`
    ends what is going on.
    """

    month: Span
    unseen: Spans
    services: Mapping[str, Spans]
    now: datetime


@dataclass(frozen=True, slots=True)
class Availability:
    """A service's month in exact durations, which may be added to another's.

    `total` is T; `maintenance` is M and `unobserved` is U, each whole; `counted` is T without both,
    an instant that is in both left out once; `down` is D, `down_everyone` the part of it that
    stopped everyone, `down_at_most` what D may be at the most, as starts are only known between two
    instants. `remarks` are sentences for people.
    """

    service: str
    total: timedelta = timedelta()
    maintenance: timedelta = timedelta()
    unobserved: timedelta = timedelta()
    counted: timedelta = timedelta()
    down: timedelta = timedelta()
    down_everyone: timedelta = timedelta()
    down_at_most: timedelta = timedelta()
    remarks: tuple[str, ...] = ()

    def uptime(self) -> int | None:
        """Thousandths of a percent, rounded down; None when no second counts."""
        return _share(self.counted - self.down, self.counted)

    def coverage(self) -> int | None:
        """How much of the month was seen, in thousandths of a percent, rounded down."""
        return _share(self.total - self.unobserved, self.total)


def watched_in(
    month: Span,
    now: datetime,
    *,
    outages: Iterable[Outage],
    gaps: Iterable[Unobserved],
    services: Mapping[str, Iterable[tuple[datetime, datetime | None]]],
    seen_at: datetime,
) -> Watched:
    """What of the month anybody watched: outside gaps, and not blind.

    `services` says of each since and until when (None: still) it is among those that are watched,
    `seen_at` when a monitor last signed that it watches.
    """
    blind = (span_of(o, now) for o in outages if _blind(o))
    stored = ((gap.since, gap.until) for gap in gaps)
    silent = [(seen_at, now)] if now - seen_at > STALE_AFTER else []
    among = {
        name: union((since, until or now) for since, until in spans)
        for name, spans in services.items()
    }
    return Watched(month, clip(union(blind, stored, silent), month), among, now)


def availability_of(
    service: Service, windows: Iterable[Window], outages: Iterable[Outage], watched: Watched
) -> Availability:
    """A service's month; `outages` may be of any service."""
    month, now = watched.month, watched.now
    concerning = [o for o in outages if o.service == service.name and counts(o, service)]
    stopped = [o for o in concerning if o.impact in _STOPPED]
    unknown = (span_of(o, now) for o in concerning if o.impact is Impact.UNKNOWN)
    known = list(windows)
    planned = clip(_planned(service, known, month), month)
    unlisted = minus([month], watched.services.get(service.name, ()))
    unobserved = clip(union(watched.unseen, unlisted, unknown), month)
    apart = union(planned, unobserved)

    def down(spans: Iterable[Span]) -> timedelta:
        return length(minus(clip(spans, month), apart))

    return Availability(
        service.name,
        total=month[1] - month[0],
        maintenance=length(planned),
        unobserved=length(unobserved),
        counted=length(minus([month], apart)),
        down=down(span_of(o, now) for o in stopped),
        down_everyone=down(span_of(o, now) for o in stopped if everyones(o)),
        down_at_most=down(widest_of(o, now) for o in stopped),
        remarks=(*_narrow_windows(service, known, month), *_forgotten_checks(service, concerning)),
    )


def added(parts: Iterable[Availability], name: str) -> Availability:
    """Several services as one: seconds are added, and shares made of the sums."""
    whole = Availability(name)
    for part in parts:
        whole = Availability(
            name,
            whole.total + part.total,
            whole.maintenance + part.maintenance,
            whole.unobserved + part.unobserved,
            whole.counted + part.counted,
            whole.down + part.down,
            whole.down_everyone + part.down_everyone,
            whole.down_at_most + part.down_at_most,
        )
    return whole


def span_of(outage: Outage, now: datetime) -> Span:
    """From the first known bad until the first PASS of its recovery, its closing, or now."""
    if outage.recovered is not None:
        return outage.began.before, outage.recovered.before
    return outage.began.before, outage.closed_at or now


def widest_of(outage: Outage, now: datetime) -> Span:
    """As `span_of`, but from the last known good on, where there was one."""
    begins, ends = span_of(outage, now)
    return outage.began.after or begins, ends


def counts(outage: Outage, service: Service) -> bool:
    """Whether it stops users: it is of a blocking check, or of one that is no longer known.

    A check that is not configured any more was degrading if the outage says so itself.
    """
    needs = {check.name: check.need for check in service.checks}
    need = needs.get(outage.check)
    if need is None:
        return outage.reason is not VerdictReason.DEGRADED
    return need is Need.BLOCKING


def everyones(outage: Outage) -> bool:
    """Whether it stopped all of the hosted service, and not only all of one tenant's part."""
    return outage.impact is Impact.ALL and outage.unit == f"{outage.service}/{outage.check}"


def covers_whole(window: Window, service: Service) -> bool:
    """Whether all that users need of a service is in a window's scope."""
    blocking = {check.name for check in service.checks if check.need is Need.BLOCKING}
    every_check = window.checks is None or (bool(blocking) and blocking <= set(window.checks))
    return service.name in window.services and every_check and window.tenants is None


def _blind(outage: Outage) -> bool:
    return outage.service == MONITOR and outage.reason is VerdictReason.BLIND


def _planned(service: Service, windows: Iterable[Window], month: Span) -> Iterator[Span]:
    for window in windows:
        if covers_whole(window, service):
            yield from occurrences(window, month)


def occurrences(window: Window, within: Span) -> Iterator[Span]:
    """Every time a window is open, in order, as far as that reaches into a span."""
    at, ends = within
    while at < ends:
        span = maintenance.occurrence(window, at)
        if span is None or span[0] >= ends:
            return
        yield span
        at = span[1]


def _narrow_windows(service: Service, windows: Iterable[Window], month: Span) -> Iterator[str]:
    for window in windows:
        if service.name not in window.services or covers_whole(window, service):
            continue
        seconds = length(clip(occurrences(window, month), month)).total_seconds()
        if seconds:
            yield (
                f"The window {window.name} covers only a part of {service.name}: "
                f"its {seconds:.0f} s are not counted as maintenance."
            )


def _forgotten_checks(service: Service, outages: Iterable[Outage]) -> Iterator[str]:
    known = {check.name for check in service.checks}
    for name in sorted({outage.check for outage in outages} - known):
        yield f"{service.name}/{name} is no longer configured: its outages count as blocking."


def _share(part: timedelta, whole: timedelta) -> int | None:
    return part * 100_000 // whole if whole else None
