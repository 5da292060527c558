"""What the receivers of ticket trackers share: answers by function, faults by request, strict JSON.

`LOST` at the number of a request lets it take effect and closes the connection without an answer. A
`Reply` there is given instead of any effect.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.http_server import Reply, Request, http_server


class Fault(Enum):
    LOST = "the request takes effect and its answer does not arrive"


LOST = Fault.LOST
HANG = Reply(hang=True)


class RefusedError(Exception):
    """A request that a tracker does not take, with the answer it gives."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body.decode())
        self.reply = reply


@dataclass
class Tracker:
    """Answers by `answer`, which may raise `RefusedError`.

    `faults` are by number of request, from 1. `refusals` are the answers of those it did not take,
    `broken` what it could not make anything of, which fails the test.
    """

    answer: Callable[[Request], Reply]
    faults: dict[int, Fault | Reply] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    url: str = ""

    def receive(self, request: Request) -> Reply:
        self.requests.append(request)
        fault = self.faults.pop(len(self.requests), None)
        if isinstance(fault, Reply):
            return fault
        try:
            reply = self.answer(request)
        except RefusedError as refused:
            self.refusals.append(str(refused))
            reply = refused.reply
        except Exception as error:
            self.broken.append(f"{request.method} {request.path}: {error!r}")
            raise
        return Reply(raw=b"") if fault is LOST else reply

    def asked(self) -> list[str]:
        """The requests so far as "METHOD /path", without queries."""
        return [f"{each.method} {urlsplit(each.path).path}" for each in self.requests]


class _Everywhere(dict[str, Any]):
    """Replies by one function, whatever the path."""

    def __init__(self, receive: Callable[[Request], Reply]) -> None:
        super().__init__()
        self._receive = receive

    def get(self, _path: str, _default: object = None) -> Callable[[Request], Reply]:
        return self._receive


@asynccontextmanager
async def tracking(tracker: Tracker) -> AsyncIterator[Tracker]:
    """Serve a tracker at its `url` until the block ends."""
    async with http_server() as server:
        server.replies = _Everywhere(tracker.receive)
        tracker.url = server.url("")
        yield tracker
    assert tracker.broken == []


def reply(status: int, said: object = None, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    body = b"" if said is None else json.dumps(said).encode()
    return Reply(status, body, (("content-type", "application/json"), *headers))


def route(request: Request) -> tuple[str, list[str], dict[str, str]]:
    """The method, the parts of the path and the query of a request; nothing is given twice."""
    parts = urlsplit(request.path)
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    assert len(dict(pairs)) == len(pairs)
    return request.method, [unquote(each) for each in parts.path.strip("/").split("/")], dict(pairs)


def document(request: Request, refuse: Callable[[str], RefusedError]) -> dict[str, Any]:
    """The JSON object of a request, without lone surrogates or control characters in any text."""
    if request.header("content-type") != "application/json":
        raise refuse("the content type is not application/json")
    try:
        said = json.loads(request.body)
        json.dumps(said, ensure_ascii=False).encode()
    except ValueError as error:
        raise refuse(f"the body is no JSON in UTF-8: {error}") from None
    if not isinstance(said, dict):
        raise refuse("the body is no object")
    return said


def unknown(said: Mapping[str, object], known: str) -> list[str]:
    """The keys of `said` that are not among `known`, which are named with spaces between."""
    return sorted(set(said) - set(known.split()))


def units(text: str) -> int:
    """The length of a text as Java counts it."""
    return len(text.encode("utf-16-le")) // 2


def texts_in(said: object) -> list[str]:
    """Every text in a JSON value."""
    if isinstance(said, dict):
        return [text for each in said.values() for text in texts_in(each)]
    if isinstance(said, list):
        return [text for each in said for text in texts_in(each)]
    return [said] if isinstance(said, str) else []
