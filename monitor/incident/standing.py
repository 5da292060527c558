"""How an incident stands with the people it waits for: questions, which move nothing."""

from __future__ import annotations

from datetime import datetime

from monitor.model import Action, Incident


def to_answer(incident: Incident) -> bool:
    """Whether a customer who reported it waits for a person."""
    return any(each.answered_at is None for each in incident.reports)


def to_accept(incident: Incident) -> bool:
    """Whether it was handed over to somebody who has not accepted it yet."""
    return incident.handover is not None and incident.handover.accepted_at is None


def to_renew(incident: Incident) -> bool:
    """Whether who has it was asked if he still does, and has not answered."""
    return incident.asking is not None and incident.asking.answered_at is None


def to_acknowledge(incident: Incident) -> bool:
    """Whether an acknowledgement of it would be taken: it is open, and something waits for one."""
    unanswered = incident.acknowledged_at is None or to_accept(incident) or to_answer(incident)
    return incident.resolved_at is None and (unanswered or to_renew(incident))


def waits(incident: Incident) -> bool:
    """Whether it waits for a person.

    Nobody has it, nobody accepted it and that has paged, or nobody said that he still has it.
    """
    handover = incident.handover
    unaccepted = handover is not None and handover.accepted_at is None
    paged = unaccepted and handover is not None and handover.paged_at is not None
    return incident.acknowledged_at is None or paged or to_renew(incident)


def taken_at(incident: Incident) -> datetime | None:
    """When a person last said that he has it, None when nobody has."""
    said = [incident.acknowledged_at]
    if incident.handover is not None:
        said.append(incident.handover.accepted_at)
    if incident.asking is not None:
        said.append(incident.asking.answered_at)
    return max((at for at in said if at is not None), default=None)


def muted(incident: Incident, action: Action) -> bool:
    """Whether a notice of this action is not sent, because a person silenced the incident."""
    return incident.silenced is not None and action in {Action.TRIGGER, Action.UPDATE}
