"""What holds of every tracker: an alert is one ticket, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from monitor.model import Action
from tests.outbox_fixtures import incident, notice
from tests.test_channel_github import repository
from tests.test_channel_jira import site
from tests.test_channel_servicenow import instance
from tests.test_channel_zendesk import account
from tests.ticket_fixtures import alarm, life, telling

TRIGGER, _, _, RESOLVE = life()


@dataclass(frozen=True)
class Tracker:
    """How a desk is opened, what its tickets are as (title, state), and the states' names."""

    opened: Callable[..., Any]
    tickets: Callable[[Any], list[tuple[str, str]]]
    new: str
    done: str


TRACKERS = {
    "jira": Tracker(
        site,
        lambda desk: [(i.fields["summary"], i.status) for i in desk.state.issues.values()],
        "To Do",
        "Done",
    ),
    "zendesk": Tracker(
        account,
        lambda desk: [(t.fields["subject"], t.status) for t in desk.state.tickets.values()],
        "new",
        "solved",
    ),
    "github": Tracker(
        repository,
        lambda desk: [(i.title, i.state) for i in desk.state.issues.values()],
        "open",
        "closed",
    ),
    "servicenow": Tracker(
        instance,
        lambda desk: [
            (r.fields["short_description"], r.state) for r in desk.state.records.values()
        ],
        "1",
        "6",
    ),
}

every_tracker = pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)


def states(tracker, desk):
    return [state for _, state in tracker.tickets(desk)]


@every_tracker
async def test_a_late_resolve_of_one_incident_leaves_the_next_open(tracker):
    async with tracker.opened() as desk:
        await desk.told(*life()[:3])
        await desk.told(*life(2)[:1])
        desk.watch.passes(7200)
        await desk.delivered(RESOLVE)
        assert states(tracker, desk) == [tracker.done, tracker.new]


@pytest.mark.parametrize("kind", ["jira", "zendesk", "servicenow"])
async def test_a_search_that_finds_anything_does_not_lend_another_alert_s_ticket(kind):
    tracker = TRACKERS[kind]
    async with tracker.opened(deaf=True) as desk:
        await desk.told(TRIGGER)
        await desk.delivered(life(2)[3])
        assert states(tracker, desk) == [tracker.new, tracker.done]


@every_tracker
async def test_an_alert_has_a_ticket_for_each_channel(tracker):
    async with tracker.opened() as desk:
        await desk.told(TRIGGER)
        await desk.told(notice(incident(), "pager", Action.UPDATE, 2))
        assert len(tracker.tickets(desk)) == 2


@every_tracker
async def test_what_tells_is_a_ticket_of_its_own(tracker):
    async with tracker.opened() as desk:
        known = await desk.told(TRIGGER)
        for name in ("digest-1", "digest-2"):
            await desk.delivered(telling(name), known)
        titles = [title for title, _ in tracker.tickets(desk)]
        assert titles[1:] == ["About digest-1", "About digest-2"]


@every_tracker
async def test_the_monitor_s_own_alarm_is_a_ticket_and_found_again(tracker):
    async with tracker.opened() as desk:
        await desk.told(alarm())
        await desk.delivered(alarm(Action.RESOLVE, 2))
        assert states(tracker, desk) == [tracker.done]
