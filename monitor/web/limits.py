"""How many reports are taken of whom: buckets of tokens, on the monotonic clock.

A bucket holds as many tokens as reports are allowed an hour, is full at first and fills evenly;
each report takes one. An anonymous report takes one of its client's address and one of all the
anonymous ones, or none where either is empty. Addresses of IPv6 count by their network of 64 bits,
which one customer has whole. What is remembered is bounded: full buckets are forgotten first.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from monitor.clock import Clock
from monitor.model import ReportSettings

_HOUR = 3600.0
_BUCKETS_KEPT = 10_000


@dataclass(slots=True)
class Bucket:
    """So many tokens an hour, of which `left` were there at monotonic `at`."""

    per_hour: int
    left: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        self.left = min(self.per_hour, self.left + (now - self.at) * self.per_hour / _HOUR)
        self.at = now
        return max(0.0, 1.0 - self.left) * _HOUR / self.per_hour


class Buckets:
    """Buckets by their keys. Those that begin with "from " are strangers', and forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def take(self, *wanted: tuple[str, int]) -> float:
        """Take a token of each bucket of so many an hour; the seconds to wait where one has none.

        0 where they were taken; none is taken where any is empty.
        """
        now = self._clock.monotonic()
        buckets = [self._bucket(key, many, now) for key, many in wanted]
        wait = max(bucket.wait(now) for bucket in buckets)
        if wait == 0.0:
            for bucket in buckets:
                bucket.left -= 1.0
        return wait

    def _bucket(self, key: str, per_hour: int, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_KEPT:
                self._forget(now)
            bucket = self._buckets[key] = Bucket(per_hour, per_hour, now)
        return bucket

    def _forget(self, now: float) -> None:
        """Forget the buckets that are full again; where none is, the older half of all."""
        for key, bucket in list(self._buckets.items()):
            bucket.wait(now)
            if bucket.left >= bucket.per_hour:
                del self._buckets[key]
        for key in list(self._buckets)[: max(0, len(self._buckets) - _BUCKETS_KEPT // 2)]:
            if key.startswith("from "):
                del self._buckets[key]


class Limits:
    """The buckets of everybody who reports."""

    def __init__(self, settings: ReportSettings, clock: Clock) -> None:
        self._settings = settings
        self._buckets = Buckets(clock)

    def refused(self, tenant: str | None, address: str) -> float:
        """Take a token for a report; seconds to wait where there is none, 0 where it was taken."""
        return self._buckets.take(*self._limits(tenant, address))

    def _limits(self, tenant: str | None, address: str) -> list[tuple[str, int]]:
        said = self._settings
        if tenant is not None:
            return [(f"tenant {tenant}", said.tenant_per_hour)]
        return [
            ("anonymous", said.anonymous_in_all_per_hour),
            (f"from {network_of(address)}", said.anonymous_per_hour),
        ]


def network_of(address: str) -> str:
    """Return the address, or its network of 64 bits where it is one of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 6:
        return str(ip_network((found, 64), strict=False))
    return address
