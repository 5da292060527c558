"""What services and vantages look like now, read from the judge's mind for people to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from monitor.detection import Unit
from monitor.judge import Mind
from monitor.maintenance import last_to_close, open_until
from monitor.model import (
    CellKey,
    CellState,
    Check,
    CheckState,
    Impact,
    Outage,
    Outcome,
    Service,
    ServiceState,
    Stage,
    VantageState,
    Window,
    WindowState,
)

_TENANTS_NAMED = 3
_GRAVITY = {Impact.NONE: 0, Impact.UNKNOWN: 1, Impact.SOME: 2, Impact.ALL: 3}


Units = Mapping[tuple[str, str], list[Unit]]
"""The machines of a check, by service and check."""


def service_states(mind: Mind, at: datetime) -> tuple[ServiceState, ...]:
    """Every service as it looks at `at`, in the order of the configuration."""
    machines: defaultdict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit, machine in mind.detection.machines.items():
        service, check, *_ = unit.split("/")
        machines[service, check].append(machine)
    return tuple(_service_state(mind, machines, service, at) for service in mind.estate.services)


def _service_state(mind: Mind, machines: Units, service: Service, at: datetime) -> ServiceState:
    """One service: the gravest of its outages that is going on, else the one being watched."""
    outages = [o for o in mind.outages.values() if o.service == service.name]
    going_on = [o for o in outages if o.watch_until is None]
    shown = max(going_on or outages, key=lambda o: _GRAVITY[o.impact], default=None)
    impact = max((o.impact for o in going_on), key=_GRAVITY.__getitem__, default=Impact.NONE)
    if mind.detection.is_blind():
        impact = Impact.UNKNOWN
    incidents = [i for i in mind.open.values() if i.service == service.name]
    return ServiceState(
        name=service.name,
        title=service.title,
        audience=service.audience,
        impact=impact,
        stage=None if shown is None else Stage.FAILING if going_on else Stage.WATCHING,
        since=shown.began if shown else None,
        known_by=next((i.known_by for i in incidents if shown and i.impact is shown.impact), ""),
        checks=tuple(
            _check_state(machines.get((service.name, check.name), []), check, going_on)
            for check in service.checks
        ),
        incidents=tuple(sorted(i.number for i in incidents)),
        maintenance=_window_state(mind.estate.windows, service.name, at),
    )


def _window_state(windows: Iterable[Window], service: str, at: datetime) -> WindowState | None:
    """The open window of a service, of several the one that closes last."""
    window = last_to_close((each for each in windows if service in each.services), at)
    until = None if window is None else open_until(window, at)
    if window is None or until is None:
        return None
    return WindowState(window.name, until, window.reason, _scope(window))


def _scope(window: Window) -> str:
    """What of its services a window covers, in words; "" for all."""
    said = []
    if window.checks is not None:
        said.append(f"checks {', '.join(window.checks)}")
    if window.tenants is not None:
        named, more = window.tenants[:_TENANTS_NAMED], len(window.tenants) - _TENANTS_NAMED
        said.append(f"tenants {', '.join(named)}" + (f" and {more} more" if more > 0 else ""))
    return " for ".join(said)


def _check_state(machines: list[Unit], check: Check, going_on: list[Outage]) -> CheckState:
    """One check: the busiest phase of its machines, and what of it is known to fail."""
    phases = [machine.phase for machine in machines]
    mine = [o for o in going_on if o.check == check.name]
    return CheckState(
        name=check.name,
        need=check.need,
        phase=next((p.value for p in phases if p.value != "up"), "up"),
        impact=max((o.impact for o in mine), key=_GRAVITY.__getitem__, default=Impact.NONE),
        failing=tuple(sorted({member for o in mine for member in o.extent.members})),
    )


def vantage_states(mind: Mind, now: float) -> tuple[VantageState, ...]:
    """Every vantage, by its controls."""
    sight = mind.detection.sight
    healthy = sight.healthy(now)
    return tuple(
        VantageState(v.name, v.network, v.name in healthy, sight.explain(v.name, now))
        for v in mind.estate.vantages
    )


def cell_states(mind: Mind, keys: Iterable[CellKey]) -> tuple[CellState, ...]:
    """These cells by what their last probes said; 10,000 take the event loop some 3 ms."""
    memories = mind.detection.memories
    passed = Outcome.PASS
    return tuple(
        CellState(
            key,
            memory.outcome,
            None
            if memory.outcome is passed or memory.last_failure is None
            else memory.last_failure.failure,
        )
        for key, memory in ((key, memories[key]) for key in keys)
    )
