"""How good a watcher's calls were: beside the truth, world by world, then added up.

A truth that lasts longer than any two-round rule needs is *observable*; only those count for
recall. A call is right when it comes while a truth of its scope lasts, or within `GRACE` of its
end; every call counts for precision, also of truths too short to ask for. A call of PARTIAL or
UNKNOWN while the truth is ALL, or one that comes in a grey span, is neither right nor wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from math import ceil, sqrt

from bench.detection.calls import Call
from bench.detection.world import CONTROL_INTERVAL, Draw, Scope, Truth, World
from monitor.model import Rules

GRACE = 15.0
_RULES = Rules()
_Z = 1.959964
SCOPES = (Scope.ALL, Scope.PARTIAL, Scope.BLIND, Scope.UNKNOWN)
_NEUTRAL = {
    Scope.PARTIAL: (Scope.ALL, Scope.GREY),
    Scope.ALL: (Scope.GREY,),
    Scope.UNKNOWN: (Scope.ALL,),
}


@dataclass(slots=True)
class Tally:
    """Counts of one scope. `waited` are delays in seconds, `allowed` what each might take."""

    due: int = 0
    found: int = 0
    short: int = 0
    called: int = 0
    right: int = 0
    doubled: int = 0
    early: int = 0
    covered: int = 0
    dated: int = 0
    waited: list[float] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take another's counts in."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Score:
    """One watcher's tallies by scope over `worlds` worlds, and what it cost in probes."""

    worlds: int = 0
    scheduled: int = 0
    asked: int = 0
    by: dict[Scope, Tally] = field(default_factory=lambda: {s: Tally() for s in SCOPES})

    def add(self, other: "Score") -> None:
        """Take another's counts in."""
        self.worlds += other.worlds
        self.scheduled += other.scheduled
        self.asked += other.asked
        for scope, tally in other.by.items():
            self.by[scope].add(tally)


def scored(world: World, calls: Sequence[Call]) -> Score:
    """The score of one watcher's calls in one world."""
    score = Score(worlds=1)
    for scope in SCOPES:
        truths = [truth for truth in world.truths if truth.scope is scope]
        made = [call for call in calls if call.scope == scope]
        _score_scope(world, truths, made, score.by[scope], scope)
    return score


def remarks(score: Score) -> list[str]:
    """What is wrong with one world's score, in words."""
    found = []
    for scope, tally in score.by.items():
        waited = zip(tally.waited, tally.allowed, strict=True)
        late = [f"{w:.0f} s" for w, a in waited if scope is Scope.ALL and w > 3 * a]
        counts = {
            "not found": tally.due - tally.found,
            "false": tally.called - tally.right,
            "doubled": tally.doubled,
            "early": tally.early,
            "start not covered": tally.dated - tally.covered,
            f"late ({', '.join(late)})": len(late),
        }
        found += [f"{scope} {what}" for what, number in counts.items() if number]
    return found


def _score_scope(
    world: World, truths: Sequence[Truth], calls: Sequence[Call], tally: Tally, scope: Scope
) -> None:
    wrong = list(calls)
    for truth in truths:
        hits = [c for c in calls if _in(c, truth)]
        wrong = [c for c in wrong if c not in hits]
        observable = truth.unbroken > needed(world, truth)
        tally.due += observable
        tally.short += not observable
        tally.right += len(hits)
        tally.called += len(hits)
        if hits:
            tally.found += observable
            tally.doubled += len(hits) - 1
            _score_first(world, truth, hits[0], tally)
    beside = [t for t in world.truths if t.scope in _NEUTRAL.get(scope, ())]
    tally.called += sum(not any(_in(call, t) for t in beside) for call in wrong)


def _in(call: Call, truth: Truth) -> bool:
    same = call.service == truth.service
    return same and truth.since <= call.at <= truth.ended + GRACE


def _score_first(world: World, truth: Truth, call: Call, tally: Tally) -> None:
    told_better = call.closed if truth.flapping else call.recovered
    tally.early += told_better is not None and told_better < truth.ended
    if not truth.flapping and truth.unbroken > needed(world, truth):
        tally.waited.append(max(0.0, call.at - truth.began))
        tally.allowed.append(target_delay(world, truth))
    if call.began is not None:
        after, before = call.began
        tally.dated += 1
        latest = truth.began if truth.complete is None else truth.complete
        tally.covered += (after is None or after <= latest) and before >= truth.since
        if after is not None:
            tally.widths.append(before - after)


def cells_of(draw: Draw) -> int:
    """M: how many cells one check has."""
    return draw.vantages * draw.targets


def rounds_for(world: World) -> int:
    """Two rounds; four from one place only; from two of three, as many as `path_span` holds."""
    draw = world.draw
    seeing = draw.vantages - (draw.family == "12b")
    if seeing == 1:
        return _RULES.rounds_one_location
    if seeing == 2 and draw.vantages > 2:
        return 1 + ceil(_RULES.path_span / _RULES.round_gap)
    return _RULES.rounds_needed


def needed(world: World, truth: Truth) -> float:
    """Seconds that a truth must last to be observable."""
    draw = world.draw
    if truth.scope is Scope.BLIND:
        unheard = _RULES.control_fresh + CONTROL_INTERVAL
        return truth.waits + unheard + world.slowest
    if truth.scope is Scope.PARTIAL:
        rounds = _RULES.share_rounds
        gaps = sum(_RULES.sweep_gaps[: rounds - 1])
        return truth.waits + draw.interval + gaps + rounds * (1.0 + world.slowest)
    passed = truth.waits + draw.interval / cells_of(draw)
    return passed + rounds_for(world) * (_RULES.round_gap + world.slowest)


def target_delay(world: World, truth: Truth) -> float:
    """What the median delay may be: T/2M, the gaps between rounds, one round, and 3 s."""
    draw, rounds = world.draw, rounds_for(world)
    cells = cells_of(draw)
    repeats = -(-_RULES.votes_min // cells)
    length = (repeats - 1) * _RULES.repeat_gap + world.slowest
    began = draw.interval / (2 * cells) + (rounds - 1) * _RULES.round_gap
    return truth.waits + began + length + 3.0


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % bounds of a share."""
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def quantile(values: Iterable[float], part: float) -> float | None:
    """The value below which that part of them lies; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
