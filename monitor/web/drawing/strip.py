"""The states of a service along time, as a strip, with what people did and learnt as marks on it.

The height of a piece says what it is, so that no colour is needed: down for everyone fills the
strip, failing for some its lower half, working is a line at its foot. What is not a state but a
doubt is hatched: when it began (rising lines), that nobody watched (falling lines); maintenance is
dotted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from monitor.web.drawing import svg
from monitor.web.drawing.lasting import lasting
from monitor.web.drawing.scale import TICKS_MOST, Scale, axis
from monitor.web.drawing.states import WORDS, Kind, Piece, thinned, totals

PIECES_MOST = 400
MARKS_MOST = 24
_HEIGHT = {
    Kind.WORKING: 0.18,
    Kind.PERHAPS: 1.0,
    Kind.SOME: 0.55,
    Kind.ALL: 1.0,
    Kind.MAINTENANCE: 0.55,
    Kind.UNSEEN: 0.55,
}
_HATCHED = {Kind.PERHAPS: "rising", Kind.UNSEEN: "falling", Kind.MAINTENANCE: "dots"}
_LEAST = 0.0012
"""The share of the width that a state is drawn with at the least, or an outage would vanish."""
_LANE = 18

Told = Callable[[datetime], str]
"""How an instant is written."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at an instant, such as an acknowledgement."""

    at: datetime
    words: str


def strip(
    title: str,
    pieces: Sequence[Piece],
    scale: Scale,
    zone: str,
    *,
    told: Told,
    marks: Sequence[Mark] = (),
    height: float = 36,
    ticks: int = TICKS_MOST,
) -> Markup:
    """A picture of `pieces`, which cover the axis, and of at most the last `MARKS_MOST` marks.

    At most `ticks` times are written below.
    """
    within = (scale.since, scale.until)
    shown = thinned(pieces, within, PIECES_MOST)
    drawn = [_foot(height), _working(shown, scale, height)]
    for piece in shown:
        if piece.kind is not Kind.WORKING:
            drawn += _piece(piece, scale, height, told)
    lanes = sorted(marks, key=lambda mark: mark.at)[-MARKS_MOST:]
    bottom = height + 6 + _LANE * len(lanes)
    for lane, mark in enumerate(lanes):
        drawn += _mark(mark, scale, height + 14 + _LANE * lane)
    below = axis(scale.ticks(zone, ticks), top=0, bottom=bottom)
    said = summary(pieces)
    return svg.picture(title, said, *below, *drawn, height=bottom + 20, kind="strip")


def summary(pieces: Sequence[Piece]) -> str:
    """How long each state lasted, in a sentence."""
    said = (f"{WORDS[kind]} for {lasting(lasted)}" for kind, lasted in totals(pieces).items())
    text = ", ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else "Nothing is known."


def hatches() -> Markup:
    """The patterns that strips use; once on a page that has one."""
    rising = _pattern("rising", svg.tag("path", d="M-1 1 l2 -2 M0 6 l6 -6 M5 7 l2 -2"))
    falling = _pattern("falling", svg.tag("path", d="M-1 5 l2 2 M0 0 l6 6 M5 -1 l2 2"))
    dots = _pattern("dots", svg.tag("circle", cx=2, cy=2, r=1), svg.tag("circle", cx=5, cy=5, r=1))
    defined = svg.tag("defs", rising, falling, dots)
    return svg.tag("svg", defined, class_="hatches", width=0, height=0, aria_hidden="true")


def _pattern(name: str, *shapes: Markup) -> Markup:
    return svg.tag(
        "pattern",
        *shapes,
        id=f"hatch-{name}",
        class_=f"hatch-{name}",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )


def _foot(height: float) -> Markup:
    return svg.tag("line", class_="foot", x1="0", x2="100%", y1=height, y2=height)


def _working(pieces: Sequence[Piece], scale: Scale, height: float) -> Markup:
    """One band below all that covers it, where pieces are: half of them need not be drawn."""
    if not pieces:
        return Markup()
    high = height * _HEIGHT[Kind.WORKING]
    begins, ends = scale.share(pieces[0].begins), scale.share(pieces[-1].ends)
    return svg.tag(
        "rect",
        class_=f"state-{Kind.WORKING}",
        x=svg.percent(begins),
        width=svg.percent(ends - begins),
        y=height - high,
        height=high,
    )


def _piece(piece: Piece, scale: Scale, height: float, told: Told) -> tuple[Markup, ...]:
    begins, ends = scale.share(piece.begins), scale.share(piece.ends)
    width = max(_LEAST, ends - begins)
    high = height * _HEIGHT[piece.kind]
    words = (
        f"{WORDS[piece.kind].capitalize()} for {lasting(piece.lasted)}, "
        f"from {told(piece.begins)} to {told(piece.ends)}"
    )

    def box(kind: str, *children: Markup, fill: str | None = None) -> Markup:
        return svg.tag(
            "rect",
            *children,
            class_=kind,
            x=svg.percent(min(begins, 1 - width)),
            width=f"{100 * width:.3f}%",
            y=height - high,
            height=high,
            fill=fill,
        )

    body = box(f"state-{piece.kind}", svg.tag("title", words))
    if piece.kind not in _HATCHED:
        return (body,)
    return (body, box("hatched", fill=f"url(#hatch-{_HATCHED[piece.kind]})"))


def _mark(mark: Mark, scale: Scale, y: float) -> tuple[Markup, ...]:
    share = scale.share(mark.at)
    x = svg.percent(share)
    left = share > 0.5
    text = svg.tag(
        "text",
        mark.words,
        class_="mark-words",
        x=x,
        y=y + 4,
        dx=-9 if left else 9,
        text_anchor="end" if left else "start",
    )
    stem = svg.tag("line", class_="stem", x1=x, x2=x, y1=0, y2=y)
    return (stem, svg.tag("circle", class_="mark", cx=x, cy=y, r=4), text)
