"""Debian's Prometheus, which scrapes targets through Debian's blackbox_exporter.

Both run as the packages have them, but for the ports and the place of the data. Prometheus asks
for one probe a target and interval, keeps what comes back, and evaluates one rule over it, as
whoever uses it for this would. A target is an address and not a name: resolving, which
blackbox_exporter does anew for each probe, is not in its figure.
"""

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.cost.processes import running, until_listening
from bench.cost.site import SAID, Site
from bench.cost.usage import cpu_seconds, resident_bytes
from bench.live.pair import GaveUpError, free_port

PROGRAMS = ("prometheus", "prometheus-blackbox-exporter")


_CONNECTED = 'net_conntrack_dialer_conn_established_total{dialer_name="http_probe"} '


@dataclass(frozen=True, slots=True)
class Peers:
    """The running two: their processes' ids, and where they answer on loopback."""

    prometheus: int
    blackbox: int
    prometheus_port: int
    blackbox_port: int

    def cpu_seconds(self) -> tuple[float, float]:
        """Of blackbox_exporter and of Prometheus so far."""
        return cpu_seconds(self.blackbox), cpu_seconds(self.prometheus)

    def resident_bytes(self) -> int:
        """Of both together."""
        return resident_bytes(self.blackbox, self.prometheus)

    async def until_working(self, targets: int) -> None:
        """Wait until all but a hundredth of so many targets pass. Raises GaveUpError."""
        for _ in range(240):
            if await self._passing() >= 0.99 * targets:
                return
            await asyncio.sleep(0.25)
        raise GaveUpError(f"of {targets} targets only {await self._passing()} pass")

    async def connections(self) -> int:
        """How many connections blackbox_exporter has made to targets: one a probe."""
        page = (await _get(self.blackbox_port, "/metrics")).text
        lines = (line for line in page.splitlines() if line.startswith(_CONNECTED))
        return round(sum(float(line.removeprefix(_CONNECTED)) for line in lines))

    async def _passing(self) -> int:
        try:
            answer = await _get(self.prometheus_port, "/api/v1/query?query=sum(probe_success)")
        except httpx.TransportError:
            return 0
        if answer.is_error:
            return 0  # it is still starting
        found = answer.json().get("data", {}).get("result", [])
        return round(float(found[0]["value"][1])) if found else 0


async def _get(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


@contextlib.asynccontextmanager
async def peers(site: Site, targets: int, interval: float, *, tls: bool) -> AsyncIterator[Peers]:
    """Watch so many pages of the site until the block ends. Raises GaveUpError."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise GaveUpError(f"not installed: {', '.join(missing)}")
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as made:
        folder = Path(made)
        for name, content in configs(site, targets, interval, ports[1], folder, tls=tls).items():
            (folder / name).write_text(json.dumps(content))
        listen = [f"--web.listen-address=127.0.0.1:{port}" for port in ports]
        scraping = [PROGRAMS[0], listen[0], f"--config.file={folder}/prometheus.yml"]
        scraping += [f"--storage.tsdb.path={folder}/data"]
        probing = [PROGRAMS[1], listen[1], f"--config.file={folder}/blackbox.yml"]
        log = folder / "log"
        async with running(probing, log) as blackbox, running(scraping, log) as prometheus:
            await until_listening(ports[1], blackbox, log)
            await until_listening(ports[0], prometheus, log)
            yield Peers(prometheus.pid, blackbox.pid, *ports)


def configs(
    site: Site, targets: int, interval: float, blackbox_port: int, folder: Path, *, tls: bool
) -> dict[str, Any]:
    """Every configuration file by name; JSON, which is YAML too."""
    origin = site.origin("127.0.0.1", tls=tls)
    every = f"{round(1000 * interval)}ms"
    http: dict[str, Any] = {
        "preferred_ip_protocol": "ip4",
        "valid_status_codes": [200],
        "fail_if_body_not_matches_regexp": [SAID],
        "tls_config": {"ca_file": str(site.roots)},
    }
    scrape = {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["page"]},
        "static_configs": [{"targets": [f"{origin}/t{n}/sign-in" for n in range(targets)]}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": f"127.0.0.1:{blackbox_port}"},
        ],
    }
    rule = {
        "alert": "ServiceDown",
        "expr": "count(probe_success == 0) >= 0.9 * count(probe_success)",
        "for": "1m",
    }
    return {
        "prometheus.yml": {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": every,
                "evaluation_interval": every,
            },
            "rule_files": [f"{folder}/rules.yml"],
            "scrape_configs": [scrape],
        },
        "rules.yml": {"groups": [{"name": "services", "rules": [rule]}]},
        "blackbox.yml": {"modules": {"page": {"prober": "http", "timeout": "2s", "http": http}}},
    }
