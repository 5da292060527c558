"""Incidents: how soon they are found, told, answered and over, and how many were none."""

from dataclasses import replace

from grafana.frame import Board, to
from grafana.overview import TABLE
from grafana.panels import BLUE, GREEN, ORANGE, RED, Ask, Panel, Row, Steps

WITHIN = 'le=~"7200([.]0)?"'
"""The bucket of two hours, however it is written."""


def total(metric: str, more: str = "") -> str:
    """How much a counter of services grew in the chosen time."""
    return f'sum(increase({metric}{{service=~"$service"{more}}}[$__range]))'


def count(title: str, says: str, expression: str, *, bad: float | None = None) -> Panel:
    """A number of the chosen time; red from `bad` on."""
    steps = Steps(BLUE) if bad is None else Steps(GREEN, ((bad, RED),))
    return Panel("stat", title, says, (Ask(expression, now=True),), "none", 4, 4, steps, decimals=0)


INCIDENTS_OPENED = count(
    "Incidents",
    "Incidents opened in the chosen time, of any priority. Never red: the next ones say how they "
    "were dealt with.",
    total("monitor_incidents_total"),
)
OUTAGES = count(
    "Outages",
    "Times that a service went down for some or for everyone, whether or not anybody had to be "
    "told.",
    total("monitor_outages_total"),
)
LATE = count(
    "Responses too late",
    "Incidents whose promised response time passed and nobody had acknowledged them. Red: a "
    "promise was broken; find out who was told and when, the timeline of the incident has it.",
    total("monitor_response_breached_total"),
    bad=0.5,
)
FALSE = count(
    "False alarms",
    "Incidents that a person called false alarms. Red: somebody was called out for nothing; look "
    "which check and rule it was, and try other rules on the recorded results with `monitor "
    "replay`.",
    total("monitor_false_alarms_total"),
    bad=0.5,
)

NUMBER_OPEN = Panel(
    "stat",
    "Open now",
    "Incidents that are not resolved, and outages that have not ended. Red: there are some; the "
    "table below leads to the incidents.",
    (
        Ask('sum(monitor_incidents_open{service=~"$service"})', "incidents", now=True),
        Ask('sum(monitor_outages_open{service=~"$service"})', "outages", now=True),
    ),
    "none",
    4,
    4,
    Steps(GREEN, ((1, RED),)),
)
REPORTS = Panel(
    "stat",
    "Reports by customers",
    "What customers reported by hand in the chosen time. Many reports without an incident: a "
    "check is missing.",
    (Ask("sum(increase(monitor_reports_total[$__range]))", now=True),),
    "none",
    4,
    4,
    decimals=0,
)


def share(title: str, says: str, metric: str) -> Panel:
    """The share of a histogram that ended within two hours, in and out of support hours."""
    return Panel(
        "stat",
        title,
        says,
        (
            Ask(
                f"sum by (support) (increase({metric}_bucket{{{WITHIN}}}[$__range]))"
                f" / (sum by (support) (increase({metric}_count[$__range])) > 0)",
                "support {{support}}",
                now=True,
            ),
        ),
        "percentunit",
        8,
        5,
        Steps(RED, ((0.9, ORANGE), (1, GREEN))),
        decimals=1,
    )


ANSWERED = share(
    "Answered within two hours",
    "The share of incidents that a person acknowledged within the promised two hours, by whether "
    "support was open when they were reported. Red: less than nine in ten; look at who is told "
    "and when.",
    "monitor_acknowledge_seconds",
)
RESOLVED = share(
    "Over within two hours",
    "The share of incidents that were over two hours after the outage began, by whether support "
    "was open. Red: less than nine in ten; look at what the long ones have in common.",
    "monitor_resolve_seconds",
)

NOTICED = Panel(
    "stat",
    "Noticed within",
    "Half, and nine in ten, of the incidents were declared so soon after their outage began. The "
    "rounds that confirm an outage take about 10 s; orange from 30 s: shorten the interval of the "
    "checks.",
    (
        Ask(
            "histogram_quantile(0.5, sum by (le) (increase(monitor_detection_delay_seconds_bucket"
            '{service=~"$service"}[$__range])))',
            "half",
            now=True,
        ),
        Ask(
            "histogram_quantile(0.9, sum by (le) (increase(monitor_detection_delay_seconds_bucket"
            '{service=~"$service"}[$__range])))',
            "nine in ten",
            now=True,
        ),
    ),
    "s",
    8,
    5,
    Steps(GREEN, ((30, ORANGE), (120, RED))),
    decimals=1,
)


def spread(title: str, says: str, metric: str, labels: str = "", by: str = "") -> Panel:
    """How a histogram of incidents lies over time, with the incidents themselves as dots."""
    chosen = f"{{{labels}}}" if labels else ""
    group = f", {by}" if by else ""
    legend = f", support {{{{{by}}}}}" if by else ""
    asks = [
        Ask(
            f"histogram_quantile({part}, sum by (le{group})"
            f" (increase({metric}_bucket{chosen}[$__range])))",
            name + legend,
        )
        for part, name in ((0.5, "half"), (0.9, "nine in ten"))
    ]
    return Panel("series", title, says, tuple(asks), "s", 12, 8, exemplars=True, span=(0, None))


DELAY = spread(
    "From the start of an outage to its incident",
    "Detection delay over a window as long as the chosen time. A dot is an incident, its number "
    "leads to its page. Growing: probes are late, see the Monitor dashboard, or intervals are too "
    "long.",
    "monitor_detection_delay_seconds",
    'service=~"$service"',
)
TOLD = spread(
    "From the incident to the first notice that was taken",
    "How long it takes until the first receiver has taken the first notice. More than a few "
    "seconds: a receiver is slow or away, see the outbox on the Monitor dashboard.",
    "monitor_notice_delay_seconds",
)
ACKNOWLEDGED = spread(
    "From the report to the acknowledgement",
    "How long it took until a person took the incident on, by whether support was open. Near two "
    "hours: look at who is told first, and at `channels.<name>.after`.",
    "monitor_acknowledge_seconds",
    by="support",
)
OVER = spread(
    "From the start of the outage to its end",
    "How long outages lasted that became incidents, by whether support was open when they were "
    "reported.",
    "monitor_resolve_seconds",
    by="support",
)

HEAT = Panel(
    "heatmap",
    "Acknowledgements by how long they took",
    "Each column is a moment, each row a span of time; darker is more. What lies above two hours "
    "broke the promise.",
    (
        Ask(
            "sum by (le) (increase(monitor_acknowledge_seconds_bucket[$__rate_interval]))",
            "{{le}}",
        ),
    ),
    "s",
    12,
    8,
)

REASONS = Panel(
    "series",
    "Incidents by route and reason",
    "Who was told, and the rule that decided it: paged is on-call, told the service desk at once, "
    "held waits for support to open. A surprising reason: `monitor explain` says which setting "
    "decides.",
    (
        Ask(
            "sum by (route, reason)"
            ' (increase(monitor_incidents_total{service=~"$service"}[$__range])) > 0',
            "{{route}}: {{reason}}",
        ),
    ),
    "none",
    12,
    8,
    stacked=True,
    decimals=0,
    span=(0, None),
)

BY_SERVICE = Panel(
    "bars",
    "Incidents by service and priority",
    "Incidents opened in the chosen time. The longest bar is where work on stability pays first.",
    (
        Ask(
            "sum by (service, priority)"
            ' (increase(monitor_incidents_total{service=~"$service"}[$__range])) > 0',
            "{{service}}, {{priority}}",
            now=True,
        ),
    ),
    "none",
    12,
    7,
    link=to("service", "Show this service"),
    decimals=0,
    span=(0, None),
    empty="no incident",
)

OUTAGES_BY = Panel(
    "bars",
    "Outages by service, impact and reason",
    "What went down and what policy made of it, incidents or not. Many that are held back: a "
    "check that fails often for nothing.",
    (
        Ask(
            "sum by (service, impact, reason)"
            ' (increase(monitor_outages_total{service=~"$service"}[$__range])) > 0',
            "{{service}}, {{impact}}: {{reason}}",
            now=True,
        ),
    ),
    "none",
    12,
    7,
    decimals=0,
    span=(0, None),
    empty="no outage",
)

INCIDENTS = Board(
    "incidents",
    "Uptime: Incidents",
    "How soon incidents are found, told, answered and over, and how many were none.",
    (
        Row("", (INCIDENTS_OPENED, OUTAGES, LATE, FALSE, NUMBER_OPEN, REPORTS)),
        Row("", (NOTICED, ANSWERED, RESOLVED, replace(TABLE, width=24, height=6))),
        Row("How long it takes", (DELAY, TOLD, ACKNOWLEDGED, OVER)),
        Row("Which ones", (REASONS, HEAT, BY_SERVICE, OUTAGES_BY)),
    ),
    ("datasource", "service", "monitor_url"),
    "now-7d",
)
