"""The pages of the channels: their examples are read as they stand."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from monitor.config import load

PAGES = Path(__file__).parent.parent / "docs" / "channels"
KINDS = ["apprise", "mail", "slack", "teams"]
SERVICES = '\nservices: {crm: {checks: [{name: home, url: "https://crm.example.com/"}]}}\n'
PAGER = "  log: {kind: log, roles: [on_call, service_desk]}\n"


def examples():
    return [
        pytest.param(kind, block, id=f"{kind}-{place}")
        for kind in KINDS
        for place, block in enumerate(
            re.findall(r"```yaml\n(.*?)```", (PAGES / f"{kind}.md").read_text(), re.DOTALL)
        )
    ]


@pytest.mark.parametrize(("kind", "example"), examples())
def test_every_example_is_read(kind, example, tmp_path):
    file = tmp_path / "checks.yaml"
    file.write_text(example + PAGER + SERVICES)
    named = re.findall(r"\$\{(\w+)\}", example)
    scheme = "json" if kind == "apprise" else "https"
    with warnings.catch_warnings():
        # Apprise imports all its services at the first use, some in ways that Python warns of.
        warnings.simplefilter("ignore")
        config = load(file, dict.fromkeys(named, f"{scheme}://hooks.example.com/secret"))
    assert [channel.kind for channel in config.channels] == [kind, "log"]
    assert {secret.reveal() for secret in config.secrets} == {
        f"{scheme}://hooks.example.com/secret"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_linked_from_the_configuration_and_links_back(kind):
    assert f"](channels/{kind}.md)" in (PAGES.parent / "configuration.md").read_text()
    assert "](../configuration.md)" in (PAGES / f"{kind}.md").read_text()
