"""Forty kills of the real program at random moments; run by name: `python -m bench kills`."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.net.secret import Secret
from tests.kills import killed_often
from tests.receivers.webhook import webhook_receiver
from tests.running import SECRET

KILLS = 40


def rows() -> Iterator[str]:
    """What became of it; an assertion fails when anything was lost or duplicated."""
    began = time.monotonic()
    repeated = asyncio.run(_killed())
    yield f"{KILLS} kills in {time.monotonic() - began:.0f} s: lost 0, repeated {repeated}"


async def _killed() -> int:
    with EstateProcess(Ports.free()) as estate, tempfile.TemporaryDirectory() as folder:
        now = lambda: datetime.now(UTC)  # noqa: E731, TID251 - the receiver's own clock
        async with webhook_receiver(Secret(SECRET), now) as pager:
            return await killed_often(
                estate, pager, Path(folder), times=KILLS, dice=random.Random(7)
            )
