"""What people do with an incident over the API, on its page and by link; engine and store real."""

import pytest

from monitor.model import Handover, IncidentState
from monitor.net.links import Links
from monitor.net.secret import Secret
from monitor.store import StoreError
from monitor.web.acting import MOVES, SIGN_INS_PER_HOUR
from monitor.web.answers import PROTECTION
from monitor.web.sessions import LASTS
from tests.acting_fixtures import LINKS, OURS, TOKEN, error_of, marks, site_on

SCRIPT = "<script>alert('x')</script>"
SILENCE = {"by": "Robin", "reason": f"upgrade {SCRIPT}", "minutes": 90}
BODIES = {
    "acknowledge": {"by": "Robin"},
    "resolve": {"by": "Robin"},
    "false-alarm": {"by": "Robin"},
    "note": {"by": "Robin", "text": "Restarted the pool."},
    "silence": SILENCE,
    "unsilence": {"by": "Robin"},
}


@pytest.fixture
async def site(sqlite_url):
    async with site_on(sqlite_url) as one:
        await one.opens()
        yield one


@pytest.fixture
async def signed_in(site):
    await site.signs_in("Robin")
    return site


# --------------------------------------------------------------------------- the API


async def test_a_note_is_in_the_timeline_and_changes_nothing_else(site):
    before = await site.incident()
    answer = await site.api("note", {"by": "Robin", "text": f" Pool {SCRIPT}\nrestarted "})
    assert answer.status_code == 200
    assert await site.timeline() == [("noted", "Robin", f"Pool {SCRIPT}\nrestarted")]
    assert await site.incident() == before


async def test_a_resolved_incident_takes_notes(site):
    await site.api("resolve", {"by": "Robin"})
    answer = await site.api("note", {"by": "Sam", "text": "It was the pool."})
    assert (answer.status_code, answer.json()["state"]) == (200, "resolved")
    assert (await site.timeline())[-1] == ("noted", "Sam", "It was the pool.")


async def test_a_silence_says_by_whom_why_and_until_when_everywhere(site):
    answer = await site.api("silence", SILENCE)
    told = {
        "by": "Robin",
        "reason": SILENCE["reason"],
        "since": "2026-11-29T03:00:00Z",
        "until": "2026-11-29T04:30:00Z",
    }
    assert answer.json()["silenced"] == told
    listed = (await site.program.get("/api/v1/incidents")).json()["incidents"]
    assert listed[0]["silenced"] == told
    for path in ("/", "/incidents/1"):
        page = (await site.browser.get(path)).text
        assert "by Robin until" in page
        assert "2026-11-29 04:30:00 UTC" in page
        assert "upgrade &lt;script&gt;" in page


async def test_a_silence_is_ended_by_a_person(site):
    await site.api("silence", SILENCE)
    answer = await site.api("unsilence", {"by": "Sam"})
    assert answer.json()["silenced"] is None
    assert [kind for kind, *_ in await site.timeline()] == ["silenced", "silence_over"]


async def test_what_is_not_silenced_cannot_be_told_of_again(site):
    answer = await site.api("unsilence", {"by": "Sam"})
    assert (answer.status_code, error_of(answer)["code"]) == (409, "not_silenced")


async def test_a_false_alarm_resolves_and_is_counted(site):
    answer = await site.api("false-alarm", {"by": "Robin"})
    told = answer.json()
    assert (told["state"], told["resolved_by"], told["false_alarm"]) == ("resolved", "Robin", True)
    labels = {"service": "crm", "priority": "critical"}
    assert site.made.metric("monitor_false_alarms_total", **labels) == 1


async def test_the_flag_of_resolve_counts_the_same_and_a_plain_one_does_not(site):
    await site.opens(2)
    await site.api("resolve", {"by": "Robin", "false_alarm": True})
    await site.api("resolve", {"by": "Robin"}, number=2)
    labels = {"service": "crm", "priority": "critical"}
    assert site.made.metric("monitor_false_alarms_total", **labels) == 1


@pytest.mark.parametrize("move", ["resolve", "false-alarm"])
async def test_what_the_probes_still_see_cannot_be_ended(site, move):
    await site.opens(2, subject="v1:crm:all")
    site.fails_still(await site.incident(2))
    answer = await site.api(move, {"by": "Robin"}, number=2)
    assert (answer.status_code, error_of(answer)["code"]) == (409, "still_failing")
    assert site.made.metric("monitor_false_alarms_total", service="crm", priority="critical") == 0


async def test_acting_needs_the_token(site):
    before = await site.store.incident(1)
    for move, body in BODIES.items():
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await site.api(move, body, headers=headers)).status_code == 401
    assert await site.store.incident(1) == before


async def test_acting_on_what_is_not_there_is_404(site):
    for move, body in BODIES.items():
        answer = await site.api(move, body, number=9)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_incident")


async def test_a_resolved_incident_allows_nothing_but_notes(site):
    await site.api("resolve", {"by": "Robin"})
    for move in BODIES.keys() - {"note"}:
        answer = await site.api(move, BODIES[move])
        assert (answer.status_code, error_of(answer)["code"]) == (409, "already_resolved")


async def test_what_is_mistaken_is_named(site):
    for move, changes, named in (
        ("note", {"text": "  "}, "body.text"),
        ("note", {"text": "x" * 4001}, "body.text"),
        ("note", {"text": "bell \x07"}, "body.text"),
        ("note", {"by": "two\nlines"}, "body.by"),
        ("silence", {"minutes": 0}, "body.minutes"),
        ("silence", {"minutes": 481}, "body.minutes"),
        ("silence", {"minutes": 1.5}, "body.minutes"),
        ("silence", {"reason": ""}, "body.reason"),
        ("silence", {"reason": "two\nlines"}, "body.reason"),
        ("unsilence", {"by": ""}, "body.by"),
        ("false-alarm", {"more": 1}, "body.more"),
    ):
        answer = await site.api(move, BODIES[move] | changes)
        assert answer.status_code == 422
        assert named in error_of(answer)["message"]
    assert await site.timeline() == []


# --------------------------------------------------------------------------- signing in


async def test_whoever_is_not_signed_in_is_offered_to_and_sees_no_form_that_acts(site):
    page = (await site.page()).text
    assert '<a href="?refresh=off">Sign in to act on it</a>' in page
    still = (await site.page(query="?refresh=off")).text
    assert 'action="/session"' in still
    assert "http-equiv" not in still
    assert 'action="/incidents/1/' not in page + still


async def test_a_session_is_a_cookie_for_this_host_alone_for_half_a_day(site):
    answer = await site.signs_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-monitor=")
    said = {each.strip().lower() for each in cookie.split(";")[1:]}
    assert said == {"httponly", "secure", "samesite=strict", "path=/", "max-age=43200"}
    assert TOKEN not in cookie


async def test_without_https_the_cookie_is_not_bound_to_it(sqlite_url):
    async with site_on(sqlite_url, public_url="http://127.0.0.1:8365") as site:
        await site.opens()
        ours = {"Origin": "http://127.0.0.1:8365"}
        answer = await site.send("/session", ours, incident=1, by="Robin", token=TOKEN)
        assert "secure" not in answer.headers["set-cookie"].lower()
        assert "Act as Robin" in (await site.page()).text


async def test_a_wrong_token_signs_nobody_in(site):
    answer = await site.signs_in(token="wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "This is not the API token." in answer.text
    assert 'action="/session"' in answer.text


async def test_tokens_cannot_be_tried_at_will(site):
    for _ in range(SIGN_INS_PER_HOUR):
        await site.signs_in(token="wrong")
    answer = await site.signs_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    site.watch.passes(120)
    assert (await site.signs_in()).status_code == 303


async def test_a_name_is_needed(site):
    answer = await site.signs_in(by="  ")
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


async def test_a_session_ends_by_itself(signed_in):
    assert "Act as Robin" in (await signed_in.page()).text
    signed_in.watch.passes(LASTS.total_seconds())
    assert "Act as" not in (await signed_in.page()).text


async def test_and_when_one_signs_out(signed_in):
    answer = await signed_in.send("/session/end", incident=1)
    assert answer.status_code == 303
    assert "Act as" not in (await signed_in.page()).text


async def test_a_cookie_that_was_altered_is_none(signed_in):
    (cookie,) = signed_in.browser.cookies.jar
    for altered in (cookie.value[:-1] + "x", "x" + cookie.value, "", ".", "x.y"):
        signed_in.browser.cookies.clear()
        headers = {"Cookie": f"{cookie.name}={altered}"}
        page = await signed_in.browser.get("/incidents/1", headers=headers)
        assert "Act as" not in page.text


async def test_a_token_that_is_changed_ends_every_session(sqlite_url):
    async with site_on(sqlite_url) as site:
        await site.opens()
        await site.signs_in()
        (cookie,) = site.browser.cookies.jar
    async with site_on(sqlite_url, token="another") as site:
        headers = {"Cookie": f"{cookie.name}={cookie.value}"}
        page = await site.browser.get("/incidents/1", headers=headers)
        assert "Act as" not in page.text


async def test_signing_in_leads_to_an_incident_and_nowhere_else(site):
    for incident in ("", "x", "-1", "https://evil.example", "1" * 30):
        answer = await site.send("/session", incident=incident, by="Robin", token=TOKEN)
        assert answer.status_code == 422


async def test_without_a_token_in_the_configuration_nobody_acts(sqlite_url):
    async with site_on(sqlite_url, token=None) as site:
        await site.opens()
        page = await site.page()
        assert "<form" not in page.text
        assert page.headers["content-security-policy"] == PROTECTION["Content-Security-Policy"]
        for path in ("/session", "/session/end", "/incidents/1/acknowledge"):
            answer = await site.send(path, incident=1, by="Robin", token="")
            assert (answer.status_code, error_of(answer)["code"]) == (403, "no_token_configured")


# --------------------------------------------------------------------------- the page


async def test_the_page_may_send_its_forms_here_runs_no_script_and_holds_still(signed_in):
    page = await signed_in.page()
    policy = page.headers["content-security-policy"]
    assert "form-action 'self'" in policy
    assert "default-src 'none'" in policy
    assert page.headers["referrer-policy"] == "same-origin"
    assert "http-equiv" not in page.text
    assert "http-equiv" in (await signed_in.page(query="?refresh=on")).text
    assert (
        "form-action 'none'"
        in (await signed_in.browser.get("/")).headers["content-security-policy"]
    )


async def test_every_form_that_acts_carries_the_mark_of_the_session(signed_in):
    await signed_in.api("silence", SILENCE)
    page = await signed_in.page()
    for move in MOVES:
        assert f'action="/incidents/1/{move}"' in page.text
    assert len(marks(page)) == len(MOVES)
    assert len(set(marks(page))) == 1


async def test_a_person_acknowledges_notes_and_resolves(signed_in):
    for move, fields in (("acknowledge", {}), ("note", {"text": "Pool.\r\nUp."}), ("resolve", {})):
        answer = await signed_in.does(move, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/1")
    assert await signed_in.timeline() == [
        ("acknowledged", "Robin", "Acknowledged by Robin."),
        ("noted", "Robin", "Pool.\r\nUp."),
        ("resolved", "Robin", "Resolved by Robin."),
    ]
    page = (await signed_in.page()).text
    assert 'action="/incidents/1/note"' in page
    assert 'action="/incidents/1/resolve"' not in page


async def test_a_person_silences_and_ends_it(signed_in):
    await signed_in.does("silence", reason="known", minutes="90")
    silenced = (await signed_in.incident()).silenced
    assert (silenced.by, silenced.reason) == ("Robin", "known")
    assert (silenced.until - silenced.since).total_seconds() == 5400
    await signed_in.does("unsilence")
    assert (await signed_in.incident()).silenced is None


async def test_a_person_calls_a_false_alarm(signed_in):
    await signed_in.does("false-alarm")
    assert (await signed_in.incident()).false_alarm


async def test_the_name_is_that_of_the_session_whatever_a_form_says(signed_in):
    await signed_in.does("acknowledge", by="Mallory")
    assert (await signed_in.incident()).acknowledged_by == "Robin"


async def test_what_is_refused_is_said_on_the_page(signed_in):
    for move, fields, status in (
        ("note", {"text": " "}, 422),
        ("note", {}, 422),
        ("silence", {"reason": "known", "minutes": "481"}, 422),
        ("silence", {"reason": "known", "minutes": "x"}, 422),
        ("silence", {"reason": "", "minutes": "5"}, 422),
        ("unsilence", {}, 409),
    ):
        answer = await signed_in.does(move, **fields)
        assert answer.status_code == status
        assert "That was not done" in answer.text
    assert await signed_in.timeline() == []


async def test_what_the_probes_still_see_is_said_on_the_page(signed_in):
    await signed_in.opens(2, subject="v1:crm:all")
    signed_in.fails_still(await signed_in.incident(2))
    answer = await signed_in.does("resolve", number=2)
    assert answer.status_code == 409
    assert "it resolves by itself once they pass" in answer.text


async def test_a_form_without_the_mark_changes_nothing(signed_in):
    for mark in ("", "wrong", "ø"):
        answer = await signed_in.does("acknowledge", mark=mark)
        assert answer.status_code == 403
        assert "not of your session" in answer.text
    assert await signed_in.timeline() == []


async def test_the_mark_of_another_session_is_none(signed_in):
    (other,) = set(marks(await signed_in.page()))
    await signed_in.signs_in("Sam")
    assert (await signed_in.does("acknowledge", mark=other)).status_code == 403


async def test_a_form_on_a_page_of_somebody_else_changes_nothing(signed_in):
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://monitor.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ):
        answer = await signed_in.does("acknowledge", headers=headers)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "foreign_form")
        for path in ("/session", "/session/end", f"/acknowledge/{await token_for(signed_in)}"):
            sent = await signed_in.send(path, headers, incident=1, by="Robin", token=TOKEN)
            assert sent.status_code == 403
    assert await signed_in.timeline() == []


async def test_a_form_without_a_session_changes_nothing(site):
    answer = await site.send("/incidents/1/acknowledge", mark="")
    assert answer.status_code == 401
    assert "You are not signed in" in answer.text
    assert await site.timeline() == []


async def test_a_form_that_is_not_there_is_404(signed_in):
    assert (await signed_in.send("/incidents/1/nothing")).status_code == 404


async def test_a_form_for_what_is_not_there_is_404(signed_in):
    (mark,) = set(marks(await signed_in.page()))
    assert (await signed_in.send("/incidents/9/acknowledge", mark=mark)).status_code == 404


# --------------------------------------------------------------------------- by link


async def token_for(site, number=1, links=LINKS):
    return links.token((await site.incident(number)).id, site.watch.at)


async def test_to_open_a_link_shows_the_incident_and_changes_nothing(site):
    before = await site.store.incident(1)
    page = await site.browser.get(f"/acknowledge/{await token_for(site)}")
    assert page.status_code == 200
    assert "<h1>#1 CRITICAL CRM is down for all users</h1>" in page.text
    assert 'name="by"' in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert await site.store.incident(1) == before


async def test_its_form_acknowledges_in_the_name_that_was_typed(site):
    answer = await site.send(f"/acknowledge/{await token_for(site)}", by=" Robin ")
    assert answer.status_code == 200
    assert "Acknowledged by Robin." in answer.text
    assert await site.timeline() == [("acknowledged", "Robin", "Acknowledged by Robin.")]


async def test_a_link_asks_again_for_a_name(site):
    answer = await site.send(f"/acknowledge/{await token_for(site)}", by=" ")
    assert answer.status_code == 422
    assert "Type your name" in answer.text
    assert 'name="by"' in answer.text
    assert await site.timeline() == []


async def refused(site, token):
    """The status and text of opening a link and sending its form, which must be alike."""
    before = await site.store.incident(1)
    opened = await site.browser.get(f"/acknowledge/{token}")
    sent = await site.send(f"/acknowledge/{token}", by="Mallory")
    assert (opened.status_code, opened.text) == (sent.status_code, sent.text)
    assert "<form" not in sent.text
    assert await site.store.incident(1) == before
    return sent.status_code, sent.text


async def test_a_wrong_link_is_404(site):
    token = await token_for(site)
    for wrong in (token[:-1] + "x", "x", SCRIPT.replace("/", "")):
        status, text = await refused(site, wrong)
        assert status == 404
        assert "This link is not valid" in text
        assert SCRIPT not in text


async def test_an_expired_link_is_410(site):
    token = await token_for(site)
    site.watch.passes(LINKS.lasts.total_seconds())
    assert (await refused(site, token))[0] == 410


async def test_a_link_of_another_key_or_another_monitor_is_404(site):
    other = Links(Secret("another key for links, as long"))
    assert (await refused(site, await token_for(site, links=other)))[0] == 404
    foreign = LINKS.token("01JDC000000000000000000099", site.watch.at)
    assert (await refused(site, foreign))[0] == 404


async def test_what_somebody_has_already_is_409_and_says_who(site):
    token = await token_for(site)
    await site.api("acknowledge", {"by": "Sam"})
    status, text = await refused(site, token)
    assert status == 409
    assert "Incident #1 was acknowledged by Sam." in text


async def test_a_link_answers_once(site):
    token = await token_for(site)
    await site.send(f"/acknowledge/{token}", by="Robin")
    assert (await refused(site, token))[0] == 409


async def test_what_is_resolved_is_409(site):
    token = await token_for(site)
    await site.api("resolve", {"by": "Sam"})
    status, text = await refused(site, token)
    assert status == 409
    assert "is resolved already" in text


async def test_what_was_handed_over_is_accepted_by_link(site):
    closed_at = site.watch.at
    await site.opens(
        2,
        state=IncidentState.ACKNOWLEDGED,
        acknowledged_by="Sam",
        acknowledged_at=closed_at,
        handover=Handover(closed_at, closed_at),
    )
    answer = await site.send(f"/acknowledge/{await token_for(site, 2)}", by="Robin")
    assert answer.status_code == 200
    assert (await site.incident(2)).handover.accepted_by == "Robin"


async def test_without_a_key_there_are_no_links(sqlite_url):
    async with site_on(sqlite_url, links=None) as site:
        await site.opens()
        status, text = await refused(site, await token_for(site))
        assert status == 404
        assert "link_key" in text


async def test_a_broken_store_is_told(site, monkeypatch):
    async def refuse(*_):
        raise StoreError("disk gone")

    monkeypatch.setattr(type(site.store), "named_incidents", refuse)
    answer = await site.browser.get(f"/acknowledge/{LINKS.token('1', site.watch.at)}")
    assert answer.status_code == 503


async def test_what_acts_over_the_api_heeds_no_cookie(signed_in):
    answer = await signed_in.browser.post(
        "/api/v1/incidents/1/acknowledge", json={"by": "Robin"}, headers=OURS
    )
    assert answer.status_code == 401
