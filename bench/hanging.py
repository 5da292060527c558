"""Two receivers, one of which never answers: is the other told as soon? `python -m bench hanging`.

The real program at a 2 s interval, and real receivers. The same outages twice: with both receivers
well, and with the service desk hanging from the first message to the last. What is measured is from
the fault to the page of on-call.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from tests.acceptance import started
from tests.receivers.webhook import HANG

OUTAGES = 24
WITHIN = 60.0


def rows() -> Iterator[str]:
    """Both delays, and for how long the other receiver hung."""
    with EstateProcess(Ports.free()) as estate:
        well, _ = asyncio.run(_delays(estate, {}))
        hung, seconds = asyncio.run(_delays(estate, {"desk": [HANG] * 1000}))
    yield f"both well:             {_words(well)}"
    yield f"one hangs for {seconds:4.0f} s:  {_words(hung)}"


def _words(delays: list[float]) -> str:
    middle = statistics.median(delays)
    return f"median {middle:.2f} s, slowest {max(delays):.2f} s of {len(delays)} outages"


async def _delays(estate: EstateProcess, answers: dict[str, list]) -> tuple[list[float], float]:
    """Seconds from the fault to the page of each outage, and how long all of them took."""
    channels = {"pager": "on_call", "desk": "service_desk"}
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder), estate, answers, **channels) as play:
            pager, began = play.receivers["pager"], time.monotonic()
            delays = []
            for _ in range(OUTAGES):
                before = len(pager.arrivals)
                play.breaks("refuse")
                await pager.received(before + 1, within=WITHIN)
                delays.append(time.monotonic() - play.began)
                play.heals()
                await pager.received(before + 3, within=WITHIN)
            return delays, time.monotonic() - began
