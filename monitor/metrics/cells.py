"""The `probe_*` series: what the last probe of each cell saw, as finished lines.

There are a dozen series per cell and tens of thousands of cells. A result replaces the lines of
its cell and a scrape only joins them, family by family. All families are gauges, which read the
same in the text format and in OpenMetrics.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from prometheus_client.utils import floatToGoString

from monitor.metrics.families import PROBE_FAMILIES
from monitor.model import Cell, CellKey, Outcome, Result

_PHASES = ("resolve", "connect", "tls", "processing", "transfer")
_HEADS = {
    f.name: f"# HELP {f.name} {f.help}\n# TYPE {f.name} {f.type}\n".encode() for f in PROBE_FAMILIES
}


class CellLines:
    """The finished lines of every cell. `render` may run in another thread than the rest."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[CellKey, bytes]] = {f.name: {} for f in PROBE_FAMILIES}
        self._labels: dict[CellKey, _Labels] = {}

    def show(self, cell: Cell, result: Result) -> None:
        """Replace the lines of a cell; what the result does not tell, the cell no longer shows."""
        key = cell.key
        readings = _readings(cell, result)
        labels = self._labels.get(key)
        if labels is None:
            labels = self._labels[key] = _labels(key)
        for family, lines in self._lines.items():
            if family in readings:
                lines[key] = _rendered(family, labels, readings[family])
            elif key in lines:
                del lines[key]

    def keep(self, keys: Collection[CellKey]) -> None:
        """Drop the lines of every other cell."""
        for lines in self._lines.values():
            for key in lines.keys() - keys:
                del lines[key]
        for key in self._labels.keys() - keys:
            del self._labels[key]

    def render(self) -> bytes:
        """All lines, grouped by family with its help and type."""
        parts: list[bytes] = []
        for family, lines in self._lines.items():
            parts.append(_HEADS[family])
            parts.extend(list(lines.values()))
        return b"".join(parts)


def _readings(cell: Cell, result: Result) -> dict[str, list[tuple[str, float]]]:
    """What a result says in each probe family: pairs of an extra label and a value."""
    phases, evidence = result.phases, result.evidence
    passed = result.outcome is Outcome.PASS
    readings = {
        "probe_success": [("", float(passed))],
        "probe_duration_seconds": [("", result.observed_mono - result.sent_mono)],
    }
    if cell.check.kind == "http":
        readings["probe_http_status_code"] = [("", float(evidence.status or 0))]
        readings["probe_http_duration_seconds"] = [
            (f'phase="{name}",', seconds)
            for name in _PHASES
            if (seconds := getattr(phases, name)) is not None
        ]
    if evidence.certificate is not None:
        expiry = evidence.certificate.chain_expiry.timestamp()
        readings["probe_ssl_earliest_cert_expiry"] = [("", expiry)]
    if phases.resolve is not None:
        readings["probe_dns_lookup_time_seconds"] = [("", phases.resolve)]
    if not passed:
        readings["probe_failure_info"] = [(f'kind="{result.failure or result.outcome}",', 1.0)]
    return readings


class _Labels(NamedTuple):
    """The labels of a cell, in alphabetical order: those before an extra one, and those after."""

    head: str
    tail: str


def _labels(key: CellKey) -> _Labels:
    service, check, target, vantage = map(_escaped, key)
    tail = f'service="{service}",target="{target}",vantage="{vantage}"}} '
    return _Labels(f'{{check="{check}",', tail)


def _rendered(family: str, labels: _Labels, readings: Sequence[tuple[str, float]]) -> bytes:
    """The lines of one cell in one family."""
    head, tail = labels
    lines = [f"{family}{head}{extra}{tail}{_number(value)}\n" for extra, value in readings]
    return "".join(lines).encode()


def _number(value: float) -> str:
    if 1e-4 <= value < 1e6:
        return repr(value)  # as the library writes it, which takes a while to come to that
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # untyped in the library
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
