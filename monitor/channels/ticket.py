"""How a notice becomes a ticket, or a comment on one, exactly once.

Theory of operation. A ticket tracker cannot tell a request that is sent again from a new one, so
whatever is written carries a mark by which it is found before it is written again:

1. The ticket of an alert carries `alert_mark`, everything that is written carries `notice_mark` of
   its notice. Both are short digests: no tracker refuses their letters, and nobody can write the
   mark of a notice to come into an error message.
2. The ticket is the one that the first notice of the alert was answered with. Where none is known
   and there may be one, it is looked for by the mark of the alert; if there is none, it is made,
   whatever the notice asks: the trigger may have died.
3. A notice on a ticket that is there already becomes a comment. Where an earlier attempt may have
   arrived, the ticket is searched for the mark of the notice first.
4. Then the ticket is moved to the state that the notice asks for. Being there already is success.

A notice that tells is about no alert: it is a ticket of its own, found by the notice's own key.

Each step is a request of its own, and losing any one answer is made good by the next attempt, which
begins at the first step again.

Some trackers do not find at once what was just made, and would take a lost answer for no ticket at
all. There an attempt that finds nothing although an earlier one may have made the ticket makes
none: it fails once for as long as the tracker may lag, and says so in its error. Only the attempt
right after that, which finds that error on its notice, makes the ticket. So nothing is kept but
what the outbox keeps anyway, and a process that is killed in between waits once more.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from monitor.model import Accepted, Action, DeliveryError, Notice

_NAMES_NO_ALERT = frozenset({Action.TELL})
_BEGINS = frozenset({Action.TRIGGER, Action.TELL})
_MARK_CHARS = 32
_KEPT_CONTROLS = frozenset("\n\t")
_REORDERS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NO_CHARACTER = "\ufffd"


@dataclass(frozen=True, slots=True)
class Tracker:
    """What a tracker can do for one notice; every function raises `DeliveryError`.

    `find` returns the ticket of the alert, None when there is none. `make` makes it, already in
    its state where the tracker can. `has` says whether the notice stands on a ticket already, `say`
    writes it there, and may answer with another ticket that took its place. `move` brings a ticket
    into the state that the notice asks for. `lag` is the seconds until `find` surely sees what was
    made, 0 where it does so at once.
    """

    find: Callable[[], Awaitable[Accepted | None]]
    make: Callable[[], Awaitable[Accepted]]
    has: Callable[[Accepted], Awaitable[bool]]
    say: Callable[[Accepted], Awaitable[Accepted]]
    move: Callable[[Accepted], Awaitable[None]]
    lag: float = 0.0


async def filed(notice: Notice, known: Accepted | None, tracker: Tracker) -> Accepted:
    """Bring a notice onto its ticket by the steps at the head of this file, and return the ticket.

    `known` is the ticket of the alert as far as it is known.
    """
    ticket = None if notice.action in _NAMES_NO_ALERT else known
    if ticket is None and (notice.attempts > 1 or notice.action not in _BEGINS):
        ticket = await tracker.find()
        if ticket is None and tracker.lag:
            _wait_once(notice, tracker.lag)
    if ticket is None:
        ticket = await tracker.make()
    elif notice.attempts <= 1 or not await tracker.has(ticket):
        ticket = await tracker.say(ticket)
    await tracker.move(ticket)
    return ticket


def _wait_once(notice: Notice, lag: float) -> None:
    """Raise unless no earlier attempt can have made the ticket, or the one before has waited."""
    if notice.attempts > 1 and notice.last_error != _waits(notice.attempts - 1, lag):
        raise DeliveryError(_waits(notice.attempts, lag), retry_after=lag)


def _waits(attempt: int, lag: float) -> str:
    return (
        f"an earlier attempt may have made the ticket, and it is not found: attempt {attempt} "
        f"waits {lag:.0f} s for it"
    )


def alert_mark(notice: Notice) -> str:
    """What the ticket of a notice's alert on its channel is found by.

    It is 40 characters of a-z, 0-9 and "-", and another on every channel.
    """
    told = notice.action in _NAMES_NO_ALERT
    names = notice.key if told else f"{notice.channel} {notice.dedup_key}"
    return f"monitor-{_digest(names)}"


def notice_mark(notice: Notice) -> str:
    """What the text of a notice is found by; the same on every attempt."""
    return f"notice-{_digest(notice.key)}"


def clean(said: str) -> str:
    """`said` as any tracker stores it and in the order in which it was written.

    There are no control characters, no halves of characters and nothing that turns text round.
    """
    return "".join(map(_clean, said.replace("\r\n", "\n")))


def one_line(said: str) -> str:
    """`said` as a title: `clean`, and every run of spaces and line breaks is one space."""
    return " ".join(clean(said).split())


def _clean(character: str) -> str:
    if character in _KEPT_CONTROLS:
        return character
    refused = character in _REORDERS or unicodedata.category(character) in {"Cc", "Cs"}
    return _NO_CHARACTER if refused else character


def _digest(names: str) -> str:
    return hashlib.sha256(names.encode(errors="replace")).hexdigest()[:_MARK_CHARS]
