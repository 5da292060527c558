"""Many lives, each killed a few times, and what became of all of them together.

The first kill of a life goes through the boundaries of an undisturbed one, evenly spread, before
and after each in turn; two more fall into the starts of the next processes, while they recover; the
last two anywhere in what is left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.databases import Files
from tests.crash.harness import Ground
from tests.crash.judging import Verdict
from tests.crash.shim import Kill

A_LIFE = 5
"""How many kills a life has at the most."""

IN_RECOVERY = 60
"""About as many boundaries has a start, from the lock to the leases that are released."""


@dataclass
class Outcome:
    """The sums over many lives, and the first complaints by name."""

    lives: int = 0
    kills: int = 0
    lost: int = 0
    duplicated: int = 0
    repeated: int = 0
    wrong: int = 0
    excess: int = 0
    complaints: list[str] = field(default_factory=list)
    boundaries: int = 0
    reached: list[str] = field(default_factory=list)
    killed_at: dict[str, int] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> None:
        self.lives += 1
        self.kills += verdict.kills
        self.lost += len(verdict.lost)
        self.duplicated += len(verdict.duplicated)
        self.repeated += sum(verdict.repeated.values())
        self.wrong += len(verdict.wrong)
        self.excess += verdict.excess
        if not verdict.sound and len(self.complaints) < 20:
            said = (*verdict.lost, *verdict.duplicated, *verdict.wrong)
            self.complaints.append(f"{verdict.kills} kills, repeated {verdict.repeated}: {said}")


def campaign(
    ground: Ground,
    *,
    kills: int,
    seed: int,
    fresh: int = 0,
    until_found: bool = False,
    trouble: str | None = None,
) -> Outcome:
    """Kill at least so often, the last `fresh` of it as fresh interpreters; sum up.

    With `until_found` the first life that loses or doubles something is the last. `trouble` is what
    the disk of each life has until its first kill.
    """
    outcome, dice = Outcome(), random.Random(seed)
    for hasty in (False, True):
        outcome.add(ground.life([], hasty=hasty, trouble=trouble))
    steps = ground.page.steps()
    outcome.boundaries = len(steps)
    plans = _plans(steps, 1 + (kills - fresh) // A_LIFE, dice)
    while outcome.kills < kills and not (until_found and (outcome.lost or outcome.duplicated)):
        plan = next(plans, None) or _anywhere(len(steps), dice)
        hasty, new = bool(outcome.lives % 2), outcome.kills >= kills - fresh
        outcome.add(ground.life(plan, hasty=hasty, fresh=new, trouble=trouble))
    outcome.reached = sorted(ground.reached)
    outcome.killed_at = dict(sorted(ground.killed_at.items()))
    return outcome


def _plans(steps: list[str], lives: int, dice: random.Random) -> Iterator[list[Kill]]:
    """One plan for each life; of four one aims at where a notice leaves or its answer comes."""
    last = len(steps)
    aims = [at for at, name in enumerate(steps, 1) if name.endswith(" receiver")]
    for life in range(lives):
        first = 1 + int((life + dice.random()) * last / lives)
        if life % 4 == 0:
            first = dice.choice(aims) + dice.randint(-2, 2)
        rest = max(IN_RECOVERY, last - first)
        longest = (IN_RECOVERY, IN_RECOVERY, rest // 2, rest // 2)
        again = [Kill(dice.randint(1, most), dice.random() < 0.5) for most in longest]
        yield [Kill(min(first, last), life % 2 == 1), *again]


def _anywhere(boundaries: int, dice: random.Random) -> list[Kill]:
    return [Kill(dice.randint(1, boundaries // 2), dice.random() < 0.5) for _ in range(A_LIFE)]


def beginnings(place: str, begin: Callable[[str], None], *, kills: int, seed: int) -> Outcome:
    """Kill starts on what `begin` has made, each at another boundary; then live.

    That is a database of the oldest release, which is migrated, or none at all.
    """
    ground = Ground(Files(Path(place), begin=begin))
    outcome, dice = Outcome(), random.Random(seed)
    ground.begin()
    ground.run(ground.settings(ground.databases.empty(), scene="opening"))
    outcome.boundaries = last = ground.page.count
    while outcome.kills < kills:
        first = 1 + (outcome.lives * 37 + dice.randrange(37)) % last
        again = [Kill(dice.randint(1, last), dice.random() < 0.5) for _ in range(2)]
        plan = [Kill(first, outcome.lives % 2 == 1), *again]
        outcome.add(ground.life(plan))
    outcome.reached = sorted(ground.reached)
    outcome.killed_at = dict(sorted(ground.killed_at.items()))
    return outcome
