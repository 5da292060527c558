"""What one probe saw, as a short story for a reader at 3 a.m.

What was tried, from where, how far it got, what came back, how long each phase took, what the
last good one looked like, and what is different now. A `Story` is made once; `text_of` and
`values_of` are its forms. Nothing here is looked up: whoever tells the story brings the last PASS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.model import Certificate, Evidence, Outcome, Phases, Result, Step

PHASES = ("resolve", "connect", "tls", "processing", "transfer")
"""The phases of a probe in their order, by the names of `Phases`."""

VOLATILE = frozenset(
    {"age", "cf-ray", "date", "x-amz-cf-id", "x-correlation-id", "x-request-id", "content-length"}
)
"""Headers that differ from answer to answer and so tell nothing when they do."""

BODY_LINES = 10
_LINE_CHARS = 160
_SLOWER, _SLOWER_BY = 3.0, 0.05
_MANY_CHANGES = 12
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))

_SAID = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "FAILED",
    Outcome.BLOCKED: "was BLOCKED",
    Outcome.MAINTENANCE: "failed in declared maintenance",
    Outcome.INVALID: "is INVALID, which says nothing of the target,",
}
_ENDED_IN = {
    "": "nothing was contacted",
    "resolve": "its name was not resolved, or leads where nothing may be contacted",
    "connect": "no connection came about",
    "tls": "connected, but TLS did not come about",
    "processing": "connected, but nothing came back",
    "transfer": "the answer began, but was not finished",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was at the last PASS."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Story:
    """What one probe saw.

    `headline` is all of it in one line; `facts` are pairs of a word and a line; `differences` are
    from the last PASS, None where none is on record.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    body: tuple[str, ...]
    differences: tuple[Difference, ...] | None


def story_of(result: Result, last_good: Result | None = None, place: str = "") -> Story:
    """Tell what a probe saw. `place` says where its vantage is, such as a source address."""
    evidence = result.evidence
    differences = None if last_good is None else tuple(_differences(last_good, result))
    return Story(
        headline=headline_of(result),
        facts=tuple(_facts(result, last_good, differences, place)),
        body=tuple(_lines(evidence.body)),
        differences=differences,
    )


def headline_of(result: Result) -> str:
    """Everything in one line: which cell, what became of it, after how long, and why."""
    outcome = _SAID[result.outcome]
    kind = f" ({result.failure})" if result.failure is not None else ""
    message = result.evidence.message
    why = f": {message}{_explained(result)}" if message else ""
    return f"{result.cell} {outcome}{kind} after {_seconds(_took(result))}{why}"


def text_of(story: Story) -> str:
    """The story as lines for a terminal or a plain message."""
    lines = [story.headline, *(f"  {word:<10} {line}" for word, line in story.facts)]
    lines += [
        f"  {'body' if not number else '':<10} {line}" for number, line in enumerate(story.body)
    ]
    return "\n".join(lines)


def values_of(story: Story) -> dict[str, Any]:
    """The story as plain values; `differences` is null where no PASS is on record."""
    differences = story.differences
    return {
        "headline": story.headline,
        "facts": [{"what": word, "text": line} for word, line in story.facts],
        "body": list(story.body),
        "differences": None
        if differences is None
        else [{"what": d.what, "before": d.before, "now": d.now} for d in differences],
    }


# ------------------------------------------------------------------------ parts


def _facts(
    result: Result,
    last_good: Result | None,
    differences: tuple[Difference, ...] | None,
    place: str,
) -> Iterator[tuple[str, str]]:
    evidence = result.evidence
    where = f" ({place})" if place else ""
    yield "tried", f"{evidence.asked or 'nothing'} from {result.cell.vantage}{where}"
    yield "when", f"{instant_words(result.observed_at)}, it took {_seconds(_took(result))}"
    if evidence.address:
        yield "reached", f"{evidence.address}{_resolved(evidence)}"
    if evidence.certificate is not None:
        yield "TLS", _tls(evidence, evidence.certificate, result.observed_at)
    yield "how far", _how_far(result)
    yield from (("step", _step(number, each)) for number, each in enumerate(evidence.steps, 1))
    if evidence.status_line:
        yield "answer", evidence.status_line
    yield from (("header", f"{name}: {value}") for name, value in evidence.headers)
    yield "phases", phases_words(result.phases)
    yield from (("warning", each) for each in evidence.warnings)
    if result.outcome is Outcome.PASS:
        return
    if evidence.message:
        yield "error", evidence.message
    yield "last good", "no PASS is on record" if last_good is None else _good(last_good, result)
    for difference in (differences or ())[:_MANY_CHANGES]:
        yield "changed", f"{difference.what}: {difference.before} -> {difference.now}"
    if differences == ():
        yield "changed", "nothing but what became of it"


def _took(result: Result) -> float:
    return result.observed_mono - result.sent_mono


def _resolved(evidence: Evidence) -> str:
    said = {None: "", True: ", its name resolved afresh", False: ", its name resolved before"}
    return said[evidence.name_fresh]


def _tls(evidence: Evidence, certificate: Certificate, at: datetime) -> str:
    names = ", ".join(certificate.names[:3]) or certificate.subject or "nobody"
    more = f" and {len(certificate.names) - 3} more" if len(certificate.names) > 3 else ""
    version = f"{evidence.tls_version}, " if evidence.tls_version else ""
    until = f"until {instant_words(certificate.not_after)} ({_days(certificate.not_after - at)})"
    return f"{version}certificate of {names}{more} {until}, issued by {certificate.issuer or '?'}"


def _how_far(result: Result) -> str:
    evidence = result.evidence
    if result.outcome is Outcome.PASS:
        return "all the way"
    if result.outcome is Outcome.INVALID:
        return "the prober itself could not go on"
    ended = next((n for n, each in enumerate(evidence.steps, 1) if each.message), None)
    if ended is not None:
        return f'to step {ended} of {len(evidence.steps)}, "{evidence.steps[ended - 1].name}"'
    if evidence.status_line:
        return "answered in full; what came back was not what is expected"
    reached = [name for name in PHASES if getattr(result.phases, name) is not None]
    return _ENDED_IN[reached[-1] if reached else ""]


def _step(number: int, step: Step) -> str:
    came = f", {step.status_line}" if step.status_line else ""
    why = f": {step.message}" if step.message else ""
    return (
        f"{number} {step.name}: {step.asked}{came} in {_seconds(step.seconds)}, {step.outcome}{why}"
    )


def phases_words(phases: Phases) -> str:
    """How long each phase took that was reached."""
    taken = [(name, getattr(phases, name)) for name in PHASES]
    reached = [f"{name} {_seconds(seconds)}" for name, seconds in taken if seconds is not None]
    return ", ".join(reached) or "none was reached"


def _good(last: Result, now: Result) -> str:
    ago = (now.observed_at - last.observed_at).total_seconds()
    came = f": {last.evidence.status_line}" if last.evidence.status_line else ""
    by = f" by {last.evidence.address}" if last.evidence.address else ""
    when = f"{instant_words(last.observed_at)}, {span_words(ago)} before"
    return f"{when}{came} in {_seconds(_took(last))}{by}"


def _explained(result: Result) -> str:
    """What a message alone does not tell: of a certificate's dates, an address, a redirect."""
    evidence, certificate = result.evidence, result.evidence.certificate
    told = ""
    if result.outcome is Outcome.FAIL and certificate is not None:
        if certificate.chain_expiry < result.observed_at:
            ago = _days(result.observed_at - certificate.chain_expiry)
            told += f" (it ended {instant_words(certificate.chain_expiry)}, {ago} ago)"
        elif certificate.not_before > result.observed_at:
            told += f" (it begins {instant_words(certificate.not_before)})"
    redirects = [each for each in evidence.warnings if each.startswith("redirected to ")]
    if redirects and not evidence.status_line:
        told += f" ({redirects[-1]})"
    if evidence.address and not evidence.status_line and evidence.address not in evidence.message:
        told += f" ({evidence.address})"
    return told


# ------------------------------------------------------------------------ the last good one


def _differences(good: Result, now: Result) -> Iterator[Difference]:
    was, seen = good.evidence, now.evidence
    pairs = [
        ("asked", was.asked, seen.asked),
        ("address", was.address, seen.address),
        ("TLS", was.tls_version, seen.tls_version),
        *_certificates(was.certificate, seen.certificate),
        ("answer", was.status_line, seen.status_line),
        *_headers(was.headers, seen.headers, answered=bool(seen.status_line)),
        ("warnings", "; ".join(was.warnings), "; ".join(seen.warnings)),
        *_steps(was.steps, seen.steps),
    ]
    for what, before, after in pairs:
        if before != after:
            yield Difference(what, _short(before), _short(after))
    for name in PHASES:
        before_s, after_s = getattr(good.phases, name), getattr(now.phases, name)
        if before_s is not None and after_s is not None and _slower(before_s, after_s):
            yield Difference(name, _seconds(before_s), _seconds(after_s))


def _certificates(
    was: Certificate | None, seen: Certificate | None
) -> Iterator[tuple[str, str, str]]:
    if was is None or seen is None:
        return
    yield "certificate's subject", was.subject, seen.subject
    yield "certificate's issuer", was.issuer, seen.issuer
    yield "certificate's end", instant_words(was.not_after), instant_words(seen.not_after)


def _headers(
    was: Sequence[tuple[str, str]], seen: Sequence[tuple[str, str]], *, answered: bool
) -> Iterator[tuple[str, str, str]]:
    """Headers that came, went or changed; none where no answer came to have any."""
    if not answered:
        return
    before, after = _joined(was), _joined(seen)
    for name in dict.fromkeys((*before, *after)):
        if name not in VOLATILE:
            yield f"header {name}", before.get(name, ""), after.get(name, "")


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(each) for name, each in values.items()}


def _steps(was: Sequence[Step], seen: Sequence[Step]) -> Iterator[tuple[str, str, str]]:
    for before, after in zip(was, seen, strict=False):
        if before.name == after.name:
            yield f"step {after.name}", _came(before), _came(after)


def _came(step: Step) -> str:
    return f"{step.outcome} {step.status_line}".rstrip()


def _slower(before: float, after: float) -> bool:
    return after >= _SLOWER * before and after >= before + _SLOWER_BY


# ------------------------------------------------------------------------ words


def _lines(body: str) -> Iterator[str]:
    lines = [line for line in body.splitlines() if line.strip()]
    yield from (_cut(line) for line in lines[:BODY_LINES])
    if len(lines) > BODY_LINES:
        yield f"({len(lines) - BODY_LINES} more lines)"


def _short(text: str) -> str:
    return f'"{_cut(text)}"' if text else "none"


def _cut(text: str) -> str:
    return text if len(text) <= _LINE_CHARS else text[: _LINE_CHARS - 1] + "…"


def instant_words(at: datetime) -> str:
    """An instant in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _days(span: timedelta) -> str:
    days = span.total_seconds() / 86400
    return f"{days:.0f} days" if abs(days) >= 2 else f"{days * 24:.0f} h"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if abs(seconds) >= 1 else f"{1000 * seconds:.1f} ms"


def span_words(seconds: float) -> str:
    """A span of time in the largest unit of which there are two, or which it is exactly."""
    for size, unit in _UNITS:
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.3g} s"
