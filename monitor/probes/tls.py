"""The tls probe: one handshake, and what is expected of the session and its certificate.

OpenSSL judges the chain while `tls.verify` is on; what is expected comes on top of that. All that
is wrong is told together. Nothing is said in the session: a server that refuses our own
certificate under TLS 1.3 does so after the handshake, which this probe does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address
from types import MappingProxyType

import httpx

from monitor.model import Cell, Certificate, FailureKind, Outcome
from monitor.net.failure import Failure
from monitor.net.hop import IpFamily, Wishes
from monitor.net.texts import Template, Url
from monitor.net.tls import DEFAULT_TLS, TlsSettings, TlsVersion
from monitor.net.trace import Trace
from monitor.probes.assertions import ends_too_soon, mistakes, raise_all
from monitor.probes.endpoint import endpoint, endpoint_mistakes
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.patterns import pattern
from monitor.probes.talk import Talk, TalkStep
from monitor.probes.text import Redact, one_line, quoted

SCHEMES = ("tls",)
PORT = 443

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SHOWN_NAMES = 10
_VERSIONS = {
    "TLSv1": TlsVersion.TLS_1_0,
    "TLSv1.1": TlsVersion.TLS_1_1,
    "TLSv1.2": TlsVersion.TLS_1_2,
    "TLSv1.3": TlsVersion.TLS_1_3,
}


class StartTls(StrEnum):
    """A protocol whose conversation goes over to TLS, by the name of its URL scheme."""

    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"
    FTP = "ftp"
    POSTGRES = "postgres"


_OPENINGS: dict[StartTls, tuple[TalkStep, ...]] = {
    StartTls.SMTP: (
        TalkStep(expect="^220 ", send=Template("EHLO monitor.invalid\r")),
        TalkStep(expect="^250 ", send=Template("STARTTLS\r")),
        TalkStep(expect="^220"),
    ),
    StartTls.IMAP: (
        TalkStep(expect=r"^\* OK", send=Template("a1 STARTTLS\r")),
        TalkStep(expect="^a1 OK"),
    ),
    StartTls.POP3: (
        TalkStep(expect=r"^\+OK", send=Template("STLS\r")),
        TalkStep(expect=r"^\+OK"),
    ),
    StartTls.FTP: (
        TalkStep(expect="^220 ", send=Template("AUTH TLS\r")),
        TalkStep(expect="^234"),
    ),
    StartTls.POSTGRES: (
        TalkStep(send_bytes="00000008 04d2162f"),
        TalkStep(expect_bytes="53"),
    ),
}


@dataclass(frozen=True, slots=True)
class TlsExpect:
    """What must hold of a session. Raises ValueError naming every part that makes no sense.

    certificate_lifetime: seconds that every certificate of the chain is still good for.
    names: names that the certificate covers, all of them.
    issuer: a regular expression (RE2) found in its issuer (`commonName=R3, countryName=US`).
    version: versions of the protocol, one of which was agreed on.
    fingerprint_sha256: of the certificate, one of these; in hex, with or without colons.
    """

    certificate_lifetime: float | None = None
    names: tuple[Template, ...] = ()
    issuer: str | None = None
    version: tuple[TlsVersion, ...] = ()
    fingerprint_sha256: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        raise_all(
            *mistakes("issuer", pattern, [] if self.issuer is None else [self.issuer]),
            *mistakes("fingerprint_sha256", _plain_hex, self.fingerprint_sha256),
        )


@dataclass(frozen=True)
class TlsOptions:
    """With whom a tls check shakes hands, and of what it is content.

    Raises ValueError naming every field that makes no sense.

    url: `tls://host`, or with a port other than 443.
    starttls: the protocol that is spoken before TLS begins.
    """

    url: Url
    starttls: StartTls | None = None
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST
    expect: TlsExpect = field(default_factory=TlsExpect)

    def __post_init__(self) -> None:
        raise_all(*endpoint_mistakes(self.url, SCHEMES, PORT))

    @property
    def mutates(self) -> str:
        """By what asking changes something: it never does."""
        return ""

    @cached_property
    def wishes(self) -> Wishes:
        """How a connection is to be made."""
        return Wishes(tls=self.tls, family=self.ip_family)


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Ask the cell's target once; its options are a `TlsOptions`."""
    options = options_of(cell, TlsOptions)
    net, where = means.net, endpoint(cell.target.address, SCHEMES, PORT)
    redact = net.redactor.text
    after = f" after {options.starttls}" if options.starttls else ""
    trace.asked = one_line(redact(f"tls handshake with {where}{after}"))
    opening = _OPENINGS[options.starttls] if options.starttls else ()
    talk = Talk(opening, net.limits.wire_bytes, redact, MappingProxyType({}))
    wishes = replace(options.wishes, fresh=ask.fresh)
    try:
        async with net.connection(
            cell.vantage, where.host, where.port, trace, deadline=ask.deadline, wishes=wishes
        ) as connection:
            await talk.over(connection, options.tls)
            talk.heard.expect_nothing(len(opening) + 1)
            fingerprint = (await connection.secure(options.tls)).fingerprint()
    except Failure as failure:
        raise talk.told(failure) from failure.__cause__
    found = tuple(_broken(options.expect, trace, fingerprint, net.clock.now().at, redact))
    if found:
        return Seen(Outcome.FAIL, FailureKind.TLS, evidence(trace, redact, "; ".join(found)))
    return Seen(Outcome.PASS, None, evidence(trace, redact))


probe = asking(look)


def covers(names: tuple[str, ...], wanted: str) -> bool:
    """Whether a certificate of these names is good for the wanted one.

    A star stands for one label, the first: `*.example.org` is good for `www.example.org` only.
    """
    known = set(map(_canonical, names))
    wanted = _canonical(wanted)
    _, dot, parent = wanted.partition(".")
    return wanted in known or (bool(dot) and f"*.{parent}" in known)


def _canonical(name: str) -> str:
    """A name in the one spelling that is compared: an address, or ASCII in small letters."""
    with suppress(ValueError):
        return str(ip_address(name.strip()))
    with suppress(httpx.InvalidURL, ValueError):
        name = name if name.isascii() else httpx.URL(f"tls://{name}").raw_host.decode("ascii")
    return name.lower().rstrip(".")


def _broken(
    expect: TlsExpect, trace: Trace, fingerprint: str, now: datetime, redact: Redact
) -> Iterator[str]:
    version = _VERSIONS.get(trace.tls_version)
    if expect.version and version not in expect.version:
        wanted = ", ".join(expect.version)
        yield f"version ({version or quoted(trace.tls_version, redact)}) is not one of {wanted}"
    if trace.certificate is None:
        yield "the server showed no certificate that can be read"
        return
    yield from _broken_certificate(expect, trace.certificate, now, redact)
    known = tuple(map(_plain_hex, expect.fingerprint_sha256))
    if known and fingerprint not in known:
        yield f"the certificate has another fingerprint ({fingerprint})"


def _broken_certificate(
    expect: TlsExpect, certificate: Certificate, now: datetime, redact: Redact
) -> Iterator[str]:
    if expect.certificate_lifetime is not None:
        yield from ends_too_soon(certificate, expect.certificate_lifetime, now)
    lacking = [name for name in expect.names if not covers(certificate.names, name)]
    if lacking:
        shown = ", ".join(certificate.names[:_SHOWN_NAMES]) or "none"
        yield f"names ({quoted(shown, redact)}) do not cover {', '.join(lacking)}"
    if expect.issuer is not None and not pattern(expect.issuer).search(certificate.issuer):
        yield f'issuer ({quoted(certificate.issuer, redact)}) does not match "{expect.issuer}"'


def _plain_hex(spelled: str) -> str:
    plain = spelled.lower().replace(":", "")
    if not _FINGERPRINT.fullmatch(plain):
        raise ValueError(f'"{spelled}" is no SHA-256: write its 64 hex digits')
    return plain
