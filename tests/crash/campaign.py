"""Many lives, each killed a few times, and what became of all of them together.

The first kill of a life goes through the boundaries of an undisturbed one, evenly spread, before
and after each in turn; the second falls into the start of the next process, while it recovers; the
third anywhere in what is left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.crash.harness import Ground
from tests.crash.judging import Verdict
from tests.crash.shim import Kill

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

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def campaign(ground: Ground, *, kills: int, seed: int, fresh: int = 0) -> Outcome:
    """Kill at least so often, the last `fresh` of it as fresh interpreters; sum up."""
    outcome = Outcome()
    for hasty in (False, True):
        outcome.add(ground.life([], hasty=hasty))
    outcome.boundaries = ground.page.count
    dice = random.Random(seed)
    plans = _plans(outcome.boundaries, 1 + (kills - fresh) // 3, dice)
    while outcome.kills < kills:
        plan = next(plans, None) or _anywhere(outcome.boundaries, dice)
        verdict = ground.life(
            plan, hasty=bool(outcome.lives % 2), fresh=outcome.kills >= kills - fresh
        )
        outcome.add(verdict)
    outcome.reached = sorted(ground.reached)
    outcome.killed_at = dict(sorted(ground.killed_at.items()))
    return outcome


def _plans(boundaries: int, lives: int, dice: random.Random) -> Iterator[list[Kill]]:
    for life in range(lives):
        first = 1 + int((life + dice.random()) * boundaries / lives)
        yield [
            Kill(min(first, boundaries), life % 2 == 1),
            Kill(dice.randint(1, IN_RECOVERY), dice.random() < 0.5),
            Kill(dice.randint(1, max(1, boundaries - first)), dice.random() < 0.5),
        ]


def _anywhere(boundaries: int, dice: random.Random) -> list[Kill]:
    return [Kill(dice.randint(1, boundaries // 2), dice.random() < 0.5) for _ in range(3)]
