"""Behind the shim: `python -m tests.crash WHAT PLACE ...` prints what came of it as JSON.

A place is a folder for SQLite files, or the URL of a PostgreSQL database.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.crash import trials
from tests.crash.campaign import beginnings, campaign
from tests.crash.databases import Databases, Files, Server, nothing, oldest
from tests.crash.harness import Ground
from tests.crash.power import power


def _kills(asked: argparse.Namespace) -> dict[str, Any]:
    made = campaign(
        _ground(asked),
        kills=asked.times,
        seed=asked.seed,
        fresh=asked.fresh,
        until_found=asked.planted is not None,
        trouble=asked.trouble,
    )
    return asdict(made)


def _beginnings(begin: Callable[[str], None]) -> Callable[[Any], dict[str, Any]]:
    return lambda asked: asdict(beginnings(asked.place, begin, kills=asked.times, seed=asked.seed))


def _power(asked: argparse.Namespace) -> dict[str, Any]:
    place = Path(asked.place)
    ground = Ground(Files(place / "lives"), planted=asked.planted)
    return asdict(power(ground, place, images=asked.times, seed=asked.seed))


def _trial(trial: Callable[[Ground], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    return lambda asked: trial(_ground(asked))


WHAT: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "kills": _kills,
    "migrations": _beginnings(oldest),
    "first starts": _beginnings(nothing),
    "power": _power,
    "troubled": lambda asked: trials.all_troubled(_ground(asked), asked.only),
    "full": lambda asked: trials.full(Path(asked.place)),
    "corrupted": _trial(trials.corrupted),
    "race": _trial(trials.raced),
    "two_minds": _trial(trials.two_minds),
    "takeover": _trial(trials.takeover),
    "late_resolve": _trial(trials.late_resolve),
    "overtaken": _trial(trials.overtaken),
    "away": _trial(trials.away),
    "forgetful": _trial(trials.forgetful),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("place")
    parser.add_argument("--times", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", type=int, default=0)
    parser.add_argument("--planted")
    parser.add_argument("--trouble")
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    print(json.dumps(WHAT[asked.what](asked)))  # noqa: T201 - this is what it is run for


def _ground(asked: argparse.Namespace) -> Ground:
    databases: Databases = Server(asked.place) if "://" in asked.place else _files(asked.place)
    return Ground(databases, planted=asked.planted)


def _files(place: str) -> Files:
    return Files(Path(place))


if __name__ == "__main__":
    main()
