"""What can go wrong on the network, as one exception that knows its kind."""

from __future__ import annotations

import httpx

from monitor.model import FailureKind


class Failure(httpx.TransportError):
    """An exchange that came to no answer.

    `kind` says how far it got and what was wrong there; the message is one line for people, in
    the words of whoever knew best. The cause, where there is one, keeps the operating system's
    error number.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TurnedAway(Exception):  # noqa: N818 - named for what happened
    """The monitor itself is not let in, so nothing is known of the target; the message says why."""


class Unable(Exception):  # noqa: N818 - named for what happened
    """What is asked cannot be done from here, whatever the target is like; the message says why."""


def shown(remote: bytes | str, size: int = 2000) -> str:
    """Remote text in one line: printable characters only, at most `size` of them.

    That is longer than what is kept of a message, which is redacted before it is cut: a secret
    cut in half would no longer be recognised.
    """
    text = remote.decode("latin-1") if isinstance(remote, bytes) else remote
    line = "".join(c if c.isprintable() else "?" for c in text[: size + 1])
    return line if len(line) <= size else line[: size - 1] + "…"
