"""Every family of series: its name, type, labels and meaning.

`FAMILIES` is public: dashboards, alert rules and the reference page are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FamilyType(StrEnum):
    """The Prometheus type of a family."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its public name, type, label names and meaning; `buckets` of histograms.

    `query` is an example of what to ask of it, in PromQL. `exemplars`: in OpenMetrics its buckets
    carry the number of an incident that fell into them.
    """

    name: str
    type: FamilyType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    query: str = ""
    exemplars: bool = False


_CELL = ("service", "check", "target", "vantage")
_FRACTIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SECONDS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600, 1800)
_HOURS = (60, 300, 900, 1800, 3600, 5400, 7200, 10800, 14400, 28800, 86400)


def _gauge(name: str, labels: tuple[str, ...], text: str, *, query: str = "") -> Family:
    return Family(name, FamilyType.GAUGE, labels, text, query=query)


def _counter(name: str, labels: tuple[str, ...], text: str, *, query: str = "") -> Family:
    return Family(name, FamilyType.COUNTER, labels, text, query=query)


def _histogram(
    name: str,
    labels: tuple[str, ...],
    text: str,
    buckets: tuple[float, ...],
    *,
    query: str = "",
    exemplars: bool = False,
) -> Family:
    return Family(name, FamilyType.HISTOGRAM, labels, text, buckets, query, exemplars)


PROBE_FAMILIES = (
    _gauge(
        "probe_success",
        _CELL,
        "1 when the last probe of the cell passed, 0 when it did not",
        query="avg by (service, check) (probe_success)",
    ),
    _gauge(
        "probe_duration_seconds",
        _CELL,
        "Seconds the last probe took in all",
        query="quantile by (service, check) (0.95, probe_duration_seconds)",
    ),
    _gauge(
        "probe_http_duration_seconds",
        (*_CELL, "phase"),
        "Seconds of each phase that the last HTTP probe reached: "
        "resolve, connect, tls, processing, transfer",
        query="avg by (service, check, phase) (probe_http_duration_seconds)",
    ),
    _gauge(
        "probe_http_status_code",
        _CELL,
        "Status code that the last HTTP probe was answered with, 0 when there was no answer",
        query="count by (service, check) (probe_http_status_code >= 500)",
    ),
    _gauge(
        "probe_ssl_earliest_cert_expiry",
        _CELL,
        "Unix time at which the first certificate of the peer's chain expires",
        query="(min by (service, check) (probe_ssl_earliest_cert_expiry) - time()) / 86400",
    ),
    _gauge(
        "probe_dns_lookup_time_seconds",
        _CELL,
        "Seconds the last probe spent resolving the name",
        query="max by (vantage) (probe_dns_lookup_time_seconds)",
    ),
    _gauge(
        "probe_failure_info",
        (*_CELL, "kind"),
        "1 for the kind of failure of the last probe that did not pass, "
        "or its outcome where it did not fail",
        query="count by (service, check, kind) (probe_failure_info)",
    ),
    _gauge(
        "probe_http_quota_used_ratio",
        _CELL,
        "Share of an API's quota that was used when the last HTTP probe was answered, as its "
        "RateLimit headers tell it; absent where they tell none",
        query="max by (service, target) (probe_http_quota_used_ratio) > 0.8",
    ),
)

MONITOR_FAMILIES = (
    _gauge(
        "monitor_service_impact",
        ("service", "impact"),
        "State set: 1 for the present impact on the service (none, some, all, unknown), else 0",
        query='max by (service) (monitor_service_impact{impact="all"}) == 1',
    ),
    _gauge("monitor_cells", ("service",), "Cells that are probed", query="sum(monitor_cells)"),
    _gauge(
        "monitor_maintenance_active",
        ("service",),
        "1 while a maintenance window of the service, or of a part of it, is open, else 0",
        query="monitor_maintenance_active == 1",
    ),
    _gauge(
        "monitor_incidents_open",
        ("service", "priority"),
        "Incidents that are not resolved",
        query='sum by (service) (monitor_incidents_open{priority="critical"})',
    ),
    _counter(
        "monitor_incidents_total",
        ("service", "priority", "route", "reason"),
        "Incidents opened since the process started, by whom they were told to: paged (on-call), "
        "told (the service desk alone, at once), held (until support opens)",
        query="sum by (route, reason) (increase(monitor_incidents_total[7d]))",
    ),
    _gauge(
        "monitor_incident_number",
        ("service", "priority"),
        "Number of the oldest incident that is not resolved, 0 when there is none",
        query='monitor_incident_number{priority="critical"} > 0',
    ),
    _counter(
        "monitor_outages_total",
        ("service", "impact", "reason"),
        "Outages declared since the process started, also those that nobody was told of, by the "
        "impact and the reason that they were declared with",
        query="sum by (service, impact, reason) (increase(monitor_outages_total[30d]))",
    ),
    _gauge(
        "monitor_outages_open",
        ("service",),
        "Outages that have not ended",
        query="sum by (service) (monitor_outages_open) > 0",
    ),
    _counter(
        "monitor_false_alarms_total",
        ("service", "priority"),
        "Incidents that a person called false alarms since the process started",
        query="sum(increase(monitor_false_alarms_total[30d])) "
        "/ sum(increase(monitor_incidents_total[30d]))",
    ),
    _counter(
        "monitor_reports_total",
        ("by",),
        "Customers' reports taken in since the process started: by tenant or anonymous",
        query="sum by (by) (increase(monitor_reports_total[1d]))",
    ),
    _gauge(
        "monitor_outage_age_seconds",
        ("service", "priority"),
        "Seconds since the oldest open incident of the service began, 0 when there is none",
        query="max by (service) (monitor_outage_age_seconds) / 60",
    ),
    _gauge(
        "monitor_response_left_seconds",
        ("service", "priority"),
        "Seconds left until the nearest promised response, negative once it is late; "
        "absent when none is owed",
        query="min by (service) (monitor_response_left_seconds) < 1800",
    ),
    _counter(
        "monitor_response_breached_total",
        ("service",),
        "Incidents whose promised response time passed without an acknowledgement",
        query="sum by (service) (increase(monitor_response_breached_total[30d]))",
    ),
    _histogram(
        "monitor_detection_delay_seconds",
        ("service",),
        "Seconds from the start of an outage to its incident",
        _SECONDS,
        query="histogram_quantile(0.95, "
        "sum by (le) (rate(monitor_detection_delay_seconds_bucket[30d])))",
        exemplars=True,
    ),
    _histogram(
        "monitor_acknowledge_seconds",
        ("priority", "support"),
        "Seconds from an incident's report to its acknowledgement by a person, "
        "by whether support was open when it was reported",
        _HOURS,
        query="sum by (support) (rate("
        'monitor_acknowledge_seconds_bucket{priority="critical", le="7200.0"}[30d])) '
        '/ sum by (support) (rate(monitor_acknowledge_seconds_count{priority="critical"}[30d]))',
        exemplars=True,
    ),
    _histogram(
        "monitor_resolve_seconds",
        ("priority", "support"),
        "Seconds from the start of an outage to the resolution of its incident, "
        "by whether support was open when it was reported",
        _HOURS,
        query="sum by (priority) (rate(monitor_resolve_seconds_sum[30d])) "
        "/ sum by (priority) (rate(monitor_resolve_seconds_count[30d]))",
        exemplars=True,
    ),
    _histogram(
        "monitor_notice_delay_seconds",
        (),
        "Seconds from an incident's report to a receiver's acceptance of its first notice; "
        "of one that was held they include the wait for support to open",
        _SECONDS,
        query="histogram_quantile(0.95, "
        "sum by (le) (rate(monitor_notice_delay_seconds_bucket[30d])))",
        exemplars=True,
    ),
    _counter(
        "monitor_notices_total",
        ("channel", "outcome"),
        "Attempts to deliver a notice: sent, retried, dead",
        query="sum by (channel, outcome) (rate(monitor_notices_total[5m]))",
    ),
    _gauge(
        "monitor_outbox_pending",
        ("channel",),
        "Notices that wait to be delivered",
        query="sum by (channel) (monitor_outbox_pending)",
    ),
    _gauge(
        "monitor_outbox_dead",
        ("channel",),
        "Notices that were given up",
        query="sum by (channel) (monitor_outbox_dead) > 0",
    ),
    _gauge(
        "monitor_outbox_paused",
        (),
        "1 while a restored store sends nothing, else 0",
        query="monitor_outbox_paused == 1",
    ),
    _gauge(
        "monitor_outbox_oldest_pending_seconds",
        (),
        "Seconds for which the oldest due notice has waited, 0 when none waits",
        query="monitor_outbox_oldest_pending_seconds > 60",
    ),
    _gauge(
        "monitor_history_bytes",
        ("what",),
        "About what history takes on disk: results, sums; looked at every 300 s",
        query='monitor_history_bytes{what="results"}',
    ),
    _gauge(
        "monitor_history_cut_timestamp_seconds",
        (),
        "Unix time before which PASS results were deleted for history.max_bytes, 0 never",
        query="time() - (monitor_history_cut_timestamp_seconds > 0)",
    ),
    _gauge(
        "monitor_history_summed_until_timestamp_seconds",
        (),
        "Unix time until when all results recorded are in the sums of their checks, "
        "0 when it is not known yet",
        query="time() - monitor_history_summed_until_timestamp_seconds",
    ),
    _counter(
        "monitor_probes_total",
        ("service", "outcome", "kind"),
        "Probes by outcome and kind of failure, none where it did not fail",
        query='sum by (service, kind) (rate(monitor_probes_total{outcome="fail"}[5m]))',
    ),
    _histogram(
        "monitor_probe_lateness_seconds",
        (),
        "Seconds between when a probe was due and when it began",
        _FRACTIONS,
        query="histogram_quantile(0.99, "
        "sum by (le) (rate(monitor_probe_lateness_seconds_bucket[5m])))",
    ),
    _counter(
        "monitor_missed_runs_total",
        (),
        "Probes that were due and did not run",
        query="increase(monitor_missed_runs_total[1h])",
    ),
    _histogram(
        "monitor_loop_stall_seconds",
        (),
        "Seconds for which the event loop was held",
        _FRACTIONS,
        query="sum(rate(monitor_loop_stall_seconds_sum[5m]))",
    ),
    _counter(
        "monitor_clock_steps_total",
        (),
        "Steps of the wall clock that were noticed",
        query="increase(monitor_clock_steps_total[1d])",
    ),
    _gauge(
        "monitor_clock_last_step_seconds",
        (),
        "Size of the last step of the wall clock, signed",
        query="abs(monitor_clock_last_step_seconds) > 1",
    ),
    _gauge(
        "monitor_vantage_healthy",
        ("vantage",),
        "1 when what is seen from the vantage can be believed, else 0",
        query="monitor_vantage_healthy == 0",
    ),
    _gauge(
        "monitor_blind", (), "1 when no vantage can be believed, else 0", query="monitor_blind == 1"
    ),
    _gauge(
        "monitor_support_open", (), "1 when support is open, else 0", query="monitor_support_open"
    ),
    _gauge(
        "monitor_support_next_opening_seconds",
        (),
        "Seconds until support opens next after now",
        query="monitor_support_next_opening_seconds / 3600 and monitor_support_open == 0",
    ),
    _gauge(
        "monitor_calendar_differences",
        (),
        "Dates on which the support calendar differs from the official list of bank holidays, "
        "by the last comparison; 0 when there is none",
        query="monitor_calendar_differences > 0",
    ),
    _gauge(
        "monitor_calendar_compared_timestamp_seconds",
        (),
        "Unix time at which the support calendar was last compared with the official list, "
        "0 when it never was",
        query="time() - (monitor_calendar_compared_timestamp_seconds > 0) > 3 * 86400",
    ),
    _gauge(
        "monitor_calendar_list_unreadable",
        (),
        "1 when the official list of bank holidays could not be read or compared the last time, "
        "else 0",
        query="min_over_time(monitor_calendar_list_unreadable[3d]) == 1",
    ),
    _counter(
        "monitor_config_reloads_total",
        ("outcome",),
        "Reloads of the configuration: taken, refused",
        query="sum by (outcome) (increase(monitor_config_reloads_total[1d]))",
    ),
    _gauge(
        "monitor_config_last_reload_successful",
        (),
        "1 when the last configuration read was taken, 0 when it was refused",
        query="monitor_config_last_reload_successful == 0",
    ),
    _gauge(
        "monitor_last_round_timestamp_seconds",
        (),
        "Unix time at which every cell due at least every minute had been probed once more, "
        "0 when they never were",
        query="time() - (monitor_last_round_timestamp_seconds > 0) > 180",
    ),
    _counter(
        "monitor_store_failures_total",
        (),
        "Writes or reads that the store refused",
        query="increase(monitor_store_failures_total[5m])",
    ),
    _gauge(
        "monitor_changes_waiting",
        (),
        "Changes of incidents that wait to be written",
        query="monitor_changes_waiting > 0",
    ),
    _counter(
        "monitor_results_dropped_total",
        (),
        "Results that were never recorded because the store was away too long",
        query="increase(monitor_results_dropped_total[1h])",
    ),
    _counter(
        "monitor_watchdog_stalls_total",
        (),
        "Times that the event loop did not turn for so long that the watchdog said so",
        query="increase(monitor_watchdog_stalls_total[1h])",
    ),
    _gauge(
        "monitor_self_alarm",
        ("problem",),
        "1 while the monitor's alarm about itself is open: store, outbox, blind, clock; else 0",
        query="monitor_self_alarm == 1",
    ),
    _gauge(
        "monitor_clock_offset_seconds",
        (),
        "Seconds by which the wall clock was ahead of the controls' when last compared",
        query="abs(monitor_clock_offset_seconds) > 5",
    ),
    _gauge(
        "monitor_clock_compared_timestamp_seconds",
        (),
        "Unix time at which the wall clock was last compared, 0 when it never was",
        query="time() - (monitor_clock_compared_timestamp_seconds > 0) > 3 * 3600",
    ),
    _counter(
        "monitor_pings_total",
        ("outcome",),
        "Calls to the address that watches the monitor: sent, failed, withheld while it is unwell",
        query="sum by (outcome) (increase(monitor_pings_total[1h]))",
    ),
    _gauge(
        "monitor_ping_last_success_timestamp_seconds",
        (),
        "Unix time at which that address last answered, 0 when it never did",
        query="time() - (monitor_ping_last_success_timestamp_seconds > 0) > 300",
    ),
    _gauge(
        "monitor_build_info",
        ("version",),
        "1 for the version that runs",
        query="count by (version) (monitor_build_info)",
    ),
)

FAMILIES = PROBE_FAMILIES + MONITOR_FAMILIES
