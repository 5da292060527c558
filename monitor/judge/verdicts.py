"""What was declared of units, as outages, and what outages say together of a subject.

Detection speaks in monotonic seconds; here they become instants and back, by the clock reading
that came with the event.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.clock import Now
from monitor.detection import Declared, Span, track_of
from monitor.incident import lifecycle
from monitor.judge.mind import Mind
from monitor.model import (
    MONITOR,
    Audience,
    Deployment,
    Impact,
    Interval,
    Need,
    Outage,
    Result,
    Service,
    Stage,
    Verdict,
)

_ITSELF = Service(MONITOR, "The monitor", Audience.USERS, (), core=False)


def outage_of(mind: Mind, declared: Declared, now: Now) -> Outage:
    """The outage as it now stands, kept in mind."""
    key = (declared.unit, track_of(declared.impact, declared.reason))
    known = mind.outages.get(key)
    closed = declared.stage is Stage.CLOSED
    service, _, rest = declared.unit.partition("/")
    outage = Outage(
        id=known.id if known else mind.mint(now.at),
        unit=declared.unit,
        service=service,
        check=rest.partition("/")[0],
        impact=declared.impact,
        reason=declared.reason,
        extent=declared.extent,
        began=known.began if known else _interval(declared.began, now),
        detected_at=known.detected_at if known else now.at,
        episodes=declared.episode,
        recovered=_interval(declared.recovered, now) if declared.recovered else None,
        watch_until=None if declared.watch_until is None else now.wall_of(declared.watch_until),
        closed_at=now.at if closed else None,
        starts=tuple(now.wall_of(start) for start in declared.starts),
    )
    mind.outages[key] = outage
    return outage


def _interval(span: Span, now: Now) -> Interval:
    after = None if span.after is None else now.wall_of(span.after)
    return Interval(after, now.wall_of(span.before))


def declared_of(outage: Outage, now: Now) -> Declared:
    """An outage in detection's own terms, to resume from.

    Where the starts of its episodes were not kept, the first is that of the whole.
    """
    starts = outage.starts or (outage.detected_at,)
    return Declared(
        unit=outage.unit,
        impact=outage.impact,
        stage=Stage.FAILING if outage.watch_until is None else Stage.WATCHING,
        reason=outage.reason,
        at=now.mono,
        extent=outage.extent,
        began=_span(outage.began, now),
        recovered=_span(outage.recovered, now) if outage.recovered else None,
        watch_until=None if outage.watch_until is None else now.mono_of(outage.watch_until),
        episode=outage.episodes,
        starts=tuple(now.mono_of(start) for start in starts),
    )


def placed_result(result: Result, now: Now) -> Result:
    """A result of an earlier process, by this one's monotonic clock: as long, and as long ago."""
    observed = now.mono_of(result.observed_at)
    took = result.observed_mono - result.sent_mono
    return replace(result, sent_mono=observed - took, observed_mono=observed)


def _span(interval: Interval, now: Now) -> Span:
    after = None if interval.after is None else now.mono_of(interval.after)
    return Span(after, now.mono_of(interval.before))


def subject_of(mind: Mind, outage: Outage) -> tuple[str, Service]:
    """What an incident about this outage is about, and its service."""
    machine = mind.detection.machines.get(outage.unit)
    named = {service.name: service for service in mind.estate.services}
    service = named.get(outage.service, _ITSELF)
    parts = ["v1", outage.service]
    if machine is not None and machine.population.tenant:
        parts += ["tenant", machine.population.tenant]
    if machine is not None and machine.population.deployment is not Deployment.HOSTED:
        parts.append(machine.population.deployment.value)
    parts.append(track_of(outage.impact, outage.reason).value)
    return ":".join(parts), service


def merged(mind: Mind, subject: str, newest: Outage, known_by: str, now: Now) -> Verdict:
    """One verdict over all units of a subject: failing while any is, begun when the first did."""
    outages = [o for o in mind.outages.values() if subject_of(mind, o)[0] == subject]
    failing = [o for o in outages if o.watch_until is None and o.closed_at is None]
    watched = [o for o in outages if o.watch_until is not None and o.closed_at is None]
    machine = mind.detection.machines.get(newest.unit)

    def gravity(outage: Outage) -> tuple[bool, int, bool]:
        of_unit = mind.detection.machines.get(outage.unit)
        blocking = of_unit is not None and of_unit.population.need is Need.BLOCKING
        return blocking, outage.extent.failing, outage is newest

    widest = max(failing or outages, key=gravity)
    return Verdict(
        service=newest.service,
        impact=newest.impact,
        stage=Stage.FAILING if failing else Stage.WATCHING if watched else Stage.CLOSED,
        reason=widest.reason,
        at=now.at,
        checks=tuple(sorted({o.check for o in failing or outages})),
        extent=widest.extent,
        began=lifecycle.earliest([o.began for o in outages]),
        recovered=max((o.recovered for o in outages if o.recovered), key=_before, default=None),
        watch_until=max((o.watch_until for o in watched if o.watch_until), default=None),
        episode=max(o.episodes for o in outages),
        known_by=known_by,
        tenant=machine.population.tenant if machine else None,
        deployment=machine.population.deployment if machine else Deployment.HOSTED,
    )


def _before(interval: Interval) -> datetime:
    return interval.before


def quiet(mind: Mind, outage: Outage) -> bool:
    """Whether it is a part of what is down for everyone anyway.

    One tenant's outage hides nothing of another's, and an excluded deployment's nothing of the
    hosted service.
    """
    tenant, deployment = _whose(mind, outage)
    return outage.impact is Impact.SOME and any(
        other.service == outage.service
        and other.impact is Impact.ALL
        and other.watch_until is None
        and _whose(mind, other) in ((None, deployment), (tenant, deployment))
        for other in mind.outages.values()
    )


def _whose(mind: Mind, outage: Outage) -> tuple[str | None, Deployment]:
    """The tenant (None: everyone) and the deployment that an outage is about."""
    machine = mind.detection.machines.get(outage.unit)
    if machine is None:
        return None, Deployment.HOSTED
    return machine.population.tenant, machine.population.deployment
