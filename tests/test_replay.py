"""Recorded results replayed: what would have been declared, from whose history, and how surely."""

import asyncio
import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from monitor.cli import FINE, MISTAKEN, NOT_WELL, app
from monitor.clock import real_clock
from monitor.config import ConfigError, load_rules
from monitor.model import Change, Dimension, FailureKind, Impact, Once, Outcome, Rules, Window
from monitor.replay import (
    HistoryError,
    Kind,
    Setting,
    Spell,
    compare,
    for_replay,
    read_history,
    read_spells,
    replay,
    spell_of,
)
from monitor.store import open_store
from tests.day import CALENDAR, local
from tests.estates import TENANTS, check, estate, service
from tests.replay_fixtures import RecordedDay, cell, every, written
from tests.simulation import black_hole, refused, sometimes

ALIKE = timedelta(milliseconds=20)
PLACES = ("london", "leeds", "dublin")


@pytest.fixture
def replayed(tmp_path):
    def run(lines, **setting):
        return replay(read_history(written(tmp_path / "results", lines)), Setting(**setting))

    return run


@pytest.fixture
def mistakes(tmp_path):
    def run(*lines):
        path = written(tmp_path / "results", lines)
        with pytest.raises(HistoryError) as caught:
            read_history(path)
        return [mistake.removeprefix(f"{path}:") for mistake in caught.value.mistakes]

    return run


def spread(targets, interval=60.0, until=3600.0, fails=(), failing=None):
    """Each target seen from three places at phases of its own; `failing` targets fail."""
    cells = [(target, place) for target in targets for place in PLACES]
    return [
        line
        for phase, (target, place) in enumerate(cells)
        for line in every(
            interval,
            until,
            start=phase * interval / len(cells),
            fails=fails if failing is None or target in failing else (),
            **cell(target, place),
        )
    ]


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


# --------------------------------------------------------------------------- by hand


def test_a_total_outage_is_declared_for_everyone(replayed):
    report = replayed(spread(TENANTS, fails=[(1200, 2400)]))

    (outage,) = report.outages
    assert (outage.unit, outage.impact) == ("crm/sign-in", Impact.ALL)
    assert at(1140) <= outage.began.after < at(1200) <= outage.began.before <= at(1210)
    assert outage.detected_at <= at(1200 + 4 * 60)
    assert at(2300) < outage.recovered.after < at(2400) <= outage.recovered.before <= at(2460)
    assert outage.closed_at is not None
    assert report.paced


def test_one_tenant_is_declared_alone(replayed):
    report = replayed(spread(TENANTS, fails=[(1200, 2400)], failing={"acme"}))

    (outage,) = report.outages
    assert outage.impact is Impact.SOME
    assert (outage.extent.dimension, outage.extent.members) == (Dimension.TARGET, ("acme",))


def test_a_blip_is_nothing(replayed):
    assert replayed(spread(TENANTS, fails=[(1200, 1206)])).outages == ()


def test_noise_is_nothing(replayed):
    dice = random.Random(7)
    lines = spread(TENANTS, until=6 * 3600)
    for line in lines:
        line["outcome"] = "fail" if dice.random() < 0.02 else "pass"

    assert replayed(lines).outages == ()


def test_a_single_target_seen_from_one_place_needs_longer_and_says_so(replayed):
    lines = every(60, 7200, fails=[(1200, 1500), (3600, 5400)], **cell())

    (outage,) = replayed(lines).outages
    assert (outage.impact, outage.reason) == (Impact.ALL, "one_location")
    assert at(3600) < outage.detected_at < at(3600 + 12 * 60)


def test_lines_may_stand_in_any_order(replayed):
    lines = spread(TENANTS, fails=[(1200, 2400)])
    expected = replayed(lines).outages
    random.Random(3).shuffle(lines)

    assert replayed(lines).outages == expected


def test_all_cells_asked_at_the_same_moment_are_fine(replayed):
    lines = [
        line
        for place in PLACES
        for line in every(60, 3600, fails=[(1200, 2400)], **cell(vantage=place))
    ]

    (outage,) = replayed(lines).outages
    assert outage.impact is Impact.ALL


def test_an_interval_that_wavers_is_fine(replayed):
    dice = random.Random(5)
    lines = spread(TENANTS, fails=[(1200, 2400)])
    for line in lines:
        line["at"] += dice.uniform(0, 12)

    (outage,) = replayed(lines).outages
    assert outage.impact is Impact.ALL


def test_a_gap_in_the_recording_is_told_and_neither_opens_nor_closes_anything(replayed):
    before = spread(TENANTS, until=1800, fails=[(1200, 1800)])
    after = spread(TENANTS, until=3600, fails=[(0, 600)])
    for line in after:
        line["at"] += 5400

    report = replayed(before + after)
    ((since, until),) = report.gaps
    assert at(1790) < since < at(1800)
    assert until == at(5400)
    (outage,) = report.outages
    assert outage.episodes == 1
    assert at(5400) < outage.recovered.before < at(5400 + 660)


def test_a_gap_alone_declares_nothing(replayed):
    after = spread(TENANTS)
    for line in after:
        line["at"] += 86400

    report = replayed(spread(TENANTS) + after)
    assert (len(report.gaps), report.outages) == (1, ())


def test_what_never_passed_never_worked(replayed):
    (outage,) = replayed(every(60, 3600, fails=[(0, 3600)], **cell())).outages

    assert (outage.impact, outage.reason) == (Impact.SOME, "never_worked")


def test_a_history_that_begins_in_the_middle_of_an_outage_tells_it(replayed):
    (outage,) = replayed(spread(TENANTS, fails=[(0, 1200)])).outages

    assert outage.impact is Impact.ALL
    assert outage.began.after is None


def test_when_the_controls_of_a_place_fail_its_word_does_not_count(replayed):
    down = [(1200, 2400)]
    lines = spread(TENANTS)
    for line in lines:
        if line["vantage"] == "london" and 1200 <= line["at"] < 2400:
            line["outcome"] = "fail"
    for place in PLACES:
        for name in ("one", "two", "three"):
            fails = down if place == "london" else ()
            said = {"control": True, "check": name, "target": "x", "vantage": place}
            lines += every(10, 3600, fails=fails, **said)

    assert replayed(lines).outages == ()


def test_fewer_than_five_tenants_are_not_everyone(replayed):
    lines = spread(("acme", "bolt"), fails=[(1200, 2400)])
    for line in lines:
        line["tenant"] = line["target"]

    assert [outage.impact for outage in replayed(lines).outages] == [Impact.SOME]


def test_what_is_only_degrading_is_never_everyone(replayed):
    lines = [{**line, "need": "degrading"} for line in spread(TENANTS, fails=[(1200, 2400)])]

    (outage,) = replayed(lines).outages
    assert (outage.impact, outage.reason) == (Impact.SOME, "degraded")


def test_a_passive_check_needs_two_bad_periods_of_each_cell(replayed):
    lines = [{**line, "evidence": "passive"} for line in spread(TENANTS, fails=[(1200, 2400)])]

    (outage,) = replayed(lines).outages
    assert outage.impact is Impact.ALL
    assert at(1260) <= outage.detected_at <= at(1200 + 4 * 60)


def test_an_edge_that_turned_on_the_monitor_is_told_as_not_knowing(replayed):
    fails = [(1200, 2400)]
    us = [{**line, "edge": "waf"} for line in spread(TENANTS, fails=fails)]
    users = [
        {**line, "check": "signed-in", "evidence": "passive", "real_users": True}
        for line in spread(["shared"])
    ]
    controls = [
        {**line, "check": name, "control": True, "edge": "waf" if name == "edge" else ""}
        for name in ("edge", "one", "other")
        for line in spread(["shared"], interval=10, fails=fails if name == "edge" else ())
    ]

    (outage,) = replayed(us + users + controls).outages
    assert (outage.impact, outage.reason) == (Impact.UNKNOWN, "turned_on_us")


def test_a_result_told_twice_counts_once(replayed):
    lines = spread(TENANTS, fails=[(1200, 2400)])

    assert replayed(lines + lines).outages == replayed(lines).outages


def test_instants_may_be_numbers_or_iso_8601_and_are_utc_without_an_offset(tmp_path):
    instants = (0, 0.5, "1970-01-01T00:00:01", "1970-01-01T01:00:02+01:00", "1970-01-01T00:00:03Z")
    lines = [{"at": each, "outcome": "pass", **cell()} for each in instants]

    read = read_history(written(tmp_path / "results", lines)).lines
    assert [line.at for line in read] == [0, 0.5, 1, 2, 3]


def test_how_long_an_answer_took_is_told_by_when_it_was_sent_or_in_seconds(tmp_path):
    lines = [
        {"at": 10, "sent": "1970-01-01T00:00:04", "outcome": "pass", **cell()},
        {"at": 20, "seconds": 2.5, "outcome": "pass", **cell()},
        {"at": 30, "outcome": "fail", "kind": "tls", "message": "expired", "x": [1], **cell()},
    ]

    read = read_history(written(tmp_path / "results", lines)).lines
    assert [line.sent for line in read] == [4, 17.5, 30]
    assert (read[2].outcome, read[2].failure, read[2].message) == (Outcome.FAIL, "tls", "expired")


# --------------------------------------------------------------------------- mistakes


def test_every_mistake_is_told_with_its_line(mistakes):
    good = {"at": 1, "outcome": "pass", **cell()}

    assert mistakes(
        good,
        "{",
        "",
        "[1]",
        {**good, "at": "yesterday", "outcome": "down"},
        {**good, "at": 1.8e12},
        {"at": 1, "outcome": "fail", "kind": "gremlins", "service": 5, "check": "a/b"},
        {**good, "sent": 2},
        {**good, "seconds": -1},
        {**good, "service": ["crm"]},
        {**good, "asked": 1},
    ) == [
        "2: is no JSON: write one object a line",
        "4: is no object but [1]",
        '5: `at` "yesterday" is no instant: write 2026-11-23T08:58:01Z',
        '5: `outcome` "down" is not known: one of pass, fail, blocked, maintenance, invalid',
        "6: `at` 1800000000000.0 is not within 1970 and 3000: write seconds",
        f'7: `kind` "gremlins" is not known: one of {", ".join(FailureKind)}',
        "7: `service` 5 is no text",
        "7: `target` is missing",
        "7: `vantage` is missing",
        "7: `check` `a/b` has a `/` in it",
        "8: `sent` is later than `at`",
        "9: `seconds` -1 is no number of seconds between 0 and 86400",
        '10: `service` ["crm"] is no text',
        "11: `asked` 1 is neither true nor false",
    ]


def test_of_very_many_mistakes_the_first_are_told_and_the_rest_counted(mistakes):
    told = mistakes(*["{"] * 1234)

    assert len(told) == 1001
    assert told[-1] == " 234 more mistakes"


def test_an_empty_file_and_one_that_is_not_there_are_mistakes(tmp_path):
    with pytest.raises(HistoryError, match="holds no results"):
        read_history(written(tmp_path / "results", [""]))
    with pytest.raises(HistoryError, match="cannot be read: No such file"):
        read_history(tmp_path / "none")


def test_results_of_nothing_that_is_known_cannot_be_replayed(replayed):
    with pytest.raises(ValueError, match="no result is of a service that is known"):
        replayed(every(60, 600, **cell(service="else")), estate=estate())


# --------------------------------------------------------------------------- recorded days


@pytest.fixture(scope="module")
def day():
    """A day with all kinds of trouble, as it was judged and as it was recorded."""
    watched = estate(
        service("crm", check(of=TENANTS), check("crm", "api", interval=60.0)),
        service("web", check("web", interval=60.0)),
    )
    day = RecordedDay("Mon 2026-11-23 07:00", watched)
    day.fails("crm", "07:08:01", until="07:20")
    day.fails("crm", "07:40:01", until="07:50", how=black_hole, target=("acme",))
    day.fails("web", "08:10:03", until="08:16", how=black_hole)
    day.fails("web", "08:40:03", until="08:40:06")
    day.fails("crm", "08:50:03", until="09:00", how=sometimes(0.4))
    day.fails("crm", "09:30:00", until="09:40", vantage=("leeds",))
    day.fails("crm", "10:10:00", until="10:11:30")
    day.fails("crm", "10:15:00", until="10:17:30")
    return day.runs_until("10:40")


@pytest.fixture(scope="module")
def judged(day, tmp_path_factory):
    """That day, replayed against its own configuration."""
    file = written(tmp_path_factory.mktemp("recorded") / "results", day.lines)
    return replay(read_history(file), Setting(day.estate, calendar=CALENDAR))


def alike(report, day):
    """Whether a replay concluded what was concluded then, at the same times."""
    pairs = list(zip(report.outages, day.outages, strict=True))
    for one, other in pairs:
        assert abs(one.detected_at - other.detected_at) < ALIKE
        assert abs(one.closed_at - other.closed_at) < ALIKE
        assert abs(one.began.before - other.began.before) < ALIKE
        assert abs(one.recovered.before - other.recovered.before) < ALIKE
        starts = zip(one.starts, other.starts, strict=True)
        assert all(abs(mine - theirs) < ALIKE for mine, theirs in starts)
    bare = {"began": None, "recovered": None, "detected_at": None, "closed_at": None, "id": ""}
    bare["starts"] = ()
    return [replace(a, **bare) for a, _ in pairs] == [replace(b, **bare) for _, b in pairs]


def test_a_recorded_day_replayed_is_judged_as_it_was(day, judged):
    assert len(judged.outages) >= 6
    assert alike(judged, day)
    assert judged.answered == judged.asked > 1000
    assert not judged.paced


def test_a_recorded_day_has_the_incidents_it_had(day, judged):
    def told(incident):
        return (incident.number, incident.title, incident.priority, incident.route, incident.reason)

    assert [told(i) for i in judged.incidents] == [told(i) for i in day.incidents]


def test_a_recorded_day_describes_its_estate_nearly_as_it_was(day, replayed):
    report = replayed(day.lines)

    found = compare([*map(spell_of, report.outages)], [*map(spell_of, day.outages)])
    of_everyone = [each for each in found if (each.was or each.would).impact is Impact.ALL]
    assert len(of_everyone) >= 3
    assert all(each.kind is not Kind.MISSING for each in of_everyone)
    assert all(abs(each.seconds) < 20 for each in of_everyone)


def test_other_rules_come_to_other_times_and_say_how_much_was_guessed(day, replayed):
    report = replayed(day.lines, rules={"round_gap": 9.0})

    assert report.answered < report.asked
    assert report.outages[0].detected_at > day.outages[0].detected_at


def test_the_planned_results_alone_tell_the_total_outages(day, replayed):
    report = replayed(day.planned_only())

    def of_everyone(outages):
        return {(o.unit, o.began.before.hour) for o in outages if o.impact is Impact.ALL}

    assert of_everyone(report.outages) >= {("crm/sign-in", 7), ("web/sign-in", 8)}
    assert of_everyone(report.outages) <= of_everyone(day.outages)


def test_results_of_what_is_no_longer_configured_are_counted(day, replayed):
    crm_only = replace(day.estate, services=day.estate.services[:1])
    report = replayed(day.lines, estate=crm_only)

    assert report.unknown == sum('"service":"web"' in line for line in day.lines)
    assert {outage.service for outage in report.outages} == {"crm"}


def test_what_was_never_recorded_is_not_waited_for(replayed):
    lines = every(60, 7200, fails=[(3600, 5400)], **cell("acme"))

    (outage,) = replayed(lines, estate=estate()).outages
    assert outage.detected_at < at(3600 + 15 * 60)


# --------------------------------------------------------------------------- maintenance


@pytest.fixture(scope="module")
def maintained():
    """A recorded day with windows: one that fails inside only, two that overrun."""
    day = RecordedDay("Mon 2026-11-23 07:00", estate(service("crm", check(of=TENANTS))))
    day.maintenance("07:10", "07:30")
    day.maintenance("08:00", "08:20:00.5")
    day.maintenance("09:00", "09:20", tenants=("acme",))
    day.fails("crm", "07:10:03", until="07:29", how=black_hole)
    day.fails("crm", "08:05:03", until="08:40", how=refused)
    day.fails("crm", "09:05:03", until="09:40", how=black_hole, target=("acme",))
    return day.runs_until("10:30")


def test_a_recorded_day_with_windows_is_judged_as_it_was(maintained, tmp_path):
    file = written(tmp_path / "results", maintained.lines)
    report = replay(read_history(file), Setting(maintained.estate, calendar=CALENDAR))

    assert [outage.impact for outage in report.outages] == [Impact.ALL, Impact.SOME]
    assert alike(report, maintained)
    assert report.answered == report.asked


def test_without_the_windows_what_was_recorded_as_maintenance_still_has_no_vote(
    maintained, tmp_path
):
    file = written(tmp_path / "results", maintained.lines)
    report = replay(read_history(file), Setting(estate(), calendar=CALENDAR))

    detected = [outage.detected_at for outage in report.outages]
    assert not [each for each in detected if each < local("2026-11-23 08:20")]


def test_a_maintenance_line_keeps_its_kind(maintained, tmp_path):
    kinds = {e["kind"] for e in map(json.loads, maintained.lines) if e["outcome"] == "maintenance"}
    read = read_history(written(tmp_path / "results", maintained.lines)).lines

    assert kinds == {"timeout", "connect"}
    assert {line.failure for line in read if line.outcome is Outcome.MAINTENANCE} == kinds


def test_failures_of_another_monitor_are_excused_in_a_window(replayed):
    lines = every(60, 9000, fails=[(1800, 5400)], **cell("shared"))
    watched = estate(service("crm", check(interval=60.0)), places={"london": "net-a"})
    covered = Window("upgrade", Once(at(1700), at(3600)), ("crm",))

    (told,) = replayed(lines, estate=watched).outages
    (excused,) = replayed(lines, estate=replace(watched, windows=(covered,))).outages
    assert told.detected_at < at(3600) < excused.detected_at
    assert excused.began.before == told.began.before
    longer = replace(covered, when=Once(at(1700), at(5500)))
    assert replayed(lines, estate=replace(watched, windows=(longer,))).outages == ()


# --------------------------------------------------------------------------- rules


def test_rules_are_slowed_to_the_pace_of_the_results():
    slow = for_replay(Rules(), interval=60, cells=3)

    assert slow.round_gap == pytest.approx(66)
    assert min(slow.sweep_gaps) == slow.round_gap
    assert slow.votes_min == 1
    assert 2 * 3 * slow.score_fail < slow.score_needed < 3 * 3 * slow.score_fail


def test_rules_of_many_cells_keep_their_score():
    assert for_replay(Rules(), interval=60, cells=15).score_needed == Rules().score_needed


def test_slower_rules_stay_as_slow():
    assert for_replay(Rules(round_gap=100.0), interval=10, cells=15).round_gap == 100.0


def test_a_file_of_rules_says_what_it_changes(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("round_gap: 16s\nsweep_gaps: [8, 10s]\npass_share: 0.1\n")

    assert load_rules(file, {}) == {
        "round_gap": 16.0,
        "sweep_gaps": (8.0, 10.0),
        "pass_share": 0.1,
    }


def test_mistakes_in_a_file_of_rules_are_told_with_their_places(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("round_gab: 16s\npass_share: 7\nrepeat_gap: 9s\n")

    with pytest.raises(ConfigError) as caught:
        load_rules(file, {})
    assert [(m.line, m.path) for m in caught.value.mistakes] == [
        (1, "rules.round_gab"),
        (2, "rules.pass_share"),
        (3, "rules.repeat_gap"),
    ]


# --------------------------------------------------------------------------- beside what was


def spell(detected, ended=None, service="crm", impact=Impact.ALL, **more):
    return Spell(service, impact, at(detected), ended=ended and at(ended), **more)


def test_what_overlaps_is_the_same_and_told_with_how_much_later():
    would = [spell(100, 200), spell(1000, 1100), spell(2000.5, 2100)]
    was = [spell(90, 190), spell(1010, 1100), spell(2000, 2100)]

    found = compare(would, was)
    assert [(d.kind, d.seconds) for d in found] == [
        (Kind.LATER, 10),
        (Kind.EARLIER, -10),
        (Kind.SAME, 0.5),
    ]


@pytest.mark.parametrize(
    "other",
    [
        spell(300, 400),
        spell(100, 200, service="web"),
        spell(100, 200, impact=Impact.SOME),
        spell(100, 200, check="api"),
    ],
)
def test_what_is_another_outage_is_missing_on_one_side_and_added_on_the_other(other):
    found = compare([spell(100, 200, check="sign-in")], [other])

    assert {d.kind for d in found} == {Kind.ADDED, Kind.MISSING}


def test_one_that_has_not_ended_overlaps_all_that_follows():
    assert [d.kind for d in compare([spell(500, 600)], [spell(100)])] == [Kind.LATER]


def test_of_two_the_one_detected_nearest_is_the_same():
    found = compare([spell(100, 900), spell(500, 900)], [spell(501, 900)])

    assert [(d.kind, d.would.detected) for d in found] == [
        (Kind.ADDED, at(100)),
        (Kind.SAME, at(500)),
    ]


def test_spells_are_read_from_lines(tmp_path):
    file = written(
        tmp_path / "was",
        [
            {"service": "crm", "detected": 100},
            {"service": "web", "impact": "some", "detected": 5, "began": 1, "ended": 9},
        ],
    )

    assert read_spells(file) == [
        spell(100),
        Spell("web", Impact.SOME, at(5), at(1), at(9)),
    ]


def test_mistakes_in_spells_are_told_with_their_lines(tmp_path):
    file = written(tmp_path / "was", [{"service": "crm"}, {"detected": 1, "impact": "most"}])

    with pytest.raises(HistoryError) as caught:
        read_spells(file)
    assert [m.removeprefix(f"{file}:").split(" is ")[0] for m in caught.value.mistakes] == [
        "1: `detected`",
        '2: `impact` "most"',
        "2: `service`",
    ]


# --------------------------------------------------------------------------- the command


@pytest.fixture
def results(tmp_path):
    return str(written(tmp_path / "results", spread(TENANTS, fails=[(1200, 2400)])))


def told(*arguments):
    answer = CliRunner().invoke(app, ["replay", *arguments])
    return answer.exit_code, answer.stdout, answer.stderr


def test_the_command_tells_people(results):
    code, said, _ = told(results)

    assert code == FINE
    assert "ALL  crm/sign-in  (everyone_twice)" in said
    assert "rounds were slowed down" in said


def test_the_command_tells_programs(results, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("merge_window: 60s\n")
    code, said, _ = told(results, "--rules", str(rules), "--json")

    assert code == FINE
    report = json.loads(said)
    (outage,) = report["outages"]
    assert (outage["impact"], outage["closed"] < "1970-01-01T00:50") == ("all", True)
    assert "differences" not in report


def test_the_command_compares_with_incidents_and_says_by_its_code_whether_they_differ(
    results, tmp_path
):
    (outage,) = replay(read_history(tmp_path / "results"), Setting()).outages
    detected = outage.detected_at.timestamp()
    same = written(tmp_path / "same", [{"service": "crm", "detected": detected}])
    other = written(tmp_path / "other", [{"service": "web", "detected": detected}])

    code, said, _ = told(results, "--incidents", str(same))
    assert (code, "the same" in said) == (FINE, True)
    code, said, _ = told(results, "--incidents", str(other), "--json")
    assert code == NOT_WELL
    kinds = [each["kind"] for each in json.loads(said)["differences"]]
    assert sorted(kinds) == ["added", "missing"]
    assert spell_of(outage).ended == outage.recovered.before


def test_the_command_compares_with_the_outages_of_a_store(results, tmp_path):
    url = f"sqlite:///{tmp_path}/monitor.db"
    would = replay(read_history(tmp_path / "results"), Setting()).outages

    async def stored():
        store = await open_store(url, clock=real_clock(), holder="a test")
        await store.commit(Change(outages=would))
        await store.close()

    asyncio.run(stored())
    code, said, _ = told(results, "--store", url, "--json")
    assert code == FINE
    assert [each["kind"] for each in json.loads(said)["differences"]] == ["same"]


def test_a_store_that_is_not_there_is_a_mistake(results, tmp_path):
    code, _, mistaken = told(results, "--store", f"sqlite:///{tmp_path}/none.db")

    assert (code, "none.db" in mistaken) == (MISTAKEN, True)


def test_the_command_refuses_mistakes_all_at_once(tmp_path):
    file = written(tmp_path / "results", ["{", "["])

    code, said, mistaken = told(str(file))
    assert (code, said) == (MISTAKEN, "")
    assert mistaken.count("is no JSON") == 2


def test_the_command_says_what_policy_would_have_decided_under_a_configuration(tmp_path):
    config = tmp_path / "checks.yaml"
    config.write_text(
        "services:\n"
        "  crm:\n"
        "    checks: [{name: sign-in, url: 'https://crm.example.com/', interval: 60s}]\n"
    )
    begin = 1.8e9
    lines = every(
        60, begin + 7200, start=begin, fails=[(begin + 3000, begin + 6000)], **cell(vantage="local")
    )
    code, said, _ = told(str(written(tmp_path / "results", lines)), "--config", str(config))

    assert code == FINE
    assert "Incidents:" in said
    assert "critical" in said
    assert "respond by" in said
