"""The settings that bear on a decision, each with its value and how it bears.

A rule of the policy names the settings it reads. Which of them matter depends on the verdict: whose
users "all" are says nothing of an outage of everyone's search, and the share that makes an outage
wide nothing while wide ones are switched off. `_READ` has for each setting what it says, or that it
says nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitor.explaining.question import Question
from monitor.model import (
    AllUsersScope,
    Decision,
    Deployment,
    Dimension,
    Impact,
    Need,
    Priority,
    Verdict,
)
from monitor.policy import PolicySettings, Rule

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting: its key and its value as the configuration has them, and how it bears."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class _Case:
    question: Question
    verdict: Verdict
    settings: PolicySettings


def bearing(
    rule: Rule, question: Question, verdict: Verdict, settings: PolicySettings
) -> tuple[Setting, ...]:
    """The settings by which a rule gave its reason for a verdict."""
    case = _Case(question, verdict, settings)
    return tuple(setting for key in rule.settings for setting in _READ[key](case))


def promised(decision: Decision, settings: PolicySettings) -> Iterator[Setting]:
    """The setting behind `respond_by`, where there is one."""
    if decision.respond_by is not None and decision.priority in _TARGETS:
        key, target, effect = _TARGETS[decision.priority]
        yield Setting(key, f"{target(settings):g}s", effect)


_TARGETS: dict[Priority, tuple[str, Callable[[PolicySettings], float], str]] = {
    Priority.CRITICAL: (
        "policy.response_target",
        lambda settings: settings.response_target,
        "a response is due so long after the report",
    ),
    Priority.STANDARD: (
        "policy.standard_response_target",
        lambda settings: settings.standard_response_target or 0.0,
        "a response is due after so much time with support open",
    ),
}


def _deployment(case: _Case) -> Iterator[Setting]:
    if case.verdict.deployment is not Deployment.HOSTED:
        tenants = dict.fromkeys(target.tenant for target in case.question.named())
        for tenant in list(tenants)[:_NAMED]:
            yield Setting(
                f"tenants.{tenant}.deployment",
                case.verdict.deployment.value,
                "or nearer, of the check or its target: the critical promise is for what is hosted",
            )


def _core(case: _Case) -> Iterator[Setting]:
    service = case.question.service
    covers = "covers it" if service.core else "does not cover it"
    yield _of(case, "core", str(service.core).lower(), f"the critical promise {covers}")


def _need(case: _Case) -> Iterator[Setting]:
    failing = [c for c in case.question.checks if c.name in case.verdict.checks]
    if all(check.need is Need.DEGRADING for check in failing):
        for check in failing[:_NAMED]:
            key = f"checks.{check.name}.need"
            yield _of(case, key, check.need.value, "users can go on without it")


def _audience(case: _Case) -> Iterator[Setting]:
    if case.verdict.tenant is None:
        yield _of(case, "audience", case.question.service.audience.value, "whom it serves")


def _scope(case: _Case) -> Iterator[Setting]:
    everyone, tenant = case.verdict.impact is Impact.ALL, case.question.tenant
    if everyone or tenant is not None:
        scope = case.question.service.all_users_scope
        yield _of(case, "all_users_scope", scope.value, _SCOPES[scope, tenant is None, everyone])


_SCOPES: dict[tuple[AllUsersScope, bool, bool], str] = {
    (AllUsersScope.PLATFORM, True, True): "everyone on the platform is all users",
    (AllUsersScope.PLATFORM, False, False): "one tenant is not all users",
    (AllUsersScope.TENANT, True, True): "everyone of every tenant is all users",
    (AllUsersScope.TENANT, False, True): "everyone of one tenant is all users",
    (AllUsersScope.TENANT, False, False): "a part of one tenant is not all of its users",
}
"""What a scope says of: no tenant named or one, everyone or some of those named."""


def _wide_partial(case: _Case) -> Iterator[Setting]:
    if _may_be_wide(case):
        told = "at once" if case.settings.wide_partial else "like any other part"
        value = str(case.settings.wide_partial).lower()
        yield Setting("policy.wide_partial", value, f"a wide partial outage is told {told}")


def _wide_share(case: _Case) -> Iterator[Setting]:
    share, extent = case.question.service.wide_share, case.verdict.extent
    if not _may_be_wide(case) or not case.settings.wide_partial:
        return
    if share is None:
        yield _of(case, "wide_share", "off", "no part of it is ever wide")
    elif extent.dimension is Dimension.GROUP:
        yield _of(case, "wide_share", f"{share:g}", "not off, so a whole backend group is wide")
    else:
        part = extent.failing / extent.sampled if extent.sampled else 0.0
        reached = "which reaches it" if part >= share else "which is less"
        counts = f"{extent.failing} of {extent.sampled} targets are {part:.3g}, {reached}"
        yield _of(case, "wide_share", f"{share:g}", counts)


def _may_be_wide(case: _Case) -> bool:
    """Whether width is a question: not of one tenant, nor of what one location sees."""
    by_place = case.verdict.extent.dimension is Dimension.VANTAGE
    return case.verdict.tenant is None and not by_place


def _of(case: _Case, key: str, value: str, effect: str) -> Setting:
    return Setting(f"services.{case.question.service.name}.{key}", value, effect)


_READ: dict[str, Callable[[_Case], Iterator[Setting]]] = {
    "tenants.*.deployment": _deployment,
    "services.*.core": _core,
    "services.*.checks[].need": _need,
    "services.*.audience": _audience,
    "services.*.all_users_scope": _scope,
    "policy.wide_partial": _wide_partial,
    "services.*.wide_share": _wide_share,
}
