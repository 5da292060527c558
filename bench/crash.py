"""Thousands of kills, hundreds of power losses: `python -m bench crash`, about half an hour.

A plain loop over what the tests run a part of; `docs/reliability.md` has the method and what came
of it. Where nothing is lost in n kills, the rule of three bounds the share of kills that lose
something: it is less than 3/n, at 95 % confidence.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests import databases
from tests.crash.running import behind
from tests.crash.shim import compiled

SQLITE_KILLS = 2000
POSTGRESQL_KILLS = 500
START_KILLS = 200
FRESH_KILLS = 20
IMAGES = 520


def rows() -> Iterator[str]:
    """What became of each campaign; a complaint is shown with it."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        memory = Path(opened.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        shim = compiled(folder)
        kills = ("--times", SQLITE_KILLS, "--fresh", FRESH_KILLS)
        yield from _killed("SQLite", shim, "kills", memory / "kills", *kills)
        for what in ("migrations", "first starts"):
            yield from _killed(what, shim, what, memory / what, "--times", START_KILLS)
        yield from _power(shim, memory / "power")
        programs = databases.postgresql_programs()
        if programs is None:
            yield "PostgreSQL: no server is installed here"
            return
        server = opened.enter_context(databases.postgresql_server(programs))
        url = opened.enter_context(server.database())
        yield from _killed("PostgreSQL", shim, "kills", url, "--times", POSTGRESQL_KILLS)


def _killed(name: str, shim: Path, *arguments: object) -> Iterator[str]:
    began = time.monotonic()
    outcome = behind(shim, *arguments, within=7200)
    took = time.monotonic() - began
    kills, lost = outcome["kills"], outcome["lost"]
    yield (
        f"{name}: {kills} kills in {outcome['lives']} lives, {took:.0f} s: lost {lost}, "
        f"duplicated {outcome['duplicated']}, repeated {outcome['repeated']}, "
        f"otherwise wrong {outcome['wrong'] + outcome['excess']}; {_bound(lost, kills)}"
    )
    yield f"  {outcome['boundaries']} boundaries in a life left alone; killed at:"
    yield from (f"    {name}: {n}" for name, n in outcome["killed_at"].items())
    yield from _complaints(outcome)


def _power(shim: Path, place: Path) -> Iterator[str]:
    began = time.monotonic()
    outcome = behind(shim, "power", place, "--times", IMAGES, within=7200)
    images, unknown = outcome["images"], outcome["unknown"]
    yield (
        f"power: {images} images of {outcome['steps']} logged steps, "
        f"{time.monotonic() - began:.0f} s: {outcome['after_a_send']} with a notice on the wire; "
        f"damaged {outcome['damaged']}, on the wire but not on disk {unknown}, "
        f"lost {outcome['lost']}, duplicated {outcome['duplicated']}, "
        f"otherwise wrong {outcome['wrong']}; {_bound(unknown + outcome['lost'], images)}"
    )
    yield from _complaints(outcome)


def _bound(lost: int, tries: int) -> str:
    return f"fewer than 1 in {tries // 3} at 95 %" if not lost else "no bound: something was lost"


def _complaints(outcome: dict[str, Any]) -> Iterator[str]:
    yield from (f"  ! {complaint}" for complaint in outcome["complaints"])
