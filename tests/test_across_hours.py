"""The real monitor across 17:00 and 08:30, by a clock that stands ahead, killed in between.

Each stage is a process of its own on the same store: it starts at a time of day and is killed.
"""

import signal
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from monitor.clock import real_clock
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.net.secret import Secret
from tests.hours_fixtures import london
from tests.receivers.webhook import webhook_receiver
from tests.running import SECRET, TOKEN, monitor, write_config
from tests.store_outside import execute

CRITICAL = {"priority": "critical", "service": "crm"}
STANDARD = {"priority": "standard", "service": "crm"}
SOON = timedelta(seconds=10)
"""How long before the hour a stage begins: enough to start, so that it crosses the hour running."""


@pytest.fixture(scope="module")
def estate():
    with EstateProcess(Ports.free()) as process:
        yield process


@pytest.fixture(autouse=True)
def healed(estate):
    yield
    estate.client.heal()


class Site:
    """One store and its two receivers; `at` starts the monitor at an instant of its clock."""

    def __init__(self, path, url, pager, desk):
        self.path, self.url, self.pager, self.desk = path, url, pager, desk
        self.ahead = timedelta()

    @asynccontextmanager
    async def at(self, instant):
        self.ahead = instant - real_clock().wall()
        async with monitor(self.path, self.url, ahead=self.ahead.total_seconds()) as running:
            yield running
            await running.ends(signal.SIGKILL)

    def now(self):
        return real_clock().wall() + self.ahead

    async def passes(self, running, instant):
        """Wait until the monitor's clock is past an instant and all that is due by then is sent."""

        async def settled():
            unsent = "SELECT count(*) FROM notice WHERE state <> 'sent' AND due_at <= "
            due = int(instant.timestamp() * 1e6)
            store = f"sqlite:///{self.path.parent}/monitor.db"
            return self.now() > instant and execute(store, unsent + str(due)) == [(0,)]

        await running.until(f"{instant} is past", settled)

    def said(self, receiver):
        """What a receiver got, each key once: (action, which alert), in order.

        The estate's clock is not ahead, so the monitor says that its own is wrong: that is apart.
        """
        found = {a.key: a.document for a in receiver.arrivals if not of_the_clock(a)}
        return [(each["action"], each["dedup_key"]) for each in found.values()]


def of_the_clock(arrival):
    return arrival.document["dedup_key"].endswith(":self:clock")


@pytest.fixture
async def site(estate, tmp_path):
    made = Site(None, None, None, None)
    async with AsyncExitStack() as stack:
        for name in ("pager", "desk"):
            receiving = webhook_receiver(Secret(SECRET), made.now)
            setattr(made, name, await stack.enter_async_context(receiving))
        made.path, made.url = write_config(
            tmp_path,
            estate.ports,
            None,
            hooks={"on_call": made.pager.url, "service_desk": made.desk.url},
            more="policy: {accept_within: 4s}",
            calendar="",
        )
        yield made


async def acknowledged(running, number):
    """A person acknowledges through the API."""
    answer = await running.client.post(
        f"/api/v1/incidents/{number}/acknowledge",
        json={"by": "Robin"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    answer.raise_for_status()


async def lines(running, number):
    """The kinds of the lines of a timeline."""
    timeline = (await running.get(f"/api/v1/incidents/{number}"))["timeline"]
    return [line["kind"] for line in timeline if line["kind"] != "unobserved"]


async def test_nobody_has_it_when_support_closes_it_is_escalated_once(estate, site):
    closing = london("Thu 2026-11-26 17:00")
    async with site.at(london("Thu 2026-11-26 16:45")) as running:
        await running.until_ready()
        estate.client.switch_on("status_503", service="crm")
        incident = await running.until_incident(**CRITICAL, state="open")
        await site.passes(running, datetime.fromisoformat(incident["reported_at"]))
    async with site.at(closing - SOON) as running:
        await site.passes(running, closing + timedelta(seconds=2))
        await running.until("it was escalated", lambda: escalated(running))
        first, second = (f"{incident['id']}", f"{incident['id']}.2")
        await running.until("all three were sent", lambda: at_least(site, site.pager, 3))
    async with site.at(closing + timedelta(seconds=30)) as running:
        await running.until_incident(**CRITICAL)
        await site.passes(running, site.now() + timedelta(seconds=3))
        assert await lines(running, 1) == ["opened", "escalated"]
        kept = await running.get("/api/v1/incidents/1")
        assert kept["respond_by"] == incident["respond_by"]
    alerts = [(action, key.rpartition(":")[2]) for action, key in site.said(site.pager)]
    assert alerts == [("trigger", first), ("trigger", second), ("resolve", first)]
    assert [action for action, _ in site.said(site.desk)] == ["trigger"]


async def test_somebody_has_it_then_on_call_is_asked_and_paged_once(estate, site):
    closing = london("Thu 2026-11-26 17:00")
    async with site.at(london("Thu 2026-11-26 16:45")) as running:
        await running.until_ready()
        estate.client.switch_on("status_503", service="crm")
        incident = await running.until_incident(**CRITICAL, state="open")
        await acknowledged(running, 1)
    async with site.at(closing - SOON) as running:
        await site.passes(running, closing + timedelta(seconds=1))
        await running.until("it was handed over", lambda: at_least(site, site.pager, 3))
    async with site.at(closing + timedelta(seconds=2)) as running:
        await running.until("it was escalated", lambda: escalated(running))
        await running.until("all was sent", lambda: at_least(site, site.pager, 5))
    async with site.at(closing + timedelta(seconds=60)) as running:
        await running.until_incident(**CRITICAL)
        await acknowledged(running, 1)
        await running.until("the acceptance was sent", lambda: at_least(site, site.pager, 6))
        told = ["opened", "acknowledged", "handed_over", "escalated", "accepted"]
        assert await lines(running, 1) == told
    alerts = [(action, key.rpartition(":")[2]) for action, key in site.said(site.pager)]
    old, new = incident["id"], f"{incident['id']}.2"
    assert alerts == [
        ("trigger", old),
        ("acknowledge", old),
        ("update", old),
        ("trigger", new),
        ("resolve", old),
        ("acknowledge", new),
    ]
    (asked,) = [a.document for a in site.pager.arrivals if a.action == "update"]
    assert any("Robin: Acknowledged by Robin." in line for line in asked["lines"])


async def test_when_support_opens_what_was_held_is_released_and_the_digest_sent_once(estate, site):
    opening = london("Fri 2026-11-27 08:30")
    async with site.at(london("Fri 2026-11-27 03:00")) as running:
        await running.until_ready()
        estate.client.switch_on("status_503", service="crm", tenant="acme")
        held = await running.until_incident(**STANDARD)
        await site.passes(running, site.now() + timedelta(seconds=2))
        await running.until("its clock is said to be wrong", lambda: clock_told(site))
    assert (site.said(site.pager), site.said(site.desk)) == ([], [])
    async with site.at(opening - SOON) as running:
        await site.passes(running, opening + timedelta(seconds=2))
        await running.until("both were sent", lambda: at_least(site, site.desk, 2))
    async with site.at(opening + timedelta(seconds=60)) as running:
        await running.until_incident(**STANDARD)
        await site.passes(running, site.now() + timedelta(seconds=3))
    assert sorted(action for action, _ in site.said(site.desk)) == ["tell", "trigger"]
    assert site.said(site.pager) == []
    (digest,) = [a.document for a in site.desk.arrivals if a.action == "tell"]
    assert digest["incident"] is None
    assert digest["headline"].endswith("0 business critical, 1 standard, 1 still open")
    assert digest["lines"][0].startswith(f"#{held['number']} ")
    assert datetime.fromisoformat(digest["sent_at"]) >= opening.astimezone(UTC)


async def escalated(running):
    return "escalated" in await lines(running, 1)


async def at_least(site, receiver, count):
    return len(site.said(receiver)) >= count


async def clock_told(site):
    return any(of_the_clock(arrival) for arrival in site.pager.arrivals)
