"""Monitor: whether it is there, sees, is in time, and gets its words through."""

from grafana.frame import Board
from grafana.panels import BLUE, GREEN, ORANGE, RED, Ask, Panel, Row, Steps

YES_NO = ((0, "No", GREEN), (1, "Yes", RED))
GOOD_BAD = ((0, "Bad", RED), (1, "Good", GREEN))
BAD_GOOD_STEPS = Steps(RED, ((1, GREEN),))
ONE_IS_BAD = Steps(GREEN, ((1, RED),))


def big(title: str, says: str, expression: str, unit: str, steps: Steps, **more: object) -> Panel:
    """One of the big numbers on top."""
    return Panel("stat", title, says, (Ask(expression, now=True),), unit, 4, 4, steps, **more)  # type: ignore[arg-type]


TOP = (
    big(
        "Answers",
        "Whether every monitor answered the last scrape. Red: a process is gone or hangs; look at "
        "its log and start it again.",
        'min(up{job="monitor"})',
        "none",
        BAD_GOOD_STEPS,
        words=GOOD_BAD,
        empty="not scraped",
    ),
    big(
        "Blind",
        "Whether no vantage can be believed. Red: no outage can be declared. Look at the network "
        "of the host, and whether the controls are still there.",
        "max(monitor_blind)",
        "none",
        ONE_IS_BAD,
        words=YES_NO,
    ),
    big(
        "Since the last round",
        "Time since every cell that is due at least every minute had been probed once more. Red: "
        "above three minutes; `/readyz` says what is wrong.",
        "max(time() - monitor_last_round_timestamp_seconds)",
        "s",
        Steps(GREEN, ((90, ORANGE), (180, RED))),
        decimals=0,
    ),
    big(
        "Oldest due notice",
        "How long the first due notice has waited without being tried. Red: above a minute, "
        "people are not told; restart the monitor, what is unsent is on disk.",
        "max(monitor_outbox_oldest_pending_seconds)",
        "s",
        Steps(GREEN, ((10, ORANGE), (60, RED))),
        decimals=0,
    ),
    big(
        "Notices given up",
        "Notices that no further attempt is made for. Red: somebody was not told; `monitor notices "
        "--dead` says why, `--redrive` sends them again.",
        "sum(monitor_outbox_dead)",
        "none",
        ONE_IS_BAD,
    ),
    big(
        "Alarms about itself",
        "Alarms that the monitor has raised about itself and that are open. Red: "
        "docs/selfwatch.md says what to do for each.",
        "sum(monitor_self_alarm)",
        "none",
        ONE_IS_BAD,
    ),
)

LATENESS = Panel(
    "series",
    "How late probes begin",
    "Half, and ninety-nine in a hundred, begin this soon after they were due. Above a second "
    "(dashed) an alert fires: the host is short of CPU, or has too many cells.",
    tuple(
        Ask(
            f"histogram_quantile({part}, sum by (le)"
            " (rate(monitor_probe_lateness_seconds_bucket[$__rate_interval])))",
            name,
        )
        for part, name in ((0.5, "half"), (0.99, "99 in 100"))
    ),
    "s",
    8,
    8,
    Steps(GREEN, ((1, RED),)),
    span=(0, None),
)
LATE_MAP = Panel(
    "heatmap",
    "Probes by lateness",
    "How many probes began how late; darker is more. A band that climbs: the host is running full.",
    (
        Ask(
            "sum by (le) (increase(monitor_probe_lateness_seconds_bucket[$__rate_interval]))",
            "{{le}}",
        ),
    ),
    "s",
    8,
    8,
)
STALLS = Panel(
    "series",
    "How long the event loop was held",
    "The ninety-ninth of a hundred holds, and all of them together, in five minutes. While it is "
    "held nothing is probed or sent. Above a second (dashed): the log has what held it.",
    (
        Ask(
            "histogram_quantile(0.99, sum by (le)"
            " (increase(monitor_loop_stall_seconds_bucket[5m])))",
            "99 in 100",
        ),
        Ask("sum(increase(monitor_loop_stall_seconds_sum[5m]))", "together"),
    ),
    "s",
    8,
    8,
    Steps(GREEN, ((1, RED),)),
    span=(0, None),
)
MISSED = Panel(
    "series",
    "Probes missed, stalls, steps of the clock",
    "Probes that were due and did not run, times the watchdog spoke up, steps of the wall clock; "
    "in five minutes. All are 0 on a good day. Missed ones: the host was paused or is short of "
    "CPU.",
    (
        Ask("sum(increase(monitor_missed_runs_total[5m]))", "missed"),
        Ask("sum(increase(monitor_watchdog_stalls_total[5m]))", "stalls"),
        Ask("sum(increase(monitor_clock_steps_total[5m]))", "clock steps"),
        Ask("sum(increase(monitor_results_dropped_total[5m]))", "results dropped"),
    ),
    "none",
    8,
    8,
    Steps(GREEN, ((1, RED),)),
    span=(0, None),
)
PROBES = Panel(
    "series",
    "Probes by outcome",
    "Probes a second. Invalid ones tell of the monitor and not of a target: its loop was held, or "
    "the clock stepped. Blocked ones were refused by an edge. A drop of all: the schedule stands "
    "still.",
    (Ask("sum by (outcome) (rate(monitor_probes_total[$__rate_interval])) > 0", "{{outcome}}"),),
    "ops",
    8,
    8,
    stacked=True,
    span=(0, None),
)
SCRAPES = Panel(
    "series",
    "How long a scrape takes",
    "What Prometheus waits for `/metrics`. It gives up after 10 s; above 0.3 s (dashed) there are "
    "more series than planned for.",
    (Ask('max by (instance) (scrape_duration_seconds{job="monitor"})', "{{instance}}"),),
    "s",
    8,
    8,
    Steps(GREEN, ((0.3, ORANGE),)),
    span=(0, None),
)

PENDING = Panel(
    "series",
    "Notices that wait, by channel",
    "Notices that are owed now. A line that stays up: the receiver does not take them; who stands "
    "in for the channel is told. `monitor notices` shows the answers.",
    (
        Ask("sum by (channel) (monitor_outbox_pending)", "{{channel}}"),
        Ask("sum by (channel) (monitor_outbox_dead)", "{{channel}}, given up"),
    ),
    "none",
    8,
    8,
    Steps(GREEN, ((1, ORANGE),)),
    span=(0, None),
)
ATTEMPTS = Panel(
    "series",
    "Attempts to deliver, by channel and outcome",
    "Attempts a second. Retried without sent: the receiver is away or refuses. Dead: nobody will "
    "be told by this channel until you act.",
    (
        Ask(
            "sum by (channel, outcome) (rate(monitor_notices_total[$__rate_interval]))",
            "{{channel}}: {{outcome}}",
        ),
    ),
    "ops",
    8,
    8,
    span=(0, None),
)
STORE = Panel(
    "series",
    "The store",
    "Changes that wait to be written, and reads or writes that were refused in five minutes. "
    "Anything but 0: free the disk, end what locks the file, start the database; do not restart "
    "the monitor.",
    (
        Ask("max(monitor_changes_waiting)", "changes that wait"),
        Ask("sum(increase(monitor_store_failures_total[5m]))", "refused"),
        Ask("max(monitor_outbox_paused)", "outbox paused"),
    ),
    "none",
    8,
    8,
    ONE_IS_BAD,
    span=(0, None),
)

VANTAGES = Panel(
    "states",
    "Vantages that can be believed",
    "Whether the controls answered each vantage. Red: what it sees does not count; look at its "
    "line or proxy. All red at once: the monitor is blind.",
    (Ask("min by (vantage) (monitor_vantage_healthy)", "{{vantage}}"),),
    "none",
    12,
    6,
    BAD_GOOD_STEPS,
    ((0, "Not believed", RED), (1, "Believed", GREEN)),
)
SELF = Panel(
    "states",
    "Alarms of the monitor about itself",
    "Open alarms by problem. Red: on-call was told directly; docs/selfwatch.md says what to do "
    "for each.",
    (Ask("max by (problem) (monitor_self_alarm)", "{{problem}}"),),
    "none",
    12,
    6,
    ONE_IS_BAD,
    ((0, "Fine", GREEN), (1, "Alarm", RED)),
)

CLOCK = Panel(
    "series",
    "The clock",
    "By how much the wall clock was ahead of the controls', and the last step that was noticed. "
    "More than 5 s off: look at the time service of the host.",
    (
        Ask("max(monitor_clock_offset_seconds)", "ahead by"),
        Ask("max(monitor_clock_last_step_seconds)", "last step"),
    ),
    "s",
    8,
    7,
    Steps(RED, ((-5, GREEN), (5, RED))),
)
COMPARED = Panel(
    "stat",
    "Clock compared",
    "Time since the clock was last compared with the controls. Orange: more than three hours ago; "
    "the controls send no Date, or cannot be reached.",
    (Ask("min(time() - (monitor_clock_compared_timestamp_seconds > 0))", now=True),),
    "dtdurations",
    4,
    7,
    Steps(GREEN, ((3 * 3600, ORANGE),)),
    empty="never",
)
CONFIG = Panel(
    "stat",
    "Configuration",
    "Whether the last configuration that was read was taken. Red: the one before stays in force; "
    "`monitor check-config` names every mistake.",
    (Ask("min(monitor_config_last_reload_successful)", "", now=True),),
    "none",
    4,
    7,
    BAD_GOOD_STEPS,
    ((0, "Refused", RED), (1, "Taken", GREEN)),
)
RELOADS = Panel(
    "series",
    "Reloads of the configuration",
    "How often a new configuration was taken, or refused, in an hour. Refused: `monitor "
    "check-config`.",
    (Ask("sum by (outcome) (increase(monitor_config_reloads_total[1h]))", "{{outcome}}"),),
    "none",
    8,
    7,
    decimals=0,
    span=(0, None),
)
CALENDAR = Panel(
    "stat",
    "Calendar",
    "Dates on which the support calendar differs from the official list, and whether that list "
    "could not be read. Red: `monitor calendar` shows the dates; add them to "
    "`calendar.extra_closed`.",
    (
        Ask("max(monitor_calendar_differences)", "dates that differ", now=True),
        Ask("max(monitor_calendar_list_unreadable)", "list unreadable", now=True),
    ),
    "none",
    6,
    5,
    ONE_IS_BAD,
)
PING = Panel(
    "stat",
    "Calls to who watches the monitor",
    "Calls in an hour to the address that raises an alarm when they stay away. Withheld: the "
    "monitor is unwell and lets them stay away; failed: it does not reach the address.",
    (
        Ask(
            "sum by (outcome) (increase(monitor_pings_total[1h]))",
            "{{outcome}}",
            now=True,
        ),
    ),
    "none",
    7,
    5,
    Steps(BLUE),
    decimals=0,
)
LIST = Panel(
    "stat",
    "Calendar compared",
    "Time since the support calendar was last compared with the official list, which happens once "
    "a day. Orange: more than two days ago; look at `calendar.official`.",
    (Ask("min(time() - (monitor_calendar_compared_timestamp_seconds > 0))", now=True),),
    "dtdurations",
    4,
    5,
    Steps(GREEN, ((2 * 86400, ORANGE),)),
    empty="no list",
)
SUMMED = Panel(
    "stat",
    "History summed up",
    "How far back from now results are summed up to. Red: more than two hours behind, pages will "
    "have gaps; the log says why, the usual cause is a store without room.",
    (Ask("time() - min(monitor_history_summed_until_timestamp_seconds)", now=True),),
    "dtdurations",
    6,
    7,
    Steps(GREEN, ((3600, ORANGE), (7200, RED))),
)
CUT = Panel(
    "stat",
    "Results kept since",
    "Before when PASS results were deleted early, to stay under `history.max_bytes`. Less than a "
    "day ago: raise it if the disk has room. Sums and incidents are not concerned.",
    (Ask("max(monitor_history_cut_timestamp_seconds) * 1000", now=True),),
    "dateTimeFromNow",
    6,
    7,
    words=((0, "never cut", BLUE),),
)
BYTES = Panel(
    "series",
    "What history takes on disk",
    "About how many bytes results and their sums take. Results stay under `history.max_bytes`, "
    "sums grow with the number of cells; a line that climbs without end needs a look at the disk.",
    (Ask("sum by (what) (monitor_history_bytes)", "{{what}}"),),
    "bytes",
    12,
    7,
    stacked=True,
    span=(0, None),
)
VERSION = Panel(
    "table",
    "Versions that run",
    "The version of every monitor that is scraped. Two at once: an upgrade is under way, or was "
    "not finished.",
    (Ask("max by (instance, version) (monitor_build_info)", now=True),),
    "none",
    7,
    5,
    columns=(("instance", "Monitor"), ("version", "Version")),
    empty="not scraped",
)

MONITOR = Board(
    "monitor",
    "Uptime: Monitor",
    "Is the monitor there, does it see, is it in time, and do its words get through?",
    (
        Row("", TOP),
        Row("", (VANTAGES, SELF)),
        Row("In time", (LATENESS, LATE_MAP, STALLS, MISSED, PROBES, SCRAPES)),
        Row("Words", (PENDING, ATTEMPTS, STORE)),
        Row(
            "Clock and configuration",
            (CLOCK, COMPARED, CONFIG, RELOADS, CALENDAR, LIST, PING, VERSION),
        ),
        Row("History", (SUMMED, CUT, BYTES)),
    ),
    ("datasource", "monitor_url"),
    "now-3h",
)
