"""What a kind of probe is: a dataclass of options and a function that asks once.

A kind is written as a `Look`: it asks, and says what it saw. `asking` makes a probe of it, which
keeps the clocks and turns whatever goes wrong into a Result:

    Failure of the network    FAIL with its kind: it says something of the target
    TurnedAway                BLOCKED: it says something of our own access only
    Unable, descriptors, memory, anything nobody foresaw
                              INVALID: it says something of the prober only
    CancelledError            leaves the probe
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

from monitor.model import Beat, Cell, Evidence, FailureKind, Outcome, Result
from monitor.net.failure import Failure, TurnedAway, Unable
from monitor.net.network import Net
from monitor.net.oauth2 import Tokens
from monitor.net.trace import Trace
from monitor.probes.text import Redact, excerpt, one_line, quoted

Options = TypeVar("Options")

_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_MESSAGE_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for one probe.

    `id` becomes the id of the Result; `deadline` is the seconds allowed for the whole probe;
    with `fresh` names are resolved anew instead of taken from the cache.
    """

    id: str
    deadline: float
    fresh: bool = False


class Heartbeats(Protocol):
    """What was heard of those who call us."""

    def since(self) -> datetime:
        """When we began to listen."""

    def last(self, name: str) -> Beat | None:
        """Return the last call for a heartbeat; None when there never was one."""


class _Deaf:
    def since(self) -> datetime:
        raise Unable("heartbeats are heard by the running monitor only")

    def last(self, name: str) -> Beat | None:
        raise Unable(f"heartbeat {name}: is heard by the running monitor only")


@dataclass(frozen=True)
class Means:
    """What probes ask by: the one way to the network, and what was heard from outside."""

    net: Net
    heartbeats: Heartbeats = field(default_factory=_Deaf)

    @cached_property
    def tokens(self) -> Tokens:
        """The access tokens that probes share."""
        return Tokens(self.net)


class Seen(NamedTuple):
    """What a probe saw."""

    outcome: Outcome
    failure: FailureKind | None
    evidence: Evidence


ProbeFn = Callable[[Cell, Ask, Means], Awaitable[Result]]
"""Asks one cell once. Returns a Result whatever happens; only CancelledError leaves it."""

Look = Callable[[Cell, Ask, Means, Trace], Awaitable[Seen]]
"""Asks one cell once. May raise; what the trace holds by then is told all the same."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of probe: the frozen dataclass of its options, and its function.

    `address` names the option that says what is asked; `schemes` are those it may begin with
    where it is a URL, none where it is a name. Options say more of themselves, as properties:
    `mutates`, by what a probe changes something at its target ("" for nothing); and if they like
    `own_names`, the placeholders that the probe fills in by itself; `hosts`, those it connects to
    besides URLs, by the option that names them; `datagrams`, whether it asks over UDP. A kind that
    `listens` asks nobody: it tells what came in from outside.
    """

    options: type
    probe: ProbeFn
    address: str = "url"
    schemes: tuple[str, ...] = ("http", "https")
    listens: bool = False


def options_of(cell: Cell, kind: type[Options]) -> Options:
    """The options of a cell, which are of this class. Raises TypeError when they are not."""
    options = cell.options
    if not isinstance(options, kind):
        raise TypeError(f"the check has {type(options).__name__}, not {kind.__name__}")
    return options


def asking(look: Look) -> ProbeFn:
    """Make a probe of what a kind does; both clocks of its Results are those of its network."""

    async def probe(cell: Cell, ask: Ask, means: Means) -> Result:
        trace = Trace()
        clock = means.net.clock
        sent_mono = clock.monotonic()
        try:
            seen = await look(cell, ask, means, trace)
        except Exception as error:  # noqa: BLE001 - whatever happens is a Result
            seen = unanswered(error, trace, means.net.redactor.text)
        now = clock.now()
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

    return probe


def evidence(trace: Trace, redact: Redact, message: str = "", **answer: object) -> Evidence:
    """Say what is known: the trace, a message in whatever form, and fields of the answer."""
    return Evidence(
        message=one_line(excerpt(message, _MESSAGE_BYTES, redact)) if message else "",
        asked=trace.asked,
        address=trace.address,
        tls_version=trace.tls_version,
        certificate=trace.certificate,
        name_fresh=trace.name_fresh,
        warnings=_warnings(trace, redact),
        steps=tuple(trace.steps),
        **answer,  # type: ignore[arg-type]  # fields of Evidence, checked where they are given
    )


def _warnings(trace: Trace, redact: Redact) -> tuple[str, ...]:
    if not trace.warnings and not trace.hops:
        return ()
    redirects = (f"redirected to {hop}" for hop in trace.hops)
    return tuple(quoted(each, redact) for each in (*trace.warnings, *redirects))


def unanswered(error: Exception, trace: Trace, redact: Redact) -> Seen:
    """Say what it means that asking ended in an error; see the head of this file."""
    if any(_is_shortage(each) for each in _chain(error)):
        message = f"the prober is out of descriptors or memory: {error}"
    elif isinstance(error, Failure):
        return Seen(Outcome.FAIL, error.kind, evidence(trace, redact, str(error)))
    elif isinstance(error, TurnedAway):
        return Seen(Outcome.BLOCKED, None, evidence(trace, redact, str(error)))
    elif isinstance(error, Unable):
        message = f"the probe cannot be made: {error}"
    else:
        message = f"the probe broke: {type(error).__name__}: {error}"
    return Seen(Outcome.INVALID, None, evidence(trace, redact, message))


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
