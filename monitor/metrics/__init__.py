"""What the monitor tells Prometheus.

Every name, label and help string stands in `families`. There are two sorts of series, rendered in
two ways:

- `probe_*` say what the last probe of each cell saw, under the names that blackbox_exporter made
  familiar; `cells` keeps them as finished lines.
- `monitor_*` say how the services, the incidents and the monitor itself fare: hundreds of series,
  kept and rendered by prometheus-client in a registry of its own.

Label values come from the configuration's names and from closed enums, never from what a probe
read. Counters and state sets begin at zero for every combination that can be foreseen. `pieces` and
`render` may run in another thread than the rest; all else belongs to the event loop's thread.
Nothing here reads a clock: whoever reports a duration has measured it.
"""

from __future__ import annotations

from collections import Counter as Counting
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import (
    CONTENT_TYPE_LATEST as OPENMETRICS_TYPE,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor import __version__
from monitor.metrics.cells import CellLines
from monitor.metrics.families import FAMILIES, MONITOR_FAMILIES, Family, FamilyType
from monitor.metrics.foreseen import (
    BY,
    KEPT,
    NO_KIND,
    RELOAD,
    SUPPORT,
    NoticeOutcome,
    PingOutcome,
    Told,
    foreseen,
    told,
)
from monitor.metrics.reference import reference
from monitor.model import (
    CONTROL,
    MONITOR,
    Cell,
    Estate,
    Impact,
    Incident,
    Outage,
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
    "OPENMETRICS_TYPE",
    "TEXT_TYPE",
    "Family",
    "FamilyType",
    "Metrics",
    "NoticeOutcome",
    "PingOutcome",
    "Told",
    "reference",
]

_OF_OPEN_INCIDENTS = (
    "monitor_incidents_open",
    "monitor_incident_number",
    "monitor_outage_age_seconds",
    "monitor_response_left_seconds",
)

# They would be every third series, and all say when the process began.
disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped in the library

_END = b"# EOF\n"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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
        self._families = self._gauges | self._counters | self._histograms
        self._gauges["monitor_build_info"].labels(__version__).set(1)
        self._gauges["monitor_config_last_reload_successful"].set(1)
        self._subjects: frozenset[str] = frozenset()
        self._open_labels: set[tuple[str, str]] = set()
        self._owed: frozenset[str] = frozenset()
        self.watch(estate, channels)

    # ----------------------------------------------------------------- what is watched

    def watch(self, estate: Estate, channels: Sequence[str]) -> None:
        """Begin the label sets of an estate at zero; drop what it no longer has, counters too.

        A counter that is dropped and comes back begins at zero, which Prometheus takes for the
        reset that it is; one that was kept would say for ever what nobody counts any more. Only
        what is said of open incidents stays until they are resolved.
        """
        self._channels = frozenset(channels)
        cells = frozenset(cell.key for cell in estate.cells())
        self._cells.keep(cells)
        were = self._subjects
        self._subjects = frozenset({service.name for service in estate.services} | {MONITOR})
        for labels in set(product(were - self._subjects, Priority)) - self._open_labels:
            self._hide_open(labels)
        vantages = frozenset(vantage.name for vantage in estate.vantages)
        self._drop("service", self._subjects | {CONTROL})
        self._drop("channel", self._channels)
        self._drop("vantage", vantages)
        self._healthy = {name: self._healthy[name] for name in self._healthy.keys() & vantages}
        self._probed.clear()
        for name, label_sets in foreseen(estate, channels).items():
            for values in label_sets:
                self._families[name].labels(*values)
        counted = Counting(key.service for key in cells)
        for name in self._subjects - {MONITOR} | {CONTROL}:
            self._gauges["monitor_cells"].labels(name).set(counted[name])

    def _drop(self, label: str, names: Collection[str]) -> None:
        """Drop every series whose value of a label is none of these names."""
        for family in MONITOR_FAMILIES:
            if label not in family.labels or family.name in _OF_OPEN_INCIDENTS:
                continue
            series = self._families[family.name]
            shown = {each.labels[label] for kept in series.collect() for each in kept.samples}
            for gone in shown.difference(names):
                series.remove_by_labels({label: gone})

    # ----------------------------------------------------------------- what probes see

    def result(self, cell: Cell, result: Result, lateness: float) -> None:
        """Count a result and replace the lines of its cell; `lateness` in seconds.

        An INVALID result is only counted: it tells nothing of the cell. A cell that is not watched
        any more, whose probe was still under way, is left out.
        """
        if cell.key not in self._cells:
            return
        ended = (cell.key.service, result.outcome, result.failure or NO_KIND)
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
        """At `at` every cell that is probed often had been probed once more."""
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

    def outage_declared(self, outage: Outage) -> None:
        """Count an outage that was not known before."""
        self._counters["monitor_outages_total"].labels(
            outage.service, outage.impact, outage.reason
        ).inc()

    def open_outages(self, outages: Iterable[Outage]) -> None:
        """Show how many outages have not ended."""
        counted = Counting(outage.service for outage in outages)
        for name in self._subjects:
            self._gauges["monitor_outages_open"].labels(name).set(counted[name])

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
            incident.service, incident.priority, told(incident), incident.reason
        ).inc()
        if detection_delay is not None:
            self._histograms["monitor_detection_delay_seconds"].labels(incident.service).observe(
                max(detection_delay, 0.0), _exemplar(incident)
            )

    def reported(self, report: Report) -> None:
        """Count a customer's report that was taken in."""
        self._counters["monitor_reports_total"].labels(BY[report.tenant is not None]).inc()

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
        if not incidents and labels[0] not in self._subjects:
            self._hide_open(labels)
            return
        ages = [(now - incident.began.before).total_seconds() for incident in incidents]
        oldest = min((incident.number for incident in incidents), default=0)
        self._gauges["monitor_incidents_open"].labels(*labels).set(len(incidents))
        self._gauges["monitor_incident_number"].labels(*labels).set(oldest)
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

    def _hide_open(self, labels: tuple[str, str]) -> None:
        for name in _OF_OPEN_INCIDENTS:
            self._gauges[name].remove(*labels)

    def _of_incident(self, name: str, incident: Incident, seconds: float) -> None:
        support = SUPPORT[incident.out_of_hours]
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

    def notice_delay(self, incident: Incident, seconds: float) -> None:
        """A receiver took the first notice of an incident `seconds` after its report."""
        self._histograms["monitor_notice_delay_seconds"].observe(
            max(seconds, 0.0), _exemplar(incident)
        )

    def outbox(
        self, pending: Mapping[str, int], dead: Mapping[str, int], oldest_pending_seconds: float
    ) -> None:
        """Show the outbox by channel; a configured channel that is not named has none.

        One that is configured no more is shown as long as something is owed to it.
        """
        owed = frozenset(pending.keys() | dead.keys())
        for channel in self._channels | owed:
            self._gauges["monitor_outbox_pending"].labels(channel).set(pending.get(channel, 0))
            self._gauges["monitor_outbox_dead"].labels(channel).set(dead.get(channel, 0))
        for channel in self._owed - owed - self._channels:
            self._gauges["monitor_outbox_pending"].remove(channel)
            self._gauges["monitor_outbox_dead"].remove(channel)
        self._owed = owed
        self._gauges["monitor_outbox_oldest_pending_seconds"].set(oldest_pending_seconds)

    def outbox_paused(self, *, paused: bool) -> None:
        """Whether nothing is sent, because a restored store waits for a person."""
        self._gauges["monitor_outbox_paused"].set(paused)

    def history(self, results: int, sums: int, cut_at: datetime | None) -> None:
        """About how many bytes history takes, and before when PASSes were cut; None: never."""
        for what, size in zip(KEPT, (results, sums), strict=True):
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
        self._counters["monitor_config_reloads_total"].labels(RELOAD[ok]).inc()
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
        page = b"".join(self.pieces(openmetrics=openmetrics))
        return page, OPENMETRICS_TYPE if openmetrics else TEXT_TYPE

    def pieces(self, *, openmetrics: bool = False) -> Iterator[bytes]:
        """All series in pieces, each soon made; may be gone through in another thread."""
        yield from self._cells.pieces()
        generate = generate_openmetrics if openmetrics else generate_latest
        for series in self._families.values():
            yield generate(series).removesuffix(_END)
        if openmetrics:
            yield _END


def _exemplar(incident: Incident) -> dict[str, str]:
    return {"incident": str(incident.number)}
