"""The recorder: every result becomes a line, and nothing ever waits for it."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.config import ConfigError, load
from monitor.engine.recorder import Recorder, line_of
from monitor.model import (
    CONTROL,
    SHARED,
    CellKey,
    Evidence,
    EvidenceKind,
    FailureKind,
    Need,
    Outcome,
    Result,
)
from monitor.replay import read_history
from tests.estates import check, controls, estate, service
from tests.outbox_fixtures import until
from tests.test_engine import at_once, made_on, running

CELLS = {str(each.key): each for each in estate().cells()}
ACME = CELLS["crm/sign-in/acme/leeds"]
PLENTY = 1 << 30


def result(number=1, cell=ACME, outcome=Outcome.PASS, **more):
    sent = 1000.0 + number
    return Result(
        f"r{number}",
        cell.key,
        "f",
        sent,
        sent + 0.25,
        datetime.fromtimestamp(1.8e9 + number, UTC),
        outcome,
        **more,
    )


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.jsonl"


def recorded(path, results, max_bytes=PLENTY):
    recorder = Recorder(path, max_bytes)
    for each in results:
        recorder.record(ACME, each, asked=False)
    recorder.close()
    return recorder


def ids(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_a_result_is_read_back_as_it_was_recorded(file):
    failed = result(
        outcome=Outcome.FAIL,
        failure=FailureKind.STATUS,
        evidence=Evidence(message='status 503\n"\u2028'),
    )
    recorder = Recorder(file, PLENTY)
    recorder.record(ACME, failed, asked=True)
    recorder.close()

    history = read_history(file)
    (line,) = history.lines
    assert line.cell == CellKey("crm", "sign-in", "acme", "leeds")
    assert (line.outcome, line.failure) == (Outcome.FAIL, FailureKind.STATUS)
    assert line.message == 'status 503\n"\u2028'
    assert (line.at, line.sent, line.id, line.asked) == (1.8e9 + 1, 1.8e9 + 0.75, "r1", True)
    facts = history.cells[line.cell]
    assert (facts.group, facts.network, facts.tenant) == ("blue", "net-b", "acme")
    assert (facts.interval, facts.timeout) == (30.0, 10.0)


def test_what_is_usual_is_not_told():
    assert set(json.loads(line_of(ACME, result(), asked=False))) == {
        *("at", "sent", "service", "check", "target", "vantage", "outcome", "network"),
        *("interval", "timeout", "id", "group", "tenant"),
    }


def test_controls_and_degrading_checks_are_told_apart(file):
    watched = estate(service("crm", check(need=Need.DEGRADING)))
    recorder = Recorder(file, PLENTY)
    for cell in watched.cells():
        recorder.record(cell, result(cell=cell), asked=False)
    recorder.close()

    cells = read_history(file).cells
    assert {key.service for key in cells} == {"crm", CONTROL}
    assert {f.need for k, f in cells.items() if k.service == "crm"} == {Need.DEGRADING}
    assert {facts.tenant for facts in cells.values()} == {SHARED}


def test_how_a_check_learns_is_told(file):
    witness = replace(check(), evidence=EvidenceKind.PASSIVE, real_users=True)
    first, *others = controls()
    watched = replace(
        estate(service("crm", witness)), controls=(replace(first, edge="waf"), *others)
    )
    recorder = Recorder(file, PLENTY)
    for cell in watched.cells():
        recorder.record(cell, result(cell=cell), asked=False)
    recorder.close()

    cells = read_history(file).cells
    of_crm = [facts for key, facts in cells.items() if key.service == "crm"]
    assert {(f.evidence, f.real_users) for f in of_crm} == {(EvidenceKind.PASSIVE, True)}
    assert {f.edge for k, f in cells.items() if k.check == "control-0"} == {"waf"}


def test_a_recording_is_gone_on_with_after_a_restart(file):
    recorded(file, [result(1)])
    recorded(file, [result(2)])

    assert ids(file) == ["r1", "r2"]


def test_a_line_torn_by_a_crash_is_taken_away(file):
    recorded(file, [result(1)])
    with file.open("a") as torn:
        torn.write('{"at": "2027' + "x" * 100_000)
    recorded(file, [result(2)])

    assert ids(file) == ["r1", "r2"]


def test_at_its_size_the_file_begins_anew_and_one_older_one_is_kept(file):
    for number in range(1, 6):
        recorded(file, [result(number)], max_bytes=600)

    older = file.with_name(file.name + ".1")
    assert (ids(older), ids(file)) == (["r3", "r4"], ["r5"])
    assert len(list(file.parent.iterdir())) == 2


def test_only_its_owner_may_read_the_file(file):
    recorded(file, [result()])

    assert file.stat().st_mode & 0o777 == 0o600


class Blocking:
    """A result that takes as long to write as a test wants."""

    def __init__(self):
        self.reached, self.released = threading.Event(), threading.Event()

    @property
    def observed_mono(self):
        self.reached.set()
        self.released.wait(10)
        return 0.0

    def __getattr__(self, name):
        return getattr(result(0), name)


def test_what_finds_the_queue_full_is_dropped_and_counted(file):
    blocking = Blocking()
    recorder = Recorder(file, PLENTY, waiting=2)
    recorder.record(ACME, blocking, asked=False)
    assert blocking.reached.wait(10)
    for number in range(1, 6):
        recorder.record(ACME, result(number), asked=False)
    assert recorder.dropped == 3

    blocking.released.set()
    recorder.close()
    assert ids(file) == ["r0", "r1", "r2"]


async def test_what_cannot_be_written_is_dropped_and_counted_until_it_can_be(tmp_path):
    file = tmp_path / "later" / "results"
    recorder = Recorder(file, PLENTY)
    recorder.record(ACME, result(1), asked=False)
    await until(lambda: recorder.dropped == 1)
    file.parent.mkdir()
    recorder.record(ACME, result(2), asked=False)
    recorder.close()

    assert (recorder.dropped, ids(file)) == (1, ["r2"])


async def test_the_engine_records_every_result_and_which_of_them_detection_asked_for(
    sqlite_url, file
):
    async with made_on(sqlite_url) as made:
        made.engine._recorder = Recorder(file, PLENTY)
        async with running(made.engine):
            await made.ask_all(CONTROL)
            await made.ask_all()
            made.world.watch.passes(0.2)
            made.world.answers["crm"] = at_once
            await made.ask_all()
            made.world.watch.passes(0.01)
            await until(lambda: len(made.world.asked) > 39 + 2)
        await made.engine.finish()

    lines = read_history(file).lines
    planned = [line for line in lines if not line.asked]
    assert len(planned) == 9 + 15 + 15
    assert sum(line.cell.service == CONTROL for line in planned) == 9
    assert any(line.asked and line.outcome is Outcome.FAIL for line in lines)


# --------------------------------------------------------------------------- configuration


@pytest.fixture
def history(tmp_path):
    def read(text):
        file = tmp_path / "checks.yaml"
        checks = "[{name: a, url: 'https://a.example.com/'}]"
        file.write_text(f"history: {text}\nservices: {{crm: {{checks: {checks}}}}}\n")
        return load(file, {}).history

    return read


def test_nothing_is_recorded_unless_it_is_asked_for(history):
    assert history("{pass_hours: 1}").record is None


def test_where_and_how_much_is_recorded_is_configured(history):
    read = history("{record: results.jsonl, record_max_bytes: 5MiB}")

    assert (read.record, read.record_max_bytes) == ("results.jsonl", 5 << 20)
    assert replace(read, record_max_bytes=1 << 30) == history("{record: results.jsonl}")


@pytest.mark.parametrize("size", ["5 pounds", "0", "-1", "2000GiB", "true", "1.5GiB"])
def test_a_size_that_is_none_is_a_mistake(history, size):
    with pytest.raises(ConfigError, match=r"history\.record_max_bytes: .*(no size|at most 1024)"):
        history(f"{{record_max_bytes: {size}}}")
