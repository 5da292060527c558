"""What detection once got wrong, each as a scenario of its own. Virtual time."""

import random
from dataclasses import replace

import pytest

from monitor.model import EvidenceKind, FailureKind, Impact, Outcome, Rules, Stage, VerdictReason
from tests.estates import check, estate, service, tenants
from tests.simulation import Simulation, black_hole, of, passes, refused, status_503, turned_away

TEN = {f"t{i}": ("blue", "green", "amber")[i % 3] for i in range(10)}


def not_found_after(seconds):
    """A target that was wrong from the first: 404, late."""
    return lambda _d: (seconds, Outcome.FAIL, FailureKind.STATUS, "status 404")


class TestWhoVotes:
    def wrong_from_the_first(self, made, targets, late=0.02):
        """A simulation in which those targets never worked, and all others have."""
        sim = Simulation(made, worked=False)
        sim.breaks(0, 100_000, not_found_after(late), of("crm", target=targets))
        return sim

    @pytest.mark.parametrize(
        ("wrong", "impact", "reason"),
        [
            (4, Impact.ALL, VerdictReason.EVERYONE_TWICE),
            (6, Impact.SOME, VerdictReason.CANARY_FAILING),
        ],
    )
    def test_targets_that_never_worked_do_not_silence_those_that_do(self, wrong, impact, reason):
        made = estate(service("crm", check(of=TEN)))
        sim = self.wrong_from_the_first(made, list(TEN)[:wrong])
        sim.breaks(600, 2400, refused, of("crm", target=list(TEN)[wrong:]))
        sim.run(700)
        assert (sim.declared[-1].impact, sim.declared[-1].reason) == (impact, reason)
        assert sim.declared[-1].at - 600 < 15

    @pytest.mark.parametrize("late", [5.5, 6.0, 6.5])
    def test_a_late_answer_without_a_vote_takes_no_failure_away(self, late):
        owners = {"a": "blue", "b": "green"}
        shared = tuple(replace(t, tenant="*") for t in check(of=owners).targets)
        made = estate(service("crm", replace(check(of=None), targets=shared)))
        sim = self.wrong_from_the_first(made, ["b"], late)
        sim.breaks(600, 2400, black_hole, of("crm", target=["a"]))
        sim.run(700)
        assert Impact.ALL in {d.impact for d in sim.declared}

    def test_the_few_outside_a_window_do_not_speak_for_everyone(self):
        sim = Simulation(estate())
        sim.maintenance(100, 5000, tenants=("bolt", "cedar", "delta", "ember"))
        sim.breaks(200, 5000, status_503, of("crm", target=["bolt", "cedar", "delta", "ember"]))
        sim.breaks(600, 2000, refused, of("crm", target=["acme"]))
        sim.run(1500)
        assert Impact.ALL not in {d.impact for d in sim.declared}
        assert sim.declared[0].at - 600 < 35


class TestWaysBack:
    def test_all_ends_though_only_one_place_is_left_to_see_it_from(self):
        places = {"london": "net-a", "leeds": "net-b"}
        sim = Simulation(estate(places=places))
        sim.breaks(600, 1200, refused, of("crm"))
        sim.breaks(900, 100_000, refused, of(vantage=["leeds"], controls=True))
        sim.run(3000)
        stages = [d.stage for d in sim.declared if d.impact is Impact.ALL]
        assert stages == [Stage.FAILING, Stage.WATCHING, Stage.CLOSED]

    def test_a_passive_all_that_shrinks_to_one_tenant_leaves_that_part(self):
        queue = replace(check("orders", "queue", of=tenants(6)), evidence=EvidenceKind.PASSIVE)
        sim = Simulation(estate(service("orders", queue)))
        sim.breaks(600, 1800, status_503, of("orders"))
        sim.breaks(1800, 9000, status_503, of("orders", target=["t0"]))
        sim.run(4000)
        assert [(d.impact, d.stage) for d in sim.declared] == [
            (Impact.ALL, Stage.FAILING),
            (Impact.ALL, Stage.WATCHING),
            (Impact.SOME, Stage.FAILING),
            (Impact.ALL, Stage.CLOSED),
        ]
        assert sim.declared[2].extent.members == ("t0",)


class TestDelays:
    def test_a_host_that_pauses_again_and_again_still_finds_an_outage(self):
        sim = Simulation(estate())
        sim.breaks(600, 1500, refused, of("crm"))
        for at in range(500, 1500, 9):
            sim.pauses(at, 3.0)
        sim.run(1400)
        assert sim.declared[0].impact is Impact.ALL
        assert sim.declared[0].at - 600 < 40

    def test_a_mutating_check_whose_trials_are_spent_listens_to_its_schedule(self):
        made = replace(
            check("orders", "accept", of=None, interval=60.0), evidence=EvidenceKind.MUTATING
        )
        sim = Simulation(estate(service("orders", made)))
        for at in (600, 900, 1200, 1500):
            sim.breaks(at, at + 25, refused, of("orders"))
        sim.breaks(1800, 9000, refused, of("orders"))
        sim.run(2200)
        assert sim.declared[-1].impact is Impact.ALL
        assert sim.declared[-1].at - 1800 < 240

    def test_one_403_before_an_outage_is_no_locked_door(self):
        sim = Simulation(estate())
        sim.breaks(597, 599, turned_away, of("crm"))
        sim.breaks(600, 2000, refused, of("crm"))
        sim.run(1900)
        assert {d.impact for d in sim.declared} == {Impact.ALL}


class TestStarts:
    @pytest.mark.parametrize("seed", range(6))
    def test_stray_passes_into_a_black_hole_do_not_narrow_the_start(self, seed):
        dice = random.Random(seed)

        def mostly_nothing(deadline):
            return (passes if dice.random() < 0.05 else black_hole)(deadline)

        sim = Simulation(estate())
        sim.breaks(601, 1200, mostly_nothing, of("crm"))
        sim.run(900)
        began = sim.declared[0].began
        assert began.after <= 601 <= began.before


class TestRules:
    def test_how_long_a_control_vouches_is_a_rule_of_the_estate(self):
        usual, longer = estate(), replace(estate(), rules=Rules(control_fresh=300.0))
        cell = Simulation(usual).state.sight.control_cells[0]
        for made, good in ((usual, False), (longer, True)):
            sight = Simulation(made).run(100).state.sight
            assert sight._of_control[cell].good(100 + 120) is good

    def test_how_long_silence_is_usual_is_a_rule_of_the_service(self):
        slow_to_suspect = Rules(silence_min=4.5)
        asked = []
        for rules in (Rules(), slow_to_suspect):
            sim = Simulation(estate(rules=rules))
            sim.breaks(601, 604, black_hole, of("crm"))
            sim.breaks(604, 900, passes, of("crm"))
            sim.run(605)
            asked.append(sim.asked)
        assert asked[0] > asked[1] == 0
