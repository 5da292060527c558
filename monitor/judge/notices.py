"""Who is owed a notice of an incident's move, and when."""

from __future__ import annotations

from monitor.clock import Now
from monitor.incident import wording
from monitor.judge.mind import Mind
from monitor.model import (
    Action,
    Incident,
    Notice,
)


def notices_of(
    mind: Mind,
    now: Now,
    incident: Incident,
    action: Action,
    text: str,
    *,
    before: Incident | None = None,
) -> tuple[Notice, ...]:
    """One notice for every channel that reaches one of the incident's roles.

    `before` is the incident whose route was narrower: channels it did not reach are triggered.
    A channel whose trigger is held gets everything after it, in order.
    """
    links = {"Incident": f"{mind.public_url}/incidents/{incident.number}"}
    runbooks = _runbooks(mind, incident)
    notices = []
    for channel in mind.channels:
        reached = set(channel.roles)
        if not reached & set(incident.route):
            continue
        new = before is not None and not reached & set(before.route)
        does = Action.TRIGGER if new else action
        due = incident.notify_at if before is None or new else before.notify_at
        sequence = mind.sequences[incident.id] = mind.sequences.get(incident.id, 0) + 1
        dedup_key = f"{mind.instance}:{incident.id}"
        notices.append(
            Notice(
                id=mind.mint(now.at),
                incident_id=incident.id,
                channel=channel.name,
                action=does,
                seq=sequence,
                key=f"{dedup_key}:{channel.name}:{does}:{sequence}",
                dedup_key=dedup_key,
                message=wording.message(incident, does, text, links, runbooks),
                created_at=now.at,
                due_at=max(now.at, due),
                held=due > now.at,
            )
        )
    return tuple(notices)


def _runbooks(mind: Mind, incident: Incident) -> tuple[str, ...]:
    known = {
        (check.service, check.name): check.runbook
        for service in mind.estate.services
        for check in service.checks
    }
    found = (known.get((incident.service, check), "") for check in incident.checks)
    return tuple(dict.fromkeys(runbook for runbook in found if runbook))
