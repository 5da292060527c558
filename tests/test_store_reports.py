"""Reports in the store: whole with their incidents or not at all, once, and found again."""

from dataclasses import replace

import pytest

from monitor.model import Change, IncidentState, Report, ReportMessage, ReportMessageKind
from monitor.store import DuplicateIncident, StaleChange
from tests.store_fixtures import T0, after, incident, line, moved, notice, opened


def report(reference="K7QM-4TXN-9RFP", **changes):
    made = Report(
        reference,
        "acme",
        ("crm", "sites"),
        "00:40",
        after(-1200),
        "503 \x00 <b>down</b>\r\n",
        all_users=True,
        contact="front desk",
        reported_at=T0,
        respond_by=after(7200),
        messages=(ReportMessage(T0, ReportMessageKind.RECEIVED, "Received."),),
    )
    return replace(made, **changes)


def received(one, *incidents, **more):
    """The change that takes a report in and opens these incidents."""
    parts = [
        Change(incident=each, events=(line(each),), notices=(notice(each),), **more)
        for each in incidents
    ]
    return replace(parts[0], reports=(one,), also=tuple(parts[1:]))


def two():
    return incident(1, "v1:crm:report"), incident(2, "v1:sites:report")


async def test_a_report_and_all_its_incidents_are_written_together(database_url):
    one, other = two()
    async with opened(database_url) as store:
        await store.commit(received(report(), one, other))
        assert [i.number for i in await store.open_incidents()] == [1, 2]
        assert (await store.report("K7QM-4TXN-9RFP")) == report()
        assert (await store.incident(2)).notices[0].incident_id == other.id


async def test_where_one_part_is_refused_nothing_of_it_is_written(database_url):
    one, other = two()
    async with opened(database_url) as store:
        await store.commit(Change(incident=replace(other, id="another", number=9)))
        with pytest.raises(DuplicateIncident):
            await store.commit(received(report(), one, other))
        assert [i.number for i in await store.open_incidents()] == [9]
        assert await store.report("K7QM-4TXN-9RFP") is None


async def test_written_again_after_an_unclear_end_it_is_written_once(database_url):
    one, other = two()
    linked = moved(one, linked=(other.id,))
    change = received(report(), one, other)
    change = replace(change, also=(*change.also, linked))
    async with opened(database_url) as store:
        await store.commit(change)
        await store.commit(change)
        record = await store.incident(1)
        assert (record.incident, len(record.events)) == (linked.incident, 1)


async def test_the_move_that_settles_it_settles_the_report(database_url):
    one, other = two()
    async with opened(database_url) as store:
        await store.commit(received(report(), one, other))
        over = moved(other, state=IncidentState.RESOLVED, resolved_at=after(60))
        await store.commit(replace(over, reports=(report(settled_at=after(60)),)))
        assert (await store.report("K7QM-4TXN-9RFP")).settled_at == after(60)
        assert await store.unsettled_reports() == []


async def test_unsettled_ones_come_oldest_first(database_url):
    older, newer = report("A", reported_at=after(-5)), report("B")
    async with opened(database_url) as store:
        await store.commit(Change(reports=(newer, older, report("C", settled_at=T0))))
        assert await store.unsettled_reports() == [older, newer]


async def test_a_tenants_own_mark_finds_its_report_and_nobody_elses(database_url):
    marked = report(key="order 7")
    async with opened(database_url) as store:
        await store.commit(Change(reports=(marked, report("B", tenant="bolt", key="order 7"))))
        assert await store.report_with_key("acme", "order 7") == marked
        assert (await store.report_with_key("bolt", "order 7")).reference == "B"
        assert await store.report_with_key("cedar", "order 7") is None


async def test_one_tenant_cannot_mark_two_reports_alike(database_url):
    async with opened(database_url) as store:
        await store.commit(Change(reports=(report(key="7"),)))
        with pytest.raises(StaleChange):
            await store.commit(Change(reports=(report("B", key="7"),)))


async def test_an_unknown_reference_is_none(database_url):
    async with opened(database_url) as store:
        assert await store.report("NONE") is None
