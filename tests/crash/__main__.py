"""Behind the shim: `python -m tests.crash kills URL-OR-FOLDER ...` prints what came of it as JSON.

A folder is for SQLite files, a URL for a PostgreSQL server.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.crash.campaign import campaign
from tests.crash.databases import Databases, Files, Server
from tests.crash.harness import Ground


def main() -> None:
    parser = argparse.ArgumentParser()
    what = parser.add_subparsers(required=True)
    kills = what.add_parser("kills")
    kills.add_argument("place")
    kills.add_argument("--kills", type=int, required=True)
    kills.add_argument("--seed", type=int, default=1)
    kills.add_argument("--fresh", type=int, default=0)
    kills.set_defaults(run=_kills)
    arguments = parser.parse_args()
    print(json.dumps(arguments.run(arguments)))  # noqa: T201 - this is what it is run for


def _kills(asked: argparse.Namespace) -> dict:
    ground = Ground(_databases(asked.place))
    made = campaign(ground, kills=asked.kills, seed=asked.seed, fresh=asked.fresh)
    return made.as_json()


def _databases(place: str) -> Databases:
    return Server(place) if "://" in place else Files(Path(place))


if __name__ == "__main__":
    main()
