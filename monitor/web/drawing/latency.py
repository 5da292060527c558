"""How long the phases of a check took, stacked over time, with what failed below.

Each bucket of time is a step: its phases lie on each other in the order in which a probe goes
through them, each the mean over the PASSes of the bucket. A bucket without any is a gap. Below the
line hangs the share of the votes that failed. A phase is one path, so that a picture has the same
few elements however long it is; buckets carry titles only while they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from monitor.model import Phases, Recalled
from monitor.web.drawing import svg
from monitor.web.drawing.lasting import seconds
from monitor.web.drawing.scale import Scale, axis
from monitor.web.drawing.strip import Told

PHASES = ("resolve", "connect", "tls", "processing", "transfer")
"""From the bottom of the stack to its top."""
TITLED_MOST = 200
_UP, _DOWN = 120, 24
"""Pixels above the line for latency, and below it for failures."""
_WIDE = 1000
_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One bucket: where it begins and ends on the width, and the height of each phase's top."""

    begins: float
    ends: float
    tops: tuple[float, ...]
    failed: float


def latency(
    title: str, buckets: Sequence[Recalled], scale: Scale, zone: str, *, told: Told
) -> Markup:
    """A picture of the buckets of one check that lie on the axis."""
    shown = [b for b in buckets if b.since < scale.until and _end(b) > scale.since]
    highest = nice(max((total_of(b.phases) for b in shown), default=0.0))
    steps = [_step(bucket, scale, highest) for bucket in shown]
    plot = svg.tag(
        "svg",
        *(
            svg.tag("path", class_=f"phase-{name}", d=_band(steps, place))
            for place, name in enumerate(PHASES)
        ),
        svg.tag("path", class_="failed", d=_failures(steps)),
        viewBox=f"0 0 {_WIDE} {_UP + _DOWN}",
        preserveAspectRatio="none",
        width="100%",
        height=_UP + _DOWN,
    )
    titles = _titles(shown, scale, told) if len(shown) <= TITLED_MOST else ()
    return svg.picture(
        title,
        described(shown),
        *axis(scale.ticks(zone), top=0, bottom=_UP + _DOWN),
        *_levels(),
        plot,
        *_level_words(highest),
        *titles,
        height=_UP + _DOWN + 20,
        kind="latency",
    )


def total_of(phases: Phases) -> float:
    """Seconds of all phases together."""
    return sum(getattr(phases, name) or 0.0 for name in PHASES)


def described(buckets: Sequence[Recalled]) -> str:
    """What the picture shows, in a sentence or two."""
    passed = [b for b in buckets if b.passed]
    failed, votes = sum(b.failed for b in buckets), sum(b.failed + b.passed for b in buckets)
    if not votes:
        return "Nothing was measured."
    share = f"{failed} of {votes} probes failed."
    if not passed:
        return share
    means = [total_of(b.phases) for b in passed]
    slowest = max((b.slowest or 0.0 for b in passed), default=0.0)
    return (
        f"Means of the intervals from {seconds(min(means))} to {seconds(max(means))}; "
        f"slowest PASS {seconds(slowest)}. {share}"
    )


def nice(highest: float) -> float:
    """A round number of seconds not below `highest`; a hundredth of a second for nothing."""
    if highest <= 0:
        return 0.01
    size = 1.0
    while size > highest:
        size /= 10
    while size * 10 <= highest:
        size *= 10
    return next(size * factor for factor in _NICE if size * factor >= highest * 0.999)


def _end(bucket: Recalled) -> datetime:
    return bucket.since + timedelta(seconds=bucket.width)


def _step(bucket: Recalled, scale: Scale, highest: float) -> Step:
    tops, top = [], 0.0
    for name in PHASES:
        top += getattr(bucket.phases, name) or 0.0
        tops.append(min(1.0, top / highest) if bucket.passed else 0.0)
    votes = bucket.passed + bucket.failed
    failed = bucket.failed / votes if votes else 0.0
    return Step(scale.share(bucket.since), scale.share(_end(bucket)), tuple(tops), failed)


def _band(steps: Sequence[Step], place: int) -> str:
    """The path of one phase: a box a bucket, from the top of the phase below to its own."""
    boxes = ((step, step.tops[place - 1] if place else 0.0, step.tops[place]) for step in steps)
    return "".join(
        _box(step, _UP - _UP * above, _UP - _UP * below)
        for step, below, above in boxes
        if above > below
    )


def _failures(steps: Sequence[Step]) -> str:
    return "".join(
        _box(step, _UP + 2, _UP + 2 + max(3.0, (_DOWN - 2) * step.failed))
        for step in steps
        if step.failed
    )


def _box(step: Step, top: float, bottom: float) -> str:
    left, width = _WIDE * step.begins, _WIDE * max(0.001, step.ends - step.begins)
    high = svg.number(bottom - top)
    across = svg.number(width)
    return f"M{svg.number(left)} {svg.number(top)}h{across}v{high}h-{across}z"


def _levels() -> tuple[Markup, ...]:
    heights = [_UP - _UP * share for share in (0.0, 0.5, 1.0)]
    return tuple(svg.tag("line", class_="level", x1="0", x2="100%", y1=y, y2=y) for y in heights)


def _level_words(highest: float) -> tuple[Markup, ...]:
    return tuple(
        svg.tag(
            "text", seconds(share * highest), class_="level-words", x=2, y=_UP - _UP * share + 13
        )
        for share in (0.5, 1.0)
    )


def _titles(buckets: Sequence[Recalled], scale: Scale, told: Told) -> tuple[Markup, ...]:
    return tuple(
        svg.tag(
            "rect",
            svg.tag("title", f"{told(bucket.since)}: {described([bucket])}"),
            class_="touch",
            x=svg.percent(scale.share(bucket.since)),
            width=svg.percent(scale.share(_end(bucket)) - scale.share(bucket.since)),
            y="0",
            height=_UP + _DOWN,
        )
        for bucket in buckets
    )
