"""Service: what fails, for whom, from where, and how it was over time."""

from grafana.frame import CELL_FILTER, SERVICE_PAGE, Board, to
from grafana.overview import IMPACT, IMPACT_STEPS, IMPACTS
from grafana.panels import GREEN, ORANGE, RED, YELLOW, Ask, Panel, Row, Steps

NOW = Panel(
    "stat",
    "Now",
    "The impact on the service as the monitor judges it. Red: it is down for everyone; the "
    "incident has the evidence, the grid below says which tenants and vantages fail.",
    (Ask(IMPACT, "{{service}}", now=True),),
    "none",
    6,
    5,
    IMPACT_STEPS,
    IMPACTS,
    ("Open service", "${monitor_url}/services/${__field.labels.service}"),
    empty="no such service",
)

AVAILABLE = Panel(
    "stat",
    "Availability in this time",
    "The share of the chosen time in which the service was not down for everyone; what nobody "
    "could see and announced maintenance do not count. Red: below 99.9 %; see the incidents.",
    (
        Ask(
            'avg_over_time(service:monitor_available:bool{service=~"$service"}[$__range])',
            "{{service}}",
            now=True,
        ),
    ),
    "percentunit",
    6,
    5,
    Steps(RED, ((0.999, GREEN),)),
    decimals=3,
)

LEFT = Panel(
    "stat",
    "Error budget left, by the target chosen above",
    "What is left of the outage that the chosen target allows in the last 30 days: 100 % is all "
    "of it, below 0 the target is missed. Red: used up; hold back changes that may break more.",
    (
        Ask(
            '1 - (1 - service:monitor_availability:ratio_30d{service=~"$service"})'
            " / (1 - $objective / 100)",
            "{{service}}",
            now=True,
        ),
    ),
    "percentunit",
    6,
    5,
    Steps(RED, ((0, ORANGE), (0.25, GREEN))),
    decimals=1,
)

CELLS = Panel(
    "stat",
    "Cells that fail",
    "How many of the service's cells did not pass their last probe, of how many it has. A cell is "
    "a check of a tenant from a vantage. Orange: some fail; the table below names them.",
    (
        Ask(f"sum(probe_success{{{CELL_FILTER}}} == bool 0)", "failing", now=True),
        Ask('sum(monitor_cells{service=~"$service"})', "in all", now=True),
    ),
    "none",
    6,
    5,
    Steps(GREEN),
)

TIMELINE = Panel(
    "states",
    "Impact over time",
    "When the service was up, down for some, down for everyone, or not known. Marks are incidents.",
    (Ask(IMPACT, "{{service}}"),),
    "none",
    24,
    5,
    IMPACT_STEPS,
    IMPACTS,
)

GRID = Panel(
    "grid",
    "Cells: each check of each tenant, over time",
    "The share of vantages from which the check passed: green all, red none. A red line is one "
    "tenant or one check; a red column is everyone at once; orange lines are one vantage, look at "
    "that.",
    (
        Ask(
            f"avg by (service, check, target) (probe_success{{{CELL_FILTER}}})",
            "{{service}}/{{check}} {{target}}",
        ),
    ),
    "percentunit",
    14,
    12,
    Steps(RED, ((0.01, ORANGE), (0.6, YELLOW), (1, GREEN))),
    span=(0, 1),
)

FAILING = Panel(
    "table",
    "Cells that fail now, and why",
    "Every cell whose last probe did not pass, with the kind of failure. A click opens the "
    "service's page; `monitor probe service/check/tenant/vantage` tells the whole story. Empty is "
    "good.",
    (
        Ask(
            f"max by (service, check, target, vantage, kind) (probe_failure_info{{{CELL_FILTER}}})",
            now=True,
        ),
    ),
    "none",
    10,
    12,
    link=SERVICE_PAGE,
    columns=(
        ("service", "Service"),
        ("check", "Check"),
        ("target", "Tenant"),
        ("vantage", "Vantage"),
        ("kind", "Failure"),
    ),
    empty="",
)

PHASES = Panel(
    "series",
    "Time of HTTP probes by phase",
    "Where the time of an answer goes, on average over the chosen cells. Processing grew: the "
    "service is slow. Connect or tls grew: the network or the edge. Resolve grew: the name "
    "servers.",
    (Ask(f"avg by (phase) (probe_http_duration_seconds{{{CELL_FILTER}}})", "{{phase}}"),),
    "s",
    12,
    9,
    stacked=True,
    span=(0, None),
)

SLOWEST = Panel(
    "series",
    "Time of probes by check, the slowest twentieth",
    "How long the slowest twentieth of the probes of each check took in all. The dashed line is "
    "at 5 s: above it users give up; compare the phases beside it.",
    (
        Ask(
            f"quantile by (service, check) (0.95, probe_duration_seconds{{{CELL_FILTER}}})",
            "{{service}}/{{check}}",
        ),
    ),
    "s",
    12,
    9,
    Steps(GREEN, ((5, RED),)),
    span=(0, None),
)

VANTAGES = Panel(
    "series",
    "Time of probes by vantage",
    "The mean over the chosen cells. One vantage apart from the others: its line is slow, not the "
    "service.",
    (Ask(f"avg by (vantage) (probe_duration_seconds{{{CELL_FILTER}}})", "{{vantage}}"),),
    "s",
    8,
    8,
    span=(0, None),
)

NAMES = Panel(
    "series",
    "Time to resolve names",
    "The mean time of the lookups that the probes needed, by vantage. Above a tenth of a second "
    "the name servers deserve a look. Nothing is shown where targets are addresses.",
    (Ask(f"avg by (vantage) (probe_dns_lookup_time_seconds{{{CELL_FILTER}}})", "{{vantage}}"),),
    "s",
    8,
    8,
    Steps(GREEN, ((0.1, ORANGE),)),
    span=(0, None),
    empty="no name was resolved",
)

STATUSES = Panel(
    "series",
    "Cells by HTTP status",
    "How many cells were last answered with which status; 0 is no answer at all. 5xx: the "
    "service; 429: the quota; 401 and 403: what the check signs in with has expired.",
    (Ask(f'count_values("status", probe_http_status_code{{{CELL_FILTER}}})', "{{status}}"),),
    "none",
    8,
    8,
    stacked=True,
    span=(0, None),
)

KINDS = Panel(
    "series",
    "Failures by kind",
    "Probes that failed, a second, by how far they got. One kind alone names its cause: dns, "
    "connect, tls, status, or content that is not what it should be.",
    (
        Ask(
            'sum by (kind) (rate(monitor_probes_total{outcome="fail",service=~"$service"}'
            "[$__rate_interval]))",
            "{{kind}}",
        ),
    ),
    "ops",
    8,
    8,
    stacked=True,
    span=(0, None),
)

TARGETED = Panel(
    "series",
    "Availability against the target",
    "The last day and the last 30 days at each moment, and the target chosen above. Below the "
    "line: the target is missed; the incidents say by what.",
    (
        Ask('service:monitor_availability:ratio_1d{service=~"$service"}', "{{service}}, a day"),
        Ask('service:monitor_availability:ratio_30d{service=~"$service"}', "{{service}}, 30 days"),
        Ask("vector($objective / 100)", "target"),
    ),
    "percentunit",
    8,
    8,
    decimals=3,
)

BURN = Panel(
    "series",
    "How fast the error budget is used up",
    "1 is just what the promise allows. Above 14.4 for an hour, or 6 for six hours, an alert "
    "fires: at that rate the budget of 30 days lasts two days, or five.",
    (
        Ask('service:monitor_error_budget_burn:ratio_1h{service=~"$service"}', "{{service}}, 1 h"),
        Ask('service:monitor_error_budget_burn:ratio_6h{service=~"$service"}', "{{service}}, 6 h"),
    ),
    "none",
    8,
    8,
    Steps(GREEN, ((1, ORANGE), (14.4, RED))),
    span=(0, None),
)

CERTIFICATES = Panel(
    "table",
    "Certificates",
    "Time until the first certificate of each chain expires, the soonest of all vantages. An alert "
    "fires below 21 days: find out why it was not renewed by itself.",
    (
        Ask(
            "sort(min by (service, check, target)"
            f" (probe_ssl_earliest_cert_expiry{{{CELL_FILTER}}}) - time())",
            now=True,
        ),
    ),
    "dtdurations",
    10,
    7,
    Steps(RED, ((3 * 86400, ORANGE), (21 * 86400, GREEN))),
    columns=(
        ("service", "Service"),
        ("check", "Check"),
        ("target", "Tenant"),
        ("Value", "Expires in"),
    ),
    colored=("Value",),
    empty="",
)

QUOTA = Panel(
    "bars",
    "API quota used",
    "The share of its quota that each API said was used up when it last answered. Orange from 80 "
    "%, when an alert fires: find who asks so much, or let the check ask less often.",
    (
        Ask(
            f"max by (service, check, target) (probe_http_quota_used_ratio{{{CELL_FILTER}}})",
            "{{service}}/{{check}} {{target}}",
            now=True,
        ),
    ),
    "percentunit",
    7,
    7,
    Steps(GREEN, ((0.8, ORANGE), (0.95, RED))),
    span=(0, 1),
    empty="no API tells of a quota",
)

MAINTENANCE = Panel(
    "states",
    "Announced maintenance",
    "When a maintenance window of the service, or of a part of it, was open: nobody is called out "
    "for what it covers. Open for too long: look at `maintenance` in the configuration.",
    (
        Ask(
            'max by (service) (monitor_maintenance_active{service=~"$service"})',
            "{{service}}",
        ),
    ),
    "none",
    7,
    7,
    Steps(GREEN, ((1, YELLOW),)),
    ((0, "None", GREEN), (1, "Maintenance", YELLOW)),
    to("incidents", "Show incidents"),
)

SERVICE = Board(
    "service",
    "Uptime: Service",
    "What fails, for whom, from where, and how it was over time.",
    (
        Row("", (NOW, AVAILABLE, LEFT, CELLS, TIMELINE, GRID, FAILING)),
        Row("How fast it answers", (PHASES, SLOWEST, VANTAGES, NAMES, STATUSES)),
        Row("Availability", (KINDS, TARGETED, BURN)),
        Row("What runs out", (CERTIFICATES, QUOTA, MAINTENANCE)),
    ),
    ("datasource", "service", "target", "vantage", "objective", "monitor_url"),
)
