"""TLS as a filter between bytes and bytes, and what the peer's certificate says.

OpenSSL judges. The filter is driven by hand instead of by the event loop, so that the certificate
chain can be read also after it failed to verify, and so that TLS can begin after a proxy's answer.
Contexts take 26 ms to build: there is one per setting. Authorities are those of the system, or of
SSL_CERT_FILE and SSL_CERT_DIR.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from monitor.model import Certificate, FailureKind
from monitor.net.failure import Failure, shown

_PIECE = 65536


def context_for(*, verify: bool) -> ssl.SSLContext:
    """Build a context for clients of HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


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
        names=tuple(shown(name) for _, name in names),  # type: ignore[attr-defined]  # pairs
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
