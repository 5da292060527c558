"""Everything else, by the library Apprise: fire and forget.

Apprise knows many services and tells of each only whether it took the message. It needs a package
of its own, which is imported where a channel of this kind is configured. It asks its services in
blocking calls, so each send has a thread, which ends with the process whatever it waits for; one
that takes too long is left behind. It finds its services by itself: what is said of vetted
addresses (`monitor.net`) does not hold here, nor does Apprise tell a repetition.

A notice that one service at least took is accepted, and the log says how many others did not.
Accepted is no more than that: a channel of this kind is never the only one that reaches on call.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Any

import structlog

from monitor.channels import telling
from monitor.channels.kind import Means
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret

REMEDY = "needs the package Apprise: pip install 'prospect-uptime-monitor[apprise]'"

_KINDS = {
    Action.TRIGGER: "failure",
    Action.UPDATE: "warning",
    Action.ACKNOWLEDGE: "info",
    Action.RESOLVE: "success",
    Action.TELL: "info",
}


@dataclass(frozen=True, slots=True)
class AppriseOptions:
    """The services by their URLs, as Apprise spells them, and the seconds for all of them together.

    Raises ValueError where Apprise is not installed, or makes nothing of one of them.
    """

    urls: tuple[Secret, ...]
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("urls: is empty: name at least one service")
        try:
            library = _library()
        except ImportError:
            raise ValueError(f"urls: {REMEDY}") from None
        for place, url in enumerate(self.urls, start=1):
            if library.Apprise.instantiate(url.reveal()) is None:
                raise ValueError(f"urls: Apprise knows no service by number {place} of them")


async def send(notice: Notice, options: AppriseOptions, means: Means) -> Accepted:
    """Send a notice once. Raises `DeliveryError`."""
    title = telling.one_line(telling.headline(notice, means.net.clock.wall()))
    body = "\n".join(map(telling.one_line, telling.complete(notice))) or title
    urls = [url.reveal() for url in options.urls]
    try:
        async with asyncio.timeout(options.timeout):
            taken = await _in_a_thread(lambda: _told(urls, title, body, _KINDS[notice.action]))
    except TimeoutError as error:
        raise DeliveryError(f"no answer within {options.timeout:g} s") from error
    except ImportError as error:
        raise DeliveryError(f"it {REMEDY}") from error
    if not any(taken):
        raise DeliveryError("no service of Apprise took it")
    if not all(taken):
        log = structlog.get_logger("monitor.channels.apprise")
        log.warning("services did not take a notice that others have", missing=taken.count(False))
    return Accepted()


def _told(urls: Sequence[str], title: str, body: str, kind: str) -> list[bool]:
    """Whether each service took the message."""
    library = _library()
    said = {"title": title, "body": body, "notify_type": kind, "body_format": "text"}
    taken = []
    for url in urls:
        service = library.Apprise()
        try:
            taken.append(bool(service.add(url) and service.notify(**said)))
        except Exception:  # noqa: BLE001 - a fault in one service must not end the others
            taken.append(False)
    return taken


def _library() -> Any:
    """Apprise, which is not to log: its lines may hold the URLs. Raises ImportError."""
    library = importlib.import_module("apprise")
    logger = logging.getLogger("apprise")
    logger.propagate, logger.disabled = False, True
    return library


async def _in_a_thread(work: Callable[[], list[bool]]) -> list[bool]:
    """What comes of blocking work; who waits no longer leaves it to itself."""
    outcome: Future[list[bool]] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told where it is awaited
            outcome.set_exception(error)

    Thread(target=run, name="apprise", daemon=True).start()
    return await asyncio.wrap_future(outcome)
