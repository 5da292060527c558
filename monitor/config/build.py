"""The finished configuration: model objects made of a document without mistakes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import make_url

from monitor.almanac import OfficialList
from monitor.channels import CHANNELS
from monitor.config import checks, crosschecks, dates, windows
from monitor.config.case import near_words, rules_of
from monitor.config.channels import channel_of
from monitor.config.kinds import Kinded
from monitor.config.shape import Document, History, ServiceShape, TenantShape
from monitor.config.targets import (
    address_key,
    address_of,
    options_for,
    tenant_places,
    tenants_of,
    variables_of,
)
from monitor.config.tree import Node
from monitor.config.variables import Substituted
from monitor.hours import Calendar
from monitor.model import (
    CONTROL,
    SHARED,
    STAFF,
    Channel,
    Check,
    Deployment,
    Estate,
    EvidenceKind,
    Need,
    ReportSettings,
    Rules,
    Service,
    Target,
    Vantage,
)
from monitor.net.limits import Limits
from monitor.net.links import Links
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.selfwatch import SelfWatchSettings


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a file says, finished: nothing is read or decided later.

    `secrets` are all values to redact wherever text leaves. `warnings` are sentences about what
    is allowed but weaker than it could be. `official` is a list to hold the calendar against, None
    for none. `nameservers` is None for those of the system. `report_tokens` are what customers
    prove by who they are, by tenant. `links` sign what acknowledges by a link, None for none.
    `hooks` are the secrets of who tells what was done elsewhere, by channel.
    """

    path: Path
    estate: Estate
    calendar: Calendar
    official: OfficialList | None
    policy: PolicySettings
    channels: tuple[Channel, ...]
    limits: Limits
    allow_private: tuple[IPv4Network | IPv6Network, ...]
    nameservers: tuple[str, ...] | None
    secrets: tuple[Secret, ...]
    database_url: str
    spool: Path
    listen_host: str
    listen_port: int
    public_url: str
    api_token: Secret | None
    reports: ReportSettings
    report_tokens: Mapping[str, Secret]
    links: Links | None
    hooks: Mapping[str, Secret]
    history: History
    selfwatch: SelfWatchSettings
    warnings: tuple[str, ...]


def config(path: Path, document: Document, root: Node) -> Config:
    """The configuration of a document in which nothing is mistaken."""
    host, _, port = document.listen.rpartition(":")
    estate = _estate(document)
    channels = _channels(document)
    api_token = document.api_token or document.api_token_file
    tokens = dict(_report_tokens(document))
    links = _links(document)
    hooks = dict(_hooks(document))
    made = (estate, channels, api_token, tokens, links, hooks, document.selfwatch)
    return Config(
        path=path,
        estate=estate,
        calendar=dates.calendar(document.calendar),
        official=dates.official(document.calendar, path.parent),
        policy=document.policy,
        channels=channels,
        limits=document.limits,
        allow_private=document.network.allow_private,
        nameservers=document.network.nameservers or None,
        secrets=tuple(dict.fromkeys(_secrets(made, document, root))),
        database_url=document.database_url,
        spool=_spool(document),
        listen_host=host.strip("[]"),
        listen_port=int(port),
        public_url=(document.public_url or f"http://{document.listen}").rstrip("/"),
        api_token=api_token,
        reports=document.reports,
        report_tokens=tokens,
        links=links,
        hooks=hooks,
        history=document.history,
        selfwatch=document.selfwatch,
        warnings=tuple(_warnings(estate)),
    )


def _spool(document: Document) -> Path:
    """Where changes are kept while the database cannot be written."""
    if document.spool is not None:
        return Path(document.spool)
    database = make_url(document.database_url).database
    sqlite = document.database_url.startswith("sqlite")
    return Path(f"{database}.spool" if sqlite and database else "monitor.spool")


def fingerprint(kind: str, address: str, options: Any) -> str:
    """What changes when a target's address or what is asserted of it changes; 16 hex digits.

    Settings left at their defaults are no part of it, so that a new setting changes nothing;
    neither are the values of secrets, so that a rotation changes nothing.
    """
    said = [kind, address]
    for each in dataclasses.fields(options):
        value = getattr(options, each.name)
        if each.name != address_key(kind) and value != _default(each):
            said.append(f"{each.name}={value!r}")
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def _default(each: dataclasses.Field[Any]) -> Any:
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default


def _estate(document: Document) -> Estate:
    vantages = tuple(
        Vantage(name, each.network or name, each.source_address, each.proxy)
        for name, each in document.vantages.items()
    )
    services = tuple(_service(name, each, document) for name, each in document.services.items())
    controls = tuple(_control(each) for each in document.controls if each is not None)
    here = (Vantage("local", "local"),)
    rules = rules_of(document.rules, Rules())
    return Estate(services, vantages or here, controls, windows.windows(document), rules)


def _service(name: str, shape: ServiceShape, document: Document) -> Service:
    return Service(
        name=name,
        title=shape.title or name.replace("-", " ").title(),
        audience=shape.audience,
        checks=tuple(_check(name, each, shape, document) for each in shape.checks if each),
        core=shape.core,
        rules=rules_of(shape.rules, rules_of(document.rules, Rules())),
        all_users_scope=shape.all_users_scope,
        wide_share=shape.wide_share,
        edge=shape.edge or "",
        depends_on=shape.depends_on,
    )


def _check(service: str, read: Kinded, shape: ServiceShape, document: Document) -> Check:
    own = read.own
    return Check(
        service=service,
        name=own.name,
        kind=read.kind,
        options=read.options,
        interval=own.interval or shape.interval,
        timeout=own.timeout or shape.timeout,
        need=own.need,
        evidence=own.evidence,
        targets=_targets(read, document),
        runbook=own.runbook,
        real_users=own.real_users,
    )


def _control(read: Kinded) -> Check:
    own = read.own
    return Check(
        service=CONTROL,
        name=own.name,
        kind=read.kind,
        options=read.options,
        interval=own.interval or checks.CONTROL_INTERVAL,
        timeout=own.timeout or checks.CONTROL_TIMEOUT,
        need=Need.BLOCKING,
        evidence=EvidenceKind.ACTIVE,
        targets=(_shared_target(read),),
        edge=own.edge or "",
    )


def _targets(read: Kinded, document: Document) -> tuple[Target, ...]:
    if not tenant_places(read):
        return (_shared_target(read, read.own.deployment),)
    return tuple(_target(read, name, document) for name in tenants_of(read, document))


def _shared_target(read: Kinded, deployment: Deployment | None = None) -> Target:
    address = address_of(read.kind, read.options)
    return Target(
        name=checks.SHARED_TARGET,
        tenant=SHARED,
        address=address,
        deployment=deployment or Deployment.HOSTED,
        fingerprint=fingerprint(read.kind, address, read.options),
    )


def _target(read: Kinded, tenant: str, document: Document) -> Target:
    options = options_for(read, variables_of(tenant, document))
    address = address_of(read.kind, options)
    own = dataclasses.replace(
        options, **{address_key(read.kind): address_of(read.kind, read.options)}
    )
    shape = document.tenants[tenant]
    return Target(
        name=tenant,
        tenant=tenant,
        address=address,
        group=shape.group,
        deployment=_deployment(read, tenant, shape),
        canary=shape.canary,
        fingerprint=fingerprint(read.kind, address, options),
        options=None if own == read.options else options,
    )


def _deployment(read: Kinded, tenant: str, shape: TenantShape) -> Deployment:
    """Where a tenant's target runs: as is said of it, else of its check, else of the tenant."""
    of_target: Deployment | None = read.own.deployments.get(tenant)
    of_check: Deployment | None = read.own.deployment
    return of_target or of_check or shape.deployment


def _channels(document: Document) -> tuple[Channel, ...]:
    if document.channels is None:
        return (Channel("log", "log", STAFF, CHANNELS["log"].options()),)
    return tuple(channel_of(name, each) for name, each in document.channels.items())


def _report_tokens(document: Document) -> Iterator[tuple[str, Secret]]:
    for name, tenant in document.tenants.items():
        token = tenant.report_token or tenant.report_token_file
        if token is not None:
            yield name, token


def _links(document: Document) -> Links | None:
    key = document.link_key or document.link_key_file
    previous = document.previous_link_key or document.previous_link_key_file
    lasts = timedelta(seconds=document.link_expiry)
    return None if key is None else Links(key, previous, lasts)


def _hooks(document: Document) -> Iterator[tuple[str, Secret]]:
    for channel, hook in document.hooks.items():
        secret = hook.secret or hook.secret_file
        if secret is not None:
            yield channel, secret


def _secrets(made: Any, document: Document, root: Node) -> Iterator[Secret]:
    yield from _secrets_in(made)
    password = make_url(document.database_url).password
    if password:
        yield Secret(str(password))
    for vantage in document.vantages.values():
        if vantage.proxy is not None and (proxy := httpx.URL(vantage.proxy)).password:
            yield Secret(proxy.password)
    for _, node in crosschecks.sensitive_headers(root):
        if isinstance(node.value, Substituted):
            yield from (Secret(each) for each in node.value.values if each)


def _secrets_in(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _secrets_in(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets_in(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _secrets_in(each)


def _warnings(estate: Estate) -> Iterator[str]:
    if len({each.network for each in estate.vantages}) < 2:
        yield (
            "All vantages are in one network: an outage is declared more slowly, after four "
            "rounds, and says that it was seen from one location."
        )
    if not estate.controls:
        yield (
            "There are no controls: the monitor cannot tell an outage of the service from one of "
            "its own network."
        )
    yield from _idle_edges(estate)
    yield from _lone_dependencies(estate)


def _lone_dependencies(estate: Estate) -> Iterator[str]:
    named: dict[str, list[str]] = {}
    for service in estate.services:
        for dependency in service.depends_on:
            named.setdefault(dependency, []).append(service.name)
    for dependency, services in named.items():
        if len(services) == 1:
            near = near_words(dependency, [other for other in named if other != dependency])
            yield (
                f"Only {services[0]} depends on {dependency}: a dependency tells something only "
                f"of services that share it{near or '.'}"
            )


def _idle_edges(estate: Estate) -> Iterator[str]:
    on_edge = {each.edge for each in estate.controls if each.edge}
    for service in estate.services:
        watched = any(check.real_users for check in service.checks)
        if service.edge and not (watched and service.edge in on_edge):
            yield (
                f"Service {service.name} names the edge {service.edge}: that tells nothing without "
                "a control that names it too and a check with real_users: true."
            )
