"""The labelled benchmark: does detection say what is true, and how soon, beside its peers?

    python -m bench detection --seeds 20 --first 0 --family 8
    python -m bench.detection --seeds 200 --held-out 200 --out docs/benchmarks.md

Worlds (`families`) know nothing of any detector; watchers (`run`: ours, `peers`: the others) know
nothing of a family; `score` compares what was called with what was true. `sockets` plays one world
of each family in real time, with the real monitor.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.detection.families import FAMILIES, named
from bench.detection.harness import Board, Task, play
from bench.detection.table import tables

HELD_OUT_FIRST = 50_000
_MARK = "<!-- labelled benchmark -->"


def rows(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Play the worlds that the arguments name, and yield the lines of the table."""
    chosen = _parser().parse_args(arguments)
    boards = [(_range(chosen.first, chosen.seeds), _board(chosen, chosen.first, chosen.seeds))]
    if chosen.held_out:
        board = _board(chosen, HELD_OUT_FIRST, chosen.held_out)
        boards.append((_range(HELD_OUT_FIRST, chosen.held_out), board))
    lines = list(tables(boards))
    if chosen.out:
        _write(Path(chosen.out), lines)
    yield from lines
    if chosen.remarks:
        for family, seed, (v, k, t), remark in boards[0][1].wrongs:
            yield f"family {family} seed {seed} (V={v} K={k} T={t}): {remark}"


def _range(first: int, seeds: int) -> str:
    return f"{first}-{first + seeds - 1}"


def _board(chosen: argparse.Namespace, first: int, seeds: int) -> Board:
    families = [f for name in chosen.family for f in named(name)]
    tasks = [
        Task(
            family,
            first + number,
            peers=number < chosen.peers,
            ablations=number < chosen.ablations,
        )
        for number in range(seeds)
        for family in families
    ]
    return play(tasks, chosen.jobs)


def _write(path: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the marks, or write a file of the tables alone."""
    text = path.read_text() if path.exists() else ""
    before, mark, rest = text.partition(_MARK)
    after = rest.partition(_MARK)[2] if mark else "\n"
    path.write_text("\n".join([before + _MARK, *lines, "", _MARK]) + after)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench detection")
    parser.add_argument("--seeds", type=int, default=4, help="worlds a family")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--family", nargs="+", default=["all"], help=f"of {' '.join(FAMILIES)}; 16 is 16a and 16b"
    )
    parser.add_argument("--peers", type=int, default=0, help="let peers watch so many seeds")
    parser.add_argument("--ablations", type=int, default=0, help="and ours, reduced, so many")
    parser.add_argument("--held-out", type=int, default=0, help="a second range, of so many seeds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--remarks", action="store_true", help="name each seed gone wrong")
    parser.add_argument("--out", help="a file to write the tables to, between its marks")
    return parser
