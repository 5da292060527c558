"""What a history is of: its estate, as far as it was recorded, and rules that fit its pace.

Recorded results cannot be asked for. Where rounds were recorded with them, the rules hold as they
are: the answers to the same questions come at the same moments. A history of planned results only
answers a cell's questions once an interval, so there `for_replay` slows rounds down to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from monitor.detection.population import populations
from monitor.model import (
    CONTROL,
    Audience,
    CellKey,
    Check,
    Estate,
    Rules,
    Service,
    Target,
    Vantage,
)
from monitor.replay.history import CellFacts, History

INTERVAL = 60.0
"""Seconds taken for a check's interval where the history does not show it."""

TIMEOUT = 10.0
"""Seconds taken for a check's timeout where neither its lines nor its interval say less."""

_ROUND_GAP, _ROUND_WAIT = 1.1, 1.5
"""In intervals: so far apart rounds start, and so long each waits, whatever jitter there is."""

_VOTES_AT_LEAST = 8
"""With fewer, what fails four times in ten would be taken for dead once in some hundred tries."""


def estate_of(history: History) -> Estate:
    """The estate that the lines themselves describe."""
    checks: dict[tuple[str, str], dict[CellKey, CellFacts]] = {}
    networks: dict[str, str] = {}
    for key, facts in history.cells.items():
        checks.setdefault((key.service, key.check), {})[key] = facts
        networks[key.vantage] = networks.get(key.vantage) or facts.network
    made = [_check(service, name, cells) for (service, name), cells in checks.items()]
    services = dict.fromkeys(check.service for check in made if check.service != CONTROL)
    return Estate(
        tuple(_service(name, made) for name in services),
        tuple(Vantage(name, network or name) for name, network in networks.items()),
        tuple(check for check in made if check.service == CONTROL),
    )


def recorded_part(estate: Estate, cells: Collection[CellKey]) -> Estate:
    """The part of an estate that has results: what was never recorded cannot answer."""
    checks = {(key.service, key.check, key.target) for key in cells}
    seen_from = {key.vantage for key in cells}

    def kept(known: Iterable[Check]) -> tuple[Check, ...]:
        found = (
            replace(
                check,
                targets=tuple(
                    t for t in check.targets if (check.service, check.name, t.name) in checks
                ),
            )
            for check in known
        )
        return tuple(check for check in found if check.targets)

    services = (replace(service, checks=kept(service.checks)) for service in estate.services)
    return replace(
        estate,
        services=tuple(service for service in services if service.checks),
        vantages=tuple(vantage for vantage in estate.vantages if vantage.name in seen_from),
        controls=kept(estate.controls),
    )


def ruled(estate: Estate, changes: Mapping[str, Any]) -> Estate:
    """The estate with these of its own and every service's rules changed."""
    services = tuple(replace(s, rules=replace(s.rules, **changes)) for s in estate.services)
    return replace(estate, services=services, rules=replace(estate.rules, **changes))


def paced(estate: Estate, cells: Mapping[CellKey, CellFacts]) -> Estate:
    """The estate with rules and waits that fit a history of planned results of these cells."""
    checks: dict[tuple[str, str], list[CellFacts]] = {}
    for key, facts in cells.items():
        checks.setdefault((key.service, key.check), []).append(facts)
    return replace(estate, services=tuple(_paced(s, estate, checks) for s in estate.services))


def for_replay(rules: Rules, interval: float, cells: int, recorded: float = 1.0) -> Rules:
    """Rules for a unit of which each cell answers once every `interval` seconds, unasked.

    A round takes one answer of each cell and lasts until the slowest of them has come. So few
    `cells` cannot repeat their answers: the score needed shrinks to that of `rounds_needed` such
    rounds, but not under `_VOTES_AT_LEAST`. `recorded` is the share of the cells that have results
    at all.
    """
    slow = _ROUND_GAP * interval
    votes = max(_VOTES_AT_LEAST, cells * rules.rounds_needed)
    return replace(
        rules,
        round_gap=max(rules.round_gap, slow),
        late_silence=max(rules.late_silence, _ROUND_WAIT * interval),
        votes_min=1,
        score_needed=rules.score_needed * min(1.0, votes / (rules.votes_min * rules.rounds_needed)),
        sweep_gaps=tuple(max(gap, slow) for gap in rules.sweep_gaps),
        partial_sweep=max(rules.partial_sweep, slow),
        coverage=rules.coverage * recorded,
    )


def _check(service: str, name: str, cells: Mapping[CellKey, CellFacts]) -> Check:
    targets: dict[str, Target] = {}
    for key, facts in cells.items():
        targets.setdefault(key.target, Target(key.target, facts.tenant, "", facts.group))
    first = next(iter(cells.values()))
    interval = _interval(cells.values())
    longest = max(facts.longest for facts in cells.values())
    return Check(
        service=service,
        name=name,
        kind="recorded",
        options=None,
        interval=interval,
        timeout=first.timeout or max(longest, min(TIMEOUT, interval)),
        need=first.need,
        evidence=first.evidence,
        targets=tuple(targets.values()),
        real_users=first.real_users,
        edge=first.edge,
    )


def _service(name: str, checks: Iterable[Check]) -> Service:
    own = tuple(check for check in checks if check.service == name)
    edge = next((check.edge for check in own if check.edge), "")
    return Service(name, name, Audience.USERS, own, edge=edge)


def _interval(cells: Iterable[CellFacts]) -> float:
    """The usual one of these cells."""
    known = [facts.recorded_interval() for facts in cells]
    return median([interval for interval in known if interval] or [INTERVAL])


def _paced(
    service: Service, estate: Estate, recorded: Mapping[tuple[str, str], Sequence[CellFacts]]
) -> Service:
    found = {check.name: recorded[service.name, check.name] for check in service.checks}
    intervals = {name: _interval(cells) for name, cells in found.items()}
    checks = tuple(
        replace(
            check,
            interval=intervals[check.name],
            timeout=max(check.timeout, _ROUND_WAIT * intervals[check.name]),
        )
        for check in service.checks
    )
    alone = replace(estate, services=(service,), controls=())
    smallest = min(len(population.cells) for population in populations(alone))
    possible = {check.name: len(check.targets) * len(estate.vantages) for check in checks}
    heard = min(len(cells) / possible[name] for name, cells in found.items())
    rules = for_replay(service.rules, max(intervals.values()), smallest, heard)
    return replace(service, checks=checks, rules=rules)
