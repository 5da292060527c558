"""What became of a life that was killed, in three words and a list of whatever else is wrong.

    lost        a notice of a fact was never accepted by its receiver, or was never written
    duplicated  one fact has two keys: two notices, or two incidents
    repeated    one key was accepted more than once; for each kill at most once in each
                conversation (an incident on a channel), which has one send under way at a time

The facts of a life are those of `EXPECTED`, however often it was killed. A key that was accepted
and is not on disk is a fact that the monitor has lost.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DatabaseError

from monitor.model import Incident, IncidentState
from monitor.store import StoreUnavailable, reads
from monitor.store.migrate import require_current
from monitor.store.place import Place, place_of, reading
from monitor.store.reads import IncidentRecord
from tests.crash.receiver import Receiver
from tests.crash.world import EPISODES, World

EXPECTED = {
    1: ("trigger", "acknowledge", "update", "resolve"),
    2: ("trigger", "update", "resolve"),
}
"""What every channel is owed of each incident, in this order."""

TIMELINES = {
    1: ("opened", "acknowledged", "recovered", "resolved"),
    2: ("opened", "recovered", "resolved"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one life ended: what was lost and duplicated, by name, and what else is wrong.

    `repeated` counts by conversation.
    """

    kills: int
    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    repeated: Mapping[str, int] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether everything is as it must be."""
        return not (self.lost or self.duplicated or self.wrong or self.excess)

    @property
    def excess(self) -> int:
        """How many repetitions there were beyond one for each kill and conversation."""
        return sum(max(0, times - self.kills) for times in self.repeated.values())


def standing(url: str) -> list[Incident]:
    """Every incident on disk as it stands now, none while its tables are not those of today.

    Whose files they are is left alone.
    """
    place = place_of(url)
    if place.path is not None and not place.path.exists():
        return []
    with _connected(url) as connection:
        try:
            require_current(place, connection)
        except StoreUnavailable:
            return []
        return [record.incident for record in _records(connection)]


def notices_on(url: str) -> set[str]:
    """The keys of the notices on disk with their incidents; none where they cannot be read."""
    try:
        with _connected(url) as connection:
            return {notice.key for record in _records(connection) for notice in record.notices}
    except DatabaseError:
        return set()


def judged(
    url: str,
    receiver: Receiver,
    world: World,
    *,
    kills: int,
    code: int,
    then: Sequence[Sequence[Incident]],
) -> Verdict:
    """Judge a life: what is on disk, what was accepted, and how it stood after each kill."""
    try:
        with _connected(url) as connection:
            records = _records(connection)
    except DatabaseError as error:
        return Verdict(kills, ("all of it: the store cannot be read",), wrong=(str(error.orig),))
    wrong = [] if code == 0 else [f"the last process ended with {code}"]
    wrong += _of_incidents(records, world)
    wrong += _of_starts(records, then)
    wrong += [
        two for incidents in (*then, [r.incident for r in records]) for two in _twice(incidents)
    ]
    wrong += _of_order(receiver)
    accepted = Counter(asked.key for asked in receiver.accepted)
    return Verdict(
        kills,
        tuple(_lost(records, accepted)),
        tuple(_duplicated(records, receiver)),
        _repeated(receiver),
        tuple(wrong),
    )


def _lost(records: Sequence[IncidentRecord], accepted: Counter[str]) -> Iterator[str]:
    notices = [notice for record in records for notice in record.notices]
    on_disk = {notice.key for notice in notices}
    yield from (f"{key} was accepted and is not on disk" for key in accepted if key not in on_disk)
    yield from (f"{n.key} was never accepted" for n in notices if n.key not in accepted)
    for number, actions in EXPECTED.items():
        mine = [n for r in records if r.incident.number == number for n in r.notices]
        for channel in ("pager", "desk"):
            owed = Counter(actions)
            owed.subtract(n.action.value for n in mine if n.channel == channel)
            for action in (+owed).elements():
                yield f"{action} of incident {number} on {channel} was never written"


def _duplicated(records: Sequence[IncidentRecord], receiver: Receiver) -> Iterator[str]:
    if len(records) > EPISODES:
        yield f"{len(records)} incidents of {EPISODES} outages"
    facts = Counter(
        (record.incident.number, notice.channel, notice.action.value)
        for record in records
        for notice in record.notices
    )
    yield from (f"{fact} has {n} keys" for fact, n in facts.items() if n > 1)
    wire = {}
    for asked in receiver.accepted:
        fact = asked.document["incident"]["number"], asked.channel, asked.action
        wire.setdefault(fact, set()).add(asked.key)
    yield from (f"{fact} went out as {len(keys)}" for fact, keys in wire.items() if len(keys) > 1)


def _repeated(receiver: Receiver) -> dict[str, int]:
    times = Counter(asked.key for asked in receiver.accepted)
    more: Counter[str] = Counter()
    for asked in {asked.key: asked for asked in receiver.accepted}.values():
        more[f"{asked.document['dedup_key']} {asked.channel}"] += times[asked.key] - 1
    return dict(+more)


def _of_incidents(records: Sequence[IncidentRecord], world: World) -> Iterator[str]:
    for record in records:
        number = record.incident.number
        if record.incident.state is not IncidentState.RESOLVED:
            yield f"incident {number} is still {record.incident.state.value}"
        if not any(result.failure for result in record.evidence):
            yield f"incident {number} has no evidence"
        kinds = tuple(e.kind.value for e in record.events if e.kind.value != "unobserved")
        if kinds != TIMELINES.get(number):
            yield f"the timeline of incident {number} is {kinds}"
        if number <= EPISODES:
            yield from _narrow(record.incident, *world.tightest(number))


def _narrow(incident: Incident, last_pass: datetime, first_fail: datetime) -> Iterator[str]:
    after, before = incident.began.after, incident.began.before
    if (after is not None and after > last_pass) or before < first_fail:
        yield (
            f"incident {incident.number} began between {after} and {before}, "
            f"seen were {last_pass} and {first_fail}"
        )


def _of_starts(
    records: Sequence[IncidentRecord], then: Sequence[Sequence[Incident]]
) -> Iterator[str]:
    """A start that was once on disk is never narrower later."""
    last = {record.incident.id: record.incident for record in records}
    for incident in itertools.chain.from_iterable(then):
        known = last.get(incident.id)
        if known is None:
            yield f"incident {incident.id} is gone"
        elif known.began != incident.began:
            yield f"incident {incident.number} began {known.began}, it was {incident.began}"


def _twice(incidents: Sequence[Incident]) -> Iterator[str]:
    """No subject has two incidents at a time."""
    for one, other in itertools.pairwise(sorted(incidents, key=lambda each: each.number)):
        if one.resolved_at is None or one.resolved_at > other.detected_at:
            yield f"incidents {one.number} and {other.number} are open at once"


def _of_order(receiver: Receiver) -> Iterator[str]:
    """Of one conversation on one channel, what is later is first accepted later."""
    last: dict[tuple[str, str], int] = {}
    seen = set()
    for asked in receiver.accepted:
        if asked.key in seen:
            continue
        seen.add(asked.key)
        conversation = asked.channel, str(asked.document["dedup_key"])
        if asked.document["seq"] <= last.get(conversation, 0):
            yield f"{asked.key} came after a later one"
        last[conversation] = asked.document["seq"]
    yield from (
        f"the alert {alert} stays {state}"
        for alert, state in receiver.alerts.items()
        if state != "closed"
    )


def _records(connection) -> list[IncidentRecord]:
    count = reads.next_number(connection) - 1
    found = (reads.incident(connection, number) for number in range(1, count + 1))
    return [record for record in found if record is not None]


@contextmanager
def _connected(url: str):
    """Read a database; of SQLite a copy, so that what a kill has left is not mended by looking."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        place = place_of(url)
        if place.path is not None:
            place = _copied(place, Path(folder))
        engine = reading(place)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _copied(place: Place, folder: Path) -> Place:
    for file in place.path.parent.glob(f"{place.path.name}*"):
        if not file.name.endswith(("-shm", ".lock")):
            shutil.copy(file, folder / file.name)
    # What a kill left half done is undone here: who only reads may not do it.
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(folder / place.path.name)) as rude,
    ):
        rude.execute("PRAGMA schema_version")
    return place_of(f"sqlite:///{folder / place.path.name}")
