"""What the web answers, over the application itself and a real store."""

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.clock import Clock
from monitor.figures import month_named, sha256_of
from monitor.incident import acknowledge
from monitor.metrics import Metrics
from monitor.model import (
    Action,
    CellState,
    Change,
    Channel,
    CheckState,
    EventKind,
    Evidence,
    FailureKind,
    Handover,
    Impact,
    IncidentState,
    Interval,
    Message,
    Need,
    Notice,
    Outcome,
    Priority,
    Role,
    WindowState,
)
from monitor.net.secret import Secret
from monitor.policy import PolicySettings
from monitor.store import StoreError, open_store
from monitor.web import create_app, incident_page, overview, rendering, service_page
from monitor.web.answers import PROTECTION
from monitor.web.figures import stored_figures
from monitor.web.rendering import both_times, interval_words
from tests.hours_fixtures import SUPPORT
from tests.web_fixtures import (
    CERTIFICATE,
    ESTATE,
    NINE,
    SCRIPT,
    event,
    incident,
    result,
    service_state,
    vantage_state,
)

CLOCK = Clock(lambda: NINE, lambda: 100.0)
TOKEN = "tøken"  # not ASCII, so that the comparison has to cope
AUTHORISED = {"Authorization": f"Bearer {TOKEN}".encode()}
PUBLIC = "https://monitor.example"
CHANNELS = (
    Channel("pager", "webhook", (Role.ON_CALL,), None),
    Channel("desk", "log", (Role.SERVICE_DESK,), None),
)
UPGRADE = WindowState("upgrade", NINE, SCRIPT, "checks sign-in")


class FakeEngine:
    """States as a test sets them; acknowledging is the lifecycle's own and really committed."""

    def __init__(self, store):
        self.store = store
        self.states = (service_state("crm"), service_state("sites"))
        self.places = (vantage_state("london"),)
        self.cells = tuple(CellState(cell.key, Outcome.PASS) for cell in ESTATE.cells())
        self.reasons = ()
        self.stuck = None

    def services(self):
        return self.states

    def vantages(self):
        return self.places

    def cell_states(self, service):
        return tuple(state for state in self.cells if state.key.service == service)

    def not_ready(self):
        return self.reasons

    def stalled(self):
        return self.stuck

    async def acknowledge(self, number, by):
        for found in await self.store.open_incidents():
            if found.number == number:
                moved = acknowledge(found, by, NINE)
                await self.store.commit(Change(incident=moved, was_version=found.version))
                return moved
        raise KeyError(number)


class BrokenStore:
    """A store whose disk is gone."""

    def __getattr__(self, _):
        async def refuse(*_, **__):
            raise StoreError("disk gone, path /secret/place")

        return refuse


@pytest.fixture
async def store(tmp_path):
    store = await open_store(f"sqlite:///{tmp_path}/monitor.db", clock=CLOCK, holder="test")
    yield store
    await store.close()


@pytest.fixture
def engine(store):
    return FakeEngine(store)


def client_of(
    engine,
    store,
    *,
    token=TOKEN,
    metrics=None,
    estate=ESTATE,
    channels=CHANNELS,
    cautions=(),
    clock=CLOCK,
):
    app = create_app(
        engine,
        store,
        metrics or Metrics(ESTATE, ["pager"]),
        clock,
        api_token=Secret(token) if token else None,
        public_url=PUBLIC,
        estate=estate,
        calendar=SUPPORT,
        policy=PolicySettings(),
        channels=channels,
        cautions=lambda: cautions,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


@pytest.fixture
async def web(engine, store):
    async with client_of(engine, store) as client:
        yield client


async def keep(store, number=1, **changes):
    """Commit an incident with a line of timeline, one result and one notice."""
    kept = incident(number, **changes)
    cell = ESTATE.cells()[0]
    evidence = Evidence(
        message="got 503",
        address="127.0.0.1:9101",
        status=503,
        status_line="HTTP/1.1 503 Service Unavailable",
        headers=(("X-Note", SCRIPT),),
        body=f"<h1>Oops</h1>{SCRIPT}",
        certificate=CERTIFICATE,
        warnings=(SCRIPT,),
    )
    seen = result(cell, Outcome.FAIL, id=f"result-{number}", evidence=evidence)
    notice = Notice(
        id=f"notice-{number}",
        incident_id=kept.id,
        channel="pager",
        action=Action.TRIGGER,
        seq=1,
        key=f"key-{number}",
        dedup_key=f"i:{kept.id}",
        message=Message("CRM is down", (), kept),
        created_at=NINE,
        due_at=NINE,
        last_error=SCRIPT,
    )
    opened = event(kept, text=f"Opened {SCRIPT}")
    change = Change(incident=kept, events=(opened,), evidence=(seen,), notices=(notice,))
    await store.commit(change)
    return kept


async def move(store, old, **changes):
    """Commit the next version of an incident."""
    new = replace(old, version=old.version + 1, **changes)
    await store.commit(Change(incident=new, was_version=old.version))
    return new


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["error"]


# --------------------------------------------------------------------------- health and figures


async def test_healthz_says_that_the_process_lives(web):
    answer = await web.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_healthz_gives_the_reason_of_a_stall(web, engine):
    engine.stuck = "no tick for 12 s"
    answer = await web.get("/healthz")
    assert answer.status_code == 503
    assert error_of(answer) == {"code": "stalled", "message": "no tick for 12 s"}


async def test_readyz_gives_every_reason(web, engine):
    assert (await web.get("/readyz")).json() == {"status": "ready"}
    engine.reasons = ("no vantage is healthy", "the store cannot be written")
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert error_of(answer)["details"] == list(engine.reasons)


async def test_metrics_come_as_text_by_default(web):
    answer = await web.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "monitor_blind 0.0" in answer.text


async def test_metrics_come_as_openmetrics_when_asked_for(web):
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    answer = await web.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert list(text_string_to_metric_families(answer.text))


async def test_cautions_are_on_the_overview_escaped_and_leave_the_monitor_ready(engine, store):
    async with client_of(engine, store, cautions=(f"Mon 7 Feb: {SCRIPT}",)) as web:
        page = (await web.get("/")).text
        assert (await web.get("/readyz")).status_code == 200
    assert "The support calendar should be looked at" in page
    assert "Mon 7 Feb: &lt;script&gt;" in page
    assert "cannot be relied on" not in page


async def test_without_cautions_the_overview_does_not_speak_of_the_calendar(web):
    assert "calendar" not in (await web.get("/")).text


# --------------------------------------------------------------------------- reading the API


async def test_services_are_told_as_the_engine_sees_them(web, engine):
    failing = CheckState("sign-in", Need.BLOCKING, "declared", Impact.ALL, ("acme",))
    engine.states = (service_state("crm", Impact.ALL, checks=(failing,), incidents=(3,)),)
    (service,) = (await web.get("/api/v1/services")).json()["services"]
    assert service["name"] == "crm"
    assert service["impact"] == "all"
    assert service["since"] == {"after": "2026-11-23T08:59:52Z", "before": "2026-11-23T09:00:00Z"}
    assert service["checks"][0]["failing"] == ["acme"]
    assert service["incidents"] == [3]


async def test_a_service_in_maintenance_says_until_when_and_why(web, engine):
    engine.states = (service_state("crm", maintenance=UPGRADE), service_state("sites"))
    crm, sites = (await web.get("/api/v1/services")).json()["services"]
    assert sites["maintenance"] is None
    assert crm["maintenance"] == {
        "name": "upgrade",
        "until": "2026-11-23T09:00:00Z",
        "reason": SCRIPT,
        "scope": "checks sign-in",
    }


async def test_incidents_are_listed_newest_first_and_by_pages(web, store):
    for number in range(1, 6):
        await keep(store, number)
    first = (await web.get("/api/v1/incidents?limit=2")).json()
    assert [i["number"] for i in first["incidents"]] == [5, 4]
    assert first["next_before"] == 4
    rest = (await web.get("/api/v1/incidents?limit=3&before=4")).json()
    assert [i["number"] for i in rest["incidents"]] == [3, 2, 1]
    assert rest["next_before"] is None


async def test_incidents_can_be_asked_for_by_state(web, store):
    await keep(store, 1)
    second = await keep(store, 2)
    await move(store, second, state=IncidentState.RESOLVED, resolved_at=NINE)
    resolved = (await web.get("/api/v1/incidents?state=resolved")).json()["incidents"]
    assert [i["number"] for i in resolved] == [2]
    opened = (await web.get("/api/v1/incidents?state=open")).json()["incidents"]
    assert [i["number"] for i in opened] == [1]


async def test_one_incident_comes_with_timeline_evidence_and_notices(web, store):
    await keep(store, 1)
    told = (await web.get("/api/v1/incidents/1")).json()
    assert told["url"] == f"{PUBLIC}/incidents/1"
    assert told["respond_by"] == "2026-11-23T11:00:10Z"
    assert told["errors"][0]["message"] == f"got 503 {SCRIPT}"
    assert told["timeline"][0]["kind"] == "opened"
    assert told["evidence"][0]["evidence"]["status_line"] == "HTTP/1.1 503 Service Unavailable"
    assert told["evidence"][0]["cell"]["target"] == "acme"
    assert told["notices"][0]["channel"] == "pager"
    assert told["notices"][0]["state"] == "pending"


@pytest.mark.parametrize("path", ["/api/v1/incidents/9", "/incidents/9", "/nowhere"])
async def test_what_is_not_there_is_refused_in_json(web, path):
    answer = await web.get(path)
    assert answer.status_code == 404
    assert error_of(answer)["message"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("state=broken", "query.state"),
        ("before=x", "query.before"),
        ("before=99999999999999999999", "query.before"),
    ],
)
async def test_a_malformed_query_is_refused_by_name(web, query, named):
    answer = await web.get(f"/api/v1/incidents?{query}")
    assert answer.status_code == 422
    assert named in error_of(answer)["message"]


async def test_a_wrong_method_is_refused_in_json(web):
    answer = await web.delete("/api/v1/services")
    assert answer.status_code == 405
    assert error_of(answer)["code"] == "method_not_allowed"


# --------------------------------------------------------------------------- acknowledging


async def taken(web, number=1, *, headers=AUTHORISED, json=None):
    return await web.post(
        f"/api/v1/incidents/{number}/acknowledge",
        headers=headers,
        json={"by": "Duty Engineer"} if json is None else json,
    )


async def test_an_acknowledgement_names_the_person_and_is_committed(web, store):
    await keep(store, 1)
    answer = await taken(web)
    assert answer.status_code == 200
    assert answer.json()["state"] == "acknowledged"
    record = await store.incident(1)
    assert record.incident.acknowledged_by == "Duty Engineer"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {'x' * 5}"},
        {"Authorization": "Bearer "},
        {"Authorization": b"Bearer t\xf8ken"},
    ],
)
async def test_without_the_token_nothing_is_acknowledged(web, store, headers):
    await keep(store, 1)
    answer = await taken(web, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "api_token" in error_of(answer)["message"]
    assert (await store.incident(1)).incident.state is IncidentState.OPEN


async def test_without_a_configured_token_the_remedy_is_told(engine, store):
    async with client_of(engine, store, token=None) as web:
        answer = await taken(web)
    assert answer.status_code == 403
    assert "set api_token" in error_of(answer)["message"]


async def test_an_unknown_incident_cannot_be_acknowledged(web):
    answer = await taken(web, 9)
    assert answer.status_code == 404
    assert error_of(answer)["message"] == "There is no incident #9."


async def test_a_second_acknowledgement_is_told_who_was_first(web, store):
    await keep(store, 1)
    await taken(web)
    answer = await taken(web, json={"by": "Someone Else"})
    assert answer.status_code == 409
    assert "acknowledged by Duty Engineer" in error_of(answer)["message"]


async def test_a_resolved_incident_cannot_be_acknowledged(web, store):
    kept = await keep(store, 1)
    await move(store, kept, state=IncidentState.RESOLVED, resolved_at=NINE)
    answer = await taken(web)
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "already_resolved"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "body.by: Field required"),
        ({"by": "  "}, "body.by"),
        ({"by": "a" * 101}, "body.by"),
        ({"by": "line\nbreak"}, "body.by"),
        ({"by": 7}, "body.by"),
        ({"by": "x", "state": "resolved"}, "body.state"),
        ([], "body"),
    ],
)
async def test_an_acknowledgement_without_a_name_is_told_what_is_missing(web, store, body, named):
    await keep(store, 1)
    answer = await taken(web, json=body)
    assert answer.status_code == 422
    assert named in error_of(answer)["message"]
    assert (await store.incident(1)).incident.state is IncidentState.OPEN


async def test_what_was_sent_is_not_repeated_in_a_refusal(web):
    answer = await taken(web, json={"by": {"password": "hunter2"}})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


async def test_a_large_body_is_refused_even_without_a_declared_length(web):
    async def endless():
        for _ in range(100):
            yield b"x" * 1000

    headers = AUTHORISED | {"Content-Type": "application/json"}
    path = "/api/v1/incidents/1/acknowledge"
    for body in (b"x" * 100_000, endless()):
        answer = await web.post(path, headers=headers, content=body)
        assert answer.status_code == 413
        assert error_of(answer)["code"] == "too_large"


# --------------------------------------------------------------------------- pages


async def test_the_overview_shows_services_incidents_timeline_and_vantages(web, engine, store):
    await keep(store, 1)
    engine.states = (
        service_state("crm", Impact.ALL, incidents=(1,)),
        service_state("sites"),
    )
    engine.places = (vantage_state("leeds", healthy=False, reason="control-1 fails"),)
    page = (await web.get("/")).text
    assert "<h1>Down for everyone: Prospect 365 CRM</h1>" in page
    assert "Prospect 365 CRM" in page
    assert "after 2026-11-23 08:59:52 UTC (08:59:52 GMT in London)" in page
    assert "Two rounds failed." in page
    assert 'href="/incidents/1"' in page
    assert "To be answered by" in page
    assert "<strong>opened</strong>" in page
    assert "control-1 fails" in page


async def test_the_overview_says_what_is_in_maintenance(web, engine):
    engine.states = (service_state("crm", maintenance=UPGRADE), service_state("sites"))
    page = (await web.get("/")).text
    assert page.count("in maintenance") == 1
    assert "in maintenance (checks sign-in) until <time" in page
    assert SCRIPT not in page


async def test_the_overview_says_when_all_is_well(web):
    page = (await web.get("/")).text
    assert "<h1>All services are working</h1>" in page
    assert "Nothing has happened yet." in page


async def test_the_overview_says_why_the_monitor_cannot_be_relied_on(web, engine):
    engine.reasons = ("no vantage is healthy",)
    page = (await web.get("/")).text
    assert "The monitor cannot be relied on now" in page
    assert "no vantage is healthy" in page


async def test_the_overview_says_when_recovery_is_being_watched(web, engine, store):
    recovered = Interval(NINE, NINE + timedelta(seconds=30))
    await keep(store, 1, recovered=recovered, watch_until=NINE + timedelta(minutes=10))
    page = (await web.get("/")).text
    assert "Recovered after 2026-11-23 09:00:00 UTC" in page
    assert "watched until" in page


async def test_the_page_renews_itself_unless_asked_not_to(web):
    assert '<meta http-equiv="refresh" content="15">' in (await web.get("/")).text
    assert "http-equiv" not in (await web.get("/?refresh=off")).text


async def test_the_page_of_an_incident_shows_all_that_belongs_to_it(web, store):
    kept = await keep(store, 1)
    note = event(kept, EventKind.NOTED, "Looking into it.", actor="Duty Engineer")
    await store.commit(Change(events=(note,)))
    page = (await web.get("/incidents/1")).text
    assert "HTTP/1.1 503 Service Unavailable" in page
    assert "Looking into it." in page
    assert 'href="https://runbooks.example/sign-in"' in page
    assert "issued by CN=Example CA" in page
    assert "All users of Prospect 365 CRM." in page


async def test_what_was_handed_over_is_shown_until_it_is_accepted(web, store):
    closed = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)
    handover = Handover(closed, closed + timedelta(minutes=15))
    had = {"acknowledged_by": "Robin", "acknowledged_at": closed}
    await keep(store, 1, handover=handover, **had)
    taken = replace(handover, accepted_by="Sam", accepted_at=closed + timedelta(minutes=3))
    await keep(store, 2, subject="v1:sites:all", handover=taken, **had)
    waiting, accepted = [
        re.sub("<[^>]+>", "", (await web.get(f"/incidents/{number}")).text) for number in (1, 2)
    ]
    assert "to be accepted by 2026-11-26 17:15:00 UTC" in waiting
    assert "To accept it: POST /api/v1/incidents/1/acknowledge" in waiting
    assert "To accept it" not in accepted
    assert "accepted by Sam at 2026-11-26 17:03:00 UTC" in accepted
    told = (await web.get("/api/v1/incidents/2")).json()["handover"]
    assert (told["accepted_by"], told["paged_at"]) == ("Sam", None)


async def test_linked_incidents_name_each_other_on_their_pages_and_in_the_api(web, store):
    first, second = incident(1), incident(2, subject="v1:sites:all", title="Sites is down")
    await keep(store, 1, linked=(second.id,))
    await keep(store, 2, title=second.title, linked=(first.id,), paged_with=first.id)
    page = (await web.get("/incidents/1")).text
    assert '<a href="/incidents/2">#2 Sites is down</a> (open)' in page
    assert "shares the page" not in page
    page = (await web.get("/incidents/2")).text
    assert '<a href="/incidents/1">#1 ' in page
    assert 'shares the page of <a href="/incidents/1">#1</a>' in page
    told = (await web.get("/api/v1/incidents/2")).json()
    assert (told["linked"], told["paged_with"]) == ([first.id], first.id)


@pytest.mark.parametrize("path", ["/", "/incidents/1", "/services/crm"])
async def test_markup_from_elsewhere_is_only_ever_shown_escaped(web, engine, store, path):
    await keep(store, 1, title=SCRIPT, scope=SCRIPT, known_by=SCRIPT, acknowledged_by=SCRIPT)
    hostile = CheckState("sign-in", Need.BLOCKING, "declared", Impact.ALL, (SCRIPT,))
    engine.states = (service_state("crm", Impact.ALL, known_by=SCRIPT, checks=(hostile,)),)
    engine.places = (vantage_state(reason=SCRIPT),)
    engine.reasons = (SCRIPT,)
    page = (await web.get(path)).text
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page


async def test_an_evidence_body_is_escaped(web, store):
    await keep(store, 1)
    page = (await web.get("/incidents/1")).text
    assert "&lt;h1&gt;Oops&lt;/h1&gt;&lt;script&gt;" in page
    assert "<h1>Oops" not in page


@pytest.mark.parametrize("path", ["/", "/incidents/1", "/services/crm?span=90d"])
async def test_a_page_has_no_inline_style_or_script_and_loads_nothing_from_elsewhere(
    web, store, path
):
    await keep(store, 1)
    page = (await web.get(path)).text
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r'<link[^>]*href="([^"]*)"', page) == ["/static/monitor.css"]
    assert not re.findall(r'\bsrc="', page)


async def test_a_page_can_be_used_by_keyboard_and_screen_reader(web, store):
    await keep(store, 1)
    page = (await web.get("/")).text
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    assert len(re.findall(r"<h1>", page)) == 1
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(ids)
    assert all("scope=" in tag for tag in re.findall(r"<th\b[^>]*>", page))


async def test_the_style_sheet_serves_light_and_dark(web):
    answer = await web.get("/static/monitor.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "prefers-color-scheme: dark" in answer.text


async def test_the_overview_says_whether_support_is_there_and_how_the_day_went(web, store):
    await store.watch(["crm", "sites"], NINE - timedelta(days=2))
    page = (await web.get("/")).text
    assert "Support is open for 8 h, until 17:00:00." in page
    assert page.count("in the last 24 hours. Working for 1 d.") == 2
    assert page.count("<strong>100 %</strong>") == 2
    assert '<a href="/services/crm">Prospect 365 CRM</a>' in page


async def test_the_overview_says_which_answers_are_late_and_critical_ones_come_first(web, store):
    await keep(store, 1, respond_by=NINE - timedelta(minutes=5))
    await keep(store, 2, subject="v1:sites:all", priority=Priority.STANDARD, title="Sites fail")
    page = (await web.get("/")).text
    assert "<strong>LATE by 5 min</strong>" in page
    assert "<strong>1 answer is late</strong>" in page
    assert " - 1 late - Uptime monitor</title>" in page
    assert page.index("incident-1") < page.index("incident-2")


async def test_the_page_of_a_service_has_what_was_and_what_is(web, engine, store):
    await store.watch(["crm"], NINE - timedelta(days=2))
    cell = ESTATE.cells()[0]
    seen = [result(cell, id=f"r{m}", at=NINE - timedelta(minutes=m)) for m in range(1, 60)]
    await store.record(seen)
    fails = CellState(cell.key, Outcome.FAIL, FailureKind.STATUS)
    engine.cells = (fails, *engine.cells[1:])
    await keep(store, 1, reported_at=NINE - timedelta(hours=1))
    page = (await web.get("/services/crm")).text
    assert "<h1>Prospect 365 CRM: working</h1>" in page
    assert "1 of 4 cells fail. A mark is one cell." in page
    assert 'aria-label="acme fails (status)"' in page
    assert "0 of 59 probes failed." in page
    assert '<a href="/incidents/1">#1 ' in page
    assert '<a href="https://runbooks.example/sign-in" rel="noreferrer">' in page
    assert 'aria-current="page">24 hours</a>' in page
    assert 'href="?span=24h&amp;refresh=off"' in page


@pytest.mark.parametrize("span", ["24h", "7d", "90d"])
async def test_the_page_of_a_service_keeps_its_span(web, span):
    page = (await web.get(f"/services/crm?span={span}&refresh=off")).text
    assert f'href="?span={span}&amp;refresh=on"' in page
    assert "http-equiv" not in page


async def test_days_are_read_once_a_minute_and_the_last_day_always(engine, store):
    asked, now = [], [NINE]

    class Counting:
        def __getattr__(self, name):
            return getattr(store, name)

        async def check_history(self, service, since, until, width):
            asked.append(width)
            return await store.check_history(service, since, until, width)

    clock = Clock(lambda: now[0], lambda: 100.0)
    async with client_of(engine, Counting(), clock=clock) as web:
        for at in (NINE, NINE + timedelta(seconds=59), NINE + timedelta(seconds=60)):
            now[0] = at
            for span in ("24h", "90d"):
                assert (await web.get(f"/services/crm?span={span}")).status_code == 200
    assert asked == [1200, 86400, 1200, 1200, 86400]


async def test_a_span_that_is_none_is_refused_by_name(web):
    answer = await web.get("/services/crm?span=1y")
    assert answer.status_code == 422
    assert "query.span" in error_of(answer)["message"]


async def test_what_is_not_there_is_a_page_for_a_browser_and_json_for_a_program(web):
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path in ("/services/nope", "/incidents/9", f"/services/{quote(SCRIPT, safe='')}"):
        page = await web.get(path, headers=browser)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "<h1>There is no such page</h1>" in page.text
        assert "<script" not in page.text
        assert error_of(await web.get(path))["message"]
    assert error_of(await web.get("/api/v1/incidents/9", headers=browser))["code"]


async def test_a_page_that_needs_the_store_says_that_it_cannot_be_read(engine):
    async with client_of(engine, BrokenStore()) as web:
        answer = await web.get("/services/crm", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "The store cannot be read now" in answer.text
    assert "/secret/place" not in answer.text


async def test_the_page_of_an_incident_of_what_is_watched_no_more_has_no_pictures(web, store):
    await keep(store, 1, service="gone")
    answer = await web.get("/incidents/1")
    assert answer.status_code == 200
    assert "Around it" not in answer.text


async def test_an_incident_of_a_clock_that_was_set_back_is_still_shown(web, store):
    later = NINE + timedelta(days=2000)
    began = Interval(later - timedelta(seconds=8), later)
    await keep(store, 1, began=began, detected_at=later, reported_at=later)
    assert (await web.get("/incidents/1")).status_code == 200


async def test_pages_are_drawn_beside_the_event_loop(engine, store):
    """With 10,000 cells drawing takes a while, in which the loop must turn."""
    threads = set()
    async with client_of(engine, store) as web:
        drawn = rendering.page

        def seen(name, **values):
            threads.add(threading.current_thread())
            return drawn(name, **values)

        with pytest.MonkeyPatch.context() as patch:
            for module in (overview, service_page, incident_page):
                patch.setattr(module, "page", seen)
            await keep(store, 1)
            for path in ("/", "/services/crm", "/incidents/1"):
                assert (await web.get(path)).status_code == 200
    assert threads
    assert threading.main_thread() not in threads


# --------------------------------------------------------------------------- always


@pytest.mark.parametrize(
    "path", ["/", "/incidents/1", "/api/v1/services", "/metrics", "/healthz", "/nowhere"]
)
async def test_every_answer_is_protected(web, path):
    answer = await web.get(path)
    for name, value in PROTECTION.items():
        assert answer.headers[name] == value
    assert "'unsafe" not in answer.headers["content-security-policy"]


async def test_a_broken_store_is_told_without_its_place_and_states_are_still_shown(engine):
    async with client_of(engine, BrokenStore()) as web:
        answer = await web.get("/api/v1/incidents")
        page = await web.get("/")
        services = await web.get("/api/v1/services")
    assert answer.status_code == 503
    assert error_of(answer)["code"] == "store_unavailable"
    assert "/secret/place" not in answer.text
    assert page.status_code == 200
    assert "The store cannot be read" in page.text
    assert services.status_code == 200


async def test_an_unforeseen_fault_is_told_without_its_text_and_protected(engine, store):
    def burst():
        raise RuntimeError("private detail")

    engine.services = burst
    async with client_of(engine, store) as web:
        answer = await web.get("/api/v1/services")
    assert answer.status_code == 500
    assert error_of(answer)["code"] == "failed"
    assert "private detail" not in answer.text
    assert answer.headers["content-security-policy"] == PROTECTION["Content-Security-Policy"]


async def test_the_schema_describes_every_answer_and_the_token(web):
    schema = (await web.get("/api/v1/openapi.json")).json()
    paths = {path for path in schema["paths"] if path.startswith("/api/")}
    assert paths == {
        "/api/v1/services",
        "/api/v1/services/{name}/history",
        "/api/v1/services/{name}/cells/{check}/{target}/{vantage}/history",
        "/api/v1/incidents",
        "/api/v1/incidents/{number}",
        "/api/v1/incidents/{number}/acknowledge",
        "/api/v1/figures",
        "/api/v1/explain",
        "/api/v1/incidents/{number}/resolve",
        "/api/v1/incidents/{number}/false-alarm",
        "/api/v1/incidents/{number}/note",
        "/api/v1/incidents/{number}/silence",
        "/api/v1/incidents/{number}/unsilence",
        "/api/v1/reports",
        "/api/v1/reports/{reference}",
        "/api/v1/heartbeats/{name}",
        "/api/v1/notices",
        "/api/v1/notices/redrive",
        "/api/v1/notices/resume",
    }
    figures = schema["paths"]["/api/v1/figures"]["get"]
    assert {"200", "401", "403", "422"} <= figures["responses"].keys()
    assert figures["security"] == [{"HTTPBearer": []}]
    post = schema["paths"]["/api/v1/incidents/{number}/acknowledge"]["post"]
    assert {"200", "401", "403", "404", "409"} <= post["responses"].keys()
    assert post["security"] == [{"HTTPBearer": []}]
    for shape in schema["components"]["schemas"].values():
        assert shape.get("description"), shape["title"]


async def test_there_are_no_pages_that_load_scripts_from_elsewhere(web):
    for path in ("/docs", "/redoc"):
        assert (await web.get(path)).status_code == 404


def test_instants_are_shown_in_utc_and_in_londons_time():
    july = NINE.replace(month=7)
    assert both_times(NINE) == "2026-11-23 09:00:00 UTC (09:00:00 GMT in London)"
    assert both_times(july) == "2026-07-23 09:00:00 UTC (10:00:00 BST in London)"
    late = july.replace(hour=23, minute=30)
    assert both_times(late) == "2026-07-23 23:30:00 UTC (2026-07-24 00:30:00 BST in London)"


def test_an_interval_without_a_beginning_says_so():
    assert interval_words(Interval(None, NINE)).startswith("at or before 2026-11-23 09:00:00 UTC")


# --------------------------------------------------------------------------- figures


FIGURES = "/api/v1/figures"


async def asked_for(web, month, **more):
    return await web.get(FIGURES, params={"month": month}, **({"headers": AUTHORISED} | more))


async def test_the_figures_of_a_month_are_those_that_the_command_line_tells(web, store):
    times = {"reported_at": NINE - timedelta(seconds=90), "acknowledged_at": NINE}
    await keep(store, 1, **times)
    answer = await asked_for(web, "2026-11")
    figures = answer.json()
    assert answer.status_code == 200
    now = CLOCK.wall()
    stored = await stored_figures(store, ESTATE, "Europe/London", month_named("2026-11"), now)
    assert figures == stored
    assert figures["sha256"] == sha256_of(figures)
    assert [each["service"] for each in figures["services"]] == ["crm", "sites"]
    assert figures["incidents"]["in_hours"]["to_acknowledge"]["max"] == 90
    assert (figures["running"], figures["until"]) == (True, "2026-11-23T09:00:00Z")


async def test_a_month_that_nobody_watched_has_no_uptime(web):
    (crm, _) = (await asked_for(web, "2026-10")).json()["services"]
    assert (crm["uptime_percent"], crm["unobserved_seconds"]) == (None, crm["seconds"])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_the_figures_need_the_token(web, headers):
    answer = await asked_for(web, "2026-11", headers=headers)
    assert answer.status_code == 401
    assert "api_token" in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("November", "month: 'November' is no month: write the year and the month, as 2026-11."),
        ("2027-01", "month: 2027-01 has not begun: ask for a month that has."),
    ],
)
async def test_a_mistaken_month_is_refused_with_a_remedy(web, month, said):
    answer = await asked_for(web, month)
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_month")
    assert error_of(answer)["message"] == said


async def test_no_month_at_all_is_refused(web):
    answer = await web.get(FIGURES, headers=AUTHORISED)
    assert (answer.status_code, error_of(answer)["details"]) == (
        422,
        ["query.month: Field required"],
    )
