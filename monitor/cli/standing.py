"""The simulated estate as it stands while somebody tries the shipped checks.yaml.

Beside it stands a receiver where that file sends pages. It verifies them with the file's secret and
prints each as it comes; so it does with alerts of Prometheus that an Alertmanager sends to it. The
estate's imports call the monitor where that file has it listen.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from monitor.clock import real_clock
from monitor.demo.estate import Heartbeats, addresses, serve
from monitor.demo.places import HOST, Ports
from monitor.demo.receiver import Alert, Page, Receiver
from monitor.net.secret import Secret

RECEIVER_PORT = 9121
MONITOR = "http://127.0.0.1:8365"
DEFAULT_TOKEN = "demo-import"  # noqa: S105 - as the one below
DEFAULT_SECRET = "demo-secret"  # noqa: S105 - the default that the shipped checks.yaml spells out


def serve_estate(
    ports: Ports | None = None,
    receiver_port: int = RECEIVER_PORT,
    heartbeats: str = MONITOR,
    host: str = HOST,
) -> int:
    """Serve both until interrupted: 0 then, 1 when a port is taken.

    `heartbeats` is the address of the monitor that imports call; without `ports`, the usual ones
    of `host` are served.
    """
    try:
        asyncio.run(_serve(ports or Ports(host=host), receiver_port, heartbeats))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    return 0


async def _serve(ports: Ports, receiver_port: int, heartbeats: str) -> None:
    serving = asyncio.current_task()
    if serving is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    clock = real_clock()
    secret = Secret(os.environ.get("PAGER_SECRET") or DEFAULT_SECRET)
    hearing = Receiver(
        secret, clock, receiver_port, _print_page, alerted=_print_alert, host=ports.host
    )
    async with hearing as receiver:
        token = Secret(os.environ.get("IMPORT_TOKEN") or DEFAULT_TOKEN)
        await serve(
            ports,
            clock,
            lambda real: _print_addresses(real, receiver.url),
            heartbeats=Heartbeats(heartbeats, token),
        )


def _print_addresses(ports: Ports, pager: str) -> None:
    _print("\n".join([*addresses(ports), f"pager       {pager}", "Ctrl-C ends it"]))


def _print_page(page: Page) -> None:
    said = f"refused: {page.refused}" if page.refused else f"{page.action}: {page.headline}"
    _print(f"{page.at:%H:%M:%S}Z  page {said}")


def _print_alert(alert: Alert) -> None:
    _print(f"{alert.at:%H:%M:%S}Z  alert {alert.status}: {alert.name}: {alert.summary}")


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
