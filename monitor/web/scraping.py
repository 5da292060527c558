"""The page of figures: which form a reader can read, made once for all who ask at the same time.

A form is chosen by `Accept` and `Accept-Encoding`, each range with its own weight, the most
specific counting (RFC 9110, section 12.5). OpenMetrics is served to whoever names it and likes the
text format no better; whoever can read neither gets the text format all the same. A page is
compressed for whoever names gzip and likes it no less than what is not compressed: at 10,000 cells
that makes a nineteenth of the bytes, in a thread that holds nobody up meanwhile.

Pages are made in a thread, one at a time. Whoever asks for a form that is being made shares it, so
however many ask, no more than one page of each form is made or waited for.
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import NamedTuple

from fastapi import Response
from fastapi.responses import StreamingResponse

from monitor.metrics import OPENMETRICS_TYPE, TEXT_TYPE, Metrics

_TEXT, _TEXT_VERSION = "text/plain", "0.0.4"
_OPENMETRICS, _OPENMETRICS_VERSION = "application/openmetrics-text", "1.0.0"
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_GZIP = 31
"""What zlib calls the format of gzip with its usual window."""
_LEVEL = 1
"""A higher level takes up to four times as long to save a fifth of what is left."""


class Form(NamedTuple):
    """One of the forms that a page can have."""

    openmetrics: bool
    zipped: bool


class Scrapes:
    """Hands out the page of figures."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._under_way: dict[Form, asyncio.Task[tuple[bytes, ...]]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, form: Form) -> Response:
        """The page in a form; a reader who goes away takes it from nobody who shares it."""
        making = self._under_way.get(form)
        if making is None:
            making = self._under_way[form] = asyncio.create_task(self._made(form))
            making.add_done_callback(lambda _: self._under_way.pop(form))
        return _response(await asyncio.shield(making), form)

    async def _made(self, form: Form) -> tuple[bytes, ...]:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._pieces, form)

    def _pieces(self, form: Form) -> tuple[bytes, ...]:
        pieces = _yielding(self._metrics.pieces(openmetrics=form.openmetrics))
        return tuple(_zipped(pieces) if form.zipped else pieces)


def form_of(accept: Iterable[str], accept_encoding: Iterable[str]) -> Form:
    """The form that a reader likes best, by the values of all headers of either name."""
    return Form(_likes_openmetrics(_ranges(accept)), _likes_gzip(_ranges(accept_encoding)))


def _response(pieces: tuple[bytes, ...], form: Form) -> Response:
    """An answer that is written piece by piece, as fast as it is read."""

    async def each() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    headers = {
        "content-length": str(sum(map(len, pieces))),
        "vary": "Accept, Accept-Encoding",
        **({"content-encoding": "gzip"} if form.zipped else {}),
    }
    kind = OPENMETRICS_TYPE if form.openmetrics else TEXT_TYPE
    return StreamingResponse(each(), headers=headers, media_type=kind)


def _yielding(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces; after each the event loop's turn comes at once, not when the interpreter says."""
    for piece in pieces:
        yield piece
        time.sleep(0)


def _zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packing = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for piece in pieces:
        if packed := packing.compress(piece):
            yield packed
    yield packing.flush()


# --------------------------------------------------------------------------- what is liked


class _Range(NamedTuple):
    name: str
    parameters: Mapping[str, str]
    weight: float


def _ranges(headers: Iterable[str]) -> list[_Range]:
    """What a reader accepts, in lower case; what cannot be read is left out."""
    return [found for text in ",".join(headers).split(",") if (found := _range(text)) is not None]


def _range(text: str) -> _Range | None:
    name, *rest = (part.strip().lower() for part in text.split(";"))
    split = (part.partition("=") for part in rest)
    parameters = {key.strip(): value.strip().strip('"') for key, _, value in split}
    weight = parameters.pop("q", "1")
    if not name or not _WEIGHT.fullmatch(weight):
        return None
    return _Range(name, parameters, float(weight))


def _likes_openmetrics(ranges: Iterable[_Range]) -> bool:
    ranges = list(ranges)
    named, weight = _liking(ranges, _OPENMETRICS, _OPENMETRICS_VERSION)
    _, of_text = _liking(ranges, _TEXT, _TEXT_VERSION)
    return weight > of_text or (named and 0 < weight == of_text)


def _liking(ranges: Iterable[_Range], media: str, version: str) -> tuple[bool, float]:
    """Whether a type in a version is named itself, and its weight, 0 where it is not accepted."""
    wildcards = ("*/*", f"{media.partition('/')[0]}/*")
    found = [(-1, 0.0)]
    for each in ranges:
        if each.name == media and each.parameters.get("version", version) == version:
            found.append((len(wildcards) + ("version" in each.parameters), each.weight))
        elif each.name in wildcards:
            found.append((wildcards.index(each.name), each.weight))
    how, weight = max(found)
    return how >= len(wildcards), weight


def _likes_gzip(ranges: Iterable[_Range]) -> bool:
    weights = {each.name: each.weight for each in ranges}
    named = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return 0 < named >= weights.get("identity", 0.0)
