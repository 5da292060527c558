"""Sums: they merge exactly in any order, and blocks give back what was put into them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.store import sums
from monitor.store.sums import DAYS, HOURS, LEVELS, MINUTES, PASSED, SLOWEST, TENS, WIDTH, Window

OUTCOMES = st.sampled_from([each.value for each in Outcome])
TIMES = st.integers(0, 40_000_000)
SEEN = st.tuples(
    st.integers(0, 23),
    OUTCOMES,
    TIMES,
    st.lists(st.tuples(st.integers(0, 4), TIMES), max_size=5, unique_by=lambda each: each[0]),
)
LEVEL = st.sampled_from(list(LEVELS.values()))
NUMBERS = st.integers(0, 255) | st.integers(0, 1 << 40)


def counted(seen):
    """The sums of what was seen, by span, one after the other."""
    found = {}
    for span, outcome, took, spent in seen:
        total = found.setdefault(span, sums.nothing())
        if outcome == Outcome.PASS:
            sums.count_pass(total, took, spent)
        else:
            sums.count(total, outcome)
    return found


@settings(deadline=None, max_examples=50)
@given(st.lists(SEEN, max_size=60), st.randoms(use_true_random=False), st.integers(1, 7))
def test_however_results_are_split_and_in_whatever_order_they_merge_to_the_same(seen, dice, parts):
    shuffled = dice.sample(seen, len(seen))
    body = sums.pack(sums.empty(HOURS))
    for start in range(parts):
        columns = sums.unpack(HOURS, body)
        for span, total in counted(shuffled[start::parts]).items():
            sums.put(columns, span, total)
        body = sums.pack(columns)
    assert dict(sums.sums_of(HOURS, body)) == counted(seen)


@settings(deadline=None, max_examples=50)
@given(LEVEL, st.data())
def test_a_block_gives_back_every_number(level, data):
    columns = sums.empty(level)
    for column in columns:
        for span in data.draw(st.sets(st.integers(0, level.spans - 1), max_size=3)):
            column[span] = data.draw(NUMBERS)
    if data.draw(st.booleans()):
        columns[WIDTH - 1] = columns[PASSED][:]
    assert sums.unpack(level, sums.pack(columns)) == columns


def test_a_block_of_a_quiet_day_is_small():
    columns = sums.empty(HOURS)
    for span in range(24):
        total = sums.nothing()
        for _ in range(120):
            sums.count_pass(total, 61_000, [(0, 300), (1, 900), (2, 9000), (3, 45_000), (4, 1500)])
        sums.put(columns, span, total)
    assert len(sums.pack(columns)) == 8 + 24 * (1 + 2 + 2 + 4 + 4 + 4 + 4)
    assert len(sums.pack(sums.empty(HOURS))) == 8


def test_a_number_that_has_no_room_is_refused():
    columns = sums.empty(DAYS)
    columns[PASSED][0] = 1 << 64
    with pytest.raises(ValueError, match="over eight bytes"):
        sums.pack(columns)


@settings(deadline=None, max_examples=50)
@given(LEVEL, st.integers(0, 1 << 24 - 1), st.integers(0, (1 << 32) - 1))
def test_a_key_says_what_it_is_the_key_of(level, block, subject):
    block &= 0xFFFFFF
    assert sums.placed(level.key(block, subject)) == (level, block, subject)
    assert level.key(block, 0) <= level.key(block, subject) < level.key(block + 1, 0)


@settings(deadline=None, max_examples=50)
@given(
    LEVEL,
    st.dictionaries(st.integers(0, 71), st.integers(1, 99), max_size=20),
    st.integers(0, 3000),
    st.integers(0, 3000),
    st.integers(1, 400),
)
def test_points_hold_the_spans_that_begin_in_them(level, passed, since, length, width):
    passed = {span: many for span, many in passed.items() if span < level.spans}
    columns = sums.empty(level)
    for span, many in passed.items():
        columns[PASSED][span], columns[SLOWEST][span] = many, many
    begin = 30 * level.seconds
    asked = Window(
        begin + 60 * (since - 1500), begin + 60 * (since + length - 1500), 60 * width, begin
    )
    points = {}
    sums.gather(points, asked, level.key(30, 7), sums.pack(columns))

    expected = {}
    for span, many in passed.items():
        at = begin + span * level.width
        if asked.since <= at < asked.until:
            own = (at, level.width) if level.width >= asked.width else asked.point(at)
            few, longest = expected.get(own, (0, 0))
            expected[own] = (few + many, max(longest, many))
    found = {point: (total[PASSED], total[SLOWEST]) for point, total in points.items()}
    assert {point: total for point, total in found.items() if total[0]} == expected


@pytest.mark.parametrize(
    ("width", "level"), [(60, MINUTES), (420, MINUTES), (1200, TENS), (3600, HOURS), (5400, HOURS)]
)
def test_a_window_begins_where_a_span_does(width, level):
    since = datetime(2030, 1, 1, 9, 59, 59, tzinfo=UTC)
    found = sums.window(since, since.replace(hour=11), width)
    assert found.level is level
    assert found.since == int(since.timestamp()) // level.width * level.width
    assert found.until == int(datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp())
