"""What policy would decide of an outage that has not happened, and what decides it.

A `Question` supposes an outage: of which service, when, how bad, and which part of it. `explain`
makes the verdict that detection would give, asks `policy.decide` for the decision, as the judge
does, and adds what made it so:

1. the part of the calendar that makes support open or closed at the instant asked about;
2. the rule of `policy.RULES` that gave the reason, with the settings that bear on it;
3. for every role whether it is told, when, and by the names of which channels;
4. the maintenance window, if one covers all that is supposed to fail. Then nothing opens at that
   instant; the decision is that of the window's end, when what still fails is told at once.

`question` reads a question from words and refuses what cannot be meant, `supposed` makes its
verdict, `bearing` finds the settings. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor import policy
from monitor.explaining.bearing import Setting, bearing, promised
from monitor.explaining.question import PARTS, Mistake, Mistaken, Question, Supposed, asked
from monitor.explaining.supposed import failing_cells, supposed
from monitor.hours import Calendar, Day, DayRule, OutsideCoverage, closed_reason, day_of
from monitor.incident.wording import moment
from monitor.maintenance import covers, last_to_close, open_until
from monitor.model import STAFF, Channel, ClosedReason, Decision, Estate, Role, Verdict, Window
from monitor.policy import PolicySettings, Route, Rule, Urgency

__all__ = [
    "PARTS",
    "Explanation",
    "Mistake",
    "Mistaken",
    "Question",
    "Setting",
    "Support",
    "Supposed",
    "Told",
    "asked",
    "explain",
]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Support:
    """Whether support is open at an instant, and why: the day, and the key of the configuration.

    `closed_reason` is None while it is open.
    """

    at: datetime
    closed_reason: ClosedReason | None
    day: Day
    key: str


@dataclass(frozen=True, slots=True)
class Told:
    """Whether a role is told: when (None: not), whether that waits, and by which channels."""

    role: Role
    at: datetime | None
    held: bool
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The open window that covers all that is supposed to fail, and when that is out of it."""

    window: Window
    ends: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and what made it so.

    `decision` is that of `opens_at`: the instant asked about or, in maintenance, its end. `number`
    is the place of `rule` among the rules, from 1. `beside` are open windows that cover a part of
    what fails only.
    """

    question: Question
    verdict: Verdict
    support: Support
    opens_at: datetime
    decision: Decision
    number: int
    rule: Rule
    urgency: Urgency
    route: Route
    settings: tuple[Setting, ...]
    told: tuple[Told, ...]
    maintenance: Maintenance | None
    beside: tuple[Window, ...]
    sentence: str


def explain(
    question: Question,
    estate: Estate,
    calendar: Calendar,
    settings: PolicySettings,
    channels: Sequence[Channel],
) -> Explanation:
    """The decision on a question, explained. Raises `Mistaken` where the calendar ends."""
    try:
        return _explained(question, estate, calendar, settings, channels)
    except OutsideCoverage as error:
        raise Mistaken([Mistake("at", str(error))]) from None


def _explained(
    question: Question,
    estate: Estate,
    calendar: Calendar,
    settings: PolicySettings,
    channels: Sequence[Channel],
) -> Explanation:
    maintenance = _maintenance(question, estate)
    opens_at = maintenance.ends if maintenance else question.at
    verdict = supposed(question, estate, opens_at)
    decision = policy.decide(verdict, question.service, calendar, settings)
    rule, reason = policy.reason_of(verdict, question.service, settings)
    urgency = policy.URGENCY[reason]
    route = policy.ROUTES[urgency, decision.support_open]
    return Explanation(
        question=question,
        verdict=verdict,
        support=_support(calendar, question.at),
        opens_at=opens_at,
        decision=decision,
        number=policy.RULES.index(rule) + 1,
        rule=rule,
        urgency=urgency,
        route=route,
        settings=(*bearing(rule, question, verdict, settings), *promised(decision, settings)),
        told=tuple(_told(role, route, decision, channels) for role in STAFF),
        maintenance=maintenance,
        beside=() if maintenance else _beside(question, estate),
        sentence=_sentence(decision, maintenance, question.at),
    )


def _support(calendar: Calendar, at: datetime) -> Support:
    day = day_of(calendar, at)
    keys = {
        DayRule.WEEKLY: f"calendar.hours.{_DAYS[day.date.weekday()]}",
        DayRule.BANK_HOLIDAY: "calendar.country",
        DayRule.EXTRA_CLOSED: f"calendar.extra_closed.{day.date}",
        DayRule.EXTRA_OPEN: f"calendar.extra_open.{day.date}",
    }
    return Support(at, closed_reason(calendar, at), day, keys[day.rule])


def _told(role: Role, route: Route, decision: Decision, channels: Sequence[Channel]) -> Told:
    is_told = role in route.roles
    return Told(
        role=role,
        at=decision.notify_at if is_told else None,
        held=is_told and route.held,
        channels=tuple(channel.name for channel in channels if role in channel.roles),
    )


# --------------------------------------------------------------------------- maintenance


def _maintenance(question: Question, estate: Estate) -> Maintenance | None:
    """The window out of which something comes first, if windows cover every failing cell."""
    first: Maintenance | None = None
    for cell in failing_cells(question, estate):
        window = last_to_close((w for w in estate.windows if covers(w, cell)), question.at)
        ends = None if window is None else open_until(window, question.at)
        if window is None or ends is None:
            return None
        if first is None or ends < first.ends:
            first = Maintenance(window, ends)
    return first


def _beside(question: Question, estate: Estate) -> tuple[Window, ...]:
    cells = failing_cells(question, estate)
    return tuple(
        window
        for window in estate.windows
        if open_until(window, question.at) and any(covers(window, cell) for cell in cells)
    )


def _sentence(decision: Decision, maintenance: Maintenance | None, at: datetime) -> str:
    if maintenance is None:
        return decision.sentence
    window = maintenance.window
    reason = f" ({window.reason})" if window.reason else ""
    return (
        f"Nothing opens at {moment(at)}: the maintenance window {window.name}{reason} covers what "
        f"fails until {moment(maintenance.ends)}. What still fails then is opened at once, with "
        f"its true start. {decision.sentence}"
    )
