"""One attempt at sending a notice, and when the next one is due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import TypeVar

from monitor.channels.kind import ChannelKind, Means
from monitor.incident import to_acknowledge
from monitor.model import STAFF, Accepted, Action, Channel, DeliveryError, Notice

FIRST_PAUSE = 5.0
LAST_PAUSE = 900.0
"""Seconds between two attempts: the shortest, and the longest whoever asks for it."""

_JITTER = 0.25

T = TypeVar("T")


async def attempt(
    notice: Notice,
    channel: Channel,
    kinds: Mapping[str, ChannelKind],
    means: Means,
    seconds: float,
) -> Accepted | DeliveryError:
    """Send once within so many seconds, and turn whatever comes of it into an answer."""
    said = _with_link(notice, channel, means)
    return await answered(kinds[channel.kind].send(said, channel.options, means), seconds)


def _with_link(notice: Notice, channel: Channel, means: Means) -> Notice:
    """The notice, with a link that acknowledges what it tells of where a person is asked to.

    It is made when the notice leaves, so that one which waited is not born expired. Nobody outside
    gets one.
    """
    told = notice.tells_of
    staff = bool(set(STAFF) & set(channel.roles))
    asks = staff and notice.action in {Action.TRIGGER, Action.UPDATE}
    if means.links is None or told is None or not asks or not to_acknowledge(told):
        return notice
    token = means.links.token(told.id, means.net.clock.wall())
    link = f"{means.public_url}/acknowledge/{token}"
    message = notice.message
    lines = (*message.lines, f"Acknowledge #{told.number}: {link}")
    links = {**message.links, "Acknowledge": link}
    return replace(notice, message=replace(message, lines=lines, links=links))


async def answered(sending: Awaitable[T], seconds: float) -> T | DeliveryError:
    """What comes of sending once, whatever it is, within so many seconds.

    What a channel raises besides `DeliveryError` is a fault of ours, which may pass.
    """
    try:
        async with asyncio.timeout(seconds):
            return await sending
    except DeliveryError as error:
        return error
    except TimeoutError:
        return DeliveryError(f"no answer within {seconds:g} s")
    except Exception as error:  # noqa: BLE001 - a fault in one channel must not end the others
        return DeliveryError(f"{type(error).__name__}: {error}")


def pause(attempts: int, wish: float | None, random: float) -> float:
    """Seconds to the next attempt after `attempts` of them, heeding a receiver's wish."""
    if wish is not None:
        return min(max(wish, FIRST_PAUSE), LAST_PAUSE)
    doublings = min(max(attempts - 1, 0), 10)
    doubled = min(FIRST_PAUSE * (1 << doublings), LAST_PAUSE / (1 + _JITTER))
    return doubled * (1 + _JITTER * random)
