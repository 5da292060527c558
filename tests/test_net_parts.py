"""The parts that need no socket: secrets, redaction, addresses, bounded decoding, the trace."""

from __future__ import annotations

import base64
import gzip
import zlib
from functools import partial
from ipaddress import ip_network

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import FailureKind, Phases
from monitor.net.addresses import refusal
from monitor.net.coding import body_of
from monitor.net.failure import Failure, shown
from monitor.net.redaction import Redactor
from monitor.net.secret import Secret
from monitor.net.trace import Phase, Trace

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


# ------------------------------------------------------------------------ secrets


def test_a_secret_is_shown_by_no_way_of_printing():
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert secret.reveal() == "hunter2"


def test_secrets_are_equal_by_value_and_can_be_keys():
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("p/ss w0rd", "password is p/ss w0rd!"),
        ("p/ss w0rd", "?key=p%2Fss%20w0rd"),
        ("p/ss w0rd", "?key=p%2Fss+w0rd"),
        ('quo"te', r'{"key": "quo\"te"}'),
        ("correct-horse", "Basic " + base64.b64encode(b"user:correct-horse").decode()),
        ("correct-horse", "token=" + base64.b64encode(b"u:correct-horse").decode()),
        ("correct-horse", "token=" + base64.b64encode(b"me:correct-horse!").decode()),
    ],
)
def test_a_known_secret_is_taken_out_in_every_spelling(spelled, said):
    redacted = Redactor([Secret(spelled)]).text(said)
    assert "***" in redacted
    for part in (spelled, "w0rd", "quo", "JyZWN0LWhvcn"):
        assert part not in redacted


def test_credentials_nobody_told_of_are_taken_out_too():
    redactor = Redactor([])
    assert redactor.text("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x") == "Bearer ***"
    assert redactor.text("to https://me:pw@host/path") == "to https://***@host/path"
    assert redactor.text("basic sign in works") == "basic sign in works"


def test_the_longest_secret_is_taken_out_first():
    assert Redactor([Secret("pass"), Secret("password")]).text("password") == "***"


def test_an_empty_secret_hides_nothing():
    assert Redactor([Secret("")]).text("all of it") == "all of it"


def test_headers_keep_their_order_and_lose_credentials():
    headers = [("Set-Cookie", "a=1"), ("X-Api-Key", "k"), ("Server", "s3cret nginx")]
    assert Redactor([Secret("s3cret")]).headers(headers) == (
        ("Set-Cookie", "***"),
        ("X-Api-Key", "***"),
        ("Server", "*** nginx"),
    )


# ------------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_may_be_contacted(address):
    assert refusal(address, ()) is None


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.1.1",
        "172.16.0.1",
        "192.0.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "4000::1",
    ],
)
def test_other_addresses_are_refused_by_name_and_with_the_remedy(address):
    refused = refusal(address, ())
    assert refused.startswith(f"{address} is a")
    assert "network.allow_private" in refused


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::254%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
        "::169.254.169.254",
    ],
)
def test_metadata_services_are_refused_whatever_is_allowed(address):
    assert "never contacted" in refusal(address, EVERYTHING)


def test_what_is_allowed_by_network_may_be_contacted_however_it_is_wrapped():
    allow = (ip_network("127.0.0.0/8"),)
    assert refusal("127.0.0.9", allow) is None
    assert refusal("::ffff:127.0.0.9", allow) is None
    assert refusal("10.0.0.1", allow) is not None


def test_allowing_a_wrapping_allows_nothing_it_wraps():
    assert "as 10.0.0.1" in refusal("64:ff9b::10.0.0.1", (ip_network("64:ff9b::/96"),))


# ------------------------------------------------------------------------ decoding


def decoded(coding, raw, limit=1000, piece=7):
    body = body_of(coding, limit)
    for at in range(0, len(raw), piece):
        body.feed(raw[at : at + piece])
    return body.finish()


def raw_deflate(text):
    made = zlib.compressobj(wbits=-15)
    return made.compress(text) + made.flush()


@given(st.binary(max_size=900), st.integers(1, 300))
def test_what_was_coded_comes_out_as_it_was(text, piece):
    assert decoded("", text, piece=piece) == text
    assert decoded("identity", text, piece=piece) == text
    assert decoded("gzip", gzip.compress(text), piece=piece) == text
    assert decoded("X-GZIP", gzip.compress(text), piece=piece) == text
    assert decoded("deflate", zlib.compress(text), piece=piece) == text
    assert decoded("deflate", raw_deflate(text), piece=piece) == text
    assert decoded("br", brotli.compress(text), piece=piece) == text


@pytest.mark.parametrize("piece", [1, 1000])
def test_several_gzip_members_and_padding_are_one_body(piece):
    raw = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0\0"
    assert decoded("gzip", raw, piece=piece) == b"one two"


def test_an_empty_body_needs_no_coding():
    assert decoded("gzip", b"") == decoded("br", b"") == b""


@pytest.mark.parametrize(
    "coding", ["zstd", "compress", "br, br", "gzip, gzip", "deflate,gzip", "x\x1b"]
)
def test_an_unknown_or_chained_coding_fails_and_is_named(coding):
    with pytest.raises(Failure, match="not supported") as caught:
        body_of(coding, 10)
    assert caught.value.kind is FailureKind.PROTOCOL
    assert coding[:1] in str(caught.value)
    assert str(caught.value).isprintable()


PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": partial(brotli.compress, quality=5),
}


@pytest.mark.parametrize("coding", PACKED)
def test_a_bomb_is_stopped_at_the_limit(coding):
    bomb = PACKED[coding](bytes(50_000_000))
    with pytest.raises(Failure) as caught:
        decoded(coding, bomb, limit=1000, piece=len(bomb))
    assert caught.value.kind is FailureKind.BODY


def test_a_body_of_exactly_the_limit_passes_and_one_more_byte_fails():
    for coding, pack in ("", bytes), *PACKED.items():
        assert decoded(coding, pack(b"x" * 1000)) == b"x" * 1000
        with pytest.raises(Failure):
            decoded(coding, pack(b"x" * 1001))


def test_many_empty_members_fail_early():
    with pytest.raises(Failure, match="too many parts"):
        decoded("gzip", gzip.compress(b"") * 100_000, piece=10_000_000)


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"hello" * 50, mtime=0)[:-4]),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-8] + b"\0" * 8),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"garbage"),
        ("deflate", zlib.compress(b"hello" * 50)[:-2]),
        ("deflate", b"\xff\xff\xff"),
        ("br", b"not brotli at all"),
        ("br", brotli.compress(b"hello" * 50)[:-2]),
        ("br", brotli.compress(b"hello") + b"garbage"),
    ],
)
def test_damaged_bodies_fail(coding, raw):
    with pytest.raises(Failure) as caught:
        decoded(coding, raw)
    assert caught.value.kind is FailureKind.PROTOCOL


# ------------------------------------------------------------------------ trace and words


def test_phases_add_up_over_redirects_and_stay_none_where_not_reached():
    trace = Trace()
    trace.spent(Phase.CONNECT, 1.0)
    trace.spent(Phase.CONNECT, 0.5)
    assert trace.phases() == Phases(connect=1.5)


def test_a_warning_is_noted_once():
    trace = Trace()
    trace.warn("odd")
    trace.warn("odd")
    assert trace.warnings == ["odd"]


def test_remote_text_is_shown_in_one_short_printable_line():
    text = shown("a\r\nb\x1b[31m\u202e" + "x" * 500, 120)
    assert text.isprintable()
    assert len(text) == 120
    assert shown(b"\xff\x00ok") == "ÿ?ok"
