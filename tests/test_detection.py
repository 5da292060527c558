"""Detection as a specification: what is declared, when, and what is not.

Every scenario runs on virtual time: 30 s interval, five tenants, three vantages, unless it says
otherwise. A fault at 101 s falls between two scheduled probes, which come 2 s apart.
"""

import pytest

from monitor.detection import Declared, Phase, Sent, Span, new_state, step, wake_at
from monitor.model import (
    AllUsersScope,
    Deployment,
    Dimension,
    Extent,
    FailureKind,
    Impact,
    Need,
    Outcome,
    Result,
    Rules,
    Stage,
    Target,
    VerdictReason,
)
from tests.estates import check, estate, service, tenants
from tests.simulation import (
    START,
    Simulation,
    black_hole,
    invalid,
    of,
    refused,
    slow,
    slower_and_slower,
    sometimes,
    status_503,
    turned_away,
)

CRM = of("crm")


def told(sim):
    """What was declared, as (impact, stage) in order."""
    return [(d.impact, d.stage) for d in sim.declared]


WHOLE_LIFE = [
    (Impact.ALL, Stage.FAILING),
    (Impact.ALL, Stage.WATCHING),
    (Impact.ALL, Stage.CLOSED),
]
PART_LIFE = [
    (Impact.SOME, Stage.FAILING),
    (Impact.SOME, Stage.WATCHING),
    (Impact.SOME, Stage.CLOSED),
]


class TestEveryone:
    @pytest.mark.parametrize("how", [refused, status_503], ids=["refused", "503"])
    def test_a_total_outage_is_declared_within_ten_seconds_of_its_start(self, how):
        sim = Simulation(estate())
        sim.breaks(101, 401, how, CRM)
        sim.run(1200)
        assert told(sim) == WHOLE_LIFE
        assert sim.declared[0].at - 101 < 10
        assert sim.declared[0].reason is VerdictReason.EVERYONE_TWICE

    def test_a_black_hole_is_declared_within_eighteen_seconds_though_it_never_answers(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, black_hole, CRM)
        sim.run(1200)
        assert told(sim) == WHOLE_LIFE
        assert sim.declared[0].at - 101 < 18

    def test_answers_that_slow_down_and_then_stop_are_declared_all_the_same(self):
        sim = Simulation(estate())
        sim.breaks(100, 400, slower_and_slower(sim, 100, 300, 9), CRM)
        sim.breaks(400, 700, black_hole, CRM)
        sim.run(700)
        assert told(sim) == [(Impact.ALL, Stage.FAILING)]
        assert sim.declared[0].at - 400 < 40

    def test_the_start_is_an_interval_that_holds_the_true_one(self):
        for how in (refused, black_hole, status_503):
            sim = Simulation(estate())
            sim.breaks(101, 401, how, CRM)
            sim.run(700)
            began = sim.declared[0].began
            assert began.after <= 101 <= began.before
            assert began.before - began.after < 15

    def test_the_end_is_the_first_pass_and_holds_the_true_one(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, CRM)
        sim.run(700)
        recovered = sim.declared[1].recovered
        assert recovered.after <= 401 <= recovered.before
        assert recovered.before - 401 < 3

    def test_it_is_watched_for_the_merge_window_and_then_closed(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, CRM)
        sim.run(1200)
        _, watching, closed = sim.declared
        assert watching.watch_until == watching.at + Rules().merge_window
        assert closed.at == pytest.approx(watching.watch_until)

    @pytest.mark.parametrize("share", [0.95, 0.97, 0.99])
    @pytest.mark.parametrize("seed", range(10))
    def test_nearly_everything_failing_is_everyone_within_two_minutes(self, share, seed):
        sim = Simulation(estate())
        sim.breaks(101, 401, sometimes(share, seed=seed), CRM)
        sim.run(401)
        assert told(sim)[-1] == (Impact.ALL, Stage.FAILING)
        assert sim.declared[-1].at - 101 < 120

    def test_one_dead_blocking_check_is_everyone_while_another_is_fine(self):
        both = service(
            "crm", check(name="sign-in", of=tenants(5)), check(name="api", of=tenants(5))
        )
        sim = Simulation(estate(both))
        sim.breaks(101, 401, refused, lambda cell: cell.key.check == "sign-in")
        sim.run(1200)
        assert told(sim) == WHOLE_LIFE
        assert {d.unit for d in sim.declared} == {"crm/sign-in"}

    @pytest.mark.parametrize(
        ("places", "soonest", "latest"),
        [(3, Rules().path_span, Rules().path_span + 15), (4, 8, 15)],
    )
    def test_one_dead_vantage_does_not_hide_a_real_outage(self, places, soonest, latest):
        names = ["london", "leeds", "dublin", "york"][:places]
        sim = Simulation(estate(places={name: f"net-{name}" for name in names}))
        sim.breaks(101, 900, black_hole, of(vantage={"leeds"}, controls=True))
        sim.breaks(301, 601, refused, CRM)
        sim.run(1400)
        assert told(sim) == WHOLE_LIFE
        assert soonest < sim.declared[0].at - 301 < latest
        assert sim.declared[0].extent.from_vantages == tuple(n for n in names if n != "leeds")

    @pytest.mark.parametrize("lasting", [25, 31, 40, 55])
    def test_what_the_two_that_are_left_share_is_not_everyone(self, lasting):
        sim = Simulation(estate())
        sim.breaks(101, 900, black_hole, of(vantage={"leeds"}, controls=True))
        for began in range(200, 800, 120):
            sim.breaks(began, began + lasting, black_hole, of("crm", vantage={"london", "dublin"}))
        sim.run(1800)
        assert told(sim) == []

    def test_a_shared_endpoint_needs_no_tenants(self):
        sim = Simulation(estate(service("crm", check())))
        sim.breaks(100, 500, refused, CRM)
        sim.run(1300)
        assert told(sim) == WHOLE_LIFE
        assert sim.declared[0].at - 100 < 21

    def test_from_one_location_it_takes_four_rounds_and_says_so(self):
        sim = Simulation(estate(service("crm", check()), places={"london": "net-a"}))
        sim.breaks(100, 500, refused, CRM)
        sim.run(1300)
        assert told(sim) == WHOLE_LIFE
        declared = sim.declared[0]
        assert declared.reason is VerdictReason.ONE_LOCATION
        assert 3 * Rules().round_gap < declared.at - declared.began.before

    def test_a_vantage_whose_probes_say_nothing_is_no_second_location(self):
        sim = Simulation(estate(places={"london": "net-a", "leeds": "net-b"}))
        sim.breaks(101, 900, refused, of("crm", vantage=["london"]))
        sim.breaks(101, 900, invalid, of("crm", vantage=["leeds"]))
        sim.run(160)
        assert told(sim) == []
        sim.run(400)
        assert [d.reason for d in sim.declared] == [VerdictReason.ONE_LOCATION]
        assert sim.declared[0].extent.from_vantages == ("london",)

    def test_two_vantages_of_one_network_are_one_location(self):
        places = {"london": "net-a", "slough": "net-a"}
        sim = Simulation(estate(places=places))
        sim.breaks(101, 501, refused, CRM)
        sim.run(501)
        assert sim.declared[0].reason is VerdictReason.ONE_LOCATION

    def test_the_sentence_says_what_it_rests_on(self):
        sim = Simulation(estate(service("crm", check(of=tenants(300)))))
        sim.breaks(101, 401, refused, CRM)
        sim.run(200)
        sentence = sim.declared[0].known_by
        assert "of 30 targets failed in 2 rounds at least 8 s apart" in sentence
        assert "seen from 3 locations" in sentence
        assert "at least 90 % of 300 affected (95 % confidence)" in sentence

    def test_it_rests_on_the_failures_seen(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, CRM)
        sim.run(200)
        assert len(sim.declared[0].results) == 15
        assert {r.evidence.message for r in sim.declared[0].results} == {
            "[Errno 111] Connection refused"
        }


class TestNobody:
    @pytest.mark.parametrize("seconds", [1, 4, 7])
    def test_a_deploys_blip_is_no_outage(self, seconds):
        for start in range(100, 130):
            sim = Simulation(estate())
            sim.breaks(start, start + seconds, refused, CRM)
            sim.run(300)
            assert told(sim) == []

    def test_hours_of_noise_declare_nothing_and_cost_little(self):
        sim = Simulation(estate())
        sim.breaks(0, 4 * 3600, sometimes(0.01), CRM)
        sim.run(4 * 3600)
        assert told(sim) == []
        assert sim.asked < 0.1 * sim.sent

    def test_two_vantages_behind_one_failing_transit_are_not_everyone(self):
        sim = Simulation(estate())
        for start in range(100, 2000, 100):
            sim.breaks(start, start + 30, black_hole, of("crm", vantage={"leeds", "dublin"}))
        sim.run(2300)
        assert told(sim) == []

    def test_a_vantage_without_network_says_nothing_of_services(self):
        sim = Simulation(estate())
        sim.breaks(101, 700, black_hole, of(vantage={"leeds"}, controls=True))
        sim.run(1000)
        assert told(sim) == []

    @pytest.mark.parametrize("seconds", [3, 6, 9])
    def test_slow_but_correct_is_no_outage(self, seconds):
        sim = Simulation(estate())
        sim.breaks(101, 1500, slow(seconds), CRM)
        sim.run(1800)
        assert told(sim) == []
        assert sim.state.machines["crm/sign-in"].phase is Phase.UP

    def test_what_the_prober_says_of_itself_opens_nothing(self):
        sim = Simulation(estate())
        sim.breaks(101, 900, invalid, CRM)
        sim.run(1000)
        assert told(sim) == []

    @pytest.mark.parametrize("seconds", [3, 20, 60])
    def test_a_stopped_host_blames_nobody(self, seconds):
        sim = Simulation(estate())
        sim.pauses(100, seconds)
        sim.run(600)
        assert told(sim) == []

    def test_what_failed_while_the_host_was_stopped_says_nothing(self):
        sim = Simulation(estate())
        sim.run(100.0)
        key = next(key for key in sim.cells if key.service == "crm")
        sim.handle(Sent(key, "x", 100.0, 10.0))
        sim.now = 160.0
        sim.handle(Result("x", key, "f", 100.0, 159.0, START, Outcome.FAIL, FailureKind.TIMEOUT))
        assert sim.state.machine_of[key].phase is Phase.UP

    def test_a_probe_announced_again_after_an_answer_that_says_nothing_is_not_silent(self):
        sim = Simulation(estate())
        sim.run(100.0)
        key = next(key for key in sim.cells if key.service == "crm")
        sent = Sent(key, "x", 100.0, 10.0)
        sim.handle(sent)
        sim.handle(Result("x", key, "f", 100.0, 100.1, START, Outcome.INVALID, None))
        sim.handle(sent)
        assert sim.run(200.0).asked == 0

    def test_nor_is_one_announced_again_after_the_host_was_stopped(self):
        sim = Simulation(estate())
        sim.run(100.0)
        key = next(key for key in sim.cells if key.service == "crm")
        sent = Sent(key, "x", 100.0, 10.0)
        sim.handle(sent)
        sim.now = 160.0
        sim.handle(sent)
        assert "x" not in sim.state.unanswered

    def test_a_host_stopped_in_the_middle_of_rounds_starts_them_again(self):
        sim = Simulation(estate())
        sim.breaks(101, 1000, refused, CRM)
        sim.pauses(105, 30)
        sim.run(200)
        assert told(sim) == [(Impact.ALL, Stage.FAILING)]
        assert sim.declared[0].began.after <= 101 <= sim.declared[0].began.before


class TestPart:
    def test_one_tenant_is_a_part_and_is_named(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, of("crm", target={"acme"}))
        sim.run(1200)
        assert told(sim) == PART_LIFE
        assert sim.declared[0].extent.dimension is Dimension.TARGET
        assert sim.declared[0].extent.members == ("acme",)
        assert sim.declared[0].began.after <= 101 <= sim.declared[0].began.before

    def test_two_tenants_of_one_group_are_told_as_the_group(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, of("crm", group={"blue"}))
        sim.run(1200)
        assert sim.declared[0].extent.dimension is Dimension.GROUP
        assert sim.declared[0].extent.members == ("blue",)

    def test_a_stable_survivor_makes_it_partial(self):
        sim = Simulation(estate())
        sim.breaks(101, 401, refused, of("crm", target={"acme", "bolt", "cedar", "delta"}))
        sim.run(401)
        assert told(sim) == [(Impact.SOME, Stage.FAILING)]
        assert sim.declared[0].extent.dimension is Dimension.GROUP
        assert sim.declared[0].extent.members == ("blue", "green")

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
    @pytest.mark.parametrize("seed", range(5))
    def test_a_share_of_requests_failing_is_a_share_and_never_everyone(self, share, seed):
        sim = Simulation(estate())
        sim.breaks(101, 901, sometimes(share, seed=seed), CRM)
        sim.run(901)
        assert (Impact.SOME, Stage.FAILING) in told(sim)
        assert Impact.ALL not in {d.impact for d in sim.declared}
        assert all(d.began.after < d.began.before for d in sim.declared)

    @pytest.mark.parametrize("seed", range(5))
    def test_passes_among_the_failures_do_not_narrow_the_start_of_a_share(self, seed):
        sim = Simulation(estate())
        sim.breaks(101, 901, sometimes(0.5, seed=seed), CRM)
        sim.run(401)
        assert sim.declared[0].began.after <= 101 <= sim.declared[0].began.before

    def test_one_of_a_thousand_tenants_is_found_though_rounds_only_sample(self):
        sim = Simulation(estate(service("crm", check(of=tenants(1000)))))
        sim.breaks(101, 401, refused, of("crm", target={"t500"}))
        sim.run(401)
        assert sim.declared[0].extent.members == ("t500",)

    def test_a_path_that_fails_for_long_is_told_as_the_vantage(self):
        sim = Simulation(estate())
        sim.breaks(101, 601, black_hole, of("crm", vantage={"leeds"}))
        sim.run(1500)
        assert sim.declared[0].extent.dimension is Dimension.VANTAGE
        assert sim.declared[0].extent.members == ("leeds",)

    def test_a_part_that_becomes_everyone_is_both(self):
        sim = Simulation(estate())
        sim.breaks(101, 901, refused, of("crm", target={"acme"}))
        sim.breaks(301, 501, refused, CRM)
        sim.run(2500)
        assert told(sim) == [
            (Impact.SOME, Stage.FAILING),
            (Impact.ALL, Stage.FAILING),
            (Impact.ALL, Stage.WATCHING),
            (Impact.SOME, Stage.WATCHING),
            (Impact.ALL, Stage.CLOSED),
            (Impact.SOME, Stage.CLOSED),
        ]
        everyone = sim.declared[1]
        assert everyone.at - 301 < 12
        assert everyone.began.after <= 301 <= everyone.began.before

    def test_everyone_down_to_one_tenant_leaves_that_part(self):
        sim = Simulation(estate())
        sim.breaks(101, 901, refused, of("crm", target={"acme"}))
        sim.breaks(101, 501, refused, CRM)
        sim.run(901)
        assert told(sim) == [
            (Impact.ALL, Stage.FAILING),
            (Impact.ALL, Stage.WATCHING),
            (Impact.SOME, Stage.FAILING),
        ]
        watching, part = sim.declared[1:]
        assert part.extent.members == ("acme",)
        assert watching.recovered.after <= 501 <= watching.recovered.before

    def test_everyone_down_to_one_of_many_tenants_leaves_that_part(self):
        sim = Simulation(estate(service("crm", check(of=tenants(30)))))
        sim.breaks(101, 401, refused, CRM)
        sim.breaks(401, 3000, refused, of("crm", target=["t7"]))
        sim.run(900)
        assert told(sim) == [
            (Impact.ALL, Stage.FAILING),
            (Impact.ALL, Stage.WATCHING),
            (Impact.SOME, Stage.FAILING),
        ]
        assert sim.declared[2].extent.members == ("t7",)

    def test_a_cell_that_never_failed_does_not_say_when_the_rest_came_back(self):
        sim = Simulation(estate(service("crm", check(of=tenants(30)))))
        spared = of("crm", target=["t3"], vantage=["leeds"])
        sim.breaks(101, 401, refused, lambda cell: CRM(cell) and not spared(cell))
        sim.breaks(401, 3000, refused, of("crm", group=["amber"]))
        sim.run(900)
        recovered = next(d.recovered for d in sim.declared if d.stage is Stage.WATCHING)
        assert recovered.after <= 401 <= recovered.before

    @pytest.mark.parametrize("seed", range(3))
    def test_everyone_down_to_what_would_be_quiet_is_over(self, seed):
        sim = Simulation(estate(service("crm", check(of=tenants(30)))))
        sim.breaks(101, 401, refused, CRM)
        sim.breaks(401, 3000, sometimes(0.11, seed=seed), CRM)
        sim.run(1200)
        assert (Impact.ALL, Stage.WATCHING) in told(sim)

    def test_too_few_tenants_cannot_speak_for_everyone(self):
        sim = Simulation(estate(service("crm", check(of=tenants(3)))))
        sim.breaks(101, 401, refused, CRM)
        sim.run(1200)
        assert told(sim) == PART_LIFE
        assert sim.declared[0].reason is VerdictReason.CANARY_FAILING

    def test_a_degrading_check_is_never_everyone(self):
        sim = Simulation(estate(service("crm", check(of=tenants(5), need=Need.DEGRADING))))
        sim.breaks(101, 401, refused, CRM)
        sim.run(401)
        assert told(sim) == [(Impact.SOME, Stage.FAILING)]
        assert sim.declared[0].reason is VerdictReason.DEGRADED


class TestScope:
    def test_excluded_targets_are_judged_apart(self):
        mixed = check(of=tenants(5))
        old = Target(
            "fern", "fern", "http://old/", deployment=Deployment.VERSION_6, fingerprint="f"
        )
        mixed = check(of=None).__class__(
            **{f: getattr(mixed, f) for f in mixed.__slots__ if f != "targets"},
            targets=(*mixed.targets, old),
        )
        sim = Simulation(estate(service("crm", mixed)))
        sim.breaks(101, 401, refused, of("crm", target={"acme", "bolt", "cedar", "delta", "ember"}))
        sim.run(401)
        assert [d.unit for d in sim.declared] == ["crm/sign-in"]
        assert told(sim) == [(Impact.ALL, Stage.FAILING)]

    def test_under_tenant_scope_a_tenant_is_everyone_of_its_own(self):
        sim = Simulation(estate(service(all_users_scope=AllUsersScope.TENANT)))
        sim.breaks(101, 401, refused, of("crm", target={"acme"}))
        sim.run(401)
        assert [d.unit for d in sim.declared] == ["crm/sign-in/acme"]
        assert told(sim) == [(Impact.ALL, Stage.FAILING)]


class TestNeverWorked:
    def test_what_fails_from_the_first_is_told_as_never_having_worked(self):
        sim = Simulation(estate(), worked=False)
        sim.breaks(0, 300, refused, CRM)
        sim.run(300)
        assert told(sim) == [(Impact.SOME, Stage.FAILING)]
        assert sim.declared[0].reason is VerdictReason.NEVER_WORKED

    def test_a_first_start_without_network_does_not_blame_the_targets(self):
        sim = Simulation(estate(), worked=False)
        sim.breaks(0, 400, refused, of(controls=True))
        sim.run(1200)
        assert {d.reason for d in sim.declared} == {VerdictReason.BLIND}

    def test_a_target_that_is_no_longer_configured_is_not_waited_for(self):
        extent = Extent(Dimension.TARGET, ("gone",), 1, 1, 1, ("london",))
        known = Declared(
            "crm/sign-in",
            Impact.SOME,
            Stage.FAILING,
            VerdictReason.NEVER_WORKED,
            0.0,
            extent,
            Span(None, -9.0),
        )
        sim = Simulation(estate(), resumed=[known])
        sim.run(1000)
        assert told(sim) == PART_LIFE[1:]

    def test_its_first_pass_ends_that(self):
        sim = Simulation(estate(), worked=False)
        sim.breaks(0, 300, refused, CRM)
        sim.run(1200)
        assert told(sim) == PART_LIFE

    def test_a_cell_votes_once_it_has_passed(self):
        sim = Simulation(estate(), worked=False)
        sim.breaks(200, 500, refused, CRM)
        sim.run(500)
        assert told(sim) == [(Impact.ALL, Stage.FAILING)]


class TestBlind:
    def test_without_any_control_we_are_blind_and_no_service_is_down(self):
        sim = Simulation(estate())
        sim.breaks(101, 500, black_hole, of(controls=True))
        sim.run(1500)
        assert [(d.unit, d.impact, d.stage) for d in sim.declared] == [
            ("monitor/sight", Impact.UNKNOWN, Stage.FAILING),
            ("monitor/sight", Impact.UNKNOWN, Stage.WATCHING),
            ("monitor/sight", Impact.UNKNOWN, Stage.CLOSED),
        ]

    def test_it_is_said_after_two_intervals(self):
        sim = Simulation(estate())
        sim.breaks(101, 500, black_hole, of(controls=True))
        sim.run(500)
        assert 60 < sim.declared[0].at - 101 < 70

    def test_it_is_not_said_before_every_control_could_be_heard(self):
        sim = Simulation(estate(service("crm", check(of=tenants(5), interval=3, timeout=1))))
        sim.breaks(0, 100, slow(4.9), lambda cell: cell.key.service == "control")
        sim.run(100)
        assert told(sim) == []

    def test_an_outage_behind_blindness_is_found_when_we_see_again(self):
        sim = Simulation(estate())
        sim.breaks(101, 300, black_hole, of(controls=True))
        sim.breaks(200, 900, refused, CRM)
        sim.run(900)
        assert ("crm/sign-in", Impact.ALL) in {(d.unit, d.impact) for d in sim.declared}


class TestLockedOut:
    def test_turned_away_for_three_minutes_we_say_that_we_cannot_tell(self):
        sim = Simulation(estate())
        sim.breaks(101, 700, turned_away, CRM)
        sim.run(1500)
        assert [(d.impact, d.stage) for d in sim.declared] == [
            (Impact.UNKNOWN, Stage.FAILING),
            (Impact.UNKNOWN, Stage.WATCHING),
            (Impact.UNKNOWN, Stage.CLOSED),
        ]
        assert sim.declared[0].reason is VerdictReason.LOCKED_OUT
        assert 180 <= sim.declared[0].at - 101 < 190
        assert sim.declared[0].began.after <= 101 <= sim.declared[0].began.before

    def test_while_anything_passes_we_are_not_locked_out(self):
        sim = Simulation(estate())
        sim.breaks(101, 1500, turned_away, of("crm", target={"acme", "bolt", "cedar", "delta"}))
        sim.run(1800)
        assert told(sim) == []

    def test_a_quota_used_up_for_a_minute_is_nothing(self):
        sim = Simulation(estate())
        sim.breaks(101, 161, turned_away, CRM)
        sim.run(600)
        assert told(sim) == []


class TestEpisodes:
    def test_failing_again_while_watched_is_the_same_outage(self):
        sim = Simulation(estate())
        sim.breaks(101, 301, refused, CRM)
        sim.breaks(501, 701, refused, CRM)
        sim.run(2000)
        assert told(sim) == [*WHOLE_LIFE[:2], *WHOLE_LIFE]
        assert [d.episode for d in sim.declared] == [1, 1, 2, 2, 2]
        assert len({d.began for d in sim.declared}) == 1

    def test_three_episodes_in_half_an_hour_are_flapping_and_watched_for_as_long(self):
        sim = Simulation(estate())
        for start in (101, 301, 501):
            sim.breaks(start, start + 120, refused, CRM)
        sim.run(3000)
        assert sim.declared[4].reason is VerdictReason.FLAPPING
        assert sim.declared[5].watch_until == sim.declared[5].at + Rules().flap_window

    def test_a_flapping_part_stays_flapping_through_its_sweeps(self):
        sim = Simulation(estate())
        for start, lasts in ((101, 120), (401, 120), (701, 400)):
            sim.breaks(start, start + lasts, refused, of("crm", target=["acme"]))
        sim.run(1400)
        assert [d.reason for d in sim.declared if d.episode == 3] == [VerdictReason.FLAPPING] * 2
        assert sim.declared[-1].watch_until == sim.declared[-1].at + Rules().flap_window


class TestRestart:
    def declared(self, impact, stage, **fields):
        return Declared(
            unit="crm/sign-in",
            impact=impact,
            stage=stage,
            reason=VerdictReason.EVERYONE_TWICE,
            at=0.0,
            extent=Extent(Dimension.EVERYONE, from_vantages=("london", "leeds", "dublin")),
            began=Span(-100.0, -98.0),
            **fields,
        )

    def test_an_outage_taken_up_is_not_declared_again(self):
        sim = Simulation(estate(), resumed=[self.declared(Impact.ALL, Stage.FAILING)])
        sim.breaks(0, 300, refused, CRM)
        sim.run(300)
        assert told(sim) == []

    def test_it_recovers_with_the_start_it_had(self):
        sim = Simulation(estate(), resumed=[self.declared(Impact.ALL, Stage.FAILING)])
        sim.breaks(0, 300, refused, CRM)
        sim.run(1200)
        assert told(sim) == WHOLE_LIFE[1:]
        assert {d.began for d in sim.declared} == {Span(-100.0, -98.0)}

    def test_what_was_watched_goes_on_being_watched(self):
        watched = self.declared(
            Impact.ALL, Stage.WATCHING, recovered=Span(-20.0, -10.0), watch_until=50.0
        )
        sim = Simulation(estate(), resumed=[watched])
        sim.run(100)
        assert told(sim) == [(Impact.ALL, Stage.CLOSED)]
        assert sim.declared[0].at == pytest.approx(50.0)

    def test_a_vantage_of_the_outage_may_be_gone(self):
        taken = self.declared(Impact.ALL, Stage.FAILING)
        sim = Simulation(estate(places={"paris": "net-x", "rome": "net-y"}), resumed=[taken])
        sim.run(1200)
        assert told(sim) == WHOLE_LIFE[1:]


def test_a_probe_that_was_answered_wakes_nobody():
    watched = estate()
    cell = watched.cells()[0]
    key, fingerprint = cell.key, cell.target.fingerprint
    state = new_state(watched, worked=[(key, fingerprint)])
    step(state, Sent(key, "r1", 100.0, 10.0), 100.0)
    assert wake_at(state) <= 110.0
    step(state, Result("r1", key, fingerprint, 100.0, 100.02, START, Outcome.PASS), 100.02)
    assert wake_at(state) == float("inf")
