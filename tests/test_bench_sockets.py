"""The labelled families over real sockets: what is pure in it, and one short world for real."""

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import dns.asyncquery
import dns.message
import dns.rcode
import httpx
import pytest

from bench.detection.calls import Call, calls_of
from bench.detection.families import FAMILIES
from bench.detection.run import Run
from bench.detection.sockets import main
from bench.detection.sockets.again import told_again
from bench.detection.sockets.chosen import Chosen, chosen
from bench.detection.sockets.configured import config_of
from bench.detection.sockets.estate import Certificates, Estate, Given, Time, estate, source_of
from bench.detection.sockets.played import Played, play
from bench.detection.sockets.reading import expiries, kinds_of, refusals
from bench.detection.sockets.table import section, words
from bench.detection.sockets.verdict import Beside, calls_of_outages, covered, delays, verdict
from bench.detection.sockets.wire import Ending, spoken
from bench.detection.ways import at_once, black_hole, of_places, of_service, well
from bench.detection.world import (
    EDGE,
    WITNESS,
    Answer,
    Draw,
    Fault,
    Scope,
    Truth,
    ruled,
    world,
)
from monitor.clock import real_clock
from monitor.config import load
from monitor.model import (
    CONTROL,
    CellKey,
    EvidenceKind,
    Extent,
    FailureKind,
    Impact,
    Interval,
    Outage,
    Outcome,
    Rules,
    Stage,
    VerdictReason,
)

START = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
REFUSED = at_once(FailureKind.CONNECT)
SERVED = Estate({"crm": "http://127.0.0.1:1001", CONTROL: "http://127.0.0.1:1002"})


def draw(family="1", interval=10.0):
    return Draw(family, 0, interval, 3, 5, Random(1))


def failing(how, began=20.0, ended=60.0, where=None, **more):
    return world(draw(), Fault(began, ended, how, where or of_service()), end=ended + 40, **more)


def spot_of(made, vantage="v0", target="t0", service="crm", check="sign-in"):
    return made.spots[CellKey(service, check, target, vantage)]


# ------------------------------------------------------------------ on the wire


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(0.1, Outcome.PASS), 200),
        (Answer(0.1, Outcome.BLOCKED), 403),
        (Answer(0.1, Outcome.MAINTENANCE), 503),
        (Answer(0.1, Outcome.FAIL, FailureKind.STATUS), 503),
        (Answer(0.1, Outcome.FAIL, FailureKind.BODY), 200),
        (Answer(0.1, Outcome.FAIL, FailureKind.MAINTENANCE_PAGE), 200),
    ],
)
def test_an_answer_that_is_a_page_has_this_status(answer, status):
    assert spoken(answer, "1").status == status


def test_an_outage_page_for_everyone_comes_with_the_status_that_else_means_us():
    answer = Answer(0.1, Outcome.FAIL, FailureKind.STATUS)
    blocked = spoken(Answer(0.1, Outcome.BLOCKED), "20a")
    assert spoken(answer, "20b").status == blocked.status
    assert spoken(answer, "20b").body != blocked.body


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (FailureKind.TIMEOUT, Ending.SILENCE),
        (FailureKind.RESET, Ending.RESET),
        (FailureKind.CONNECT, Ending.RESET),
    ],
)
def test_an_answer_that_is_no_page_ends_the_connection(kind, ending):
    assert spoken(Answer(0.1, Outcome.FAIL, kind), "1") is ending


def test_a_page_says_its_length_and_that_the_connection_ends():
    head, _, body = spoken(Answer(0.1, Outcome.PASS), "1").encoded.partition(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"Connection: close")


# ------------------------------------------------------------------ what a world is asked before


def test_a_socket_is_closed_while_nobody_can_connect():
    made = failing(REFUSED)
    assert refusals(made, "crm") == [(20.0, 60.0)]
    assert refusals(made, CONTROL) == []


@pytest.mark.parametrize("how", [black_hole, at_once(FailureKind.STATUS)])
def test_a_socket_stays_open_for_what_fails_otherwise(how):
    assert refusals(failing(how), "crm") == []


def test_a_socket_stays_open_while_one_vantage_can_connect():
    assert refusals(failing(REFUSED, where=of_places({0, 2}, controls=True)), "crm") == []


def test_a_socket_is_closed_anew_for_every_blip():
    faults = [Fault(a, a + 5.0, REFUSED, of_service()) for a in (20.0, 50.0)]
    assert refusals(world(draw(), *faults, end=99.0), "crm") == [(20.0, 25.0), (50.0, 55.0)]


def test_the_kinds_of_a_world_are_those_its_faults_show():
    assert kinds_of(failing(at_once(FailureKind.TLS))) == {FailureKind.TLS}
    assert FailureKind.DNS in kinds_of(Chosen("5", 21130).world())
    assert kinds_of(failing(well)) == {None}


def test_caches_expire_in_the_order_in_which_vantages_ask():
    made = Chosen("5", 21130).world()
    since, last = made.truths[0].since, made.truths[0].complete
    found = expiries(made)
    assert len(found) == 3
    assert min(found) == pytest.approx(made.truths[0].began)
    assert max(found) == pytest.approx(last)
    assert min(found) > since


# ------------------------------------------------------------------ the configuration


def loaded(made, tmp_path, served=SERVED):
    path = tmp_path / "checks.yaml"
    path.write_text(config_of(made, served, tmp_path))
    return load(path, {})


def test_the_cells_are_those_of_the_world_but_for_the_controls_target(tmp_path):
    made = failing(REFUSED)
    cells = loaded(made, tmp_path).estate.cells()
    assert {c.key for c in cells if c.key.service != CONTROL} == {
        key for key in made.spots if key.service != CONTROL
    }
    assert len(cells) == len(made.spots)
    assert {c.target.group for c in cells} == {"", "blue", "green", "amber"}


def test_vantages_are_three_addresses_in_three_networks(tmp_path):
    vantages = loaded(failing(REFUSED), tmp_path).estate.vantages
    assert {v.source_address for v in vantages} == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}
    assert len({v.network for v in vantages}) == 3
    assert all(source_of(v.name) == v.source_address for v in vantages)


@pytest.mark.parametrize("rules", [Rules(), Rules(round_gap=1.0, repeat_gap=0.2)])
def test_the_rules_are_those_of_the_world(tmp_path, rules):
    made = failing(REFUSED)
    made = replace(made, estate=ruled(made.estate, rules))
    assert {s.rules for s in loaded(made, tmp_path).estate.services} == {rules}


@pytest.mark.parametrize(("timeout", "configured"), [(10.0, 9.9), (4.2, 4.2)])
def test_a_timeout_is_the_worlds_unless_it_is_the_interval(tmp_path, timeout, configured):
    (service,) = loaded(failing(REFUSED, timeout=timeout), tmp_path).estate.services
    assert {check.timeout for check in service.checks} == {configured}


def test_the_name_server_is_asked_where_there_is_one(tmp_path):
    served = replace(SERVED, nameserver="127.0.0.1:5353")
    assert loaded(failing(REFUSED), tmp_path, served).nameservers == ("127.0.0.1:5353",)
    assert loaded(failing(REFUSED), tmp_path).nameservers is None


def test_maintenance_is_declared_by_the_hour(tmp_path):
    made = FAMILIES["19b"](21157)
    ((began, ended),) = made.maintenance
    declared = json.loads(config_of(made, SERVED, tmp_path, START))["maintenance"]
    (window,) = declared.values()
    assert datetime.fromisoformat(window["begins"]) == START + timedelta(seconds=round(began))
    assert datetime.fromisoformat(window["ends"]) == START + timedelta(seconds=round(ended))
    assert window["services"] == ["crm"]
    with pytest.raises(ValueError, match="when the world begins"):
        config_of(made, SERVED, tmp_path)


def test_the_edge_and_what_real_users_do_are_configured(tmp_path):
    made = next(w for w in map(FAMILIES["20c"], range(20_000, 22_000)) if _played(w))
    estate = loaded(made, tmp_path).estate
    assert {service.edge for service in estate.services} == {EDGE}
    assert [control.edge for control in estate.controls] == [EDGE, "", ""]
    witnesses = [c for s in estate.services for c in s.checks if c.real_users]
    assert [(c.name, c.evidence) for c in witnesses] == [(WITNESS, EvidenceKind.PASSIVE)]


def _played(made):
    return (made.draw.vantages, made.draw.targets, made.draw.interval) == (3, 5, 10.0)


def test_a_world_of_shared_targets_is_refused(tmp_path):
    made = world(Draw("1", 0, 10.0, 3, 1, Random(1)), end=10.0)
    with pytest.raises(ValueError, match="shared targets"):
        config_of(made, SERVED, tmp_path)


# ------------------------------------------------------------------ which world


@pytest.mark.parametrize("family", ["1", "21"])
def test_the_world_of_a_family_has_the_size_that_is_played(family):
    one = chosen(family)
    made = one.world()
    assert (made.draw.vantages, made.draw.targets, made.draw.interval) == (3, 5, 10.0)
    assert chosen(family) == one


def test_the_monitor_is_killed_amid_the_outage():
    made = chosen("21").world()
    (truth,) = made.truths
    assert any(e.restarts and truth.began < e.at < truth.ended for e in made.host)


# ------------------------------------------------------------------ the verdict


def after(seconds):
    return START + timedelta(seconds=seconds)


def outage(detected=30.0, **more):
    usual = {
        "id": "1",
        "unit": "crm/sign-in",
        "service": "crm",
        "check": "sign-in",
        "impact": Impact.ALL,
        "reason": VerdictReason.EVERYONE_TWICE,
        "extent": Extent(15, 15),
        "began": Interval(after(19), after(21)),
        "detected_at": after(detected),
    }
    return Outage(**(usual | more))


def concluded(*outages):
    return calls_of_outages(Played(outages, START))


BACK = {"recovered": Interval(after(60), after(61)), "watch_until": after(700)}


@pytest.mark.parametrize(
    ("more", "stage"),
    [
        ({}, "failing"),
        (BACK, "recovered"),
        (BACK | {"closed_at": after(700)}, "closed"),
        (BACK | {"watch_until": None, "episodes": 2}, "failing"),
    ],
)
def test_a_stored_outage_says_in_which_stage_it_was_left(more, stage):
    assert verdict(concluded(outage(**more))) == (("ALL", "crm", stage),)


def test_a_stored_outage_tells_its_times_in_seconds_of_the_world():
    (call,) = concluded(outage())
    assert (call.at, call.began) == (30.0, (19.0, 21.0))


@pytest.mark.parametrize(
    ("impact", "reason", "scope"),
    [
        (Impact.SOME, VerdictReason.SET_FAILING, "PARTIAL"),
        (Impact.UNKNOWN, VerdictReason.LOCKED_OUT, "UNKNOWN"),
        (Impact.SOME, VerdictReason.NEVER_WORKED, "never worked"),
    ],
)
def test_a_stored_outage_has_the_scope_that_the_simulator_calls(impact, reason, scope):
    assert verdict(concluded(outage(impact=impact, reason=reason)))[0][0] == scope


def test_outages_are_told_in_the_order_of_their_opening():
    part = {"impact": Impact.SOME, "reason": VerdictReason.SET_FAILING}
    found = verdict(concluded(outage(50.0), outage(30.0, id="2", **part)))
    assert [scope for scope, _, _ in found] == ["PARTIAL", "ALL"]


def call(at=30.0, scope=Scope.ALL, stage=Stage.WATCHING, began=(19.0, 21.0)):
    return Call(scope, "crm", at, began, stage=stage)


def beside(live, again=None):
    truth = Truth(Scope.ALL, 20.0, 20.0, 60.0)
    simulated = [[call()], [call(at=31.5)]]
    again = [call(at=31.0)] if again is None else again
    return Beside(failing(REFUSED, truths=[truth]), simulated, live, again, 100, 1)


def test_verdicts_are_the_same_whatever_the_seconds():
    assert beside([call(at=41.0, began=(1.0, 2.0))]).same


@pytest.mark.parametrize(
    "live",
    [[], [call(scope=Scope.PARTIAL)], [call(stage=Stage.FAILING)], [call(), call(at=50.0)]],
)
def test_verdicts_differ_in_scope_stage_and_number(live):
    assert not beside(live).same


def test_a_verdict_that_these_answers_come_to_is_the_same_and_marked():
    other = [call(scope=Scope.PARTIAL)]
    one = beside(other, again=other)
    assert one.same
    assert not one.alike
    assert any(" | yes, with these answers | " in line for line in section({"8": one}))


def test_the_simulator_can_be_given_the_answers_that_servers_gave():
    made = failing(at_once(FailureKind.STATUS))
    well_all_along = [
        Given(at + 0.1, spot.key, Answer(0.05, Outcome.PASS))
        for at in (second / 2 for second in range(300))
        for spot in made.spots.values()
    ]
    assert verdict(calls_of(Run(made).go().declared))
    assert verdict(told_again(made, well_all_along)) == ()
    assert verdict(told_again(made, [])) == verdict(calls_of(Run(made).go().declared))


@pytest.mark.parametrize(
    ("began", "good"), [((19.0, 21.0), True), ((None, 20.0), True), ((20.1, 21.0), False)]
)
def test_a_start_covers_the_truth_when_it_lies_within(began, good):
    assert covered(beside([]).world, [call(began=began)]) == [good]


def test_delays_count_from_the_truth_and_lack_where_nothing_was_told():
    made = beside([]).world
    assert delays(made, [call()]) == [10.0]
    assert delays(made, []) == [None]
    assert covered(made, []) == []


def test_the_table_names_what_differs_and_what_broke_down():
    found = {"1": beside([call()]), "2": beside([]), "4": "broke down"}
    lines = list(section(found))
    rows = {line.split(" | ")[0]: line for line in lines if line.startswith("| ")}
    assert " | yes | 10.0 to 11.5 | 11.0 | 10.0 | 2 of 2 | 1 of 1 | 100 | 1 |" in rows["| 1"]
    assert " | NO | " in rows["| 2"]
    assert " | broke down | NO | " in rows["| 4"]
    assert "1 of 3 families have the simulator's verdict." in lines


def test_the_section_is_put_between_its_marks_and_nothing_else_is_touched(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Live\n\nbefore\n")
    asked = ["--family", "1", "19", "--longest", "1", "--out", str(page)]
    assert main(asked) == 0
    once = page.read_text()
    page.write_text(once + "after\n")
    assert main(asked) == 0
    assert page.read_text() == once + "after\n"
    assert once.startswith("# Live\n\nbefore\n\n<!-- families over real sockets -->\n## ")
    assert "0 of 0 families" in capsys.readouterr().out


def test_a_verdict_of_nothing_is_none():
    assert words(()) == "none"
    assert words([("BLIND", "", "failing")]) == "BLIND failing"


# ------------------------------------------------------------------ the servers


@asynccontextmanager
async def served(made, at):
    """A world whose second `at` it is now."""
    clock = real_clock()
    time = Time(clock)
    certificates = Certificates()
    async with estate(made, time, certificates) as places:
        time.begin(clock.monotonic() - at)
        yield places, certificates


async def got(places, target="t0", vantage="v0", service="crm", check="sign-in", **wishes):
    transport = httpx.AsyncHTTPTransport(local_address=source_of(vantage), **wishes)
    async with httpx.AsyncClient(transport=transport, timeout=3.0) as http:
        return await http.get(f"{places.origins[service]}/{check}/{target}")


async def test_each_vantage_is_answered_by_its_address():
    made = failing(at_once(FailureKind.STATUS), where=of_places({1}, controls=True))
    async with served(made, 30.0) as (places, _):
        assert (await got(places, vantage="v0")).status_code == 200
        assert (await got(places, vantage="v1")).status_code == 503
        controls = {"service": CONTROL, "check": "control-0"}
        assert (await got(places, vantage="v1", **controls)).status_code == 503
        assert (await got(places, vantage="v2", **controls)).status_code == 200


async def test_what_is_refused_to_everyone_cannot_be_connected_to_and_comes_back():
    made = failing(REFUSED, began=0.0, ended=0.5)
    async with served(made, 0.0) as (places, _):
        with pytest.raises(httpx.ConnectError):
            await got(places)
        await made_later(places)


async def made_later(places):
    """Ask until it is answered; the test's own timeout ends what never comes."""
    while True:
        try:
            answer = await got(places)
        except httpx.TransportError:
            continue
        assert answer.status_code == 200
        return


async def test_what_is_reset_is_reset():
    async with served(failing(at_once(FailureKind.RESET)), 30.0) as (places, _):
        with pytest.raises(httpx.ReadError):
            await got(places)


async def test_a_black_hole_accepts_and_is_silent():
    made = failing(black_hole)
    async with served(made, 30.0) as (places, _):
        transport = httpx.AsyncHTTPTransport()
        async with httpx.AsyncClient(transport=transport, timeout=0.3) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(f"{places.origins['crm']}/sign-in/t0")


@pytest.mark.parametrize(("at", "good"), [(10.0, True), (30.0, False)])
async def test_a_certificate_expires_with_the_fault(at, good):
    import ssl

    async with served(failing(at_once(FailureKind.TLS)), at) as (places, certificates):
        context = ssl.create_default_context()
        certificates.authority.configure_trust(context)
        if good:
            assert (await got(places, verify=context)).status_code == 200
        else:
            with pytest.raises(httpx.ConnectError, match="expired"):
                await got(places, verify=context)


@pytest.mark.parametrize(("at", "gone"), [(10.0, False), (60.0, True), (500.0, False)])
async def test_a_name_is_gone_while_the_fault_lasts(at, gone):
    made = Chosen("5", 21130).world()
    async with served(made, at) as (places, _):
        host, port = places.nameserver.split(":")
        query = dns.message.make_query("estate.example", "A")
        reply = await asked_until_answered(query, host, int(port))
    assert (reply.rcode() != dns.rcode.NOERROR) is gone
    if at == 10.0:
        assert reply.answer[0].ttl == pytest.approx(expiries(made)[0] - at, abs=1.0)


async def asked_until_answered(query, host, port):
    while True:
        try:
            return await dns.asyncquery.udp(query, host, port=port, timeout=1.0)
        except dns.exception.Timeout:
            continue


# ------------------------------------------------------------------ for real

FAST = Rules(round_gap=1.0, repeat_gap=0.2, late_silence=1.0, recovery_span=1.0, sweep_gaps=(1.0,))


def short():
    """Twelve seconds in which all is well, then eight of an outage."""
    truth = Truth(Scope.ALL, 12.0, 12.0, 20.0)
    fault = Fault(12.0, 20.0, at_once(FailureKind.STATUS), of_service())
    made = world(draw(interval=2.0), fault, truths=[truth], timeout=1.5, end=20.0)
    return replace(made, estate=ruled(made.estate, FAST))


async def test_the_real_monitor_says_of_a_short_world_what_the_simulator_says():
    simulated = calls_of(Run(short()).go().declared)
    assert verdict(simulated) == (("ALL", "crm", "failing"),)
    played = await play(short(), Certificates(), real_clock())
    live = calls_of_outages(played)
    assert verdict(live) == verdict(simulated)
    assert verdict(told_again(short(), played.given)) == verdict(simulated)
    assert covered(short(), live) == [True]
    assert delays(short(), live) == pytest.approx(delays(short(), simulated), abs=4.0)
