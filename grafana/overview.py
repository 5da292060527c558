"""Overview: whether everything is up for everyone, and if not, who is on it."""

from grafana.frame import INCIDENT, TO_SERVICE, Board, to
from grafana.panels import BLUE, GREEN, GREY, ORANGE, RED, Ask, Panel, Row, Steps

IMPACTS = (
    (0, "Up for everyone", GREEN),
    (1, "Not known", GREY),
    (2, "Down for some", ORANGE),
    (3, "Down for everyone", RED),
)
IMPACT_STEPS = Steps(GREEN, ((1, GREY), (2, ORANGE), (3, RED)))
IMPACT = """max by (service) (
  0 * monitor_service_impact{impact="none",service=~"$service"}
  or 1 * monitor_service_impact{impact="unknown",service=~"$service"}
  or 2 * monitor_service_impact{impact="some",service=~"$service"}
  or 3 * monitor_service_impact{impact="all",service=~"$service"}
)"""

SERVICES = Panel(
    "stat",
    "Is everything up for everyone?",
    "Each service as the monitor judges it now. Red: it is down for everyone, on-call has been "
    "told; click it to see what fails and since when. Grey: the monitor cannot tell, look at its "
    "own dashboard.",
    (Ask(IMPACT, "{{service}}", now=True),),
    "none",
    24,
    6,
    IMPACT_STEPS,
    IMPACTS,
    TO_SERVICE,
    empty="no monitor is scraped",
)

OPEN = Panel(
    "stat",
    "Open incidents",
    "Incidents that are not resolved. Red: at least one is business critical. The table below has "
    "them all; open the oldest first.",
    (
        Ask(
            'sum(monitor_incidents_open{priority="critical",service=~"$service"})',
            "critical",
            now=True,
        ),
        Ask(
            'sum(monitor_incidents_open{priority="standard",service=~"$service"})',
            "standard",
            now=True,
        ),
    ),
    "none",
    5,
    5,
    Steps(GREEN, ((1, RED),)),
    link=to("incidents", "Show incidents"),
)

CLOCK = Panel(
    "stat",
    "Response clock",
    "Time left until the nearest promised response that nobody has given yet. Orange: less than an "
    "hour. Red: less than half an hour, or late; acknowledge the incident or call who is on call.",
    (Ask('min(monitor_response_left_seconds{service=~"$service"})', now=True),),
    "dtdurations",
    5,
    5,
    Steps(RED, ((1800, ORANGE), (3600, GREEN))),
    empty="nothing is owed",
)

SUPPORT = Panel(
    "stat",
    "Support",
    "Whether support is open by the calendar. Closed is no fault: critical incidents still wake "
    "on-call. Wrong hours: `monitor calendar` prints the year.",
    (Ask("max(monitor_support_open)", now=True),),
    "none",
    3,
    5,
    Steps(BLUE),
    ((0, "Closed", BLUE), (1, "Open", GREEN)),
)

OPENING = Panel(
    "stat",
    "Support opens in",
    "Time until support opens next. What is no emergency and happens while it is closed waits "
    "until then. Never red.",
    (Ask("min(monitor_support_next_opening_seconds)", now=True),),
    "dtdurations",
    4,
    5,
)

SIGHT = Panel(
    "stat",
    "The monitor",
    "Whether the monitor answers and sees. Red: it is down or blind, and everything else here is "
    "old; open the Monitor dashboard.",
    (
        Ask(
            'min(up{job="monitor"}) * (1 - max(monitor_blind)) or min(up{job="monitor"})',
            now=True,
        ),
    ),
    "none",
    3,
    5,
    Steps(RED, ((1, GREEN),)),
    ((0, "Down or blind", RED), (1, "Sees", GREEN)),
    to("monitor", "Show the monitor"),
    empty="not scraped",
)

ALERTS = Panel(
    "stat",
    "Alerts",
    "Alerts of Prometheus that fire now, without the watchdog that always does. Red: a critical "
    "one; the table below names it, docs/dashboards.md says what to do.",
    (
        Ask(
            'count(ALERTS{alertstate="firing",severity="critical"}) or vector(0)',
            "critical",
            now=True,
        ),
        Ask(
            'count(ALERTS{alertstate="firing",severity=~"warning|info"}) or vector(0)',
            "other",
            now=True,
        ),
    ),
    "none",
    4,
    5,
    Steps(GREEN, ((1, RED),)),
)

TABLE = Panel(
    "table",
    "Which incidents are open",
    "The oldest open incident of each service and priority; a click opens its page, with the "
    "evidence and the buttons. Empty is good. A response that is overdue is negative: acknowledge "
    "it.",
    (
        Ask(
            'max by (service, priority) (monitor_incident_number{service=~"$service"}) > 0',
            now=True,
        ),
        Ask(
            "max by (service, priority) (monitor_outage_age_seconds)"
            ' and max by (service, priority) (monitor_incident_number{service=~"$service"}) > 0',
            now=True,
        ),
        Ask(
            'min by (service, priority) (monitor_response_left_seconds{service=~"$service"})',
            now=True,
        ),
    ),
    "none",
    14,
    7,
    CLOCK.steps,
    link=INCIDENT,
    columns=(
        ("Value #A", "Incident"),
        ("service", "Service"),
        ("priority", "Priority"),
        ("Value #B", "Since"),
        ("Value #C", "Response due in"),
    ),
    units=(("Value #B", "dtdurations"), ("Value #C", "dtdurations")),
    colored=("Value #C",),
    empty="",
)

FIRING = Panel(
    "table",
    "Alerts that fire",
    "Every alert of Prometheus that fires now, MonitorWatchdog excepted. docs/dashboards.md has a "
    "section for each: what it means and what to do.",
    (
        Ask(
            "count by (alertname, severity, service)"
            ' (ALERTS{alertstate="firing",severity!="none"})',
            now=True,
        ),
    ),
    "none",
    10,
    7,
    columns=(
        ("alertname", "Alert"),
        ("severity", "Severity"),
        ("service", "Service"),
        ("Value", "How many"),
    ),
    empty="",
)

TIMELINE = Panel(
    "states",
    "Impact over time",
    "When each service was up, down for some, down for everyone, or not known. Marks are "
    "incidents. A red stripe that is over needs no more than a look at its incident.",
    (Ask(IMPACT, "{{service}}"),),
    "none",
    24,
    7,
    IMPACT_STEPS,
    IMPACTS,
    TO_SERVICE,
)


def available(window: str, title: str) -> Panel:
    """The availability of each service over a window that a rule records."""
    return Panel(
        "bars",
        title,
        "The share of the time in which the service was not down for everyone; what nobody could "
        "see and announced maintenance do not count. Red: below 99.9 %, the promise in the "
        "recording rules; see the incidents. The figures for customers are those of `monitor "
        "report`.",
        (
            Ask(
                f'service:monitor_availability:ratio_{window}{{service=~"$service"}}',
                "{{service}}",
                now=True,
            ),
        ),
        "percentunit",
        12,
        6,
        Steps(RED, ((0.999, GREEN),)),
        link=TO_SERVICE,
        decimals=3,
        span=(0.99, 1),
    )


OVERVIEW = Board(
    "overview",
    "Uptime: Overview",
    "Is everything up for everyone, what is open, and who owes a response?",
    (
        Row("", (SERVICES, OPEN, CLOCK, SUPPORT, OPENING, SIGHT, ALERTS, TABLE, FIRING, TIMELINE)),
        Row("Availability", (available("1d", "Last day"), available("30d", "Last 30 days"))),
    ),
    ("datasource", "service", "monitor_url"),
)
