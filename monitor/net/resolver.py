"""Names into addresses, as a phase of its own.

In this order: a literal address is itself; `localhost` and what ends in `.localhost` is this host;
`/etc/hosts`, as it was when the resolver was made; an answer not older than its TTL and
`max_age`; the name servers. Names are taken as absolute, search lists are not used.

Answers are kept per (place, name, record types), so that each vantage has its own evidence, and
lookups in flight are shared: however many probes ask at once, one question goes out. A lookup
belongs to nobody who waits for it: it goes on when one of them gives up. Failures are not kept.

The usual answer, addresses from the first name server, is read in `lookup.py`; whatever else comes,
or does not come, is asked for again and judged by the library, with all name servers.

Messages longer than 2 KiB are not read, as reading one takes 0.1 ms for each address in it:
datagrams are passed over, a longer answer over TCP is a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from monitor.clock import Clock
from monitor.model import FailureKind
from monitor.net.failure import Failure, shown
from monitor.net.lookup import looked_up

IPV4 = (dns.rdatatype.A,)
IPV6 = (dns.rdatatype.AAAA,)
ANY = (dns.rdatatype.A, dns.rdatatype.AAAA)
"""Record types to ask for, in this order, until one has an answer."""

_Receive = Callable[[int, float | None], Awaitable[Any]]
Types = tuple[dns.rdatatype.RdataType, ...]
HOSTS = Path("/etc/hosts")
_PER_SERVER = 1.0
_SILENT_FOR = 60.0
_KEPT_ANSWERS = 20000
_LONGEST = 2048


class Resolved(NamedTuple):
    """Addresses in the order they were given; `fresh` is None when no name was resolved."""

    addresses: tuple[str, ...]
    fresh: bool | None


class _Answer(NamedTuple):
    addresses: tuple[str, ...]
    ttl: float


class _Key(NamedTuple):
    place: str
    name: str
    types: Types


class Resolver:
    """Asks name servers, and remembers what they said.

    `nameservers` are addresses, "192.0.2.1" or "192.0.2.1:5353"; None for those of
    /etc/resolv.conf. `patience` is the seconds one lookup may take.
    """

    def __init__(
        self,
        clock: Clock,
        patience: float,
        max_age: float,
        nameservers: Sequence[str] | None = None,
        hosts: Path = HOSTS,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._max_age = max_age
        self._nameservers = nameservers
        self._hosts = _read_hosts(hosts)
        self._servers: dns.asyncresolver.Resolver | None = None
        self._kept: dict[_Key, tuple[float, tuple[str, ...]]] = {}
        self._flights: dict[_Key, asyncio.Task[_Answer]] = {}
        self._odd: set[tuple[str, dns.rdatatype.RdataType]] = set()
        self._plain_from = 0.0

    async def resolve(
        self, name: str, *, place: str = "", types: Types = ANY, fresh: bool = False
    ) -> Resolved:
        """Find the addresses of a name or a literal address, at least one.

        With `fresh` what is kept is not used. Raises Failure(DNS), or Failure(TIMEOUT) when no
        name server answers in time.
        """
        if _is_literal(name):
            return Resolved((name,), None)
        key = _Key(place, name.rstrip(".").lower(), types)
        here = self._here(key)
        if here:
            return Resolved(here, fresh=True)
        kept = self._kept.get(key)
        if kept is not None and not fresh and self._clock.monotonic() < kept[0]:
            return Resolved(kept[1], fresh=False)
        answer = await asyncio.shield(self._flight(key))
        return Resolved(answer.addresses, fresh=True)

    def first_server(self) -> tuple[str, int]:
        """Return the address and port of the name server that is asked first.

        Raises ValueError when there is none.
        """
        servers = self._asked()
        for each in servers.nameservers:
            if isinstance(each, str):
                return each, servers.port
            if isinstance(each, dns.nameserver.AddressAndPortNameserver):
                return each.address, each.port
        raise ValueError("none is named")

    async def aclose(self) -> None:
        """Give up all lookups in flight."""
        flights = tuple(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _here(self, key: _Key) -> tuple[str, ...]:
        if key.name == "localhost" or key.name.endswith(".localhost"):
            local = {dns.rdatatype.A: "127.0.0.1", dns.rdatatype.AAAA: "::1"}
            return (local[key.types[0]],)
        listed = self._hosts.get(key.name, ())
        return tuple(each for each in listed if _type_of(each) in key.types)

    def _flight(self, key: _Key) -> asyncio.Task[_Answer]:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._lookup(key))
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    def _landed(self, key: _Key, flight: asyncio.Task[_Answer]) -> None:
        del self._flights[key]
        if flight.cancelled() or flight.exception() is not None:
            return
        addresses, ttl = flight.result()
        if len(self._kept) >= _KEPT_ANSWERS:
            self._kept.clear()  # names come from the configuration, so this is never reached twice
        self._kept[key] = (self._clock.monotonic() + min(ttl, self._max_age), addresses)

    async def _lookup(self, key: _Key) -> _Answer:
        try:
            name = _absolute(key.name)
            async with asyncio.timeout(self._patience):
                for record_type in key.types:
                    answer = await self._ask_plainly(key.name, record_type)
                    answer = answer or await self._ask(name, record_type)
                    if answer is not None:
                        return answer
        except (TimeoutError, dns.exception.Timeout) as error:
            message = f"no answer within {self._patience:g} s while resolving the name"
            raise Failure(FailureKind.TIMEOUT, f"{message} {shown(key.name)}") from error
        except (dns.exception.DNSException, OSError) as error:
            raise Failure(FailureKind.DNS, f"{shown(key.name)}: {_reason(error)}") from error
        raise Failure(FailureKind.DNS, f"{shown(key.name)}: the name has no address")

    def _asked(self) -> dns.asyncresolver.Resolver:
        if self._servers is None:
            self._servers = _servers(self._nameservers)
        return self._servers

    async def _ask_plainly(self, name: str, record_type: dns.rdatatype.RdataType) -> _Answer | None:
        """Ask the first name server in the quick way; None where the library has to.

        A server that did not answer is left to the library for a while, a name whose answer is
        not plain for good.
        """
        if (name, record_type) in self._odd or self._clock.monotonic() < self._plain_from:
            return None
        try:
            async with asyncio.timeout(_PER_SERVER):
                found = await looked_up(self.first_server(), _on_the_wire(name), record_type)
        except (TimeoutError, Failure, ValueError):
            self._plain_from = self._clock.monotonic() + _SILENT_FOR
            return None
        if found is None:
            self._odd.add((name, record_type))
            return None
        return _Answer(found[0], float(found[1]))

    async def _ask(
        self, name: dns.name.Name, record_type: dns.rdatatype.RdataType
    ) -> _Answer | None:
        found = await self._asked().resolve(
            name,
            record_type,
            raise_on_no_answer=False,
            lifetime=self._patience,
            backend=_short_messages(),
        )
        if found.rrset is None:
            return None
        addresses = tuple(record.address for record in found.rrset)
        return _Answer(addresses, float(found.chaining_result.minimum_ttl))


@lru_cache(maxsize=8192)
def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name)


@lru_cache(maxsize=8192)
def _on_the_wire(name: str) -> bytes:
    return _absolute(name).to_wire() or b""


@lru_cache(maxsize=1)
def _short_messages() -> Any:
    """Make a backend for dnspython, through which name servers are asked, that reads no more."""
    kind: Any = type(dns.asyncbackend.get_backend("asyncio"))
    backend = kind()  # the library shares its own
    make_socket = backend.make_socket

    async def bounded(*wishes: Any) -> Any:
        made: Any = await make_socket(*wishes)
        if hasattr(made, "recvfrom"):
            made.recvfrom = _short_datagrams(made.recvfrom)
        else:
            made.recv = _short_stream(made.recv)
        return made

    backend.make_socket = bounded
    return backend


def _short_datagrams(receive: _Receive) -> _Receive:
    async def received(size: int, patience: float | None) -> Any:
        while True:
            raw, sender = await receive(size, patience)
            if len(raw) <= _LONGEST:
                return raw, sender

    return received


def _short_stream(receive: _Receive) -> _Receive:
    async def received(size: int, patience: float | None) -> Any:
        if size > _LONGEST:  # it is asked for as much as the message announces
            message = f"an answer of more than {_LONGEST} bytes"
            raise dns.exception.FormError(message)  # type: ignore[no-untyped-call]
        return await receive(size, patience)

    return received


def _servers(nameservers: Sequence[str] | None) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=nameservers is None)
    if nameservers is not None:
        resolver.nameservers = [_server(each) for each in nameservers]
    resolver.timeout = _PER_SERVER
    return resolver


def _server(spelled: str) -> dns.nameserver.Nameserver:
    if _is_literal(spelled):
        return dns.nameserver.Do53Nameserver(spelled)
    address, _, port = spelled.rpartition(":")
    return dns.nameserver.Do53Nameserver(address.strip("[]"), int(port))


def _reason(error: Exception) -> str:
    if isinstance(error, dns.resolver.NXDOMAIN):
        return "the name does not exist (NXDOMAIN)"
    if isinstance(error, dns.resolver.NoNameservers):
        said = {shown(str(each[3])) for each in error.kwargs.get("errors", ())}
        return f"no name server could answer ({', '.join(sorted(said))})"
    return shown(str(error))


@lru_cache(maxsize=8192)
def _is_literal(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _type_of(address: str) -> dns.rdatatype.RdataType:
    return dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A


def _read_hosts(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read a hosts file: per name its addresses, in the order of the file."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if _is_literal(address):
            for name in {each.lower() for each in names}:
                found[name] = (*found.get(name, ()), address)
    return found
