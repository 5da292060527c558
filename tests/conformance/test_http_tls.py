"""HTTPS as users of blackbox_exporter expect it: certificates, names, versions, our own proof."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from monitor.clock import real_clock
from monitor.model import FailureKind, Outcome
from tests.conformance.asking import Asked, fails, passes, probed
from tests.http_server import Reply, http_server
from tests.net_fixtures import raw_server

OK = {"/": Reply(200, b"hello")}
ENDED = {FailureKind.TLS, FailureKind.RESET}
"""How a refusal looks: the servers here end the connection, often without saying why."""


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger():
    return trustme.CA()


def serving(authority, *names, clients=None, **wishes):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **wishes).configure_cert(made)
    if clients is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(made)
    return made


def trusting(authority, **more):
    """The options of a check that believes an authority from a file, and that file."""
    tls, files = more.pop("tls", {}), more.pop("files", {})
    return {
        "tls": {"ca_file": "ca.pem", **tls},
        "files": {"ca.pem": authority.cert_pem.bytes(), **files},
        **more,
    }


# ------------------------------------------------------------------------ with TLS or without


async def test_fail_if_ssl(authority):
    async with http_server(OK, tls=serving(authority)) as server:
        await fails(
            server.url(),
            FailureKind.TLS,
            "over TLS (expected without)",
            **trusting(authority, expect={"tls": "forbidden"}),
        )


async def test_succeed_if_no_ssl_is_wanted_and_there_is_none():
    async with http_server(OK) as server:
        await passes(server.url(), expect={"tls": "forbidden"})


async def test_fail_if_not_ssl():
    async with http_server(OK) as server:
        await fails(server.url(), FailureKind.TLS, "without TLS", expect={"tls": "required"})


async def test_fail_if_not_ssl_passes_over_tls(authority):
    async with http_server(OK, tls=serving(authority)) as server:
        await passes(server.url(), **trusting(authority, expect={"tls": "required"}))


async def test_fail_if_not_ssl_holds_for_where_redirects_lead(authority):
    async with http_server(OK, tls=serving(authority)) as there:
        replies = {"/": Reply(302, headers=(("Location", there.url()),))}
        async with http_server(replies) as server:
            await passes(server.url(), **trusting(authority, expect={"tls": "required"}))


# ------------------------------------------------------------------------ whom to believe


async def test_fail_if_self_signed_ca(authority):
    async with http_server(OK, tls=serving(authority)) as server:
        await fails(server.url(), FailureKind.TLS, "certificate refused")


async def test_succeed_if_self_signed_ca_when_verification_is_off(authority):
    async with http_server(OK, tls=serving(authority)) as server:
        result = await passes(server.url(), tls={"verify": False})
    assert result.evidence.certificate is not None


async def test_succeed_if_the_authority_is_given(authority):
    async with http_server(OK, tls=serving(authority)) as server:
        result = await passes(server.url(), **trusting(authority))
    assert result.evidence.tls_version == "TLSv1.3"
    assert result.phases.tls > 0


async def test_fail_if_another_authority_is_given(authority, stranger):
    async with http_server(OK, tls=serving(authority)) as server:
        await fails(server.url(), FailureKind.TLS, "certificate refused", **trusting(stranger))


@pytest.mark.parametrize("name", ["app.example", "127.0.0.2"])
async def test_fail_if_the_name_is_another(authority, name):
    async with http_server(OK, tls=serving(authority, name)) as server:
        await fails(server.url(), FailureKind.TLS, "certificate refused", **trusting(authority))


async def test_expired_certificate_fails_and_is_told(authority):
    tls = serving(authority, not_after=datetime(2020, 1, 2, tzinfo=UTC))
    async with http_server(OK, tls=tls) as server:
        result = await fails(server.url(), FailureKind.TLS, "expired", **trusting(authority))
    assert result.evidence.certificate.not_after == datetime(2020, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(("wanted", "passing"), [("20d", True), ("40d", False)])
async def test_certificate_lifetime_left(authority, wanted, passing):
    until = real_clock().wall() + timedelta(days=30)
    async with http_server(OK, tls=serving(authority, not_after=until)) as server:
        result = await probed(
            server.url(), **trusting(authority, expect={"certificate_lifetime": wanted})
        )
    assert (result.outcome is Outcome.PASS) is passing
    if not passing:
        assert "(expected 40 days)" in result.evidence.message


async def test_certificate_lifetime_without_tls_fails():
    async with http_server(OK) as server:
        await fails(
            server.url(),
            FailureKind.TLS,
            "no certificate",
            expect={"certificate_lifetime": "1d"},
        )


# ------------------------------------------------------------------------ names and versions


async def asked_names(authority, **options):
    """Probe, and return the server names that the handshake asked for."""
    names = []
    tls = serving(authority, "127.0.0.1", "localhost", "app.example")
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    async with http_server(OK, tls=tls) as server:
        url = server.url(host=options.pop("host", "localhost"))
        await passes(url, **trusting(authority, **options))
    return names


async def test_sni_is_the_name_of_the_host(authority):
    assert await asked_names(authority) == ["localhost"]


async def test_an_address_asks_for_no_name(authority):
    assert await asked_names(authority, host="127.0.0.1") == [None]


async def test_tls_server_name_overrides_the_host(authority):
    assert await asked_names(authority, tls={"server_name": "app.example"}) == ["app.example"]


async def test_a_host_header_does_not_change_the_name_asked_for(authority):
    assert await asked_names(authority, headers={"Host": "app.example"}) == ["localhost"]


async def test_the_server_name_is_what_must_be_proved(authority):
    async with http_server(OK, tls=serving(authority, "127.0.0.1")) as server:
        options = trusting(authority, tls={"server_name": "app.example"})
        await fails(server.url(), FailureKind.TLS, "certificate refused", **options)


@pytest.mark.parametrize(
    ("spoken", "floor", "ceiling", "passing"),
    [
        (ssl.TLSVersion.TLSv1_2, "TLS12", "TLS13", True),
        (ssl.TLSVersion.TLSv1_3, "TLS12", "TLS13", True),
        (ssl.TLSVersion.TLSv1_2, "TLS13", "TLS13", False),
        (ssl.TLSVersion.TLSv1_3, "TLS12", "TLS12", False),
    ],
)
async def test_tls_versions(authority, spoken, floor, ceiling, passing):
    tls = serving(authority)
    tls.minimum_version = tls.maximum_version = spoken
    async with http_server(OK, tls=tls) as server:
        result = await probed(
            server.url(),
            **trusting(authority, tls={"min_version": floor, "max_version": ceiling}),
        )
    assert (result.outcome is Outcome.PASS) is passing
    assert passing or result.failure in ENDED


# ------------------------------------------------------------------------ our own certificate


def client_of(authority, *, password=None):
    """A client's certificate and key in PEM, the key encrypted where a password is given."""
    made = authority.issue_cert("monitor@example.org")
    key = made.private_key_pem.bytes()
    if password is not None:
        form = PrivateFormat.PKCS8
        crypt = BestAvailableEncryption(password.encode())
        key = load_pem_private_key(key, None).private_bytes(Encoding.PEM, form, crypt)
    return b"".join(each.bytes() for each in made.cert_chain_pems), key


async def test_mutual_tls(authority):
    certificate, key = client_of(authority)
    async with http_server(OK, tls=serving(authority, clients=authority)) as server:
        await passes(
            server.url(),
            **trusting(
                authority,
                tls={"certificate_file": "own.pem", "key_file": "own.key"},
                files={"own.pem": certificate, "own.key": key},
            ),
        )


async def test_mutual_tls_with_the_key_in_the_certificates_file(authority):
    certificate, key = client_of(authority)
    async with http_server(OK, tls=serving(authority, clients=authority)) as server:
        own = trusting(
            authority, tls={"certificate_file": "own.pem"}, files={"own.pem": certificate + key}
        )
        await passes(server.url(), **own)


async def test_mutual_tls_with_an_encrypted_key(authority):
    certificate, key = client_of(authority, password="hunter2")
    tls = {
        "certificate_file": "own.pem",
        "key_file": "own.key",
        "key_password": "${PASSWORD}",
    }
    async with http_server(OK, tls=serving(authority, clients=authority)) as server:
        own = trusting(
            authority,
            tls=tls,
            files={"own.pem": certificate, "own.key": key},
            environ={"PASSWORD": "hunter2"},
        )
        await passes(server.url(), **own)


async def test_mutual_tls_without_a_certificate_fails(authority):
    async with http_server(OK, tls=serving(authority, clients=authority)) as server:
        result = await probed(server.url(), **trusting(authority))
    assert result.outcome is Outcome.FAIL
    assert result.failure in ENDED


async def test_mutual_tls_with_a_strangers_certificate_fails(authority, stranger):
    certificate, key = client_of(stranger)
    async with http_server(OK, tls=serving(authority, clients=authority)) as server:
        own = trusting(
            authority, tls={"certificate_file": "own.pem"}, files={"own.pem": certificate + key}
        )
        result = await probed(server.url(), **own)
    assert result.outcome is Outcome.FAIL


async def test_our_certificate_is_not_shown_to_another_origin(authority):
    shown = []

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        shown.append(writer.get_extra_info("peercert"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    wanting = serving(authority)
    wanting.verify_mode = ssl.CERT_OPTIONAL
    authority.configure_trust(wanting)
    certificate, key = client_of(authority)
    async with raw_server(script, tls=wanting) as other:
        replies = {"/": Reply(302, headers=(("Location", other.url()),))}
        async with http_server(replies, tls=serving(authority, clients=authority)) as server:
            own = trusting(
                authority, tls={"certificate_file": "own.pem"}, files={"own.pem": certificate + key}
            )
            await passes(server.url(), **own)
    assert not any(shown)
    assert len(shown) == 1


async def test_a_key_whose_password_is_wrong_is_a_mistake_of_the_configuration(authority):
    from monitor.config import ConfigError

    certificate, key = client_of(authority, password="hunter2")
    own = trusting(
        authority, tls={"certificate_file": "own.pem"}, files={"own.pem": certificate + key}
    )
    with pytest.raises(ConfigError, match="certificate_file: cannot be used with its key"):
        async with Asked("https://127.0.0.1/", **own):
            pass
