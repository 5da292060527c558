"""The page of figures over a real listener: its forms, and one thread for however many ask."""

import asyncio
import gzip
import threading
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.daemon.listener import Listener, bind
from monitor.metrics import Metrics
from monitor.web import health
from monitor.web.answers import Protected
from monitor.web.scraping import Form, form_of
from tests.estate_fixtures import until
from tests.test_metrics import some_results, wide_estate

TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


class GatedMetrics(Metrics):
    """Makes a page only while the gate is open; notes who makes one."""

    def __init__(self):
        super().__init__(wide_estate(), [])
        self.gate = threading.Event()
        self.begun, self.running, self.most = [], 0, 0

    def pieces(self, *, openmetrics=False):
        self.begun.append(openmetrics)
        self.running += 1
        self.most = max(self.most, self.running)
        assert self.gate.wait(10)
        yield from super().pieces(openmetrics=openmetrics)
        self.running -= 1


class Arrivals:
    """Counts the requests that have reached the application."""

    def __init__(self, app):
        self.app, self.count = app, 0

    async def __call__(self, scope, receive, send):
        self.count += 1
        await self.app(scope, receive, send)


@asynccontextmanager
async def listening(metrics):
    """A client of a listener that serves these metrics, and the count of its requests."""
    app = FastAPI()
    app.add_middleware(Protected)
    app.include_router(health.router(None, metrics, tuple))
    arrivals = Arrivals(app)
    bound = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    listener = Listener(arrivals, bound)
    serving = asyncio.create_task(listener.run_until_exit())
    await until(lambda: listener.started)
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        yield client, arrivals
    listener.should_exit = True
    await serving


@pytest.fixture
def metrics():
    made = Metrics(wide_estate(), [])
    for cell, seen in zip(wide_estate().cells(), some_results(wide_estate().cells()), strict=True):
        made.result(cell, seen, 0.0)
    return made


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        (BROWSER, False),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text, text/plain", True),
        ("application/openmetrics-text;q=0.5, text/plain", False),
        ("application/openmetrics-text;q=0.5, text/plain;q=0.4", True),
        ("application/openmetrics-text;q=0.5, */*", False),
        ("application/openmetrics-text;q=0, */*;q=0.1", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=many, text/plain;q=0.1", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", False),
        ("text/plain;version=1.0.0, application/openmetrics-text;q=0.2", True),
        ("text/plain;q=0, */*;q=0.2", True),
        ("application/*, text/plain;q=0.5", True),
        ("application/json", False),
        (",;q=1,,", False),
    ],
)
def test_the_format_is_what_the_reader_likes_best(accept, openmetrics):
    assert form_of([accept], []) == Form(openmetrics=openmetrics, zipped=False)
    assert form_of(accept.split(","), []).openmetrics == openmetrics


@pytest.mark.parametrize(
    ("encoding", "zipped"),
    [
        ("", False),
        ("gzip", True),
        ("x-gzip", True),
        ("GZip;q=0.5", True),
        ("br, gzip, deflate", True),
        ("*", True),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
    ],
)
def test_a_page_is_compressed_for_whoever_asks_for_it(encoding, zipped):
    assert form_of([], [encoding]) == Form(openmetrics=False, zipped=zipped)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize(("accept", "kind"), [("*/*", TEXT), (PROMETHEUS_2, OPENMETRICS)])
async def test_every_form_says_the_same_and_what_it_is(metrics, accept, kind, encoding):
    headers = {"Accept": accept, "Accept-Encoding": encoding}
    async with (
        listening(metrics) as (client, _),
        client.stream("GET", "/metrics", headers=headers) as answer,
    ):
        body = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(body)
    page, _ = metrics.render(openmetrics=kind is OPENMETRICS)
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert (gzip.decompress(body) if encoding == "gzip" else body) == page
    if encoding == "gzip":
        assert len(body) < len(page) / 5
    if kind is OPENMETRICS:
        assert page.endswith(b"# EOF\n")
        assert list(text_string_to_metric_families(page.decode()))


async def test_however_many_ask_one_page_of_each_form_is_made_and_one_at_a_time():
    metrics = GatedMetrics()
    async with listening(metrics) as (client, arrivals):
        forms = [{}, {"Accept": "application/openmetrics-text"}] * 10
        asked = [asyncio.create_task(client.get("/metrics", headers=each)) for each in forms]
        await until(lambda: arrivals.count == len(forms))
        metrics.gate.set()
        answers = await asyncio.gather(*asked)
        assert sorted(metrics.begun) == [False, True]
        assert metrics.most == 1
        assert len({answer.content for answer in answers}) == 2
        await client.get("/metrics")
        assert len(metrics.begun) == 3


async def test_a_reader_who_goes_away_takes_the_page_from_nobody():
    metrics = GatedMetrics()
    async with listening(metrics) as (client, arrivals):
        async with httpx.AsyncClient(base_url=client.base_url) as hasty:
            first = asyncio.create_task(hasty.get("/metrics"))
            await until(lambda: metrics.begun)
            second = asyncio.create_task(client.get("/metrics"))
            await until(lambda: arrivals.count == 2)
            first.cancel()
            await asyncio.wait({first})
        metrics.gate.set()
        assert (await second).content.startswith(b"# HELP probe_success")
        assert metrics.begun == [False]


async def test_a_page_that_cannot_be_made_is_an_error_and_the_next_one_is_made_anew(
    metrics, monkeypatch
):
    async with listening(metrics) as (client, _):
        with monkeypatch.context() as broken:
            broken.setattr(metrics, "_cells", None)
            assert (await client.get("/metrics")).status_code == 500
        assert (await client.get("/metrics")).status_code == 200
