"""What is read, each inside one snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from monitor.model import (
    Action,
    Beat,
    CellKey,
    Incident,
    IncidentState,
    Notice,
    NoticeState,
    Outage,
    Outcome,
    Report,
    Result,
    TimelineEvent,
    Unobserved,
)
from monitor.store.outbox import UNSENT, behind_another
from monitor.store.rows import (
    EVENTS,
    EVIDENCE_RESULTS,
    INCIDENTS,
    NOTICES,
    OUTAGES,
    REPORTS,
    UNOBSERVED_SPANS,
    result_of,
    seen_of,
)
from monitor.store.tables import (
    DIGEST,
    EVENT,
    EVIDENCE,
    HEARTBEAT,
    INCIDENT,
    INSTANCE,
    NOTICE,
    OUTAGE,
    PROVEN,
    REPORT,
    RESULT,
    UNOBSERVED,
    WATCHED,
)
from monitor.story import Story, story_of

_RESULT = [column for column in RESULT.c if column.name != "seq"]
"""A result as the noun has it."""


class Lease(NamedTuple):
    """Whose store it is, the holder's number, and when a holder last signed that it watches."""

    instance: str
    fence: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """Everything kept of one incident, each part in the order it came.

    `urls` says by channel where the receiver last said that it shows the incident. `good` are
    PASSes: the last of each cell of the evidence before it failed, where one was kept.
    """

    incident: Incident
    events: tuple[TimelineEvent, ...]
    evidence: tuple[Result, ...]
    notices: tuple[Notice, ...]
    urls: Mapping[str, str] = field(default_factory=dict)
    good: tuple[Result, ...] = ()

    def stories(self) -> tuple[tuple[Result, Story], ...]:
        """Every result it rests on with its story."""
        return tuple((each, story_of(each, self._good_before(each))) for each in self.evidence)

    def _good_before(self, result: Result) -> Result | None:
        same = (each for each in self.good if each.cell == result.cell)
        before = (each for each in same if each.observed_at < result.observed_at)
        return max(before, key=lambda each: each.observed_at, default=None)


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """How the outbox stands; `pending` and `dead` are by channel.

    `pending` is what is owed now, being sent or waiting for another attempt; `held` what has
    never been tried and waits for support to open. `oldest_due` is when the first of all these
    was or will be due, None when nothing is unsent; `next_due` the same by channel, of those that
    stand behind no other.
    """

    pending: Mapping[str, int]
    held: int
    dead: Mapping[str, int]
    sent: int
    oldest_due: datetime | None
    next_due: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Period:
    """What is kept of a span of time, each kind in the order it came.

    `outages` and `unobserved` touch it, `incidents` were reported in it. `watched` says of each
    service since when, and until when (None: still), it is or was among those that are watched;
    `seen_at` is when a holder last signed that it watches.
    """

    outages: tuple[Outage, ...]
    incidents: tuple[Incident, ...]
    unobserved: tuple[Unobserved, ...]
    watched: Mapping[str, tuple[tuple[datetime, datetime | None], ...]]
    seen_at: datetime


def lease(connection: Connection) -> Lease:
    """The latest lease."""
    columns = (INSTANCE.c.instance, INSTANCE.c.fence, INSTANCE.c.seen_at)
    return Lease(*connection.execute(select(*columns)).one())


def proven(connection: Connection) -> frozenset[tuple[CellKey, str]]:
    """Every cell that has passed, with the fingerprint it passed under."""
    rows = connection.execute(select(PROVEN))
    return frozenset(
        (CellKey(row.service, row.check, row.target, row.vantage), row.fingerprint) for row in rows
    )


def open_incidents(connection: Connection) -> list[Incident]:
    """Those not resolved, oldest first."""
    not_resolved = INCIDENT.c.state != IncidentState.RESOLVED.value
    rows = connection.execute(select(INCIDENT).where(not_resolved).order_by(INCIDENT.c.number))
    return [INCIDENTS.noun(row) for row in rows]


def named_incidents(connection: Connection, ids: Collection[str]) -> list[Incident]:
    """Those of these ids, oldest first; unknown ids are left out."""
    if not ids:
        return []
    named = select(INCIDENT).where(INCIDENT.c.id.in_(ids)).order_by(INCIDENT.c.number)
    return [INCIDENTS.noun(row) for row in connection.execute(named)]


def incidents(
    connection: Connection, state: IncidentState | None, limit: int, before: int | None
) -> list[Incident]:
    """Up to `limit` in `state` (None: any) with a number under `before`, newest first."""
    statement = select(INCIDENT).order_by(INCIDENT.c.number.desc()).limit(limit)
    if state is not None:
        statement = statement.where(INCIDENT.c.state == state.value)
    if before is not None:
        statement = statement.where(INCIDENT.c.number < before)
    return [INCIDENTS.noun(row) for row in connection.execute(statement)]


def incident(connection: Connection, number: int) -> IncidentRecord | None:
    """Everything kept of incident `number`, None when there is none."""
    found = connection.execute(select(INCIDENT).where(INCIDENT.c.number == number)).one_or_none()
    if found is None:
        return None
    events = select(EVENT).where(EVENT.c.incident_id == found.id).order_by(EVENT.c.id)
    evidence = (
        select(EVIDENCE)
        .where(EVIDENCE.c.incident_id == found.id)
        .order_by(EVIDENCE.c.observed_at, EVIDENCE.c.id)
    )
    owed = (
        select(NOTICE)
        .where(NOTICE.c.incident_id == found.id)
        .order_by(NOTICE.c.seq, NOTICE.c.channel)
    )
    notices = connection.execute(owed).all()
    kept = [EVIDENCE_RESULTS.noun(row) for row in connection.execute(evidence)]
    return IncidentRecord(
        INCIDENTS.noun(found),
        tuple(EVENTS.noun(row) for row in connection.execute(events)),
        tuple(each for each in kept if each.outcome is not Outcome.PASS),
        tuple(NOTICES.noun(row) for row in notices),
        {row.channel: row.remote_url for row in notices if row.remote_url},
        tuple(each for each in kept if each.outcome is Outcome.PASS),
    )


def triggers(connection: Connection, ids: Collection[str]) -> list[Notice]:
    """The triggers of the conversations of these incidents, in the order they were owed."""
    if not ids:
        return []
    of_them = (NOTICE.c.incident_id.in_(ids), NOTICE.c.action == Action.TRIGGER.value)
    rows = connection.execute(select(NOTICE).where(*of_them).order_by(NOTICE.c.seq))
    return [NOTICES.noun(row) for row in rows]


def incidents_since(connection: Connection, since: datetime) -> list[Incident]:
    """Those reported or resolved since, and those not resolved, oldest first."""
    statement = (
        select(INCIDENT)
        .where(
            or_(
                INCIDENT.c.reported_at >= since,
                INCIDENT.c.resolved_at >= since,
                INCIDENT.c.resolved_at.is_(None),
            )
        )
        .order_by(INCIDENT.c.number)
    )
    return [INCIDENTS.noun(row) for row in connection.execute(statement)]


def timelines(connection: Connection, incident_ids: Collection[str]) -> list[TimelineEvent]:
    """The lines of these incidents' timelines, in the order they came."""
    if not incident_ids:
        return []
    of_them = select(EVENT).where(EVENT.c.incident_id.in_(incident_ids)).order_by(EVENT.c.id)
    return [EVENTS.noun(row) for row in connection.execute(of_them)]


def report(connection: Connection, reference: str) -> Report | None:
    """The report of this reference, None when there is none."""
    found = connection.execute(select(REPORT).where(REPORT.c.reference == reference))
    return next((REPORTS.noun(row) for row in found), None)


def report_with_key(connection: Connection, tenant: str, key: str) -> Report | None:
    """The report that a tenant marked with this key, None when there is none."""
    marked = (REPORT.c.tenant == tenant, REPORT.c.key == key)
    found = connection.execute(select(REPORT).where(*marked))
    return next((REPORTS.noun(row) for row in found), None)


def unsettled_reports(connection: Connection) -> list[Report]:
    """Those of which an incident is not resolved, oldest first."""
    still = select(REPORT).where(REPORT.c.settled_at.is_(None))
    rows = connection.execute(still.order_by(REPORT.c.reported_at, REPORT.c.reference))
    return [REPORTS.noun(row) for row in rows]


def last_digest(connection: Connection) -> datetime | None:
    """The opening of support that the last digest was made for, None when none was."""
    return connection.execute(select(func.max(DIGEST.c.opening))).scalar()


def heartbeats(connection: Connection) -> dict[str, Beat]:
    """The last call of every heartbeat that is kept, by name."""
    rows = connection.execute(select(HEARTBEAT.c.name, HEARTBEAT.c.at, HEARTBEAT.c.failed))
    return {name: Beat(at, failed) for name, at, failed in rows}


def next_number(connection: Connection) -> int:
    """One more than the highest number of any incident; 1 when there is none."""
    highest = connection.execute(select(func.max(INCIDENT.c.number))).scalar()
    return (highest or 0) + 1


def last_seq(connection: Connection, incident_id: str) -> int:
    """The highest seq of the incident's notices over all channels, 0 when it has none."""
    highest = select(func.max(NOTICE.c.seq)).where(NOTICE.c.incident_id == incident_id)
    return connection.execute(highest).scalar() or 0


def open_outages(connection: Connection) -> list[Outage]:
    """Those not closed, oldest first."""
    still = select(OUTAGE).where(OUTAGE.c.closed_at.is_(None))
    rows = connection.execute(still.order_by(OUTAGE.c.detected_at, OUTAGE.c.id))
    return [OUTAGES.noun(row) for row in rows]


def outages(
    connection: Connection, service: str | None, since: datetime, limit: int
) -> list[Outage]:
    """Up to `limit` that were open at or after `since`, of `service` (None: any), newest first."""
    statement = (
        select(OUTAGE)
        .where(or_(OUTAGE.c.closed_at.is_(None), OUTAGE.c.closed_at >= since))
        .order_by(OUTAGE.c.detected_at.desc(), OUTAGE.c.id.desc())
        .limit(limit)
    )
    if service is not None:
        statement = statement.where(OUTAGE.c.service == service)
    return [OUTAGES.noun(row) for row in connection.execute(statement)]


def period(connection: Connection, since: datetime, until: datetime) -> Period:
    """What is kept of the time from `since` until `until`."""
    not_over = or_(OUTAGE.c.closed_at.is_(None), OUTAGE.c.closed_at >= since)
    failed = select(OUTAGE).where(not_over).order_by(OUTAGE.c.detected_at, OUTAGE.c.id)
    # When an outage began stands in its body, and it may be told of long after.
    known = [OUTAGES.noun(row) for row in connection.execute(failed)]
    reported = (
        select(INCIDENT)
        .where(INCIDENT.c.reported_at >= since, INCIDENT.c.reported_at < until)
        .order_by(INCIDENT.c.number)
    )
    gaps = (
        select(UNOBSERVED)
        .where(UNOBSERVED.c.until >= since, UNOBSERVED.c.since <= until)
        .order_by(UNOBSERVED.c.since, UNOBSERVED.c.id)
    )
    return Period(
        tuple(o for o in known if (o.began.after or o.began.before) <= until),
        tuple(INCIDENTS.noun(row) for row in connection.execute(reported)),
        tuple(UNOBSERVED_SPANS.noun(row) for row in connection.execute(gaps)),
        _watched(connection),
        lease(connection).seen_at,
    )


def _watched(
    connection: Connection,
) -> dict[str, tuple[tuple[datetime, datetime | None], ...]]:
    found: dict[str, tuple[tuple[datetime, datetime | None], ...]] = {}
    for row in connection.execute(select(WATCHED).order_by(WATCHED.c.service, WATCHED.c.since)):
        found[row.service] = (*found.get(row.service, ()), (row.since, row.until))
    return found


def recent_events(connection: Connection, limit: int) -> list[tuple[Incident, TimelineEvent]]:
    """The last `limit` lines of all timelines, newest first, each with its incident as it is."""
    lines = connection.execute(select(EVENT).order_by(EVENT.c.id.desc()).limit(limit)).all()
    owners = select(INCIDENT).where(INCIDENT.c.id.in_({line.incident_id for line in lines}))
    by_id = {row.id: INCIDENTS.noun(row) for row in connection.execute(owners)}
    return [(by_id[line.incident_id], EVENTS.noun(line)) for line in lines]


def recent_results(connection: Connection, key: CellKey, limit: int) -> list[Result]:
    """The last `limit` results of a cell, newest first."""
    cell = (RESULT.c[name] == value for name, value in key._asdict().items())
    statement = select(*_RESULT).where(and_(*cell))
    newest = statement.order_by(RESULT.c.observed_at.desc(), RESULT.c.id.desc()).limit(limit)
    return [result_of(row) for row in connection.execute(newest)]


def last_pass(connection: Connection, key: CellKey, before: datetime) -> Result | None:
    """The newest PASS of a cell observed before an instant; None when none is kept."""
    cell = (RESULT.c[name] == value for name, value in key._asdict().items())
    passed = (RESULT.c.outcome == Outcome.PASS.value, RESULT.c.observed_at < before)
    newest = RESULT.c.observed_at.desc(), RESULT.c.id.desc()
    found = connection.execute(select(*_RESULT).where(*cell, *passed).order_by(*newest).limit(1))
    return next((result_of(row) for row in found), None)


def latest_results(connection: Connection, until: datetime, limit: int) -> list[Result]:
    """The last `limit` results of all cells observed until then, oldest first.

    INVALID is left out, and so are the phases and the evidence of a PASS. Results of one instant
    stay together, so there may be a few more.
    """
    telling = [outcome.value for outcome in Outcome if outcome is not Outcome.INVALID]
    instants: list[datetime] = []
    for outcome in telling:
        # One walk along the index for each: it is in the order of time within an outcome only.
        known = select(RESULT.c.observed_at).where(RESULT.c.outcome == outcome)
        newest = known.where(RESULT.c.observed_at <= until).order_by(RESULT.c.observed_at.desc())
        instants += connection.execute(newest.limit(limit)).scalars()
    since = min(sorted(instants)[-limit:], default=until)
    among = RESULT.c.outcome.in_(telling), RESULT.c.observed_at.between(since, until)
    rows = connection.execute(select(*_RESULT).where(*among))
    return [seen_of(row) for row in sorted(rows, key=lambda row: (row.observed_at, row.id))]


def silent_since(connection: Connection, before: datetime) -> list[Result]:
    """The newest result of each proven cell that has none since `before`, oldest first."""
    newest = RESULT.alias("newest")
    of_cell = [newest.c[name] == PROVEN.c[name] for name in CellKey._fields]
    last = select(newest.c.id).where(*of_cell).order_by(newest.c.observed_at.desc()).limit(1)
    joined = PROVEN.join(RESULT, RESULT.c.id == last.scalar_subquery())
    older = select(*_RESULT).select_from(joined).where(RESULT.c.observed_at < before)
    return [seen_of(row) for row in connection.execute(older.order_by(RESULT.c.observed_at))]


def outbox(connection: Connection) -> OutboxFigures:
    """How the outbox stands."""
    waits = and_(NOTICE.c.held, NOTICE.c.attempts == 0)
    grouped = connection.execute(
        select(
            NOTICE.c.channel,
            NOTICE.c.state,
            waits.label("waits"),
            func.count().label("many"),
        ).group_by(NOTICE.c.channel, NOTICE.c.state, waits)
    )
    pending, dead = Counter[str](), Counter[str]()
    held = sent = 0
    for row in grouped:
        if row.state == NoticeState.SENT:
            sent += row.many
        elif row.state == NoticeState.DEAD:
            dead[row.channel] += row.many
        elif row.waits:
            held += row.many
        else:
            pending[row.channel] += row.many
    oldest = select(func.min(NOTICE.c.due_at)).where(NOTICE.c.state.in_(UNSENT))
    due = connection.execute(oldest).scalar()
    heads = (
        select(NOTICE.c.channel, func.min(NOTICE.c.due_at))
        .where(NOTICE.c.state.in_(UNSENT), ~behind_another())
        .group_by(NOTICE.c.channel)
    )
    next_due = {row[0]: row[1] for row in connection.execute(heads)}
    return OutboxFigures(dict(pending), held, dict(dead), sent, due, next_due)
