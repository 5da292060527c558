"""Real servers on loopback for the conformance suites, and a short way to probe them.

TCP servers run a script for each connection (`raw_server`); here are the scripts' parts, name
servers over UDP, TCP and TLS, and certificates that are made on the spot.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address, ip_network

import dns.message
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.clock import real_clock
from monitor.model import Vantage
from monitor.probes import PROBES, Ask, Means
from tests.net_fixtures import raw_server
from tests.probe_fixtures import cell_for

LOOPBACKS = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
HERE = Vantage("local", "local")
DAY = timedelta(days=1)


async def probed(net, kind, deadline=2.0, vantage=HERE, **options):
    """Probe once with the options of a kind, as a check of it does."""
    cell = cell_of(kind, vantage, **options)
    return await PROBES[kind].probe(cell, Ask("r1", deadline), Means(net))


def cell_of(kind, vantage=HERE, **options):
    """A cell of a check with the options of its kind."""
    made = PROBES[kind].options(**options)
    address = getattr(made, PROBES[kind].address)
    return cell_for(kind, made, address, "mail", "greets", tenant="*", vantage=vantage)


def free_port(kind=socket.SOCK_STREAM):
    """A port of this host where nobody listens."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# ------------------------------------------------------------------------ conversations


def says(*chunks, then_closes=False):
    """A script that sends each chunk as soon as it can, then hangs or closes."""

    async def script(reader, writer):
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        if not then_closes:
            await reader.read()

    return script


@dataclass
class Dialogue:
    """A script that answers lines: `answers` maps what is said to what is sent back.

    `TLS!` in an answer begins TLS, with `tls`. What was said is kept in `lines`.
    """

    greeting: bytes
    answers: dict[bytes, bytes]
    tls: ssl.SSLContext | None = None
    lines: list[bytes] = field(default_factory=list)
    secured: bool = False

    async def __call__(self, reader, writer):
        writer.write(self.greeting)
        while line := await reader.readline():
            self.lines.append(line)
            answer = self.answers.get(line.rstrip(b"\r\n"), b"500 what?\r\n")
            before, begins_tls, _ = answer.partition(b"TLS!")
            writer.write(before)
            await writer.drain()
            if begins_tls:
                await writer.start_tls(self.tls)
                self.secured = True


def shaking_hands(context):
    """A script that only shakes hands, and says why it will not: asyncio's server just closes."""

    async def script(reader, writer):
        received, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(received, to_send, server_side=True)
        while raw := await reader.read(65536):
            received.write(raw)
            with suppress(ssl.SSLError):
                session.do_handshake()
            writer.write(to_send.read())
            await writer.drain()

    return script


# ------------------------------------------------------------------------ certificates


@dataclass
class Authority:
    """One that signs: a root, or an intermediate that another one signed."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: Authority | None = None

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def authority(name="Test Root", signer=None, *, begins=-365 * DAY, ends=365 * DAY):
    """Make one that signs, itself or by the `signer`; its life is counted from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(name, key, signer or (name, key), (begins, ends), ())
    return Authority(certificate, key, signer)


def server_context(folder, signer, *names, begins=-DAY, ends=365 * DAY, version=None):
    """What a server of these names shows: its certificate, and those between it and the root.

    Without a signer it signs for itself.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    own = _signed(names[0], key, signer or (names[0], key), (begins, ends), names)
    chain = [own.public_bytes(serialization.Encoding.PEM)]
    while signer is not None and signer.above is not None:
        chain.append(signer.pem())
        signer = signer.above
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    pem = folder / f"{own.serial_number}.pem"
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain) + b"".join(chain))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if version is not None:
        made.minimum_version = made.maximum_version = version
    made.load_cert_chain(pem)
    return made, own.fingerprint(hashes.SHA256()).hex()


def _signed(name, key, signer, life, names):
    now, (begins, ends) = real_clock().now().at.replace(microsecond=0), life
    signed_by, signing_key = signer if isinstance(signer, tuple) else (None, signer.key)
    issuer = _name(signed_by) if signed_by else signer.certificate.subject
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        spelled = x509.SubjectAlternativeName([_alternative(each) for each in names])
        made = made.add_extension(spelled, critical=False)
    return made.sign(signing_key, hashes.SHA256())


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


# ------------------------------------------------------------------------ name servers


@dataclass
class NameServer:
    """Answers questions by a function: a message in, the messages or bytes to send out."""

    answer: object
    port: int = 0
    queries: list[dns.message.Message] = field(default_factory=list)

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def replies(self, raw):
        query = dns.message.from_wire(raw)
        self.queries.append(query)
        made = self.answer(query)
        for each in made if isinstance(made, list) else [made]:
            yield each if isinstance(each, bytes) else each.to_wire(max_size=65535)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server):
        self.server = server

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        for reply in self.server.replies(data):
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def name_server(answer, transport="udp", tls=None):
    """A name server over "udp", "tcp", or "tls" with the context of a server."""
    server = NameServer(answer)
    if transport == "udp":
        loop = asyncio.get_running_loop()
        endpoint, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(server), local_addr=("127.0.0.1", 0)
        )
        server.port = endpoint.get_extra_info("sockname")[1]
        try:
            yield server
        finally:
            endpoint.close()
        return

    async def script(reader, writer):
        while True:
            raw = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            for reply in server.replies(raw):
                writer.write(len(reply).to_bytes(2) + reply)

    async with raw_server(script, tls=tls) as listener:
        server.port = listener.port
        yield server


def answering(*answers, authority=(), additional=(), rcode="NOERROR", flags=""):
    """Answer every question with records as text, such as "www.example. 300 IN A 192.0.2.1"."""

    def answer(query):
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.Rcode.make(rcode))
        response.flags |= dns.flags.from_text(flags)
        sections = (response.answer, response.authority, response.additional)
        for section, lines in zip(sections, (answers, authority, additional), strict=True):
            section += [dns.rrset.from_text(*_parts(line)) for line in lines]
        return response

    return answer


def _parts(line):
    name, ttl, record_class, record_type, rest = line.split(maxsplit=4)
    return name, int(ttl), record_class, record_type, rest
