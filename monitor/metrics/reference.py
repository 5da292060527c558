"""The page of the documentation that lists every family."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.metrics.families import FAMILIES, Family


def reference() -> str:
    """The page, in Markdown."""
    return page_of(FAMILIES)


def page_of(families: Sequence[Family]) -> str:
    """The page of these families: first those that are kept of each cell."""
    of_cells = [family for family in families if family.name.startswith("probe_")]
    others = [family for family in families if family not in of_cells]
    return "\n".join(
        [
            _HEAD,
            "## What the last probe of each cell saw\n",
            *_table(of_cells),
            "## How the services, the incidents and the monitor fare\n",
            *_table(others),
        ]
    )


def _table(families: Sequence[Family]) -> list[str]:
    return [_COLUMNS, *map(_row, families), ""]


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    query = family.query.replace("|", r"\|")
    return f"| `{family.name}` | {family.type} | {labels} | {family.help} | `{query}` |"


_COLUMNS = "| name | type | labels | meaning | an example |\n|---|---|---|---|---|"

_HEAD = """# Metrics

Generated from `monitor/metrics/families.py`. `GET /metrics` answers in the Prometheus text
format, or in OpenMetrics when the `Accept` header asks for it; there the histograms of incidents
carry the incident's number as exemplar. It is compressed when `Accept-Encoding` asks for gzip.
`probe_*` have the names and meanings of blackbox_exporter. Names and labels are public: changes
to them are listed in the changelog.

The value of a label is a name of the configuration or a word of a closed list, never what a probe
read, so the number of series does not grow with what goes wrong. Counters and state sets begin at
zero for whatever can be foreseen. What a new configuration no longer has, its series are dropped
for: should it come back, its counters begin at zero, which `rate` and `increase` take for what it
is. An incident that is still open keeps its series until it is resolved.

A histogram `NAME` has the series `NAME_bucket` (with the label `le`), `NAME_sum` and `NAME_count`.
"""
