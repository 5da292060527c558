"""What all dashboards share: variables, links, marks of incidents, and the check of queries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from grafana import promql
from grafana.panels import SOURCE, Panel, Row, placed

TAG = "uptime-monitor"
UIDS = {
    "overview": "monitor-overview",
    "service": "monitor-service",
    "incidents": "monitor-incidents",
    "monitor": "monitor-itself",
}
"""The identity of every dashboard in Grafana, by the name of its file."""

CELL_FILTER = 'service=~"$service",service!="control",target=~"$target",vantage=~"$vantage"'
VARIABLES = ("datasource", "service", "target", "vantage", "objective", "monitor_url")

INCIDENT = ("Open incident", "${monitor_url}/incidents/${__data.fields.Incident}")
SERVICE_PAGE = ("Open service", "${monitor_url}/services/${__data.fields.Service}")

_KEPT = "${service:queryparam}&${datasource:queryparam}&${__url_time_range}"
TO_SERVICE = (
    "Show this service",
    (
        f"/d/{UIDS['service']}?var-service=${{__field.labels.service}}"
        "&${datasource:queryparam}&${objective:queryparam}&${monitor_url:queryparam}"
        "&${__url_time_range}"
    ),
)


def to(name: str, title: str) -> tuple[str, str]:
    """A link to another dashboard, which keeps the time and what is selected."""
    return title, f"/d/{UIDS[name]}?{_KEPT}"


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard as a value; `name` is that of its file, `shown` the variables to choose from."""

    name: str
    title: str
    says: str
    rows: tuple[Row, ...]
    shown: tuple[str, ...]
    since: str = "now-6h"


MARKS = (
    (
        "Incidents",
        (
            'count_values by (service, priority) ("incident", '
            'max by (service, priority) (monitor_incident_number{service=~"$service"}) > 0)'
        ),
        "red",
        "Incident {{incident}}: {{service}}",
        "{{priority}}; it is open for as long as the mark is wide",
    ),
    (
        "Critical alerts",
        'count by (alertname) (ALERTS{alertstate="firing",severity="critical"})',
        "orange",
        "{{alertname}}",
        "an alert of Prometheus; docs/dashboards.md says what to do",
    ),
)
"""Annotations: name, query, colour, title and text."""


def made(board: Board) -> models.Dashboard:
    """The SDK's dashboard. Raises UnknownSeriesError when a query asks for what there is not."""
    for panel in panels(board):
        check(panel)
    builder = dashboard.Dashboard(board.title).uid(UIDS[board.name]).description(board.says)
    builder.tags([TAG]).time(board.since, "now").refresh("30s").timezone("browser").readonly()
    builder.tooltip(models.DashboardCursorSync.CROSSHAIR)
    builder.variables([_variable(name, hidden=name not in board.shown) for name in VARIABLES])
    builder.annotations([_mark(*mark) for mark in MARKS]).links(list(_links(board)))
    finished = builder.build()
    finished.panels = placed(board.rows)
    return finished


def panels(board: Board) -> Iterable[Panel]:
    """Every panel of a board."""
    return (panel for row in board.rows for panel in row.panels)


def check(panel: Panel) -> None:
    """Hold the queries of a panel, and the labels it shows, against the series there are."""
    left = [_labels(ask.expr) for ask in panel.asks]
    if panel.kind == "table":
        columns = {name for name, _ in panel.columns if not name.startswith("Value")}
        _shows(panel, columns, frozenset().union(*left))
    for ask, labels in zip(panel.asks, left, strict=True):
        _shows(panel, set(re.findall(r"{{\s*(\w+)\s*}}", ask.legend)), labels)


def _labels(expression: str) -> frozenset[str]:
    return promql.labels_of(promql.plain(expression, VARIABLES), promql.known())


def _shows(panel: Panel, names: set[str], labels: frozenset[str]) -> None:
    if names - labels:
        missing = ", ".join(sorted(names - labels))
        raise promql.UnknownSeriesError(
            f"{panel.title!r} shows {missing}, which it does not ask for"
        )


def _links(board: Board) -> Iterable[Any]:
    for name, uid in UIDS.items():
        if name != board.name:
            link = dashboard.DashboardLink(TITLES[name]).url(f"/d/{uid}")
            link.type(models.DashboardLinkType.LINK).include_vars(include_vars=True)
            yield link.keep_time(keep_time=True).icon("dashboard")
    page = dashboard.DashboardLink("The monitor's own pages").url("${monitor_url}/")
    yield (
        page.type(models.DashboardLinkType.LINK)
        .icon("external link")
        .target_blank(target_blank=True)
    )


TITLES = {
    "overview": "Overview",
    "service": "Service",
    "incidents": "Incidents",
    "monitor": "Monitor",
}
"""The title of every dashboard by the name of its file."""


def _mark(name: str, expression: str, color: str, title: str, text: str) -> Any:
    promql.checked(expression, VARIABLES)
    mark = dashboard.AnnotationQuery().name(name).datasource(SOURCE).enable(enable=True)
    mark.expr(expression).step("15s").icon_color(color).title_format(title).text_format(text)
    return mark


def _variable(name: str, *, hidden: bool) -> Any:
    variable = _MADE[name]()
    if hidden:
        variable.hide(models.VariableHide.HIDE_VARIABLE)
    return variable


def _datasource() -> Any:
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _of_label(name: str, label: str, metric: str, note: str) -> Any:
    query: dict[str, object] = {"query": f"label_values({metric}, {name})", "refId": name}
    variable = dashboard.QueryVariable(name).label(label).description(note).query(query)
    variable.datasource(SOURCE).refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(models.VariableSort.ALPHABETICAL_ASC).multi(multi=True)
    everything = models.VariableOption(text=["All"], value=["$__all"], selected=True)
    return variable.include_all(include_all=True).all_value(".*").current(everything)


def _service() -> Any:
    return _of_label("service", "Service", "monitor_service_impact", "What customers know")


def _target() -> Any:
    note = "A tenant, or `shared` for what all tenants have in common"
    return _of_label("target", "Tenant", 'probe_success{service=~"$service"}', note)


def _vantage() -> Any:
    return _of_label("vantage", "Vantage", "monitor_vantage_healthy", "The place probes leave from")


def _objective() -> Any:
    chosen = models.VariableOption(text="99.9", value="99.9", selected=True)
    variable = dashboard.CustomVariable("objective").label("Availability target, %")
    return variable.values("99,99.5,99.9,99.95,99.99").current(chosen)


def _monitor_url() -> Any:
    address = "http://127.0.0.1:8365"
    shown = models.VariableOption(text=address, value=address, selected=True)
    variable = dashboard.TextBoxVariable("monitor_url").label("Pages of the monitor")
    return variable.default_value(address).current(shown)


_MADE = {
    "datasource": _datasource,
    "service": _service,
    "target": _target,
    "vantage": _vantage,
    "objective": _objective,
    "monitor_url": _monitor_url,
}
