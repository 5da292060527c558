"""Channels, and what becomes of a delivery."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.decided import Priority, Role


@dataclass(frozen=True, slots=True)
class Channel:
    """A way out. `options` is the kind's own frozen dataclass; `roles` are whom it reaches.

    It is told of these `services`, `priorities` and `tenants` only (empty: of all). `after` is how
    many seconds staff must have had to answer, or for outsiders how long it must last, before it
    is told (None: it is told at once). `stands_in_for` names the channel in whose place it is told
    when that one cannot be reached.
    """

    name: str
    kind: str
    roles: tuple[Role, ...]
    options: object
    services: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = ()
    tenants: tuple[str, ...] = ()
    after: float | None = None
    stands_in_for: str | None = None

    def at_once(self) -> bool:
        """Whether it is told as soon as anybody is."""
        return self.after is None and self.stands_in_for is None

    def is_for(self, service: str, priority: Priority) -> bool:
        """Whether it is told of a service's incidents of this priority."""
        of_service = not self.services or service in self.services
        return of_service and (not self.priorities or priority in self.priorities)


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
