"""The HTTP listener: uvicorn serving the application on a socket bound beforehand.

The socket is bound before anything else starts, so that a taken port is said at once. uvicorn
must not catch signals: the daemon owns them.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI


class Listener(uvicorn.Server):
    """Serves one application on one bound socket, until told to exit."""

    def __init__(self, app: FastAPI, bound: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._bound = bound

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the daemon."""
        yield

    async def run_until_exit(self) -> None:
        """Serve until `should_exit`."""
        await self.serve(sockets=[self._bound])


def bind(host: str, port: int) -> socket.socket:
    """A bound stream socket. Raises OSError naming the address when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
    bound.settimeout(0)
    return bound
