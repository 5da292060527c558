"""The outbox loop: every notice reaches its receiver, or is seen not to.

Theory of operation. A notice is a row of the store, committed with the incident it tells of
before anything is sent. This loop only moves such rows on:

1. *Claim.* What is due, or was being sent by somebody whose lease has run out, becomes ours for
   LEASE_SECONDS by a conditional update. The store gives out only the first unsent notice of an
   incident on a channel, so a resolve never overtakes its trigger.
2. *Send.* Outside any transaction, each notice in a task of its own, cut after SEND_SECONDS, a
   few at a time per channel: a receiver that hangs holds up its own channel and no other. A
   notice is sent only while its lease lasts beyond the send.
3. *Mark.* Only the receiver's answer makes a notice sent. A mark that cannot be written is tried
   until it can, for while it waits nothing else may send the notice.

So a notice is sent at least once. It is sent again, with the same key, only when the process dies
between the answer and the mark, or when an answer was lost on its way to us. `end` lets what is
being sent come to its end and begins nothing new; cancelling `run` leaves the lease of what was
being sent: whoever starts next releases it (`Store.release_leases`) or waits it out.

A failure is tried again after 5 s, doubling up to 15 min, or when the receiver asks; permanent
ones are dead at once. Pages (a channel that reaches on call) are tried for as long as the incident
is not resolved, everything else for PATIENCE. A channel that is no longer configured keeps its
notices: a configuration is corrected sooner than a lost notice is found. Whatever else a channel
raises counts as a failure that may pass.

While we hold a notice its lease may run out: the store was away, or the wall clock stepped. If
our own next claim meets it, the lease is renewed in place. If another process took it, our mark
changes no row, and what became of the notice is the other's to count.

This file does not know what a notice says, who should get it or when: it came due, and is sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.channels import CHANNELS, ChannelKind, Means
from monitor.channels.sending import LAST_PAUSE, attempt, pause
from monitor.clock import Clock
from monitor.metrics import NoticeOutcome
from monitor.model import (
    Accepted,
    Action,
    Channel,
    DeliveryError,
    IncidentState,
    Notice,
    Role,
)
from monitor.net.links import Links
from monitor.net.network import Net
from monitor.store import Store, StoreUnavailable

SEND_SECONDS = 60.0
"""The longest a send may take, whatever its channel allows."""

LEASE_SECONDS = 150.0
"""How long a claim lasts: two sends and their marks fit in it."""

POLL_SECONDS = 1.0
"""How soon a notice that came due is claimed when nobody called `wake`."""

PATIENCE = timedelta(hours=24)
"""How long after it first came due a notice that is no page is tried."""

TRIES = 5
"""A notice is tried this often even beyond PATIENCE, as after a long time without the monitor."""

LONG = timedelta(hours=1)
"""What a channel missed for at least so long is summed up for it."""

CLAIM_LIMIT = 100


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """Where delivery stands since the process began.

    `attempts` counts by channel and outcome; `last_error` is by channel, and gone once a notice
    got through; `in_hand` counts by channel what is claimed and not yet marked, the oldest of it
    due since `oldest_due` (None: nothing in hand). `store_error` says why the store cannot be
    used, None when it can.
    """

    attempts: Mapping[tuple[str, NoticeOutcome], int]
    last_error: Mapping[str, str]
    in_hand: Mapping[str, int]
    oldest_due: datetime | None
    store_error: str | None


@dataclass(frozen=True, slots=True)
class _Held:
    """A notice as we last claimed it, ours until `until` on the monotonic clock."""

    notice: Notice
    until: float


class Delivery:
    """Moves the notices of one store out through `channels`, which a reload may replace.

    `random` returns a float in [0, 1) and spreads retries. `on_sent` is called with each notice
    of an incident's opening that was accepted, and the seconds from its report to then, which for
    a held one include the wait for support to open. `on_late` is called when a channel takes a
    notice that was owed to it LONG ago, with its name and since when it was. `links` sign what
    notices carry to acknowledge by. `workers` bounds the sends at once per channel.
    """

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        net: Net,
        clock: Clock,
        *,
        random: Callable[[], float],
        on_sent: Callable[[Notice, float], None] = lambda _notice, _seconds: None,
        on_late: Callable[[str, datetime], None] = lambda _channel, _since: None,
        kinds: Mapping[str, ChannelKind] = CHANNELS,
        public_url: str = "",
        links: Links | None = None,
        workers: int = 4,
        send_seconds: float = SEND_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.channels = channels
        self._store, self._net, self._clock = store, net, clock
        self._random, self._kinds = random, kinds
        self._on_sent, self._on_late = on_sent, on_late
        self._caught_up: dict[str, datetime] = {}
        self._send_seconds, self._poll_seconds = send_seconds, poll_seconds
        self._public_url, self._links = public_url, links
        self._awake = asyncio.Event()
        self._ending = self._stepped = False
        self._held: dict[str, _Held] = {}
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(workers)
        )
        self._booking = asyncio.Lock()
        self._attempts: Counter[tuple[str, NoticeOutcome]] = Counter()
        self._last_error: dict[str, str] = {}
        self._store_error: str | None = None

    def wake(self) -> None:
        """Look for due notices now: called after a commit."""
        self._awake.set()

    def hurry(self) -> None:
        """The wall clock was set: what waits for a retry by the old one waits no longer."""
        self._stepped = True
        self.wake()

    def end(self) -> None:
        """Begin nothing new: `run` returns once what is being sent has been answered and marked."""
        self._ending = True
        self.wake()

    def figures(self) -> DeliveryFigures:
        """A snapshot of where delivery stands."""
        notices = [held.notice for held in self._held.values()]
        return DeliveryFigures(
            attempts=dict(self._attempts),
            last_error=dict(self._last_error),
            in_hand=dict(Counter(notice.channel for notice in notices)),
            oldest_due=min((notice.due_at for notice in notices), default=None),
            store_error=self._store_error,
        )

    async def run(self) -> None:
        """Deliver until `end`, or cancelled. What is being sent then keeps its lease and its key.

        Waits while the store is unavailable, and has nothing to do once another process holds it.
        """
        async with asyncio.TaskGroup() as sends:
            while not self._ending:
                claimed = await self._claim()
                for notice in claimed:
                    sends.create_task(self._deliver(notice))
                if len(claimed) < CLAIM_LIMIT:
                    await self._rest()

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._awake.wait()
        self._awake.clear()

    async def _claim(self) -> list[Notice]:
        """What became ours and was not ours already; nothing while the store cannot be used."""
        lease = timedelta(seconds=LEASE_SECONDS)
        async with self._booking:
            now = self._clock.now()
            try:
                if self._stepped:
                    await self._store.hurry(now.at)
                    self._stepped = False
                claimed = await self._store.claim(now.at, lease=lease, limit=CLAIM_LIMIT)
            except StoreUnavailable as error:
                self._store_error = str(error)
                return []
            self._store_error = None
            new = [notice for notice in claimed if notice.id not in self._held]
            for notice in claimed:
                self._held[notice.id] = _Held(notice, now.mono + LEASE_SECONDS)
            return new

    async def _deliver(self, notice: Notice) -> None:
        try:
            async with self._turns[notice.channel]:
                if not self._ending and not self._lapsed(notice):
                    answer = await self._attempt(notice)
                    await self._settle(notice, answer)
        finally:
            del self._held[notice.id]
        # The next notice of this incident on this channel may be claimed only from now on.
        self.wake()

    def _lapsed(self, notice: Notice) -> bool:
        """Whether the lease may end during a send: then the notice is left to be claimed again."""
        return self._clock.monotonic() + self._send_seconds > self._held[notice.id].until

    async def _attempt(self, notice: Notice) -> Accepted | DeliveryError:
        """Send once, and turn whatever comes of it into an answer."""
        channel = self.channels.get(notice.channel)
        if channel is None:
            gone = f"the channel {notice.channel} is not configured; the notice waits for it"
            return DeliveryError(gone, retry_after=LAST_PAUSE)
        try:
            known = await self._known(notice)
        except StoreUnavailable as error:
            return DeliveryError(f"cannot tell what the alert is called: {error}")
        means = Means(self._net, known, self._public_url, self._links)
        return await attempt(notice, channel, self._kinds, means, self._send_seconds)

    async def _known(self, notice: Notice) -> Accepted | None:
        """What the receiver called the alert before; a first notice is asked nothing of."""
        if notice.seq == 1 and notice.attempts == 1:
            return None
        return await self._store.reference(notice)

    async def _settle(self, notice: Notice, answer: Accepted | DeliveryError) -> None:
        """Mark what the answer means, trying until the store takes it, then count it."""
        while True:
            try:
                if isinstance(answer, Accepted):
                    await self._accepted(notice, answer)
                else:
                    await self._refused(notice, answer)
            except StoreUnavailable as error:
                self._store_error = str(error)
                await asyncio.sleep(self._poll_seconds)
            else:
                return

    async def _accepted(self, notice: Notice, answer: Accepted) -> None:
        at = self._clock.wall()
        async with self._booking:
            marked = await self._store.mark_sent(self._held[notice.id].notice, answer, at)
        if not marked:
            return
        self._attempts[notice.channel, NoticeOutcome.SENT] += 1
        self._last_error.pop(notice.channel, None)
        self._note_late(notice, at)
        told = notice.tells_of
        if (
            told is not None
            and told.version == 1
            and notice.action in {Action.TRIGGER, Action.UPDATE}
        ):
            self._on_sent(notice, (at - told.reported_at).total_seconds())

    def _note_late(self, notice: Notice, at: datetime) -> None:
        """Say once of an absence of its receiver that it is over."""
        owed = (each.notice for each in self._held.values())
        since = min(each.first_due for each in owed if each.channel == notice.channel)
        told = self._caught_up.get(notice.channel)
        if notice.attempts > 1 and at - since >= LONG and (told is None or since > told):
            self._caught_up[notice.channel] = at
            self._on_late(notice.channel, since)

    async def _refused(self, notice: Notice, error: DeliveryError) -> None:
        now = self._clock.wall()
        said = self._net.redactor.text(str(error))
        dead = error.permanent or await self._given_up(notice, now)
        seconds = pause(notice.attempts, error.retry_after, self._random())
        retry_at = None if dead else now + timedelta(seconds=seconds)
        async with self._booking:
            marked = await self._store.mark_failed(
                self._held[notice.id].notice, error=said, retry_at=retry_at
            )
        if marked:
            outcome = NoticeOutcome.DEAD if dead else NoticeOutcome.RETRIED
            self._attempts[notice.channel, outcome] += 1
            self._last_error[notice.channel] = said

    async def _given_up(self, notice: Notice, now: datetime) -> bool:
        """Whether trying again has lost its point, see the rules at the head of this file."""
        channel = self.channels.get(notice.channel)
        if channel is None or notice.attempts < TRIES or now < notice.first_due + PATIENCE:
            return False
        if Role.ON_CALL not in channel.roles:
            return True
        told = notice.tells_of
        record = None if told is None else await self._store.incident(told.number)
        return record is None or record.incident.state is IncidentState.RESOLVED
