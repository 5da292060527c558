"""Runs cases: the sites on a thread of their own, our layer and plain httpx on this one.

All cases of a run go at once, a few at a time, each in a context of its own; what came of them is
kept by their name and looked up by the tests.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass
from ipaddress import ip_network
from pathlib import Path

import httpx

from monitor.clock import real_clock
from monitor.model import (
    Cell,
    FailureKind,
    Result,
    Vantage,
)
from monitor.net.hop import DEFAULT_TLS
from monitor.net.limits import Limits
from monitor.net.network import Net
from monitor.net.redaction import Redactor
from monitor.probes import PROBES, Ask, Means
from monitor.probes.http import HttpOptions
from tests.hostile.case import Case, Peer, Site, World
from tests.hostile.measuring import RUNNING, Cost, Loop, measured, weighed
from tests.net_fixtures import NOBODY, ok, raw_server
from tests.probe_fixtures import cell_for

LIMITS = Limits()
GRACE = 1.0
PIECE = 256 * 1024
"""What the event loop takes in at once; a limit can be passed by so much before it is seen."""
ALLOWED = (ip_network("127.0.0.1/32"),)
_AT_ONCE = 10
_HERE = Vantage("here", "lab")

_RIGHT = {
    FailureKind.DNS: httpx.ConnectError,
    FailureKind.CONNECT: httpx.ConnectError,
    FailureKind.TIMEOUT: httpx.TimeoutException,
    FailureKind.RESET: httpx.NetworkError,
    FailureKind.PROTOCOL: (
        httpx.ProtocolError,
        httpx.DecodingError,
        httpx.TooManyRedirects,
    ),
}
"""The errors of httpx that name the same cause. It has none for a body, and none for TLS."""


@dataclass
class Ours:
    result: Result
    seconds: float
    cost: Cost
    visits: tuple[str, ...]


@dataclass
class Theirs:
    mark: Peer
    told: str


@dataclass
class Ran:
    """What came of a case: `theirs` of plain httpx, `ours` of the http probe."""

    ours: dict[str, Ours]
    theirs: dict[str, Theirs]


def run(cases: Iterable[Case]) -> Ran:
    """Run the cases against both, and tell what came of each."""
    cases = tuple(cases)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 10)  # two threads that talk to each other wait less
    try:
        return _run(cases)
    finally:
        sys.setswitchinterval(interval)


def _run(cases: tuple[Case, ...]) -> Ran:
    with asyncio.Runner(loop_factory=Loop) as runner, _Backstage() as backstage:
        world = backstage.world
        ours, theirs = {}, {}
        with measured():
            for group in _by_deadline(cases):
                ours |= runner.run(_all(group, backstage, _as_we_do(world)))
        world.visits.clear()
        with weighed(LIMITS.body_bytes + PIECE):
            for group in _by_deadline(cases):
                theirs |= runner.run(_all(group, backstage, _as_httpx_does(world)))
    return Ran(ours, theirs)


def _by_deadline(cases: tuple[Case, ...]) -> list[tuple[Case, ...]]:
    """Keep those that wait apart from those that work, which would make them late."""
    deadlines = sorted({case.deadline for case in cases})
    return [tuple(case for case in cases if case.deadline == each) for each in deadlines]


class _Backstage:
    """The thread the sites live on, with its loop."""

    def __enter__(self):
        self.world = World()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sites")
        self._thread.start()
        self._stack = AsyncExitStack()
        self._wait(self._open_world())
        return self

    def __exit__(self, *_):
        self._wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @asynccontextmanager
    async def site(self, case: Case):
        opened = case.opening(self.world, case.name)
        site = await self._there(opened.__aenter__())
        try:
            yield site
        finally:
            await self._there(opened.__aexit__(None, None, None))

    async def _open_world(self):
        inner = await self._stack.enter_async_context(raw_server(self._visited, host="127.0.0.2"))
        plain = await self._stack.enter_async_context(raw_server(self._visited))
        self.world.inner, self.world.plain = inner.url("", "127.0.0.2"), plain.url("")

    async def _visited(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.world.visits.append(head.split()[1].decode())
        writer.write(ok(b"secret"))

    def _there(self, work: Coroutine) -> asyncio.Future:
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _wait(self, work: Coroutine):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _all(cases, backstage, ask: Callable) -> dict[str, object]:
    turns = asyncio.Semaphore(_AT_ONCE)
    found = {}

    async def one(case):
        async with turns, backstage.site(case) as site:
            cost = Cost(site)
            RUNNING.set(cost)
            found[case.name] = await asks(case, site, cost)

    async with ask() as asks, asyncio.TaskGroup() as group:
        for case in cases:
            group.create_task(one(case))
    return found


# ------------------------------------------------------------------------ our layer


def _as_we_do(world: World):
    @asynccontextmanager
    async def ask():
        async with AsyncExitStack() as stack:
            shared = _net(NOBODY)
            stack.push_async_callback(shared.aclose)
            shared._contexts[DEFAULT_TLS, ("http/1.1",)]  # built once and before, as it takes 26 ms

            async def asks(case, site, cost) -> Ours:
                net = shared
                if site.nameserver is not None:
                    net = _net((site.nameserver,))
                    stack.push_async_callback(net.aclose)
                began = time.monotonic()
                result = await PROBES["http"].probe(
                    _cell(case, site), Ask(case.name, case.deadline, fresh=True), Means(net)
                )
                seconds = time.monotonic() - began
                return Ours(result, seconds, cost, _visits(world, case))

            yield asks

    return ask


def _net(nameservers) -> Net:
    return Net(real_clock(), LIMITS, ALLOWED, Redactor(()), nameservers)


def _cell(case: Case, site: Site) -> Cell:
    options = HttpOptions(site.url, **case.options)
    return cell_for("http", options, site.url, vantage=_HERE, timeout=case.deadline)


def texts(told: object) -> Iterable[str]:
    """Every text in evidence, however deep; a body's lines one by one."""
    if isinstance(told, str):
        yield from told.split("\n")
    elif is_dataclass(told):
        for each in fields(told):
            yield from texts(getattr(told, each.name))
    elif isinstance(told, tuple):
        for each in told:
            yield from texts(each)


def _visits(world: World, case: Case) -> tuple[str, ...]:
    return tuple(each for each in world.visits if str(case) in each)


# ------------------------------------------------------------------------ plain httpx


def _as_httpx_does(world: World):
    @asynccontextmanager
    async def ask():
        async with httpx.AsyncClient(follow_redirects=True) as client:

            async def asks(case, site, cost) -> Theirs:
                client.cookies.clear()
                method = case.options.get("method", "GET")
                content = case.options.get("body")
                asked = client.request(method, site.url, content=content, timeout=case.deadline)
                answer = await _given(asked, cost, case.deadline + GRACE)
                strayed = bool(cost.strayed or _visits(world, case))
                mark = _mark(case, answer, full=cost.full.is_set(), strayed=strayed)
                return Theirs(mark, f"{answer!r}"[:300])

            yield asks

    return ask


async def _given(asked: Coroutine, cost: Cost, patience: float):
    """Return the answer or the error; None when it takes too long, or takes in too much."""
    asking = asyncio.create_task(asked)
    filling = asyncio.create_task(cost.full.wait())
    await asyncio.wait((asking, filling), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()
    filling.cancel()
    answer, _ = await asyncio.gather(asking, filling, return_exceptions=True)
    return None if isinstance(answer, asyncio.CancelledError) else answer


def _mark(case: Case, answer, *, full: bool, strayed: bool) -> Peer:
    if strayed:
        return Peer.FOLLOWS
    if full:
        return Peer.SWELLS
    if answer is None:
        return Peer.HANGS
    if isinstance(answer, Exception):
        return _mark_of_error(case, answer)
    return _mark_of_answer(case, answer)


def _mark_of_answer(case: Case, answer: httpx.Response) -> Peer:
    if len(answer.content) > LIMITS.body_bytes:
        return Peer.SWELLS
    if case.kind not in (None, FailureKind.STATUS) and case.limit != "text":
        return Peer.ACCEPTS
    try:
        text = answer.text
    except Exception:  # noqa: BLE001 - whatever it is, it is no httpx.HTTPError
        return Peer.CRASHES
    said = (answer.reason_phrase, *answer.headers.values(), *text.splitlines())
    return Peer.READS if all(each.isprintable() for each in said) else Peer.LEAKS


def _mark_of_error(case: Case, error: Exception) -> Peer:
    if not isinstance(error, httpx.HTTPError):
        return Peer.CRASHES
    if case.kind is None or case.limit == "text":
        return Peer.REFUSES
    return Peer.RAISES if isinstance(error, _RIGHT.get(case.kind, ())) else Peer.CONFUSES


def believe(bundle: bytes, folder: Path, monkeypatch) -> None:
    """Have both believe the authorities of a bundle, and none else."""
    path = folder / "authorities.pem"
    path.write_bytes(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
