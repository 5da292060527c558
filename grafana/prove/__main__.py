"""Run the proof and print it: 0 when everything had an answer and every alert arrived, else 1."""

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from grafana.promql import rules
from grafana.prove import asking, programs
from grafana.prove.programs import GaveUpError
from grafana.prove.story import EXPECTED, Scene, opened, played


def main() -> int:
    """As said above; 2 when a program is not installed."""
    if missing := programs.missing():
        _say(f"not installed: {', '.join(missing)}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prove-dashboards-") as folder:
        try:
            wrong = _proved(Path(folder))
        except (GaveUpError, LookupError) as error:
            wrong = [str(error)]
    _say(f"\n{time.monotonic() - began:.0f} s")
    for each in wrong:
        _say(f"NOT PROVEN: {each}")
    return 1 if wrong else 0


def _proved(folder: Path) -> list[str]:
    scene = opened(folder)
    with scene.stack:
        _say("Replaced in the shipped files, and nothing else:")
        for each in scene.replaced:
            _say(f"  {each}")
        try:
            played(scene)
        except GaveUpError:
            for log in sorted(folder.glob("*.log")):
                _say(f"--- {log.name}\n{log.read_text()[-2000:]}")
            raise
        return [*_queries(scene), *_variables(scene), *_exemplars(scene), *_alerts(scene)]


def _queries(scene: Scene) -> Iterator[str]:
    """Print every query with its answer; what has none is wrong."""
    moments = scene.moments
    for title, every in (("Queries", asking.queries()), ("Recording rules", asking.recorded())):
        _say(f"\n{title}, everything selected (moments: {', '.join(moments)}):")
        for query in every:
            found = scene.prometheus.answered(query, moments, scene.began)
            mark = "ok     " if found.series else "NO DATA"
            _say(f"  {mark} {found.series:>4} series  {query.place}  [{found.when}]")
            _say(f"            {' '.join(query.expression.split())}")
            if not found.series:
                yield f"no data: {query.place}"
    for unwell in scene.prometheus.unwell():
        yield f"the rule {unwell}"


def _variables(scene: Scene) -> Iterator[str]:
    _say("\nVariables:")
    for place, label, series in asking.variables():
        found = scene.prometheus.values(label, series)
        _say(f"  {'ok     ' if found else 'NO DATA'} {place}: {', '.join(found)}")
        if not found:
            yield f"no values: {place}"


def _exemplars(scene: Scene) -> Iterator[str]:
    asked = [query for query in asking.queries() if query.exemplars]
    count = sum(scene.prometheus.exemplars(query.expression, scene.began) for query in asked)
    _say(f"\nExemplars: {count} in {len(asked)} queries that ask for them")
    if not count:
        yield "no exemplars were scraped"


def _alerts(scene: Scene) -> Iterator[str]:
    """Print of every alert whether it fired and arrived; what was expected and did not is wrong."""
    _say("\nAlerts:")
    arrived = {told.alert: told for told in reversed(scene.inbox.alerts) if told.status == "firing"}
    for rule in rules("alert"):
        name = rule["alert"]
        scene.prometheus.answered(asking.Query(name, rule["expr"], now=True), scene.moments, 0)
        _say(f"  {name:<32}{_of_alert(scene, name, arrived.keys())}")
        if name in EXPECTED and name not in arrived:
            yield f"{name} did not arrive"
    pages = scene.inbox.pages
    _say(f"\nPages of the monitor itself that its own receiver took: {pages}")
    if not pages:
        yield "the monitor paged nobody"


def _of_alert(scene: Scene, name: str, arrived: Iterable[str]) -> str:
    if name in arrived and name in scene.fired:
        place = next(told.place for told in scene.inbox.alerts if told.alert == name)
        return f"fired, and arrived at {place}"
    if name in scene.fired:
        return "fired, and was held back by another alert or had no time to arrive"
    return "evaluated; not made to fire here, its rule test does"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
