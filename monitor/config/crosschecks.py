"""What the parts of a configuration say of each other, and what cannot be meant.

Each function here notes its mistakes in `Findings`. A part whose own section is mistaken is not
judged again for what may follow from that, and names are looked up in the file, not in what of it
was valid: one mistake is told once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from monitor.config import dates
from monitor.config.addresses import EVERYWHERE, url_mistake
from monitor.config.case import Case, check_inherited, check_url, near_words
from monitor.config.channels import check_channels
from monitor.config.checks import SHARED_TARGET, check_controls, check_service
from monitor.config.mistakes import Path
from monitor.config.reading import may_be_none
from monitor.config.shape import TENANT_KEYS
from monitor.config.tree import Node, at, walk
from monitor.config.variables import Substituted
from monitor.model import Rules
from monitor.net.secret import Secret

LINK_KEY_LEAST = 32
SENSITIVE_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}
)

_ONE_PLACE = re.compile(r"(?:[A-Za-z]+ )?\{([A-Za-z0-9_-]+)\}")
_LISTEN = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_DATABASES = frozenset({"sqlite", "postgresql", "postgresql+psycopg"})


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
        check_url(official.url, ("calendar", "official", "url"), case)
    ping = document.selfwatch.ping
    if ping is not None:
        check_url(ping.url.reveal(), ("selfwatch", "ping", "url"), case)
    _tenants(case)
    _report_tokens(case)
    _links(case)
    _hooks(case)
    check_rules(case)
    check_controls(case)
    if not document.services and not findings.under("services"):
        findings.add(("services",), "is missing: name at least one service with its checks")
    for name, service in document.services.items():
        check_service(name, service, case)
    check_channels(case)


def check_rules(case: Case) -> None:
    """Note what the rules for every service say that cannot be meant."""
    check_inherited(case.document.rules, Rules(), ("rules",), case)


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
    if mistake is None and not _is_url(url):
        mistake = "holds a user or password that no URL can hold: write it percent-encoded"
    if mistake is not None:
        case.findings.add(path, mistake)


def _is_url(url: str) -> bool:
    try:
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return True


def _headers(case: Case) -> None:
    for path, node in sensitive_headers(case.root):
        if not _filled_later(path, str(node.value), case):
            _not_literal(path, case)


def _filled_later(path: Path, text: str, case: Case) -> bool:
    """Whether a header of a journey's step is a value that is known only during a probe."""
    if "steps" not in path:
        return False
    check = path[: path.index("steps")]
    steps, secrets = at(case.root, (*check, "steps")), at(case.root, (*check, "secrets"))
    below = walk(steps) if steps is not None else ()
    names = {str(each[2]) for each, _ in below if each[1:2] == ("capture",) and len(each) == 3}
    if secrets is not None and isinstance(secrets.value, dict):
        names |= set(secrets.value)
    match = _ONE_PLACE.fullmatch(text)
    return match is not None and match[1] in names


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


def _links(case: Case) -> None:
    """A key signs for as long as it is named, so it must be there, long, and nothing else's."""
    document = case.document
    newer = _link_key("link_key", document.link_key, document.link_key_file, case)
    older = _link_key(
        "previous_link_key", document.previous_link_key, document.previous_link_key_file, case
    )
    if older is not None and newer is None:
        case.findings.add(("previous_link_key",), "needs a link_key: without it no link is made")
    if newer is not None and newer in {older, document.api_token or document.api_token_file}:
        case.findings.add(("link_key",), "is the same as another secret: give it its own value")


def _link_key(name: str, text: Secret | None, of_file: Secret | None, case: Case) -> Secret | None:
    if text is not None and of_file is not None:
        case.findings.add((name,), f"is given twice: remove {name} or {name}_file")
    key = text or of_file
    if key is not None and len(key.reveal()) < LINK_KEY_LEAST:
        path = (name,) if text is not None else (f"{name}_file",)
        case.findings.add(path, f"is too short: take at least {LINK_KEY_LEAST} random characters")
    return key


def _hooks(case: Case) -> None:
    for name, hook in case.document.hooks.items():
        if hook.secret is not None and hook.secret_file is not None:
            case.findings.add(
                ("hooks", name, "secret"), "is given twice: remove secret or secret_file"
            )
        neither = hook.secret is None and hook.secret_file is None
        if neither and not case.findings.under("hooks", name):
            case.findings.add(("hooks", name, "secret"), "is missing: it proves who calls")
        channels = case.document.channels or {}
        if name not in channels and not case.findings.under("channels"):
            near = near_words(name, channels) or ""
            case.findings.add(("hooks", name), f"is no channel{near}")
