"""The number of series does not depend on what goes wrong, nor on what remote servers say.

Every way that a probe can end is gone through once with dull texts; what is then on the page is all
there may ever be. Each of 100,000 further results says something that nobody has said before, in
every field that holds text from outside, some of it made to break a label or a line.
"""

from itertools import count, cycle, islice

import pytest

from monitor import __version__
from monitor.metrics import FAMILIES, Metrics, NoticeOutcome, PingOutcome, Told
from monitor.model import (
    CONTROL,
    MONITOR,
    Certificate,
    DecisionReason,
    Evidence,
    FailureKind,
    Impact,
    Outcome,
    Phases,
    Priority,
    Problem,
    Result,
    Step,
    VerdictReason,
)
from tests.test_engine import made_on, running
from tests.test_metrics import samples, wide_estate
from tests.web_fixtures import ESTATE, NINE, incident

RESULTS = 100_000
WAYS = [
    *((outcome, kind) for outcome in (Outcome.FAIL, Outcome.MAINTENANCE) for kind in FailureKind),
    (Outcome.PASS, None),
    (Outcome.BLOCKED, None),
    (Outcome.INVALID, None),
]
REPEATS = 8
HOSTILE = (
    'quote " {number}',
    'line\nprobe_success{{service="crm"}} 1 {number}',
    '"}} 1\nmonitor_blind 1 {number}\n# EOF\n',
    'back\\slash \\n \\" {number}',
    "percent %s %d %(x)s %% {number}",
    "nul \x00 and \x1b[31m {number}",
    "\u202eright to left {number} \U0001f525",
    "# TYPE probe_success counter {number}",
    "{{}} {number}",
    "long " + "x" * 200 + " {number}",
)


def words_of(estate, channels):
    """What each label may say: names of the configuration and words of closed lists."""
    cells = [cell.key for cell in estate.cells()]
    return {
        "service": {s.name for s in estate.services} | {CONTROL, MONITOR},
        "check": {key.check for key in cells},
        "target": {key.target for key in cells},
        "vantage": {vantage.name for vantage in estate.vantages},
        "channel": set(channels),
        "phase": set(Phases.__slots__),
        "kind": {*FailureKind, *Outcome, "none"},
        "outcome": {*Outcome, *NoticeOutcome, *PingOutcome, "taken", "refused"},
        "impact": set(Impact),
        "priority": set(Priority),
        "route": set(Told),
        "reason": {*DecisionReason, *VerdictReason},
        "support": {"open", "closed"},
        "by": {"tenant", "anonymous"},
        "problem": set(Problem),
        "what": {"results", "sums"},
        "version": {__version__},
    }


def strange(metrics, estate, channels=()):
    """The labels on the page that say something else; bounds of buckets are numbers."""
    words = words_of(estate, channels)
    said = {pair for _, labels in samples(metrics) for pair in labels}
    return {(name, text) for name, text in said if name != "le" and text not in words[name]}


def dull(_number):
    return "refused"


def hostile(number):
    return HOSTILE[number % len(HOSTILE)].format(number=number)


def evidence(text):
    return Evidence(
        message=text,
        asked=text,
        address=text,
        status=503,
        status_line=text,
        headers=(("server", text), ("ratelimit-limit", text), ("ratelimit-remaining", text)),
        body=text,
        tls_version=text,
        certificate=Certificate(text, text, (text,), NINE, NINE, NINE),
        warnings=(text,),
        steps=(Step(text, text, Outcome.FAIL, 0.1, text, text),),
    )


def results(cells, say):
    """Results without end: every cell ends a few times in the first way, then in the second ..."""
    numbers = count()
    for way in cycle(WAYS):
        for cell in cells * REPEATS:
            number = next(numbers)
            text = say(number)
            yield (
                cell,
                Result(
                    text,
                    cell.key,
                    text,
                    1.0,
                    1.25,
                    NINE,
                    *way,
                    Phases(0.001, 0.002),
                    evidence(text),
                ),
            )


def a_round(estate):
    """How many results it takes until every cell has ended in every way."""
    return len(WAYS) * REPEATS * len(estate.cells())


def drive(metrics, estate, say, number):
    for cell, seen in islice(results(estate.cells(), say), number):
        metrics.result(cell, seen, 0.001)


def new_series(metrics, estate, number):
    """The series that come or go while `number` results say something hostile."""
    drive(metrics, estate, dull, a_round(estate))
    before = samples(metrics).keys()
    drive(metrics, estate, hostile, number)
    return samples(metrics).keys() ^ before


def test_every_label_has_a_closed_list_of_words():
    assert {label for family in FAMILIES for label in family.labels} <= set(
        words_of(wide_estate(), ())
    )


def test_a_hundred_thousand_distinct_errors_make_no_series():
    estate = wide_estate()
    assert RESULTS % a_round(estate) == 0, "or the last ends differ by right"
    assert len({hostile(number) for number in range(RESULTS)}) == RESULTS
    metrics = Metrics(estate, [])
    assert new_series(metrics, estate, RESULTS) == set()
    assert strange(metrics, estate) == set()


class CountsByMessage(Metrics):
    """What must not be: a counter that says what a server said."""

    def result(self, cell, result, lateness):
        super().result(cell, result, lateness)
        message = result.evidence.message
        self._counters["monitor_probes_total"].labels(cell.key.service, "fail", message).inc()


class ShowsTheMessage(Metrics):
    """What must not be: the line of a cell that says what a server said."""

    def result(self, cell, result, lateness):
        super().result(cell, result, lateness)
        shown = self._cells._lines["probe_failure_info"]
        message = result.evidence.message.replace("\\", "").replace('"', "").replace("\n", "")
        shown[cell.key] = f'probe_failure_info{{kind="{message}"}} 1.0\n'


@pytest.mark.parametrize("faulty", [CountsByMessage, ShowsTheMessage])
def test_a_message_in_a_label_would_be_found(faulty):
    metrics = faulty(ESTATE, [])
    assert new_series(metrics, ESTATE, a_round(ESTATE))
    assert strange(metrics, ESTATE)


async def test_what_people_and_servers_say_is_in_no_label_after_a_whole_outage(sqlite_url):
    """Probes, judge, store and metrics together: hundreds of distinct errors make one incident."""
    numbers = count()

    async def probe(cell, ask):
        fails = cell.key.service != CONTROL
        text = hostile(next(numbers))
        at = made.world.watch
        return Result(
            ask.id,
            cell.key,
            cell.target.fingerprint,
            at.mono,
            at.mono,
            at.at,
            Outcome.FAIL if fails else Outcome.PASS,
            FailureKind.CONNECT if fails else None,
            evidence=evidence(text),
        )

    async with made_on(sqlite_url) as made:
        made.engine._probes = {"http": probe}
        async with running(made.engine):
            while not made.mind.open or next(numbers) < 200:
                await made.ask_all(CONTROL)
                await made.ask_all("crm")
                made.world.watch.passes(1)
            opened = next(iter(made.mind.open.values()))
            await made.engine.acknowledge(opened.number, hostile(0))
            await made.engine.note(opened.number, hostile(1), hostile(2))
            made.engine._show(made.world.watch.clock.now())
        shown = {"service": "crm", "priority": opened.priority.value}
        assert made.metric("monitor_incidents_open", **shown) >= 1
        assert made.metric(
            "monitor_acknowledge_seconds_count", priority=opened.priority.value, support="closed"
        )
        assert strange(made.metrics, made.mind.estate) == set()


def test_what_an_incident_says_is_in_no_label():
    estate = wide_estate()
    metrics = Metrics(estate, [])
    before = samples(metrics).keys()
    for number in range(100):
        text = hostile(number)
        one = incident(
            number, title=text, scope=text, known_by=text, acknowledged_by=text, checks=(text,)
        )
        metrics.incident_opened(one, 9.0)
        metrics.notice_delay(one, 1.0)
        metrics.incident_acknowledged(one, 60.0)
        metrics.incident_resolved(one, 600.0)
    assert samples(metrics).keys() == before
    assert samples(metrics, openmetrics=True).keys() == before
