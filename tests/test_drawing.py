"""The pictures of the pages: pure functions from times and numbers to markup."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.figures.availability import availability_of, watched_in
from monitor.model import (
    CellKey,
    CellState,
    Dimension,
    Extent,
    FailureKind,
    Handover,
    Impact,
    Interval,
    Once,
    Outage,
    Outcome,
    Phases,
    Recalled,
    Unobserved,
    UnobservedReason,
    VerdictReason,
    Window,
)
from monitor.web.drawing import svg
from monitor.web.drawing.cells import MARKS_MOST, Sign, cells_seen, grid_of
from monitor.web.drawing.lasting import lasting, seconds
from monitor.web.drawing.latency import PHASES, TITLES_MOST, described, latency, nice
from monitor.web.drawing.promise import bar, clocks_of
from monitor.web.drawing.scale import TICKS_MOST, Scale
from monitor.web.drawing.states import GRAVITY, Kind, Piece, laid, states_of, thinned
from monitor.web.drawing.strip import PIECES_MOST, Mark, hatches, strip, summary
from tests.estates import check, service
from tests.hours_fixtures import london
from tests.store_fixtures import incident

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = (NOW - 24 * HOUR, NOW)
SCRIPT = "<script>alert('x')</script>"
EVERYONE = Extent(Dimension.EVERYONE)
KINDS = tuple(Kind)


def told(at):
    return f"{at:%H:%M}"


def parsed(markup):
    return ET.fromstring(str(markup))


def elements(markup):
    return sum(1 for _ in parsed(markup).iter())


def outage(begins, ends=None, *, impact=Impact.ALL, doubt=timedelta(), of="crm"):
    return Outage(
        f"{of}-{begins}",
        f"{of}/sign-in",
        of,
        "sign-in",
        impact,
        VerdictReason.EVERYONE_TWICE,
        EVERYONE,
        Interval(begins - doubt if doubt else None, begins),
        begins,
        recovered=None if ends is None else Interval(begins, ends),
        closed_at=ends,
    )


def watched(*outages, gaps=(), within=DAY, now=NOW):
    return watched_in(
        within,
        now,
        outages=outages,
        gaps=gaps,
        services={"crm": [(within[0] - 100 * HOUR, None)]},
        seen_at=now,
    )


def states(*outages, windows=(), gaps=()):
    return states_of(service("crm"), windows, outages, watched(*outages, gaps=gaps))


def told_of(pieces):
    """Pieces as (kind, hours from the beginning, hours until the end)."""
    return [(p.kind, (p.begins - DAY[0]) / HOUR, (p.ends - DAY[0]) / HOUR) for p in pieces]


class TestScale:
    def test_an_instant_stands_where_its_share_of_the_time_is(self):
        scale = Scale(*DAY)
        assert scale.share(NOW - 12 * HOUR) == 0.5
        assert (scale.share(NOW - 30 * HOUR), scale.share(NOW + HOUR)) == (0.0, 1.0)

    def test_an_axis_without_a_length_is_refused(self):
        with pytest.raises(ValueError, match="does not end"):
            Scale(NOW, NOW)

    @pytest.mark.parametrize(
        ("begins", "hours", "words"),
        [
            (
                "Sat 2026-10-24 12:00",
                24,
                (
                    "12:00 BST, 15:00 BST, 18:00 BST, 21:00 BST, Sun 25, 03:00 GMT, 06:00 GMT, "
                    "09:00 GMT"
                ),
            ),
            (
                "Sat 2026-10-24 23:00",
                6,
                "23:00 BST, Sun 25, 01:00 BST, 01:00 GMT, 02:00 GMT, 03:00 GMT",
            ),
            (
                "Sun 2026-03-29 00:00",
                4,
                (
                    "Sun 29, 00:30 GMT, 02:00 BST, 02:30 BST, 03:00 BST, 03:30 BST, 04:00 BST, "
                    "04:30 BST"
                ),
            ),
            ("Mon 2026-11-23 09:07", 0.1, "09:07, 09:08, 09:09, 09:10, 09:11, 09:12"),
            (
                "Mon 2026-11-23 09:00",
                24,
                "09:00, 12:00, 15:00, 18:00, 21:00, Tue 24, 03:00, 06:00",
            ),
            (
                "Mon 2026-11-23 09:00",
                24 * 90,
                "7 Dec, 21 Dec, 4 Jan, 18 Jan, 1 Feb, 15 Feb",
            ),
        ],
    )
    def test_the_times_below_it_are_round_by_the_local_clock(self, begins, hours, words):
        since = london(begins)
        ticks = Scale(since, since + hours * HOUR).ticks("Europe/London")
        assert ", ".join(t.words for t in ticks) == words

    def test_days_are_local_days_across_the_change(self):
        since = london("Fri 2026-10-23 12:00")
        ticks = Scale(since, since + 7 * 24 * HOUR).ticks("Europe/London")
        assert [t.words for t in ticks] == [
            "Sat 24", "Sun 25", "Mon 26", "Tue 27", "Wed 28", "Thu 29", "Fri 30",
        ]  # fmt: skip
        assert ticks[2].at - ticks[1].at == 25 * HOUR

    @given(
        since=st.integers(0, 300_000_000).map(lambda s: DAY[0] + timedelta(seconds=s)),
        length=st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
    )
    def test_there_are_never_more_than_fit_and_all_lie_on_it(self, since, length):
        ticks = Scale(since, since + length).ticks("Europe/London")
        assert len(ticks) <= TICKS_MOST + 1
        assert all(since <= t.at < since + length for t in ticks)
        assert [t.at for t in ticks] == sorted({t.at for t in ticks})


class TestStates:
    def test_without_anything_it_was_working(self):
        assert told_of(states()) == [(Kind.WORKING, 0, 24)]

    def test_an_outage_has_its_doubt_before_it(self):
        one = outage(NOW - 3 * HOUR, NOW - 2 * HOUR, doubt=HOUR)
        assert told_of(states(one)) == [
            (Kind.WORKING, 0, 20),
            (Kind.PERHAPS, 20, 21),
            (Kind.ALL, 21, 22),
            (Kind.WORKING, 22, 24),
        ]

    def test_what_reaches_over_the_edges_is_clipped(self):
        one = outage(DAY[0] - HOUR, DAY[0] + HOUR, doubt=HOUR)
        other = outage(NOW - HOUR)
        assert told_of(states(one, other)) == [
            (Kind.ALL, 0, 1),
            (Kind.WORKING, 1, 23),
            (Kind.ALL, 23, 24),
        ]

    def test_a_span_of_no_length_is_nothing(self):
        at = NOW - HOUR
        assert told_of(states(outage(at, at))) == [(Kind.WORKING, 0, 24)]

    def test_everyone_stands_over_some(self):
        some = outage(NOW - 4 * HOUR, NOW - HOUR, impact=Impact.SOME)
        everyone = outage(NOW - 3 * HOUR, NOW - 2 * HOUR)
        kinds = [kind for kind, *_ in told_of(states(some, everyone))]
        assert kinds == [Kind.WORKING, Kind.SOME, Kind.ALL, Kind.SOME, Kind.WORKING]

    def test_what_nobody_saw_and_what_was_planned_is_told_as_that(self):
        one = outage(NOW - 6 * HOUR, NOW - HOUR)
        gap = Unobserved("g", NOW - 5 * HOUR, NOW - 4 * HOUR, UnobservedReason.PAUSED)
        window = Window("upgrade", Once(NOW - 3 * HOUR, NOW - 2 * HOUR), ("crm",))
        kinds = [kind for kind, *_ in told_of(states(one, gaps=[gap], windows=[window]))]
        assert kinds == [
            Kind.WORKING, Kind.ALL, Kind.UNSEEN, Kind.ALL, Kind.MAINTENANCE, Kind.ALL, Kind.WORKING,
        ]  # fmt: skip

    def test_the_picture_agrees_with_the_figures_of_the_same_time(self):
        outages = [outage(NOW - 6 * HOUR, NOW - HOUR), outage(NOW - 8 * HOUR, NOW - 7 * HOUR)]
        gap = Unobserved("g", NOW - 5 * HOUR, NOW - 4 * HOUR, UnobservedReason.PAUSED)
        seen = watched(*outages, gaps=[gap])
        figures = availability_of(service("crm"), (), outages, seen)
        pieces = states_of(service("crm"), (), outages, seen)
        down = sum((p.lasted for p in pieces if p.kind is Kind.ALL), timedelta())
        assert down == figures.down == 5 * HOUR

    @given(
        spans=st.lists(
            st.tuples(st.sampled_from(KINDS[1:]), st.integers(-10, 1500), st.integers(0, 400)),
            max_size=30,
        ),
        most=st.integers(1, 60),
    )
    def test_pieces_cover_the_time_without_a_gap_and_thin_to_the_gravest(self, spans, most):
        layers = [
            (kind, [(DAY[0] + begins * MINUTE, DAY[0] + (begins + lasts) * MINUTE)])
            for kind, begins, lasts in spans
        ]
        pieces = laid(layers, DAY)
        few = thinned(pieces, DAY, most)
        assert len(few) <= max(most, 1)
        for some in (pieces, few):
            assert (some[0].begins, some[-1].ends) == DAY
            assert all(a.ends == b.begins and a.kind is not b.kind for a, b in pairwise(some))
        gravest = max((p.kind for p in pieces), key=GRAVITY.__getitem__)
        assert max((p.kind for p in few), key=GRAVITY.__getitem__) is gravest


class TestStrip:
    def test_its_markup_is_what_it_was(self):
        one = outage(NOW - 12 * HOUR, NOW - 6 * HOUR)
        drawn = strip("CRM", states(one), Scale(*DAY), "UTC", told=told, ticks=2)
        assert str(drawn) == (
            '<svg class="picture strip" role="img" aria-label="CRM. Down for everyone for 6 h, '
            'working for 18 h." width="100%" height="62">'
            "<title>CRM</title><desc>Down for everyone for 6 h, working for 18 h.</desc>"
            '<line class="grid" x1="0%" x2="0%" y1="0" y2="42"/>'
            '<text class="tick" x="0%" y="56" text-anchor="start">12:00</text>'
            '<line class="grid" x1="50%" x2="50%" y1="0" y2="42"/>'
            '<text class="tick" x="50%" y="56" text-anchor="middle">Mon 23</text>'
            '<line class="foot" x1="0" x2="100%" y1="36" y2="36"/>'
            '<rect class="state-working" x="0%" width="100%" y="29.52" height="6.48"/>'
            '<rect class="state-all" x="50%" width="25.000%" y="0" height="36">'
            "<title>Down for everyone for 6 h, from 00:00 to 06:00</title></rect></svg>"
        )

    def test_an_outage_of_a_second_is_still_seen(self):
        one = outage(NOW - HOUR, NOW - HOUR + timedelta(seconds=1))
        drawn = parsed(strip("CRM", states(one), Scale(*DAY), "UTC", told=told))
        (rect,) = [e for e in drawn.iter("rect") if e.get("class") == "state-all"]
        assert float(rect.get("width").rstrip("%")) >= 0.1

    @pytest.mark.parametrize("many", [0, 1, 100_000])
    def test_however_much_there_was_it_stays_small(self, many):
        step = (DAY[1] - DAY[0]) / max(many, 1)
        spans = [(DAY[0] + i * step, DAY[0] + (i + 0.4) * step) for i in range(many)]
        pieces = laid([(Kind.ALL, spans)], DAY)
        drawn = strip("CRM", pieces, Scale(*DAY), "UTC", told=told)
        assert elements(drawn) <= 3 * PIECES_MOST + 60
        assert ("state-all" in drawn) is (many > 0)

    def test_marks_stand_in_the_order_of_time_each_on_a_line_of_its_own(self):
        marks = [Mark(NOW - HOUR, "resolved"), Mark(NOW - 20 * HOUR, "detected")]
        drawn = parsed(strip("CRM", states(), Scale(*DAY), "UTC", told=told, marks=marks))
        words = [e for e in drawn.iter("text") if e.get("class") == "mark-words"]
        assert [e.text for e in words] == ["detected", "resolved"]
        assert [e.get("text-anchor") for e in words] == ["start", "end"]
        assert float(words[0].get("y")) < float(words[1].get("y"))

    def test_hostile_names_are_text(self):
        drawn = strip(SCRIPT, states(), Scale(*DAY), "UTC", told=told, marks=[Mark(NOW, SCRIPT)])
        assert "<script" not in drawn
        assert parsed(drawn).find("title").text == SCRIPT

    def test_every_pattern_that_a_state_uses_is_defined(self):
        pieces = [Piece(k, DAY[0] + i * HOUR, DAY[0] + (i + 1) * HOUR) for i, k in enumerate(Kind)]
        drawn = strip("CRM", pieces, Scale(*DAY), "UTC", told=told)
        used = set(re.findall(r"url\(#([\w-]+)\)", drawn))
        assert used == set(re.findall(r'<pattern id="([\w-]+)"', hatches()))

    def test_nothing_at_all_says_so(self):
        assert summary(()) == "Nothing is known."


def bucket(minute, *, passed=10, failed=0, width=600.0):
    since = DAY[0] + minute * MINUTE
    slowest = 0.5 if passed else None
    phases = Phases(0.01, 0.02, 0.03, 0.1, 0.04) if passed else Phases()
    return Recalled(since, width, passed, failed, 0, 0, 0, phases, slowest)


class TestLatency:
    def draw(self, *buckets, title="sign-in"):
        return latency(title, buckets, Scale(*DAY), "UTC", told=told)

    def test_phases_lie_on_each_other_up_to_the_whole(self):
        drawn = parsed(self.draw(bucket(720)))
        bands = {e.get("class"): e.get("d") for e in drawn.iter("path")}
        assert bands == {
            "phase-resolve": "M5000 1200V1140H5069V1200z",
            "phase-connect": "M5000 1200V1020H5069V1200z",
            "phase-tls": "M5000 1200V840H5069V1200z",
            "phase-processing": "M5000 1200V240H5069V1200z",
            "phase-transfer": "M5000 1200V0H5069V1200z",
            "failed": "",
        }

    def test_a_gap_is_on_the_line(self):
        drawn = parsed(self.draw(bucket(0), bucket(20)))
        bands = {e.get("class"): e.get("d") for e in drawn.iter("path")}
        assert bands["phase-transfer"] == "M0 1200V0H69V1200H139V0H208V1200z"

    def test_the_widest_is_drawn_first_so_that_those_below_it_are_seen(self):
        classes = [e.get("class") for e in parsed(self.draw(bucket(0))).iter("path")]
        assert classes == [*(f"phase-{name}" for name in reversed(PHASES)), "failed"]

    def test_what_failed_hangs_below_and_has_no_latency(self):
        drawn = parsed(self.draw(bucket(0, passed=0, failed=5), bucket(10, passed=5, failed=5)))
        bands = {e.get("class"): e.get("d") for e in drawn.iter("path")}
        assert bands["failed"] == "M0 1220V1440H69V1220zM69 1220V1330H139V1220z"
        assert bands["phase-processing"] == "M0 1200V1200H69V240H139V1200z"

    @pytest.mark.parametrize("many", [0, 1, 10_000])
    def test_however_long_it_is_it_has_few_elements(self, many):
        width = 86400.0 / max(many, 1)
        buckets = [bucket(i * width / 60, width=width) for i in range(many)]
        assert elements(self.draw(*buckets)) < 60 + 2 * TITLES_MOST

    def test_what_lies_beside_the_axis_is_left_out(self):
        assert self.draw(bucket(-20)) == self.draw()
        assert 'd="M0 ' in self.draw(bucket(-5))

    def test_words_say_what_it_shows(self):
        said = described([bucket(0), bucket(10, passed=5, failed=5)])
        assert said == (
            "Means of the intervals from 200 ms to 200 ms; slowest PASS 500 ms. "
            "5 of 20 probes failed."
        )
        assert described([bucket(0, passed=0, failed=3)]) == "3 of 3 probes failed."
        assert described([]) == "Nothing was measured."

    @given(st.floats(1e-6, 1e5))
    def test_the_top_of_the_axis_is_round_and_near(self, highest):
        assert highest * 0.999 <= nice(highest) <= 2.1 * highest

    def test_hostile_names_are_text(self):
        assert "<script" not in self.draw(bucket(0), title=SCRIPT)


def cell_states(many_targets, *, outcome=lambda _: Outcome.PASS, checks=("sign-in",), places=3):
    return tuple(
        CellState(CellKey("crm", name, f"t{n}", f"place-{v}"), outcome(n), FailureKind.STATUS)
        for name in checks
        for v in range(places)
        for n in range(many_targets)
    )


def crm(many_targets, checks=("sign-in",)):
    of = {f"t{n}": ("blue", "green", "amber")[n % 3] for n in range(many_targets)}
    return service("crm", *(check("crm", name, of=of) for name in checks))


class TestCells:
    def marks(self, grid):
        return [mark for line in grid.lines for mark in line.marks]

    def test_few_cells_have_a_mark_each(self):
        grid = grid_of(cell_states(5, outcome=lambda n: (Outcome.FAIL, None)[n % 2]), crm(5))
        assert [len(line.marks) for line in grid.lines] == [5, 5, 5]
        assert (grid.failing, grid.cells, grid.per) == (9, 15, "one cell")
        first = grid.lines[0]
        assert [m.sign for m in first.marks[:2]] == [Sign.FAILS, Sign.SILENT]
        assert [m.words for m in first.marks[:2]] == [
            "t0 fails (status)",
            "t1 has not been probed yet",
        ]
        assert (first.failing, first.silent, first.named) == (3, 2, ("t0", "t2", "t4"))

    @pytest.mark.parametrize("many", [0, 1, 167, 3334, 33_334])
    def test_there_are_at_most_500_marks_and_every_cell_is_in_one(self, many):
        grid = grid_of(cell_states(many), crm(many))
        assert len(self.marks(grid)) <= MARKS_MOST
        assert grid.cells == 3 * many

    def test_many_cells_share_a_mark_by_group(self):
        failing = lambda n: Outcome.FAIL if n % 3 == 0 else Outcome.PASS  # noqa: E731 - blue
        grid = grid_of(cell_states(300, outcome=failing), crm(300))
        assert [m.words for m in grid.lines[0].marks] == [
            "blue: 100 of 100 fail",
            "green: 0 of 100 fail",
            "amber: 0 of 100 fail",
        ]
        assert [m.sign for m in grid.lines[0].marks] == [Sign.FAILS, Sign.WORKS, Sign.WORKS]

    def test_groups_as_many_as_targets_fall_back_to_the_vantage_and_then_to_the_check(self):
        of = {f"t{n}": f"group-{n}" for n in range(200)}
        one = service("crm", check("crm", "sign-in", of=of))
        grid = grid_of(cell_states(200), one)
        assert (len(self.marks(grid)), grid.per) == (3, "all targets, as seen from one vantage")
        names = tuple(f"check-{n}" for n in range(200))
        many = grid_of(cell_states(2, checks=names), crm(2, names))
        assert (len(self.marks(many)), many.per) == (200, "all targets of a check")
        too_many = tuple(f"check-{n}" for n in range(600))
        cut = grid_of(cell_states(1, checks=too_many), crm(1, too_many))
        assert (len(self.marks(cut)), cut.left_out) == (500, 100)

    def test_part_of_a_group_is_a_sign_of_its_own(self):
        failing = lambda n: Outcome.FAIL if n < 30 else Outcome.PASS  # noqa: E731 - a tenth
        grid = grid_of(cell_states(300, outcome=failing), crm(300))
        assert {m.sign for m in self.marks(grid)} == {Sign.PART}

    def test_of_evidence_the_last_result_of_a_cell_counts(self):
        key = CellKey("crm", "sign-in", "acme", "london")
        (one,) = cells_seen([(key, Outcome.FAIL), (key, Outcome.BLOCKED)])
        assert one == CellState(key, Outcome.BLOCKED)


class TestPromise:
    def clock(self, at, **changes):
        began = NOW - HOUR
        fields = {"reported_at": began, "respond_by": began + 2 * HOUR, "acknowledged_at": None}
        return clocks_of(incident(**fields | changes), at)

    def test_it_runs_until_somebody_answers(self):
        (clock,) = self.clock(NOW)
        assert (clock.state, clock.words, clock.share) == ("running", "1 h left", 0.5)
        (clock,) = self.clock(NOW + 50 * MINUTE)
        assert (clock.state, clock.words) == ("urgent", "10 min left")

    def test_late_is_said_plainly(self):
        (clock,) = self.clock(NOW + HOUR + 5 * MINUTE)
        assert (clock.state, clock.words, clock.share) == ("late", "LATE by 5 min", 1.0)

    @pytest.mark.parametrize(
        ("after", "state", "words"),
        [
            (3 * MINUTE, "kept", "Answered after 3 min"),
            (125 * MINUTE, "broken", "Answered after 2 h 5 min, late by 5 min"),
        ],
    )
    def test_an_answer_stops_it(self, after, state, words):
        (clock,) = self.clock(NOW, acknowledged_at=NOW - HOUR + after)
        assert (clock.state, clock.words) == (state, words)

    def test_where_nothing_is_promised_there_is_none(self):
        assert self.clock(NOW, respond_by=None) == ()

    def test_a_handover_has_a_clock_of_its_own(self):
        handover = Handover(NOW - 10 * MINUTE, NOW + 5 * MINUTE)
        response, handed = self.clock(NOW, acknowledged_at=NOW - 50 * MINUTE, handover=handover)
        assert (response.state, handed.what, handed.words) == ("kept", "Handover", "5 min left")

    def test_its_bar_is_filled_as_far_as_time_has_passed(self):
        (clock,) = self.clock(NOW)
        drawn = parsed(bar(clock))
        assert drawn.get("aria-label") == "Response. 1 h left."
        assert [r.get("width") for r in drawn.iter("rect")] == ["100%", "50%"]


class TestWords:
    @pytest.mark.parametrize(
        ("duration", "words"),
        [
            (-5, "0 s"),
            (0, "0 s"),
            (119.9, "119 s"),
            (120, "2 min"),
            (3600, "1 h"),
            (6120, "1 h 42 min"),
            (86400 + 59, "1 d"),
            (3 * 86400 + 4 * 3600 + 300, "3 d 4 h"),
            (86400 + 300, "1 d"),
        ],
    )
    def test_a_duration_is_told_in_its_two_largest_units(self, duration, words):
        assert lasting(timedelta(seconds=duration)) == words

    def test_what_a_machine_took_has_three_digits_or_so(self):
        told_as = [seconds(value) for value in (0, 0.0084, 0.25, 1.25, 12.5)]
        assert told_as == ["0 ms", "8.4 ms", "250 ms", "1.25 s", "12.5 s"]


def test_whatever_is_put_into_an_element_is_escaped():
    made = svg.tag("text", SCRIPT, x=f'"{SCRIPT}', stroke_width=1.005, class_=None)
    assert "<script" not in made
    assert parsed(made).text == SCRIPT
    assert parsed(made).attrib == {"x": f'"{SCRIPT}', "stroke-width": "1"}
