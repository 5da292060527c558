"""The notices of a test: one that triggers and one that resolves, both marked as nothing real.

They carry a whole incident, as a real page does: everything that a channel makes of one is tried.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.model import (
    Action,
    Channel,
    DecisionReason,
    ErrorSeen,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Interval,
    Message,
    Notice,
    Priority,
    Reporter,
    Role,
)

MARK = "TEST, nothing is down"


def trial_notices(
    channel: Channel, at: datetime, *, id_: str, public_url: str
) -> tuple[Notice, Notice]:
    """The trigger and the resolve of a test of `channel`, which is named by the fresh `id_`."""
    incident = _specimen(channel, at, id_)
    return (
        _notice(incident, channel, Action.TRIGGER, 1, public_url),
        _notice(incident, channel, Action.RESOLVE, 2, public_url),
    )


def _specimen(channel: Channel, at: datetime, id_: str) -> Incident:
    error = ErrorSeen(
        "test", "shared", "local", FailureKind.STATUS, "This is what an error looks like", at
    )
    return Incident(
        id=id_,
        number=1,
        subject="v1:test:all",
        service="test",
        impact=Impact.ALL,
        priority=Priority.STANDARD,
        state=IncidentState.OPEN,
        title=f"{MARK}: a trial of channel {channel.name}",
        scope="nobody",
        route=channel.roles,
        reason=DecisionReason.ALL_USERS,
        began=Interval(at - timedelta(seconds=20), at - timedelta(seconds=10)),
        detected_at=at,
        reported_at=at,
        notify_at=at,
        respond_by=None,
        out_of_hours=False,
        known_by="Somebody asked for a test of this channel.",
        checks=("test",),
        errors=(error,),
    )


def _notice(
    incident: Incident, channel: Channel, action: Action, seq: int, public_url: str
) -> Notice:
    dedup_key = f"test:{incident.id}"
    over = "The test is over" if action is Action.RESOLVE else "A test of the monitor"
    reporter = Reporter("TEST", "", None) if Role.REPORTER in channel.roles else None
    return Notice(
        id=f"{incident.id}-{seq}",
        incident_id=incident.id,
        channel=channel.name,
        action=action,
        seq=seq,
        key=f"{dedup_key}:{channel.name}:{action}:{seq}",
        dedup_key=dedup_key,
        message=Message(
            f"{over}: {incident.title}",
            (f"How we know: {incident.known_by}", "There is nothing to do."),
            incident,
            {"Monitor": f"{public_url}/"},
            report=reporter,
        ),
        created_at=incident.reported_at,
        due_at=incident.reported_at,
    )
