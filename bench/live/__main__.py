"""The command line: which of the live benchmarks to run, and how much of it."""

import argparse
import asyncio

from bench.live import delay, noise, peers


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.live")
    which = parser.add_subparsers(dest="which", required=True)
    faults = which.add_parser("delay", help="from a fault to the page")
    faults.add_argument("--pairs", type=int, default=8)
    faults.add_argument("--each", type=int, default=24, help="outages of each kind")
    faults.add_argument("--seed", type=int, default=1)
    beside = which.add_parser("peers", help="beside Prometheus and blackbox_exporter")
    beside.add_argument("--pairs", type=int, default=6)
    beside.add_argument("--each", type=int, default=10, help="outages of each kind")
    beside.add_argument("--seed", type=int, default=1)
    bursts = which.add_parser("noise", help="bursts that two vantages share")
    bursts.add_argument("--minutes", type=float, default=60.0)
    bursts.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.which == "delay":
        asyncio.run(delay.run(given.pairs, given.each, given.seed))
    elif given.which == "peers":
        asyncio.run(peers.run(given.pairs, given.each, given.seed))
    else:
        asyncio.run(noise.run(given.minutes, given.seed))


if __name__ == "__main__":
    main()
