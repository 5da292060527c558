"""The command line: what each command answers, to good and to bad input."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

from monitor.cli import app, explaining, standing
from monitor.clock import real_clock
from monitor.config import load
from tests.store_fixtures import incident, opened, opening

ROOT = Path(__file__).parent.parent
SHIPPED = str(ROOT / "checks.yaml")
CHECKS = """\
listen: 127.0.0.1:{port}
database_url: sqlite:///{folder}/monitor.db
api_token: ${{TOKEN:-}}
services:
  web: {{checks: [{{name: home, url: "https://one.example.com/"}}]}}
"""


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def monitor(*arguments):
    """(exit code, standard output, standard error) of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@contextlib.contextmanager
def answering(answers):
    """A server that answers each request by `answers(url, headers)`: a status and a text."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = answers(urlsplit(self.path), self.headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815 - what the standard library calls it

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def configured(folder, port):
    path = folder / "checks.yaml"
    path.write_text(CHECKS.format(port=port, folder=folder))
    return path


# --------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ack", "one", "--by", "Robin"],
        ["ack", "0", "--by", "Robin"],
        ["ack", str(2**63), "--by", "Robin"],
        ["ack", "1"],
        ["ack", "1", "--by", "  "],
        ["ack", "1", "--by", "two\nlines"],
        ["ack", "1", "--by", "x" * 101],
        ["resolve", "1"],
        ["resolve", "0", "--by", "Robin"],
        ["resolve", "1", "--by", "two\nlines"],
        ["note", "1", "Tried.", "--by", ""],
        ["note", "1", " ", "--by", "Robin"],
        ["note", "1", "x" * 4001, "--by", "Robin"],
        ["silence", "1", "--for", "9h", "--by", "Robin", "--reason", "known"],
        ["silence", "1", "--for", "0", "--by", "Robin", "--reason", "known"],
        ["silence", "1", "--for", "soon", "--by", "Robin", "--reason", "known"],
        ["silence", "1", "--for", "2h", "--by", "Robin", "--reason", "two\nlines"],
        ["silence", "1", "--for", "2h", "--by", "Robin"],
        ["unsilence", "1"],
        ["false-alarm", "1", "--by", " "],
        ["run", "--config", "missing.yaml"],
        ["check-config", "missing.yaml"],
        ["probe", "crm/nothing", "--config", SHIPPED],
        ["explain", "--config", SHIPPED],
        ["explain", "crm", "--at", "nonsense", "--config", SHIPPED],
        ["explain", "crm", "--at", "0001-01-01T00:00+05:00", "--config", SHIPPED],
        ["explain", "crm", "--at", "9999-12-31T23:00-05:00", "--config", SHIPPED],
        ["explain", "crm", "--at", "2040-01-01", "--config", SHIPPED],
        ["explain", "mail", "--at", "2026-11-23T10:00", "--config", SHIPPED],
        ["explain", "crm", "--at", "2026-11-23T10:00", "--tenant", "fern", "--config", SHIPPED],
        ["explain", "crm", "--at", "2026-11-23T10:00", "--impact", "most", "--config", SHIPPED],
        ["explain", "crm", "--check", "nothing", "--config", SHIPPED],
        ["explain", "crm", "--group", "white", "--config", SHIPPED],
        ["explain", "crm", "--failing", "6", "--config", SHIPPED],
    ],
)
def test_a_mistaken_question_exits_2_and_says_why(arguments):
    code, out, err = monitor(*arguments)
    assert (code, out) == (2, "")
    assert err.strip()


def test_what_all_tenants_share_is_no_tenant(tmp_path):
    path = configured(tmp_path, 1)
    code, _, err = monitor("explain", "web", "--at", "2026-11-23", "--tenant", "*", "-c", path)
    assert code == 2
    assert err == "--tenant '*': web has no such tenant; there are: none\n"


def test_every_mistake_of_a_question_is_said_at_once():
    asked = ("mail", "--at", "noon", "--impact", "most", "--failing", "none")
    code, _, err = monitor("explain", *asked, "--config", SHIPPED)
    assert code == 2
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        "--at 'noon'",
        "--impact 'most'",
        "--failing 'none'",
        "service 'mail'",
    ]


# --------------------------------------------------------------------------- explain


def explained(*arguments):
    code, out, _ = monitor("explain", *arguments, "--json", "--config", SHIPPED)
    assert code == 0
    return json.loads(out)


def test_an_explanation_has_these_keys_in_utc():
    told = explained("crm", "--at", "2026-07-23T10:00")
    assert {key: told[key] for key in DECIDED} == DECIDED
    assert told.keys() - DECIDED.keys() == {
        "service",
        "impact",
        "checks",
        "tenant",
        "group",
        "failing",
        "targets",
        "deployment",
        "opens_at",
        "support",
        "scope_read",
        "rule",
        "route_row",
        "told",
        "maintenance",
        "beside",
    }


DECIDED = {
    "at": "2026-07-23T09:00:00Z",
    "support_open": True,
    "closed_reason": None,
    "next_opening": "2026-07-24T07:30:00Z",
    "priority": "critical",
    "route": ["service_desk", "on_call"],
    "notify_at": "2026-07-23T09:00:00Z",
    "respond_by": "2026-07-23T11:00:00Z",
    "reason": "all_users",
    "sentence": "Support is open and Prospect 365 CRM is down for all users: this is business "
    "critical, so the service desk and on-call are told at once and a response is due by "
    "12:00 BST on Thu 23 Jul 2026.",
}


@pytest.mark.parametrize(
    ("service", "at", "closed", "respond_by"),
    [
        ("crm", "2026-11-23T10:00", None, "2026-11-23T12:00:00Z"),
        ("crm", "2026-11-23T16:59:59", None, "2026-11-23T18:59:59Z"),
        ("crm", "2026-11-23T17:00:00", "outside_hours", "2026-11-23T19:00:00Z"),
        ("website", "2026-11-27T16:30", "outside_hours", "2026-11-27T18:30:00Z"),
        ("orders", "2026-12-25T03:00", "bank_holiday", "2026-12-25T05:00:00Z"),
        ("crm", "2026-12-28T11:00", "bank_holiday", "2026-12-28T13:00:00Z"),
        ("crm", "2026-10-24T23:50", "weekend", "2026-10-25T00:50:00Z"),
        ("crm", "2026-10-25T00:30", "weekend", "2026-10-25T01:30:00Z"),
        ("crm", "2026-03-29T00:30", "weekend", "2026-03-29T02:30:00Z"),
        ("crm", "2026-11-26T16:45", None, "2026-11-26T18:45:00Z"),
    ],
)
def test_what_stops_everyone_is_critical_day_and_night(service, at, closed, respond_by):
    decision = explained(service, "--at", at)
    assert decision["priority"] == "critical"
    assert decision["closed_reason"] == closed
    assert decision["route"] == (["on_call"] if closed else ["service_desk", "on_call"])
    assert decision["notify_at"] == decision["at"]
    assert decision["respond_by"] == respond_by


def test_one_tenant_waits_for_the_end_of_easter():
    decision = explained("sites", "--at", "2026-04-06T11:00", "--tenant", "acme")
    assert (decision["priority"], decision["reason"]) == ("standard", "partial")
    assert (decision["route"], decision["respond_by"]) == (["service_desk"], None)
    assert decision["notify_at"] == decision["next_opening"] == "2026-04-07T07:30:00Z"
    assert "1 of 5 targets: acme" in decision["sentence"]


def test_some_of_an_unnamed_tenant_names_none():
    sentence = explained("sites", "--at", "2026-04-07T11:00", "--impact", "some")["sentence"]
    assert "(1 of 5 targets)" in sentence


def test_an_explanation_without_an_instant_is_of_now():
    before = datetime.now(UTC)  # noqa: TID251 - the command reads the same clock
    at = datetime.fromisoformat(explained("crm")["at"])
    assert before <= at <= datetime.now(UTC)  # noqa: TID251 - as above


def test_an_explanation_for_people_names_rule_setting_and_channel():
    code, out, _ = monitor(
        "explain", "website", "--at", "2026-11-24T02:00", "--failing", "3", "--config", SHIPPED
    )
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "rule 6, wide_partial: a whole backend group or a large share fails" in lines
    assert (
        "setting services.website.wide_share: 0.5 (3 of 5 targets are 0.6, which reaches it)"
        in lines
    )
    assert "on-call told at Tue 24 Nov 02:00:00 GMT (02:00:00Z) by pager" in lines
    assert "service desk not told" in lines
    assert (
        "support closed (outside_hours), by calendar.hours.tue: 08:30-17:00 on Tue 2026-11-24"
        in lines
    )


def test_an_explanation_for_people_names_the_window_and_the_end_of_it(tmp_path):
    path = configured(tmp_path, 1)
    upgrade = "maintenance: {upgrade: {weekly: tue 01:00-03:00, services: web, reason: a move}}\n"
    path.write_text(path.read_text() + upgrade)
    code, out, _ = monitor("explain", "web", "--at", "2026-11-24T02:00", "--config", path)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith("Nothing opens at Tue 24 Nov 02:00:00 GMT (02:00:00Z): ")
    assert "opens Tue 24 Nov 03:00:00 GMT (03:00:00Z)" in lines
    assert lines[-1] == "maintenance upgrade until Tue 24 Nov 03:00:00 GMT (03:00:00Z)"


def test_an_explanation_for_people_says_when_no_channel_serves_a_role():
    config = replace(load(Path(SHIPPED), {}), channels=())
    words = {"service": "crm", "at": "2026-11-24T02:00"}
    out = explaining.text(explaining.explained(config, words, real_clock()))
    assert "02:00:00 GMT (02:00:00Z) but no channel serves this role" in out


# --------------------------------------------------------------------------- calendar


def with_official(folder, more=()):
    """A configuration beside an official list of 2027 with these dates besides."""
    days = ["2027-01-01", "2027-03-26", "2027-03-29", "2027-05-03", "2027-05-31", "2027-08-30"]
    events = [{"date": day, "title": "A holiday"} for day in (*days, "2027-12-27", *more)]
    (folder / "list.json").write_text(json.dumps({"england-and-wales": {"events": events}}))
    path = configured(folder, 1)
    path.write_text(path.read_text() + "calendar: {official: {file: list.json}}\n")
    return path


def test_a_calendar_names_hours_dates_and_clock_changes():
    code, out, _ = monitor("calendar", "--year", "2027", "--config", SHIPPED)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[:2] == ["Support in 2027, Europe/London", "Monday 08:30-17:00"]
    assert "Mon 2027-03-29 closed instead of 08:30-17:00: Easter Monday" in lines
    assert "Sat 2027-12-25 closed as every Saturday: Christmas Day" in lines
    assert "Clocks go forward on Sun 2027-03-28: 01:00 GMT is 02:00 BST" in lines
    assert "Clocks go back on Sun 2027-10-31: 02:00 BST is 01:00 GMT" in lines
    assert lines[-1] == "Open for 2125 hours in all"


def test_a_calendar_says_what_extra_dates_do(tmp_path):
    path = configured(tmp_path, 1)
    extra = (
        "calendar:\n  extra_closed: {2027-02-08: moving}\n"
        "  extra_open: {2027-12-28: 09:00-13:00, 2027-02-10: 09:00-13:00}\n"
    )
    path.write_text(path.read_text() + extra)
    out = monitor("calendar", "--year", "2027", "--config", path)[1]
    assert "Mon 2027-02-08  closed instead of 08:30-17:00: moving" in out
    assert "Wed 2027-02-10  open 09:00-13:00 instead of 08:30-17:00: extra hours" in out
    assert "Tue 2027-12-28  open 09:00-13:00 instead of closed: Boxing Day (observed)" in out


def test_a_calendar_as_json_has_every_date():
    told = json.loads(monitor("calendar", "--year", "2027", "--json", "--config", SHIPPED)[1])
    assert told.keys() == {
        "year",
        "time_zone",
        "weekly",
        "dates",
        "clock_changes",
        "open_hours",
        "official",
    }
    assert (told["weekly"]["fri"], told["weekly"]["sat"]) == (["08:30", "16:30"], None)
    assert told["dates"][2] == {
        "date": "2027-03-29",
        "weekday": "Mon",
        "rule": "bank_holiday",
        "names": ["Easter Monday"],
        "hours": None,
        "usual": ["08:30", "17:00"],
    }
    assert [change["at"] for change in told["clock_changes"]] == [
        "2027-03-28T01:00:00Z",
        "2027-10-31T01:00:00Z",
    ]
    assert (told["open_hours"], told["official"]) == (2125.0, None)


def test_a_calendar_without_a_year_is_of_this_one():
    before = datetime.now(UTC).year  # noqa: TID251 - the command reads the same clock
    told = json.loads(monitor("calendar", "--json", "--config", SHIPPED)[1])
    assert before <= told["year"] <= datetime.now(UTC).year  # noqa: TID251 - as above


@pytest.mark.parametrize("year", ["2011", "2037", "0", "-5", "99999"])
def test_a_year_that_the_calendar_does_not_cover_exits_2(year):
    code, out, err = monitor("calendar", "--year", year, "--config", SHIPPED)
    assert (code, out) == (2, "")
    assert err == f"--year: holidays are known for 2012 to 2036, not for {year}\n"


def test_a_calendar_is_held_against_an_official_file(tmp_path):
    path = with_official(tmp_path, ("2027-12-28",))
    assert "As the official list has it from 2027 to 2027" in monitor("calendar", "-c", path)[1]
    path = with_official(tmp_path, ("2027-06-14",))
    out = monitor("calendar", "-c", path)[1]
    assert "warning: Mon 14 Jun 2027: official is A holiday, the calendar has no holiday" in out
    assert "warning: Tue 28 Dec 2027: the calendar has Boxing Day (observed), officially" in out
    told = json.loads(monitor("calendar", "-c", path, "--json")[1])["official"]
    assert [each["date"] for each in told["differences"]] == ["2027-06-14", "2027-12-28"]


def test_of_a_list_that_is_fetched_the_calendar_says_who_compares_it(tmp_path):
    path = configured(tmp_path, 1)
    official = 'calendar: {official: {url: "https://lists.example.com/days.json"}}\n'
    path.write_text(path.read_text() + official)
    code, out, _ = monitor("calendar", "-c", path)
    assert code == 0
    assert out.splitlines()[-1].startswith("The running monitor compares it once a day")


def test_an_official_file_that_cannot_be_read_is_a_warning(tmp_path):
    path = with_official(tmp_path)
    (tmp_path / "list.json").write_text("nonsense")
    code, out, _ = monitor("calendar", "-c", path)
    assert code == 0
    assert "warning: the official list cannot be read: it is no JSON" in out


# --------------------------------------------------------------------------- a running monitor


def api(answers):
    """The answers of a monitor's API, by path."""

    def answer(url, _headers):
        return answers.get(url.path, (404, "{}"))

    return answer


def service_answer(name, maintenance=None):
    """What the API tells of a service without trouble."""
    said = {"title": name, "impact": "none", "since": None, "incidents": [], "checks": []}
    return said | {"maintenance": maintenance}


def test_status_says_what_is_in_maintenance_until_when_and_why(tmp_path):
    window = {"name": "upgrade", "until": "2026-11-30T02:00:00Z", "reason": "move", "scope": ""}
    services = [service_answer("CRM", window), service_answer("Sites")]
    answers = {"/readyz": (200, "{}")}
    with answering(api(answers)) as port:
        path = configured(tmp_path, port)
        answers["/api/v1/services"] = (200, json.dumps({"services": services}))
        assert "upgrade until 30 Nov 02:00:00Z, move" in monitor("status", "--config", path)[1]
        answers["/api/v1/services"] = (200, json.dumps({"services": services[1:]}))
        assert "maintenance" not in monitor("status", "--config", path)[1]


def test_all_is_well_only_when_the_monitor_is_ready(tmp_path):
    fine = json.dumps({"services": []})
    unready = json.dumps({"error": {"message": "both", "details": ["no probe yet", "stuck"]}})
    answers = {"/api/v1/services": (200, fine), "/readyz": (503, unready)}
    with answering(api(answers)) as port:
        path = configured(tmp_path, port)
        code, out, _ = monitor("status", "--json", "--config", path)
        assert (code, json.loads(out)["not_ready"]) == (1, ["no probe yet", "stuck"])
        code, out, _ = monitor("status", "--config", path)
        assert (code, out.count("cannot be relied on: ")) == (1, 2)
        answers["/readyz"] = (200, "{}")
        assert monitor("status", "--config", path)[0] == 0


@pytest.mark.parametrize("text", ["<h1>", "{}", "[]"])
@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["incidents"],
        ["ack", "1", "--by", "Robin"],
        ["resolve", "1", "--by", "R"],
        ["note", "1", "Tried.", "--by", "R"],
        ["silence", "1", "--for", "2h", "--by", "R", "--reason", "known"],
        ["unsilence", "1", "--by", "R"],
        ["false-alarm", "1", "--by", "R"],
    ],
)
def test_something_else_at_the_address_is_said_to_be_that(command, text, tmp_path):
    with answering(lambda _url, _headers: (200, text)) as port:
        code, out, err = monitor(*command, "--config", configured(tmp_path, port))
    assert (code, out) == (1, "")
    assert err == f"what answers at 127.0.0.1:{port} is not this monitor\n"


def test_an_incident_that_is_open_is_listed_however_many_came_after(tmp_path):
    asked = []

    def answer(url, _headers):
        state = parse_qs(url.query).get("state", ["any"])[0]
        asked.append(state)
        numbers = {"open": [7, 1], "acknowledged": [7, 3]}[state]
        return 200, json.dumps({"incidents": [{"number": number} for number in numbers]})

    with answering(answer) as port:
        code, out, _ = monitor("incidents", "--json", "--config", configured(tmp_path, port))
    assert (code, asked) == (0, ["open", "acknowledged"])
    assert [incident["number"] for incident in json.loads(out)["incidents"]] == [7, 3, 1]


def test_no_incident_is_said_in_words(tmp_path):
    with answering(lambda _url, _headers: (200, '{"incidents": []}')) as port:
        path = configured(tmp_path, port)
        assert monitor("incidents", "--config", path) == (0, "None is open.\n", "")
        assert monitor("incidents", "--all", "--config", path) == (0, "There are none.\n", "")


def test_a_token_of_any_letters_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "clé")
    sent = []

    def answer(_url, headers):
        sent.append(headers["Authorization"].encode("latin-1").decode())
        return 200, '{"number": 1}'

    with answering(answer) as port:
        code, _, _ = monitor("ack", "1", "--by", "Robin", "--config", configured(tmp_path, port))
    assert (code, sent) == (0, ["Bearer clé"])


def test_resolving_asks_the_running_monitor_and_says_so(tmp_path):
    asked = []

    def answer(url, _headers):
        asked.append(url.path)
        return 200, '{"number": 7, "state": "resolved"}'

    with answering(answer) as port:
        path = configured(tmp_path, port)
        said = monitor("resolve", "7", "--by", "Sam", "--false-alarm", "--config", path)
    assert said == (0, "Incident 7 resolved by Sam.\n", "")
    assert asked == ["/api/v1/incidents/7/resolve"]


def test_resolving_without_a_monitor_or_such_an_incident_is_said(tmp_path):
    with answering(lambda _url, _headers: (200, "")) as port:
        path = configured(tmp_path, port)
    code, out, err = monitor("resolve", "7", "--by", "Sam", "--config", path)
    assert (code, out, err) == (1, "", "there is no open incident 7\n")


def test_without_a_monitor_a_customers_incident_is_resolved_in_the_store(tmp_path):
    async def reported():
        async with opened(f"sqlite:///{tmp_path}/monitor.db") as store:
            one = incident(7, "v1:web:report", service="web", by_customer=True)
            await store.commit(opening(one))

    asyncio.run(reported())
    with answering(lambda _url, _headers: (200, "")) as port:
        path = configured(tmp_path, port)
    said = ("resolve", "7", "--by", "Sam", "--false-alarm", "--json", "--config", path)
    code, out, err = monitor(*said)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["state"], told["resolved_by"], told["false_alarm"]) == ("resolved", "Sam", True)
    assert monitor(*said)[0] == 1


SILENCED = {"by": "Sam", "reason": "known", "until": "2030-06-03T03:14:00Z"}


@pytest.mark.parametrize(
    ("command", "move", "said"),
    [
        (["note", "7", "Tried."], "note", "Noted on incident 7 by Sam.\n"),
        (["unsilence", "7"], "unsilence", "Incident 7 is told of again, by Sam.\n"),
        (["false-alarm", "7"], "resolve", "Incident 7 was a false alarm, says Sam.\n"),
        (
            ["silence", "7", "--for", "2h", "--reason", "known"],
            "silence",
            "Incident 7 silenced by Sam until 03 Jun 03:14:00Z.\n",
        ),
    ],
)
def test_acting_asks_the_running_monitor_and_says_so(command, move, said, tmp_path):
    asked = []

    def answer(url, _headers):
        asked.append(url.path)
        return 200, json.dumps({"number": 7, "silenced": SILENCED})

    with answering(answer) as port:
        path = configured(tmp_path, port)
        assert monitor(*command, "--by", "Sam", "--config", path) == (0, said, "")
    assert asked == [f"/api/v1/incidents/7/{move}"]


def test_a_silence_is_shown_with_the_incidents_while_there_is_one(tmp_path):
    one = {
        "number": 7,
        "priority": "critical",
        "state": "open",
        "title": "CRM is down",
        "began": {"before": "2030-06-03T01:14:00Z"},
        "respond_by": None,
        "acknowledged_by": None,
        "silenced": SILENCED,
    }
    listed = {"incidents": [one]}
    with answering(lambda _url, _headers: (200, json.dumps(listed))) as port:
        path = configured(tmp_path, port)
        _, out, _ = monitor("incidents", "--config", path)
        assert "silenced" in out
        assert "until 03 Jun 03:14:00Z by Sam: known" in out
        one["silenced"] = None
        assert "silenced" not in monitor("incidents", "--config", path)[1]


def test_without_a_monitor_people_act_in_the_store(tmp_path):
    database = f"sqlite:///{tmp_path}/monitor.db"

    async def reported():
        async with opened(database) as store:
            one = incident(7, "v1:web:report", service="web", by_customer=True)
            await store.commit(opening(one))

    async def timeline():
        async with opened(database) as store:
            return [(e.kind.value, e.actor) for e in (await store.incident(7)).events[1:]]

    asyncio.run(reported())
    with answering(lambda _url, _headers: (200, "")) as port:
        path = configured(tmp_path, port)

    def said(*command):
        code, out, err = monitor(*command, "--by", "Sam", "--json", "--config", path)
        return code, json.loads(out) if out else err

    code, told = said("silence", "7", "--for", "90m", "--reason", "known")
    assert (code, told["silenced"]["by"], told["silenced"]["reason"]) == (0, "Sam", "known")
    assert said("note", "7", "Tried.")[0] == 0
    assert said("unsilence", "7")[1]["silenced"] is None
    assert said("unsilence", "7") == (1, "incident 7 is open: cannot unsilence it\n")
    assert said("false-alarm", "7")[1]["false_alarm"]
    assert said("note", "7", "It was nothing.")[0] == 0
    assert said("silence", "7", "--for", "1h", "--reason", "x") == (
        1,
        "there is no open incident 7\n",
    )
    assert said("note", "8", "Nothing.") == (1, "there is no incident 8\n")
    assert asyncio.run(timeline()) == [
        ("silenced", "Sam"),
        ("noted", "Sam"),
        ("silence_over", "Sam"),
        ("resolved", "Sam"),
        ("noted", "Sam"),
    ]


def test_a_token_that_cannot_be_sent_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN", "hidden\nword")
    with answering(lambda _url, _headers: (200, "{}")) as port:
        code, out, err = monitor("ack", "1", "--by", "Sam", "--config", configured(tmp_path, port))
    assert code == 1
    assert "api_token" in err
    assert "hidden" not in out + err


# --------------------------------------------------------------------------- demo and estate


@contextlib.contextmanager
def process(*arguments, **environ):
    """A process of the program's own, killed if it is still there in the end."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def test_a_demo_that_is_terminated_exits_1_and_leaves_nothing_behind(tmp_path):
    with process("-m", "monitor", "demo", TMPDIR=str(tmp_path)) as demo:
        assert any("All is well" in line for line in demo.stdout)
        assert list(tmp_path.iterdir())
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(20) == 1
    assert not list(tmp_path.iterdir())


def test_the_estate_receives_pages_where_the_shipped_file_sends_them():
    pager = next(c for c in load(Path(SHIPPED), {}).channels if c.name == "pager")
    assert pager.options.url == f"http://127.0.0.1:{standing.RECEIVER_PORT}/hook"
    assert pager.options.secret.reveal() == standing.DEFAULT_SECRET


def posted(url, body, secret):
    """The status of a signed page's answer."""
    sent = str(int(datetime.now(UTC).timestamp()))  # noqa: TID251 - the sender's own clock
    signed = hmac.new(secret.encode(), f"{sent}.".encode() + body, hashlib.sha256)
    headers = {"Monitor-Timestamp": sent, "Monitor-Signature": f"v1={signed.hexdigest()}"}
    return httpx.post(url, content=body, headers=headers).status_code


def test_the_estate_prints_each_page_that_it_gets():
    program = (
        "from monitor.cli.standing import serve_estate\n"
        "from monitor.demo.places import Ports\n"
        "raise SystemExit(serve_estate(Ports.free(), 0))\n"
    )
    with process("-c", program, PAGER_SECRET="a secret") as estate:
        said = dict(
            line.split(maxsplit=1) for line in iter(estate.stdout.readline, "Ctrl-C ends it\n")
        )
        page = b'{"action": "trigger", "headline": "It is down"}'
        assert posted(said["pager"].strip(), page, "a secret") == 202
        assert estate.stdout.readline().endswith("Z  page trigger: It is down\n")
        assert posted(said["pager"].strip(), b"no JSON", "another") == 401
        assert "page refused: " in estate.stdout.readline()
        alerts = said["pager"].strip().replace("/hook", "/alerts")
        told = {"labels": {"alertname": "MonitorDown"}, "annotations": {"summary": "It is gone"}}
        notification = {"alerts": [{**told, "status": "firing"}]}
        assert httpx.post(alerts, json=notification).status_code == 200
        assert estate.stdout.readline().endswith("Z  alert firing: MonitorDown: It is gone\n")
        assert httpx.post(alerts, json=["no notification"]).status_code == 400
        watchdog = alerts.replace("/alerts", "/watchdog")
        assert httpx.post(watchdog, json=notification).status_code == 200
        estate.send_signal(signal.SIGTERM)
        assert estate.wait(10) == 0


@pytest.mark.parametrize("command", [["check-config"], ["run", "--config"]])
def test_mistakes_of_a_configuration_come_as_json_where_that_is_asked_for(tmp_path, command):
    path = tmp_path / "checks.yaml"
    path.write_text("listen: nowhere\nservcies: {}\n")
    code, out, _ = monitor(*command, path, "--json")
    assert code == 2
    assert {m["path"] for m in json.loads(out)["mistakes"]} >= {"listen", "servcies"}
