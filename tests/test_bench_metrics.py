"""The parts of the benchmark of scrapes that could be wrong without anyone noticing."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench import metrics as bench


async def page_of(side, estate):
    """The `probe_*` series of a side that was shown a result of every cell."""
    show, app = side.made(estate)
    for number, cell in enumerate(estate.cells()):
        show(cell, bench.result_of(cell, number))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get("/metrics", headers=dict(side.headers))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("probe_")
    }


async def test_every_side_hands_out_the_same_series():
    estate = bench.wide(3, 2)
    first, *others = [await page_of(side, estate) for side in bench.SIDES]
    assert all(other == first for other in others)
    per_cell = 11
    assert len(first) == per_cell * 6 + 1


def test_ten_thousand_cells_are_shown():
    assert len(bench.wide(bench.TARGETS, bench.VANTAGES).cells()) == 10_000


def test_the_scrapes_are_put_into_words():
    scraped = bench.Scraped((0.3, 0.1, 0.2), 13_200_000)
    assert bench.took(scraped) == "3 scrapes of 13.2 MB: p50 200 ms, p95 200 ms (budget 300)"
    assert bench.took(bench.Scraped((), 0)) == "no scrapes"


async def test_what_holds_the_loop_is_seen(monkeypatch):
    monkeypatch.setattr(bench, "PAUSE", 0.0)
    estate = bench.wide(3, 2)
    show, app = bench.ours(estate)
    shown = [(cell, bench.result_of(cell, number)) for number, cell in enumerate(estate.cells())]
    asked = []

    async def holding(scope, receive, send):
        asked.append(scope["path"])
        ends = time.process_time() + (0.05 if len(asked) == 3 else 0)
        while time.process_time() < ends:
            pass
        await app(scope, receive, send)

    side = bench.Side("ours", bench.ours, {}, 3)
    with ThreadPoolExecutor(1) as reader:
        held, scraped = await bench._watched(holding, show, shown, side, reader)
    assert asked == ["/metrics"] * 4
    assert len(scraped.seconds) == 3
    assert max(own for _, own in held) >= 0.04
    assert all(own <= wall for wall, own in held)
