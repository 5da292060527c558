"""The estate from outside: a process of its own, and clients of its switchboard.

An `EstateProcess` and its parent cannot outlive each other by accident: leaving the context ends
the process, and the process ends when its standard input does, as it does when the parent dies.
"""

from __future__ import annotations

import asyncio
import json
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self

import httpx

from monitor.demo.faults import BadFaultError, Switched
from monitor.demo.places import Ports, Settings

START_SECONDS = 20.0
END_SECONDS = 5.0


class EstateClient:
    """A blocking client of the switchboard at `origin`, such as `http://127.0.0.1:9100`.

    Raises httpx.HTTPError when the switchboard does not answer as it should.
    """

    def __init__(self, origin: str) -> None:
        self._http = httpx.Client(base_url=origin, timeout=5.0, trust_env=False)

    def switch_on(self, kind: str, **scope: Any) -> Switched:
        """Switch a fault on and return its log entry; it bites when this returns.

        `scope` is any of service, tenant, group, vantage, controls and seconds. Raises
        BadFaultError naming every mistake.
        """
        answer = self._http.post("/faults", json={"kind": kind, **scope})
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise BadFaultError(answer.json()["mistakes"])
        return Switched.from_json(answer.raise_for_status().json())

    def heal(self, *ids: str) -> list[Switched]:
        """Heal the faults of these ids, all of them when none is given; their "off" entries.

        Raises httpx.HTTPStatusError for an id that is not on.
        """
        paths = [f"/faults/{each}" for each in ids] or ["/faults"]
        answers = [self._http.delete(path).raise_for_status().json() for path in paths]
        return [Switched.from_json(entry) for answer in answers for entry in answer["healed"]]

    def faults(self) -> list[Switched]:
        """The "on" entries of the faults that are on, oldest first."""
        return self._entries("/faults")

    def log(self) -> list[Switched]:
        """Every switch, oldest first."""
        return self._entries("/log")

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _entries(self, path: str) -> list[Switched]:
        return [Switched.from_json(raw) for raw in self._http.get(path).raise_for_status().json()]


class AsyncEstateClient:
    """The same calls for an event loop, which they do not block."""

    def __init__(self, client: EstateClient) -> None:
        self._client = client

    async def switch_on(self, kind: str, **scope: Any) -> Switched:
        """As EstateClient.switch_on."""
        return await asyncio.to_thread(self._client.switch_on, kind, **scope)

    async def heal(self, *ids: str) -> list[Switched]:
        """As EstateClient.heal."""
        return await asyncio.to_thread(self._client.heal, *ids)

    async def faults(self) -> list[Switched]:
        """As EstateClient.faults."""
        return await asyncio.to_thread(self._client.faults)

    async def log(self) -> list[Switched]:
        """As EstateClient.log."""
        return await asyncio.to_thread(self._client.log)


class EstateProcess:
    """An estate in a process of its own, running inside `with`. No ports are the default ones.

    `ports` are the real ones; `client` and `async_client` talk to its switchboard. Entering
    raises RuntimeError when the process does not come up; what it says goes to our stderr.
    """

    ports: Ports
    client: EstateClient
    async_client: AsyncEstateClient

    def __init__(self, ports: Ports | None = None, settings: Settings | None = None) -> None:
        self._command = [
            *(sys.executable, "-m", "monitor.demo.estate", "--child"),
            *("--ports", _as_json(ports or Ports())),
            *("--settings", _as_json(settings or Settings())),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            self.ports = Ports.from_json(_first_line(self._process))
        except BaseException:
            _end(self._process)
            raise
        self.client = EstateClient(self.ports.origin("switchboard"))
        self.async_client = AsyncEstateClient(self.client)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.client.close()
        if self._process is not None:
            _end(self._process)

    @property
    def pid(self) -> int | None:
        """The process id, None before it has been started."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """How the process ended, None while it runs or before it has been started."""
        return None if self._process is None else self._process.poll()


def _as_json(value: Ports | Settings) -> str:
    return json.dumps(asdict(value))


def _first_line(process: subprocess.Popen[bytes]) -> Mapping[str, Any]:
    stdout = process.stdout
    if stdout is None or not select.select([stdout], [], [], START_SECONDS)[0]:
        raise RuntimeError(f"the estate did not start within {START_SECONDS:g} s")
    line = stdout.readline()
    if not line:
        status = process.wait(END_SECONDS)
        raise RuntimeError(f"the estate ended with status {status} before it was ready")
    ports: Mapping[str, Any] = json.loads(line)
    return ports


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
