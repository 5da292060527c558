"""Incidents in the store: written whole, one open per subject, no lost update."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from monitor.model import (
    Change,
    Digest,
    EventKind,
    IncidentState,
    Message,
)
from monitor.store import DuplicateIncident, StaleChange, StoreError
from monitor.store.rows import INCIDENTS
from tests.store_fixtures import (
    LEASE,
    T0,
    after,
    incident,
    line,
    moved,
    notice,
    opened,
    opening,
    outage,
    result,
)
from tests.store_outside import execute

RESOLVED = {"state": IncidentState.RESOLVED, "resolved_at": after(900)}


async def test_an_incident_comes_back_with_all_that_was_committed_with_it(database_url):
    one = incident()
    seen, told = (result(), result(at=after(1))), (notice(one, "desk"), notice(one))
    async with opened(database_url) as store:
        await store.commit(opening(one, *told, evidence=seen, outages=(outage(),)))
        record = await store.incident(1)
        assert record.incident == one
        assert record.events == (line(one),)
        assert record.evidence == seen
        assert record.notices == told
        assert await store.open_incidents() == [one]
        assert await store.open_outages() == [outage()]
        assert await store.incident(2) is None


async def test_incidents_are_found_by_their_ids(database_url):
    one, two, three = incident(), incident(2, "v1:sites:all"), incident(3, "v1:orders:all")
    async with opened(database_url) as store:
        for each in (one, two, three):
            await store.commit(opening(each))
        over = moved(one, **RESOLVED)
        await store.commit(over)
        found = await store.named_incidents({three.id, one.id, "unknown"})
        assert found == [over.incident, three]
        assert await store.named_incidents(()) == []


def test_what_the_release_before_wrote_is_read():
    one = incident()
    row = INCIDENTS.row(one)
    body = json.loads(row["body"])
    assert {body.pop("paged") == [], body.pop("paged_with")} == {True, None}
    old = SimpleNamespace(body=json.dumps(body), _mapping=row)
    assert INCIDENTS.noun(old) == one


async def test_a_refused_change_leaves_nothing_behind(database_url):
    one, two = incident(), incident(2, "v1:sites:all")
    async with opened(database_url) as store:
        first = notice(one)
        await store.commit(opening(one, first))
        same_key = notice(two, key=first.key)
        with pytest.raises(StaleChange):
            await store.commit(opening(two, same_key, outages=(outage(),)))
        assert await store.incident(2) is None
        assert await store.open_outages() == []


async def test_exactly_one_of_two_racing_commits_of_a_subject_wins(database_url):
    rivals = [incident(number) for number in range(1, 6)]
    async with opened(database_url) as store:
        ends = await asyncio.gather(
            *(store.commit(opening(one, notice(one))) for one in rivals), return_exceptions=True
        )
        assert ends.count(None) == 1
        assert sum(isinstance(end, DuplicateIncident) for end in ends) == len(rivals) - 1
        (winner,) = await store.open_incidents()
        assert {end.number for end in ends if end} == {winner.number}
        assert (await store.outbox()).pending == {"pager": 1}


async def test_a_resolved_subject_may_have_another_incident(database_url):
    one, two = incident(), incident(2)
    async with opened(database_url) as store:
        await store.commit(opening(one))
        await store.commit(moved(one, **RESOLVED))
        await store.commit(opening(two))
        assert await store.open_incidents() == [two]


async def test_two_changes_of_the_same_version_do_not_both_apply(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one))
        changes = [
            replace(
                moved(one, state=IncidentState.ACKNOWLEDGED, acknowledged_by=who),
                events=(line(one, EventKind.ACKNOWLEDGED, who),),
            )
            for who in ("first", "second")
        ]
        ends = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)
        assert [type(end) for end in ends].count(StaleChange) == 1
        record = await store.incident(1)
        assert record.incident.version == 2
        assert record.events[-1].text == record.incident.acknowledged_by


async def test_a_change_of_an_older_version_or_of_nothing_is_stale(database_url):
    one = incident()
    async with opened(database_url) as store:
        with pytest.raises(StaleChange):
            await store.commit(moved(one))
        await store.commit(opening(one))
        later = moved(one, title="worse")
        await store.commit(later)
        with pytest.raises(StaleChange, match="no longer at version 1"):
            await store.commit(moved(one, title="better"))
        assert await store.open_incidents() == [later.incident]


async def test_repeating_the_very_same_opening_is_accepted_and_changes_nothing(database_url):
    one = incident()
    change = opening(one, notice(one), evidence=(result(),))
    async with opened(database_url) as store:
        await store.commit(change)
        before = await store.incident(1)
        await store.commit(change)
        assert await store.incident(1) == before


async def test_an_opening_that_differs_from_what_is_there_is_stale(database_url):
    one = incident()
    async with opened(database_url) as store:
        await store.commit(opening(one))
        with pytest.raises(StaleChange):
            await store.commit(opening(replace(one, title="another")))
        await store.commit(moved(one, **RESOLVED))
        with pytest.raises(StaleChange):
            await store.commit(opening(one))


async def test_a_number_is_not_taken_twice(database_url):
    async with opened(database_url) as store:
        await store.commit(opening(incident(7)))
        with pytest.raises(StaleChange):
            await store.commit(opening(incident(7, "v1:sites:all")))


async def test_the_next_number_follows_the_highest_also_after_a_restart(database_url):
    async with opened(database_url) as store:
        assert await store.next_number() == 1
        for number in (1, 2, 7):
            await store.commit(opening(incident(number, f"v1:s{number}:all")))
    async with opened(database_url) as store:
        assert await store.next_number() == 8


async def test_a_timeline_line_of_no_incident_is_refused(database_url):
    async with opened(database_url) as store:
        with pytest.raises(StoreError):
            await store.commit(Change(events=(line(incident()),)))


async def test_evidence_seen_twice_is_kept_once(database_url):
    one, seen = incident(), result()
    async with opened(database_url) as store:
        await store.commit(opening(one, evidence=(seen,)))
        more = result(at=after(3))
        await store.commit(replace(moved(one), evidence=(seen, more)))
        assert (await store.incident(1)).evidence == (seen, more)


async def test_incidents_come_newest_first_by_state_and_page(database_url):
    made = [incident(n, f"v1:s{n}:all") for n in range(1, 6)]
    async with opened(database_url) as store:
        for one in made:
            await store.commit(opening(one))
        await store.commit(moved(made[0], **RESOLVED))

        async def numbers(**asked):
            found = await store.incidents(**{"state": None, "limit": 10} | asked)
            return [one.number for one in found]

        assert await numbers() == [5, 4, 3, 2, 1]
        assert await numbers(limit=2) == [5, 4]
        assert await numbers(limit=2, before=4) == [3, 2]
        assert await numbers(state=IncidentState.OPEN) == [5, 4, 3, 2]
        assert await numbers(state=IncidentState.RESOLVED) == [1]


async def test_recent_events_are_newest_first_each_with_its_incident(database_url):
    one, two = incident(), incident(2, "v1:sites:all")
    async with opened(database_url) as store:
        assert await store.recent_events(5) == []
        await store.commit(opening(one))
        await store.commit(opening(two))
        await store.commit(Change(events=(line(one, EventKind.NOTED, "a note"),)))
        events = await store.recent_events(2)
        assert [(of.number, event.text) for of, event in events] == [(1, "a note"), (2, "opened")]


async def test_text_with_nul_and_lone_surrogates_is_kept_as_it_is(database_url):
    one, text = incident(), "a\x00b \ud800 \N{SNOWMAN} <script>"
    async with opened(database_url) as store:
        await store.commit(replace(opening(one), events=(line(one, text=text),)))
        assert (await store.incident(1)).events[0].text == text


async def test_an_instant_without_a_zone_is_refused(database_url):
    naive = datetime(2030, 1, 7, 9, tzinfo=UTC).replace(tzinfo=None)
    async with opened(database_url) as store:
        with pytest.raises(Exception, match="has no time zone"):
            await store.commit(opening(incident(detected_at=naive)))
        assert await store.open_incidents() == []


async def test_an_outage_is_written_over_until_it_closes(database_url):
    async with opened(database_url) as store:
        await store.commit(Change(outages=(outage(), outage("o2", "sites", 10))))
        closed = outage(episodes=2, closed_at=after(60))
        await store.commit(Change(outages=(closed,)))
        assert await store.open_outages() == [outage("o2", "sites", 10)]
        assert await store.outages(service="crm", since=after(60), limit=5) == [closed]
        assert await store.outages(service="crm", since=after(61), limit=5) == []
        both = await store.outages(service=None, since=after(0), limit=5)
        assert [one.id for one in both] == ["o2", "o1"]


async def test_an_outage_of_a_release_that_kept_no_starts_is_read_without_them(database_url):
    one = replace(outage(), starts=(T0, after(60)))
    async with opened(database_url) as store:
        await store.commit(Change(outages=(one,)))
        assert await store.open_outages() == [one]
        ((body,),) = execute(database_url, "SELECT body FROM outage")
        was = {name: value for name, value in json.loads(body).items() if name != "starts"}
        execute(database_url, f"UPDATE outage SET body = '{json.dumps(was)}'")
        assert await store.open_outages() == [replace(one, starts=())]


# --------------------------------------------------------------------------- digests


def digest_of(opening_, *notices):
    return Change(digest=Digest(opening_, after(-3600), opening_), notices=notices)


def told(key):
    """A notice about no single incident."""
    message = Message("Since support closed: ...", ("#1 ...",), None)
    return replace(notice(incident(), "desk"), incident_id=None, key=key, message=message)


async def test_a_digest_is_written_once_with_what_it_owes(database_url):
    async with opened(database_url) as store:
        assert await store.last_digest() is None
        await store.commit(digest_of(T0, told("one")))
        await store.commit(digest_of(T0, told("two")))
        await store.commit(digest_of(after(86_400), told("three")))
        assert await store.last_digest() == after(86_400)
        claimed = await store.claim(after(1), lease=LEASE, limit=9)
        assert {(n.key, n.incident_id, n.message.incident) for n in claimed} == {
            ("one", None, None),
            ("three", None, None),
        }


async def test_since_then_is_what_was_reported_resolved_or_is_still_open(database_url):
    late = after(3600)
    async with opened(database_url) as store:
        old_and_over = incident(1, "a", **RESOLVED)
        old_and_open = incident(2, "b")
        over_since = incident(3, "c", **{**RESOLVED, "resolved_at": late})
        new = incident(4, "d", **{**RESOLVED, "reported_at": late, "resolved_at": after(3700)})
        for one in (old_and_over, old_and_open, over_since, new):
            await store.commit(opening(one))
        assert await store.incidents_since(late) == [old_and_open, over_since, new]


async def test_the_timelines_of_some_come_back_in_order(database_url):
    one, other = incident(1, "a"), incident(2, "b")
    async with opened(database_url) as store:
        await store.commit(opening(one))
        await store.commit(opening(other))
        await store.commit(Change(events=(line(one, EventKind.NOTED, "more"),)))
        texts = [event.text for event in await store.timelines([one.id])]
        assert texts == ["opened", "more"]
        assert await store.timelines([]) == []
