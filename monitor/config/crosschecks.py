"""What the parts of a configuration say of each other, and what cannot be meant.

Each function here notes its mistakes in `Findings`. A part whose own section is mistaken is not
judged again for what may follow from that, and names are looked up in the file, not in what of it
was valid: one mistake is told once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from monitor.config import dates
from monitor.config.addresses import EVERYWHERE, expanded, placeholders, url_mistake
from monitor.config.kinds import Kinded
from monitor.config.mistakes import Path
from monitor.config.reading import Findings, may_be_none
from monitor.config.rules import IMPOSSIBLE
from monitor.config.shape import TENANT_KEYS, Document, ServiceShape
from monitor.config.spelling import Shape
from monitor.config.tree import Node, at, names_under, walk
from monitor.config.variables import Substituted
from monitor.model import CONTROL, MONITOR, STAFF, EvidenceKind, Need, Role, Rules

SHARED_TARGET = "shared"
ALL = "all"
"""In place of names of services: every one."""

CONTROL_INTERVAL = 10.0
CONTROL_TIMEOUT = 5.0
CONTROLS_NEEDED = 3
SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)

_ONLY_CANARIES = "mutating needs tenants marked `canary: true`, and no others"
_LISTEN = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_DATABASES = frozenset({"sqlite", "postgresql", "postgresql+psycopg"})


class Case(NamedTuple):
    """What is examined: the valid part of a file, the whole of it, and what was found so far."""

    document: Document
    root: Node
    findings: Findings


def check_document(case: Case) -> None:
    """Note every mistake that needs more than one value to see."""
    document, _, findings = case
    _empty_items(case)
    _daemon(case)
    _vantages(case)
    _headers(case)
    for path, message in dates.mistakes(document.calendar):
        if not findings.under("calendar", *path):
            findings.add(("calendar", *path), message)
    official = document.calendar.official
    if official is not None and official.url:
        _url(official.url, ("calendar", "official", "url"), case)
    _tenants(case)
    _report_tokens(case)
    check_rules(case)
    _controls(case)
    if not document.services and not findings.under("services"):
        findings.add(("services",), "is missing: name at least one service with its checks")
    for name, service in document.services.items():
        _service(name, service, case)
    _channels(case)


def check_rules(case: Case) -> None:
    """Note what the rules for every service say that cannot be meant."""
    _rules(case.document.rules, Rules(), ("rules",), case)


def rules_of(shape: Shape, default: Rules) -> Rules:
    """The rules a section sets, over those it inherits."""
    return replace(default, **{key: getattr(shape, key) for key in shape.model_fields_set})


def sensitive_headers(root: Node) -> Iterable[tuple[Path, Node]]:
    """Every header of the file that carries credentials, wherever it is sent."""
    for path, node in walk(root):
        sent = len(path) > 1 and path[-2] == "headers" and "expect" not in path
        if sent and str(path[-1]).lower() in SENSITIVE_HEADERS:
            yield path, node


def _empty_items(case: Case) -> None:
    for path, node in walk(case.root):
        if may_be_none(path) and node.value is None and path not in case.findings.lost:
            case.findings.add(path, "is empty: describe it, or remove the `-`")


def _daemon(case: Case) -> None:
    match = _LISTEN.fullmatch(case.document.listen)
    if match is None or int(match[1]) > 65535:
        case.findings.add(("listen",), "is no address to listen at: write 127.0.0.1:8365")
    if case.document.api_token is not None and case.document.api_token_file is not None:
        case.findings.add(("api_token",), "is given twice: remove api_token or api_token_file")
    if case.document.public_url is not None:
        mistake = url_mistake(case.document.public_url, EVERYWHERE)
        if mistake is not None:
            case.findings.add(("public_url",), mistake)
    _database(case.document.database_url, case)


def _database(url: str, case: Case) -> None:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        case.findings.add(("database_url",), "is no database URL: write sqlite:///monitor.db")
        return
    if parsed.drivername not in _DATABASES:
        known = "sqlite:///path or postgresql://user@host/name"
        case.findings.add(
            ("database_url",), f"`{parsed.drivername}` is not supported: write {known}"
        )
    if parsed.password is not None:
        _not_literal(("database_url",), case)


def _not_literal(path: Path, case: Case) -> None:
    node = at(case.root, path)
    if node is not None and not isinstance(node.value, Substituted):
        case.findings.add(path, "a secret does not belong in this file: write it as ${NAME}")


def _vantages(case: Case) -> None:
    seen: dict[tuple[str | None, str | None], tuple[str, str]] = {}
    for name, vantage in case.document.vantages.items():
        path = ("vantages", name)
        if vantage.proxy is not None:
            if vantage.source_address is not None:
                case.findings.add((*path, "proxy"), "excludes source_address: remove one of them")
            _proxy(vantage.proxy, (*path, "proxy"), case)
        place = (vantage.source_address, vantage.proxy)
        network = vantage.network or name
        other, other_network = seen.setdefault(place, (name, network))
        if other_network != network:
            case.findings.add(
                path,
                f"leaves from the same place as {other}, but names another network: give it a "
                "source_address or proxy, or the same network",
            )


def _proxy(url: str, path: Path, case: Case) -> None:
    bare = re.sub(r"(?<=//)[^/@]*@", "", url, count=1)
    if bare != url:
        _not_literal(path, case)
    mistake = url_mistake(bare, EVERYWHERE, ("http",))
    if mistake is not None:
        case.findings.add(path, mistake)


def _headers(case: Case) -> None:
    for path, _ in sensitive_headers(case.root):
        _not_literal(path, case)


def _tenants(case: Case) -> None:
    for name, tenant in case.document.tenants.items():
        if name == SHARED_TARGET:
            case.findings.add(("tenants", name), "is a reserved name: choose another")
        if tenant.report_token is not None and tenant.report_token_file is not None:
            case.findings.add(
                ("tenants", name, "report_token"),
                "is given twice: remove report_token or report_token_file",
            )
        for key in tenant.__pydantic_extra__ or {}:
            hint = near_words(key, TENANT_KEYS)
            if hint:
                case.findings.add(("tenants", name, key), f"is not a known key{hint}")


def _report_tokens(case: Case) -> None:
    """A token tells one tenant, and is not the key to the rest of the API."""
    api = case.document.api_token or case.document.api_token_file
    holders = {api.reveal(): "api_token"} if api is not None else {}
    for name, tenant in case.document.tenants.items():
        token = tenant.report_token or tenant.report_token_file
        if token is None:
            continue
        holder = holders.setdefault(token.reveal(), f"tenant {name}")
        if holder != f"tenant {name}":
            key = "report_token" if tenant.report_token is not None else "report_token_file"
            message = f"is the same as that of {holder}: give each a token of its own"
            case.findings.add(("tenants", name, key), message)


def _rules(shape: Shape, default: Rules, path: Path, case: Case) -> None:
    rules, given = rules_of(shape, default), shape.model_fields_set
    for first, second, impossible, message in IMPOSSIBLE:
        key = first if first in given else second
        if key in given and impossible(rules):
            case.findings.add((*path, key), message)


def _controls(case: Case) -> None:
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
        if placeholders(control.options.url):
            case.findings.add((*path, "url"), "a control has no tenant: write it without { }")
        else:
            _url(control.options.url, (*path, "url"), case)


def _service(name: str, service: ServiceShape, case: Case) -> None:
    path = ("services", name)
    if name in {CONTROL, MONITOR, ALL}:
        case.findings.add(path, "is a reserved name: choose another")
    _rules(service.rules, rules_of(case.document.rules, Rules()), (*path, "rules"), case)
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
    known = names_under(case.root, "tenants")
    for index, name in enumerate(check.own.tenants or ()):
        if name not in known:
            case.findings.add(
                (*path, "tenants", index), f"no tenant is named `{name}`{near_words(name, known)}"
            )
    if not placeholders(check.options.url):
        _shared_target(check, path, case)
    elif not case.findings.under("tenants") and not case.findings.under(*path, "tenants"):
        _tenant_targets(check, path, case)


def _shared_target(check: Kinded, path: Path, case: Case) -> None:
    if check.own.tenants is not None:
        case.findings.add((*path, "tenants"), "have no part in the url: write {tenant} into it")
    if check.own.deployments:
        case.findings.add(
            (*path, "deployments"),
            "are tenants', who have no part in the url: write `deployment:` instead",
        )
    if check.own.evidence is EvidenceKind.MUTATING:
        case.findings.add((*path, "evidence"), _ONLY_CANARIES)
    _url(check.options.url, (*path, "url"), case)


def _tenant_targets(check: Kinded, path: Path, case: Case) -> None:
    tenants = tenants_of(check, case.document)
    if not tenants:
        case.findings.add(
            (*path, "url"), "has a place for a tenant, but there is none: add `tenants:`"
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
    _variables(placeholders(check.options.url), tenants, (*path, "url"), case)
    if not case.findings.under(*path, "url"):
        for variables in [variables_of(each, case.document) for each in tenants]:
            _url(expanded(check.options.url, variables), (*path, "url"), case)


def _variables(wanted: Iterable[str], tenants: Iterable[str], path: Path, case: Case) -> None:
    given = {each: variables_of(each, case.document) for each in tenants}
    for name in dict.fromkeys(wanted):
        lacking = [each for each, variables in given.items() if name not in variables]
        if lacking:
            hint = near_words(name, given[lacking[0]])
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            who = ", ".join(lacking[:3]) + more
            message = f"`{{{name}}}` has no value for {who}: add `{name}:` to them{hint}"
            case.findings.add(path, message)


def tenants_of(check: Kinded, document: Document) -> tuple[str, ...]:
    """The tenants of a check: those it names, or all."""
    return tuple(document.tenants) if check.own.tenants is None else check.own.tenants


def variables_of(tenant: str, document: Document) -> dict[str, str]:
    """What a tenant puts into URLs."""
    return {**(document.tenants[tenant].__pydantic_extra__ or {}), "tenant": tenant}


def _url(url: str, path: Path, case: Case) -> None:
    if case.findings.under("network"):
        return
    mistake = url_mistake(url, case.document.network.allow_private)
    if mistake is not None:
        case.findings.add(path, mistake)


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


def _channels(case: Case) -> None:
    channels = case.document.channels
    if channels is None or case.findings.under("channels"):
        return
    for name, channel in channels.items():
        if not channel.own.roles:
            case.findings.add(("channels", name, "roles"), "is empty: name on_call or service_desk")
        if Role.REPORTER in channel.own.roles and len(channel.own.roles) > 1:
            case.findings.add(
                ("channels", name, "roles"),
                "reporter stands alone: customers are told through a channel of its own",
            )
        url = getattr(channel.options, "url", None)
        if url is not None:
            _url(url, ("channels", name, "url"), case)
    served = {role for channel in channels.values() for role in channel.own.roles}
    for role in STAFF:
        if role not in served:
            case.findings.add(
                ("channels",), f"nobody is told as {role}: add `{role}` to the roles of a channel"
            )


def near_words(name: str, known: Iterable[str]) -> str:
    """What a name may have been meant to be, to append to a sentence; "" when nothing is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
