"""The tls kind: chains, names, lifetimes and versions, with certificates made on the spot."""

from __future__ import annotations

import ssl

import pytest

from monitor.metrics import cells
from monitor.model import FailureKind, Outcome
from monitor.net.tls import TlsSettings, TlsVersion
from monitor.probes.tls import TlsExpect, TlsOptions, covers
from tests.conformance.servers import (
    DAY,
    LOOPBACKS,
    Dialogue,
    authority,
    cell_of,
    free_port,
    probed,
    says,
    server_context,
    shaking_hands,
)
from tests.net_fixtures import made_net, raw_server

PASS = (Outcome.PASS, None)
FAIL = (Outcome.FAIL, FailureKind.TLS)
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture
async def net():
    async with made_net(LOOPBACKS) as made:
        yield made


@pytest.fixture
def issued(tmp_path, root):
    """What a server shows that the root vouches for."""

    def context(*names, **wishes):
        return server_context(tmp_path, root, *names, **wishes)[0]

    return context


@pytest.fixture
def shown(net, tmp_path, root, trusted):
    """Probes a server that shows a certificate; what is expected is given by name."""

    async def probe(*names, signer=root, host="127.0.0.1", tls=trusted, made=None, **expect):
        wishes = made or {}
        context, _ = server_context(tmp_path, signer, *(names or ("127.0.0.1",)), **wishes)
        async with raw_server(says(), tls=context) as server:
            url = f"tls://{host}:{server.port}"
            return await probed(net, "tls", url=url, tls=tls, expect=TlsExpect(**expect))

    return probe


def told(result):
    return result.outcome, result.failure


# ------------------------------------------------------------------------ the handshake


async def test_a_good_chain_passes_and_is_told(shown):
    result = await shown("127.0.0.1", "www.example.test")
    assert told(result) == PASS
    assert result.evidence.asked.startswith("tls handshake with 127.0.0.1:")
    assert result.evidence.certificate.names == ("127.0.0.1", "www.example.test")
    assert result.evidence.tls_version == "TLSv1.3"
    assert result.phases.connect > 0
    assert result.phases.tls > 0


async def test_the_expiry_and_the_phases_reach_the_metrics(net, tmp_path, root, trusted):
    context, _ = server_context(tmp_path, root, "127.0.0.1", ends=30 * DAY)
    async with raw_server(says(), tls=context) as server:
        fields = {"url": f"tls://127.0.0.1:{server.port}", "tls": trusted}
        result = await probed(net, "tls", **fields)
    lines = cells.CellLines()
    lines.show(cell_of("tls", **fields), result)
    text = b"".join(lines.pieces()).decode()
    expiry = result.evidence.certificate.chain_expiry.timestamp()
    (line,) = [each for each in text.splitlines() if each.startswith("probe_ssl_earliest")]
    assert float(line.rpartition(" ")[2]) == expiry
    assert "probe_success{" in text
    assert "probe_dns_lookup_time_seconds{" in text


async def test_the_port_is_443_unless_it_is_named(net):
    result = await probed(net, "tls", url="tls://127.0.0.1", deadline=0.5)
    assert result.evidence.asked == "tls handshake with 127.0.0.1:443"


async def test_a_port_where_nobody_listens(net):
    result = await probed(net, "tls", url=f"tls://127.0.0.1:{free_port()}")
    assert told(result) == (Outcome.FAIL, FailureKind.CONNECT)


async def test_a_server_that_speaks_no_tls(net):
    async with raw_server(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        result = await probed(net, "tls", url=f"tls://127.0.0.1:{server.port}")
    assert told(result) == FAIL


async def test_a_server_that_says_nothing(net):
    async with raw_server(says()) as server:
        result = await probed(net, "tls", url=f"tls://127.0.0.1:{server.port}", deadline=0.2)
    assert told(result) == (Outcome.FAIL, FailureKind.TIMEOUT)


async def test_a_server_that_closes_at_once(net):
    async with raw_server(says(then_closes=True)) as server:
        result = await probed(net, "tls", url=f"tls://127.0.0.1:{server.port}")
    assert told(result) == (Outcome.FAIL, FailureKind.RESET)


@pytest.mark.parametrize("family", ["ip4_first", "ip6_first"])
async def test_prefers_ip4_or_ip6(net, tmp_path, root, trusted, family):
    host = {"ip4_first": "127.0.0.1", "ip6_first": "::1"}[family]
    context, _ = server_context(tmp_path, root, "localhost")
    async with raw_server(says(), tls=context, host=host) as server:
        url = f"tls://localhost:{server.port}"
        result = await probed(net, "tls", url=url, tls=trusted, ip_family=family)
    assert told(result) == PASS
    assert host in result.evidence.address


# ------------------------------------------------------------------------ the chain


async def test_a_chain_through_an_intermediate(shown, root):
    middle = authority("Test Middle", root)
    assert told(await shown(signer=middle)) == PASS


async def test_a_chain_without_its_intermediate(net, tmp_path, root, trusted):
    middle = authority("Test Middle", root)
    middle.above = None
    context, _ = server_context(tmp_path, middle, "127.0.0.1")
    async with raw_server(says(), tls=context) as server:
        result = await probed(net, "tls", url=f"tls://127.0.0.1:{server.port}", tls=trusted)
    assert told(result) == FAIL
    assert "unable to get local issuer certificate" in result.evidence.message


BAD = {
    "expired": ({"begins": -9 * DAY, "ends": -2 * DAY}, "certificate has expired"),
    "not yet valid": ({"begins": 2 * DAY, "ends": 9 * DAY}, "certificate is not yet valid"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("verify", [True, False])
async def test_a_certificate_out_of_its_time(shown, trusted, bad, verify):
    made, reason = BAD[bad]
    tls = TlsSettings(ca_file=trusted.ca_file, verify=verify)
    result = await shown(made=made, tls=tls)
    assert told(result) == (FAIL if verify else PASS)
    assert (reason in result.evidence.message) is verify
    assert result.evidence.certificate.names == ("127.0.0.1",)


@pytest.mark.parametrize("bad", BAD)
async def test_an_intermediate_out_of_its_time(shown, root, bad):
    made, reason = BAD[bad]
    middle = authority("Test Middle", root, **made)
    result = await shown(signer=middle)
    assert told(result) == FAIL
    assert reason in result.evidence.message


async def test_an_expired_intermediate_is_the_expiry_of_the_chain(shown, root):
    middle = authority("Test Middle", root, begins=-9 * DAY, ends=-2 * DAY)
    certificate = (await shown(signer=middle)).evidence.certificate
    assert certificate.chain_expiry == middle.certificate.not_valid_after_utc
    assert certificate.chain_expiry < certificate.not_after


@pytest.mark.parametrize("verify", [True, False])
async def test_self_signed(shown, verify):
    result = await shown(signer=None, tls=TlsSettings(verify=verify))
    assert told(result) == (FAIL if verify else PASS)
    assert ("self-signed certificate" in result.evidence.message) is verify


@pytest.mark.parametrize("verify", [True, False])
async def test_an_unknown_authority(shown, trusted, verify):
    tls = TlsSettings(ca_file=trusted.ca_file, verify=verify)
    assert told(await shown(signer=authority("Unknown Root"), tls=tls)) == (
        FAIL if verify else PASS
    )


# ------------------------------------------------------------------------ the name


@pytest.mark.parametrize("verify", [True, False])
async def test_verified_name_mismatch(shown, trusted, verify):
    tls = TlsSettings(ca_file=trusted.ca_file, verify=verify)
    result = await shown("other.example.test", tls=tls)
    assert told(result) == (FAIL if verify else PASS)
    assert ("IP address mismatch" in result.evidence.message) is verify


@pytest.mark.parametrize(
    ("host", "server_name"),
    [("app.localhost", None), ("127.0.0.1", None), ("127.0.0.1", "www.example.test")],
)
async def test_sni_is_the_name_of_the_host(net, issued, trusted, host, server_name):
    asked = []
    context = issued("app.localhost", "127.0.0.1", "www.example.test")
    context.sni_callback = lambda _, name, __: asked.append(name)
    tls = TlsSettings(ca_file=trusted.ca_file, server_name=server_name)
    async with raw_server(says(), tls=context) as server:
        result = await probed(net, "tls", url=f"tls://{host}:{server.port}", tls=tls)
    assert told(result) == PASS
    assert asked == [server_name or ("app.localhost" if host == "app.localhost" else None)]


async def test_names_that_are_covered(shown):
    names = ("127.0.0.1", "www.example.test", "*.shop.example.test", "::1", "xn--gre-6ka8i.example")
    wanted = ("WWW.example.test", "a.shop.example.test", "127.0.0.1", "0::1", "größe.example")
    assert told(await shown(*names, names=wanted)) == PASS


async def test_names_that_are_not_covered(shown):
    wanted = ("www.example.test", "b.a.example.test")
    result = await shown("127.0.0.1", "*.example.test", names=wanted)
    assert told(result) == FAIL
    assert result.evidence.message == (
        "names (127.0.0.1, *.example.test) do not cover b.a.example.test"
    )


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        ("example.test", False),
        ("www.example.test", True),
        ("WWW.EXAMPLE.TEST.", True),
        ("a.www.example.test", False),
        ("*.example.test", True),
        ("plain.test", True),
        ("www.plain.test", False),
        ("test", False),
    ],
)
def test_a_star_covers_one_label(wanted, covered):
    assert covers(("*.example.test", "plain.test"), wanted) is covered


# ------------------------------------------------------------------------ how long it lasts


@pytest.mark.parametrize(("left", "outcome"), [(15, PASS), (13, FAIL)])
async def test_the_days_that_are_left(shown, left, outcome):
    result = await shown(made={"ends": left * DAY}, certificate_lifetime=14 * 86400.0)
    assert told(result) == outcome
    if outcome == FAIL:
        assert result.evidence.message.startswith("the certificate expires in 13.0 days, on ")
        assert result.evidence.message.endswith("(expected 14 days)")


async def test_the_days_that_are_left_are_those_of_the_chain(shown, root):
    middle = authority("Test Middle", root, ends=5 * DAY)
    result = await shown(signer=middle, certificate_lifetime=14 * 86400.0)
    assert told(result) == FAIL
    assert "the certificate's chain expires in 5.0 days" in result.evidence.message


async def test_an_expired_certificate_is_told_as_such_without_verification(shown):
    made = {"begins": -9 * DAY, "ends": -2 * DAY}
    result = await shown(made=made, tls=TlsSettings(verify=False), certificate_lifetime=86400.0)
    assert told(result) == FAIL
    assert "the certificate expired on " in result.evidence.message


# ------------------------------------------------------------------------ version, issuer, itself


@pytest.mark.parametrize(("spoken", "name"), [(V12, "TLS12"), (V13, "TLS13")])
@pytest.mark.parametrize("wanted", [("TLS12",), ("TLS13",), ("TLS12", "TLS13")])
async def test_the_version_that_was_agreed_on(shown, spoken, name, wanted):
    versions = tuple(map(TlsVersion, wanted))
    result = await shown(made={"version": spoken}, version=versions)
    assert told(result) == (PASS if name in wanted else FAIL)
    if name not in wanted:
        assert result.evidence.message == f"version ({name}) is not one of {wanted[0]}"


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({"min_version": TlsVersion.TLS_1_3}, V13),
        ({"max_version": TlsVersion.TLS_1_2}, V12),
    ],
)
@pytest.mark.parametrize("spoken", [V12, V13])
async def test_versions_that_are_not_spoken(net, issued, limits, reached, spoken):
    context = issued("127.0.0.1", version=spoken)
    tls = TlsSettings(verify=False, **limits)
    async with raw_server(shaking_hands(context)) as server:
        result = await probed(net, "tls", url=f"tls://127.0.0.1:{server.port}", tls=tls)
    assert told(result) == (PASS if spoken == reached else FAIL)


@pytest.mark.parametrize(("issuer", "outcome"), [("CN|commonName=Test Root$", PASS), ("R3", FAIL)])
async def test_the_issuer(shown, issuer, outcome):
    result = await shown(issuer=issuer)
    assert told(result) == outcome
    if outcome == FAIL:
        assert result.evidence.message == 'issuer (commonName=Test Root) does not match "R3"'


@pytest.mark.parametrize("colons", [True, False])
async def test_the_fingerprint(net, tmp_path, root, trusted, colons):
    context, own = server_context(tmp_path, root, "127.0.0.1")
    spelled = ":".join(own[at : at + 2].upper() for at in range(0, 64, 2)) if colons else own
    async with raw_server(says(), tls=context) as server:
        url = f"tls://127.0.0.1:{server.port}"
        right = TlsExpect(fingerprint_sha256=("0" * 64, spelled))
        assert told(await probed(net, "tls", url=url, tls=trusted, expect=right)) == PASS
        wrong = TlsExpect(fingerprint_sha256=("0" * 64,))
        result = await probed(net, "tls", url=url, tls=trusted, expect=wrong)
    assert told(result) == FAIL
    assert result.evidence.message == f"the certificate has another fingerprint ({own})"


async def test_all_that_is_wrong_is_told(shown):
    result = await shown(
        made={"ends": DAY, "version": V12},
        certificate_lifetime=14 * 86400.0,
        names=("www.example.test",),
        issuer="R3",
        version=(TlsVersion.TLS_1_3,),
        fingerprint_sha256=("0" * 64,),
    )
    assert told(result) == FAIL
    assert result.evidence.message.count("; ") == 4


# ------------------------------------------------------------------------ STARTTLS

OPENINGS = {
    "smtp": (
        b"220-mail\r\n220 ESMTP\r\n",
        {
            b"EHLO monitor.invalid": b"250-mail\r\n250-STARTTLS\r\n250 HELP\r\n",
            b"STARTTLS": b"220 go ahead\r\nTLS!",
        },
    ),
    "imap": (b"* OK ready\r\n", {b"a1 STARTTLS": b"a1 OK begin\r\nTLS!"}),
    "pop3": (b"+OK ready\r\n", {b"STLS": b"+OK begin\r\nTLS!"}),
    "ftp": (b"220-hello\r\n220 ready\r\n", {b"AUTH TLS": b"234 begin\r\nTLS!"}),
}


@pytest.mark.parametrize("protocol", OPENINGS)
async def test_starttls(net, tmp_path, root, trusted, protocol):
    context, _ = server_context(tmp_path, root, "127.0.0.1", ends=30 * DAY)
    greeting, answers = OPENINGS[protocol]
    script = Dialogue(greeting, answers, context)
    async with raw_server(script) as server:
        url = f"tls://127.0.0.1:{server.port}"
        result = await probed(net, "tls", url=url, tls=trusted, starttls=protocol)
    assert told(result) == PASS
    assert result.evidence.asked.endswith(f" after {protocol}")
    assert result.evidence.certificate.names == ("127.0.0.1",)
    assert [line.rstrip() for line in script.lines] == list(answers)


@pytest.mark.parametrize("protocol", OPENINGS)
async def test_starttls_that_is_refused(net, protocol):
    greeting, answers = OPENINGS[protocol]
    refused = {**answers, next(reversed(answers)): b"-ERR a1 NO 502 no\r\n"}
    async with raw_server(Dialogue(greeting, refused)) as server:
        url = f"tls://127.0.0.1:{server.port}"
        result = await probed(net, "tls", url=url, starttls=protocol, deadline=0.25)
    assert told(result) == (Outcome.FAIL, FailureKind.BODY)
    assert "-ERR a1 NO 502 no" in result.evidence.message


@pytest.mark.parametrize(("answer", "passes"), [(b"S", True), (b"N", False)])
async def test_starttls_of_postgres(net, issued, trusted, answer, passes):
    context = issued("127.0.0.1")

    async def script(reader, writer):
        assert await reader.readexactly(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
        writer.write(answer)
        await writer.drain()
        if passes:
            await writer.start_tls(context)
        await reader.read()

    async with raw_server(script) as server:
        url = f"tls://127.0.0.1:{server.port}"
        result = await probed(
            net, "tls", url=url, tls=trusted, starttls="postgres", deadline=2.0 if passes else 0.2
        )
    assert told(result) == (PASS if passes else (Outcome.FAIL, FailureKind.BODY))


async def test_starttls_takes_nothing_from_before_it(net):
    greeting, answers = OPENINGS["pop3"]
    forged = {**answers, b"STLS": b"+OK begin\r\n+OK forged\r\n"}
    async with raw_server(Dialogue(greeting, forged)) as server:
        url = f"tls://127.0.0.1:{server.port}"
        result = await probed(net, "tls", url=url, starttls="pop3")
    assert told(result) == (Outcome.FAIL, FailureKind.PROTOCOL)


# ------------------------------------------------------------------------ options


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"url": "https://h"}, "url: must begin with tls://"),
        (
            {"url": "tls://h/x"},
            "url: has more than a host and a port: write tls://host or host:port",
        ),
        ({"url": "tls://"}, "url: names no host and port"),
    ],
)
def test_options_that_make_no_sense_are_refused(fields, mistake):
    with pytest.raises(ValueError, match="url: ") as caught:
        TlsOptions(**fields)
    assert str(caught.value).startswith(mistake)


def test_all_mistakes_of_what_is_expected_are_told():
    with pytest.raises(ValueError, match=r"issuer: .*; fingerprint_sha256: .*"):
        TlsExpect(issuer="(", fingerprint_sha256=("ab:cd",))
