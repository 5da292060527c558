"""Where a probe connects to when it speaks no HTTP: `scheme://host:port`, and nothing after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import httpx

from monitor.probes.templates import places


class Endpoint(NamedTuple):
    """A host in ASCII, without brackets, and a port; the scheme is in small letters."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@lru_cache(maxsize=16384)
def endpoint(url: str, schemes: tuple[str, ...], default_port: int | None = None) -> Endpoint:
    """Read a URL. Raises ValueError with what is wrong, and how it is written."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise ValueError(f"is no URL: {_form(schemes, default_port)}") from None
    port = parsed.port or default_port
    if parsed.scheme not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{each}://' for each in schemes)}")
    if parsed.userinfo:
        raise ValueError("credentials do not belong in a URL")
    if not parsed.host or parsed.port == 0 or port is None or port > 65535:
        raise ValueError(f"names no host and port: {_form(schemes, default_port)}")
    if parsed.raw_path != b"/" or parsed.fragment:
        raise ValueError(f"has more than a host and a port: {_form(schemes, default_port)}")
    return Endpoint(parsed.scheme, parsed.raw_host.decode("ascii"), port)


def endpoint_mistakes(
    url: str, schemes: tuple[str, ...], default_port: int | None = None
) -> Iterator[str]:
    """What is wrong with a URL, as far as it can be told while its places are not filled in."""
    if places(url, is_url=True):
        if not url.startswith("{") and not _begins(url, schemes):
            yield f"url: must begin with {' or '.join(f'{each}://' for each in schemes)}"
        return
    try:
        endpoint(url, schemes, default_port)
    except ValueError as error:
        yield f"url: {error}"


def _begins(url: str, schemes: Sequence[str]) -> bool:
    return any(url.lower().startswith(f"{each}://") for each in schemes)


def _form(schemes: Sequence[str], default_port: int | None) -> str:
    port = ":port" if default_port is None else " or host:port"
    return f"write {schemes[0]}://host{port}"
