"""Replaying recorded results, and how what comes of it is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.cli.showing import iso
from monitor.config import Config, load, load_rules
from monitor.model import Incident, Interval, Outage
from monitor.replay import (
    Difference,
    HistoryError,
    Kind,
    Report,
    Setting,
    Spell,
    compare,
    read_history,
    read_spells,
    replay,
    spell_of,
)
from monitor.store import StoreError, open_reader

__all__ = ["HistoryError", "Replayed", "StoreError", "as_json", "replayed", "text"]

_MOST_OUTAGES = 100_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A report, and beside it what was declared at the time, None where that was not asked."""

    report: Report
    with_policy: bool
    differences: tuple[Difference, ...] | None

    def differs(self) -> bool:
        """Whether anything would have been declared otherwise than it was."""
        return any(each.kind is not Kind.SAME for each in self.differences or ())


def replayed(
    results: Path,
    rules: Path | None,
    config: Path | None,
    store: str | None,
    incidents: Path | None,
) -> Replayed:
    """What `monitor replay` is asked for.

    Raises `HistoryError` and `ConfigError` with every mistake of a file, ValueError when the
    results cannot be replayed against the configuration, `StoreError` for a store that cannot be
    read.
    """
    changes = load_rules(rules, os.environ) if rules else {}
    loaded = load(config, os.environ) if config else None
    was = read_spells(incidents) if incidents else None
    report = replay(read_history(results), _setting(loaded, changes))
    if store is not None:
        stored = asyncio.run(_stored(store, report.first, report.last))
        was = [*(was or ()), *map(spell_of, stored)]
    differences = None
    if was is not None:
        differences = tuple(compare([spell_of(o) for o in report.outages], was))
    return Replayed(report, loaded is not None, differences)


def _setting(config: Config | None, changes: dict[str, Any]) -> Setting:
    if config is None:
        return Setting(rules=changes)
    return Setting(config.estate, changes, config.calendar, config.policy)


async def _stored(url: str, first: datetime, last: datetime) -> list[Outage]:
    """The outages of a store that were open while results were recorded."""
    store = await open_reader(url)
    try:
        found = await store.outages(service=None, since=first, limit=_MOST_OUTAGES)
    finally:
        await store.close()
    return [outage for outage in found if outage.detected_at <= last]


# --------------------------------------------------------------------------- for people


def text(replayed: Replayed) -> str:
    """What people read: what was replayed, what came of it, and how that differs from what was."""
    report = replayed.report
    lines = [*_about(report), ""]
    lines += [line for outage in report.outages for line in _outage(outage)]
    lines += [] if report.outages else ["Nothing would have been declared."]
    if replayed.with_policy and report.incidents:
        lines += ["", "Incidents:", *(_incident(each) for each in report.incidents)]
    if replayed.differences is not None:
        lines += ["", "Beside what was declared:", *map(_difference, replayed.differences)]
        lines += [] if replayed.differences else ["  nothing was, and nothing would have been"]
    shown = "\n".join(lines)
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in shown)


def _about(report: Report) -> Iterator[str]:
    yield f"{report.results} results from {_moment(report.first)} to {_moment(report.last)}."
    if report.paced:
        yield (
            "They hold no answers to rounds: rounds were slowed down to their pace, and delays "
            "are longer than they would have been."
        )
    elif report.answered < report.asked:
        yield (
            f"Of {report.asked} questions that detection asked, {report.answered} were answered: "
            "under the rules of then others were asked."
        )
    if report.unknown:
        yield f"{report.unknown} other results are of nothing that the configuration names."
    for since, until in report.gaps:
        yield f"Nothing was recorded between {_moment(since)} and {_moment(until)}."


def _outage(outage: Outage) -> Iterator[str]:
    extent = outage.extent
    what = f" {', '.join(extent.members)}" if extent.members else ""
    yield (
        f"{_moment(outage.detected_at)}  {outage.impact.upper()}  {outage.unit}{what}"
        f"  ({outage.reason})"
    )
    yield f"    began {_between(outage.began)}"
    if outage.recovered is not None:
        yield f"    recovered {_between(outage.recovered)}"
    if outage.episodes > 1:
        yield f"    {outage.episodes} episodes"
    closed = outage.closed_at
    yield f"    closed {_moment(closed)}" if closed else "    still open at the end"


def _incident(incident: Incident) -> str:
    promised = f", respond by {_moment(incident.respond_by)}" if incident.respond_by else ""
    return (
        f"  {_moment(incident.reported_at)}  {incident.priority}  {incident.title}: to "
        f"{', '.join(incident.route)} at {_moment(incident.notify_at)}{promised}"
    )


def _difference(difference: Difference) -> str:
    spell = difference.would or difference.was
    said = "" if spell is None else f"{_moment(spell.detected)}  {_named(spell)}: "
    return f"  {said}{_how(difference)}"


def _how(difference: Difference) -> str:
    seconds = abs(difference.seconds)
    return {
        Kind.SAME: "the same",
        Kind.EARLIER: f"{seconds:.1f} s earlier than it was",
        Kind.LATER: f"{seconds:.1f} s later than it was",
        Kind.ADDED: "would have been declared, and was not",
        Kind.MISSING: "was declared, and would not have been",
    }[difference.kind]


def _named(spell: Spell) -> str:
    name = f"{spell.service}/{spell.check}" if spell.check else spell.service
    return f"{spell.impact.upper()} {name}"


def _between(interval: Interval) -> str:
    if interval.after is None:
        return f"by {_moment(interval.before)}"
    return f"between {_moment(interval.after)} and {_moment(interval.before)}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}Z"


# --------------------------------------------------------------------------- for programs


def as_json(replayed: Replayed) -> dict[str, Any]:
    """The same as plain values, instants in ISO 8601 and UTC."""
    report = replayed.report
    said = {
        "first": iso(report.first),
        "last": iso(report.last),
        "results": report.results,
        "unknown": report.unknown,
        "paced": report.paced,
        "asked": report.asked,
        "answered": report.answered,
        "gaps": [{"after": iso(since), "before": iso(until)} for since, until in report.gaps],
        "outages": [_outage_json(outage) for outage in report.outages],
    }
    if replayed.with_policy:
        said["incidents"] = [_incident_json(incident) for incident in report.incidents]
    if replayed.differences is not None:
        said["differences"] = _differences_json(replayed.differences)
    return said


def _outage_json(outage: Outage) -> dict[str, Any]:
    return {
        "unit": outage.unit,
        "service": outage.service,
        "check": outage.check,
        "impact": outage.impact,
        "reason": outage.reason,
        "dimension": outage.extent.dimension,
        "members": list(outage.extent.members),
        "began": _interval_json(outage.began),
        "detected": iso(outage.detected_at),
        "recovered": _interval_json(outage.recovered) if outage.recovered else None,
        "closed": iso(outage.closed_at),
        "episodes": outage.episodes,
    }


def _incident_json(incident: Incident) -> dict[str, Any]:
    return {
        "number": incident.number,
        "service": incident.service,
        "impact": incident.impact,
        "priority": incident.priority,
        "title": incident.title,
        "reason": incident.reason,
        "route": list(incident.route),
        "reported": iso(incident.reported_at),
        "notify_at": iso(incident.notify_at),
        "respond_by": iso(incident.respond_by),
        "resolved": iso(incident.resolved_at),
    }


def _interval_json(interval: Interval) -> dict[str, Any]:
    return {"after": iso(interval.after), "before": iso(interval.before)}


def _differences_json(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [
        {
            "kind": each.kind,
            "seconds": each.seconds,
            "would": _spell_json(each.would),
            "was": _spell_json(each.was),
        }
        for each in differences
    ]


def _spell_json(spell: Spell | None) -> dict[str, Any] | None:
    if spell is None:
        return None
    return {
        "service": spell.service,
        "check": spell.check or None,
        "impact": spell.impact,
        "began": iso(spell.began),
        "detected": iso(spell.detected),
        "ended": iso(spell.ended),
    }
