"""What a hostile case is: a site that misbehaves, what we must say of it, and what httpx does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from monitor.model import FailureKind

SOON = 0.4
"""The deadline of cases that end by it, in seconds."""


class Peer(StrEnum):
    """What plain httpx does with a case, as it is asserted.

    The last three are no fault of its: such a case guards a rule that our layer could break.
    """

    ACCEPTS = "accepts"  # takes for an answer what is none
    HANGS = "hangs"  # goes on for more than a second after its deadline
    SWELLS = "swells"  # takes in more than the limits
    FOLLOWS = "follows"  # contacts what must not be contacted
    LEAKS = "leaks"  # hands on control or bidirectional characters
    CRASHES = "crashes"  # raises what is no httpx.HTTPError
    CONFUSES = "confuses"  # raises an error that names another cause
    REFUSES = "refuses"  # fails where there is an answer
    RAISES = "raises"  # fails in time, with the right class of error
    READS = "reads"  # gets the answer there is


@dataclass
class Site:
    """What is asked: its URL, its name server if it has a name, and the bytes it sent so far."""

    url: str = ""
    nameserver: str | None = None
    sent: int = 0


@dataclass
class World:
    """What sites share: two servers beside them, and who was seen there.

    `inner` must never be contacted, its address is not allowed; `plain` speaks no TLS. `visits`
    are the paths that were asked for at either; they hold the name of the case.
    """

    inner: str = ""
    plain: str = ""
    visits: list[str] = field(default_factory=list)


Opening = Callable[[World, str], AbstractAsyncContextManager[Site]]
"""Opens the site of a case, by the case's name."""


@dataclass(frozen=True)
class Case:
    """`kind` None means PASS, and `says` is then found in a warning.

    `limit` says which rule ends it. With `deadline` seconds for the probe.
    """

    name: str
    opening: Opening
    kind: FailureKind | None
    says: str
    peer: Peer
    limit: str
    deadline: float = 5.0
    options: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "-").replace("/", "_")
