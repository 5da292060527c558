"""TLS that proves nothing, or is none."""

from __future__ import annotations

from monitor.model import FailureKind
from monitor.net.tls import TlsSettings
from tests.hostile import certificates
from tests.hostile.case import Case, Peer
from tests.hostile.servers import Talk, after_first, as_https, at_once, says, served, shakes
from tests.net_fixtures import ok

TLS, RESET = FailureKind.TLS, FailureKind.RESET
ANSWER = says(ok())
RECORD = b"\x16\x03\x03"


def shown(name, context, says_, peer=Peer.CONFUSES, kind=TLS, **options):
    return Case(name, served(ANSWER, context), kind, says_, peer, "tls", options=options)


def shaking(name, play, says_, peer=Peer.CONFUSES):
    return Case(name, as_https(served(play)), TLS, says_, peer, "tls")


SHOWN = (
    shown("a certificate that has expired", certificates.expired, "certificate has expired"),
    shown("a certificate that is not yet valid", certificates.not_yet_valid, "not yet valid"),
    shown("a certificate for another name", certificates.wrong_name, "IP address mismatch"),
    shown("a certificate with a common name only", certificates.no_names, "IP address mismatch"),
    shown("a self-signed certificate", certificates.self_signed, "self-signed certificate"),
    shown("a certificate of a stranger", certificates.untrusted, "unable to get local issuer"),
    shown(
        "a stranger's root in the chain",
        certificates.untrusted_with_its_root,
        "self-signed certificate in certificate chain",
    ),
    shown("an incomplete chain", certificates.incomplete, "unable to get local issuer"),
    shown(
        "an intermediate that has expired", certificates.expired_middle, "certificate has expired"
    ),
    shown(
        "an intermediate that is no authority",
        certificates.middle_that_is_no_authority,
        "invalid CA certificate",
    ),
    shown(
        "a certificate signed by SHA-1", certificates.sha1, "signature digest algorithm too weak"
    ),
    shown("an RSA key of 1024 bits", certificates.rsa_1024, "key too weak"),
    shown("an RSA key of 512 bits", certificates.rsa_512, "key too weak"),
    shown("a certificate with odd words", certificates.bad_words, "", Peer.READS, None),
    shown("a certificate with 4000 names", certificates.many_names, "", Peer.READS, None),
    shown(
        "an unproved certificate with odd words",
        certificates.bad_words,
        "",
        Peer.READS,
        None,
        tls=TlsSettings(verify=False),
    ),
)
CASES = (
    *SHOWN,
    shaking(
        "nothing newer than TLS 1.1", shakes(certificates.old_version), "alert protocol version"
    ),
    shaking(
        "a certificate of ours that is wanted",
        shakes(certificates.wants_a_certificate),
        "certificate required",
        Peer.CRASHES,
    ),
    shaking(
        "plain HTTP on the port of TLS",
        after_first(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "wrong version number",
    ),
    shaking(
        "an SSH banner on the port of TLS",
        at_once(b"SSH-2.0-OpenSSH_9.2\r\n", then=Talk.stay),
        "wrong version number",
    ),
    shaking("noise instead of a handshake", after_first(b"\xff" * 500), "TLS failed"),
    shaking(
        "a record that is too long", after_first(RECORD + b"\xff\xff" + b"x" * 65535), "TLS failed"
    ),
    shaking("a record of no kind", after_first(b"\x63\x03\x03\x00\x05hello"), "TLS failed"),
    shaking(
        "content before the handshake", after_first(b"\x17\x03\x03\x00\x05hello"), "TLS failed"
    ),
    shaking("an alert", after_first(b"\x15\x03\x03\x00\x02\x02\x28"), "handshake failure"),
    shaking(
        "a warning for a name", after_first(b"\x15\x03\x03\x00\x02\x02\x70"), "unrecognized name"
    ),
    shaking(
        "a ServerHello that is damaged",
        shakes(certificates.good, lambda raw: raw[:60] + b"\xff" * 9 + raw[69:]),
        "TLS failed",
    ),
    shaking(
        "a certificate that is damaged",
        shakes(certificates.good_1_2, lambda raw: raw.replace(b"\x55\x04\x03", b"\xff\xff\xff")),
        "TLS failed",
    ),
    shaking(
        "a handshake message that never ends",
        after_first(
            RECORD + b"\x40\x00\x0b\xff\xff\xff" + b"x" * 16380,
            *[RECORD + b"\x40\x00" + b"x" * 16384] * 30,
        ),
        "TLS failed",
    ),
    shaking(
        "endless warnings",
        after_first(*[b"\x15\x03\x03\x00\x02\x01\x5a" * 1000] * 20),
        "TLS failed",
    ),
)
