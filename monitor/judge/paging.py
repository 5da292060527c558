"""One page for services that go down together: in whose conversation a channel is told of what.

A *conversation* is what a channel keeps under one `dedup_key`: it begins with a trigger and ends
with a resolve. Every incident has one of its own on each channel that reaches it, unless it is a
*guest*: then the channel is told of it in the conversation of the *host*, so that on-call is
paged once for what happens at once.

1. *Who is a guest.* A new incident, when it went down together with an open one (`linking.py`)
   which nobody has acknowledged or silenced, which still fails, which was told at once and is no
   guest itself. It is a guest on the channels that were owed the host's trigger; any other channel
   gets the guest's own trigger. Channels that a later, wider route adds do too. Outsiders are told
   of each on its own: they see one service, or know nothing of the other.
2. *What is said.* By who else is told of in that conversation on that channel and is not over:

       what happens to    nobody else    somebody is waiting    all others are
       the incident                      for a person           acknowledged
       ---------------    -----------    -------------------    --------------
       trigger            trigger        update                 update
       update             update         update                 update
       acknowledge        acknowledge    update                 acknowledge
       resolve            resolve        update                 acknowledge (an update where
                                                                this one was, too)

   So an acknowledgement answers for one incident only, and a receiver falls silent once every
   incident told of there has a person; it closes the alert once the last of them is over.
3. *How a guest leaves.* When the host is over while the guest fails and no person has it, the
   guest gets a trigger of its own on each of those channels, written before the host's resolve.
   A guest that has recovered and is watched, or that a person has, wakes nobody: it stays, the
   conversation stays open until it is over, and should it fail again unacknowledged it leaves
   then.

4. *Who is told later.* A channel with `after` or `stands_in_for` is told of nothing until it is
   called in (`duties.py`, `owed.py`); from then on it is told of that incident as any other is, and
   of its guests.

What this rests on is stored with the incidents: `paged_with` names the host, `paged` the channels
that an incident's own conversation was begun on. A host that is resolved is taken up again with
its guests (`Mind.ended`). What is told in a conversation is numbered by it and has its keys.

This file does not know whether a notice arrived; what is made of those that do not is in `owed.py`.
"""

from __future__ import annotations

from enum import StrEnum

from monitor.incident import standing
from monitor.judge.linking import together
from monitor.judge.mind import Mind
from monitor.model import MONITOR, OUTSIDERS, Action, Channel, Impact, Incident, Role


class Company(StrEnum):
    """Who else is told of in a conversation and is not over."""

    NOBODY = "nobody"
    WAITING = "waiting"
    TAKEN = "taken"


SPOKEN: dict[tuple[Action, Company], Action] = {
    (Action.TRIGGER, Company.NOBODY): Action.TRIGGER,
    (Action.TRIGGER, Company.WAITING): Action.UPDATE,
    (Action.TRIGGER, Company.TAKEN): Action.UPDATE,
    (Action.UPDATE, Company.NOBODY): Action.UPDATE,
    (Action.UPDATE, Company.WAITING): Action.UPDATE,
    (Action.UPDATE, Company.TAKEN): Action.UPDATE,
    (Action.ACKNOWLEDGE, Company.NOBODY): Action.ACKNOWLEDGE,
    (Action.ACKNOWLEDGE, Company.WAITING): Action.UPDATE,
    (Action.ACKNOWLEDGE, Company.TAKEN): Action.ACKNOWLEDGE,
    (Action.RESOLVE, Company.NOBODY): Action.RESOLVE,
    (Action.RESOLVE, Company.WAITING): Action.UPDATE,
    (Action.RESOLVE, Company.TAKEN): Action.ACKNOWLEDGE,
}
"""What a channel is asked for, by what happens to an incident and who else is told of there."""


def spoken(incident: Incident, action: Action, company: tuple[Incident, ...]) -> Action:
    """What a channel is asked for when `action` happens to an incident in that company."""
    waiting = any(standing.waits(other) for other in company)
    kind = Company.NOBODY if not company else Company.WAITING if waiting else Company.TAKEN
    asked = SPOKEN[action, kind]
    silent = action is Action.RESOLVE and not standing.waits(incident)
    return Action.UPDATE if asked is Action.ACKNOWLEDGE and silent else asked


def host_id(mind: Mind, incident: Incident) -> str | None:
    """The id of the open incident whose guest a new one becomes, None when of none."""
    staff = [channel for channel in mind.channels if not outside(channel)]
    reached = {channel.name for channel in staff if reaches(mind, channel, incident)}
    for host in sorted(mind.open.values(), key=lambda other: other.number):
        shares = reached & set(host.paged)
        if shares and _welcomes(host) and together(mind, incident, host):
            return host.id
    return None


def conversation(mind: Mind, incident: Incident, channel: Channel) -> Incident:
    """The incident in whose conversation a channel is told of this one: itself, or its host."""
    host = _host(mind, incident)
    own = channel.name in incident.paged or outside(channel)
    return incident if own or host is None or channel.name not in host.paged else host


def _host(mind: Mind, incident: Incident) -> Incident | None:
    if incident.paged_with is None:
        return None
    known = (*mind.open.values(), *mind.ended.values())
    return next((each for each in known if each.id == incident.paged_with), None)


def company(mind: Mind, of: Incident, channel: Channel, but: Incident) -> tuple[Incident, ...]:
    """Which open incidents, `but` one, a channel is told of in the conversation `of` another."""
    told = [
        each
        for each in mind.open.values()
        if each.id != but.id
        and of.id in (each.id, each.paged_with)
        and reaches(mind, channel, each)
        and conversation(mind, each, channel).id == of.id
    ]
    return tuple(sorted(told, key=lambda each: each.number))


def reaches(mind: Mind, channel: Channel, incident: Incident) -> bool:
    """Whether a channel is told of an incident by now: at once, or since it was called in."""
    if not concerns(channel, incident):
        return False
    host = _host(mind, incident)
    called_in = channel.name in (*incident.paged, *(host.paged if host else ()))
    return channel.at_once() or called_in


def concerns(channel: Channel, incident: Incident) -> bool:
    """Whether a channel is for one of those who are told of an incident, now or later."""
    if not channel.is_for(incident.service, incident.priority):
        return False
    if outside(channel):
        return _shows_outside(channel, incident)
    theirs = not channel.tenants or incident.tenant in channel.tenants
    return theirs and bool(set(channel.roles) & set(incident.route))


def outside(channel: Channel) -> bool:
    """Whether a channel is read by people who do not work here."""
    return bool(set(channel.roles) & set(OUTSIDERS))


def _shows_outside(channel: Channel, incident: Incident) -> bool:
    """Whether outsiders learn of an incident by this channel.

    They do of what probes saw down for everyone, and a tenant's owner of what stops that tenant.
    """
    if incident.impact is not Impact.ALL or incident.by_customer or incident.service == MONITOR:
        return False
    if incident.tenant is None:
        return Role.REPORTER not in channel.roles
    return Role.TENANT_OWNER in channel.roles and incident.tenant in channel.tenants


def unattended(incident: Incident) -> bool:
    """Whether it fails and no person has it: then it needs a conversation that pages."""
    return incident.watch_until is None and standing.waits(incident)


def _welcomes(host: Incident) -> bool:
    told_at_once = host.notify_at <= host.reported_at
    heard = host.silenced is None
    return unattended(host) and told_at_once and heard and host.paged_with is None
