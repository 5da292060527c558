"""What is owed and what was given up, for people: to look at, and to have sent again.

A dead notice is made pending again only where that still tells the truth: not if the end of its
alert was sent on its channel since, for then it would open again at the receiver what is over.
Its attempts count on, so that a receiver which cannot tell a repetition is asked first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from monitor.model import Action, EventKind, Notice, NoticeState, TimelineEvent
from monitor.store.errors import StaleChange
from monitor.store.rows import EVENTS, NOTICES
from monitor.store.tables import EVENT, INCIDENT, INSTANCE, NOTICE

NOT_SENT = (NoticeState.PENDING, NoticeState.SENDING, NoticeState.DEAD)


@dataclass(frozen=True, slots=True)
class OwedNotice:
    """A notice, and the number of its conversation's incident; None where it is about none."""

    number: int | None
    notice: Notice


@dataclass(frozen=True, slots=True)
class Redriven:
    """What is pending again, what was left dead because its alert is over, the timelines' lines."""

    again: tuple[OwedNotice, ...]
    left: tuple[OwedNotice, ...]
    events: tuple[TimelineEvent, ...]


def paused_since(connection: Connection) -> datetime | None:
    """Since when the outbox is paused; None while it is not."""
    return connection.execute(select(INSTANCE.c.paused_since)).scalar()


def resume(connection: Connection) -> None:
    """Let a paused outbox go on."""
    connection.execute(update(INSTANCE).values(paused_since=None))


def owed(
    connection: Connection, states: Collection[NoticeState], limit: int | None
) -> list[OwedNotice]:
    """Up to `limit` notices in these states, those due longest first."""
    statement = (
        select(INCIDENT.c.number, NOTICE)
        .select_from(NOTICE.outerjoin(INCIDENT, INCIDENT.c.id == NOTICE.c.incident_id))
        .where(NOTICE.c.state.in_([state.value for state in states]))
        .order_by(NOTICE.c.due_at, NOTICE.c.id)
        .limit(limit)
    )
    return [OwedNotice(row.number, NOTICES.noun(row)) for row in connection.execute(statement)]


def names(connection: Connection, incident_ids: Collection[str]) -> dict[str, str]:
    """By incident, the instance under whose name its first alert was made, where one was."""
    of_them = select(NOTICE).where(NOTICE.c.incident_id.in_(incident_ids))
    latest_first = connection.execute(of_them.order_by(NOTICE.c.seq.desc()))
    alerts = ((row.incident_id, NOTICES.noun(row).dedup_key) for row in latest_first)
    return {incident_id: key.partition(":")[0] for incident_id, key in alerts}


def redrive(
    connection: Connection, now: datetime, by: str, channel: str | None, number: int | None
) -> Redriven:
    """Make dead notices pending in a person's name: of a channel and an incident, or of all."""
    chosen = [
        each
        for each in owed(connection, (NoticeState.DEAD,), None)
        if channel in {None, each.notice.channel} and number in {None, each.number}
    ]
    over = _over(connection, {each.notice.incident_id for each in chosen})
    left = tuple(each for each in chosen if _alert(each.notice) in over)
    again = tuple(each for each in chosen if each not in left)
    _revive(connection, [each.notice.id for each in again], now)
    events = _told(again, by, now)
    if events:
        connection.execute(insert(EVENT), [EVENTS.row(event) for event in events])
    return Redriven(again, left, events)


def _over(connection: Connection, incident_ids: set[str | None]) -> set[tuple[str, str]]:
    """The alerts of these incidents whose end was sent, each on its channel."""
    ended = select(NOTICE).where(
        NOTICE.c.incident_id.in_(incident_ids - {None}),
        NOTICE.c.action == Action.RESOLVE.value,
        NOTICE.c.state == NoticeState.SENT.value,
    )
    return {_alert(NOTICES.noun(row)) for row in connection.execute(ended)}


def _alert(notice: Notice) -> tuple[str, str]:
    return notice.dedup_key, notice.channel


def _revive(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    dead = (NOTICE.c.id.in_(ids), NOTICE.c.state == NoticeState.DEAD.value)
    pending = {"state": NoticeState.PENDING.value, "due_at": now, "attempts": 1}
    if connection.execute(update(NOTICE).where(*dead).values(**pending)).rowcount != len(ids):
        raise StaleChange("a notice is no longer dead: look again")


def _told(again: Sequence[OwedNotice], by: str, now: datetime) -> tuple[TimelineEvent, ...]:
    """A line for the timeline of each incident: what is sent again, and where."""
    said: dict[str, list[str]] = {}
    for notice in (each.notice for each in again):
        if notice.incident_id is not None:
            words = f"{notice.action.value} to {notice.channel}"
            said.setdefault(notice.incident_id, []).append(words)
    return tuple(
        TimelineEvent(id_, now, by, EventKind.NOTED, f"To be sent again: {', '.join(words)}.")
        for id_, words in said.items()
    )
