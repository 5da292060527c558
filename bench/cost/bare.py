"""CPU of the probe alone: beside httpx's own transport, and what a lookup of its name adds.

Both run in this process, one probe after the other, in short turns that alternate. The figure is
this process's user and system time.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_network
from statistics import median

import httpx

from bench.cost.site import DOMAIN, SAID, Site
from monitor.clock import real_clock
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

TURNS, PROBES_A_TURN = 9, 200


@dataclass(frozen=True, slots=True)
class Bare:
    """Microseconds a probe, turn by turn: with the name kept, with it asked anew, and httpx's."""

    kept: list[float]
    fresh: list[float]
    httpx: list[float]

    def rows(self) -> list[str]:
        """What is printed."""
        lookups = [f - k for f, k in zip(self.fresh, self.kept, strict=True)]
        ratios = [k / h for k, h in zip(self.kept, self.httpx, strict=True)]
        plain = median(self.httpx)
        return [
            f"the bare probe, name kept: {median(self.kept):.0f} us",
            f"httpx, a connection a request: {plain:.0f} us; ratio {median(ratios):.2f}",
            f"a fresh A lookup adds {median(lookups):.0f} us (budget 250)",
            f"of each {TURNS} turns of {PROBES_A_TURN} probes",
        ]


async def bare(site: Site) -> Bare:
    """Measure. An answer that is not a PASS is an AssertionError."""
    nameservers = [f"127.0.0.1:{site.names_port}"]
    allowed = (ip_network("127.0.0.0/8"),)
    net = Net(real_clock(), Limits(), allowed, Redactor(()), nameservers)
    cell = _cell(site.origin(f"crm.{DOMAIN}", tls=False) + "/t1/sign-in")
    context = httpx.create_ssl_context()
    literal = site.origin("127.0.0.1", tls=False) + "/t1/sign-in"

    async def kept() -> None:
        await _passes(cell, net, fresh=False)

    async def fresh() -> None:
        await _passes(cell, net, fresh=True)

    async def plain() -> None:
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            answer = await client.get(literal)
            assert SAID in answer.text

    made = Bare([], [], [])
    for _ in range(TURNS):
        made.kept.append(await _cost(kept))
        made.fresh.append(await _cost(fresh))
        made.httpx.append(await _cost(plain))
    await net.aclose()
    return made


async def _passes(cell: Cell, net: Net, *, fresh: bool) -> None:
    result = await PROBES["http"].probe(cell, Ask("r", 10.0, fresh), Means(net))
    assert result.outcome is Outcome.PASS, result.evidence.message


async def _cost(ask: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(PROBES_A_TURN):
        await ask()
    return 1e6 * (time.process_time() - began) / PROBES_A_TURN


def _cell(url: str) -> Cell:
    target = Target("acme", "acme", url, fingerprint="f")
    options = HttpOptions(url=url, expect=Expect(body_contains=(SAID,)))
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
