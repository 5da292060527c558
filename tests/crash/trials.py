"""Short trials: disks that fail for a while, workers that race, receivers that refuse or forget."""

from __future__ import annotations

import sqlite3
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.crash.databases import Files
from tests.crash.disks import TROUBLES
from tests.crash.harness import Ground
from tests.crash.judging import Verdict, judged, standing
from tests.crash.receiver import ACCEPT, HANG, LOSE, Asked

SMALL = "4m"
"""A file system in which a life has room, as long as nothing else takes it."""


SIX_HOURS = 6 * 3600.0


def troubled(ground: Ground, name: str) -> dict[str, Any]:
    """A life whose disk fails for a while: the verdict, and what was noticed."""
    url = ground.databases.empty()
    ground.begin()
    settings = ground.settings(url, trouble=name)
    code = ground.run(settings)
    noticed = ground.said() | {"failed": ground.page.failed}
    verdict = judged(url, ground.receiver, ground.world, kills=0, code=code, then=[])
    return {"code": code, "noticed": noticed} | _shown(verdict)


def all_troubled(ground: Ground, names: list[str]) -> dict[str, Any]:
    """Each trouble by name; `full` on a small file system, where this process may mount one."""
    return {name: troubled(ground, name) for name in names or TROUBLES if name != "full"}


def full(place: Path) -> dict[str, Any]:
    """A life on a file system that is really full for a while; None where none can be mounted."""
    with _small(place) as mounted:
        if not mounted:
            return {"mounted": False}
        return {"mounted": True} | troubled(Ground(Files(place / "lives")), "full")


@contextmanager
def _small(place: Path) -> Iterator[bool]:
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(place)]
    tried = subprocess.run(command, check=False, capture_output=True)
    try:
        yield tried.returncode == 0
    finally:
        if tried.returncode == 0:
            subprocess.run(["umount", str(place)], check=True)


def corrupted(ground: Ground) -> dict[str, Any]:
    """A monitor is killed, and the page that notices begin on is overwritten; then it is mended.

    What the monitor said that found it so, and the verdict once the page was put back.
    """
    url = ground.databases.empty()
    ground.begin()
    ground.run(ground.settings(url, kill=(500, False)))
    database = Path(url.removeprefix("sqlite:///"))
    whole = _checkpointed(database)
    _overwrite(database)
    ground.run(ground.settings(url))
    said = ground.said().get("refused", "")
    for file in database.parent.glob("monitor.db-*"):
        file.unlink()
    database.write_bytes(whole)
    code = ground.run(ground.settings(url))
    verdict = judged(url, ground.receiver, ground.world, kills=1, code=code, then=[])
    return {"said": said} | _shown(verdict)


def _checkpointed(database: Path) -> bytes:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.read_bytes()


def _overwrite(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'notice'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def raced(ground: Ground) -> dict[str, Any]:
    """Two workers, and receivers that answer 429, 500 and nothing before they accept."""
    script: defaultdict[str, list[int]] = defaultdict(lambda: [429, 500, HANG])

    def answer(asked: Asked) -> int:
        return script[asked.key].pop(0) if script[asked.key] else ACCEPT

    ground.begin()
    ground.receiver.answers = answer
    code = ground.run(ground.settings(ground.databases.empty(), scene="race"))
    ground.receiver.answers = lambda _asked: ACCEPT
    accepted = Counter(asked.key for asked in ground.receiver.accepted)
    owed = ground.said().get("owed", [])
    return {
        "code": code,
        "owed": len(owed),
        "lost": len(set(owed) - set(accepted)),
        "repeated": sum(accepted.values()) - len(accepted),
        "refused": len(ground.receiver.refused),
    }


def two_minds(ground: Ground) -> dict[str, Any]:
    """What the second of two minds was told, and how many incidents are open of one subject."""
    url = ground.databases.empty()
    ground.begin()
    code = ground.run(ground.settings(url, scene="two_minds"))
    subjects = Counter(each.subject for each in standing(url) if each.resolved_at is None)
    return {"code": code, "open": max(subjects.values(), default=0)} | ground.said()


def takeover(ground: Ground) -> dict[str, Any]:
    """What a holder that lost the store was told, and how many incidents are on disk."""
    url = ground.databases.empty()
    ground.begin()
    code = ground.run(ground.settings(url, scene="takeover"))
    return {"code": code, "incidents": len(standing(url))} | ground.said()


def late_resolve(ground: Ground) -> dict[str, Any]:
    """The first resolve on one channel is refused until the second incident was triggered there.

    Which alerts of that channel were open right after the first resolve was accepted.
    """
    accepted: set[tuple[int, str]] = set()
    after: list[list[str]] = []

    def answer(asked: Asked) -> int:
        fact = asked.document["incident"]["number"], asked.action
        late = {(1, "resolve"): (2, "trigger"), (2, "resolve"): (1, "resolve")}.get(fact)
        if asked.channel != "desk":
            return ACCEPT
        if late is not None and late not in accepted:
            return 503
        accepted.add(fact)
        if fact == (1, "resolve"):
            mine = str(asked.document["dedup_key"])
            states = ground.receiver.alerts.items()
            after.append(
                [
                    key
                    for (way, key), state in states
                    if way == "desk" and key != mine and state == "open"
                ]
            )
        return ACCEPT

    ground.receiver.answers = answer
    verdict = ground.life([], hasty=True)
    ground.receiver.answers = lambda _asked: ACCEPT
    return {"others_open": after} | _shown(verdict)


def overtaken(ground: Ground) -> dict[str, Any]:
    """A trigger is refused once, and an acknowledgement is due before it is tried again."""
    refused: list[str] = []

    def answer(asked: Asked) -> int:
        if asked.action == "trigger" and asked.key not in refused:
            refused.append(asked.key)
            return 500
        return ACCEPT

    ground.receiver.answers = answer
    verdict = ground.life([], hasty=True)
    ground.receiver.answers = lambda _asked: ACCEPT
    return {"refused": len(refused)} | _shown(verdict)


def away(ground: Ground) -> dict[str, Any]:
    """No receiver takes anything for the first six hours."""

    def answer(_asked: Asked) -> int:
        return 503 if ground.world.now < SIX_HOURS else ACCEPT

    ground.receiver.answers = answer
    verdict = ground.life([], hasty=True)
    ground.receiver.answers = lambda _asked: ACCEPT
    return {"refused": len(ground.receiver.refused)} | _shown(verdict)


def forgetful(ground: Ground) -> dict[str, Any]:
    """A receiver that answers 200 to the first trigger and forgets it: nobody can know."""
    forgotten: list[str] = []

    def answer(asked: Asked) -> int:
        if asked.action == "trigger" and not forgotten:
            forgotten.append(asked.key)
            return LOSE
        return ACCEPT

    ground.receiver.answers = answer
    verdict = ground.life([], hasty=False)
    ground.receiver.answers = lambda _asked: ACCEPT
    return {"forgotten": forgotten} | _shown(verdict)


def _shown(verdict: Verdict) -> dict[str, Any]:
    return asdict(verdict) | {"sound": verdict.sound}
