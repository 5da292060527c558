"""The watchdog: real threads, real loops that stand still, and the real program."""

import asyncio
import json
import threading

import pytest
from structlog.testing import capture_logs

from monitor.demo.places import Ports
from monitor.selfwatch.watchdog import PATIENT, Patience, Stall, Watchdog
from tests.running import PATIENCE, monitor, write_config

SHORT = Patience(told_after=0.1, ended_after=0.3, turn=0.01)
SECONDS = 30


class Seen:
    """What a watchdog did, as events that a thread can wait for."""

    def __init__(self):
        self.told = threading.Event()
        self.ended = threading.Event()


def watchdog(seen, patience=SHORT):
    return Watchdog(told=seen.told.set, end=seen.ended.set, patience=patience)


def holds_the_loop_until(event):
    """Blocks whoever calls it; the name is to be found in a stack."""
    assert event.wait(SECONDS)


@pytest.fixture
def seen():
    return Seen()


async def test_a_blocked_loop_is_told_with_the_stack_that_holds_it_and_then_ended(seen):
    dog = watchdog(seen)
    beating = asyncio.create_task(dog.beat())
    await asyncio.sleep(0)
    with capture_logs() as logs:
        dog.start()
        holds_the_loop_until(seen.told)
        holds_the_loop_until(seen.ended)
        dog.stop()
    beating.cancel()
    first, last = logs
    assert first["event"] == "the event loop does not turn"
    assert "holds_the_loop_until" in first["stack"]
    assert first["seconds"] >= SHORT.told_after
    assert last["event"] == "the event loop does not turn: the process ends"
    assert last["seconds"] >= SHORT.ended_after


async def test_a_loop_that_turns_is_left_alone(seen):
    looks, many = [], threading.Event()

    def clock():
        looks.append(None)
        if len(looks) == 600:  # without beats, 250 would do
            many.set()
        return 3600.0 * len(looks)  # every look finds that two turns have passed

    patience = Patience(told_after=0.5, ended_after=1.0, turn=0.001)
    dog = Watchdog(told=seen.told.set, end=seen.ended.set, patience=patience, monotonic=clock)
    beating = asyncio.create_task(dog.beat())
    dog.start()
    assert await asyncio.to_thread(many.wait, SECONDS)
    dog.stop()
    beating.cancel()
    assert not seen.told.is_set()


def silence(*looks, patience=PATIENT):
    """What each look said, of (seconds since the one before, whether there was a beat)."""
    now, beats = 0.0, 0
    stall = Stall(patience, now, beats)
    said = []
    for passed, beat in looks:
        now, beats = now + passed, beats + beat
        said.append(stall.look(now, beats))
    return said


def test_silence_is_told_at_ten_seconds_and_again_at_sixty_and_not_between():
    said = silence(*[(1.0, False)] * 70)
    assert {n: s for n, s in enumerate(said, 1) if s is not None} == {10: 10.0, 60: 60.0}


def test_a_beat_begins_anew():
    assert set(silence(*[(1.0, False)] * 9, (1.0, True), *[(1.0, False)] * 9)) == {None}


def test_a_stall_that_ended_may_be_told_again():
    said = silence(*[(1.0, False)] * 12, (1.0, True), *[(1.0, False)] * 12)
    assert [s for s in said if s is not None] == [10.0, 10.0]


def test_a_machine_that_slept_was_not_stalled():
    assert silence((1.0, True), (8 * 3600.0, False), (1.0, True)) == [None, None, None]


def test_a_process_that_is_stopped_again_and_again_was_not_stalled():
    assert set(silence(*[(600.0, False), (1.0, True)] * 20)) == {None}


# --------------------------------------------------------------------------- in the program


async def test_the_program_tells_where_it_hangs_and_ends_with_exit_code_1(tmp_path):
    path, url = write_config(tmp_path, Ports.free(), "http://127.0.0.1:1/hook")
    async with monitor(path, url, program=("tests.stalled",)) as running:

        async def alive():
            return (await running.client.get("/healthz")).status_code == 200

        await running.until("it is alive", alive)
        path.with_name("stall").touch()
        async with asyncio.timeout(PATIENCE):
            assert await running.process.wait() == 1
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    told = [line for line in lines if line["event"].startswith("the event loop does not turn")]
    assert [line["level"] for line in told] == ["error", "error"]
    assert "stands_still" in told[0]["stack"]
    assert told[-1]["event"].endswith("the process ends")
