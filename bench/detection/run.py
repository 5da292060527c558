"""Our detector in a labelled world, on virtual time.

Scheduled as in production: cells at even phases of their interval, an action's probes when it
asks, a tick at every wake (to 20 ms) and at least once a second. While the host is stopped nothing
is sent, read or ticked; a probe that was under way then comes out INVALID, as the prober says of
itself. A restarted detector is given what the engine would give it: what had been recorded until
about a second before, and every outage that was open.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil, inf

from bench.detection.world import World, ruled, wall
from monitor import detection, timetable
from monitor.detection import Declared, Probe, Sent, State, Tick, WindowClosed
from monitor.engine.recalled import results_recalled
from monitor.maintenance import WindowWatch, excused
from monitor.model import CellKey, Estate, Outcome, Result, Rules, Stage

_WHENEVER = datetime(2026, 1, 1, tzinfo=UTC)
_STALL = 0.25
_QUICK = 0.5
_GRAIN = 0.02
_UNRECORDED = 1.0
"""Seconds of results that a process takes with it when it is killed."""
_TICK, _FIRE, _ASK, _ANSWER, _WAKE, _RESTART = range(6)


@dataclass(frozen=True, slots=True)
class Variant:
    """What of our detector is taken away, to see what it was good for."""

    name: str
    rules: Rules | None = None
    staggered: bool = True
    controls: bool = True


OURS = Variant("ours")
ABLATIONS = (
    Variant("no stagger", staggered=False),
    Variant("no controls", controls=False),
    Variant("no demotion", rules=Rules(demoted_share=0.0)),
    Variant("no score", rules=Rules(score_needed=0.0)),
    Variant("no second round", rules=Rules(rounds_needed=1, rounds_one_location=1)),
)


@lru_cache(maxsize=32)
def due_times(estate: Estate, *, staggered: bool = True) -> tuple[tuple[float, list], ...]:
    """Per interval: what is due when in it, in order."""
    trains: dict[float, list[tuple[float, CellKey]]] = {}
    for slot in timetable.slots(estate.cells()):
        for delay, key in slot.starts:
            due = slot.offset + delay if staggered else 0.0
            trains.setdefault(slot.interval, []).append((due, key))
    return tuple((interval, sorted(train)) for interval, train in trains.items())


@lru_cache(maxsize=32)
def _without_controls(estate: Estate) -> Estate:
    return replace(estate, controls=())


@lru_cache(maxsize=64)
def _ruled(estate: Estate, rules: Rules) -> Estate:
    return ruled(estate, rules)


@lru_cache(maxsize=32)
def _known(estate: Estate) -> tuple[tuple[CellKey, str], ...]:
    return tuple((cell.key, cell.target.fingerprint) for cell in estate.cells())


class Run:
    """One world and one detector, from 0 until the world ends.

    `declared` is every Declared in order; `scheduled` and `asked` count the probes of the
    timetable and those that detection asked for, without the controls'.
    """

    def __init__(self, world: World, variant: Variant = OURS) -> None:
        estate = world.estate if variant.controls else _without_controls(world.estate)
        self.estate = _ruled(estate, variant.rules) if variant.rules else estate
        self.world = world
        self.declared: list[Declared] = []
        self.scheduled = self.asked = 0
        self._known = dict(_known(self.estate))
        self._state = self._fresh_state()
        self._queue: list[tuple] = []
        self._order = 0
        self._asleep_until = 0.0
        self._ids = 0
        self._recorded: deque[Result] | None = None
        if any(event.restarts for event in world.host):
            self._recorded = deque(maxlen=results_recalled(self.estate))
        self._windows = WindowWatch(self.estate, wall(0.0)) if self.estate.windows else None
        self._wakes_at = inf
        self._generation = 0
        self._trains = due_times(self.estate, staggered=variant.staggered)
        for place, (_, train) in enumerate(self._trains):
            self._at(train[0][0], _FIRE, (place, 0, 0))
        for event in world.host:
            self._at(event.at, _RESTART, event)
        self._at(0.0, _TICK, None)

    def _fresh_state(self) -> State:
        worked = self._known.items() if self.world.worked else ()
        return detection.new_state(self.estate, worked=worked)

    def go(self) -> "Run":
        """Let the whole of it happen."""
        acts = {
            _TICK: self._tick,
            _FIRE: self._fire,
            _ASK: self._ask,
            _ANSWER: self._answered,
            _WAKE: self._wake,
            _RESTART: self._stop,
        }
        queue, end, last = self._queue, self.world.end, 0.0
        while queue and queue[0][0] <= end:
            due, order, act, what = heapq.heappop(queue)
            if due < self._asleep_until:
                heapq.heappush(queue, (self._asleep_until, order, act, what))
                continue
            last = max(last, due)
            acts[act](last, what)
        return self

    def _at(self, when: float, act: int, what) -> None:
        self._order += 1
        heapq.heappush(self._queue, (when, self._order, act, what))

    def _fire(self, now: float, what: tuple[int, int, int]) -> None:
        place, lap, position = what
        interval, train = self._trains[place]
        spot = self.world.spots[train[position][1]]
        self.scheduled += spot.judged
        self._send(now, spot.key, fresh=False)
        position += 1
        if position == len(train):
            lap, position = lap + 1, 0
        due = lap * interval + train[position][0]
        while due < self._asleep_until - interval:
            lap, due = lap + 1, due + interval
        self._at(due, _FIRE, (place, lap, position))

    def _ask(self, now: float, what: tuple[int, tuple[CellKey, ...]]) -> None:
        generation, cells = what
        if generation != self._generation:
            return
        for key in cells:
            self.asked += self.world.spots[key].judged
            self._send(now, key, fresh=True)

    def _send(self, now: float, key: CellKey, *, fresh: bool) -> None:
        """Send a probe. Detection is told, but of one in a window, and of one that is answered
        before anybody could miss it: that saves a quarter of the work and changes nothing.
        """
        spot = self.world.spots[key]
        self._ids += 1
        id_ = str(self._ids)
        window = None if self._windows is None else self._windows.covering(key, wall(now))
        seconds, outcome, kind = self.world.answer(spot, now, fresh=fresh)
        quick = not fresh and seconds < _QUICK and not self.world.host
        if window is None and not quick:
            self._step(Sent(key, id_, now, spot.timeout), now)
        self._at(now + seconds, _ANSWER, (id_, key, now, seconds, outcome, kind, window))

    def _answered(self, now: float, what: tuple) -> None:
        id_, key, sent, seconds, outcome, kind, window = what
        if now - sent - seconds > _STALL:
            outcome, kind = Outcome.INVALID, None
        if self._generation and sent < self._asleep_until <= now:
            return
        fingerprint = self._known[key]
        result = Result(id_, key, fingerprint, sent, now, _WHENEVER, outcome, kind)
        if window is not None:
            result = excused(result, window)
        if self._recorded is not None and not self.world.spots[key].control:
            self._recorded.append(result)
        self._step(result, now)

    def _tick(self, now: float, _: object) -> None:
        if self._windows is not None and (closed := self._windows.closed(wall(now))):
            self._step(WindowClosed(closed), now)
        self._step(Tick(), now)
        self._at(now + 1.0, _TICK, None)

    def _wake(self, now: float, wake: float) -> None:
        if wake == self._wakes_at:
            self._wakes_at = inf
            self._step(Tick(), now)

    def _stop(self, now: float, event) -> None:
        self._asleep_until = now + event.seconds
        if event.restarts:
            self._generation += 1
            self._wakes_at = inf
            self._state = self._fresh_state()
            seen = [r for r in self._recorded or () if r.observed_mono <= now - _UNRECORDED]
            detection.recall(self._state, seen, self._asleep_until)
            for one in _open(self.declared):
                detection.resume(self._state, one, self._asleep_until)

    def _step(self, event, now: float) -> None:
        state = self._state
        for action in detection.step(state, event, now):
            if isinstance(action, Probe):
                self._at(max(now, action.at), _ASK, (self._generation, action.cells))
            else:
                self.declared.append(action)
        wake = detection.wake_at(state)
        if wake < self._wakes_at:
            self._wakes_at = wake
            self._at(max(now, wake, ceil(wake / _GRAIN) * _GRAIN), _WAKE, wake)


def _open(declared: list[Declared]) -> Iterator[Declared]:
    """The newest word on every outage that is not closed: what a store would hold."""
    newest = {}
    for one in declared:
        newest[one.unit, detection.track_of(one.impact, one.reason)] = one
    return (one for one in newest.values() if one.stage is not Stage.CLOSED)
