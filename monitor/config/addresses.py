"""URLs of a configuration, and where they may not lead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import httpx

from monitor.net.addresses import refusal

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""For addresses that the monitor itself does not contact, or only by the operator's word."""

_HALF_ADDRESS = re.compile(r"[0-9.]+|0x[0-9a-f.x]+", re.IGNORECASE)


def url_mistake(
    url: str, allow: Sequence[IPv4Network | IPv6Network], schemes: Sequence[str] = ("http", "https")
) -> str | None:
    """Why a URL cannot be meant or may not be contacted, with the remedy; None when it may.

    Names are not resolved here; what they resolve to is vetted when it is contacted. Only the
    host is shown: the rest of a URL may hold what nobody should read.
    """
    try:
        parsed = httpx.URL(url)
        host = parsed.host  # decodes an internationalised name, which may be none
    except (httpx.InvalidURL, ValueError):
        return "is no URL: write http://host/path or https://host/path"
    if parsed.scheme not in schemes:
        return f"must begin with {' or '.join(f'{each}://' for each in schemes)}"
    if not host:
        return "names no host: write http://host/path or https://host/path"
    if parsed.userinfo:
        return "holds a user or password: give them as `basic:` or `bearer:`"
    return host_mistake(host, allow)


def host_mistake(host: str, allow: Sequence[IPv4Network | IPv6Network]) -> str | None:
    """Why a host, a name or an address without brackets, may not be contacted; None when it may."""
    local = host == "localhost" or host.endswith(".localhost")
    try:
        address = str(ip_address("127.0.0.1" if local else host))
    except ValueError:
        half = _HALF_ADDRESS.fullmatch(host)
        return f"`{host}` is half an address: write all four numbers" if half else None
    reason = refusal(address, allow)
    return f"`{host}`: {reason}" if local and reason is not None else reason
