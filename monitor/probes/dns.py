"""The dns probe: one question to one server, over UDP, TCP or TLS, and what is expected of it.

The server is the check's own, or the first one that this host asks for names. It is asked once:
an answer that was cut for UDP (TC) is judged as it is, with a warning. Over UDP only the address
that was asked can answer, and only with the id and the question it was sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import filterfalse

import dns.exception
import dns.name
import dns.rcode
import dns.rdatatype

from monitor.model import Cell, FailureKind, Outcome
from monitor.net.failure import Failure
from monitor.net.hop import IpFamily, Wishes
from monitor.net.network import Net
from monitor.net.texts import Template
from monitor.net.tls import DEFAULT_TLS, TlsSettings
from monitor.net.trace import Trace
from monitor.probes.assertions import mistakes, raise_all
from monitor.probes.endpoint import Endpoint, endpoint
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.patterns import pattern
from monitor.probes.records import Malformed, Question, Reply, asked, belongs, read
from monitor.probes.templates import places
from monitor.probes.text import Redact, excerpt, one_line, quoted

_SECTIONS = ("answers", "authority", "additional")
_LENGTH = 2
_OTHERS = 100
_UNASKED = frozenset({"AXFR", "IXFR", "NONE", "OPT", "TKEY", "TSIG", "TYPE0"})


class Transport(StrEnum):
    """What a question travels over."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


_PORTS = {Transport.UDP: 53, Transport.TCP: 53, Transport.TLS: 853}


@dataclass(frozen=True, slots=True)
class DnsExpect:
    """What must hold of an answer. Raises ValueError naming every part that makes no sense.

    rcode: one of these.
    min_answers: so many records are in the answer section.
    <section>_match: regular expressions (RE2), each of which some record matches.
    <section>_lack: none of which any record matches.
    all_<section>_match: each of which every record matches, and there is one.
    not_all_<section>_match: each of which some record does not match.

    Records are matched as lines: `example.org. 300 IN MX 10 mail.example.org.`.
    """

    rcode: tuple[str, ...] = ("NOERROR",)
    min_answers: int = 0
    answers_match: tuple[str, ...] = ()
    answers_lack: tuple[str, ...] = ()
    all_answers_match: tuple[str, ...] = ()
    not_all_answers_match: tuple[str, ...] = ()
    authority_match: tuple[str, ...] = ()
    authority_lack: tuple[str, ...] = ()
    all_authority_match: tuple[str, ...] = ()
    not_all_authority_match: tuple[str, ...] = ()
    additional_match: tuple[str, ...] = ()
    additional_lack: tuple[str, ...] = ()
    all_additional_match: tuple[str, ...] = ()
    not_all_additional_match: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        found = list(mistakes("rcode", _rcode, self.rcode))
        if not self.rcode:
            found.append("rcode: name at least one that is expected")
        for section in _SECTIONS:
            for name in _rules(section):
                found += mistakes(name, pattern, getattr(self, name))
        raise_all(*found)


@dataclass(frozen=True)
class DnsOptions:
    """What a dns check asks of whom, and with which answers it is content.

    Raises ValueError naming every field that makes no sense.

    domain: the name that is asked for.
    server: `192.0.2.53`, `192.0.2.53:5353`, `ns1.example.org`; None for the first of this host.
    type: the type of record, such as A, MX or ANY.
    recursion: whether the server shall ask others for us.
    """

    domain: Template
    server: Template | None = None
    type: str = "A"
    transport: Transport = Transport.UDP
    recursion: bool = True
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST
    expect: DnsExpect = field(default_factory=DnsExpect)

    def __post_init__(self) -> None:
        raise_all(*self._mistakes())

    def _mistakes(self) -> Iterator[str]:
        if not places(self.domain):
            yield from mistakes("domain", _name, [self.domain])
        if self.server is not None and not places(self.server):
            yield from mistakes("server", lambda text: _server(text, self.port), [self.server])
        yield from mistakes("type", _type, [self.type])
        if self.tls != DEFAULT_TLS and self.transport != Transport.TLS:
            yield "tls: is spoken with `transport: tls` only"

    @property
    def mutates(self) -> str:
        """By what asking changes something: it never does."""
        return ""

    @property
    def datagrams(self) -> bool:
        """Whether it asks over UDP, which no proxy carries."""
        return self.transport == Transport.UDP

    @property
    def port(self) -> int:
        """The port of a server that names none."""
        return _PORTS[self.transport]

    @property
    def hosts(self) -> dict[str, str]:
        """Hosts that are connected to, by the option that names them."""
        return {} if self.server is None else {"server": _server(self.server, self.port).host}

    @cached_property
    def wishes(self) -> Wishes:
        """How the server is reached."""
        return Wishes(tls=self.tls, family=self.ip_family)


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Ask the cell's target once; its options are a `DnsOptions`."""
    options = options_of(cell, DnsOptions)
    net = means.net
    server = _server_of(options, net)
    record_type = _type(options.type)
    kind, domain = dns.rdatatype.to_text(record_type), cell.target.address
    words = f"dns {kind} {domain} of {server} over {options.transport}"
    trace.asked = one_line(net.redactor.text(words))
    question = Question(secrets.randbits(16), _name(domain), record_type)
    raw = await _answer(options, cell, ask, net, trace=trace, server=server, question=question)
    try:
        reply = read(raw)
    except Malformed as error:
        raise Failure(FailureKind.PROTOCOL, f"the answer is malformed: {error}") from error
    return _seen(options.expect, reply, trace, net)


probe = asking(look)


async def _answer(
    options: DnsOptions,
    cell: Cell,
    ask: Ask,
    net: Net,
    *,
    trace: Trace,
    server: Endpoint,
    question: Question,
) -> bytes:
    payload = asked(question, recursion=options.recursion)
    wishes = replace(options.wishes, fresh=ask.fresh)
    if options.datagrams:
        return await net.datagram(
            cell.vantage,
            server.host,
            server.port,
            payload,
            trace,
            belongs=lambda raw: belongs(raw, question),
            deadline=ask.deadline,
            wishes=wishes,
        )
    stage = _Message(question, net.limits.wire_bytes)
    async with net.connection(
        cell.vantage, server.host, server.port, trace, deadline=ask.deadline, wishes=wishes
    ) as connection:
        if options.transport == Transport.TLS:
            await connection.secure(options.tls)
        connection.send(len(payload).to_bytes(_LENGTH) + payload)
        await connection.hear(stage)
    return stage.answer


class _Message:
    """A stage: messages behind their lengths, until one belongs to the question."""

    def __init__(self, question: Question, most: int) -> None:
        self.done = False
        self.answer = b""
        self._question = question
        self._most = most
        self._taken = self._others = 0
        self._buffer = bytearray()

    def feed(self, raw: bytes) -> None:
        """Take in what arrived. Raises Failure."""
        self._taken += len(raw)
        if self._taken > self._most:
            told = f"more than {self._most} bytes came without the answer (limits.wire_bytes)"
            raise Failure(FailureKind.PROTOCOL, told)
        self._buffer += raw
        while len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH])
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[_LENGTH:end])
            del self._buffer[:end]
            if belongs(message, self._question):
                self.answer, self.done = message, True
                return
            self._others += 1
            if self._others > _OTHERS:
                told = f"more than {_OTHERS} messages came that are not the answer"
                raise Failure(FailureKind.PROTOCOL, told)

    def end(self) -> None:
        """Take in that the connection ended. Raises Failure."""
        where = "in the middle of the answer" if self._buffer else "without an answer"
        raise Failure(FailureKind.RESET, f"the connection was closed {where}")


# ------------------------------------------------------------------------ an answer


def _seen(expect: DnsExpect, reply: Reply, trace: Trace, net: Net) -> Seen:
    redact = net.redactor.text
    if reply.truncated:
        trace.warn("the answer is cut (TC) and judged as it is: `transport: tcp` gets all of it")
    if reply.unread:
        trace.warn(f"the answer is long: its last {reply.unread} records were not read")
    flags = " authoritative" if reply.authoritative else ""
    status_line = quoted(f"{reply.rcode}{flags}, {reply.counts[0]} answers", redact)
    if reply.rcode not in map(_rcode, expect.rcode):
        failure, found = FailureKind.DNS, [_wrong_rcode(expect, reply)]
    else:
        failure, found = FailureKind.BODY, list(_broken(expect, reply, redact))
    if not found:
        return Seen(Outcome.PASS, None, evidence(trace, redact, status_line=status_line))
    body = excerpt(_written(reply), net.limits.evidence_bytes, redact)
    told = evidence(trace, redact, "; ".join(found), status_line=status_line, body=body)
    return Seen(Outcome.FAIL, failure, told)


def _wrong_rcode(expect: DnsExpect, reply: Reply) -> str:
    return f"rcode {reply.rcode} (expected {', '.join(expect.rcode)})"


def _broken(expect: DnsExpect, reply: Reply, redact: Redact) -> Iterator[str]:
    count = reply.counts[0]
    if count < expect.min_answers:
        yield f"{count} answers (expected at least {expect.min_answers})"
    for section in _SECTIONS:
        records = getattr(reply, section)
        rules = zip(_BROKEN, _rules(section), strict=True)
        for told, name in rules:
            for expression in getattr(expect, name):
                yield from told(section, records, expression, redact)


def _none_matches(
    section: str, records: Sequence[str], expression: str, redact: Redact
) -> Iterator[str]:
    del redact
    if not any(map(pattern(expression).search, records)):
        yield f'none of {len(records)} records in {section} matches "{expression}"'


def _one_matches(
    section: str, records: Sequence[str], expression: str, redact: Redact
) -> Iterator[str]:
    found = next(filter(pattern(expression).search, records), None)
    if found is not None:
        yield f'a record in {section} ({quoted(found, redact)}) matches "{expression}"'


def _one_differs(
    section: str, records: Sequence[str], expression: str, redact: Redact
) -> Iterator[str]:
    found = next(filterfalse(pattern(expression).search, records), None)
    if found is not None:
        yield f'a record in {section} ({quoted(found, redact)}) does not match "{expression}"'
    elif not records:
        yield f'no record is in {section} to match "{expression}"'


def _all_match(
    section: str, records: Sequence[str], expression: str, redact: Redact
) -> Iterator[str]:
    del redact
    if all(map(pattern(expression).search, records)):
        yield f'every one of {len(records)} records in {section} matches "{expression}"'


_BROKEN = (_none_matches, _one_matches, _one_differs, _all_match)
"""How each rule of a section is broken, in the order of `_rules`."""


def _written(reply: Reply) -> str:
    return "\n".join(
        line
        for section in _SECTIONS
        for line in (f";{section}", *getattr(reply, section))
        if getattr(reply, section)
    )


def _rules(section: str) -> tuple[str, str, str, str]:
    """The fields of `DnsExpect` on a section: what some, no, every and not every record matches."""
    return (
        f"{section}_match",
        f"{section}_lack",
        f"all_{section}_match",
        f"not_all_{section}_match",
    )


# ------------------------------------------------------------------------ options


def _server_of(options: DnsOptions, net: Net) -> Endpoint:
    if options.server is not None:
        return _server(options.server, options.port)
    host, port = net.nameserver()
    return Endpoint("dns", host, port if port != _PORTS[Transport.UDP] else options.port)


@lru_cache(maxsize=4096)
def _server(spelled: str, default_port: int) -> Endpoint:
    host = f"[{spelled}]" if spelled.count(":") > 1 and "[" not in spelled else spelled
    try:
        return endpoint(f"dns://{host}", ("dns",), default_port)
    except ValueError:
        raise ValueError(
            f'"{spelled}" is no server: write 192.0.2.53 or ns1.example.org:53'
        ) from None


@lru_cache(maxsize=16384)
def _name(spelled: str) -> dns.name.Name:
    try:
        name = dns.name.from_text(spelled)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f'"{spelled}" is no name to ask for: {error}') from None
    if not spelled.strip() or " " in spelled:
        raise ValueError(f'"{spelled}" is no name to ask for')
    return name


def _type(spelled: str) -> dns.rdatatype.RdataType:
    try:
        made = dns.rdatatype.from_text(spelled)
    except (dns.exception.DNSException, ValueError):
        made = dns.rdatatype.NONE
    if dns.rdatatype.to_text(made) in _UNASKED:
        raise ValueError(
            f'"{spelled}" is no type to ask for: write A, AAAA, MX, TXT, SOA or the like'
        )
    return made


def _rcode(spelled: str) -> str:
    try:
        return dns.rcode.to_text(dns.rcode.from_text(spelled))
    except (dns.exception.DNSException, ValueError):
        raise ValueError(f'"{spelled}" is no rcode: write NOERROR, NXDOMAIN or SERVFAIL') from None
