"""Run every benchmark and print its rows; `python -m bench NAME` runs one."""

import importlib
import sys

BENCHMARKS = ("detection_core", "detection_delay", "nuisance", "probe_cost", "replay")


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        for row in importlib.import_module(f"bench.{name}").rows():
            print(f"   {row}", flush=True)


if __name__ == "__main__":
    main()
