"""The digest: what the service desk reads when support opens, of what happened while it was closed.

One digest is made for every opening that finds the monitor running before support closes again; it
covers everything since the last one, so that an opening that was missed is made up for. It names
every incident that was reported or resolved since, and every one that is still open. Where nothing
happened nothing is sent, but the digest is written: it is made once.

A channel for staff that could not be told for long gets one of its own, of what happened meanwhile:
its notices arrive one by one, late and out of proportion, and somebody has to make sense of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from monitor import hours
from monitor.clock import Now
from monitor.incident import wording
from monitor.judge import paging
from monitor.judge.mind import Mind
from monitor.model import STAFF, Action, Change, Channel, Digest, Incident, Message, Notice, Role


def digest_due(mind: Mind, at: datetime) -> datetime | None:
    """Since when the digest that is due at an instant is to tell; None when none is due.

    None is due where the calendar does not reach: a clock that is far off must not end the process.
    """
    with suppress(hours.OutsideCoverage):
        return _due(mind, at)
    return None


def _due(mind: Mind, at: datetime) -> datetime | None:
    opening = hours.opened_at(mind.calendar, at)
    if opening is None or (mind.digested is not None and opening <= mind.digested):
        return None
    if mind.digested is None:
        return hours.last_closing(mind.calendar, opening)
    since = hours.next_closing(mind.calendar, mind.digested)
    return since if since <= opening else None


def digest(mind: Mind, since: datetime, incidents: Sequence[Incident], now: Now) -> Change:
    """The digest due at `now`, of `incidents` reported, resolved or open since, oldest first."""
    opening = hours.opened_at(mind.calendar, now.at)
    if opening is None:
        raise ValueError(f"support is closed at {now.at}: no digest is due")
    mind.digested = opening
    lines = tuple(wording.digest_line(incident) for incident in incidents)
    made = Digest(opening, since, now.at)
    headline = wording.digest_headline(since, incidents)
    desks = [channel for channel in mind.channels if Role.SERVICE_DESK in channel.roles]
    message = Message(headline, lines, None, {"Incidents": f"{mind.public_url}/"})
    name = f"digest-{opening:%Y%m%dT%H%MZ}"
    owed = [_notice(mind, now, channel, name, message) for channel in desks] if lines else []
    return Change(digest=made, notices=tuple(owed))


def caught_up(
    mind: Mind, channel: str, since: datetime, incidents: Sequence[Incident], now: Now
) -> Change | None:
    """What a channel is told that can be reached again, having missed what happened since.

    None where there is nothing to tell, or nobody to whom.
    """
    told = next((each for each in mind.channels if each.name == channel), None)
    if told is None or not set(STAFF) & set(told.roles):
        return None
    theirs = [i for i in incidents if paging.concerns(told, i)]
    if not theirs:
        return None
    message = Message(
        wording.caught_up_headline(channel, since, now.at, theirs),
        tuple(wording.digest_line(incident) for incident in theirs),
        None,
        {"Incidents": f"{mind.public_url}/"},
    )
    name = f"late-{since:%Y%m%dT%H%M%SZ}"
    return Change(notices=(_notice(mind, now, told, name, message),))


def _notice(mind: Mind, now: Now, channel: Channel, name: str, message: Message) -> Notice:
    dedup_key = f"{mind.instance}:{name}"
    return Notice(
        id=mind.mint(now.at),
        incident_id=None,
        channel=channel.name,
        action=Action.TELL,
        seq=1,
        key=f"{dedup_key}:{channel.name}",
        dedup_key=dedup_key,
        message=message,
        created_at=now.at,
        due_at=now.at,
    )
