"""Detection on virtual time: a world that answers probes, and what is declared of it.

    sim = Simulation(estate())
    sim.breaks(at=100, until=400, how=refused, where=service("crm"))
    sim.run(600)
    sim.declared  ->  every Declared, in order

The world is scheduled as in production: cells of a service due at even phases, an action's probes
sent when it asks, a tick at every wake and at least once a second.
"""

import heapq
import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor import detection, timetable
from monitor.clock import Now
from monitor.detection import Declared, Probe, Sent, Tick, WindowClosed
from monitor.maintenance import WindowWatch, excused
from monitor.model import CONTROL, Evidence, FailureKind, Once, Outcome, Result, Window

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def passes(_deadline):
    """Answer well in 20 ms."""
    return 0.02, Outcome.PASS, None, ""


def refused(_deadline):
    """Refuse the connection at once."""
    return 0.002, Outcome.FAIL, FailureKind.CONNECT, "[Errno 111] Connection refused"


def status_503(_deadline):
    """Answer 503 in 20 ms."""
    return 0.02, Outcome.FAIL, FailureKind.STATUS, "status 503 Service Unavailable"


def black_hole(deadline):
    """Never answer: the probe gives up at its deadline."""
    return deadline, Outcome.FAIL, FailureKind.TIMEOUT, f"no answer within {deadline:g} s"


def turned_away(_deadline):
    """Answer 403: we are not let in, which says nothing of others."""
    return 0.02, Outcome.BLOCKED, None, "status 403 Forbidden (expected 200-299)"


def slow(seconds):
    """Answer well, late."""
    return lambda _deadline: (seconds, Outcome.PASS, None, "")


def slower_and_slower(world, begins, lasts, slowest):
    """Answer well, but later and later: up to `slowest` seconds after `lasts` seconds."""

    def answer(_deadline):
        return slowest * min(1.0, max(0.0, (world.now - begins) / lasts)), Outcome.PASS, None, ""

    return answer


def invalid(_deadline):
    """The prober says of itself that this means nothing."""
    return 0.3, Outcome.INVALID, None, "the event loop stalled"


def sometimes(share, how=status_503, seed=1):
    """Fail that share of the time, as `how` says."""
    dice = random.Random(seed)

    def answer(deadline):
        return (how if dice.random() < share else passes)(deadline)

    return answer


def of(service=None, *, check=None, target=None, group=None, vantage=None, controls=False):
    """Cells of a service, check, target, group or vantage; `controls`: whether those count too."""

    def where(cell):
        if cell.key.service == CONTROL and not controls:
            return False
        return (
            (service is None or cell.key.service in (service, CONTROL))
            and (check is None or cell.key.check in check)
            and (target is None or cell.key.target in target)
            and (group is None or cell.target.group in group)
            and (vantage is None or cell.key.vantage in vantage)
        )

    return where


class Simulation:
    """One world and one detection state on virtual time from 0."""

    def __init__(self, estate, *, worked=True, resumed=(), start=0.0):
        self.estate = estate
        self.cells = {cell.key: cell for cell in estate.cells()}
        known = [(k, c.target.fingerprint) for k, c in self.cells.items()]
        self.state = detection.new_state(estate, worked=known if worked else ())
        for declared in resumed:
            detection.resume(self.state, declared, start)
        self.now = start
        self.declared: list[Declared] = []
        self.asked_cells = []
        self.sent = 0
        self._faults = []
        self._queue = []
        self._order = itertools.count()
        self._ids = itertools.count()
        self._asleep_until = start
        self._windows = WindowWatch(estate, self.wall(start))
        for slot in timetable.slots(tuple(self.cells.values())):
            for delay, key in slot.starts:
                self._every(slot.interval, start + slot.offset + delay, key)
        self._at(start, self._tick)

    def breaks(self, at, until, how, where):
        """From `at` until `until` the cells `where` answer as `how`."""
        self._faults.append((at, until, how, where))

    def maintenance(self, begins, ends, service="crm", **scope):
        """A maintenance window of a service from `begins` until `ends` is declared."""
        when = Once(self.wall(begins), self.wall(ends))
        self.declares(Window("upgrade", when, (service,), **scope))

    def declares(self, window):
        """A maintenance window is declared."""
        self.estate = replace(self.estate, windows=(*self.estate.windows, window))
        self._windows = WindowWatch(self.estate, self.wall(self.now))

    def pauses(self, at, seconds):
        """This host is stopped: nothing is sent, ticked or read meanwhile."""
        self._at(at, lambda: setattr(self, "_asleep_until", at + seconds))

    def run(self, until):
        """Let virtual time pass."""
        while self._queue and self._queue[0][0] <= until:
            due, planned, order, act = heapq.heappop(self._queue)
            if due < self._asleep_until:
                heapq.heappush(self._queue, (self._asleep_until, planned, order, act))
                continue
            self.now = max(self.now, due)
            act()
        self.now = until
        return self

    def handle(self, event):
        """Move detection by one event; a harness above may override what that means."""
        return detection.step(self.state, event, self.now)

    def reading(self):
        """The clocks now."""
        return Now(START + timedelta(seconds=self.now), self.now)

    def wake(self):
        """When detection wants to be ticked."""
        return detection.wake_at(self.state)

    @property
    def asked(self):
        """How many probes detection asked for, controls and witnesses included."""
        return len(self.asked_cells)

    def wall(self, mono):
        """The wall clock at a time of the monotonic one."""
        return START + timedelta(seconds=mono)

    def leaves(self, sent, window):
        """A probe leaves; in a window its silence says nothing, and detection is not told."""
        if window is None:
            self._step(sent)

    # ------------------------------------------------------------------ inside

    def _at(self, when, act):
        heapq.heappush(self._queue, (when, when, next(self._order), act))

    def _every(self, interval, first, key):
        def fire():
            self._every(interval, first + interval, key)
            self._send(key)

        self._at(first, fire)

    def _send(self, key):
        cell, id_, sent = self.cells[key], f"r{next(self._ids)}", self.now
        self.sent += 1
        window = self._windows.covering(key, self.wall(sent))
        self.leaves(Sent(key, id_, sent, cell.check.timeout), window)
        how = passes
        for at, until, answer, where in self._faults:
            if at <= sent < until and where(cell):
                how = answer
        delay, outcome, kind, text = how(cell.check.timeout)
        if delay > cell.check.timeout:
            delay, outcome, kind, text = black_hole(cell.check.timeout)

        def answered():
            seen = Result(
                id=id_,
                cell=key,
                fingerprint=cell.target.fingerprint,
                sent_mono=sent,
                observed_mono=self.now,
                observed_at=self.reading().at,
                outcome=outcome,
                failure=kind,
                evidence=Evidence(message=text),
            )
            self._step(excused(seen, window))

        self._at(sent + delay, answered)

    def _tick(self):
        closed = self._windows.closed(self.wall(self.now))
        if closed:
            self._step(WindowClosed(closed))
        self._step(Tick())
        change = self._windows.next_change
        due = self.now + 1.0 if change is None else (change - self.wall(0)).total_seconds()
        self._at(max(self.now + 0.001, min(self.now + 1.0, self.wake(), due)), self._tick)

    def _step(self, event):
        for action in self.handle(event):
            if isinstance(action, Probe):
                self.asked_cells += action.cells
                for key in action.cells:
                    self._at(max(self.now, action.at), lambda key=key: self._send(key))
            else:
                self.declared.append(action)
        wake = self.wake()
        if wake <= self.now + 1.0:
            self._at(max(self.now, wake), lambda: self._step_if_due(wake))

    def _step_if_due(self, wake):
        if self.wake() <= wake:
            self._step(Tick())
