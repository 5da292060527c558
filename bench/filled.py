"""A store with a past: N cells, D days of sums, outages, incidents and raw results, made quickly.

    made = fill("sqlite:////tmp/filled.db", Past(cells=10_000, days=90))

Sums are packed and written as the monitor itself packs them; results go through the table's own
rows. Works on an empty database of either kind, which must not be in use. `made` names what is
there. Numbers are drawn from `seed`, so the same past comes out each time.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from ulid import ULID

from monitor.clock import Clock, real_clock
from monitor.model import (
    CellKey,
    Change,
    DecisionReason,
    Dimension,
    EventKind,
    Evidence,
    Extent,
    FailureKind,
    Impact,
    Incident,
    IncidentState,
    Interval,
    Outage,
    Outcome,
    Phases,
    Priority,
    Result,
    Role,
    TimelineEvent,
    VerdictReason,
)
from monitor.store import keeping, open_store
from monitor.store.place import place_of, writing
from monitor.store.recall import check_of
from monitor.store.rows import result_row
from monitor.store.sums import (
    DAYS,
    HOURS,
    MINUTES,
    PASSED,
    REACHED,
    SLOWEST,
    SPENT,
    TENS,
    Level,
    Sum,
    empty,
    nothing,
    pack,
)
from monitor.store.tables import HISTORY, REMEMBERED, RESULT, SUMMED, SUMS

SERVICES = ("crm", "sites", "website", "orders")
CHECKS = ("sign-in", "front", "search", "order", "import")
VANTAGES = ("london", "leeds", "dublin", "paris", "oslo")
_FAILED = 1
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Past:
    """What is to be made: `days` of sums until `until`, `raw_hours` of results before it.

    `hour_days` and `minute_days` are how long hours and minutes are kept; older days are days.
    """

    cells: int
    days: int = 90
    outages: int = 12
    raw_hours: float = 0.5
    interval: float = 30.0
    until: datetime = datetime(2030, 3, 1, 12, tzinfo=UTC)
    hour_days: int = 90
    minute_days: int = 7
    seed: int = 1

    @property
    def since(self) -> datetime:
        return self.until - timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the cells, the outages, and the seconds it took."""

    cells: Sequence[CellKey]
    outages: Sequence[Outage]
    incidents: Sequence[Incident]
    seconds: float


def cells_of(many: int) -> list[CellKey]:
    """So many cells: of four services, five checks each, from five vantages."""
    each = len(SERVICES) * len(CHECKS) * len(VANTAGES)
    tenants = [f"tenant-{n:03}" for n in range(-(-many // each))]
    return [
        CellKey(service, check, tenant, vantage)
        for tenant in tenants
        for service in SERVICES
        for check in CHECKS
        for vantage in VANTAGES
    ][:many]


def fill(url: str, past: Past) -> Made:
    """Make a past in the empty database at `url`."""
    return asyncio.run(filled(url, past))


async def filled(url: str, past: Past) -> Made:
    """Make a past in the empty database at `url`."""
    began, dice = time.monotonic(), random.Random(past.seed)
    clock = Clock(lambda: past.until, real_clock().monotonic)
    cells = cells_of(past.cells)
    down = [_outage(dice, past, n) for n in range(past.outages)]
    store = await open_store(url, clock=clock, holder="filler")
    try:
        incidents = [await _reported(store, number, one) for number, one in enumerate(down, 1)]
        _fill(url, past, dice, cells, down)
        await store.remembering(clock).measure()
    finally:
        await store.close()
    return Made(cells, down, incidents, time.monotonic() - began)


def _fill(
    url: str,
    past: Past,
    dice: random.Random,
    cells: Sequence[CellKey],
    down: Sequence[Outage],
) -> None:
    """Write the sums and the results, beside a store that writes nothing meanwhile."""
    engine = writing(place_of(url))
    with engine.begin() as connection:
        subjects = _named(connection, cells)
    for table, rows in (
        (SUMS, _blocks(dice, past, subjects, down)),
        (RESULT, _results(dice, past, cells, down)),
    ):
        for chunk in _chunks(rows):
            with engine.begin() as connection:
                connection.execute(insert(table), chunk)
    with engine.begin() as connection:
        _settled(connection, past)
    engine.dispose()


def _outage(dice: random.Random, past: Past, number: int) -> Outage:
    begin = past.since + dice.random() * (past.until - past.since - timedelta(hours=4))
    service, over = (
        SERVICES[number % len(SERVICES)],
        begin + timedelta(minutes=dice.randint(3, 180)),
    )
    detected = begin + timedelta(seconds=40)
    impact = Impact.ALL if number % 3 else Impact.SOME
    return Outage(
        f"filled-{number}",
        f"{service}/sign-in",
        service,
        "sign-in",
        impact,
        VerdictReason.EVERYONE_TWICE,
        Extent(Dimension.EVERYONE, failing=5, sampled=5, population=5),
        Interval(begin - timedelta(seconds=20), begin),
        detected,
        closed_at=over,
    )


async def _reported(store: Any, number: int, outage: Outage) -> Incident:
    ended = outage.closed_at
    incident = Incident(
        str(ULID.from_datetime(outage.detected_at)),
        number,
        f"v1:{outage.service}:{number}",
        service=outage.service,
        impact=outage.impact,
        priority=Priority.CRITICAL,
        state=IncidentState.OPEN,
        title=f"{outage.service} is down for all users",
        scope="all users",
        route=(Role.ON_CALL, Role.SERVICE_DESK),
        reason=DecisionReason.ALL_USERS,
        began=outage.began,
        detected_at=outage.detected_at,
        reported_at=outage.detected_at,
        notify_at=outage.detected_at,
        respond_by=outage.detected_at + timedelta(hours=2),
        out_of_hours=False,
    )
    seen = _result(
        CellKey(outage.service, "sign-in", "tenant-000", "london"), outage.detected_at, failed=True
    )
    said = partial(TimelineEvent, incident.id, actor="monitor")
    opened = said(at=outage.detected_at, kind=EventKind.OPENED, text="opened")
    await store.commit(Change(incident, events=(opened,), evidence=(seen,), outages=(outage,)))
    over = replace(
        incident, state=IncidentState.RESOLVED, resolved_at=ended, version=incident.version + 1
    )
    closed = said(at=ended, kind=EventKind.RESOLVED, text="resolved")
    await store.commit(Change(over, events=(closed,), was_version=incident.version))
    return over


def _named(connection: Connection, cells: Sequence[CellKey]) -> dict[CellKey, int]:
    checks = list(dict.fromkeys(map(check_of, cells)))
    keeping.learn(connection, [*checks, *cells])
    rows = connection.execute(select(REMEMBERED))
    return {CellKey(r.service, r.check, r.target, r.vantage): r.id for r in rows}


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# --------------------------------------------------------------------------- sums


def _blocks(
    dice: random.Random, past: Past, subjects: dict[CellKey, int], down: Sequence[Outage]
) -> Iterator[dict[str, Any]]:
    """The blocks of all levels, in the order of their keys as far as it matters."""
    hours_from = past.until - timedelta(days=min(past.hour_days, past.days))
    minutes_from = past.until - timedelta(days=min(past.minute_days, past.days))
    of_check = {key: n for key, n in subjects.items() if not key.target}
    of_cell = {key: n for key, n in subjects.items() if key.target}
    per_check = len(of_cell) / max(1, len(of_check))
    for level, since, until, among in (
        (DAYS, past.since, hours_from, subjects),
        (HOURS, hours_from, past.until, subjects),
        (MINUTES, minutes_from, past.until, of_check),
        (TENS, minutes_from, past.until, of_check),
    ):
        spells = {service: _spells(down, service) for service in SERVICES}
        begin = _aligned(level, since)
        end = _aligned(HOURS, until) if level is DAYS else int(until.timestamp())
        for block in level.blocks(begin, end):
            moulds = {}
            for service, failing in spells.items():
                for cells in (1.0, per_check) if among is subjects else (per_check,):
                    many = cells * level.width / past.interval
                    moulds[service, cells] = [
                        _mould(dice, (level, block), many, failing, range(begin, end))
                        for _ in range(4)
                    ]
            for key, subject in among.items():
                bodies = moulds[key.service, 1.0 if key.target else per_check]
                yield {"key": level.key(block, subject), "body": dice.choice(bodies)}


def _aligned(level: Level, at: datetime) -> int:
    """The begin of what a level has of a past from `at` on: of a day, or of an hour of minutes."""
    grain = HOURS.width if level in (MINUTES, TENS) else DAYS.width
    return int(at.timestamp()) // grain * grain


def _spells(down: Sequence[Outage], service: str) -> list[tuple[float, float]]:
    return [
        (one.began.before.timestamp(), one.closed_at.timestamp())
        for one in down
        if one.service == service and one.closed_at is not None
    ]


def _mould(
    dice: random.Random,
    place: tuple[Level, int],
    many: float,
    failing: Sequence[tuple[float, float]],
    lived: range,
) -> bytes:
    """The block of one subject; a few subjects share each, for drawing numbers takes long."""
    level, block = place
    columns = empty(level)
    for span in range(level.spans):
        at = block * level.seconds + span * level.width
        if at in lived:
            for field, number in enumerate(_sum(dice, level, at, many, failing)):
                columns[field][span] = number
    return pack(columns)


def _sum(
    dice: random.Random, level: Level, at: int, many: float, failing: Sequence[tuple[float, float]]
) -> Sum:
    total, lost = nothing(), 0.0
    for since, until in failing:
        lost += max(0.0, min(until, at + level.width) - max(since, at)) / level.width
    results = max(1, round(many))
    total[_FAILED] = round(results * min(1.0, lost))
    total[PASSED] = passed = results - total[_FAILED]
    if passed:
        slow = 1 + 0.4 * (at // 3600 % 24 in range(8, 18))
        total[SLOWEST] = round(dice.uniform(60_000, 400_000) * slow)
        for phase, mean in enumerate((300, 900, 9000, 45_000 * slow, 1500)):
            total[SPENT + phase] = round(passed * mean * dice.uniform(0.8, 1.3))
            total[REACHED + phase] = passed
    return total


# --------------------------------------------------------------------------- results


def _results(
    dice: random.Random, past: Past, cells: Sequence[CellKey], down: Sequence[Outage]
) -> Iterator[dict[str, Any]]:
    begin = past.until - timedelta(hours=past.raw_hours)
    for step in range(int(past.raw_hours * 3600 / past.interval)):
        for place, cell in enumerate(cells):
            late = past.interval * (step + place / len(cells))
            at = begin + timedelta(seconds=late)
            failed = any(
                one.service == cell.service and one.began.before <= at < (one.closed_at or at)
                for one in down
            )
            yield result_row(_result(cell, at, failed=failed, dice=dice))


def _result(
    cell: CellKey, at: datetime, *, failed: bool, dice: random.Random | None = None
) -> Result:
    took = 0.06 if dice is None else dice.uniform(0.03, 0.2)
    phases = Phases(0.0003, 0.0009, 0.009, took, 0.0015)
    said = "status 503" if failed else ""
    return Result(
        str(ULID.from_datetime(at)),
        cell,
        "f1",
        1000.0,
        1000.0 + took + 0.0117,
        at,
        Outcome.FAIL if failed else Outcome.PASS,
        FailureKind.STATUS if failed else None,
        phases,
        Evidence(
            message=said,
            asked=f"GET https://{cell.service}.example.com/{cell.target}",
            address="192.0.2.1:443",
            status=503 if failed else 200,
            tls_version="TLSv1.3",
        ),
    )


def _settled(connection: Connection, past: Past) -> None:
    """Say that all results are in the sums, and what these take."""
    minutes = past.until - timedelta(days=min(past.minute_days, past.days))
    line = _aligned(MINUTES, minutes)
    newest = connection.execute(select(RESULT.c.seq).order_by(RESULT.c.seq.desc()).limit(1))
    connection.execute(update(SUMMED).values(seq=newest.scalar() or 0))
    connection.execute(update(REMEMBERED).values(day=int(past.until.timestamp()) // DAYS.width))
    sizes = select(func.count(), func.sum(func.length(SUMS.c.body)))
    many, size = connection.execute(sizes).one()
    connection.execute(
        update(HISTORY).values(
            minutes_from=datetime.fromtimestamp(line, UTC),
            sum_bytes=(size or 0) + many * keeping.BLOCK_OVERHEAD,
        )
    )
