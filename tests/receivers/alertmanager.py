"""Debian's real Alertmanager on loopback, with a webhook of ours at its other end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.http_server import Reply, Request, http_server
from tests.running import free_port

PROGRAM = "prometheus-alertmanager"


@dataclass
class Alertmanager:
    """One that runs at `url`; `told` are its own notifications: (status, alert, summary)."""

    url: str
    told: list[tuple[str, str, str]] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def hook(self, request: Request) -> Reply:
        for alert in json.loads(request.body)["alerts"]:
            told = (alert["status"], alert["labels"]["alert"], alert["annotations"]["summary"])
            if told not in self.told:
                self.told.append(told)
        self._more.set()
        return Reply(200)

    async def tells(self, *, status: str, count: int = 1) -> list[tuple[str, str, str]]:
        """Wait for so many different notifications of a status."""
        async with asyncio.timeout(20):
            while len(found := [told for told in self.told if told[0] == status]) < count:
                self._more.clear()
                await self._more.wait()
        return found

    async def alerts(self) -> dict[str, dict[str, Any]]:
        """The alerts that it holds active, by their own name."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.url}/api/v2/alerts", params={"active": "true"})
        return {alert["labels"]["alert"]: alert for alert in answer.json()}


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[Alertmanager]:
    """Run one until the block ends."""
    port = free_port()
    made = Alertmanager(f"http://127.0.0.1:{port}")
    async with http_server({"/hook": made.hook}) as server:
        (folder / "alertmanager.yml").write_text(json.dumps(_config(server.url("/hook"))))
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await _until_ready(made.url, process)
            yield made
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _config(hook: str) -> dict[str, Any]:
    return {
        "route": {
            "receiver": "hook",
            "group_by": ["alert"],
            "group_wait": "100ms",
            "group_interval": "300ms",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
    }


async def _until_ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False) as client:
        while True:
            assert process.returncode is None, "Alertmanager ended"
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/-/ready")).is_success:
                    return
            await asyncio.sleep(0.05)
