"""What Prometheus reads: the same text as prometheus-client's own, and every promise of a name."""

import math
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import FAMILIES, FamilyType, Metrics, NoticeOutcome, PingOutcome
from monitor.metrics.families import PROBE_FAMILIES
from monitor.model import (
    Cell,
    CellKey,
    Estate,
    Evidence,
    FailureKind,
    Impact,
    Outcome,
    Phases,
    Problem,
    Target,
    Vantage,
    WindowState,
)
from tests.web_fixtures import (
    CERTIFICATE,
    ESTATE,
    NINE,
    check,
    incident,
    result,
    service_state,
    vantage_state,
)

CELLS = ESTATE.cells()


@pytest.fixture
def metrics():
    return Metrics(ESTATE, ["pager", "desk"])


def samples(metrics, *, openmetrics=False):
    """Every series of a scrape: (name, labels) -> value."""
    page, _ = metrics.render(openmetrics=openmetrics)
    parse = (
        openmetrics_parser.text_string_to_metric_families
        if openmetrics
        else text_string_to_metric_families
    )
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in parse(page.decode())
        for s in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics).get((name, frozenset(labels.items())))


def of_cell(cell):
    return cell.key._asdict()


def wide_estate():
    """An estate of fifty cells, whose names are awkward."""
    awkward = ('quo"te', "back\\slash", "new\nline", "plain")
    wide = check("crm", targets=[f"{awkward[n % 4]}-{n}" for n in range(25)])
    return replace(ESTATE, services=(replace(ESTATE.services[0], checks=(wide,)),), controls=())


def some_results(cells):
    """A varied result for each cell."""
    for n, cell in enumerate(cells):
        yield [
            result(cell, seconds=n / 7),
            result(cell, evidence=Evidence(status=200, certificate=CERTIFICATE)),
            result(cell, Outcome.FAIL, evidence=Evidence(status=503), phases=Phases(0.5, 0.25)),
            result(cell, Outcome.FAIL, failure=FailureKind.DNS, phases=Phases()),
            result(cell, Outcome.BLOCKED, evidence=Evidence(status=403)),
            result(cell, seconds=12345678.5),
            result(cell, evidence=Evidence(status=200, headers=told_quota(1200, 1200 - n))),
        ][n % 7]


def told_quota(limit, remaining, spelling="ratelimit"):
    return ((f"{spelling}-limit", str(limit)), (f"{spelling}-remaining", str(remaining)))


def by_the_library(results):
    """The probe families of some results, kept and rendered by prometheus-client."""
    registry = CollectorRegistry()
    gauges = {f.name: Gauge(f.name, f.help, f.labels, registry=registry) for f in PROBE_FAMILIES}

    def show(family, cell, value, **extra):
        gauges[family].labels(**of_cell(cell), **extra).set(value)

    for cell, seen in results:
        show("probe_success", cell, seen.outcome is Outcome.PASS)
        show("probe_duration_seconds", cell, seen.observed_mono - seen.sent_mono)
        show("probe_http_status_code", cell, seen.evidence.status or 0)
        for phase in ("resolve", "connect", "tls", "processing", "transfer"):
            if (seconds := getattr(seen.phases, phase)) is not None:
                show("probe_http_duration_seconds", cell, seconds, phase=phase)
        if seen.phases.resolve is not None:
            show("probe_dns_lookup_time_seconds", cell, seen.phases.resolve)
        if seen.evidence.certificate:
            expiry = seen.evidence.certificate.chain_expiry.timestamp()
            show("probe_ssl_earliest_cert_expiry", cell, expiry)
        if (told := dict(seen.evidence.headers)) and seen.evidence.status == 200:
            left = int(told["ratelimit-remaining"]) / int(told["ratelimit-limit"])
            show("probe_http_quota_used_ratio", cell, 1.0 - left)
        if seen.outcome is not Outcome.PASS:
            show("probe_failure_info", cell, 1, kind=seen.failure or seen.outcome)
    return registry


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_lines_of_fifty_cells_are_the_librarys_own(openmetrics):
    metrics, cells = Metrics(wide_estate(), []), wide_estate().cells()
    results = list(zip(cells, some_results(cells), strict=True))
    assert len(results) == 50
    for cell, seen in results:
        metrics.result(cell, seen, 0.0)
    page, _ = metrics.render(openmetrics=openmetrics)
    assert all(page.count(f"\n{f.name}{{".encode()) for f in PROBE_FAMILIES)
    generate = generate_openmetrics if openmetrics else generate_latest
    expected = generate(by_the_library(results)).removesuffix(b"# EOF\n")
    assert page.startswith(expected)


def test_a_page_is_made_in_small_pieces():
    many = check("crm", targets=[f"tenant-{number}" for number in range(1000)])
    estate = replace(ESTATE, services=(replace(ESTATE.services[0], checks=(many,)),))
    metrics = Metrics(estate, [])
    for cell in estate.cells():
        metrics.result(cell, result(cell), 0.0)
    pieces = list(metrics.pieces())
    phases, cells_a_piece = 5, 500
    assert max(piece.count(b"\n") for piece in pieces) == phases * cells_a_piece
    assert b"".join(pieces) == metrics.render()[0]


@pytest.mark.parametrize("openmetrics", [False, True])
def test_a_whole_scrape_is_understood_by_the_librarys_parser(metrics, openmetrics):
    for cell, seen in zip(CELLS, some_results(CELLS), strict=True):
        metrics.result(cell, seen, 0.1)
    metrics.incident_opened(incident(12), 9.0)
    seen = samples(metrics, openmetrics=openmetrics)
    assert len(seen) > 300
    assert not any(math.isnan(v) for v in seen.values())


def test_each_format_has_its_own_content_type(metrics):
    assert metrics.render()[1].startswith("text/plain; version=0.0.4")
    page, kind = metrics.render(openmetrics=True)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert page.endswith(b"# EOF\n")


def test_every_family_of_the_table_is_in_a_scrape_with_its_type_and_help(metrics):
    page = metrics.render()[0].decode()
    for family in FAMILIES:
        assert f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n" in page


def test_a_scrape_has_no_family_and_no_label_outside_the_table(metrics):
    for cell, seen in zip(CELLS, some_results(CELLS), strict=True):
        metrics.result(cell, seen, 0.1)
    metrics.open_incidents([incident()], NINE)
    known = {family.name: set(family.labels) for family in FAMILIES}
    for family in FAMILIES:
        if family.type is FamilyType.HISTOGRAM:
            del known[family.name]
            for suffix in ("_bucket", "_sum", "_count"):
                known[family.name + suffix] = set(family.labels) | {"le"}
    for name, labels in samples(metrics):
        assert {label for label, _ in labels} <= known[name], name


def test_a_result_replaces_what_its_cell_showed(metrics):
    cell = CELLS[0]
    metrics.result(cell, result(cell, Outcome.FAIL, evidence=Evidence(status=503)), 0.0)
    assert value(metrics, "probe_success", **of_cell(cell)) == 0
    assert value(metrics, "probe_failure_info", **of_cell(cell), kind="status") == 1
    metrics.result(cell, result(cell), 0.0)
    assert value(metrics, "probe_success", **of_cell(cell)) == 1
    assert value(metrics, "probe_http_status_code", **of_cell(cell)) == 200
    assert value(metrics, "probe_failure_info", **of_cell(cell), kind="status") is None


def test_an_invalid_result_is_counted_and_shows_nothing(metrics):
    cell = CELLS[0]
    metrics.result(cell, result(cell), 0.0)
    metrics.result(cell, result(cell, Outcome.INVALID), 0.0)
    assert value(metrics, "probe_success", **of_cell(cell)) == 1
    counted = {"service": "crm", "outcome": "invalid", "kind": "none"}
    assert value(metrics, "monitor_probes_total", **counted) == 1


def test_no_answer_has_status_code_zero(metrics):
    cell = CELLS[0]
    seen = result(cell, Outcome.FAIL, failure=FailureKind.CONNECT, evidence=Evidence())
    metrics.result(cell, seen, 0.0)
    assert value(metrics, "probe_http_status_code", **of_cell(cell)) == 0


def test_counters_begin_at_zero_for_every_kind(metrics):
    for outcome, kind in product(("fail", "maintenance"), FailureKind):
        labels = {"service": "crm", "outcome": outcome, "kind": kind.value}
        assert value(metrics, "monitor_probes_total", **labels) == 0
    for outcome in NoticeOutcome:
        labels = {"channel": "pager", "outcome": outcome.value}
        assert value(metrics, "monitor_notices_total", **labels) == 0
    labels = {"service": "monitor", "priority": "standard", "reason": "cannot_tell"}
    labels["route"] = "paged"
    assert value(metrics, "monitor_incidents_total", **labels) == 0


def test_impact_is_a_state_set(metrics):
    metrics.service(service_state("crm", Impact.SOME))
    metrics.service(service_state("crm", Impact.ALL))
    shown = {
        impact.value: value(metrics, "monitor_service_impact", service="crm", impact=impact.value)
        for impact in Impact
    }
    assert shown == {"none": 0, "some": 0, "all": 1, "unknown": 0}


def test_maintenance_is_active_while_a_window_is_open(metrics):
    assert value(metrics, "monitor_maintenance_active", service="crm") == 0
    metrics.service(service_state("crm", maintenance=WindowState("upgrade", NINE, "")))
    assert value(metrics, "monitor_maintenance_active", service="crm") == 1
    metrics.service(service_state("crm"))
    assert value(metrics, "monitor_maintenance_active", service="crm") == 0


def test_blind_means_that_no_vantage_is_believed(metrics):
    metrics.vantage(vantage_state("london", healthy=False))
    metrics.vantage(vantage_state("leeds", healthy=True))
    assert value(metrics, "monitor_blind") == 0
    metrics.vantage(vantage_state("leeds", healthy=False))
    assert value(metrics, "monitor_blind") == 1
    assert value(metrics, "monitor_vantage_healthy", vantage="leeds") == 0


def test_open_incidents_show_age_and_the_nearest_promise(metrics):
    crm = {"service": "crm", "priority": "critical"}
    older = incident(1, respond_by=NINE + timedelta(hours=2))
    newer = incident(2, respond_by=NINE + timedelta(hours=1))
    metrics.open_incidents([older, newer], NINE + timedelta(minutes=30))
    assert value(metrics, "monitor_incidents_open", **crm) == 2
    assert value(metrics, "monitor_outage_age_seconds", **crm) == 1800
    assert value(metrics, "monitor_response_left_seconds", **crm) == 1800


def test_an_acknowledged_incident_owes_no_response_and_a_resolved_one_is_gone(metrics):
    crm = {"service": "crm", "priority": "critical"}
    metrics.open_incidents([incident(1)], NINE)
    assert value(metrics, "monitor_response_left_seconds", **crm) == 7210
    metrics.open_incidents([incident(1, acknowledged_at=NINE)], NINE)
    assert value(metrics, "monitor_response_left_seconds", **crm) is None
    assert value(metrics, "monitor_incidents_open", **crm) == 1
    metrics.open_incidents([], NINE)
    assert value(metrics, "monitor_incidents_open", **crm) == 0
    assert value(metrics, "monitor_outage_age_seconds", **crm) == 0


def test_a_response_that_is_late_counts_below_zero(metrics):
    metrics.open_incidents([incident(respond_by=NINE)], NINE + timedelta(seconds=5))
    left = value(metrics, "monitor_response_left_seconds", service="crm", priority="critical")
    assert left == -5


def test_the_life_of_an_incident_is_counted_and_timed(metrics):
    night = incident(7, out_of_hours=True)
    metrics.incident_opened(night, 9.0)
    metrics.incident_acknowledged(night, 600.0)
    metrics.incident_resolved(night, 4000.0)
    metrics.response_breached(night)
    opened = {"service": "crm", "priority": "critical", "route": "paged", "reason": "all_users"}
    at_night = {"priority": "critical", "support": "closed"}
    assert value(metrics, "monitor_incidents_total", **opened) == 1
    assert value(metrics, "monitor_detection_delay_seconds_sum", service="crm") == 9
    assert value(metrics, "monitor_acknowledge_seconds_sum", **at_night) == 600
    assert value(metrics, "monitor_resolve_seconds_sum", **at_night) == 4000
    assert value(metrics, "monitor_response_breached_total", service="crm") == 1


def test_the_delay_carries_the_incidents_number_as_exemplar(metrics):
    metrics.incident_opened(incident(12), 9.0)
    text = metrics.render(openmetrics=True)[0].decode()
    exemplars = [
        sample.exemplar
        for family in openmetrics_parser.text_string_to_metric_families(text)
        if family.name == "monitor_detection_delay_seconds"
        for sample in family.samples
        if sample.exemplar
    ]
    assert [(e.labels, e.value) for e in exemplars] == [({"incident": "12"}, 9.0)]


def test_deliveries_are_counted_by_channel_and_outcome(metrics):
    metrics.notice("pager", NoticeOutcome.RETRIED, 2)
    metrics.notice("pager", NoticeOutcome.SENT)
    metrics.notice_delay(incident(12), 1.5)
    assert value(metrics, "monitor_notices_total", channel="pager", outcome="retried") == 2
    assert value(metrics, "monitor_notices_total", channel="pager", outcome="sent") == 1
    assert value(metrics, "monitor_notice_delay_seconds_sum") == 1.5


def test_a_channel_that_the_outbox_does_not_name_has_none(metrics):
    metrics.outbox({"pager": 3}, {"desk": 1}, 12.0)
    metrics.outbox({}, {"desk": 1}, 0.0)
    assert value(metrics, "monitor_outbox_pending", channel="pager") == 0
    assert value(metrics, "monitor_outbox_dead", channel="desk") == 1
    assert value(metrics, "monitor_outbox_oldest_pending_seconds") == 0


def test_the_monitor_shows_how_it_fares_itself(metrics):
    metrics.missed(3)
    metrics.stall(0.2)
    metrics.clock_step(-3600.0)
    metrics.store_failure()
    metrics.round_done(NINE)
    metrics.support(is_open=True, seconds_to_opening=60.0)
    metrics.config_reload(ok=False)
    assert value(metrics, "monitor_missed_runs_total") == 3
    assert value(metrics, "monitor_loop_stall_seconds_count") == 1
    assert value(metrics, "monitor_clock_steps_total") == 1
    assert value(metrics, "monitor_clock_last_step_seconds") == -3600
    assert value(metrics, "monitor_store_failures_total") == 1
    assert value(metrics, "monitor_last_round_timestamp_seconds") == NINE.timestamp()
    assert value(metrics, "monitor_support_open") == 1
    assert value(metrics, "monitor_config_reloads_total", outcome="refused") == 1
    assert value(metrics, "monitor_config_last_reload_successful") == 0


def test_what_the_monitor_finds_wrong_with_itself_begins_at_zero_and_is_shown(metrics):
    def alarms():
        return {p: value(metrics, "monitor_self_alarm", problem=p.value) for p in Problem}

    assert alarms() == dict.fromkeys(Problem, 0)
    for outcome in PingOutcome:
        assert value(metrics, "monitor_pings_total", outcome=outcome.value) == 0
    metrics.self_alarms({Problem.CLOCK})
    assert alarms() == dict.fromkeys(Problem, 0) | {Problem.CLOCK: 1}
    metrics.self_alarms(())
    assert alarms() == dict.fromkeys(Problem, 0)
    metrics.watchdog_stall()
    metrics.changes_waiting(2)
    metrics.results_dropped(3)
    metrics.clock_compared(-1.5, NINE)
    metrics.ping(PingOutcome.SENT, NINE)
    metrics.ping(PingOutcome.FAILED, NINE + timedelta(minutes=1))
    assert value(metrics, "monitor_watchdog_stalls_total") == 1
    assert value(metrics, "monitor_changes_waiting") == 2
    assert value(metrics, "monitor_results_dropped_total") == 3
    assert value(metrics, "monitor_clock_offset_seconds") == -1.5
    assert value(metrics, "monitor_clock_compared_timestamp_seconds") == NINE.timestamp()
    assert value(metrics, "monitor_pings_total", outcome="failed") == 1
    assert value(metrics, "monitor_ping_last_success_timestamp_seconds") == NINE.timestamp()


def test_after_a_reload_only_cells_that_are_watched_are_shown(metrics):
    for cell in CELLS:
        metrics.result(cell, result(cell), 0.0)
    smaller = Estate(ESTATE.services[:1], ESTATE.vantages[:1], ESTATE.controls)
    metrics.watch(smaller, ["pager"])
    shown = {dict(labels)["target"] for name, labels in samples(metrics) if name == "probe_success"}
    assert shown == {"acme", "bolt", "shared"}
    assert value(metrics, "probe_success", **of_cell(CELLS[0])) == 1


def test_a_cell_that_is_not_http_has_no_http_series(metrics):
    other = check("crm", kind="tcp")
    target, vantage = Target("acme", "acme", "127.0.0.1:25"), Vantage("london", "net-a")
    cell = Cell(CellKey("crm", "sign-in", "acme", "london"), other, target, vantage)
    metrics.result(cell, result(cell), 0.0)
    names = {name for name, labels in samples(metrics) if ("target", "acme") in labels}
    assert names == {"probe_success", "probe_duration_seconds", "probe_dns_lookup_time_seconds"}
