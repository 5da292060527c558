"""The calendar held against an official list: from files and real servers, and in the program."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from monitor.almanac import OfficialList
from monitor.clock import Clock
from monitor.daemon.official import MOST_BYTES, CalendarWatch
from monitor.demo.places import Ports
from monitor.metrics import Metrics
from tests.hours_fixtures import support
from tests.http_server import Reply, http_server
from tests.net_fixtures import made_net
from tests.running import monitor, write_config
from tests.test_almanac import A_MONDAY, OFFICIAL
from tests.web_fixtures import ESTATE, NINE

DIFFERS = "Mon 7 Feb 2028: official is Coronation, the calendar has no holiday"
SHOWN = "monitor_calendar_differences", "monitor_calendar_list_unreadable"


def listed(more=None, division="england-and-wales"):
    """The official list as it is published, with more dates."""
    events = [
        {"title": title, "date": str(day), "notes": "", "bunting": True}
        for day, title in sorted((OFFICIAL | (more or {})).items())
    ]
    return json.dumps({division: {"division": division, "events": events}}).encode()


PLAIN = listed()
PROCLAIMED = listed({A_MONDAY: "Coronation"})


class Moved:
    """A wall clock that a test moves."""

    def __init__(self):
        self.at = NINE

    @property
    def clock(self):
        return Clock(lambda: self.at, lambda: 100.0)


def watch_of(source, net, *, calendar=None, clock=None):
    metrics = Metrics(ESTATE, [])
    clock = clock or Moved().clock
    return CalendarWatch(calendar or support(), source, net, clock, metrics), metrics


def shown(metrics):
    """Differences, whether the list is unreadable, and when it was compared (None: never)."""
    page = metrics.render()[0].decode().splitlines()
    values = {line.split(" ")[0]: float(line.split(" ")[1]) for line in page if line[:1] == "m"}
    differences, unreadable = (values[name] for name in SHOWN)
    at = values["monitor_calendar_compared_timestamp_seconds"]
    return differences, unreadable, datetime.fromtimestamp(at, UTC) if at else None


async def compared_with(content, tmp_path, **more):
    path = tmp_path / "official.json"
    path.write_bytes(content)
    async with made_net() as net:
        watch, metrics = watch_of(OfficialList(file=str(path)), net, **more)
        await watch.compare()
    return watch, metrics


# --------------------------------------------------------------------------- what it tells


async def test_a_calendar_that_is_as_the_list_has_it_is_told_by_the_metrics_alone(tmp_path):
    with capture_logs() as logs:
        watch, metrics = await compared_with(PLAIN, tmp_path)
    assert shown(metrics) == (0, 0, NINE)
    assert (watch.cautions(), logs) == ((), [])


async def test_a_difference_is_counted_logged_and_a_caution(tmp_path):
    with capture_logs() as logs:
        watch, metrics = await compared_with(PROCLAIMED, tmp_path)
    assert shown(metrics) == (1, 0, NINE)
    assert watch.cautions() == (DIFFERS,)
    (line,) = logs
    assert (line["log_level"], line["differences"]) == ("warning", (DIFFERS,))


async def test_it_is_over_once_the_date_is_configured(tmp_path):
    mended = support(extra_closed={A_MONDAY: "coronation"})
    watch, metrics = await compared_with(PROCLAIMED, tmp_path, calendar=mended)
    assert shown(metrics) == (0, 0, NINE)
    assert watch.cautions() == ()


async def test_a_list_that_cannot_be_read_keeps_what_was_found_and_says_so(tmp_path):
    path = tmp_path / "official.json"
    path.write_bytes(PROCLAIMED)
    moved = Moved()
    async with made_net() as net:
        watch, metrics = watch_of(OfficialList(file=str(path)), net, clock=moved.clock)
        await watch.compare()
        moved.at += timedelta(days=1)
        path.unlink()
        with capture_logs() as logs:
            await watch.compare()
        assert shown(metrics) == (1, 1, NINE)
        assert watch.cautions()[0] == DIFFERS
        assert "No such file" in watch.cautions()[1]
        assert [line["log_level"] for line in logs] == ["warning"]
        path.write_bytes(PLAIN)
        await watch.compare()
    assert shown(metrics) == (0, 0, moved.at)
    assert watch.cautions() == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>", "it is no JSON"),
        (listed(division="scotland"), "there are: scotland"),
        (b" " * (MOST_BYTES + 1), f"longer than {MOST_BYTES} bytes"),
    ],
)
async def test_what_is_wrong_with_a_file_is_said(content, reason, tmp_path):
    watch, metrics = await compared_with(content, tmp_path)
    assert shown(metrics) == (0, 1, None)
    assert reason in watch.cautions()[0]


# --------------------------------------------------------------------------- over the network


async def fetched(replies, path="/list", allow=None, **limits):
    async with http_server(replies) as server:
        given = {} if allow is None else {"allow": allow}
        async with made_net(**given, **limits) as net:
            watch, metrics = watch_of(OfficialList(url=server.url(path)), net)
            await watch.compare()
    return watch, shown(metrics), server.requests


async def test_a_list_is_fetched_and_a_redirect_followed():
    moved = Reply(302, headers=(("location", "/list"),))
    _, figures, requests = await fetched({"/old": moved, "/list": Reply(200, PLAIN)}, "/old")
    assert figures == (0, 0, NINE)
    assert [request.path for request in requests] == ["/old", "/list"]


@pytest.mark.parametrize(
    ("replies", "limits", "reason"),
    [
        ({}, {}, "it was answered with status 404"),
        ({"/list": Reply(200, b"<html>")}, {}, "it is no JSON"),
        ({"/list": Reply(302, headers=(("location", "/list"),))}, {}, "more than 5 redirects"),
        ({"/list": Reply(200, PLAIN)}, {"body_bytes": 1000}, "1000 bytes"),
        ({"/list": Reply(raw=b"hello")}, {}, "not HTTP"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_said(replies, limits, reason):
    watch, figures, _ = await fetched(replies, **limits)
    assert figures == (0, 1, None)
    assert reason in watch.cautions()[0]


async def test_a_private_address_is_refused_like_everywhere():
    watch, figures, requests = await fetched({"/list": Reply(200, PLAIN)}, allow=())
    assert figures == (0, 1, None)
    assert requests == []
    assert "127.0.0.1" in watch.cautions()[0]


# --------------------------------------------------------------------------- in the program


async def test_the_running_monitor_tells_a_difference_and_is_as_ready_as_without(tmp_path):
    on = date(2028, 2, 7)
    assert on == A_MONDAY
    async with http_server({"/list": Reply(200, PROCLAIMED)}) as server:
        official = f'calendar: {{official: {{url: "{server.url("/list")}"}}}}'
        path, url = write_config(
            tmp_path, Ports.free(), "http://127.0.0.1:1/hook", calendar=official
        )
        async with monitor(path, url) as running:

            async def told():
                metrics = (await running.client.get("/metrics")).text
                return "monitor_calendar_differences 1.0" in metrics

            await running.until("the difference is counted", told)
            assert DIFFERS in (await running.client.get("/")).text
            assert "calendar" not in (await running.client.get("/readyz")).text
            assert DIFFERS in running.log.read_text()
