"""How long the phases of a check took, stacked over time, with what failed below.

Each bucket of time is a step: its phases lie on each other in the order in which a probe goes
through them, each the mean over the PASSes of the bucket. A bucket without any is a gap. Below the
line hangs the share of the votes that failed. A phase is one path, so that a picture has the same
few elements however long it is: each reaches from the line to its own top, the ones below it are
painted over it. Where the pointer rests, a few buckets together say what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from markupsafe import Markup

from monitor.model import Phases, Recalled
from monitor.web.drawing import svg
from monitor.web.drawing.lasting import seconds
from monitor.web.drawing.scale import Scale, axis
from monitor.web.drawing.strip import Told

PHASES = ("resolve", "connect", "tls", "processing", "transfer")
"""From the bottom of the stack to its top."""
TITLES_MOST = 24
_UP, _DOWN = 120, 24
"""Pixels above the line for latency, and below it for failures."""
_FINE = 10
"""Whole units of a path in a pixel of height."""
_LINE = _UP * _FINE
_WIDE = 10_000
_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class Step:
    """One bucket: where it begins and ends, how high each phase reaches, which share failed.

    Places are in whole units of a path, which are quick to write.
    """

    begins: int
    ends: int
    tops: tuple[int, ...]
    failed: float


def latency(
    title: str, buckets: Sequence[Recalled], scale: Scale, zone: str, *, told: Told
) -> Markup:
    """A picture of the buckets of one check that lie on the axis."""
    shown = [b for b in buckets if b.since < scale.until and _end(b) > scale.since]
    highest = nice(max((total_of(b.phases) for b in shown), default=0.0))
    steps = [_step(bucket, scale, highest) for bucket in shown]
    bands = [
        svg.tag("path", class_=f"phase-{PHASES[place]}", d=_band(steps, place))
        for place in reversed(range(len(PHASES)))
    ]
    plot = svg.tag(
        "svg",
        *bands,
        svg.tag("path", class_="failed", d=_failures(steps)),
        viewBox=f"0 0 {_WIDE} {(_UP + _DOWN) * _FINE}",
        preserveAspectRatio="none",
        width="100%",
        height=_UP + _DOWN,
    )
    return svg.picture(
        title,
        described(shown),
        *axis(scale.ticks(zone), top=0, bottom=_UP + _DOWN),
        *_levels(),
        plot,
        *_level_words(highest),
        *_titles(shown, scale, told),
        height=_UP + _DOWN + 20,
        kind="latency",
    )


def total_of(phases: Phases) -> float:
    """Seconds of all phases together."""
    each = (phases.resolve, phases.connect, phases.tls, phases.processing, phases.transfer)
    return sum(filter(None, each))


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
    begins, ends = (round(_WIDE * scale.share(at)) for at in (bucket.since, _end(bucket)))
    votes = bucket.passed + bucket.failed
    failed = bucket.failed / votes if votes else 0.0
    if not bucket.passed:
        return Step(begins, ends, (_LINE,) * len(PHASES), failed)
    phases = bucket.phases
    each = (phases.resolve, phases.connect, phases.tls, phases.processing, phases.transfer)
    tops = accumulate(spent or 0.0 for spent in each)
    places = tuple(max(0, round(_LINE - _LINE * top / highest)) for top in tops)
    return Step(begins, ends, places, failed)


def _band(steps: Sequence[Step], place: int) -> str:
    """The outline of one phase and all below it: level over a bucket, on the line in a gap."""
    drawn: list[str] = []
    at = -1
    for step in steps:
        if step.begins != at:
            drawn.append(f"V{_LINE}H{step.begins}" if drawn else f"M{step.begins} {_LINE}")
        drawn.append(f"V{step.tops[place]}H{step.ends}")
        at = step.ends
    return "".join((*drawn, f"V{_LINE}z")) if drawn else ""


def _failures(steps: Sequence[Step]) -> str:
    """Boxes that hang from a little below the line, as deep as the share that failed."""
    hang, deepest = _LINE + 2 * _FINE, (_DOWN - 2) * _FINE
    return "".join(
        f"M{step.begins} {hang}V{hang + round(max(3 * _FINE, deepest * step.failed))}"
        f"H{step.ends}V{hang}z"
        for step in steps
        if step.failed
    )


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


def _titles(buckets: Sequence[Recalled], scale: Scale, told: Told) -> list[Markup]:
    """At most `TITLES_MOST` areas that say what the buckets in them are, of so many each."""
    each = -(-len(buckets) // TITLES_MOST) or 1
    several = (buckets[place : place + each] for place in range(0, len(buckets), each))
    return [_title(some, scale, told) for some in several]


def _title(some: Sequence[Recalled], scale: Scale, told: Told) -> Markup:
    begins, ends = scale.share(some[0].since), scale.share(_end(some[-1]))
    words = f"{told(some[0].since)} to {told(_end(some[-1]))}: {described(some)}"
    return svg.tag(
        "rect",
        svg.tag("title", words),
        class_="touch",
        x=svg.percent(begins),
        width=svg.percent(ends - begins),
        y="0",
        height=_UP + _DOWN,
    )
