"""What one state machine judges: the in-scope cells of one check, and what it remembers of each.

A machine is made per (service, check); targets of another deployment than hosted are judged
apart, and under tenant scope each tenant is. Every cell belongs to exactly one machine, but for
those of witnesses (checks of what real users do): these are remembered and never judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.model import (
    SHARED,
    AllUsersScope,
    Audience,
    Cell,
    CellKey,
    Check,
    Deployment,
    Estate,
    EvidenceKind,
    Need,
    Outcome,
    Result,
    Rules,
    Service,
)


@dataclass(slots=True)
class Memory:
    """What is remembered of one cell.

    `worked`: it has passed under its present fingerprint. `slowest` is a slowly decaying maximum
    of PASS durations and stands for their 99th percentile; None before the first. `first_failed`
    is when the present failures were first seen, `first_passed` the present passes;
    `last_failure` stays known when it passes again. `newest_sent` is when the newest result that
    counts was sent, `done_sent` the newest probe that was answered at all or given up.
    """

    key: CellKey
    fingerprint: str
    worked: bool = False
    slowest: float | None = None
    newest_sent: float = float("-inf")
    done_sent: float = float("-inf")
    outcome: Outcome | None = None
    passed_sent: float | None = None
    first_failed: float | None = None
    failed_sent: float | None = None
    first_passed: float | None = None
    last_failure: Result | None = None
    failures: int = 0

    def silence_limit(self, deadline: float, rules: Rules) -> float:
        """Seconds without an answer after which a probe is suspicious."""
        if self.slowest is None:
            return deadline / 2
        usual = max(rules.silence_p99 * self.slowest, rules.silence_min)
        return min(usual, max(deadline / 2, 1.2 * self.slowest))

    def done(self, sent: float) -> None:
        """A probe sent then has been answered, whatever that says, or is given up."""
        self.done_sent = max(self.done_sent, sent)

    def note(self, result: Result) -> None:
        """Take in a result that is newer than any before it."""
        self.newest_sent = result.sent_mono
        self.outcome = result.outcome
        if result.outcome is Outcome.PASS:
            duration = result.observed_mono - result.sent_mono
            self.slowest = max(duration, 0.995 * (self.slowest or 0.0))
            self.worked = True
            self.passed_sent = result.sent_mono
            self.first_passed = self.first_passed or result.observed_mono
            self.first_failed = None
            self.failures = 0
        elif result.outcome in (Outcome.FAIL, Outcome.MAINTENANCE):
            self.failures += 1
            self.last_failure = result
            self.failed_sent, self.first_passed = result.sent_mono, None
            if self.first_failed is None:
                self.first_failed = result.observed_mono


@dataclass(frozen=True, slots=True)
class Population:
    """The cells of one unit, and what is asked of them together.

    `owner_of` says whose each target is, SHARED where it stands for everyone.
    """

    unit: str
    service: str
    check: str
    need: Need
    evidence: EvidenceKind
    audience: Audience
    rules: Rules
    interval: float
    timeout: float
    tenant: str | None
    deployment: Deployment
    cells: tuple[CellKey, ...]
    group_of: dict[CellKey, str]
    targets: tuple[str, ...]
    owner_of: dict[str, str]
    sample: tuple[str, ...]
    cells_of: dict[str, tuple[CellKey, ...]]

    def broad(self, heard: Iterable[str] | None = None) -> bool:
        """Whether these targets failing (None: all of them) says anything of everyone.

        It needs a shared target, or enough tenants, of whom enough have been heard.
        """
        if self.tenant is not None:
            return True
        owners = {self.owner_of[target] for target in self.sample}
        if SHARED not in owners and len(owners) < self.rules.tenants_needed:
            return False
        known = owners if heard is None else {self.owner_of[target] for target in heard}
        return SHARED in known or len(known) >= self.rules.coverage * len(owners)


def populations(estate: Estate) -> list[Population]:
    """Every unit of the estate."""
    found = []
    for service in estate.services:
        for check in service.checks:
            if check.real_users:
                continue
            parts: dict[tuple[str | None, Deployment], list[Cell]] = defaultdict(list)
            for target in check.targets:
                tenant = _own_tenant(service, target.tenant)
                for vantage in estate.vantages:
                    key = CellKey(service.name, check.name, target.name, vantage.name)
                    parts[tenant, target.deployment].append(Cell(key, check, target, vantage))
            found += [
                _population(service, check, tenant, deployment, cells)
                for (tenant, deployment), cells in parts.items()
            ]
    return found


def _own_tenant(service: Service, tenant: str) -> str | None:
    by_tenant = service.all_users_scope is AllUsersScope.TENANT
    return tenant if by_tenant and tenant != SHARED else None


def _population(
    service: Service, check: Check, tenant: str | None, deployment: Deployment, cells: list[Cell]
) -> Population:
    parts = [service.name, check.name]
    parts += [tenant] if tenant else []
    parts += [deployment.value] if deployment is not Deployment.HOSTED else []
    group_of = {cell.key: cell.target.group for cell in cells}
    groups = {cell.target.name: cell.target.group for cell in cells}
    return Population(
        unit="/".join(parts),
        service=service.name,
        check=check.name,
        need=check.need,
        evidence=check.evidence,
        audience=service.audience,
        rules=service.rules,
        interval=check.interval,
        timeout=check.timeout,
        tenant=tenant,
        deployment=deployment,
        cells=tuple(cell.key for cell in cells),
        group_of=group_of,
        targets=tuple(groups),
        owner_of={cell.target.name: cell.target.tenant for cell in cells},
        sample=_sample(groups, service.rules),
        cells_of=_by_target(cells),
    )


def _by_target(cells: list[Cell]) -> dict[str, tuple[CellKey, ...]]:
    found: dict[str, list[CellKey]] = defaultdict(list)
    for cell in cells:
        found[cell.target.name].append(cell.key)
    return {target: tuple(keys) for target, keys in found.items()}


def _sample(groups: dict[str, str], rules: Rules) -> tuple[str, ...]:
    """All targets when they are few; otherwise some of every group, the same ones every time."""
    if len(groups) <= rules.sample_limit:
        return tuple(groups)
    by_group: dict[str, list[str]] = defaultdict(list)
    for target, group in groups.items():
        by_group[group].append(target)
    share = rules.sample_size / len(groups)
    wanted = {group: max(1, round(share * len(names))) for group, names in by_group.items()}
    return tuple(
        names[i * len(names) // wanted[group]]
        for group, names in by_group.items()
        for i in range(wanted[group])
    )


def sampled_cells(population: Population, also: Iterable[str]) -> tuple[CellKey, ...]:
    """The cells a round asks: the sample's, and those of other targets seen failing."""
    targets = dict.fromkeys((*population.sample, *also))
    return tuple(cell for target in targets for cell in population.cells_of[target])
