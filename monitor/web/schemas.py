"""The shapes in which the API answers. Instants are UTC, durations seconds."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from monitor.explaining import Explanation, Supposed
from monitor.hours import DayRule
from monitor.model import (
    Action,
    AllUsersScope,
    Audience,
    ClosedReason,
    DecisionReason,
    Deployment,
    Dimension,
    EventKind,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Need,
    NoticeState,
    Outcome,
    Priority,
    Role,
    Stage,
)
from monitor.policy import Urgency
from monitor.store import IncidentRecord


class Shape(BaseModel):
    """What all shapes share: they are read off the monitor's own values."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class ErrorBody(Shape):
    """Why a request was refused."""

    code: str = Field(description="A word for programs")
    message: str = Field(description="What is wrong and what to do about it")
    details: list[str] = Field(default=[], description="Each mistake or reason on its own")


class ErrorAnswer(Shape):
    """A refusal."""

    error: ErrorBody


class Health(Shape):
    """The monitor is well."""

    status: Literal["alive", "ready"]


class IntervalShape(Shape):
    """When something happened: later than `after`, not later than `before`."""

    after: datetime | None = Field(description="Null when nothing was known before")
    before: datetime


class CheckShape(Shape):
    """One check of a service as it looks now."""

    name: str
    need: Need
    phase: str = Field(description="Where detection stands")
    impact: Impact
    failing: list[str] = Field(description="The failing targets, groups or vantages")


class WindowShape(Shape):
    """An open maintenance window: what fails in it is not told before it ends."""

    name: str
    until: datetime
    reason: str = Field(description="Empty when none was given")
    scope: str = Field(description="What of the service it covers, empty for all")


class ServiceShape(Shape):
    """One service as it looks now."""

    name: str
    title: str
    audience: Audience
    impact: Impact
    stage: Stage | None = Field(description="Where its outage stands; null without one")
    since: IntervalShape | None = Field(description="When its present trouble began")
    known_by: str = Field(description="How this is known")
    checks: list[CheckShape]
    incidents: list[int] = Field(description="Numbers of its open incidents")
    maintenance: WindowShape | None = Field(description="Null while no window is open")


class ServiceList(Shape):
    """Every service."""

    services: list[ServiceShape]


class ExtentShape(Shape):
    """Which part of a service's population fails."""

    dimension: Dimension
    members: list[str]
    failing: int
    sampled: int
    population: int
    from_vantages: list[str]


class ErrorShape(Shape):
    """One error as observed, verbatim."""

    check: str
    target: str
    vantage: str
    kind: FailureKind
    message: str
    at: datetime
    count: int


class HandoverShape(Shape):
    """Support closed over an acknowledged incident, which on-call is to accept."""

    closed_at: datetime
    accept_by: datetime = Field(description="Nobody having accepted it by then pages")
    accepted_by: str | None
    accepted_at: datetime | None
    paged_at: datetime | None


class IncidentSummary(Shape):
    """One incident."""

    number: int = Field(description="What people say")
    id: str = Field(description="A ULID, unique over all monitors")
    url: str = Field(default="", description="Its page")
    service: str
    title: str
    impact: Impact
    priority: Priority
    state: IncidentState
    reason: DecisionReason
    scope: str = Field(description="Who is affected, in words")
    route: list[Role] = Field(description="Who is told")
    began: IntervalShape
    detected_at: datetime
    reported_at: datetime = Field(description="When the incident was committed")
    respond_by: datetime | None = Field(description="Null where nothing is promised")
    out_of_hours: bool
    known_by: str = Field(description="How this is known")
    checks: list[str]
    extent: ExtentShape
    errors: list[ErrorShape]
    episodes: int = Field(description="How often it failed within this outage")
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    recovered: IntervalShape | None
    watch_until: datetime | None = Field(description="Until when recovery is watched")
    resolved_at: datetime | None
    handover: HandoverShape | None = Field(description="Null while it was not handed over")
    linked: list[str] = Field(description="Ids of related incidents, each of which names this one")
    paged_with: str | None = Field(
        description="Id of the incident whose page it shares, which holds its notices; or null"
    )

    @classmethod
    def of(cls, incident: Incident, public_url: str) -> Self:
        """The shape of an incident."""
        url = f"{public_url}/incidents/{incident.number}"
        return cls.model_validate(incident).model_copy(update={"url": url})


class EventShape(Shape):
    """One line of a timeline."""

    at: datetime
    actor: str
    kind: EventKind
    text: str


class PhasesShape(Shape):
    """Seconds of each phase of a probe; null where it did not get that far."""

    resolve: float | None
    connect: float | None
    tls: float | None
    processing: float | None
    transfer: float | None


class CertificateShape(Shape):
    """The certificate a peer showed."""

    subject: str
    issuer: str
    names: list[str]
    not_before: datetime
    not_after: datetime
    chain_expiry: datetime


class CapturedShape(Shape):
    """What a probe captured, redacted."""

    message: str
    address: str
    status: int | None
    status_line: str
    headers: list[tuple[str, str]]
    body: str
    certificate: CertificateShape | None
    warnings: list[str]


class CellShape(Shape):
    """Which cell a result is of."""

    service: str
    check: str
    target: str
    vantage: str


class ResultShape(Shape):
    """One result that an incident rests on."""

    id: str
    cell: CellShape
    observed_at: datetime
    outcome: Outcome
    failure: FailureKind | None
    phases: PhasesShape
    evidence: CapturedShape


class NoticeShape(Shape):
    """One message owed to a channel."""

    channel: str
    action: Action
    seq: int
    state: NoticeState
    due_at: datetime
    held: bool = Field(description="Waits for support to open")
    attempts: int
    sent_at: datetime | None
    remote_id: str | None
    last_error: str | None


class IncidentDetail(IncidentSummary):
    """One incident with all that belongs to it."""

    timeline: list[EventShape] = []
    evidence: list[ResultShape] = []
    notices: list[NoticeShape] = []

    @classmethod
    def of_record(cls, record: IncidentRecord, public_url: str) -> Self:
        """The shape of an incident as the store keeps it."""
        return cls.of(record.incident, public_url).model_copy(
            update={
                "timeline": [EventShape.model_validate(event) for event in record.events],
                "evidence": [ResultShape.model_validate(result) for result in record.evidence],
                "notices": [NoticeShape.model_validate(notice) for notice in record.notices],
            }
        )


class IncidentPage(Shape):
    """Some incidents, newest first."""

    incidents: list[IncidentSummary]
    next_before: int | None = Field(description="Ask again with this as `before`; null at the end")


Number = int | float
"""Whole where it is, so that what is sent is what was hashed."""


class AvailabilityShape(Shape):
    """How long a service was there in a month; docs/figures.md has the formulas."""

    service: str
    seconds: Number = Field(description="T: of the month, until now while it is running")
    maintenance_seconds: Number = Field(description="M: announced, of the whole service")
    unobserved_seconds: Number = Field(description="U: never counted as up")
    counted_seconds: Number = Field(description="T without M and U")
    down_seconds: Number = Field(description="D: outages for some or all, without M and U")
    down_everyone_seconds: Number = Field(description="The part of D that stopped everyone")
    down_at_most_seconds: Number = Field(description="D from the last known good on")
    uptime_percent: Number | None = Field(description="Rounded down; null: no second counts")
    coverage_percent: Number | None = Field(description="How much was observed, rounded down")
    remarks: list[str] = Field(description="Sentences on what was not counted, or how")


class SpreadShape(Shape):
    """How `n` durations lie, in seconds; null without any."""

    n: int
    median: Number | None
    p90: Number | None
    max: Number | None


class ResponsesShape(Shape):
    """What became of promised responses."""

    met: int
    missed: int
    not_needed: int = Field(description="Resolved in time without anybody's")
    pending: int


class PromisesShape(Shape):
    """How incidents were found, answered and ended."""

    priorities: dict[Priority, int]
    false_alarms: int
    response: ResponsesShape = Field(description="To critical incidents")
    to_detect: SpreadShape = Field(description="From the first known bad")
    to_acknowledge: SpreadShape = Field(description="From the report")
    to_recover: SpreadShape = Field(description="From the first known bad to the first PASS after")


class ByHoursShape(Shape):
    """Apart by whether support was open."""

    in_hours: PromisesShape
    out_of_hours: PromisesShape


class FiguresShape(Shape):
    """The figures of a month."""

    month: str
    zone: str
    since: datetime
    until: datetime = Field(description="The month's end, or now while it is running")
    running: bool
    final: bool = Field(description="Nothing in it is open: time changes it no more")
    services: list[AvailabilityShape]
    together: AvailabilityShape = Field(description="All services, by their added seconds")
    incidents: ByHoursShape = Field(description="Those reported in the month")
    remarks: list[str]
    sha256: str = Field(description="Of all the rest, as JSON with sorted keys and no spaces")


class Acknowledgement(BaseModel):
    """Who takes an incident on."""

    model_config = ConfigDict(extra="forbid")

    by: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"
        ),
        Field(description="The name of the person"),
    ]


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
