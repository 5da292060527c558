"""While the database cannot be written: changes go to the spool, and pages out directly.

Theory of operation. A change that could not be committed for SPOOL_AFTER seconds is appended to the
spool, in the order in which changes were made, and goes on waiting to be committed. What it owes is
told meanwhile under the very keys it will have in the outbox:

1. *Only what is certain to be in order.* An alert whose trigger was spooled is told of here, its
   trigger first. What follows an alert that is in the outbox waits there: whether its trigger was
   sent cannot be read now, and a resolve must not overtake it.
2. *Tried as the outbox would*, with the same pauses; a refusal for good is left for the outbox to
   tell of. What a receiver took is appended to the spool before anything else is done.
3. *Waking people beats purity.* If the spool cannot be written either, all of this goes on in
   memory. Then only a crash loses, and what was sent is sent once more after it.

When the database takes a change again, the same transaction marks what was sent as sent and what is
being sent as being sent, under a lease; the answer to that is marked as any other. Everything else
becomes the outbox's. Once nothing waits the spool is emptied.

At a start the spool is replayed before anything is read from the database. A change of which the
database has a later version was committed before the spool could be emptied. One that does not fit
at all is set aside in a file, told of, and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from monitor.channels import CHANNELS, ChannelKind, Means
from monitor.channels.sending import attempt, pause
from monitor.clock import Clock
from monitor.model import Accepted, Action, Change, Channel, DeliveryError, Notice
from monitor.net.links import Links
from monitor.net.network import Net
from monitor.store import Sent, Spool, Store, StoreError, StoreUnavailable

LOG = structlog.get_logger("monitor.emergency")

SPOOL_AFTER = 3.0
"""Seconds that a change waits for the database before it is spooled: a lock may pass."""

SEND_SECONDS = 30.0
LEASE = timedelta(seconds=150)
_LOOK_AGAIN = 0.1


@dataclass(slots=True)
class _Talk:
    """What is told of one alert on one channel, in order."""

    waiting: list[Notice] = field(default_factory=list)
    running: bool = False


class Emergency:
    """Tells what the outbox cannot. `trouble` says why the spool cannot be written, if so.

    Without a `store` it can only `tell_once`.
    """

    def __init__(
        self,
        spool: Spool,
        store: Store | None,
        channels: Mapping[str, Channel],
        net: Net,
        clock: Clock,
        *,
        random: Callable[[], float],
        public_url: str = "",
        links: Links | None = None,
        kinds: Mapping[str, ChannelKind] = CHANNELS,
    ) -> None:
        self._spool, self._store, self._channels = spool, store, channels
        self._net, self._clock, self._random, self._kinds = net, clock, random, kinds
        self._public_url, self._links = public_url, links
        self._talks: dict[tuple[str, str], _Talk] = {}
        self._sent: dict[str, Sent] = {}
        self._in_hand: set[str] = set()
        self._booking = asyncio.Lock()
        self._committing: frozenset[str] = frozenset()
        self._committed: set[str] = set()
        self._group: asyncio.TaskGroup | None = None
        self._holds_something = False
        self.trouble: str | None = None

    async def run(self) -> None:
        """Send what is spooled until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None

    # ----------------------------------------------------------------- while the store is away

    async def take(self, changes: Iterable[Change]) -> None:
        """Spool changes, and tell what they owe."""
        taken = tuple(changes)
        await self._append(self._spool.add_changes, *taken)
        self._holds_something = True
        LOG.warning("changes are spooled: the store cannot be written", changes=len(taken))
        for change in taken:
            self.tell(change)

    async def _append(self, write: Callable[..., None], *what: object) -> None:
        try:
            await asyncio.to_thread(write, *what)
        except OSError as error:
            self.trouble = f"{self._spool.path}: {error.strerror or error}"
            LOG.error("the spool cannot be written", reason=self.trouble)
        else:
            self.trouble = None

    def tell(self, change: Change) -> None:
        """Begin to tell what a change owes, as far as that is certain to be in order."""
        for notice in (notice for part in change.parts() for notice in part.notices):
            key = notice.dedup_key, notice.channel
            if notice.action in {Action.TRIGGER, Action.TELL}:
                self._talks.setdefault(key, _Talk())
            talk = self._talks.get(key)
            if talk is not None:
                talk.waiting.append(notice)
                self._go_on(talk)

    def _go_on(self, talk: _Talk) -> None:
        if not talk.running and self._group is not None:
            talk.running = True
            self._group.create_task(self._talk(talk))

    async def _talk(self, talk: _Talk) -> None:
        known: Accepted | None = None
        try:
            while talk.waiting:
                notice = talk.waiting[0]
                if notice.id in self._sent:
                    known = known or self._sent[notice.id].accepted
                elif (answer := await self._until_taken(notice, known)) is None:
                    return
                else:
                    known = known or answer
                talk.waiting.pop(0)
        finally:
            talk.running = False

    async def _until_taken(self, notice: Notice, known: Accepted | None) -> Accepted | None:
        """The receiver's answer; None when that is the outbox's to get from now on."""
        tries = 0
        while await self._is_mine(notice):
            tries += 1
            self._in_hand.add(notice.id)
            tried = replace(notice, attempts=tries)
            answer = await self._attempt(tried, known)
            if await self._settled(tried, answer):
                return answer if isinstance(answer, Accepted) else None
            if isinstance(answer, DeliveryError):
                if answer.permanent:
                    return None
                await asyncio.sleep(pause(tries, answer.retry_after, self._random()))
        return None

    async def _is_mine(self, notice: Notice) -> bool:
        """Whether it is to be sent here now: waits for its time, and for a commit under way."""
        while notice.id not in self._committed:
            due = notice.due_at <= self._clock.wall()
            if due and notice.id not in self._committing:
                return True
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _attempt(self, notice: Notice, known: Accepted | None) -> Accepted | DeliveryError:
        channel = self._channels.get(notice.channel)
        if channel is None:
            return DeliveryError("the channel is not configured", permanent=True)
        means = Means(self._net, known, self._public_url, self._links)
        return await attempt(notice, channel, self._kinds, means, SEND_SECONDS)

    async def _settled(self, notice: Notice, answer: Accepted | DeliveryError) -> bool:
        """Keep what an answer means; whether that ends this notice here."""
        taken = isinstance(answer, Accepted)
        if isinstance(answer, Accepted):
            self._sent[notice.id] = Sent(notice.id, answer, self._clock.wall())
        self._in_hand.discard(notice.id)
        if taken and notice.id not in self._committed:
            await self._append(self._spool.add_sent, self._sent[notice.id])
        async with self._booking:
            committed = notice.id in self._committed
        if committed:
            # It was committed while it was being sent, under a lease of ours.
            await self._mark(replace(notice, attempts=1), answer)
        return taken or committed

    async def _mark(self, notice: Notice, answer: Accepted | DeliveryError) -> None:
        now = self._clock.wall()
        if self._store is None:
            return
        try:
            if isinstance(answer, Accepted):
                await self._store.mark_sent(notice, answer, now)
            else:
                said = self._net.redactor.text(str(answer))
                retry_at = now + timedelta(seconds=pause(1, answer.retry_after, self._random()))
                await self._store.mark_failed(
                    notice, error=said, retry_at=None if answer.permanent else retry_at
                )
        except StoreUnavailable as error:
            # Its lease runs out, and the outbox sends it under the same key.
            LOG.warning("an answer could not be marked", key=notice.key, reason=str(error))

    # ----------------------------------------------------------------- when it is back

    async def commit(self, change: Change) -> None:
        """Commit a spooled change with what became of its notices. Raises as `Store.commit`."""
        if self._store is None:
            raise RuntimeError("there is no store to commit to")
        ids = frozenset(notice.id for part in change.parts() for notice in part.notices)
        async with self._booking:
            self._committing = ids
            try:
                await self._store.commit_spooled(
                    change,
                    sent=[self._sent[id_] for id_ in ids if id_ in self._sent],
                    in_hand=[id_ for id_ in ids if id_ in self._in_hand],
                    lease_until=self._clock.wall() + LEASE,
                )
                self._committed |= ids
            finally:
                self._committing = frozenset()

    async def emptied(self) -> None:
        """Nothing waits to be committed any more: the spool is emptied, if it holds something."""
        if not self._holds_something:
            return
        await self._append(self._spool.clear)
        if self.trouble is None:
            self._holds_something = False
            # An alert that goes on is the outbox's from now on.
            self._talks.clear()
            LOG.info("the spool is empty: the store has everything")

    async def tell_once(self) -> None:
        """Tell what the spool holds and nobody was told yet, once each, where no store opens."""
        held = await asyncio.to_thread(self._spool.read)
        self._sent.update(held.sent)
        async with asyncio.TaskGroup() as group:
            for change in held.changes:
                for notice in (n for part in change.parts() for n in part.notices):
                    first = notice.action in {Action.TRIGGER, Action.TELL}
                    due = notice.due_at <= self._clock.wall()
                    if first and due and notice.id not in self._sent:
                        group.create_task(self._tell_once(notice))

    async def _tell_once(self, notice: Notice) -> None:
        tried = replace(notice, attempts=2)
        await self._settled(tried, await self._attempt(tried, None))


async def replay(spool: Spool, store: Store) -> int:
    """Commit what the spool holds, and empty it; how many changes there were.

    Raises StoreUnavailable, with the spool as it was.
    """
    held = await asyncio.to_thread(spool.read)
    if held.unread:
        aside = await asyncio.to_thread(spool.set_lines_aside, *held.unread)
        LOG.error("lines of the spool cannot be read", lines=len(held.unread), kept_in=str(aside))
    for change in held.changes:
        ids = {notice.id for part in change.parts() for notice in part.notices}
        try:
            await store.commit_spooled(
                change, sent=[held.sent[id_] for id_ in ids & held.sent.keys()]
            )
        except StoreUnavailable:
            raise
        except StoreError as error:
            aside = await asyncio.to_thread(spool.set_aside, change)
            LOG.error("a spooled change does not fit", reason=str(error), kept_in=str(aside))
    await asyncio.to_thread(spool.clear)
    return len(held.changes)
