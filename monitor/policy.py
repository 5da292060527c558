"""The support policy: what a verdict means for people.

`decide` answers once per verdict, in three steps, each a table:

1. What was found. `reason_of` goes through `RULES` in order; the first that holds gives the one
   reason. What policy excludes comes first: no failure of it, seen or unseen, wakes anybody. Every
   rule has a name and says which settings it reads, so that a decision can be explained.
2. How urgent that is. `URGENCY` gives every reason its urgency.
3. Who is told when. `ROUTES` gives every urgency its route, while support is open and while it is
   closed. A route that is held waits until support opens next.

What is business critical carries a promise: a response within `response_target` seconds on the
wall clock, day and night, counted in UTC so that a clock change neither shortens nor stretches
it. A standard incident carries one only where `standard_response_target` is set, in seconds of
support. Of a promise people are warned at `WARN_SHARES` of its time, the last being its breach.
The policy promises a floor: a wide partial outage, failing canaries and a monitor that cannot see
are told at once too, without that promise.

A report that a customer made by hand is decided here too: its verdict says by its reason whether
it came with a tenant's token and whether all users are said to be stopped.

"All users" can mean everyone on the platform or everyone of one tenant; a service says which, and
the decision records it. A tenant's own report speaks of that tenant whatever the service says.
Nothing here reads a clock: a decision is made at the verdict's instant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from monitor.hours import Calendar, OutsideCoverage, add, closed_reason, next_opening, occasion
from monitor.model import (
    MONITOR,
    AllUsersScope,
    Audience,
    ClosedReason,
    Decision,
    DecisionReason,
    Deployment,
    Dimension,
    Extent,
    Impact,
    Need,
    Priority,
    Role,
    Service,
    Verdict,
    VerdictReason,
)


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What an operator may set.

    `response_target` is in seconds on the wall clock, `standard_response_target` in seconds of
    support, None for no promise. `wide_partial` says whether a wide partial outage is told to
    `on_call` at once; a service can opt out by itself with `wide_share=None`. `accept_within`, in
    seconds, is how long on-call has to accept what support hands over when it closes.
    `page_window`, in seconds, is how soon after each other services must go down for everyone to
    share one page, and to be linked where they share a dependency. `ask_again_after`, in seconds,
    is how long after somebody took a critical incident that goes on failing he is asked whether he
    still has it. A channel that could not be told for `fail_over_after` seconds is stood in for.
    """

    response_target: float = 7200.0
    standard_response_target: float | None = None
    accept_within: float = 900.0
    wide_partial: bool = True
    page_window: float = 90.0
    ask_again_after: float = 3600.0
    fail_over_after: float = 120.0


class Urgency(StrEnum):
    """How soon people must know."""

    CRITICAL = "critical"
    AT_ONCE = "at_once"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told, and whether that waits until support opens."""

    roles: tuple[Role, ...]
    held: bool = False


ROUTES: dict[tuple[Urgency, bool], Route] = {
    (Urgency.CRITICAL, True): Route((Role.SERVICE_DESK, Role.ON_CALL)),
    (Urgency.CRITICAL, False): Route((Role.ON_CALL,)),
    (Urgency.AT_ONCE, True): Route((Role.SERVICE_DESK, Role.ON_CALL)),
    (Urgency.AT_ONCE, False): Route((Role.ON_CALL,)),
    (Urgency.STANDARD, True): Route((Role.SERVICE_DESK,)),
    (Urgency.STANDARD, False): Route((Role.SERVICE_DESK,), held=True),
}
"""The route of an urgency while support is open (True) or closed (False)."""

URGENCY: dict[DecisionReason, Urgency] = {
    DecisionReason.ALL_USERS: Urgency.CRITICAL,
    DecisionReason.ALL_END_USERS: Urgency.CRITICAL,
    DecisionReason.ALL_USERS_OF_TENANT: Urgency.CRITICAL,
    DecisionReason.REPORTED_BY_CUSTOMER: Urgency.CRITICAL,
    DecisionReason.WIDE_PARTIAL: Urgency.AT_ONCE,
    DecisionReason.UNCONFIRMED: Urgency.AT_ONCE,
    DecisionReason.CANNOT_TELL: Urgency.AT_ONCE,
    DecisionReason.REPORTED_IN_PART: Urgency.STANDARD,
    DecisionReason.REPORTED_ANONYMOUSLY: Urgency.STANDARD,
    DecisionReason.PARTIAL: Urgency.STANDARD,
    DecisionReason.DEGRADED: Urgency.STANDARD,
    DecisionReason.NOT_CORE: Urgency.STANDARD,
    DecisionReason.NEVER_WORKED: Urgency.STANDARD,
    DecisionReason.ON_PREMISE: Urgency.STANDARD,
    DecisionReason.DESKTOP: Urgency.STANDARD,
    DecisionReason.VERSION_6: Urgency.STANDARD,
}

EXCLUSIONS: dict[Deployment, DecisionReason] = {
    Deployment.ON_PREMISE: DecisionReason.ON_PREMISE,
    Deployment.DESKTOP: DecisionReason.DESKTOP,
    Deployment.VERSION_6: DecisionReason.VERSION_6,
}

EVERYONE: dict[Audience, DecisionReason] = {
    Audience.USERS: DecisionReason.ALL_USERS,
    Audience.END_USERS: DecisionReason.ALL_END_USERS,
}

BY_VERDICT: dict[VerdictReason, DecisionReason] = {
    VerdictReason.BLIND: DecisionReason.CANNOT_TELL,
    VerdictReason.LOCKED_OUT: DecisionReason.CANNOT_TELL,
    VerdictReason.TURNED_ON_US: DecisionReason.CANNOT_TELL,
    VerdictReason.NEVER_WORKED: DecisionReason.NEVER_WORKED,
    VerdictReason.DEGRADED: DecisionReason.DEGRADED,
    VerdictReason.CANARY_FAILING: DecisionReason.UNCONFIRMED,
    VerdictReason.REPORTED_ALL: DecisionReason.REPORTED_BY_CUSTOMER,
    VerdictReason.REPORTED_PART: DecisionReason.REPORTED_IN_PART,
    VerdictReason.REPORTED_ANONYMOUSLY: DecisionReason.REPORTED_ANONYMOUSLY,
}
"""Reasons of detection, and of reports, that settle the matter, whatever the extent."""


WARN_SHARES = (0.5, 0.75, 1.0)
"""At which shares of the time to a response people are warned that nobody has; 1 is its breach."""


def decide(
    verdict: Verdict, service: Service, calendar: Calendar, settings: PolicySettings
) -> Decision:
    """What is owed to people for a failing verdict, at `verdict.at`.

    `service` is the verdict's own. Where the calendar does not reach, support counts as closed and
    nothing is held. Raises `ValueError` for impact NONE.
    """
    _, reason = reason_of(verdict, service, settings)
    urgency = URGENCY[reason]
    closed, opening = _support(calendar, verdict.at)
    route = ROUTES[urgency, closed is None]
    held = route.held and opening > verdict.at
    warn_at = _warnings(urgency, verdict.at, calendar, settings)
    respond_by = warn_at[-1] if warn_at else None
    return Decision(
        at=verdict.at,
        priority=Priority.CRITICAL if urgency is Urgency.CRITICAL else Priority.STANDARD,
        reason=reason,
        route=route.roles,
        notify_at=opening if route.held else verdict.at,
        respond_by=respond_by,
        support_open=closed is None,
        closed_reason=closed,
        next_opening=opening,
        scope_read=service.all_users_scope,
        sentence=(
            f"{_support_words(calendar, verdict.at, closed)} and "
            f"{_found_words(reason, verdict, service)}: "
            f"{_URGENCY_WORDS[urgency]}, so "
            f"{_owed_words(calendar, route, opening if held else None, respond_by)}."
        ),
        warn_at=warn_at,
    )


def _support(calendar: Calendar, at: datetime) -> tuple[ClosedReason | None, datetime]:
    """Why support is closed at an instant (None: it is open), and when it opens next.

    Where the calendar does not reach it counts as closed, so that on-call is told, and as opening
    at once, so that nothing is held until nobody knows when.
    """
    try:
        closed = closed_reason(calendar, at)
    except OutsideCoverage:
        return ClosedReason.NOT_KNOWN, at
    try:
        return closed, next_opening(calendar, at)
    except OutsideCoverage:
        return closed, at


def _warnings(
    urgency: Urgency, at: datetime, calendar: Calendar, settings: PolicySettings
) -> tuple[datetime, ...]:
    """When people are warned of the response that is promised; the last is when it is due."""
    if urgency is Urgency.CRITICAL:
        target = settings.response_target
        return tuple(at + timedelta(seconds=share * target) for share in WARN_SHARES)
    in_hours = settings.standard_response_target
    if urgency is Urgency.STANDARD and in_hours is not None:
        with suppress(OutsideCoverage):
            return tuple(add(calendar, at, share * in_hours) for share in WARN_SHARES)
    return ()


# --------------------------------------------------------------------------- what was found


def reason_of(
    verdict: Verdict, service: Service, settings: PolicySettings
) -> tuple[Rule, DecisionReason]:
    """The first rule that holds, and the one reason that it gives."""
    if verdict.impact is Impact.NONE:
        raise ValueError(f"nothing of {verdict.service} fails, so there is nothing to decide")
    found = ((rule, rule.gives(verdict, service, settings)) for rule in RULES)
    return next((rule, reason) for rule, reason in found if reason is not None)


def _excluded(verdict: Verdict, _: Service, __: PolicySettings) -> DecisionReason | None:
    return EXCLUSIONS.get(verdict.deployment)


def _not_core(_: Verdict, service: Service, __: PolicySettings) -> DecisionReason | None:
    promised = service.core or service.name == MONITOR
    return None if promised else DecisionReason.NOT_CORE


def _settled(verdict: Verdict, service: Service, _: PolicySettings) -> DecisionReason | None:
    if verdict.impact is Impact.UNKNOWN or service.name == MONITOR:
        return DecisionReason.CANNOT_TELL
    return BY_VERDICT.get(verdict.reason)


def _degraded(verdict: Verdict, service: Service, _: PolicySettings) -> DecisionReason | None:
    needs = {check.need for check in service.checks if check.name in verdict.checks}
    return DecisionReason.DEGRADED if needs == {Need.DEGRADING} else None


def _everyone(verdict: Verdict, service: Service, _: PolicySettings) -> DecisionReason | None:
    if verdict.impact is not Impact.ALL:
        return None
    if verdict.tenant is None:
        return EVERYONE[service.audience]
    by_tenant = service.all_users_scope is AllUsersScope.TENANT
    return DecisionReason.ALL_USERS_OF_TENANT if by_tenant else DecisionReason.PARTIAL


def _wide(verdict: Verdict, service: Service, settings: PolicySettings) -> DecisionReason | None:
    share = service.wide_share
    if not settings.wide_partial or share is None or verdict.tenant is not None:
        return None
    extent = verdict.extent
    counted = extent.dimension is not Dimension.VANTAGE and extent.sampled > 0
    wide = counted and extent.failing / extent.sampled >= share
    return DecisionReason.WIDE_PARTIAL if wide or _whole_group(verdict, service) else None


def _whole_group(verdict: Verdict, service: Service) -> bool:
    """Whether a backend group fails whole, told as such or as one of several failing targets.

    A group of a single target is that target.
    """
    extent = verdict.extent
    if extent.dimension is not Dimension.TARGET:
        return extent.dimension is Dimension.GROUP
    failing = set(extent.members)
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for check in service.checks:
        for target in check.targets if check.name in verdict.checks else ():
            if target.group and target.deployment is verdict.deployment:
                groups[check.name, target.group].add(target.name)
    return any(len(names) > 1 and names <= failing for names in groups.values())


def _otherwise(_: Verdict, __: Service, ___: PolicySettings) -> DecisionReason:
    return DecisionReason.PARTIAL


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, when it holds, the settings it reads, and the reason it gives, if any.

    `settings` are keys of the configuration with `*` for a name.
    """

    name: str
    holds: str
    settings: tuple[str, ...]
    gives: Callable[[Verdict, Service, PolicySettings], DecisionReason | None]


_CORE = "services.*.core"
_NEED = "services.*.checks[].need"
_SCOPE = "services.*.all_users_scope"
_WIDE = ("policy.wide_partial", "services.*.wide_share")

RULES: tuple[Rule, ...] = (
    Rule("excluded", "what fails is not hosted", ("tenants.*.deployment",), _excluded),
    Rule("not_core", "the service is not a core service", (_CORE,), _not_core),
    Rule("settled", "how it is known settles the matter", (_NEED,), _settled),
    Rule("degraded", "only degrading checks fail", (_NEED,), _degraded),
    Rule(
        "everyone",
        "everyone is stopped, of all or of one tenant",
        (_CORE, "services.*.audience", _SCOPE),
        _everyone,
    ),
    Rule("wide_partial", "a whole backend group or a large share fails", _WIDE, _wide),
    Rule(
        "otherwise",
        "some are stopped, and no rule before this one holds",
        (_SCOPE, *_WIDE),
        _otherwise,
    ),
)
"""In order of precedence; the last one always holds."""


# --------------------------------------------------------------------------- in words


_CLOSED_WORDS: dict[ClosedReason, str] = {
    ClosedReason.OUTSIDE_HOURS: "outside support hours",
    ClosedReason.WEEKEND: "weekend",
    ClosedReason.BANK_HOLIDAY: "bank holiday: {occasion}",
    ClosedReason.EXTRA_CLOSED: "closed specially: {occasion}",
    ClosedReason.NOT_KNOWN: "as far as is known: the calendar does not reach this date",
}

_FOUND_WORDS: dict[DecisionReason, str] = {
    DecisionReason.ALL_USERS: "{title} is down for all users",
    DecisionReason.ALL_END_USERS: "{title} is down for all end users",
    DecisionReason.ALL_USERS_OF_TENANT: "{title} is down for all users of {tenant}",
    DecisionReason.WIDE_PARTIAL: "{title} is down for many of its customers ({part})",
    DecisionReason.UNCONFIRMED: "{title} fails our own trials, which customers have not confirmed",
    DecisionReason.CANNOT_TELL: "we cannot tell whether customers{of} are down",
    DecisionReason.REPORTED_BY_CUSTOMER: "{tenant} reports {title} down for all its users",
    DecisionReason.REPORTED_IN_PART: "{tenant} reports {title} failing, not for all its users",
    DecisionReason.REPORTED_ANONYMOUSLY: "an unknown customer reports that {title} fails",
    DecisionReason.PARTIAL: "{title} is down for some of its customers only ({part})",
    DecisionReason.DEGRADED: "{title} can be used but is degraded",
    DecisionReason.NOT_CORE: "{title} is failing, which is not one of the core services",
    DecisionReason.NEVER_WORKED: "{title} has not once worked as it is configured here",
    DecisionReason.ON_PREMISE: "{title} is failing on premise, which critical support excludes",
    DecisionReason.DESKTOP: "{title} is failing on the desktop, which critical support excludes",
    DecisionReason.VERSION_6: "{title} is failing on Version 6, which critical support excludes",
}

_URGENCY_WORDS: dict[Urgency, str] = {
    Urgency.CRITICAL: "this is business critical",
    Urgency.AT_ONCE: "this cannot wait, though no response time is promised",
    Urgency.STANDARD: "this is a standard incident",
}

_TOLD_WORDS: dict[tuple[Role, ...], str] = {
    (Role.SERVICE_DESK, Role.ON_CALL): "the service desk and on-call are told",
    (Role.ON_CALL,): "on-call is told",
    (Role.SERVICE_DESK,): "the service desk is told",
}

_MEMBERS_NAMED = 3


def _support_words(calendar: Calendar, at: datetime, closed: ClosedReason | None) -> str:
    if closed is None:
        return "Support is open"
    known = closed is not ClosedReason.NOT_KNOWN
    why = _CLOSED_WORDS[closed].format(occasion=occasion(calendar, at) if known else "")
    return f"Support is closed ({why})"


def _found_words(reason: DecisionReason, verdict: Verdict, service: Service) -> str:
    part = f"all users of {verdict.tenant}" if verdict.tenant else _part(verdict.extent)
    of = "" if service.name == MONITOR else f" of {service.title}"
    words = _FOUND_WORDS[reason]
    return words.format(title=service.title, of=of, tenant=verdict.tenant, part=part)


def _part(extent: Extent) -> str:
    """Which part of a service fails, in a few words."""
    more = len(extent.members) - _MEMBERS_NAMED
    names = ", ".join(extent.members[:_MEMBERS_NAMED]) + (f" and {more} more" if more > 0 else "")
    if extent.dimension is Dimension.GROUP:
        return f"backend group {names}"
    if extent.dimension is Dimension.VANTAGE:
        return f"as seen from {names}"
    counts = f"{extent.failing} of {extent.sampled} targets"
    return f"{counts}: {names}" if names else counts


def _owed_words(
    calendar: Calendar, route: Route, held_until: datetime | None, respond_by: datetime | None
) -> str:
    """Who is told when, and what they owe."""
    told = _TOLD_WORDS[route.roles]
    opens = held_until and f"when support opens at {_moment(calendar, held_until)}"
    when = opens or "at once"
    due = respond_by and f" and a response is due by {_moment(calendar, respond_by)}"
    return f"{told} {when}{due or ''}"


def _moment(calendar: Calendar, at: datetime) -> str:
    """An instant on the calendar's own clock; its zone tells apart the hour that comes twice."""
    local = at.astimezone(ZoneInfo(calendar.zone))
    return f"{local:%H:%M %Z on %a} {local.day} {local:%b %Y}"
