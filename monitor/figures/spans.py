"""Sets of instants, as spans: union, difference, clipping and length.

A span is half-open, `[begins, ends)`, of aware UTC instants. `Spans` are always in the one form
that a set of instants has: in order, each longer than nothing, no two of them touching. What comes
in need not be so; a span that ends before it begins holds no instant.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]
Spans = tuple[Span, ...]


def union(*several: Iterable[Span]) -> Spans:
    """The instants that are in any of the spans."""
    found: list[Span] = []
    for begins, ends in sorted(span for spans in several for span in spans if span[0] < span[1]):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(ends, found[-1][1]))
        else:
            found.append((begins, ends))
    return tuple(found)


def minus(spans: Iterable[Span], others: Iterable[Span]) -> Spans:
    """The instants that are in any of `spans` and in none of `others`."""
    away = union(others)
    left: list[Span] = []
    for span in union(spans):
        left += _without(span, away)
    return tuple(left)


def clip(spans: Iterable[Span], within: Span) -> Spans:
    """The instants of `spans` that lie within one span."""
    begins, ends = within
    return union((max(since, begins), min(until, ends)) for since, until in spans)


def length(spans: Iterable[Span]) -> timedelta:
    """How long all of them last together; an instant that is in two counts once."""
    return sum((ends - begins for begins, ends in union(spans)), timedelta())


def _without(span: Span, away: Spans) -> Iterable[Span]:
    begins, ends = span
    for since, until in away:
        if until <= begins:
            continue
        if since >= ends:
            break
        if begins < since:
            yield begins, since
        begins = until
    if begins < ends:
        yield begins, ends
