"""The heartbeat probe: whether somebody who should call us did, such as a connector's import.

It asks nobody: calls come in over the API, and `Means.heartbeats` knows the last of each. The
rules, where late means that nothing was heard for `period` and `grace` together:

1. A call in time is a PASS, unless it says that something failed: FAIL(body).
2. A late one is FAIL(timeout), and says what was heard last.
3. Nobody listened before the monitor was started. What would be late then has as long again from
   that moment, and is INVALID so long: neither well nor failing.
4. Of whom nothing was heard ever, the same holds: INVALID at first, then FAIL(timeout).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model import Beat, Cell, FailureKind, Outcome
from monitor.net.secret import Secret
from monitor.net.texts import Template
from monitor.net.trace import Trace
from monitor.probes.assertions import raise_all
from monitor.probes.kind import Ask, Means, Seen, asking, evidence, options_of
from monitor.probes.templates import filled, places
from monitor.probes.text import quoted
from monitor.story import instant_words, span_words

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class HeartbeatOptions:
    """Who is to call, and how often. Raises ValueError naming every field that makes no sense.

    beat: the name under which calls come in; may hold a tenant's variables.
    period, grace: seconds from one call to the next, and how many more before it is late.
    token: whoever calls sends it; without it the one of the API is needed.
    """

    beat: Template
    period: float
    grace: float = 300.0
    token: Secret | None = None

    def __post_init__(self) -> None:
        spelled = filled(self.beat, dict.fromkeys(places(self.beat), "x"))
        message = "beat: a name holds letters, digits, ., _ and -, at most 128"
        raise_all(*([] if _NAME.fullmatch(spelled) else [message]))

    @property
    def mutates(self) -> str:
        """Listening changes nothing."""
        return ""


async def look(cell: Cell, ask: Ask, means: Means, trace: Trace) -> Seen:
    """Say what was heard last; the cell's options are `HeartbeatOptions`."""
    del ask
    options = options_of(cell, HeartbeatOptions)
    name, redact = cell.target.address, means.net.redactor.text
    trace.asked = f"heartbeat {name}"
    beat, since = means.heartbeats.last(name), means.heartbeats.since()
    outcome, failure, message = _judged(options, name, beat, since, means.net.clock.now().at)
    if beat is not None and beat.failed is not None:
        message += (
            f"; at {instant_words(beat.at)} it reported a failure: {quoted(beat.failed, redact)}"
        )
    line = "" if beat is None else f"last heard at {instant_words(beat.at)}"
    return Seen(outcome, failure, evidence(trace, redact, message, status_line=line))


probe = asking(look)


def _judged(
    options: HeartbeatOptions, name: str, beat: Beat | None, since: datetime, now: datetime
) -> tuple[Outcome, FailureKind | None, str]:
    patience = timedelta(seconds=options.period + options.grace)
    heard = beat.at if beat is not None else None
    if heard is not None and beat is not None and now - heard <= patience:
        if beat.failed is not None:
            return Outcome.FAIL, FailureKind.BODY, f"heartbeat {name} came"
        return Outcome.PASS, None, ""
    last = "it was never heard" if heard is None else f"last at {instant_words(heard)}"
    if now - since <= patience:
        message = (
            f"no heartbeat from {name} since the monitor was started at {instant_words(since)}; "
            f"{last}; it has time until {instant_words(since + patience)}"
        )
        return Outcome.INVALID, None, message
    silent = (now - (heard if heard is not None else since)).total_seconds()
    rule = f"every {span_words(options.period)} expected, {span_words(options.grace)} grace"
    message = f"no heartbeat from {name} for {span_words(silent)} ({rule}); {last}"
    return Outcome.FAIL, FailureKind.TIMEOUT, message
