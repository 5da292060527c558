"""The receiver of a life: real HTTP on loopback, without a thread, kept by whoever forks lives.

What it answered with 200 it has accepted. It keeps one alert per `dedup_key`, as receivers do: a
trigger opens it, a resolve closes it.
"""

from __future__ import annotations

import json
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

ACCEPT, HANG, LOSE = 200, 0, -200
"""Answers: taken; none at all; 200 by one who then forgets it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A notice as it was asked for."""

    key: str
    channel: str
    document: dict[str, Any]

    @property
    def action(self) -> str:
        return str(self.document["action"])


@dataclass
class Receiver:
    """`answers` gives the status to answer a request of a channel with, by what it asks."""

    answers: Callable[[Asked], int] = lambda _asked: ACCEPT
    accepted: list[Asked] = field(default_factory=list)
    refused: list[Asked] = field(default_factory=list)
    alerts: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.0)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._read: dict[socket.socket, bytes] = {}
        self.port: int = self._listener.getsockname()[1]

    def forget(self) -> None:
        """A new life."""
        for connection in tuple(self._read):
            self._close(connection)
        self.accepted.clear()
        self.refused.clear()
        self.alerts.clear()

    def open_alerts(self, channel: str) -> set[str]:
        """The `dedup_key`s of the alerts of a channel that were not resolved."""
        return {
            key for (way, key), state in self.alerts.items() if (way, state) == (channel, "open")
        }

    def serve_until_gone(self, process: int, within: float) -> bool:
        """Serve until the process of this descriptor has ended; False when it has not in time."""
        self._selector.register(process, selectors.EVENT_READ)
        try:
            while self._serve(within, also=process):
                pass
            ended = self._ended(process)
        finally:
            self._selector.unregister(process)
        while ended and self._serve(0.0):
            pass
        return ended

    def close(self) -> None:
        self.forget()
        self._selector.unregister(self._listener)
        self._listener.close()

    def _ended(self, process: int) -> bool:
        return any(key.fd == process for key, _ in self._selector.select(0.0))

    def _serve(self, within: float, also: int | None = None) -> bool:
        """Serve what comes next; whether to go on."""
        ready = self._selector.select(within)
        for key, _ in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj != also:
                self._hear(key.fileobj)
        return bool(ready) and all(key.fd != also for key, _ in ready)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._read[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _hear(self, connection: socket.socket) -> None:
        try:
            more = connection.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            self._close(connection)
            return
        self._read[connection] += more
        head, found, body = self._read[connection].partition(b"\r\n\r\n")
        fields = dict(_fields(head))
        if found and len(body) >= int(fields.get("content-length", 0)):
            self._answer(connection, head, fields, body)

    def _answer(
        self, connection: socket.socket, head: bytes, fields: dict[str, str], body: bytes
    ) -> None:
        channel = head.split(b" ", 2)[1].decode().strip("/")
        asked = Asked(fields["idempotency-key"], channel, json.loads(body))
        status = self.answers(asked)
        if status == HANG:
            self.refused.append(asked)
            return
        if status == ACCEPT:
            self.take(asked)
        else:
            self.refused.append(asked)
        said = b'{"id": "remote-1"}'
        line = f"HTTP/1.1 {abs(status)} so\r\ncontent-length: {len(said)}\r\n"
        # Who was killed meanwhile does not hear it: it was accepted all the same.
        with suppress(ConnectionError):
            connection.sendall(line.encode() + b"connection: close\r\n\r\n" + said)
        self._close(connection)

    def take(self, asked: Asked) -> None:
        """Accept a notice."""
        self.accepted.append(asked)
        alert = asked.channel, str(asked.document["dedup_key"])
        if asked.action == "resolve":
            self.alerts[alert] = "closed"
        elif asked.action == "trigger":
            self.alerts.setdefault(alert, "open")

    def _close(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._read[connection]
        connection.close()


def _fields(head: bytes):
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        yield name.strip().lower(), value.strip()
