"""The simulated estate while it is healthy, its wire behaviour, and its process."""

import asyncio
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from http.cookies import SimpleCookie

import httpx
import pytest

from monitor.demo import http1, services
from monitor.demo.estate import GROUPS, Estate, EstateProcess, Ports, Settings
from monitor.demo.faults import BadFaultError
from tests.estate_fixtures import AUTH, MovedClock, running, until


@pytest.fixture
async def town():
    async with running() as town:
        yield town


# --------------------------------------------------------------------------- paths


@pytest.mark.parametrize("tenant", GROUPS)
@pytest.mark.parametrize(
    ("service", "path", "words"),
    [
        ("crm", "sign-in", "Sign in to Prospect CRM"),
        ("sites", "", "Prospect Sites"),
        ("website", "", "Welcome"),
        ("website", "search?q=desk", "oak desk"),
        ("website", "basket", "Basket"),
        ("website", "checkout", "Checkout"),
    ],
)
async def test_every_page_of_every_tenant_shows_its_words(town, tenant, service, path, words):
    answer = await town.get(service, f"/{tenant}/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert words in answer.text


async def test_there_are_five_tenants_in_three_groups(town):
    assert len(GROUPS) == 5
    assert len(set(GROUPS.values())) == 3


async def test_the_estate_stands_on_the_address_it_is_told():
    async with Estate(replace(Ports.free(), host="127.0.0.9"), MovedClock().clock) as estate:
        assert estate.ports.host == "127.0.0.9"
        places = [*estate.ports.control_urls(), f"{estate.ports.origin('sites')}/acme/"]
        async with httpx.AsyncClient(trust_env=False) as client:
            assert [(await client.get(url)).status_code for url in places] == [200] * 4
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", estate.ports.sites), timeout=5)


async def test_three_control_targets_say_ok(town):
    urls = town.estate.ports.control_urls()
    assert len(urls) == 3
    assert [(await town.client().get(url)).text for url in urls] == ["ok"] * 3


@pytest.mark.parametrize("service", ["crm", "sites", "website", "orders"])
async def test_unknown_tenants_and_paths_are_404(town, service):
    assert (await town.get(service, "/nobody/")).status_code == 404
    assert (await town.get(service, "/")).status_code == 404
    assert (await town.get(service, "/acme/no/such/path")).status_code == 404


async def test_another_method_is_405_and_names_those_allowed(town):
    answer = await town.ask("PUT", "website", "/acme/basket")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


# --------------------------------------------------------------------------- the OData API


async def test_the_api_says_what_it_is_and_lists_contacts(town):
    about = await town.get("crm", "/cedar/odata/v4/Info", headers=AUTH)
    assert about.json()["Tenant"] == "cedar"
    contacts = await town.get("crm", "/cedar/odata/v4/Contacts?$top=3", headers=AUTH)
    assert [row["ContactId"] for row in contacts.json()["value"]] == [1, 2, 3]
    assert contacts.headers["odata-version"] == "4.0"
    assert contacts.json()["@odata.context"] == town.url(
        "crm", "/cedar/odata/v4/$metadata#Contacts"
    )


@pytest.mark.parametrize("top", ["-1", "x", "", "1" * 5000, "²"])
async def test_a_top_that_is_no_whole_number_is_400(town, top):
    url = town.url("crm", "/acme/odata/v4/Contacts")
    answer = await town.client().get(url, params={"$top": top}, headers=AUTH)
    assert answer.status_code == (200 if top == "" else 400)


@pytest.mark.parametrize("credentials", [None, "Bearer wrong", "Basic demo-token", "Bearer é"])
async def test_without_the_token_the_api_is_401_with_a_challenge(town, credentials):
    headers = {"Authorization": credentials.encode("latin-1")} if credentials else {}
    answer = await town.get("crm", "/acme/odata/v4/Contacts", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="acme"')


async def test_the_quota_is_1200_requests_in_ten_minutes():
    assert (Settings().quota, Settings().quota_window) == (1200, 600.0)


async def test_above_the_quota_a_tenant_gets_429_until_the_window_has_moved_on():
    async with running(Settings(quota=2, quota_window=60)) as town:
        path = "/acme/odata/v4/Info"
        assert (await town.get("crm", path)).status_code == 401
        assert await town.seen("crm", path) == 200
        town.time.advance(20)
        assert await town.seen("crm", path) == 200
        refused = await town.get("crm", path, headers=AUTH)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "40")
        assert await town.seen("crm", "/bolt/odata/v4/Info") == 200
        assert await town.seen("crm", "/acme/sign-in") == 200
        town.time.advance(40)
        assert await town.seen("crm", path) == 200
        assert await town.seen("crm", path) == 429


async def test_every_answer_of_the_api_tells_of_the_quota():
    def told(answer):
        names = ("limit", "remaining", "reset")
        return tuple(int(answer.headers[f"ratelimit-{name}"]) for name in names)

    async with running(Settings(quota=2, quota_window=60)) as town:
        info, contacts = "/acme/odata/v4/Info", "/acme/odata/v4/Contacts"
        assert told(await town.get("crm", info, headers=AUTH)) == (2, 1, 60)
        town.time.advance(20)
        assert told(await town.get("crm", f"{contacts}?$top=x", headers=AUTH)) == (2, 0, 40)
        assert told(await town.get("crm", contacts, headers=AUTH)) == (2, 0, 40)
        town.time.advance(40)
        assert told(await town.get("crm", contacts, headers=AUTH)) == (2, 0, 20)
        assert "ratelimit-limit" not in (await town.get("crm", info)).headers


# --------------------------------------------------------------------------- the shop


async def test_a_basket_is_kept_by_its_cookie(town):
    added = await town.ask("POST", "website", "/acme/basket", data={"item": "oak desk"})
    assert "<li>oak desk</li>" in added.text
    await town.ask("POST", "website", "/acme/basket", data={"item": "steel lamp"})
    basket = await town.get("website", "/acme/basket")
    assert "<li>oak desk</li><li>steel lamp</li>" in basket.text
    assert "2 items" in (await town.get("website", "/acme/checkout")).text
    town.client().cookies.clear()
    assert "No items" in (await town.get("website", "/acme/checkout")).text


async def test_a_session_of_another_tenant_is_none(town):
    added = await town.ask("POST", "website", "/acme/basket", data={"item": "oak desk"})
    cookie = {"Cookie": "session=" + SimpleCookie(added.headers["set-cookie"])["session"].value}
    assert "oak" in (await town.get("website", "/acme/basket", headers=cookie)).text
    assert "oak" not in (await town.get("website", "/bolt/basket", headers=cookie)).text


async def test_what_a_client_sends_is_escaped(town):
    found = await town.get("website", "/acme/search?q=%3Cscript%3E")
    assert "&lt;script&gt;" in found.text
    added = await town.ask("POST", "website", "/acme/basket", data={"item": "<b>"})
    assert "<li>&lt;b&gt;</li>" in added.text


async def test_adding_nothing_is_400(town):
    assert (await town.ask("POST", "website", "/acme/basket")).status_code == 400


async def test_sessions_and_items_are_bounded(town, monkeypatch):
    monkeypatch.setattr(services, "MOST_SESSIONS", 2)
    first = await town.ask("POST", "website", "/acme/basket", data={"item": "oak desk"})
    for _ in range(2):
        town.client().cookies.clear()
        await town.ask("POST", "website", "/acme/basket", data={"item": "oak desk"})
    cookie = {"Cookie": "session=" + SimpleCookie(first.headers["set-cookie"])["session"].value}
    town.client().cookies.clear()
    assert "oak" not in (await town.get("website", "/acme/basket", headers=cookie)).text
    for number in range(services.MOST_ITEMS + 1):
        last = await town.ask("POST", "website", "/acme/basket", data={"item": f"no-{number}"})
    assert last.text.count("<li>") == services.MOST_ITEMS


# --------------------------------------------------------------------------- the connector


async def order(town, key="k1", body=None):
    headers = {"Idempotency-Key": key} if key else {}
    return await town.ask(
        "POST", "orders", "/acme/orders", json=body or {"lines": 1}, headers=headers
    )


async def test_an_order_is_accepted_then_confirmed_after_the_sync_interval():
    async with running(Settings(sync_interval=30)) as town:
        accepted = await order(town)
        assert accepted.status_code == 202
        place = accepted.headers["location"]
        assert place == f"/acme/orders/{accepted.json()['id']}"
        town.time.advance(29)
        assert (await town.get("orders", place)).json()["state"] == "accepted"
        waiting = await town.get("orders", "/acme/waiting")
        assert waiting.json() == {"waiting": 1, "oldest_seconds": 29.0}
        town.time.advance(1)
        assert (await town.get("orders", place)).json()["state"] == "confirmed"
        waiting = await town.get("orders", "/acme/waiting")
        assert waiting.json() == {"waiting": 0, "oldest_seconds": 0.0}


async def test_the_connector_is_well(town):
    assert (await town.get("orders", "/acme/health")).json() == {"status": "ok"}


async def test_a_key_stands_for_one_order(town):
    first, again = await order(town), await order(town)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (await order(town, body={"lines": 2})).status_code == 409
    assert (await order(town, key="k2", body={"lines": 2})).status_code == 202


async def test_a_deleted_order_is_gone_and_its_key_free(town):
    place = (await order(town)).headers["location"]
    assert (await town.ask("DELETE", "orders", place)).status_code == 204
    assert (await town.get("orders", place)).status_code == 404
    assert (await town.ask("DELETE", "orders", place)).status_code == 404
    assert (await order(town, body={"lines": 2})).status_code == 202


async def test_orders_of_one_tenant_are_not_another_s(town):
    place = (await order(town)).headers["location"]
    assert (await town.get("orders", place.replace("acme", "bolt"))).status_code == 404


@pytest.mark.parametrize(
    ("key", "body", "mistake"),
    [
        (None, b"{}", "an Idempotency-Key of 1 to 200 characters is needed"),
        ("k" * 201, b"{}", "an Idempotency-Key of 1 to 200 characters is needed"),
        ("k", b"{", "the order is not JSON"),
        ("k", b"[" * 100_000, "the order is not JSON"),
        ("k", b"[]", "the order is not a JSON object"),
    ],
)
async def test_a_wrong_order_is_400_and_says_why(town, key, body, mistake):
    headers = {"Idempotency-Key": key} if key else {}
    answer = await town.ask("POST", "orders", "/acme/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": mistake})


async def test_the_oldest_order_is_forgotten_first(town, monkeypatch):
    monkeypatch.setattr(services, "MOST_ORDERS", 2)
    places = [(await order(town, key=f"k{n}")).headers["location"] for n in range(3)]
    assert [(await town.get("orders", place)).status_code for place in places] == [404, 200, 200]


# --------------------------------------------------------------------------- the wire


async def spoken(town, sent, service="crm"):
    """Everything the estate says to these bytes until it ends the connection."""
    port = getattr(town.estate.ports, service)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    heard = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return heard


PAGE = b"GET /acme/sign-in HTTP/1.1\r\nHost: x\r\n"


async def test_head_is_get_without_the_body(town):
    got = await town.get("crm", "/acme/sign-in")
    headed = await town.ask("HEAD", "crm", "/acme/sign-in")
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers == got.headers


async def test_the_date_is_that_of_the_clock(town):
    answer = await town.get("controls", "")
    assert answer.headers["date"] == "Tue, 07 May 2030 09:00:00 GMT"


async def test_a_connection_is_kept_and_its_requests_answered_in_order(town):
    heard = await spoken(
        town,
        PAGE
        + b"\r\n"
        + b"HEAD /acme/x HTTP/1.1\r\nHost: x\r\n\r\n"
        + PAGE
        + b"Connection: close\r\n\r\n",
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", heard) == [b"200", b"404", b"200"]
    assert heard.count(b"Connection: close") == 1


async def test_http_1_0_ends_the_connection_unless_it_is_asked_to_keep_it(town):
    old = PAGE.replace(b"HTTP/1.1", b"HTTP/1.0")
    kept = old + b"Connection: keep-alive\r\n\r\n"
    assert (await spoken(town, old + b"\r\n")).count(b"HTTP/1.1 200 OK") == 1
    assert (await spoken(town, kept + old + b"\r\n")).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    "sent",
    [
        b"what\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        PAGE + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_400_and_ends_the_connection(town, sent):
    assert (await spoken(town, sent)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_request_over_the_limit_is_413(town):
    answer = await spoken(town, PAGE + b"X: " + b"a" * http1.REQUEST_BYTES)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_an_idle_connection_is_ended(town, monkeypatch):
    monkeypatch.setattr(http1, "IDLE_SECONDS", 0.05)
    assert await spoken(town, b"") == b""


async def test_a_taken_port_is_named(town):
    taken = replace(Ports.free(), crm=town.estate.ports.crm)
    with pytest.raises(OSError, match=f"cannot bind 127.0.0.1:{taken.crm}: Address already in use"):
        async with Estate(taken, MovedClock().clock):
            pass


async def test_closing_gives_every_port_back():
    async with running() as town:
        ports = town.estate.ports
        await town.switch_on("refuse", service="crm")
        await town.switch_on("black_hole", service="sites")
        hanging = asyncio.create_task(town.get("sites", "/acme/"))
        await until(lambda: town.held() == 1)
    assert isinstance((await asyncio.gather(hanging, return_exceptions=True))[0], httpx.ReadError)
    async with Estate(ports, MovedClock().clock) as again:
        assert again.ports == ports


# --------------------------------------------------------------------------- the process


def test_the_process_starts_is_switched_and_ends():
    with EstateProcess(Ports.free(), Settings(quota=1)) as estate:
        sign_in = estate.ports.origin("crm") + "/acme/sign-in"
        assert httpx.get(sign_in).status_code == 200
        on = estate.client.switch_on("status_503", service="crm", tenant="acme")
        assert httpx.get(sign_in).status_code == 503
        assert estate.client.faults() == [on]
        [off] = estate.client.heal(on.id)
        assert httpx.get(sign_in).status_code == 200
        assert estate.client.log() == [on, off]
        assert on.at <= off.at
        with pytest.raises(BadFaultError, match="kind: 'rain' is not one of refuse,"):
            estate.client.switch_on("rain")
        with pytest.raises(httpx.HTTPStatusError):
            estate.client.heal("f99")
        api = estate.ports.origin("crm") + "/acme/odata/v4/Info"
        assert [httpx.get(api, headers=AUTH).status_code for _ in "12"] == [200, 429]
        assert estate.returncode is None
    assert estate.returncode == 0


async def test_the_asynchronous_client_makes_the_same_calls():
    with EstateProcess(Ports.free()) as estate:
        client = estate.async_client
        on = await client.switch_on("slow", service="*", vantage="127.0.0.3", seconds=2)
        await client.switch_on("refuse", controls=True)
        assert [entry.fault.kind for entry in await client.faults()] == ["slow", "refuse"]
        assert on.fault.seconds == 2
        assert [entry.action for entry in await client.heal()] == ["off", "off"]
        assert len(await client.log()) == 4


def test_a_process_that_cannot_start_says_so(capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(RuntimeError, match="ended with status 1 before it was ready"),
            EstateProcess(replace(Ports.free(), sites=port)),
        ):
            pass
    assert capfd.readouterr().err == f"cannot bind 127.0.0.1:{port}: Address already in use\n"


def test_the_process_dies_with_its_parent():
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "from monitor.demo.estate import EstateProcess, Ports\n"
                "with EstateProcess(Ports.free()) as estate:\n"
                "    print(estate.pid, flush=True)\n"
                "    input()\n"
            ),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        watched = os.pidfd_open(int(parent.stdout.readline()))
        assert not select.select([watched], [], [], 0)[0]
        parent.kill()
        assert select.select([watched], [], [], 5)[0]
        os.close(watched)


@pytest.fixture
def interruptible():
    """A shell that starts these tests in the background has SIGINT ignored by all of them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_alone_it_prints_its_addresses_and_serves_until_interrupted(number):
    ports = json.dumps(Ports.free().as_json())
    alone = subprocess.Popen(
        [sys.executable, "-m", "monitor.demo.estate", "--ports", ports],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with alone:
        said = {}
        for line in alone.stdout:
            name, _, rest = line.strip().partition(" ")
            said[name] = rest.strip()
            if name == "Ctrl-C":
                break
        assert httpx.get(said["crm"] + "acme/sign-in").status_code == 200
        assert httpx.get(said["switchboard"] + "log").json() == []
        assert httpx.get(said["controls"]).text == "ok"
        assert said["tenants"].startswith("acme (blue), bolt (blue)")
        alone.send_signal(number)
        assert alone.wait(5) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ports", "[]"], "ports are a JSON object"),
        (["--ports", '{"crn": 0}'], "no such ports: crn"),
        (["--settings", '{"quote": 0}'], "unexpected keyword argument 'quote'"),
    ],
)
def test_wrong_arguments_are_named(arguments, complaint):
    asked = subprocess.run(
        [sys.executable, "-m", "monitor.demo.estate", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 2
    assert complaint in asked.stderr


def test_the_default_addresses_are_the_documented_ones():
    ports = Ports()
    assert [ports.crm, ports.sites, ports.website, ports.orders] == [9101, 9102, 9103, 9104]
    assert ports.control_urls()[0] == "http://127.0.0.1:9111/ok"
    assert ports.origin("switchboard") == "http://127.0.0.1:9100"
