"""What begins at zero, what a new configuration drops, and what stays all the same."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from monitor.config import load
from monitor.demo.estate import Settings
from monitor.metrics import FAMILIES, Metrics, NoticeOutcome
from monitor.metrics.foreseen import OUTAGES
from monitor.model import (
    MONITOR,
    Cell,
    CellKey,
    DecisionReason,
    Estate,
    Evidence,
    Impact,
    Outcome,
    Priority,
    Role,
    VerdictReason,
)
from monitor.net.secret import Secret
from monitor.policy import ROUTES, URGENCY, Urgency
from monitor.probes import PROBES, Ask, Means
from monitor.probes.http import HttpOptions
from tests.estate_fixtures import running
from tests.net_fixtures import made_net
from tests.probe_fixtures import cell_for
from tests.store_fixtures import outage
from tests.test_metrics import samples, told_quota, value
from tests.web_fixtures import ESTATE, NINE, check, incident, result, vantage_state

SMALLER = Estate(ESTATE.services[:1], ESTATE.vantages[:1], ESTATE.controls)
SITES_CELL = next(cell for cell in ESTATE.cells() if cell.key.service == "sites")


@pytest.fixture
def metrics():
    return Metrics(ESTATE, ["pager", "desk"])


def told_of(metrics, **labels):
    """The names of the families that have a series with these labels."""
    wanted = labels.items()
    return {name for name, has in samples(metrics) if wanted <= set(has)}


class TestBeginsAtZero:
    def test_the_shipped_configuration_has_hundreds_of_series_of_the_monitor(self):
        config = load(Path(__file__).parents[1] / "checks.yaml", {})
        shipped = Metrics(config.estate, [channel.name for channel in config.channels])
        counted = Counter(name for name, _ in samples(shipped))
        assert 500 <= counted.total() <= 800, counted.most_common(5)

    def test_it_says_the_same_in_both_formats_and_nothing_of_when_a_counter_began(self, metrics):
        assert samples(metrics) == samples(metrics, openmetrics=True)
        assert not [name for name, _ in samples(metrics) if name.endswith("_created")]

    def test_every_family_with_labels_begins_but_those_that_may_be_absent(self, metrics):
        begun = {name for name, _ in samples(metrics)}
        absent = {f.name for f in FAMILIES if not {f.name, f"{f.name}_bucket"} & begun}
        assert {name for name in absent if name.startswith("monitor_")} == {
            "monitor_response_left_seconds"
        }

    @pytest.mark.parametrize("reason", DecisionReason)
    def test_every_decision_of_policy_is_foreseen(self, metrics, reason):
        urgency = URGENCY[reason]
        priority = Priority.CRITICAL if urgency is Urgency.CRITICAL else Priority.STANDARD
        before = samples(metrics).keys()
        for is_open in (True, False):
            route = ROUTES[urgency, is_open]
            waits = timedelta(hours=8) if route.held else timedelta()
            one = incident(reason=reason, priority=priority, route=route.roles)
            metrics.incident_opened(replace(one, notify_at=one.reported_at + waits), 9.0)
        assert samples(metrics).keys() == before

    def test_every_reason_of_detection_is_foreseen_with_an_impact(self):
        by_hand = {reason for reason in VerdictReason if reason.startswith("reported")}
        never_an_outage = {VerdictReason.RECOVERED, VerdictReason.QUIET}
        declared = {reason for reasons in OUTAGES.values() for reason in reasons}
        assert declared | {VerdictReason.BLIND} == set(VerdictReason) - by_hand - never_an_outage


class TestIncidentsAndOutages:
    @pytest.mark.parametrize(
        ("roles", "waits", "route"),
        [
            ((Role.ON_CALL,), 0, "paged"),
            ((Role.SERVICE_DESK, Role.ON_CALL), 0, "paged"),
            ((Role.SERVICE_DESK,), 0, "told"),
            ((Role.SERVICE_DESK,), 8, "held"),
        ],
    )
    def test_an_incident_is_counted_by_whom_it_was_told_to(self, metrics, roles, waits, route):
        one = incident(priority=Priority.STANDARD, reason=DecisionReason.PARTIAL, route=roles)
        metrics.incident_opened(
            replace(one, notify_at=one.reported_at + timedelta(hours=waits)), None
        )
        labels = {"service": "crm", "priority": "standard", "reason": "partial"}
        counted = {
            each: value(metrics, "monitor_incidents_total", **labels, route=each)
            for each in ("paged", "told", "held")
        }
        assert {each for each, count in counted.items() if count} == {route}

    def test_the_number_is_that_of_the_oldest_open_incident(self, metrics):
        crm = {"service": "crm", "priority": "critical"}
        assert value(metrics, "monitor_incident_number", **crm) == 0
        metrics.open_incidents([incident(9), incident(7), incident(8)], NINE)
        assert value(metrics, "monitor_incident_number", **crm) == 7
        metrics.open_incidents([], NINE)
        assert value(metrics, "monitor_incident_number", **crm) == 0

    def test_outages_are_counted_and_the_open_ones_shown(self, metrics):
        labels = {"service": "crm", "impact": "all", "reason": "everyone_twice"}
        assert value(metrics, "monitor_outages_total", **labels) == 0
        metrics.outage_declared(outage())
        metrics.open_outages([outage(), outage("o2"), outage("o3", MONITOR)])
        assert value(metrics, "monitor_outages_total", **labels) == 1
        assert value(metrics, "monitor_outages_open", service="crm") == 2
        assert value(metrics, "monitor_outages_open", service="sites") == 0
        assert value(metrics, "monitor_outages_open", service=MONITOR) == 1
        metrics.open_outages([])
        assert value(metrics, "monitor_outages_open", service="crm") == 0

    def test_cells_are_shown_by_service(self, metrics):
        shown = {s: value(metrics, "monitor_cells", service=s) for s in ("crm", "sites", "control")}
        assert shown == {"crm": 4, "sites": 4, "control": 2}


class TestAfterAReload:
    def test_every_series_of_what_is_gone_is_dropped_counters_and_histograms_too(self, metrics):
        metrics.result(SITES_CELL, result(SITES_CELL, Outcome.FAIL), 0.1)
        metrics.incident_opened(incident(1, service="sites"), 9.0)
        metrics.outage_declared(outage(service="sites"))
        metrics.response_breached(incident(1, service="sites"))
        metrics.vantage(vantage_state("leeds", healthy=False))
        metrics.notice("desk", NoticeOutcome.DEAD)
        metrics.outbox({"desk": 1}, {}, 1.0)
        assert len(told_of(metrics, service="sites")) > 15
        metrics.watch(SMALLER, ["pager"])
        metrics.outbox({}, {}, 0.0)
        for gone in ({"service": "sites"}, {"vantage": "leeds"}, {"channel": "desk"}):
            assert told_of(metrics, **gone) == set()
        assert value(metrics, "monitor_cells", service="crm") == 2
        metrics.vantage(vantage_state("london", healthy=False))
        assert value(metrics, "monitor_blind") == 1

    def test_what_stays_keeps_its_counts(self, metrics):
        cell = ESTATE.cells()[0]
        metrics.result(cell, result(cell), 0.0)
        metrics.watch(SMALLER, ["pager"])
        metrics.result(cell, result(cell), 0.0)
        labels = {"service": "crm", "outcome": "pass", "kind": "none"}
        assert value(metrics, "monitor_probes_total", **labels) == 2

    def test_what_comes_back_begins_at_zero_and_is_counted(self, metrics):
        labels = {"service": "sites", "outcome": "pass", "kind": "none"}
        metrics.result(SITES_CELL, result(SITES_CELL), 0.0)
        metrics.watch(SMALLER, ["pager"])
        metrics.watch(ESTATE, ["pager"])
        assert value(metrics, "monitor_probes_total", **labels) == 0
        metrics.result(SITES_CELL, result(SITES_CELL), 0.0)
        assert value(metrics, "monitor_probes_total", **labels) == 1

    def test_a_probe_that_was_under_way_brings_nothing_back(self, metrics):
        metrics.watch(SMALLER, ["pager"])
        metrics.result(SITES_CELL, result(SITES_CELL, Outcome.FAIL), 0.0)
        assert told_of(metrics, service="sites") == set()

    def test_an_incident_of_what_is_gone_is_shown_until_it_is_resolved(self, metrics):
        sites = {"service": "sites", "priority": "critical"}
        metrics.open_incidents([incident(3, service="sites")], NINE)
        metrics.watch(SMALLER, ["pager"])
        kept = {"incidents_open", "incident_number", "outage_age_seconds", "response_left_seconds"}
        assert told_of(metrics, **sites) == {f"monitor_{name}" for name in kept}
        assert value(metrics, "monitor_incident_number", **sites) == 3
        metrics.open_incidents([], NINE)
        assert told_of(metrics, service="sites") == set()

    def test_what_is_owed_to_a_channel_that_is_gone_is_shown_until_it_is_not(self, metrics):
        metrics.watch(SMALLER, ["pager"])
        metrics.outbox({"desk": 2}, {}, 5.0)
        assert value(metrics, "monitor_outbox_pending", channel="desk") == 2
        metrics.outbox({}, {}, 0.0)
        assert told_of(metrics, channel="desk") == set()


class TestQuota:
    CELL = ESTATE.cells()[0]

    def shown(self, metrics, headers):
        seen = result(self.CELL, evidence=Evidence(status=200, headers=headers))
        metrics.result(self.CELL, seen, 0.0)
        return value(metrics, "probe_http_quota_used_ratio", **self.CELL.key._asdict())

    @pytest.mark.parametrize("spelling", ["ratelimit", "x-ratelimit"])
    def test_it_is_read_from_the_headers_of_the_answer(self, metrics, spelling):
        assert self.shown(metrics, told_quota(1200, 900, spelling)) == 0.25

    @pytest.mark.parametrize(
        ("limit", "remaining", "used"),
        [("100, 100;w=60", "25", 0.75), ("10", "0", 1.0), ("10", "12", 0.0), (" 8 ", " 2;x", 0.75)],
    )
    def test_windows_and_more_left_than_there_is_are_understood(
        self, metrics, limit, remaining, used
    ):
        assert self.shown(metrics, told_quota(limit, remaining)) == used

    @pytest.mark.parametrize(
        "headers",
        [
            (),
            (("ratelimit-limit", "100"),),
            (("ratelimit-remaining", "100"),),
            *(
                told_quota(*told)
                for told in [(0, 0), ("many", 1), (10, -1), (10, ""), (10, "1e3"), ("٣", "٣")]
            ),
            told_quota("9" * 16, 1),
        ],
    )
    def test_what_is_no_quota_is_absent(self, metrics, headers):
        assert self.shown(metrics, headers) is None

    def test_it_is_gone_once_an_answer_tells_none(self, metrics):
        assert self.shown(metrics, told_quota(10, 5)) == 0.5
        assert self.shown(metrics, ()) is None

    def test_the_newer_spelling_goes_first(self, metrics):
        headers = told_quota(10, 1, "x-ratelimit") + told_quota(10, 9)
        assert self.shown(metrics, headers) == pytest.approx(0.1)

    def test_only_http_probes_tell_it(self, metrics):
        tcp = Cell(
            CellKey(*self.CELL.key), check("crm", kind="tcp"), self.CELL.target, self.CELL.vantage
        )
        metrics.result(tcp, result(tcp, evidence=Evidence(headers=told_quota(10, 5))), 0.0)
        assert "probe_http_quota_used_ratio" not in told_of(metrics, service="crm")


async def test_the_quota_that_the_simulated_api_tells_is_shown():
    async with running(Settings(quota=4)) as town, made_net() as net:
        url = town.url("crm", "/acme/odata/v4/Info")
        options = HttpOptions(url, bearer=Secret("demo-token"))
        cell = cell_for("http", options, url, vantage=ESTATE.vantages[0])
        watched = replace(ESTATE.services[0], checks=(cell.check,))
        metrics = Metrics(replace(ESTATE, services=(watched,)), [])
        shown = []
        for outcome in [*[Outcome.PASS] * 4, Outcome.BLOCKED]:
            seen = await PROBES["http"].probe(cell, Ask("r1", 5.0), Means(net))
            assert seen.outcome is outcome
            metrics.result(cell, seen, 0.0)
            shown.append(value(metrics, "probe_http_quota_used_ratio", **cell.key._asdict()))
    assert shown == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_impact_of_every_service_is_foreseen(metrics):
    for service, impact in product(("crm", "sites"), Impact):
        assert value(metrics, "monitor_service_impact", service=service, impact=impact.value) == 0
