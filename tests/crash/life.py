"""One incident's life through the real code, taken up wherever the disk says that it stands.

    no incident yet        CRM fails for everyone until one is open
    open                   it goes on failing until a person has acknowledged
    acknowledged           it works again: recovery is told, and after the watch it resolves
    resolved               it fails once more: the next incident of the same subject
    open again             it works again, and resolves
    both resolved          what is owed is delivered, and that is the end

Judge, store, `Writing` and `Delivery` are the product's; the world, the time and the receivers are
ours. A process that is killed anywhere leaves a disk, on which the next one begins.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network

from ulid import ULID

from monitor import detection, judge
from monitor.channels.webhook import WebhookOptions
from monitor.clock import Clock, Now
from monitor.delivery import Delivery
from monitor.engine.recalled import load_mind
from monitor.engine.writing import Writing
from monitor.judge import Mind
from monitor.model import CONTROL, Channel, Estate, Outcome, Result, Role, Rules, Vantage
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.store import StoreUnavailable, open_store
from tests.crash.world import EPISODES, World
from tests.day import CALENDAR
from tests.estates import check, controls, service, tenants
from tests.simulation import START, Simulation, of, passes, refused

SECRET = Secret("a shared secret")
RULES = Rules(round_gap=2.0, sweep_gaps=(2.0,), recovery_span=4.0, merge_window=10.0, path_span=5.0)
STEP = 1.0
"""Virtual seconds that pass between two looks at the outbox."""

FLUSH_EVERY = 4
QUIET = 15.0
"""Virtual seconds in which all is well, as long as not every cell has been seen to work."""

LEAP = 600.0
"""Virtual seconds that may pass at once while nothing is under way."""

IDLE = 20
"""Looks at the outbox, a millisecond apart, after which time may pass: nothing is under way."""

PATIENCE = 0.05
"""Seconds that a change may take to be written before the world goes on without it."""

LONGEST = 100_000.0
"""Virtual seconds after which a life should be long over."""

GIVEN_UP = 8 * 3600.0
"""Virtual seconds without progress, after which what is owed will never be sent."""


class Unsent(Exception):  # noqa: N818 - named for what is so
    """What is owed does not go out, however long one waits."""


class Endless(Exception):  # noqa: N818 - named for what is so
    """The life does not come to its end."""


ESTATE = Estate(
    (service("crm", check(of=tenants(5), interval=10.0), rules=RULES),),
    (Vantage("london", "net-a"), Vantage("leeds", "net-b")),
    controls(3, interval=10.0),
)


def channels(port: int, *, timeout: float = 20.0) -> tuple[Channel, ...]:
    """The two ways out of a life, to one receiver, which has so many seconds to answer."""
    return tuple(
        Channel(
            name,
            "webhook",
            (role,),
            WebhookOptions(f"http://127.0.0.1:{port}/{name}", SECRET, timeout),
        )
        for name, role in (("pager", Role.ON_CALL), ("desk", Role.SERVICE_DESK))
    )


def network(clock: Clock) -> Net:
    """The way to the receivers: what people read is virtual, timers are real."""
    real = Clock(clock.wall, time.monotonic)
    return Net(real, Limits(), (ip_network("127.0.0.0/8"),), Redactor([SECRET]))


class Watched(Simulation):
    """The world as the probes see it, thought about by the real judge."""

    def __init__(self, mind: Mind, world: World) -> None:
        super().__init__(ESTATE, start=world.now)
        self.state, self.mind, self.world = mind.detection, mind, world
        self.failing, self.episode = False, 1
        self.changes, self.results, self.proven = [], [], []
        self.breaks(0.0, float("inf"), self._answered, of("crm"))

    def _answer(self, deadline):
        return (refused if self.failing else passes)(deadline)

    def _answered(self, deadline):
        return (refused if self.failing else passes)(deadline)

    def handle(self, event):
        if isinstance(event, Result):
            self._noted(event)
        thought = judge.think(self.mind, event, self.reading())
        self.changes += thought.changes
        return thought.probes

    def _noted(self, result):
        if result.outcome is Outcome.PASS:
            self.proven.append((result.cell, result.fingerprint))
        if result.cell.service == CONTROL:
            return
        self.results.append(result)
        if result.outcome is Outcome.PASS:
            self.world.passed(self.episode, result.sent_mono)
        if result.outcome is Outcome.FAIL and self.failing:
            self.world.failed(self.episode, result.observed_mono)


class Life:
    """A process of a monitor in one world, from its start to the end of the life."""

    def __init__(
        self,
        url: str,
        port: int,
        world: World,
        *,
        hasty: bool = False,
        before: Callable[[Life], None] = lambda _life: None,
        waited: Callable[[Life], None] = lambda _life: None,
    ) -> None:
        """`before` is called before each change is written; it is number `changes`, from 1.

        `waited` is called for each virtual second in which a change could not be written.
        """
        self.url, self.port, self.world, self.hasty = url, port, world, hasty
        self.before, self.waited, self.changes = before, waited, 0
        self.clock = Clock(lambda: START + timedelta(seconds=world.now), lambda: world.now)
        self.troubles, self.well_until = 0, 0.0
        self.net = network(self.clock)

    async def run(self) -> None:
        """Live until the end. `Unsent` when what is owed never goes out."""
        self.world.now += STEP
        self.store = await open_store(self.url, clock=self.clock, holder="a life")
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._begin()
                own = [
                    tasks.create_task(self.delivery.run()),
                    tasks.create_task(self.writing.write_changes()),
                    tasks.create_task(self.writing.sign()),
                ]
                await self._live()
                for task in own:
                    task.cancel()
        finally:
            await self.net.aclose()
            await self.store.close()

    async def _begin(self) -> None:
        """As the daemon begins."""
        store, now = self.store, self._now()
        await store.release_leases()
        await store.watch(["crm"], now.at)
        ways = channels(self.port)
        self.delivery = Delivery(
            store,
            {way.name: way for way in ways},
            self.net,
            self.clock,
            random=lambda: 0.0,
            poll_seconds=0.05,
            send_seconds=30.0,
        )
        self.writing = Writing(store, self.clock, committed=self._committed, failed=self._refused)
        if len(await store.proven()) < len(ESTATE.cells()):
            self.well_until = self.world.now + QUIET
        self.mind, resumed = await load_mind(
            lambda worked: self._mind(ways, worked), store, now, "Not observed for a while."
        )
        self.sim = Watched(self.mind, self.world)
        for change in resumed:
            self.writing.change(change)

    def _mind(self, ways, worked) -> Mind:
        return Mind(
            ESTATE,
            CALENDAR,
            PolicySettings(),
            ways,
            self.store.instance,
            "http://127.0.0.1",
            lambda at: str(ULID.from_datetime(at)),
            detection.new_state(ESTATE, worked=worked),
        )

    # ------------------------------------------------------------------ what happens

    async def _live(self) -> None:
        while not self._over():
            if self.world.now > LONGEST:
                raise Endless
            self._directed()
            self._acknowledged()
            await self._second()
        await self.writing.finish()
        await self._settled()

    def _over(self) -> bool:
        return self.mind.next_number > EPISODES and not self.mind.open

    def _directed(self) -> None:
        """The service works or fails, as the table at the head says."""
        last = self.mind.next_number - 1
        incident = next(iter(self.mind.open.values()), None)
        if incident is None:
            self.sim.episode = min(last + 1, EPISODES)
            self.sim.failing = last < EPISODES and self.world.now > self.well_until
        elif incident.number == EPISODES or incident.acknowledged_at is not None:
            self.sim.episode, self.sim.failing = min(last + 1, EPISODES), False
        else:
            self.sim.failing = True

    def _acknowledged(self) -> None:
        """A person takes the first incident."""
        incident = next(iter(self.mind.open.values()), None)
        if incident is None or incident.number == EPISODES or incident.acknowledged_at is not None:
            return
        if self.clock.wall() - incident.detected_at >= timedelta(seconds=2):
            _, change = judge.acknowledge(self.mind, incident.number, "Robin", self.sim.reading())
            self.sim.changes.append(change)

    async def _second(self) -> None:
        """A second of the world passes, and what was thought in it is on disk."""
        self._passes(STEP)
        await self._queue_results()
        if not self.sim.changes:
            return
        while self.sim.changes:
            await self._kept(self.sim.changes.pop(0))
        if not self.hasty:
            await self._settled()

    def _passes(self, seconds: float) -> None:
        self.world.now += seconds
        self.sim.run(self.world.now)

    async def _queue_results(self) -> None:
        for result in self.sim.results:
            self.writing.result(result)
        for key in self.sim.proven:
            self.writing.proven(*key)
        self.sim.results.clear()
        self.sim.proven.clear()
        if self.world.now % FLUSH_EVERY < STEP:
            await self.writing.flush()

    async def _kept(self, change) -> None:
        """Return once a change is on disk; while it cannot be written, the world goes on."""
        self.changes += 1
        self.before(self)
        written = self.writing.change(change)
        await asyncio.wait({written}, timeout=PATIENCE)
        while not written.done():
            self._waits()
            await asyncio.wait({written}, timeout=PATIENCE)

    def in_trouble(self) -> bool:
        """Whether the store refuses what is to be written."""
        return self.delivery.figures().store_error is not None

    def _waits(self) -> None:
        """A second of the world in which the store cannot be written."""
        self._passes(STEP)
        self.waited(self)

    async def _settled(self) -> None:
        """Return once everything that is owed was sent; time passes while nothing is under way."""
        idle, step, since, unsent = 0, STEP, self.world.now, await self._unsent()
        while unsent:
            await asyncio.sleep(0.001)
            idle = 0 if self.delivery.figures().in_hand else idle + 1
            if self.in_trouble():
                self._waits()
            elif idle > IDLE:
                self.world.now += step
                idle, step = 0, min(2 * step, LEAP)
                self.delivery.wake()
            if self.world.now - since > GIVEN_UP:
                raise Unsent
            still = unsent if self.delivery.figures().in_hand else await self._unsent()
            if still != unsent:
                step, since, unsent = STEP, self.world.now, still

    async def _unsent(self) -> int:
        """How many notices are owed; while nobody can tell, one."""
        try:
            return sum((await self.store.outbox()).pending.values())
        except StoreUnavailable:
            return 1

    def _committed(self, change) -> None:
        if any(part.notices for part in change.parts()):
            self.delivery.wake()

    def _refused(self) -> None:
        self.troubles += 1

    def _now(self) -> Now:
        return self.clock.now()
