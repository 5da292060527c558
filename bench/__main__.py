"""Run the short benchmarks and print their rows; `python -m bench NAME` runs one.

`detection_core`, `detection_delay`, `nuisance` and `replay` are short. `probe_cost`, `scale` and
`stall` take minutes and want a machine with nothing else to do; `kills` and `history` take minutes
too, and `crash` half an hour.
"""

import importlib
import sys

BENCHMARKS = ("detection_core", "detection_delay", "nuisance", "replay")


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        for row in importlib.import_module(f"bench.{name}").rows():
            print(f"   {row}", flush=True)


if __name__ == "__main__":
    main()
