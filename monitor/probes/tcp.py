"""The tcp probe: a connection, and where the check has a talk, a conversation over it.

PASS is a connection that was made (with TLS for `tcp+tls://`) and a talk that came to its end. What
the last step sent is not waited for: let a step expect the answer where that matters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from monitor.model import Cell, FailureKind, Outcome
from monitor.net.failure import Failure
from monitor.net.hop import IpFamily, Wishes
from monitor.net.secret import Secret
from monitor.net.texts import Url
from monitor.net.tls import DEFAULT_TLS, TlsSettings
from monitor.net.trace import Trace
from monitor.probes.assertions import raise_all
from monitor.probes.endpoint import endpoint, endpoint_mistakes
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.talk import Talk, TalkStep, misplaced
from monitor.probes.text import Redact, excerpt, one_line, quoted

SCHEMES = ("tcp", "tcp+tls")

_SECRET = "secret"  # noqa: S105 - the name of its place


@dataclass(frozen=True)
class TcpOptions:
    """What a tcp check connects to, and what it says there.

    Raises ValueError naming every field that makes no sense.

    url: `tcp://host:port`, or `tcp+tls://host:port` to speak TLS from the start.
    talk: steps in order; without any, connecting is all.
    secret: what steps send as {secret}; it reaches no evidence.
    changes: whether the talk changes something at the target.
    """

    url: Url
    talk: tuple[TalkStep, ...] = ()
    secret: Secret | None = None
    tls: TlsSettings = DEFAULT_TLS
    ip_family: IpFamily = IpFamily.IP4_FIRST
    changes: bool = False

    def __post_init__(self) -> None:
        raise_all(*endpoint_mistakes(self.url, SCHEMES), *self._talk_mistakes())

    def _talk_mistakes(self) -> Iterator[str]:
        yield from misplaced(self.talk)
        if self.secret is not None and any(_SECRET in step.captures for step in self.talk):
            yield "talk: a group is named secret, which the secret of the check is already"
        secure = self.url.lower().startswith("tcp+tls:")
        if sum(step.starttls for step in self.talk) + secure > 1:
            yield "talk: TLS begins once only"

    @property
    def mutates(self) -> str:
        """By what asking changes something; "" when it changes nothing."""
        return "its talk" if self.changes else ""

    @cached_property
    def own_names(self) -> frozenset[str]:
        """The places that are filled in during a probe."""
        captured = {name for step in self.talk for name in step.captures}
        return frozenset(captured if self.secret is None else {*captured, _SECRET})

    @cached_property
    def given(self) -> dict[str, str]:
        """What is known to every step."""
        return {} if self.secret is None else {_SECRET: self.secret.reveal()}

    @cached_property
    def wishes(self) -> Wishes:
        """How a connection is to be made."""
        return Wishes(tls=self.tls, family=self.ip_family)


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Ask the cell's target once; its options are a `TcpOptions`."""
    options = options_of(cell, TcpOptions)
    net, where = means.net, endpoint(cell.target.address, SCHEMES)
    redact = net.redactor.text
    does = "talk with" if options.talk else "connect to"
    trace.asked = one_line(redact(f"{where.scheme} {does} {where}"))
    talk = Talk(options.talk, net.limits.wire_bytes, redact, options.given)
    wishes = replace(options.wishes, fresh=ask.fresh)
    try:
        async with net.connection(
            cell.vantage, where.host, where.port, trace, deadline=ask.deadline, wishes=wishes
        ) as connection:
            if where.scheme == "tcp+tls":
                await connection.secure(options.tls)
            await talk.over(connection, options.tls)
    except Failure as failure:
        told = talk.told(failure)
        if told.kind is not FailureKind.BODY:
            raise told from failure.__cause__
        body = excerpt(talk.heard.begun.decode(errors="replace"), net.limits.evidence_bytes, redact)
        told_of = evidence(trace, redact, str(told), body=body, headers=_captured(talk, redact))
        return Seen(Outcome.FAIL, told.kind, told_of)
    return Seen(Outcome.PASS, None, evidence(trace, redact, headers=_captured(talk, redact)))


probe = asking(look)


def _captured(talk: Talk, redact: Redact) -> tuple[tuple[str, str], ...]:
    """What the steps captured, as evidence."""
    return tuple((name, quoted(value, redact)) for name, value in talk.captured.items())
