"""The reader of answers, fed whole and in slices.

The first byte of an input says how it is asked, the next three how it is sliced; the rest is what
the server sends before it closes. In ASCII `@` is a plain GET, and `!!!` slices of one byte.

What is promised: nothing but Failure is raised; however it is sliced, the verdict is the same; what
is accepted keeps its limits, has a status that a probe can judge, and holds no control character
where people will read it.
"""

from __future__ import annotations

import itertools
import re

import httpx

from monitor.net.answer import Answer
from monitor.net.failure import Failure
from monitor.net.limits import Limits

METHODS = ("GET", "HEAD", "CONNECT", "POST")
SMALL = Limits(header_bytes=400, header_lines=8, body_bytes=200, wire_bytes=700)
"""So small that inputs of a size that is quickly tried go over each of them."""

PIECES = 24
"""Feeding costs more than reading, so that many must do; the sizes still reach any byte."""

REQUEST = httpx.Request("GET", "http://one.example/")
_AFTER_THE_END = "there are bytes after the end of the answer"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def target(raw: bytes) -> None:
    asked, steps, answer = raw[:1] or b"@", raw[1:4], raw[4:]
    sizes = [max(1, each - 32) for each in steps] or [1]
    whole = _verdict(asked[0], [answer] if answer else [])
    sliced = _verdict(asked[0], _slices(answer, sizes))
    if whole != sliced:
        raise AssertionError(f"at once: {whole}\nin slices of {sizes}: {sliced}")


def _slices(answer: bytes, sizes: list[int]):
    """Pieces of these sizes over and over, and what is left after `PIECES` of them as the last."""
    start = 0
    for size in itertools.islice(itertools.cycle(sizes), PIECES):
        if start >= len(answer):
            return
        yield answer[start : start + size]
        start += size
    if start < len(answer):
        yield answer[start:]


def _verdict(asked: int, pieces) -> object:
    """What comes of an answer, as a value; the kind of the failure is enough where it fails."""
    warnings: list[str] = []
    answer = Answer(
        METHODS[asked & 3],
        SMALL,
        warnings.append,
        strict=bool(asked & 4),
        redirects=bool(asked & 8),
    )
    try:
        for piece in pieces:
            answer.feed(piece)
            if answer.done:
                break
        if not answer.done:
            answer.end()
        response = answer.response(REQUEST)
    except Failure as failure:
        _check_words(str(failure))
        return failure.kind
    _check(response)
    for warning in warnings:
        _check_words(warning)
    tolerated = [each for each in warnings if each != _AFTER_THE_END]
    headers = response.headers.raw
    return response.status_code, answer.reason, headers, response.content, tolerated


def _check(response: httpx.Response) -> None:
    assert 200 <= response.status_code <= 599
    assert len(response.content) <= SMALL.body_bytes
    assert len(response.headers.raw) <= SMALL.header_lines
    assert sum(len(n) + len(v) for n, v in response.headers.raw) <= SMALL.header_bytes
    for name, value in response.headers.multi_items():
        assert _TOKEN.fullmatch(name), name
        assert not set("\r\n\0") & set(value), value
    _check_words(response.reason_phrase)
    assert response.extensions["http_version"] in (b"HTTP/1.0", b"HTTP/1.1")


def _check_words(text: str) -> None:
    assert text.isprintable(), text
    assert len(text) < 4096, len(text)
