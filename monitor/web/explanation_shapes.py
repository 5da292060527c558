"""The shape in which a decision is explained, on the command line and by the API."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Self

from pydantic import Field

from monitor.explaining import Explanation, Supposed
from monitor.hours import DayRule
from monitor.model import (
    AllUsersScope,
    ClosedReason,
    DecisionReason,
    Deployment,
    Priority,
    Role,
)
from monitor.policy import Urgency
from monitor.web.schemas import Shape


class SupportShape(Shape):
    """Whether support is open at an instant, and the part of the calendar that makes it so."""

    at: datetime
    open: bool
    closed_reason: ClosedReason | None
    rule: DayRule = Field(description="Which part of the calendar decides about that local day")
    setting: str = Field(description="The key of the configuration that says so")
    occasion: str = Field(description="The name of what closes the day, empty for none")
    hours: tuple[time, time] | None = Field(description="Local hours; null when it does not open")
    local_date: date


class SettingShape(Shape):
    """A setting that bears on a decision."""

    key: str
    value: str = Field(description="As the configuration spells it")
    effect: str = Field(description="How it bears")


class RuleShape(Shape):
    """The rule of the policy that decided."""

    number: int = Field(description="Its place in the order of precedence, from 1")
    name: str
    holds: str = Field(description="When it holds")
    settings: list[SettingShape]


class RouteShape(Shape):
    """The row of the table of routes that decided who is told."""

    urgency: Urgency
    support_open: bool
    roles: list[Role]
    held: bool = Field(description="Whether the notice waits until support opens")


class ToldShape(Shape):
    """Whether a role is told, when, and by which channels."""

    role: Role
    at: datetime | None = Field(description="Null when it is not told")
    held: bool
    channels: list[str] = Field(description="Names of the channels that serve it; may be none")


class MaintenanceShape(Shape):
    """The maintenance window that covers what is supposed to fail."""

    name: str
    reason: str
    until: datetime


class ExplanationShape(Shape):
    """What policy would decide of a supposed outage, and what decides it.

    In maintenance nothing opens at `at`: the decision is that of `opens_at`, the window's end.
    """

    service: str
    impact: Supposed
    checks: list[str]
    tenant: str | None
    group: str | None
    failing: int = Field(description="How many of the targets are supposed to fail")
    targets: int = Field(description="How many are judged together")
    deployment: Deployment
    at: datetime
    opens_at: datetime
    support: SupportShape = Field(description="Support at `at`")
    support_open: bool = Field(description="Of `opens_at`, as is all that follows")
    closed_reason: ClosedReason | None
    next_opening: datetime
    priority: Priority
    reason: DecisionReason
    scope_read: AllUsersScope = Field(description="Which reading of all users was used")
    rule: RuleShape
    route: list[Role] = Field(description="Who is told")
    route_row: RouteShape
    told: list[ToldShape]
    notify_at: datetime
    respond_by: datetime | None = Field(description="Null where nothing is promised")
    maintenance: MaintenanceShape | None
    beside: list[str] = Field(description="Open windows that cover a part of what fails")
    sentence: str

    @classmethod
    def of(cls, found: Explanation) -> Self:
        """The shape of an explanation."""
        question, decision, verdict = found.question, found.decision, found.verdict
        return cls(
            service=question.service.name,
            impact=question.impact,
            checks=list(verdict.checks),
            tenant=question.tenant,
            group=question.group,
            failing=verdict.extent.failing,
            targets=verdict.extent.population,
            deployment=verdict.deployment,
            at=question.at,
            opens_at=found.opens_at,
            support=_support(found),
            support_open=decision.support_open,
            closed_reason=decision.closed_reason,
            next_opening=decision.next_opening,
            priority=decision.priority,
            reason=decision.reason,
            scope_read=decision.scope_read,
            rule=_rule(found),
            route=list(decision.route),
            route_row=RouteShape(
                urgency=found.urgency,
                support_open=decision.support_open,
                roles=list(found.route.roles),
                held=found.route.held,
            ),
            told=[ToldShape.model_validate(each) for each in found.told],
            notify_at=decision.notify_at,
            respond_by=decision.respond_by,
            maintenance=_maintenance(found),
            beside=[window.name for window in found.beside],
            sentence=found.sentence,
        )


def _support(found: Explanation) -> SupportShape:
    support = found.support
    return SupportShape(
        at=support.at,
        open=support.closed_reason is None,
        closed_reason=support.closed_reason,
        rule=support.day.rule,
        setting=support.key,
        occasion=support.day.name,
        hours=support.day.hours,
        local_date=support.day.date,
    )


def _rule(found: Explanation) -> RuleShape:
    return RuleShape(
        number=found.number,
        name=found.rule.name,
        holds=found.rule.holds,
        settings=[SettingShape.model_validate(each) for each in found.settings],
    )


def _maintenance(found: Explanation) -> MaintenanceShape | None:
    if found.maintenance is None:
        return None
    window, ends = found.maintenance.window, found.maintenance.ends
    return MaintenanceShape(name=window.name, reason=window.reason, until=ends)
