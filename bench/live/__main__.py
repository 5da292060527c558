"""The command line: which of the live benchmarks to run, and how much of it."""

import argparse
import asyncio

from bench.live import noise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live")
    which = parser.add_subparsers(dest="which", required=True)
    bursts = which.add_parser("noise", help="bursts that two vantages share")
    bursts.add_argument("--minutes", type=float, default=60.0)
    bursts.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(noise.run(given.minutes, given.seed))


if __name__ == "__main__":
    main()
