"""A connection that a probe talks over by itself, in its own protocol."""

from __future__ import annotations

from monitor.net.hop import Place, secured
from monitor.net.progress import Progress
from monitor.net.tls import Tls, TlsSettings
from monitor.net.trace import Phase
from monitor.net.wire import Stage, Wire


class Connection:
    """An open connection to a vetted address, with the limits and the deadline of its probe."""

    def __init__(self, place: Place, wire: Wire, host: str, progress: Progress) -> None:
        self._place = place
        self._wire = wire
        self._host = host
        self._progress = progress

    async def secure(self, settings: TlsSettings) -> Tls:
        """Go over to TLS, at once or later in the conversation (STARTTLS). Raises Failure."""
        return await secured(self._place, self._wire, self._host, self._progress, settings)

    def send(self, raw: bytes) -> None:
        """Send bytes without waiting for anything; what is lost is found out by whoever waits."""
        self._progress.enter(Phase.PROCESSING)
        self._wire.send(raw)

    async def hear(self, stage: Stage) -> None:
        """Feed the stage until it is done. Raises Failure.

        The stage keeps for itself what it was fed and does not need yet.
        """
        self._progress.enter(Phase.PROCESSING)
        await self._wire.attend(stage, b"", lambda: self._progress.enter(Phase.TRANSFER))
