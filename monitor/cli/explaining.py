"""What policy would say of an outage that has not happened."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from monitor.config import Config
from monitor.model import (
    SHARED,
    AllUsersScope,
    Decision,
    Deployment,
    Dimension,
    Extent,
    Impact,
    Interval,
    Service,
    Stage,
    Verdict,
    VerdictReason,
)
from monitor.policy import decide


def decide_for(
    config: Config, service_name: str, at_text: str, impact_text: str, tenant: str | None
) -> Decision:
    """The decision on an outage of a service at an instant.

    Raises LookupError or ValueError, naming what is wrong and what would be right.
    """
    at = instant(at_text, config.calendar.zone)
    service = _service(config, service_name)
    if impact_text not in ("all", "some"):
        raise ValueError(f"--impact: {impact_text!r} is neither all nor some")
    verdict = _verdict(service, at, Impact(impact_text), _tenant(service, tenant))
    return decide(verdict, service, config.calendar, config.policy)


def instant(text: str, zone: str) -> datetime:
    """An instant from ISO 8601; local time of `zone` where it names no offset. In UTC."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"--at: {text!r} is no instant: write 2026-11-23T02:00 or 2026-11-23T02:00Z"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=ZoneInfo(zone))
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"--at: {text!r} lies outside the years 1 to 9999 in UTC") from None


def _service(config: Config, name: str) -> Service:
    named = {service.name: service for service in config.estate.services}
    if name not in named:
        raise LookupError(f"no service is named {name!r}; there are: {', '.join(named)}")
    return named[name]


def _tenant(service: Service, tenant: str | None) -> str | None:
    known = {target.tenant for check in service.checks for target in check.targets} - {SHARED}
    if tenant is not None and tenant not in known:
        names = ", ".join(sorted(known)) or "none"
        raise LookupError(f"--tenant: {service.name} has no tenant {tenant!r}; there are: {names}")
    return tenant


def _verdict(service: Service, at: datetime, impact: Impact, tenant: str | None) -> Verdict:
    """The verdict that detection would give: of one tenant alone, only in tenant scope ALL."""
    targets = max((len(check.targets) for check in service.checks), default=1)
    of_tenant = tenant is not None and service.all_users_scope is AllUsersScope.TENANT
    everyone = impact is Impact.ALL and (tenant is None or of_tenant)
    members = () if everyone or tenant is None else (tenant,)
    failing = targets if everyone else 1
    deployments = {
        target.deployment
        for check in service.checks
        for target in check.targets
        if tenant in (None, target.tenant)
    }
    return Verdict(
        service=service.name,
        impact=Impact.ALL if everyone else Impact.SOME,
        stage=Stage.FAILING,
        reason=VerdictReason.EVERYONE_TWICE if everyone else VerdictReason.SET_FAILING,
        at=at,
        checks=tuple(check.name for check in service.checks),
        extent=Extent(
            Dimension.EVERYONE if everyone else Dimension.TARGET,
            members,
            failing,
            max(targets, 1 if everyone else 3),
            targets,
        ),
        began=Interval(None, at),
        tenant=tenant if of_tenant else None,
        deployment=deployments.pop() if len(deployments) == 1 else Deployment.HOSTED,
    )
