"""What the dashboards are made of: a panel as a value, and how Grafana's SDK is told of it.

A `Panel` says what is asked, how it is drawn and what the reader is to do; `placed` flows panels
into the 24 columns of the grid, row by row, and gives each a place and a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
COLUMNS = 24

GREEN, BLUE, YELLOW, ORANGE, RED, GREY = "green", "blue", "yellow", "orange", "red", "#8e8e8e"


@dataclass(frozen=True, slots=True)
class Ask:
    """A query: over the range of the dashboard, or as things stand at its end (`now`)."""

    expr: str
    legend: str = ""
    now: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """The colour of values: `first`, then each colour from its value on."""

    first: str
    then: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `says` is what it shows and what to do when it is red; sizes are of the grid.

    `words` gives values a text and a colour; `link` is where a click on a value leads; `columns`
    names and orders the columns of a table, `units` are theirs where they differ, and `colored` are
    those that `steps` are for.
    """

    kind: str
    title: str
    says: str
    asks: tuple[Ask, ...]
    unit: str
    width: int
    height: int
    steps: Steps = Steps(BLUE)
    words: tuple[tuple[float, str, str], ...] = ()
    link: tuple[str, str] | None = None
    empty: str = "none"
    decimals: int | None = None
    span: tuple[float | None, float | None] = (None, None)
    columns: tuple[tuple[str, str], ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    colored: tuple[str, ...] = ()
    stacked: bool = False
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it; no title, no heading."""

    title: str
    panels: tuple[Panel, ...]


def placed(rows: Iterable[Row]) -> list[Any]:
    """The SDK's panels of all rows, from the top left on."""
    made: list[Any] = []
    y = 0
    for row in rows:
        if row.title:
            made.append(_heading(row.title, y, len(made) + 1))
            y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            place = models.GridPos(x=x, y=y, w=panel.width, h=panel.height)
            made.append(built(panel).grid_pos(place).id(len(made) + 1).build())
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return made


def _heading(title: str, y: int, number: int) -> Any:
    place = models.GridPos(x=0, y=y, w=COLUMNS, h=1)
    return dashboard.Row(title).grid_pos(place).id(number).build()


def built(panel: Panel) -> Any:
    """The SDK's builder of a panel, all but its place."""
    builder = _DRAWN[panel.kind](panel)
    builder.title(panel.title).description(panel.says).datasource(SOURCE).unit(panel.unit)
    builder.no_value(panel.empty).thresholds(_thresholds(panel.steps))
    for number, ask in enumerate(panel.asks):
        builder.with_target(_target(panel, ask, chr(ord("A") + number)))
    if panel.words:
        builder.mappings([_words(panel.words)])
    if panel.link is not None and panel.kind != "table":
        builder.data_links([_link(*panel.link)])
    if panel.decimals is not None:
        builder.decimals(panel.decimals)
    lowest, highest = panel.span
    if lowest is not None:
        builder.min(lowest)
    if highest is not None:
        builder.max(highest)
    return builder


def _target(panel: Panel, ask: Ask, name: str) -> Any:
    query = prometheus.Dataquery().expr(ask.expr).ref_id(name).datasource(SOURCE)
    if ask.now:
        query.instant()
    else:
        query.range()
    if panel.kind == "table":
        query.format(PromQueryFormat.TABLE)
    elif panel.kind == "heatmap":
        query.format(PromQueryFormat.HEATMAP)
    if panel.exemplars:
        query.exemplar(exemplar=True)
    return query.legend_format(ask.legend or "__auto")


def _thresholds(steps: Steps) -> Any:
    first = models.Threshold(value=None, color=steps.first)
    then = [models.Threshold(value=value, color=color) for value, color in steps.then]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([first, *then])


def _words(words: Sequence[tuple[float, str, str]]) -> models.ValueMap:
    return models.ValueMap(
        {
            f"{value:g}": models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, text, color) in enumerate(words)
        }
    )


def _link(title: str, url: str) -> Any:
    return dashboard.DashboardLink(title).url(url).type(models.DashboardLinkType.LINK)


def _by_thresholds() -> Any:
    return dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def _last() -> Any:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)


def _stat(panel: Panel) -> Any:
    builder = stat.Panel().reduce_options(_last()).color_scheme(_by_thresholds())
    named = len(panel.asks) > 1 or bool(panel.asks[0].legend)
    text = shapes.BigValueTextMode.VALUE_AND_NAME if named else shapes.BigValueTextMode.VALUE
    builder.text_mode(text).graph_mode(shapes.BigValueGraphMode.NONE)
    builder.color_mode(shapes.BigValueColorMode.BACKGROUND)
    return builder.justify_mode(shapes.BigValueJustifyMode.CENTER)


def _bars(panel: Panel) -> Any:  # noqa: ARG001 - every kind is drawn by the same signature
    builder = bargauge.Panel().reduce_options(_last()).color_scheme(_by_thresholds())
    builder.orientation(shapes.VizOrientation.HORIZONTAL)
    return builder.display_mode(shapes.BarGaugeDisplayMode.BASIC)


def _series(panel: Panel) -> Any:
    legend = common.VizLegendOptions().show_legend(show_legend=True).calcs(["lastNotNull", "max"])
    legend.display_mode(shapes.LegendDisplayMode.TABLE).placement(shapes.LegendPlacement.BOTTOM)
    builder = timeseries.Panel().legend(legend).line_width(2).fill_opacity(10)
    builder.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    builder.show_points(shapes.VisibilityMode.NEVER)
    if panel.stacked:
        builder.fill_opacity(60)
        builder.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    if panel.steps.then:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        builder.thresholds_style(style)
    return builder


def _states(panel: Panel) -> Any:  # noqa: ARG001 - as above
    legend = common.VizLegendOptions().show_legend(show_legend=True)
    legend.display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM)
    builder = statetimeline.Panel().legend(legend).show_value(shapes.VisibilityMode.NEVER)
    builder.merge_values(merge_values=True).row_height(0.8).line_width(0).fill_opacity(90)
    return builder.color_scheme(_by_thresholds())


def _grid(panel: Panel) -> Any:  # noqa: ARG001 - as above
    legend = common.VizLegendOptions().show_legend(show_legend=False)
    legend.display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM)
    builder = statushistory.Panel().legend(legend).show_value(shapes.VisibilityMode.NEVER)
    builder.row_height(0.9).col_width(0.95).line_width(0).fill_opacity(85).max_data_points(60)
    return builder.color_scheme(_by_thresholds())


def _heat(panel: Panel) -> Any:
    colors = heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Oranges")
    colors.steps(64).reverse(reverse=False).exponent(0.5).fill("dark-orange")
    axis = heatmap.YAxisConfig().unit(panel.unit)
    return heatmap.Panel().calculate(calculate=False).color(colors).y_axis(axis).show_legend()


def _table(panel: Panel) -> Any:
    builder = table.Panel().color_scheme(_by_thresholds()).show_header(show_header=True)
    names = [name for name, _ in panel.columns]
    hidden = {"Time": True} | {f"Time {number}": True for number in range(1, len(panel.asks) + 1)}
    organized = {
        "excludeByName": hidden,
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": dict(panel.columns),
    }
    if len(panel.asks) > 1:
        builder.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    kept = {"include": {"names": names}}
    builder.with_transformation(
        models.DataTransformerConfig(id_val="filterFieldsByName", options=kept)
    )
    builder.with_transformation(models.DataTransformerConfig(id_val="organize", options=organized))
    titles = dict(panel.columns)
    for name, unit in panel.units:
        builder.override_by_name(titles[name], [models.DynamicConfigValue("unit", unit)])
    for name in panel.colored:
        drawn = models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"})
        builder.override_by_name(titles[name], [drawn])
    if panel.link is not None:
        title, url = panel.link
        links = [{"title": title, "url": url, "targetBlank": True}]
        for shown in titles.values():
            builder.override_by_name(shown, [models.DynamicConfigValue("links", links)])
    return builder


_DRAWN = {
    "stat": _stat,
    "bars": _bars,
    "series": _series,
    "states": _states,
    "grid": _grid,
    "heatmap": _heat,
    "table": _table,
}
