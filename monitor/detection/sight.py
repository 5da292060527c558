"""Whether a vantage can be believed: its control targets say, not its own word.

A control is good while its latest answer is a PASS, not older than it may be, and no probe of it
has gone silent. A vantage is healthy while at least half of its controls are good; one without
controls is taken at its word. Two healthy vantages count as two places only in two networks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from monitor.model import CellKey, Check, Outcome, Rules, Vantage


@dataclass(slots=True)
class _Control:
    good_for: float
    passed_at: float | None = None
    failed: bool = False
    silent: bool = False

    def good(self, now: float) -> bool:
        return now <= self.good_until()

    def good_until(self) -> float:
        """The last moment at which it vouches, unless something is heard of it before."""
        if self.failed or self.silent or self.passed_at is None:
            return float("-inf")
        return self.passed_at + self.good_for


@dataclass(slots=True)
class _View:
    vantage: Vantage
    controls: dict[CellKey, _Control] = field(default_factory=dict)

    def good(self, now: float) -> int:
        return sum(control.good(now) for control in self.controls.values())


class Sight:
    """The health of every vantage, and since when fewer than two places can be believed.

    `places` is how many networks there are to see from, healthy or not.
    """

    __slots__ = (
        "_healthy",
        "_healthy_until",
        "_of_control",
        "_views",
        "few_since",
        "none_since",
        "places",
        "seeing_since",
    )

    def __init__(
        self, vantages: Iterable[Vantage], controls: Iterable[Check], rules: Rules
    ) -> None:
        self._views = {v.name: _View(v) for v in vantages}
        self._of_control: dict[CellKey, _Control] = {}
        self._healthy: tuple[str, ...] = ()
        self._healthy_until = float("-inf")
        self.few_since: float | None = None
        self.none_since: float | None = None
        self.seeing_since: float | None = None
        for check in controls:
            good_for = max(rules.control_fresh, 2 * check.interval + check.timeout)
            for target in check.targets:
                for name, view in self._views.items():
                    key = CellKey(check.service, check.name, target.name, name)
                    view.controls[key] = self._of_control[key] = _Control(good_for)
        self.places = len({v.vantage.network for v in self._views.values()})
        if self.places < 2:
            self.few_since = float("-inf")

    @property
    def control_cells(self) -> tuple[CellKey, ...]:
        """Every control cell of every vantage."""
        return tuple(self._of_control)

    def controls_of(self, vantage: str) -> tuple[CellKey, ...]:
        """The control cells of one vantage."""
        return tuple(self._views[vantage].controls)

    def answered(self, cell: CellKey, outcome: Outcome, observed: float) -> None:
        """A control answered; INVALID says nothing of it."""
        control = self._of_control[cell]
        control.silent = False
        self._healthy_until = float("-inf")
        if outcome is Outcome.PASS:
            control.failed = False
            control.passed_at = observed
        elif outcome is not Outcome.INVALID:
            control.failed = True

    def fell_silent(self, cell: CellKey) -> None:
        """A probe of a control has had no answer for suspiciously long."""
        self._of_control[cell].silent = True
        self._healthy_until = float("-inf")

    def forget_silence(self) -> None:
        """We were not looking: silence says nothing."""
        for control in self._of_control.values():
            control.silent = False
        self._healthy_until = float("-inf")

    def healthy(self, now: float) -> tuple[str, ...]:
        """The vantages that can be believed now (never before an earlier `now`)."""
        if now > self._healthy_until:
            self._healthy = tuple(
                name
                for name, view in self._views.items()
                if not view.controls or 2 * view.good(now) >= len(view.controls)
            )
            ends = (control.good_until() for control in self._of_control.values())
            self._healthy_until = min((end for end in ends if end >= now), default=float("inf"))
        return self._healthy

    def networks(self, vantages: Iterable[str]) -> int:
        """How many places these vantages are; one that is no longer configured is none."""
        known = [self._views[name] for name in vantages if name in self._views]
        return len({view.vantage.network for view in known})

    def notice(self, now: float) -> None:
        """Keep count of how long there have been fewer than two places, and none."""
        healthy = self.healthy(now)
        if self.few_since != float("-inf"):
            few = self.networks(healthy) < 2
            self.few_since = (now if self.few_since is None else self.few_since) if few else None
        none = not healthy
        self.none_since = (now if self.none_since is None else self.none_since) if none else None
        since = now if self.seeing_since is None else self.seeing_since
        self.seeing_since = None if none else since

    def shift(self, by: float) -> None:
        """Time passed unobserved: it does not count toward any of this."""
        for control in self._of_control.values():
            control.passed_at = control.passed_at and control.passed_at + by
        self._healthy_until = float("-inf")
        self.few_since = self.few_since and self.few_since + by
        self.none_since = self.none_since and self.none_since + by
        self.seeing_since = self.seeing_since and self.seeing_since + by

    def explain(self, vantage: str, now: float) -> str:
        """One line: how many of a vantage's controls answer."""
        view = self._views[vantage]
        if not view.controls:
            return "no control targets: taken at its word"
        return f"{view.good(now)} of {len(view.controls)} control targets answer"
