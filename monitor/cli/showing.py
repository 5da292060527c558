"""How answers look: tables and sentences for people, plain values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from monitor.config import Config, ConfigError
from monitor.model import Cell, Result
from monitor.story import PHASES, story_of, text_of, values_of

_WHOLE = frozenset({"", "priority", "state", "impact"})


def iso(at: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC; None stays None."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def mistakes(error: ConfigError) -> list[dict[str, Any]]:
    """Every mistake of a configuration, as plain values."""
    return [
        {"line": m.line, "column": m.column, "path": m.path, "message": m.message}
        for m in error.mistakes
    ]


def config_summary(config: Config) -> str:
    """One line: what a sound configuration holds."""
    estate = config.estate
    checks = sum(len(service.checks) for service in estate.services)
    return (
        f"{config.path}: fine: {len(estate.services)} services, {checks} checks, "
        f"{len(estate.vantages)} vantages, {len(estate.cells())} cells, "
        f"{len(config.channels)} channels"
    )


# --------------------------------------------------------------------------- a probe


def result_text(cell: Cell, result: Result, last_good: Result | None) -> str:
    """One probe as a short story, its first line all of it in one line."""
    return text_of(story_of(result, last_good, _place(cell)))


def _place(cell: Cell) -> str:
    vantage = cell.vantage
    return f"{vantage.network}, {vantage.source_address or vantage.proxy or 'this host'}"


def result_json(cell: Cell, result: Result, last_good: Result | None) -> dict[str, Any]:
    """One probe as plain values."""
    evidence, certificate = result.evidence, result.evidence.certificate
    return {
        "cell": str(cell.key),
        "address": cell.target.address,
        "reached": evidence.address or None,
        "outcome": result.outcome,
        "failure": result.failure,
        "message": evidence.message,
        "seconds": round(result.observed_mono - result.sent_mono, 6),
        "observed_at": iso(result.observed_at),
        "phases": {name: getattr(result.phases, name) for name in PHASES},
        "tls_version": evidence.tls_version or None,
        "steps": [
            {
                "name": step.name,
                "asked": step.asked,
                "outcome": step.outcome,
                "seconds": round(step.seconds, 6),
                "status_line": step.status_line,
                "message": step.message,
            }
            for step in evidence.steps
        ],
        "status": evidence.status,
        "headers": [list(header) for header in evidence.headers],
        "body": evidence.body,
        "certificate": certificate
        and {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "names": list(certificate.names),
            "not_before": iso(certificate.not_before),
            "not_after": iso(certificate.not_after),
            "chain_expiry": iso(certificate.chain_expiry),
        },
        "warnings": list(evidence.warnings),
        "story": values_of(story_of(result, last_good, _place(cell))),
    }


# --------------------------------------------------------------------------- services and incidents


def services_table(answer: Mapping[str, Any]) -> Table:
    """Every service as a row; the last column only while something is being maintained."""
    rows = (
        (
            service["title"],
            service["impact"],
            told((service["since"] or {}).get("before")),
            ", ".join(f"#{number}" for number in service["incidents"]),
            ", ".join(f"{check['name']} {check['phase']}" for check in service["checks"]),
            _maintenance(service["maintenance"]),
        )
        for service in answer["services"]
    )
    heads = ("service", "impact", "since", "incidents", "checks", "maintenance")
    planned = any(service["maintenance"] for service in answer["services"])
    return table(heads, rows) if planned else table(heads[:-1], (row[:-1] for row in rows))


def _maintenance(window: Mapping[str, Any] | None) -> str:
    """An open window: what of it, which, until when and why; "" for none."""
    if window is None:
        return ""
    scope = f"{window['scope']}: " if window["scope"] else ""
    reason = f", {window['reason']}" if window["reason"] else ""
    return f"{scope}{window['name']} until {told(window['until'])}{reason}"


def incidents_table(incidents: Iterable[Mapping[str, Any]]) -> Table:
    """Every incident as a row; the last column only while one is silenced."""
    shown = list(incidents)
    rows = (
        (
            f"#{incident['number']}",
            incident["priority"],
            incident["state"],
            incident["title"],
            told(incident["began"]["before"]),
            told(incident["respond_by"]),
            incident["acknowledged_by"] or "",
            _silence(incident.get("silenced")),
        )
        for incident in shown
    )
    heads = ("", "priority", "state", "what", "since", "respond by", "acknowledged by", "silenced")
    silenced = any(incident.get("silenced") for incident in shown)
    return table(heads, rows) if silenced else table(heads[:-1], (row[:-1] for row in rows))


def _silence(silence: Mapping[str, Any] | None) -> str:
    """A silence: until when, by whom and why; "" for none."""
    if silence is None:
        return ""
    return f"until {told(silence['until'])} by {silence['by']}: {silence['reason']}"


def told(instant: str | None) -> str:
    """An instant of the API for people, short enough for a column: "" for none."""
    if instant is None:
        return ""
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%d %b %H:%M:%S}Z"


def table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], *, whole: bool = False) -> Table:
    """Rows under their heads, without lines; `whole`: no cell is broken."""
    made = Table(box=None, pad_edge=False)
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=whole or head in _WHOLE)
    for row in rows:
        made.add_row(*(cell.replace("[", "\\[") for cell in row))
    return made
