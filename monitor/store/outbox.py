"""The outbox: who may send which notice now, and what became of it.

A notice is `pending` until a claim makes it `sending` under a lease; it ends `sent` or `dead`, or
goes back to `pending` for another attempt. Each claim counts as an attempt, so (notice, attempts)
names one lease: a mark made under a lease that somebody else has taken over changes no row. While
the outbox is paused, as that of a restored database is, nothing is given out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from monitor.model import Accepted, Action, IncidentState, Notice, NoticeState
from monitor.store.rows import NOTICES
from monitor.store.spool import Sent
from monitor.store.tables import INCIDENT, INSTANCE, NOTICE

UNSENT = (NoticeState.PENDING.value, NoticeState.SENDING.value)


def claim(connection: Connection, now: datetime, lease: timedelta, limit: int) -> list[Notice]:
    """Lease up to `limit` notices that may be sent at `now`, those due longest first.

    That is: pending and due, or sending under a lease that has run out; and no earlier notice of
    the same incident on the same channel is still unsent. Dead ones do not stand in the way.
    """
    first = (
        select(NOTICE.c.id)
        .where(_free(now), ~behind_another(), ~_paused())
        .order_by(NOTICE.c.due_at, NOTICE.c.id)
    ).limit(limit)
    # `_free` is asked again by the update itself: on PostgreSQL the row may have moved since.
    rows = connection.execute(
        update(NOTICE)
        .where(NOTICE.c.id.in_(first.scalar_subquery()), _free(now))
        .values(
            state=NoticeState.SENDING.value,
            lease_until=now + lease,
            attempts=NOTICE.c.attempts + 1,
        )
        .returning(*NOTICE.c)
    )
    return sorted((NOTICES.noun(row) for row in rows), key=lambda n: (n.due_at, n.id))


def behind_another() -> ColumnElement[bool]:
    """Whether an earlier notice of the same incident on the same channel is still unsent."""
    earlier = NOTICE.alias("earlier")
    return exists().where(
        earlier.c.incident_id == NOTICE.c.incident_id,
        earlier.c.channel == NOTICE.c.channel,
        earlier.c.seq < NOTICE.c.seq,
        earlier.c.state.in_(UNSENT),
    )


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(NOTICE.c.state == NoticeState.PENDING.value, NOTICE.c.due_at <= now),
        and_(NOTICE.c.state == NoticeState.SENDING.value, NOTICE.c.lease_until <= now),
    )


def _paused() -> ColumnElement[bool]:
    return exists().where(INSTANCE.c.paused_since.is_not(None))


def _ours(notice: Notice) -> ColumnElement[bool]:
    return and_(
        NOTICE.c.id == notice.id,
        NOTICE.c.state == NoticeState.SENDING.value,
        NOTICE.c.attempts == notice.attempts,
    )


def mark_sent(connection: Connection, notice: Notice, accepted: Accepted, at: datetime) -> bool:
    """Write that the receiver has it. False when the lease was lost: another will tell."""
    statement = (
        update(NOTICE)
        .where(_ours(notice))
        .values(
            state=NoticeState.SENT.value,
            lease_until=None,
            sent_at=at,
            remote_id=accepted.remote_id,
            remote_url=accepted.url,
        )
    )
    return connection.execute(statement).rowcount == 1


def reference(connection: Connection, notice: Notice) -> Accepted | None:
    """What its receiver answered to the first notice of the same alert that it gave a name to."""
    named = (
        select(NOTICE)
        .where(
            NOTICE.c.incident_id == notice.incident_id,
            NOTICE.c.channel == notice.channel,
            NOTICE.c.state == NoticeState.SENT.value,
            NOTICE.c.remote_id.is_not(None),
        )
        .order_by(NOTICE.c.seq)
    )
    for row in connection.execute(named):
        if NOTICES.noun(row).dedup_key == notice.dedup_key:
            return Accepted(row.remote_id, row.remote_url)
    return None


def standing(connection: Connection, channel: str, since: datetime) -> list[Notice]:
    """The last notice of each of a channel's alerts that is open, or has ended since.

    Of an alert nothing of which was sent there is none. What was refused for good counts for what
    it says: an end that the receiver did not take is still the end. None while the outbox is
    paused: whether they still stand is for a person to say first.
    """
    columns = (NOTICE.c.id, NOTICE.c.key, NOTICE.c.action, NOTICE.c.seq, NOTICE.c.state)
    told = (
        NOTICE.c.channel == channel,
        NOTICE.c.state.in_((NoticeState.SENT.value, NoticeState.DEAD.value)),
        NOTICE.c.action != Action.TELL.value,
        NOTICE.c.created_at >= _first_of_the_open(connection, since),
        ~_paused(),
    )
    times = func.coalesce(NOTICE.c.sent_at, NOTICE.c.created_at).label("at")
    last, sent = {}, set()
    for row in connection.execute(select(*columns, times).where(*told).order_by(NOTICE.c.seq)):
        # The instance before it may have been renamed, as a restored one is; the alert is not.
        alert = row.key.removesuffix(f":{channel}:{row.action}:{row.seq}").partition(":")[2]
        last[alert] = row
        if row.state == NoticeState.SENT.value:
            sent.add(alert)
    standing = [
        row.id
        for alert, row in last.items()
        if alert in sent and (row.action != Action.RESOLVE.value or row.at >= since)
    ]
    chosen = select(NOTICE).where(NOTICE.c.id.in_(standing)).order_by(NOTICE.c.id)
    return [NOTICES.noun(row) for row in connection.execute(chosen)]


def _first_of_the_open(connection: Connection, since: datetime) -> datetime:
    """From when on notices of what is open, or has ended since, may have been made."""
    is_open = INCIDENT.c.state != IncidentState.RESOLVED.value
    first = connection.execute(select(func.min(INCIDENT.c.reported_at)).where(is_open)).scalar()
    ended = INCIDENT.c.resolved_at >= since
    other = connection.execute(select(func.min(INCIDENT.c.reported_at)).where(ended)).scalar()
    return min(at for at in (first, other, since) if at is not None)


def mark_failed(
    connection: Connection, notice: Notice, error: str, retry_at: datetime | None
) -> bool:
    """Write that it was not accepted: try again at `retry_at`, or never (None: dead).

    False when the lease was lost: another will tell.
    """
    dead = {"state": NoticeState.DEAD.value}
    again = {"state": NoticeState.PENDING.value, "due_at": retry_at}
    values = dead if retry_at is None else again
    statement = update(NOTICE).where(_ours(notice))
    statement = statement.values(lease_until=None, last_error=error, **values)
    return connection.execute(statement).rowcount == 1


def mark_direct(
    connection: Connection, sent: Iterable[Sent], in_hand: Collection[str], lease_until: datetime
) -> None:
    """Write of notices committed just now what was sent, and what is being sent, without a claim.

    What is being sent is leased, as its first attempt.
    """
    for each in sent:
        connection.execute(
            update(NOTICE)
            .where(NOTICE.c.id == each.id, NOTICE.c.state.in_(UNSENT))
            .values(
                state=NoticeState.SENT.value,
                lease_until=None,
                attempts=1,
                sent_at=each.at,
                remote_id=each.accepted.remote_id,
                remote_url=each.accepted.url,
            )
        )
    leased = (NOTICE.c.id.in_(in_hand), NOTICE.c.state == NoticeState.PENDING.value)
    lease = {"state": NoticeState.SENDING.value, "lease_until": lease_until, "attempts": 1}
    connection.execute(update(NOTICE).where(*leased).values(**lease))


def release(connection: Connection) -> int:
    """Take back every lease, which only who has just become the holder may; how many."""
    statement = update(NOTICE).where(NOTICE.c.state == NoticeState.SENDING.value)
    return connection.execute(
        statement.values(state=NoticeState.PENDING.value, lease_until=None)
    ).rowcount


def hurry(connection: Connection, now: datetime) -> int:
    """Make due at `now` what waits for longer, except what waits for the calendar; how many."""
    statement = update(NOTICE).where(
        NOTICE.c.state == NoticeState.PENDING.value,
        NOTICE.c.due_at > now,
        or_(~NOTICE.c.held, NOTICE.c.attempts > 0),
    )
    return connection.execute(statement.values(due_at=now)).rowcount
