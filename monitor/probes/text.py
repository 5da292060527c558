"""Remote bytes and values made into text that is safe to keep and to show.

What a server sends may name a charset that is no charset, hold control and bidirectional
characters, or repeat a secret back. Text for matching comes from `decoded`; text for people goes
through `quoted` (one line) or `excerpt` (several lines). Both redact before they cut: a secret
cut in half would no longer be recognised.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from functools import lru_cache

Redact = Callable[[str], str]
"""Text in, the same text without secrets out."""

_QUOTED_CHARS = 120
_LEEWAY = 4096
_DROPPED = "\N{REPLACEMENT CHARACTER}"

# Python knows codecs that are no charsets (zlib, punycode), so the known ones are named here.
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "shift_jis": "cp932",
    "euc-jp": "euc-jp",
    "euc-kr": "cp949",
    "gbk": "gbk",
    "gb18030": "gb18030",
    "big5": "big5",
}


def decoded(body: bytes, content_type: str) -> str:
    """Decode a body by the charset of its content type.

    UTF-8 where none or an unknown one is named; what cannot be decoded becomes U+FFFD.
    """
    named = content_type.lower().partition("charset=")[2].partition(";")[0].strip(" \t\"'")
    codec = _CODECS.get(named, "utf-8")
    if codec == "utf-8":
        body = body.removeprefix(codecs.BOM_UTF8)
    return body.decode(codec, errors="replace")


def quoted(value: object, redact: Redact) -> str:
    """Show a JSON value in one line of at most 120 characters; a string without its quotes."""
    if isinstance(value, str) and len(value) <= _QUOTED_CHARS:
        return _quoted_again(value, redact)
    return _quoted(value, redact)


def _quoted(value: object, redact: Redact) -> str:
    line = one_line(redact(_well_formed(_spelled(value)[:_LEEWAY])))
    return line if len(line) <= _QUOTED_CHARS else line[: _QUOTED_CHARS - 1] + "…"


_quoted_again = lru_cache(maxsize=512)(_quoted)
"""Servers say the same of themselves in answer after answer."""


def excerpt(text: str, size: int, redact: Redact) -> str:
    """Redact a text and cut it to its first `size` bytes of UTF-8; lines are kept."""
    begun = redact(_well_formed(text[: size + _LEEWAY])).replace("\r\n", "\n")
    safe = "\n".join(_printable(line) for line in begun.split("\n"))
    return safe.encode()[:size].decode(errors="ignore")


def one_line(text: str) -> str:
    """Replace line breaks by spaces; control, format and bidirectional characters by U+FFFD."""
    return _printable(text).strip()


def _spelled(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return f"an array of {len(value)}" if isinstance(value, list) else json.dumps(value)


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else " " if c.isspace() else _DROPPED for c in line)


def _well_formed(text: str) -> str:
    return text.encode(errors="replace").decode()
