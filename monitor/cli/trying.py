"""A test of one channel from the command line: what its receiver answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.channels import CHANNELS, Means
from monitor.channels.sending import attempt
from monitor.channels.trial import trial_notices
from monitor.clock import real_clock
from monitor.config import Config
from monitor.daemon.mind import new_ulid
from monitor.model import Accepted, Action, Channel, DeliveryError
from monitor.net.network import Net
from monitor.net.redaction import Redactor

_SEND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Try:
    """One notice of the test, what came of it, and how many seconds that took."""

    action: Action
    answer: Accepted | DeliveryError
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it."""
        return isinstance(self.answer, Accepted)


def channel_named(config: Config, name: str) -> Channel:
    """The channel of that name. Raises LookupError with what there is instead."""
    for channel in config.channels:
        if channel.name == name:
            return channel
    known = ", ".join(channel.name for channel in config.channels)
    raise LookupError(f"no channel is named {name}; there are: {known}")


async def tried(config: Config, channel: Channel) -> list[Try]:
    """Send a marked test and, once that was taken, its end."""
    clock = real_clock()
    redactor = Redactor(config.secrets)
    net = Net(clock, config.limits, config.allow_private, redactor, config.nameservers)
    at = clock.wall()
    notices = trial_notices(channel, at, id_=new_ulid(at), public_url=config.public_url)
    made: list[Try] = []
    known: Accepted | None = None
    try:
        for notice in notices:
            began = clock.monotonic()
            means = Means(net, known, config.public_url)
            answer = await attempt(notice, channel, CHANNELS, means, _SEND_SECONDS)
            made.append(Try(notice.action, answer, clock.monotonic() - began))
            if isinstance(answer, DeliveryError):
                break
            known = known or answer
    finally:
        await net.aclose()
    return made


def text(config: Config, channel: Channel, tries: Sequence[Try]) -> str:
    """What people read of a test."""
    redactor = Redactor(config.secrets)
    lines = [f"{channel.name} ({channel.kind})"]
    for each in tries:
        said = "the test" if each.action is Action.TRIGGER else "its end"
        lines.append(f"  {said}: {_words(each, redactor)}, in {each.seconds:.2f} s")
    return "\n".join(lines)


def _words(tried: Try, redactor: Redactor) -> str:
    if isinstance(tried.answer, Accepted):
        named = f" as {tried.answer.remote_id}" if tried.answer.remote_id else ""
        shown = f", shown at {tried.answer.url}" if tried.answer.url else ""
        return f"accepted{named}{shown}"
    state = "refused for good" if tried.answer.permanent else "not accepted, which may pass"
    return f"{state}: {redactor.text(str(tried.answer))}"


def as_json(config: Config, channel: Channel, tries: Sequence[Try]) -> Mapping[str, Any]:
    """What programs read of a test."""
    return {
        "channel": channel.name,
        "kind": channel.kind,
        "tries": [_json(each, Redactor(config.secrets)) for each in tries],
    }


def _json(tried: Try, redactor: Redactor) -> Mapping[str, Any]:
    answer = tried.answer
    told: dict[str, Any] = {
        "action": tried.action.value,
        "accepted": tried.accepted,
        "seconds": round(tried.seconds, 3),
        "remote_id": None,
        "url": None,
        "error": None,
        "permanent": None,
    }
    if isinstance(answer, Accepted):
        return told | {"remote_id": answer.remote_id, "url": answer.url}
    return told | {"error": redactor.text(str(answer)), "permanent": answer.permanent}
