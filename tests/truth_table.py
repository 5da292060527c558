"""Reads tests/truth/decisions.txt: codes, instants, situations, and a code for each pair of these.

    truth = read(text)
    truth.cells[situation, instant]  ->  the code that stands there
    truth.owed("ALL!", situation, instant)  ->  what that code says is decided; None: nothing

Whatever it does not understand it refuses, with the number of the line: no cell is left out in
silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from monitor.model import (
    AllUsersScope,
    ClosedReason,
    DecisionReason,
    Deployment,
    Priority,
    Role,
)
from tests.hours_fixtures import LONDON, london

FILE = Path(__file__).parent / "truth" / "decisions.txt"
NOTHING = "none"

_LABELS = ("service", "found", "all users", "runs", "window")
_CODES = ("code", "priority", "reason", "who is told", "when")
_INSTANTS = (
    "when (London)",
    "support",
    "if critical, respond by",
    "if the desk waits, told (support opens next)",
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOMENT = re.compile(r"(\w{3}) +(\d{1,2}) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d) (GMT|BST)")


class Situation(NamedTuple):
    """A row's labels."""

    service: str
    found: str
    scope: AllUsersScope
    deployment: Deployment
    window: str


class Instant(NamedTuple):
    """A column. `closed` says why support is closed, None where it is open."""

    at: datetime
    closed: ClosedReason | None
    respond_by: datetime
    opening: datetime


class Code(NamedTuple):
    """What a code says wherever it stands; `held`: the desk waits for support to open."""

    priority: Priority
    reason: DecisionReason
    route: tuple[Role, ...]
    held: bool


class Owed(NamedTuple):
    """A decision, as far as it is owed to anybody."""

    priority: Priority
    reason: DecisionReason
    route: tuple[Role, ...]
    notify_at: datetime
    respond_by: datetime | None
    support_open: bool
    closed_reason: ClosedReason | None
    next_opening: datetime
    scope_read: AllUsersScope


@dataclass(frozen=True)
class Truth:
    """The file as read."""

    codes: dict[str, Code | None]
    cells: dict[tuple[Situation, Instant], str]

    def owed(self, code: str, situation: Situation, instant: Instant) -> Owed | None:
        """What is decided of a situation at an instant if this code is right."""
        said = self.codes[code]
        if said is None:
            return None
        return Owed(
            priority=said.priority,
            reason=said.reason,
            route=said.route,
            notify_at=instant.opening if said.held else instant.at,
            respond_by=instant.respond_by if said.priority is Priority.CRITICAL else None,
            support_open=instant.closed is None,
            closed_reason=instant.closed,
            next_opening=instant.opening,
            scope_read=situation.scope,
        )


class Unreadable(ValueError):  # noqa: N818 - it says what the file is
    """A line of the file says nothing that is known, or says it twice."""


def read(text: str) -> Truth:
    """The whole file; raises Unreadable with the number of the first line that is not understood.

    Every sheet must hold the same situations.
    """
    front, *sheets = re.split(r"(?m)^(?=== )", text)
    codes = _codes(front)
    cells: dict[tuple[Situation, Instant], str] = {}
    above = front.count("\n") + 1
    told: list[set[Situation]] = []
    for sheet in sheets:
        found = _sheet(sheet, codes, above)
        twice = cells.keys() & found.keys()
        if twice:
            raise Unreadable(f"the sheet from line {above} on repeats {min(twice)}")
        cells |= found
        told.append({situation for situation, _ in found})
        above += sheet.count("\n")
    if not told or any(each != told[0] for each in told):
        raise Unreadable("the sheets do not hold the same situations")
    return Truth(codes, cells)


def _codes(front: str) -> dict[str, Code | None]:
    _, _, table = front.partition(" | ".join(_widened(_CODES, (5, 8, 20, 22, 0))) + "\n")
    codes: dict[str, Code | None] = {}
    for line in filter(None, table.splitlines()):
        code, *said = _parts(line)
        if code in codes:
            raise Unreadable(f"the code {code} comes twice")
        codes[code] = None if code == NOTHING else _code(line, *said)
    return codes


def _code(line: str, priority: str, reason: str, told: str, when: str) -> Code:
    if when not in ("at once", "held"):
        raise Unreadable(f"{line!r}: nobody is told {when!r}")
    route = tuple(Role(role) for role in told.split(" + "))
    return Code(Priority(priority), DecisionReason(reason), route, when == "held")


def _widened(words: tuple[str, ...], widths: tuple[int, ...]) -> list[str]:
    return [word.ljust(width) for word, width in zip(words, widths, strict=True)]


def _parts(line: str) -> list[str]:
    return [part.strip() for part in line.split("|")]


def _sheet(
    sheet: str, codes: dict[str, Code | None], above: int
) -> dict[tuple[Situation, Instant], str]:
    lines = [(above + n, line) for n, line in enumerate(sheet.splitlines()) if line.strip()]
    instants, rest = _instants(lines[1:])
    _expect_heads(rest[:5], instants)
    cells: dict[tuple[Situation, Instant], str] = {}
    for number, line in rest[5:]:
        situation, said = _row(number, line)
        if len(said) != len(instants):
            raise Unreadable(f"line {number}: {len(said)} cells for {len(instants)} instants")
        for instant, code in zip(instants, said, strict=True):
            if code not in codes:
                raise Unreadable(f"line {number}: {code} is no code")
            if (situation, instant) in cells:
                raise Unreadable(f"line {number}: this situation comes twice")
            cells[situation, instant] = code
    return cells


def _row(number: int, line: str) -> tuple[Situation, list[str]]:
    parts = _parts(line)
    if len(parts) != len(_LABELS) + 1:
        raise Unreadable(f"line {number}: a row has {len(_LABELS)} labels, and cells")
    *labels, said = parts
    service, found, scope, deployment, window = labels
    situation = Situation(service, found, AllUsersScope(scope), Deployment(deployment), window)
    return situation, said.split()


Lines = list[tuple[int, str]]


def _instants(lines: Lines) -> tuple[list[Instant], Lines]:
    """The columns of a sheet, and the lines after them."""
    if tuple(_parts(lines[0][1])) != _INSTANTS:
        raise Unreadable(f"line {lines[0][0]}: the instants of the sheet are missing")
    instants = []
    for index, (number, line) in enumerate(lines[1:], start=1):
        if line.startswith(" "):
            return instants, lines[index:]
        parts = _parts(line)
        if len(parts) != len(_INSTANTS):
            raise Unreadable(f"line {number}: an instant has {len(_INSTANTS)} parts")
        when, support, respond_by, opening = parts
        closed = None if support == "open" else ClosedReason(support)
        instants.append(Instant(moment(when), closed, moment(respond_by), moment(opening)))
    raise Unreadable("a sheet holds no situations")


def _expect_heads(lines: Lines, instants: list[Instant]) -> None:
    """Refuse heads that do not say the instants of the sheet, one above each column."""
    heads = zip(*(_parts(line)[-1].split() for _, line in lines), strict=True)
    stacked = [moment(" ".join(head).replace("-", " ")) for head in heads]
    if stacked != [instant.at for instant in instants]:
        raise Unreadable(f"line {lines[0][0]}: the heads are not the instants above them")
    if tuple(_parts(lines[-1][1])[:-1]) != _LABELS:
        raise Unreadable(f"line {lines[-1][0]}: the labels of the rows are missing")


def moment(text: str) -> datetime:
    """The instant of "Sun 25 Oct 2026 01:30:00 BST"; a wrong weekday or zone is refused."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise Unreadable(f"{text!r} is no instant")
    weekday, day, month, year, time, zone = match.groups()
    local = f"{weekday} {year}-{_MONTHS.index(month) + 1:02}-{int(day):02} {time}"
    for fold in (0, 1):
        at = london(local, fold)
        if zone == _zone(at):
            return at
    raise Unreadable(f"{text!r}: London has no {zone} then")


def _zone(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%Z}"
