"""What state a service was in when: one state for every instant, out of what is known of it.

Where several are true of an instant the gravest stands, with two exceptions that agree with the
figures of a month: what nobody could see is not told as anything else, and what failed in a
maintenance that covers the whole service is maintenance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.figures.availability import (
    Watched,
    covers_whole,
    occurrences,
    span_of,
)
from monitor.figures.spans import Span, clip, minus, union
from monitor.model import Impact, Outage, Service, Window


class Kind(StrEnum):
    """A state as it is drawn, from the least that overrides others to the most."""

    WORKING = "working"
    PERHAPS = "perhaps"
    SOME = "some"
    ALL = "all"
    MAINTENANCE = "maintenance"
    UNSEEN = "unseen"


GRAVITY = {
    Kind.WORKING: 0,
    Kind.MAINTENANCE: 1,
    Kind.UNSEEN: 2,
    Kind.PERHAPS: 3,
    Kind.SOME: 4,
    Kind.ALL: 5,
}
"""Which of several that lie too close to be told apart is drawn."""

WORDS = {
    Kind.WORKING: "working",
    Kind.PERHAPS: "began in this time",
    Kind.SOME: "failing for some",
    Kind.ALL: "down for everyone",
    Kind.MAINTENANCE: "in maintenance",
    Kind.UNSEEN: "not observed",
}
_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Piece:
    """A state from `begins` on until `ends`."""

    kind: Kind
    begins: datetime
    ends: datetime

    @property
    def lasted(self) -> timedelta:
        """How long."""
        return self.ends - self.begins


def states_of(
    service: Service,
    windows: Iterable[Window],
    outages: Iterable[Outage],
    watched: Watched,
) -> tuple[Piece, ...]:
    """Every state of a service within the time of `watched`, in order and without a gap.

    `outages` may be of any service. One that is open lasts until now.
    """
    within, now = watched.month, watched.now
    mine = [o for o in outages if o.service == service.name]
    unlisted = minus([within], watched.services.get(service.name, ()))
    unknown = [span_of(o, now) for o in mine if o.impact is Impact.UNKNOWN]
    planned = (o for w in windows if covers_whole(w, service) for o in occurrences(w, within))
    layers = {
        Kind.UNSEEN: clip(union(watched.unseen, unlisted, unknown), within),
        Kind.MAINTENANCE: clip(planned, within),
        Kind.SOME: clip((span_of(o, now) for o in mine if o.impact is Impact.SOME), within),
        Kind.ALL: clip((span_of(o, now) for o in mine if o.impact is Impact.ALL), within),
        Kind.PERHAPS: clip(
            ((o.began.after, o.began.before) for o in mine if o.began.after is not None), within
        ),
    }
    return laid(layers.items(), within)


def laid(layers: Iterable[tuple[Kind, Iterable[Span]]], within: Span) -> tuple[Piece, ...]:
    """One state for every instant of `within`: of several the one that overrides the others."""
    turns = [
        turn
        for kind, spans in layers
        for begins, ends in clip(spans, within)
        for turn in ((begins, _RANK[kind], 1), (ends, _RANK[kind], -1))
    ]
    kinds, depth = tuple(Kind), [0] * len(Kind)
    pieces: list[Piece] = []
    since, now = within[0], Kind.WORKING
    for at, rank, by in sorted(turns):
        _close(pieces, now, since, at)
        depth[rank] += by
        top = max((r for r, deep in enumerate(depth) if deep), default=0)
        since, now = at, kinds[top]
    _close(pieces, now, since, within[1])
    return tuple(pieces)


def thinned(pieces: Sequence[Piece], within: Span, most: int) -> tuple[Piece, ...]:
    """At most `most` pieces: as they are, or by columns of equal width with the gravest of each."""
    if len(pieces) <= most:
        return tuple(pieces)
    width = (within[1] - within[0]) / most
    worst = [Kind.WORKING] * most
    for piece in pieces:
        first = min(most - 1, int((piece.begins - within[0]) / width))
        last = min(most - 1, max(first, _last_column(piece, within, width)))
        for column in range(first, last + 1):
            if GRAVITY[piece.kind] > GRAVITY[worst[column]]:
                worst[column] = piece.kind
    columns: list[Piece] = []
    for column, kind in enumerate(worst):
        ends = within[1] if column == most - 1 else within[0] + (column + 1) * width
        _close(columns, kind, within[0] + column * width, ends)
    return tuple(columns)


def words_of(pieces: Iterable[Piece]) -> dict[Kind, str]:
    """The words for the states that there are, in the order of `Kind`."""
    there = {piece.kind for piece in pieces}
    return {kind: words for kind, words in WORDS.items() if kind in there}


def totals(pieces: Iterable[Piece]) -> dict[Kind, timedelta]:
    """How long each state lasted in all; only those that there were, the gravest first."""
    found: dict[Kind, timedelta] = {}
    for piece in pieces:
        found[piece.kind] = found.get(piece.kind, timedelta()) + piece.lasted
    return dict(sorted(found.items(), key=lambda item: -GRAVITY[item[0]]))


def _last_column(piece: Piece, within: Span, width: timedelta) -> int:
    """The last column that a piece reaches into; one that ends on a border does not touch it."""
    return -(-(piece.ends - within[0]) // width) - 1


def _close(pieces: list[Piece], kind: Kind, begins: datetime, ends: datetime) -> None:
    """Add a piece that is longer than nothing, to the last one where that is of the same kind."""
    if begins >= ends:
        return
    if pieces and pieces[-1].kind is kind and pieces[-1].ends == begins:
        pieces[-1] = Piece(kind, pieces[-1].begins, ends)
    else:
        pieces.append(Piece(kind, begins, ends))
