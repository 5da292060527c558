"""The http probe: one exchange over the safety layer, then what is wrong with its answer.

A probe moves from top to bottom and only once:
1. a request is made of the options, for the resolved URL of the target;
2. `Net.exchange` carries it: redirects, limits, deadline and phases are its affair;
3. the answer is classified, in this order: a maintenance page, a page that tells of an outage,
   a page that locks the monitor out, a status that does, broken expectations, PASS;
4. evidence is captured and redacted.

Whatever goes wrong on the way is a Result too: a `Failure` of the exchange is FAIL with its
kind; what the prober itself lacks, and what nobody foresaw, is INVALID and says nothing of the
target. Only CancelledError leaves a probe.

This module does not know retries, other probes, or what a result means for a service.
"""

from __future__ import annotations

import base64
import errno
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import httpx

from monitor.model import Cell, Evidence, FailureKind, Outcome, Result
from monitor.net.failure import Failure
from monitor.net.network import Net
from monitor.net.secret import Secret
from monitor.net.trace import Trace
from monitor.probes.assertions import (
    Answer,
    Expect,
    broken,
    expects_status,
    mistakes,
    raise_all,
    status_words,
)
from monitor.probes.kind import Ask
from monitor.probes.patterns import first_match, pattern
from monitor.probes.text import Redact, excerpt, one_line, quoted

TURNED_AWAY = frozenset({401, 403, 407, 429})
"""Statuses that speak of the monitor's own access, not of the service."""

KEPT_HEADERS = frozenset(
    {
        "age",
        "cache-control",
        "cf-ray",
        "content-length",
        "content-type",
        "date",
        "location",
        "retry-after",
        "server",
        "via",
        "x-amz-cf-id",
        "x-cache",
        "x-correlation-id",
        "x-request-id",
        "x-served-by",
        "www-authenticate",
    }
)
"""The answer's headers that are kept as evidence; none of them carries credentials."""

_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_MESSAGE_BYTES = 2000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_URL = re.compile(r"(?:https?://|\{)[^\s]*", re.IGNORECASE)
_USER_IN_URL = re.compile(r"[a-z]+://[^/?#]*@", re.IGNORECASE)
_DEFAULT_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": "prospect-uptime-monitor",
}


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Credentials for HTTP basic authentication."""

    user: str
    password: Secret


@dataclass(frozen=True)
class HttpOptions:
    """What an http check asks, and of which answers it is content.

    Raises ValueError naming every field that makes no sense.

    url: may hold {placeholders} of a tenant; a target's own URL is `Target.address`.
    bearer, basic: credentials, at most one of them.
    follow_redirects: without it a 302 is the answer, and passes when `expect.status` lists it.
    strict_http: what working sites get wrong in HTTP fails too, instead of being a warning.
    locked_out, outage_bodies, maintenance_pages: regular expressions (RE2); one found in the
        body makes the result BLOCKED, FAIL(status) or FAIL(maintenance_page), whatever the
        status is. Where several are found, the last named kind decides.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    bearer: Secret | None = None
    basic: BasicAuth | None = None
    follow_redirects: bool = True
    verify_tls: bool = True
    strict_http: bool = False
    expect: Expect = field(default_factory=Expect)
    locked_out: tuple[str, ...] = ()
    outage_bodies: tuple[str, ...] = ()
    maintenance_pages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        raise_all(
            *_request_mistakes(self),
            *mistakes("locked_out", pattern, self.locked_out),
            *mistakes("outage_bodies", pattern, self.outage_bodies),
            *mistakes("maintenance_pages", pattern, self.maintenance_pages),
        )

    @cached_property
    def requests(self) -> dict[str, httpx.Request]:
        """The requests made so far, by the address of their target; making one is dear."""
        return {}

    @cached_property
    def request_headers(self) -> httpx.Headers:
        """The headers every request of this check carries, credentials included."""
        headers = httpx.Headers(_DEFAULT_HEADERS)
        headers.update(self.headers)
        if self.bearer is not None:
            headers["authorization"] = f"Bearer {self.bearer.reveal()}"
        if self.basic is not None:
            pair = f"{self.basic.user}:{self.basic.password.reveal()}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers


class _Seen(NamedTuple):
    outcome: Outcome
    failure: FailureKind | None
    evidence: Evidence


async def probe(cell: Cell, ask: Ask, net: Net) -> Result:
    """Ask the cell's target once and tell what was seen; raises nothing but CancelledError.

    The cell's options are an `HttpOptions`. Both clocks of the Result are those of `net`.
    """
    trace = Trace()
    sent_mono = net.clock.monotonic()
    try:
        seen = await _exchange(cell, ask, net, trace, sent_mono)
    except Exception as error:  # noqa: BLE001 - whatever happens is a Result
        seen = _unanswered(error, trace, net.redactor.text)
    now = net.clock.now()
    return Result(
        id=ask.id,
        cell=cell.key,
        fingerprint=cell.target.fingerprint,
        sent_mono=sent_mono,
        observed_mono=now.mono,
        observed_at=now.at,
        outcome=seen.outcome,
        failure=seen.failure,
        phases=trace.phases(),
        evidence=seen.evidence,
    )


async def _exchange(cell: Cell, ask: Ask, net: Net, trace: Trace, sent_mono: float) -> _Seen:
    options = cell.check.options
    if not isinstance(options, HttpOptions):
        raise TypeError(f"an http check has HttpOptions, not {type(options).__name__}")
    response = await net.exchange(
        cell.vantage,
        _request(options, cell.target.address),
        trace,
        deadline=ask.deadline,
        fresh=ask.fresh,
        follow_redirects=options.follow_redirects,
        verify_tls=options.verify_tls,
        strict_http=options.strict_http,
    )
    elapsed = net.clock.monotonic() - sent_mono
    return _answered(options, response, elapsed, trace, net)


def _request(options: HttpOptions, address: str) -> httpx.Request:
    """The request, which no exchange changes: a target's every probe sends the same."""
    request = options.requests.get(address)
    if request is None:
        headers = options.request_headers
        request = httpx.Request(options.method, address, headers=headers, content=options.body)
        options.requests[address] = request
    return request


# ------------------------------------------------------------------------ an answer


def _answered(
    options: HttpOptions, response: httpx.Response, elapsed: float, trace: Trace, net: Net
) -> _Seen:
    redact = net.redactor.text
    answer = Answer(
        response.status_code, response.reason_phrase, response.headers, response.content, elapsed
    )
    outcome, failure, message = _classified(options, answer, redact)
    passed = outcome is Outcome.PASS
    evidence = Evidence(
        message="" if passed else _message(message, redact),
        address=trace.address,
        status=answer.status,
        status_line=_status_line(response, redact),
        headers=_kept(response.headers, redact),
        body="" if passed else excerpt(answer.text, net.limits.evidence_bytes, redact),
        certificate=trace.certificate,
        name_fresh=trace.name_fresh,
        warnings=_warnings(trace, redact),
    )
    return _Seen(outcome, failure, evidence)


def _classified(
    options: HttpOptions, answer: Answer, redact: Redact
) -> tuple[Outcome, FailureKind | None, str]:
    if page := _page(options.maintenance_pages, answer):
        status = status_words(answer, redact)
        message = f'maintenance page with {status} (body matches "{page}")'
        return Outcome.FAIL, FailureKind.MAINTENANCE_PAGE, message
    if page := _page(options.outage_bodies, answer):
        status = status_words(answer, redact)
        message = f'{status} tells of an outage (body matches "{page}")'
        return Outcome.FAIL, FailureKind.STATUS, message
    if page := _page(options.locked_out, answer):
        status = status_words(answer, redact)
        return Outcome.BLOCKED, None, f'monitor locked out with {status} (body matches "{page}")'
    if answer.status in TURNED_AWAY and not expects_status(options.expect, answer.status):
        status = status_words(answer, redact)
        return Outcome.BLOCKED, None, f"monitor turned away with {status}"
    found = broken(options.expect, answer, redact)
    if found:
        return Outcome.FAIL, found[0].kind, "; ".join(each.message for each in found)
    return Outcome.PASS, None, ""


def _page(expressions: tuple[str, ...], answer: Answer) -> str | None:
    return first_match(expressions, answer.text) if expressions else None


def _status_line(response: httpx.Response, redact: Redact) -> str:
    words = f"{response.http_version} {response.status_code} {response.reason_phrase}"
    return quoted(words, redact)


def _kept(headers: httpx.Headers, redact: Redact) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, quoted(value, redact))
        for name, value in headers.multi_items()
        if name in KEPT_HEADERS
    )


def _message(text: str, redact: Redact) -> str:
    return one_line(excerpt(text, _MESSAGE_BYTES, redact))


def _warnings(trace: Trace, redact: Redact) -> tuple[str, ...]:
    redirects = (f"redirected to {hop}" for hop in trace.hops)
    return tuple(quoted(each, redact) for each in (*trace.warnings, *redirects))


# ------------------------------------------------------------------------ no answer


def _unanswered(error: Exception, trace: Trace, redact: Redact) -> _Seen:
    if any(_is_shortage(each) for each in _chain(error)):
        outcome, failure = Outcome.INVALID, None
        message = f"the prober is out of descriptors or memory: {error}"
    elif isinstance(error, Failure):
        outcome, failure, message = Outcome.FAIL, error.kind, str(error)
    else:
        outcome, failure = Outcome.INVALID, None
        message = f"the probe broke: {type(error).__name__}: {error}"
    evidence = Evidence(
        message=_message(message, redact),
        address=trace.address,
        certificate=trace.certificate,
        name_fresh=trace.name_fresh,
        warnings=_warnings(trace, redact),
    )
    return _Seen(outcome, failure, evidence)


def _is_shortage(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in _SHORTAGES
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


# ------------------------------------------------------------------------ options


def _request_mistakes(options: HttpOptions) -> Iterator[str]:
    if not _URL.fullmatch(options.url):
        yield "url: must begin with http:// or https:// and hold no spaces"
    elif _USER_IN_URL.match(options.url):
        yield "url: credentials do not belong in a URL; use basic"
    if not _TOKEN.fullmatch(options.method) or options.method != options.method.upper():
        yield f'method: "{options.method}" is no HTTP method; methods are in capitals'
    for name, text in options.headers.items():
        if not _TOKEN.fullmatch(name):
            yield f'headers: "{name}" is no header name'
        elif any(not c.isprintable() and c != "\t" for c in text):
            yield f"headers: {name} holds a line break or another control character"
    if len(_credentials(options)) > 1:
        yield f"{' and '.join(_credentials(options))}: give credentials in one way only"


def _credentials(options: HttpOptions) -> tuple[str, ...]:
    given = {
        "bearer": options.bearer is not None,
        "basic": options.basic is not None,
        "headers.authorization": any(name.lower() == "authorization" for name in options.headers),
    }
    return tuple(name for name, there in given.items() if there)
