"""Kinds of evidence as a specification: checks that are told, checks that do, edges, noisy cells.

Virtual time as in `test_detection.py`. Queues are read once a minute, trials are test orders.
"""

from dataclasses import replace

import pytest

from monitor.detection import Phase, WindowClosed
from monitor.model import (
    Dimension,
    EvidenceKind,
    FailureKind,
    Impact,
    Need,
    Outcome,
    Rules,
    Stage,
    VerdictReason,
)
from tests.estates import TENANTS, check, controls, estate, service, tenants
from tests.simulation import (
    Simulation,
    black_hole,
    of,
    passes,
    refused,
    sometimes,
    status_503,
    turned_away,
)

ORDERS = of("orders")


def told(sim):
    """What was declared, as (unit, impact, stage) in order."""
    return [(d.unit, d.impact, d.stage) for d in sim.declared]


def passive(name="queue", of=None, **fields):
    """A passive check read once a minute."""
    made = check("orders", name, of=of, interval=60.0)
    return replace(made, evidence=EvidenceKind.PASSIVE, **fields)


def mutating(of, **fields):
    """A check that places test orders, once a minute."""
    made = check("orders", "accept", of=of, interval=60.0)
    return replace(made, evidence=EvidenceKind.MUTATING, **fields)


def orders(*checks, **fields):
    """An estate of one service of these checks."""
    return estate(service("orders", *checks, **fields))


def of_check(name):
    return lambda cell: cell.key.check == name


class TestPassive:
    def test_two_bad_periods_of_a_shared_target_are_everyone(self):
        sim = Simulation(orders(passive()))
        sim.breaks(130, 700, status_503, ORDERS)
        sim.run(320)
        (declared,) = sim.declared
        assert (declared.impact, declared.reason) == (Impact.ALL, VerdictReason.EVERYONE_TWICE)
        assert "bad in two periods of 60 s in a row" in declared.known_by
        assert declared.began.after <= 130 <= declared.began.before

    def test_one_bad_period_is_nothing(self):
        sim = Simulation(orders(passive()))
        sim.breaks(130, 175, status_503, ORDERS)
        assert sim.run(900).declared == []

    def test_nothing_is_asked_beside_the_schedule(self):
        sim = Simulation(orders(passive(of=TENANTS)))
        sim.breaks(130, 700, status_503, ORDERS)
        sim.run(2000)
        assert sim.asked == 0
        assert told(sim)[0] == ("orders/queue", Impact.ALL, Stage.FAILING)

    def test_a_slow_answer_is_no_bad_period(self):
        sim = Simulation(orders(passive(of=TENANTS)))
        sim.breaks(130, 700, lambda _d: (9.0, Outcome.PASS, None, ""), ORDERS)
        assert sim.run(900).declared == []

    def test_it_recovers_when_all_periods_are_good_again(self):
        sim = Simulation(orders(passive(of=TENANTS)))
        sim.breaks(130, 700, status_503, ORDERS)
        sim.run(2000)
        assert [d.stage for d in sim.declared] == [Stage.FAILING, Stage.WATCHING, Stage.CLOSED]
        recovered = sim.declared[1].recovered
        assert recovered.after <= 700 <= recovered.before
        assert sim.state.machines["orders/queue"].phase is Phase.UP

    def test_one_tenants_queue_is_a_part(self):
        sim = Simulation(orders(passive(of=TENANTS)))
        sim.breaks(130, 900, status_503, of("orders", target=["acme"]))
        sim.run(700)
        (declared,) = sim.declared
        assert (declared.impact, declared.extent.members) == (Impact.SOME, ("acme",))

    def test_a_degrading_one_is_never_everyone(self):
        sim = Simulation(orders(check("orders"), passive(need=Need.DEGRADING)))
        sim.breaks(130, 900, status_503, of_check("queue"))
        sim.run(700)
        assert [(d.impact, d.reason) for d in sim.declared] == [
            (Impact.SOME, VerdictReason.DEGRADED)
        ]

    def test_few_tenants_cannot_speak_for_everyone(self):
        sim = Simulation(orders(passive(of=tenants(3))))
        sim.breaks(130, 900, status_503, ORDERS)
        sim.run(700)
        assert {(d.impact, d.reason) for d in sim.declared} == {
            (Impact.SOME, VerdictReason.CANARY_FAILING)
        }

    def test_two_passive_sources_that_agree_can(self):
        sim = Simulation(orders(passive("queue", tenants(3)), passive("confirm", tenants(3))))
        sim.breaks(130, 900, status_503, ORDERS)
        sim.run(700)
        assert [d.impact for d in sim.declared] == [Impact.SOME, Impact.ALL, Impact.ALL]
        assert sim.declared[0].reason is VerdictReason.CANARY_FAILING
        assert sim.declared[0].unit != sim.declared[1].unit

    def test_two_that_fail_one_after_the_other_do_not_agree(self):
        sim = Simulation(orders(passive("queue", tenants(3)), passive("confirm", tenants(3))))
        sim.breaks(130, 500, status_503, of_check("queue"))
        sim.breaks(1200, 1600, status_503, of_check("confirm"))
        sim.run(3000)
        assert {d.impact for d in sim.declared} == {Impact.SOME}

    def test_what_has_not_been_heard_of_for_long_does_not_vote(self):
        sim = Simulation(orders(passive(of=TENANTS)))
        sim.breaks(130, 900, lambda d: (d, Outcome.INVALID, None, "stalled"), ORDERS)
        sim.breaks(130, 900, status_503, of("orders", target=["acme"]))
        sim.run(700)
        assert all(d.impact is not Impact.ALL for d in sim.declared)


class TestTrials:
    def test_five_canaries_that_all_fail_are_everyone(self):
        sim = Simulation(orders(mutating(TENANTS)))
        sim.breaks(130, 700, refused, ORDERS)
        sim.run(200)
        (declared,) = sim.declared
        assert (declared.impact, declared.reason) == (Impact.ALL, VerdictReason.EVERYONE_TWICE)
        assert declared.at - 130 < 30

    def test_one_canary_that_fails_is_told_as_unconfirmed(self):
        sim = Simulation(orders(mutating(tenants(1))))
        sim.breaks(130, 700, refused, ORDERS)
        sim.run(260)
        (declared,) = sim.declared
        assert (declared.impact, declared.reason) == (Impact.SOME, VerdictReason.CANARY_FAILING)

    def test_each_canary_is_asked_once_a_round(self):
        sim = Simulation(orders(mutating(TENANTS)))
        sim.breaks(130, 700, refused, ORDERS)
        sim.run(200)
        rounds = len(sim.state.machines["orders/accept"]._trials)
        trials = [r for r in sim.asked_cells if r.service == "orders"]
        assert rounds >= 2
        assert len(trials) == 5 * rounds

    def test_two_rounds_are_seen_from_different_places(self):
        sim = Simulation(orders(mutating(tenants(1))))
        sim.breaks(130, 700, refused, ORDERS)
        sim.run(260)
        trials = [r.vantage for r in sim.asked_cells if r.service == "orders"]
        assert len(set(trials[:2])) == 2

    def test_trials_over_a_path_that_two_places_share_are_not_everyone(self):
        sim = Simulation(orders(mutating(None)))
        for began in range(100, 3600, 190):
            sim.breaks(began, began + 31, refused, of("orders", vantage={"london", "dublin"}))
        sim.run(4000)
        assert all(d.impact is not Impact.ALL for d in sim.declared)

    def test_a_shared_target_that_fails_from_everywhere_is_everyone(self):
        sim = Simulation(orders(mutating(None)))
        sim.breaks(130, 1300, refused, ORDERS)
        sim.run(260)
        assert sim.declared[-1].impact is Impact.ALL

    def test_one_that_passes_is_enough_to_doubt(self):
        sim = Simulation(orders(mutating(TENANTS)))
        sim.breaks(130, 700, refused, of("orders", target=["acme", "bolt", "cedar", "delta"]))
        sim.run(690)
        assert all(d.impact is not Impact.ALL for d in sim.declared)

    def test_there_are_no_more_in_an_hour_than_the_rules_allow(self):
        sim = Simulation(orders(mutating(TENANTS), rules=Rules(trials_per_hour=6)))
        sim.breaks(130, 130 + 7200, refused, ORDERS)
        sim.run(7000)
        trials = [r for r in sim.asked_cells if r.service == "orders"]
        assert len(trials) <= 5 * 6 * 2

    def test_they_find_their_way_back(self):
        sim = Simulation(orders(mutating(TENANTS)))
        sim.breaks(130, 1300, refused, ORDERS)
        sim.run(6000)
        assert [d.stage for d in sim.declared] == [Stage.FAILING, Stage.WATCHING, Stage.CLOSED]


def behind_an_edge(how=passes):
    """A CRM and a control behind one edge, and a count of its real sign-ins."""
    witness = replace(check("crm", "signed-in"), evidence=EvidenceKind.PASSIVE, real_users=True)
    first, *others = controls()
    made = estate(service("crm", check(of=TENANTS), witness, edge="waf"))
    sim = Simulation(replace(made, controls=(replace(first, edge="waf"), *others)))
    sim.breaks(0, 10_000, how, of_check("signed-in"))
    return sim


def refuse_us(cell):
    """What the edge refuses: the service and the control behind it."""
    return cell.key.check in ("sign-in", "control-0")


class TestEdge:
    def test_an_edge_that_turns_on_us_is_told_as_not_knowing(self):
        sim = behind_an_edge()
        sim.breaks(101, 600, refused, refuse_us)
        sim.run(590)
        (declared,) = sim.declared
        assert (declared.impact, declared.reason) == (Impact.UNKNOWN, VerdictReason.TURNED_ON_US)
        assert "real users get in" in declared.known_by
        assert declared.at - 101 < 12

    def test_it_ends_when_we_get_in_again(self):
        sim = behind_an_edge()
        sim.breaks(101, 600, refused, refuse_us)
        sim.run(2000)
        assert [d.stage for d in sim.declared] == [Stage.FAILING, Stage.WATCHING, Stage.CLOSED]
        assert {d.impact for d in sim.declared} == {Impact.UNKNOWN}

    def test_when_users_stop_getting_in_it_is_everyone(self):
        sim = behind_an_edge()
        sim.breaks(101, 600, refused, refuse_us)
        sim.breaks(160, 600, status_503, of_check("signed-in"))
        sim.run(590)
        assert [(d.impact, d.stage) for d in sim.declared] == [
            (Impact.UNKNOWN, Stage.FAILING),
            (Impact.UNKNOWN, Stage.CLOSED),
            (Impact.ALL, Stage.FAILING),
        ]
        assert sim.declared[2].at - 160 < 35
        assert sim.declared[2].began.after <= 101 <= sim.declared[2].began.before

    def test_a_failing_service_whose_edge_is_well_is_everyone_whatever_users_do(self):
        sim = behind_an_edge()
        sim.breaks(101, 600, refused, of_check("sign-in"))
        sim.run(590)
        assert [d.impact for d in sim.declared] == [Impact.ALL]

    def test_without_fresh_successes_it_is_everyone(self):
        sim = behind_an_edge(turned_away)
        sim.breaks(101, 600, refused, refuse_us)
        sim.run(590)
        assert sim.declared[0].impact is Impact.ALL

    def test_users_who_do_not_come_are_no_outage(self):
        sim = behind_an_edge(status_503)
        assert sim.run(5000).declared == []


class TestDemotion:
    def flaky(self, share=0.4, **fields):
        sim = Simulation(estate(**fields))
        sim.breaks(0, 100_000, sometimes(share), of("crm", target=["acme"], vantage=["leeds"]))
        return sim

    def demoted(self, sim):
        return sim.state.machines["crm/sign-in"]._ledger.demotion.demoted

    def test_a_cell_that_cries_wolf_loses_its_fail_vote(self):
        sim = self.flaky().run(7200)
        (cell,) = self.demoted(sim)
        assert (cell.target, cell.vantage) == ("acme", "leeds")

    def test_then_it_costs_hardly_a_probe(self):
        sim = self.flaky().run(7200)
        before = sim.asked
        sim.run(14_400)
        assert sim.asked - before < 0.02 * (240 * 15)

    def test_a_quiet_cell_is_never_demoted(self):
        sim = self.flaky(share=0.02).run(14_400)
        assert self.demoted(sim) == set()

    def test_it_is_restored_when_it_has_been_calm(self):
        sim = Simulation(estate())
        sim.breaks(0, 7200, sometimes(0.4), of("crm", target=["acme"], vantage=["leeds"]))
        sim.run(7200)
        assert self.demoted(sim)
        sim.run(7200 + 3600)
        assert self.demoted(sim) == set()

    def test_it_hides_no_outage_of_everyone(self):
        sim = self.flaky().run(7200)
        sim.breaks(7205, 8000, refused, of("crm"))
        sim.run(7300)
        assert [d.impact for d in sim.declared] == [Impact.ALL]
        assert sim.declared[0].at - 7205 < 12

    def test_nor_one_of_its_own_target(self):
        sim = self.flaky().run(7200)
        sim.breaks(7205, 9000, refused, of("crm", target=["acme"]))
        sim.run(7600)
        assert [(d.impact, d.extent.members) for d in sim.declared] == [(Impact.SOME, ("acme",))]

    def test_a_vantage_of_demoted_cells_only_does_not_stand_against_everyone(self):
        places = {"london": "net-a", "leeds": "net-b", "dublin": "net-c", "york": "net-d"}
        made = estate(service("crm", check(of=TENANTS)), places=places)
        sim = Simulation(made)
        sim.breaks(0, 100_000, sometimes(0.35), of("crm", vantage=["leeds"]))
        sim.run(40_000)
        assert {cell.vantage for cell in self.demoted(sim)} == {"leeds"}
        sim.breaks(40_005, 41_000, sometimes(0.97, seed=5), of("crm", vantage=["leeds"]))
        sim.breaks(40_005, 41_000, refused, of("crm", vantage=["london", "dublin", "york"]))
        before = len(sim.declared)
        sim.run(40_200)
        assert Impact.ALL in {d.impact for d in sim.declared[before:]}

    def test_a_place_that_only_passes_bears_no_witness_to_everyone(self):
        places = {"london": "net-a", "leeds": "net-b", "dublin": "net-a", "york": "net-a"}
        made = estate(service("crm", check(of=TENANTS)), places=places)
        sim = Simulation(made)
        sim.breaks(0, 12_000, sometimes(0.35), of("crm", vantage=["leeds"]))
        sim.run(12_000)
        assert {cell.vantage for cell in self.demoted(sim)} == {"leeds"}
        sim.breaks(12_005, 13_000, refused, of("crm", vantage=["london", "dublin", "york"]))
        sim.breaks(12_005, 13_000, turned_away, of("crm", vantage=["leeds"]))
        sim.breaks(12_005, 13_000, passes, of("crm", vantage=["leeds"], target=["acme"]))
        before = len(sim.declared)
        sim.run(12_060)
        assert sim.declared[before:] == []
        sim.run(12_300)
        reasons = [d.reason for d in sim.declared[before:] if d.impact is Impact.ALL]
        assert reasons == [VerdictReason.ONE_LOCATION]

    def test_at_most_a_quarter_of_the_cells_are_demoted(self):
        sim = Simulation(estate())
        for number, tenant in enumerate(TENANTS):
            where = of("crm", target=[tenant])
            sim.breaks(0, 100_000, sometimes(0.2, seed=number), where)
        sim.run(20_000)
        assert len(self.demoted(sim)) <= 3


class TestMaintenance:
    def in_window(self, _deadline):
        return 0.02, Outcome.MAINTENANCE, FailureKind.STATUS, "status 503"

    def test_what_fails_in_a_window_opens_nothing(self):
        sim = Simulation(estate())
        sim.breaks(101, 400, self.in_window, of("crm"))
        assert sim.run(900).declared == []
        assert sim.asked == 0

    @pytest.mark.parametrize("how", [status_503, black_hole], ids=["503", "black hole"])
    def test_still_failing_at_its_end_is_told_at_once_with_the_true_start(self, how):
        sim = Simulation(estate())
        sim.breaks(101, 400, self.in_window, of("crm"))
        sim.breaks(400, 900, how, of("crm"))
        sim.run(400)
        crm = frozenset(cell.key for cell in sim.cells.values() if cell.key.service == "crm")
        sim._step(WindowClosed(crm))
        sim.run(890)
        (declared,) = sim.declared
        assert declared.impact is Impact.ALL
        assert declared.at - 400 < 16
        assert declared.began.after <= 101 <= declared.began.before

    def test_what_is_well_at_its_end_is_not_asked_again(self):
        sim = Simulation(estate())
        sim.breaks(101, 300, self.in_window, of("crm"))
        sim.run(400)
        sim._step(WindowClosed(frozenset(sim.cells)))
        assert sim.run(900).declared == []
        assert sim.asked == 0


class TestShares:
    def test_blips_that_come_too_often_are_looked_into(self):
        made = estate(service("crm", check(of=None)), places={"a": "net-a", "b": "net-b"})
        sim = Simulation(made)
        sim.breaks(300, 6000, sometimes(0.25, seed=4), of("crm"))
        sim.run(1500)
        assert [d.extent.dimension for d in sim.declared][:1] == [Dimension.SHARE]

    def test_a_share_does_not_end_by_a_lucky_round(self):
        made = estate(service("crm", check(of=None)))
        sim = Simulation(made)
        sim.breaks(300, 6000, sometimes(0.3, seed=4), of("crm"))
        sim.run(6000)
        assert {d.stage for d in sim.declared} == {Stage.FAILING}


class TestSecondOpinions:
    def test_one_failing_answer_of_two_is_asked_again_before_everybody_is(self):
        sim = Simulation(estate())
        sim.breaks(0, 36_000, sometimes(0.03), of("crm"))
        sim.run(36_000)
        assert sim.asked < 0.1 * sim.sent
        assert sim.declared == []
