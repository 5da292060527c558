"""The scores as a table in markdown: targets first, then families, sizes, peers and ablations."""

from collections.abc import Iterator, Sequence
from statistics import median

from bench.detection import everyone, nobody, parts
from bench.detection.families import FAMILIES
from bench.detection.harness import Board
from bench.detection.run import ABLATIONS, OURS
from bench.detection.score import Score, Tally, quantile, wilson
from bench.detection.world import INTERVALS, TARGETS, VANTAGES, Scope

EVERYONE = [f for f, made in FAMILIES.items() if made.__module__ == everyone.__name__]
PARTS = [f for f, made in FAMILIES.items() if made.__module__ == parts.__name__]
NOBODY = [f for f, made in FAMILIES.items() if made.__module__ == nobody.__name__]
INSTANT = ("1", "4", "6", "19d", "20b", "26")
HOLES = ("2",)
UNDER_NOISE = ("16a", "16b")
QUICK = 120.0

Boards = Sequence[tuple[str, Board]]
"""The ranges of seeds by name, the tuning one first."""

KNOWN: dict[str, str] = {}
"""Why a family misses, where it is known; said of those that do miss."""


def tables(boards: Boards) -> Iterator[str]:
    """Every line of the tables."""
    yield from _targets(boards)
    yield from _families(boards)
    yield from _sizes(boards, per_interval=False)
    yield from _sizes(boards, per_interval=True)
    yield from _others(boards)
    yield from _matrix(boards)


def _heading(title: str, *columns: str) -> Iterator[str]:
    yield ""
    yield f"### {title}"
    yield ""
    yield _row(*columns)
    yield _row(*("---" for _ in columns))


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


# --------------------------------------------------------------------- against the targets


def _targets(boards: Boards) -> Iterator[str]:
    yield from _heading("Targets", "what", "target", *(name for name, _ in boards))
    for what, target, read in _TARGETS:
        cells = []
        for _, board in boards:
            met, text = read(board)
            cells.append(text if met is None else f"{text}: {'met' if met else '**missed**'}")
        yield _row(what, target, *cells)


Reading = tuple[bool | None, str]
"""Whether a target is met (None: nothing to judge by), and the figure."""


def _recall(board: Board) -> Reading:
    tally = board.of(OURS.name, EVERYONE + PARTS).by[Scope.ALL]
    return _share(tally.found, tally.due, 0.995)


def _precision(board: Board) -> Reading:
    tally = board.of(OURS.name).by[Scope.ALL]
    return _share(tally.right, tally.called, 0.995)


def _share(hits: int, of: int, least: float) -> Reading:
    if not of:
        return None, "none"
    low, high = wilson(hits, of)
    return hits / of >= least, f"{hits}/{of} = {hits / of:.4f} [{low:.4f}, {high:.4f}]"


def _most_fail(board: Board) -> Reading:
    tally = board.of(OURS.name, ["7"]).by[Scope.ALL]
    return _share(sum(waited <= QUICK for waited in tally.waited), tally.due, 0.99)


def _few_fail(board: Board) -> Reading:
    score = board.of(OURS.name, ["8"])
    called = score.by[Scope.ALL].called
    if not score.worlds:
        return None, "none"
    return called / score.worlds <= 0.005, f"{called} in {score.worlds} worlds"


def _delays(board: Board) -> Reading:
    sizes = [(v, k) for v in VANTAGES for k in TARGETS]
    scores = [board.of(OURS.name, INSTANT + HOLES, vantages=v, targets=k) for v, k in sizes]
    tallies = [score.by[Scope.ALL] for score in scores]
    late = [
        f"V={v} K={k}"
        for (v, k), tally in zip(sizes, tallies, strict=True)
        if tally.waited and not _in_time(tally)
    ]
    counted = sum(bool(tally.waited) for tally in tallies)
    if not counted:
        return None, "none"
    named = f" (not {', '.join(late)})" if late else ""
    return not late, f"{counted - len(late)} of {counted} sizes{named}"


def _in_time(tally: Tally) -> bool:
    return median(w - a for w, a in zip(tally.waited, tally.allowed, strict=True)) <= 0


def _coverage(board: Board) -> Reading:
    tally = board.of(OURS.name).by[Scope.ALL]
    return _share(tally.covered, tally.dated, 0.99)


def _duplicates(board: Board) -> Reading:
    doubled = board.of(OURS.name).by[Scope.ALL].doubled
    return doubled == 0, str(doubled)


def _early(board: Board) -> Reading:
    early = board.of(OURS.name).by[Scope.ALL].early
    return early == 0, str(early)


def _extra(board: Board) -> Reading:
    score = board.of(OURS.name, UNDER_NOISE)
    if not score.scheduled:
        return None, "none"
    return score.asked <= 0.1 * score.scheduled, f"{100 * score.asked / score.scheduled:.1f} %"


_TARGETS = (
    ("recall of ALL, all families pooled", ">= 0.995", _recall),
    ("precision of ALL, all families pooled", ">= 0.995", _precision),
    ("family 7, found within 120 s", ">= 0.99", _most_fail),
    ("family 8, false ALL", "<= 0.5 %", _few_fail),
    ("median delay per (V, K), families 1, 2, 4, 6, 19d, 20b, 26", "its bound", _delays),
    ("start interval covers the truth", ">= 0.99", _coverage),
    ("duplicates of ALL", "0", _duplicates),
    ("ALL said to be over too early", "0", _early),
    ("extra probes under noise (family 16)", "<= 10 %", _extra),
)


# --------------------------------------------------------------------- by family


def _families(boards: Boards) -> Iterator[str]:
    yield from _heading(
        "Families",
        "#",
        "what",
        "seeds",
        "worlds",
        "scope",
        "found of observable",
        "95 % bounds",
        "too short",
        "false ALL",
        "false PARTIAL",
        "delay p50 / p95 / max, s",
        "start covered",
        "width p50, s",
        "duplicates",
        "early",
        "extra probes",
    )
    for family in boards[0][1].families():
        for name, board in boards:
            score = board.of(OURS.name, [family])
            yield from _family_rows(family, name, score)
    for family, why in KNOWN.items():
        if any(_missing(board.of(OURS.name, [family])) for _, board in boards):
            yield ""
            yield f"Family {family} is missing: {why}"


def _missing(score: Score) -> bool:
    """Whether more than one in two hundred was not found, or any ALL was false."""
    due = sum(tally.due for tally in score.by.values())
    found = sum(tally.found for tally in score.by.values())
    return found < 0.995 * due or _wrong(score, Scope.ALL) > 0


def _family_rows(family: str, name: str, score: Score) -> Iterator[str]:
    what = (FAMILIES[family].__doc__ or "").split("\n")[0].rstrip(".")
    false = [_wrong(score, scope) for scope in (Scope.ALL, Scope.PARTIAL)]
    spent = f"{100 * score.asked / score.scheduled:.0f} %" if score.scheduled else "-"
    scopes = [scope for scope, tally in score.by.items() if tally.due + tally.short]
    for scope in scopes or [None]:
        tally = score.by[scope] if scope else Tally()
        low, high = wilson(tally.found, tally.due)
        yield _row(
            family,
            what,
            name,
            score.worlds,
            scope or "none",
            f"{tally.found}/{tally.due}" if scope else "-",
            f"{low:.3f}-{high:.3f}" if scope else "-",
            tally.short,
            *false,
            _spread(tally.waited),
            f"{tally.covered}/{tally.dated}",
            _figure(quantile(tally.widths, 0.5)),
            tally.doubled,
            tally.early,
            spent,
        )


def _wrong(score: Score, scope: Scope) -> int:
    return score.by[scope].called - score.by[scope].right


def _spread(waited: Sequence[float]) -> str:
    parts_ = [quantile(waited, part) for part in (0.5, 0.95, 1.0)]
    return " / ".join(_figure(part) for part in parts_) if waited else "-"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


# --------------------------------------------------------------------- by size


def _sizes(boards: Boards, *, per_interval: bool) -> Iterator[str]:
    by = "(V, K, T)" if per_interval else "(V, K)"
    yield from _heading(
        f"ALL by size {by}, all families; delays of the families 1, 4, 6, 19d, 20b, 26, and of 2",
        "V",
        "K",
        *(["T"] if per_interval else []),
        "seeds",
        "found of observable",
        "false ALL",
        "delay p50 / p95 / max, s",
        "allowed p50, s",
        "black hole p50 / p95 / max, s",
        "allowed p50, s",
        "extra probes under noise",
    )
    for v in VANTAGES:
        for k in TARGETS:
            for t in INTERVALS if per_interval else (None,):
                for name, board in boards:
                    yield _size_row(board, name, v, k, t)


def _size_row(board: Board, name: str, v: int, k: int, t: int | None) -> str:
    size = {"vantages": v, "targets": k, "interval": t}
    every = board.of(OURS.name, **size).by[Scope.ALL]
    quick, holes = (
        board.of(OURS.name, chosen, **size).by[Scope.ALL] for chosen in (INSTANT, HOLES)
    )
    noisy = board.of(OURS.name, UNDER_NOISE, **size)
    return _row(
        v,
        k,
        *([t] if t else []),
        name,
        f"{every.found}/{every.due}",
        every.called - every.right,
        _spread(quick.waited),
        _figure(quantile(quick.allowed, 0.5)),
        _spread(holes.waited),
        _figure(quantile(holes.allowed, 0.5)),
        f"{100 * noisy.asked / noisy.scheduled:.0f} %" if noisy.scheduled else "-",
    )


# --------------------------------------------------------------------- peers and ablations


def _others(boards: Boards) -> Iterator[str]:
    yield from _heading(
        "Peers, and ours with something taken away",
        "who",
        "seeds",
        "worlds",
        "recall of ALL",
        "precision of ALL",
        "false ALL",
        "recall of PARTIAL",
        "false PARTIAL",
        "delay of ALL p50 / p95 / max, s",
        "duplicates",
        "early",
        "start covered",
        "extra probes",
    )
    for who in boards[0][1].watchers():
        for name, board in boards:
            score = board.of(who)
            if score.worlds:
                yield _other_row(who, name, score)


def _other_row(who: str, name: str, score: Score) -> str:
    every, part = score.by[Scope.ALL], score.by[Scope.PARTIAL]
    spent = f"{100 * score.asked / score.scheduled:.0f} %" if score.scheduled else "-"
    return _row(
        who,
        name,
        score.worlds,
        _bounded(every.found, every.due),
        _bounded(every.right, every.called),
        _wrong(score, Scope.ALL),
        _bounded(part.found, part.due),
        _wrong(score, Scope.PARTIAL),
        _spread(every.waited),
        every.doubled,
        every.early,
        f"{every.covered}/{every.dated}" if every.dated else "-",
        spent,
    )


def _bounded(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits / of:.3f} [{low:.3f}, {high:.3f}]" if of else "-"


def _matrix(boards: Boards) -> Iterator[str]:
    """Of the first range: ALL found of observable and false ALL, per watcher and family."""
    board = boards[0][1]
    ours_too = [OURS.name, *(variant.name for variant in ABLATIONS)]
    watchers = [w for w in board.watchers() if w in ours_too or "with controls" not in w]
    if len(watchers) < 2:
        return
    yield from _heading(
        "ALL found of observable + false ALL, by family (peers without controls)",
        "#",
        *watchers,
    )
    for family in board.families():
        cells = []
        for who in watchers:
            score = board.of(who, [family])
            tally = score.by[Scope.ALL]
            found = f"{tally.found}/{tally.due}" if tally.due else "-"
            wrong = _wrong(score, Scope.ALL)
            cells.append(f"{found} + {wrong}" if wrong else found)
        yield _row(family, *cells)
