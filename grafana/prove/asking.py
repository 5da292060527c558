"""What is asked of the real Prometheus: what panels, marks, variables and rules ask for."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from grafana.boards import FILES
from grafana.promql import rules

CHOSEN = {
    "service": ".*",
    "target": ".*",
    "vantage": ".*",
    "objective": "99.9",
    "__rate_interval": "5s",
    "__range": "5m",
}
"""What stands in the place of variables: everything is selected."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query and where it stands; `now`: asked for a moment, not over the time of a run."""

    place: str
    expression: str
    now: bool
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """How many series a query had, and at which moment; not a number is no answer."""

    series: int
    when: str


def queries() -> Iterator[Query]:
    """Those of every panel and every annotation, from the committed files."""
    for name, file in FILES.items():
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                place = f"{name} / {panel['title']} / {target['refId']}"
                now, marked = bool(target.get("instant")), bool(target.get("exemplar"))
                yield Query(place, chosen(target["expr"]), now, marked)
        for mark in board["annotations"]["list"]:
            yield Query(f"{name} / mark: {mark['name']}", chosen(mark["expr"]), now=False)


def recorded() -> Iterator[Query]:
    """The series of every recording rule."""
    for rule in rules("record"):
        yield Query(f"rule / {rule['record']}", rule["record"], now=False)


def variables() -> Iterator[tuple[str, str, str]]:
    """Where a variable stands, the label it lists, and of which series."""
    for name, file in FILES.items():
        for variable in json.loads(file.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                if asked is None:
                    raise LookupError(f"{name}: {variable['query']} lists no values of a label")
                yield f"{name} / variable: {variable['name']}", asked[2], chosen(asked[1])


def chosen(expression: str) -> str:
    """A query with a value for each of its variables."""
    return re.sub(r"\$(\w+)", lambda match: CHOSEN[match[1]], expression)


class Prometheus:
    """The HTTP API of a Prometheus."""

    def __init__(self, port: int) -> None:
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=10
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def value(self, expression: str) -> float | None:
        """The first value that an expression has now, None when it has none."""
        found = self._ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def clock(self) -> float:
        """What time it is there."""
        return float(self._ask("query", query="time()")["result"][1])

    def answered(self, query: Query, moments: Mapping[str, float], began: float) -> Answered:
        """The most series that a query has, over the run or at any of the moments."""
        if not query.now:
            ends = max(moments.values())
            found = self._ask(
                "query_range", query=query.expression, start=began, end=ends, step="1s"
            )["result"]
            return Answered(sum(_some(each["values"]) for each in found), "over the run")
        best = Answered(0, "at no moment")
        for when, at in moments.items():
            found = self._ask("query", query=query.expression, time=at)["result"]
            series = sum(_some([each["value"]]) for each in found)
            if series > best.series:
                best = Answered(series, when)
        return best

    def values(self, label: str, series: str) -> list[str]:
        """The values of a label of some series."""
        found: list[str] = self._ask(f"label/{label}/values", **{"match[]": series})
        return found

    def exemplars(self, expression: str, began: float) -> int:
        """How many exemplars the series of an expression have."""
        found = self._ask("query_exemplars", query=expression, start=began, end=self.clock())
        return sum(len(each["exemplars"]) for each in found)

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts: Sequence[Mapping[str, Any]] = self._ask("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def unwell(self) -> list[str]:
        """The rules that cannot be evaluated, and why."""
        groups = self._ask("rules")["groups"]
        every = [rule for group in groups for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in every if rule["health"] == "err"]

    def _ask(self, path: str, **query: Any) -> Any:
        answer = self._http.get(path, params=query)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise LookupError(f"{query.get('query')}: {answer.json()['error']}")
        return answer.raise_for_status().json()["data"]


def _some(values: Sequence[Sequence[Any]]) -> bool:
    return any(value != "NaN" for _, value in values)
