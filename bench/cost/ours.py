"""The program itself over the site: `monitor run` with SQLite, its metrics and its pages.

Every rule and limit is at its default. One service, its tenants seen from three vantages, and
three controls seen from each. The host is a name, which a name server says is 127.0.0.1.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.cost.processes import running
from bench.cost.site import DOMAIN, SAID, Site
from bench.cost.usage import cpu_seconds, resident_bytes
from bench.live.pair import ROOT, GaveUpError, free_port
from bench.live.rendering import NETWORKS, SOURCES, Pace

CONTROLS = 3
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the program tells of itself; `lateness` is (at most s, how many) in order, running."""

    probes: float
    failed: float
    missed: float
    lateness: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Ours:
    """The running program, and how many cells of its service it watches."""

    pid: int
    port: int
    cells: int
    log: Path
    folder: Path

    def cpu_seconds(self) -> float:
        """So far."""
        return cpu_seconds(self.pid)

    def resident_bytes(self) -> int:
        """Now."""
        return resident_bytes(self.pid)

    async def page(self, path: str) -> str:
        """One of its pages."""
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
            return (await client.get(f"http://127.0.0.1:{self.port}{path}")).text

    async def figures(self) -> Figures:
        """Its own metrics, scraped once."""
        return figures_of(await self.page("/metrics"))

    async def until_monitoring(self) -> float:
        """Wait until it has started to monitor; the monotonic second. Raises GaveUpError."""
        return await self._until("/healthz")

    async def until_ready(self) -> float:
        """Wait until it has probed every cell; the monotonic second. Raises GaveUpError."""
        return await self._until("/readyz")

    async def _until(self, path: str) -> float:
        gives_up = time.monotonic() + _PATIENCE
        while time.monotonic() < gives_up:
            with contextlib.suppress(httpx.TransportError):
                if "status" in json.loads(await self.page(path)):
                    return time.monotonic()
            await asyncio.sleep(0.25)
        raise GaveUpError(f"never ready: {self.log.read_text()[-2000:]}")


def figures_of(page: str) -> Figures:
    """What a page of metrics says, summed over services."""
    own = "\n".join(line for line in page.splitlines() if line.startswith("monitor_")) + "\n"
    samples = [s for family in text_string_to_metric_families(own) for s in family.samples]

    def total(name: str) -> float:
        return sum(sample.value for sample in samples if sample.name == name)

    probed = [sample for sample in samples if sample.name == "monitor_probes_total"]
    late = [s for s in samples if s.name == "monitor_probe_lateness_seconds_bucket"]
    return Figures(
        sum(sample.value for sample in probed),
        sum(sample.value for sample in probed if sample.labels["outcome"] != "pass"),
        total("monitor_missed_runs_total"),
        tuple((float(sample.labels["le"]), sample.value) for sample in late),
    )


def at_share(before: Figures, after: Figures, share: float) -> float:
    """How late, at most, this share of the probes between the two began: a bound of a bucket."""
    first = dict(before.lateness)
    counts = [(bound, count - first[bound]) for bound, count in after.lateness]
    wanted = share * counts[-1][1]
    return next(bound for bound, count in counts if count >= wanted)


@contextlib.asynccontextmanager
async def ours(site: Site, cells: int, pace: Pace, *, tls: bool) -> AsyncIterator[Ours]:
    """Watch about so many cells until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-ours-") as made:
        folder = Path(made)
        config, log = folder / "checks.yaml", folder / "monitor.log"
        said = configuration(site, cells, pace, listen=port, folder=folder, tls=tls)
        config.write_text(json.dumps(said))
        command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
        environment = {
            **os.environ,
            "SSL_CERT_FILE": str(site.roots),
            "PYTHONPATH": str(ROOT),
        }
        async with running(command, log, environment) as process:
            count = len(said["tenants"]) * len(NETWORKS)
            yield Ours(process.pid, port, count, log, folder)


def configuration(
    site: Site, cells: int, pace: Pace, *, listen: int, folder: Path, tls: bool
) -> Mapping[str, Any]:
    """What the program is told; as JSON it is YAML too."""
    origin = site.origin(f"crm.{DOMAIN}", tls=tls)
    tenants = round(cells / len(NETWORKS))
    return {
        "version": 1,
        "listen": f"127.0.0.1:{listen}",
        "database_url": f"sqlite:///{folder}/monitor.db",
        "network": {
            "allow_private": ["127.0.0.0/8"],
            "nameservers": [f"127.0.0.1:{site.names_port}"],
        },
        "vantages": {
            name: {"network": network, "source_address": SOURCES[name]}
            for name, network in NETWORKS.items()
        },
        "controls": [
            {
                "name": f"control-{n}",
                "url": f"{origin}/control-{n}",
                "interval": pace.control_interval,
                "timeout": pace.control_timeout,
            }
            for n in range(1, CONTROLS + 1)
        ],
        "tenants": {f"t{n}": {"group": f"g{n % 10}"} for n in range(tenants)},
        "services": {
            "crm": {
                "interval": pace.interval,
                "timeout": pace.timeout,
                "checks": [
                    {
                        "name": "sign-in",
                        "url": origin + "/{tenant}/sign-in",
                        "expect": {"status": 200, "body_contains": SAID},
                    }
                ],
            }
        },
        "channels": {"log": {"kind": "log", "roles": ["on_call", "service_desk"]}},
    }
