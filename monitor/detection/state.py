"""The whole of detection's state, and the one way to move it: `step`.

`step` hands each event to the machine it concerns and gathers what the machines want done. It
also knows what no machine does: which probes are still unanswered and for how long, whether the
vantages can be believed, and that a pause in the ticks means this host was not looking: a FAIL of
a probe that was under way then says nothing.

An unanswered probe passes three points: suspicious silence, silence late enough to count as FAIL
in an impatient round, and lost, when its answer can no longer come. One entry a probe waits in a
heap for the next of them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.detection.doubt import Doubt
from monitor.detection.listener import Listener
from monitor.detection.machine import Machine
from monitor.detection.outages import Outages, Track
from monitor.detection.population import Memory, populations
from monitor.detection.sight import Sight
from monitor.detection.signals import (
    Action,
    Declared,
    Event,
    Probe,
    Sent,
    Span,
    WindowClosed,
)
from monitor.model import (
    MONITOR,
    CellKey,
    Deployment,
    Dimension,
    Estate,
    EvidenceKind,
    Extent,
    Need,
    Outcome,
    Result,
    Rules,
    VerdictReason,
)

Unit = Machine | Listener
"""What judges one population: a machine that asks, or a listener that is told."""

BLIND_UNIT = f"{MONITOR}/sight"
PAUSE = 2.0
"""Seconds without a tick after which this host is taken to have been paused."""

_LOST_AFTER = 2.0
_SILENT, _LATE, _LOST = range(3)


@dataclass(slots=True)
class Unanswered:
    """A probe that has left and not come back.

    `points` are those it has yet to pass; `counted`: taken for a FAIL already.
    """

    cell: CellKey
    sent: float
    points: list[tuple[float, int]]
    counted: bool = False


@dataclass(slots=True)
class State:
    """Everything detection remembers. Made by `new_state`, moved by `step` only."""

    sight: Sight
    rules: Rules
    machines: dict[str, Unit]
    machine_of: dict[CellKey, Unit]
    memories: dict[CellKey, Memory]
    controls: frozenset[CellKey]
    blind_after: float
    blind: Outages
    unanswered: dict[str, Unanswered] = field(default_factory=dict)
    waiting: list[tuple[float, int, str, int]] = field(default_factory=list)
    active: dict[str, Unit] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    last_tick: float | None = None
    void_before: float = float("-inf")
    sequence: int = 0

    def is_blind(self) -> bool:
        """Whether no vantage can be believed, for long enough to have said so."""
        return self.blind.failing(Track.BLIND)


def new_state(
    estate: Estate,
    *,
    worked: Iterable[tuple[CellKey, str]] = (),
) -> State:
    """A state that knows nothing but which cells have `worked` under which fingerprint."""
    sight = Sight(estate.vantages, estate.controls, estate.rules)
    proven = set(worked)
    memories = {
        cell.key: Memory(
            cell.key, cell.target.fingerprint, (cell.key, cell.target.fingerprint) in proven
        )
        for cell in estate.cells()
    }
    machines = _units(estate, memories, sight)
    machine_of = {cell: unit for unit in machines.values() for cell in unit.population.cells}
    return State(
        sight=sight,
        rules=estate.rules,
        machines=machines,
        machine_of=machine_of,
        memories=memories,
        controls=frozenset(sight.control_cells),
        blind_after=_blind_after(estate, machines),
        blind=Outages(BLIND_UNIT, estate.rules),
    )


def _units(estate: Estate, memories: Mapping[CellKey, Memory], sight: Sight) -> dict[str, Unit]:
    doubts = {s.name: Doubt(estate, s, memories, sight) for s in estate.services}
    units: dict[str, Unit] = {}
    told: dict[tuple[str, str | None, Deployment], list[Listener]] = defaultdict(list)
    for population in populations(estate):
        if population.evidence is not EvidenceKind.PASSIVE:
            doubt = doubts[population.service]
            units[population.unit] = Machine(population, memories, sight, doubt)
            continue
        listener = units[population.unit] = Listener(population, memories, sight)
        told[population.service, population.tenant, population.deployment].append(listener)
    for listeners in told.values():
        for listener in listeners:
            blocking = (o for o in listeners if o.population.need is Need.BLOCKING)
            listener.others = tuple(o for o in blocking if o is not listener)
    return units


def _blind_after(estate: Estate, machines: Mapping[str, Unit]) -> float:
    """Seconds without sight before saying so: two intervals, and time to hear of every control."""
    shortest = min((m.population.interval for m in machines.values()), default=30.0)
    slowest = max((check.interval + check.timeout for check in estate.controls), default=0.0)
    return max(2 * shortest, slowest)


def recall(state: State, results: Iterable[Result], now: float) -> None:
    """Take in what an earlier process had seen of services' cells, oldest first.

    Its instants are turned into this process's monotonic seconds beforehand. Nothing is declared
    of it; what failed when that process ended is swept at once. Call it before `resume`.
    """
    for result in results:
        memory = state.memories.get(result.cell)
        machine = state.machine_of.get(result.cell)
        known = memory is not None and memory.fingerprint == result.fingerprint
        if memory is None or machine is None or not known:
            continue
        if result.outcome is not Outcome.INVALID and result.sent_mono > memory.newest_sent:
            memory.note(result)
            machine.recall(memory, result)
    for machine in state.machines.values():
        machine.suspect_recalled(now)
        _note_active(state, machine)


def resume(state: State, declared: Declared, now: float) -> bool:
    """Take up an outage that an earlier process had declared and not closed.

    False, and nothing done, when its unit is no longer configured.
    """
    if declared.unit == BLIND_UNIT:
        state.blind.restore(declared)
        return True
    machine = state.machines.get(declared.unit)
    if machine is None:
        return False
    machine.resume(declared, now)
    _note_active(state, machine)
    return True


def step(state: State, event: Event, now: float) -> list[Action]:
    """Take in one event at monotonic time `now` (never before an earlier one's)."""
    actions: list[Action] = []
    if state.last_tick is not None and now - state.last_tick > PAUSE:
        actions = _paused(state, now - state.last_tick, now)
        state.last_tick = now
    if isinstance(event, Result):
        return actions + _answered(state, event, now)
    if isinstance(event, Sent):
        return actions + _sent(state, event)
    if isinstance(event, WindowClosed):
        return actions + _window_closed(state, event, now)
    return actions + _ticked(state, now)


def wake_at(state: State) -> float:
    """When the next `Tick` is due at the latest; infinity when nothing waits."""
    due = min(state.due.values()) if state.due else float("inf")
    if state.blind.open:
        due = min(due, state.blind.wake_at())
    while state.waiting and state.waiting[0][2] not in state.unanswered:
        heapq.heappop(state.waiting)  # answered meanwhile: nothing waits there
    return min(due, state.waiting[0][0]) if state.waiting else due


def _sent(state: State, event: Sent) -> list[Action]:
    memory = state.memories.get(event.cell)
    if memory is None or event.id in state.unanswered:
        return []
    if event.at <= max(memory.newest_sent, memory.done_sent):
        return []
    points = _points(state, memory, event)
    state.unanswered[event.id] = Unanswered(event.cell, event.at, points)
    _wait_for_next(state, event.id, points)
    return []


def _points(state: State, memory: Memory, event: Sent) -> list[tuple[float, int]]:
    """The points that this probe may pass unanswered, the next one last.

    Where answers are usually slow, what is late comes before what is suspicious.
    """
    points = [(event.at + event.deadline + _LOST_AFTER, _LOST)]
    machine = state.machine_of.get(event.cell)
    rules = state.rules if machine is None else machine.rules
    silent = memory.silence_limit(event.deadline, rules)
    late = machine.rules.late_silence if machine is not None else event.deadline
    sooner, later = (silent, _SILENT), (late, _LATE)
    if late < silent:
        sooner, later = later, sooner
    if later[0] < event.deadline:
        points.append((event.at + later[0], later[1]))
    if sooner[0] < event.deadline:
        points.append((event.at + sooner[0], sooner[1]))
    return points


def _wait_for_next(state: State, id_: str, points: list[tuple[float, int]]) -> None:
    due, what = points.pop()
    state.sequence += 1
    heapq.heappush(state.waiting, (due, state.sequence, id_, what))


def _answered(state: State, result: Result, now: float) -> list[Action]:
    unanswered = state.unanswered.pop(result.id, None)
    memory = state.memories.get(result.cell)
    if memory is None:
        return []
    memory.done(result.sent_mono)
    void = result.outcome is Outcome.FAIL and result.sent_mono < state.void_before
    if void or memory.fingerprint != result.fingerprint:
        return []
    valid = result.outcome is not Outcome.INVALID
    newest = valid and result.sent_mono > memory.newest_sent
    if unanswered is None and not newest:
        return []
    if newest:
        memory.note(result)
    if result.cell in state.controls:
        state.sight.answered(result.cell, result.outcome, result.observed_mono)
        return _control_heard(state, result.cell, now)
    machine = state.machine_of.get(result.cell)
    if machine is None:
        return _control_heard(state, result.cell, now)
    counted = unanswered is not None and unanswered.counted
    actions = machine.result(memory, result, now, counted=counted)
    _note_active(state, machine)
    return actions


def _control_heard(state: State, cell: CellKey, now: float) -> list[Action]:
    """A control or a witness has answered, or gone silent: rounds may wait for it no longer."""
    actions: list[Action] = []
    for machine in list(state.active.values()):
        machine.control_answered(cell)
        actions += machine.tick(now)
        _note_active(state, machine)
    return actions


def _window_closed(state: State, event: WindowClosed, now: float) -> list[Action]:
    actions: list[Action] = []
    concerned = {
        state.machine_of[cell].population.unit for cell in event.cells & state.machine_of.keys()
    }
    for unit in sorted(concerned):
        machine = state.machines[unit]
        actions += machine.window_closed(event.cells, now)
        _note_active(state, machine)
    return actions


def _ticked(state: State, now: float) -> list[Action]:
    state.last_tick = now
    actions: list[Action] = []
    while state.waiting and state.waiting[0][0] <= now:
        _, _, id_, what = heapq.heappop(state.waiting)
        unanswered = state.unanswered.get(id_)
        if unanswered is not None:
            actions += _unanswered_for_long(state, id_, unanswered, what, now)
    state.sight.notice(now)
    actions += _watch_sight(state, now)
    for machine in list(state.active.values()):
        actions += machine.tick(now)
        _note_active(state, machine)
    return actions


def _unanswered_for_long(
    state: State, id_: str, unanswered: Unanswered, what: int, now: float
) -> list[Action]:
    """A probe has passed one of its three points."""
    cell, sent = unanswered.cell, unanswered.sent
    if what == _LOST:
        del state.unanswered[id_]
        state.memories[cell].done(sent)
        if cell in state.machine_of and not unanswered.counted:
            state.machine_of[cell].lost(cell, sent)
        return []
    _wait_for_next(state, id_, unanswered.points)
    if cell in state.controls:
        state.sight.fell_silent(cell)
        return _control_heard(state, cell, now)
    machine = state.machine_of.get(cell)
    if machine is None:
        return _control_heard(state, cell, now)
    if what == _LATE:
        unanswered.counted = machine.late(cell, sent, now)
        return []
    actions = machine.silent(cell, sent, now)
    _note_active(state, machine)
    return actions


def _paused(state: State, gap: float, now: float) -> list[Action]:
    """This host was not looking: silence means nothing, timers move on, controls come first."""
    state.void_before = now
    for unanswered in state.unanswered.values():
        state.memories[unanswered.cell].done(unanswered.sent)
    state.unanswered.clear()
    state.waiting.clear()
    state.sight.forget_silence()
    state.sight.shift(gap)
    state.blind.shift(gap)
    actions: list[Action] = []
    if state.controls:
        actions.append(Probe(state.sight.control_cells, now))
    for machine in state.machines.values():
        machine.paused(gap, now)
        _note_active(state, machine)
    return actions


def _watch_sight(state: State, now: float) -> list[Action]:
    """Say that we are blind, that we see again, and close it when that has lasted."""
    none_since = state.sight.none_since
    told: list[Declared] = []
    if none_since is not None and now - none_since > state.blind_after:
        told = state.blind.declare(
            Track.BLIND,
            reason=VerdictReason.BLIND,
            extent=Extent(Dimension.EVERYONE),
            began=Span(None, none_since),
            known_by="No vantage's control targets answer.",
            results=(),
            now=now,
        )
    seeing = state.sight.seeing_since
    if seeing is not None and now - seeing >= state.rules.control_fresh:
        told = state.blind.recover(Track.BLIND, Span(None, seeing), now)
    return [*told, *state.blind.close_watched(now)]


def _note_active(state: State, machine: Unit) -> None:
    """Keep what has something to do, and when. Called after every move of a machine."""
    unit = machine.population.unit
    due = float("inf") if machine.idle() else machine.wake_at()
    if due < float("inf"):
        state.active[unit] = machine
        state.due[unit] = due
    elif unit in state.active:
        del state.active[unit], state.due[unit]
