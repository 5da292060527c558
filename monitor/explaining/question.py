"""A question in words, read: which outage is to be supposed.

The command line and the API ask in the same words and are refused in the same way, with every
mistake at once. No message repeats what was sent: whoever asked knows it.

Which targets count is settled here as well. What is not hosted is judged apart from what is, so
they are those of one deployment: that of everything named, or hosted where that is mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from monitor.hours import Calendar
from monitor.model import SHARED, AllUsersScope, Check, Deployment, Estate, Service, Target

PARTS = ("service", "at", "impact", "check", "tenant", "group", "failing")
"""The parts of a question, by the names under which they are asked."""

_NAMED = 10
_COUNT = re.compile(r"[1-9][0-9]{0,5}")

T = TypeVar("T")


class Supposed(StrEnum):
    """How bad the supposed outage is."""

    ALL = "all"
    SOME = "some"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Question:
    """An outage to suppose: of these checks of a service, at an instant.

    At most one of `tenant`, `group` and `failing` (how many targets) says which part of them.
    """

    service: Service
    at: datetime
    impact: Supposed
    checks: tuple[Check, ...]
    tenant: str | None = None
    group: str | None = None
    failing: int | None = None

    def named(self) -> tuple[Target, ...]:
        """The targets that the question names, all of one deployment."""
        found, runs = _targets(self.checks, self.tenant, self.group), self.deployment()
        return tuple(target for target in found if target.deployment is runs)

    def deployment(self) -> Deployment:
        """Where what is named runs."""
        found = {target.deployment for target in _targets(self.checks, self.tenant, self.group)}
        return next((each for each in Deployment if each in found), Deployment.HOSTED)

    def population(self) -> tuple[Target, ...]:
        """The targets judged together with what is named, of the check that has the most."""
        own = self.tenant if self.service.all_users_scope is AllUsersScope.TENANT else None
        runs = self.deployment()
        of_checks = [
            tuple(target for target in _targets([check], own, None) if target.deployment is runs)
            for check in self.checks
        ]
        return max(of_checks, key=len, default=())


@dataclass(frozen=True, slots=True)
class Mistake:
    """What of a question cannot be: the name of the part, and why, with the remedy."""

    part: str
    message: str


class Mistaken(ValueError):  # noqa: N818 - it names what the question is
    """A question cannot be meant as it stands; `mistakes` are all that is wrong with it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(f"{each.part}: {each.message}" for each in mistakes))
        self.mistakes = tuple(mistakes)


def asked(
    words: Mapping[str, str | None], estate: Estate, calendar: Calendar, now: datetime
) -> Question:
    """The question of words by part; None is not said. Raises `Mistaken`.

    `at` is ISO 8601, local time of the calendar where it has no offset, and `now` when not said.
    """
    reading = _Reading({part: text for part, text in words.items() if text is not None})
    at = reading.part("at", lambda text: _instant(text, calendar.zone))
    impact = reading.part("impact", _impact)
    failing = reading.part("failing", _count)
    service = reading.required("service", lambda text: _service(estate, text))
    if service is None:
        raise Mistaken(reading.mistakes)
    check = reading.part("check", lambda text: _check(service, text))
    checks = (check,) if check else tuple(c for c in service.checks if not c.real_users)
    in_part = failing is not None or "group" in reading.said
    question = Question(
        service=service,
        at=at or now,
        impact=impact or (Supposed.SOME if in_part else Supposed.ALL),
        checks=checks,
        tenant=reading.part("tenant", lambda text: _tenant(service, checks, text)),
        group=reading.part("group", lambda text: _group(service, checks, text)),
        failing=failing,
    )
    reading.mistakes += _contradictions(question, impact, reading.said)
    if reading.mistakes:
        raise Mistaken(reading.mistakes)
    return question


class _Reading:
    """What was said, and the mistakes found in it so far."""

    def __init__(self, said: Mapping[str, str]) -> None:
        self.said = said
        strange = [part for part in said if part not in PARTS]
        message = f"has {len(strange)} unknown parts; there are: {', '.join(PARTS)}"
        self.mistakes = [Mistake("question", message)] if strange else []

    def part(self, name: str, read: Callable[[str], T]) -> T | None:
        """A part as `read` has it; None when it was not said or is mistaken."""
        if name not in self.said:
            return None
        try:
            return read(self.said[name])
        except ValueError as error:
            self.mistakes.append(Mistake(name, str(error)))
            return None

    def required(self, name: str, read: Callable[[str], T]) -> T | None:
        """A part that must be said."""
        if name not in self.said:
            self.mistakes.append(Mistake(name, f"is missing: name a {name}"))
        return self.part(name, read)


# --------------------------------------------------------------------------- each part


def _instant(text: str, zone: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "this is no instant: write 2026-11-23T02:00 or 2026-11-23T02:00Z"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=ZoneInfo(zone))
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError("this lies outside the years 1 to 9999 in UTC") from None


def _impact(text: str) -> Supposed:
    if text not in set(Supposed):
        raise ValueError(f"there is no such impact; there are: {', '.join(Supposed)}")
    return Supposed(text)


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError("this is no number of targets: write 1 or more")
    return int(text)


def _service(estate: Estate, text: str) -> Service:
    return _one_of({service.name: service for service in estate.services}, text, "service")


def _check(service: Service, text: str) -> Check:
    check = _one_of({check.name: check for check in service.checks}, text, "check", service)
    if check.real_users:
        raise ValueError("this counts what real users do and declares no outage: name another")
    return check


def _tenant(service: Service, checks: Iterable[Check], text: str) -> str:
    names = {target.tenant for target in _targets(checks, None, None)} - {SHARED}
    return _one_of({name: name for name in sorted(names)}, text, "tenant", service)


def _group(service: Service, checks: Iterable[Check], text: str) -> str:
    names = {target.group for target in _targets(checks, None, None)} - {""}
    return _one_of({name: name for name in sorted(names)}, text, "backend group", service)


def _one_of(known: Mapping[str, T], text: str, what: str, of: Service | None = None) -> T:
    if text in known:
        return known[text]
    names = list(known)[:_NAMED]
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    has = f"{of.name} has no such {what}" if of else f"there is no such {what}"
    raise ValueError(f"{has}; there are: {', '.join(names) or 'none'}{more}")


def _targets(checks: Iterable[Check], tenant: str | None, group: str | None) -> tuple[Target, ...]:
    return tuple(
        target
        for check in checks
        for target in check.targets
        if tenant in (None, target.tenant) and group in (None, target.group)
    )


# --------------------------------------------------------------------------- all parts together


def _contradictions(
    question: Question, impact: Supposed | None, said: Mapping[str, str]
) -> Iterable[Mistake]:
    parts = [part for part in ("tenant", "group", "failing") if part in said]
    for part in parts[1:]:
        yield Mistake(part, f"{parts[0]} says which part already: leave one of them out")
    targets = len(question.population())
    for part in [part for part in parts if part != "tenant"]:
        if question.service.all_users_scope is AllUsersScope.TENANT:
            yield Mistake(part, "each tenant is judged alone (all_users_scope): name a tenant")
        elif impact is Supposed.UNKNOWN:
            yield Mistake(part, "what cannot be seen is not counted: leave it out")
        elif impact is Supposed.ALL and question.failing != targets:
            yield Mistake(part, "a part is not all: leave it out, or leave out the impact")
    if question.failing is not None and question.failing > targets:
        yield Mistake("failing", f"there are {targets} targets: write 1 to {targets}")
