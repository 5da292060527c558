"""What checks and controls say of their service, their tenants and where they lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.config.addresses import EVERYWHERE, url_mistake
from monitor.config.case import (
    ALL,
    Case,
    check_host,
    check_inherited,
    check_url,
    near_words,
    rules_of,
)
from monitor.config.kinds import Kinded
from monitor.config.mistakes import Path
from monitor.config.shape import ServiceShape
from monitor.config.targets import (
    address_key,
    options_for,
    schemes_of,
    tenant_places,
    tenants_of,
    urls_of,
    variables_of,
)
from monitor.config.tree import at, names_under
from monitor.model import CONTROL, MONITOR, EvidenceKind, Need, Rules
from monitor.net.tls import DEFAULT_TLS, TlsSettings, context_for
from monitor.probes import PROBES
from monitor.probes.templates import Place

SHARED_TARGET = "shared"
CONTROL_INTERVAL = 10.0
CONTROL_TIMEOUT = 5.0
CONTROLS_NEEDED = 3

_ONLY_CANARIES = "mutating needs tenants marked `canary: true`, and no others"


def check_controls(case: Case) -> None:
    """Note what is mistaken about the controls."""
    node = at(case.root, ("controls",))
    count = len(node.value) if node is not None and isinstance(node.value, list) else 0
    if 0 < count < CONTROLS_NEEDED:
        case.findings.add(
            ("controls",), f"{count} cannot tell a blind vantage: name at least three"
        )
    _unique(case.document.controls, ("controls",), case)
    fresh = rules_of(case.document.rules, Rules()).control_fresh
    for index, control in enumerate(case.document.controls):
        if control is None:
            continue
        path = ("controls", index)
        interval = control.own.interval or CONTROL_INTERVAL
        timeout = control.own.timeout or CONTROL_TIMEOUT
        _timing(interval, timeout, [path], case)
        if interval >= fresh:
            case.findings.add(
                (*path, "interval"),
                f"({interval:g} s) must be shorter than rules.control_fresh ({fresh:g} s), or the "
                "control never vouches for long",
            )
        _control_target(control, path, case)


def _control_target(control: Kinded, path: Path, case: Case) -> None:
    _datagrams(control, path, case)
    wanted = tenant_places(control)
    for place in wanted.values():
        case.findings.add((*path, *place), "a control has no tenant: write it without { }")
    if control.options.mutates:
        case.findings.add(
            path, f"{control.options.mutates} changes something, and a control must not"
        )
    if PROBES[control.kind].listens:
        case.findings.add(
            (*path, "kind"), f"a {control.kind} asks nobody: a control is reached from a vantage"
        )
    _tls_files(control.options, path, case)
    if not wanted:
        _options(control.kind, control.options, path, case)


def check_service(name: str, service: ServiceShape, case: Case) -> None:
    """Note what is mistaken about a service and its checks."""
    path = ("services", name)
    if name in {CONTROL, MONITOR, ALL}:
        case.findings.add(path, "is a reserved name: choose another")
    check_inherited(service.rules, rules_of(case.document.rules, Rules()), (*path, "rules"), case)
    if "control_fresh" in service.rules.model_fields_set:
        case.findings.add(
            (*path, "rules", "control_fresh"),
            "is of the vantages, which all services share: set it in the file's own `rules:`",
        )
    _once(service.depends_on, (*path, "depends_on"), case)
    _unique(service.checks, (*path, "checks"), case)
    checks = [(index, each) for index, each in enumerate(service.checks) if each is not None]
    for index, check in checks:
        _check(check, service, (*path, "checks", index), case)
    if not service.checks:
        case.findings.add((*path, "checks"), "is empty: name at least one check")
    if not case.findings.under(*path, "checks"):
        told = [each.own for _, each in checks if not each.own.real_users]
        if not any(own.need is Need.BLOCKING for own in told):
            case.findings.add(
                (*path, "checks"), "hold no blocking check: name what users cannot do without"
            )
        _late_silence(service, path, case)


def _late_silence(service: ServiceShape, path: Path, case: Case) -> None:
    rules = rules_of(service.rules, rules_of(case.document.rules, Rules()))
    longest = max(each.own.timeout or service.timeout for each in filter(None, service.checks))
    if "late_silence" in service.rules.model_fields_set and rules.late_silence > longest:
        case.findings.add(
            (*path, "rules", "late_silence"),
            f"({rules.late_silence:g} s) is over every timeout of the service ({longest:g} s) and "
            "never comes to bear: shorten it",
        )


def _check(
    check: Kinded,
    service: ServiceShape,
    path: Path,
    case: Case,
) -> None:
    interval = check.own.interval or service.interval
    timeout = check.own.timeout or service.timeout
    _timing(interval, timeout, [path, path[:2]], case)
    if check.own.runbook:
        mistake = url_mistake(check.own.runbook, EVERYWHERE)
        if mistake is not None:
            case.findings.add((*path, "runbook"), mistake)
    if check.own.real_users and check.own.evidence is not EvidenceKind.PASSIVE:
        case.findings.add(
            (*path, "real_users"), "is counted elsewhere and read here: write `evidence: passive`"
        )
    _by_kind(check, path, case)
    _datagrams(check, path, case)
    known = names_under(case.root, "tenants")
    for index, name in enumerate(check.own.tenants or ()):
        if name not in known:
            case.findings.add(
                (*path, "tenants", index), f"no tenant is named `{name}`{near_words(name, known)}"
            )
    _tls_files(check.options, path, case)
    if not tenant_places(check):
        _shared_target(check, path, case)
    elif not case.findings.under("tenants") and not case.findings.under(*path, "tenants"):
        _tenant_targets(check, path, case)


def _by_kind(check: Kinded, path: Path, case: Case) -> None:
    """What its kind needs a check to say of itself."""
    if PROBES[check.kind].listens and check.own.evidence is not EvidenceKind.PASSIVE:
        case.findings.add(path, f"a {check.kind} asks nobody: write `evidence: passive`")
    if PROBES[check.kind].listens and not (check.options.token or _api_token(case)):
        case.findings.add(path, "nobody can call: write `token: ${NAME}`, or set api_token")
    if check.options.mutates and check.own.evidence is not EvidenceKind.MUTATING:
        case.findings.add(
            path,
            f"{check.options.mutates} changes something: write `evidence: mutating`, or "
            "`changes: false` if it does not",
        )


def _api_token(case: Case) -> bool:
    """Whether there is one, or is to be one that is mistaken."""
    given = case.document.api_token or case.document.api_token_file
    return given is not None or case.findings.under("api_token")


def _shared_target(check: Kinded, path: Path, case: Case) -> None:
    if check.own.tenants is not None:
        key = address_key(check.kind)
        message = f"have no part in the {key}: write {{tenant}} into it"
        case.findings.add((*path, "tenants"), message)
    if check.own.deployments:
        case.findings.add(
            (*path, "deployments"),
            f"are tenants', who have no part in the {address_key(check.kind)}: write "
            "`deployment:` instead",
        )
    if check.own.evidence is EvidenceKind.MUTATING:
        case.findings.add((*path, "evidence"), _ONLY_CANARIES)
    _options(check.kind, check.options, path, case)


def _tenant_targets(check: Kinded, path: Path, case: Case) -> None:
    tenants = tenants_of(check, case.document)
    if not tenants:
        place = next(iter(tenant_places(check).values()))
        case.findings.add(
            (*path, *place), "has a place for a tenant, but there is none: add `tenants:`"
        )
    for name in check.own.deployments:
        if name not in tenants:
            case.findings.add(
                (*path, "deployments", name),
                f"is no tenant of this check: remove it{near_words(name, tenants)}",
            )
    canaries = all(case.document.tenants[each].canary for each in tenants)
    if check.own.evidence is EvidenceKind.MUTATING and not canaries:
        case.findings.add((*path, "evidence"), _ONLY_CANARIES)
    wanted = tenant_places(check)
    _variables(wanted, tenants, path, case)
    if any(case.findings.under(*path, *place) for place in wanted.values()):
        return
    for tenant in tenants:
        try:
            options = options_for(check, variables_of(tenant, case.document))
        except ValueError as error:
            case.findings.add(path, f"with the variables of tenant {tenant}: {error}")
            return
        _options(check.kind, options, path, case)


def _variables(wanted: Mapping[str, Place], tenants: Iterable[str], path: Path, case: Case) -> None:
    given = {each: variables_of(each, case.document) for each in tenants}
    for name, place in wanted.items():
        lacking = [each for each, variables in given.items() if name not in variables]
        if lacking:
            hint = near_words(name, given[lacking[0]])
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            who = ", ".join(lacking[:3]) + more
            literal = (
                "" if place == ("url",) else f", or write `{{{{{name}}}}}` for the text itself"
            )
            message = f"`{{{name}}}` has no value for {who}: add `{name}:` to them{literal}{hint}"
            case.findings.add((*path, *place), message)


def _options(kind: str, options: Any, path: Path, case: Case) -> None:
    """Note where a target's options must not lead."""
    for place, url in urls_of(kind, options):
        check_url(url, (*path, *place), case, schemes_of(kind, place))
    hosts: Mapping[str, str] = getattr(options, "hosts", {})
    for key, host in hosts.items():
        check_host(host, (*path, key), case)


def _tls_files(options: Any, path: Path, case: Case) -> None:
    """Note which files for TLS cannot be used; that they can be read is known."""
    tls: TlsSettings | None = getattr(options, "tls", None)
    if tls is not None and tls != DEFAULT_TLS and not case.findings.under(*path, "tls"):
        try:
            context_for(tls)
        except ValueError as error:
            key, _, reason = str(error).partition(": ")
            case.findings.add((*path, "tls", key), reason)


def _datagrams(read: Kinded, path: Path, case: Case) -> None:
    """A proxy carries no datagrams, and every check is probed from every vantage."""
    if not getattr(read.options, "datagrams", False):
        return
    for name, vantage in case.document.vantages.items():
        if vantage.proxy is not None:
            case.findings.add(
                (*path, "transport"),
                f"udp cannot leave through the proxy of vantage {name}: write `transport: tcp`",
            )


def _timing(interval: float, timeout: float, holders: list[Path], case: Case) -> None:
    if timeout < interval:
        return
    places = [(*holder, key) for holder in holders for key in ("timeout", "interval")]
    path = next((each for each in places if at(case.root, each) is not None), holders[0])
    case.findings.add(
        path,
        f"the timeout ({timeout:g} s) must be shorter than the interval ({interval:g} s): "
        "shorten the timeout or lengthen the interval",
    )


def _unique(items: Iterable[Kinded | None], path: Path, case: Case) -> None:
    first: dict[str, int] = {}
    for index, each in enumerate(items):
        if each is not None and first.setdefault(each.own.name, index) != index:
            case.findings.add(
                (*path, index, "name"), f"`{each.own.name}` comes twice: give each its own name"
            )


def _once(names: tuple[str, ...], path: Path, case: Case) -> None:
    for index, each in enumerate(names):
        if each in names[:index]:
            case.findings.add((*path, index), f"`{each}` comes twice: name it once")
