"""The proof of the dashboards, played once: every panel has data and every alert arrives."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from grafana.boards import FILES
from grafana.prove.shipped import Replaced, laid_out, replaced
from grafana.prove.story import EXPECTED

ROOT = Path(__file__).parent.parent
MOST_SECONDS = 160
"""It takes about 70 on two idle cores."""


@pytest.mark.timeout(MOST_SECONDS + 20)
def test_every_panel_has_data_and_every_alert_arrives():
    proof = subprocess.run(
        [sys.executable, "-m", "grafana.prove"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=MOST_SECONDS,
    )
    assert proof.returncode == 0, proof.stdout[-6000:] + proof.stderr
    asked = re.findall(r"^  ok +(\d+) series  (\w+) / ", proof.stdout, re.MULTILINE)
    counted = [board for _, board in asked if board in FILES]
    assert sorted(counted) == sorted(queries())
    for name in EXPECTED:
        assert re.search(rf"^  {name} +fired, and arrived", proof.stdout, re.MULTILINE)


def queries():
    """The name of the dashboard for each query and mark in its file."""
    for name, file in FILES.items():
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            yield from (name for _ in panel.get("targets", ()))
        yield from (name for _ in board["annotations"]["list"])


def test_a_file_that_no_longer_has_what_is_replaced_is_noticed(tmp_path, monkeypatch):
    from grafana.prove import shipped

    gone = Replaced(r"no such line", "anything", "it is gone")
    monkeypatch.setattr(shipped, "RULES", (*shipped.RULES, gone))
    with pytest.raises(LookupError, match="no such line"):
        laid_out(tmp_path, 1, 2, 3)


def test_nothing_but_what_is_told_is_replaced(tmp_path):
    told = laid_out(tmp_path, 1, 2, 3)
    text = (tmp_path / "prometheus.yml").read_text()
    shipped = (ROOT / "grafana" / "prometheus" / "prometheus.yml").read_text()
    differing = [
        line
        for line, other in zip(text.splitlines(), shipped.splitlines(), strict=True)
        if line != other
    ]
    assert len(differing) == 5
    assert len([line for line in told if line.startswith("prometheus.yml")]) == 4
    assert replaced("for: 5m", (Replaced(r"for: \w+", "for: 1s", "short"),)) == ("for: 1s", [1])
