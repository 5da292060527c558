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
    """One metric: its public name, type, label names and meaning; `buckets` of histograms."""

    name: str
    type: FamilyType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_CELL = ("service", "check", "target", "vantage")
_FRACTIONS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SECONDS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600, 1800)
_HOURS = (60, 300, 900, 1800, 3600, 5400, 7200, 10800, 14400, 28800, 86400)


def _gauge(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, FamilyType.GAUGE, labels, text)


def _counter(name: str, labels: tuple[str, ...], text: str) -> Family:
    return Family(name, FamilyType.COUNTER, labels, text)


def _histogram(name: str, labels: tuple[str, ...], text: str, buckets: tuple[float, ...]) -> Family:
    return Family(name, FamilyType.HISTOGRAM, labels, text, buckets)


PROBE_FAMILIES = (
    _gauge("probe_success", _CELL, "1 when the last probe of the cell passed, 0 when it did not"),
    _gauge("probe_duration_seconds", _CELL, "Seconds the last probe took in all"),
    _gauge(
        "probe_http_duration_seconds",
        (*_CELL, "phase"),
        "Seconds of each phase that the last HTTP probe reached: "
        "resolve, connect, tls, processing, transfer",
    ),
    _gauge(
        "probe_http_status_code",
        _CELL,
        "Status code that the last HTTP probe was answered with, 0 when there was no answer",
    ),
    _gauge(
        "probe_ssl_earliest_cert_expiry",
        _CELL,
        "Unix time at which the first certificate of the peer's chain expires",
    ),
    _gauge(
        "probe_dns_lookup_time_seconds", _CELL, "Seconds the last probe spent resolving the name"
    ),
    _gauge(
        "probe_failure_info",
        (*_CELL, "kind"),
        "1 for the kind of failure of the last probe that did not pass, "
        "or its outcome where it did not fail",
    ),
)

MONITOR_FAMILIES = (
    _gauge(
        "monitor_service_impact",
        ("service", "impact"),
        "State set: 1 for the present impact on the service (none, some, all, unknown), else 0",
    ),
    _gauge(
        "monitor_maintenance_active",
        ("service",),
        "1 while a maintenance window of the service, or of a part of it, is open, else 0",
    ),
    _gauge(
        "monitor_incidents_open",
        ("service", "priority"),
        "Incidents that are not resolved",
    ),
    _counter(
        "monitor_incidents_total",
        ("service", "priority", "reason"),
        "Incidents opened since the process started",
    ),
    _counter(
        "monitor_false_alarms_total",
        ("service", "priority"),
        "Incidents that a person called false alarms since the process started",
    ),
    _counter(
        "monitor_reports_total",
        ("by",),
        "Customers' reports taken in since the process started: by tenant or anonymous",
    ),
    _gauge(
        "monitor_outage_age_seconds",
        ("service", "priority"),
        "Seconds since the oldest open incident of the service began, 0 when there is none",
    ),
    _gauge(
        "monitor_response_left_seconds",
        ("service", "priority"),
        "Seconds left until the nearest promised response, negative once it is late; "
        "absent when none is owed",
    ),
    _counter(
        "monitor_response_breached_total",
        ("service",),
        "Incidents whose promised response time passed without an acknowledgement",
    ),
    _histogram(
        "monitor_detection_delay_seconds",
        ("service",),
        "Seconds from the start of an outage to its incident",
        _SECONDS,
    ),
    _histogram(
        "monitor_acknowledge_seconds",
        ("priority", "support"),
        "Seconds from an incident's report to its acknowledgement by a person, "
        "by whether support was open when it was reported",
        _HOURS,
    ),
    _histogram(
        "monitor_resolve_seconds",
        ("priority", "support"),
        "Seconds from the start of an outage to the resolution of its incident, "
        "by whether support was open when it was reported",
        _HOURS,
    ),
    _histogram(
        "monitor_notice_delay_seconds",
        (),
        "Seconds from an incident's report to a receiver's acceptance of its first notice",
        _SECONDS,
    ),
    _counter(
        "monitor_notices_total",
        ("channel", "outcome"),
        "Attempts to deliver a notice: sent, retried, dead",
    ),
    _gauge("monitor_outbox_pending", ("channel",), "Notices that wait to be delivered"),
    _gauge("monitor_outbox_dead", ("channel",), "Notices that were given up"),
    _gauge("monitor_outbox_paused", (), "1 while a restored store sends nothing, else 0"),
    _gauge(
        "monitor_outbox_oldest_pending_seconds",
        (),
        "Seconds for which the oldest due notice has waited, 0 when none waits",
    ),
    _gauge(
        "monitor_history_bytes",
        ("what",),
        "About what history takes on disk: results, sums; looked at every 300 s",
    ),
    _gauge(
        "monitor_history_cut_timestamp_seconds",
        (),
        "Unix time before which PASS results were deleted for history.max_bytes, 0 never",
    ),
    _gauge(
        "monitor_history_summed_until_timestamp_seconds",
        (),
        "Unix time until when all results recorded are in the sums of their checks, "
        "0 when it is not known yet",
    ),
    _counter(
        "monitor_probes_total",
        ("service", "outcome", "kind"),
        "Probes by outcome and kind of failure, none where it did not fail",
    ),
    _histogram(
        "monitor_probe_lateness_seconds",
        (),
        "Seconds between when a probe was due and when it began",
        _FRACTIONS,
    ),
    _counter("monitor_missed_runs_total", (), "Probes that were due and did not run"),
    _histogram(
        "monitor_loop_stall_seconds", (), "Seconds for which the event loop was held", _FRACTIONS
    ),
    _counter("monitor_clock_steps_total", (), "Steps of the wall clock that were noticed"),
    _gauge(
        "monitor_clock_last_step_seconds", (), "Size of the last step of the wall clock, signed"
    ),
    _gauge(
        "monitor_vantage_healthy",
        ("vantage",),
        "1 when what is seen from the vantage can be believed, else 0",
    ),
    _gauge("monitor_blind", (), "1 when no vantage can be believed, else 0"),
    _gauge("monitor_support_open", (), "1 when support is open, else 0"),
    _gauge(
        "monitor_support_next_opening_seconds", (), "Seconds until support opens next after now"
    ),
    _gauge(
        "monitor_calendar_differences",
        (),
        "Dates on which the support calendar differs from the official list of bank holidays, "
        "by the last comparison; 0 when there is none",
    ),
    _gauge(
        "monitor_calendar_compared_timestamp_seconds",
        (),
        "Unix time at which the support calendar was last compared with the official list, "
        "0 when it never was",
    ),
    _gauge(
        "monitor_calendar_list_unreadable",
        (),
        "1 when the official list of bank holidays could not be read or compared the last time, "
        "else 0",
    ),
    _counter(
        "monitor_config_reloads_total", ("outcome",), "Reloads of the configuration: taken, refused"
    ),
    _gauge(
        "monitor_config_last_reload_successful",
        (),
        "1 when the last configuration read was taken, 0 when it was refused",
    ),
    _gauge(
        "monitor_last_round_timestamp_seconds",
        (),
        "Unix time of the last completed round of probes",
    ),
    _counter("monitor_store_failures_total", (), "Writes or reads that the store refused"),
    _gauge("monitor_changes_waiting", (), "Changes of incidents that wait to be written"),
    _counter(
        "monitor_results_dropped_total",
        (),
        "Results that were never recorded because the store was away too long",
    ),
    _counter(
        "monitor_watchdog_stalls_total",
        (),
        "Times that the event loop did not turn for so long that the watchdog said so",
    ),
    _gauge(
        "monitor_self_alarm",
        ("problem",),
        "1 while the monitor's alarm about itself is open: store, outbox, blind, clock; else 0",
    ),
    _gauge(
        "monitor_clock_offset_seconds",
        (),
        "Seconds by which the wall clock was ahead of the controls' when last compared",
    ),
    _gauge(
        "monitor_clock_compared_timestamp_seconds",
        (),
        "Unix time at which the wall clock was last compared, 0 when it never was",
    ),
    _counter(
        "monitor_pings_total",
        ("outcome",),
        "Calls to the address that watches the monitor: sent, failed, withheld while it is unwell",
    ),
    _gauge(
        "monitor_ping_last_success_timestamp_seconds",
        (),
        "Unix time at which that address last answered, 0 when it never did",
    ),
    _gauge("monitor_build_info", ("version",), "1 for the version that runs"),
)

FAMILIES = PROBE_FAMILIES + MONITOR_FAMILIES


def reference() -> str:
    """The page of the documentation that lists every family, in Markdown."""
    rows = [
        f"| `{f.name}` | {f.type} | {', '.join(f'`{label}`' for label in f.labels)} | {f.help} |"
        for f in FAMILIES
    ]
    return "\n".join([_REFERENCE_HEAD, *rows, ""])


_REFERENCE_HEAD = """# Metrics

Generated from `monitor/metrics/families.py`. `GET /metrics` answers in the Prometheus text
format, or in OpenMetrics when asked for it; there the histograms of incidents carry the
incident's number as exemplar. `probe_*` have the names and meanings of blackbox_exporter. Names
and labels are public: changes to them are listed in the changelog.

| name | type | labels | meaning |
|---|---|---|---|"""
