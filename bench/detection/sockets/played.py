"""One world played in real time: its servers here, the real monitor beside them as a process.

The world begins when the monitor says that it is monitoring, at the instant it says so (one with
declared maintenance: at an instant set beforehand, by which it should have said so). What the
monitor concluded is read from its store after it has ended.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, func, select

from bench.detection.sockets.configured import config_of
from bench.detection.sockets.estate import Certificates, Given, Time, estate
from bench.detection.world import HostEvent, World
from bench.live.pair import ROOT, ended
from monitor.clock import Clock
from monitor.model import Outage, Outcome
from monitor.store import open_reader
from monitor.store.tables import RESULT

SAYS = b'"event": "monitoring"'
STARTS_WITHIN = 120.0
STARTS_BY = timedelta(seconds=20)
TOLD = 3000
LINE_BYTES = 1 << 20
MOST_OUTAGES = 1000


class BrokeDownError(Exception):
    """The monitor did not start, or ended by itself; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a monitor concluded: its outages, oldest first, and the results of services' probes.

    `began` is the wall clock's reading at the world's second 0, `given` what the servers answered.
    """

    outages: tuple[Outage, ...]
    began: datetime
    results: int = 0
    invalid: int = 0
    given: tuple[Given, ...] = ()


async def play(world: World, certificates: Certificates, clock: Clock) -> Played:
    """Play a world from its beginning to its end. Raises BrokeDownError."""
    time = Time(clock)
    with tempfile.TemporaryDirectory(prefix="bench-sockets-") as name:
        folder = Path(name)
        async with estate(world, time, certificates) as served:
            planned = _planned(world, clock)
            (folder / "checks.yaml").write_text(config_of(world, served, folder, planned))
            certificates.authority.cert_pem.write_to_path(str(folder / "authority.pem"))
            watched = Watched(folder, clock)
            async with watched.running():
                began = planned or watched.said_at
                time.begin(clock.now().mono_of(began))
                for event in world.host:
                    await watched.suffer(event, time)
                await time.until(world.end)
                watched.still_there()
        return replace(await _read(folder, began), given=tuple(served.given))


def _planned(world: World, clock: Clock) -> datetime | None:
    """When a world must begin in which maintenance is declared, a whole second; else None."""
    return (clock.wall() + STARTS_BY).replace(microsecond=0) if world.maintenance else None


@dataclass(slots=True)
class Watched:
    """The monitor's process: started, stopped, killed and started again. Only its own is touched.

    `said_at` is when it last said that it is monitoring; `starting` how long its first start took.
    """

    folder: Path
    clock: Clock
    said_at: datetime = field(init=False)
    starting: float = 0.0
    _process: asyncio.subprocess.Process = field(init=False)
    _listening: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it until the block ends, or has failed."""
        asked = self.clock.monotonic()
        try:
            await self._start()
            self.starting = self.clock.monotonic() - asked
            yield
        finally:
            await self._end()

    async def suffer(self, event: HostEvent, time: Time) -> None:
        """What befalls the host, at its time: it is stopped, or killed and started again."""
        await time.until(event.at)
        self.still_there()
        if event.restarts:
            self._process.kill()
            await self._process.wait()
            await time.until(event.at + event.seconds - self.starting)
            await self._start()
            return
        self._process.send_signal(signal.SIGSTOP)
        try:
            await time.until(event.at + event.seconds)
        finally:
            self._process.send_signal(signal.SIGCONT)

    def still_there(self) -> None:
        """Raises BrokeDownError when it has ended by itself."""
        if self._process.returncode is not None:
            raise BrokeDownError(f"exit {self._process.returncode}: {self._log()}")

    async def _start(self) -> None:
        command = ("-m", "monitor", "run", "--config", str(self.folder / "checks.yaml"))
        authority = {"SSL_CERT_FILE": str(self.folder / "authority.pem")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            cwd=ROOT,
            env={**os.environ, **authority, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        said = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(self._process, said))
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                self.said_at = await said
        except TimeoutError:
            raise BrokeDownError(f"it did not start: {self._log()}") from None

    async def _listen(
        self, process: asyncio.subprocess.Process, said: asyncio.Future[datetime]
    ) -> None:
        assert process.stderr is not None
        with (self.folder / "monitor.log").open("ab", buffering=0) as log:
            async for line in process.stderr:
                log.write(line)
                if SAYS in line and not said.done():
                    said.set_result(datetime.fromisoformat(json.loads(line)["timestamp"]))
        if not said.done():
            said.set_exception(BrokeDownError(f"it ended: {self._log()}"))

    async def _end(self) -> None:
        if self._listening is not None:
            await ended(self._process)
            await self._listening

    def _log(self) -> str:
        return (self.folder / "monitor.log").read_text()[-TOLD:]


async def _read(folder: Path, began: datetime) -> Played:
    url = f"sqlite:///{folder}/monitor.db"
    store = await open_reader(url)
    try:
        since = began - timedelta(days=1)
        outages = await store.outages(service=None, since=since, limit=MOST_OUTAGES)
    finally:
        await store.close()
    by_outcome = await asyncio.to_thread(_counted, url)
    invalid = by_outcome.get(Outcome.INVALID.value, 0)
    return Played(tuple(reversed(outages)), began, sum(by_outcome.values()), invalid)


def _counted(url: str) -> dict[str, int]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            counts = select(RESULT.c.outcome, func.count()).group_by(RESULT.c.outcome)
            return dict(map(tuple, connection.execute(counts)))
    finally:
        engine.dispose()
