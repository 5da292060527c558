"""The targets, and the command that runs one.

`runs` is what is run each time the tests are. Three targets run at full speed and make 200,000. The
two that validate a whole document do not: one run costs 1 to 3 ms (ruamel's parser is Python, and
validation is repeated until nothing is mistaken), so 200,000 would be seven minutes each. They make
as many as half a minute allows; `python -m bench.fuzz` runs them for as long as one likes.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

SEEDS = Path(__file__).parent / "seeds"
HAS_ATHERIS = (
    sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
)
"""As the marker of the development dependencies says."""


class Target(NamedTuple):
    """`watched` are the modules whose branches guide the fuzzer, `longest` bytes an input has."""

    watched: tuple[str, ...]
    longest: int
    runs: int


TARGETS = {
    "answer": Target(
        ("monitor.net.answer", "monitor.net.coding", "monitor.net.failure"), 800, 200_000
    ),
    "scalars": Target(("monitor.config", "monitor.probes.jsonpath"), 80, 200_000),
    "tree": Target(("monitor.config.tree", "monitor.config.variables"), 48, 200_000),
    "settings": Target(("monitor.config", "monitor.probes"), 600, 15_000),
    "config": Target(("monitor.config",), 400, 15_000),
}


def command(name: str, folder: Path, *options: str) -> list[str]:
    """What runs a target in the folder: `corpus` begins as the seeds, crashes are put beside it."""
    corpus = folder / "corpus"
    shutil.copytree(SEEDS / name, corpus, dirs_exist_ok=True)
    words = SEEDS / f"{name}.dict"
    return [
        *(sys.executable, "-m", "tests.fuzz", name),
        f"-max_len={TARGETS[name].longest}",
        f"-artifact_prefix={folder}/",
        *([f"-dict={words}"] if words.exists() else []),
        *options,
        str(corpus),
    ]
