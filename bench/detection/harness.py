"""Many worlds, several at a time: who was scored how, by family and by size."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product

from bench.detection.calls import calls_of
from bench.detection.families import FAMILIES
from bench.detection.peers import PEERS, peer_calls, recorded
from bench.detection.run import ABLATIONS, OURS, Run, Variant
from bench.detection.score import Score, remarks, scored
from bench.detection.world import Draw

Size = tuple[int, int, int]
"""V, K and T."""

CONTROLLED = ", with controls"
SAME_WORLDS = "ours, in the peers' worlds"


@dataclass(frozen=True, slots=True)
class Task:
    """One world, and who is to watch it."""

    family: str
    seed: int
    peers: bool = False
    ablations: bool = False


@dataclass(slots=True)
class Board:
    """Scores by (watcher, family, size), and what our own detector did wrong in which seed."""

    scores: dict[tuple[str, str, Size], Score] = field(default_factory=dict)
    wrongs: list[tuple[str, int, Size, str]] = field(default_factory=list)

    def add(self, who: str, family: str, size: Size, score: Score) -> None:
        """Count a world's score in."""
        self.scores.setdefault((who, family, size), Score()).add(score)

    def of(
        self,
        who: str,
        families: Iterable[str] | None = None,
        *,
        vantages: int | None = None,
        targets: int | None = None,
        interval: int | None = None,
    ) -> Score:
        """One watcher's score over these families and sizes; all of them where None."""
        chosen = None if families is None else set(families)
        total = Score()
        for (name, family, size), score in self.scores.items():
            wanted = zip((vantages, targets, interval), size, strict=True)
            if name != who or not all(want in (None, have) for want, have in wanted):
                continue
            if chosen is None or family in chosen:
                total.add(score)
        return total

    def watchers(self) -> list[str]:
        """Everyone who was scored, in order of appearance."""
        return list(dict.fromkeys(who for who, _, _ in self.scores))

    def families(self) -> list[str]:
        """The families that were played, in their order."""
        played = {family for _, family, _ in self.scores}
        return [family for family in FAMILIES if family in played]


def size_of(draw: Draw) -> Size:
    """V, K and T of a draw."""
    return draw.vantages, draw.targets, int(draw.interval)


Watched = tuple[Task, Size, list[tuple[str, Score]]]
"""A world that has been played, its size, and how everyone was scored."""


def watch(task: Task) -> Watched:
    """Play one world for everyone who watches it, each in a fresh copy."""
    world = FAMILIES[task.family](task.seed)
    found = [(OURS.name, _ours(task, OURS))]
    if task.ablations:
        found += [(variant.name, _ours(task, variant)) for variant in ABLATIONS]
    if task.peers:
        found.append((SAME_WORLDS, found[0][1]))
        history = recorded(FAMILIES[task.family](task.seed))
        for name, controls in product(PEERS, (False, True)):
            seen = replace(history, with_controls=controls)
            score = scored(world, peer_calls(seen, name))
            found.append((name + CONTROLLED * controls, score))
    return task, size_of(world.draw), found


def _ours(task: Task, variant: Variant) -> Score:
    world = FAMILIES[task.family](task.seed)
    run = Run(world, variant).go()
    score = scored(world, calls_of(run.declared))
    score.scheduled, score.asked = run.scheduled, run.asked
    return score


def play(tasks: Sequence[Task], jobs: int) -> Board:
    """All the worlds, `jobs` at a time."""
    if jobs == 1:
        return _collected(map(watch, tasks))
    with ProcessPoolExecutor(jobs) as pool:
        return _collected(pool.map(watch, tasks, chunksize=4))


def _collected(watched: Iterable[Watched]) -> Board:
    board = Board()
    for task, size, found in watched:
        for who, score in found:
            if who == OURS.name:
                words = (task.family, task.seed, size)
                board.wrongs += [(*words, remark) for remark in remarks(score)]
            board.add(who, task.family, size, score)
    return board
