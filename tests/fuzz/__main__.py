"""Run one target under atheris: `python -m tests.fuzz NAME [libFuzzer's options] [CORPUS]`."""

from __future__ import annotations

import importlib
import sys

import atheris

from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=list(TARGETS[name].watched)):
        module = importlib.import_module(f"tests.fuzz.{name}")
    atheris.Setup(sys.argv, module.target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
