"""The journey probe: several exchanges in order, as one user makes them.

Each step is what an http check is, asked with what the steps before it found: values that they
captured, and cookies, which the journey keeps by itself. The rules:

1. Steps are asked in order until one does not pass. What that one saw is what the journey saw:
   its own kind of failure, BLOCKED, or INVALID. STEP is for what only a journey can have: an answer
   that passes, without the value that was to be captured from it.
2. Steps marked `always` clean up. They come last and are asked whatever happened before, as far
   as the values they need were captured; a part of the deadline is kept back for them. An answer
   that does not pass gives its values all the same, so that what it made can be undone. A probe
   that is cancelled cleans nothing up: the process is ending.
3. What was left behind is no outage: a failed clean-up is a warning, and changes no outcome.
4. What changes something is asked for canary tenants only; the configuration says so, and so does
   this module. Those steps carry one idempotency key, the same throughout a probe.
5. Captured values and cookies may open doors: no message, line or evidence shows them. Shorter
   ones than four characters are no secrets, and are part of too many words.
6. A captured URL leads only where the journey goes anyway: to an origin that it names itself.
   Credentials go to the origin of the journey's own URL, and to no other.

`Run` is one probe of a journey; what a step's answer means is said by `monitor.probes.http`.
"""

from __future__ import annotations

import re
import secrets as randomness
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

import httpx

from monitor.model import Cell, FailureKind, Outcome, Step
from monitor.net.failure import Failure, Unable
from monitor.net.redaction import Redactor
from monitor.net.redirects import origin
from monitor.net.secret import Secret
from monitor.net.texts import Template
from monitor.net.trace import Phase, Trace
from monitor.probes import http
from monitor.probes.captures import body_text, filled_in, found_in
from monitor.probes.kind import Ask, Means, Seen, asking, options_of, unanswered
from monitor.probes.steps import IDEMPOTENCY_KEY, JourneyOptions, JourneyStep
from monitor.probes.templates import completed, filled, places
from monitor.probes.text import excerpt, one_line

_LEADING = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_CLEANUP_SHARE = 0.25
_MOST_CLEANUP = 0.5
_TELLING = 4
_COOKIE_TELLING = 8


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Make the journey once; the cell's options are `JourneyOptions`."""
    options = options_of(cell, JourneyOptions)
    if options.mutates and not cell.target.canary:
        raise Unable(f"{options.mutates} changes something, and {cell.target.name} is no canary")
    return await Run(cell, options, ask, means, trace).made()


probe = asking(look)


class Run:
    """One probe of a journey: what it has found so far, and how much time is left."""

    def __init__(
        self, cell: Cell, options: JourneyOptions, ask: Ask, means: Means, trace: Trace
    ) -> None:
        self._options, self._cell, self._ask, self._trace = options, cell, ask, trace
        self._net = means.net
        self._now: Callable[[], float] = means.net.clock.monotonic
        self._ends = self._now() + ask.deadline
        self._base = httpx.URL(cell.target.address)
        self._origins = {origin(self._base), *_origins(options.steps)}
        self._cookies = httpx.Cookies()
        self._values = {IDEMPOTENCY_KEY: randomness.token_hex(16)}
        self._values |= {name: secret.reveal() for name, secret in options.secrets.items()}
        self._hidden = set(options.secrets.values())
        self._redactor: Redactor | None = None
        self._hosts: set[str] = set()
        self._warnings: list[str] = []
        self._changed = False

    async def made(self) -> Seen:
        """Ask every step that is to be asked, and say what the journey saw."""
        numbered = list(enumerate(self._options.steps))
        cleaning = [(n, step) for n, step in numbered if step.always]
        deciding, decided = 0, None
        for n, step in numbered[: len(numbered) - len(cleaning)]:
            deciding, decided = n, await self._asked(n, step, self._ends - self._kept_back())
            if decided.outcome is not Outcome.PASS:
                break
        for left, (n, step) in zip(range(len(cleaning), 0, -1), cleaning, strict=True):
            # One that is not answered leaves the others their share of the time.
            await self._cleaned(n, step, self._now() + (self._ends - self._now()) / left)
        if decided is None:
            raise TypeError("a journey has a step that is not always asked")
        return self._concluded(deciding, decided)

    def _concluded(self, deciding: int, decided: Seen) -> Seen:
        told = decided.evidence
        message = f"{self._which(deciding)}: {told.message}" if told.message else ""
        warnings = tuple(dict.fromkeys(self._warnings))
        steps = tuple(self._trace.steps)
        return decided._replace(
            evidence=replace(told, message=message, warnings=warnings, steps=steps)
        )

    def _which(self, n: int) -> str:
        steps = self._options.steps
        return f'step {n + 1} of {len(steps)} "{steps[n].name}"'

    def _kept_back(self) -> float:
        if not any(step.always for step in self._options.steps):
            return 0.0
        deadline, wanted = self._ask.deadline, self._options.cleanup_timeout
        return min(
            _CLEANUP_SHARE * deadline if wanted is None else wanted, _MOST_CLEANUP * deadline
        )

    async def _cleaned(self, n: int, step: JourneyStep, until: float) -> None:
        """Ask a step that cleans up, if it can be asked; only warn of what goes wrong."""
        own = self._options.own_names
        lacking = [x for x in dict.fromkeys(step.places()) if x in own and x not in self._values]
        if lacking:
            names = ", ".join(f"{{{name}}}" for name in lacking)
            message = f"skipped: {names} was not captured"
            asked = self._shown(step)
            self._trace.steps.append(Step(step.name, asked, Outcome.INVALID, 0.0, "", message))
        else:
            message = (await self._asked(n, step, until)).evidence.message
        if message and (self._changed or not lacking):
            self._warnings.append(f"clean-up failed: {self._which(n)}: {message}")

    # -------------------------------------------------------------------- one step

    async def _asked(self, n: int, step: JourneyStep, until: float) -> Seen:
        """Ask one step until an instant of the monotonic clock, and note how it went."""
        trace, began = Trace(asked=self._shown(step)), self._now()
        try:
            seen = await self._answered(n, step, trace, until)
        except Exception as error:  # noqa: BLE001 - whatever happens is what the step saw
            seen = unanswered(error, trace, self._redact)
        told = seen.evidence
        took = self._now() - began
        self._trace.steps.append(
            Step(step.name, told.asked, seen.outcome, took, told.status_line, told.message)
        )
        for phase in Phase:
            if (seconds := getattr(trace, phase)) is not None:
                self._trace.spent(phase, seconds)
        self._warnings += [f"{step.name}: {each}" for each in told.warnings]
        return seen

    async def _answered(self, n: int, step: JourneyStep, trace: Trace, until: float) -> Seen:
        options = self._options.requests[n]
        request = self._request(n, step, self._url(step))
        began = self._now()
        if began >= until:
            raise Failure(FailureKind.TIMEOUT, "no time was left for it")
        self._changed = self._changed or bool(options.mutates)
        response = await self._exchanged(n, request, trace, until)
        elapsed = self._now() - began
        missing = self._captured(step, response)
        size = self._net.limits.evidence_bytes
        seen = http.answered(
            options,
            response,
            elapsed,
            trace,
            at=self._net.clock.now().at,
            redact=self._redact,
            evidence_bytes=size,
        )
        if not missing or seen.outcome is not Outcome.PASS:
            return seen
        message = one_line(self._redact("; ".join(missing)))
        body = excerpt(body_text(response), size, self._redact)
        told = replace(seen.evidence, message=message, body=body)
        return Seen(Outcome.FAIL, FailureKind.STEP, told)

    async def _exchanged(
        self, n: int, request: httpx.Request, trace: Trace, until: float
    ) -> httpx.Response:
        """Send a step's request with the journey's own cookies, and keep what is set on the way."""
        url = request.url
        wishes = self._options.requests[n].wishes(self._ask.fresh and url.host not in self._hosts)
        self._hosts.add(url.host)
        if origin(url) != origin(self._base):
            wishes = wishes.elsewhere()
        try:
            return await self._net.exchange(
                self._cell.vantage,
                request,
                trace,
                deadline=until - self._now(),
                wishes=wishes,
                cookies=self._cookies,
            )
        finally:
            self._hide(each.value or "" for each in self._cookies.jar if _telling(each.value))

    # -------------------------------------------------------------------- its request

    def _url(self, step: JourneyStep) -> httpx.URL:
        """Where a step leads. Raises Failure where a captured value leads elsewhere."""
        encoded = {name: quote(value, safe="") for name, value in self._values.items()}
        text: str = step.url
        leading = _LEADING.match(text)
        start = ""
        if leading is not None and leading[1] in self._values:
            start, text = self._values[leading[1]], text[leading.end() :]
        elif text.startswith("/"):
            start = self._cell.target.address.rstrip("/")
        if any(self._values.get(name) in {".", ".."} for name in places(text, is_url=True)):
            raise Failure(FailureKind.STEP, "what was captured leads upwards")
        try:
            url = self._base.join(start + filled(text, encoded))
            known = url.scheme in ("http", "https") and origin(url) in self._origins
        except (httpx.InvalidURL, ValueError) as error:
            raise Failure(FailureKind.STEP, "what was captured is no URL") from error
        if not known or url.userinfo:
            raise Failure(FailureKind.STEP, "what was captured leads to another origin")
        return url

    def _request(self, n: int, step: JourneyStep, url: httpx.URL) -> httpx.Request:
        """The request of a step. Raises Failure where a captured value cannot be part of it."""
        options = self._options.requests[n]
        own = {name: completed(text, self._values) for name, text in step.headers.items()}
        if not all(value.isascii() for value in own.values()):
            raise Failure(FailureKind.STEP, "what was captured cannot stand in a header")
        headers = options.request_headers.copy()
        if origin(url) != origin(self._base):
            headers.pop("authorization", None)
        if options.mutates:
            headers["Idempotency-Key"] = self._values[IDEMPOTENCY_KEY]
        headers.update(own)
        body = step.body
        if body is not None:
            body = Template(filled_in(body, self._values, headers.get("content-type", "")))
        return httpx.Request(step.method, url, headers=headers, content=body)

    def _shown(self, step: JourneyStep) -> str:
        """What a step asks, with its places as they stand."""
        base = self._cell.target.address.rstrip("/") if step.url.startswith("/") else ""
        return one_line(self._redact(f"{step.method} {base}{step.url}"))

    # -------------------------------------------------------------------- what it found

    def _captured(self, step: JourneyStep, response: httpx.Response) -> list[str]:
        """Keep the values that an answer holds; say which it lacks, and why."""
        missing = []
        found: dict[str, str] = {}
        for name, capture in step.capture.items():
            try:
                found[name] = found_in(response, capture)
            except LookupError as error:
                missing.append(f"cannot capture {{{name}}}: {error}")
        self._values |= found
        self._hide(value for value in found.values() if len(value) >= _TELLING)
        return missing

    def _hide(self, values: Iterable[str]) -> None:
        new = {Secret(value) for value in values} - self._hidden
        if new:
            self._hidden |= new
            self._redactor = None

    def _redact(self, text: str) -> str:
        if self._redactor is None:
            # Made when it is needed: making one is dear, and steps find several values.
            self._redactor = Redactor(self._hidden)
        return self._redactor.text(self._net.redactor.text(text))


def _origins(steps: Iterable[JourneyStep]) -> Iterator[tuple[str, str, int]]:
    for step in steps:
        if "://" in step.url.partition("{")[0]:
            yield origin(httpx.URL(step.url.partition("{")[0]))


def _telling(cookie: str | None) -> bool:
    return cookie is not None and len(cookie) >= _COOKIE_TELLING
