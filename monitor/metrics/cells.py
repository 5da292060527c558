"""The `probe_*` series: what the last probe of each cell saw, as finished lines.

There are a dozen series per cell and tens of thousands of cells. A result replaces the lines of
its cell and a scrape only joins them, family by family. All families are gauges, which read the
same in the text format and in OpenMetrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.utils import floatToGoString

from monitor.metrics.families import PROBE_FAMILIES
from monitor.metrics.quota import quota_used
from monitor.model import Cell, CellKey, Outcome, Result

_PHASES = ("resolve", "connect", "tls", "processing", "transfer")
_HEADS = {f.name: f"# HELP {f.name} {f.help}\n# TYPE {f.name} {f.type}\n" for f in PROBE_FAMILIES}


class _Shape(NamedTuple):
    """Which series a result has; those of one shape differ in their values only."""

    http: bool
    phases: tuple[str, ...]
    certificate: bool
    quota: bool
    ended: str


class _Template(NamedTuple):
    """The lines of a cell with a place for each value, its families apart by `_APART`."""

    shape: _Shape
    families: tuple[str, ...]
    text: str


_APART = "\0"
_CELLS_A_PIECE = 500


class CellLines:
    """The finished lines of every cell that is kept.

    `pieces` may run in another thread than the rest.
    """

    def __init__(self) -> None:
        self._lines: dict[str, dict[CellKey, str]] = {f.name: {} for f in PROBE_FAMILIES}
        self._templates: dict[CellKey, _Template] = {}
        self._kept: frozenset[CellKey] = frozenset()

    def __contains__(self, key: CellKey) -> bool:
        return key in self._kept

    def show(self, cell: Cell, result: Result) -> None:
        """Replace the lines of a cell; what the result does not tell, the cell no longer shows."""
        key = cell.key
        shape, values = _read(cell, result)
        template = self._templates.get(key)
        if template is None or template.shape != shape:
            template = self._reshaped(key, shape)
        parts = (template.text % values).split(_APART)
        for family, part in zip(template.families, parts, strict=True):
            self._lines[family][key] = part

    def keep(self, keys: frozenset[CellKey]) -> None:
        """Keep these cells from now on, and drop the lines of every other."""
        self._kept = keys
        for lines in self._lines.values():
            for key in lines.keys() - keys:
                del lines[key]
        for key in self._templates.keys() - keys:
            del self._templates[key]

    def pieces(self) -> Iterator[bytes]:
        """All lines, grouped by family with its help and type, a few cells at a time.

        A piece is small so that joining it, which lets no other thread run, is soon done.
        """
        for family, lines in self._lines.items():
            yield _HEADS[family].encode()
            taken = list(lines.values())
            for start in range(0, len(taken), _CELLS_A_PIECE):
                yield "".join(taken[start : start + _CELLS_A_PIECE]).encode()

    def _reshaped(self, key: CellKey, shape: _Shape) -> _Template:
        template = self._templates[key] = _template(key, shape)
        for family, lines in self._lines.items():
            if family not in template.families and key in lines:
                del lines[key]
        return template


def _read(cell: Cell, result: Result) -> tuple[_Shape, tuple[str, ...]]:
    """Which series a result has, and the value of each, in the order of `_series`."""
    phases, evidence = result.phases, result.evidence
    passed = result.outcome is Outcome.PASS
    ended = "" if passed else str(result.failure or result.outcome)
    http = cell.check.kind == "http"
    taken = [(name, s) for name in _PHASES if (s := getattr(phases, name)) is not None]
    used = quota_used(evidence.headers) if http else None
    shape = _Shape(
        http,
        tuple([n for n, _ in taken]),
        evidence.certificate is not None,
        used is not None,
        ended,
    )
    values = [float(passed), result.observed_mono - result.sent_mono]
    if http:
        values.append(float(evidence.status or 0))
        values.extend([seconds for _, seconds in taken])
    if evidence.certificate is not None:
        values.append(evidence.certificate.chain_expiry.timestamp())
    if phases.resolve is not None:
        values.append(phases.resolve)
    if used is not None:
        values.append(used)
    return shape, tuple(map(_number, values))


def _series(shape: _Shape) -> Iterator[tuple[str, list[str]]]:
    """The families of a shape, each with an extra label for every one of its series."""
    yield "probe_success", [""]
    yield "probe_duration_seconds", [""]
    if shape.http:
        yield "probe_http_status_code", [""]
        yield "probe_http_duration_seconds", [f'phase="{name}",' for name in shape.phases]
    if shape.certificate:
        yield "probe_ssl_earliest_cert_expiry", [""]
    if "resolve" in shape.phases:
        yield "probe_dns_lookup_time_seconds", [""]
    if shape.quota:
        yield "probe_http_quota_used_ratio", [""]


def _template(key: CellKey, shape: _Shape) -> _Template:
    service, check, target, vantage = (_escaped(each).replace("%", "%%") for each in key)
    head, tail = (
        f'{{check="{check}",',
        f'service="{service}",target="{target}",vantage="{vantage}"}} ',
    )
    parts = {
        family: "".join([f"{family}{head}{extra}{tail}%s\n" for extra in extras])
        for family, extras in _series(shape)
    }
    if shape.ended:
        parts["probe_failure_info"] = f'probe_failure_info{head}kind="{shape.ended}",{tail}1.0\n'
    return _Template(shape, tuple(parts), _APART.join(parts.values()))


def _number(value: float) -> str:
    if value < 1e6:
        return repr(value)  # as the library writes it, which takes a while to come to that
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # untyped in the library
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
