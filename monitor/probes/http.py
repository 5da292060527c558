"""The http probe: one exchange over the safety layer, then what is wrong with its answer.

A probe moves from top to bottom and only once:
1. a request is made of the options, for the resolved URL of the target;
2. `Net.exchange` carries it: redirects, limits, deadline and phases are its affair;
3. the answer is classified, in this order: a maintenance page, a page that tells of an outage,
   a page that locks the monitor out, a status that does, broken expectations, PASS;
4. evidence is captured and redacted.

This module does not know retries, other probes, or what a result means for a service.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache

import httpx

from monitor.model import Cell, FailureKind, Outcome
from monitor.net.hop import IpFamily, Wishes
from monitor.net.oauth2 import OAuth2
from monitor.net.secret import Secret
from monitor.net.texts import FileText, Template, Url
from monitor.net.tls import DEFAULT_TLS, TlsSettings
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
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.patterns import first_match, pattern
from monitor.probes.templates import finished
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
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "retry-after",
        "server",
        "via",
        "x-amz-cf-id",
        "x-cache",
        "x-correlation-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
        "x-served-by",
        "www-authenticate",
    }
)
"""The answer's headers that are kept as evidence; none of them carries credentials."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
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
    body_file: the text of a file, sent as it is.
    bearer, basic, oauth2: credentials, at most one of them.
    tls, ip_family: how to connect.
    changes: whether asking changes something; by default every method but GET, HEAD and OPTIONS
        does. What changes something is asked of canary tenants only.
    follow_redirects: without it a 302 is the answer, and passes when `expect.status` lists it.
    strict_http: what working sites get wrong in HTTP fails too, instead of being a warning.
    locked_out, outage_bodies, maintenance_pages: regular expressions (RE2); one found in the
        body makes the result BLOCKED, FAIL(status) or FAIL(maintenance_page), whatever the
        status is. Where several are found, the last named kind decides.
    """

    url: Url
    method: str = "GET"
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Template | None = None
    body_file: FileText | None = None
    bearer: Secret | None = None
    oauth2: OAuth2 | None = None
    basic: BasicAuth | None = None
    follow_redirects: bool = True
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST
    strict_http: bool = False
    changes: bool | None = None
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
    def content(self) -> str | None:
        """The body of every request."""
        return self.body_file if self.body is None else finished(self.body)

    @property
    def mutates(self) -> str:
        """By what asking changes something; "" when it changes nothing."""
        changes = self.method not in _SAFE if self.changes is None else self.changes
        return f"method {self.method}" if changes else ""

    def wishes(self, fresh: bool) -> Wishes:
        """How an exchange is to be made."""
        return self._wishes[fresh]

    @cached_property
    def _wishes(self) -> tuple[Wishes, Wishes]:
        wishes = Wishes(
            follow_redirects=self.follow_redirects,
            tls=self.tls,
            strict_http=self.strict_http,
            family=self.ip_family,
        )
        return wishes, replace(wishes, fresh=True)

    @cached_property
    def request_headers(self) -> httpx.Headers:
        """The headers every request of this check carries, credentials included."""
        headers = httpx.Headers(_DEFAULT_HEADERS)
        if self.expect.coding is not None:
            headers["accept-encoding"] = self.expect.coding.value
        headers.update({name: finished(text) for name, text in self.headers.items()})
        if self.bearer is not None:
            headers["authorization"] = f"Bearer {self.bearer.reveal()}"
        if self.basic is not None:
            pair = f"{self.basic.user}:{self.basic.password.reveal()}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Ask the cell's target once; its options are an `HttpOptions`."""
    options = options_of(cell, HttpOptions)
    net = means.net
    trace.asked = _asked(options.method, cell.target.address, net.redactor.text)
    began = net.clock.monotonic()
    if options.oauth2 is None:
        request = request_of(options, cell.target.address)
        response = await net.exchange(
            cell.vantage, request, trace, deadline=ask.deadline, wishes=options.wishes(ask.fresh)
        )
    else:
        response = await _with_token(options, options.oauth2, (cell, ask, means), trace)
    now = net.clock.now()
    return answered(
        options,
        response,
        now.mono - began,
        trace,
        at=now.at,
        redact=net.redactor.text,
        evidence_bytes=net.limits.evidence_bytes,
    )


async def _with_token(
    options: HttpOptions, credentials: OAuth2, who: tuple[Cell, Ask, Means], trace: Trace
) -> httpx.Response:
    """Ask with an access token; a kept one that is refused is replaced once."""
    cell, ask, means = who
    clock = means.net.clock
    end = clock.monotonic() + ask.deadline
    for _ in range(2):
        steps = len(trace.steps)
        token = await means.tokens.token(credentials, cell.vantage, trace, end - clock.monotonic())
        request = request_of(options, cell.target.address)
        headers = request.headers.copy()
        headers["authorization"] = f"Bearer {token.reveal()}"
        response = await means.net.exchange(
            cell.vantage,
            httpx.Request(request.method, request.url, headers=headers, content=request.content),
            trace,
            deadline=end - clock.monotonic(),
            wishes=options.wishes(ask.fresh),
        )
        if response.status_code != 401 or len(trace.steps) > steps:
            break
        means.tokens.forget(credentials, token)
    return response


probe = asking(look)


@lru_cache(maxsize=16384)
def _asked(method: str, address: str, redact: Redact) -> str:
    return one_line(redact(f"{method} {address}"))


def request_of(options: HttpOptions, address: str) -> httpx.Request:
    """The request of a check for one of its targets, credentials included.

    No exchange changes it: a target's every probe sends the same.
    """
    request = options.requests.get(address)
    if request is None:
        headers = options.request_headers
        request = httpx.Request(options.method, address, headers=headers, content=options.content)
        options.requests[address] = request
    return request


# ------------------------------------------------------------------------ an answer


def answered(
    options: HttpOptions,
    response: httpx.Response,
    elapsed: float,
    trace: Trace,
    *,
    at: datetime,
    redact: Redact,
    evidence_bytes: int,
) -> Seen:
    """Say what an answer means to a check; its body is kept up to `evidence_bytes`, if not PASS."""
    answer = Answer(
        response.status_code,
        response.reason_phrase,
        response.headers,
        response.content,
        elapsed,
        response.http_version,
        response.extensions.get("coding", ""),
        trace.phases(),
        trace.certificate,
        at,
    )
    outcome, failure, message = _classified(options, answer, redact)
    passed = outcome is Outcome.PASS
    told = evidence(
        trace,
        redact,
        "" if passed else message,
        status=answer.status,
        status_line=status_line(response, redact),
        headers=_kept(response.headers, redact),
        body="" if passed else excerpt(answer.text, evidence_bytes, redact),
    )
    return Seen(outcome, failure, told)


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


def status_line(response: httpx.Response, redact: Redact) -> str:
    """The first line of an answer, for people."""
    words = f"{response.http_version} {response.status_code} {response.reason_phrase}"
    return quoted(words, redact)


def _kept(headers: httpx.Headers, redact: Redact) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, quoted(value, redact))
        for name, value in headers.multi_items()
        if name in KEPT_HEADERS
    )


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
    if options.body is not None and options.body_file is not None:
        yield "body_file: body is given too: remove one of them"
    if len(_credentials(options)) > 1:
        yield f"{' and '.join(_credentials(options))}: give credentials in one way only"


def _credentials(options: HttpOptions) -> tuple[str, ...]:
    given = {
        "bearer": options.bearer is not None,
        "basic": options.basic is not None,
        "oauth2": options.oauth2 is not None,
        "headers.authorization": any(name.lower() == "authorization" for name in options.headers),
    }
    return tuple(name for name, there in given.items() if there)
