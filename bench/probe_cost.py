"""CPU of one plain HTTP probe over a fresh connection, beside httpx's own transport.

Both ask the simulated estate, which runs in a process of its own; turns alternate, so that the
machine's drift falls on both alike. The figure is this process's user and system time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_network
from statistics import median

import httpx
import uvloop

from monitor.clock import real_clock
from monitor.demo.client import EstateProcess
from monitor.demo.places import Ports
from monitor.model import (
    Cell,
    CellKey,
    Check,
    EvidenceKind,
    Need,
    Outcome,
    Target,
    Vantage,
)
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.probes import PROBES, Ask, Means
from monitor.probes.assertions import Expect
from monitor.probes.http import HttpOptions

TURNS, PROBES_A_TURN = 7, 300


def rows() -> Iterator[str]:
    with (
        EstateProcess(Ports.free()) as estate,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        ours, theirs = runner.run(_both(estate.ports.origin("crm") + "/acme/sign-in"))
    yield f"our probe, asserting content: {median(ours):.0f} us of CPU"
    yield f"httpx, a client and a connection a request: {median(theirs):.0f} us of CPU"
    yield f"ratio {median(o / t for o, t in zip(ours, theirs, strict=True)):.2f}"


async def _both(url: str) -> tuple[list[float], list[float]]:
    net = Net(real_clock(), Limits(), (ip_network("127.0.0.0/8"),), Redactor(()))
    cell = _cell(url)
    context = httpx.create_ssl_context()

    async def probe() -> None:
        result = await PROBES["http"].probe(cell, Ask("r", 10.0), Means(net))
        assert result.outcome is Outcome.PASS, result.evidence.message

    async def plain() -> None:
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            answer = await client.get(url)
            assert "Sign in" in answer.text

    ours, theirs = [], []
    for _ in range(TURNS):
        ours.append(await _cost(probe))
        theirs.append(await _cost(plain))
    await net.aclose()
    return ours, theirs


async def _cost(ask: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(PROBES_A_TURN):
        await ask()
    return 1e6 * (time.process_time() - began) / PROBES_A_TURN


def _cell(url: str) -> Cell:
    target = Target("acme", "acme", url, fingerprint="f")
    options = HttpOptions(url=url, expect=Expect(body_contains=("Sign in to Prospect CRM",)))
    check = Check(
        "crm",
        "sign-in",
        "http",
        options,
        30.0,
        10.0,
        Need.BLOCKING,
        EvidenceKind.ACTIVE,
        (target,),
    )
    key = CellKey("crm", "sign-in", "acme", "here")
    return Cell(key, check, target, Vantage("here", "net-a", "127.0.0.1"))
