"""What is done in PagerDuty is done here: its signed V3 webhooks; engine and store are real."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from monitor.model import Handover, IncidentState
from monitor.store import StoreUnavailable
from monitor.web.pagerduty import event_of
from tests.acting_fixtures import HOOK, error_of, site_on

ROBIN = {
    "html_url": "https://acme.example/users/PLH1HKV",
    "id": "PLH1HKV",
    "self": "https://api.example/users/PLH1HKV",
    "summary": "Robin Example",
    "type": "user_reference",
}
BY = "Robin Example via PagerDuty"


class Pager:
    """PagerDuty, as it calls the site."""

    def __init__(self, site):
        self.site = site
        self.count = 0

    def event(self, kind, *, alert=None, of=None, agent=ROBIN, **data):
        """The event of a webhook; `alert` is our dedup_key, `of` what PagerDuty calls it."""
        self.count += 1
        told = {
            "id": of or "PGR0VU2",
            "type": "incident",
            "number": 2,
            "status": "acknowledged",
            "incident_key": alert,
            "title": "CRM is down",
            "resolve_reason": None,
        }
        return {
            "id": f"event-{self.count}",
            "event_type": f"incident.{kind}",
            "resource_type": "incident",
            "occurred_at": "2026-11-29T03:00:01.169Z",
            "agent": agent,
            "client": None,
            "data": told | data,
        }

    def note(self, text, *, of="PGR0VU2", **more):
        event = self.event("annotated", **more)
        event["data"] = {
            "id": "P2LA89X",
            "type": "incident_note",
            "content": text,
            "trimmed": False,
            "incident": {"id": of, "type": "incident_reference", "summary": "CRM is down"},
        }
        return event

    async def sends(self, event, *, secret=HOOK, channel="pager", signature=None):
        body = json.dumps({"event": event}).encode()
        headers = {"X-PagerDuty-Signature": signature or signed(body, secret)}
        path = f"/hooks/pagerduty/{channel}"
        return await self.site.program.post(path, content=body, headers=headers)


def signed(body, secret=HOOK):
    return "v1=" + hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
async def site(sqlite_url):
    async with site_on(sqlite_url) as one:
        await one.opens()
        yield one


@pytest.fixture
def pager(site):
    return Pager(site)


@pytest.fixture
async def alert(site):
    return f"{site.store.instance}:{(await site.incident()).id}"


# --------------------------------------------------------------------------- what it does


async def test_an_acknowledgement_names_the_person(pager, site, alert):
    answer = await pager.sends(pager.event("acknowledged", alert=alert))
    assert (answer.status_code, answer.text) == (202, "")
    assert (await site.incident()).acknowledged_by == BY
    assert await site.timeline() == [("acknowledged", BY, f"Acknowledged by {BY}.")]


async def test_that_of_a_later_alert_of_the_incident_is_one_too(pager, site, alert):
    await pager.sends(pager.event("acknowledged", alert=f"{alert}.2"))
    assert (await site.incident()).acknowledged_by == BY


async def test_a_resolution_resolves(pager, site, alert):
    await pager.sends(pager.event("resolved", alert=alert))
    resolved = await site.incident()
    assert (resolved.resolved_by, resolved.false_alarm) == (BY, False)


async def test_what_the_probes_still_see_stays_open_and_says_so(pager, site):
    seen = await site.opens(2, subject="v1:crm:all")
    site.fails_still(seen)
    alert = f"{site.store.instance}:{seen.id}"
    assert (await pager.sends(pager.event("resolved", alert=alert))).status_code == 202
    assert (await site.incident(2)).state is IncidentState.OPEN
    assert await site.timeline(2) == [
        (
            "noted",
            BY,
            "Resolved in PagerDuty, but the probes still see it fail: it stays open here.",
        )
    ]


async def test_a_note_finds_its_incident_by_an_event_before_it(pager, site, alert):
    system = {"id": "P1", "type": "service_reference", "summary": "Our integration"}
    await pager.sends(pager.event("triggered", alert=alert, of="PXYZ", agent=system))
    await pager.sends(pager.note("Pool\nrestarted\x07.", of="PXYZ"))
    assert await site.timeline() == [("noted", BY, "Pool\nrestarted .")]


async def test_a_note_on_what_was_never_heard_of_is_taken_and_nothing(pager, site):
    assert (await pager.sends(pager.note("Hello.", of="PXYZ"))).status_code == 202
    assert await site.timeline() == []


async def test_what_is_given_back_is_a_note_and_stays_acknowledged(pager, site, alert):
    await pager.sends(pager.event("acknowledged", alert=alert))
    await pager.sends(pager.event("unacknowledged", alert=alert))
    assert [kind for kind, *_ in await site.timeline()] == ["acknowledged", "noted"]
    assert (await site.incident()).state is IncidentState.ACKNOWLEDGED


async def test_all_that_is_told_of_in_the_alert_is_acknowledged_and_resolved(pager, site, alert):
    host = await site.incident()
    await site.opens(2, paged_with=host.id)
    await site.opens(3)
    await pager.sends(pager.event("acknowledged", alert=alert))
    assert [(await site.incident(n)).acknowledged_by for n in (1, 2, 3)] == [BY, BY, None]
    await pager.sends(pager.event("resolved", alert=alert))
    assert [(await site.incident(n)).resolved_by for n in (1, 2, 3)] == [BY, BY, None]


# --------------------------------------------------------------------------- what it does not


async def test_what_no_person_did_is_ignored(pager, site, alert):
    """We acknowledge and resolve over there ourselves, and it has timers of its own."""
    for agent in (None, {"type": "service_reference", "id": "P1", "summary": "Integration"}, {}):
        for kind in ("acknowledged", "resolved", "unacknowledged"):
            answer = await pager.sends(pager.event(kind, alert=alert, agent=agent))
            assert answer.status_code == 202
    assert await site.timeline() == []


async def test_what_is_merged_into_another_is_not_over(pager, site, alert):
    merged = {"type": "merge_resolve_reason", "incident": {"id": "P2"}}
    await pager.sends(pager.event("resolved", alert=alert, resolve_reason=merged))
    assert (await site.incident()).state is IncidentState.OPEN


async def test_events_of_other_kinds_and_pings_are_taken_and_ignored(pager, site, alert):
    for kind in ("escalated", "priority_updated", "responder.added", "something.new"):
        assert (await pager.sends(pager.event(kind, alert=alert))).status_code == 202
    ping = {
        "id": "01FKZOXA868SHYEE4DVNWB5P9W",
        "event_type": "pagey.ping",
        "resource_type": "pagey",
        "occurred_at": "2026-11-29T03:00:55.532Z",
        "agent": ROBIN,
        "client": None,
        "data": {"message": "Hello", "type": "ping"},
    }
    assert (await pager.sends(ping)).status_code == 202
    assert await site.timeline() == []


async def test_alerts_of_another_monitor_or_system_are_ignored(pager, site, alert):
    id_ = alert.partition(":")[2]
    for foreign in (None, "", id_, f"other:{id_}", "d3640fbd41094207a1c11e58e46b1662", 7, ":", "."):
        answer = await pager.sends(pager.event("acknowledged", alert=foreign))
        assert answer.status_code == 202
    assert await site.timeline() == []


async def test_an_event_that_comes_again_does_nothing_more(pager, site, alert):
    await pager.sends(pager.event("triggered", alert=alert))
    note = pager.note("Restarted.")
    await pager.sends(note)
    await pager.sends(note)
    assert len(await site.timeline()) == 1
    acknowledged = pager.event("acknowledged", alert=alert)
    await pager.sends(acknowledged)
    await pager.sends(acknowledged | {"id": "under another name"})
    assert len(await site.timeline()) == 2


async def test_who_was_quicker_here_keeps_it(pager, site, alert):
    await site.api("acknowledge", {"by": "Sam"})
    assert (await pager.sends(pager.event("acknowledged", alert=alert))).status_code == 202
    assert (await site.incident()).acknowledged_by == "Sam"
    await site.api("resolve", {"by": "Sam"})
    assert (await pager.sends(pager.event("resolved", alert=alert))).status_code == 202
    assert (await site.incident()).resolved_by == "Sam"


async def test_an_old_acknowledgement_accepts_no_later_handover(pager, site):
    closed_at = site.watch.at + timedelta(seconds=60)
    handed = await site.opens(
        2,
        state=IncidentState.ACKNOWLEDGED,
        acknowledged_by="Sam",
        acknowledged_at=site.watch.at,
        handover=Handover(closed_at, closed_at),
    )
    event = pager.event("acknowledged", alert=f"{site.store.instance}:{handed.id}")
    await pager.sends(event)
    assert (await site.incident(2)).handover.accepted_by is None
    later = {"id": "later", "occurred_at": "2026-11-29T03:02:00Z"}
    await pager.sends(event | later)
    assert (await site.incident(2)).handover.accepted_by == BY


async def test_a_name_is_kept_on_one_line_and_within_its_length(pager, site, alert):
    agent = ROBIN | {"summary": "Robin\n" + "x" * 200}
    await pager.sends(pager.event("acknowledged", alert=alert, agent=agent))
    name = (await site.incident()).acknowledged_by
    assert name.startswith("Robin x")
    assert name.endswith(" via PagerDuty")
    assert len(name) == 100


# --------------------------------------------------------------------------- who is believed


async def test_what_is_not_signed_by_the_secret_is_refused(pager, site, alert):
    event = pager.event("resolved", alert=alert)
    body = json.dumps({"event": event}).encode()
    right = signed(body)
    wrong = (
        "nonsense",
        right.removeprefix("v1="),
        right.replace("v1=", "v2="),
        right.upper(),
        right[:-1],
        signed(body + b" "),
        ",".join(["v1=0"] * 20 + [right]),
        "v1=ø",
    )
    for signature in wrong:
        answer = await pager.sends(event, signature=signature.encode())
        assert (answer.status_code, error_of(answer)["code"]) == (401, "wrong_signature")
    answer = await site.program.post("/hooks/pagerduty/pager", content=body)
    assert answer.status_code == 401
    assert await site.timeline() == []


async def test_one_of_several_signatures_is_enough(pager, site, alert):
    event = pager.event("acknowledged", alert=alert)
    right = signed(json.dumps({"event": event}).encode())
    answer = await pager.sends(event, signature=f"v1={'0' * 64}, {right}")
    assert answer.status_code == 202
    assert (await site.incident()).acknowledged_by == BY


async def test_a_channel_without_a_hook_is_404(pager, alert):
    answer = await pager.sends(pager.event("resolved", alert=alert), channel="desk")
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_hook")


async def test_what_is_signed_and_no_event_is_422(site):
    for body in (b"", b"{", b"[]", b'{"event": []}', b'{"event": {"id": 1}}', b"\xff", b"[" * 9999):
        headers = {"X-PagerDuty-Signature": signed(body)}
        answer = await site.program.post("/hooks/pagerduty/pager", content=body, headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_request")


async def test_an_event_of_odd_parts_is_read_as_far_as_it_goes(pager):
    odd = {"id": 7, "event_type": "x", "agent": "Robin", "data": ["x"], "occurred_at": "soon"}
    event = event_of(json.dumps({"event": odd}).encode())
    assert (event.id, event.by, event.key, event.at) == ("7", "", "", None)
    halves = pager.note("\ud83d half")
    assert "half" in event_of(json.dumps({"event": halves}).encode()).text


async def test_while_the_store_is_away_it_is_asked_to_come_again(pager, site, alert, monkeypatch):
    async def refuse(*_):
        raise StoreUnavailable("m.db", "disk full", "free some")

    event = pager.event("acknowledged", alert=alert)
    with monkeypatch.context() as away:
        away.setattr(type(site.store), "named_incidents", refuse)
        assert (await pager.sends(event)).status_code == 503
    assert (await pager.sends(event)).status_code == 202
    assert (await site.incident()).acknowledged_by == BY
