"""Replay: recorded results through the same judge, under any rules.

    history = read_history(path)
    report = replay(history, Setting(estate=..., rules={"round_gap": 16.0}))
    report.outages   ->  what would have been declared, and when

The results of a file are fed to `judge.think` at their own times: that a probe left, when the line
tells it, then what it saw; and a tick whenever detection wants one. The wall clock of the file is
both clocks. What detection asks for is not probed: it is answered by whatever was recorded next,
because an answer votes in the round during which its probe was sent. So there are two kinds of
history (`estates.py`):

    with rounds      lines marked `asked` are among them: our own recorder wrote it. Under the
                     rules of then, replay concludes the same again; other rules ask at other
                     moments, and `Report.answered` tells how many of their questions had answers
    planned only     any other monitor's. Rounds are slowed down to the pace of the results:
                     whether something is declared is told well, how fast it would have been is not

Where no result at all was recorded for long, nobody was looking: replay takes it as detection
takes a pause of its host. A cell counts as having worked before if it passes anywhere in the file.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from math import inf
from operator import itemgetter
from typing import Any

from monitor import detection, judge
from monitor.clock import Now
from monitor.detection import Event, Probe, Sent, Tick, WindowClosed, wake_at
from monitor.hours import Calendar
from monitor.judge import Mind
from monitor.maintenance import WindowWatch, excused
from monitor.model import (
    CONTROL,
    CellKey,
    Estate,
    Evidence,
    Incident,
    Outage,
    Outcome,
    Result,
)
from monitor.policy import PolicySettings
from monitor.replay.comparing import Difference, Kind, Spell, compare, read_spells, spell_of
from monitor.replay.estates import estate_of, for_replay, paced, recorded_part, ruled
from monitor.replay.history import History, Line, read_history
from monitor.replay.lines import HistoryError

__all__ = [
    "ALWAYS_OPEN",
    "Difference",
    "History",
    "HistoryError",
    "Kind",
    "Report",
    "Setting",
    "Spell",
    "compare",
    "for_replay",
    "read_history",
    "read_spells",
    "replay",
    "spell_of",
]

ALWAYS_OPEN = Calendar(
    "UTC", ((time(0, 0), time(23, 59, 59)),) * 7, {}, {}, {}, first_year=1900, last_year=3001
)
"""Support hours for when none are told."""

_LATER = 5e-6
"""Seconds by which every probe is taken to have left later than recorded: times are rounded, and
none may seem to have left before it was asked."""

_ASKED_LATER = 2e-3
"""The same for what an answer to a question says of itself: detection asks on time in a replay,
and a moment late in life."""

_QUICK = 0.1
_NOTICED_EVERY = 1.0
_AGAIN = 0.001
_GAP_INTERVALS = 3.0
_GAP_AT_LEAST = 5.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What results are replayed against.

    `estate` is None to take the one that the lines describe; `rules` are changes to every
    service's rules.
    """

    estate: Estate | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    calendar: Calendar = ALWAYS_OPEN
    policy: PolicySettings = field(default_factory=PolicySettings)


@dataclass(frozen=True, slots=True)
class Report:
    """What a replay came to, in the order in which it was detected.

    `unknown` counts results of cells that the estate does not have, `gaps` are the times nobody
    recorded, `asked` and `answered` count what detection asked of services' cells. `paced`: the
    rules were slowed down to the pace of the results.
    """

    first: datetime
    last: datetime
    results: int
    unknown: int
    outages: tuple[Outage, ...]
    incidents: tuple[Incident, ...]
    gaps: tuple[tuple[datetime, datetime], ...]
    asked: int
    answered: int
    paced: bool


def replay(history: History, setting: Setting) -> Report:
    """Everything that would have been declared.

    Raises `ValueError` when the history has no result of the estate, or lies in years that the
    calendar does not cover.
    """
    estate = recorded_part(setting.estate or estate_of(history), history.cells)
    known = {cell.key for cell in estate.cells()} & history.cells.keys()
    if all(key.service == CONTROL for key in known):
        raise ValueError("no result is of a service that is known")
    estate = ruled(estate, setting.rules)
    waits = {cell.key: cell.check.timeout for cell in estate.cells()}
    if not history.answers_rounds:
        estate = paced(estate, {key: history.cells[key] for key in known})
    run = _Run(estate, history, setting, waits)
    for at, line, left in _in_order(history.lines):
        if line.cell in known:
            run.take(at, line, left=left)
    return run.report(len(history.lines))


def _in_order(lines: list[Line]) -> Iterator[tuple[float, Line, bool]]:
    """(when, line, whether its probe left then), in order of time: answers before departures."""
    departures = sorted((line for line in lines if line.sent < line.at), key=itemgetter(1))
    place, many = 0, len(departures)
    for line in lines:
        at = line.at
        while place < many and (left := departures[place].sent + _LATER) < at:
            yield left, departures[place], True
            place += 1
        yield at, line, False


class _Run:
    """One replay under way. Its monotonic clock begins at 0 with the first line."""

    def __init__(
        self, estate: Estate, history: History, setting: Setting, waits: Mapping[CellKey, float]
    ) -> None:
        first = history.lines[0]
        self._start = min(first.sent, first.at)
        self._began = datetime.fromtimestamp(self._start, UTC)
        self._last = datetime.fromtimestamp(history.lines[-1].at, UTC)
        self._paced = not history.answers_rounds
        self._waits = waits
        self._windows = WindowWatch(estate, self._began)
        self._mind = _mind(estate, history, setting)
        self._fingerprints = {c.key: c.target.fingerprint for c in estate.cells()}
        self._patience = {c.key: c.check.timeout + 2.0 for c in estate.cells()}
        intervals = [check.interval for s in estate.services for check in s.checks]
        self._gap = max(_GAP_AT_LEAST, _GAP_INTERVALS * min(intervals))
        self._now = self._noticed = 0.0
        self._taken = self._asked = self._answered = 0
        self._questions: dict[CellKey, deque[float]] = defaultdict(deque)
        self._gaps: list[tuple[datetime, datetime]] = []
        self._outages: dict[str, Outage] = {}
        self._incidents: dict[int, Incident] = {}
        self._think(Tick())

    def take(self, at: float, line: Line, *, left: bool) -> None:
        """A probe left, or its result came, at `at` seconds since 1970."""
        if left and self._too_quick_to_miss(line):
            return
        now = at - self._start
        self._pass_time(now)
        id_ = line.id or f"{line.cell}@{line.sent}"
        window = self._windows.covering(line.cell, datetime.fromtimestamp(line.sent, UTC))
        if left:
            if window is None and line.outcome is not Outcome.MAINTENANCE:
                self._think(Sent(line.cell, id_, now, self._waits[line.cell]))
            return
        sent = line.sent - self._start + (_ASKED_LATER if line.asked else _LATER)
        self._taken += 1
        self._note_answer(line.cell, sent)
        seen = Result(
            id_,
            line.cell,
            self._fingerprints[line.cell],
            sent,
            max(now, sent),
            datetime.fromtimestamp(line.at, UTC),
            line.outcome,
            line.failure,
            evidence=Evidence(message=line.message) if line.message else _NOTHING,
        )
        self._think(excused(seen, window))

    def report(self, lines: int) -> Report:
        """What it has come to so far, of so many lines."""
        return Report(
            first=self._began,
            last=self._last,
            results=self._taken,
            unknown=lines - self._taken,
            outages=tuple(self._outages.values()),
            incidents=tuple(self._incidents.values()),
            gaps=tuple(self._gaps),
            asked=self._asked,
            answered=self._answered,
            paced=self._paced,
        )

    def _too_quick_to_miss(self, line: Line) -> bool:
        """Whether nobody could have noticed that the probe was on its way: half of the work saved.

        What detection asked for is never left out: its answers may overtake each other.
        """
        took = line.at - line.sent
        return took < _QUICK and 2 * took < self._waits[line.cell] and not line.asked

    # ----------------------------------------------------------------- time

    def _pass_time(self, until: float) -> None:
        """Wake detection whenever it wants to be; after a gap, it finds out by itself."""
        if until - self._now > self._gap:
            self._gaps.append((self._at(self._now), self._at(until)))
            self._noticed = self._now = until
            return
        state = self._mind.detection
        while (due := min(wake_at(state), self._window_change())) <= until:
            moment = due if due > self._noticed else self._noticed + _AGAIN
            if moment > until:
                break
            self._tick(max(moment, self._now))
        if until - self._noticed >= _NOTICED_EVERY:
            self._tick(until)
        self._now = max(self._now, until)

    def _tick(self, moment: float) -> None:
        # Between two lines nothing was missed: it is not a pause of the host, however long.
        self._mind.detection.last_tick = moment
        self._noticed = self._now = moment
        closed = self._windows.closed(self._at(moment))
        if closed:
            self._think(WindowClosed(closed))
        self._think(Tick())

    def _window_change(self) -> float:
        """When a maintenance window opens or closes next; infinity when none does."""
        change = self._windows.next_change
        return inf if change is None else (change - self._began).total_seconds()

    def _at(self, mono: float) -> datetime:
        return self._began + timedelta(seconds=mono)

    # ----------------------------------------------------------------- thought

    def _think(self, event: Event) -> None:
        thought = judge.think(self._mind, event, Now(self._at(self._now), self._now))
        for probe in thought.probes:
            self._note_questions(probe)
        for change in thought.changes:
            self._outages |= {outage.id: outage for outage in change.outages}
            if change.incident is not None:
                self._incidents[change.incident.number] = change.incident

    def _note_questions(self, probe: Probe) -> None:
        cells = [cell for cell in probe.cells if cell.service != CONTROL]
        self._asked += len(cells)
        for cell in cells:
            self._questions[cell].append(probe.at)

    def _note_answer(self, cell: CellKey, sent: float) -> None:
        """A result answers the oldest question of its cell that still waits."""
        questions = self._questions.get(cell)
        while questions and questions[0] < sent - self._patience[cell]:
            questions.popleft()
        if questions and questions[0] <= sent:
            questions.popleft()
            self._answered += 1


_NOTHING = Evidence()


def _mind(estate: Estate, history: History, setting: Setting) -> Mind:
    minted = iter(range(1, 10**9))
    worked = [
        (cell.key, cell.target.fingerprint)
        for cell in estate.cells()
        if cell.key in history.cells and history.cells[cell.key].passed
    ]
    return Mind(
        estate=estate,
        calendar=setting.calendar,
        policy=setting.policy,
        channels=(),
        instance="replay",
        public_url="",
        mint=lambda _at: f"{next(minted):09}",
        detection=detection.new_state(estate, worked=worked),
    )
