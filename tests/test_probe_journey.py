"""The journey probe over real sockets: what it carries along, and what it leaves."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model import Cell, FailureKind, Outcome, Target
from monitor.net.secret import Secret
from monitor.probes import PROBES, Ask, Means
from monitor.probes.assertions import Expect
from monitor.probes.captures import Capture
from monitor.probes.steps import JourneyOptions, JourneyStep
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.probe_fixtures import cell_for

SET = "set-cookie"


@pytest.fixture
async def net():
    async with made_net(secrets=("hunter2",)) as made:
        yield made


@pytest.fixture
async def server():
    async with http_server() as running:
        yield running


def step(name, url="/", **fields):
    return JourneyStep(name, url, **fields)


def cell_of(url, *steps, canary=False, **fields):
    options = JourneyOptions(url, tuple(steps), **fields)
    return cell_for("journey", options, url, "orders", "accept", canary=canary)


async def travelled(net, url, *steps, deadline=5.0, **fields):
    cell = cell_of(url, *steps, **fields)
    return await PROBES["journey"].probe(cell, Ask("r1", deadline), Means(net))


def outcomes(result):
    return [(each.name, each.outcome) for each in result.evidence.steps]


def asked(server):
    return [f"{each.method} {each.path}" for each in server.requests]


def told(result):
    """Everything of a result that somebody may read."""
    evidence = result.evidence
    steps = [(each.asked, each.status_line, each.message) for each in evidence.steps]
    return repr((evidence, steps))


# ------------------------------------------------------------------------ in order


async def test_steps_are_asked_in_order_and_each_is_told_with_its_own_time(net, server):
    server.replies |= {"/acme/": Reply(body=b"Welcome"), "/acme/search": Reply(body=b"desk")}
    result = await travelled(
        net,
        server.url("/acme"),
        step("front", expect=Expect(body_contains=("Welcome",))),
        step("search", "/search?q=desk"),
    )
    assert (result.outcome, result.failure, result.evidence.message) == (Outcome.PASS, None, "")
    assert asked(server) == ["GET /acme/", "GET /acme/search?q=desk"]
    first, second = result.evidence.steps
    assert (first.name, first.asked) == ("front", f"GET {server.url('/acme/')}")
    assert (second.outcome, second.status_line) == (Outcome.PASS, "HTTP/1.1 200 OK")
    took = result.observed_mono - result.sent_mono
    assert 0 < first.seconds + second.seconds <= took
    phases = [result.phases.resolve, result.phases.connect, result.phases.processing]
    assert 0 < sum(phases) <= took
    assert result.evidence.asked == second.asked


async def test_the_step_that_fails_decides_and_none_after_it_is_asked(net, server):
    server.replies |= {"/": Reply(), "/basket": Reply(500, b"<h1>broken</h1>"), "/pay": Reply()}
    result = await travelled(
        net, server.url(""), step("front"), step("basket", "/basket"), step("pay", "/pay")
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.STATUS)
    message = 'step 2 of 3 "basket": status 500 Internal Server Error (expected 200-299)'
    assert result.evidence.message == message
    assert (result.evidence.status, result.evidence.body) == (500, "<h1>broken</h1>")
    assert outcomes(result) == [("front", Outcome.PASS), ("basket", Outcome.FAIL)]
    assert asked(server) == ["GET /", "GET /basket"]


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_being_turned_away_at_a_step_blocks_the_journey(net, server, status):
    server.replies |= {"/": Reply(), "/api": Reply(status)}
    result = await travelled(net, server.url(""), step("front"), step("api", "/api"))
    assert (result.outcome, result.failure) == (Outcome.BLOCKED, None)
    assert result.evidence.message.startswith('step 2 of 2 "api": monitor turned away with')


async def test_a_maintenance_page_is_known_at_every_step(net, server):
    server.replies |= {"/": Reply(), "/home": Reply(body=b"We'll be back soon")}
    steps = (step("front"), step("home", "/home"))
    result = await travelled(net, server.url(""), *steps, maintenance_pages=("back soon",))
    assert result.failure is FailureKind.MAINTENANCE_PAGE


async def test_a_step_that_is_not_answered_is_cut_off_at_the_deadline(net, server):
    server.replies |= {"/": Reply(), "/slow": Reply(hang=True)}
    result = await travelled(
        net, server.url(""), step("front"), step("slow", "/slow"), deadline=0.3
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert result.evidence.message.startswith('step 2 of 2 "slow": ')
    assert 0.2 < result.observed_mono - result.sent_mono < 1.3


async def test_what_the_prober_cannot_do_says_nothing_of_the_target(net, server):
    server.replies["/"] = Reply()
    cell = cell_of(server.url(""), step("front"))
    wrong = Cell(cell.key, cell.check, Target("acme", "acme", "gopher://x"), None)
    result = await PROBES["journey"].probe(wrong, Ask("r1", 1.0), Means(net))
    assert result.outcome is Outcome.INVALID


# ------------------------------------------------------------------------ carried along


async def test_captured_values_are_put_into_later_steps(net, server):
    page = b'<input name="csrf" value="a+b/c=&d">'
    server.replies |= {
        "/": Reply(body=page, headers=(("X-Version", "v 1"),)),
        "/orders": Reply(202, b'{"order": {"id": 4711, "note": "say \\"hi\\""}}'),
        "/orders/4711": Reply(),
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    result = await travelled(
        net,
        server.url(""),
        step(
            "front",
            capture={"csrf": Capture(match='value="([^"]*)"'), "v": Capture(header="x-version")},
        ),
        step(
            "order",
            "/orders",
            method="POST",
            changes=False,
            headers=form,
            body="token={csrf}&v={v}",
            capture={"id": Capture(json="$.order.id"), "note": Capture(json="$.order.note")},
        ),
        step(
            "look",
            "/orders/{id}?v={v}",
            method="POST",
            changes=False,
            headers={"Content-Type": "application/json", "X-Token": "{csrf}"},
            body='{"note": "{note}", "n": {id}, "literal": "{{note}}"}',
        ),
    )
    assert result.outcome is Outcome.PASS, told(result)
    order, look = server.requests[1:]
    assert parse_qs(order.body.decode()) == {"token": ["a+b/c=&d"], "v": ["v 1"]}
    assert look.path == "/orders/4711?v=v%201"
    assert look.header("x-token") == "a+b/c=&d"
    assert json.loads(look.body) == {"note": 'say "hi"', "n": 4711, "literal": "{note}"}


async def test_a_place_that_a_header_leads_to_is_a_url_of_a_later_step(net, server):
    server.replies |= {
        "/acme/orders": Reply(202, headers=(("Location", "orders/7"),)),
        "/acme/orders/7": Reply(),
        "/acme/orders/7/lines": Reply(),
    }
    result = await travelled(
        net,
        server.url("/acme"),
        step("order", "/orders", capture={"where": Capture(header="Location")}),
        step("look", "{where}"),
        step("lines", "{where}/lines"),
    )
    assert result.outcome is Outcome.PASS, told(result)
    assert asked(server)[1:] == ["GET /acme/orders/7", "GET /acme/orders/7/lines"]


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:1/", "//other.example/", "file:///etc/passwd", "http://[/"]
)
async def test_a_captured_url_leads_nowhere_else(net, server, where):
    server.replies["/"] = Reply(body=json.dumps({"next": where}).encode())
    result = await travelled(
        net,
        server.url(""),
        step("front", capture={"next": Capture(json="$.next")}),
        step("on", "{next}"),
        bearer=Secret("a-bearer-token"),
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.STEP)
    assert result.evidence.message.startswith('step 2 of 2 "on": what was captured ')
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("capture", "why"),
    [
        (Capture(json="$.id"), "$.id is missing"),
        (Capture(json="$.list"), "it is no text and no number"),
        (Capture(json="$.nothing"), "it is no text and no number"),
        (Capture(json="$.lines"), "it is not 1 to 4096 printable characters"),
        (Capture(json="$.empty"), "it is not 1 to 4096 printable characters"),
        (Capture(header="X-Id"), "header X-Id is missing"),
        (Capture(match="id=([0-9]+)"), 'body does not match "id=([0-9]+)"'),
    ],
)
async def test_an_answer_without_the_value_is_a_failure_of_the_step(net, server, capture, why):
    body = {"list": [1], "nothing": None, "lines": "a\nb", "empty": "", "token": "opensesame"}
    server.replies["/"] = Reply(body=json.dumps(body).encode())
    result = await travelled(
        net,
        server.url(""),
        step("order", capture={"token": Capture(json="$.token"), "id": capture}),
        step("look", "/{id}"),
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.STEP)
    assert result.evidence.message == f'step 1 of 2 "order": cannot capture {{id}}: {why}'
    assert '"lines"' in result.evidence.body
    assert "opensesame" not in told(result)


async def test_a_body_that_is_no_json_holds_no_value(net, server):
    server.replies["/"] = Reply(body=b"<html>")
    result = await travelled(net, server.url(""), step("a", capture={"id": Capture(json="$.id")}))
    assert result.evidence.message.endswith("cannot capture {id}: the body is not JSON")


async def test_cookies_are_kept_also_those_set_on_the_way_of_a_redirect(net, server):
    server.replies |= {
        "/sign-in": Reply(
            303, headers=((SET, "session=new-session-1; Path=/"), ("Location", "/h"))
        ),
        "/": Reply(headers=((SET, "session=old-session-1; Path=/"), (SET, "lang=en; Path=/"))),
        "/h": Reply(headers=((SET, "lang=; Path=/; Max-Age=0"),)),
        "/out": Reply(),
    }
    result = await travelled(
        net,
        server.url(""),
        step("front"),
        step("sign-in", "/sign-in", method="POST", changes=False, body="user=probe"),
        step("out", "/out"),
    )
    assert result.outcome is Outcome.PASS, told(result)
    assert asked(server) == ["GET /", "POST /sign-in", "GET /h", "GET /out"]
    sent = [each.header("cookie") for each in server.requests]
    assert sent[0] is None
    assert [set(each.split("; ")) for each in sent[1:]] == [
        {"session=old-session-1", "lang=en"},
        {"session=new-session-1", "lang=en"},
        {"session=new-session-1"},
    ]
    assert any("redirected to" in each for each in result.evidence.warnings)


async def test_a_redirect_can_be_the_answer(net, server):
    server.replies["/"] = Reply(302, headers=(("Location", "/h"),))
    only = step("front", follow_redirects=False, expect=Expect(status=(302,)))
    assert (await travelled(net, server.url(""), only)).outcome is Outcome.PASS
    assert asked(server) == ["GET /"]


async def test_redirects_are_limited(net, server):
    server.replies["/"] = Reply(302, headers=(("Location", "/"),))
    result = await travelled(net, server.url(""), step("front"))
    assert (result.failure, len(server.requests)) == (FailureKind.PROTOCOL, 6)


async def test_credentials_and_cookies_stay_with_the_origin_they_belong_to(net, server):
    async with http_server({"/": Reply()}, host="127.0.0.2") as other:
        server.replies["/"] = Reply(headers=((SET, "session=12345678"),))
        result = await travelled(
            net,
            server.url(""),
            step("front"),
            step("elsewhere", other.url("/")),
            step("back"),
            bearer=Secret("a-bearer-token"),
        )
    assert result.outcome is Outcome.PASS, told(result)
    first, third = server.requests
    assert first.header("authorization") == third.header("authorization") == "Bearer a-bearer-token"
    assert third.header("cookie") == "session=12345678"
    assert other.requests[0].header("authorization") is None
    assert other.requests[0].header("cookie") is None


async def test_no_captured_value_cookie_or_secret_is_told(net, server):
    page = b'{"token": "opensesame/1+2", "n": 42, "echo": "hunter3 hunter2 opensesame/1+2"}'
    cookie = (SET, "session=cookie-monster; Path=/")
    server.replies |= {
        "/": Reply(body=page, headers=(cookie,)),
        "/x": Reply(500, b"for opensesame/1+2, hunter3, cookie-monster: 42 opensesame%2F1%2B2"),
    }
    result = await travelled(
        net,
        server.url(""),
        step("front", capture={"token": Capture(json="$.token"), "n": Capture(json="$.n")}),
        step("look", "/x?t={token}&p={password}"),
        secrets={"password": Secret("hunter3")},
    )
    assert result.outcome is Outcome.FAIL
    assert server.requests[1].path == "/x?t=opensesame%2F1%2B2&p=hunter3"
    for secret in ("opensesame", "hunter2", "hunter3", "cookie-monster"):
        assert secret not in told(result)
    assert result.evidence.body == "for ***, ***, ***: 42 ***"
    assert result.evidence.asked == f"GET {server.url('')}/x?t={{token}}&p={{password}}"


@given(st.text(max_size=60) | st.sampled_from([".", "..", "../x", "%2e", "{{a}}", "{id}", "é"]))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_whatever_a_server_gives_is_its_own_fault_and_stays_in_its_place(net, value):
    reply = Reply(body=json.dumps({"id": value}).encode())
    async with http_server({"/": reply}) as server:
        result = await travelled(
            net,
            server.url(""),
            step("give", capture=ID),
            step(
                "take",
                "/in/{id}/place?q={id}",
                headers={"X-Id": "{id}", "Content-Type": "application/json"},
                method="POST",
                changes=False,
                body='{"id": "{id}"}',
                expect=Expect(status=(404,)),
            ),
        )
        taken = [each for each in server.requests if each.method == "POST"]
    assert result.outcome in {Outcome.PASS, Outcome.FAIL}, told(result)
    assert (result.failure is FailureKind.STEP) == (result.outcome is Outcome.FAIL)
    assert bool(taken) == (result.outcome is Outcome.PASS)
    for request in taken:
        path, _, query = request.path.partition("?")
        assert [unquote(each) for each in path.split("/")] == ["", "in", value, "place"]
        assert unquote(query) == f"q={value}"
        assert json.loads(request.body) == {"id": value}


# ------------------------------------------------------------------------ changing something


def order(**fields):
    return step("accept", "/orders", method="POST", body="{}", **fields)


async def test_steps_that_change_something_carry_one_key_per_probe(net, server):
    server.replies |= {"/orders": Reply(202), "/orders/1": Reply(204), "/list": Reply()}
    steps = (
        order(),
        step("look", "/list?key={idempotency_key}"),
        step("own", "/orders/1", method="PUT", headers={"idempotency-key": "mine"}),
        step("cancel", "/orders/1", method="DELETE", always=True),
    )
    for _ in range(2):
        result = await travelled(net, server.url(""), *steps, canary=True)
        assert result.outcome is Outcome.PASS, told(result)
    keys = [each.header("idempotency-key") for each in server.requests]
    first, second = keys[0], keys[4]
    assert first != second
    assert keys == [first, None, "mine", first, second, None, "mine", second]
    assert server.requests[1].path == f"/list?key={first}"


async def test_nothing_is_changed_at_a_target_that_is_no_canary(net, server):
    result = await travelled(net, server.url(""), step("front"), order())
    assert (result.outcome, result.failure) == (Outcome.INVALID, None)
    assert 'step "accept" changes something, and acme is no canary' in result.evidence.message
    assert server.requests == []


def test_a_journey_names_the_first_step_that_changes_something():
    front, harmless = step("front"), order(changes=False)
    assert JourneyOptions("http://h", (front, harmless)).mutates == ""
    cancel = step("cancel", "/x", method="DELETE", always=True)
    assert JourneyOptions("http://h", (front, harmless, cancel)).mutates == 'step "cancel"'
    assert JourneyOptions("http://h", (step("a", changes=True),)).mutates == 'step "a"'


# ------------------------------------------------------------------------ cleaning up


NO_CONTENT = Expect(status=(204,))
CANCEL = step("cancel", "/orders/{id}", method="DELETE", always=True, expect=NO_CONTENT)
ID = {"id": Capture(json="$.id")}


async def test_a_failed_clean_up_is_a_warning_and_no_outage(net, server):
    server.replies |= {"/orders": Reply(202, b'{"id": "o-1"}'), "/orders/o-1": Reply(500)}
    result = await travelled(net, server.url(""), order(capture=ID), CANCEL, canary=True)
    assert (result.outcome, result.failure, result.evidence.message) == (Outcome.PASS, None, "")
    assert result.evidence.warnings == (
        'clean-up failed: step 2 of 2 "cancel": status 500 Internal Server Error (expected 204)',
    )
    assert result.evidence.status == 202
    assert outcomes(result) == [("accept", Outcome.PASS), ("cancel", Outcome.FAIL)]


async def test_what_an_answer_made_is_undone_although_it_does_not_pass(net, server):
    server.replies |= {"/orders": Reply(202, b'{"id": "o-1"}'), "/orders/o-1": Reply(204)}
    accept = order(capture=ID, expect=Expect(status=(201,)))
    result = await travelled(net, server.url(""), accept, CANCEL, canary=True)
    assert result.failure is FailureKind.STATUS
    assert asked(server) == ["POST /orders", "DELETE /orders/o-1"]
    assert result.evidence.warnings == ()


async def test_a_clean_up_without_its_values_is_skipped_and_says_so(net, server):
    server.replies["/orders"] = Reply(500)
    result = await travelled(net, server.url(""), order(capture=ID), CANCEL, canary=True)
    skipped = result.evidence.steps[1]
    assert (skipped.outcome, skipped.message) == (
        Outcome.INVALID,
        "skipped: {id} was not captured",
    )
    assert result.evidence.warnings == (
        'clean-up failed: step 2 of 2 "cancel": skipped: {id} was not captured',
    )
    assert asked(server) == ["POST /orders"]


async def test_nothing_is_warned_of_where_nothing_was_changed_yet(net, server):
    server.replies["/"] = Reply(500)
    steps = (step("front"), order(capture=ID), CANCEL)
    result = await travelled(net, server.url(""), *steps, canary=True)
    assert outcomes(result) == [("front", Outcome.FAIL), ("cancel", Outcome.INVALID)]
    assert result.evidence.warnings == ()


async def test_time_is_kept_back_for_cleaning_up(net, server):
    server.replies |= {
        "/orders": Reply(202, b'{"id": "o-1"}'),
        "/wait": Reply(hang=True),
        "/orders/o-1": Reply(204),
    }
    steps = (order(capture=ID), step("wait", "/wait"), step("never", "/wait"), CANCEL)
    result = await travelled(
        net, server.url(""), *steps, canary=True, deadline=0.6, cleanup_timeout=0.3
    )
    assert (result.outcome, result.failure) == (Outcome.FAIL, FailureKind.TIMEOUT)
    assert asked(server)[-1] == "DELETE /orders/o-1"
    assert outcomes(result)[-1] == ("cancel", Outcome.PASS)
    assert 0.2 < result.evidence.steps[1].seconds < 0.45


TROUBLES = {
    "status": Reply(500),
    "turned away": Reply(403),
    "no value": Reply(202, b"{}"),
    "reset": Reply(raw=b""),
    "protocol": Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "silence": Reply(hang=True),
    "redirect": Reply(302, headers=(("Location", "ftp://x/"),)),
    "nothing": Reply(202, b'{"id": "o-1", "v": "x-1"}'),
}


@given(
    steps=st.lists(st.sampled_from(sorted(TROUBLES)), min_size=1, max_size=4),
    cleaning=st.lists(st.sampled_from(sorted(TROUBLES)), min_size=1, max_size=3),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_clean_up_is_asked_whatever_step_fails_in_whatever_way(net, steps, cleaning):
    """First an order is taken, whose id is known; then anything may happen, also in cleaning up."""
    replies = {"/orders": Reply(202, b'{"id": "o-1"}')}
    replies |= {f"/step/{n}": TROUBLES[trouble] for n, trouble in enumerate(steps)}
    replies |= {f"/clean/{n}/o-1": TROUBLES[trouble] for n, trouble in enumerate(cleaning)}
    async with http_server(replies) as server:
        more = [
            step(f"s{n}", f"/step/{n}", capture={"v": Capture(json="$.v")})
            for n in range(len(steps))
        ]
        undone = [step(f"c{n}", f"/clean/{n}/{{id}}", always=True) for n in range(len(cleaning))]
        result = await travelled(
            net,
            server.url(""),
            *(order(capture=ID), *more, *undone),
            canary=True,
            deadline=0.6,
            cleanup_timeout=0.8,
        )
        begun = [each.path for each in server.requests if each.path.startswith("/clean/")]
    failing = next((n for n, trouble in enumerate(steps) if trouble != "nothing"), None)
    names = [name for name, _ in outcomes(result)]
    reached = len(steps) if failing is None else failing + 1
    assert names == ["accept"] + [f"s{n}" for n in range(reached)] + [s.name for s in undone]
    assert begun == [f"/clean/{n}/o-1" for n in range(len(cleaning))]
    assert (result.outcome is Outcome.PASS) == (failing is None)
    warned = [each for each in result.evidence.warnings if each.startswith("clean-up failed")]
    assert len(warned) == len([each for each in cleaning if each not in {"nothing", "no value"}])
    assert result.observed_mono - result.sent_mono < 1.6


# ------------------------------------------------------------------------ what cannot be meant


@pytest.mark.parametrize(
    ("made", "mistake"),
    [
        (lambda: step("", "/"), "name: is 1 to 63 printable"),
        (lambda: step("a", "x"), "url: must begin with http://"),
        (lambda: step("a", headers={"Cookie": "a=b"}), "headers: the journey keeps cookies"),
        (lambda: step("a", method="get"), "method: "),
        (lambda: step("a", capture={"1": Capture(json="$")}), 'capture: "1" is no name'),
        (Capture, "give one of json, header and match"),
        (lambda: Capture(json="$", match="(a)"), "give one of json, header and match"),
        (lambda: Capture(json="$.a[*]"), r"json: JSON path `\$.a\[\*\]`: \[\*\] is more than one"),
        (lambda: Capture(json="$.a == 1"), "json: JSON path `.*`: cannot read the path from"),
        (lambda: Capture(match="(a"), 'match: regular expression "\\(a": missing'),
        (lambda: Capture(match="a"), "match: .* has 0 groups, but one"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(made, mistake):
    with pytest.raises(ValueError, match=mistake):
        made()


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"url": "http://h/?a=1"}, "url: is continued by the steps"),
        ({"url": "h"}, "url: must begin with http://"),
        ({"steps": ()}, "steps: name at least one step"),
        ({"steps": (step("a", always=True),)}, "steps: name at least one step"),
        ({"steps": (step("a"), step("a"))}, 'steps: "a" comes twice'),
        (
            {"steps": (step("b"), step("a", always=True), step("c"))},
            "steps: those that are `always`",
        ),
        (
            {"steps": (step("a", "/{id}"), step("b", capture=ID))},
            'steps: "a" uses {id} before it is captured',
        ),
        ({"steps": (step("a", "/{id}", capture=ID),)}, 'steps: "a" uses {id} before'),
        ({"secrets": {"id": Secret("x")}, "steps": (step("a", capture=ID),)}, "{id} has a value"),
        ({"steps": (step("a", headers={"Authorization": "x"}),)}, '"a": give credentials in one'),
        ({"locked_out": ("(",)}, "locked_out: regular expression"),
    ],
)
def test_a_journey_that_makes_no_sense_is_refused(fields, mistake):
    given = {"url": "http://h", "steps": (step("a"),), "bearer": Secret("x"), **fields}
    with pytest.raises(ValueError, match=re.escape(mistake)):
        JourneyOptions(**given)


def test_a_place_that_no_step_captures_is_left_to_tenants():
    options = JourneyOptions("http://h/{tenant}", (step("a", "/{site}/{id}"),))
    assert options.own_names == {"idempotency_key"}
