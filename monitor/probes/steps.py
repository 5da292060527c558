"""What a journey is: its steps, what each captures, and what cannot be meant.

Every mistake is found when the options are made: a value that is used before a step captures it, a
step that cleans up before others, two names alike. Names that no step captures are a tenant's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from monitor.net.hop import IpFamily
from monitor.net.secret import Secret
from monitor.net.texts import Template, Url
from monitor.net.tls import DEFAULT_TLS, TlsSettings
from monitor.probes.assertions import Expect, raise_all
from monitor.probes.captures import Capture
from monitor.probes.http import BasicAuth, HttpOptions
from monitor.probes.templates import places, templates

IDEMPOTENCY_KEY = "idempotency_key"
"""The place of a probe's own key."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_STEP_URL = re.compile(r"(?:https?://|/|\{)[^\s]*", re.IGNORECASE)


def refused(make: Callable[..., object], *given: object, **named: object) -> Iterator[str]:
    """Yield what making something of these is refused for, if it is."""
    try:
        make(*given, **named)
    except ValueError as error:
        yield str(error)


@dataclass(frozen=True, slots=True)
class JourneyStep:
    """One exchange of a journey. Raises ValueError naming every field that makes no sense.

    url: absolute; or beginning with "/", and continues the journey's URL; or beginning with a
        captured value, which is then a URL itself. Elsewhere values are percent-encoded.
    headers, body: may hold values. In a body of JSON or of a form they are spelled as it needs.
    follow_redirects: without it a 302 is the answer, and passes when `expect.status` lists it.
    changes: as of an http check.
    always: this step cleans up.
    capture: the values that its answer holds, by the names of their places.
    """

    name: str
    url: Url
    method: str = "GET"
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Template | None = None
    follow_redirects: bool = True
    changes: bool | None = None
    always: bool = False
    expect: Expect = field(default_factory=Expect)
    capture: Mapping[str, Capture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        raise_all(*self._mistakes(), *refused(self.request, "http://example/"))

    def _mistakes(self) -> Iterator[str]:
        if not (0 < len(self.name) <= 63 and self.name.isprintable()):
            yield "name: is 1 to 63 printable characters"
        if not _STEP_URL.fullmatch(self.url):
            yield "url: must begin with http://, https://, / or a captured {value}"
        if any(name.lower() == "cookie" for name in self.headers):
            yield "headers: the journey keeps cookies by itself"
        for name in self.capture:
            if not _NAME.fullmatch(name):
                yield f'capture: "{name}" is no name: use letters, digits, _ and -'

    def request(self, url: str, **journey: object) -> HttpOptions:
        """The step as an http check asks it, with what the journey says of all its steps."""
        return HttpOptions(
            url=Url(self.url if "://" in self.url else url),
            method=self.method,
            headers=self.headers,
            body=self.body,
            follow_redirects=self.follow_redirects,
            changes=self.changes,
            expect=self.expect,
            **journey,  # type: ignore[arg-type]  # fields of HttpOptions
        )

    def places(self) -> tuple[str, ...]:
        """The names of the places it has."""
        found = templates(self)
        return tuple(name for _, text, is_url in found for name in places(text, is_url=is_url))


@dataclass(frozen=True)
class JourneyOptions:
    """What a journey check asks. Raises ValueError naming every field that makes no sense.

    url: where it begins; steps whose URL begins with "/" continue it.
    bearer, basic: credentials, at most one of them, for the origin of `url` only.
    secrets: values for places that are secrets, such as a password.
    cleanup_timeout: seconds of the timeout that are kept back for cleaning up; by default a
        quarter, and never more than half.
    All else is as of an http check.
    """

    url: Url
    steps: tuple[JourneyStep, ...]
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    bearer: Secret | None = None
    basic: BasicAuth | None = None
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST
    strict_http: bool = False
    cleanup_timeout: float | None = None
    locked_out: tuple[str, ...] = ()
    outage_bodies: tuple[str, ...] = ()
    maintenance_pages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        raise_all(*refused(HttpOptions, self.url, **self._of_all_steps()), *_journey_mistakes(self))

    def _of_all_steps(self) -> dict[str, object]:
        names = ("bearer", "basic", "tls", "ip_family", "strict_http")
        pages = ("locked_out", "outage_bodies", "maintenance_pages")
        return {name: getattr(self, name) for name in (*names, *pages)}

    @cached_property
    def requests(self) -> tuple[HttpOptions, ...]:
        """The steps as http checks ask them."""
        return tuple(step.request(self.url, **self._of_all_steps()) for step in self.steps)

    @property
    def mutates(self) -> str:
        """The first step that changes something; "" when none does."""
        changing = (s.name for s, r in zip(self.steps, self.requests, strict=True) if r.mutates)
        return next((f'step "{name}"' for name in changing), "")

    @property
    def own_names(self) -> frozenset[str]:
        """The places that are filled in during a probe."""
        return frozenset({IDEMPOTENCY_KEY, *self.secrets, *_captured_names(self.steps)})


def _captured_names(steps: Iterable[JourneyStep]) -> Iterator[str]:
    return (name for step in steps for name in step.capture)


def _journey_mistakes(options: JourneyOptions) -> Iterator[str]:
    if "?" in options.url or "#" in options.url:
        yield "url: is continued by the steps, so it ends before ? and #"
    if not any(not step.always for step in options.steps):
        yield "steps: name at least one step that is not `always`"
    names = [step.name for step in options.steps]
    for name in dict.fromkeys(each for each in names if names.count(each) > 1):
        yield f'steps: "{name}" comes twice: give each step its own name'
    if any(
        a.always and not b.always for a, b in zip(options.steps, options.steps[1:], strict=False)
    ):
        yield "steps: those that are `always` asked come last"
    for name in options.secrets:
        if not _NAME.fullmatch(name):
            yield f'secrets: "{name}" is no name: use letters, digits, _ and -'
    for name in dict.fromkeys(_captured_names(options.steps)):
        if name == IDEMPOTENCY_KEY or name in options.secrets:
            yield f"steps: {{{name}}} has a value already: capture under another name"
    yield from _too_early(options)
    yield from _step_credentials(options)


def _too_early(options: JourneyOptions) -> Iterator[str]:
    known = {IDEMPOTENCY_KEY, *options.secrets}
    for step in options.steps:
        for name in dict.fromkeys(step.places()):
            if name in options.own_names and name not in known:
                yield f'steps: "{step.name}" uses {{{name}}} before it is captured'
        known |= set(step.capture)


def _step_credentials(options: JourneyOptions) -> Iterator[str]:
    for step in options.steps:
        own = any(name.lower() == "authorization" for name in step.headers)
        if own and (options.bearer or options.basic):
            yield f'steps: "{step.name}": give credentials in one way only'
