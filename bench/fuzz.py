"""Fuzz one target for as long as one likes.

`python -m bench.fuzz NAME FOLDER [SECONDS] [OPTION...]`: FOLDER gets `corpus`, which goes on where
an earlier run ended, and every crash as `crash-*`. A crash is an input: put it beside the other
seeds of its target once the code is mended. Options go to libFuzzer, such as `-seed=7`; without
SECONDS it runs until it is stopped or finds something.
"""

import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS, command

ROOT = Path(__file__).parent.parent


def main(name="", folder="", *options) -> int:
    if name not in TARGETS or not folder:
        print(f"{__doc__}\nNAME is one of: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    at = Path(folder).resolve()
    at.mkdir(parents=True, exist_ok=True)
    given = [f"-max_total_time={each}" if each.isdecimal() else each for each in options]
    return subprocess.run(command(name, at, *given), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
