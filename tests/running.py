"""The real program as a process: `monitor run` on a configuration of a test's own."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from monitor.clock import real_clock
from monitor.demo.places import GROUPS

ROOT = Path(__file__).parent.parent
PATIENCE = 60.0
TOKEN = "a-token-for-this-test"
SECRET = "a-secret-for-this-test"

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
database_url: {database}
api_token: ${{TEST_TOKEN}}
network:
  allow_private: [127.0.0.0/8]
rules: {{round_gap: 1s, repeat_gap: 200ms, merge_window: 2s, recovery_span: 1s, {more_rules}
  sweep_gaps: [1s, 1s], partial_sweep: 2s, late_silence: 1s}}
vantages:
  london: {{network: net-a, source_address: 127.0.0.1}}
  leeds: {{network: net-b, source_address: 127.0.0.2}}
  dublin: {{network: net-c, source_address: 127.0.0.3}}
controls:
  - {{name: control-1, kind: http, url: "{control[0]}", interval: 2s, timeout: 1s}}
  - {{name: control-2, kind: http, url: "{control[1]}", interval: 2s, timeout: 1s}}
  - {{name: control-3, kind: http, url: "{control[2]}", interval: 2s, timeout: 1s}}
tenants:
{tenants}
services:
  crm:
    title: Prospect 365 CRM
    audience: users
    interval: 2s
    timeout: 1500ms
    checks:
      - name: sign-in
        kind: http
        url: {crm}/{{tenant}}/sign-in
        expect: {{body_contains: ["Sign in to Prospect CRM"]}}
history: {{record: "{folder}/results.jsonl"}}
{calendar}
{more}
channels:
{channels}
"""


def free_port():
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def always_open():
    """A calendar in whose time zone it is about noon, on a day on which support is open."""
    now = real_clock().wall()
    zone = f"Etc/GMT{now.hour - 12:+d}"
    today = now.astimezone(ZoneInfo(zone)).date()
    return f"calendar: {{time_zone: {zone}, extra_open: {{{today}: 00:00-23:59}}}}"


def write_config(
    folder, ports, hook, *, database=None, more_rules="", hooks=None, more="", calendar=None
):
    """A configuration for the estate at `ports`; returns its path and the monitor's URL.

    `hooks` names the webhooks by role, where `hook` is not for everybody. Support is open, unless
    the text of another `calendar` is given.
    """
    hooks = hooks or {"on_call, service_desk": hook}
    port = free_port()
    path = folder / "checks.yaml"
    path.write_text(
        CONFIG.format(
            port=port,
            database=database or f"sqlite:///{folder}/monitor.db",
            control=ports.control_urls(),
            crm=ports.origin("crm"),
            hook=hook,
            tenants="\n".join(f"  {name}: {{group: {group}}}" for name, group in GROUPS.items()),
            more_rules=more_rules,
            more=more,
            calendar=always_open() if calendar is None else calendar,
            channels="".join(
                f'  channel-{number}: {{kind: webhook, roles: [{roles}], url: "{url}",'
                ' secret: "${TEST_SECRET}"}\n'
                for number, (roles, url) in enumerate(hooks.items(), 1)
            ),
            folder=folder,
        )
    )
    return path, f"http://127.0.0.1:{port}"


def environment():
    """The environment of the program: this one's, and the test's secrets."""
    return {**os.environ, "TEST_TOKEN": TOKEN, "TEST_SECRET": SECRET, "PYTHONPATH": str(ROOT)}


async def command(*arguments):
    """Run a command of `monitor` to its end; (exit code, standard output, standard error)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor",
        *arguments,
        env=environment(),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


class Running:
    """A running monitor and a client of its API."""

    def __init__(self, process, client, log):
        self.process = process
        self.client = client
        self.log = log

    async def get(self, path):
        """The JSON of an answer."""
        answer = await self.client.get(path)
        return answer.raise_for_status().json()

    async def incidents(self):
        """Every incident, oldest first."""
        found = (await self.get("/api/v1/incidents"))["incidents"]
        return sorted(found, key=lambda incident: incident["number"])

    async def until(self, what, so):
        """Wait until `so()` is true, and return it; fail saying `what` after a while."""
        tick = asyncio.Event()
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                found = await so()
                if found:
                    return found
            assert self.process.returncode is None, f"the monitor ended: {self.log.read_text()}"
            assert loop.time() < ends, f"in vain until {what}: {self.log.read_text()[-3000:]}"
            loop.call_later(0.05, tick.set)
            await tick.wait()
            tick.clear()

    async def until_ready(self):
        """Wait until it has probed everything once."""

        async def ready():
            return (await self.client.get("/readyz")).status_code == 200

        async def all_up():
            services = (await self.get("/api/v1/services"))["services"]
            return all(service["impact"] == "none" for service in services)

        await self.until("it is ready", ready)
        await self.until("all is up", all_up)

    async def until_incident(self, **fields):
        """Wait for an incident that has these fields."""

        async def there():
            for incident in await self.incidents():
                if all(incident[name] == value for name, value in fields.items()):
                    return incident
            return None

        return await self.until(f"there is an incident with {fields}", there)

    async def ends(self, number):
        """Send a signal and wait for the end; (exit code, seconds it took)."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        return code, loop.time() - began


@contextlib.asynccontextmanager
async def monitor(path, url, *, ahead=0.0, program=("monitor", "run", "-c")):
    """The program on a configuration, until the block ends; killed if it is still there.

    Its clock stands `ahead` by so many seconds. `program` is what is run instead of `monitor run`.
    """
    log = path.parent / "monitor.log"
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *(("tests.ahead", str(path), str(ahead)) if ahead else (*program, path)),
            env=environment(),
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as client:
            yield Running(process, client, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


def json_of(text):
    """The one JSON value that a command printed."""
    return json.loads(text)
