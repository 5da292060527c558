"""What the monitor tells Prometheus.

Every name, label and help string stands in `families`. There are two sorts of series, rendered in
two ways:

- `probe_*` say what the last probe of each cell saw, under the names that blackbox_exporter made
  familiar; `cells` keeps them as finished lines.
- `monitor_*` say how the services, the incidents and the monitor itself fare: hundreds of series,
  kept and rendered by prometheus-client in a registry of its own.

Label values come from the configuration's names and from closed enums, never from what a probe
read. Counters and state sets begin at zero for every combination that can be foreseen. `render`
may run in another thread than the rest; all else belongs to the event loop's thread. Nothing here
reads a clock: whoever reports a duration has measured it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import (
    CONTENT_TYPE_LATEST as OPENMETRICS_TYPE,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor import __version__
from monitor.metrics.cells import CellLines
from monitor.metrics.families import FAMILIES, MONITOR_FAMILIES, Family, FamilyType, reference
from monitor.model import (
    CONTROL,
    MONITOR,
    Cell,
    DecisionReason,
    Estate,
    FailureKind,
    Impact,
    Incident,
    Outcome,
    Priority,
    Problem,
    Report,
    Result,
    ServiceState,
    VantageState,
)

__all__ = [
    "FAMILIES",
    "Family",
    "FamilyType",
    "Metrics",
    "NoticeOutcome",
    "PingOutcome",
    "reference",
]

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class NoticeOutcome(StrEnum):
    """What became of one attempt to deliver a notice."""

    SENT = "sent"
    RETRIED = "retried"
    DEAD = "dead"


class PingOutcome(StrEnum):
    """What became of one turn to call the address that watches the monitor."""

    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"


_SUPPORT = ("open", "closed")
_RELOAD = {True: "taken", False: "refused"}
_NO_KIND = "none"
_BY = {True: "tenant", False: "anonymous"}


class Metrics:
    """The series of one monitor. Every method that reports is cheap and does no I/O."""

    def __init__(self, estate: Estate, channels: Sequence[str]) -> None:
        """Register every family; `channels` are the names of the ways out."""
        self._registry = CollectorRegistry()
        of_type = {t: [f for f in MONITOR_FAMILIES if f.type is t] for t in FamilyType}
        self._gauges = {
            f.name: Gauge(f.name, f.help, f.labels, registry=self._registry)
            for f in of_type[FamilyType.GAUGE]
        }
        self._counters = {
            f.name: Counter(f.name, f.help, f.labels, registry=self._registry)
            for f in of_type[FamilyType.COUNTER]
        }
        self._histograms = {
            f.name: Histogram(f.name, f.help, f.labels, buckets=f.buckets, registry=self._registry)
            for f in of_type[FamilyType.HISTOGRAM]
        }
        self._cells = CellLines()
        self._probed: dict[tuple[str, ...], Counter] = {}
        self._lateness = self._histograms["monitor_probe_lateness_seconds"]
        self._healthy: dict[str, bool] = {}
        self._gauges["monitor_build_info"].labels(__version__).set(1)
        self._gauges["monitor_config_last_reload_successful"].set(1)
        self._services: frozenset[str] = frozenset()
        self._open_labels: set[tuple[str, str]] = set()
        self.watch(estate, channels)

    # ----------------------------------------------------------------- what is watched

    def watch(self, estate: Estate, channels: Sequence[str]) -> None:
        """Begin the label sets of an estate at zero; drop what it no longer has."""
        self._channels = frozenset(channels)
        families = self._gauges | self._counters | self._histograms
        for name, label_sets in _foreseen(estate, channels).items():
            for values in label_sets:
                families[name].labels(*values)
        self._cells.keep({cell.key for cell in estate.cells()})
        services = frozenset(service.name for service in estate.services)
        for name, impact in product(self._services - services, Impact):
            self._gauges["monitor_service_impact"].remove(name, impact)
        for name in self._services - services:
            self._gauges["monitor_maintenance_active"].remove(name)
        self._services = services
        for name in self._healthy.keys() - {vantage.name for vantage in estate.vantages}:
            del self._healthy[name]
            self._gauges["monitor_vantage_healthy"].remove(name)

    # ----------------------------------------------------------------- what probes see

    def result(self, cell: Cell, result: Result, lateness: float) -> None:
        """Count a result and replace the lines of its cell; `lateness` in seconds.

        An INVALID result is only counted: it tells nothing of the cell.
        """
        ended = (cell.key.service, result.outcome, result.failure or _NO_KIND)
        counter = self._probed.get(ended)
        if counter is None:
            counter = self._probed[ended] = self._counters["monitor_probes_total"].labels(*ended)
        counter.inc()
        self._lateness.observe(max(lateness, 0.0))
        if result.outcome is not Outcome.INVALID:
            self._cells.show(cell, result)

    def missed(self, count: int) -> None:
        """`count` probes were due and did not run."""
        self._counters["monitor_missed_runs_total"].inc(count)

    def round_done(self, at: datetime) -> None:
        """A round of probes was completed at `at`."""
        self._gauges["monitor_last_round_timestamp_seconds"].set(at.timestamp())

    # ----------------------------------------------------------------- what is concluded

    def service(self, state: ServiceState) -> None:
        """Show the present impact on a service, and whether it is being maintained."""
        active = state.maintenance is not None
        self._gauges["monitor_maintenance_active"].labels(state.name).set(active)
        for impact in Impact:
            self._gauges["monitor_service_impact"].labels(state.name, impact).set(
                impact is state.impact
            )

    def vantage(self, state: VantageState) -> None:
        """Show whether a vantage can be believed, and with it whether any can."""
        self._healthy[state.name] = state.healthy
        self._gauges["monitor_vantage_healthy"].labels(state.name).set(state.healthy)
        self._gauges["monitor_blind"].set(not any(self._healthy.values()))

    # ----------------------------------------------------------------- what is promised

    def incident_opened(self, incident: Incident, detection_delay: float | None) -> None:
        """Count a new incident; `detection_delay` is seconds from its beginning to now.

        None where the probes did not detect it.
        """
        self._counters["monitor_incidents_total"].labels(
            incident.service, incident.priority, incident.reason
        ).inc()
        if detection_delay is not None:
            self._histograms["monitor_detection_delay_seconds"].labels(incident.service).observe(
                max(detection_delay, 0.0), _exemplar(incident)
            )

    def reported(self, report: Report) -> None:
        """Count a customer's report that was taken in."""
        self._counters["monitor_reports_total"].labels(_BY[report.tenant is not None]).inc()

    def incident_acknowledged(self, incident: Incident, seconds: float) -> None:
        """A person took an incident on, `seconds` after its report."""
        self._of_incident("monitor_acknowledge_seconds", incident, seconds)

    def incident_resolved(self, incident: Incident, seconds: float) -> None:
        """An incident was resolved, `seconds` after its outage began."""
        self._of_incident("monitor_resolve_seconds", incident, seconds)
        if incident.false_alarm:
            self._counters["monitor_false_alarms_total"].labels(
                incident.service, incident.priority
            ).inc()

    def response_breached(self, incident: Incident) -> None:
        """Nobody acknowledged an incident by the time promised."""
        self._counters["monitor_response_breached_total"].labels(incident.service).inc()

    def open_incidents(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Show all incidents that are not resolved, as they stand at `now`."""
        by_labels: dict[tuple[str, str], list[Incident]] = defaultdict(list)
        for incident in incidents:
            by_labels[incident.service, incident.priority].append(incident)
        for labels in by_labels.keys() | self._open_labels:
            self._show_open(labels, by_labels.get(labels, []), now)
        self._open_labels = set(by_labels)

    def _show_open(
        self, labels: tuple[str, str], incidents: Sequence[Incident], now: datetime
    ) -> None:
        ages = [(now - incident.began.before).total_seconds() for incident in incidents]
        self._gauges["monitor_incidents_open"].labels(*labels).set(len(incidents))
        self._gauges["monitor_outage_age_seconds"].labels(*labels).set(max(ages, default=0.0))
        left = [
            (incident.respond_by - now).total_seconds()
            for incident in incidents
            if incident.respond_by is not None and incident.acknowledged_at is None
        ]
        if left:
            self._gauges["monitor_response_left_seconds"].labels(*labels).set(min(left))
        else:
            self._gauges["monitor_response_left_seconds"].remove(*labels)

    def _of_incident(self, name: str, incident: Incident, seconds: float) -> None:
        support = _SUPPORT[incident.out_of_hours]
        self._histograms[name].labels(incident.priority, support).observe(
            max(seconds, 0.0), _exemplar(incident)
        )

    def support(self, *, is_open: bool, seconds_to_opening: float) -> None:
        """Show whether support is open, and the seconds to its next opening."""
        self._gauges["monitor_support_open"].set(is_open)
        self._gauges["monitor_support_next_opening_seconds"].set(seconds_to_opening)

    def calendar_compared(self, differences: int, at: datetime) -> None:
        """The calendar was compared with the official list; on so many dates they differ."""
        self._gauges["monitor_calendar_differences"].set(differences)
        self._gauges["monitor_calendar_compared_timestamp_seconds"].set(at.timestamp())
        self._gauges["monitor_calendar_list_unreadable"].set(0)

    def calendar_list_unreadable(self) -> None:
        """The official list could not be read; what was compared before stays shown."""
        self._gauges["monitor_calendar_list_unreadable"].set(1)

    # ----------------------------------------------------------------- what is delivered

    def notice(self, channel: str, outcome: NoticeOutcome, count: int = 1) -> None:
        """`count` attempts to deliver a notice through a channel ended so."""
        self._counters["monitor_notices_total"].labels(channel, outcome).inc(count)

    def notice_delay(self, seconds: float) -> None:
        """A receiver took the first notice of an incident `seconds` after its report."""
        self._histograms["monitor_notice_delay_seconds"].observe(max(seconds, 0.0))

    def outbox(
        self, pending: Mapping[str, int], dead: Mapping[str, int], oldest_pending_seconds: float
    ) -> None:
        """Show the outbox by channel; a channel that is not named has none."""
        for name, counts in (("monitor_outbox_pending", pending), ("monitor_outbox_dead", dead)):
            for channel in self._channels | counts.keys():
                self._gauges[name].labels(channel).set(counts.get(channel, 0))
        self._gauges["monitor_outbox_oldest_pending_seconds"].set(oldest_pending_seconds)

    def outbox_paused(self, *, paused: bool) -> None:
        """Whether nothing is sent, because a restored store waits for a person."""
        self._gauges["monitor_outbox_paused"].set(paused)

    def history(self, results: int, sums: int, cut_at: datetime | None) -> None:
        """About how many bytes history takes, and before when PASSes were cut; None: never."""
        for what, size in (("results", results), ("sums", sums)):
            self._gauges["monitor_history_bytes"].labels(what).set(size)
        self._gauges["monitor_history_cut_timestamp_seconds"].set(
            cut_at.timestamp() if cut_at else 0
        )

    def history_summed(self, until: datetime | None) -> None:
        """Until when results are summed up; None when it is not known yet."""
        self._gauges["monitor_history_summed_until_timestamp_seconds"].set(
            until.timestamp() if until else 0
        )

    # ----------------------------------------------------------------- how the monitor fares

    def stall(self, seconds: float) -> None:
        """The event loop was held for so long."""
        self._histograms["monitor_loop_stall_seconds"].observe(max(seconds, 0.0))

    def clock_step(self, seconds: float) -> None:
        """The wall clock stepped by so much, negative when backwards."""
        self._counters["monitor_clock_steps_total"].inc()
        self._gauges["monitor_clock_last_step_seconds"].set(seconds)

    def config_reload(self, *, ok: bool) -> None:
        """A new configuration was taken, or refused."""
        self._counters["monitor_config_reloads_total"].labels(_RELOAD[ok]).inc()
        self._gauges["monitor_config_last_reload_successful"].set(ok)

    def store_failure(self) -> None:
        """The store refused a write or a read."""
        self._counters["monitor_store_failures_total"].inc()

    def changes_waiting(self, count: int) -> None:
        """So many changes wait to be written."""
        self._gauges["monitor_changes_waiting"].set(count)

    def results_dropped(self, count: int) -> None:
        """`count` more results were dropped."""
        self._counters["monitor_results_dropped_total"].inc(count)

    def watchdog_stall(self) -> None:
        """The watchdog found the event loop stalled; called in its thread."""
        self._counters["monitor_watchdog_stalls_total"].inc()

    def self_alarms(self, open_ones: Collection[Problem]) -> None:
        """Show which alarms about the monitor itself are open."""
        for problem in Problem:
            self._gauges["monitor_self_alarm"].labels(problem).set(problem in open_ones)

    def clock_compared(self, offset: float, at: datetime) -> None:
        """The wall clock was compared at `at`, and was so many seconds ahead."""
        self._gauges["monitor_clock_offset_seconds"].set(offset)
        self._gauges["monitor_clock_compared_timestamp_seconds"].set(at.timestamp())

    def ping(self, outcome: PingOutcome, at: datetime) -> None:
        """A turn to ping ended so at `at`."""
        self._counters["monitor_pings_total"].labels(outcome).inc()
        if outcome is PingOutcome.SENT:
            self._gauges["monitor_ping_last_success_timestamp_seconds"].set(at.timestamp())

    # ----------------------------------------------------------------- the page

    def render(self, *, openmetrics: bool = False) -> tuple[bytes, str]:
        """All series and their content type; may be called in another thread."""
        generate = generate_openmetrics if openmetrics else generate_latest
        page = self._cells.render() + generate(self._registry)
        return page, OPENMETRICS_TYPE if openmetrics else TEXT_TYPE


def _foreseen(estate: Estate, channels: Sequence[str]) -> Mapping[str, Iterable[tuple[str, ...]]]:
    """The label values that can be foreseen, by family."""
    services = [service.name for service in estate.services]
    subjects = [*services, MONITOR]
    failing = (Outcome.FAIL, Outcome.MAINTENANCE)
    ends = [(outcome.value, kind.value) for outcome in failing for kind in FailureKind]
    ends += [(outcome.value, _NO_KIND) for outcome in Outcome if outcome not in failing]
    return {
        "monitor_service_impact": product(services, Impact),
        "monitor_maintenance_active": product(services),
        "monitor_incidents_open": product(subjects, Priority),
        "monitor_incidents_total": product(subjects, Priority, DecisionReason),
        "monitor_false_alarms_total": product(subjects, Priority),
        "monitor_outage_age_seconds": product(subjects, Priority),
        "monitor_response_breached_total": product(subjects),
        "monitor_detection_delay_seconds": product(subjects),
        "monitor_acknowledge_seconds": product(Priority, _SUPPORT),
        "monitor_resolve_seconds": product(Priority, _SUPPORT),
        "monitor_notices_total": product(channels, NoticeOutcome),
        "monitor_outbox_pending": product(channels),
        "monitor_outbox_dead": product(channels),
        "monitor_probes_total": ((name, *end) for name in [*services, CONTROL] for end in ends),
        "monitor_vantage_healthy": product(vantage.name for vantage in estate.vantages),
        "monitor_reports_total": product(_BY.values()),
        "monitor_config_reloads_total": product(_RELOAD.values()),
        "monitor_self_alarm": product(Problem),
        "monitor_pings_total": product(PingOutcome),
    }


def _exemplar(incident: Incident) -> dict[str, str]:
    return {"incident": str(incident.number)}
