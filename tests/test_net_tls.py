"""TLS over real sockets with certificates made on the spot: what is refused, what is kept."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from datetime import UTC, datetime

import pytest
import trustme

from monitor.model import FailureKind
from monitor.net.tls import TlsSettings
from monitor.net.trace import Trace
from tests.net_fixtures import failed, got, made_net, ok, raw_server

EXPIRED = datetime(2020, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
async def net(authority, monkeypatch, tmp_path):
    bundle = tmp_path / "authorities.pem"
    bundle.write_bytes(authority.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with made_net() as made:
        yield made


def context(authority, *names, **wishes):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **wishes).configure_cert(made)
    return made


async def test_a_good_certificate_passes_and_is_read(net, authority):
    trace = Trace()
    tls = context(authority, "127.0.0.1", "app.example", organization_name="Acme")
    async with raw_server(ok(), tls=tls, hang=True) as server:
        response = await got(net, server.url(), trace)
    assert response.content == b"hello"
    assert trace.tls > 0
    certificate = trace.certificate
    assert certificate.names == ("127.0.0.1", "app.example")
    assert "organizationName=Acme" in certificate.subject
    assert "Testing CA" in certificate.issuer
    assert certificate.not_before.tzinfo is UTC
    assert certificate.not_before < certificate.chain_expiry <= certificate.not_after


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "1.2"), (ssl.TLSVersion.TLSv1_3, "1.3")]
)
async def test_both_versions_of_today_are_spoken(net, authority, version, name):
    tls = context(authority, "127.0.0.1")
    tls.minimum_version = tls.maximum_version = version
    async with raw_server(ok(b"x" * 200_000), tls=tls) as server:
        assert len((await got(net, server.url())).content) == 200_000


async def test_only_http_1_1_is_offered(net, authority):
    chosen = []

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(ok())

    tls = context(authority, "127.0.0.1")
    tls.set_alpn_protocols(["h2", "http/1.1"])
    async with raw_server(script, tls=tls) as server:
        await got(net, server.url())
    assert chosen == ["http/1.1"]


async def test_the_host_of_the_url_is_the_name_asked_for(net, authority):
    asked = []
    tls = context(authority, "app.localhost")
    tls.sni_callback = lambda _, name, __: asked.append(name)
    async with raw_server(ok(), tls=tls) as server:
        trace = Trace()
        await got(net, server.url(host="app.localhost"), trace)
    assert asked == ["app.localhost"]
    assert trace.address == f"127.0.0.1:{server.port}"
    assert f"Host: app.localhost:{server.port}".encode() in server.heads[0]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda ca: context(ca, "127.0.0.1", not_after=EXPIRED), "certificate has expired"),
        (lambda ca: context(ca, "other.example"), "IP address mismatch"),
        (lambda _: context(trustme.CA(), "127.0.0.1"), "unable to get local issuer certificate"),
    ],
    ids=["expired", "wrong name", "untrusted"],
)
async def test_a_refused_certificate_says_why_and_is_kept(net, authority, make, reason):
    trace = Trace()
    async with raw_server(ok(), tls=make(authority)) as server:
        failure = await failed(net, server.url(), trace)
    assert failure.kind is FailureKind.TLS
    assert reason in str(failure)
    assert trace.certificate.names
    assert trace.tls > 0
    assert server.heads == []


async def test_an_expired_certificate_keeps_its_dates(net, authority):
    trace = Trace()
    tls = context(authority, "127.0.0.1", not_after=EXPIRED)
    async with raw_server(ok(), tls=tls) as server:
        await failed(net, server.url(), trace)
    assert trace.certificate.not_after == trace.certificate.chain_expiry == EXPIRED


def self_signed(tmp_path):
    own = trustme.CA()
    pem = tmp_path / "own.pem"
    pem.write_bytes(own.private_key_pem.bytes() + own.cert_pem.bytes())
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


async def test_a_self_signed_certificate_fails(net, tmp_path):
    async with raw_server(ok(), tls=self_signed(tmp_path)) as server:
        failure = await failed(net, server.url())
    assert failure.kind is FailureKind.TLS
    assert "self-signed certificate" in str(failure)


async def test_without_verification_any_certificate_passes_and_is_read(net, tmp_path):
    trace = Trace()
    async with raw_server(ok(), tls=self_signed(tmp_path)) as server:
        response = await got(net, server.url(), trace, tls=TlsSettings(verify=False))
    assert response.content == b"hello"
    assert "Testing CA" in trace.certificate.subject


async def test_an_intermediate_that_expires_sooner_is_the_expiry_of_the_chain(
    authority, net, tmp_path
):
    middle = authority.create_child_ca()
    tls = context(middle, "127.0.0.1")
    trace = Trace()
    async with raw_server(ok(), tls=tls) as server:
        await got(net, server.url(), trace)
    assert trace.certificate.chain_expiry <= trace.certificate.not_after


async def test_plain_http_where_tls_is_expected_fails_as_tls(net):
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as server:
        failure = await failed(net, server.url().replace("http:", "https:"))
    assert failure.kind is FailureKind.TLS
    assert "wrong version number" in str(failure)


def refusing(tls):
    """Shake hands by hand and send the alert of a refusal, which asyncio's servers do not."""

    async def shakes(reader, writer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = tls.wrap_bio(incoming, outgoing, server_side=True)
        while raw := await reader.read(65536):
            incoming.write(raw)
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                writer.write(outgoing.read())
                return
            writer.write(outgoing.read())

    return shakes


async def test_a_version_we_refuse_fails_as_tls(net, authority):
    tls = context(authority, "127.0.0.1")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.minimum_version = ssl.TLSVersion.TLSv1
    async with raw_server(refusing(tls)) as server:
        failure = await failed(net, server.url().replace("http:", "https:"))
    assert failure.kind is FailureKind.TLS
    assert "alert protocol version" in str(failure)


async def test_a_connection_closed_during_the_handshake_is_a_reset_that_says_so(net):
    async def leaves(reader, writer):
        await reader.read(1)

    async with raw_server(leaves) as server:
        failure = await failed(net, server.url().replace("http:", "https:"))
    assert failure.kind is FailureKind.RESET


async def test_a_client_certificate_we_lack_fails_as_tls(net, authority):
    tls = context(authority, "127.0.0.1")
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with raw_server(refusing(tls)) as server:
        failure = await failed(net, server.url().replace("http:", "https:"))
    assert failure.kind is FailureKind.TLS
    assert "certificate required" in str(failure)


async def test_a_body_cut_off_without_the_end_of_tls_is_a_warning(net, authority):
    async def cuts(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nperhaps all")
        await writer.drain()
        fileno = writer.transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(fileno)) as below:
            below.shutdown(socket.SHUT_WR)
        await asyncio.Event().wait()

    trace = Trace()
    async with raw_server(cuts, tls=context(authority, "127.0.0.1")) as server:
        response = await got(net, server.url(), trace)
    assert response.content == b"perhaps all"
    assert "without the end of its TLS session" in trace.warnings[0]


async def test_a_body_ended_by_the_end_of_tls_is_whole(net, authority):
    trace = Trace()
    tls = context(authority, "127.0.0.1")
    async with raw_server(b"HTTP/1.1 200 OK\r\n\r\nall of it", tls=tls) as server:
        response = await got(net, server.url(), trace)
    assert (response.content, trace.warnings) == (b"all of it", [])


async def test_contexts_are_built_once_per_setting(net, authority):
    async with raw_server(ok(), tls=context(authority, "127.0.0.1")) as server:
        await got(net, server.url())
        await got(net, server.url(), tls=TlsSettings(verify=False))
        before = dict(net._contexts)
        await got(net, server.url())
    assert net._contexts == before
    assert set(before) == {
        (TlsSettings(), ("http/1.1",)),
        (TlsSettings(verify=False), ("http/1.1",)),
    }
