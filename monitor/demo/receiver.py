"""A webhook receiver for the demo: a real HTTP server that verifies every signature it gets.

What has no good signature is refused, and noted without being read. Beside it Prometheus's alerts
are taken in as Alertmanager posts them; its watchdog, which fires always, without a word.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from fastapi import FastAPI, Request, Response

from monitor.channels.webhook import verify
from monitor.clock import Clock
from monitor.daemon.listener import Listener, bind
from monitor.demo.places import HOST
from monitor.net.secret import Secret


@dataclass(frozen=True, slots=True)
class Page:
    """One message as received. `refused` is why it was, None when it is genuine and fresh.

    What was refused has an empty document, and with it the number 0 and no words.
    """

    at: datetime
    key: str
    document: dict[str, Any]
    refused: str | None

    @property
    def number(self) -> int:
        """The incident's number."""
        return int(self.document["incident"]["number"]) if self.document else 0

    @property
    def headline(self) -> str:
        """What it says in one line."""
        return str(self.document.get("headline", ""))

    @property
    def action(self) -> str:
        """What it asks for: trigger, update, acknowledge or resolve."""
        return str(self.document.get("action", ""))


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of Prometheus as Alertmanager told it; `status` is firing or resolved."""

    at: datetime
    name: str
    status: str
    summary: str


class Receiver:
    """Listens on a port of `host` while it is entered, a free one unless told which.

    `pages` is its log; `heard` is told of each page as it comes, `alerted` of each alert. Raises
    OSError when the port is taken.
    """

    def __init__(
        self,
        secret: Secret,
        clock: Clock,
        port: int = 0,
        heard: Callable[[Page], None] = lambda _page: None,
        *,
        alerted: Callable[[Alert], None] = lambda _alert: None,
        host: str = HOST,
    ) -> None:
        self.pages: list[Page] = []
        self._secret = secret
        self._clock = clock
        self._heard = heard
        self._alerted = alerted
        self._host = host
        self._bound: socket.socket = bind(host, port)
        app = FastAPI(openapi_url=None)
        app.add_api_route("/hook", self._receive, methods=["POST"])
        app.add_api_route("/alerts", self._alerts, methods=["POST"])
        app.add_api_route("/watchdog", self._watchdog, methods=["POST"])
        self._listener = Listener(app, self._bound)
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://{self._host}:{self._bound.getsockname()[1]}/hook"

    async def __aenter__(self) -> Self:
        self._serving = asyncio.create_task(self._listener.run_until_exit())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._listener.should_exit = True
        if self._serving is not None:
            await self._serving
        self._bound.close()

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        now = self._clock.wall()
        refused = verify(
            self._secret,
            request.headers.get("monitor-timestamp", ""),
            body,
            request.headers.get("monitor-signature", ""),
            now,
        )
        document = {} if refused else json.loads(body)
        page = Page(now, request.headers.get("idempotency-key", ""), document, refused)
        self.pages.append(page)
        self._heard(page)
        return Response(status_code=401 if refused else 202)

    async def _alerts(self, request: Request) -> Response:
        now = self._clock.wall()
        try:
            alerts = [_alert(raw, now) for raw in (await request.json())["alerts"]]
        except (ValueError, LookupError, TypeError):
            return Response("this is no notification of Alertmanager\n", status_code=400)
        for alert in alerts:
            self._alerted(alert)
        return Response(status_code=200)

    async def _watchdog(self) -> Response:
        return Response(status_code=200)


def _alert(raw: Any, now: datetime) -> Alert:
    summary = raw.get("annotations", {}).get("summary", "")
    return Alert(now, str(raw["labels"]["alertname"]), str(raw["status"]), str(summary))
