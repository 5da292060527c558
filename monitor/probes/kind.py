"""What a kind of probe is: a dataclass of options and a function that asks once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from monitor.model import Cell, Result
from monitor.net.network import Net


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for one probe.

    `id` becomes the id of the Result; `deadline` is the seconds allowed for the whole probe;
    with `fresh` names are resolved anew instead of taken from the cache.
    """

    id: str
    deadline: float
    fresh: bool = False


ProbeFn = Callable[[Cell, Ask, Net], Awaitable[Result]]
"""Asks one cell once. Returns a Result whatever happens; only CancelledError leaves it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of probe: the frozen dataclass of its options, and its function."""

    options: type
    probe: ProbeFn
