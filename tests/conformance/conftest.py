"""Counts the cases of the conformance suites, so that each run says how many there were."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from monitor.net.tls import TlsSettings
from tests.conformance.servers import authority

HERE = Path(__file__).parent.name


def pytest_terminal_summary(terminalreporter):
    """One line: `conformance cases: 9 (dns 4, tcp 5)`, by file, of those that were called."""
    cases = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            path = Path(getattr(report, "nodeid", "").partition("::")[0])
            if getattr(report, "when", "") == "call" and HERE in path.parts:
                cases[path.stem.removeprefix("test_")] += 1
    if cases:
        each = ", ".join(f"{name} {count}" for name, count in sorted(cases.items()))
        terminalreporter.write_line(f"conformance cases: {cases.total()} ({each})")


@pytest.fixture(scope="module")
def root():
    return authority()


@pytest.fixture(scope="module")
def trusted(root, tmp_path_factory):
    file = tmp_path_factory.mktemp("ca") / "root.pem"
    file.write_bytes(root.pem())
    return TlsSettings(ca_file=str(file))
