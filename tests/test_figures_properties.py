"""The figures held against counting, second by second, what each second was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.figures.availability import STALE_AFTER, availability_of, watched_in
from monitor.figures.spans import clip, length, minus, union
from monitor.model import Impact, Interval
from tests.estates import check, service
from tests.figures_fixtures import ESTATE, blind, figured, gap, outage, window
from tests.hours_fixtures import utc

START = utc("2026-11-23 10:00")
LASTS = 300
CRM = ESTATE.services[0]
BLOCKING = "sign-in"

SECONDS = st.integers(-100, LASTS + 100)
PAIRS = st.tuples(SECONDS, SECONDS)
SPANS = st.lists(PAIRS, max_size=8)


def at(second):
    return START + timedelta(seconds=second)


def second_of(instant):
    return int((instant - START).total_seconds())


def spans(pairs):
    return [(at(begins), at(ends)) for begins, ends in pairs]


def seconds_of(pairs):
    """Every second that is in any of them."""
    return {second for begins, ends in pairs for second in range(begins, ends)}


# --------------------------------------------------------------------------- spans


@given(SPANS, SPANS, PAIRS)
def test_spans_are_sets_of_seconds(ones, others, within):
    one, other = seconds_of(ones), seconds_of(others)
    cases = [
        (union(spans(ones), spans(others)), one | other),
        (minus(spans(ones), spans(others)), one - other),
        (clip(spans(ones), spans([within])[0]), one & seconds_of([within])),
    ]
    for found, expected in cases:
        assert seconds_of((second_of(b), second_of(e)) for b, e in found) == expected
        assert length(found).total_seconds() == len(expected)


@given(SPANS, SPANS)
@example([(0, 1), (1, 2)], [(5, 6)])
def test_spans_come_in_their_one_form(ones, others):
    for found in (union(spans(ones), spans(others)), minus(spans(ones), spans(others))):
        assert all(begins < ends for begins, ends in found)
        assert all(before[1] < after[0] for before, after in pairwise(found))
        assert union(found) == found


# --------------------------------------------------------------------------- a service


@st.composite
def outages(draw):
    """(the outage, its first second, the widest first second, its last and whether it is open)."""
    begins, ends, earlier = draw(SECONDS), draw(st.none() | SECONDS), draw(st.integers(0, 60))
    impact = draw(st.sampled_from([Impact.SOME, Impact.ALL, Impact.UNKNOWN]))
    known = draw(st.booleans())
    one = outage(
        at(begins),
        None if ends is None else at(ends),
        impact,
        began=Interval(at(begins - earlier) if known else None, at(begins)),
        check=draw(st.sampled_from([BLOCKING, "speed"])),
        service=draw(st.sampled_from(["crm", "web"])),
        unit=draw(st.sampled_from(["crm/sign-in", "crm/sign-in/acme"])),
    )
    return one, begins, begins - earlier * known, ends


@st.composite
def worlds(draw):
    """All that is known of a month of five minutes; `now` lies in it or after it."""
    return World(
        told=draw(st.lists(outages(), max_size=5)),
        blinds=draw(st.lists(st.tuples(SECONDS, st.none() | SECONDS), max_size=2)),
        gaps=draw(st.lists(PAIRS, max_size=2)),
        planned=draw(st.lists(PAIRS.filter(lambda pair: pair[0] < pair[1]), max_size=2)),
        made=draw(SECONDS),
        gone=draw(st.none() | SECONDS),
        unsigned=draw(st.integers(0, 100)),
        now=draw(st.integers(1, LASTS + 100)),
    )


@dataclass
class World:
    """Everything in seconds since the month began; an end of None is still to come."""

    told: list
    blinds: list
    gaps: list
    planned: list
    made: int
    gone: int | None
    unsigned: int
    now: int

    def figured(self):
        watched = watched_in(
            (START, at(min(self.now, LASTS))),
            at(self.now),
            outages=[blind(at(b), None if e is None else at(e)) for b, e in self.blinds],
            gaps=[gap(at(b), at(e)) for b, e in self.gaps],
            services={"crm": [(at(self.made), None if self.gone is None else at(self.gone))]},
            seen_at=at(self.now - self.unsigned),
        )
        windows = [window(at(b), at(e), f"w{i}") for i, (b, e) in enumerate(self.planned)]
        return availability_of(CRM, windows, [one for one, *_ in self.told], watched)

    def last_watched(self):
        return self.now if self.gone is None else self.gone

    def lasted(self, so):
        """The seconds of those outages of the blocking check that `so` holds of."""
        return seconds_of(
            (begins, self.now if ends is None else ends)
            for one, begins, _, ends in self.told
            if (one.service, one.check) == ("crm", BLOCKING) and so(one)
        )

    def unseen(self):
        stale = self.unsigned > STALE_AFTER.total_seconds()
        return (
            seconds_of((b, self.now if e is None else e) for b, e in self.blinds)
            | seconds_of(self.gaps)
            | (set(range(self.now)) - set(range(self.made, self.last_watched())))
            | self.lasted(lambda one: one.impact is Impact.UNKNOWN)
            | (set(range(self.now - self.unsigned, self.now)) if stale else set())
        )

    def widest(self):
        """The seconds that may have been down at the most."""
        return seconds_of(
            (widest, self.now if ends is None else ends)
            for one, _, widest, ends in self.told
            if (one.service, one.check) == ("crm", BLOCKING) and stopped(one)
        )


def stopped(one):
    return one.impact is not Impact.UNKNOWN


def for_everyone(one):
    return one.impact is Impact.ALL and one.unit == "crm/sign-in"


@given(worlds())
@settings(max_examples=300)
def test_every_second_is_what_it_is_counted_as(world):
    found = world.figured()
    every = set(range(min(world.now, LASTS)))
    maintained, unseen = every & seconds_of(world.planned), every & world.unseen()
    counted = every - maintained - unseen
    down = counted & world.lasted(stopped)
    expected = {
        "total": every,
        "maintenance": maintained,
        "unobserved": unseen,
        "counted": counted,
        "down": down,
        "down_everyone": counted & world.lasted(for_everyone),
        "down_at_most": counted & world.widest(),
    }
    assert {name: getattr(found, name).total_seconds() for name in expected} == {
        name: len(seconds) for name, seconds in expected.items()
    }
    up = len(counted - down)
    assert found.uptime() == (100_000 * up // len(counted) if counted else None)
    assert found.coverage() == 100_000 * (len(every) - len(unseen)) // len(every)


# --------------------------------------------------------------------------- whole months

MONTHS = st.sampled_from(["2026-03", "2026-10", "2026-11", "2024-02"])
HALVES = st.integers(-100, 1600)


@given(MONTHS, st.lists(st.tuples(HALVES, HALVES), max_size=4), st.lists(st.tuples(HALVES, HALVES)))
@settings(max_examples=100)
def test_months_with_and_without_a_change_of_the_clocks_are_counted_by_the_half_hour(
    month, failing, gaps
):
    begins = figured(month).span[0]
    halves = {"2026-03": 1486, "2026-10": 1490, "2026-11": 1440, "2024-02": 1392}[month]

    def half(number):
        return begins + number * timedelta(minutes=30)

    crm = figured(
        month,
        outages=[outage(half(b), half(e)) for b, e in failing],
        gaps=[gap(half(b), half(e)) for b, e in gaps],
    ).services[0]
    seen = set(range(halves)) - seconds_of(gaps)
    down = seen & seconds_of(failing)
    assert crm.counted == len(seen) * timedelta(minutes=30)
    assert crm.down == len(down) * timedelta(minutes=30)


@given(st.lists(st.tuples(HALVES, HALVES), max_size=4))
@settings(max_examples=100)
def test_the_months_of_a_year_hold_every_second_down_once(failing):
    """Whatever crosses the end of a month, and whatever the clocks do."""
    begins, ends = utc("2026-01-01 00:00"), utc("2027-01-01 00:00")
    hours = [(begins + 5 * timedelta(hours=b), begins + 5 * timedelta(hours=e)) for b, e in failing]
    told = [outage(*each) for each in hours]
    months = [figured(f"2026-{n:02}", outages=told).services[0] for n in range(1, 13)]
    assert sum((m.down for m in months), timedelta()) == length(clip(hours, (begins, ends)))
    assert sum((m.total for m in months), timedelta()) == ends - begins


@given(st.lists(st.tuples(HALVES, HALVES), max_size=3))
def test_a_service_of_two_checks_is_down_while_either_is(failing):
    begins = figured("2026-11").span[0]
    hours = [(begins + timedelta(hours=b), begins + timedelta(hours=e)) for b, e in failing]
    two = service("crm", check("crm"), check("crm", "api"))
    told = [outage(*each, check=("sign-in", "api")[n % 2]) for n, each in enumerate(hours)]
    span = figured("2026-11").span
    watched = watched_in(
        span, span[1], outages=(), gaps=(), services={"crm": [span]}, seen_at=span[1]
    )
    assert availability_of(two, (), told, watched).down == length(clip(hours, span))
