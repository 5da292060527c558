"""The shape in which the API answers with a month's figures. Instants are UTC."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from monitor.model import Priority
from monitor.web.schemas import Shape

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
