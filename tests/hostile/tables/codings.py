"""Bodies that are more than they seem: bombs, chains of codings, and damage."""

from __future__ import annotations

import gzip
import os
import zlib

import brotli

from monitor.model import FailureKind
from tests.hostile.case import Case, Peer
from tests.hostile.servers import says, served
from tests.net_fixtures import ok

BODY, PROTOCOL = FailureKind.BODY, FailureKind.PROTOCOL
ZEROS = bytes(16_000_000)
TOO_LONG = "longer than 262144 bytes"
SEVERAL = "coded several times over"
NOISE = os.urandom(12_500).hex().encode()


def coded(name, coding, body, says_, peer, kind=PROTOCOL, limit="body_bytes"):
    play = says(ok(body, b"Content-Encoding: " + coding))
    return Case(name, served(play), kind, says_, peer, limit)


def chunked_head(coding: bytes) -> bytes:
    framing = b"Transfer-Encoding: chunked\r\nContent-Encoding: "
    return b"HTTP/1.1 200 OK\r\n" + framing + coding + b"\r\n\r\n"


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def chunked(name, coding, body, size, says_, peer, kind=BODY):
    return Case(
        name,
        served(says(chunked_head(coding) + in_chunks(body, size))),
        kind,
        says_,
        peer,
        "body_bytes",
        20.0,
    )


def raw_deflate(text: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(text) + made.flush()


def zstd_bomb() -> bytes:
    """A frame of blocks that repeat one byte 128 KiB times each."""
    block = (131072 << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    last = (131072 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"x"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * 200 + last


def empty_blocks(number: int) -> bytes:
    """A gzip body of deflate blocks that hold nothing, then one that does."""
    made = zlib.compressobj(wbits=31)
    made.compress(b"")
    head = gzip.compress(b"")[:10]
    text = zlib.compressobj(wbits=-15)
    body = text.compress(b"hello") + text.flush()
    return head + b"\0\0\0\xff\xff" * number + body + _end(b"hello")


def _end(text: bytes) -> bytes:
    return zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")


def flushed_brotli(number: int) -> bytes:
    """A brotli body flushed after every byte."""
    made = brotli.Compressor(quality=1)
    pieces = [made.process(b"x") + made.flush() for _ in range(number)]
    return b"".join(pieces) + made.finish()


CASES = (
    coded("a gzip bomb", b"gzip", gzip.compress(ZEROS), TOO_LONG, Peer.SWELLS, BODY),
    coded("a deflate bomb", b"deflate", zlib.compress(ZEROS), TOO_LONG, Peer.SWELLS, BODY),
    coded("a raw deflate bomb", b"deflate", raw_deflate(ZEROS), TOO_LONG, Peer.SWELLS, BODY),
    coded("a brotli bomb", b"br", brotli.compress(ZEROS), TOO_LONG, Peer.SWELLS, BODY),
    coded("a zstd bomb", b"zstd", zstd_bomb(), "not supported: zstd", Peer.ACCEPTS),
    coded("a bomb named x-gzip", b"X-GZip", gzip.compress(ZEROS), TOO_LONG, Peer.ACCEPTS, BODY),
    coded(
        "a bomb after identity",
        b"identity, gzip",
        gzip.compress(ZEROS),
        TOO_LONG,
        Peer.SWELLS,
        BODY,
    ),
    coded(
        "a bomb in a second member",
        b"gzip",
        gzip.compress(b"x") + gzip.compress(ZEROS),
        TOO_LONG,
        Peer.ACCEPTS,
        BODY,
    ),
    coded("gzip in gzip", b"gzip, gzip", gzip.compress(gzip.compress(ZEROS)), SEVERAL, Peer.SWELLS),
    coded(
        "gzip in brotli", b"gzip, br", brotli.compress(gzip.compress(ZEROS)), SEVERAL, Peer.SWELLS
    ),
    coded("five codings", b"gzip, gzip, gzip, gzip, gzip", b"x", SEVERAL, Peer.ACCEPTS),
    coded("5000 codings", b"gzip," * 5000 + b"gzip", b"x", SEVERAL, Peer.ACCEPTS),
    coded("two headers of coding", b"gzip\r\nContent-Encoding: br", b"x", SEVERAL, Peer.ACCEPTS),
    coded(
        "100000 empty members", b"gzip", gzip.compress(b"") * 100_000, "too many parts", Peer.SWELLS
    ),
    coded("40000 empty deflate blocks", b"gzip", empty_blocks(40_000), "coded", Peer.READS, None),
    chunked(
        "a gzip bomb in chunks of one byte", b"gzip", gzip.compress(ZEROS), 1, TOO_LONG, Peer.SWELLS
    ),
    chunked(
        "noise under gzip in chunks of one byte",
        b"gzip",
        gzip.compress(NOISE),
        1,
        "coded",
        Peer.READS,
        None,
    ),
    chunked(
        "noise under brotli in chunks of one byte",
        b"br",
        brotli.compress(NOISE),
        1,
        "coded",
        Peer.READS,
        None,
    ),
    chunked("a brotli bomb in chunks", b"br", brotli.compress(ZEROS), 7, TOO_LONG, Peer.SWELLS),
    chunked(
        "brotli flushed after every byte",
        b"br",
        flushed_brotli(30_000),
        4096,
        "coded",
        Peer.READS,
        None,
    ),
    coded("a coding that is none", b"rot13", b"uryyb", "not supported: rot13", Peer.ACCEPTS),
    coded("a coding with odd bytes", b"\x1b[31mgzip", b"x", "not valid HTTP", Peer.ACCEPTS),
    coded("compress", b"compress", b"\x1f\x9d\x90", "not supported: compress", Peer.ACCEPTS),
    coded(
        "plain text said to be gzip", b"gzip", b"hello", "gzip coded body is damaged", Peer.RAISES
    ),
    coded(
        "plain text said to be brotli",
        b"br",
        b"hello, this is no brotli",
        "br coded body is damaged",
        Peer.RAISES,
    ),
    coded("gzip that ends early", b"gzip", gzip.compress(NOISE)[:-9], "ends early", Peer.ACCEPTS),
    coded(
        "gzip without its sum", b"gzip", gzip.compress(b"hello")[:-8], "ends early", Peer.ACCEPTS
    ),
    coded(
        "gzip with a wrong sum",
        b"gzip",
        gzip.compress(b"hello")[:-8] + b"\1" * 8,
        "is damaged",
        Peer.RAISES,
    ),
    coded(
        "gzip with garbage behind it",
        b"gzip",
        gzip.compress(b"hello") + b"<script>",
        "is damaged",
        Peer.ACCEPTS,
    ),
    coded("brotli that ends early", b"br", brotli.compress(NOISE)[:-9], "ends early", Peer.ACCEPTS),
    coded(
        "brotli with garbage behind it",
        b"br",
        brotli.compress(b"hello") + b"<script>",
        "is damaged",
        Peer.RAISES,
    ),
    coded(
        "zlib that wants a dictionary",
        b"deflate",
        b"\x78\xbb\x00\x00\x00\x01" + b"x" * 9,
        "is damaged",
        Peer.RAISES,
    ),
)
