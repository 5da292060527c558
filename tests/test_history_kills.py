"""A process that sums up is killed at every boundary of its work; nothing is lost or doubled.

The process is a real one on the real store: it kills itself with SIGKILL within the transaction
that was to be committed, or right after it was, and the next one goes on.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys

from tests.history_fixtures import Oracle
from tests.store_fixtures import CLOCK, opened
from tests.test_store_history import agrees, some

PROGRAM = """
import asyncio, os, signal, sys
from monitor.store import keeping, open_store
from monitor.store.remembering import Remembering
from tests.store_fixtures import CLOCK

url, when, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
calls, note = [], keeping.note

def end(at):
    if len(calls) == number and at == when:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(connection, part):
    calls.append(part)
    note(connection, part)
    end("within")

async def main():
    store = await open_store(url, clock=CLOCK, holder="killed")
    async def write(work, /, *args):
        done = await store._write(work, *args)
        end("after")
        return done
    job = Remembering(store._read, write, CLOCK)
    job._limits["note"] = 1
    await job.sum_up(everything=True)
    await store.close()

keeping.note = counted
asyncio.run(main())
"""


async def killed(url, when, number):
    """How a process ended that was to kill itself at the `number`-th commit."""
    command = (sys.executable, "-c", PROGRAM, url, when, str(number))
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "PYTHONPATH": "."})
    return await asyncio.wait_for(process.wait(), 60)


async def lives(url, kills, seed):
    """Results come, and whoever sums them up is killed, again and again; whether all agrees."""
    oracle = Oracle()
    for number, (when, at) in enumerate(kills):
        async with opened(url) as store:
            await store.record(oracle.tell(some(random.Random(seed + number), 60)))
        assert await killed(url, when, at) == -signal.SIGKILL
    async with opened(url) as store:
        assert await agrees(store, oracle)
        await store.remembering(CLOCK).sum_up(everything=True)
        assert await agrees(store, oracle)
    return True


async def test_nothing_is_lost_or_doubled_when_it_is_killed(memory):
    urls = [f"sqlite:///{memory}/{n}/monitor.db" for n in range(3)]
    kills = ([("within", 1), ("after", 1)], [("after", 2), ("within", 3)], [("after", 4)])
    ends = (lives(url, each, 10 * n) for n, (url, each) in enumerate(zip(urls, kills, strict=True)))
    assert all(await asyncio.gather(*ends))


async def test_nothing_is_lost_or_doubled_when_it_is_killed_beside_a_server(postgresql_url):
    assert await lives(postgresql_url, [("within", 2), ("after", 1)], 7)
