"""What a check expects of an HTTP answer, and which of it an answer does not keep.

`Expect` says it: status, headers, body as text, body as JSON, time. `broken` looks at every part,
so that a failure tells all that is wrong and not only the first of it, each with the value found.
All parts are checked for sense when an `Expect` is made; regular expressions and JSON conditions
are compiled once per distinct text and shared by every check that uses them.

The kind of a failure is that of its first broken part, in the order status, headers, body text,
JSON, time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TypeVar

import httpx

from monitor.model import Certificate, FailureKind, Phases
from monitor.probes import jsonpath
from monitor.probes.patterns import pattern
from monitor.probes.text import Redact, decoded, quoted

Part = TypeVar("Part")

_DAY = 86400.0
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_PHASES = tuple(each.name for each in fields(Phases))
_RANGE = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")


class Coding(StrEnum):
    """How a body is coded, as Content-Encoding names it."""

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    BR = "br"


class TlsUse(StrEnum):
    """Whether an answer has to come over TLS, after all redirects."""

    REQUIRED = "required"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Expect:
    """What must hold of an answer. Raises ValueError naming every part that makes no sense.

    status: codes (204) and ranges ("200-299"); a list given replaces the default.
    http_version: the versions that may be spoken ("HTTP/1.0", "HTTP/1.1"); empty for either.
    tls: whether the answer must, or must not, come over TLS.
    certificate_lifetime: seconds that every certificate of the chain must still be valid.
    coding: how the body must be coded; it is asked for, too.
    body_contains, body_lacks: texts, each of which must or must not be in the body.
    body_matches, body_differs: regular expressions (RE2), each of which must be, or none of which
        may be, found in the body.
    body_max: bytes that the decoded body may have.
    json: conditions on the body as JSON, in the language of `monitor.probes.jsonpath`.
    headers: per header name a regular expression that one of its values must match; a header
        that is missing fails.
    headers_if_present: the same, but a header that is missing passes.
    headers_differ: per header name a regular expression that none of its values may match.
    within: seconds the whole answer may take; None for no limit but the probe's own.
    phases: seconds that single phases may take, by their names.
    """

    status: tuple[str | int, ...] = ("200-299",)
    http_version: tuple[str, ...] = ()
    tls: TlsUse | None = None
    certificate_lifetime: float | None = None
    coding: Coding | None = None
    body_contains: tuple[str, ...] = ()
    body_lacks: tuple[str, ...] = ()
    body_matches: tuple[str, ...] = ()
    body_differs: tuple[str, ...] = ()
    body_max: int | None = None
    json: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_if_present: Mapping[str, str] = field(default_factory=dict)
    headers_differ: Mapping[str, str] = field(default_factory=dict)
    within: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        raise_all(
            *mistakes("status", lambda part: status_ranges((part,)), self.status),
            *mistakes("http_version", _version, self.http_version),
            *mistakes("body_matches", pattern, self.body_matches),
            *mistakes("body_differs", pattern, self.body_differs),
            *mistakes("json", jsonpath.parse, self.json),
            *mistakes("headers", pattern, self.headers.values()),
            *mistakes("headers_if_present", pattern, self.headers_if_present.values()),
            *mistakes("headers_differ", pattern, self.headers_differ.values()),
            *mistakes("phases", _phase, self.phases),
            *([] if self.status else ["status: name at least one status that is expected"]),
            *(f"{name}: an empty text is in every body" for name in self._empty_texts()),
            *(["within: must be more than 0 seconds"] if self._hopeless() else []),
        )

    def _empty_texts(self) -> Iterator[str]:
        yield from ("body_contains",) if "" in self.body_contains else ()
        yield from ("body_lacks",) if "" in self.body_lacks else ()

    def _hopeless(self) -> bool:
        return self.within is not None and not self.within > 0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as assertions see it.

    `elapsed` is seconds for the whole of it, `version` as in "HTTP/1.1", `coding` that of the body
    as it came, "" for none; `certificate` is None
    without TLS, and `at` the instant against which its lifetime is told.
    """

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes
    elapsed: float
    version: str
    coding: str
    phases: Phases
    certificate: Certificate | None
    at: datetime

    @cached_property
    def text(self) -> str:
        """The body as text, decoded when it is first asked for."""
        return decoded(self.body, self.headers.get("content-type", ""))


@dataclass(frozen=True, slots=True)
class Broken:
    """One expectation that an answer does not keep, with the value found."""

    kind: FailureKind
    message: str


def broken(expect: Expect, answer: Answer, redact: Redact) -> tuple[Broken, ...]:
    """Every expectation the answer does not keep, in the order of kinds; empty when all hold.

    What is not expected is not looked at: most checks expect a status and a text.
    """
    found: list[Broken] = []
    if not expects_status(expect, answer.status):
        found += [Broken(FailureKind.STATUS, each) for each in _status(expect, answer, redact)]
    if expect.http_version:
        found += [Broken(FailureKind.PROTOCOL, each) for each in _http_version(expect, answer)]
    if expect.tls is not None or expect.certificate_lifetime is not None:
        found += [Broken(FailureKind.TLS, each) for each in _tls(expect, answer)]
    if expect.coding is not None:
        found += [Broken(FailureKind.BODY, each) for each in _coding(expect.coding, answer, redact)]
    if expect.headers or expect.headers_if_present or expect.headers_differ:
        found += [Broken(FailureKind.BODY, each) for each in _headers(expect, answer, redact)]
    found += [Broken(FailureKind.BODY, each) for each in _body_texts(expect, answer)]
    if expect.json:
        found += [Broken(FailureKind.BODY, each) for each in _json(expect, answer, redact)]
    if expect.within is not None or expect.phases:
        found += [Broken(FailureKind.SLOW, each) for each in _time(expect, answer)]
    return tuple(found)


def expects_status(expect: Expect, status: int) -> bool:
    """Whether the status is one of those expected."""
    return any(low <= status <= high for low, high in status_ranges(expect.status))


def status_words(answer: Answer, redact: Redact) -> str:
    """Say the status in words: `status 503 Service Unavailable`."""
    return f"status {answer.status} {quoted(answer.reason, redact)}".rstrip()


@lru_cache(maxsize=1024)
def status_ranges(status: tuple[str | int, ...]) -> tuple[tuple[int, int], ...]:
    """Read codes and ranges as ranges, both ends included. Raises ValueError naming any other."""
    ranges = []
    for each in status:
        match = _RANGE.fullmatch(str(each))
        if match is None or (match[2] or match[1]) < match[1]:
            raise ValueError(f'"{each}" is neither a status such as 204 nor a range as 200-299')
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return tuple(ranges)


def mistakes(name: str, make: Callable[[Part], object], parts: Iterable[Part]) -> Iterator[str]:
    """Try `make` on every part; yield the text of each ValueError under the name of the field."""
    for part in parts:
        try:
            make(part)
        except ValueError as error:
            yield f"{name}: {error}"


def raise_all(*found: str) -> None:
    """Raise one ValueError that names all mistakes; nothing when there are none."""
    if found:
        raise ValueError("; ".join(found))


def _status(expect: Expect, answer: Answer, redact: Redact) -> Iterator[str]:
    wanted = ", ".join(map(str, expect.status))
    yield f"{status_words(answer, redact)} (expected {wanted})"


def _http_version(expect: Expect, answer: Answer) -> Iterator[str]:
    if answer.version not in expect.http_version:
        yield f"version {answer.version} (expected {', '.join(expect.http_version)})"


def _tls(expect: Expect, answer: Answer) -> Iterator[str]:
    certificate, wanted = answer.certificate, expect.certificate_lifetime
    if expect.tls is TlsUse.REQUIRED and certificate is None:
        yield "the answer came without TLS (expected over TLS)"
    if expect.tls is TlsUse.FORBIDDEN and certificate is not None:
        yield "the answer came over TLS (expected without)"
    if wanted is None:
        return
    if certificate is None:
        yield "there is no certificate (expected one that lasts)"
    else:
        yield from ends_too_soon(certificate, wanted, answer.at)


def ends_too_soon(certificate: Certificate, wanted: float, at: datetime) -> Iterator[str]:
    """Say that a certificate, or one of its chain, lasts less than so many seconds from then on."""
    expiry = certificate.chain_expiry
    left = (expiry - at).total_seconds()
    if left < wanted:
        whose = "certificate" if expiry == certificate.not_after else "certificate's chain"
        when = f"on {expiry:%Y-%m-%d}"
        days = f"in {left / _DAY:.1f} days, {when}" if left > 0 else when
        tense = "expires" if left > 0 else "expired"
        yield f"the {whose} {tense} {days} (expected {wanted / _DAY:g} days)"


def _coding(wanted: Coding, answer: Answer, redact: Redact) -> Iterator[str]:
    coding = answer.coding.lower() or "identity"
    if coding != wanted:
        yield f"body coded as {quoted(coding, redact)} (expected {wanted})"


def _headers(expect: Expect, answer: Answer, redact: Redact) -> Iterator[str]:
    for name, expression in expect.headers.items():
        values = answer.headers.get_list(name)
        if not any(pattern(expression).search(each) for each in values):
            shown = quoted(", ".join(values), redact) if values else "missing"
            yield f'header {name} ({shown}) does not match "{expression}"'
    for name, expression in expect.headers_if_present.items():
        values = answer.headers.get_list(name)
        if values and not any(pattern(expression).search(each) for each in values):
            shown = quoted(", ".join(values), redact)
            yield f'header {name} ({shown}) does not match "{expression}"'
    for name, expression in expect.headers_differ.items():
        for each in answer.headers.get_list(name):
            if pattern(expression).search(each):
                yield f'header {name} ({quoted(each, redact)}) matches "{expression}"'


def _body_texts(expect: Expect, answer: Answer) -> Iterator[str]:
    if expect.body_max is not None and len(answer.body) > expect.body_max:
        yield f"body of {len(answer.body)} bytes (expected at most {expect.body_max})"
    for text in expect.body_contains:
        if text not in answer.text:
            yield f'body lacks "{text}"'
    for text in expect.body_lacks:
        if text in answer.text:
            yield f'body contains "{text}"'
    for expression in expect.body_matches:
        if not pattern(expression).search(answer.text):
            yield f'body does not match "{expression}"'
    for expression in expect.body_differs:
        if pattern(expression).search(answer.text):
            yield f'body matches "{expression}"'


def _json(expect: Expect, answer: Answer, redact: Redact) -> Iterator[str]:
    try:
        document = jsonpath.document_of(answer.body)
    except ValueError as error:
        yield f"body is not JSON ({error})"
        return
    for expression in expect.json:
        message = jsonpath.parse(expression).broken(document, redact)
        if message is not None:
            yield message


def _time(expect: Expect, answer: Answer) -> Iterator[str]:
    if expect.within is not None and answer.elapsed > expect.within:
        yield f"answered after {answer.elapsed:.3f} s (expected within {expect.within:g} s)"
    for name, allowed in expect.phases.items():
        took = getattr(answer.phases, name)
        if took is not None and took > allowed:
            yield f"{name} took {took:.3f} s (expected within {allowed:g} s)"


def _version(text: str) -> str:
    if text not in _VERSIONS:
        raise ValueError(f'"{text}" is not spoken here: write {" or ".join(_VERSIONS)}')
    return text


def _phase(name: str) -> str:
    if name not in _PHASES:
        raise ValueError(f'"{name}" is no phase: there are {", ".join(_PHASES)}')
    return name
