"""Prometheus's rules and Alertmanager's routes: what Debian's own tools say of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from grafana import promql
from grafana.promql import RULES, known, labels_of

GRAFANA = Path(__file__).parent.parent / "grafana"
TESTS = sorted((GRAFANA / "prometheus" / "tests").glob("*.yml"))
ALERTS = {rule["alert"]: rule for rule in promql.rules("alert")}
SEVERITIES = {"critical", "warning", "info", "none"}


def said(*command, cwd=GRAFANA):
    """What a tool says; it must be content."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expectations():
    """Of every rule test: the expression, and what is expected of it."""
    for file in TESTS:
        for test in YAML(typ="safe").load(file)["tests"]:
            for case in test.get("promql_expr_test", ()):
                yield case["expr"], case["exp_samples"]


# --------------------------------------------------------------------------- Debian's tools


def test_prometheus_takes_the_shipped_configuration_and_its_rules():
    out = said("promtool", "check", "config", "prometheus/prometheus.yml")
    assert f"{len(RULES)} rule files found" in out


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_rules_do_what_their_tests_say(file):
    assert "SUCCESS" in said("promtool", "test", "rules", file.name, cwd=file.parent)


def test_a_rule_test_can_fail(tmp_path):
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
    for file in RULES:
        text = file.read_text()
        (tmp_path / "rules" / file.name).write_text(text.replace("[5m]", "[4m]"))
    test = TESTS[0]
    (tmp_path / "tests" / test.name).write_text(test.read_text())
    done = subprocess.run(
        ["promtool", "test", "rules", test.name],
        cwd=tmp_path / "tests",
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert "FAILED" in done.stdout + done.stderr


def test_alertmanager_takes_the_shipped_routes():
    assert "SUCCESS" in said("amtool", "check-config", "alertmanager/alertmanager.yml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=MonitorWatchdog", "severity=none"], "watchdog"),
        (["alertname=MonitorDown", "severity=critical"], "people"),
        (["alertname=MonitorClockStepped", "severity=info"], "people"),
    ],
)
def test_alerts_go_where_they_belong(labels, receiver):
    route = ("amtool", "config", "routes", "test", "--config.file=alertmanager/alertmanager.yml")
    assert said(*route, *labels).splitlines()[0] == receiver


# --------------------------------------------------------------------------- what each rule has


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tested_both_ways(name):
    asked = [samples for expr, samples in expectations() if f'alertname="{name}"' in expr]
    assert any(asked), "no test sees it fire"
    assert name == "MonitorWatchdog" or not all(asked), "no test sees it quiet"


def test_every_recording_rule_is_tested():
    tested = " ".join(expr for expr, _ in expectations())
    assert [rule["record"] for rule in promql.rules("record") if rule["record"] not in tested] == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(name):
    rule = ALERTS[name]
    assert name.startswith("Monitor")
    assert rule["labels"]["severity"] in SEVERITIES
    words = rule["annotations"]
    assert set(words) == {"summary", "description", "runbook_url"}
    assert len(words["description"]) >= 60
    assert words["runbook_url"].endswith(f"dashboards.md#{name.lower()}")


@pytest.mark.parametrize("name", ALERTS)
def test_the_words_of_an_alert_name_labels_that_it_has(name):
    rule = ALERTS[name]
    labels = labels_of(rule["expr"], known()) | rule["labels"].keys()
    named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert named <= labels


def test_names_of_rules_are_unique():
    names = [
        rule.get("record") or rule["alert"]
        for kind in ("record", "alert")
        for rule in promql.rules(kind)
    ]
    assert len(set(names)) == len(names)


def test_what_silences_and_what_is_silenced_exists():
    text = (GRAFANA / "alertmanager" / "alertmanager.yml").read_text()
    named = set(re.findall(r"\bMonitor\w+", text))
    assert named <= set(ALERTS)


def test_no_secret_is_shipped():
    """What stands there is a variable, with a default for the simulated estate at most."""
    for file in [*GRAFANA.rglob("*.y*ml"), GRAFANA.parent / "compose.yaml"]:
        values = re.findall(
            r"(?i)\b\w*(?:password|secret|token|bearer)\w*: +(\S+)", file.read_text()
        )
        assert all(value.strip("\"'{").startswith(("$", "password")) for value in values), file
