"""What the families promise by their names: types, units, examples, and what promtool thinks."""

import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest

import monitor
from monitor.metrics import FAMILIES, Family, FamilyType, Metrics, reference
from monitor.metrics.reference import page_of
from tests.test_metrics import some_results, wide_estate
from tests.web_fixtures import NINE, incident

PROMTOOL = shutil.which("promtool")
PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
SUFFIXES = {FamilyType.HISTOGRAM: ("_bucket", "_sum", "_count")}
SERIES = {f.name + suffix: f for f in FAMILIES for suffix in SUFFIXES.get(f.type, ("",))}
"""Every name that a query may select, and the family that it belongs to."""


def parts_of(node):
    """An expression and all that it is made of."""
    yield node
    inside = [
        getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")
    ]
    for part in (*inside, *getattr(node, "args", ())):
        if isinstance(part, promql_parser.Expr) or type(part).__module__ == "promql_parser":
            yield from parts_of(part)


def selected(query):
    """The selectors of a query: name and the labels that it matches."""
    for part in parts_of(promql_parser.parse(query)):
        if isinstance(part, promql_parser.VectorSelector):
            yield part.name, {matcher.name: matcher.value for matcher in part.matchers.matchers}


def grouped_by(query):
    parts = parts_of(promql_parser.parse(query))
    return {
        label
        for part in parts
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None
        for label in part.modifier.labels
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
class TestExamples:
    def test_it_asks_for_series_that_there_are_and_for_its_own(self, family):
        names = {name for name, _ in selected(family.query)}
        assert names <= SERIES.keys()
        assert family in {SERIES[name] for name in names}

    def test_it_matches_and_groups_by_labels_that_there_are(self, family):
        selectors = list(selected(family.query))
        for name, matched in selectors:
            has = {*SERIES[name].labels, *(["le"] if name.endswith("_bucket") else [])}
            assert matched.keys() <= has
            assert grouped_by(family.query) <= has

    def test_what_only_grows_is_asked_how_fast(self, family):
        if family.type is FamilyType.GAUGE:
            assert not re.search(r"\b(rate|increase)\(", family.query)
        else:
            assert re.search(r"\b(rate|increase)\(", family.query)


def test_the_tests_of_examples_see_every_part_of_a_query():
    ratio = 'sum by (a) (rate(b_bucket{le="1"}[5m])) / on (a) topk(3, c)'
    query = f"{ratio} + histogram_quantile(0.9, d) > -e"
    assert [name for name, _ in selected(query)] == ["b_bucket", "c", "d", "e"]
    assert next(selected(query))[1] == {"le": "1"}
    assert grouped_by(query) == {"a"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_name_says_its_type(family):
    assert family.name.endswith("_total") == (family.type is FamilyType.COUNTER)
    assert not family.name.endswith(("_bucket", "_sum", "_count", "_created"))
    assert (family.type is FamilyType.HISTOGRAM) == bool(family.buckets)
    assert family.buckets == tuple(sorted(set(family.buckets)))


def test_names_are_unique():
    assert len(SERIES) == sum(len(SUFFIXES.get(family.type, ("",))) for family in FAMILIES)


def test_the_histograms_of_incidents_have_exemplars_and_no_other_family(metrics):
    page = metrics.render(openmetrics=True)[0].decode()
    carrying = set(re.findall(r'^(\w+)_bucket\{.*# \{incident="12"\} ', page, re.MULTILINE))
    assert carrying == {family.name for family in FAMILIES if family.exemplars}
    assert "incident=" not in metrics.render()[0].decode()


@pytest.fixture
def metrics():
    """With something to say in every family."""
    made = Metrics(wide_estate(), ["pager"])
    for cell, seen in zip(wide_estate().cells(), some_results(wide_estate().cells()), strict=True):
        made.result(cell, seen, 0.0)
    one = incident(12)
    made.incident_opened(one, 9.0)
    made.notice_delay(one, 1.0)
    made.incident_acknowledged(one, 60.0)
    made.incident_resolved(one, 600.0)
    made.open_incidents([one], NINE)
    return made


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say_about_the_page(metrics):
    page, _ = metrics.render()
    said = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=page, capture_output=True, check=False, timeout=30
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, b"")


def test_every_figure_is_reported_by_some_part_of_the_monitor():
    """A family that nobody feeds would stand still without anyone noticing."""
    reports = {
        name
        for name in vars(Metrics)
        if not name.startswith("_") and name not in {"watch", "render", "pieces"}
    }
    package = Path(monitor.__file__).parent
    sources = [p.read_text() for p in package.rglob("*.py") if p.parent.name != "metrics"]
    told = set(re.findall(r"metrics\.(\w+)\b", "\n".join(sources)))
    assert reports - told == {"config_reload"}, "nothing reloads the configuration yet"


class TestThePage:
    def test_it_is_current(self):
        assert PAGE.read_text() == reference(), "write reference() to docs/metrics.md"

    def test_it_has_a_row_for_every_family_with_all_that_it_is(self):
        rows = [
            line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")
        ]
        assert [row[0].strip("| `") for row in rows] == [family.name for family in FAMILIES]
        for row, family in zip(rows, FAMILIES, strict=True):
            assert row[1] == family.type
            assert re.findall(r"`(\w+)`", row[2]) == list(family.labels)
            assert row[3:] == [family.help, f"`{family.query}` |"]

    def test_a_family_that_changes_makes_it_out_of_date(self):
        first = FAMILIES[0]
        other = Family(first.name, first.type, first.labels, first.help, query="up")
        assert page_of([*FAMILIES[1:]]) != reference() != page_of([other, *FAMILIES[1:]])
        assert page_of(FAMILIES) == reference()
