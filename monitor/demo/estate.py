"""A simulated Prospect 365 estate: real HTTP servers, and faults to break them with.

It stands for CRM (sign-in page and OData v4 API), Sites, Website and the ERP order connector, for
five tenants in three backend groups, with three control targets beside them that belong to
nobody. Each service has one port which all its tenants share, as behind one load balancer; the
first segment of a path names the tenant (`services.py` has the paths). `faults.py` says what can
be broken, for whom, and where on its way a request meets it. A Prometheus, which no fault reaches,
counts what users do (`users.py`); the connector's imports call the monitor where they are told to
(`connector.py`).

The switchboard, on a port of its own that no fault reaches:

    GET    /faults       the faults that are on
    POST   /faults       switch one on: {"kind": "slow", "service": "crm", "tenant": "acme",
                         "group": ..., "vantage": "127.0.0.3", "controls": true, "seconds": 3}
                         -> 201 and the log entry; 400 with every mistake
    DELETE /faults/{id}  heal one -> {"healed": [log entries]}; 404 for an unknown id
    DELETE /faults       heal all
    GET    /log          every switch, oldest first, with wall clock times to the millisecond

Not simulated: DNS, TLS, HTTP/2, a path that drops packets (a black hole accepts the connection),
load, and any dependency between the services. A vantage is told by its source address alone.

`serve` runs it inside an event loop; `EstateProcess` in a process of its own, so that whoever
watches it does not share a loop with it; `python -m monitor.demo.estate` for people.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Self

from monitor.clock import Clock, real_clock
from monitor.demo import connector, users
from monitor.demo.client import AsyncEstateClient, EstateClient, EstateProcess
from monitor.demo.connector import Heartbeats
from monitor.demo.faults import BadFaultError, Board, Fault, FaultKind, Switched, parse_fault
from monitor.demo.http1 import Answer, Hold, Listener, Request, Reset, Response, as_json
from monitor.demo.places import CONTROLS, GROUPS, SERVICES, Ports, Settings
from monitor.demo.services import backends, tenant_of

__all__ = [
    "CONTROLS",
    "GROUPS",
    "SERVICES",
    "AsyncEstateClient",
    "Estate",
    "EstateClient",
    "EstateProcess",
    "Fault",
    "FaultKind",
    "Heartbeats",
    "Ports",
    "Settings",
    "Switched",
    "serve",
]


async def serve(
    ports: Ports | None,
    clock: Clock,
    ready: Callable[[Ports], None],
    settings: Settings | None = None,
    heartbeats: Heartbeats | None = None,
) -> None:
    """Run an estate until cancelled; `ready` is told the real ports once all of them listen.

    Imports call at `heartbeats`, if any. Raises OSError when a port is taken.
    """
    async with Estate(ports, clock, settings) as estate:
        ready(estate.ports)
        if heartbeats is not None:
            await connector.run(heartbeats, estate.board)
        await asyncio.Event().wait()


class Estate:
    """The estate in this event loop, open inside `async with`. No ports are the default ones.

    `board` has the faults that are on, and their log.
    """

    def __init__(self, ports: Ports | None, clock: Clock, settings: Settings | None = None) -> None:
        self._asked = ports or Ports()
        self.board = Board(clock)
        self._switching = asyncio.Lock()
        self._backends = backends(clock, settings or Settings())
        self._listeners: dict[str, tuple[Listener, ...]] = {
            service: tuple(self._listener(service, port, clock) for port in wanted)
            for service, wanted in self._wanted().items()
        }
        self._switchboard = self._aside(self._asked.switchboard, self._switch, clock)
        self._prometheus = self._aside(self._asked.prometheus, partial(self._counted, clock), clock)

    async def __aenter__(self) -> Self:
        try:
            for listener in self._everyone():
                await listener.open()
        except OSError:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._close()

    @property
    def ports(self) -> Ports:
        """The real ports, once open."""
        crm, sites, website, orders = (self._listeners[service][0].port for service in SERVICES)
        controls = tuple(listener.port for listener in self._listeners[CONTROLS])
        aside = self._prometheus.port, controls, self._switchboard.port
        return Ports(crm, sites, website, orders, *aside, self._asked.host)

    async def switch_on(self, fault: Fault) -> Switched:
        """Make a fault take effect; it has when this returns. Raises BadFaultError."""
        async with self._switching:
            entry = self.board.switch_on(fault)
            await self._settle()
            return entry

    async def heal(self, *ids: str) -> tuple[Switched, ...]:
        """End these faults, all of them when none is named; KeyError for an unknown id."""
        async with self._switching:
            gone = self.board.switch_off(ids or [entry.id for entry in self.board.on()])
            await self._settle()
            return self.board.note_off(gone)

    async def _settle(self) -> None:
        for service, listeners in self._listeners.items():
            for listener in listeners:
                if self.board.closes(service):
                    listener.refuse()
                else:
                    await listener.open()

    async def _close(self) -> None:
        for listener in self._everyone():
            await listener.close()

    def _everyone(self) -> Iterable[Listener]:
        for listeners in self._listeners.values():
            yield from listeners
        yield from (self._switchboard, self._prometheus)

    def _wanted(self) -> dict[str, tuple[int, ...]]:
        services = {service: (getattr(self._asked, service),) for service in SERVICES}
        return {**services, CONTROLS: self._asked.controls}

    def _listener(self, service: str, port: int, clock: Clock) -> Listener:
        return Listener(
            port,
            partial(self.board.at_accept, service),
            partial(self._answer, service),
            clock,
            self._asked.host,
        )

    def _aside(self, port: int, answer: Answer, clock: Clock) -> Listener:
        """A port that no fault reaches."""
        return Listener(port, lambda _source: None, answer, clock, self._asked.host)

    async def _answer(self, service: str, request: Request) -> Response | Reset | Hold:
        tenant = None if service == CONTROLS else tenant_of(request)
        return await self.board.answer(service, tenant, request, self._backends[service])

    async def _counted(self, clock: Clock, request: Request) -> Response:
        return users.answer(request, self.board, clock)

    async def _switch(self, request: Request) -> Response:
        match request.method, request.parts:
            case "GET", ("faults",):
                return _listing(self.board.on())
            case "GET", ("log",):
                return _listing(self.board.log)
            case "POST", ("faults",):
                return await self._post(request)
            case "DELETE", ("faults",) | ("faults", _):
                return await self._delete(request.parts[1:])
            case _:
                return as_json(404, {"mistakes": ["no such switch; see /faults and /log"]})

    async def _post(self, request: Request) -> Response:
        try:
            entry = await self.switch_on(parse_fault(json.loads(request.body)))
        except BadFaultError as error:
            return as_json(400, {"mistakes": error.mistakes})
        except (ValueError, RecursionError):
            return as_json(400, {"mistakes": ["the body is not JSON"]})
        return as_json(201, entry.as_json(), (("Location", f"/faults/{entry.id}"),))

    async def _delete(self, ids: Sequence[str]) -> Response:
        try:
            healed = await self.heal(*ids)
        except KeyError as error:
            return as_json(404, {"mistakes": [f"no fault {error.args[0]} is on"]})
        return as_json(200, {"healed": [entry.as_json() for entry in healed]})


def _listing(entries: Iterable[Switched]) -> Response:
    return as_json(200, [entry.as_json() for entry in entries])


# --------------------------------------------------------------------------- as a process


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted, or as a child until stdin ends. Returns the exit status."""
    asked = _parser().parse_args(arguments)
    run = _child if asked.child else _alone
    try:
        asyncio.run(run(asked.ports, asked.settings))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 1
    return 0


async def _alone(ports: Ports, settings: Settings) -> None:
    _end_on(signal.SIGTERM)
    await serve(ports, real_clock(), _print_addresses, settings)


async def _child(ports: Ports, settings: Settings) -> None:
    """Serve until stdin ends, which it does when the parent dies; the parent alone ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_on(signal.SIGTERM)
    serving = asyncio.create_task(serve(ports, real_clock(), _tell, settings))
    orphaned = asyncio.create_task(_stdin_ends())
    try:
        await asyncio.wait({serving, orphaned}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        orphaned.cancel()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def _stdin_ends() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


def _end_on(number: signal.Signals) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _tell(ports: Ports) -> None:
    sys.stdout.write(json.dumps(ports.as_json()) + "\n")
    sys.stdout.flush()


def addresses(ports: Ports) -> list[str]:
    """Where everything is, a line each, and who the tenants are."""
    lines = [
        f"{name:<12}{ports.origin(name)}/" for name in (*SERVICES, "prometheus", "switchboard")
    ]
    lines += [f"{CONTROLS:<12}{url}" for url in ports.control_urls()]
    tenants = ", ".join(f"{tenant} ({group})" for tenant, group in GROUPS.items())
    return [*lines, f"tenants     {tenants}"]


def _print_addresses(ports: Ports) -> None:
    sys.stdout.write("\n".join([*addresses(ports), "Ctrl-C ends it", ""]))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m monitor.demo.estate",
        description="A simulated estate on loopback, with faults to inject.",
    )
    parser.add_argument(
        "--ports", type=_json_of(Ports.from_json), default=Ports(), help="JSON; 0 picks a free one"
    )
    parser.add_argument(
        "--settings",
        type=_json_of(lambda raw: Settings(**raw)),
        default=Settings(),
        help=f"JSON; by default {json.dumps(asdict(Settings()))}",
    )
    parser.add_argument(
        "--child", action="store_true", help="tell the ports as JSON, end when stdin ends"
    )
    return parser


def _json_of(read: Callable[[Any], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return read(json.loads(text))
        except (ValueError, TypeError) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


if __name__ == "__main__":
    sys.exit(main())
