"""Who is owed a notice of an incident's move, when, and in whose conversation.

A conversation is one alert of its receiver, until it is escalated: then it goes on in a new alert,
because a repeat under the same key pages nobody, and the old one is resolved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.clock import Now
from monitor.incident import lifecycle, public, standing, wording
from monitor.judge import paging
from monitor.judge.mind import Mind, move_of
from monitor.model import (
    Action,
    Change,
    Channel,
    EventKind,
    Incident,
    Message,
    Notice,
    Role,
)


@dataclass(frozen=True, slots=True)
class _Said:
    """What is to be said: `action` happens to `incident`.

    `lead` begins the line of a trigger, `story` are lines that follow the text.
    """

    incident: Incident
    action: Action
    text: str
    due: datetime
    lead: str = ""
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where it is said: a channel, the incident whose conversation it is, who else is there."""

    channel: Channel
    of: Incident
    others: tuple[Incident, ...]


def notices_of(
    mind: Mind,
    now: Now,
    incident: Incident,
    action: Action,
    text: str,
    *,
    before: Incident | None = None,
    only: Role | None = None,
    story: tuple[str, ...] = (),
    outsiders: bool = False,
) -> tuple[Notice, ...]:
    """One notice for every channel that reaches one of the incident's roles, or `only` this one.

    `before` is the incident whose route was narrower: channels it did not reach are triggered.
    A channel whose trigger is held gets everything after it, in order. `story` are more lines.
    `outsiders` says that it is for people outside, too. Nothing while the incident is silenced, but
    of what quiets its receivers too.
    """
    if standing.muted(incident, action):
        return ()
    notices = []
    for channel in mind.channels:
        if not paging.reaches(mind, channel, incident) or only not in {None, *channel.roles}:
            continue
        new = before is not None and not paging.reaches(mind, channel, before)
        if paging.outside(channel) and not (outsiders or new):
            continue
        does = Action.TRIGGER if new else action
        due = incident.notify_at if before is None or new else before.notify_at
        of = incident if new else paging.conversation(mind, incident, channel)
        place = _Place(channel, of, paging.company(mind, of, channel, incident))
        said = _Said(incident, does, text, due, story=story)
        notices.append(_told(mind, now, place, said))
    return tuple(notices)


def first_told(
    mind: Mind, now: Now, incident: Incident, channel: Channel, *, text: str, lead: str
) -> Notice:
    """The trigger for a channel that was not told of an incident before, and is now."""
    of = paging.conversation(mind, incident, channel)
    place = _Place(channel, of, paging.company(mind, of, channel, incident))
    due = max(now.at, incident.notify_at)
    said = _Said(incident, Action.TRIGGER, text, due, lead)
    if of.id == incident.id:
        return _notice(mind, now, place, said, Action.TRIGGER)
    return _told(mind, now, place, said)


def paged_anew(
    mind: Mind,
    now: Now,
    before: Incident,
    moved: Incident,
    *,
    text: str,
    lead: str,
    leaving: Incident | None,
    story: tuple[str, ...] = (),
) -> tuple[Incident, tuple[Notice, ...]]:
    """The incident and its new alerts, where it has some already and where it shared a page.

    `leaving` is the guest as its host's page tells of it, None where it stays there or is none.
    """
    notices = _alerted_anew(mind, now, before, moved, text=text, lead=lead, story=story)
    if leaving is None:
        return moved, notices
    parted = lifecycle.part(moved, now.at)
    own = _pages_of_its_own(mind, now, leaving, parted, text=text, lead=lead)
    return parted, (*notices, *own)


def _alerted_anew(
    mind: Mind,
    now: Now,
    before: Incident,
    moved: Incident,
    *,
    text: str,
    lead: str,
    story: tuple[str, ...] = (),
) -> tuple[Notice, ...]:
    """A new alert on every channel that `moved` was escalated on, and the end of the old one.

    A channel that was never told, being new in the configuration, has no old one.
    """
    anew = moved.escalated[len(before.escalated) :]
    notices = []
    for channel in (each for each in mind.channels if each.name in anew):
        others = paging.company(mind, moved, channel, moved)
        said = _Said(moved, Action.TRIGGER, text, now.at, lead, story)
        notices.append(_notice(mind, now, _Place(channel, moved, others), said, Action.TRIGGER))
        if channel.name in before.paged:
            ended = _Said(moved, Action.UPDATE, "Told of by a new alert from now on.", now.at)
            notices.append(_notice(mind, now, _Place(channel, before, ()), ended, Action.RESOLVE))
    return tuple(notices)


def departures(mind: Mind, now: Now, guests: Iterable[Incident], lead: str) -> list[Change]:
    """Guests that fail with no person at them get conversations of their own.

    One that is silenced gets it when it is not any more.
    """
    leaving = [each for each in guests if paging.unattended(each) and each.silenced is None]
    return [_parted(mind, now, guest, lead) for guest in leaving]


def guests_left(mind: Mind) -> list[Incident]:
    """The open incidents whose host is over."""
    open_ids = {incident.id for incident in mind.open.values()}
    guests = [i for i in mind.open.values() if i.paged_with is not None]
    return [guest for guest in guests if guest.paged_with not in open_ids]


def _parted(mind: Mind, now: Now, guest: Incident, lead: str) -> Change:
    moved = lifecycle.part(guest, now.at)
    text = f"{lead}; told of on its own from now on."
    notices = _pages_of_its_own(mind, now, guest, moved, text=text, lead=f"{lead}: ")
    return move_of(mind, now, guest, moved, EventKind.NOTED, text=text, notices=notices)


def _pages_of_its_own(
    mind: Mind, now: Now, guest: Incident, moved: Incident, *, text: str, lead: str
) -> tuple[Notice, ...]:
    """What `guest`, having become `moved`, is owed instead of a place in its host's page."""
    said = _Said(moved, Action.TRIGGER, text, now.at, lead)
    notices: list[Notice] = []
    for channel in mind.channels:
        if paging.reaches(mind, channel, guest) and channel.name not in guest.paged:
            notices.append(_told(mind, now, _Place(channel, moved, ()), said))
            notices += _left(mind, now, channel, guest)
    return tuple(notices)


def _left(mind: Mind, now: Now, channel: Channel, guest: Incident) -> list[Notice]:
    """What ends, or falls silent, in the conversation that a guest leaves."""
    of = paging.conversation(mind, guest, channel)
    place = _Place(channel, of, paging.company(mind, of, channel, guest))
    asks = paging.spoken(guest, Action.RESOLVE, place.others)
    if of.id == guest.id or asks is Action.UPDATE:
        return []
    text = f"#{guest.number} is told of on its own from now on."
    return [_notice(mind, now, place, _Said(guest, Action.UPDATE, text, now.at), asks)]


def _told(mind: Mind, now: Now, place: _Place, said: _Said) -> Notice:
    """A notice that asks for what the company allows."""
    asks = paging.spoken(said.incident, said.action, place.others)
    waiting = [other for other in place.others if standing.waits(other)]
    if said.action is Action.ACKNOWLEDGE and waiting:
        only = wording.answers_only(said.incident, waiting)
        said = replace(said, text=f"{said.text} {only}")
    return _notice(mind, now, place, said, asks)


def _notice(mind: Mind, now: Now, place: _Place, said: _Said, asks: Action) -> Notice:
    channel, of = place.channel.name, place.of
    sequence = mind.sequences[of.id] = mind.sequences.get(of.id, 0) + 1
    alert = _alert(of, channel)
    return Notice(
        id=mind.mint(now.at),
        incident_id=of.id,
        channel=channel,
        action=asks,
        seq=sequence,
        key=f"{mind.instance}:{alert}:{channel}:{asks}:{sequence}",
        # What is open at the receiver is open under the name that it was given.
        dedup_key=f"{mind.named.get(of.id, mind.instance)}:{alert}",
        message=_message(mind, place, said),
        created_at=now.at,
        due_at=max(now.at, said.due),
        held=said.due > now.at,
    )


def _alert(of: Incident, channel: str) -> str:
    """What names the alert in which a conversation goes on: its incident, and which it is."""
    earlier = of.escalated.count(channel)
    return f"{of.id}.{earlier + 1}" if earlier else of.id


def _message(mind: Mind, place: _Place, said: _Said) -> Message:
    if paging.outside(place.channel):
        return public.message(said.incident, said.action)
    return wording.message(
        said.incident,
        said.action,
        said.text,
        _links(mind, place.of, (said.incident, *place.others)),
        _runbooks(mind, said.incident),
        of=place.of,
        beside=place.others,
        lead=said.lead,
        story=said.story,
    )


def _links(mind: Mind, of: Incident, others: Iterable[Incident]) -> dict[str, str]:
    """The page of the conversation's incident, and of each other that is told of."""
    places = {"Incident": of} | {f"Incident #{o.number}": o for o in others if o.id != of.id}
    return {
        name: f"{mind.public_url}/incidents/{incident.number}" for name, incident in places.items()
    }


def _runbooks(mind: Mind, incident: Incident) -> tuple[str, ...]:
    known = {
        (check.service, check.name): check.runbook
        for service in mind.estate.services
        for check in service.checks
    }
    found = (known.get((incident.service, check), "") for check in incident.checks)
    return tuple(dict.fromkeys(runbook for runbook in found if runbook))
