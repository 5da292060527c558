"""The verdict that detection would give of a supposed outage, and the cells that would fail."""

from __future__ import annotations

from datetime import datetime

from monitor.explaining.question import Question, Supposed
from monitor.model import (
    AllUsersScope,
    Cell,
    Dimension,
    Estate,
    Extent,
    Impact,
    Interval,
    Need,
    Stage,
    Verdict,
    VerdictReason,
)


def supposed(question: Question, estate: Estate, at: datetime) -> Verdict:
    """The verdict on a question at an instant."""
    by_tenant = question.service.all_users_scope is AllUsersScope.TENANT
    impact, reason, extent = _found(question, estate)
    return Verdict(
        service=question.service.name,
        impact=impact,
        stage=Stage.FAILING,
        reason=reason,
        at=at,
        checks=_failing_checks(question),
        extent=extent,
        began=Interval(None, question.at),
        tenant=question.tenant if by_tenant else None,
        deployment=question.deployment(),
    )


def failing_cells(question: Question, estate: Estate) -> tuple[Cell, ...]:
    """The cells that would fail; where targets are only counted, all that may be among them."""
    named, checks = set(question.named()), _failing_checks(question)
    cells = estate.cells_of(check for check in question.checks if check.name in checks)
    return tuple(cell for cell in cells if cell.target in named)


def _failing_checks(question: Question) -> tuple[str, ...]:
    degrading = [check.name for check in question.checks if check.need is Need.DEGRADING]
    every = [check.name for check in question.checks]
    return tuple((degrading if question.impact is Supposed.DEGRADED else []) or every)


def _found(question: Question, estate: Estate) -> tuple[Impact, VerdictReason, Extent]:
    count = len(question.population())
    everyone = Extent(Dimension.EVERYONE, (), count, count, count)
    if question.impact is Supposed.UNKNOWN:
        return Impact.UNKNOWN, VerdictReason.LOCKED_OUT, everyone
    if question.impact is Supposed.DEGRADED:
        return Impact.SOME, VerdictReason.DEGRADED, everyone
    if _is_everyone(question, count):
        return Impact.ALL, VerdictReason.EVERYONE_TWICE, everyone
    extent = _part(question, estate, count)
    shared = extent.dimension is Dimension.SHARE
    reason = VerdictReason.SHARE_FAILING if shared else VerdictReason.SET_FAILING
    return Impact.SOME, reason, extent


def _is_everyone(question: Question, count: int) -> bool:
    """Whether everyone of a population is stopped; one tenant is everyone under its own scope."""
    part = _counted(question)
    if part is not None:
        return part == count
    by_tenant = question.service.all_users_scope is AllUsersScope.TENANT
    return question.impact is Supposed.ALL and (question.tenant is None or by_tenant)


def _counted(question: Question) -> int | None:
    """How many targets fail of a group or by number; None where neither was said."""
    if question.group is None:
        return question.failing
    return sum(target.group == question.group for target in question.population())


def _part(question: Question, estate: Estate, count: int) -> Extent:
    """Some of the targets; of a single one, what is seen from one of the vantages only."""
    part = _counted(question)
    if part is not None:
        members = () if question.group is None else (question.group,)
        dimension = Dimension.GROUP if members else Dimension.SHARE
        return Extent(dimension, members, part, count, count)
    if question.tenant is None and count == 1:
        seen_from = (estate.vantages[0].name,)
        return Extent(Dimension.VANTAGE, seen_from, 1, 1, 1, from_vantages=seen_from)
    members = () if question.tenant is None else (question.tenant,)
    return Extent(Dimension.TARGET, members, 1, count, count)
