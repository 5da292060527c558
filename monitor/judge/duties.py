"""What falls due on an open incident by itself, as time passes.

    no person has responded      a warning at each of `warn_at`, the last being the breach, to
                                 everyone who was told
    support closes, critical,    by a new alert on every on-call channel: a repeat under the same
    nobody has it                key pages nobody
    support closes, critical,    on-call gets the timeline and is to accept it within
    somebody has it              `accept_within`; nobody having accepted it by then is a new alert

What has recovered and is watched is not handed over; should it fail again while support is closed,
it is handed over then. An incident that shares another's page is escalated with it, or gets a page
of its own where a person has that other.

Each is a move of the incident, written with what it owes: done once, also when the process dies in
between, and made up for when it was not running. Of several closings that were missed the last
counts; what somebody has is not handed over once support is open again, nor what somebody took
after it closed.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from monitor import hours
from monitor.clock import Now
from monitor.incident import lifecycle, wording
from monitor.judge import paging
from monitor.judge.mind import ACTOR, Mind, kept
from monitor.judge.notices import alerted_anew, notices_of, parted
from monitor.model import (
    Action,
    Change,
    EventKind,
    Handover,
    Incident,
    Notice,
    Role,
    TimelineEvent,
)
from monitor.policy import WARN_SHARES


def fallen_due(mind: Mind, now: Now) -> list[Change]:
    """Every warning, escalation and handover that is due by now."""
    changes: list[Change] = []
    for subject in sorted(mind.open, key=lambda each: mind.open[each].number):
        while _warning_due(mind.open[subject], now.at):
            changes.append(_warned(mind, now, mind.open[subject]))
        changes += _handed_over(mind, now, mind.open[subject])
        handover = mind.open[subject].handover
        if handover is not None and _unaccepted(mind.open[subject], handover, now.at):
            text = wording.unaccepted_text(handover)
            changes += _escalated(mind, now, mind.open[subject], text, "Not accepted: ")
    return changes


def _warning_due(incident: Incident, at: datetime) -> bool:
    return bool(incident.warn_at) and incident.warn_at[0] <= at


def _warned(mind: Mind, now: Now, incident: Incident) -> Change:
    share = WARN_SHARES[-len(incident.warn_at)]
    moved = lifecycle.warn(incident)
    text = wording.warning_text(incident, share)
    notices = notices_of(mind, now, moved, Action.UPDATE, text)
    return _moved(mind, now, moved, EventKind.WARNED, text, notices=notices)


def _handed_over(mind: Mind, now: Now, incident: Incident) -> list[Change]:
    """What support, having closed, leaves to on-call."""
    closed_at = _closing_due(mind, now.at, incident)
    if closed_at is None:
        return []
    if incident.acknowledged_at is None:
        text = wording.unattended_text(closed_at)
        return _escalated(mind, now, incident, text, "Still nobody has it: ")
    if hours.is_open(mind.calendar, now.at) or incident.acknowledged_at >= closed_at:
        return []
    return [_offered(mind, now, incident, closed_at)]


def _closing_due(mind: Mind, at: datetime, incident: Incident) -> datetime | None:
    """The last closing that an incident is still to be handed over at, None when there is none.

    None is known where the calendar does not reach.
    """
    if incident.closings_after is None or incident.watch_until is not None:
        return None
    with suppress(hours.OutsideCoverage):
        if hours.next_closing(mind.calendar, incident.closings_after) <= at:
            return hours.last_closing(mind.calendar, at)
    return None


def _offered(mind: Mind, now: Now, incident: Incident, closed_at: datetime) -> Change:
    """On-call is to accept what somebody of support has."""
    within = timedelta(seconds=mind.policy.accept_within)
    accept_by = closed_at + within if now.at < closed_at + within else now.at + within
    moved = lifecycle.hand_over(incident, Handover(closed_at, accept_by))
    text = wording.handover_text(moved, closed_at, accept_by)
    story = wording.story_lines(mind.timelines.get(incident.id, ()))
    notices = notices_of(
        mind, now, moved, Action.UPDATE, text, only=Role.ON_CALL, story=("Timeline:", *story)
    )
    return _moved(mind, now, moved, EventKind.HANDED_OVER, text, notices=notices)


def _unaccepted(incident: Incident, handover: Handover, at: datetime) -> bool:
    open_still = handover.accepted_at is None and handover.paged_at is None
    return open_still and incident.watch_until is None and handover.accept_by <= at


def _escalated(mind: Mind, now: Now, incident: Incident, text: str, lead: str) -> list[Change]:
    """A new alert on every on-call channel, and a page of its own for a guest that needs one."""
    own = [
        channel.name
        for channel in mind.channels
        if Role.ON_CALL in channel.roles
        and paging.reaches(channel, incident)
        and paging.conversation(mind, incident, channel).id == incident.id
    ]
    moved = lifecycle.escalate(incident, own, now.at)
    notices = alerted_anew(mind, now, incident, moved, text=text, lead=lead)
    changes = [_moved(mind, now, moved, EventKind.ESCALATED, text, notices=notices)]
    if moved.paged_with is not None and not _host_pages(mind, moved):
        changes.append(parted(mind, now, mind.open[moved.subject], lead.rstrip(": ")))
    return changes


def _host_pages(mind: Mind, guest: Incident) -> bool:
    """Whether the incident whose page this one shares is escalated itself."""
    host = next((each for each in mind.open.values() if each.id == guest.paged_with), None)
    return host is not None and paging.unattended(host) and paging.unattended(guest)


def _moved(
    mind: Mind,
    now: Now,
    moved: Incident,
    kind: EventKind,
    text: str,
    *,
    notices: tuple[Notice, ...],
) -> Change:
    return Change(
        incident=kept(mind, moved, notices),
        was_version=moved.version - 1,
        events=(TimelineEvent(moved.id, now.at, ACTOR, kind, text),),
        notices=notices,
    )
