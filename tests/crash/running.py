"""Run the harness behind the shim, from a process that may have threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def behind(shim: Path, *arguments: object, within: float = 1500.0) -> dict[str, Any]:
    """What `python -m tests.crash` prints for these arguments; fails with what it complained of."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.crash", *map(str, arguments)],
        env=os.environ | {"LD_PRELOAD": str(shim), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return json.loads(ended.stdout)


@contextmanager
def side_by_side(shim: Path, runs: Mapping[str, Sequence[object]]) -> Iterator[dict[str, Future]]:
    """The outcome of each run by name, two of them at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(behind, shim, *arguments) for name, arguments in runs.items()}
