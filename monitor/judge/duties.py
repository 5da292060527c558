"""What falls due on an open incident by itself, as time passes.

    no person has responded      a warning at each of `warn_at`, the last being the breach, to
                                 everyone who was told
    a report that joined after   the same of what that report is owed
    a person responded waits
    support closes, critical,    by a new alert on every on-call channel: a repeat under the same
    nobody has it                key pages nobody
    support closes, critical,    on-call gets the timeline and is to accept it within
    somebody has it              `accept_within`; nobody having accepted it by then is a new alert
    critical, goes on failing,   whoever has it is asked whether he still does, by a new alert;
    had for `ask_again_after`    to acknowledge again is the answer
    nobody has it for `after`    that channel is called in: it is triggered, and told of the rest
    of a channel
    lasts for `after` of a       that channel is told of it
    channel for outsiders

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
from monitor.incident import lifecycle, replying, standing, wording
from monitor.judge import paging
from monitor.judge.mind import Mind, move_of
from monitor.judge.notices import notices_of, paged_anew
from monitor.judge.owed import called_in
from monitor.model import (
    Action,
    Change,
    Channel,
    EventKind,
    Handover,
    Incident,
    Priority,
    ReportedBy,
    Role,
)
from monitor.policy import WARN_SHARES


def fallen_due(mind: Mind, now: Now) -> list[Change]:
    """Every warning, escalation and handover that is due by now."""
    changes: list[Change] = []
    for subject in sorted(mind.open, key=lambda each: mind.open[each].number):
        while _warning_due(mind.open[subject], now.at):
            changes.append(_warned(mind, now, mind.open[subject]))
        while (reported := _report_due(mind.open[subject], now.at)) is not None:
            changes.append(_warned_of(mind, now, mind.open[subject], reported))
        changes += _handed_over(mind, now, mind.open[subject])
        handover = mind.open[subject].handover
        if handover is not None and _unaccepted(mind.open[subject], handover, now.at):
            text = wording.unaccepted_text(handover)
            incident, since = mind.open[subject], handover.accept_by
            changes.append(_escalated(mind, now, incident, since, text=text, lead="Not accepted: "))
        if _asking_due(mind, mind.open[subject], now.at):
            changes.append(_asked(mind, now, mind.open[subject]))
        for channel in mind.channels:
            after = _call_due(mind, channel, mind.open[subject], now.at)
            if after is not None:
                changes.append(_called_in(mind, now, mind.open[subject], channel, after))
    return changes


def _warning_due(incident: Incident, at: datetime) -> bool:
    return bool(incident.warn_at) and incident.warn_at[0] <= at


def _warned(mind: Mind, now: Now, incident: Incident) -> Change:
    share = WARN_SHARES[-len(incident.warn_at)]
    moved = lifecycle.warn(incident)
    text = wording.warning_text(incident, share)
    notices = notices_of(mind, now, moved, Action.UPDATE, text)
    return move_of(mind, now, incident, moved, EventKind.WARNED, text=text, notices=notices)


def _report_due(incident: Incident, at: datetime) -> ReportedBy | None:
    """The first report of an incident of which a warning of its own is due."""
    due = (each for each in incident.reports if each.warn_at and each.warn_at[0] <= at)
    return next(due, None)


def _warned_of(mind: Mind, now: Now, incident: Incident, reported: ReportedBy) -> Change:
    share = WARN_SHARES[-len(reported.warn_at)]
    moved = lifecycle.warn_of(incident, reported)
    text = replying.report_warning_text(reported, share)
    only = None if reported.tenant is not None else Role.SERVICE_DESK
    notices = notices_of(mind, now, moved, Action.UPDATE, text, only=only)
    return move_of(mind, now, incident, moved, EventKind.WARNED, text=text, notices=notices)


def _handed_over(mind: Mind, now: Now, incident: Incident) -> list[Change]:
    """What support, having closed, leaves to on-call."""
    closed_at = _closing_due(mind, now.at, incident)
    if closed_at is None:
        return []
    if incident.acknowledged_at is None:
        text = wording.unattended_text(closed_at)
        lead = "Still nobody has it: "
        return [_escalated(mind, now, incident, closed_at, text=text, lead=lead)]
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
    return move_of(mind, now, incident, moved, EventKind.HANDED_OVER, text=text, notices=notices)


def _unaccepted(incident: Incident, handover: Handover, at: datetime) -> bool:
    open_still = handover.accepted_at is None and handover.paged_at is None
    return open_still and incident.watch_until is None and handover.accept_by <= at


def _escalated(
    mind: Mind, now: Now, incident: Incident, since: datetime, *, text: str, lead: str
) -> Change:
    """A new alert on every on-call channel, as is due since `since`.

    A guest gets a page of its own, unless its host's has been made anew since then. What is
    silenced is alerted of when that is over.
    """
    if incident.silenced is not None:
        moved = lifecycle.put_off(incident, now.at)
        return move_of(mind, now, incident, moved, EventKind.ESCALATED, text=text)
    moved = lifecycle.escalate(incident, _own_pages(mind, incident), now.at)
    leaving = moved if moved.paged_with and not _host_pages(mind, moved, since) else None
    moved, notices = paged_anew(mind, now, incident, moved, text=text, lead=lead, leaving=leaving)
    return move_of(mind, now, incident, moved, EventKind.ESCALATED, text=text, notices=notices)


def _own_pages(mind: Mind, incident: Incident) -> list[str]:
    """The on-call channels that are told of an incident in a conversation of its own."""
    return [
        channel.name
        for channel in mind.channels
        if Role.ON_CALL in channel.roles
        and paging.reaches(mind, channel, incident)
        and paging.conversation(mind, incident, channel).id == incident.id
    ]


def _host_pages(mind: Mind, guest: Incident, since: datetime) -> bool:
    """Whether the incident whose page this one shares has been escalated itself since then."""
    host = next((each for each in mind.open.values() if each.id == guest.paged_with), None)
    if host is None or host.closings_after is None or not paging.unattended(host):
        return False
    return host.closings_after >= since


def _asking_due(mind: Mind, incident: Incident, at: datetime) -> bool:
    """Whether who took an incident that goes on failing is to be asked if he still has it."""
    taken = standing.taken_at(incident)
    if taken is None or incident.priority is not Priority.CRITICAL or incident.silenced:
        return False
    quiet = incident.watch_until is not None or standing.to_renew(incident)
    if quiet or standing.to_accept(incident):
        return False
    return at >= taken + timedelta(seconds=mind.policy.ask_again_after)


def _asked(mind: Mind, now: Now, incident: Incident) -> Change:
    """A new alert on every on-call channel; a guest gets a page of its own."""
    moved = lifecycle.ask(incident, _own_pages(mind, incident), now.at)
    text, lead = wording.asking_text(incident, mind.policy.ask_again_after), "Still failing: "
    leaving = moved if moved.paged_with else None
    moved, notices = paged_anew(mind, now, incident, moved, text=text, lead=lead, leaving=leaving)
    return move_of(mind, now, incident, moved, EventKind.ASKED, text=text, notices=notices)


def _call_due(mind: Mind, channel: Channel, incident: Incident, at: datetime) -> float | None:
    """How long, in seconds, a channel was to wait that is now to be told; None otherwise."""
    after = channel.after
    if after is None or incident.silenced or not paging.concerns(channel, incident):
        return None
    fails = incident.watch_until is None
    wanted = fails if paging.outside(channel) else paging.unattended(incident)
    if not wanted or paging.reaches(mind, channel, incident):
        return None
    told_at = max(incident.reported_at, incident.notify_at)
    return after if at >= told_at + timedelta(seconds=after) else None


def _called_in(mind: Mind, now: Now, incident: Incident, channel: Channel, after: float) -> Change:
    outside = paging.outside(channel)
    words = wording.shown_outside_text if outside else wording.called_in_text
    text = words(after, channel.name)
    return called_in(mind, now, incident, channel, text=text, lead="Nobody has it: ")
