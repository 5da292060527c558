"""Customers' reports over the real application, engine and store: API, form and status page."""

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest

from monitor.channels.document import notice_document
from monitor.detection import Track
from monitor.engine.recalled import load_mind
from monitor.model import (
    Dimension,
    Extent,
    Impact,
    IncidentState,
    Outage,
    ReportSettings,
    VerdictReason,
)
from monitor.net.secret import Secret
from monitor.store import StoreUnavailable
from monitor.web import create_app
from monitor.web.answers import PROTECTION, REPORT_LIMIT
from tests.day import CUSTOMERS
from tests.hours_fixtures import SUPPORT, london
from tests.outbox_fixtures import Watch, until
from tests.store_fixtures import incident as stored_incident
from tests.store_fixtures import opening
from tests.test_engine import made_on, running

SUNDAY = london("Sun 2026-11-29 01:00")
TOKENS = {"acme": Secret("acme-tøken"), "bolt": Secret("bolt-token")}
ACME = {"Authorization": "Bearer acme-tøken".encode()}
STAFF = {"Authorization": "Bearer staff"}
SCRIPT = "<script>alert('x')</script>"
WHOLE = {
    "services": ["crm"],
    "start_time": "00:40",
    "error_messages": f"503 {SCRIPT}\r\n  two",
    "all_users": True,
    "contact": "Robin, front desk",
}
FORM = WHOLE | {"all_users": "yes"}
REFERENCE = re.compile(r"([2-9A-HJKMNP-Y]{4}-){2}[2-9A-HJKMNP-Y]{4}")


class Site:
    """The application as a browser or a program reaches it, from an address of its own."""

    def __init__(self, made, **settings):
        self.made, self.store = made, made.store
        self.app = create_app(
            made.engine,
            made.store,
            made.metrics,
            made.world.watch.clock,
            api_token=Secret("staff"),
            public_url="https://monitor.example",
            estate=made.mind.estate,
            calendar=made.mind.calendar,
            policy=made.mind.policy,
            channels=made.mind.channels,
            reports=ReportSettings(**settings),
            report_tokens=TOKENS,
        )

    def client(self, address="192.0.2.1"):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def api(self, body=None, *, address="192.0.2.1", **headers):
        async with self.client(address) as client:
            said = WHOLE if body is None else body
            return await client.post("/api/v1/reports", json=said, headers=headers)

    async def form(self, fields=None, *, address="192.0.2.1"):
        async with self.client(address) as client:
            body = urlencode(FORM if fields is None else fields, doseq=True)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return await client.post("/report", content=body, headers=kind)

    async def get(self, path):
        async with self.client() as client:
            return await client.get(path)

    async def incidents(self):
        return await self.store.incidents(state=None, limit=99)


@asynccontextmanager
async def site_on(url, **settings):
    async with made_on(url, Watch(SUNDAY), calendar=SUPPORT) as made:
        made.mind.channels = (CUSTOMERS,)
        async with running(made.engine):
            yield Site(made, **settings)


@pytest.fixture
async def site(sqlite_url):
    async with site_on(sqlite_url) as one:
        yield one


def error_of(answer):
    return answer.json()["error"]


# --------------------------------------------------------------------------- the API


async def test_a_tenants_report_is_taken_in_and_opens_a_critical_incident(site):
    answer = await site.api(Authorization=ACME["Authorization"])
    assert answer.status_code == 201
    told = answer.json()
    assert REFERENCE.fullmatch(told["reference"])
    assert told["url"] == f"https://monitor.example/reports/{told['reference']}"
    assert (told["state"], told["respond_by"]) == ("received", "2026-11-29T03:00:00Z")
    assert told["error_messages"] == WHOLE["error_messages"]
    assert told["started_at"] == "2026-11-29T00:40:00Z"
    (incident,) = await site.incidents()
    assert (incident.priority.value, incident.by_customer) == ("critical", True)
    assert incident.reports[0].tenant == "acme"


async def test_an_anonymous_one_is_standard_and_says_the_way_to_the_desk(sqlite_url):
    async with site_on(sqlite_url) as site:
        site.made.mind.desk = "desk@prospect.example.com"
        told = (await site.api()).json()
        assert told["respond_by"] is None
        assert "desk@prospect.example.com" in told["messages"][0]["text"]
        assert (await site.incidents())[0].priority.value == "standard"


@pytest.mark.parametrize(
    "header",
    ["Bearer wrong", "Bearer ", "Bearer", "Basic YWNtZQ==", "", b"Bearer acme-t\xf8ken"],
)
async def test_a_wrong_token_is_401_and_never_taken_for_anonymous(site, header):
    answer = await site.api(Authorization=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert error_of(answer)["code"] == "wrong_token"
    assert await site.incidents() == []


async def test_what_is_missing_is_named_and_what_was_typed_comes_back(site):
    typed = {"services": ["crm"], "error_messages": SCRIPT, "all_users": True}
    answer = await site.api(typed)
    assert answer.status_code == 422
    error = error_of(answer)
    assert error["code"] == "incomplete_report"
    assert [each.split(": ")[0] for each in error["details"]] == ["`start time` is missing"]
    assert "`start time` is missing: " in error["message"]
    assert error["typed"] == typed
    assert await site.incidents() == []
    assert await site.store.unsettled_reports() == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"services": "crm"}, "`services` must be a list of names"),
        ({"services": [7]}, "`services` must be a list of names"),
        ({"start_time": 40}, "`start time` must be a text"),
        ({"all_users": "yes"}, "`all users` must be true or false"),
        ({"colour": "red"}, "`colour` is not known"),
        ({"start_time": None}, "`start time` is missing"),
    ],
)
async def test_what_is_of_the_wrong_kind_is_named_once(site, changes, named):
    body = WHOLE | changes
    answer = await site.api(body)
    assert answer.status_code == 422
    (mistake,) = error_of(answer)["details"]
    assert mistake.startswith(named)
    assert error_of(answer)["typed"] == {k: v for k, v in body.items() if k != "colour"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"contact": "\\ud800"}'])
async def test_what_is_no_json_object_is_refused(site, body):
    async with site.client() as client:
        answer = await client.post("/api/v1/reports", content=body)
    assert answer.status_code == 422
    assert error_of(answer)["code"] == "invalid_request"


async def test_a_large_body_is_refused(site):
    answer = await site.api(WHOLE | {"error_messages": "x" * REPORT_LIMIT})
    assert answer.status_code == 413


async def test_the_longest_account_fits_in_any_alphabet(site):
    body = WHOLE | {"error_messages": "\N{SNOWMAN}" * 4000}
    assert (await site.api(body)).status_code == 201
    assert (await site.form(FORM | {"error_messages": "\N{PILE OF POO}" * 4000})).status_code == 303


async def test_the_same_key_of_the_same_tenant_gives_the_first_answer(site):
    headers = ACME | {"Idempotency-Key": "order 7"}
    answers = await asyncio.gather(*(site.api(**headers) for _ in range(5)))
    later = await site.api(WHOLE | {"contact": "another"}, **headers)
    assert len({answer.json()["reference"] for answer in [*answers, later]}) == 1
    assert len((await site.incidents())[0].reports) == 1
    other = await site.api(**{"Authorization": "Bearer bolt-token", "Idempotency-Key": "order 7"})
    assert other.json()["reference"] != later.json()["reference"]


async def test_a_key_is_remembered_across_a_restart(sqlite_url):
    headers = ACME | {"Idempotency-Key": "order 7"}
    async with site_on(sqlite_url) as site:
        first = (await site.api(**headers)).json()
    async with site_on(sqlite_url) as site:
        assert (await site.api(**headers)).json()["reference"] == first["reference"]


async def test_a_key_of_nobody_is_not_a_way_to_anothers_report(site):
    one = await site.api(**{"Idempotency-Key": "7"})
    two = await site.api(**{"Idempotency-Key": "7"})
    assert one.json()["reference"] != two.json()["reference"]


async def test_a_malformed_key_is_named(site):
    answer = await site.api(**ACME, **{"Idempotency-Key": "x" * 201})
    assert "`Idempotency-Key` must be" in error_of(answer)["message"]


async def test_how_a_report_stands_is_told_to_whoever_has_the_reference(site):
    reference = (await site.api(**ACME)).json()["reference"]
    await site.made.engine.acknowledge(1, "Robin")
    spoken = reference.lower().replace("-", " ")
    told = (await site.get(f"/api/v1/reports/{spoken}")).json()
    assert told["state"] == "acknowledged"
    assert [message["kind"] for message in told["messages"]] == ["received", "acknowledged"]
    assert "Robin" not in str(told)
    assert (await site.get("/api/v1/reports/2222-2222-2222")).status_code == 404


async def test_unwritable_the_store_is_named_and_what_was_typed_comes_back(site, monkeypatch):
    async def away(*_):
        raise StoreUnavailable("the store", "disk gone", "mend it")

    monkeypatch.setattr(site.store, "report_with_key", away)
    answer = await site.api(**ACME, **{"Idempotency-Key": "7"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert error_of(answer)["typed"] == WHOLE


# --------------------------------------------------------------------------- how many


async def test_anonymous_reports_of_one_address_are_limited_and_a_tenants_are_not(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=2) as site:
        assert [(await site.api()).status_code for _ in range(3)] == [201, 201, 429]
        assert (await site.api(address="192.0.2.2")).status_code == 201
        assert (await site.api(**ACME)).status_code == 201


async def test_a_refusal_says_when_to_try_again_and_then_it_works(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=2) as site:
        await site.api()
        await site.api()
        answer = await site.api()
        assert answer.headers["retry-after"] == "1800"
        assert error_of(answer)["typed"] == WHOLE
        site.made.world.watch.mono += 1799
        assert (await site.api()).status_code == 429
        site.made.world.watch.mono += 1
        assert (await site.api()).status_code == 201


async def test_a_stepped_wall_clock_gives_nobody_more(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=1) as site:
        await site.api()
        site.made.world.watch.steps(3 * 3600)
        assert (await site.api(WHOLE | {"start_time": "03:40"})).status_code == 429


async def test_all_anonymous_reports_together_are_limited_too(sqlite_url):
    async with site_on(sqlite_url, anonymous_in_all_per_hour=2) as site:
        said = [(await site.api(address=f"192.0.2.{n}")).status_code for n in range(1, 4)]
        assert said == [201, 201, 429]


async def test_a_network_of_ipv6_counts_as_one(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=1) as site:
        said = [(await site.api(address=f"2001:db8::{n}")).status_code for n in (1, 2)]
        assert said == [201, 429]
        assert (await site.api(address="2001:db8:0:1::1")).status_code == 201


async def test_a_tenant_has_a_generous_limit_of_its_own(sqlite_url):
    async with site_on(sqlite_url, tenant_per_hour=2) as site:
        assert [(await site.api(**ACME)).status_code for _ in range(3)] == [201, 201, 429]


async def test_who_is_asked_for_what_is_missing_uses_up_nothing(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=1) as site:
        for _ in range(5):
            assert (await site.api({})).status_code == 422
        assert (await site.api()).status_code == 201


async def test_tokens_cannot_be_tried_at_will(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=2) as site:
        tried = [(await site.api(Authorization=f"Bearer {n}")).status_code for n in range(3)]
        assert tried == [401, 401, 429]


async def test_anonymous_reports_can_be_switched_off(sqlite_url):
    async with site_on(sqlite_url, anonymous=False) as site:
        answer = await site.api()
        assert (answer.status_code, error_of(answer)["code"]) == (401, "token_needed")
        assert (await site.api(**ACME)).status_code == 201
        assert "(without it" not in (await site.get("/report")).text


# --------------------------------------------------------------------------- the form


async def test_the_form_names_the_services_and_runs_no_script(site):
    page = await site.get("/report")
    assert page.status_code == 200
    assert "Prospect 365 CRM" in page.text
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert "form-action 'none'" in PROTECTION["Content-Security-Policy"]


async def test_a_sent_form_leads_to_the_status_page(site):
    answer = await site.form(FORM | {"token": " acme-tøken "})
    assert answer.status_code == 303
    page = (await site.get(answer.headers["location"])).text
    assert answer.headers["location"].startswith("/reports/")
    assert "business critical" in page
    assert (await site.incidents())[0].reports[0].tenant == "acme"


def values(page):
    """What the fields of a form hold, as a browser would send it again."""
    areas = dict(re.findall(r'<textarea id="(\w+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL))
    inputs = dict(re.findall(r'<input id="(\w+)"[^>]*value="([^"]*)"', page))
    ticked = re.findall(r'name="(\w+)" value="(\w+)" checked', page)
    return {key: unescape(text) for key, text in (areas | inputs | dict(ticked)).items()}


@pytest.mark.parametrize(
    ("left_out", "named"),
    [
        ("start_time", "`start time` is missing"),
        ("services", "`services` is missing"),
        ("error_messages", "`error messages` is missing"),
        ("all_users", "`all users` is missing"),
    ],
)
async def test_a_form_that_lacks_something_comes_back_filled(site, left_out, named):
    typed = {key: text for key, text in FORM.items() if key != left_out}
    typed |= {"what_happened_instead": '\n"white" & <b>'}
    answer = await site.form(typed)
    assert answer.status_code == 422
    assert named in answer.text
    assert SCRIPT not in answer.text
    kept = values(answer.text)
    expected = {k: v[0] if isinstance(v, list) else v for k, v in typed.items()}
    assert {key: kept[key] for key in expected} == expected
    assert await site.incidents() == []


async def test_a_token_is_never_echoed(site):
    for fields in (FORM | {"token": "hunter22"}, {"token": "acme-tøken"}):
        answer = await site.form(fields)
        assert answer.status_code in {401, 422}
        assert "hunter22" not in answer.text
        assert "acme-t" not in answer.text


async def test_a_form_over_the_limit_comes_back_filled_too(sqlite_url):
    async with site_on(sqlite_url, anonymous_per_hour=1) as site:
        assert (await site.form()).status_code == 303
        answer = await site.form()
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert values(answer.text)["contact"] == WHOLE["contact"]


async def test_what_is_no_form_is_refused(site):
    async with site.client() as client:
        assert (await client.post("/report", json=WHOLE)).status_code == 415
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        many = await client.post("/report", content="a=1&" * 70, headers=kind)
    assert many.status_code == 422


# --------------------------------------------------------------------------- the status page


async def test_the_status_page_shows_times_in_utc_and_london_and_what_was_typed_escaped(site):
    reference = (await site.api(**ACME)).json()["reference"]
    page = await site.get(f"/reports/{reference}")
    assert "2026-11-29 01:00:00 UTC (01:00:00 GMT in London)" in page.text
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
    assert "form-action 'none'" in page.headers["content-security-policy"]


async def test_it_follows_the_report_to_its_end(site):
    reference = (await site.api(**ACME)).json()["reference"]
    await site.made.engine.acknowledge(1, "Robin")
    site.made.world.watch.passes(60)
    await site.made.engine.resolve(1, "Sam", false_alarm=False)
    page = (await site.get(f"/reports/{reference}")).text
    assert all(
        f"<strong>{kind}</strong>" in page for kind in ("received", "acknowledged", "resolved")
    )
    assert "not yet" not in page


async def test_it_shows_nothing_internal_and_nothing_of_others(site):
    await site.api(Authorization="Bearer bolt-token")
    reference = (await site.api(**ACME)).json()["reference"]
    await site.made.engine.acknowledge(1, "Robin")
    page = (await site.get(f"/reports/{reference}")).text
    hidden = ("bolt", "acme", "Robin", "front desk", "/incidents", "#1", 'href="/"')
    assert [word for word in hidden if word in page] == []


async def test_an_unknown_reference_is_404(site):
    page = await site.get(f"/reports/{SCRIPT[:30].replace('/', '')}")
    assert page.status_code == 404
    assert "There is no report of this reference" in page.text
    assert "<script>" not in page.text


# --------------------------------------------------------------------------- resolving


async def resolved(site, number=1, headers=STAFF, **body):
    async with site.client() as client:
        said = {"by": "Sam"} | body
        return await client.post(f"/api/v1/incidents/{number}/resolve", json=said, headers=headers)


async def test_a_person_resolves_over_the_api(site):
    await site.api(**ACME)
    answer = await resolved(site, false_alarm=True)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["state"], told["resolved_by"], told["false_alarm"]) == ("resolved", "Sam", True)
    assert (await resolved(site)).status_code == 409
    assert error_of(await resolved(site))["code"] == "already_resolved"
    assert (await resolved(site, 9)).status_code == 404


@pytest.mark.parametrize("headers", [{}, ACME, {"Authorization": "Bearer wrong"}])
async def test_resolving_needs_the_token_of_the_api(site, headers):
    await site.api(**ACME)
    assert (await resolved(site, headers=headers)).status_code == 401
    assert (await site.incidents())[0].state is IncidentState.OPEN


async def test_what_the_probes_still_see_is_refused_with_what_to_do_instead(site):
    mind, one = site.made.mind, stored_incident(subject="v1:crm:all")
    everyone = Extent(Dimension.EVERYONE)
    seen = (Impact.ALL, VerdictReason.EVERYONE_TWICE, everyone, one.began, one.detected_at)
    await site.store.commit(opening(one))
    mind.open[one.subject] = one
    mind.outages["crm/sign-in", Track.ALL] = Outage("o", "crm/sign-in", "crm", "sign-in", *seen)
    answer = await resolved(site)
    assert (answer.status_code, error_of(answer)["code"]) == (409, "still_failing")
    assert "it resolves by itself once they pass" in error_of(answer)["message"]
    assert (await site.incidents())[0].state is IncidentState.OPEN


async def test_the_incidents_page_says_who_reported_and_how_it_ends(site):
    reference = (await site.api(**ACME)).json()["reference"]
    page = (await site.get("/incidents/1")).text
    assert f"by acme as {reference}" in page
    assert "monitor resolve 1 --by NAME" in page
    assert SCRIPT not in page
    told = (await site.get("/api/v1/incidents/1")).json()
    assert told["reports"][0]["reference"] == reference


# --------------------------------------------------------------------------- across a kill


async def test_what_was_answered_is_there_after_a_kill(sqlite_url):
    async with site_on(sqlite_url) as site:
        reference = (await site.api(**ACME)).json()["reference"]
    async with site_on(sqlite_url) as site:
        assert set(site.made.mind.reports) == {reference}
        assert site.made.mind.open["v1:crm:tenant:acme:report"].number == 1
        await site.made.engine.acknowledge(1, "Robin")
        told = (await site.get(f"/api/v1/reports/{reference}")).json()
        assert told["state"] == "acknowledged"


async def test_killed_before_the_commit_the_sender_has_no_answer_and_nothing_is_stored(sqlite_url):
    async with made_on(sqlite_url, Watch(SUNDAY), calendar=SUPPORT) as made:
        site = Site(made)
        sending = asyncio.create_task(site.api(**ACME))
        await until(lambda: bool(made.mind.open))
        sending.cancel()
        await asyncio.wait({sending})
        assert sending.cancelled()
    async with site_on(sqlite_url) as site:
        assert await site.incidents() == []
        assert site.made.mind.reports == {}


async def test_the_reporter_is_told_through_the_outbox(site):
    await site.api(**ACME)
    (owed,) = await site.store.claim(SUNDAY, lease=site.made.world.watch.at - SUNDAY, limit=9)
    assert (owed.channel, owed.action.value) == ("customers", "tell")
    assert notice_document(owed, SUNDAY)["report"] == {
        "reference": owed.message.report.reference,
        "contact": "Robin, front desk",
        "tenant": "acme",
    }


async def test_a_mind_made_anew_knows_what_each_report_waits_for(site):
    await site.api(**ACME)
    mind = replace(site.made.mind, open={}, reports={}, sequences={})
    again, _ = await load_mind(lambda _: mind, site.store, site.made.world.watch.clock.now(), "")
    assert [report.tenant for report in again.reports.values()] == ["acme"]
