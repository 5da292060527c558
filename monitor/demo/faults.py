"""Faults: what can be broken, for whom, and the log of when it was.

A fault has a kind and a scope. The scope is a service ("*" is all of them, with `controls` the
control targets too, "controls" is those alone) narrowed by any of a tenant, a backend group and a
vantage, which is the source address a client connects from. A black hole for one vantage that
includes the controls is a vantage that has lost its network.

Of several faults that hit the same request the one that bites earliest wins, in the order of
`FaultKind`; of two of a kind, the one that was switched on first.

How narrow a fault is decides where `refuse` and `black_hole` bite:
- a whole service: `refuse` closes the listening socket, so connecting is refused;
- a vantage: the connection is accepted, its address seen, and it is reset or left unread at once;
- a tenant or group: the request has to be read to know whose it is, then the connection is reset
  or left unanswered and unread. What is already being answered is not called back.

Log entries carry the wall clock to the millisecond. "on" is read before the fault takes
effect and "off" after it has ceased, so whatever it caused lies between the two.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from itertools import count
from typing import Any, Self

from monitor.clock import Clock
from monitor.demo.http1 import Hold, Request, Reset, Response, as_html, as_json
from monitor.demo.places import CONTROLS, GROUPS, SERVICES

EVERYTHING = "*"
MOST_FAULTS = 100
LOG_LENGTH = 10_000
LONGEST = 600.0
SLOW_BY_DEFAULT = 5.0


class FaultKind(StrEnum):
    """What can go wrong, in the order in which a request meets it."""

    REFUSE = "refuse"
    BLACK_HOLE = "black_hole"
    STATUS_503 = "status_503"
    MAINTENANCE_PAGE = "maintenance_page"
    WRONG_CONTENT = "wrong_content"
    SLOW = "slow"


class BadFaultError(ValueError):
    """A fault that cannot be switched on; `mistakes` has one sentence for each mistake."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind and a scope. `seconds` is how long SLOW waits before it answers."""

    kind: FaultKind
    service: str = EVERYTHING
    tenant: str | None = None
    group: str | None = None
    vantage: str | None = None
    controls: bool = False
    seconds: float | None = None

    @property
    def known_at_accept(self) -> bool:
        """Whether the source address alone tells that this fault hits."""
        return self.tenant is None and self.group is None

    @property
    def whole_service(self) -> bool:
        """Whether nobody is spared."""
        return self.known_at_accept and self.vantage is None

    def covers(self, service: str) -> bool:
        """Whether some client of `service`, or of the control targets, is hit."""
        if service == CONTROLS:
            return self.controls or self.service == CONTROLS
        return self.service in (EVERYTHING, service)

    def hits(self, service: str, source: str, tenant: str | None) -> bool:
        """Whether a request from `source` is hit; `tenant` is None where it names none."""
        return (
            self.covers(service)
            and self.vantage in (None, source)
            and self.tenant in (None, tenant)
            and self.group in (None, GROUPS.get(tenant or ""))
        )


def parse_fault(raw: Any) -> Fault:
    """Read a fault from JSON; null is the same as leaving out.

    Raises BadFaultError naming every mistake.
    """
    if not isinstance(raw, dict):
        raise BadFaultError(["a fault is a JSON object"])
    given = {name: value for name, value in raw.items() if value is not None}
    mistakes = [*_wrong_keys(given), *_wrong_values(given), *_wrong_together(given)]
    if mistakes:
        raise BadFaultError(mistakes)
    return Fault(**{**given, "kind": FaultKind(given["kind"])})


def _wrong_keys(given: Mapping[str, Any]) -> Iterable[str]:
    known = [each.name for each in fields(Fault)]
    yield from (
        f"{name}: no such key; known are {', '.join(known)}" for name in given.keys() - known
    )
    if "kind" not in given:
        yield f"kind: missing; one of {', '.join(FaultKind)}"


def _wrong_values(given: Mapping[str, Any]) -> Iterable[str]:
    choices = {
        "kind": tuple(FaultKind),
        "service": (*SERVICES, CONTROLS, EVERYTHING),
        "tenant": tuple(GROUPS),
        "group": tuple(dict.fromkeys(GROUPS.values())),
    }
    for name, allowed in choices.items():
        if name in given and given[name] not in allowed:
            yield f"{name}: {given[name]!r} is not one of {', '.join(allowed)}"
    if not _is_address(given.get("vantage", "127.0.0.1")):
        yield f"vantage: {given['vantage']!r} is not an IPv4 address"
    if not isinstance(given.get("controls", False), bool):
        yield f"controls: {given['controls']!r} is not true or false"
    seconds = given.get("seconds", 1)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 < seconds <= LONGEST
    ):
        yield f"seconds: {seconds!r} is not a number above 0 and up to {LONGEST:g}"


def _wrong_together(given: Mapping[str, Any]) -> Iterable[str]:
    tenant, group = given.get("tenant"), given.get("group")
    if "seconds" in given and given.get("kind") != FaultKind.SLOW:
        yield "seconds: only slow takes them"
    if (tenant or group) and (given.get("controls") or given.get("service") == CONTROLS):
        yield "controls: they have no tenants and no groups"
    if isinstance(tenant, str) and group and GROUPS.get(tenant, group) != group:
        yield f"group: tenant {tenant} is in group {GROUPS[tenant]}, not {group}"


def _is_address(value: Any) -> bool:
    try:
        IPv4Address(value)
    except AddressValueError:
        return False
    return isinstance(value, str)


# --------------------------------------------------------------------------- what they do


@dataclass(frozen=True, slots=True)
class Active:
    """A fault that is on, under the id it was given; `healed` is set when it is switched off."""

    id: str
    since: datetime
    fault: Fault
    healed: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


Backend = Callable[[Request], Response]
Effect = Callable[[Active, Request, Backend], Awaitable[Response]]


async def _status_503(_active: Active, _request: Request, _backend: Backend) -> Response:
    return as_html(503, "Service Unavailable", "<p>No backend is available.</p>")


async def _maintenance_page(_active: Active, _request: Request, _backend: Backend) -> Response:
    return as_html(200, "We'll be back soon", "<p>Scheduled maintenance is under way.</p>")


async def _wrong_content(_active: Active, request: Request, _backend: Backend) -> Response:
    if _speaks_json(request):
        return as_json(200, {})
    return as_html(200, "Log in", '<form method="post"><input name="password"></form>')


async def _slow(active: Active, request: Request, backend: Backend) -> Response:
    await asyncio.sleep(active.fault.seconds or SLOW_BY_DEFAULT)
    return backend(request)


def _speaks_json(request: Request) -> bool:
    return bool({"odata", "health", "waiting", "unconfirmed", "orders"} & set(request.parts))


UNANSWERED: Mapping[FaultKind, Callable[[Active], Reset | Hold]] = {
    FaultKind.REFUSE: lambda _active: Reset(),
    FaultKind.BLACK_HOLE: lambda active: Hold(active.healed),
}
"""The faults that leave a request without an answer."""

ANSWERED: Mapping[FaultKind, Effect] = {
    FaultKind.STATUS_503: _status_503,
    FaultKind.MAINTENANCE_PAGE: _maintenance_page,
    FaultKind.WRONG_CONTENT: _wrong_content,
    FaultKind.SLOW: _slow,
}
"""The faults that answer; only SLOW lets the service do what was asked."""


# --------------------------------------------------------------------------- which are on


@dataclass(frozen=True, slots=True)
class Switched:
    """One entry of the log: at `at` the fault with this id was switched "on" or "off"."""

    at: datetime
    action: str
    id: str
    fault: Fault

    def as_json(self) -> dict[str, Any]:
        """The entry as plain JSON values; the instant as RFC 3339 in UTC with milliseconds."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"at": at, "action": self.action, "id": self.id, "fault": asdict(self.fault)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        at = datetime.fromisoformat(raw["at"])
        return cls(at, raw["action"], raw["id"], parse_fault(raw["fault"]))


class Board:
    """Which faults are on, and the log of every switch. Both are bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ids = count(1)
        self._active: dict[str, Active] = {}
        self.log: deque[Switched] = deque(maxlen=LOG_LENGTH)

    def on(self) -> tuple[Switched, ...]:
        """The log entries of the faults that are on, oldest first."""
        return tuple(_entry(active.since, "on", active) for active in self._active.values())

    def switch_on(self, fault: Fault) -> Switched:
        """Note the time, then let the fault apply. Raises BadFaultError when too many are on."""
        if len(self._active) >= MOST_FAULTS:
            raise BadFaultError([f"{MOST_FAULTS} faults are on already; heal some"])
        active = Active(f"f{next(self._ids)}", self._instant(), fault)
        self._active[active.id] = active
        self.log.append(_entry(active.since, "on", active))
        return self.log[-1]

    def switch_off(self, ids: Iterable[str]) -> tuple[Active, ...]:
        """Let these faults apply no more; what they held is let go. Raises KeyError."""
        gone = tuple(self._active.pop(each) for each in tuple(ids))
        for active in gone:
            active.healed.set()
        return gone

    def note_off(self, gone: Iterable[Active]) -> tuple[Switched, ...]:
        """Log that these faults have ceased, now."""
        at = self._instant()
        entries = tuple(_entry(at, "off", active) for active in gone)
        self.log.extend(entries)
        return entries

    def closes(self, service: str) -> bool:
        """Whether nobody may even connect to `service`."""
        return any(
            active.fault.kind is FaultKind.REFUSE
            and active.fault.whole_service
            and active.fault.covers(service)
            for active in self._active.values()
        )

    def breaks(self, service: str, source: str, tenant: str) -> bool:
        """Whether some fault keeps a service from doing its work for a tenant, asked from there."""
        hitting = self._hitting(service, source, tenant)
        return any(active.fault.kind is not FaultKind.SLOW for active in hitting)

    def at_accept(self, service: str, source: str) -> Reset | Hold | None:
        """What befalls a new connection from `source` before it has said anything, if anything."""
        hitting = [a for a in self._hitting(service, source, None) if a.fault.known_at_accept]
        first = min(hitting, key=_bites, default=None)
        if first is None or first.fault.kind not in UNANSWERED:
            return None
        return UNANSWERED[first.fault.kind](first)

    async def answer(
        self, service: str, tenant: str | None, request: Request, backend: Backend
    ) -> Response | Reset | Hold:
        """What befalls a request: the backend's own answer when no fault hits it."""
        first = min(self._hitting(service, request.source, tenant), key=_bites, default=None)
        if first is None:
            return backend(request)
        if first.fault.kind in UNANSWERED:
            return UNANSWERED[first.fault.kind](first)
        return await ANSWERED[first.fault.kind](first, request, backend)

    def _hitting(self, service: str, source: str, tenant: str | None) -> list[Active]:
        return [a for a in self._active.values() if a.fault.hits(service, source, tenant)]

    def _instant(self) -> datetime:
        at = self._clock.wall()
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _bites(active: Active) -> int:
    return tuple(FaultKind).index(active.fault.kind)


def _entry(at: datetime, action: str, active: Active) -> Switched:
    return Switched(at, action, active.id, active.fault)
