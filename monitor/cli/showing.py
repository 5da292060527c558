"""How answers look: tables and sentences for people, plain values for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from monitor.config import Config, ConfigError
from monitor.incident.wording import moment
from monitor.model import Cell, Phases, Result

_PHASES = ("resolve", "connect", "tls", "processing", "transfer")
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


def result_text(cell: Cell, result: Result) -> str:
    """One probe as a short story: what was tried, how far it got, what came back."""
    evidence = result.evidence
    vantage = cell.vantage
    place = vantage.source_address or vantage.proxy or "this host"
    outcome = f"{result.outcome}" + (f" ({result.failure})" if result.failure else "")
    took = result.observed_mono - result.sent_mono
    lines = [
        f"{cell.key}: {outcome} in {took:.3f} s",
        f"  asked    {cell.target.address} from {vantage.name} ({place})",
    ]
    lines += [f"  address  {evidence.address}"] if evidence.address else []
    lines += [f"  phases   {phases_text(result.phases)}"]
    lines += [f"  answer   {evidence.status_line}"] if evidence.status_line else []
    lines += [f"  header   {name}: {value}" for name, value in evidence.headers]
    certificate = evidence.certificate
    if certificate is not None:
        names = ", ".join(certificate.names)
        lines.append(f"  certificate for {names}, until {moment(certificate.not_after)}")
    lines += [f"  warning  {warning}" for warning in evidence.warnings]
    lines += [f"  error    {evidence.message}"] if evidence.message else []
    lines += [f"  body     {line}" for line in evidence.body.splitlines()[:10]]
    return "\n".join(lines)


def phases_text(phases: Phases) -> str:
    """How long each phase took that was reached."""
    taken = [(name, getattr(phases, name)) for name in _PHASES]
    reached = [f"{name} {1000 * seconds:.1f} ms" for name, seconds in taken if seconds is not None]
    return ", ".join(reached) or "none was finished"


def result_json(cell: Cell, result: Result) -> dict[str, Any]:
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
        "phases": {name: getattr(result.phases, name) for name in _PHASES},
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
    """Every incident as a row."""
    rows = (
        (
            f"#{incident['number']}",
            incident["priority"],
            incident["state"],
            incident["title"],
            told(incident["began"]["before"]),
            told(incident["respond_by"]),
            incident["acknowledged_by"] or "",
        )
        for incident in incidents
    )
    heads = ("", "priority", "state", "what", "since", "respond by", "acknowledged by")
    return table(heads, rows)


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
