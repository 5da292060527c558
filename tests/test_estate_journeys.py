"""What the simulated estate has for journeys, for imports, and of its users."""

import asyncio
import json
import re
from datetime import timedelta

import pytest

from monitor.clock import real_clock
from monitor.config import load
from monitor.demo import connector
from monitor.demo.client import EstateProcess
from monitor.demo.faults import Board, Fault, FaultKind
from monitor.demo.places import SERVICES, Ports
from monitor.demo.services import PASSWORD
from monitor.demo.users import sign_ins
from monitor.model import Outcome
from monitor.net.secret import Secret
from monitor.probes import PROBES, Ask, Means
from tests.estate_fixtures import START, MovedClock, running
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.running import ROOT


@pytest.fixture
async def town():
    async with running() as town:
        yield town


# --------------------------------------------------------------------------- signing in


async def form_of(town, tenant="acme"):
    page = await town.get("crm", f"/{tenant}/sign-in")
    token = re.search('name="csrf" value="([0-9a-f]+)"', page.text)[1]
    return {"csrf": token, "user": "probe", "password": PASSWORD}


async def test_a_user_signs_in_sees_the_home_page_and_signs_out(town):
    answer = await town.ask("POST", "crm", "/acme/sign-in", data=await form_of(town))
    assert (answer.status_code, answer.headers["location"]) == (303, "/acme/home")
    home = await town.get("crm", "/acme/home")
    assert (home.status_code, "Signed in to acme" in home.text) == (200, True)
    session = town.client().cookies["crm"]
    gone = await town.ask("POST", "crm", "/acme/sign-out")
    assert (gone.status_code, gone.headers["location"]) == (303, "/acme/sign-in")
    again = await town.get("crm", "/acme/home", headers={"cookie": f"crm={session}"})
    assert (again.status_code, again.headers["location"]) == (303, "/acme/sign-in")


async def test_other_credentials_and_other_forms_are_refused(town):
    form = await form_of(town)
    assert form["csrf"] != (await form_of(town, "bolt"))["csrf"]
    for wrong, status in (({"password": "x"}, 401), ({"user": "x"}, 401), ({"csrf": "é"}, 400)):
        answer = await town.ask("POST", "crm", "/acme/sign-in", data={**form, **wrong})
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers


async def test_a_session_opens_no_other_tenant(town):
    await town.ask("POST", "crm", "/acme/sign-in", data=await form_of(town))
    session = town.client().cookies["crm"]
    answer = await town.get("crm", "/bolt/home", headers={"cookie": f"crm={session}"})
    assert answer.status_code == 303


# --------------------------------------------------------------------------- orders


async def test_the_oldest_order_that_is_not_confirmed_is_told_by_its_age(town):
    await town.ask(
        "POST", "orders", "/acme/orders", headers={"Idempotency-Key": "k1"}, content=b"{}"
    )
    town.time.advance(3)
    told = (await town.get("orders", "/acme/unconfirmed")).json()
    assert told == {"unconfirmed": 1, "oldest_seconds": 3.0, "sync_interval_seconds": 5.0}
    town.time.advance(3)
    assert (await town.get("orders", "/acme/unconfirmed")).json()["unconfirmed"] == 0
    assert (await town.get("orders", "/bolt/unconfirmed")).json()["unconfirmed"] == 0


# --------------------------------------------------------------------------- users


QUERY = 'sum by (tenant) (increase(crm_sign_ins_total{tenant="acme"}[5m]))'


async def counted(town, query=QUERY):
    answer = await town.ask("POST", "prometheus", "/api/v1/query", data={"query": query})
    found = answer.json()["data"]["result"]
    return {each["metric"]["tenant"]: each["value"][1] for each in found}


async def test_users_sign_in_as_long_as_no_fault_keeps_them_out(town):
    assert await counted(town) == {"acme": "20"}
    await town.switch_on("refuse", service="crm", tenant="acme")
    town.time.advance(150)
    assert await counted(town) == {"acme": "10"}
    everyone = await counted(town, "sum(increase(crm_sign_ins_total[5m]))")
    assert (everyone["acme"], everyone["bolt"], len(everyone)) == ("10", "20", 5)
    town.time.advance(300)
    assert await counted(town) == {"acme": "0"}
    await town.ask("DELETE", "switchboard", "/faults")
    town.time.advance(75)
    assert await counted(town) == {"acme": "5"}


async def test_no_fault_reaches_what_is_counted(town):
    await town.switch_on("refuse")
    assert (await counted(town))["acme"] == "20"


def test_spans_that_overlap_keep_users_out_once_and_a_vantage_keeps_none_out():
    time = MovedClock()
    board = Board(time.clock)
    for fault in (
        Fault(FaultKind.STATUS_503, "crm"),
        Fault(FaultKind.REFUSE, "*", group="blue"),
        Fault(FaultKind.BLACK_HOLE, "crm", vantage="127.0.0.3"),
        Fault(FaultKind.SLOW, "crm"),
        Fault(FaultKind.REFUSE, "orders"),
    ):
        board.switch_on(fault)
        time.advance(15)
    board.note_off(board.switch_off(["f1"]))
    until = START + timedelta(seconds=300)
    assert sign_ins(board.log, "acme", START, until) == 0
    assert sign_ins(board.log, "cedar", START, until) == 15
    assert sign_ins(board.log, "cedar", START + timedelta(seconds=60), until) == 15


@pytest.mark.parametrize("query", ["", "up", 'crm_sign_ins_total{tenant="acme"}', "sum("])
async def test_another_query_is_refused_as_prometheus_refuses_one(town, query):
    answer = await town.ask("GET", "prometheus", "/api/v1/query", params={"query": query})
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    assert (await town.get("prometheus", "/api/v1/labels")).status_code == 404


async def test_no_series_is_of_a_tenant_that_does_not_exist(town):
    assert await counted(town, 'crm_sign_ins_total{tenant="fern"}[5m]') == {}


# --------------------------------------------------------------------------- the imports


async def test_imports_call_the_monitor_for_every_tenant_whose_connector_works(monkeypatch):
    monkeypatch.setattr(connector, "EVERY", 0.01)
    board = Board(real_clock())
    board.switch_on(Fault(FaultKind.STATUS_503, "orders", group="blue"))
    board.switch_on(Fault(FaultKind.SLOW, "orders"))
    rounds = asyncio.Event()

    def heard(request):
        if request.path.endswith("ember-import") and len(server.requests) > 3:
            rounds.set()
        return Reply(body=json.dumps({}).encode())

    names = ("acme", "bolt", "cedar", "delta", "ember")
    async with http_server(
        {f"/api/v1/heartbeats/{name}-import": heard for name in names}
    ) as server:
        made = connector.Heartbeats(server.url(""), Secret("its-token"))
        calling = asyncio.create_task(connector.run(made, board))
        async with asyncio.timeout(5):
            await rounds.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    called = [request.path.rpartition("/")[2] for request in server.requests]
    assert called[:4] == ["cedar-import", "delta-import", "ember-import", "cedar-import"]
    assert {request.header("authorization") for request in server.requests} == {"Bearer its-token"}


# --------------------------------------------------------------------------- the shipped file


def shipped(folder, ports):
    """The shipped checks.yaml, for the estate at `ports`."""
    text = (ROOT / "checks.yaml").read_text()
    usual = Ports()
    for name in (*SERVICES, "prometheus"):
        text = text.replace(f":{getattr(usual, name)}", f":{getattr(ports, name)}")
    for was, became in zip(usual.controls, ports.controls, strict=True):
        text = text.replace(f":{was}/", f":{became}/")
    path = folder / "checks.yaml"
    path.write_text(text)
    return load(path, {})


async def probed(config, net):
    """What every check and control of a configuration sees of each of its targets, from London."""
    cells = [cell for cell in config.estate.cells() if cell.vantage.name == "london"]
    asked = (
        PROBES[cell.check.kind].probe(cell, Ask(str(cell.key), 5.0), Means(net)) for cell in cells
    )
    results = await asyncio.gather(*asked)
    return {
        (cell.key.service, cell.key.check, cell.key.target): result
        for cell, result in zip(cells, results, strict=True)
    }


async def test_every_shipped_check_passes_on_the_estate_and_sees_its_faults(tmp_path):
    with EstateProcess(Ports.free()) as estate:
        config = shipped(tmp_path, estate.ports)
        async with made_net(secrets=[each.reveal() for each in config.secrets]) as net:
            well = await probed(config, net)
            listening = {key for key in well if key[1] == "imports"}
            assert len(listening) == 5
            others = {key: result for key, result in well.items() if key not in listening}
            assert {result.outcome for result in others.values()} == {Outcome.PASS}
            taken = [result for key, result in others.items() if key[1] == "accept"]
            assert [each.name for each in taken[0].evidence.steps] == ["place", "queued", "cancel"]
            assert [result.evidence.warnings for result in taken] == [(), ()]
            estate.client.switch_on("wrong_content", tenant="acme")
            broken = await probed(config, net)
    failing = {key for key, result in broken.items() if result.outcome is Outcome.FAIL}
    assert {key[2] for key in failing} == {"acme"}
    assert {("crm", "sign-in", "acme"), ("website", "shopping", "acme")} < failing
    assert ("orders", "accept", "acme") in failing
    first = broken["crm", "sign-in", "acme"].evidence.message
    assert first.startswith('step 1 of 3 "page": body lacks "Sign in to Prospect CRM"')
