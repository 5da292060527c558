"""Debian's Prometheus, blackbox_exporter and Alertmanager as people put them together.

    apt-get install --no-install-recommends \\
        prometheus prometheus-blackbox-exporter prometheus-alertmanager

Only their programs are used, on free loopback ports and with a configuration of our own; services
that the packages may have started are neither needed nor touched. blackbox_exporter asks each
target from one place; an alert is pending while at least 90 % of a service's targets fail and
fires after `for`; Alertmanager groups by service and calls our hook.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from bench.live.baseline import (
    EVALUATION,
    GROUP_WAIT,
    INTERVAL,
    PENDING,
    SHARE,
    TIMEOUT,
    Cadence,
)
from bench.live.pair import PATIENCE, GaveUpError, ended, free_port
from monitor.clock import Clock, real_clock
from monitor.daemon.listener import Listener, bind

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter", "prometheus-alertmanager")


@dataclass(frozen=True, slots=True)
class Told:
    """One call of the hook: `status` is firing or resolved."""

    at: datetime
    service: str
    status: str


@dataclass(slots=True)
class Chain:
    """The running chain, its calls so far, and a client of Prometheus."""

    prometheus: httpx.AsyncClient
    told: list[Told] = field(default_factory=list)
    clock: Clock = field(default_factory=real_clock)

    async def until_told(self, service: str, status: str, after: int) -> Told:
        """The first such call beyond the first `after` calls. Raises GaveUpError."""

        def fits(told: Told) -> bool:
            return (told.service, told.status) == (service, status)

        ends = self.clock.monotonic() + PATIENCE
        while not any(map(fits, self.told[after:])):
            if self.clock.monotonic() > ends:
                raise GaveUpError(f"the chain never said that {service} is {status}")
            await asyncio.sleep(0.25)
        return next(filter(fits, self.told[after:]))

    async def until_working(self, targets: int) -> None:
        """Wait until so many targets pass. Raises GaveUpError."""
        ends = self.clock.monotonic() + PATIENCE
        while len(await self._query("probe_success == 1")) < targets:
            if self.clock.monotonic() > ends:
                raise GaveUpError("the chain never saw every target pass")
            await asyncio.sleep(0.5)

    async def cadence(self, service: str) -> Cadence:
        """When it scrapes this service's targets, and when it evaluates."""
        found = await self._query(f'timestamp(probe_success{{service="{service}"}})')
        rules = (await self.prometheus.get("/api/v1/rules")).raise_for_status().json()
        (group,) = rules["data"]["groups"]
        return Cadence(
            {one["metric"]["instance"]: float(one["value"][1]) for one in found},
            datetime.fromisoformat(group["lastEvaluation"]).timestamp(),
        )

    async def _query(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = await self.prometheus.get("/api/v1/query", params={"query": query})
        except httpx.TransportError:
            return []
        found: list[dict[str, Any]] = answer.json().get("data", {}).get("result", [])
        return found


def missing() -> list[str]:
    """The programs that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextlib.asynccontextmanager
async def chain(targets: Mapping[str, Sequence[str]], folder: Path) -> AsyncIterator[Chain]:
    """Watch these URLs, by service, until the block ends."""
    async with contextlib.AsyncExitStack() as stack:
        ports = [free_port() for _ in PROGRAMS]
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False)
        made = Chain(await stack.enter_async_context(http))
        hook = await stack.enter_async_context(_hook(made.told.append, made.clock))
        for name, content in configs(targets, ports, hook, folder).items():
            (folder / name).write_text(json.dumps(content, indent=2))
        for command in commands(ports, folder):
            await stack.enter_async_context(_running(command, folder))
        await made.until_working(sum(map(len, targets.values())))
        yield made


def commands(ports: Sequence[int], folder: Path) -> list[list[str]]:
    """How the three programs are started, in the order of PROGRAMS."""
    addresses = [f"--web.listen-address=127.0.0.1:{port}" for port in ports]
    own = [
        [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"],
        [f"--config.file={folder}/blackbox.yml"],
        [
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            "--cluster.listen-address=",
        ],
    ]
    return [
        [program, address, *more]
        for program, address, more in zip(PROGRAMS, addresses, own, strict=True)
    ]


def configs(
    targets: Mapping[str, Sequence[str]], ports: Sequence[int], hook: str, folder: Path
) -> dict[str, Any]:
    """Every configuration file of the chain by name; JSON, which is YAML too."""
    _, blackbox, alertmanager = (f"127.0.0.1:{port}" for port in ports)
    return {
        "prometheus.yml": {
            "global": {
                "scrape_interval": duration(INTERVAL),
                "scrape_timeout": duration(INTERVAL),
                "evaluation_interval": duration(EVALUATION),
            },
            "rule_files": [f"{folder}/rules.yml"],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}],
            },
            "scrape_configs": [_scrapes(targets, blackbox)],
        },
        "rules.yml": {"groups": [{"name": "services", "rules": [_rule()]}]},
        "blackbox.yml": {"modules": {"page": _module()}},
        "alertmanager.yml": {
            "route": {
                "receiver": "hook",
                "group_by": ["service"],
                "group_wait": duration(GROUP_WAIT),
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "hook", "webhook_configs": [{"url": hook}]}],
        },
    }


def duration(seconds: float) -> str:
    """As Prometheus writes durations."""
    return f"{round(1000 * seconds)}ms"


def _scrapes(targets: Mapping[str, Sequence[str]], blackbox: str) -> dict[str, Any]:
    return {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["page"]},
        "static_configs": [
            {"targets": list(urls), "labels": {"service": service}}
            for service, urls in targets.items()
        ],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": blackbox},
        ],
    }


def _rule() -> dict[str, Any]:
    failing = "count by (service) (probe_success == 0)"
    return {
        "alert": "ServiceDown",
        "expr": f"{failing} >= {SHARE} * count by (service) (probe_success)",
        "for": duration(PENDING),
    }


def _module() -> dict[str, Any]:
    return {
        "prober": "http",
        "timeout": duration(TIMEOUT),
        "http": {
            "preferred_ip_protocol": "ip4",
            "valid_status_codes": [200],
            "fail_if_body_not_matches_regexp": ["Sign in to Prospect CRM"],
        },
    }


@contextlib.asynccontextmanager
async def _running(command: Sequence[str], folder: Path) -> AsyncIterator[None]:
    with (folder / f"{command[0]}.log").open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out)
    try:
        yield
    finally:
        await ended(process)


@contextlib.asynccontextmanager
async def _hook(heard: Callable[[Told], None], clock: Clock) -> AsyncIterator[str]:
    """Receive Alertmanager's calls; the URL to call."""

    async def receive(request: Request) -> Response:
        at = clock.wall()
        said = await request.json()
        heard(Told(at, said["groupLabels"]["service"], said["status"]))
        return Response(status_code=204)

    app = FastAPI(openapi_url=None)
    app.add_api_route("/hook", receive, methods=["POST"])
    bound = bind("127.0.0.1", 0)
    listener = Listener(app, bound)
    serving = asyncio.create_task(listener.run_until_exit())
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/hook"
    finally:
        listener.should_exit = True
        await serving
        bound.close()
