"""The parts of the benchmarks of cost that could be wrong without anyone noticing."""

import json
import os
import time
import zlib
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest

from bench.cost import hostile, names, ours, peers, usage
from bench.cost.site import SAID, Site, configuration
from bench.live.rendering import Pace
from bench.probe_cost import Turn, summary
from bench.stall import configured
from monitor.config import load

SITE = Site(8080, 8443, 5353, Path("/tmp/roots.pem"))
PACE = Pace(interval=2.0, timeout=1.5)

PAGE = """# HELP monitor_probes_total Probes
monitor_probes_total{service="crm",outcome="pass",kind="none"} 90
monitor_probes_total{service="control",outcome="pass",kind="none"} 8
monitor_probes_total{service="crm",outcome="invalid",kind="none"} 2
monitor_missed_runs_total 3
monitor_probe_lateness_seconds_bucket{le="0.01"} %d
monitor_probe_lateness_seconds_bucket{le="0.05"} %d
monitor_probe_lateness_seconds_bucket{le="+Inf"} %d
probe_success{check="sign-in",service="crm",target="t1",vantage="london"} 1
"""


class TestUsage:
    def test_a_programs_name_may_hold_what_separates_the_fields(self):
        fields = ["S", *map(str, range(4, 53))]
        assert usage.ticks_of(f"7 (a b) c) ({') '} {' '.join(fields)}\n") == 14 + 15

    def test_resident_pages_are_the_second_field(self):
        assert usage.pages_of("900 55 3 1 0 40 0\n") == 55

    def test_a_process_that_works_has_used_time_and_memory(self):
        began = usage.cpu_seconds(os.getpid())
        ends = time.process_time() + 0.1
        while time.process_time() < ends:
            pass
        assert 0.05 < usage.cpu_seconds(os.getpid()) - began < 5
        assert usage.resident_bytes(os.getpid()) > 5_000_000


class TestOurFigures:
    def test_probes_are_summed_and_those_that_did_not_pass_told_apart(self):
        read = ours.figures_of(PAGE % (1, 2, 3))
        assert (read.probes, read.failed, read.missed) == (100, 2, 3)

    def test_a_share_is_of_the_probes_between_two_readings(self):
        before, after = (
            ours.figures_of(PAGE % (50, 50, 50)),
            ours.figures_of(PAGE % (140, 149, 150)),
        )
        shares = [ours.at_share(before, after, share) for share in (0.5, 0.99, 1.0)]
        assert shares == [0.01, 0.05, float("inf")]


class TestBothSides:
    @pytest.mark.parametrize("tls", [False, True])
    def test_they_ask_as_many_pages_as_often_of_the_same_server(self, tmp_path, tls):
        said = ours.configuration(SITE, 999, PACE, listen=8365, folder=tmp_path, tls=tls)
        file = tmp_path / "checks.yaml"
        file.write_text(json.dumps(said))
        config = load(file, {})
        cells = [c for c in config.estate.cells() if c.key.service == "crm"]
        theirs = peers.configs(SITE, 999, PACE.interval, 9115, tmp_path, tls=tls)
        (scrape,) = theirs["prometheus.yml"]["scrape_configs"]
        (targets,) = scrape["static_configs"]
        assert len(cells) == len(set(targets["targets"])) == 999
        assert {cell.check.interval for cell in cells} == {2.0}
        assert theirs["prometheus.yml"]["global"]["scrape_interval"] == "2000ms"
        assert len({cell.vantage.network for cell in cells}) == 3
        port = f":{SITE.tls_port if tls else SITE.plain_port}/"
        assert all(port in url for url in targets["targets"])
        assert all(port in cell.target.address for cell in cells)

    def test_both_look_for_the_text_that_the_server_sends(self, tmp_path):
        module = peers.configs(SITE, 1, 2.0, 9115, tmp_path, tls=False)["blackbox.yml"]["modules"]
        assert module["page"]["http"]["fail_if_body_not_matches_regexp"] == [SAID]
        assert SAID in configuration(SITE, tmp_path)

    def test_a_row_tells_the_median_of_the_ratios_and_what_they_lie_between(self):
        turns = [Turn(each, 600, 400, (10, 20)) for each in (300, 900, 500)]
        row = summary(turns, tls=False)
        assert "ratio 0.50 (0.30 to 0.90; budget 0.3)" in row
        assert "ours 500 us all-in; blackbox_exporter + Prometheus 1000 us (600 + 400)" in row
        assert "30 and 60 checks in 3 turns" in row


class TestServers:
    @pytest.mark.parametrize(("name", "ttl"), [("crm.bench.test", 3600), ("a.fresh.bench.test", 0)])
    def test_every_name_is_loopback_and_what_is_fresh_may_not_be_kept(self, name, ttl):
        query = dns.message.make_query(name, dns.rdatatype.A)
        reply = dns.message.from_wire(names.answer(query.to_wire()))
        (found,) = reply.answer
        assert (found.ttl, [each.address for each in found]) == (ttl, ["127.0.0.1"])

    def test_there_is_no_other_address(self):
        query = dns.message.make_query("crm.bench.test", dns.rdatatype.AAAA)
        assert dns.message.from_wire(names.answer(query.to_wire())).answer == []

    def test_a_bomb_is_small_until_it_is_decoded(self):
        packed = hostile.bomb(4 << 20)
        assert len(packed) < 20_000
        assert len(zlib.decompress(packed, 31)) == 4 << 20

    def test_hostile_cells_come_beside_healthy_ones_which_stay_as_they_are(self, tmp_path):
        file = tmp_path / "checks.yaml"
        counted = []
        for port in (None, 9999):
            file.write_text(json.dumps(configured(SITE, port, tmp_path)))
            keys = [cell.key.service for cell in load(file, {}).estate.cells()]
            counted.append((keys.count("crm"), keys.count("hostile")))
        assert counted == [(999, 0), (999, 150)]
