"""Sums of results, and how they are packed: pure, no database and no clock in here.

Theory of operation
- A *sum* is sixteen whole numbers: how many results of each outcome, the longest PASS in
  microseconds, and for each phase of the PASSes the microseconds spent in it and how many reached
  it. Sums merge by addition (the longest by maximum), in any order and exactly: no mean is ever
  kept, so none is ever averaged.
- A *span* is a minute, ten minutes, an hour or a day of UTC, numbered from 1970: its `Level`.
- A *block* is the sums of one subject over an hour of minutes, half a day of ten minutes, a day of
  hours or ten days, column by column: the same number of all spans stands together. A column is
  written in as few bytes as its largest number needs, one that is zero throughout in none, and a
  phase that every PASS reached says so. So a block of a quiet day takes a quarter of what as many
  rows would, and a stretch of it is summed at the speed of `sum`.
- A block's key is one integer: level, number of the block, subject. Blocks of one time stand
  together, which is where they are written and where they are deleted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from monitor.model import Outcome, Phases
from monitor.model.recalled import Recalled

Sum = list[int]
Columns = list[list[int]]

PASSED = 0
OUTCOMES = {
    Outcome.PASS.value: PASSED,
    Outcome.FAIL.value: 1,
    Outcome.BLOCKED.value: 2,
    Outcome.MAINTENANCE.value: 3,
    Outcome.INVALID.value: 4,
}
SLOWEST = 5
SPENT = 6
PHASES = ("resolve", "connect", "tls", "processing", "transfer")
REACHED = SPENT + len(PHASES)
WIDTH = REACHED + len(PHASES)

_MICROSECONDS = 1_000_000
_HEAD = struct.Struct("<Q")
_CODES = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))
_NOTHING, _ALL_PASSED = 0, 15


class Level(NamedTuple):
    """A width of spans: `number` in keys, seconds of a span, spans of a block."""

    number: int
    width: int
    spans: int

    @property
    def seconds(self) -> int:
        """Seconds of a block."""
        return self.width * self.spans

    def blocks(self, since: int, until: int) -> range:
        """The numbers of the blocks that touch a stretch of unix seconds."""
        return range(since // self.seconds, -(-until // self.seconds))

    def key(self, block: int, subject: int) -> int:
        """The key of a subject's block; `key(n, 0)` is before all of block n."""
        return self.number << 56 | block << 32 | subject


MINUTES = Level(1, 60, 60)
HOURS = Level(2, 3600, 24)
DAYS = Level(3, 86400, 10)
TENS = Level(4, 600, 72)
LEVELS = {level.number: level for level in (MINUTES, HOURS, DAYS, TENS)}


def placed(key: int) -> tuple[Level, int, int]:
    """The level, the block and the subject of a key."""
    return LEVELS[key >> 56], key >> 32 & 0xFFFFFF, key & 0xFFFFFFFF


def nothing() -> Sum:
    """The sum of no results."""
    return [0] * WIDTH


def count(total: Sum, outcome: str, many: int = 1) -> None:
    """Count results that tell no times: any but a PASS."""
    total[OUTCOMES[outcome]] += many


def count_pass(total: Sum, took: int, spent: Iterable[tuple[int, int]]) -> None:
    """Count a PASS that took so many microseconds, `spent` by number of phase."""
    total[PASSED] += 1
    total[SLOWEST] = max(total[SLOWEST], took)
    for phase, microseconds in spent:
        total[SPENT + phase] += microseconds
        total[REACHED + phase] += 1


def times(sent: float, observed: float, phases: Sequence[float | None]) -> Times:
    """What `count_pass` wants of a PASS: how long it took in all, and in each phase it reached."""
    spent = [(n, round(each * _MICROSECONDS)) for n, each in enumerate(phases) if each is not None]
    return max(0, round((observed - sent) * _MICROSECONDS)), spent


Times = tuple[int, list[tuple[int, int]]]


def merge(total: Sum, other: Sequence[int]) -> None:
    """Add `other` to `total`."""
    slowest = max(total[SLOWEST], other[SLOWEST])
    for field, number in enumerate(other):
        total[field] += number
    total[SLOWEST] = slowest


def is_nothing(total: Sum) -> bool:
    """Whether no result is in it."""
    return not any(total[:SLOWEST])


def recalled(since: int, width: float, total: Sum) -> Recalled:
    """The noun of a sum over `width` seconds from unix second `since`."""
    means = [
        spent / reached / _MICROSECONDS if reached else None
        for spent, reached in zip(total[SPENT:REACHED], total[REACHED:], strict=True)
    ]
    passed, failed, blocked, maintenance, invalid = total[:SLOWEST]
    return Recalled(
        datetime.fromtimestamp(since, UTC),
        width,
        passed=passed,
        failed=failed,
        blocked=blocked,
        maintenance=maintenance,
        invalid=invalid,
        phases=Phases(*means),
        slowest=total[SLOWEST] / _MICROSECONDS if total[PASSED] else None,
    )


# --------------------------------------------------------------------------- blocks


def empty(level: Level) -> Columns:
    """The columns of a block without results."""
    return [[0] * level.spans for _ in range(WIDTH)]


def put(columns: Columns, span: int, total: Sum) -> None:
    """Merge a sum into a span of a block."""
    slowest = max(columns[SLOWEST][span], total[SLOWEST])
    for column, number in zip(columns, total, strict=True):
        if number:
            column[span] += number
    columns[SLOWEST][span] = slowest


def pack(columns: Columns) -> bytes:
    """The bytes of a block; ValueError when a number is over eight bytes."""
    head, parts, passed = 0, [], columns[PASSED]
    for field, column in enumerate(columns):
        most = max(column)
        if not most:
            continue
        if field >= REACHED and column == passed:
            head |= _ALL_PASSED << 4 * field
            continue
        code = next((n for n, (over, _) in enumerate(_CODES, 1) if most < over), None)
        if code is None:
            raise ValueError(f"{most} is over eight bytes")
        head |= code << 4 * field
        parts.append(_reader(len(column), code).pack(*column))
    return b"".join((_HEAD.pack(head), *parts))


def unpack(level: Level, body: bytes) -> Columns:
    """The columns of a packed block."""
    told, all_passed = _told(level, body)
    columns = empty(level)
    for field, numbers in told:
        columns[field] = list(numbers)
    for field in all_passed:
        columns[field] = columns[PASSED][:]
    return columns


def sums_of(level: Level, body: bytes) -> list[tuple[int, Sum]]:
    """The sums of a packed block by span within it; spans without results are left out."""
    told, all_passed = _told(level, body)
    columns: list[tuple[int, ...]] = [(0,) * level.spans] * WIDTH
    for field, numbers in told:
        columns[field] = numbers
    for field in all_passed:
        columns[field] = columns[PASSED]
    spans = zip(*columns, strict=True)
    return [(n, list(total)) for n, total in enumerate(spans) if any(total[:SLOWEST])]


@cache
def _reader(spans: int, code: int) -> struct.Struct:
    return struct.Struct(f"<{spans}{_CODES[code - 1][1]}")


@cache
def _layout(spans: int, head: int) -> tuple[tuple[tuple[int, struct.Struct, int], ...], list[int]]:
    """Which columns stand where in blocks of this head, and which repeat the first."""
    told, all_passed, offset = [], [], _HEAD.size
    for field in range(WIDTH):
        code = head >> 4 * field & 15
        if code == _ALL_PASSED:
            all_passed.append(field)
        elif code != _NOTHING:
            reader = _reader(spans, code)
            told.append((field, reader, offset))
            offset += reader.size
    return tuple(told), all_passed


def _told(level: Level, body: bytes) -> tuple[list[tuple[int, tuple[int, ...]]], list[int]]:
    layout, all_passed = _layout(level.spans, _HEAD.unpack_from(body)[0])
    return [(field, reader.unpack_from(body, at)) for field, reader, at in layout], all_passed


# --------------------------------------------------------------------------- points


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of unix seconds in points of `width` seconds, one of which begins at `origin`."""

    since: int
    until: int
    width: int
    origin: int

    def point(self, second: int) -> tuple[int, int]:
        """Begin and width of the point that a second lies in."""
        return self.origin + (second - self.origin) // self.width * self.width, self.width

    def part(self, since: int, until: int) -> Window:
        """What of it lies in another stretch, in the same points."""
        return replace(self, since=max(since, self.since), until=min(until, self.until))

    @property
    def level(self) -> Level:
        """The level whose spans it is made of, where that is kept."""
        return _level(self.width)


Points = dict[tuple[int, int], Sum]
"""Sums by the begin and the width of their point."""


def window(since: datetime, until: datetime, width: float) -> Window:
    """The window of whole spans of the widest level that points of this width are made of.

    Those are hours for an hour and more, and ten minutes for a multiple of them. ValueError when
    the width is no multiple of 60, or the stretch is longer than LONGEST.
    """
    if width < MINUTES.width or width % MINUTES.width:
        raise ValueError(f"the width is {width:g} s: give a multiple of 60")
    grain = _level(int(width)).width
    begin, end = int(since.timestamp()) // grain * grain, -(-int(until.timestamp()) // 60) * 60
    if not 0 <= begin <= end <= begin + LONGEST:
        raise ValueError(f"{since} to {until} is no stretch of at most {LONGEST // 86400} days")
    return Window(begin, end, int(width), begin)


def _level(width: int) -> Level:
    if width >= HOURS.width:
        return HOURS
    return MINUTES if width % TENS.width else TENS


LONGEST = 1500 * 86400
"""Seconds that are asked for at once, at most."""


def gather(points: Points, asked: Window, key: int, body: bytes) -> None:
    """Add what a block has of a window to its points.

    A sum counts in the point it begins in. Where sums are wider than the points that are asked
    for, each is a point of its own.
    """
    level, block, _ = placed(key)
    start = block * level.seconds
    first = max(0, -(-(asked.since - start) // level.width))
    end = min(level.spans, -(-(asked.until - start) // level.width))
    if level.width >= asked.width:
        for span, total in sums_of(level, body):
            if first <= span < end:
                begin = start + span * level.width
                _add(points, (begin, level.width), total)
        return
    told, all_passed = _told(level, body)
    while first < end:
        point = asked.point(start + first * level.width)
        after = min(end, -(-(sum(point) - start) // level.width))
        _add(points, point, _stretch(told, all_passed, first, after))
        first = after


def _stretch(
    told: Sequence[tuple[int, tuple[int, ...]]], all_passed: Iterable[int], first: int, after: int
) -> Sum:
    """The sum of the spans of a block from `first` until `after`."""
    total = nothing()
    for field, numbers in told:
        part = numbers[first:after]
        total[field] = max(part) if field == SLOWEST else sum(part)
    for field in all_passed:
        total[field] = total[PASSED]
    return total


def _add(points: Points, point: tuple[int, int], total: Sum) -> None:
    known = points.get(point)
    if known is None:
        points[point] = total
    else:
        merge(known, total)


def listed(points: Points) -> list[Recalled]:
    """The points that have results, in the order of time."""
    kept = sorted((place, total) for place, total in points.items() if not is_nothing(total))
    return [recalled(since, width, total) for (since, width), total in kept]
