"""Which series and labels a PromQL expression relies on, held against what there is.

An expression is followed from its selectors outwards with the labels that are left at each step:
`sum by (service) (x)` needs `service` on `x` and leaves nothing else. Labels that are matched,
grouped by, joined on or shown must be there. What the monitor exposes is known from FAMILIES, what
the recording rules make of it from their own expressions, and what Prometheus adds stands here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
from ruamel.yaml import YAML

from monitor.metrics import FAMILIES, Family, FamilyType

FOLDER = Path(__file__).parent
RULES = tuple(sorted((FOLDER / "prometheus" / "rules").glob("*.yml")))

_SCRAPED = frozenset({"job", "instance"})
_ALERT = _SCRAPED | {"alertname", "alertstate", "severity"}
_PROMETHEUS = {
    "up": _SCRAPED,
    "scrape_duration_seconds": _SCRAPED,
    "scrape_samples_scraped": _SCRAPED,
}
_SUFFIXES = {
    FamilyType.GAUGE: {"": frozenset[str]()},
    FamilyType.COUNTER: {"": frozenset[str]()},
    FamilyType.HISTOGRAM: {
        "_bucket": frozenset({"le"}),
        "_sum": frozenset(),
        "_count": frozenset(),
    },
}

Series = Mapping[str, frozenset[str]]
"""The labels of every series by name."""


class UnknownSeriesError(Exception):
    """An expression relies on a metric or a label that nothing exposes."""


def exposed(families: Iterable[Family] = FAMILIES) -> Series:
    """The series that are scraped, and their labels."""
    return dict(_PROMETHEUS) | {
        family.name + suffix: frozenset(family.labels) | more | _SCRAPED
        for family in families
        for suffix, more in _SUFFIXES[family.type].items()
    }


def rules(kind: str) -> list[dict[str, Any]]:
    """Every rule of a kind, `record` or `alert`, in the order of evaluation."""
    groups = [group for file in RULES for group in YAML(typ="safe").load(file)["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


@cache
def known() -> Series:
    """What may be asked for: what is scraped, what rules record, and the alerts.

    Raises UnknownSeriesError when a rule itself asks for what there is not.
    """
    series = dict(exposed())
    for rule in rules("record"):
        series[rule["record"]] = labels_of(rule["expr"], series)
    alerting = [labels_of(rule["expr"], series) | rule["labels"].keys() for rule in rules("alert")]
    series["ALERTS"] = _ALERT.union(*alerting)
    return series


def checked(expression: str, variables: Iterable[str] = (), series: Series | None = None) -> str:
    """The expression as it is. Raises UnknownSeriesError naming what is not there."""
    labels_of(plain(expression, variables), known() if series is None else series)
    return expression


def plain(expression: str, variables: Iterable[str] = ()) -> str:
    """An expression of a dashboard with something to parse in place of its variables."""
    text = re.sub(r"\$__(range|rate_interval|interval)\b", "5m", expression)
    for name in variables:
        text = re.sub(rf"\$(?:{name}\b|{{{name}(:\w+)?}})", "1", text)
    if "$" in text:
        raise UnknownSeriesError(f"no such variable: {text}")
    return text


def labels_of(expression: str, series: Series) -> frozenset[str]:
    """The labels that the result of an expression has. Raises UnknownSeriesError."""
    try:
        tree = promql.parse(expression)
    except ValueError as error:
        raise UnknownSeriesError(f"{error} in {expression}") from error
    return _labels(tree, series)


def _labels(tree: Any, series: Series) -> frozenset[str]:
    for kinds, follow in _FOLLOWED:
        if isinstance(tree, kinds):
            return follow(tree, series)
    raise UnknownSeriesError(f"{type(tree).__name__} is not understood: {tree}")


def _within(tree: Any, series: Series) -> frozenset[str]:
    return _labels(tree.expr, series)


def _literal(_tree: Any, _series: Series) -> frozenset[str]:
    return frozenset()


def _ranged(tree: Any, series: Series) -> frozenset[str]:
    return _selected(tree.vector_selector, series)


def _selected(selector: Any, series: Series) -> frozenset[str]:
    if selector.name not in series:
        raise UnknownSeriesError(f"nothing exposes {selector.name}")
    labels = series[selector.name]
    _need({matcher.name for matcher in selector.matchers.matchers}, labels, selector)
    return labels


def _aggregated(tree: Any, series: Series) -> frozenset[str]:
    inner = _labels(tree.expr, series)
    counted = {tree.param.val} if str(tree.op) == "count_values" else set()
    if str(tree.op) in {"topk", "bottomk"}:
        return inner
    if tree.modifier is None:
        return frozenset(counted)
    named = frozenset(tree.modifier.labels)
    _need(named, inner, tree)
    kept = named if tree.modifier.type == promql.AggModifierType.By else inner - named
    return kept | counted


def _joined(tree: Any, series: Series) -> frozenset[str]:
    left, right = _labels(tree.lhs, series), _labels(tree.rhs, series)
    operator, modifier = str(tree.op), tree.modifier
    if operator == "or":
        return left | right
    if modifier is None or modifier.matching is None:
        return left or right
    matched = frozenset(modifier.matching.labels)
    if modifier.matching.type == promql.LabelModifierType.Include:
        _need(matched, left, tree)
        _need(matched, right, tree)
    more = frozenset(modifier.group_labels or ())
    if modifier.card == promql.VectorMatchCardinality.ManyToOne:
        _need(more, right, tree)
        return left | more
    if modifier.card == promql.VectorMatchCardinality.OneToMany:
        _need(more, left, tree)
        return right | more
    one = operator not in {"and", "unless"}
    return matched if one and modifier.matching.type == promql.LabelModifierType.Include else left


def _called(tree: Any, series: Series) -> frozenset[str]:
    inner = frozenset[str]().union(*(_labels(each, series) for each in tree.args))
    name = tree.func.name
    if name == "histogram_quantile":
        _need({"le"}, inner, tree)
        return inner - {"le"}
    if name == "label_replace":
        _need({tree.args[3].val}, inner, tree)
        return inner | {tree.args[1].val}
    return inner


def _need(names: Iterable[str], labels: frozenset[str], where: Any) -> None:
    missing = sorted(set(names) - labels)
    if missing:
        raise UnknownSeriesError(f"no label {', '.join(missing)} in {where}")


_FOLLOWED: tuple[tuple[Any, Callable[[Any, Series], frozenset[str]]], ...] = (
    (promql.VectorSelector, _selected),
    (promql.MatrixSelector, _ranged),
    ((promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr), _within),
    (promql.AggregateExpr, _aggregated),
    (promql.BinaryExpr, _joined),
    (promql.Call, _called),
    ((promql.NumberLiteral, promql.StringLiteral), _literal),
)
"""How each part of an expression is followed."""
