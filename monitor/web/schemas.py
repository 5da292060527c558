"""The shapes in which the API answers. Instants are UTC, durations seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from monitor.model import (
    Action,
    Audience,
    DecisionReason,
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
    Report,
    ReportMessageKind,
    Result,
    Role,
    Stage,
)
from monitor.store import IncidentRecord
from monitor.story import Story, values_of


class Shape(BaseModel):
    """What all shapes share: they are read off the monitor's own values."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class ErrorBody(Shape):
    """Why a request was refused."""

    code: str = Field(description="A word for programs")
    message: str = Field(description="What is wrong and what to do about it")
    details: list[str] = Field(default=[], description="Each mistake or reason on its own")
    typed: dict[str, Any] | None = Field(
        default=None, description="What was sent of a report that was refused, as it was"
    )


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


class SilenceShape(Shape):
    """Nothing is sent of an incident but that a person has it or that it is over."""

    by: str
    reason: str
    since: datetime
    until: datetime


class ReportedByShape(Shape):
    """A customer's report that opened or joined an incident."""

    reference: str
    tenant: str | None = Field(description="Null for an anonymous one")
    reported_at: datetime
    respond_by: datetime | None
    answered_at: datetime | None = Field(description="Null while it waits for a person")
    answered_by: str | None


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
    resolved_by: str | None = Field(description="Null where the probes ended it")
    false_alarm: bool
    silenced: SilenceShape | None = Field(description="Null while it is told of")
    by_customer: bool = Field(description="A customer's report opened it: a person resolves it")
    reports: list[ReportedByShape] = Field(description="Customers' reports of it, oldest first")
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


class StepShape(Shape):
    """One exchange of a probe that makes several."""

    name: str
    asked: str
    outcome: Outcome
    seconds: float
    status_line: str
    message: str


class CapturedShape(Shape):
    """What a probe captured, redacted."""

    message: str
    asked: str
    address: str
    status: int | None
    status_line: str
    headers: list[tuple[str, str]]
    body: str
    tls_version: str
    certificate: CertificateShape | None
    warnings: list[str]
    steps: list[StepShape]


class CellShape(Shape):
    """Which cell a result is of."""

    service: str
    check: str
    target: str
    vantage: str


class FactShape(Shape):
    """One line of a story."""

    what: str
    text: str


class DifferenceShape(Shape):
    """One thing that is not as it was at the last PASS."""

    what: str
    before: str
    now: str


class StoryShape(Shape):
    """What a probe saw, for a reader in a hurry."""

    headline: str
    facts: list[FactShape]
    body: list[str]
    differences: list[DifferenceShape] | None = Field(
        description="From the last PASS; null where none is on record"
    )


class ResultShape(Shape):
    """One result that an incident rests on."""

    id: str
    cell: CellShape
    observed_at: datetime
    outcome: Outcome
    failure: FailureKind | None
    phases: PhasesShape
    evidence: CapturedShape
    story: StoryShape

    @classmethod
    def told(cls, result: Result, story: Story) -> Self:
        """The shape of a result with its story."""
        fields = {name: getattr(result, name) for name in cls.model_fields if name != "story"}
        return cls.model_validate({**fields, "story": values_of(story)})


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
                "evidence": [ResultShape.told(*each) for each in record.stories()],
                "notices": [NoticeShape.model_validate(notice) for notice in record.notices],
            }
        )


class IncidentPage(Shape):
    """Some incidents, newest first."""

    incidents: list[IncidentSummary]
    next_before: int | None = Field(description="Ask again with this as `before`; null at the end")


class ReportBody(BaseModel):
    """A customer's own account of an incident."""

    services: list[str] = Field(description="Names or titles of the services")
    start_time: str = Field(
        description="When it began: ISO 8601, YYYY-MM-DD HH:MM, or HH:MM of today; London time "
        "where no zone is given. Not in the future, not over 7 days ago"
    )
    error_messages: str = Field(description="Verbatim, or 'none shown'")
    what_happened_instead: str = Field(default="", description="Needed where none was shown")
    all_users: bool = Field(description="Whether all the customer's users are stopped")
    contact: str = Field(default="", description="How to reach who reports it")


class ReportMessageShape(Shape):
    """What the reporter was told."""

    at: datetime
    kind: ReportMessageKind
    text: str


class ReportShape(Shape):
    """A customer's report as it stands."""

    reference: str = Field(description="What the reporter keeps")
    url: str = Field(default="", description="Its status page")
    state: ReportMessageKind = Field(default=ReportMessageKind.RECEIVED)
    services: list[str]
    start_time: str = Field(validation_alias="started", description="As it was typed")
    started_at: datetime = Field(description="What that means")
    error_messages: str = Field(validation_alias="errors", description="Empty where none was shown")
    what_happened_instead: str = Field(validation_alias="instead")
    all_users: bool
    reported_at: datetime
    respond_by: datetime | None = Field(description="Null where nothing is promised")
    answered_at: datetime | None = Field(description="When a person had acknowledged all of it")
    settled_at: datetime | None = Field(description="When all of it was resolved")
    messages: list[ReportMessageShape] = Field(description="What the reporter was told")

    @classmethod
    def of(cls, report: Report, public_url: str) -> Self:
        """The shape of a report; neither its contact nor its incidents are shown."""
        shape = cls.model_validate(report)
        url = f"{public_url}/reports/{report.reference}"
        return shape.model_copy(update={"url": url, "state": report.messages[-1].kind})
