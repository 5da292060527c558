"""Whatever a noun says, the store gives back equal, on every database."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from monitor.model import (
    CellKey,
    Change,
    Incident,
    IncidentState,
    Notice,
    Outage,
    Outcome,
    Report,
    Result,
    TimelineEvent,
    Unobserved,
)
from tests.store_fixtures import opened

LONG_AGO = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
COUNT = itertools.count(1)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
LEAVES = {
    str: st.text(max_size=8),
    int: st.integers(0, 2**31 - 1),
    float: st.floats(-1e12, 1e12),
    bool: st.booleans(),
    NoneType: st.none(),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def any_of(kind, **fields):
    """Every value of a type of the model; `fields` where not every value is allowed."""
    if kind in LEAVES:
        return LEAVES[kind]
    if get_origin(kind) is UnionType:
        return st.one_of(*map(any_of, get_args(kind)))
    if get_origin(kind) is tuple:
        return any_tuple(*get_args(kind))
    if get_origin(kind) is Mapping:
        return st.dictionaries(*map(any_of, get_args(kind)), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return any_noun(kind, fields)


def any_tuple(first, *others):
    if others == (Ellipsis,):
        return st.lists(any_of(first), max_size=2).map(tuple)
    return st.tuples(any_of(first), *map(any_of, others))


def any_noun(kind, fields):
    assert is_dataclass(kind), kind
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in fields}
    return st.builds(kind, **fields | {name: any_of(hint) for name, hint in hints.items()})


ULIDS = st.builds(lambda: str(ULID()))
CELLS = st.builds(CellKey, NAMES, NAMES, NAMES, NAMES)
RESULTS = any_of(Result, id=ULIDS, cell=CELLS)
INCIDENTS = any_of(
    Incident,
    id=ULIDS,
    number=st.builds(lambda: next(COUNT)),
    subject=st.builds(lambda: f"subject-{next(COUNT)}"),
    service=NAMES,
)
NOTICES = any_of(Notice, id=ULIDS, channel=NAMES, key=ULIDS)
EVENTS = any_of(TimelineEvent)
REPORTS = any_of(
    Report,
    reference=ULIDS,
    tenant=st.one_of(st.none(), NAMES),
    key=st.one_of(st.none(), ULIDS.map(lambda ulid: f"{ulid} \x00")),
)
OUTAGES = any_of(Outage, id=ULIDS, unit=NAMES, service=NAMES)
UNOBSERVED = any_of(Unobserved, id=ULIDS)


@st.composite
def changes(draw):
    """An opening of any incident, with any of what goes with it."""
    one = draw(INCIDENTS)
    notices = draw(st.lists(NOTICES, max_size=2))
    return Change(
        incident=one,
        events=tuple(
            replace(event, incident_id=one.id) for event in draw(st.lists(EVENTS, max_size=2))
        ),
        evidence=tuple(draw(st.lists(RESULTS, max_size=2))),
        notices=tuple(replace(n, incident_id=one.id, seq=i) for i, n in enumerate(notices)),
        outages=tuple(draw(st.lists(OUTAGES, max_size=1))),
        unobserved=tuple(draw(st.lists(UNOBSERVED, max_size=2))),
        reports=tuple(draw(st.lists(REPORTS, max_size=2))),
    )


@given(change=changes(), result=RESULTS)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_every_noun_comes_back_equal(database_url, change, result):
    async with opened(database_url) as store:
        await store.commit(change)
        record = await store.incident(change.incident.number)
        assert record.incident == change.incident
        assert record.events == change.events
        # What earlier examples recorded may be the last PASS of a cell of this one.
        kept = {*record.evidence, *record.good}
        assert kept >= set(change.evidence)
        more = kept - set(change.evidence)
        assert all(each.outcome is Outcome.PASS for each in (*record.good, *more))
        assert record.notices == change.notices
        still_open = [one.id for one in await store.open_incidents()]
        assert (change.incident.id in still_open) == (
            change.incident.state is not IncidentState.RESOLVED
        )
        for outage in change.outages:
            assert outage in await store.outages(service=outage.service, since=LONG_AGO, limit=999)
        assert set(change.unobserved) <= set((await store.period(LONG_AGO, NEVER)).unobserved)
        for report in change.reports:
            assert await store.report(report.reference) == report
            unsettled = await store.unsettled_reports()
            assert (report in unsettled) == (report.settled_at is None)
            if report.tenant is not None and report.key is not None:
                assert await store.report_with_key(report.tenant, report.key) == report
        await store.record([result])
        assert result in await store.recent_results(result.cell, 999)
