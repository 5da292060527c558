"""The figures of a month for people, as tables, and for spreadsheets, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group
from rich.table import Table

from monitor.cli.showing import table, told

Values = Mapping[str, Any]

_OF_THE_MONTH = ("month", "since", "until", "running", "final")
_OF_A_SERVICE = (
    "service",
    "uptime_percent",
    "coverage_percent",
    "seconds",
    "maintenance_seconds",
    "unobserved_seconds",
    "counted_seconds",
    "down_seconds",
    "down_everyone_seconds",
    "down_at_most_seconds",
)
COLUMNS = (*_OF_THE_MONTH, *_OF_A_SERVICE, "sha256")
"""Of the CSV. None is ever renamed or moved; new ones come last."""

UNKNOWN = "unknown"
_HOURS = {"in_hours": "in hours", "out_of_hours": "out of hours"}
_SHARES = {
    "service": "service",
    "uptime_percent": "uptime %",
    "coverage_percent": "coverage %",
    "down_seconds": "down",
    "down_everyone_seconds": "for everyone",
    "down_at_most_seconds": "at most",
}
_SECONDS = {
    "service": "service",
    "seconds": "month",
    "maintenance_seconds": "maintenance",
    "unobserved_seconds": "unobserved",
    "counted_seconds": "counted",
}
_SPREADS = {
    "to_detect": "to detect (MTTD)",
    "to_acknowledge": "to acknowledge (MTTA)",
    "to_recover": "to recover (MTTR)",
}


def as_csv(figures: Values) -> str:
    """One row for each service, under `COLUMNS`; an uptime that is not known is `unknown`."""
    out = io.StringIO()
    rows = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for service in figures["services"]:
        rows.writerow({name: _plainly(value) for name, value in {**figures, **service}.items()})
    return out.getvalue()


def _plainly(value: object) -> object:
    if value is None:
        return UNKNOWN
    return str(value).lower() if isinstance(value, bool) else value


def as_tables(figures: Values) -> Group:
    """All of it for people: availability, incidents, what is to be remarked, and the hash."""
    return Group(
        _headline(figures),
        "",
        _availability(figures, _SHARES),
        "",
        _availability(figures, _SECONDS),
        "",
        _incidents(figures["incidents"]),
        "",
        _spreads(figures["incidents"]),
        "",
        *(remark.replace("[", "\\[") for remark in _remarks(figures)),
        f"sha256 {figures['sha256']}",
    )


def _headline(figures: Values) -> str:
    until = told(figures["until"])
    so_far = f", running: figures until {until}" if figures["running"] else ""
    still = "" if figures["final"] or figures["running"] else ", not final: something is still open"
    return f"{figures['month']} in {figures['zone']}{so_far}{still}; durations in seconds"


def _availability(figures: Values, columns: Mapping[str, str]) -> Table:
    services = [*figures["services"], figures["together"]]
    rows = (tuple(_number(name, one[name]) for name in columns) for one in services)
    return table(columns.values(), rows, whole=True)


def _number(name: str, value: float | str | None) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    return f"{value:.3f}" if name.endswith("_percent") or value % 1 else f"{value:.0f}"


def _incidents(by_hours: Values) -> Table:
    heads = ("incidents", "critical", "standard", "false alarms")
    answered = ("met", "missed", "not_needed", "pending")
    rows = (
        (
            words,
            *(str(by_hours[hours]["priorities"][priority]) for priority in heads[1:3]),
            str(by_hours[hours]["false_alarms"]),
            *(str(by_hours[hours]["response"][outcome]) for outcome in answered),
        )
        for hours, words in _HOURS.items()
    )
    return table((*heads, *(each.replace("_", " ") for each in answered)), rows, whole=True)


def _spreads(by_hours: Values) -> Table:
    return table(("time", "when", "n", "median", "p90", "max"), _spread_rows(by_hours), whole=True)


def _spread_rows(by_hours: Values) -> Iterator[tuple[str, ...]]:
    for name, words in _SPREADS.items():
        for hours, when in _HOURS.items():
            spread = by_hours[hours][name]
            durations = (spread[each] for each in ("median", "p90", "max"))
            yield words, when, str(spread["n"]), *(_duration(each) for each in durations)


def _duration(value: float | None) -> str:
    return "" if value is None else _number("", value)


def _remarks(figures: Values) -> Iterable[str]:
    yield from figures["remarks"]
    for service in figures["services"]:
        yield from service["remarks"]
