"""The words: titles, timeline lines and messages, for a reader at 3 a.m.

The first line says what is down for whom since when; then how that is known, the errors as they
were seen, what is promised, and where to look. Times are given in UTC and London time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from monitor.model import (
    Action,
    Audience,
    Decision,
    Dimension,
    ErrorSeen,
    Extent,
    Handover,
    Impact,
    Incident,
    Interval,
    Message,
    Priority,
    Service,
    Silence,
    TimelineEvent,
    Verdict,
    VerdictReason,
)

_LONDON = ZoneInfo("Europe/London")
_AUDIENCE = {Audience.USERS: "all users", Audience.END_USERS: "all end users"}
_ERRORS_TOLD = 10


def moment(at: datetime) -> str:
    """An instant for people: London time, with UTC behind it."""
    local = at.astimezone(_LONDON)
    return f"{local:%a %d %b %H:%M:%S} {local:%Z} ({at.astimezone(UTC):%H:%M:%SZ})"


_CANNOT_TELL = {
    VerdictReason.BLIND: "The monitor is blind",
    VerdictReason.LOCKED_OUT: "{title} turns us away",
    VerdictReason.TURNED_ON_US: "{title} fails for us, but not for its users",
}


_REPORTED_TITLE = {
    VerdictReason.REPORTED_ALL: "{title} is reported down for all users of {tenant}",
    VerdictReason.REPORTED_PART: "{title} is reported failing for users of {tenant}",
    VerdictReason.REPORTED_ANONYMOUSLY: "{title} is reported failing, anonymously",
}
_REPORTED_SCOPE = {
    VerdictReason.REPORTED_ALL: "all users of {tenant}, as reported",
    VerdictReason.REPORTED_PART: "users of {tenant}, as reported",
    VerdictReason.REPORTED_ANONYMOUSLY: "not known: reported without a customer's token",
}


def clock_time(at: datetime) -> str:
    """The time of day in London, for a headline."""
    return f"{at.astimezone(_LONDON):%H:%M}"


def began_words(began: Interval) -> str:
    """When it began, as an interval: last known good, first known bad."""
    if began.after is None:
        return f"not later than {moment(began.before)}; nothing is known before"
    return f"after {moment(began.after)}, not later than {moment(began.before)}"


def scope_of(verdict: Verdict, service: Service) -> str:
    """Who is affected, in a few words."""
    if verdict.impact is Impact.UNKNOWN:
        return "cannot tell"
    if verdict.reason is VerdictReason.NEVER_WORKED:
        return f"never worked: {_members(verdict.extent)}"
    if verdict.reason in _REPORTED_SCOPE:
        return _REPORTED_SCOPE[verdict.reason].format(tenant=verdict.tenant)
    tenant = f" of {verdict.tenant}" if verdict.tenant else ""
    if verdict.impact is Impact.ALL:
        return _AUDIENCE[service.audience] + tenant
    return part_words(verdict.extent) + tenant


def part_words(extent: Extent) -> str:
    """Which part of a service fails."""
    total = extent.population
    if extent.dimension is Dimension.TARGET:
        return f"{len(extent.members)} of {total} targets: {_members(extent)}"
    if extent.dimension is Dimension.GROUP:
        return f"backend group {_members(extent)}"
    if extent.dimension is Dimension.VANTAGE:
        return f"as seen from {_members(extent)}"
    if extent.dimension is Dimension.EVERYONE:
        return f"all {total} targets, too few to speak for everyone"
    return "a share of requests"


def _members(extent: Extent) -> str:
    shown = ", ".join(extent.members[:5])
    more = len(extent.members) - 5
    return f"{shown} and {more} more" if more > 0 else shown


def title_of(verdict: Verdict, service: Service) -> str:
    """What is down for whom, without when."""
    if verdict.reason in _CANNOT_TELL:
        why = _CANNOT_TELL[verdict.reason].format(title=service.title)
        return f"{why}: we cannot tell whether customers are down"
    if verdict.reason in _REPORTED_TITLE:
        words = _REPORTED_TITLE[verdict.reason]
        return words.format(title=service.title, tenant=verdict.tenant)
    if verdict.impact is Impact.ALL:
        return f"{service.title} is down for {scope_of(verdict, service)}"
    if verdict.reason is VerdictReason.DEGRADED:
        return f"{service.title} is degraded: {part_words(verdict.extent)}"
    if verdict.reason is VerdictReason.NEVER_WORKED:
        return f"{service.title}: {', '.join(verdict.checks)} {scope_of(verdict, service)}"
    return f"{service.title} is failing for {scope_of(verdict, service)}"


def opening_text(incident: Incident, decision: Decision) -> str:
    """The first line of the timeline."""
    return (
        f"{incident.title}. Began {began_words(incident.began)}. {incident.known_by} "
        f"{decision.sentence}"
    )


def update_text(before: Incident, moved: Incident) -> str:
    """What has changed of what is known."""
    more = [check for check in moved.checks if check not in before.checks]
    also = f"Now also failing: {', '.join(more)}. " if more else ""
    return f"{also}Now: {moved.title}. {moved.known_by}"


def recovered_text(incident: Incident) -> str:
    """The announcement that it works again."""
    since = incident.recovered.before if incident.recovered else incident.detected_at
    until = clock_time(incident.watch_until) if incident.watch_until else "further notice"
    return f"Recovered {clock_time(since)}, watching until {until}."


def relapsed_text(incident: Incident) -> str:
    """It failed again before the watch was over."""
    return f"Failing again: episode {incident.episodes} of the same outage."


def resolved_text(incident: Incident) -> str:
    """The end, and how long it lasted at least and at most."""
    if incident.resolved_by is not None:
        found = " It was a false alarm." if incident.false_alarm else ""
        return f"Resolved by {incident.resolved_by}.{found}"
    if incident.recovered is None:
        return "Resolved."
    back = incident.recovered.before
    return f"Resolved: working since {moment(back)}, {_lasted(incident, back)}."


def _lasted(incident: Incident, back: datetime) -> str:
    shortest = _minutes(back, incident.began.before)
    if incident.began.after is None:
        return f"down for at least {shortest}"
    longest = _minutes(back, incident.began.after)
    return f"down for {shortest}" if shortest == longest else f"down for {shortest} to {longest}"


def _minutes(later: datetime, earlier: datetime) -> str:
    seconds = max(0, round((later - earlier).total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min {seconds % 60} s"


_SHARE_WORDS = {0.5: "Half of the time", 0.75: "Three quarters of the time"}


def warning_text(incident: Incident, share: float) -> str:
    """Nobody has responded, and so much of the time for it is over; 1 is the breach."""
    due = "" if incident.respond_by is None else moment(incident.respond_by)
    if share >= 1:
        return f"Response target missed: nobody had acknowledged this by {due}."
    return f"{_SHARE_WORDS[share]} to respond is over and nobody has acknowledged this. Due {due}."


def unattended_text(closed_at: datetime) -> str:
    """Support closed, and nobody has it."""
    return f"Support closed at {clock_time(closed_at)} and nobody has acknowledged this."


def handover_text(incident: Incident, closed_at: datetime, accept_by: datetime) -> str:
    """Support closed, and on-call is to accept it from the person who has it."""
    return (
        f"Support closed at {clock_time(closed_at)} with this unresolved. {_held_by(incident)} "
        f"On-call is to accept it (acknowledge again) by {clock_time(accept_by)}, or is paged."
    )


def unaccepted_text(handover: Handover) -> str:
    """Nobody accepted what was handed over."""
    return (
        f"Nobody accepted this by {clock_time(handover.accept_by)}, since support closed at "
        f"{clock_time(handover.closed_at)}."
    )


def called_in_text(after: float, channel: str) -> str:
    """Nobody answered for so many seconds, and the next is told."""
    return f"Nobody has acknowledged this for {_span(after)}: {channel} is told now."


def shown_outside_text(after: float, channel: str) -> str:
    """It has lasted for so many seconds, and people outside are told."""
    return f"This has lasted for {_span(after)}: {channel} is told now."


def failed_over_text(channel: str, said: str | None, instead: Sequence[str], *, dead: bool) -> str:
    """A channel cannot be told, and others are in its place."""
    why = f": {said}" if said else ""
    state = "refuses this for good" if dead else "cannot be reached"
    named = f" Told in its place: {', '.join(instead)}." if instead else ""
    return f"{channel} {state}{why}.{named}"


def untold_text(channel: str) -> str:
    """A channel was owed a page that there is none of."""
    return f"{channel} had not been told of this: it is told now."


def asking_text(incident: Incident, after: float) -> str:
    """Who has it is asked whether he still does."""
    return (
        f"{incident.acknowledged_by} has had this for {_span(after)} and it still fails. "
        "Who has it now acknowledges again."
    )


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def silenced_text(silence: Silence) -> str:
    """A person silenced it."""
    return f"Silenced by {silence.by} until {moment(silence.until)}: {silence.reason}"


def silence_over_text(silence: Silence, by: str | None) -> str:
    """The silence is over: its time is, or `by` a person ended it."""
    ended = "" if by is None else f", ended by {by}"
    return f"No longer silenced by {silence.by} ({silence.reason}){ended}."


def silence_broken_text(silence: Silence) -> str:
    """It got wider than it was when it was silenced."""
    return f"It got wider, so it is no longer silenced by {silence.by} ({silence.reason})."


def _held_by(incident: Incident) -> str:
    if incident.acknowledged_at is None:
        return "Nobody has it."
    return f"{incident.acknowledged_by} has it since {clock_time(incident.acknowledged_at)}."


def story_lines(events: Sequence[TimelineEvent]) -> tuple[str, ...]:
    """A timeline, a line an event."""
    return tuple(f"{moment(event.at)} {event.actor}: {event.text}" for event in events)


def digest_headline(since: datetime, incidents: Sequence[Incident]) -> str:
    """What happened while support was closed, in numbers."""
    critical = sum(incident.priority is Priority.CRITICAL for incident in incidents)
    still = sum(incident.resolved_at is None for incident in incidents)
    return (
        f"Since support closed on {since.astimezone(_LONDON):%a %d %b at %H:%M}: "
        f"{critical} business critical, {len(incidents) - critical} standard, {still} still open"
    )


def caught_up_headline(
    channel: str, since: datetime, at: datetime, incidents: Sequence[Incident]
) -> str:
    """What a channel missed, in numbers."""
    still = sum(incident.resolved_at is None for incident in incidents)
    number = "1 incident" if len(incidents) == 1 else f"{len(incidents)} incidents"
    return (
        f"{channel} could not be told from {moment(since)} until {moment(at)}: "
        f"{number}, {still} still open. What was owed meanwhile is marked late"
    )


def digest_line(incident: Incident) -> str:
    """One incident of a digest: what, since when, who has it and how it ended."""
    critical = "CRITICAL " if incident.priority is Priority.CRITICAL else ""
    told = f"#{incident.number} {critical}{incident.title} since {moment(incident.began.before)}"
    return f"{told}; {_response_words(incident)}; {_end_words(incident)}."


def _response_words(incident: Incident) -> str:
    if incident.acknowledged_at is None:
        due = incident.respond_by
        return "nobody acknowledged it" + (f", due {moment(due)}" if due else "")
    late = incident.respond_by is not None and incident.acknowledged_at > incident.respond_by
    by = f"acknowledged {clock_time(incident.acknowledged_at)} by {incident.acknowledged_by}"
    return f"{by}, after the promised time" if late else by


def _end_words(incident: Incident) -> str:
    if incident.resolved_at is not None:
        return f"resolved {clock_time(incident.resolved_at)}"
    if incident.recovered is not None:
        return f"recovered {clock_time(incident.recovered.before)}, still watched"
    return "still open"


def linked_text(other: Incident, dependencies: Sequence[str], window: float) -> str:
    """Why an incident is related to `other`: what both depend on, or (none) the same service."""
    if not dependencies:
        return f"Linked with #{other.number}, of the same service: {other.title}."
    behind = " and ".join(dependencies)
    return (
        f"Linked with #{other.number}, which came within {window:g} s: {other.title}. "
        f"Both depend on {behind}."
    )


def answers_only(incident: Incident, waiting: Sequence[Incident]) -> str:
    """What an acknowledgement of `incident` leaves open in its conversation."""
    others = ", ".join(f"#{other.number}" for other in waiting)
    return f"This answers for #{incident.number} only: {others} still waits for a person."


def message(
    incident: Incident,
    action: Action,
    text: str,
    links: Mapping[str, str],
    runbooks: tuple[str, ...] = (),
    *,
    of: Incident | None = None,
    beside: Sequence[Incident] = (),
    lead: str = "",
    story: Sequence[str] = (),
) -> Message:
    """What a notice says of this action of `incident`.

    `of` is the incident in whose conversation it is said (None: its own), `beside` are the others
    told of there that are not over. `lead` begins the headline of a trigger, `story` follows the
    text.
    """
    shared = of is not None and of.id != incident.id
    headline = (
        _shared_headline(incident, action, text, of)
        if of is not None and shared
        else f"#{incident.number} {_headline(incident, action, text, lead)}"
    )
    if action is Action.RESOLVE and beside:
        headline += "; still open here: " + ", ".join(f"#{other.number}" for other in beside)
    lines = [
        text,
        *story,
        f"Affected: {incident.scope}.",
        f"Began: {began_words(incident.began)}.",
        *(_known_lines(incident, runbooks, beside) if action in _STILL_OPEN else ()),
        *(f"{name}: {link}" for name, link in links.items()),
    ]
    about = incident if shared else None
    return Message(headline, tuple(lines), of or incident, dict(links), about)


_STILL_OPEN = frozenset({Action.TRIGGER, Action.UPDATE})
"""What asks something of its reader: he is told all that is known."""


def _known_lines(
    incident: Incident, runbooks: Sequence[str], beside: Sequence[Incident]
) -> list[str]:
    """How it is known, the errors, what else is told of here, and by when somebody must answer."""
    errors = _error_lines(incident.errors)
    lines = [f"How we know: {incident.known_by}", *errors[:_ERRORS_TOLD]]
    more = len(errors) - _ERRORS_TOLD
    lines += [f"... and {more} more kinds of error."] if more > 0 else []
    lines += [_beside_line(other) for other in beside]
    lines += [f"Runbook: {runbook}" for runbook in runbooks]
    if incident.respond_by is not None and incident.acknowledged_at is None:
        lines.append(f"Respond by {moment(incident.respond_by)}.")
    return lines


def _headline(incident: Incident, action: Action, text: str, lead: str = "") -> str:
    critical = "CRITICAL " if incident.priority is Priority.CRITICAL else ""
    since = f"since {clock_time(incident.began.before)}"
    if action is Action.UPDATE and incident.watch_until is not None:
        return f"RECOVERED {incident.title}: {text}"
    return {
        Action.TRIGGER: f"{critical}{lead}{incident.title} {since}",
        Action.UPDATE: f"{critical}{incident.title} {since}: {text}",
        Action.ACKNOWLEDGE: f"{incident.title}: {text}",
        Action.RESOLVE: f"RESOLVED {incident.title}",
    }[action]


def _shared_headline(incident: Incident, action: Action, text: str, of: Incident) -> str:
    said = _headline(incident, action, text)
    if action is not Action.TRIGGER:
        return f"#{of.number} also #{incident.number}: {said}"
    first = f"{of.title} since {clock_time(of.began.before)}{_due(of)}"
    return f"#{of.number} also down: #{incident.number} {said}{_due(incident)}, beside {first}"


def _due(incident: Incident) -> str:
    by = incident.respond_by
    return "" if by is None else f" (respond by {clock_time(by)})"


def _beside_line(other: Incident) -> str:
    line = f"Also told of here: #{other.number} {other.title} since "
    line += clock_time(other.began.before)
    if other.watch_until is not None:
        line += f", recovered and watched until {clock_time(other.watch_until)}"
    if other.acknowledged_by is not None:
        return f"{line}, acknowledged by {other.acknowledged_by}."
    due = other.respond_by
    return f"{line}." if due is None else f"{line}. Respond by {moment(due)}."


def _error_lines(errors: Sequence[ErrorSeen]) -> list[str]:
    """The errors verbatim, those that are the same from several places in one line."""
    seen: dict[tuple[str, str, str], list[ErrorSeen]] = {}
    for error in errors:
        seen.setdefault((error.check, error.kind, error.message), []).append(error)
    return [_error_line(same) for same in seen.values()]


def _error_line(same: Sequence[ErrorSeen]) -> str:
    first, most = same[0], max(error.count for error in same)
    often = f" ({most} targets)" if most > 1 else f" ({first.target})"
    places = ", ".join(dict.fromkeys(error.vantage for error in same))
    return f"Error: {first.check} from {places}{often}: {first.kind}: {first.message}"
