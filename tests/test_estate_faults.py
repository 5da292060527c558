"""Every fault of the simulated estate, for every scope, on and off; and the log of them."""

import asyncio
import contextlib
import socket
from datetime import timedelta

import httpx
import pytest

from monitor.demo import faults, http1
from monitor.demo.estate import Ports
from monitor.demo.faults import Fault, FaultKind, Switched, parse_fault
from tests.estate_fixtures import START, running, until

HOME = {"crm": "sign-in", "sites": "", "website": "", "orders": "health"}
KINDS = "refuse, black_hole, status_503, maintenance_page, wrong_content, slow"
SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture
async def town():
    async with running() as town:
        yield town


def home(service, tenant):
    return f"/{tenant}/{HOME[service]}"


async def hit(town):
    """Who is hit: (service, tenant, source) whose home page is not answered with 200."""
    everyone = [
        (service, tenant, source)
        for source in SOURCES
        for service, tenant in [(s, t) for s in HOME for t in faults.GROUPS] + [("controls", "")]
    ]
    seen = await town.all_seen(
        (service, home(service, tenant) if tenant else "", source)
        for service, tenant, source in everyone
    )
    return {who for who, what in zip(everyone, seen, strict=True) if what != 200}


# --------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("refuse", "ConnectError"),
        ("black_hole", "held"),
        ("status_503", 503),
    ],
)
@pytest.mark.parametrize("service", [*HOME, "controls"])
async def test_a_fault_of_a_whole_service_bites_and_heals(town, service, kind, seen):
    path = "" if service == "controls" else home(service, "acme")
    assert await town.seen(service, path) == 200
    switched = await town.switch_on(kind, service=service)
    assert switched.status_code == 201
    assert await town.seen(service, path) == seen
    healed = await town.ask("DELETE", "switchboard", switched.headers["location"])
    assert [entry["id"] for entry in healed.json()["healed"]] == [switched.json()["id"]]
    assert await town.seen(service, path) == 200


async def test_wrong_content_is_a_200_that_is_not_the_page(town):
    await town.switch_on("wrong_content")
    page = await town.get("crm", "/acme/sign-in")
    assert (page.status_code, "<h1>Log in</h1>" in page.text) == (200, True)
    assert "Prospect" not in page.text
    for service, path in [("crm", "/acme/odata/v4/Info"), ("orders", "/acme/health")]:
        answer = await town.get(service, path)
        assert (answer.status_code, answer.json()) == (200, {})


async def test_a_maintenance_page_is_a_200_that_says_so(town):
    await town.switch_on("maintenance_page", service="sites")
    page = await town.get("sites", "/acme/")
    assert (page.status_code, "We'll be back soon" in page.text) == (200, True)
    assert "Prospect" not in page.text


async def test_slow_answers_rightly_after_its_seconds(town):
    await town.switch_on("slow", service="crm", tenant="acme", seconds=0.1)
    loop = asyncio.get_running_loop()
    asked = loop.time()
    page = await town.get("crm", "/acme/sign-in")
    assert "Sign in to Prospect CRM" in page.text
    assert loop.time() - asked >= 0.1


async def test_slow_keeps_only_its_scope_waiting(town):
    slow = await town.switch_on("slow", service="crm", tenant="acme")
    with pytest.raises(httpx.ReadTimeout):
        await town.get("crm", "/acme/sign-in", timeout=0.1)
    assert await town.seen("crm", "/bolt/sign-in") == 200
    await town.ask("DELETE", "switchboard", slow.headers["location"])
    assert await town.seen("crm", "/acme/sign-in") == 200


async def test_only_slow_lets_an_order_be_taken(town):
    async def waiting():
        return (await town.get("orders", "/acme/waiting")).json()["waiting"]

    for kind in ("status_503", "wrong_content", "maintenance_page"):
        await town.switch_on(kind, service="orders")
        await town.ask("POST", "orders", "/acme/orders", json={}, headers={"Idempotency-Key": "k"})
        await town.ask("DELETE", "switchboard", "/faults")
        assert await waiting() == 0
    await town.switch_on("slow", service="orders", seconds=0.01)
    await town.ask("POST", "orders", "/acme/orders", json={}, headers={"Idempotency-Key": "k"})
    assert await waiting() == 1


# --------------------------------------------------------------------------- scopes


def those(services=tuple(HOME), tenants=tuple(faults.GROUPS), sources=SOURCES):
    return {
        (service, tenant, source)
        for service in services
        for tenant in tenants
        for source in sources
    }


CONTROLS = {("controls", "", source) for source in SOURCES}
SCOPES = [
    ({}, those()),
    ({"service": "*", "controls": True}, those() | CONTROLS),
    ({"service": "controls"}, CONTROLS),
    ({"service": "crm"}, those(["crm"])),
    ({"tenant": "cedar"}, those(tenants=["cedar"])),
    ({"service": "website", "tenant": "cedar"}, those(["website"], ["cedar"])),
    ({"group": "blue"}, those(tenants=["acme", "bolt"])),
    ({"service": "crm", "group": "amber"}, those(["crm"], ["ember"])),
    ({"vantage": "127.0.0.3"}, those(sources=["127.0.0.3"])),
    (
        {"vantage": "127.0.0.3", "controls": True},
        those(sources=["127.0.0.3"]) | {("controls", "", "127.0.0.3")},
    ),
    (
        {"service": "crm", "group": "green", "vantage": "127.0.0.2"},
        those(["crm"], ["cedar", "delta"], ["127.0.0.2"]),
    ),
    (
        {"service": "sites", "tenant": "acme", "group": "blue", "vantage": "127.0.0.1"},
        those(["sites"], ["acme"], ["127.0.0.1"]),
    ),
]


@pytest.mark.parametrize("kind", ["refuse", "black_hole", "status_503"])
@pytest.mark.parametrize(("scope", "expected"), SCOPES, ids=[str(scope) for scope, _ in SCOPES])
async def test_a_fault_hits_its_scope_and_nobody_else(town, kind, scope, expected):
    assert (await town.switch_on(kind, **scope)).status_code == 201
    assert await hit(town) == expected
    await town.ask("DELETE", "switchboard", "/faults")
    assert await hit(town) == set()


@pytest.mark.parametrize("scope", [{"vantage": "127.0.0.1"}, {"tenant": "acme"}, {"group": "blue"}])
async def test_refuse_for_some_resets_an_accepted_connection(town, scope):
    await town.switch_on("refuse", service="crm", **scope)
    assert await town.seen("crm", "/acme/sign-in") == "ReadError"


async def test_the_fault_that_bites_earliest_wins_and_the_rest_stay(town):
    await town.switch_on("slow", service="crm", seconds=0.01)
    await town.switch_on("status_503", service="crm")
    hole = await town.switch_on("black_hole", service="crm")
    gone = await town.switch_on("refuse", service="crm")
    assert await town.seen("crm", "/acme/sign-in") == "ConnectError"
    await town.ask("DELETE", "switchboard", gone.headers["location"])
    assert await town.seen("crm", "/acme/sign-in") == "held"
    await town.ask("DELETE", "switchboard", hole.headers["location"])
    assert await town.seen("crm", "/acme/sign-in") == 503


async def test_a_narrow_hole_in_a_wide_answer_wins_too(town):
    await town.switch_on("status_503", service="crm")
    await town.switch_on("black_hole", service="crm", tenant="acme")
    assert await town.seen("crm", "/acme/sign-in") == "held"
    assert await town.seen("crm", "/bolt/sign-in") == 503


async def test_a_port_refused_twice_opens_when_both_are_healed(town):
    first = await town.switch_on("refuse", service="crm")
    second = await town.switch_on("refuse")
    await town.ask("DELETE", "switchboard", second.headers["location"])
    assert await town.seen("crm", "/acme/sign-in") == "ConnectError"
    assert await town.seen("sites", "/acme/") == 200
    await town.ask("DELETE", "switchboard", first.headers["location"])
    assert await town.seen("crm", "/acme/sign-in") == 200


# --------------------------------------------------------------------------- connections


@contextlib.asynccontextmanager
async def connected(town, service="crm"):
    reader, writer = await asyncio.open_connection("127.0.0.1", getattr(town.estate.ports, service))
    try:
        yield reader, writer
    finally:
        writer.close()


PAGE = b"GET /acme/sign-in HTTP/1.1\r\nHost: x\r\n\r\n"


async def one_answer(reader, writer):
    writer.write(PAGE)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head.split(b"\r\n")[0], await asyncio.wait_for(reader.readexactly(length), 5)


async def test_refusing_resets_the_connections_that_are_open(town):
    async with connected(town) as (reader, writer):
        await one_answer(reader, writer)
        await town.switch_on("refuse", service="crm")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)


async def test_a_refusing_port_stays_taken(town):
    await town.switch_on("refuse", service="crm")
    with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind(("127.0.0.1", town.estate.ports.crm))


async def test_a_kept_connection_meets_a_fault_at_its_next_request(town):
    async with connected(town) as (reader, writer):
        assert (await one_answer(reader, writer))[0] == b"HTTP/1.1 200 OK"
        await town.switch_on("status_503", service="crm", tenant="acme")
        assert (await one_answer(reader, writer))[0] == b"HTTP/1.1 503 Service Unavailable"
        await town.ask("DELETE", "switchboard", "/faults")
        assert (await one_answer(reader, writer))[0] == b"HTTP/1.1 200 OK"


async def test_a_kept_connection_is_swallowed_by_a_black_hole_and_reset_when_it_heals(town):
    async with connected(town) as (reader, writer):
        await one_answer(reader, writer)
        await town.switch_on("black_hole", service="crm")
        writer.write(PAGE)
        await until(lambda: town.held() == 1)
        heard = asyncio.create_task(reader.read())
        await town.ask("DELETE", "switchboard", "/faults")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(heard, 5)


async def test_a_black_hole_never_reads(town):
    await town.switch_on("black_hole", service="crm")
    async with connected(town) as (_reader, writer):
        writer.write(b"x" * 30_000_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.2)
        writer.transport.abort()


async def test_held_connections_are_bounded_and_the_oldest_is_reset(town, monkeypatch):
    monkeypatch.setattr(http1, "MOST_HELD", 2)
    await town.switch_on("black_hole", service="crm")
    async with connected(town) as (oldest, _), connected(town), connected(town):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(oldest.read(), 5)
        assert town.held() == 2
    await town.ask("DELETE", "switchboard", "/faults")
    assert await town.seen("crm", "/acme/sign-in") == 200


async def test_the_switchboard_is_beyond_every_fault(town):
    for kind in FaultKind:
        await town.switch_on(kind, controls=True)
    assert (await town.get("switchboard", "/faults")).status_code == 200


# --------------------------------------------------------------------------- the switchboard


@pytest.mark.parametrize(
    ("body", "mistakes"),
    [
        (b"{", ["the body is not JSON"]),
        (b"[" * 100_000, ["the body is not JSON"]),
        (b"\xff", ["the body is not JSON"]),
        (b"[]", ["a fault is a JSON object"]),
        (
            b"{}",
            [f"kind: missing; one of {KINDS}"],
        ),
        (
            b'{"kind": "slow", "who": 1}',
            [
                (
                    "who: no such key; known are kind, service, tenant, group, vantage, controls, "
                    "seconds"
                )
            ],
        ),
        (
            (
                b'{"kind": ["slow"], "service": "erp", "tenant": "nobody", "group": 3, '
                b'"vantage": "leeds", "controls": 1}'
            ),
            [
                f"kind: ['slow'] is not one of {KINDS}",
                "service: 'erp' is not one of crm, sites, website, orders, controls, *",
                "tenant: 'nobody' is not one of acme, bolt, cedar, delta, ember",
                "group: 3 is not one of blue, green, amber",
                "vantage: 'leeds' is not an IPv4 address",
                "controls: 1 is not true or false",
                "controls: they have no tenants and no groups",
            ],
        ),
        (
            b'{"kind": "slow", "seconds": 601}',
            ["seconds: 601 is not a number above 0 and up to 600"],
        ),
        (
            b'{"kind": "slow", "seconds": NaN}',
            ["seconds: nan is not a number above 0 and up to 600"],
        ),
        (b'{"kind": "refuse", "seconds": 3}', ["seconds: only slow takes them"]),
        (
            b'{"kind": "refuse", "tenant": "acme", "group": "amber"}',
            ["group: tenant acme is in group blue, not amber"],
        ),
        (
            b'{"kind": "refuse", "service": "controls", "tenant": "acme"}',
            ["controls: they have no tenants and no groups"],
        ),
        (
            b'{"kind": "refuse", "vantage": 7}',
            ["vantage: 7 is not an IPv4 address"],
        ),
    ],
)
async def test_every_mistake_in_a_fault_is_named(town, body, mistakes):
    answer = await town.ask("POST", "switchboard", "/faults", content=body)
    assert (answer.status_code, answer.json()) == (400, {"mistakes": mistakes})
    assert (await town.get("switchboard", "/log")).json() == []


async def test_null_is_the_same_as_left_out(town):
    nulls = dict.fromkeys(("service", "tenant", "group", "vantage", "seconds", "controls"))
    assert parse_fault({"kind": "slow", **nulls}) == Fault(FaultKind.SLOW)


async def test_too_many_faults_at_once_are_refused(town, monkeypatch):
    monkeypatch.setattr(faults, "MOST_FAULTS", 1)
    await town.switch_on("slow")
    refused = await town.switch_on("slow")
    assert refused.json() == {"mistakes": ["1 faults are on already; heal some"]}


async def test_healing_what_is_not_on_is_404_and_heals_nothing(town):
    await town.switch_on("status_503", service="crm")
    answer = await town.ask("DELETE", "switchboard", "/faults/f9")
    assert (answer.status_code, answer.json()) == (404, {"mistakes": ["no fault f9 is on"]})
    assert await town.seen("crm", "/acme/sign-in") == 503


async def test_healing_nothing_is_fine(town):
    assert (await town.ask("DELETE", "switchboard", "/faults")).json() == {"healed": []}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/faults/f1"), ("PUT", "/faults"), ("POST", "/log")]
)
async def test_there_is_no_other_switch(town, method, path):
    assert (await town.ask(method, "switchboard", path)).status_code == 404


async def test_the_log_keeps_every_switch_with_its_wall_time(town):
    town.time.advance(1.2345678)
    await town.switch_on("refuse", service="crm")
    town.time.advance(60)
    await town.switch_on("slow", tenant="acme", seconds=3)
    town.time.advance(60)
    assert [entry["id"] for entry in (await town.get("switchboard", "/faults")).json()] == [
        "f1",
        "f2",
    ]
    await town.ask("DELETE", "switchboard", "/faults/f1")
    town.time.advance(60)
    await town.ask("DELETE", "switchboard", "/faults")
    log = (await town.get("switchboard", "/log")).json()
    assert [(entry["at"], entry["action"], entry["id"]) for entry in log] == [
        ("2030-05-07T09:00:01.234Z", "on", "f1"),
        ("2030-05-07T09:01:01.234Z", "on", "f2"),
        ("2030-05-07T09:02:01.234Z", "off", "f1"),
        ("2030-05-07T09:03:01.234Z", "off", "f2"),
    ]
    assert log[1]["fault"] == {
        "kind": "slow",
        "service": "*",
        "tenant": "acme",
        "group": None,
        "vantage": None,
        "controls": False,
        "seconds": 3,
    }
    assert (await town.get("switchboard", "/faults")).json() == []


async def test_the_log_is_bounded(town):
    town.estate.board.log.extend(
        [Switched(START, "on", "old", Fault(FaultKind.SLOW))] * (faults.LOG_LENGTH + 1)
    )
    assert len(town.estate.board.log) == faults.LOG_LENGTH


def test_a_log_entry_reads_back_equal():
    entry = Switched(
        START + timedelta(milliseconds=5), "on", "f1", Fault(FaultKind.SLOW, "crm", seconds=2)
    )
    assert Switched.from_json(entry.as_json()) == entry


def test_ports_read_back_equal():
    assert Ports.from_json(Ports().as_json()) == Ports()
    assert Ports.from_json({"controls": [1, 2]}).controls == (1, 2)


async def test_switches_from_several_hands_at_once_leave_the_ports_right(town):
    async def flicker():
        for _ in range(5):
            on = await town.switch_on("refuse", service="crm")
            await town.ask("DELETE", "switchboard", on.headers["location"])

    await asyncio.gather(*(flicker() for _ in range(5)))
    assert await town.seen("crm", "/acme/sign-in") == 200
    await town.switch_on("refuse", service="crm")
    assert await town.seen("crm", "/acme/sign-in") == "ConnectError"
