"""Whether everybody who is owed a page has been told, and who is told in place of whom that is not.

Every so often the engine reads what the outbox says of all triggers, and this compares it with
what is in mind:

    no trigger where one is owed      it is made: a channel is new in the configuration, say
    refused for good, or tried for    the channels that stand in for this one are called in; where
    `fail_over_after` in vain         none does, the others are told that a pager was not

Each trigger is given up once, and goes on being tried for as long as it ever is: should it arrive
after all, two have been told. What was judged since the outbox was read is left for the next time,
and what is silenced for when it is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from monitor.clock import Now
from monitor.incident import lifecycle, wording
from monitor.judge import paging
from monitor.judge.mind import Mind, kept, move_of, remembered
from monitor.judge.notices import first_told, notices_of
from monitor.model import (
    Action,
    Change,
    Channel,
    EventKind,
    Incident,
    Notice,
    NoticeState,
    Role,
)


def reconciled(
    mind: Mind, versions: Mapping[str, int], triggers: Sequence[Notice], now: Now
) -> list[Change]:
    """What is made up for. `triggers` are those of all conversations of open incidents.

    `versions` are the incidents, by id, as they were when the triggers were read.
    """
    changes: list[Change] = []
    for incident in sorted(mind.open.values(), key=lambda each: each.number):
        if versions.get(incident.id) == incident.version and incident.silenced is None:
            changes += _untold(mind, now, incident, triggers)
            changes += _undelivered(mind, now, mind.open[incident.subject], triggers)
    return remembered(mind, changes)


def _untold(mind: Mind, now: Now, incident: Incident, triggers: Iterable[Notice]) -> list[Change]:
    """Channels that are owed a page of what fails and have none."""
    made = {(trigger.incident_id, trigger.channel) for trigger in triggers}
    changes = []
    for channel in mind.channels:
        if incident.watch_until is not None or not paging.reaches(mind, channel, incident):
            continue
        of = paging.conversation(mind, incident, channel)
        if (of.id, channel.name) not in made:
            text = wording.untold_text(channel.name)
            before = mind.open[incident.subject]
            changes.append(called_in(mind, now, before, channel, text=text, lead=""))
    return changes


def _undelivered(
    mind: Mind, now: Now, incident: Incident, triggers: Iterable[Notice]
) -> list[Change]:
    """Triggers of an incident's own conversation that are not waited for any longer."""
    changes: list[Change] = []
    for trigger in triggers:
        new = trigger.incident_id == incident.id and trigger.id not in incident.given_up
        if new and _in_vain(mind, trigger, now.at):
            changes += _failed_over(mind, now, mind.open[incident.subject], trigger)
    return changes


def _in_vain(mind: Mind, trigger: Notice, at: datetime) -> bool:
    if trigger.state is NoticeState.DEAD:
        return True
    tried = trigger.attempts > 0 and trigger.state is not NoticeState.SENT
    return tried and at >= trigger.first_due + timedelta(seconds=mind.policy.fail_over_after)


def _failed_over(mind: Mind, now: Now, incident: Incident, trigger: Notice) -> list[Change]:
    stand_ins = [
        channel
        for channel in mind.channels
        if channel.stands_in_for == trigger.channel
        and paging.concerns(channel, incident)
        and not paging.reaches(mind, channel, incident)
    ]
    dead = trigger.state is NoticeState.DEAD
    named = [channel.name for channel in stand_ins]
    text = wording.failed_over_text(trigger.channel, trigger.last_error, named, dead=dead)
    moved = lifecycle.fail_over(incident, trigger.id)
    alone = not stand_ins and _pages(mind, trigger.channel)
    told = _others_told(mind, now, moved, trigger.channel, text) if alone else ()
    first = move_of(mind, now, incident, moved, EventKind.FAILED_OVER, text=text, notices=told)
    lead = f"Instead of {trigger.channel}: "
    called = [
        called_in(mind, now, mind.open[incident.subject], channel, text=text, lead=lead)
        for channel in stand_ins
    ]
    return [first, *called]


def _pages(mind: Mind, channel: str) -> bool:
    """Whether a channel reaches on-call: that it was not told is worth a message of its own."""
    return any(each.name == channel and Role.ON_CALL in each.roles for each in mind.channels)


def _others_told(
    mind: Mind, now: Now, incident: Incident, channel: str, text: str
) -> tuple[Notice, ...]:
    """That one channel was not told, to all others."""
    notices = notices_of(mind, now, incident, Action.UPDATE, text)
    return tuple(notice for notice in notices if notice.channel != channel)


def called_in(
    mind: Mind, now: Now, incident: Incident, channel: Channel, *, text: str, lead: str
) -> Change:
    """A further channel is triggered, and told of the incident from now on."""
    moved = kept(mind, lifecycle.call_in(incident, channel.name))
    trigger = first_told(mind, now, moved, channel, text=text, lead=lead)
    return move_of(mind, now, incident, moved, EventKind.CALLED_IN, text=text, notices=(trigger,))
