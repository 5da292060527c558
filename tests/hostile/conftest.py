"""The cases that were selected are run together, once; the end of the session counts them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.hostile import certificates
from tests.hostile.running import believe, run
from tests.hostile.tables import CASES, LISTS

_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def ran(request, tmp_path_factory):
    """What came of every selected case."""
    selected = {}
    for item in request.session.items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if case is not None and item.path.parent == _HERE:
            selected[case.name] = case
    with pytest.MonkeyPatch.context() as patch:
        believe(certificates.bundle(), tmp_path_factory.mktemp("hostile"), patch)
        return run(selected.values())


def pytest_terminal_summary(terminalreporter):
    """Two lines: how many cases there were of each list, and what plain httpx made of them."""
    nodes = [
        getattr(report, "nodeid", "")
        for reports in terminalreporter.stats.values()
        for report in reports
    ]
    called = {node.partition("[")[2].removesuffix("]") for node in nodes if _HERE.name in node}
    cases = [case for case in CASES if str(case) in called]
    where = {case.name: list_ for list_, each in LISTS.items() for case in each}
    for what, counts in (
        ("cases", Counter(where[case.name] for case in cases)),
        ("of plain httpx", Counter(case.peer for case in cases)),
    ):
        if cases:
            told = ", ".join(f"{number} {name}" for name, number in counts.items())
            terminalreporter.write_line(f"hostile: {len(cases)} {what}: {told}")
