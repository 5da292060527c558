"""Kill the real program at random moments of an incident's life, and see that nothing is lost."""

import asyncio
import itertools
import signal
import sqlite3
from collections import Counter

from tests.running import monitor, write_config

_LONGEST = 7.0
"""Seconds from a start to its kill at the most: a whole incident fits in."""


async def killed_often(estate, pager, folder, *, times, dice):
    """Start and kill `times`, the fault coming and going; then let it end well, and judge.

    Returns how many pages were repeated. Nothing is lost: every notice on disk was accepted, and
    nothing was accepted that is not on disk. Nothing is duplicated: no subject had two incidents
    at a time. A page is repeated at most once for each kill.
    """
    path, url = write_config(folder, estate.ports, pager.url)
    async with monitor(path, url) as running:
        await running.until_ready()
    for _ in range(times):
        async with monitor(path, url) as running:
            await _passes(dice.uniform(0, _LONGEST / 2))
            _turn(estate, dice)
            await _passes(dice.uniform(0, _LONGEST / 2))
            await running.ends(signal.SIGKILL)
    estate.client.heal()
    async with monitor(path, url) as running:
        await running.until_ready()
        estate.client.switch_on("refuse", service="crm")
        await running.until_incident(state="open", impact="all")
        estate.client.heal()

        async def over():
            states = [one["state"] for one in await running.incidents()]
            unsent = "SELECT count(*) FROM notice WHERE state <> 'sent'"
            return set(states) == {"resolved"} and _rows(folder, unsent) == [(0,)]

        await running.until("all is resolved and sent", over)
    return _judged(folder, pager, times)


def _judged(folder, pager, kills):
    on_disk = {key for (key,) in _rows(folder, "SELECT key FROM notice")}
    arrived = Counter(page.key for page in pager.arrivals)
    assert on_disk == set(arrived)
    repeated = sum(arrived.values()) - len(arrived)
    assert repeated <= kills
    spans = _rows(folder, "SELECT subject, detected_at, resolved_at FROM incident ORDER BY number")
    for subject in {subject for subject, _, _ in spans}:
        own = [(begun, over) for name, begun, over in spans if name == subject]
        assert all(over <= begun for (_, over), (begun, _) in itertools.pairwise(own))
    actions = {}
    for page in pager.arrivals:
        actions.setdefault(page.document["incident"]["number"], []).append(page.action)
    assert all(of[0] == "trigger" and of[-1] == "resolve" for of in actions.values()), actions
    return repeated


def _turn(estate, dice):
    """The fault comes or goes."""
    estate.client.heal()
    if dice.random() < 0.6:
        estate.client.switch_on("refuse", service="crm")


async def _passes(seconds):
    """The moment of a kill is drawn from time itself: there is nothing to wait for."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


def _rows(folder, query):
    connection = sqlite3.connect(f"file:{folder}/monitor.db?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
