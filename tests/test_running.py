"""The whole monitor as a process, against the simulated estate, over real sockets and signals."""

import asyncio
import contextlib
import random
import re
import signal
import socket
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.net.secret import Secret
from monitor.store import Spool
from tests.http_server import Reply
from tests.kills import killed_often
from tests.receivers.webhook import HANG, webhook_receiver
from tests.running import PATIENCE, SECRET, TOKEN, command, json_of, monitor, write_config
from tests.store_outside import execute

CRITICAL = {"priority": "critical", "service": "crm"}
AWAY = Reply(503)
A_MOMENT = timedelta(milliseconds=50)
"""What the two clocks may drift apart between two processes."""


@pytest.fixture(scope="module")
def estate():
    with EstateProcess(Ports.free()) as process:
        yield process


@pytest.fixture(autouse=True)
def healed(estate):
    estate.client.heal()
    yield
    estate.client.heal()


def receiver(*answers):
    return webhook_receiver(Secret(SECRET), lambda: datetime.now(UTC), *answers)  # noqa: TID251 - the receiver's own clock


@pytest_asyncio.fixture
async def pager():
    async with receiver() as made:
        yield made


@contextlib.contextmanager
def locked(path):
    """The database locked by another program."""
    rude = sqlite3.connect(path, isolation_level=None)
    rude.execute("BEGIN IMMEDIATE")
    yield
    rude.close()


@contextlib.contextmanager
def open_connection(url):
    """A page client that keeps its connection, in the middle of its next request."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        client.recv(1)
        client.sendall(b"GET / HTTP/1.1\r\nHost:")
        yield


def turning_point(database):
    """When the last recorded PASS was sent, and the first FAIL after it seen (None: there is none).

    Both as they stand in the store.
    """
    rows = execute(database, "SELECT outcome, observed_at, body FROM result ORDER BY observed_at")
    sent = [at - 1e6 * took(json_of(body)) for outcome, at, body in rows if outcome == "pass"]
    failed = [at for outcome, at, _ in rows if outcome == "fail" and at > max(sent)]
    return instant(max(sent)), instant(min(failed)) if failed else None


def sent_key(spool, notice_id):
    """The key of a notice in the spool."""
    parts = [part for change in spool.read().changes for part in change.parts()]
    return next(each.key for part in parts for each in part.notices if each.id == notice_id)


def took(body):
    return body["observed_mono"] - body["sent_mono"]


def instant(microseconds):
    return datetime.fromtimestamp(microseconds / 1e6, UTC)


class TestATotalOutage:
    async def test_it_becomes_one_incident_and_one_signed_page_and_resolves(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            fault = estate.client.switch_on("status_503", service="crm")
            incident = await running.until_incident(**CRITICAL, state="open")
            page = (await pager.received(1))[0]
            assert page.refusal is None
            assert page.action == "trigger"
            assert page.document["incident"]["number"] == incident["number"]
            messages = {error["message"].partition(";")[0] for error in incident["errors"]}
            assert messages == {"status 503 Service Unavailable (expected 200-299)"}
            after = datetime.fromisoformat(incident["began"]["after"])
            before = datetime.fromisoformat(incident["began"]["before"])
            assert after <= fault.at <= before
            estate.client.heal()
            await running.until_incident(**CRITICAL, state="resolved")
            assert [a.action for a in await pager.received(3)] == ["trigger", "update", "resolve"]
            assert len(await running.incidents()) == 1
            await running.ends(signal.SIGTERM)
        recorded = (tmp_path / "results.jsonl").read_text().splitlines()
        assert {json_of(line)["service"] for line in recorded} == {"crm", "control"}

    async def test_it_is_acknowledged_through_the_api_by_whoever_has_the_token(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)
            where = f"/api/v1/incidents/{incident['number']}/acknowledge"
            refused = await running.client.post(where, json={"by": "Robin"})
            assert refused.status_code == 401
            taken = await running.client.post(
                where, json={"by": "Robin"}, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert taken.status_code == 200
            assert (await running.incidents())[0]["acknowledged_by"] == "Robin"
            assert (await pager.received(2))[1].action == "acknowledge"

    async def test_it_is_seen_in_the_metrics_and_on_the_page(self, estate, pager, tmp_path):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)

            said = (
                r'monitor_service_impact{impact="all",service="crm"} 1',
                r'monitor_incidents_total{[^}]*route="paged",service="crm"} 1',
                r'monitor_outages_total{impact="all",[^}]*service="crm"} 1',
                r'monitor_outages_open{service="crm"} 1',
                rf'monitor_incident_number{{[^}}]*service="crm"}} {incident["number"]}',
                r"monitor_last_round_timestamp_seconds [1-9]",
            )

            async def shown():
                metrics = (await running.client.get("/metrics")).text
                return all(re.search(each, metrics) for each in said) and metrics

            metrics = await running.until("the metrics show it", shown)
            down = r'probe_success{[^}]*service="crm"[^}]*} 0'
            assert len(re.findall(down, metrics)) == 15
            accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
            openmetrics = (await running.client.get("/metrics", headers=accept)).text
            exemplar = f'# {{incident="{incident["number"]}"}}'
            assert re.search(rf"\nmonitor_detection_delay_seconds_bucket.*{exemplar}", openmetrics)
            page = (await running.client.get("/")).text
            assert incident["title"] in page


class TestOneTenant:
    async def test_it_is_standard_and_names_the_tenant(self, estate, pager, tmp_path):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("status_503", service="crm", tenant="acme")
            incident = await running.until_incident(service="crm")
            assert incident["priority"] == "standard"
            assert "acme" in incident["scope"]
            assert "on_call" not in incident["route"]


class TestEnding:
    async def test_sigterm_ends_it_within_five_seconds_with_everything_committed(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)
            code, seconds = await running.ends(signal.SIGTERM)
            assert code == 0, running.log.read_text()
            assert seconds < 5
        code, out, _ = await command("incidents", "--config", str(path), "--json")
        assert code == 0
        assert [i["id"] for i in json_of(out)["incidents"]] == [incident["id"]]

    @pytest.mark.parametrize("at_once", [True, False], ids=["at-once", "while-retrying"])
    async def test_killed_and_restarted_it_is_the_same_incident_and_the_page_goes_out(
        self, estate, tmp_path, at_once
    ):
        async with receiver(*[AWAY] * 50) as pager:
            path, url = write_config(tmp_path, estate.ports, pager.url, more_rules="")
            async with monitor(path, url) as running:
                await running.until_ready()
                estate.client.switch_on("refuse", service="crm")
                incident = await running.until_incident(**CRITICAL)
                if not at_once:
                    await pager.received(1)
                await running.ends(signal.SIGKILL)
            seen = len(pager.arrivals)
            pager.answers.clear()
            async with monitor(path, url) as running:
                again = await running.until_incident(**CRITICAL)
                where = f"/api/v1/incidents/{again['number']}"

                async def gaps():
                    timeline = (await running.get(where))["timeline"]
                    return [e["text"] for e in timeline if e["kind"] == "unobserved"]

                (gap,) = await running.until("the gap is on the timeline", gaps)
                assert re.match(r"Not observed from \S+ \S+Z to \S+ \S+Z: ", gap)
                assert again["id"] == incident["id"]
                assert again["began"] == incident["began"]
                assert again["respond_by"] == incident["respond_by"]
                page = (await pager.received(seen + 1))[-1]
                assert page.action == "trigger"
                assert page.refusal is None
                assert len({a.key for a in pager.arrivals}) == 1
                estate.client.heal()
                await running.until_incident(**CRITICAL, state="resolved")
                assert len(await running.incidents()) == 1

    async def test_killed_before_anything_was_declared_it_is_one_incident_with_its_first_start(
        self, estate, pager, tmp_path, database_url
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url, database=database_url)
        path.write_text(path.read_text().replace("round_gap: 1s", "round_gap: 8s"))
        async with monitor(path, url) as running:
            await running.until_ready()
            fault = estate.client.switch_on("refuse", service="crm")

            async def recorded():
                return execute(database_url, "SELECT id FROM result WHERE outcome = 'fail'")

            await running.until("a failure is recorded", recorded)
            await running.ends(signal.SIGKILL)
        assert execute(database_url, "SELECT * FROM outage") == []
        last_pass, first_fail = turning_point(database_url)
        async with monitor(path, url) as running:
            incident = await running.until_incident(**CRITICAL, state="open")
            began = {end: datetime.fromisoformat(at) for end, at in incident["began"].items()}
            assert abs(began["after"] - last_pass) < A_MOMENT
            assert abs(began["before"] - first_fail) < A_MOMENT
            assert began["after"] <= fault.at <= began["before"]
            estate.client.heal()
            await running.until_incident(**CRITICAL, state="resolved")
            assert len(await running.incidents()) == 1

    async def test_an_outage_that_begins_while_it_is_down_began_after_the_last_pass(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        database = f"sqlite:///{tmp_path}/monitor.db"
        async with monitor(path, url) as running:
            await running.until_ready()
            await running.ends(signal.SIGTERM)
        last_pass, _ = turning_point(database)
        fault = estate.client.switch_on("refuse", service="crm")
        async with monitor(path, url) as running:
            incident = await running.until_incident(**CRITICAL, state="open")
            began = {end: datetime.fromisoformat(at) for end, at in incident["began"].items()}
            assert abs(began["after"] - last_pass) < A_MOMENT
            assert began["after"] <= fault.at <= began["before"]

    async def test_while_the_store_is_locked_the_page_goes_out_and_a_kill_repeats_nothing(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        spool = Spool(tmp_path / "monitor.db.spool")
        async with monitor(path, url) as running:
            await running.until_ready()
            with locked(tmp_path / "monitor.db"):
                estate.client.switch_on("refuse", service="crm")

                async def marked():
                    return {sent_key(spool, id_) for id_ in spool.read().sent}

                keys = await running.until("the page is marked in the spool", marked)
                await running.ends(signal.SIGKILL)
        (page,) = pager.arrivals
        assert keys == {page.key}
        assert execute(f"sqlite:///{tmp_path}/monitor.db", "SELECT * FROM incident") == []
        async with monitor(path, url) as running:
            incident = await running.until_incident(**CRITICAL)
            assert incident["id"] == page.document["incident"]["id"]
            estate.client.heal()
            await running.until_incident(**CRITICAL, state="resolved")
            actions = [each.action for each in await pager.received(3)]
            assert actions == ["trigger", "update", "resolve"]
            assert len(await running.incidents()) == 1
            assert spool.read().changes == ()

    async def test_a_second_monitor_on_the_same_store_is_refused_by_name(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            other = tmp_path / "other"
            other.mkdir()
            database = f"sqlite:///{tmp_path}/monitor.db"
            second, _ = write_config(other, estate.ports, pager.url, database=database)
            code, _, err = await command("run", "--config", str(second))
            assert code == 2
            assert f"process {running.process.pid}" in err

    async def test_on_postgresql_too_it_is_the_same_incident_after_a_kill(
        self, estate, pager, tmp_path, postgresql_url
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url, database=postgresql_url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)
            await running.ends(signal.SIGKILL)
        async with monitor(path, url) as running:
            again = await running.until_incident(**CRITICAL)
            kept = ("id", "number", "began", "respond_by")
            assert [again[name] for name in kept] == [incident[name] for name in kept]
            estate.client.heal()
            await running.until_incident(**CRITICAL, state="resolved")
            await pager.told("resolve")
            assert len(await running.incidents()) == 1
            code, seconds = await running.ends(signal.SIGTERM)
            assert (code, seconds < 5) == (0, True), running.log.read_text()

    async def test_kills_at_any_moment_lose_nothing_and_repeat_a_page_at_most_once_each(
        self, estate, pager, tmp_path
    ):
        assert await killed_often(estate, pager, tmp_path, times=6, dice=random.Random(1)) <= 6

    @pytest.mark.parametrize("state", ["receiver-hangs", "page-open", "black-hole", "locked"])
    async def test_sigterm_ends_it_within_five_seconds_whatever_hangs(
        self, estate, tmp_path, state
    ):
        async with receiver(*[HANG] * 50) as pager:
            path, url = write_config(tmp_path, estate.ports, pager.url)
            async with monitor(path, url) as running:
                await running.until_ready()
                fault = "black_hole" if state == "black-hole" else "refuse"
                estate.client.switch_on(fault, service="crm")
                await running.until_incident(**CRITICAL)
                with contextlib.ExitStack() as held:
                    if state == "page-open":
                        held.enter_context(open_connection(url))
                    if state == "locked":
                        held.enter_context(locked(tmp_path / "monitor.db"))
                    code, seconds = await running.ends(signal.SIGTERM)
                assert seconds < 5, running.log.read_text()
                assert code == 0

    async def test_a_part_that_fails_ends_it_with_exit_code_1(self, estate, pager, tmp_path):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            execute(
                f"sqlite:///{tmp_path}/monitor.db",
                "UPDATE instance SET fence = fence + 1, holder = 'another monitor'",
            )
            async with asyncio.timeout(20):
                assert await running.process.wait() == 1
            assert "the store is held by another monitor" in running.log.read_text()


class TestCommands:
    async def test_status_and_ack_ask_the_running_monitor(self, estate, pager, tmp_path):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            code, out, _ = await command("status", "--config", str(path), "--json")
            assert code == 0
            assert [s["impact"] for s in json_of(out)["services"]] == ["none"]
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)
            code, out, _ = await command("status", "--config", str(path))
            assert code == 1
            assert "Prospect 365 CRM" in out
            number = str(incident["number"])
            code, out, err = await command("ack", number, "--by", "Robin", "--config", str(path))
            assert code == 0, err
            assert (await running.incidents())[0]["acknowledged_by"] == "Robin"
            code, _, err = await command("ack", number, "--by", "Sam", "--config", str(path))
            assert code == 1
            assert "Robin" in err

    async def test_report_reads_beside_the_running_monitor_and_knows_when_none_ran(
        self, estate, pager, tmp_path
    ):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        database = f"sqlite:///{tmp_path}/monitor.db"
        async with monitor(path, url) as running:
            await running.until_ready()
            await running.ends(signal.SIGTERM)
        execute(database, "UPDATE instance SET seen_at = seen_at - 3600000000")
        ((signed,),) = execute(database, "SELECT seen_at FROM instance")
        async with monitor(path, url) as running:
            await running.until_ready()
            ((since, until, why),) = execute(database, "SELECT since, until, why FROM unobserved")
            assert (since, why) == (signed, "not_running")
            assert 3600 <= (until - since) / 1e6 < 3600 + PATIENCE
            month = f"{instant(until):%Y-%m}"
            code, out, err = await command(
                "report", "--month", month, "--config", str(path), "--json"
            )
            assert code == 0, err
            told = json_of(out)
            assert [each["service"] for each in told["services"]] == ["crm"]
            assert told["services"][0]["counted_seconds"] > 0
            token = {"Authorization": f"Bearer {TOKEN}"}
            asked = await running.client.get(
                "/api/v1/figures", params={"month": month}, headers=token
            )
            assert asked.json().keys() == told.keys()

    async def test_without_a_running_monitor_ack_writes_to_its_store(self, estate, pager, tmp_path):
        path, url = write_config(tmp_path, estate.ports, pager.url)
        async with monitor(path, url) as running:
            await running.until_ready()
            estate.client.switch_on("refuse", service="crm")
            incident = await running.until_incident(**CRITICAL)
            await running.ends(signal.SIGTERM)
        number = str(incident["number"])
        code, out, err = await command(
            "ack", number, "--by", "Robin", "--config", str(path), "--json"
        )
        assert code == 0, err
        assert json_of(out)["acknowledged_by"] == "Robin"
        code, _, err = await command("resolve", number, "--by", "Robin", "--config", str(path))
        assert code == 1
        assert "it resolves by itself once they pass" in err
        code, _, err = await command("status", "--config", str(path))
        assert code == 1
        assert "no monitor is running" in err

    async def test_probe_tells_the_story_of_one_probe(self, estate, pager, tmp_path):
        path, _ = write_config(tmp_path, estate.ports, pager.url)
        code, out, err = await command("probe", "crm/sign-in/acme", "--config", str(path), "--json")
        assert code == 0, err
        assert json_of(out)["outcome"] == "pass"
        estate.client.switch_on("status_503", service="crm")
        code, out, _ = await command("probe", "crm/sign-in", "--config", str(path))
        assert code == 1
        assert "status 503 Service Unavailable (expected 200-299)" in out
        code, _, err = await command("probe", "crm/nothing", "--config", str(path))
        assert code == 2
        assert "crm/sign-in" in err
