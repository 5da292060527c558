"""What a kind of channel is: a dataclass of options and a function that sends one notice once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from monitor.model import Accepted, Notice
from monitor.net.network import Net

SendFn = Callable[[Notice, Any, Net], Awaitable[Accepted]]
"""Sends a notice once, with the options of its channel, and returns the receiver's answer.

Raises `DeliveryError` when the receiver did not accept, saying whether trying again can help.
"""


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A kind of channel: the frozen dataclass of its options, and its function.

    `idempotent` says that a receiver can tell a notice sent again from a new one before it acts.
    """

    options: type
    send: SendFn
    idempotent: bool
