"""What is watched: services, their checks and targets, and the places they are watched from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from monitor.model.planned import Window


class Audience(StrEnum):
    """Whom a service serves, and so how "everyone" reads in a sentence."""

    USERS = "users"
    END_USERS = "end_users"


class Need(StrEnum):
    """Whether users are stopped without what a check observes."""

    BLOCKING = "blocking"
    DEGRADING = "degrading"


class EvidenceKind(StrEnum):
    """How a check learns: by asking, by being told, or by doing something that must be undone."""

    ACTIVE = "active"
    PASSIVE = "passive"
    MUTATING = "mutating"


class Deployment(StrEnum):
    """Where a target runs; all but HOSTED are excluded from the critical promise."""

    HOSTED = "hosted"
    ON_PREMISE = "on_premise"
    DESKTOP = "desktop"
    VERSION_6 = "version_6"


class AllUsersScope(StrEnum):
    """Whose users "all users" means: everyone on the platform, or everyone of one tenant."""

    PLATFORM = "platform"
    TENANT = "tenant"


SHARED = "*"
"""The tenant of a target that everyone shares."""

CONTROL = "control"
"""The reserved service name under which a vantage's control targets are probed."""

MONITOR = "monitor"
"""The reserved service name of what concerns the monitor itself, such as being blind."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing a check probes. `group` is the backend group, "" where unknown.

    `fingerprint` changes when the address or what is asserted of it changes: a target counts
    toward "all" only after one PASS under its present fingerprint. `options` are its check's with
    what is its own filled in; None where nothing but the address is.
    """

    name: str
    tenant: str
    address: str
    group: str = ""
    deployment: Deployment = Deployment.HOSTED
    canary: bool = False
    fingerprint: str = ""
    options: object | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One ability of one service. `options` is the kind's own frozen dataclass.

    `real_users`: it counts what real users do. Its success proves that they get in, its failure
    proves nothing, so it declares nothing by itself. `edge` names what a control stands behind
    (a WAF, a CDN), "" where nothing.
    """

    service: str
    name: str
    kind: str
    options: object
    interval: float
    timeout: float
    need: Need
    evidence: EvidenceKind
    targets: tuple[Target, ...]
    runbook: str = ""
    real_users: bool = False
    edge: str = ""


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place probes leave from: by a source address of this host, or through a proxy URL."""

    name: str
    network: str
    source_address: str | None = None
    proxy: str | None = None


class CellKey(NamedTuple):
    """The identity of a cell, by names."""

    service: str
    check: str
    target: str
    vantage: str

    def __str__(self) -> str:
        return "/".join(self)


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit that is scheduled: one check, one of its targets, one vantage."""

    key: CellKey
    check: Check
    target: Target
    vantage: Vantage

    @property
    def options(self) -> object:
        """The options of its kind, as they are for its target."""
        own = self.target.options
        return self.check.options if own is None else own


@dataclass(frozen=True, slots=True)
class Rules:
    """The constants of detection, per service. Each says what it trades.

    silence_min, silence_p99: an unanswered probe is suspicious after
        `min(max(silence_p99 * p99, silence_min), timeout / 2)`; lower finds black holes sooner
        and probes more under slow answers.
    round_gap: seconds between the starts of two rounds (D); shorter pages sooner and takes a
        deploy's blip for an outage.
    late_silence: from the second round on, silence this long counts as FAIL.
    votes_min, repeat_gap: with fewer cells than votes_min, cells are probed again repeat_gap
        apart until there are that many votes a round.
    sample_limit, sample_size: up to sample_limit targets all are probed; beyond it a stratified
        sample of sample_size.
    vantage_fail_share, pass_share, coverage: what a round needs of every healthy vantage and
        group, of all votes together, and of the cells heard from.
    score_fail, score_pass, score_needed: Wald's sequential test of 95 % failing against 80 %.
    rounds_needed, rounds_one_location: consecutive passing rounds that make ALL.
    sweep_gaps: after a round that did not pass, the gaps to the next ones; the last repeats.
    share_rounds, partial_share: PARTIAL(share) when more than partial_share of the votes of that
        many rounds fail and no set explains them.
    path_span: a set of vantages is declared only when it has failed this long, and everyone as
        seen from two places where there are more; shorter is a transit's burst.
    partial_sweep, quiet_rounds: how often PARTIAL is swept and how many quiet rounds end it.
    recovery_rounds, recovery_span, recovery_share: what ends ALL.
    merge_window: a failure within it after recovery is the same outage.
    flap_episodes, flap_window: that many episodes within it: FLAPPING until it has been quiet.
    tenants_needed: ALL needs a shared target or this many tenants.
    locked_out_after: turned away this long without any PASS, we say that we cannot tell.
    control_fresh: a control's PASS older than this no longer vouches for its vantage.
    demote_flapping, demote_failing, demoted_share: a cell that changed in more than this weighted
        share of its last 20 outcomes at rest, or fails at more than this rate there, loses its
        FAIL vote, but at most that share of a unit's cells; lower probes less under noise and
        hears fewer cells.
    trials_per_hour: rounds of a mutating check in an hour; fewer leaves fewer traces, more ends an
        outage sooner.
    """

    silence_min: float = 1.0
    silence_p99: float = 4.0
    round_gap: float = 8.0
    late_silence: float = 5.0
    votes_min: int = 15
    repeat_gap: float = 0.5
    sample_limit: int = 100
    sample_size: int = 30
    vantage_fail_share: float = 0.5
    pass_share: float = 0.2
    coverage: float = 0.5
    score_fail: float = 0.172
    score_pass: float = 1.386
    score_needed: float = 5.0
    rounds_needed: int = 2
    rounds_one_location: int = 4
    sweep_gaps: tuple[float, ...] = (8.0, 10.0, 20.0, 30.0)
    share_rounds: int = 4
    partial_share: float = 0.15
    path_span: float = 60.0
    partial_sweep: float = 120.0
    quiet_rounds: int = 2
    recovery_rounds: int = 3
    recovery_span: float = 60.0
    recovery_share: float = 0.9
    merge_window: float = 600.0
    flap_episodes: int = 3
    flap_window: float = 1800.0
    tenants_needed: int = 5
    locked_out_after: float = 180.0
    control_fresh: float = 30.0
    demote_flapping: float = 0.3
    demote_failing: float = 0.2
    demoted_share: float = 0.25
    trials_per_hour: int = 12


@dataclass(frozen=True, slots=True)
class Service:
    """What customers know, with the checks that observe it.

    `core` says that the critical promise covers it; `title` is its name in sentences; `edge` names
    what it stands behind, as of a check; `depends_on` what stands behind it and is not watched,
    such as an ERP.
    """

    name: str
    title: str
    audience: Audience
    checks: tuple[Check, ...]
    core: bool = True
    rules: Rules = field(default_factory=Rules)
    all_users_scope: AllUsersScope = AllUsersScope.PLATFORM
    wide_share: float | None = 0.5
    edge: str = ""
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that is watched, from where, and when it is being maintained.

    `controls` are checks of the reserved service CONTROL, probed from every vantage.
    `rules` are those of the vantages' health, which is no service's; each service has its own.
    """

    services: tuple[Service, ...]
    vantages: tuple[Vantage, ...]
    controls: tuple[Check, ...]
    windows: tuple[Window, ...] = ()
    rules: Rules = field(default_factory=Rules)

    def cells(self) -> tuple[Cell, ...]:
        """Every cell of every service and control, in the order of the configuration."""
        return self.cells_of([c for s in self.services for c in s.checks] + list(self.controls))

    def cells_of(self, checks: Iterable[Check]) -> tuple[Cell, ...]:
        """Every cell of these checks."""
        return tuple(
            Cell(
                CellKey(check.service, check.name, target.name, vantage.name),
                check,
                target,
                vantage,
            )
            for check in checks
            for target in check.targets
            for vantage in self.vantages
        )
