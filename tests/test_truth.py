"""The support policy, and maintenance, held to decisions that code had no part in.

They are the cells of tests/truth/decisions.txt; what is here says its words to the real functions.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from monitor.maintenance import WindowWatch, covering, excused
from monitor.model import (
    CONTROL,
    MONITOR,
    AllUsersScope,
    Audience,
    Cell,
    ClosedReason,
    DecisionReason,
    Deployment,
    Dimension,
    Estate,
    FailureKind,
    Impact,
    Need,
    Once,
    Outcome,
    Result,
    Service,
    Vantage,
    VerdictReason,
    Weekly,
    Window,
)
from monitor.policy import RULES, PolicySettings
from tests import estates
from tests.day import Day
from tests.hours_fixtures import LONDON, SUPPORT
from tests.policy_fixtures import because, decided, down_for, down_for_all, failing_in
from tests.simulation import Simulation, of, refused
from tests.truth_table import FILE, NOTHING, Owed, Unreadable, read

TEXT = FILE.read_text(encoding="utf-8")
TRUTH = read(TEXT)
HOUR = timedelta(hours=1)

# --------------------------------------------------------------------------- the world it is of

GROUP = 8
TENANTS = {"acme": "blue"} | {f"t{n}": "blue" if n < GROUP else "green" for n in range(1, 40)}
VANTAGES = (Vantage("london", "net-a"), Vantage("leeds", "net-b"))


def service(name, audience=Audience.END_USERS, **more):
    checks = (
        estates.check(name, "sign-in", of=TENANTS),
        estates.check(name, "search", of=TENANTS, need=Need.DEGRADING),
    )
    return Service(name, name.upper(), audience, checks, **more)


SERVICES = {
    "crm": service("crm", Audience.USERS),
    "sites": service("sites"),
    "website": service("website"),
    "orders": service("orders"),
    "intranet": service("intranet", Audience.USERS, core=False),
    MONITOR: Service(MONITOR, "The monitor", Audience.USERS, (), core=False),
}


@dataclass(frozen=True)
class Found:
    """How a word of the file is said to the policy: the verdict, and which cells fail for it."""

    verdict: Callable
    fails: Callable[[Cell], bool]
    outcome: Outcome = Outcome.FAIL
    of_service: dict = field(default_factory=dict)
    settings: dict = field(default_factory=dict)


def first(number, check="sign-in"):
    """The cells of a check of the first so many tenants."""
    failing = set(list(TENANTS)[:number])
    return lambda cell: cell.key.check == check and cell.key.target in failing


def from_leeds(cell):
    return cell.key.check == "sign-in" and cell.key.vantage == "leeds"


def controls(cell):
    return cell.key.service == CONTROL


def nobody(_cell):
    """Whatever a customer says, no probe need see it."""
    return False


def of_acme(verdict, *args, **more):
    return lambda service, at: verdict(service, at, *args, tenant="acme", **more)


def some(number):
    return lambda service, at: down_for(service, at, number, of=40)


def part(dimension, members, number):
    return lambda service, at: failing_in(service, at, dimension, members, number)


def known(reason, impact=Impact.SOME, **more):
    return lambda service, at, **of: replace(because(service, at, reason, impact), **more, **of)


BLUE = part(Dimension.GROUP, ("blue",), GROUP)
UNKNOWN = Impact.UNKNOWN
FOUND = {
    "everyone": Found(down_for_all, first(40)),
    "everyone, off": Found(down_for_all, first(40), of_service={"wide_share": None}),
    "all of acme": Found(of_acme(down_for_all), first(1)),
    "part of acme": Found(of_acme(down_for, 3, of=3), first(1)),
    "39 of 40": Found(some(39), first(39)),
    "28 of 40": Found(some(28), first(28)),
    "20 of 40": Found(some(20), first(20)),
    "19 of 40": Found(some(19), first(19)),
    "1 of 40": Found(some(1), first(1)),
    "20 by share": Found(part(Dimension.SHARE, (), 20), first(20)),
    "group blue": Found(BLUE, first(GROUP)),
    "blue and one": Found(part(Dimension.TARGET, tuple(TENANTS)[:9], 9), first(9)),
    "blue but one": Found(part(Dimension.TARGET, tuple(TENANTS)[1:9], 8), first(9)),
    "from leeds": Found(part(Dimension.VANTAGE, ("leeds",), 40), from_leeds),
    "39, off": Found(some(39), first(39), of_service={"wide_share": None}),
    "group, off": Found(BLUE, first(GROUP), of_service={"wide_share": None}),
    "39, told late": Found(some(39), first(39), settings={"wide_partial": False}),
    "canaries": Found(known(VerdictReason.CANARY_FAILING), first(3)),
    "degraded": Found(known(VerdictReason.DEGRADED), first(40, "search")),
    "search only": Found(
        known(VerdictReason.FLAPPING, Impact.ALL, checks=("search",)), first(40, "search")
    ),
    "never worked": Found(known(VerdictReason.NEVER_WORKED), first(1)),
    "blind": Found(known(VerdictReason.BLIND, UNKNOWN), controls),
    "locked out": Found(known(VerdictReason.LOCKED_OUT, UNKNOWN), first(40), Outcome.BLOCKED),
    "edge turned": Found(known(VerdictReason.TURNED_ON_US, UNKNOWN), controls),
    "told, all": Found(of_acme(known(VerdictReason.REPORTED_ALL, Impact.ALL)), nobody),
    "told, some": Found(of_acme(known(VerdictReason.REPORTED_PART)), nobody),
    "told, unknown": Found(known(VerdictReason.REPORTED_ANONYMOUSLY, Impact.ALL), nobody),
    "stuck": Found(known(VerdictReason.SET_FAILING), controls),
}


def once(begins, ends):
    return lambda at: Once(at + begins, at + ends)


def that_day(at):
    return Weekly(at.astimezone(LONDON).weekday(), time(0), time(0), "Europe/London")


@dataclass(frozen=True)
class Planned:
    """How a word of the file is said as a window: when it is, and whether of others, or of whom."""

    when: Callable
    of_others: bool = False
    tenants: tuple[str, ...] | None = None


WINDOWS = {
    "once": Planned(once(-HOUR, HOUR)),
    "weekly": Planned(that_day),
    "opens": Planned(once(timedelta(), HOUR)),
    "closes": Planned(once(-HOUR, timedelta())),
    "acme": Planned(once(-HOUR, HOUR), tenants=("acme",)),
    "other": Planned(once(-HOUR, HOUR), of_others=True),
}


@cache
def cells_of(name):
    made = () if name == MONITOR else (SERVICES[name],)
    return Estate(made, VANTAGES, estates.controls())


@cache
def failing(name, found):
    """The results that a finding rests on, with the cell of each."""
    said = FOUND[found]
    kind = FailureKind.STATUS if said.outcome is Outcome.FAIL else None
    return [
        (cell, Result("r", cell.key, "f", 1.0, 2.0, None, said.outcome, kind))
        for cell in cells_of(name).cells()
        if said.fails(cell)
    ]


def planned(name, word, at):
    """The windows of a situation; one of the monitor's is of everything, with the controls."""
    if word == "-":
        return ()
    said = WINDOWS[word]
    others = tuple(each for each in SERVICES if each != name)
    services = (*others, CONTROL) if name == MONITOR else others if said.of_others else (name,)
    return (Window("upgrade", said.when(at), services, tenants=said.tenants),)


def nothing_has_a_vote(situation, at):
    """Whether a window excuses every result that the finding rests on."""
    windows = planned(situation.service, situation.window, at)
    watch = WindowWatch(replace(cells_of(situation.service), windows=windows), at)
    heard = set()
    for cell, result in failing(situation.service, situation.found):
        window = watch.covering(cell.key, at)
        assert window == covering(windows, cell, at)
        heard.add(excused(result, window).outcome)
    assert heard <= {Outcome.MAINTENANCE, FOUND[situation.found].outcome}
    return heard == {Outcome.MAINTENANCE}


def asked_of(situation):
    """The finding of a situation, and the service that is asked about."""
    found = FOUND[situation.found]
    service = SERVICES[situation.service]
    return found, replace(service, all_users_scope=situation.scope, **found.of_service)


def verdict_of(situation, asked, at):
    verdict = FOUND[situation.found].verdict(asked, at)
    return replace(verdict, deployment=situation.deployment)


def answer(situation, at):
    """What the monitor decides of a situation at an instant; None: nothing."""
    if nothing_has_a_vote(situation, at):
        return None
    found, asked = asked_of(situation)
    decision = decided(verdict_of(situation, asked, at), asked, **found.settings)
    assert decision.at == at
    return Owed(*(getattr(decision, name) for name in Owed._fields))


@pytest.fixture(scope="module")
def answers():
    """What the monitor decides for every cell."""
    return {(situation, instant): answer(situation, instant.at) for situation, instant in CELLS}


CELLS = list(TRUTH.cells)
SITUATIONS = list(dict.fromkeys(situation for situation, _ in CELLS))
INSTANTS = list(dict.fromkeys(instant for _, instant in CELLS))

# --------------------------------------------------------------------------- held to it


@pytest.mark.parametrize("situation", SITUATIONS, ids=" ".join)
def test_every_cell_is_decided_as_it_is_written(situation, answers):
    wrong = {
        instant.at.isoformat(): (code, answers[situation, instant])
        for instant in INSTANTS
        if answers[situation, instant]
        != TRUTH.owed(code := TRUTH.cells[situation, instant], situation, instant)
    }
    assert wrong == {}


def test_a_cell_with_any_other_code_is_noticed(answers):
    unnoticed = [
        (cell, other)
        for cell, code in TRUTH.cells.items()
        for other in TRUTH.codes
        if other != code and TRUTH.owed(other, *cell) == answers[cell]
    ]
    assert unnoticed == []


SECOND = timedelta(seconds=1)
MOVED = {
    "opening": lambda instant: instant._replace(opening=instant.opening + SECOND),
    "respond_by": lambda instant: instant._replace(respond_by=instant.respond_by + SECOND),
    "closed": lambda instant: instant._replace(
        closed=None if instant.closed else ClosedReason.WEEKEND
    ),
}


@pytest.mark.parametrize("part", MOVED)
def test_an_instant_a_second_or_a_word_off_is_noticed(part, answers):
    unnoticed = {
        instant
        for instant in INSTANTS
        if all(
            TRUTH.owed(code, situation, MOVED[part](instant)) == answers[situation, instant]
            for (situation, other), code in TRUTH.cells.items()
            if other == instant
        )
    }
    assert unnoticed == set()


@pytest.mark.parametrize("instant", INSTANTS, ids=lambda each: each.at.isoformat())
def test_where_the_cell_says_none_the_whole_monitor_opens_nothing_until_the_window_closes(instant):
    day = Day("Mon 2026-11-23 10:00", estates.estate())
    day.began, day.mind.calendar = instant.at - timedelta(minutes=15), SUPPORT
    Simulation.maintenance(day, 0, 20 * 60)
    day.breaks(60, 1800, refused, of("crm"))
    day.run(20 * 60 - 1)
    assert [change for change in day.changes if change.digest is None] == []
    day.run(20 * 60 + 30)
    (incident,) = day.incidents
    assert incident.detected_at > instant.at + timedelta(minutes=5) > incident.began.before


# --------------------------------------------------------------------------- what it covers


def test_it_has_over_two_thousand_cells_and_none_is_missing():
    assert len(CELLS) == len(SITUATIONS) * len(INSTANTS)
    assert len(CELLS) >= 2000


def test_it_leaves_no_service_deployment_scope_finding_window_or_code_out():
    assert {each.service for each in SITUATIONS} == set(SERVICES)
    assert {each.found for each in SITUATIONS} == set(FOUND)
    assert {each.window for each in SITUATIONS} == {"-", *WINDOWS}
    assert {each.scope for each in SITUATIONS} == set(AllUsersScope)
    assert {each.deployment for each in SITUATIONS} == set(Deployment)
    assert set(TRUTH.cells.values()) == set(TRUTH.codes)
    said = {code.reason for code in TRUTH.codes.values() if code is not None}
    assert said == set(DecisionReason)


def test_every_core_service_is_written_out_with_every_deployment_and_a_window():
    written = {(each.service, each.deployment) for each in SITUATIONS}
    excluded = (Deployment.ON_PREMISE, Deployment.VERSION_6)
    core = [name for name, each in SERVICES.items() if each.core]
    assert written >= set(product(core, (Deployment.HOSTED, *excluded)))
    assert {each.service for each in SITUATIONS if each.window != "-"} >= set(core)


def test_it_says_of_every_word_what_it_means():
    told = {line.strip().split("  ")[0] for line in TEXT.split("code  |")[0].splitlines()}
    assert told >= {*FOUND, *WINDOWS}


# --------------------------------------------------------------------------- and the page

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "draw_policy.py"))


def test_the_page_says_of_every_rule_the_reasons_it_gives_and_no_other():
    given = {rule.name: set() for rule in RULES}
    at = INSTANTS[0].at
    for situation in SITUATIONS:
        found, asked = asked_of(situation)
        verdict = verdict_of(situation, asked, at)
        for rule in RULES:
            reason = rule.gives(verdict, asked, PolicySettings(**found.settings))
            if reason is not None:
                given[rule.name].add(reason)
                break
    said = {
        name: {reason for _, reasons in lines for reason in reasons}
        for name, lines in SCRIPT["FOUND"].items()
    }
    assert said == given


# --------------------------------------------------------------------------- how it is read

ROW = next(line for line in TEXT.splitlines() if line.startswith("crm "))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ALL!      ALL+      ALL+ ", "ALL!      ALX+      ALL+ ", "ALX. is no code"),
        ("ALL!      ALL+      ALL+ ", "ALL!                ALL+ ", "9 cells for 10"),
        ("ALL!      ALL+      ALL+ ", "ALL!  ALL+ ALL+    ALL+ ", "11 cells for 10"),
        (ROW, f"{ROW}\n{ROW}", "comes twice"),
        (f"{ROW}\n", "", "same situations"),
        (ROW, ROW.replace("|", " ", 1), "5 labels"),
        ("ALL!  |", "ALL+  |", r"the code ALL\+ comes twice"),
        ("at once\nALL!", "some day\nALL!", "nobody is told 'some day'"),
        ("  08:30:00  10:00:00", "  08:30:00  10:00:01", "heads are not the instants"),
        ("Mon 23 Nov 2026 08:30:00 GMT |", "Mon 23 Nov 2026 08:30:00 BST |", "has no BST then"),
        ("Mon 23 Nov 2026 08:30:00 GMT |", "23 Nov 2026 08:30:00 GMT |", "is no instant"),
    ],
)
def test_what_it_does_not_understand_it_refuses(before, after, said):
    assert before in TEXT
    with pytest.raises(Unreadable, match=said):
        read(TEXT.replace(before, after, 1))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("Mon 23", "Tue 23", "is a Mon"),
        ("| platform  |", "| planet  |", "planet"),
        ("| hosted ", "| cloudy ", "cloudy"),
        ("| outside_hours |", "| lunch |", "lunch"),
        ("| all_users  ", "| most_users  ", "most_users"),
    ],
)
def test_a_word_that_is_none_is_refused(before, after, said):
    assert before in TEXT
    with pytest.raises(ValueError, match=said):
        read(TEXT.replace(before, after, 1))


def test_a_cell_changed_in_the_text_is_another_cell():
    changed = read(TEXT.replace(ROW, ROW.replace("ALL!", NOTHING, 1)))
    different = [cell for cell in CELLS if changed.cells[cell] != TRUTH.cells[cell]]
    assert different == [(SITUATIONS[0], INSTANTS[0])]
