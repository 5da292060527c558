"""The words for people outside: customers who look at a status page, and the owner of a tenant.

They are told what is down for whom since when, that we look after it, and when it works again. No
error, no name of a person, of a check or of a place, and no link into the monitor leaves by here:
also not in the incident that goes with the words.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.incident.wording import clock_time, moment
from monitor.model import Action, Dimension, Extent, Incident, Message


def message(incident: Incident, action: Action) -> Message:
    """What people outside are told when `action` happens to an incident."""
    return Message(_headline(incident, action), (_text(incident, action),), _shown(incident))


def _headline(incident: Incident, action: Action) -> str:
    if action is Action.RESOLVE:
        return f"Resolved: {_was(incident.title)}"
    if incident.watch_until is not None:
        return f"Working again: {_was(incident.title)}"
    return f"{incident.title} since {clock_time(incident.began.before)}"


def _was(title: str) -> str:
    return title.replace(" is down for ", " was down for ")


def _text(incident: Incident, action: Action) -> str:
    if action is Action.RESOLVE:
        back = incident.recovered
        return "This is over." if back is None else f"Working since {moment(back.before)}."
    if incident.watch_until is not None:
        back_at = incident.recovered.before if incident.recovered else incident.watch_until
        until = clock_time(incident.watch_until)
        return f"Working since {moment(back_at)}. We keep watching it until {until}."
    return f"Since {moment(incident.began.before)}. We are looking after it."


def _shown(incident: Incident) -> Incident:
    """The incident without what is only for people who work here."""
    return replace(
        incident,
        known_by="",
        checks=(),
        errors=(),
        extent=Extent(Dimension.EVERYONE),
        acknowledged_by=None,
        resolved_by=None,
        handover=None,
        asking=None,
        linked=(),
        reports=(),
        escalated=(),
        paged=(),
        paged_with=None,
    )
