"""Gather, think, apply.

    gather   cells fall due (`fire`, called by the schedule) or are asked for by detection; each
             probe is a task of its own, so that a slow one delays no other
    think    every event (sent, result, tick) goes through the judge at once, without waiting
    apply    probes asked for are started; changes are queued and committed in order; after each
             commit delivery is woken

The judge thinks ahead of the store: an incident is in mind before it is on disk, but nothing is
sent before it is, because notices are only ever read from the store. If the process dies in
between, the next one finds the outage still there and concludes the same again.

Probes are tasks of the engine's own group: whatever leaves one, or fails in thinking about what it
saw, ends the process.

A probe whose time was disturbed by ourselves (the loop stalled, the wall clock stepped) and which
failed becomes INVALID: it says something of this host and nothing of the target. One that was sent
in a maintenance window and failed becomes MAINTENANCE, and the end of a window is told to the judge
on the next tick (`monitor.maintenance` has the rules).

Between two ticks that lie `GAP_KEPT` or more apart by the wall clock nobody watched: this process
was stopped, its host slept, or the clock was set forward over time that never was. That is stored,
through the same queue as every change, for the figures of the month.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from monitor import judge
from monitor.clock import Clock, Now
from monitor.detection import Event, Probe, Sent, Tick, WindowClosed, wake_at
from monitor.engine.chores import Chores
from monitor.engine.emergency import Emergency
from monitor.engine.recorder import Recorder
from monitor.engine.reference import new_reference
from monitor.engine.repetitions import Repetitions
from monitor.engine.stall import StallWatch
from monitor.engine.view import cell_states, service_states, vantage_states
from monitor.engine.writing import Writing
from monitor.judge import Mind
from monitor.maintenance import WindowWatch, excused
from monitor.metrics import Metrics
from monitor.model import (
    CONTROL,
    Account,
    Cell,
    CellKey,
    CellState,
    Change,
    EventKind,
    Evidence,
    Incident,
    Outage,
    Outcome,
    Report,
    Result,
    ServiceState,
    TimelineEvent,
    Unobserved,
    UnobservedReason,
    VantageState,
)
from monitor.probes import Ask
from monitor.store import Redriven, Store

ProbeCell = Callable[[Cell, Ask], Awaitable[Result]]
"""Asks one cell once; returns a Result whatever happens."""

_TICK_EVERY = 1.0
_TICK_AGAIN = 0.01
_STALLED_AFTER = 10.0
GAP_KEPT = timedelta(seconds=10)
"""A pause at least this long is stored as unobserved; the next ticks make good a shorter one."""
_SOON = 60.0
"""The monitor calls itself ready once the cells due at least this often (s) have been probed."""
_OVERDUE = 5.0
"""Seconds, beyond two intervals and a timeout, after which a cell is overdue."""


class Engine:
    """One running monitor, short of its schedule, its ways out and its pages."""

    def __init__(
        self,
        mind: Mind,
        store: Store,
        probes: Mapping[str, ProbeCell],
        clock: Clock,
        metrics: Metrics,
        *,
        committed: Callable[[], None],
        recorder: Recorder | None = None,
        watched_until: datetime | None = None,
        paused_since: datetime | None = None,
        emergency: Emergency | None = None,
    ) -> None:
        """`probes` by kind; `committed` is called after every commit that owes notices.

        A `recorder` is given every result, and is closed by `finish`. `watched_until` is when an
        earlier process saw last: a maintenance window that was open then and is over now closes
        on the first tick. `emergency` takes the changes that the store does not. `paused_since` is
        since when the outbox is paused, None when it is not.
        """
        self._mind = mind
        self._recorder = recorder
        self._probes = probes
        self._clock = clock
        self._metrics = metrics
        self._wake_delivery = committed
        self.cells = {cell.key: cell for cell in mind.estate.cells()}
        watched_until = watched_until or clock.wall()
        self._keys_of: dict[str, list[CellKey]] = {}
        for key in self.cells:
            self._keys_of.setdefault(key.service, []).append(key)
        self._windows = WindowWatch(mind.estate, watched_until)
        self._seen: dict[CellKey, float] = {}
        self._soon_due = [k for k, c in self.cells.items() if c.check.interval <= _SOON]
        self._left_of_round = set(self._soon_due)
        self._outages = {outage.id for outage in mind.outages.values()}
        self._proven: set[tuple[CellKey, str]] = set()
        # A breach that an earlier process saw was counted by it.
        self._breached = {i.id for i in mind.open.values() if _breached(i, watched_until)}
        self._group: asyncio.TaskGroup | None = None
        self._stall = StallWatch(clock.monotonic, metrics.stall)
        self._store = store
        self._repetitions = Repetitions(store)
        self.paused_since = paused_since
        self._writing = Writing(
            store,
            clock,
            committed=self._after_commit,
            failed=metrics.store_failure,
            emergency=emergency,
        )
        self._chores = Chores(mind, store, self._writing, clock, metrics)
        self._nudge = asyncio.Event()
        self._void_before = float("-inf")
        self._started = clock.monotonic()
        self._last_tick = clock.monotonic()
        self._watched_at = clock.wall()
        self._shown_at = float("-inf")
        self.probes_done = 0

    async def run(self, resumed: list[Change]) -> None:
        """Think and write until cancelled; `resumed` is what taking up the store's state wrote."""
        for change in resumed:
            self._writing.change(change)
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._stall.run())
            group.create_task(self._writing.sign())
            group.create_task(self._writing.write_results())
            group.create_task(self._writing.write_changes())
            group.create_task(self._chores.reconcile())
            try:
                await self._tick()
            finally:
                self._group = None

    async def finish(self) -> None:
        """Write what is queued: after `run` has ended, before the store is closed."""
        try:
            await self._writing.finish()
        finally:
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)

    # ----------------------------------------------------------------- gather

    def fire(self, key: CellKey, planned: float) -> None:
        """A cell has fallen due; it should have been asked at monotonic `planned`."""
        self._start(key, planned, fresh=False)

    def forget_in_flight(self) -> None:
        """Our clocks stepped: what is under way now says nothing."""
        self._void_before = self._clock.monotonic()

    def _start(self, key: CellKey, planned: float, *, fresh: bool) -> None:
        cell = self.cells.get(key)
        if cell is not None and self._group is not None:
            self._group.create_task(self._probe(cell, planned, fresh=fresh))

    async def _probe(self, cell: Cell, planned: float, *, fresh: bool) -> None:
        now = self._clock.now()
        deadline = cell.check.timeout
        ask = Ask(self._mind.mint(now.at), deadline, fresh)
        window = self._windows.covering(cell.key, now.at)
        if window is None:
            self._think(Sent(cell.key, ask.id, now.mono, deadline), now)
        result = await self._probes[cell.check.kind](cell, ask)
        result = excused(self._believed(result), window)
        self._metrics.result(cell, result, max(0.0, now.mono - planned))
        self._keep(cell, result)
        if self._recorder is not None:
            self._recorder.record(cell, result, asked=fresh)
        self._think(result, self._clock.now())

    def _believed(self, result: Result) -> Result:
        """The result, or INVALID when we disturbed it ourselves and it failed."""
        if result.outcome is Outcome.PASS:
            return result
        if result.sent_mono <= self._void_before:
            reason = "our clock stepped during the probe"
        elif self._stall.held_up_since(result.sent_mono):
            reason = "our event loop stalled during the probe"
        else:
            return result
        said = f"{reason}; it had seen: {result.evidence.message}"
        return replace(
            result, outcome=Outcome.INVALID, failure=None, evidence=Evidence(message=said)
        )

    def _keep(self, cell: Cell, result: Result) -> None:
        self.probes_done += 1
        self._seen[cell.key] = result.observed_mono
        self._note_round(cell.key, result)
        if cell.key.service != CONTROL:
            self._writing.result(result)
        proven = (cell.key, cell.target.fingerprint)
        if result.outcome is Outcome.PASS and proven not in self._proven:
            self._proven.add(proven)
            self._writing.proven(*proven)

    def _note_round(self, key: CellKey, result: Result) -> None:
        """A round is over when each of the cells that are due often was probed since the last."""
        self._left_of_round.discard(key)
        if not self._left_of_round and self._soon_due:
            self._left_of_round.update(self._soon_due)
            self._metrics.round_done(result.observed_at)

    # ----------------------------------------------------------------- think and apply

    async def _tick(self) -> None:
        while True:
            now = self._clock.now()
            self._last_tick = now.mono
            self._note_gap(now)
            closed = self._windows.closed(now.at)
            if closed:
                self._think(WindowClosed(closed), now)
            self._think(Tick(), now)
            if self._group is not None:
                self._chores.begin(self._group, now)
            if now.mono - self._shown_at >= _TICK_EVERY:
                self._shown_at = now.mono
                self._show(now)
            wait = wake_at(self._mind.detection) - self._clock.monotonic()
            if self._windows.next_change is not None:
                wait = min(wait, (self._windows.next_change - now.at).total_seconds())
            self._nudge.clear()
            await self._sleep(min(_TICK_EVERY, max(_TICK_AGAIN, wait)))

    def _note_gap(self, now: Now) -> None:
        """Store that nobody watched since the last tick, if that is long ago."""
        since, self._watched_at = self._watched_at, now.at
        if now.at - since >= GAP_KEPT:
            gap = Unobserved(self._mind.mint(now.at), since, now.at, UnobservedReason.PAUSED)
            self._writing.change(Change(unobserved=(gap,)))

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or less when thinking has made something due sooner."""
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            return

    def _think(self, event: Event, now: Now) -> None:
        thought = judge.think(self._mind, event, now)
        for probe in thought.probes:
            self._ask(probe, now)
        for change in thought.changes:
            self._writing.change(change)
        if thought.probes or thought.changes:
            self._nudge.set()

    def _ask(self, probe: Probe, now: Now) -> None:
        """Start the probes that detection asked for, a moment apart so that none waits."""
        loop = asyncio.get_running_loop()
        for place, key in enumerate(probe.cells):
            at = max(now.mono, probe.at) + place * 0.001
            delay = at - now.mono

            def start(key: CellKey = key, at: float = at) -> None:
                self._start(key, at, fresh=True)

            loop.call_later(delay, start)

    def _after_commit(self, change: Change) -> None:
        parts = change.parts()
        if any(part.notices for part in parts):
            self._wake_delivery()
        for part in parts:
            self._count_outages(part.outages)
            if part.incident is not None:
                self._count(part.incident, part.events)

    def _count_outages(self, outages: Iterable[Outage]) -> None:
        """Count those that were not known before; what has ended is forgotten."""
        for outage in outages:
            if outage.closed_at is not None:
                self._outages.discard(outage.id)
            elif outage.id not in self._outages:
                self._outages.add(outage.id)
                self._metrics.outage_declared(outage)

    def _count(self, incident: Incident, events: Iterable[TimelineEvent]) -> None:
        for event in events:
            if event.kind is EventKind.OPENED:
                delay = (incident.detected_at - incident.began.before).total_seconds()
                # When it began by a customer's watch says nothing of detection.
                self._metrics.incident_opened(incident, None if incident.by_customer else delay)
            if event.kind is EventKind.RESOLVED:
                lasted = (event.at - incident.began.before).total_seconds()
                self._metrics.incident_resolved(incident, lasted)

    def _show(self, now: Now) -> None:
        """Bring the gauges up to date."""
        for state in self.services():
            self._metrics.service(state)
        for vantage in self.vantages():
            self._metrics.vantage(vantage)
        self._metrics.open_outages(self._mind.outages.values())
        incidents = tuple(self._mind.open.values())
        self._metrics.open_incidents(incidents, now.at)
        for incident in incidents:
            if incident.id not in self._breached and _breached(incident, now.at):
                self._breached.add(incident.id)
                self._metrics.response_breached(incident)
        self._breached &= {incident.id for incident in incidents}

    # ----------------------------------------------------------------- what others see

    def cells_seen(self) -> int:
        """How many cells have been probed since the start."""
        return len(self._seen)

    def services(self) -> tuple[ServiceState, ...]:
        """Every service as it looks now, in the order of the configuration."""
        return service_states(self._mind, self._clock.wall())

    def cell_states(self, service: str) -> tuple[CellState, ...]:
        """Every cell of a service by its last probe, in the order of the configuration."""
        return cell_states(self._mind, self._keys_of.get(service, ()))

    def vantages(self) -> tuple[VantageState, ...]:
        """Every vantage as it looks now."""
        return vantage_states(self._mind, self._clock.monotonic())

    def not_ready(self) -> tuple[str, ...]:
        """Why the monitor cannot be relied on now; empty when it can."""
        reasons = []
        unseen = sum(key not in self._seen for key in self._soon_due)
        if unseen:
            reasons.append(f"{unseen} of {len(self.cells)} cells have not been probed yet")
        if self.blind():
            reasons.append("blind: no vantage's control targets answer")
        if (trouble := self.store_trouble()) is not None:
            reasons.append(f"the store cannot be written: {trouble}")
        if self.paused_since is not None:
            since = f"{self.paused_since:%Y-%m-%d %H:%M:%SZ}"
            reasons.append(
                f"nothing is sent: the outbox is paused since {since}, for the store was restored; "
                "`monitor restore --confirm` lists what it owes and lets it go on"
            )
        stalled = self.stalled()
        return (*reasons, stalled) if stalled else tuple(reasons)

    def store_trouble(self) -> str | None:
        """Why nothing could be written for a while; None while writing works."""
        return self._writing.trouble()

    def blind(self) -> bool:
        """Whether no vantage can be believed."""
        return self._mind.detection.is_blind()

    def overdue(self) -> int:
        """How many of the cells due at least every minute were last probed too long ago."""
        now = self._clock.monotonic()
        seen = ((self.cells[key].check, self._seen.get(key, now)) for key in self._soon_due)
        return sum(now - at > 2 * c.interval + c.timeout + _OVERDUE for c, at in seen)

    @property
    def changes_waiting(self) -> int:
        """How many changes wait to be written."""
        return self._writing.waiting

    @property
    def results_dropped(self) -> int:
        """How many results were never recorded because the store was away too long."""
        return self._writing.dropped

    def arrived_late(self, channel: str, since: datetime) -> None:
        """A channel that could not be told since then can be again."""
        if self._group is not None:
            self._group.create_task(self._chores.catch_up(channel, since))

    def stalled(self) -> str | None:
        """Why the process should be restarted; None when it is alive."""
        silent = self._clock.monotonic() - self._last_tick
        if silent > _STALLED_AFTER:
            return f"the engine has not ticked for {silent:.0f} s"
        return None

    async def acknowledge(self, number: int, by: str) -> Incident:
        """Acknowledge an incident, or accept one handed over; returns once it is committed.

        Raises `KeyError` when no open incident has the number and
        `monitor.incident.IllegalTransition` when somebody has it already and nobody waits.
        """
        now = self._clock.now()
        incident, change = judge.acknowledge(self._mind, number, by, now)
        await asyncio.shield(self._writing.change(change))
        if incident.acknowledged_at == now.at:
            seconds = (now.at - incident.reported_at).total_seconds()
            self._metrics.incident_acknowledged(incident, seconds)
        return incident

    async def resolve(self, number: int, by: str, *, false_alarm: bool = False) -> Incident:
        """Resolve an incident in a person's name; returns once it is committed.

        Raises `KeyError` when no open incident has the number and `judge.StillFailing` while the
        probes see it.
        """
        now = self._clock.now()
        incident, changes = judge.resolve(self._mind, number, by, now, false_alarm=false_alarm)
        *_, last = [self._writing.change(change) for change in changes]
        await asyncio.shield(last)
        return incident

    async def silence(self, number: int, by: str, reason: str, lasts: timedelta) -> Incident:
        """Silence an incident in a person's name; returns once it is committed.

        Raises `KeyError` when no open incident has the number and `ValueError` when `lasts` is not
        more than 0 and at most `judge.LONGEST`.
        """
        now = self._clock.now()
        incident, change = judge.silence(self._mind, number, by, now, reason=reason, lasts=lasts)
        await asyncio.shield(self._writing.change(change))
        return incident

    async def end_silence(self, number: int, by: str) -> Incident:
        """End a silence before its time; returns once it is committed.

        Raises `KeyError` when no open incident has the number and
        `monitor.incident.IllegalTransition` when it is not silenced.
        """
        incident, change = judge.end_silence(self._mind, number, by, self._clock.now())
        await asyncio.shield(self._writing.change(change))
        return incident

    async def note(self, number: int, by: str, text: str) -> Incident:
        """Add a person's line to a timeline, also of a resolved incident; returns once it is there.

        Raises `KeyError` when no incident has the number, StoreUnavailable when none can tell.
        """
        incident = next((i for i in self._mind.open.values() if i.number == number), None)
        if incident is None:
            record = await self._store.incident(number)
            if record is None:
                raise KeyError(number)
            incident = record.incident
        change = judge.annotate(self._mind, incident, by, text, self._clock.now())
        await asyncio.shield(self._writing.change(change))
        return incident

    async def redrive(self, by: str, *, channel: str | None, number: int | None) -> Redriven:
        """Have dead notices sent again, as `Store.redrive` says."""
        redriven = await self._store.redrive(self._clock.wall(), by, channel=channel, number=number)
        open_ids = {incident.id for incident in self._mind.open.values()}
        for event in redriven.events:
            if event.incident_id in open_ids:
                judge.note(self._mind, event)
        self._wake_delivery()
        return redriven

    async def resume_outbox(self) -> None:
        """Let a paused outbox go on."""
        await self._store.resume_outbox()
        self.paused_since = None
        self._wake_delivery()

    async def report(self, account: Account) -> Report:
        """Take in a customer's account; returns once it is committed.

        The same key of the same tenant gives the first report again, and writes nothing. Raises
        StoreUnavailable when it cannot be told whether there is one.
        """
        known = await self._repetitions.of(account)
        if known is not None:
            report, written = known
        else:
            now = self._clock.now()
            report, change = judge.report(self._mind, account, new_reference(), now)
            written = self._writing.change(change)
            self._repetitions.mark(account, report, written)
            self._metrics.reported(report)
            self._nudge.set()
        await asyncio.shield(written)
        return report


def _breached(incident: Incident, at: datetime) -> bool:
    """Whether nobody had taken an incident by the time promised."""
    late = incident.respond_by is not None and at > incident.respond_by
    return late and incident.acknowledged_at is None
