"""The parts of the live benchmarks that could be wrong without anyone noticing."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from bench.live.baseline import FASTER, Cadence, predicted
from bench.live.chain import commands, configs, duration
from bench.live.delay import BUDGETS, dealt, plan, until_phase
from bench.live.delays import FAULTS, Outage, at_rank, delay_row, outage_of, phases
from bench.live.noise import Heard
from bench.live.peers import ANSWERS, PACE, Beside, table
from bench.live.rendering import ENDS_SOONER, SECRET_VARIABLE, USUAL, monitor_config
from monitor.config import load
from monitor.demo.places import Ports
from monitor.demo.receiver import Page
from monitor.model import Rules

FAULT = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)


def after(seconds):
    return FAULT + timedelta(seconds=seconds)


OUTAGE = Outage("refuse", FAULT, after(9), after(-1), after(1), after(8.5))


class TestOurConfiguration:
    @pytest.fixture(params=[USUAL, PACE], ids=["usual", "beside-peers"])
    def pace(self, request):
        return request.param

    def loaded(self, tmp_path, pace, rules):
        text = monitor_config(
            Ports(), pace, rules, hook="http://127.0.0.1:1/hook", listen=8365, folder=str(tmp_path)
        )
        path = tmp_path / "checks.yaml"
        path.write_text(text)
        return load(path, {SECRET_VARIABLE: "a-secret"})

    def test_it_is_five_tenants_from_three_networks(self, tmp_path, pace):
        config = self.loaded(tmp_path, pace, ENDS_SOONER)
        (service,) = config.estate.services
        assert [len(check.targets) for check in service.checks] == [5]
        assert len({vantage.network for vantage in config.estate.vantages}) == 3
        assert len({vantage.source_address for vantage in config.estate.vantages}) == 3
        assert len(config.estate.controls) == 3

    def test_it_probes_at_the_pace_asked_for(self, tmp_path, pace):
        ((check,),) = [s.checks for s in self.loaded(tmp_path, pace, {}).estate.services]
        assert (check.interval, check.timeout) == (pace.interval, pace.timeout)

    def test_no_rule_that_declares_differs_from_the_default(self, tmp_path, pace):
        (service,) = self.loaded(tmp_path, pace, ENDS_SOONER).estate.services
        usual = asdict(Rules())
        differing = {name for name, value in asdict(service.rules).items() if value != usual[name]}
        assert differing == set(ENDS_SOONER)
        assert all(name.startswith(("recovery_", "merge_")) for name in differing)

    def test_the_noise_run_has_every_rule_at_its_default(self, tmp_path):
        (service,) = self.loaded(tmp_path, USUAL, {}).estate.services
        assert service.rules == Rules()


class TestAnOutage:
    def test_its_delay_is_from_the_fault_to_the_page(self):
        assert OUTAGE.delay == 9.0

    def test_its_parts_add_up_to_its_delay(self):
        assert OUTAGE.parts == (1.0, 7.5, 0.5)

    @pytest.mark.parametrize(
        ("since", "until", "covered"),
        [
            (after(-1), after(1), True),
            (FAULT, FAULT, True),
            (None, after(1), True),
            (after(0.001), after(1), False),
            (after(-1), after(-0.001), False),
        ],
    )
    def test_its_start_covers_the_truth_when_the_fault_lies_within(self, since, until, covered):
        assert replace(OUTAGE, after=since, before=until).covered is covered

    def test_it_is_read_from_its_page_and_counts_what_came_twice(self):
        told = {
            "began_after": "2030-01-07T08:59:59.000Z",
            "began_before": "2030-01-07T09:00:01.000Z",
            "detected_at": "2030-01-07T09:00:08.500Z",
        }
        page = Page(after(9), "k1", {"action": "trigger", "incident": told}, None)
        update = Page(after(10), "k2", {"action": "update", "incident": told}, None)
        assert outage_of("refuse", FAULT, page, [page, update]) == OUTAGE
        twice = outage_of("refuse", FAULT, page, [page, update, page])
        assert (twice.triggers, twice.repeated) == (2, 1)


class TestTheTableOfDelays:
    def test_a_rank_is_the_smallest_value_that_enough_do_not_exceed(self):
        values = range(1, 21)
        assert [at_rank(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1, 10, 19, 20]
        assert at_rank([7.0], 0.95) == 7.0

    @pytest.mark.parametrize(("budget", "verdict"), [(9.0, "met"), (8.0, "missed by 1.0 s")])
    def test_it_says_whether_the_budget_was_met(self, budget, verdict):
        assert verdict in delay_row("refused", [OUTAGE], budget)

    def test_it_counts_starts_that_cover_and_duplicates(self):
        wrong = replace(OUTAGE, before=after(-0.5), triggers=2, repeated=1)
        cells = delay_row("refused", [OUTAGE, wrong], 10.0).split(" | ")
        assert cells[-2] == "1 of 2"
        assert cells[-1] == "2 |"


class TestThePlan:
    def test_phases_fall_once_into_every_part_of_the_interval(self):
        found = phases(24, 30.0, Random(1))
        assert sorted(int(phase / 1.25) for phase in found) == list(range(24))

    def test_every_fault_has_its_outages_and_all_are_dealt_out(self):
        planned = plan(24, 30.0, Random(1))
        assert {kind: sum(k == kind for k, _ in planned) for kind in FAULTS} == dict.fromkeys(
            FAULTS, 24
        )
        hands = dealt(planned, 8)
        assert [len(hand) for hand in hands] == [9] * 8
        assert sorted(one for hand in hands for one in hand) == sorted(planned)

    def test_every_fault_has_a_budget_and_an_answer_time(self):
        assert set(BUDGETS) == set(ANSWERS) == set(FAULTS)

    @pytest.mark.parametrize(("now", "seconds"), [(60.0, 7.0), (67.0, 0.0), (68.0, 29.0)])
    def test_a_phase_is_waited_for(self, now, seconds):
        assert until_phase(now, 7.0, 30.0) == seconds


class TestTheChain:
    CADENCE = Cadence({"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0, "e": 4.0}, 0.0)

    def files(self):
        watched = {"estate-1": ["http://127.0.0.1:1/a"]}
        return configs(watched, (1, 2, 3), "http://127.0.0.1:4/hook", Path("/nowhere"))

    def test_its_usual_settings_are_all_divided_alike(self):
        files = self.files()
        usual = {"scrape_interval": 30, "evaluation_interval": 15}
        shared = files["prometheus.yml"]["global"]
        assert {name: shared[name] for name in usual} == {
            name: duration(seconds / FASTER) for name, seconds in usual.items()
        }
        (rule,) = files["rules.yml"]["groups"][0]["rules"]
        assert rule["for"] == duration(60 / FASTER)
        assert files["alertmanager.yml"]["route"]["group_wait"] == duration(30 / FASTER)

    def test_both_sides_probe_as_often_and_wait_as_long(self):
        files = self.files()
        assert files["prometheus.yml"]["global"]["scrape_interval"] == duration(PACE.interval)
        assert files["blackbox.yml"]["modules"]["page"]["timeout"] == duration(PACE.timeout)

    def test_it_listens_on_loopback_only(self):
        for command in commands((1, 2, 3), Path("/nowhere")):
            assert command[1].startswith("--web.listen-address=127.0.0.1:")
            others = [flag for flag in command if "listen-address" in flag][1:]
            assert all(flag.endswith("=") for flag in others)

    def test_a_prediction_is_last_failing_scrape_then_evaluation_then_for_then_grouping(self):
        # a, scraped at 1000, is the last to fail, at 1005; that evaluation starts the 10 s.
        assert predicted(1000.5, 0.0, self.CADENCE) == pytest.approx(19.5)

    def test_a_slow_answer_waits_for_the_next_evaluation(self):
        # a fails at 1009, is seen at 1010 and fires at 1020.
        assert predicted(1000.5, 4.0, self.CADENCE) == pytest.approx(24.5)

    @pytest.mark.parametrize("fault", [1_900_000_000.3, 1_900_000_003.9])
    def test_a_prediction_is_at_least_the_pending_and_grouping_time(self, fault):
        assert 15.0 < predicted(fault, 0.01, self.CADENCE) <= 15.0 + 5.0 + 2.5

    def test_the_comparison_sets_real_against_predicted_and_ours(self):
        head, refused, everything = table([Beside(OUTAGE, 18.0, 20.0)])
        assert head.count("---") == 9
        assert refused.split(" | ")[4:] == ["0.900", "2.00, 2.00", "9.0, 9.0", "2.00", "108 |"]
        assert everything.startswith("| all | 1 |")


class TestTheNoise:
    def test_extra_probes_are_those_beyond_the_schedule(self):
        assert Heard(1, 60.0, 33.0, 0.0, []).extra == pytest.approx(0.1)

    def test_what_was_declared_is_told_by_impact(self):
        incidents = [("some", "acme"), ("all", "everyone"), ("some", "bolt")]
        line = Heard(3, 600.0, 300.0, 0.0, incidents).line()
        assert "false ALL 1, PARTIAL 2, BLIND 0" in line
