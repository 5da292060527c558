"""The outer shape of a configuration, section by section, as pydantic models.

What the leaf settings are is declared by the core: `Rules`, `Limits`, `PolicySettings`, the
options of each kind of probe and channel. Defaults that depend on other sections are None here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator

from monitor.almanac import OfficialList
from monitor.channels import CHANNELS
from monitor.config.kinds import ByKind
from monitor.config.spelling import (
    SHOWN_CHARS,
    Flag,
    Name,
    Seconds,
    SecretFile,
    SecretText,
    Shape,
    Share,
    Text,
    leaf,
    one_or_many,
    settings,
    shown,
)
from monitor.model import (
    AllUsersScope,
    Audience,
    Deployment,
    EvidenceKind,
    Need,
    Priority,
    ReportSettings,
    Role,
    Rules,
)
from monitor.net.limits import Limits
from monitor.policy import PolicySettings
from monitor.probes import PROBES
from monitor.selfwatch import SelfWatchSettings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DEFAULT_KIND = "http"
"""The kind of probe where none is named."""

TENANT_KEYS = ("group", "deployment", "canary", "report_token", "report_token_file")

_KINDS = {kind: each.options for kind, each in PROBES.items()}
_CHANNEL_KINDS = {kind: each.options for kind, each in CHANNELS.items()}
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_INSTANT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")


@dataclass(frozen=True, slots=True)
class History:
    """How long results are kept: those that are PASS in hours, all others in days.

    When they take more than about `max_bytes`, the oldest PASSes go first, then the oldest others.
    `record` is the file that every result is recorded in besides, None for none; at
    `record_max_bytes` it begins anew and one older file is kept.
    """

    pass_hours: int = 48
    other_days: int = 30
    max_bytes: int = 2 << 30
    record: str | None = None
    record_max_bytes: int = 1 << 30


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no network: write 10.0.0.0/8 or fd00::/8") from None


def _address(value: object) -> str:
    try:
        return str(ip_address(str(value)))
    except ValueError:
        raise ValueError(f"{shown(value)} is no address: write one of this host's") from None


def _name_server(value: object) -> str:
    try:
        return str(ip_address(str(value)))
    except ValueError:
        host, _, port = str(value).rpartition(":")
    with suppress(ValueError):
        address = ip_address(host.strip("[]"))
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed == (address.version == 6) and _PORT.fullmatch(port) and int(port) <= 65535:
            return f"{host}:{port}"
    raise ValueError(
        f"{shown(value)} is no name server: write 10.0.0.53, 10.0.0.53:5353 or [fd00::53]:5353"
    )


def _hours(value: object) -> tuple[time, time]:
    match = _HOURS.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{shown(value)} is no pair of times: write 08:30-17:00")
    opens, closes = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if opens >= closes:
        raise ValueError(f"{shown(value)} does not close after it opens: write 08:30-17:00")
    return opens, closes


def _weekly(value: object) -> tuple[int, time, time]:
    day, _, span = str(value).partition(" ")
    match = _HOURS.fullmatch(span)
    if day not in DAYS or match is None:
        raise ValueError(f"{shown(value)} is no weekly time: write sun 02:00-04:00")
    begins, ends = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if begins == ends:
        raise ValueError(f"{shown(value)} ends as it begins: write sun 02:00-04:00")
    return DAYS.index(day), begins, ends


def _instant(value: object) -> datetime:
    try:
        if _INSTANT.fullmatch(str(value)):
            return datetime.fromisoformat(str(value))
    except ValueError:
        pass
    raise ValueError(f"{shown(value)} is no date and time: write 2030-11-29T22:00")


def _date(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no date: write 2030-12-27") from None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"`{value[:SHOWN_CHARS]}` is no time zone: write Europe/London") from None
    return value


def _off_is_none(value: object) -> object:
    return None if value == "off" else value


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Hours = Annotated[tuple[time, time], PlainValidator(_hours)]
WeeklyHours = Annotated[tuple[int, time, time], PlainValidator(_weekly)]
Instant = Annotated[datetime, PlainValidator(_instant)]
Day = Annotated[date, PlainValidator(_date)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
NameServer = Annotated[str, PlainValidator(_name_server)]
Names = Annotated[tuple[Name, ...], BeforeValidator(one_or_many)]

if TYPE_CHECKING:
    LimitsLeaf = Limits
    PolicyLeaf = PolicySettings
    HistoryLeaf = History
    OfficialLeaf = OfficialList
    ReportsLeaf = ReportSettings
    SelfWatchLeaf = SelfWatchSettings
    RulesShape = Shape
else:
    LimitsLeaf = leaf(Limits)
    PolicyLeaf = leaf(PolicySettings)
    HistoryLeaf = leaf(History)
    OfficialLeaf = leaf(OfficialList)
    ReportsLeaf = leaf(ReportSettings)
    SelfWatchLeaf = leaf(SelfWatchSettings)
    RulesShape = settings(Rules)


class NetworkShape(Shape):
    """What of the network may be contacted, and who is asked for names."""

    allow_private: Annotated[tuple[Network, ...], BeforeValidator(one_or_many)] = ()
    nameservers: Annotated[tuple[NameServer, ...], BeforeValidator(one_or_many)] = ()


class HoursShape(Shape):
    """Opening hours by weekday; a day that is not named is closed."""

    mon: Hours | None = None
    tue: Hours | None = None
    wed: Hours | None = None
    thu: Hours | None = None
    fri: Hours | None = None
    sat: Hours | None = None
    sun: Hours | None = None


OFFICE = HoursShape(
    **dict.fromkeys(DAYS[:4], "08:30-17:00"),
    fri="08:30-16:30",
)
"""The hours of the support policy."""


class CalendarShape(Shape):
    """When support is open."""

    time_zone: Annotated[Text, AfterValidator(_zone)] = "Europe/London"
    country: Text = "GB"
    subdivision: Text | None = None
    hours: HoursShape = OFFICE
    extra_closed: dict[Day, Text] = Field(default_factory=dict)
    extra_open: dict[Day, Hours] = Field(default_factory=dict)
    official: OfficialLeaf | None = None


class VantageShape(Shape):
    """A place probes leave from; its network is its own name unless told."""

    network: Name | None = None
    source_address: Annotated[str, PlainValidator(_address)] | None = None
    proxy: Text | None = None


class TenantShape(Shape):
    """A tenant; every further key is a variable for the URLs of checks."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Text]

    group: Text = ""
    deployment: Deployment = Deployment.HOSTED
    canary: Flag = False
    report_token: Annotated[SecretText | None, BeforeValidator(_empty_is_none)] = None
    report_token_file: SecretFile | None = None


class ProbeShape(Shape):
    """What a control says of itself, beside its kind's options."""

    name: Name
    kind: Text = DEFAULT_KIND
    interval: Seconds | None = None
    timeout: Seconds | None = None


class ControlShape(ProbeShape):
    """A control; `edge` names what it stands behind, as a service's does."""

    edge: Name | None = None


class CheckShape(ProbeShape):
    """What a check says of itself, beside its kind's options."""

    tenants: Names | None = None
    deployment: Deployment | None = None
    deployments: dict[Name, Deployment] = Field(default_factory=dict)
    need: Need = Need.BLOCKING
    evidence: EvidenceKind = EvidenceKind.ACTIVE
    real_users: Flag = False
    runbook: Text = ""


class ChannelShape(Shape):
    """What a channel says of itself, beside its kind's options."""

    kind: Text
    roles: Annotated[tuple[Role, ...], BeforeValidator(one_or_many)]
    services: Names = ()
    priorities: Annotated[tuple[Priority, ...], BeforeValidator(one_or_many)] = ()
    tenants: Names = ()
    after: Seconds | None = None
    stands_in_for: Name | None = None


Control = Annotated[Any, ByKind(ControlShape, _KINDS, DEFAULT_KIND)]
Check = Annotated[Any, ByKind(CheckShape, _KINDS, DEFAULT_KIND)]
Channel = Annotated[Any, ByKind(ChannelShape, _CHANNEL_KINDS)]


class ServiceShape(Shape):
    """A service, with the defaults of its checks."""

    title: Text | None = None
    audience: Audience = Audience.USERS
    core: Flag = True
    all_users_scope: AllUsersScope = AllUsersScope.PLATFORM
    wide_share: Annotated[Share | None, BeforeValidator(_off_is_none)] = 0.5
    edge: Name | None = None
    depends_on: Names = ()
    rules: RulesShape = RulesShape()
    interval: Seconds = 30.0
    timeout: Seconds = 10.0
    checks: tuple[Check | None, ...]


class HookShape(Shape):
    """What proves that what is told of a channel's incidents comes from its receiver."""

    secret: SecretText | None = None
    secret_file: SecretFile | None = None


class WindowShape(Shape):
    """A declared maintenance: once or weekly, of which services; a naive time is local."""

    begins: Instant | None = None
    ends: Instant | None = None
    weekly: WeeklyHours | None = None
    services: Names
    checks: Names | None = None
    tenants: Names | None = None
    reason: Text = ""


class Document(Shape):
    """A whole file. Items of lists that could not be read are None."""

    version: Literal[1] = 1
    listen: Text = "127.0.0.1:8365"
    public_url: Text | None = None
    database_url: Text = "sqlite:///monitor.db"
    spool: Text | None = None
    api_token: Annotated[SecretText | None, BeforeValidator(_empty_is_none)] = None
    api_token_file: SecretFile | None = None
    link_key: Annotated[SecretText | None, BeforeValidator(_empty_is_none)] = None
    link_key_file: SecretFile | None = None
    previous_link_key: Annotated[SecretText | None, BeforeValidator(_empty_is_none)] = None
    previous_link_key_file: SecretFile | None = None
    link_expiry: Seconds = 86400.0
    network: NetworkShape = NetworkShape()
    limits: LimitsLeaf = Limits()
    history: HistoryLeaf = History()
    calendar: CalendarShape = CalendarShape()
    policy: PolicyLeaf = PolicySettings()
    rules: RulesShape = RulesShape()
    vantages: dict[Name, VantageShape] = Field(default_factory=dict)
    controls: tuple[Control | None, ...] = ()
    tenants: dict[Name, TenantShape] = Field(default_factory=dict)
    services: dict[Name, ServiceShape] = Field(default_factory=dict)
    maintenance: dict[Name, WindowShape] = Field(default_factory=dict)
    reports: ReportsLeaf = ReportSettings()
    selfwatch: SelfWatchLeaf = SelfWatchSettings()
    channels: dict[Name, Channel] | None = None
    hooks: dict[Name, HookShape] = Field(default_factory=dict)
