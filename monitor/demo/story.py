"""The demo: the whole monitor against the simulated estate, as a story with an ending.

    all is well -> one tenant fails -> it is well again -> the whole CRM fails -> a person
    acknowledges -> the CRM is back -> everything is resolved

Every part is real: the estate is another process with real sockets, the daemon is the one that
`monitor run` runs, its store is an SQLite file, its pages go to an HTTP receiver that verifies
them, and the acknowledgement goes through the API. The story only switches faults, waits for what
must follow, and tells it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import fields
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import uvloop
from rich.console import Console

from monitor import hours
from monitor.clock import Clock, real_clock
from monitor.config import Config, load
from monitor.daemon import CannotStart, Started, run
from monitor.daemon.logs import Logs
from monitor.demo import judging
from monitor.demo.client import AsyncEstateClient, EstateProcess
from monitor.demo.places import SERVICES, Ports
from monitor.demo.receiver import Receiver
from monitor.demo.services import PASSWORD
from monitor.incident.wording import began_words, clock_time, moment
from monitor.model import Impact, Incident, Rules
from monitor.net.secret import Secret
from monitor.store import IncidentRecord

_PATIENCE = 90.0
_PERSON = "the person on call"


class StoryBroken(Exception):  # noqa: N818 - named for what it says
    """What should have followed did not."""


def play(*, story_to_stderr: bool = False) -> int:
    """Play the story; 0 when it came out exactly so, 1 when not. Its last line is JSON.

    SIGTERM breaks it off, with 1 and nothing left behind.
    """
    console = Console(highlight=False, soft_wrap=True, stderr=story_to_stderr)
    logs = Logs("WARNING")
    logs.start()
    with (
        tempfile.TemporaryDirectory(prefix="monitor-demo-") as folder,
        EstateProcess(Ports.free()) as estate,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        try:
            code = runner.run(_Story(console, Path(folder), estate, real_clock()).play())
        except asyncio.CancelledError:
            code = 1
    logs.stop()
    return code


class _Story:
    """One telling: what it talks to, and what it has seen so far."""

    def __init__(self, console: Console, folder: Path, estate: EstateProcess, clock: Clock) -> None:
        self._console = console
        self._folder = folder
        self._ports = estate.ports
        self._estate: AsyncEstateClient = estate.async_client
        self._clock = clock
        self._token = Secret(secrets.token_urlsafe(16))
        self._secret = Secret(secrets.token_urlsafe(16))
        self._stop = asyncio.Event()

    async def play(self) -> int:
        """Start everything, tell the story, judge it, and end everything."""
        telling = asyncio.current_task()
        if telling is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, telling.cancel)
        async with AsyncExitStack() as stack:
            receiver = await stack.enter_async_context(Receiver(self._secret, self._clock))
            config = self._config(receiver)
            started: asyncio.Future[Started] = asyncio.get_running_loop().create_future()

            async def tell_started(told: Started) -> None:
                started.set_result(told)

            daemon = asyncio.create_task(
                run(config, self._clock, stop=self._stop, started=tell_started)
            )
            both: set[asyncio.Future[Any]] = {daemon, started}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if daemon.done():
                return await self._could_not_start(daemon)
            monitor = started.result()
            self._introduce(config, monitor)
            broken = await self._tell(monitor, receiver)
            code, last_line = await self._ending(monitor, receiver, broken)
            if sys.stdout.isatty() and not code:
                await self._linger(monitor)
            self._stop.set()
            await daemon
        sys.stdout.write(last_line + "\n")
        return code

    # ----------------------------------------------------------------- the story

    async def _tell(self, monitor: Started, receiver: Receiver) -> list[str]:
        """The chapters in order; what broke the story off, if anything."""
        try:
            await self._all_well(monitor)
            await self._one_tenant(monitor, receiver)
            await self._everyone(monitor, receiver)
        except StoryBroken as broken:
            return [str(broken)]
        return []

    async def _all_well(self, monitor: Started) -> None:
        self._chapter("All is well")
        cells = len(monitor.engine.cells)
        await self._until(
            "every cell has been probed", lambda: monitor.engine.cells_seen() == cells
        )
        healthy = sum(v.healthy for v in monitor.engine.vantages())
        self._say(f"{cells} cells probed, every service up, {healthy} of 3 vantages healthy.")

    async def _one_tenant(self, monitor: Started, receiver: Receiver) -> None:
        self._chapter("One tenant's CRM fails")
        switched = await self._estate.switch_on("status_503", service="crm", tenant="acme")
        self._say("The estate answers 503 for tenant acme.", at=switched.at)
        incident = await self._opened(monitor, Impact.SOME)
        self._tell_incident(incident, switched.at)
        held = "held until support opens" if incident.notify_at > incident.reported_at else "now"
        roles = " and ".join(incident.route)
        self._say(f"Standard, so nobody is paged: notice to {roles} ({held}).")
        await self._heal()
        await self._resolved(monitor, incident.number)
        if receiver.pages:
            raise StoryBroken("somebody was paged for one tenant's failure")

    async def _everyone(self, monitor: Started, receiver: Receiver) -> None:
        self._chapter("The whole CRM fails")
        switched = await self._estate.switch_on("refuse", service="crm")
        self._say("The CRM refuses every connection.", at=switched.at)
        incident = await self._opened(monitor, Impact.ALL)
        self._tell_incident(incident, switched.at)
        for error in incident.errors[:3]:
            self._say(f"Error seen from {error.vantage}: {error.kind}: {error.message}")
        await self._until("the page arrives", lambda: bool(receiver.pages))
        page = receiver.pages[0]
        verdict = page.refused or "signature verified"
        self._say(f"Page received: “{page.headline}” ({verdict}).", at=page.at)
        self._say(f"{(page.at - switched.at).total_seconds():.1f} s from fault to page.")
        await self._acknowledge(monitor, incident.number)
        await self._heal()
        await self._resolved(monitor, incident.number)
        await self._until("the last notice arrives", lambda: receiver.pages[-1].action == "resolve")

    async def _acknowledge(self, monitor: Started, number: int) -> None:
        async with httpx.AsyncClient(base_url=monitor.url, trust_env=False) as client:
            answer = await client.post(
                f"/api/v1/incidents/{number}/acknowledge",
                json={"by": _PERSON},
                headers={"Authorization": f"Bearer {self._token.reveal()}"},
            )
        if answer.status_code != httpx.codes.OK:
            raise StoryBroken(f"the acknowledgement was refused: {answer.text}")
        self._say(f"Acknowledged by {_PERSON} through the API.")

    async def _heal(self) -> None:
        healed = await self._estate.heal()
        self._say("The estate is healed.", at=healed[-1].at)

    async def _opened(self, monitor: Started, impact: Impact) -> Incident:
        found: list[Incident] = []

        async def opened() -> bool:
            found[:] = [i for i in await monitor.store.open_incidents() if i.impact is impact]
            return bool(found)

        await self._until_async(f"an incident with impact {impact} is opened", opened)
        return found[0]

    async def _resolved(self, monitor: Started, number: int) -> None:
        said = False
        record: IncidentRecord | None = None

        async def resolved() -> bool:
            nonlocal said, record
            record = await monitor.store.incident(number)
            if record and record.incident.recovered and not said:
                said = True
                self._say(f"Incident {number}: {record.events[-1].text}")
            return record is not None and record.incident.resolved_at is not None

        await self._until_async(f"incident {number} is resolved", resolved)
        if record is not None:
            self._say(f"Incident {number}: {record.events[-1].text}")

    # ----------------------------------------------------------------- telling

    def _introduce(self, config: Config, monitor: Started) -> None:
        self._console.print("[bold]Uptime monitor: the demo[/bold]")
        self._say(f"Page: {monitor.url}/ (API below /api/v1, metrics at /metrics)")
        rules, usual = config.estate.services[0].rules, Rules()
        shortened = [
            f"{f.name} {getattr(usual, f.name)} -> {getattr(rules, f.name)}"
            for f in fields(Rules)
            if getattr(rules, f.name) != getattr(usual, f.name)
        ]
        interval = config.estate.services[0].checks[0].interval
        self._say(f"Shortened for the demo: interval 30 -> {interval:g} s; " + "; ".join(shortened))
        self._say(f"As in production: rounds {rules.round_gap:g} s apart, {rules.rounds_needed}.")
        now = self._clock.wall()
        closed = hours.closed_reason(config.calendar, now)
        state = f"closed ({closed})" if closed else "open"
        opening = moment(hours.next_opening(config.calendar, now))
        self._say(f"Support is {state}; it opens next {opening}.")

    def _chapter(self, title: str) -> None:
        self._console.print(f"\n[bold]{title}[/bold]")

    def _say(self, text: str, at: datetime | None = None) -> None:
        moment = at or self._clock.wall()
        self._console.print(f"  {moment:%H:%M:%S}Z  ", end="", style="dim")
        self._console.print(text, markup=False)

    def _tell_incident(self, incident: Incident, fault_at: datetime) -> None:
        delay = (incident.detected_at - fault_at).total_seconds()
        self._say(
            f"Incident {incident.number}, {incident.priority}: {incident.title} "
            f"(since {clock_time(incident.began.before)}, opened {delay:.1f} s after the fault).",
            at=incident.reported_at,
        )
        self._say(f"Began {began_words(incident.began)}.")
        self._say(incident.known_by)
        if incident.respond_by is not None:
            self._say(f"Respond by {moment(incident.respond_by)}.")

    async def _ending(
        self, monitor: Started, receiver: Receiver, broken: list[str]
    ) -> tuple[int, str]:
        """The exit code and the last line, judged against the logs of the others."""
        incidents = sorted(
            await monitor.store.incidents(state=None, limit=100), key=lambda i: i.number
        )
        found = [await monitor.store.incident(incident.number) for incident in incidents]
        records = [record for record in found if record is not None]
        log = await self._estate.log()
        wrong = broken or judging.complaints(records, log, receiver.pages)
        false = judging.false_incidents(records, log)
        self._chapter("The end")
        for complaint in wrong:
            self._say(f"WRONG: {complaint}")
        if not wrong:
            self._say("The story came out exactly so.")
        result = {
            "incidents": [judging.summary(record, log) for record in records],
            "false_incidents": false,
            "probes": monitor.engine.probes_done,
        }
        return int(bool(wrong or false)), json.dumps(result)

    async def _linger(self, monitor: Started) -> None:
        self._say(f"The monitor goes on: see {monitor.url}/ (Ctrl-C ends it).")
        interrupted = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, interrupted.set)
        loop.add_signal_handler(signal.SIGTERM, interrupted.set)
        await interrupted.wait()
        self._console.print()

    async def _could_not_start(self, daemon: asyncio.Task[None]) -> int:
        try:
            await daemon
        except CannotStart as error:
            self._say(f"Cannot start: {error}")
        return 1

    # ----------------------------------------------------------------- waiting

    async def _until(self, what: str, so: Callable[[], bool]) -> None:
        async def check() -> bool:
            return so()

        await self._until_async(what, check)

    async def _until_async(self, what: str, so: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await so():  # noqa: ASYNC110 - what is waited for is in a database
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise StoryBroken(f"waited {_PATIENCE:g} s in vain until {what}") from None

    def _config(self, receiver: Receiver) -> Config:
        controls = self._ports.control_urls()
        environ = {
            "DEMO_DIR": str(self._folder),
            "DEMO_API_TOKEN": self._token.reveal(),
            "PAGER_SECRET": self._secret.reveal(),
            "CRM_PASSWORD": PASSWORD,
            "PAGER_URL": receiver.url,
            **{f"CONTROL_{n + 1}": url for n, url in enumerate(controls)},
            **{f"{service.upper()}_URL": self._ports.origin(service) for service in SERVICES},
        }
        source = resources.files("monitor.demo") / "demo.yaml"
        path = self._folder / "checks.yaml"
        path.write_text(source.read_text())
        return load(path, environ)
