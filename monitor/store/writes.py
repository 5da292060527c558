"""What is written, statement by statement, each inside the caller's transaction.

Every change of state is a conditional update whose row count is checked. Nothing here is sent,
nothing here reads a clock, and whoever calls has checked the fence in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from ulid import ULID

from monitor.model import Beat, CellKey, Change, Incident, IncidentState, Result
from monitor.store.errors import DuplicateIncident, StaleChange, StoreHeld
from monitor.store.reads import Lease, last_pass
from monitor.store.rows import (
    DIGESTS,
    EVENTS,
    EVIDENCE_RESULTS,
    INCIDENTS,
    NOTICES,
    OUTAGES,
    REPORTS,
    UNOBSERVED_SPANS,
    result_row,
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

_INSERT: Mapping[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def take_lease(connection: Connection, holder: str, now: datetime) -> Lease:
    """Make `holder` the one that writes; when it was last watched is left as it stands."""
    mine = {"holder": holder, "held_since": now}
    taken = connection.execute(
        update(INSTANCE)
        .values(fence=INSTANCE.c.fence + 1, **mine)
        .returning(INSTANCE.c.instance, INSTANCE.c.fence, INSTANCE.c.seen_at)
    ).one_or_none()
    if taken is not None:
        return Lease(*taken)
    minted = {"id": 1, "instance": str(ULID.from_datetime(now)), "created_at": now, "seen_at": now}
    connection.execute(insert(INSTANCE).values(**minted, fence=1, **mine))
    return Lease(str(minted["instance"]), 1, now)


def require_fence(connection: Connection, fence: int) -> None:
    """StoreHeld when another holder has taken the store since `fence` was given out.

    The row stays locked, so that nobody takes the store before the transaction ends.
    """
    row = connection.execute(select(INSTANCE.c.fence, INSTANCE.c.holder).with_for_update()).one()
    if row.fence != fence:
        raise StoreHeld(str(row.holder))


def sign(connection: Connection, now: datetime) -> None:
    """Write that the holder was watching at `now`."""
    connection.execute(update(INSTANCE).values(seen_at=now))


def watch(
    connection: Connection, services: Collection[str], now: datetime, seen_at: datetime
) -> None:
    """Write that these services are watched from now on, and others no longer since `seen_at`."""
    still = WATCHED.c.until.is_(None)
    gone = update(WATCHED).where(still, WATCHED.c.service.not_in(services))
    connection.execute(gone.values(until=seen_at))
    known = set(connection.execute(select(WATCHED.c.service).where(still)).scalars())
    fresh = [{"service": name, "since": now} for name in sorted(set(services) - known)]
    insert_all(connection, WATCHED, fresh, ignore_known=True)


def commit(connection: Connection, change: Change) -> None:
    """Write all of `change`, once. StaleChange or IntegrityError undo the transaction.

    Of several parts the last one tells whether all are there: an earlier part's incident may have
    been moved again by a later one.
    """
    parts = change.parts()
    if _written(connection, parts[-1]):
        return
    for part in parts:
        _write(connection, part)


def commit_spooled(connection: Connection, change: Change) -> None:
    """Write all of `change`, once, also where what came after it is there already."""
    parts = change.parts()
    moved = [part.incident for part in parts if part.incident is not None]
    if not moved or not all(_has_passed(connection, incident) for incident in moved):
        commit(connection, change)


def _has_passed(connection: Connection, incident: Incident) -> bool:
    """Whether the store has this version of an incident, or a later one."""
    known = select(INCIDENT.c.version).where(INCIDENT.c.id == incident.id)
    version = connection.execute(known).scalar()
    return version is not None and version >= incident.version


def _write(connection: Connection, change: Change) -> None:
    if change.incident is not None:
        _put_incident(connection, change.incident, change.was_version)
    insert_all(connection, EVENT, [EVENTS.row(event) for event in change.events])
    insert_all(connection, EVIDENCE, _evidence(connection, change), ignore_known=True)
    insert_all(connection, NOTICE, [NOTICES.row(notice) for notice in change.notices])
    for outage in change.outages:
        _put(connection, OUTAGE, OUTAGES.row(outage), key="id")
    for report in change.reports:
        _put(connection, REPORT, REPORTS.row(report), key="reference")
    unobserved = [UNOBSERVED_SPANS.row(span) for span in change.unobserved]
    insert_all(connection, UNOBSERVED, unobserved, ignore_known=True)
    if change.digest is not None:
        connection.execute(insert(DIGEST).values(**DIGESTS.row(change.digest)))


def _written(connection: Connection, change: Change) -> bool:
    """Whether the very same change is there: its commit took, and that was never learned.

    Every move of an incident has a version of its own, so the incident tells for all of it; a
    digest is made once, and so is any notice. Outages and reports alone are written over, what was
    unobserved stands as it is.
    """
    if change.incident is not None:
        row = connection.execute(
            select(INCIDENT).where(INCIDENT.c.id == change.incident.id)
        ).one_or_none()
        return row is not None and INCIDENTS.noun(row) == change.incident
    if change.digest is not None:
        made = select(DIGEST.c.opening).where(DIGEST.c.opening == change.digest.opening)
        return connection.execute(made).first() is not None
    if not change.events:
        known = select(NOTICE.c.id).where(NOTICE.c.id.in_([n.id for n in change.notices]))
        return bool(change.notices) and connection.execute(known).first() is not None
    same = [EVENT.c[name] == value for name, value in EVENTS.row(change.events[0]).items()]
    return connection.execute(select(EVENT.c.id).where(*same)).first() is not None


def _put_incident(connection: Connection, incident: Incident, was_version: int | None) -> None:
    row = INCIDENTS.row(incident)
    if was_version is None:
        connection.execute(insert(INCIDENT).values(**row))
        return
    as_it_was = (INCIDENT.c.id == incident.id, INCIDENT.c.version == was_version)
    if connection.execute(update(INCIDENT).where(*as_it_was).values(**row)).rowcount != 1:
        # Somebody else moved it first: their move stands, ours is thought again.
        raise StaleChange(f"incident {incident.number} is no longer at version {was_version}")


def _evidence(connection: Connection, change: Change) -> list[dict[str, Any]]:
    """The rows of what a change rests on, each cell's last PASS before it among them."""
    if not change.evidence:
        return []
    if change.incident is None:
        raise ValueError("evidence is kept with an incident, and this change has none")
    owner = {"incident_id": change.incident.id}
    first: dict[CellKey, Result] = {}
    for result in change.evidence:
        first.setdefault(result.cell, result)
    good = (last_pass(connection, key, each.observed_at) for key, each in first.items())
    kept = {each.id: each for each in (*change.evidence, *filter(None, good))}
    return [EVIDENCE_RESULTS.row(result) | owner for result in kept.values()]


def _put(connection: Connection, table: Table, row: dict[str, Any], *, key: str) -> None:
    """Write a row, over the one of the same key if there is one."""
    put_all(connection, table, [row], key=key)


def put_all(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, key: str
) -> None:
    """Write rows of the same columns, each over the one of its key if there is one."""
    if not rows:
        return
    statement = _INSERT[connection.dialect.name](table)
    rest = {name: statement.excluded[name] for name in rows[0] if name != key}
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=rest), rows)


def insert_all(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    *,
    ignore_known: bool = False,
) -> None:
    """Write new rows; those that are known by any key are ignored, or an IntegrityError."""
    if not rows:
        return
    statement = _INSERT[connection.dialect.name](table)
    connection.execute(statement.on_conflict_do_nothing() if ignore_known else statement, rows)


def explain(connection: Connection, change: Change, refused: IntegrityError) -> NoReturn:
    """Raise why `change` was refused."""
    for incident in (part.incident for part in change.parts()):
        if incident is None:
            continue
        rival = connection.execute(
            select(INCIDENT.c.number).where(
                INCIDENT.c.subject == incident.subject,
                INCIDENT.c.state != IncidentState.RESOLVED.value,
                INCIDENT.c.id != incident.id,
            )
        ).scalar()
        if rival is not None:
            raise DuplicateIncident(incident.subject, rival) from refused
    raise StaleChange(f"part of it is there already: {refused.orig}") from refused


def record(connection: Connection, results: Sequence[Result]) -> None:
    """Keep `results`; those whose id is known are ignored."""
    insert_all(connection, RESULT, [result_row(result) for result in results], ignore_known=True)


def hear(connection: Connection, beats: Mapping[str, Beat]) -> None:
    """Keep the last call of each heartbeat, by name."""
    for name, beat in beats.items():
        row = {"name": name, "at": beat.at, "failed": beat.failed}
        _put(connection, HEARTBEAT, row, key="name")


def prove(connection: Connection, cells: Sequence[tuple[CellKey, str]]) -> None:
    """Remember that each cell has passed under its fingerprint."""
    rows = [key._asdict() | {"fingerprint": fingerprint} for key, fingerprint in cells]
    insert_all(connection, PROVEN, rows, ignore_known=True)
