"""Channels, and what becomes of a delivery."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.decided import Role


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out. `options` is the kind's own frozen dataclass; `roles` are whom it reaches."""

    name: str
    kind: str
    roles: tuple[Role, ...]
    options: object


@dataclass(frozen=True, slots=True)
class Accepted:
    """A receiver's answer: what it calls the message, and where it can be seen."""

    remote_id: str | None = None
    url: str | None = None


class DeliveryError(Exception):
    """A receiver did not accept. `permanent` says that trying again cannot help.

    `retry_after` is the receiver's own wish in seconds, None where it named none.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
