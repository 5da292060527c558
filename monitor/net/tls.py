"""TLS as a filter between bytes and bytes, and what the peer's certificate says.

OpenSSL judges. The filter is driven by hand instead of by the event loop, so that the certificate
chain can be read also after it failed to verify, and so that TLS can begin after a proxy's answer.
Contexts take 26 ms to build: there is one per setting, and files are read when it is built.
Authorities are those of the system, or of SSL_CERT_FILE and SSL_CERT_DIR, unless a setting names
others.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from monitor.model import Certificate, FailureKind
from monitor.net.failure import Failure, shown
from monitor.net.secret import Secret
from monitor.net.texts import FilePath, Template

_PIECE = 16384
_NAMES = 100  # of a certificate that are kept; some hold thousands


class TlsVersion(StrEnum):
    """A version of the protocol, as it is written in settings."""

    TLS_1_0 = "TLS10"
    TLS_1_1 = "TLS11"
    TLS_1_2 = "TLS12"
    TLS_1_3 = "TLS13"


_VERSIONS = {
    TlsVersion.TLS_1_0: ssl.TLSVersion.TLSv1,
    TlsVersion.TLS_1_1: ssl.TLSVersion.TLSv1_1,
    TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How TLS is spoken. Raises ValueError naming every field that makes no sense.

    verify: whether the peer must prove that it is who it should be.
    ca_file: authorities (PEM) that are believed instead of the system's.
    certificate_file, key_file, key_password: what we prove ourselves by (PEM); the key may stand
        in the file of the certificate.
    server_name: the name that is asked for and must be proved, instead of the host's.
    min_version, max_version: which versions of the protocol are spoken.
    """

    verify: bool = True
    ca_file: FilePath | None = None
    certificate_file: FilePath | None = None
    key_file: FilePath | None = None
    key_password: Secret | None = None
    server_name: Template | None = None
    min_version: TlsVersion = TlsVersion.TLS_1_2
    max_version: TlsVersion = TlsVersion.TLS_1_3

    def __post_init__(self) -> None:
        found = []
        if self.key_file is not None and self.certificate_file is None:
            found.append("key_file: belongs to a certificate: name certificate_file too")
        if self.key_password is not None and self.certificate_file is None:
            found.append("key_password: belongs to a certificate: name certificate_file too")
        if self.min_version > self.max_version:
            found.append("min_version: is above max_version")
        if found:
            raise ValueError("; ".join(found))


DEFAULT_TLS = TlsSettings()


def context_for(settings: TlsSettings, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Build a context for clients, which offer `protocols` (ALPN) if any.

    Raises ValueError naming the field whose file cannot be used.
    """
    context = _trusting(settings.ca_file)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = _VERSIONS[settings.min_version]
    context.maximum_version = _VERSIONS[settings.max_version]
    if settings.min_version < TlsVersion.TLS_1_2:
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # the old versions sign with SHA-1
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate_file is not None:
        _prove(context, settings, settings.certificate_file)
    return context


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Build a context that believes a file, or the system's authorities.

    These are not loaded in OpenSSL's own way, which from version 3 reads all of their folder anew
    in many a handshake; the folder is looked into by hash instead, one authority at a time.
    """
    paths = ssl.get_default_verify_paths()
    try:
        if ca_file is None and (paths.cafile or paths.capath):
            return ssl.create_default_context(cafile=paths.cafile, capath=paths.capath)
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise ValueError(f"ca_file: holds no authorities in PEM ({_reason(error)})") from error


def _prove(context: ssl.SSLContext, settings: TlsSettings, certificate_file: str) -> None:
    # Without an answer here OpenSSL would ask for the password of a key on the terminal.
    password = settings.key_password.reveal() if settings.key_password else ""
    try:
        context.load_cert_chain(certificate_file, settings.key_file, lambda: password)
    except (OSError, ValueError) as error:
        message = f"certificate_file: cannot be used with its key ({_reason(error)})"
        raise ValueError(message) from error


def _reason(error: Exception) -> str:
    named = isinstance(error, ssl.SSLError) and error.reason
    return (named or str(error)).replace("_", " ").lower()


class Tls:
    """One TLS session. Whatever `outgoing` returns is to be sent after each call.

    `closed` tells that the peer ended the session in order.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.done = self.closed = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._session = context.wrap_bio(self._in, self._out, server_hostname=host)
        except (ValueError, ssl.SSLError) as error:
            message = f'"{shown(host)}" is no name for TLS: {error}'
            raise Failure(FailureKind.TLS, message) from error

    def feed(self, raw: bytes) -> None:
        """Go on with the handshake until it is `done`. Raises Failure(TLS)."""
        self._in.write(raw)
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise _failed(error) from error
        self.done = True

    def end(self) -> None:
        """Take in that the connection ended during the handshake. Raises Failure(RESET)."""
        raise Failure(FailureKind.RESET, "the connection was closed during the TLS handshake")

    def outgoing(self) -> bytes:
        """Return what is to be sent."""
        return self._out.read()

    def encrypt(self, plain: bytes) -> None:
        """Encrypt what is to be sent."""
        self._session.write(plain)

    def decrypt(self, raw: bytes) -> bytes:
        """Return what arrived, decrypted as far as it is whole. Raises Failure(TLS)."""
        self._in.write(raw)
        pieces = []
        try:
            while piece := self._session.read(_PIECE):
                pieces.append(piece)
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as error:
            raise _failed(error) from error
        return b"".join(pieces)

    def version(self) -> str:
        """Return the version that was agreed on ("TLSv1.3"), "" before there is one."""
        return (self.done and self._session.version()) or ""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the peer's certificate, in small hex digits; "" without one."""
        own = self.done and self._session.getpeercert(binary_form=True)
        return hashlib.sha256(own).hexdigest() if own else ""

    def certificate(self) -> Certificate | None:
        """Read the peer's certificate, also after a failed verification; None before there is one.

        Its chain is the verified one, and where there is none what the peer sent.
        """
        # The public way (3.13) only gives DER, for which the standard library has no reader.
        session = self._session._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        try:
            chain = self.done and session.get_verified_chain()
            return _certificate(tuple(chain or session.get_unverified_chain() or ()))
        except (ssl.SSLError, ValueError):
            return None


@lru_cache(maxsize=4096)
def _certificate(chain: tuple[object, ...]) -> Certificate | None:
    read: list[Mapping[str, object]] = [each.get_info() for each in chain]  # type: ignore[attr-defined]  # _ssl.Certificate has no stub
    if not read:
        return None
    leaf = read[0]
    names = leaf.get("subjectAltName", ())
    return Certificate(
        subject=_name(leaf.get("subject")),
        issuer=_name(leaf.get("issuer")),
        names=tuple(shown(name) for _, name in names[:_NAMES]),  # type: ignore[index]  # pairs
        not_before=_instant(leaf["notBefore"]),
        not_after=_instant(leaf["notAfter"]),
        chain_expiry=min(_instant(each["notAfter"]) for each in read),
    )


def _name(parts: object) -> str:
    """Write a distinguished name in one line: `commonName=example.org, countryName=GB`."""
    if not isinstance(parts, tuple):
        return ""
    return shown(", ".join(f"{key}={value}" for part in parts for key, value in part))


def _instant(spelled: object) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(spelled)), UTC)


def _failed(error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(FailureKind.TLS, f"certificate refused: {shown(error.verify_message)}")
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return Failure(FailureKind.TLS, f"TLS failed: {shown(reason)}")
