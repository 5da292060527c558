"""Certificates made on the spot, good and bad, and servers' TLS contexts that show them.

One authority is believed by whoever runs the cases (`bundle`). Each maker is called when its site
opens; keys are of elliptic curves, which are quick, except where a weak RSA key is the point.
"""

from __future__ import annotations

import secrets
import ssl
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

_LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))
_DAY = timedelta(days=1)
_SHA256_WITH_RSA = bytes.fromhex("2a864886f70d01010b")
_SHA1_WITH_RSA = bytes.fromhex("2a864886f70d010105")


class Signer:
    """A certificate with its key, signed by another or by itself."""

    def __init__(
        self,
        name,
        by=None,
        *,
        ca=False,
        key=None,
        digest=None,
        days=(-1, 30),
        names=(_LOOPBACK,),
    ):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.by = by
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = by or self
        now = datetime.now(UTC)  # noqa: TID251 - OpenSSL judges by the real clock
        public = self.key.public_key()
        builder = (
            x509.CertificateBuilder(signer.name, self.name, public, x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()),
                critical=False,
            )
        )
        if not ca and names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.made = builder.sign(signer.key, digest or hashes.SHA256())

    def pem(self) -> bytes:
        return self.made.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )


@cache
def authority() -> Signer:
    return Signer("Hostile Root", ca=True)


@cache
def _rsa_authority() -> Signer:
    return Signer("Hostile RSA Root", ca=True, key=rsa.generate_private_key(65537, 2048))


def bundle() -> bytes:
    """The authorities that are believed, as PEM."""
    return authority().pem() + _rsa_authority().pem()


def shown_by(leaf: Signer, *chain: Signer, lax: bool = False) -> ssl.SSLContext:
    """A server's context that shows a leaf and what else of its chain is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if lax:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # a key of 512 bits cannot sign in 1.3
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(leaf.key_pem() + b"".join(each.pem() for each in (leaf, *chain)))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@cache
def good() -> ssl.SSLContext:
    return shown_by(Signer("good", authority()))


@cache
def good_1_2() -> ssl.SSLContext:
    context = shown_by(Signer("good", authority()))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def expired():
    return shown_by(Signer("expired", authority(), days=(-30, -1)))


def not_yet_valid():
    return shown_by(Signer("early", authority(), days=(1, 30)))


def wrong_name():
    return shown_by(Signer("other", authority(), names=(x509.DNSName("other.example"),)))


def no_names():
    return shown_by(Signer("127.0.0.1", authority(), names=()))


def self_signed():
    return shown_by(Signer("alone"))


def untrusted():
    return shown_by(Signer("stranger", Signer("Another Root", ca=True)))


def untrusted_with_its_root():
    root = Signer("Another Root", ca=True)
    return shown_by(Signer("stranger", root), root)


def incomplete():
    middle = Signer("Middle", authority(), ca=True)
    return shown_by(Signer("lonely", middle))


def expired_middle():
    middle = Signer("Middle", authority(), ca=True, days=(-30, -1))
    return shown_by(Signer("late", middle), middle)


def middle_that_is_no_authority():
    middle = Signer("Middle", authority())
    return shown_by(Signer("bold", middle), middle)


def sha1():
    """A certificate signed by SHA-1, which the library no longer does: two bytes of it are set."""
    leaf = Signer("sha1", _rsa_authority())
    signer = leaf.by.key
    tbs = leaf.made.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA)
    signature = signer.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    der = leaf.made.public_bytes(serialization.Encoding.DER)
    der = der.replace(_SHA256_WITH_RSA, _SHA1_WITH_RSA).replace(leaf.made.signature, signature)
    leaf.made = x509.load_der_x509_certificate(der)
    return shown_by(leaf, lax=True)


def rsa_1024():
    key = rsa.generate_private_key(65537, 1024)
    return shown_by(Signer("weak", authority(), key=key), lax=True)


def rsa_512():
    return shown_by(Signer("weaker", authority(), key=_rsa_of(512)), lax=True)


def bad_words():
    """A name with control and bidirectional characters in it."""
    return shown_by(Signer("red\x1b[31m\u202etxt\x00\r\n", authority()))


def many_names():
    names = [_LOOPBACK, *(x509.DNSName(f"n{number}.example") for number in range(4000))]
    return shown_by(Signer("many", authority(), names=names))


def old_version():
    """A server that speaks nothing newer than TLS 1.1."""
    context = shown_by(Signer("old", authority()), lax=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def wants_a_certificate():
    context = shown_by(Signer("curious", authority()))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def many_tickets():
    """A server that hands out tickets for later sessions by the thousand."""
    context = shown_by(Signer("generous", authority()))
    context.num_tickets = 5000
    return context


def _rsa_of(bits: int) -> rsa.RSAPrivateKey:
    """Make a key that is too small for the library to make."""
    p, q = _prime(bits // 2), _prime(bits // 2)
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    inverse = pow(q, -1, p)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), inverse, public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _prime(bits: int) -> int:
    while True:
        number = secrets.randbits(bits) | 3 << (bits - 2) | 1
        if number % 65537 != 1 and all(pow(base, number - 1, number) == 1 for base in (2, 3, 5)):
            return number
