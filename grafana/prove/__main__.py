"""Run the proof and print it: 0 when everything had an answer and every alert arrived, else 1."""

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from grafana.promql import rules
from grafana.prove import asking, programs
from grafana.prove.programs import GaveUpError, said
from grafana.prove.story import EXPECTED, Scene, opened, played


def main() -> int:
    """As said above; 2 when a program is not installed."""
    if missing := programs.missing():
        said(f"not installed: {', '.join(missing)}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="prove-dashboards-") as folder:
        try:
            wrong = _proved(Path(folder))
        except (GaveUpError, LookupError) as error:
            wrong = [str(error)]
    said(f"\n{time.monotonic() - began:.0f} s")
    for each in wrong:
        said(f"NOT PROVEN: {each}")
    return 1 if wrong else 0


def _proved(folder: Path) -> list[str]:
    scene = opened(folder)
    with scene.stack:
        said("Replaced in the shipped files, and nothing else:")
        for each in scene.replaced:
            said(f"  {each}")
        said("\nWhat happens:")
        try:
            played(scene)
        except GaveUpError:
            for log in sorted(folder.glob("*.log")):
                said(f"--- {log.name}\n{log.read_text()[-2000:]}")
            raise
        parts = (_queries, _variables, _relabelled, _exemplars, _alerts)
        return [wrong for part in parts for wrong in part(scene)]


def _queries(scene: Scene) -> Iterator[str]:
    """Print every query with its answer; what has none is wrong."""
    moments = scene.moments
    for title, every in (("Queries", asking.queries()), ("Recording rules", asking.recorded())):
        said(f"\n{title}, everything selected (moments: {', '.join(moments)}):")
        for query in every:
            found = scene.prometheus.answered(query, moments, scene.began)
            mark = "ok     " if found.series else "NO DATA"
            said(f"  {mark} {found.series:>4} series  {query.place}  [{found.when}]")
            said(f"            {' '.join(query.expression.split())}")
            if not found.series:
                yield f"no data: {query.place}"
    for unwell in scene.prometheus.unwell():
        yield f"the rule {unwell}"


def _variables(scene: Scene) -> Iterator[str]:
    said("\nVariables:")
    for place, label, series in asking.variables():
        found = scene.prometheus.values(label, series)
        said(f"  {'ok     ' if found else 'NO DATA'} {place}: {', '.join(found)}")
        if not found:
            yield f"no values: {place}"


def _relabelled(scene: Scene) -> Iterator[str]:
    """What dashboards made for blackbox_exporter ask for: a target by its `instance`."""
    wanted = "crm/sign-in/acme/london"
    query = asking.Query(wanted, f'probe_success{{instance="{wanted}"}}', now=True)
    found = scene.prometheus.answered(query, scene.moments, scene.began)
    instances = scene.prometheus.values("instance", "probe_success")
    said(f"\nRelabelling: {len(instances)} instances of probe_success, such as {instances[0]}")
    if found.series != 1 or any(each.count("/") != 3 for each in instances):
        yield f"the relabelling: {found.series} series for {query.expression}"


def _exemplars(scene: Scene) -> Iterator[str]:
    asked = [query for query in asking.queries() if query.exemplars]
    count = sum(scene.prometheus.exemplars(query.expression, scene.began) for query in asked)
    said(f"\nExemplars: {count} in {len(asked)} queries that ask for them")
    if not count:
        yield "no exemplars were scraped"


def _alerts(scene: Scene) -> Iterator[str]:
    """Print of every alert whether it fired and arrived; what was expected and did not is wrong."""
    said("\nAlerts:")
    arrived = {told.alert: told for told in reversed(scene.inbox.alerts) if told.status == "firing"}
    for rule in rules("alert"):
        name = rule["alert"]
        scene.prometheus.answered(asking.Query(name, rule["expr"], now=True), scene.moments, 0)
        said(f"  {name:<32}{_of_alert(scene, name, arrived.keys())}")
        if name in arrived:
            said(f"{'':34}{arrived[name].words}")
        if name in EXPECTED and name not in arrived:
            yield f"{name} did not arrive"
        if name in arrived and "error expanding" in arrived[name].words:
            yield f"the words of {name}: {arrived[name].words}"
    pages = scene.inbox.pages
    said(f"\nPages of the monitor itself that its own receiver took: {pages}")
    if not pages:
        yield "the monitor paged nobody"


def _of_alert(scene: Scene, name: str, arrived: Iterable[str]) -> str:
    if name in arrived:
        place = next(told.place for told in scene.inbox.alerts if told.alert == name)
        return f"fired, and arrived at {place}"
    if name in scene.fired:
        return "fired, and was held back by another alert or had no time to arrive"
    return "evaluated; not made to fire here, its rule test does"


if __name__ == "__main__":
    sys.exit(main())
