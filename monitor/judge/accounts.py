"""What a customer's report must say, and what of it is missing.

`understood` takes what was typed, in whatever state, and gives a complete `Account` or every
mistake at once, each naming its part: nobody is asked twice. What was typed is never changed.

    services             at least one, each known by its name or title
    start time           ISO 8601, "YYYY-MM-DD HH:MM", or "HH:MM" of today; without a zone it is
                         the local time of support. Not in the future, not over a week ago. In the
                         hour that comes twice in autumn the earlier one is meant
    error messages       verbatim, or "none shown"; then also what happened instead
    all users            whether all the customer's users are stopped: yes or no
    contact              may be left out
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor.model import Account

NONE_SHOWN = "none shown"
OLDEST = timedelta(days=7)
ERRORS_MOST = 4000
CONTACT_MOST = 200
STARTED_MOST = 100
SERVICES_MOST = 20
KEY_MOST = 200

_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOST = {
    "start time": STARTED_MOST,
    "error messages": ERRORS_MOST,
    "what happened instead": ERRORS_MOST,
    "contact": CONTACT_MOST,
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as it was; "" and None where nothing was."""

    services: tuple[str, ...] = ()
    started: str = ""
    errors: str = ""
    instead: str = ""
    all_users: bool | None = None
    contact: str = ""


def understood(
    typed: Typed,
    services: Mapping[str, str],
    *,
    tenant: str | None,
    key: str | None,
    now: datetime,
    zone: str,
) -> Account | tuple[str, ...]:
    """The account that was typed, or what is missing or mistaken in it, a sentence each.

    `services` are titles by name; `zone` is the local time that is meant where none is named.
    """
    named, unknown = _services(typed.services, services)
    started = started_at(typed.started, now, zone)
    shown = "" if _none_shown(typed.errors) else typed.errors
    mistakes = [
        *_service_mistakes(named, unknown, services),
        *_start_mistakes(typed.started, started, now),
        *_error_mistakes(typed),
        *_rest_mistakes(typed),
    ]
    if mistakes or started is None or typed.all_users is None:
        return tuple(mistakes)
    return Account(
        tenant=tenant,
        services=named,
        started=typed.started,
        started_at=started,
        errors=shown,
        instead="" if shown else typed.instead,
        all_users=typed.all_users,
        contact=typed.contact.strip(),
        key=key,
    )


def started_at(text: str, now: datetime, zone: str) -> datetime | None:
    """The UTC instant that was typed, None when it is none that is understood."""
    text = text.strip()
    local = ZoneInfo(zone)
    match = _TIME_OF_DAY.fullmatch(text)
    try:
        if match:
            today = now.astimezone(local).date()
            at = datetime.combine(today, time(int(match[1]), int(match[2])), local)
        else:
            at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=local)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _services(
    typed: tuple[str, ...], services: Mapping[str, str]
) -> tuple[tuple[str, ...], list[str]]:
    """The names of those that are known, and what is not."""
    by_word = {title.casefold(): name for name, title in services.items()}
    by_word |= {name.casefold(): name for name in services}
    given = [each.strip() for each in typed if each.strip()]
    found = [by_word.get(each.casefold()) for each in given]
    known = tuple(dict.fromkeys(name for name in found if name is not None))
    return known, [each for each, name in zip(given, found, strict=True) if name is None]


def _service_mistakes(
    named: tuple[str, ...], unknown: list[str], services: Mapping[str, str]
) -> list[str]:
    known = ", ".join(services)
    if len(named) + len(unknown) > SERVICES_MOST:
        return [f"`services` are too many: name at most {SERVICES_MOST}"]
    if unknown:
        return [f"`services`: there is none called {_quoted(unknown)}; known are: {known}"]
    return [] if named else [f"`services` is missing: name at least one of: {known}"]


def _quoted(words: list[str]) -> str:
    return ", ".join(f"'{word[:60]}'" for word in words[:5])


_START_WANTED = "write the time it began, such as 00:40 (today) or 2030-11-29 00:40"


def _start_mistakes(text: str, started: datetime | None, now: datetime) -> list[str]:
    if not text.strip():
        return [f"`start time` is missing: {_START_WANTED}"]
    if started is None:
        return [f"`start time` is not understood: {_START_WANTED}"]
    if started > now:
        return ["`start time` is in the future: if it was on an earlier day, write its date too"]
    if started < now - OLDEST:
        return [f"`start time` is more than {OLDEST.days} days ago: write when it began this time"]
    return []


def _error_mistakes(typed: Typed) -> list[str]:
    if not typed.errors.strip():
        wanted = f"copy what was shown, or write '{NONE_SHOWN}' and what happened instead"
        return [f"`error messages` is missing: {wanted}"]
    if _none_shown(typed.errors) and not typed.instead.strip():
        return ["`what happened instead` is missing: say what users see, as no error was shown"]
    return []


def _none_shown(errors: str) -> bool:
    return errors.strip().casefold().rstrip(".") == NONE_SHOWN


def _rest_mistakes(typed: Typed) -> list[str]:
    mistakes = []
    if typed.all_users is None:
        mistakes.append("`all users` is missing: say whether all your users are stopped, yes or no")
    if _CONTROL.search(typed.contact.strip()):
        mistakes.append("`contact` has more than one line: write one way to reach you")
    given = (typed.started, typed.errors, typed.instead, typed.contact)
    for (part, most), text in zip(_MOST.items(), given, strict=True):
        if len(text) > most:
            mistakes.append(f"`{part}` is too long: at most {most} characters, not {len(text)}")
    return mistakes
