"""Which addresses may be contacted.

Neither `is_private` nor `is_global` of the standard library is enough: shared address space, the
clouds' metadata services and the many ways to wrap an IPv4 address in an IPv6 one fall through.
So an address is unwrapped first, everything it stands for is judged, and:

1. metadata services are never contacted, whatever is allowed;
2. what the operator allows by network is allowed;
3. of the rest only public unicast addresses are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_METADATA: frozenset[Address] = frozenset(
    ip_address(each)
    for each in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)

_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "an address of this network"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address of a carrier's inner network"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "an address of a local translator"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a reserved address"),
        ("2001:db8::/32", "an address for documentation"),
        ("3fff::/20", "an address for documentation"),
    )
)

_PUBLIC_V6 = ip_network("2000::/3")
_TRANSLATED = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


def refusal(address: str, allow: Sequence[Network]) -> str | None:
    """Say why an address may not be contacted, and what would allow it; None when it may be.

    `address` is a literal IPv4 or IPv6 address; ValueError for anything else.
    """
    return _refusal(address, tuple(allow))


@lru_cache(maxsize=8192)
def _refusal(text: str, allow: tuple[Network, ...]) -> str | None:
    address = ip_address(text)
    forms = (address, *_wrapped(address))
    if not _METADATA.isdisjoint(_unscoped(form) for form in forms):
        return f"{text} is a metadata service of a cloud, which is never contacted"
    for form in forms:
        reason = None if _within(form, allow) else _special(form)
        if reason is not None:
            through = "" if form is address else f" (as {form})"
            return f"{text} is {reason}{through}; if it is meant, add it to network.allow_private"
    return None


def _wrapped(address: Address) -> tuple[IPv4Address, ...]:
    """Unwrap the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _special(address: Address) -> str | None:
    for network, name in _SPECIAL:
        if address in network:
            return name
    if isinstance(address, IPv4Address) or address in _PUBLIC_V6:
        return None
    stands_for_v4 = address.ipv4_mapped is not None or address in _TRANSLATED
    return None if stands_for_v4 else "a reserved address"


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _unscoped(address: Address) -> Address:
    return IPv6Address(int(address)) if isinstance(address, IPv6Address) else address
