"""Where the simulated estate stands and who its tenants are: on loopback, unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

HOST = "127.0.0.1"

GROUPS: Mapping[str, str] = {
    "acme": "blue",
    "bolt": "blue",
    "cedar": "green",
    "delta": "green",
    "ember": "amber",
}
"""Every tenant and the backend group that serves it."""

CONTROLS = "controls"
"""The service name under which faults address the control targets."""

SERVICES = ("crm", "sites", "website", "orders")
"""The services customers know, in the order of their ports."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port each; 0 asks for a free one. `switchboard` is where faults are switched.

    `prometheus` is where what users do is counted, `host` the address that all of them are on.
    """

    crm: int = 9101
    sites: int = 9102
    website: int = 9103
    orders: int = 9104
    prometheus: int = 9105
    controls: tuple[int, ...] = (9111, 9112, 9113)
    switchboard: int = 9100
    host: str = HOST

    @classmethod
    def free(cls) -> Self:
        """Ports that are all left to the system to choose."""
        return cls(0, 0, 0, 0, 0, (0, 0, 0), 0)

    @classmethod
    def from_json(cls, raw: Any) -> Self:
        """Read what `as_json` wrote; what is left out keeps its default. Raises ValueError."""
        if not isinstance(raw, dict):
            raise ValueError("ports are a JSON object")  # noqa: TRY004 - one error for bad input
        unknown = sorted(set(raw) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"no such ports: {', '.join(unknown)}")
        controls = {"controls": tuple(raw["controls"])} if "controls" in raw else {}
        return cls(**{**raw, **controls})

    def as_json(self) -> dict[str, Any]:
        """The ports as plain JSON values."""
        return asdict(self)

    def origin(self, service: str) -> str:
        """`http://host:port` of one of SERVICES, of prometheus or of the switchboard."""
        return f"http://{self.host}:{getattr(self, service)}"

    def control_urls(self) -> tuple[str, ...]:
        """The URL of every control target."""
        return tuple(f"http://{self.host}:{port}/ok" for port in self.controls)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the services promise, in seconds and requests.

    A tenant has `quota` API requests in any `quota_window`; an order is confirmed `sync_interval`
    after it was accepted.
    """

    quota: int = 1200
    quota_window: float = 600.0
    sync_interval: float = 5.0
