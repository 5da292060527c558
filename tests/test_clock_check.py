"""Our clock against that of real servers, with the Date each of them says."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
from structlog.testing import capture_logs

from monitor.clock import Clock
from monitor.metrics import Metrics
from monitor.model import Estate
from monitor.selfwatch import clock_check
from monitor.selfwatch.clock_check import ASKED, ClockCheck, http_controls, offset
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.outbox_fixtures import START, until
from tests.web_fixtures import ESTATE, check

FROZEN = Clock(lambda: START, lambda: 100.0)


def dated(ahead, **headers):
    """The answer of a server whose clock is `ahead` of START by so many seconds."""
    date = format_datetime(START + timedelta(seconds=ahead), usegmt=True)
    more = tuple((name, value) for name, value in headers.items())
    return Reply(200, headers=(("date", date), *more))


SILENT = Reply(200)


def control(number, url, kind="http"):
    made = check("control", f"control-{number}", targets=("shared",), kind=kind)
    (target,) = made.targets
    object.__setattr__(target, "address", url)
    return made


@asynccontextmanager
async def asked(*replies, clock=FROZEN):
    """A check that has asked one control for each reply; None is one that is gone."""
    async with AsyncExitStack() as stack:
        urls = []
        for reply in replies:
            server = await stack.enter_async_context(http_server({"/": reply or SILENT}))
            urls.append("http://127.0.0.1:1/" if reply is None else server.url())
        controls = tuple(control(n, url) for n, url in enumerate(urls))
        estate = Estate(ESTATE.services, ESTATE.vantages[:1], controls)
        net = await stack.enter_async_context(made_net(clock=clock))
        metrics = Metrics(estate, [])
        made = ClockCheck(estate, net, metrics)
        await made.compare()
        yield made, metrics


def shown(metrics):
    page = metrics.render()[0].decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in page if line.startswith("monitor_clock_"))
    at = float(values["monitor_clock_compared_timestamp_seconds"])
    return float(values["monitor_clock_offset_seconds"]), at


async def test_a_clock_that_is_right_is_off_by_half_a_second():
    async with asked(dated(0), dated(0), dated(0)) as (made, metrics):
        assert made.off == -0.5
        assert shown(metrics) == (made.off, START.timestamp())


async def test_half_of_how_long_the_answer_took_is_allowed_for():
    times = iter((100.0, 104.0))
    async with asked(dated(0)) as (made, _):
        made._clock = Clock(lambda: START, lambda: next(times))
        await made.compare()
        assert made.off == 1.5


@pytest.mark.parametrize("ahead", [-3600, -6, 6, 86400])
async def test_how_far_it_is_ahead_is_measured_and_logged(ahead):
    with capture_logs() as logs:
        async with asked(dated(-ahead), dated(-ahead), dated(-ahead)) as (made, _):
            assert made.off == ahead - 0.5
    assert [line["event"] for line in logs] == ["the clock is wrong"]


async def test_the_median_is_believed():
    async with asked(dated(-1), dated(-9000), dated(0)) as (made, _):
        assert made.off == 0.5


async def test_a_control_without_a_date_or_without_an_answer_says_nothing():
    async with asked(SILENT, None, dated(60)) as (made, _):
        assert made.off == -60.5


async def test_where_none_says_anything_nothing_is_known():
    async with asked(SILENT, None) as (made, metrics):
        assert made.off is None
        assert shown(metrics) == (0, 0)


async def test_what_was_found_stays_until_somebody_says_otherwise():
    replies = [dated(60), SILENT, dated(0)]
    async with asked(lambda _: replies.pop(0)) as (made, _):
        assert made.off == -60.5
        await made.compare()
        assert made.off == -60.5
        await made.compare()
        assert made.off == -0.5


async def test_a_redirect_or_an_error_has_a_date_too():
    date = dated(-30).headers
    async with asked(Reply(302, headers=(*date, ("location", "/x"))), Reply(503, headers=date)) as (
        made,
        _,
    ):
        assert made.off == 29.5


@pytest.mark.parametrize("ahead", [0, 60])
async def test_it_is_compared_again_and_again_and_sooner_while_it_is_off(monkeypatch, ahead):
    soon, later = ("AGAIN", "EVERY") if ahead else ("EVERY", "AGAIN")
    for name, seconds in (("FIRST_AFTER", 0.0), (soon, 0.01), (later, 3600.0)):
        monkeypatch.setattr(clock_check, name, seconds)
    seen = []

    def reply(request):
        seen.append(request)
        return dated(ahead)

    async with asked(reply) as (made, _):
        going_on = asyncio.create_task(made.run())
        await until(lambda: len(seen) >= 4)
        going_on.cancel()


def test_up_to_three_http_controls_are_asked():
    kinds = ["tcp", "http", "http", "dns", "http", "http"]
    controls = tuple(control(n, f"http://c{n}.example/", kind) for n, kind in enumerate(kinds))
    estate = Estate(ESTATE.services, ESTATE.vantages, controls)
    assert len(http_controls(estate)) == ASKED
    assert http_controls(estate) == [f"http://c{n}.example/" for n in (1, 2, 4)]


@pytest.mark.parametrize(
    ("date", "age", "seconds"),
    [
        ("Mon, 03 Jun 2030 01:14:00 GMT", "", -0.5),
        ("Mon, 03 Jun 2030 01:13:30 GMT", "", 29.5),
        ("Mon, 03 Jun 2030 01:13:30 GMT", "30", -0.5),
        ("Monday, 03-Jun-30 01:14:00 GMT", "", -0.5),
        ("Mon Jun  3 01:14:00 2030", "", -0.5),
        ("Mon, 03 Jun 2030 01:14:00 GMT", "soon", -0.5),
        ("Mon, 03 Jun 2030 01:14:00 GMT", "-5", -0.5),
        ("yesterday", "", None),
        ("", "", None),
        ("Mon, 99 Jun 2030 01:14:00 GMT", "", None),
        ("Mon, 03 Jun 99999999999 01:14:00 GMT", "", None),
    ],
)
def test_a_date_in_any_of_its_forms_is_read_or_says_nothing(date, age, seconds):
    headers = httpx.Headers({"date": date, "age": age})
    assert offset(headers, START) == seconds
