"""`monitor init`: the first configuration, made of a few URLs and of what one probe of each saw.

What happens, in this order:
1. `Wanted` is what was given as options, and, on a terminal, what was asked for besides.
2. `mistakes` are all that is wrong with it, before anything is contacted or written.
3. The text is made and read by the real loader, and every cell of the configuration that comes of
   it probed once, by the real probe over the one safety layer.
4. The text is made again with what was seen, read again, and put in place whole.

A probe that fails does not prevent the file: what is down today is what somebody wants to watch.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import re2
import typer

from monitor.cli.first_file import PAGER_SECRET, SERVICES, Seen, Wanted, text_of
from monitor.cli.showing import config_summary, result_json
from monitor.clock import Clock
from monitor.config import Config, load
from monitor.config.addresses import url_mistake
from monitor.config.spelling import name
from monitor.config.variables import Substituted, substituted
from monitor.model import CONTROL, Cell, Outcome, Result
from monitor.net.addresses import Address, Network
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.probes import PROBES, Ask, Means
from monitor.probes.templates import filled, places
from monitor.probes.text import decoded, one_line

CONTROLS_NEEDED = 3

_AT_ONCE = 20
_TITLE_CHARS = 60
_TENANT = "tenant"
_STAND_IN = "stand-in-until-it-is-set"
_PRIVATE = tuple(
    ip_network(each)
    for each in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "100.64.0.0/10",
        "fc00::/7",
    )
)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_REMEDY = "add it to network.allow_private"

_INTRODUCTION = (
    "Each URL is probed once. {tenant} in it stands for each tenant, ${NAME} for a variable of the "
    "environment, which is where secrets belong."
)

Asking = Callable[[str], str]
"""Puts a question to a person and gives back the answer, "" for none."""

Telling = Callable[[str], None]
"""Tells a person one line."""


class Unwanted(Exception):  # noqa: N818 - what was asked for, which cannot be done
    """What was asked for cannot be done; the message is one mistake a line."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A cell, what its one probe saw, and the title of the page that came back, "" for none.

    `address` is what was asked, for people: without the values of variables.
    """

    cell: Cell
    result: Result
    address: str
    title: str


def begun(
    wanted: Wanted, output: Path, *, force: bool, ask: Asking | None, tell: Telling, clock: Clock
) -> dict[str, Any]:
    """Probe what is wanted, write it to `output`, and return what was done as plain values.

    `ask` is None where there is nobody to ask. Raises Unwanted, ConfigError.
    """
    if output.exists() and not force:
        raise Unwanted(f"{output}: is there already: --force writes over it, --output elsewhere")
    if not output.parent.is_dir():
        raise Unwanted(f"{output}: its folder is not there: make it, or name another --output")
    if ask is not None:
        tell(_INTRODUCTION)
        wanted = asked(wanted, ask)
    if wrong := mistakes(wanted, os.environ):
        raise Unwanted("\n".join(wrong))
    found = probed(wanted, os.environ, clock)
    for each in found:
        tell(told(each))
    try:
        config = put_in_place(text_of(wanted, seen_of(found, clock)), output, os.environ)
    except OSError as error:
        raise Unwanted(f"{output}: cannot be written: {error.strerror}") from None
    for line in _closing(config, found):
        tell(line)
    return {
        "file": str(output),
        "warnings": list(config.warnings),
        "probes": list(map(_as_json, found)),
    }


def _as_json(found: Probed) -> dict[str, Any]:
    seen = result_json(found.cell, found.result, None)
    return {**seen, "address": found.address, "title": found.title}


def _closing(config: Config, found: list[Probed]) -> Iterator[str]:
    failed = [each for each in found if each.result.outcome is not Outcome.PASS]
    yield config_summary(config)
    if failed:
        yield f"{len(failed)} of {len(found)} probes did not pass: it was written all the same."
    if not os.environ.get(PAGER_SECRET) and any(each.kind == "webhook" for each in config.channels):
        yield f"{PAGER_SECRET} is not set: the monitor, and `monitor check-config`, need it."
    yield f"Next: read it, then `monitor run --config {config.path}`."


def somebody() -> Asking | None:
    """Whoever sits at the terminal and can be asked; None without a terminal."""
    return _answer if sys.stdin.isatty() else None


def _answer(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True))


def missing(wanted: Wanted) -> list[str]:
    """The services nobody spoke of: neither given nor left out."""
    return [service for service in SERVICES if service not in wanted.urls]


def asked(wanted: Wanted, ask: Asking) -> Wanted:
    """The same, completed by the answers of a person."""
    urls = dict(wanted.urls)
    for service in missing(wanted):
        urls[service] = ask(f"{SERVICES[service].question} (empty: not watched)").strip()
    tenants = wanted.tenants
    if not tenants and any(_TENANT in _held(url) for url in urls.values()):
        tenants = tuple(ask("Names for {tenant}, such as acme bolt").replace(",", " ").split())
    return replace(wanted, urls={each: urls[each] for each in SERVICES}, tenants=tenants)


# --------------------------------------------------------------------------- what is wrong


def mistakes(wanted: Wanted, environ: Mapping[str, str]) -> list[str]:
    """All that is wrong with what is wanted, each with the option and a remedy."""
    return [f"{option}: {what}" for option, what in _mistakes(wanted, environ)]


def _mistakes(wanted: Wanted, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for service in missing(wanted):
        yield f"--{service}", f"is missing: give its URL, or --{service} '' to leave it out"
    if not missing(wanted) and not any(wanted.urls.values()):
        options = ", ".join(f"--{each}" for each in SERVICES)
        yield options, "all are left out: give the URL of at least one"
    allow, wrong = _networks(wanted.allow_private)
    yield from (("--allow-private", each) for each in wrong)
    yield from (("--tenant", each) for each in _tenant_mistakes(wanted))
    for option, url in _urls(wanted):
        for what in _url_mistakes(option, url, wanted.tenants, allow, environ):
            yield option, what
    if 0 < len(wanted.controls) < CONTROLS_NEEDED:
        yield "--control", "names too few places: give none, or at least three"
    if len(set(wanted.controls)) < len(wanted.controls):
        yield "--control", "the same place is given twice: name places that fail independently"


def _urls(wanted: Wanted) -> Iterator[tuple[str, str]]:
    yield from ((f"--{service}", url) for service, url in wanted.urls.items() if url)
    yield from (("--control", url) for url in wanted.controls)
    if wanted.pager_url:
        yield "--pager-url", wanted.pager_url


def _networks(spelled: Iterable[str]) -> tuple[list[Network], list[str]]:
    networks, wrong = [], []
    for each in spelled:
        try:
            networks.append(ip_network(each))
        except ValueError:
            wrong.append(f"`{one_line(each)}` is no network: write 10.0.0.0/8 or fd00::/8")
    return networks, wrong


def _tenant_mistakes(wanted: Wanted) -> Iterator[str]:
    used = any(_TENANT in _held(url) for url in wanted.urls.values())
    if used and not wanted.tenants:
        yield "is missing: a URL holds {tenant}, so name the tenants it is probed for"
    if wanted.tenants and not used:
        yield "no URL holds {tenant}: write it where the tenant's name belongs"
    for each in dict.fromkeys(wanted.tenants):
        try:
            if name(each) == "shared":
                yield "`shared` is what all tenants share: give another name"
        except ValueError as error:
            yield one_line(str(error))
        if wanted.tenants.count(each) > 1:
            yield f"`{one_line(each)}` is given twice: name it once"


def _url_mistakes(
    option: str,
    url: str,
    tenants: tuple[str, ...],
    allow: list[Network],
    environ: Mapping[str, str],
) -> Iterator[str]:
    try:
        meant = substituted(url, environ)
    except ValueError as error:
        yield str(error)
        return
    held = places(meant, is_url=True)
    if option in ("--control", "--pager-url") and held:
        yield f"holds {{{held[0]}}}: it is one place, whoever the tenant is"
        return
    if other := sorted({each for each in held if each != _TENANT}):
        yield f"holds {{{other[0]}}}: only {{tenant}} can be filled here; write others in the file"
        return
    if any(not each.isprintable() or each.isspace() for each in meant):
        yield "holds a space or a control character: write it as %20, or take it out"
        return
    meant_of = {filled(meant, {_TENANT: each}) for each in tenants or (_TENANT,)}
    found = {url_mistake(each, allow) for each in meant_of}
    yield from sorted(remedied(each) for each in found if each is not None)


def _held(url: str) -> tuple[str, ...]:
    """What a URL has places for, apart from its variables."""
    return places(_VARIABLE.sub("", url), is_url=True)


def remedied(message: str) -> str:
    """A message about a private address, with the option of this command as the remedy."""
    if _REMEDY not in message:
        return message
    # Where one address stands for another, the other is named last, and is what must be allowed.
    address = [each for each in map(_address, message.split()) if each is not None][-1]
    network = next((each for each in _PRIVATE if address in each), ip_network(address))
    return message.replace(_REMEDY, f"add --allow-private {network}")


def _address(word: str) -> Address | None:
    try:
        return ip_address(word.strip("();"))
    except ValueError:
        return None


# --------------------------------------------------------------------------- what is seen


def probed(wanted: Wanted, environ: Mapping[str, str], clock: Clock) -> list[Probed]:
    """Probe every cell of what is wanted once, all together.

    Raises ConfigError when the loader refuses what is wanted.
    """
    with TemporaryDirectory(prefix="monitor-init-") as folder:
        config = read(text_of(wanted), Path(folder) / "checks.yaml", environ)
    put_in = (substituted(url, environ) for _, url in _urls(wanted))
    values = [Secret(each) for url in put_in if isinstance(url, Substituted) for each in url.values]
    return asyncio.run(_probed(config, Redactor((*config.secrets, *values)), clock))


async def _probed(config: Config, redactor: Redactor, clock: Clock) -> list[Probed]:
    net = _Overhearing(clock, config.limits, config.allow_private, redactor, config.nameservers)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(cell: Cell) -> Probed:
        async with gate:
            ask = Ask("command-line", cell.check.timeout, fresh=True)
            result = await PROBES[cell.check.kind].probe(cell, ask, Means(net))
        address = cell.target.address
        return Probed(cell, result, redactor.text(address), net.title(address))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(cell)) for cell in config.estate.cells()]
    finally:
        await net.aclose()
    return [task.result() for task in tasks]


class _Overhearing(Net):
    """The way to the network, keeping what was answered: a result that passed has no body."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._heard: dict[str, httpx.Response] = {}

    async def exchange(self, *arguments: Any, **wishes: Any) -> httpx.Response:
        """Exchange, and keep the answer by the URL that was asked first."""
        request: httpx.Request = arguments[1]
        response = await super().exchange(*arguments, **wishes)
        self._heard[str(request.url)] = response
        return response

    def title(self, address: str) -> str:
        """The title of the page that came from an address; "" where none can be held against it."""
        response = self._heard.get(str(httpx.URL(address)))
        if response is None or "html" not in response.headers.get("content-type", ""):
            return ""
        page = decoded(response.content, response.headers["content-type"])
        found = title_of(page)
        return found if self.redactor.text(found) == found else ""


def title_of(page: str) -> str:
    """The title of a page as it stands in it; "" when it has none, or none that is fit to expect.

    It is expected letter by letter, so what is long or broken over lines is not taken.
    """
    match = _title().search(page)
    title = match[1].strip() if match else ""
    return title if title.isprintable() and len(title) <= _TITLE_CHARS else ""


@lru_cache(maxsize=1)
def _title() -> re2.Pattern[str]:
    return re2.compile(r"(?i)<title(?:\s[^<>]*)?>([^<>]*)</title")


def seen_of(found: Iterable[Probed], clock: Clock) -> dict[str, Seen]:
    """What the file says of each service: by name, over all of its tenants."""
    by_service: dict[str, list[Probed]] = {}
    for each in found:
        if each.cell.check.service != CONTROL:
            by_service.setdefault(each.cell.check.service, []).append(each)
    day = clock.wall().date()
    return {service: _seen(each, day.isoformat()) for service, each in by_service.items()}


def _seen(found: list[Probed], day: str) -> Seen:
    failed = [each for each in found if each.result.outcome is not Outcome.PASS]
    titles = {each.title for each in found}
    if not failed:
        return Seen(title=titles.pop() if len(titles) == 1 else "")
    first = failed[0]
    of = "" if len(found) == 1 else f" for {len(failed)} of {len(found)} tenants"
    failure = one_line(remedied(first.result.evidence.message))[:200]
    return Seen(failure=f"{first.result.outcome.upper()}{of} on {day}: {failure}")


def told(found: Probed) -> str:
    """One line of one probe: what it asked, and what was seen."""
    result, address = found.result, found.address
    took = f"in {result.observed_mono - result.sent_mono:.3f} s"
    where = "/".join(found.cell.key[:3]).removesuffix("/shared")
    if result.outcome is Outcome.PASS:
        title = f' "{found.title}"' if found.title else ""
        return f"{where}: PASS {result.evidence.status} {took}: {address}{title}"
    kind = f" ({result.failure})" if result.failure else ""
    message = remedied(result.evidence.message)
    return f"{where}: {result.outcome.upper()}{kind} {took}: {address}: {message}"


# --------------------------------------------------------------------------- the file


def read(text: str, path: Path, environ: Mapping[str, str]) -> Config:
    """Write a text to a new file and read it as a configuration. Raises ConfigError, OSError.

    The pager's secret need not be set yet.
    """
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return load(path, {**environ, PAGER_SECRET: environ.get(PAGER_SECRET) or _STAND_IN})


def put_in_place(text: str, output: Path, environ: Mapping[str, str]) -> Config:
    """Write a configuration, whole or not at all. Raises ConfigError, OSError."""
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        config = read(text, beside, environ)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)
    return replace(config, path=output)
