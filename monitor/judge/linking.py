"""Which incidents are related, and how each comes to name the other.

Two are related when they are about

1. the same customers of the same service: a part that grew until it was everyone, or what is left
   over once everyone is back, or what a customer reported of it; where one is what a customer
   reported, everyone's and a tenant's count as the same; or
2. services that share a declared dependency and turned ALL together, see `together`.

Related incidents stay apart: each has its own number, start, promise, evidence and
acknowledgement. The newer names the older when it opens, the older names the newer in the change
after; should the process die between the two, `resume` makes up for it.
"""

from __future__ import annotations

from datetime import timedelta

from monitor.clock import Now
from monitor.incident import lifecycle, wording
from monitor.judge.mind import ACTOR, Mind, kept
from monitor.model import Change, EventKind, Impact, Incident, Priority, TimelineEvent


def related(mind: Mind, incident: Incident) -> tuple[Incident, ...]:
    """The other open incidents that are related to this one, oldest first."""
    others = sorted(mind.open.values(), key=lambda other: other.number)
    return tuple(
        other
        for other in others
        if other.id != incident.id
        and (_same_service(incident, other) or shared_dependencies(mind, incident, other))
    )


def shared_dependencies(mind: Mind, one: Incident, other: Incident) -> tuple[str, ...]:
    """What two services that went down together both depend on, by rule 2; empty otherwise."""
    if not together(mind, one, other):
        return ()
    declared = {service.name: service.depends_on for service in mind.estate.services}
    theirs = declared.get(other.service, ())
    return tuple(each for each in declared.get(one.service, ()) if each in theirs)


def together(mind: Mind, one: Incident, other: Incident) -> bool:
    """Whether two services turned ALL within `page_window`, alike enough to be one to people.

    Both are business critical, for the same customers and with the same route.
    """
    apart = abs(one.detected_at - other.detected_at)
    return apart <= timedelta(seconds=mind.policy.page_window) and _alike(one, other)


def linked_line(mind: Mind, now: Now, incident: Incident, other: Incident) -> TimelineEvent:
    """The line of an incident's timeline that says with which other it is linked, and why."""
    dependencies = shared_dependencies(mind, incident, other)
    text = wording.linked_text(other, dependencies, mind.policy.page_window)
    return TimelineEvent(incident.id, now.at, ACTOR, EventKind.LINKED, text)


def linked_back(mind: Mind, now: Now) -> list[Change]:
    """Every open incident that another names learns of it. Nothing when all do already."""
    pairs = [(older, newer) for newer in mind.open.values() for older in mind.open.values()]
    return [
        _linked(mind, now, older, newer)
        for older, newer in pairs
        if older.id in newer.linked and newer.id not in older.linked
    ]


def link_back(mind: Mind, now: Now, newer: Incident) -> list[Change]:
    """The open incidents that a new one names learn of it."""
    named = [older for older in mind.open.values() if older.id in newer.linked]
    return [_linked(mind, now, older, newer) for older in named]


def _linked(mind: Mind, now: Now, older: Incident, newer: Incident) -> Change:
    moved = lifecycle.link(mind.open[older.subject], newer)
    line = linked_line(mind, now, moved, newer)
    return Change(incident=kept(mind, moved), was_version=moved.version - 1, events=(line,))


def _same_service(one: Incident, other: Incident) -> bool:
    """The subjects differ in their last part only: what of the same customers is wrong.

    What a customer reported is also of the same when the other is about everyone.
    """
    whose = {each.subject.rpartition(":")[0] for each in (one, other)}
    reported = one.by_customer or other.by_customer
    everyone = one.service == other.service and f"v1:{one.service}" in whose
    return len(whose) == 1 or (reported and everyone)


def _alike(one: Incident, other: Incident) -> bool:
    critical = all(
        each.impact is Impact.ALL and each.priority is Priority.CRITICAL for each in (one, other)
    )
    return (
        critical
        and one.service != other.service
        and _customers(one) == _customers(other)
        and set(one.route) == set(other.route)
    )


def _customers(incident: Incident) -> str:
    """Whom it is about, as its subject says after the service: everyone, or a tenant."""
    return incident.subject.removeprefix(f"v1:{incident.service}:")
