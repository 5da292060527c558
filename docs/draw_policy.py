"""Draw the tables of docs/policy.md from the code: `python docs/draw_policy.py`.

What stands in the page between `<!-- drawn: NAME -->` and `<!-- end -->` is replaced; the rest is
written by people. What a setting means is said once, in docs/configuration.md.
"""  # noqa: INP001 - a script beside the pages

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from itertools import groupby
from pathlib import Path

from monitor.config import dates
from monitor.config.shape import CalendarShape
from monitor.model import DecisionReason, Deployment, Role
from monitor.policy import EXCLUSIONS, ROUTES, RULES, URGENCY, PolicySettings, Urgency

PAGE = Path(__file__).parent / "policy.md"
CONFIGURATION = Path(__file__).parent / "configuration.md"
YEARS = (2026, 2027)

Row = tuple[str, ...]
Reason = DecisionReason

FOUND: dict[str, tuple[tuple[str, tuple[Reason, ...]], ...]] = {
    "excluded": (
        ("what fails is run on premise, on a desktop or as Version 6", tuple(EXCLUSIONS.values())),
    ),
    "not_core": (("the service is not one of the core services", (Reason.NOT_CORE,)),),
    "settled": (
        (
            "the monitor cannot see, is locked out, or is itself what is not well",
            (Reason.CANNOT_TELL,),
        ),
        ("it has never worked as it is configured here", (Reason.NEVER_WORKED,)),
        ("what users can do without is slow or fails", (Reason.DEGRADED,)),
        (
            "all that is tried fails, but that is too few to speak for everyone",
            (Reason.UNCONFIRMED,),
        ),
        (
            "a tenant reports that all its users are stopped, whatever `all_users_scope` says",
            (Reason.REPORTED_BY_CUSTOMER,),
        ),
        ("a tenant reports that not all its users are", (Reason.REPORTED_IN_PART,)),
        ("somebody without a tenant's token reports it", (Reason.REPORTED_ANONYMOUSLY,)),
    ),
    "degraded": (("only checks fail that users can do without", (Reason.DEGRADED,)),),
    "everyone": (
        ("everyone is stopped, of a service for users", (Reason.ALL_USERS,)),
        ("everyone is stopped, of a service for end users", (Reason.ALL_END_USERS,)),
        (
            "everyone of one tenant is stopped, and `all_users_scope` is `tenant`",
            (Reason.ALL_USERS_OF_TENANT,),
        ),
        (
            "everyone of one tenant is stopped, and `all_users_scope` is `platform`",
            (Reason.PARTIAL,),
        ),
    ),
    "wide_partial": (
        (
            "at least `wide_share` of the targets fail, or a whole backend group does",
            (Reason.WIDE_PARTIAL,),
        ),
    ),
    "otherwise": (("anything else that fails", (Reason.PARTIAL,)),),
}
"""By rule of the code, in whatever order: when it gives which reasons."""

_URGENCY = {
    Urgency.CRITICAL: "business critical: a response is promised",
    Urgency.AT_ONCE: "told at once, without a promise",
    Urgency.STANDARD: "standard",
}
_ROLES = {Role.SERVICE_DESK: "the service desk", Role.ON_CALL: "on-call"}
_DEPLOYMENTS = {
    Deployment.ON_PREMISE: "what runs on a customer's own premises: the integration of accounts "
    "and the confirmation of orders there",
    Deployment.DESKTOP: "the CRM of old that runs on desktops",
    Deployment.VERSION_6: "every service of Version 6, whoever runs it",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SETTINGS = (
    ("calendar", CalendarShape.model_fields),
    ("services.<name>", ("core", "audience", "all_users_scope", "wide_share")),
    ("tenants.<name>", ("deployment",)),
    ("services.<name>.checks[]", ("need", "deployment", "deployments")),
)


def drawn() -> str:
    """The whole page, as it should be."""
    return re.sub(
        r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}\n{_table(TABLES[match[2]]())}\n{match[3]}",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


def _table(rows: list[Row]) -> str:
    head, *body = ("| " + " | ".join(row) + " |\n" for row in rows)
    return "".join((head, "|" + "---|" * len(rows[0]) + "\n", *body))


def _hours() -> list[Row]:
    weekly = zip(_DAYS, dates.calendar(CalendarShape()).weekly, strict=True)
    rows = []
    for hours, days in groupby(weekly, key=lambda each: each[1]):
        named = [day for day, _ in days]
        between = " and " if len(named) == 2 else " to "
        span = between.join(dict.fromkeys((named[0], named[-1])))
        rows.append((span, f"{hours[0]:%H:%M} to {hours[1]:%H:%M}" if hours else "closed"))
    return [("day", "support is open"), *rows]


def _closed_days() -> list[Row]:
    calendar = dates.calendar(CalendarShape())
    days = [
        (f"{day:%a} {day.day} {day:%b %Y}", occasion)
        for day, occasion in calendar.holidays.items()
        if day.year in YEARS and calendar.weekly[day.weekday()]
    ]
    return [("day", "closed for"), *days]


def _found() -> list[Row]:
    rows = [
        (str(number), when, ", ".join(f"`{reason}`" for reason in reasons))
        for number, rule in enumerate(RULES, start=1)
        for when, reasons in FOUND[rule.name]
    ]
    return [("rule", "when", "reason"), *rows]


def _exclusions() -> list[Row]:
    rows = [
        (_DEPLOYMENTS[deployment], f"`{deployment}`", f"`{reason}`")
        for deployment, reason in EXCLUSIONS.items()
    ]
    return [("excluded", "said in the configuration as", "reason in the decision"), *rows]


def _routes() -> list[Row]:
    rows = [
        (f"`{reason}`", _URGENCY[urgency], _told(urgency, is_open=True), _told(urgency))
        for reason, urgency in URGENCY.items()
    ]
    return [("reason", "urgency", "while support is open", "while support is closed"), *rows]


def _told(urgency: Urgency, *, is_open: bool = False) -> str:
    route = ROUTES[urgency, is_open]
    who = " and ".join(_ROLES[role] for role in route.roles)
    return f"{who}, when support opens" if route.held else f"{who}, at once"


def _settings() -> list[Row]:
    said = dict(_configuration())
    policy = PolicySettings()
    rows = [
        (
            f"`policy.{each.name}`",
            _written(getattr(policy, each.name)),
            said["policy", each.name][1],
        )
        for each in fields(PolicySettings)
    ]
    rows += [
        (f"`{section}.{key}`", *said[section, key]) for section, keys in _SETTINGS for key in keys
    ]
    return [("setting", "default", "meaning"), *rows]


def _configuration() -> Iterable[tuple[tuple[str, str], Row]]:
    """By section and key: the default and the meaning that docs/configuration.md gives."""
    section = ""
    for line in CONFIGURATION.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            section = line.removeprefix("### ").strip("`")
        elif match := re.match(r"\| `(\w+)` \| [^|]* \| ([^|]*) \| (.*) \|$", line):
            yield (section, match[1]), (match[2], match[3])


def _written(value: object) -> str:
    """A default as the configuration would spell it."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(_written, value))
    if not isinstance(value, float) or value < 1:
        return str(value)
    unit, seconds = next((u, s) for u, s in (("h", 3600), ("m", 60), ("s", 1)) if value % s == 0)
    return f"{value / seconds:g}{unit}"


TABLES: dict[str, Callable[[], list[Row]]] = {
    "hours": _hours,
    "closed_days": _closed_days,
    "found": _found,
    "exclusions": _exclusions,
    "routes": _routes,
    "settings": _settings,
}


if __name__ == "__main__":
    PAGE.write_text(drawn(), encoding="utf-8")
