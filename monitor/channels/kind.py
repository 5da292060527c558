"""What a kind of channel is: a dataclass of options and a function that sends one notice once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.model import Accepted, Notice
from monitor.net.links import Links
from monitor.net.network import Net


@dataclass(frozen=True, slots=True)
class Means:
    """What a send may use.

    `known` is what the receiver answered to the first notice of the same alert that it gave a name
    to, None while it has named none. `public_url` is where people reach this monitor. `links` sign
    what notices carry to acknowledge by, None where they carry none.
    """

    net: Net
    known: Accepted | None = None
    public_url: str = ""
    links: Links | None = None


REFRESH_EVERY = 30.0
"""Seconds between two refreshes of what stands."""

SendFn = Callable[[Notice, Any, Means], Awaitable[Accepted]]
"""Sends a notice once, with the options of its channel, and returns the receiver's answer.

Where `notice.attempts` is more than 1 an earlier attempt may have arrived although its answer did
not: a receiver that cannot tell a repetition is asked first whether it has it. Raises
`DeliveryError` when the receiver did not accept, saying whether trying again can help.
"""

RefreshFn = Callable[[Sequence[Notice], Any, Means], Awaitable[None]]
"""Says once more what stands: the last notice of each alert that is open, or was until just now.

Nothing depends on any one of these: who fails raises `DeliveryError`, and the next one is due.
"""


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A kind of channel: the frozen dataclass of its options, and its function.

    `idempotent` says that a receiver can tell a notice sent again from a new one before it acts.
    `refresh` is for receivers that forget an alert which is not told of again and again. `certain`
    says that what is accepted is also shown: where it is not, no channel of the kind may be all
    that reaches on call.
    """

    options: type
    send: SendFn
    idempotent: bool
    refresh: RefreshFn | None = None
    certain: bool = True
