"""Power losses: lives are logged, cut anywhere, and taken up from every disk that may be left.

Of each image: its database is whole; no notice was on the wire without being on it together with
its incident; and the life comes to its end from there with nothing lost.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.crash.databases import Files, nothing
from tests.crash.harness import Ground
from tests.crash.images import HOW, Disk, Step, steps_of, written
from tests.crash.judging import judged, notices_on
from tests.crash.receiver import Asked


@dataclass
class PowerOutcome:
    """The sums over many images."""

    images: int = 0
    damaged: int = 0
    unknown: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    steps: int = 0
    after_a_send: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, what: str) -> None:
        if len(self.complaints) < 20:
            self.complaints.append(what)


@dataclass(frozen=True)
class _Recorded:
    """A life with its log, the disk that it began on, its world, and what was asked by key."""

    steps: list[Step]
    began: Path
    world: bytes
    asked: dict[str, Asked]
    kills: int


@dataclass(frozen=True)
class _Image:
    """A disk that is left in `folder` when the power goes after a step of a life."""

    name: str
    folder: Path
    disk: Disk
    life: _Recorded

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/monitor.db"


def power(ground: Ground, place: Path, *, images: int, seed: int) -> PowerOutcome:
    """So many images of a few lives; with a small WAL, so that it is checkpointed on the way.

    Where a fault is planted, the first image that shows it is the last.
    """
    outcome, dice = PowerOutcome(), random.Random(seed)
    lives = [
        _recorded(ground, Files(place / "used"), hasty=False),
        _recorded(ground, Files(place / "hasty"), hasty=True),
        _recorded(ground, Files(place / "killed"), hasty=True, kill=(400, False)),
        _recorded(ground, Files(place / "new", begin=nothing), hasty=False),
    ]
    outcome.steps = sum(len(life.steps) for life in lives)
    for number in range(images):
        life, how = lives[number % len(lives)], HOW[number // len(lives) % len(HOW)]
        last = len(life.steps) - 1
        cut = dice.choice(_moments(life.steps)) if number % 3 else dice.randint(0, last)
        image = _image(place / "image", life, min(cut, last), how, dice)
        _inspect(image, outcome)
        _live_on(ground, image, outcome)
        if ground.planted is not None and outcome.complaints:
            break
    return outcome


def _moments(steps: list[Step]) -> list[int]:
    """The steps around which most is at stake: a notice leaves, its answer comes."""
    at = [number for number, step in enumerate(steps) if step.role == "receiver"]
    return [max(0, number + by) for number in at for by in (-1, 0, 1, 4)]


def _recorded(
    ground: Ground, files: Files, *, hasty: bool, kill: tuple[int, bool] | None = None
) -> _Recorded:
    url = files.empty()
    ground.begin()
    log = os.memfd_create("log", 0)
    settings = ground.settings(url, hasty=hasty, small_wal=True, log=log)
    if kill is not None:
        ground.run(replace(settings, kill=kill))
    code = ground.run(settings)
    if code:
        raise RuntimeError(f"the life that is logged ended with {code}")
    steps = [_by_name(step) for step in steps_of(log)]
    os.close(log)
    asked = {asked.key: asked for asked in ground.receiver.accepted}
    return _Recorded(steps, files.template, ground.world.kept(), asked, int(kill is not None))


def _by_name(step: Step) -> Step:
    """The step with the names of files instead of paths: an image lies elsewhere."""
    moved = step.call == "rename"
    content = Path(step.content.decode()).name.encode() if moved else step.content
    return step._replace(name=Path(step.name).name, content=content)


def _image(folder: Path, life: _Recorded, cut: int, how: str, dice: random.Random) -> _Image:
    disk = Disk.of(life.began)
    for step in life.steps[: cut + 1]:
        disk.follow(step)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    written(list(disk.left(how, dice)), folder)
    last = life.steps[cut]
    return _Image(f"{how} after step {cut}, {last.call} {last.role}", folder, disk, life)


def _inspect(image: _Image, outcome: PowerOutcome) -> None:
    """The database is whole, and what was on the wire is on it."""
    outcome.images += 1
    outcome.after_a_send += bool(image.disk.wire)
    for damage in _damage(image.folder):
        outcome.damaged += 1
        outcome.complain(f"{image.name}: {damage}")
    for key in set(image.disk.wire) - notices_on(image.url):
        outcome.unknown += 1
        outcome.complain(f"{image.name}: {key} was on the wire and is not on disk")


def _damage(folder: Path) -> Iterator[str]:
    """What SQLite says of a copy of the image; it recovers the WAL on the way."""
    copy = folder.with_name("image-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    try:
        with closing(sqlite3.connect(copy / "monitor.db")) as connection:
            said = [row for (row,) in connection.execute("PRAGMA integrity_check")]
            said += [f"dangles: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    except sqlite3.Error as error:
        said = [str(error)]
    yield from (each for each in said if each != "ok")


def _live_on(ground: Ground, image: _Image, outcome: PowerOutcome) -> None:
    """To the end, from the image: what was answered was accepted, and nothing else.

    A power loss counts as a kill.
    """
    ground.receiver.forget()
    ground.world.back(image.life.world)
    for key in image.disk.answered:
        ground.receiver.take(image.life.asked[key])
    code = ground.run(ground.settings(image.url))
    kills = image.life.kills + 1
    verdict = judged(image.url, ground.receiver, ground.world, kills=kills, code=code, then=[])
    outcome.lost += len(verdict.lost)
    outcome.duplicated += len(verdict.duplicated)
    outcome.wrong += len(verdict.wrong) + verdict.excess
    if not verdict.sound:
        said = (*verdict.lost, *verdict.duplicated, *verdict.wrong)
        outcome.complain(f"{image.name}: repeated {verdict.repeated}, {said}")
