"""The cases that were selected are run together, once; the end of the session counts them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.hostile import certificates
from tests.hostile.running import believe, run
from tests.hostile.tables import LISTS

_HERE = Path(__file__).parent
_COUNTS = pytest.StashKey[tuple[Counter, Counter]]()


@pytest.fixture(scope="session")
def ran(request, tmp_path_factory):
    """What came of every selected case."""
    selected = {}
    for item in request.session.items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")
        if case is not None and item.path.parent == _HERE:
            selected[case.name] = case
    where = {case.name: list_ for list_, cases in LISTS.items() for case in cases}
    request.config.stash[_COUNTS] = (
        Counter(where[name] for name in selected),
        Counter(case.peer for case in selected.values()),
    )
    with pytest.MonkeyPatch.context() as patch:
        believe(certificates.bundle(), tmp_path_factory.mktemp("hostile"), patch)
        return run(selected.values())


def pytest_terminal_summary(terminalreporter, config):
    for what, counts in zip(
        ("cases", "of plain httpx"), config.stash.get(_COUNTS, ()), strict=False
    ):
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        terminalreporter.write_line(f"hostile: {counts.total()} {what}: {told}")
