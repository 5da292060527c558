"""What policy would say of an outage that has not happened, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.clock import Clock
from monitor.config import Config
from monitor.explaining import Explanation, Mistaken, Support, Told, asked, explain
from monitor.hours import DayRule
from monitor.incident.wording import moment

_ROLES = {"on_call": "on-call", "service_desk": "service desk"}


def explained(config: Config, words: Mapping[str, str | None], clock: Clock) -> Explanation:
    """The decision on what was asked, explained. Raises `Mistaken`."""
    question = asked(words, config.estate, config.calendar, clock.wall())
    return explain(question, config.estate, config.calendar, config.policy, config.channels)


def mistakes(error: Mistaken, words: Mapping[str, str | None]) -> str:
    """All that is wrong with a question, a line each, with what was said."""
    return "\n".join(
        f"{_option(each.part)}{_quoted(words.get(each.part))}: {each.message}"
        for each in error.mistakes
    )


def _option(part: str) -> str:
    return part if part == "service" else f"--{part}"


def _quoted(text: str | None) -> str:
    return "" if text is None else f" {text!r}"


def text(found: Explanation) -> str:
    """An explanation for people: its sentence, then line by line what made it so."""
    decision, verdict = found.decision, found.verdict
    respond = "no promise" if decision.respond_by is None else moment(decision.respond_by)
    return "\n".join(
        [
            found.sentence,
            _line("at", moment(found.question.at)),
            _line("support", _support(found.support)),
            *([_line("opens", moment(found.opens_at))] if found.maintenance else []),
            _line("opens next", f"{moment(decision.next_opening)} (support)"),
            _line("priority", f"{decision.priority} ({decision.reason})"),
            _line("route", _route(found)),
            *(_line(_ROLES[told.role], _told(told)) for told in found.told),
            _line("respond by", respond),
            _line("all users", f"read as {decision.scope_read}"),
            _line("deployment", verdict.deployment),
            _line("rule", f"{found.number}, {found.rule.name}: {found.rule.holds}"),
            *(
                _line("setting", f"{setting.key}: {setting.value} ({setting.effect})")
                for setting in found.settings
            ),
            *_windows(found),
        ]
    )


def _line(head: str, words: str) -> str:
    return f"  {head:<12}  {words}"


def _support(support: Support) -> str:
    state = "open" if support.closed_reason is None else f"closed ({support.closed_reason})"
    return f"{state}, by {support.key}: {_day(support)}"


def _day(support: Support) -> str:
    day = support.day
    if day.hours is not None:
        return f"{day.hours[0]:%H:%M}-{day.hours[1]:%H:%M} on {day.date:%a} {day.date}"
    said = f"bank holiday {day.name}" if day.rule is DayRule.BANK_HOLIDAY else day.name
    return f"{said or 'closed'} on {day.date:%a} {day.date}"


def _route(found: Explanation) -> str:
    state = "open" if found.decision.support_open else "closed"
    roles = ", ".join(found.route.roles)
    held = ", held until support opens" if found.route.held else ", at once"
    return f"row {found.urgency} and support {state}: {roles}{held}"


def _told(told: Told) -> str:
    if told.at is None:
        return "not told"
    ways = f"by {', '.join(told.channels)}" if told.channels else "but no channel serves this role"
    return f"told at {moment(told.at)}{', held,' if told.held else ''} {ways}"


def _windows(found: Explanation) -> Iterator[str]:
    if found.maintenance is not None:
        ends = moment(found.maintenance.ends)
        yield _line("maintenance", f"{found.maintenance.window.name} until {ends}")
    for window in found.beside:
        yield _line("maintenance", f"{window.name} covers a part of what fails, which has no vote")
