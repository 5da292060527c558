"""The promql probe: what a Prometheus knows of a service, such as how many real users signed in.

One instant query is asked, and each value it finds is held against conditions. The rules:

1. PASS and FAIL(body) come of values only. That Prometheus cannot be reached, turns the monitor
   away, or does not understand the query says nothing of the service: INVALID, with what it said.
2. No series at all is INVALID unless `empty` says otherwise: nobody may have signed in, or
   Prometheus may have lost sight of the service.
3. Every series must keep every condition; with `any` one of them must. A value that is not a number
   (NaN) keeps none, != neither; nothing ever becomes 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple
from urllib.parse import urlencode

import httpx

from monitor.model import Cell, FailureKind, Outcome
from monitor.net.failure import Failure
from monitor.net.hop import IpFamily
from monitor.net.secret import Secret
from monitor.net.texts import Template, Url
from monitor.net.tls import DEFAULT_TLS, TlsSettings
from monitor.net.trace import Trace
from monitor.probes import http, jsonpath
from monitor.probes.assertions import mistakes, raise_all
from monitor.probes.http import BasicAuth, HttpOptions
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.templates import finished
from monitor.probes.text import Redact, excerpt, one_line, quoted

_PATH = "/api/v1/query"
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_INFINITE = {"+Inf": math.inf, "Inf": math.inf, "-Inf": -math.inf}
_SHOWN = 3
_ASKED_CHARS = 500


class Empty(StrEnum):
    """What it means that a query finds no series."""

    INVALID = "invalid"
    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - an outcome, not a password


@dataclass(frozen=True, slots=True)
class ExpectValue:
    """What must hold of the values found. Raises ValueError naming what makes no sense.

    value: conditions such as "> 0": == != < <= > >= and a number.
    any: one series that keeps them is enough.
    """

    value: tuple[str, ...]
    any: bool = False
    empty: Empty = Empty.INVALID

    def __post_init__(self) -> None:
        raise_all(
            *mistakes("value", _condition, self.value),
            *([] if self.value else ["value: name at least one condition, such as > 0"]),
        )


@dataclass(frozen=True)
class PromqlOptions:
    """What a promql check asks of whom. Raises ValueError naming every field that makes no sense.

    url: where Prometheus is, without /api/v1/query. query, an instant one, may hold a tenant's
    variables. All else is as of an http check.
    """

    url: Url
    query: Template
    expect: ExpectValue
    bearer: Secret | None = None
    basic: BasicAuth | None = None
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST

    def __post_init__(self) -> None:
        _ = self.request
        raise_all(
            *([] if self.query.strip() else ["query: is empty: write what is asked"]),
            *(["url: ends before ? and #"] if {"?", "#"} & set(self.url) else []),
        )

    @cached_property
    def request(self) -> HttpOptions:
        """The check as an http check asks it."""
        return HttpOptions(
            self.url,
            method="POST",
            changes=False,
            headers={name: Template(value) for name, value in _FORM.items()},
            body=Template(urlencode({"query": finished(self.query)})),
            bearer=self.bearer,
            basic=self.basic,
            tls=self.tls,
            ip_family=self.ip_family,
            follow_redirects=False,
        )

    @property
    def mutates(self) -> str:
        """A query changes nothing."""
        return ""


class Series(NamedTuple):
    """One value that was found: its labels as PromQL writes them, and its text."""

    labels: str
    value: str


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Ask the cell's query once; its options are `PromqlOptions`."""
    options = options_of(cell, PromqlOptions)
    redact = means.net.redactor.text
    url = cell.target.address.rstrip("/") + _PATH
    asked = f"POST {url} query={finished(options.query)}"
    trace.asked = one_line(excerpt(asked, _ASKED_CHARS, redact))
    request = http.request_of(options.request, url)
    try:
        answer = await means.net.exchange(
            cell.vantage,
            request,
            trace,
            deadline=ask.deadline,
            wishes=options.request.wishes(ask.fresh),
        )
    except Failure as failure:
        message = f"Prometheus cannot be asked: {failure}"
        return Seen(Outcome.INVALID, None, evidence(trace, redact, message))
    outcome, message = _judged(options.expect, answer, trace, redact)
    told = evidence(
        trace,
        redact,
        message,
        status=answer.status_code,
        status_line=http.status_line(answer, redact),
        body=excerpt(answer.text, means.net.limits.evidence_bytes, redact) if message else "",
    )
    return Seen(outcome, FailureKind.BODY if outcome is Outcome.FAIL else None, told)


probe = asking(look)


def _judged(
    expect: ExpectValue, answer: httpx.Response, trace: Trace, redact: Redact
) -> tuple[Outcome, str]:
    try:
        document = jsonpath.document_of(answer.content)
    except ValueError:
        document = None
    if not isinstance(document, Mapping) or document.get("status") != "success":
        return Outcome.INVALID, _refused(answer, document, redact)
    warnings = document.get("warnings")
    for warning in warnings[:_SHOWN] if isinstance(warnings, list) else ():
        trace.warn(f"Prometheus warns: {quoted(warning, redact)}")
    try:
        found = list(_series(document.get("data")))
    except (LookupError, TypeError, ValueError) as error:
        return Outcome.INVALID, f"the query yields no values to compare: {error}"
    if not found:
        message = "the query finds nothing"
        return Outcome(expect.empty), "" if expect.empty is Empty.PASS else message
    broken = [mistake for each in found if (mistake := _broken(expect, each, redact))]
    if not broken or (expect.any and len(broken) < len(found)):
        return Outcome.PASS, ""
    more = f", and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return Outcome.FAIL, "; ".join(broken[:_SHOWN]) + more


def _refused(answer: httpx.Response, document: object, redact: Redact) -> str:
    status = f"status {answer.status_code} {quoted(answer.reason_phrase, redact)}".rstrip()
    if not isinstance(document, Mapping) or "error" not in document:
        return f"Prometheus does not answer the query: {status}"
    kind = quoted(document.get("errorType", "error"), redact)
    return f"Prometheus refuses the query: {status}: {kind}: {quoted(document['error'], redact)}"


def _series(found: object) -> Iterator[Series]:
    """What an instant query found. Raises LookupError, TypeError or ValueError for all else."""
    if not isinstance(found, Mapping):
        raise TypeError("there is no data")
    kind, result = found["resultType"], found["result"]
    if kind == "scalar":
        yield Series("", _text(result))
    elif kind == "vector":
        for each in result:
            if "value" not in each:
                raise ValueError("a series holds no number but a histogram")
            yield Series(_labels(each["metric"]), _text(each["value"]))
    else:
        raise ValueError(f"they are a {kind}")


def _text(sample: object) -> str:
    if isinstance(sample, list) and len(sample) == 2 and isinstance(sample[1], str):
        return sample[1]
    raise ValueError("a sample is no pair of a time and a text")


def _labels(metric: Mapping[str, str]) -> str:
    name = metric.get("__name__", "")
    pairs = ", ".join(f'{key}="{value}"' for key, value in metric.items() if key != "__name__")
    return f"{name}{{{pairs}}}" if pairs else name


def _broken(expect: ExpectValue, series: Series, redact: Redact) -> str:
    number = _number(series.value)
    for text in expect.value:
        if number is None or _condition(text).broken(number, redact) is not None:
            shown = quoted(series.labels or "value", redact)
            return f"{shown} ({quoted(series.value, redact)}) {text}"
    return ""


def _number(text: str) -> float | None:
    """What a sample's text spells; None for NaN and for what is no number."""
    if text in _INFINITE:
        return _INFINITE[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _condition(text: str) -> jsonpath.Condition:
    try:
        condition = jsonpath.parse(f"$ {text}")
    except ValueError:
        condition = None
    if condition is None or condition.length or type(condition.literal) not in (int, float):
        raise ValueError(f'"{text}" is no condition: write == != < <= > >= and a number')
    return condition
