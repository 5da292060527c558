"""The ping: to a real server, while the monitor is well and not otherwise."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from monitor.metrics import Metrics, PingOutcome
from monitor.net.secret import Secret
from monitor.selfwatch import PingSettings
from monitor.selfwatch.ping import Ping
from tests.http_server import Reply, http_server
from tests.net_fixtures import LOOPBACK, made_net
from tests.outbox_fixtures import until
from tests.web_fixtures import ESTATE

PATH = "/ping/1b671a64"


@dataclass
class Pinging:
    """A ping, the server it goes to, and why it is to be withheld."""

    ping: Ping
    server: object
    metrics: Metrics
    reasons: list = field(default_factory=list)

    def counted(self, outcome):
        return self.value(f'monitor_pings_total{{outcome="{outcome}"}}')

    def value(self, series):
        page = self.metrics.render()[0].decode()
        return next(float(x.split(" ")[1]) for x in page.splitlines() if x.startswith(series))


@asynccontextmanager
async def pinging(*, reply=None, allow=LOOPBACK, every=60.0, within=10.0):
    async with http_server({PATH: reply or Reply(200)}) as server:
        url = server.url(PATH)
        async with made_net(allow, secrets=[url]) as net:
            metrics, reasons = Metrics(ESTATE, []), []
            settings = PingSettings(Secret(url), every, within)
            ping = Ping(settings, net, metrics, lambda: reasons)
            yield Pinging(ping, server, metrics, reasons)


async def test_while_all_is_well_the_address_is_asked():
    async with pinging() as made:
        assert await made.ping.once() is PingOutcome.SENT
        ((method, path),) = [(r.method, r.path) for r in made.server.requests]
        assert (method, path) == ("GET", PATH)
        assert made.counted("sent") == 1
        assert made.value("monitor_ping_last_success_timestamp_seconds") > 0


async def test_while_something_is_unwell_nothing_leaves():
    async with pinging() as made:
        made.reasons.append("the store cannot be written")
        assert await made.ping.once() is PingOutcome.WITHHELD
        assert made.server.requests == []
        assert made.counted("withheld") == 1
        assert made.value("monitor_ping_last_success_timestamp_seconds") == 0
        made.reasons.clear()
        assert await made.ping.once() is PingOutcome.SENT


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(500), "status 500"),
        (Reply(404), "status 404"),
        (Reply(302, headers=(("location", PATH),)), "status 302"),
        (Reply(raw=b"hello"), "not HTTP"),
        (Reply(hang=True), "0.2 s"),
    ],
)
async def test_what_is_no_answer_is_counted_and_logged_without_the_address(reply, reason):
    async with pinging(reply=reply, within=0.2) as made:
        with capture_logs() as logs:
            assert await made.ping.once() is PingOutcome.FAILED
        (line,) = logs
        assert reason in line["reason"]
        assert PATH not in str(line)
        assert made.counted("failed") == 1


async def test_an_address_that_may_not_be_contacted_is_not():
    async with pinging(allow=()) as made:
        assert await made.ping.once() is PingOutcome.FAILED
        assert made.server.requests == []


async def test_only_a_change_is_logged():
    async with pinging() as made:
        with capture_logs() as logs:
            for reasons in ([], [], ["blind"], ["blind"], ["blind", "stuck"], []):
                made.reasons[:] = reasons
                await made.ping.once()
        assert [line["log_level"] for line in logs] == ["info", "warning", "info"]


async def test_it_goes_on_every_so_often_whatever_came_of_the_last():
    answers = [Reply(500), Reply(raw=b"?"), Reply(200)]

    def reply(_):
        return answers.pop(0) if answers else Reply(200)

    async with pinging(reply=reply, every=0.02, within=0.019) as made:
        pinging_on = asyncio.create_task(made.ping.run())
        await until(lambda: len(made.server.requests) >= 5)
        pinging_on.cancel()


def test_no_answer_may_take_as_long_as_the_next_call():
    with pytest.raises(ValueError, match="timeout: must be shorter than `every`"):
        PingSettings(Secret("https://watch.example.com/"), every=10.0, timeout=10.0)
