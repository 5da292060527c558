"""One datagram out, and the one that answers it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from monitor.model import FailureKind
from monitor.net.failure import Failure, Unable


async def asked_by_datagram(
    address: str, port: int, source: str | None, payload: bytes, belongs: Callable[[bytes], bool]
) -> bytes:
    """Send to a literal address, and return the first datagram from there that `belongs`.

    The socket is connected, so that only that address can answer. Raises Failure(CONNECT), and
    Unable where the source is of another family than the address.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[bytes] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Waiting(waiter, belongs),
            local_addr=(source, 0) if source else None,
            remote_addr=(address, port),
        )
    except OSError as error:
        raise _unreached(address, port, error) from error
    except ValueError as error:  # the event loop's word for addresses of two families
        raise Unable(f"{source} cannot reach {address}: one is IPv4, the other IPv6") from error
    try:
        transport.sendto(payload)
        return await waiter
    except OSError as error:
        raise _unreached(address, port, error) from error
    finally:
        transport.close()


def _unreached(address: str, port: int, error: OSError) -> Failure:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return Failure(FailureKind.CONNECT, f"{address} port {port}: {reason}")


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, waiter: asyncio.Future[bytes], belongs: Callable[[bytes], bool]) -> None:
        self._waiter = waiter
        self._belongs = belongs

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        if not self._waiter.done() and self._belongs(data):
            self._waiter.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Take in that the address refused (ICMP)."""
        if not self._waiter.done():
            self._waiter.set_exception(exc)
