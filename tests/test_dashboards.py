"""The dashboards as they are committed: made by the code that is here, and whole."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from grafana import composed, documents, frame, promql
from grafana.boards import BOARDS, FILES, written
from grafana.frame import MARKS, UIDS, VARIABLES, made, panels
from grafana.panels import COLUMNS, Ask
from grafana.promql import UnknownSeriesError, exposed, labels_of
from grafana.prove.story import EXPECTED
from monitor.config import load
from monitor.metrics import FAMILIES

ROOT = Path(__file__).parent.parent
GRAFANA = ROOT / "grafana"
NAMES = [board.name for board in BOARDS]
BUILT_IN = {"__range", "__rate_interval", "__interval", "__url_time_range"}
KINDS = {"stat", "bargauge", "timeseries", "state-timeline", "status-history", "heatmap", "table"}


@pytest.fixture(scope="module", params=BOARDS, ids=NAMES)
def board(request):
    return request.param


@pytest.fixture(scope="module")
def shown(board):
    """A committed dashboard, as Grafana reads it."""
    return json.loads(FILES[board.name].read_text())


def drawn(shown):
    """Its panels without the headings."""
    return [panel for panel in shown["panels"] if panel["type"] != "row"]


# --------------------------------------------------------------------------- made by code


def test_the_committed_file_is_what_the_code_makes(board):
    assert FILES[board.name].read_text() == written(board), "run `make dashboards`"


def test_the_code_makes_the_same_in_another_process():
    program = (
        "import json, sys; from grafana.boards import BOARDS, written; "
        "json.dump([written(board) for board in BOARDS], sys.stdout)"
    )
    again = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert json.loads(again.stdout) == [written(board) for board in BOARDS]


def test_the_page_tells_of_every_alert_as_the_rules_have_it():
    text = documents.PAGE.read_text()
    assert text == documents.page(), "run `make dashboards`"
    anchors = {line[4:].lower() for line in text.splitlines() if line.startswith("### ")}
    assert {rule["alert"].lower() for rule in promql.rules("alert")} <= anchors
    proven = text.partition("These alerts fired there")[2].partition("The\n  others")[0]
    assert set(re.findall(r"Monitor[A-Z]\w+", proven)) == set(EXPECTED)


def test_nothing_else_lies_in_the_folder():
    assert set((GRAFANA / "dashboards").iterdir()) == set(FILES.values())


def test_the_sdk_reads_it_back_as_it_was(board, shown):
    assert json.loads(json.dumps(frame.models.Dashboard.from_json(shown), cls=encoder())) == shown


def encoder():
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    return JSONEncoder


def test_the_monitor_never_imports_the_dashboards():
    sources = (ROOT / "monitor").rglob("*.py")
    assert [path for path in sources if re.search(r"(from|import) grafana", path.read_text())] == []


# --------------------------------------------------------------------------- each panel


def test_identities_are_unique(board, shown):
    assert len({*UIDS.values()}) == len(BOARDS)
    assert shown["uid"] == UIDS[board.name]
    numbers = [panel["id"] for panel in shown["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_every_panel_says_what_it_shows_and_has_a_unit_and_a_query(shown):
    for panel in drawn(shown):
        assert panel["type"] in KINDS
        assert len(panel["description"]) >= 60, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0].get("value") is None


def test_thresholds_rise(shown):
    for panel in drawn(shown):
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]
        values = [step["value"] for step in steps]
        assert values == sorted(values), panel["title"]


def test_what_is_set_of_a_column_is_set_of_one_that_the_table_has(shown):
    for panel in drawn(shown):
        if panel["type"] == "table":
            (organized,) = (t for t in panel["transformations"] if t["id"] == "organize")
            columns = set(organized["options"]["renameByName"].values())
            overrides = panel["fieldConfig"].get("overrides", [])
            assert {each["matcher"]["options"] for each in overrides} <= columns
            for column in re.findall(r"__data\.fields\.(\w+)", json.dumps(overrides)):
                assert column in columns


def test_titles_are_unique_in_a_dashboard(shown):
    titles = [panel["title"] for panel in shown["panels"]]
    assert len(set(titles)) == len(titles)


def test_panels_do_not_overlap_and_stay_on_the_grid(shown):
    taken = set()
    for panel in shown["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_big_numbers_come_first(shown):
    assert drawn(shown)[0]["type"] == "stat"
    assert drawn(shown)[0]["gridPos"]["y"] == 0


# --------------------------------------------------------------------------- queries


def test_a_panel_that_asks_for_what_there_is_not_cannot_be_made(board):
    panel = next(panels(board))
    for expression, words in [
        ("monitor_renamed_total", "nothing exposes monitor_renamed_total"),
        ('monitor_blind{service="crm"}', "no label service"),
        ("sum by (tenant) (probe_success)", "no label tenant"),
        ("sum by (", "unclosed left parenthesis"),
    ]:
        row = replace(board.rows[0], panels=(replace(panel, asks=(Ask(expression),)),))
        with pytest.raises(UnknownSeriesError, match=words):
            made(replace(board, rows=(row,)))


def test_a_legend_cannot_show_a_label_that_is_gone():
    panel = next(panels(BOARDS[0]))
    asks = (Ask("sum by (service) (probe_success)", "{{service}} {{tenant}}"),)
    with pytest.raises(UnknownSeriesError, match="shows tenant"):
        frame.check(replace(panel, asks=asks))


def test_a_metric_that_is_renamed_fails_whoever_asks_for_it():
    """Take each name away that a query asks for."""
    known, used = promql.known(), set()
    for expression in {
        ask.expr for board in BOARDS for panel in panels(board) for ask in panel.asks
    }:
        plain = promql.plain(expression, VARIABLES)
        names = {name for name in re.findall(r"[a-z_][\w:]{5,}", plain) if name in known}
        for name in names:
            less = {each: labels for each, labels in known.items() if each != name}
            with pytest.raises(UnknownSeriesError, match=f"nothing exposes {name}"):
                labels_of(plain, less)
        used |= names
    families = [f for f in FAMILIES if any(name.startswith(f.name) for name in used)]
    assert len(families) >= 45


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("sum by (service) (monitor_incidents_open)", {"service"}),
        ("sum without (job, instance) (monitor_cells)", {"service"}),
        ("sum(monitor_cells)", set()),
        ('count_values by (service) ("code", probe_http_status_code)', {"service", "code"}),
        ("histogram_quantile(0.9, sum by (le) (monitor_notice_delay_seconds_bucket))", set()),
        ("max by (service) (monitor_cells) * on (service) max by (service) (up)", None),
        ("monitor_blind and on (instance) up", {"job", "instance"}),
        (
            "monitor_cells * on (service) group_right sum by (service, check) (probe_success)",
            {"service", "check"},
        ),
        ('label_replace(up, "host", "$1", "instance", "(.*)")', {"job", "instance", "host"}),
        ("topk(3, up)", {"job", "instance"}),
        ("vector(1)", set()),
    ],
)
def test_labels_are_followed_through_an_expression(expression, labels):
    if labels is None:
        with pytest.raises(UnknownSeriesError):
            labels_of(expression, exposed())
    else:
        assert labels_of(expression, exposed()) == labels


# --------------------------------------------------------------------------- variables and links


def test_every_variable_that_is_used_exists_and_every_shown_one_is_used(board, shown):
    variables = {each["name"]: each for each in shown["templating"]["list"]}
    assert tuple(variables) == VARIABLES
    rest = {key: value for key, value in shown.items() if key != "templating"}
    text = json.dumps(rest)
    used = set(re.findall(r"\$(\w+)", text)) | set(re.findall(r"\$\{(\w+)(?=[:}])", text))
    assert used - BUILT_IN <= {*variables, "__data", "__field"}
    visible = {name for name, each in variables.items() if not each.get("hide")}
    assert visible == set(board.shown)
    dependent = json.dumps([each.get("query") for each in variables.values()])
    assert all(name in used or f"${name}" in dependent for name in visible)


def test_queries_of_variables_name_what_there_is(shown):
    for variable in shown["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert asked[2] in labels_of(promql.plain(asked[1], VARIABLES), promql.known())


def test_links_lead_to_dashboards_and_pages_that_exist(shown):
    urls = [link["url"] for link in shown["links"]]
    urls += re.findall(r'"url": "([^"]+)"', json.dumps(shown["panels"]))
    paths = _pages()
    for url in urls:
        if url.startswith("/d/"):
            assert re.match(r"/d/([\w-]+)", url)[1] in UIDS.values()
            assert "?" not in url or "${__url_time_range}" in url
        else:
            assert url.startswith("${monitor_url}/"), url
            path = url.removeprefix("${monitor_url}")
            path = re.sub(r"\$\{[^}]+\}", "1", path)
            assert any(re.fullmatch(re.sub(r"\{\w+\}", r"\\w+", each), path) for each in paths), url


def _pages():
    """The paths of the pages that people read."""
    sources = "".join(path.read_text() for path in (ROOT / "monitor" / "web").glob("*.py"))
    return set(re.findall(r'@routes.get\("([^"]+)"', sources))


def test_links_between_dashboards_keep_time_and_variables(shown):
    between = [link for link in shown["links"] if link["url"].startswith("/d/")]
    assert len(between) == len(BOARDS) - 1
    assert all(link["keepTime"] and link["includeVars"] for link in between)


def test_incidents_are_marked(shown):
    marks = shown["annotations"]["list"]
    assert [mark["expr"] for mark in marks] == [mark[1] for mark in MARKS]
    for mark in marks:
        labels = labels_of(promql.plain(mark["expr"], VARIABLES), promql.known())
        shown_labels = set(re.findall(r"{{(\w+)}}", mark["titleFormat"] + mark["textFormat"]))
        assert shown_labels <= labels


# --------------------------------------------------------------------------- compose, provisioning


def yaml(path):
    return YAML(typ="safe").load((ROOT / path).read_text())


def test_the_compose_file_is_of_its_schema():
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.compose-spec", "compose.yaml"),
        ],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout


def test_what_compose_mounts_is_there_and_read_only():
    for name, service in yaml("compose.yaml")["services"].items():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (ROOT / source).exists(), name
                assert rest.endswith(":ro"), name
            else:
                assert source in yaml("compose.yaml")["volumes"], name


def test_compose_pins_its_images_and_opens_nothing_to_other_hosts():
    for name, service in yaml("compose.yaml")["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_compose_starts_commands_that_exist():
    import typer.main

    from monitor.cli import app

    commands = typer.main.get_command(app).commands
    for name in ("monitor", "estate"):
        command, *rest = yaml("compose.yaml")["services"][name]["command"]
        options = {option for each in commands[command].params for option in each.opts}
        assert {word for word in rest if word.startswith("--")} <= options


def test_the_configuration_of_compose_is_the_shipped_one_and_fine():
    assert composed.CHECKS.read_text() == composed.checks(), "run `make dashboards`"
    load(composed.CHECKS, {})
    subnet = yaml("compose.yaml")["networks"]["inside"]["ipam"]["config"][0]["subnet"]
    assert yaml(composed.CHECKS)["network"]["allow_private"] == [subnet]
    assert "127.0.0.1" not in composed.CHECKS.read_text().replace("http://127.0.0.1:8365", "")


def test_provisioning_names_what_compose_has():
    services = yaml("compose.yaml")["services"]
    (provider,) = yaml("grafana/provisioning/dashboards/monitor.yaml")["providers"]
    mounted = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    for source in yaml("grafana/provisioning/datasources/monitor.yaml")["datasources"]:
        host = re.match(r"http://(\w+):", source["url"])[1]
        assert host in services


def test_the_receivers_of_alertmanager_are_served_by_the_estate():
    urls = re.findall(
        r"url: http://(\w+):(\d+)/(\w+)", (GRAFANA / "alertmanager/alertmanager.yml").read_text()
    )
    from monitor.cli.standing import RECEIVER_PORT

    assert {path for _, _, path in urls} == {"alerts", "watchdog"}
    assert {(host, int(port)) for host, port, _ in urls} == {("estate", RECEIVER_PORT)}
